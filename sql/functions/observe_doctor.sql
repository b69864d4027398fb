-- kepler.doctor(): what is wrong, one row a finding, with the statement that mends it. Checks stand in groups, each a function, so
-- that one that fails (half an installation, a table that somebody replaced) becomes a finding, and stops no other.

-- For what shows all workspaces. Before install() nobody owns the tables, and there is nothing to see.
CREATE FUNCTION kepler_internal.require_monitor() RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    owner constant oid := (SELECT c.relowner FROM pg_class AS c WHERE c.oid = to_regclass('kepler.workspaces'));
BEGIN
    IF NOT pg_has_role(current_user, 'pg_monitor', 'USAGE') AND NOT coalesce(pg_has_role(current_user, owner, 'USAGE'), true) THEN
        RAISE insufficient_privilege USING MESSAGE = format('role "%s" may not look at all workspaces', current_user),
            DETAIL = 'That is for members of pg_monitor and for the owner of Kepler''s tables.',
            HINT = format('GRANT pg_monitor TO %I;', current_user);
    END IF;
END
$$;

-- Whether the tables, the extension and the library belong together.
CREATE FUNCTION kepler_internal.doctor_installation() RETURNS TABLE (
    severity text, check_name text, object_name text, message text, statement text, hint text
)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    found integer;
    latest constant integer := kepler_internal.latest_schema_version();
    extension text;
    vector text;
BEGIN
    SELECT e.extversion INTO extension FROM pg_extension AS e WHERE e.extname = 'kepler';
    SELECT e.extversion INTO vector FROM pg_extension AS e WHERE e.extname = 'vector';
    IF extension IS NOT NULL AND extension <> kepler.version() THEN
        RETURN QUERY SELECT 'error', 'extension_version', 'extension kepler',
            format('The functions in this database are of version %s, and the library of %s.', extension, kepler.version()),
            'ALTER EXTENSION kepler UPDATE;', 'Then SELECT kepler.install().';
    END IF;
    IF to_regclass('kepler.schema_versions') IS NULL THEN
        RETURN QUERY SELECT 'error', 'installation', 'schema kepler', 'Kepler''s tables are not installed in this database.',
            'SELECT kepler.install();', 'Whoever calls it owns the tables.';
        RETURN;
    END IF;
    SELECT max(v.version) INTO found FROM kepler.schema_versions AS v;
    IF coalesce(found, 0) < latest THEN
        RETURN QUERY SELECT 'error', 'schema_version', 'schema kepler',
            format('The tables are of schema version %s, and the library of %s.', coalesce(found, 0), latest),
            'SELECT kepler.install();', 'It adds what is missing, in one transaction.';
    ELSIF found > latest THEN
        RETURN QUERY SELECT 'error', 'schema_version', 'schema kepler',
            format('The tables are of schema version %s, and the library knows only %s.', found, latest),
            NULL, 'Install the newer library, then ALTER EXTENSION kepler UPDATE.';
    END IF;
    IF string_to_array(regexp_replace(vector, '[^0-9.].*$', ''), '.')::integer[] < '{0,8,4}' THEN
        RETURN QUERY SELECT 'error', 'vector_version', 'extension vector', format('pgvector %s builds indexes that can be corrupt.', vector),
            'ALTER EXTENSION vector UPDATE;', 'Version 0.8.4 is the first without known corruption of indexes.';
    END IF;
END
$$;

