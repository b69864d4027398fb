-- Rows are looked up by the natural condition, as a role under row security. For each kind of index the plan tells whether it
-- serves, by what stands in its condition. Scans of whole tables are off, so that no statistics count.
\set SHOW_CONTEXT never
\set VERBOSITY terse
BEGIN;
SET LOCAL client_min_messages = warning;
INSERT INTO kepler.workspaces (id, name) VALUES ('a', 'a'), ('b', 'b');
CREATE ROLE tenant;
SELECT kepler.grant_access('tenant', 'admin');
SET LOCAL kepler.workspace_id = 'a';
CREATE FUNCTION pg_temp.plan(query text) RETURNS text LANGUAGE plpgsql
SET enable_seqscan = off SET max_parallel_workers_per_gather = 0 AS $$
DECLARE
    plan jsonb;
BEGIN
    EXECUTE 'EXPLAIN (COSTS OFF, FORMAT JSON) ' || query INTO plan;
    RETURN coalesce((
        SELECT string_agg(coalesce(n->>'Index Cond', n->>'Order By'), '; ' ORDER BY coalesce(n->>'Index Cond', n->>'Order By'))
        FROM jsonb_path_query(plan, 'strict $.** ? (exists (@."Index Name"))') AS n
        WHERE n ? 'Index Cond' OR n ? 'Order By'), '-');
END $$;

-- Entry tables belong to one workspace as a whole: the policy holds for all rows or for none, and each index serves.
SELECT kepler.create_entry_table('Other', '{"fields": [{"name": "n", "type": "integer"}]}') AS other \gset
SELECT kepler.create_entry_table('Kind', '{"fields": [
    {"name": "text_", "type": "text", "unique": true}, {"name": "folded", "type": "text", "unique": true, "case_insensitive": true},
    {"name": "integer_", "type": "integer", "unique": true}, {"name": "bigint_", "type": "bigint", "unique": true},
    {"name": "decimal_", "type": "decimal", "precision": 10, "scale": 2, "unique": true}, {"name": "float_", "type": "float", "unique": true},
    {"name": "boolean_", "type": "boolean", "index": true}, {"name": "date_", "type": "date", "unique": true}, {"name": "time_", "type": "time", "unique": true},
    {"name": "timestamp_", "type": "timestamp", "unique": true}, {"name": "uuid_", "type": "uuid", "unique": true},
    {"name": "bytes_", "type": "bytes", "unique": true}, {"name": "enum_", "type": "enum", "values": ["x", "y"], "index": true},
    {"name": "reference_", "type": "reference", "to": "Other"}, {"name": "json_", "type": "json", "index": true},
    {"name": "list_", "type": "text", "list": true, "index": true}, {"name": "enums", "type": "enum", "values": ["x"], "list": true, "index": true},
    {"name": "vector_", "type": "vector", "dimensions": 2, "index": true}]}') AS kind \gset
CREATE TEMP TABLE kinds (place serial, condition text);
INSERT INTO kinds (condition) VALUES ('text_ = ''x'''), ('kepler.fold(folded) = ''x'''), ('integer_ = 1'), ('bigint_ = 1'), ('decimal_ = 1.5'),
    ('float_ = 1.5'), ('boolean_'), ('date_ = ''2026-01-01'''), ('time_ = ''12:00'''), ('timestamp_ > now() - interval ''1 day'''),
    ('uuid_ = ''00000000-0000-0000-0000-000000000001'''), ('bytes_ = ''x'''), ('enum_ = ''x'''), ('reference_ = 1'),
    ('json_ @> ''{"a": 1}'''), ('json_ ? ''a'''), ('json_ @? ''$.a'''), ('list_ @> ''{x}'''), ('enums && ''{x}''');
