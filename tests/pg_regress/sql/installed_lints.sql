-- What a linter of databases finds wrong, looked for in an installed Kepler, with an entry table, an embedding space and blueprints in
-- it: nothing, but for what has a reason here. Then something wrong of each kind is made, and is found.
\set SHOW_CONTEXT never
BEGIN;
SET LOCAL client_min_messages = warning;
CREATE ROLE lints_reader;
CREATE ROLE lints_admin;
SELECT kepler.grant_access('lints_reader', 'reader');
SELECT kepler.grant_access('lints_admin', 'admin');
SELECT count(*) FROM kepler.create_embedding_space('linted', 3, 'm');
SELECT count(*) FROM kepler.create_entry_table('linted', '{"fields": [{"name": "label", "type": "text", "unique": true}, {"name": "self", "type": "reference", "to": "linted"}]}'::text);
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "linted_one", "tenancy": "workspace", "tables": [{"name": "one", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "a", "type": "text", "unique": true}]},
    {"name": "many", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "one", "type": "reference", "to": "one"}]}]}'::text);
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "linted_shared", "tenancy": {"field": "tenant"}, "tables": [{"name": "rows", "key": {"name": "id", "type": "bigint"},
    "fields": [{"name": "tenant", "type": "text", "required": true}, {"name": "code", "type": "text"}], "unique": [["tenant", "code"]]}]}'::text);

-- The schemas that the levels reach.
CREATE TEMP VIEW reached AS
SELECT n.oid FROM pg_namespace AS n WHERE n.nspname IN ('kepler', 'kepler_internal', 'kepler_data') OR n.nspname IN (SELECT unnest(b.schemas) FROM kepler.blueprints AS b);
CREATE TEMP VIEW relations AS
SELECT c.*, c.oid::regclass::text AS name FROM pg_class AS c WHERE c.relnamespace IN (SELECT oid FROM reached);
CREATE TEMP VIEW tables AS SELECT * FROM relations WHERE relkind IN ('r', 'p');
CREATE TEMP VIEW functions AS SELECT p.* FROM pg_proc AS p WHERE p.pronamespace IN (SELECT oid FROM reached);
CREATE TEMP VIEW policies AS
SELECT p.*, t.name, t.relrowsecurity, pg_get_expr(p.polqual, p.polrelid) AS qual, pg_get_expr(p.polwithcheck, p.polrelid) AS with_check
FROM pg_policy AS p JOIN tables AS t ON t.oid = p.polrelid;
CREATE TEMP VIEW lints (lint, object) AS
-- Whose rows
SELECT 'table without row security', t.name FROM tables AS t
WHERE NOT t.relrowsecurity AND (has_any_column_privilege('lints_admin', t.oid, 'SELECT') OR has_any_column_privilege('lints_admin', t.oid, 'INSERT'))
UNION ALL SELECT 'policies, and no row security', p.name FROM policies AS p WHERE NOT p.relrowsecurity
UNION ALL SELECT 'row security, and no policy', t.name FROM tables AS t
WHERE t.relrowsecurity AND NOT EXISTS (SELECT FROM pg_policy AS p WHERE p.polrelid = t.oid)
UNION ALL SELECT 'several permissive policies for a command', p.name FROM policies AS p WHERE p.polpermissive GROUP BY p.name, p.polrelid HAVING count(*) > 1
-- A bare call, and nothing beside it. (SELECT kepler.current_workspace_id()) would be evaluated once, but the comparison uses an
-- index in either form, and Citus takes no subquery.
UNION ALL SELECT 'policy of another form', p.name FROM policies AS p
WHERE p.qual !~ '^\((\w+|"\w+"|''[^'']+''::text) = kepler\.current_workspace_id\(\)\)$'
    OR coalesce(p.with_check, p.qual) <> p.qual OR p.polroles <> '{0}'