-- Whether Kepler's own tables are as install() made them. What was added to them is the user's own business, save what shows rows
-- of other workspaces.
CREATE FUNCTION kepler_internal.doctor_tables() RETURNS TABLE (
    severity text, check_name text, object_name text, message text, statement text, hint text
)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
BEGIN
    IF to_regclass('kepler.schema_versions') IS NULL
        OR (SELECT max(v.version) FROM kepler.schema_versions AS v) IS DISTINCT FROM kepler_internal.latest_schema_version()
    THEN
        RETURN;
    END IF;
    RETURN QUERY
    WITH expected AS MATERIALIZED (
        SELECT * FROM kepler_internal.expected_tables()
    ), present AS MATERIALIZED (
        SELECT * FROM kepler_internal.described_tables()
    ), compared AS (
        SELECT coalesce(e.kind, p.kind) AS kind, coalesce(e.table_name, p.table_name) AS table_name, coalesce(e.name, p.name) AS name,
            e.definition AS expected, p.definition AS found
        FROM expected AS e
        FULL JOIN present AS p ON p.kind = e.kind AND p.table_name = e.table_name AND p.name IS NOT DISTINCT FROM e.name
        WHERE p.definition IS DISTINCT FROM e.definition
    ), told AS (
        SELECT c.*, format('kepler.%I', c.table_name) AS relation
        FROM compared AS c
        WHERE c.expected IS NOT NULL
            -- What hangs on something that is missing is not told apart.
            AND (c.kind IN ('table', 'view', 'sequence') OR NOT EXISTS (
                SELECT FROM compared AS t
                WHERE t.kind IN ('table', 'view') AND t.table_name = c.table_name AND t.found IS NULL))
            AND NOT (c.kind IN ('default', 'not null') AND EXISTS (
                SELECT FROM compared AS a
                WHERE a.kind = 'column' AND a.table_name = c.table_name AND a.name = c.name AND a.found IS NULL))
            -- A trigger does what Citus has no foreign keys for.
            AND NOT (c.kind = 'constraint' AND c.expected LIKE c.found || ' ON DELETE SET NULL (%)' AND kepler_internal.is_distributed())
            AND NOT (c.kind = 'trigger state' AND EXISTS (
                SELECT FROM compared AS a
                WHERE a.kind = 'trigger' AND a.table_name = c.table_name AND a.name = c.name))
    )
    SELECT 'error', replace(t.kind, ' ', '_'),
        CASE WHEN t.name IS NULL THEN t.relation
            WHEN t.kind IN ('column', 'default', 'not null') THEN format('%s.%I', t.relation, t.name)
            ELSE format('%I on %s', t.name, t.relation) END,
        CASE
            WHEN t.kind = 'trigger state' AND t.found = 'DISABLE' THEN 'The trigger is disabled.'
            WHEN t.kind = 'row security' AND t.found IS NULL THEN 'Row security is off: every role sees the rows of all workspaces.'
            WHEN t.found IS NULL THEN format('%s is missing.', CASE t.kind
                WHEN 'default' THEN 'The default' WHEN 'not null' THEN 'NOT NULL' ELSE 'The ' || t.kind END)
            ELSE format('It is "%s", and was made as "%s".', t.found, t.expected)
        END,
        CASE t.kind
            WHEN 'row security' THEN CASE WHEN t.found IS NULL
                THEN format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY;', t.relation)
                ELSE format('ALTER TABLE %s NO FORCE ROW LEVEL SECURITY;', t.relation) END
            WHEN 'column' THEN CASE WHEN t.found IS NULL
                THEN format('ALTER TABLE %s ADD COLUMN %I %s%s%s;', t.relation, t.name, t.expected,
                    (SELECT ' DEFAULT ' || e.definition FROM expected AS e
                    WHERE e.kind = 'default' AND e.table_name = t.table_name AND e.name = t.name),
                    (SELECT ' NOT NULL' FROM expected AS e
                    WHERE e.kind = 'not null' AND e.table_name = t.table_name AND e.name = t.name)) END
            WHEN 'default' THEN format('ALTER TABLE %s ALTER COLUMN %I SET DEFAULT %s;', t.relation, t.name, t.expected)
            WHEN 'not null' THEN format('ALTER TABLE %s ALTER COLUMN %I SET NOT NULL;', t.relation, t.name)
            WHEN 'constraint' THEN CASE WHEN t.found = t.expected || ' NOT VALID'
                THEN format('ALTER TABLE %s VALIDATE CONSTRAINT %I;', t.relation, t.name)
                ELSE concat('ALTER TABLE ', t.relation, CASE WHEN t.found IS NOT NULL THEN format(' DROP CONSTRAINT %I,', t.name) END,
                    format(' ADD CONSTRAINT %I %s;', t.name, t.expected)) END
            WHEN 'index' THEN concat(CASE WHEN t.found IS NOT NULL THEN format('DROP INDEX kepler.%I; ', t.name) END, t.expected, ';')
            WHEN 'trigger' THEN concat(CASE WHEN t.found IS NOT NULL THEN format('DROP TRIGGER %I ON %s; ', t.name, t.relation) END,
                t.expected, ';', (
                SELECT format(' ALTER TABLE %s %s TRIGGER %I;', t.relation, e.definition, t.name) FROM expected AS e
                WHERE e.kind = 'trigger state' AND e.table_name = t.table_name AND e.name = t.name AND e.definition <> 'ENABLE'))
            WHEN 'trigger state' THEN format('ALTER TABLE %s %s TRIGGER %I;', t.relation, t.expected, t.name)
            WHEN 'policy' THEN concat(CASE WHEN t.found IS NOT NULL THEN format('DROP POLICY %I ON %s; ', t.name, t.relation) END,
                format('CREATE POLICY %I ON %s %s;', t.name, t.relation, t.expected))
            WHEN 'sequence' THEN CASE WHEN t.found IS NULL
                THEN format('CREATE SEQUENCE %s %s;', t.relation, t.expected)
                ELSE format('ALTER SEQUENCE %s %s;', t.relation, t.expected) END
        END,
        CASE t.kind
            WHEN 'table' THEN 'Restore it from a backup. Was it renamed? Then give it its name again.'
            WHEN 'view' THEN 'Its statement stands in the file of sql/schema that made it.'
            WHEN 'column' THEN CASE WHEN t.found IS NULL THEN 'Its values are lost, or under another name: then rename it.'
                ELSE 'ALTER COLUMN … TYPE rewrites the table: choose the time.' END
            WHEN 'index' THEN 'On a table in use: CREATE INDEX CONCURRENTLY, as a statement of its own.'
        END
    FROM told AS t
    UNION ALL
    -- A policy adds to what the others let through.
    SELECT 'warning', 'policy', format('%I on kepler.%I', c.name, c.table_name),
        'A policy that Kepler did not make lets more rows through.',
        format('DROP POLICY %I ON kepler.%I;', c.name, c.table_name), 'If it is meant to narrow, make it AS RESTRICTIVE.'
    FROM compared AS c WHERE c.kind = 'policy' AND c.expected IS NULL AND c.found LIKE 'AS PERMISSIVE%'
        AND EXISTS (SELECT FROM expected AS e WHERE e.kind = 'table' AND e.table_name = c.table_name)
    UNION ALL
    -- Nothing can keep a trigger from firing later: Postgres goes by their names.
    SELECT 'warning', 'trigger_order', format('%I on %s', g.tgname, g.tgrelid::regclass),
        format('It fires behind %s, before the row is written: %s.', string_agg(k.tgname::text, ' and ' ORDER BY k.tgname),
            string_agg(CASE k.tgname WHEN 'zzz_make_words' THEN 'a search by words does not find what it makes of the content'
                ELSE 'nobody looks for secrets in what it writes' END, ', and ' ORDER BY k.tgname)),
        format('ALTER TRIGGER %I ON %s RENAME TO %I;', g.tgname, g.tgrelid::regclass, left('a_' || g.tgname, 63)),
        CASE WHEN bool_or(k.tgname = 'zzz_make_words')
            THEN 'Triggers fire in the order of their names. Then set the language of rows that it has changed to another one and back.'
            ELSE 'Triggers fire in the order of their names.' END
    FROM pg_trigger AS k
    JOIN pg_proc AS f ON f.oid = k.tgfoid AND f.pronamespace = to_regnamespace('kepler_internal') AND f.proname IN ('guard_secrets', 'make_words')
    JOIN pg_trigger AS g ON g.tgrelid = k.tgrelid AND g.tgname > k.tgname AND NOT g.tgisinternal AND g.tgenabled <> 'D'
        -- Before each row, of an event that both have.
        AND g.tgtype & 3 = 3 AND g.tgtype & k.tgtype & 20 <> 0
    JOIN pg_class AS c ON c.oid = g.tgrelid AND c.relnamespace = to_regnamespace('kepler')
    WHERE k.tgname IN ('zz_guard_secrets', 'zzz_make_words') AND NOT EXISTS (
        SELECT FROM pg_proc AS own WHERE own.oid = g.tgfoid AND own.pronamespace = f.pronamespace)
    GROUP BY g.oid, g.tgname, g.tgrelid;