GRANT SELECT ON kinds TO tenant;
SET LOCAL ROLE tenant;
SELECT k.condition, pg_temp.plan(format('SELECT FROM %s AS t WHERE %s', :'kind', k.condition)) AS served FROM kinds AS k ORDER BY k.place;
SELECT pg_temp.plan(format('SELECT FROM %s AS t ORDER BY vector_ <=> ''[1,0]'' LIMIT 1', :'kind')) AS served;
-- In an update, a deletion, a join, a subquery, UNION ALL and WITH too; not where NOT EXISTS asks, nor on the optional side of an outer join.
SELECT pg_temp.plan(format('UPDATE %s SET text_ = ''y'' WHERE decimal_ = 1', :'kind')) AS served
UNION ALL SELECT pg_temp.plan(format('DELETE FROM %s WHERE decimal_ = 1', :'kind'))
UNION ALL SELECT pg_temp.plan(format('SELECT FROM %s AS t WHERE t.decimal_ = 1 FOR UPDATE', :'kind'))
UNION ALL SELECT pg_temp.plan(format('SELECT FROM (SELECT * FROM %s AS t WHERE t.decimal_ = 1) AS s WHERE s.enum_ = ''x''', :'kind'))
UNION ALL SELECT pg_temp.plan(format('SELECT FROM %s AS t WHERE t.decimal_ = 1 UNION ALL SELECT FROM %1$s AS u WHERE u.decimal_ = 2', :'kind'))
UNION ALL SELECT pg_temp.plan(format('WITH s AS (SELECT * FROM %s AS t WHERE t.decimal_ = 1) SELECT FROM s', :'kind'))
UNION ALL SELECT pg_temp.plan(format('WITH s AS (SELECT * FROM %s AS t WHERE t.decimal_ = 1) SELECT FROM s CROSS JOIN s AS o', :'kind'))
UNION ALL SELECT pg_temp.plan(format('SELECT FROM %s AS t JOIN %s AS o ON o.entry_id = t.reference_ WHERE t.decimal_ = 1', :'kind', :'other'))
UNION ALL SELECT pg_temp.plan(format('SELECT FROM %s AS t LEFT JOIN %s AS o ON o.entry_id = t.reference_ WHERE t.decimal_ = 1', :'kind', :'other'))
UNION ALL SELECT pg_temp.plan(format('SELECT FROM %s AS o LEFT JOIN (SELECT * FROM %s AS t WHERE t.decimal_ = 1) AS s ON true', :'other', :'kind'))
UNION ALL SELECT pg_temp.plan(format('SELECT FROM %s AS o WHERE NOT EXISTS (SELECT FROM %s AS t WHERE t.decimal_ = 1 AND t.reference_ = o.entry_id)', :'other', :'kind'));
-- Nothing is seen from another workspace, also by a plan that was made in the first.
RESET ROLE;
SELECT count(*) FROM kepler.insert_entries('Kind', '[{"text_": "secret", "decimal_": 1}]');
CREATE FUNCTION public.leak(value text) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS $$ BEGIN RAISE WARNING 'leaked %', value; RETURN true; END $$;
SET LOCAL client_min_messages = notice;
SET LOCAL ROLE tenant;
SET LOCAL plan_cache_mode = force_generic_plan;
\set ECHO none
SELECT format('PREPARE seen AS SELECT text_ FROM %s AS t WHERE public.leak(t.text_) AND t.decimal_ = 1', :'kind') \gexec
SELECT format('PREPARE not_seen AS SELECT n.n FROM (VALUES (1)) AS n (n) LEFT JOIN %s AS t ON public.leak(t.text_)', :'kind') \gexec
SELECT format('PREPARE not_there AS SELECT n.n FROM (VALUES (1)) AS n (n) WHERE NOT EXISTS (SELECT FROM %s AS t WHERE public.leak(t.text_))', :'kind') \gexec
\set ECHO all
EXECUTE seen; EXECUTE not_seen; EXECUTE not_there;
RESET ROLE;
SET LOCAL kepler.workspace_id = 'b';
SET LOCAL ROLE tenant;
EXECUTE seen; EXECUTE not_seen; EXECUTE not_there;
DEALLOCATE seen;
\set ECHO none
SELECT format('PREPARE seen AS SELECT text_ FROM %s AS t WHERE public.leak(t.text_) AND t.decimal_ = 1', :'kind') \gexec
\set ECHO all
EXECUTE seen;
RESET ROLE;
SET LOCAL kepler.workspace_id = 'a';
SET LOCAL client_min_messages = warning;

-- A policy that the owner has added is not moved, nor is that of workspaces beside it.
\set ECHO none
SELECT format('CREATE POLICY more ON %s AS RESTRICTIVE USING (text_ <> ''secret'')', :'kind') \gexec
\set ECHO all
SET LOCAL ROLE tenant;
SELECT pg_temp.plan(format('SELECT FROM %s AS t WHERE decimal_ = 1', :'kind')) AS served,
    pg_temp.plan(format('SELECT FROM %s AS t WHERE integer_ = 1', :'kind')) AS leakproof;
RESET ROLE;