-- With whose rights
UNION ALL SELECT 'view with the rights of its owner', v.name FROM relations AS v WHERE v.relkind = 'v' AND NOT coalesce('security_invoker=true' = ANY (v.reloptions), false)
UNION ALL SELECT 'materialized view or foreign table', v.name FROM relations AS v WHERE v.relkind IN ('m', 'f')
UNION ALL SELECT 'function with the rights of its owner', f.oid::regprocedure::text FROM functions AS f WHERE f.prosecdef
UNION ALL SELECT 'function that looks names up as its caller does', f.oid::regprocedure::text FROM functions AS f JOIN pg_language AS l ON l.oid = f.prolang
WHERE l.lanname = 'plpgsql' AND f.prokind <> 'p' AND NOT coalesce(f.proconfig::text LIKE '%search_path=%', false)
UNION ALL SELECT 'rights of PUBLIC', r.name FROM relations AS r CROSS JOIN LATERAL aclexplode(r.relacl) AS a WHERE a.grantee = 0
UNION ALL SELECT 'rights of PUBLIC', f.oid::regprocedure::text FROM functions AS f CROSS JOIN LATERAL aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) AS a
WHERE a.grantee = 0 AND f.pronamespace IN ('kepler'::regnamespace, 'kepler_internal'::regnamespace)
UNION ALL SELECT 'rights of PUBLIC', n.oid::regnamespace::text FROM pg_namespace AS n CROSS JOIN LATERAL aclexplode(n.nspacl) AS a WHERE n.oid IN (SELECT oid FROM reached) AND a.grantee = 0
UNION ALL SELECT 'trigger function that a level may execute', f.oid::regprocedure::text FROM functions AS f
WHERE f.prorettype = 'trigger'::regtype AND has_function_privilege('lints_reader', f.oid, 'EXECUTE')
UNION ALL SELECT 'leakproof', f.oid::regprocedure::text FROM functions AS f WHERE f.proleakproof
UNION ALL SELECT 'extension in a schema of everybody', e.extname FROM pg_extension AS e WHERE e.extname = 'kepler' AND e.extnamespace = 'public'::regnamespace
-- What is in them
UNION ALL SELECT 'column that a reader may read, with the name of a secret', t.name || '.' || a.attname FROM tables AS t JOIN pg_attribute AS a ON a.attrelid = t.oid
WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attname ~ '(password|passwd|secret|(^|_)token($|_hash$)|api_?key|private_?key|ssn|card_number|cvv|iban)' AND has_column_privilege('lints_reader', t.oid, a.attnum, 'SELECT')
UNION ALL SELECT 'column of a type that pg_upgrade does not take', t.name || '.' || a.attname FROM tables AS t JOIN pg_attribute AS a ON a.attrelid = t.oid
WHERE a.attnum > 0 AND NOT a.attisdropped AND a.atttypid IN ('regproc'::regtype, 'regprocedure'::regtype, 'regoper'::regtype, 'regoperator'::regtype, 'regconfig'::regtype, 'regdictionary'::regtype,
    'regnamespace'::regtype, 'regcollation'::regtype)
-- What it costs
UNION ALL SELECT 'no primary key', t.name FROM tables AS t WHERE NOT t.relispartition AND NOT EXISTS (SELECT FROM pg_index AS i WHERE i.indrelid = t.oid AND i.indisprimary)
UNION ALL SELECT 'foreign key without an index', t.name || '.' || c.conname FROM tables AS t JOIN pg_constraint AS c ON c.conrelid = t.oid AND c.contype = 'f'
WHERE NOT EXISTS (SELECT FROM pg_index AS i WHERE i.indrelid = t.oid AND i.indisvalid AND (i.indpred IS NULL OR cardinality(c.conkey) = 1)
    AND (string_to_array(i.indkey::text, ' ')::smallint[])[1:cardinality(c.conkey)] @> c.conkey)
UNION ALL SELECT 'the same index twice', i.indexrelid::regclass::text FROM pg_index AS i JOIN tables AS t ON t.oid = i.indrelid
WHERE EXISTS (SELECT FROM pg_index AS o WHERE o.indrelid = i.indrelid AND o.indexrelid < i.indexrelid AND o.indkey = i.indkey AND o.indclass = i.indclass AND o.indoption = i.indoption
    AND pg_get_expr(o.indexprs, o.indrelid) IS NOT DISTINCT FROM pg_get_expr(i.indexprs, i.indrelid) AND pg_get_expr(o.indpred, o.indrelid) IS NOT DISTINCT FROM pg_get_expr(i.indpred, i.indrelid))
UNION ALL SELECT 'invalid index', i.indexrelid::regclass::text FROM pg_index AS i JOIN tables AS t ON t.oid = i.indrelid WHERE NOT (i.indisvalid AND i.indisready AND i.indislive)
UNION ALL SELECT 'no autovacuum', t.name FROM tables AS t WHERE t.reloptions::text LIKE '%autovacuum_enabled=false%' OR t.reloptions::text LIKE '%autovacuum_enabled=off%'
UNION ALL SELECT 'lost in a crash', t.name FROM tables AS t WHERE t.relpersistence <> 'p'
UNION ALL SELECT 'constraint that is not validated', t.name || '.' || c.conname FROM tables AS t JOIN pg_constraint AS c ON c.conrelid = t.oid WHERE NOT c.convalidated;