END
$$;

-- What is the matter with indexes, triggers of foreign keys, and partitions.
CREATE FUNCTION kepler_internal.doctor_indexes() RETURNS TABLE (
    severity text, check_name text, object_name text, message text, statement text, hint text
)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
BEGIN
    RETURN QUERY
    SELECT 'error', 'index_invalid', i.indexrelid::regclass::text, 'The index is not valid: building it was interrupted, and no search uses it.',
        CASE WHEN x.relname ~ '_cc(new|old)[0-9]*$' THEN format('DROP INDEX CONCURRENTLY %s;', i.indexrelid::regclass)
            ELSE format('REINDEX INDEX CONCURRENTLY %s;', i.indexrelid::regclass) END,
        'As a statement of its own, outside of a transaction.'
    FROM pg_index AS i
    JOIN pg_class AS x ON x.oid = i.indexrelid
    JOIN pg_class AS c ON c.oid = i.indrelid
    WHERE c.relnamespace IN (to_regnamespace('kepler'), to_regnamespace('kepler_data')) AND NOT i.indisvalid AND x.relkind = 'i'
        AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index AS p WHERE p.index_relid = i.indexrelid)
    UNION ALL
    SELECT 'error', 'foreign_key_disabled', c.oid::regclass::text, 'Triggers of foreign keys are disabled: nothing checks references.',
        format('ALTER TABLE %s ENABLE TRIGGER ALL;', c.oid::regclass), 'Then look for rows that refer to nothing.'
    FROM pg_class AS c
    WHERE c.relnamespace IN (to_regnamespace('kepler'), to_regnamespace('kepler_data'))
        AND EXISTS (SELECT FROM pg_trigger AS g WHERE g.tgrelid = c.oid AND g.tgisinternal AND g.tgenabled = 'D')
    UNION ALL
    SELECT 'error', 'partition_row_security', c.oid::regclass::text, 'Row security is off on a partition.',
        format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY;', c.oid::regclass), NULL
    FROM pg_class AS c
    WHERE c.relnamespace = to_regnamespace('kepler') AND c.relispartition AND c.relkind = 'r' AND NOT c.relrowsecurity
        AND c.relname ~ '_[0-9]{8}$';
    IF to_regclass('kepler.embedding_spaces') IS NOT NULL THEN
        RETURN QUERY
        SELECT 'notice', 'vector_index', a.table_name::text || '.' || a.column_name, a.reason, a.statement, NULL
        FROM kepler_internal.index_advice(NULL) AS a WHERE a.advice NOT IN ('none', 'analyze') AND NOT EXISTS (
            SELECT FROM pg_index AS i WHERE i.indrelid = a.table_name AND NOT i.indisvalid AND a.advice = 'drop');
    END IF;