-- The tables of blueprints: of one workspace, and by a field. By a field the policy asks for each row: Postgres uses an index with
-- operators that it knows to tell nobody of rows. What is lost is the list of lines with nothing but the workspace, or "-".
CREATE FUNCTION pg_temp.document(tenancy text) RETURNS json LANGUAGE sql AS $$ SELECT format('{"blueprint": "%1$s", "tenancy": %2$s,
    "enums": {"state": ["x", "y"]}, "tables": [{"name": "kind", "table": "kind", "key": {"name": "id", "type": "bigint"}, "fields": [
        {"name": "workspace_id", "type": "text", "required": true}, {"name": "text_", "type": "text", "max_length": 100}, {"name": "integer_", "type": "integer"},
        {"name": "decimal_", "type": "decimal", "precision": 10, "scale": 2}, {"name": "enum_", "type": "enum", "enum": "state"}, {"name": "date_", "type": "date"},
        {"name": "json_", "type": "json"}, {"name": "list_", "type": "text", "list": true}, {"name": "vector_", "type": "vector", "dimensions": 2}],
    "indexes": [{"fields": ["workspace_id", "text_"]}, {"fields": ["workspace_id", "integer_"]}, {"fields": ["workspace_id", "decimal_"]},
        {"fields": ["workspace_id", "enum_"]}, {"fields": ["workspace_id", {"field": "text_", "case_insensitive": true}]},
        {"fields": ["workspace_id", {"field": "json_", "path": ["a", "b"]}]}, {"fields": ["workspace_id", {"field": "text_", "operators": "text_pattern_ops"}]},
        {"fields": ["workspace_id", "date_"], "where_sql": "decimal_ > 0"}, {"fields": ["date_"], "method": "brin"},
        {"fields": [{"field": "json_", "operators": "jsonb_path_ops"}], "method": "gin"}, {"fields": ["list_"], "method": "gin"}]}]}',
    CASE tenancy WHEN '"workspace"' THEN 'one' ELSE 'each' END, tenancy)::json $$;
SELECT b.outcome FROM unnest('{"\"workspace\"", "{\"field\": \"workspace_id\"}"}'::text[]) AS t (tenancy) CROSS JOIN LATERAL kepler.apply_blueprint(pg_temp.document(t.tenancy)) AS b;
SET LOCAL session_replication_role = replica;
INSERT INTO one.kind (workspace_id, text_, integer_, decimal_, enum_, date_, json_, list_, vector_)
SELECT 'a', 't' || i, i, i, (CASE WHEN i % 1000 = 0 THEN 'x' ELSE 'y' END)::one.state, date '2020-01-01' + i, jsonb_build_object('a', i), ARRAY['l' || i], ARRAY[1, i]::real[]::vector
FROM generate_series(1, 3000) AS i;
INSERT INTO each.kind (workspace_id, text_, integer_, decimal_, enum_, date_, json_, list_, vector_)
SELECT workspace_id, text_, integer_, decimal_, enum_::text::each.state, date_, json_, list_, vector_ FROM one.kind;
ANALYZE one.kind, each.kind;
SET LOCAL session_replication_role = origin;
TRUNCATE kinds;
INSERT INTO kinds (condition) VALUES ('text_ = ''x'''), ('text_ IN (''x'', ''y'')'), ('text_ > ''x'''), ('kepler.fold(text_) = ''x'''), ('text_ LIKE ''x%'''), ('integer_ = 1'), ('integer_ BETWEEN 1 AND 2'),
    ('date_ > now()::date - 3 AND decimal_ > 0'), ('date_ = ''2026-01-01'''), ('decimal_ = 1.5'), ('enum_ = ''x'''), ('json_ #>> ''{a,b}'' = ''x'''),
    ('json_ @> ''{"a": 1}'''), ('json_ @? ''$.a ? (@ == 1)'''), ('list_ @> ''{x}''');
SET LOCAL ROLE tenant;
SELECT k.condition, pg_temp.plan(format('SELECT FROM one.kind WHERE workspace_id = ''a'' AND %s', k.condition)) AS of_one,
    pg_temp.plan(format('SELECT FROM each.kind WHERE %s', k.condition)) AS by_field FROM kinds AS k ORDER BY k.place;
RESET ROLE;

-- Kepler's own tables: what is unique and what the functions look up. Filters and words are for search_memories, which keeps its indexes.
CREATE TEMP TABLE own (place serial, relation text, condition text);
INSERT INTO own (relation, condition) VALUES ('users', 'kepler.fold(email) = kepler.fold(''X'')'), ('users', 'auth_provider = ''p'' AND auth_subject = ''s'''),
    ('connections', 'subscription_id = ''s'''), ('records', 'entity_id = ''e'' AND external_id = ''1'''),
    ('memories', 'metadata @> ''{"a": 1}'''), ('memories', 'text_search @@ ''a''::tsquery');
GRANT SELECT ON own TO tenant;
-- Whatever the statistics have seen.
DELETE FROM pg_statistic WHERE starelid IN (SELECT format('kepler.%I', relation)::regclass FROM own);
UPDATE pg_class SET reltuples = -1, relpages = 0 WHERE oid IN (SELECT format('kepler.%I', relation)::regclass FROM own);
SET LOCAL ROLE tenant;
SELECT o.relation, o.condition, pg_temp.plan(format('SELECT FROM kepler.%s WHERE %s', o.relation, o.condition)) AS served FROM own AS o ORDER BY o.place;
RESET ROLE;
ROLLBACK;
