-- What a file may leave behind, in the database that it ran in: how many rows the tables have, and how many objects there are.
SELECT format('SELECT %L, count(*) FROM %s', c.oid::regclass, c.oid::regclass)
FROM pg_class AS c
WHERE c.relnamespace IN ('kepler'::regnamespace, 'kepler_data'::regnamespace) AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    AND c.relname !~ '^(feed|history|maintenance)' AND c.relname <> 'tracked_tables' ORDER BY c.relname \gexec
SELECT count(*) FROM kepler.tracked_tables WHERE untracked_at IS NULL;
SELECT (SELECT count(*) FROM pg_class WHERE relkind <> 'i' AND NOT relispartition), (SELECT count(*) FROM pg_proc), (SELECT count(*) FROM pg_namespace WHERE nspname !~ '^pg_'),
    (SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal), (SELECT string_agg(d::text, ' ' ORDER BY d::text) FROM pg_db_role_setting AS d);