END
$$;

-- What belongs to whom, and who may do what.
CREATE FUNCTION kepler_internal.doctor_access() RETURNS TABLE (
    severity text, check_name text, object_name text, message text, statement text, hint text
)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    owner oid;
    extension_owner oid;
BEGIN
    SELECT c.relowner INTO owner FROM pg_class AS c WHERE c.oid = to_regclass('kepler.workspaces');
    SELECT e.extowner INTO extension_owner FROM pg_extension AS e WHERE e.extname = 'kepler';
    RETURN QUERY
    SELECT 'error', 'owner', c.oid::regclass::text, format('It belongs to %s, and Kepler''s tables to %s.', c.relowner::regrole, owner::regrole),
        format('ALTER TABLE %s OWNER TO %s;', c.oid::regclass, owner::regrole), 'What runs in the name of one role does not run in that of another.'
    FROM pg_class AS c
    WHERE c.relnamespace IN (to_regnamespace('kepler'), to_regnamespace('kepler_data')) AND c.relkind IN ('r', 'p', 'v')
        AND c.relowner <> owner
    UNION ALL
    SELECT 'error', 'public_rights', 'schema ' || n.nspname, format('PUBLIC has %s on it.', string_agg(a.privilege_type, ', ' ORDER BY a.privilege_type)),
        format('REVOKE ALL ON SCHEMA %I FROM PUBLIC;', n.nspname), 'Rights are given by kepler.grant_access.'
    FROM pg_namespace AS n CROSS JOIN LATERAL aclexplode(n.nspacl) AS a
    WHERE n.nspname IN ('kepler', 'kepler_internal', 'kepler_data') AND a.grantee = 0 GROUP BY n.nspname
    UNION ALL
    SELECT 'error', 'public_rights', c.oid::regclass::text, format('PUBLIC has %s on it.', string_agg(DISTINCT a.privilege_type, ', ')),
        format('REVOKE ALL ON %s FROM PUBLIC;', c.oid::regclass), 'Rights are given by kepler.grant_access.'
    FROM pg_class AS c
    CROSS JOIN LATERAL (
        SELECT * FROM aclexplode(c.relacl)
        UNION ALL SELECT x.* FROM pg_attribute AS t CROSS JOIN LATERAL aclexplode(t.attacl) AS x
        WHERE t.attrelid = c.oid AND t.attacl IS NOT NULL) AS a
    WHERE c.relnamespace IN (to_regnamespace('kepler'), to_regnamespace('kepler_data')) AND c.relkind IN ('r', 'p', 'v') AND a.grantee = 0
        -- A cluster's anchor, which has no rows.
        AND NOT (c.relname IN ('parts', 'two_phase') AND kepler_internal.is_distributed())
    GROUP BY c.oid
    UNION ALL
    SELECT 'error', 'public_rights', p.oid::regprocedure::text, 'PUBLIC may execute it.',
        format('REVOKE EXECUTE ON ROUTINE %s FROM PUBLIC;', p.oid::regprocedure), 'Rights are given by kepler.grant_access.'
    FROM pg_proc AS p
    WHERE p.pronamespace IN (to_regnamespace('kepler'), to_regnamespace('kepler_internal'))
        AND EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a WHERE a.grantee = 0);
    -- Only the owner may see who has which level.
    IF pg_has_role(current_user, owner, 'USAGE') THEN
        RETURN QUERY
        SELECT 'warning', 'preload', 'role ' || quote_ident(m.role_name), 'Its levels differ by workspace, and the library is not loaded when a session begins.',
            format('ALTER DATABASE %I SET session_preload_libraries = %s;', current_database(),
                (SELECT string_agg(quote_literal(btrim(l.name, ' "')), ', ' ORDER BY l.number)
                FROM unnest(string_to_array(current_setting('session_preload_libraries'), ',') || 'kepler'::text) WITH ORDINALITY AS l (name, number)
                WHERE btrim(l.name, ' "') <> '')),
            'Until the library is loaded, a session''s first statement has the rights of all levels of the role.'
        FROM kepler.workspace_members AS m
        WHERE current_setting('session_preload_libraries') !~ '\mkepler\M' AND current_setting('shared_preload_libraries') !~ '\mkepler\M'
        GROUP BY m.role_name HAVING count(DISTINCT m.level) > 1;
    END IF;
