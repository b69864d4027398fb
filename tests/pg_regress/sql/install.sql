-- kepler.install() creates the tables, once, and reports what it did. The tables belong to the user.
-- Runs in a database of its own, after "before_install".
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS kepler CASCADE;

-- It is one transaction: rolled back, nothing is left.
BEGIN;
SELECT count(*) > 0 AS ran FROM kepler.install();
ROLLBACK;
SELECT to_regclass('kepler.records') IS NULL AS gone;

-- Each step of the schema is reported.
SELECT * FROM kepler.install();

-- Called again it changes nothing.
CREATE TEMP VIEW traces AS
SELECT 'pg_class'::regclass AS catalog, c.oid, c.xmin AS version FROM pg_class AS c
WHERE c.relnamespace = 'kepler'::regnamespace
UNION ALL SELECT 'kepler.workspaces'::regclass, NULL, w.xmin FROM kepler.workspaces AS w
UNION ALL SELECT 'kepler.schema_versions'::regclass, NULL, v.xmin FROM kepler.schema_versions AS v;
CREATE TEMP TABLE before AS TABLE traces;
SELECT * FROM kepler.install();
TABLE traces EXCEPT ALL TABLE before;

-- Tables that are newer than the library are left alone.
BEGIN;
INSERT INTO kepler.schema_versions (version, name, library_version) VALUES (9999, 'later', '99.0.0');
SELECT count(*) FROM kepler.install();
\echo SQLSTATE :LAST_ERROR_SQLSTATE
ROLLBACK;

-- status() says what is installed and how much it holds.
SELECT s->>'library_version' = s->>'extension_version' AS same_version,
    s->'schema_version' = s->'latest_schema_version' AS up_to_date,
    s->>'postgres_version' = current_setting('server_version') AS postgres,
    s->>'pgvector_version' IS NOT NULL AS pgvector,
    s->>'workspace_id' AS workspace_id,
    s->'tables'->'workspaces'->'rows' AS workspaces,
    (s->'tables'->'records') - 'bytes' AS records
FROM kepler.status() AS s;

-- The extension does not own the tables, and dropping it would take nothing along: it refuses.
SELECT c.oid::regclass AS owned FROM pg_depend AS d
JOIN pg_class AS c ON d.classid = 'pg_class'::regclass AND d.objid = c.oid
WHERE d.deptype = 'e' AND c.relnamespace = 'kepler'::regnamespace AND c.relkind IN ('r', 'p');
\set VERBOSITY terse
DROP EXTENSION kepler;
\echo SQLSTATE :LAST_ERROR_SQLSTATE
\set VERBOSITY default

-- What follows holds for every table, type and function, those to come included. Each query lists
-- what breaks the rule.
CREATE TEMP VIEW tables AS
SELECT c.oid, c.relname AS name FROM pg_class AS c
WHERE c.relnamespace = 'kepler'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition;
CREATE TEMP VIEW tenant_tables AS
SELECT * FROM tables WHERE name NOT IN ('workspaces', 'schema_versions', 'embedding_spaces', 'access_levels',
    -- The feed has changes of tables without a workspace too, and no client writes to it.
    'feed', 'feed_dropped', 'feed_epochs', 'tracked_tables',
    -- So has the history.
    'history', 'history_redactions', 'history_seals', 'history_shapes', 'history_transactions',
    -- Blueprints belong to the database.
    'blueprints', 'blueprint_versions', 'blueprint_tables', 'blueprint_enums',
    -- What is done for all workspaces has a place in it too.
    'maintenance',
    -- A policy may be for all rows of a table.
    'retention_policies');
CREATE TEMP VIEW public_functions AS
SELECT p.* FROM pg_proc AS p
WHERE p.pronamespace = 'kepler'::regnamespace AND p.proname NOT LIKE '\_%';

-- It has a comment.
SELECT name FROM tables WHERE obj_description(oid, 'pg_class') IS NULL;
SELECT oid::regprocedure AS function FROM public_functions
WHERE obj_description(oid, 'pg_proc') IS NULL ORDER BY oid::regprocedure::text;
SELECT t.oid::regtype AS type FROM pg_type AS t
WHERE t.typnamespace = 'kepler'::regnamespace AND t.typtype IN ('e', 'd')
    AND obj_description(t.oid, 'pg_type') IS NULL;

-- A column without a comment has a name that says it all. A new name in this list wants a look.
SELECT string_agg(DISTINCT a.attname, ' ' ORDER BY a.attname) AS without_comment
FROM tables AS t JOIN pg_attribute AS a ON a.attrelid = t.oid
WHERE a.attnum > 0 AND NOT a.attisdropped AND col_description(t.oid, a.attnum) IS NULL;

-- A tenant's table says whose row it is, by default the session's workspace.
SELECT t.name FROM tenant_tables AS t
WHERE NOT EXISTS (
    SELECT FROM pg_attribute AS a
    JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attrelid = t.oid AND a.attname = 'workspace_id' AND a.attnotnull
        AND pg_get_expr(d.adbin, d.adrelid) = 'kepler.current_workspace_id()');