-- What has a reason.
CREATE TEMP TABLE reasons (lint text, object text, reason text);
INSERT INTO reasons VALUES
    ('table without row security', 'kepler.schema_versions', 'which steps of the schema there are; the database''s'),
    ('table without row security', 'kepler.embedding_spaces', 'models are the database''s; what is embedded is secured'),
    ('table without row security', 'kepler.feed_epochs', 'numbers of transactions'),
    ('table without row security', 'kepler.inbox', 'COPY takes no table with row security: rows may be inserted alone, and inbox_rows, which holds them, is secured'),
    ('foreign key without an index', 'kepler.tracked_tables.tracked_tables_workspace_id_fkey', 'a row for each table that is tracked'),
    ('foreign key without an index', 'kepler.executions.executions_workflow_version_fkey', 'versions go when no run is left; for one alone the runs of its workflow are looked at, and each start is spared an index'),
    ('policy of another form', 'kepler.blueprints', 'those of no workspace are everybody''s'),
    ('policy of another form', 'kepler.tracked_tables', 'those of no workspace are everybody''s'),
    ('policy of another form', 'kepler.blueprint_versions', 'as the blueprint that they are of'),
    ('policy of another form', 'kepler.blueprint_tables', 'as the blueprint that they are of'),
    ('policy of another form', 'kepler.blueprint_enums', 'as the blueprint that they are of'),
    ('policy of another form', 'kepler.access_levels', 'a role sees its own level'),
    ('no primary key', 'kepler.history', 'inserted past SQL, as the feed'),
    ('no primary key', 'kepler.history_transactions', 'the same'),
    ('no primary key', 'kepler.history_shapes', 'the same'),
    ('view with the rights of its owner', 'kepler.stat_maintenance', 'for pg_monitor alone, and without what tenants have written'),
    ('view with the rights of its owner', 'kepler.stat_entry_tables', 'the same'),
    ('view with the rights of its owner', 'kepler.stat_executions', 'the same'),
    ('view with the rights of its owner', 'kepler.stat_feed', 'the same'),
    ('view with the rights of its owner', 'kepler.stat_horizon', 'the same'),
    ('view with the rights of its owner', 'kepler.stat_memory_spaces', 'the same'),
    ('view with the rights of its owner', 'kepler.stat_queue', 'the same'),
    ('view with the rights of its owner', 'kepler.stat_sync_runs', 'the same'),
    ('view with the rights of its owner', 'kepler.stat_workers', 'the same'),
    ('leakproof', 'kepler.fold(text)', 'looks at its argument, raises nothing, and tells nothing: an index by it serves under row security'),
    ('no primary key', 'kepler.feed', 'inserted past SQL, and read in the order of another index; insertion is what it costs'),
    ('no primary key', 'kepler.feed_epochs', 'writers of an epoch add a row each, and none waits for another'),
    ('no primary key', 'kepler.history', 'inserted past SQL, and read in the order of another index; insertion is what it costs'),
    ('no primary key', 'kepler.history_transactions', 'inserted past SQL, in the order of its index'),
    ('no primary key', 'kepler.history_shapes', 'inserted past SQL; its numbers come from one sequence'),
    ('no primary key', 'kepler.feed_dropped', 'a workspace may be NULL there: a unique key that takes NULL for a value'),
    ('column that a reader may read, with the name of a secret', 'kepler.executions.token_hash', 'a hash of a random token'),
    ('column that a reader may read, with the name of a secret', 'kepler.connections.secret_ref', 'a reference to where the secret is');
SELECT lint, object FROM lints EXCEPT SELECT lint, object FROM reasons ORDER BY 1, 2;
-- A reason for nothing.
SELECT lint, object FROM reasons EXCEPT SELECT lint, object FROM lints ORDER BY 1, 2;

-- Something of each kind.
CREATE TEMP TABLE before AS SELECT * FROM lints;
CREATE TABLE kepler_data.open (id integer, password text, config regconfig) WITH (autovacuum_enabled = off);
GRANT SELECT ON kepler_data.open TO lints_reader, lints_admin;
CREATE POLICY p ON kepler_data.open USING (true);
CREATE UNLOGGED TABLE kepler_data.keyed (id integer PRIMARY KEY);
CREATE UNLOGGED TABLE kepler_data.shut (id integer REFERENCES kepler_data.keyed);
ALTER TABLE kepler_data.shut ADD CONSTRAINT late CHECK (id > 0) NOT VALID;
ALTER TABLE kepler_data.shut ENABLE ROW LEVEL SECURITY;
CREATE POLICY one ON kepler.users USING (workspace_id = kepler.current_workspace_id() OR name IS NULL);
CREATE POLICY two ON kepler.users FOR SELECT USING (true);
CREATE UNIQUE INDEX again ON kepler.users (workspace_id, id);
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'kepler.again'::regclass;
CREATE VIEW kepler_data.lends AS SELECT * FROM kepler.users;
CREATE MATERIALIZED VIEW kepler_data.kept AS SELECT * FROM kepler.users;
CREATE FUNCTION kepler_data.lends() RETURNS integer LANGUAGE plpgsql SECURITY DEFINER LEAKPROOF AS 'BEGIN RETURN 1; END';
CREATE FUNCTION kepler_data.fires() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS 'BEGIN RETURN NULL; END';
GRANT EXECUTE ON FUNCTION kepler_data.fires() TO lints_reader;
GRANT SELECT ON kepler.users TO PUBLIC;
SELECT lint, object FROM lints EXCEPT SELECT lint, object FROM before ORDER BY 1, 2;
ROLLBACK;