END
$$;

-- Whether vacuum, analyze and the numbers that rows take keep up.
CREATE FUNCTION kepler_internal.doctor_vacuum() RETURNS TABLE (
    severity text, check_name text, object_name text, message text, statement text, hint text
)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
BEGIN
    RETURN QUERY
    WITH tables AS MATERIALIZED (
        SELECT c.oid, c.oid::regclass::text AS name, c.reltuples, c.relpages, c.relfrozenxid, c.relminmxid, c.relkind, c.reloptions,
            pg_stat_get_live_tuples(c.oid) AS live, pg_stat_get_dead_tuples(c.oid) AS dead, pg_stat_get_mod_since_analyze(c.oid) AS changed,
            coalesce(pg_stat_get_last_autoanalyze_time(c.oid), pg_stat_get_last_analyze_time(c.oid)) AS analyzed_at
        FROM pg_class AS c
        WHERE c.relnamespace IN (to_regnamespace('kepler'), to_regnamespace('kepler_data')) AND c.relkind IN ('r', 't')
    )
    -- Autovacuum analyzes by itself past a tenth: this is ten times as much.
    SELECT 'warning', 'statistics', t.name,
        CASE WHEN t.reltuples < 0 THEN format('The table has %s rows or so, and was never analyzed.', t.live)
            ELSE format('%s of about %s rows have changed since the table was analyzed.', t.changed, greatest(t.live, t.reltuples::bigint)) END,
        format('ANALYZE %s;', t.name), 'If this comes again, look whether autovacuum keeps up.'
    FROM tables AS t
    WHERE t.live >= 10000 AND (t.reltuples < 0 OR t.changed > greatest(t.live, t.reltuples::bigint))
    UNION ALL
    SELECT 'warning', 'vacuum', t.name, format('It has %s versions of rows that nobody needs beside %s that are there.', t.dead, t.live),
        format('VACUUM (ANALYZE) %s;', t.name), 'If they stay, something holds the horizon: see kepler.stat_horizon.'
    FROM tables AS t WHERE t.dead > 10000 AND t.dead > t.live
    UNION ALL
    SELECT 'error', 'autovacuum', t.name, 'Autovacuum is switched off for the table.',
        format('ALTER TABLE %s RESET (autovacuum_enabled);', t.name), NULL
    FROM tables AS t
    WHERE t.reloptions && '{autovacuum_enabled=off,autovacuum_enabled=false,autovacuum_enabled=no,autovacuum_enabled=0}'
    UNION ALL
    SELECT 'error', 'wraparound', t.name, format('Its oldest row is %s transactions old; Postgres stops at two billion.', age(t.relfrozenxid)),
        format('VACUUM (FREEZE) %s;', t.name), 'Something kept vacuum from it: see kepler.stat_horizon.'
    FROM tables AS t
    WHERE t.relfrozenxid <> '0' AND (age(t.relfrozenxid) > 1000000000 OR mxid_age(t.relminmxid) > 1000000000)
    UNION ALL
    SELECT 'warning', 'statistics_target', format('%s.%I', t.name, a.attname), 'No statistics are kept of the column.',
        format('ALTER TABLE %s ALTER COLUMN %I SET STATISTICS -1;', t.name, a.attname), 'Then ANALYZE the table.'
    FROM tables AS t JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
    -- Without a target it is -1 before Postgres 17, and NULL since.
    WHERE a.attstattarget = 0
    UNION ALL
    -- The numbers are known of sequences that the caller may read.
    SELECT 'warning', 'sequence', format('%I.%I', s.schemaname, s.sequencename),
        format('It stands at %s of %s.', s.last_value, s.max_value),
        CASE WHEN s.max_value < CASE s.data_type WHEN 'bigint'::regtype THEN 9223372036854775807 WHEN 'integer'::regtype THEN 2147483647 ELSE 32767 END
            THEN format('ALTER SEQUENCE %I.%I MAXVALUE %s;', s.schemaname, s.sequencename,
                CASE s.data_type WHEN 'bigint'::regtype THEN 9223372036854775807 WHEN 'integer'::regtype THEN 2147483647 ELSE 32767 END) END,
        'A column of a wider type takes more.'
    FROM pg_sequences AS s
    WHERE s.schemaname IN ('kepler', 'kepler_data') AND s.last_value > s.max_value / 5 * 4;