-- Every key, unique index and foreign key is led by workspace_id.
SELECT i.indexrelid::regclass AS index FROM pg_index AS i
JOIN tenant_tables AS t ON t.oid = i.indrelid
LEFT JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
WHERE i.indisunique AND a.attname IS DISTINCT FROM 'workspace_id';
SELECT c.conname FROM pg_constraint AS c
JOIN tenant_tables AS t ON t.oid = c.conrelid
JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
WHERE c.contype = 'f' AND a.attname <> 'workspace_id';

-- Every foreign key has an index that begins with its columns: a delete at the other end is no scan. Of a version of a
-- workflow it is a look at the workflow's runs.
SELECT c.conname FROM pg_constraint AS c
JOIN tenant_tables AS t ON t.oid = c.conrelid
WHERE c.contype = 'f' AND c.conname <> 'executions_workflow_version_fkey' AND NOT EXISTS (
    SELECT FROM pg_index AS i
    WHERE i.indrelid = c.conrelid AND i.indpred IS NULL
        AND (string_to_array(i.indkey::text, ' ')::smallint[])[1:cardinality(c.conkey)] @> c.conkey);

-- SET NULL never empties workspace_id.
SELECT c.conname FROM pg_constraint AS c
WHERE c.connamespace = 'kepler'::regnamespace AND c.contype = 'f' AND c.confdeltype = 'n'
    AND (c.confdelsetcols IS NULL OR EXISTS (
        SELECT FROM pg_attribute AS a
        WHERE a.attrelid = c.conrelid AND a.attnum = ANY (c.confdelsetcols) AND a.attname = 'workspace_id'));

-- Functions run with the caller's rights, and with a fixed search_path unless they are to be inlined.
SELECT oid::regprocedure AS function FROM public_functions WHERE prosecdef;
SELECT p.oid::regprocedure AS function FROM pg_proc AS p
JOIN pg_language AS l ON l.oid = p.prolang
WHERE p.pronamespace IN ('kepler'::regnamespace, 'kepler_internal'::regnamespace) AND l.lanname = 'plpgsql'
    AND p.prokind <> 'p' AND NOT 'search_path=pg_catalog, pg_temp' = ANY (coalesce(p.proconfig, '{}'));
-- Functions in SQL and PL/pgSQL that read or write tables are planned for large ones: what a session planned while the
-- tables were small, or a tenant that the statistics do not know, must not make a call read the tenant.
SELECT p.oid::regprocedure AS function FROM pg_proc AS p
JOIN pg_language AS l ON l.oid = p.prolang
WHERE p.pronamespace IN ('kepler'::regnamespace, 'kepler_internal'::regnamespace) AND l.lanname IN ('sql', 'plpgsql')
    AND (p.prosrc ~ '\m(FROM|JOIN|INTO|UPDATE|USING)\s+kepler\.[a-z_]+\M(?!\()' OR p.prosrc ~ '\mEXECUTE\M')
    AND NOT 'kepler.plan_for_large_tables=on' = ANY (coalesce(p.proconfig, '{}'))
    -- What sets a cluster up reads catalogs, and copies whole tables.
    AND p.proname NOT IN ('cluster_tables', 'complete_node', 'complete_nodes', 'delete_workspace_rows_in_parts', 'distribute',
        'distribute_table', 'distribution_problems', 'history_elsewhere', 'install_on_node', 'lies_now', 'maintenance_due_in_parts', 'make_node',
        'node_keys', 'other_nodes', 'part_keys', 'plan_distribution', 'prepare_node', 'require_active_nodes', 'require_node', 'run_in_part', 'run_on_idle_node',
        'set_up_new_nodes',
        'set_up_node', 'turn_views', 'undistribute', 'verify_history_of_nodes', 'wait_for_workspace_of_part', 'watch_levels');

-- In PL/pgSQL their variables win over columns, which may be anybody's: a user may add one of any name to Kepler's tables.
SELECT p.oid::regprocedure AS function FROM pg_proc AS p
JOIN pg_language AS l ON l.oid = p.prolang
WHERE p.pronamespace IN ('kepler'::regnamespace, 'kepler_internal'::regnamespace) AND l.lanname = 'plpgsql'
    AND p.prosrc ~ '\m(FROM|JOIN|INTO|UPDATE|USING)\s+kepler\.[a-z_]+\M(?!\()' AND (p.pronargs > 0 OR p.prosrc ~ '\mDECLARE\M')
    AND p.prosrc !~ '^\s*#variable_conflict use_variable';

-- A NULL argument is an error or means something: none of them is STRICT, save the hash.
SELECT oid::regprocedure AS function FROM public_functions
WHERE proisstrict AND pronargs > 0 ORDER BY oid::regprocedure::text;