END
$$;

-- What Postgres is set to, and what changed under it.
CREATE FUNCTION kepler_internal.doctor_server() RETURNS TABLE (
    severity text, check_name text, object_name text, message text, statement text, hint text
)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
BEGIN
    RETURN QUERY
    SELECT 'error', 'server_version', 'PostgreSQL ' || current_setting('server_version'), w.warning, NULL, 'Install the newest minor version.'
    FROM kepler_internal.server_warning(current_setting('server_version_num')::integer) AS w (warning) WHERE w.warning IS NOT NULL
    UNION ALL
    SELECT 'error', 'collation', 'database ' || quote_ident(d.datname), format(
            'Its collation was of version %s, and the system''s is %s: indexes on text may be out of order.',
            d.datcollversion, coalesce(pg_database_collation_actual_version(d.oid), 'of none')),
        format('ALTER DATABASE %I REFRESH COLLATION VERSION;', d.datname), format('First REINDEX DATABASE %I.', d.datname)
    FROM pg_database AS d
    WHERE d.datname = current_database() AND d.datcollversion IS NOT NULL
        AND d.datcollversion IS DISTINCT FROM pg_database_collation_actual_version(d.oid)
    UNION ALL
    SELECT 'warning', 'statistics_target', 'default_statistics_target', format('It is %s: plans of your own queries rest on few rows.', s.setting),
        'RESET default_statistics_target;', 'Where it is set for the database or in postgresql.conf, take it out there; then ANALYZE.'
    FROM pg_settings AS s WHERE s.name = 'default_statistics_target' AND s.setting::integer < 100
    UNION ALL
    SELECT 'error', 'autovacuum', s.name, format('%s is off.', s.name), format('ALTER SYSTEM SET %s = on;', s.name), 'Then SELECT pg_reload_conf().'
    FROM pg_settings AS s WHERE s.name IN ('autovacuum', 'track_counts') AND s.setting = 'off'
    UNION ALL
    SELECT 'notice', 'planner_hooks', 'kepler.planner_hooks', 'It is off: Kepler''s own statements are planned by the statistics of the moment.',
        'RESET kepler.planner_hooks;', NULL
    FROM pg_settings AS s WHERE s.name = 'kepler.planner_hooks' AND s.setting = 'off'
    UNION ALL
    SELECT 'error', 'wal_level', 'publication ' || quote_ident(p.pubname), format('It publishes Kepler''s tables, and wal_level is %s.', current_setting('wal_level')),
        'ALTER SYSTEM SET wal_level = logical;', 'It takes a restart of the server.'
    FROM pg_publication AS p
    WHERE current_setting('wal_level') <> 'logical' AND EXISTS (
        SELECT FROM pg_publication_tables AS t WHERE t.pubname = p.pubname AND t.schemaname IN ('kepler', 'kepler_data'));
END
$$;

-- What must be done now and then, and is not; and who holds it up.
CREATE FUNCTION kepler_internal.doctor_upkeep(held_for interval, silent_for interval) RETURNS TABLE (
    severity text, check_name text, object_name text, message text, statement text, hint text
)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
BEGIN
    IF to_regclass('kepler.stat_horizon') IS NULL THEN
        RETURN;
    END IF;
    RETURN QUERY
    SELECT 'warning', 'horizon', concat_ws(' ', h.held_by, coalesce(h.name, h.pid::text)),
        concat_ws(' ', CASE WHEN h.began_at IS NULL THEN format('It has held the horizon for %s transactions.', h.transactions)
            ELSE format('It has been under way since %s.', to_char(h.began_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')) END,
            'Vacuum removes nothing that was deleted since.', CASE WHEN h.holds_feed THEN 'The feed serves nothing that was changed since.' END),
        CASE h.held_by
            WHEN 'session' THEN format('SELECT pg_terminate_backend(%s);', h.pid)
            WHEN 'prepared transaction' THEN format('ROLLBACK PREPARED %L;', h.name)
            WHEN 'replication slot' THEN format('SELECT pg_drop_replication_slot(%L);', h.name) END,
        CASE h.held_by
            WHEN 'session' THEN 'Ask whose it is first. Against forgotten ones: idle_in_transaction_session_timeout.'
            WHEN 'prepared transaction' THEN 'Ask its coordinator first: it may have to be committed. In the database that it was prepared in.'
            WHEN 'replication slot' THEN 'If its consumer is gone for good.' ELSE 'Its hot_standby_feedback is on: look for long queries there.' END
    FROM kepler.stat_horizon AS h
    WHERE h.began_at < statement_timestamp() - held_for
        OR h.began_at IS NULL AND h.held_by = 'replication slot' AND h.state = 'inactive' AND h.transactions > 1000000
        OR h.began_at IS NULL AND h.transactions > 100000000;
    RETURN QUERY
    SELECT 'warning', 'consumer', format('%s in workspace %s', f.consumer, f.workspace_id),
        format('The consumer has acknowledged nothing since %s, and changes wait for it.',
            to_char(f.acknowledged_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')),
        format('DELETE FROM kepler.consumers AS c WHERE c.workspace_id = %L AND c.name = %L;', f.workspace_id, f.consumer),
        'If it is gone for good: changes that are deleted for their age before it comes back are lost to it.'
    FROM kepler.stat_feed AS f
    WHERE f.acknowledged_at < statement_timestamp() - silent_for AND f.waiting > 0;
    RETURN QUERY
    SELECT 'warning', 'maintenance', 'kepler.maintain', CASE WHEN m.ran_at IS NULL THEN 'kepler.maintain() has never run.'
            ELSE format('kepler.maintain() has not run since %s.', to_char(m.ran_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')) END,
        'CALL kepler.maintain();', 'Have a scheduler call it once a minute.'
    FROM (SELECT max(s.last_started_at) AS ran_at FROM kepler.stat_maintenance AS s) AS m
    WHERE coalesce(m.ran_at, (SELECT min(v.installed_at) FROM kepler.schema_versions AS v)) < statement_timestamp() - silent_for
    UNION ALL
    SELECT 'warning', 'maintenance', concat_ws(' ', s.step, s.object, 'in workspace ' || s.workspace_id),
        format('The step has come to nothing %s times in a row, last with SQLSTATE %s.', s.failures, s.last_error_code),
        NULL, 'The column last_error of kepler.maintenance says why.'
    FROM kepler.stat_maintenance AS s WHERE s.failures >= 3;
    RETURN QUERY
    SELECT 'warning', 'partitions', 'kepler.' || l.log, 'No partition is ready for what comes next: rows go to the default partition.',
        'CALL kepler.maintain();', 'Have a scheduler call it once a minute.'
    FROM (VALUES ('feed', 'week'), ('history', 'month')) AS l (log, period)
    WHERE to_regclass('kepler.' || l.log) IS NOT NULL AND to_regclass(format('kepler.%I', concat(l.log, '_',
        to_char(date_trunc(l.period, statement_timestamp() AT TIME ZONE 'UTC') + ('1 ' || l.period)::interval, 'YYYYMMDD')))) IS NULL;
    -- Only the owner may see what is tracked; others see what has triggers. The number of a table goes with its triggers.
    RETURN QUERY
    WITH triggers AS MATERIALIZED (
        SELECT g.tgrelid, g.tgname, g.tgenabled, split_part(encode(g.tgargs, 'escape'), '\000', 1) AS number
        FROM pg_trigger AS g WHERE NOT g.tgisinternal AND g.tgfoid IN (
            to_regproc('kepler_internal.tell_feed'), to_regproc('kepler_internal.tell_history'))
    )
    SELECT 'error', 'feed_triggers', g.tgrelid::regclass::text, 'Triggers that note its changes are disabled.',
        string_agg(format('ALTER TABLE %s %s TRIGGER %I;', g.tgrelid::regclass, CASE WHEN g.tgname LIKE '%replicated' THEN 'ENABLE REPLICA'
            WHEN g.tgname LIKE '%truncate' THEN 'ENABLE ALWAYS' ELSE 'ENABLE' END, g.tgname), ' ' ORDER BY g.tgname),
        'What was changed meanwhile is not told.'
    FROM triggers AS g WHERE g.tgenabled = 'D' GROUP BY g.tgrelid;
    IF pg_has_role(current_user, (SELECT c.relowner FROM pg_class AS c WHERE c.oid = 'kepler.tracked_tables'::regclass), 'USAGE') THEN
        RETURN QUERY
        SELECT 'error', 'feed_triggers', t.name, 'The table is tracked, and no trigger notes its changes.',
            format('SELECT kepler.untrack(%L); SELECT kepler.track(%L, %L);', t.name, t.name, t.level), 'What was changed meanwhile is not told.'
        FROM kepler.tracked_tables AS t
        WHERE t.untracked_at IS NULL AND to_regclass(t.name) IS NOT NULL AND NOT EXISTS (
            SELECT FROM pg_trigger AS g
            WHERE g.tgrelid IS NOT NULL AND NOT g.tgisinternal AND split_part(encode(g.tgargs, 'escape'), '\000', 1) = t.id::text
                AND g.tgfoid IN (to_regproc('kepler_internal.tell_feed'), to_regproc('kepler_internal.tell_history')));
    END IF;
END
$$;

CREATE FUNCTION kepler.doctor(options jsonb DEFAULT '{}') RETURNS TABLE (
    severity text, check_name text, object_name text, message text, statement text, hint text
)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET kepler.plan_for_large_tables = on
-- Starting workers would take longer than all of it.
SET max_parallel_workers_per_gather = 0
AS $$
#variable_conflict use_variable
DECLARE
    checks constant text[] := ARRAY[
        'SELECT * FROM kepler_internal.doctor_installation()',
        'SELECT * FROM kepler_internal.doctor_tables()',
        'SELECT * FROM kepler_internal.doctor_indexes()',
        'SELECT * FROM kepler_internal.doctor_access()',
        'SELECT * FROM kepler_internal.doctor_vacuum()',
        'SELECT * FROM kepler_internal.doctor_server()',
        'SELECT * FROM kepler_internal.doctor_upkeep($1, $2)'];
    one text;
    unknown text;
    held_for interval;
    silent_for interval;
BEGIN
    PERFORM kepler_internal.require_monitor();
    IF options IS NULL OR jsonb_typeof(options) <> 'object' THEN
        RAISE invalid_parameter_value USING MESSAGE = 'options must be a JSON object';
    END IF;
    SELECT k INTO unknown FROM jsonb_object_keys(options) AS k WHERE k NOT IN ('held_for', 'silent_for') ORDER BY k LIMIT 1;
    IF unknown IS NOT NULL THEN
        RAISE invalid_parameter_value USING MESSAGE = format('options has an unknown member "%s"', unknown),
            HINT = 'Legal: held_for, silent_for.';
    END IF;
    BEGIN
        held_for := coalesce(options ->> 'held_for', '1 hour')::interval;
        silent_for := coalesce(options ->> 'silent_for', '1 day')::interval;
    EXCEPTION WHEN data_exception THEN
        RAISE invalid_parameter_value USING MESSAGE = 'held_for and silent_for are intervals', DETAIL = SQLERRM;
    END;
    FOREACH one IN ARRAY checks LOOP
        BEGIN
            RETURN QUERY EXECUTE one USING held_for, silent_for;
        EXCEPTION WHEN OTHERS THEN
            severity := 'error';
            check_name := 'check_failed';
            object_name := substring(one FROM 'kepler_internal\.([a-z_]+)');
            message := format('The check failed: %s (SQLSTATE %s).', SQLERRM, SQLSTATE);
            statement := NULL;
            hint := 'What it looks at is missing, or is not what install() made: see the other findings.';
            RETURN NEXT;
        END;
    END LOOP;
END
$$;
