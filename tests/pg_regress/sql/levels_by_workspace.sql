-- A role with a level of its own in each workspace has the rights of all of them, and uses in each what its level there holds.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
INSERT INTO kepler.workspaces (id, name) VALUES ('acme', 'Acme'), ('beta', 'Beta'), ('work', 'Work');
INSERT INTO kepler.records (workspace_id, id, entity_type, data) VALUES ('acme', 'a', 't', '{"n": 1}'), ('beta', 'b', 't', '{"n": 1}'), ('work', 'w', 't', '{"n": 1}');
CREATE ROLE varied;
SELECT kepler.grant_access('varied', 'writer', 'acme'), kepler.grant_access('varied', 'reader', 'beta'), kepler.grant_access('varied', 'worker', 'work');
SET ROLE varied;

-- A writer here.
SELECT kepler.use_workspace('acme', false);
UPDATE kepler.records SET data = '{"n": 2}' WHERE id = 'a' RETURNING id;
SELECT outcome FROM kepler.upsert_record('t', 'x', '{}');
SELECT count(*) FROM kepler.detached_records;
SELECT count(*) FROM kepler.credentials;
-- Not an administrator, anywhere.
SELECT kepler.create_entry_table('Thing', '{"fields": [{"name": "n", "type": "integer"}]}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
-- It fills the inbox, whose columns alone may be named, and nobody else does.
RESET ROLE;
INSERT INTO kepler.connections (workspace_id, id, name, reference_id) VALUES ('acme', 'crm', 'crm', 'crm');
SET ROLE varied;
SELECT sync_run_id AS run FROM kepler.begin_sync('crm', 'lead') \gset
INSERT INTO kepler.inbox (sync_run_id, line) VALUES (:'run', '{"id": "1"}');
SET kepler.sync_run_id = :'run';
COPY kepler.inbox (line) FROM STDIN;
{"id": "2"}
\.
RESET kepler.sync_run_id;
INSERT INTO kepler.inbox (workspace_id, sync_run_id, line) VALUES ('acme', :'run', '{"id": "1"}');
SELECT kepler.use_workspace('beta', false);
INSERT INTO kepler.inbox (sync_run_id, line) VALUES (:'run', '{"id": "1"}');
COPY kepler.inbox (sync_run_id, line) FROM STDIN;
-- Where it may insert all, and update some columns, both are asked of the columns that are named.
INSERT INTO kepler.consumers (name, cursor) VALUES ('varied', 'c')
    ON CONFLICT (workspace_id, name) DO UPDATE SET cursor = EXCLUDED.cursor RETURNING name;
INSERT INTO kepler.consumers (name, cursor) VALUES ('varied', '') ON CONFLICT (workspace_id, name) DO UPDATE SET created_at = now();
RESET ROLE;
DELETE FROM kepler.consumers WHERE name = 'varied';
DELETE FROM kepler.inbox_rows WHERE workspace_id = 'acme' RETURNING line;
DELETE FROM kepler.sync_runs WHERE workspace_id = 'acme';
DELETE FROM kepler.connections WHERE workspace_id = 'acme';
SET ROLE varied;
SELECT kepler.use_workspace('acme', false);

-- A reader there: by SQL, by COPY, by function, by a kept plan.
PREPARE change AS UPDATE kepler.records SET data = '{"n": 3}' WHERE entity_type = 't' RETURNING entity_type;
EXECUTE change;
DELETE FROM kepler.records WHERE external_id = 'x';
SELECT kepler.use_workspace('beta', false);
SELECT id FROM kepler.records WHERE entity_type = 't';
EXECUTE change;
\echo SQLSTATE :LAST_ERROR_SQLSTATE
INSERT INTO kepler.records (entity_type) VALUES ('t');
DELETE FROM kepler.records;
SELECT id FROM kepler.records FOR UPDATE;
MERGE INTO kepler.records AS r USING (VALUES ('b')) AS v (id) ON r.id = v.id WHEN MATCHED THEN DELETE;
WITH gone AS (DELETE FROM kepler.records RETURNING id) SELECT * FROM gone;
COPY kepler.records (entity_type) FROM STDIN;
\echo SQLSTATE :LAST_ERROR_SQLSTATE
COPY (SELECT id FROM kepler.credentials) TO STDOUT;
SELECT count(*) FROM kepler.credentials;
SELECT * FROM kepler.upsert_record('t', 'x', '{}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.requeue_records(entity_type => 't');
SELECT kepler.drop_enrichment_policy('t');
SELECT kepler.track('kepler.records');
SELECT kepler.set_enrichment_policy('t');
SELECT * FROM kepler.begin_sync('c', 't');
-- What a reader may, it may.
SELECT count(*) FROM kepler.changes_since();
EXPLAIN (COSTS OFF) UPDATE kepler.records SET data = '{}';

-- A worker: the columns of the enrichment, and no others.
SELECT kepler.use_workspace('work', false);
UPDATE kepler.records SET enrichment = '{"x": 1}' WHERE id = 'w' RETURNING id;
UPDATE kepler.records SET enrichment = '{"x": 1}', data = '{}' WHERE id = 'w';
UPDATE kepler.records SET data = '{}' WHERE id = 'w';
SELECT id FROM kepler.records WHERE id = 'w' FOR UPDATE;
INSERT INTO kepler.records (entity_type) VALUES ('t');
DELETE FROM kepler.leases RETURNING id;
INSERT INTO kepler.users (email) VALUES ('x@example.com');

-- Tables that Kepler makes.
RESET ROLE;
SELECT kepler.create_entry_table('Thing', '{"fields": [{"name": "n", "type": "integer"}]}', workspace_id => 'beta') IS NOT NULL AS made;
SELECT kepler.create_entry_table('Thing', '{"fields": [{"name": "n", "type": "integer"}]}', workspace_id => 'acme') IS NOT NULL AS made;
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "shop", "tables": [{"name": "Item", "table": "items", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "n", "type": "integer"}]}]}');
SELECT quote_ident(t.table_name) AS thing FROM kepler.entry_tables AS t WHERE t.workspace_id = 'beta' AND t.record_name = 'Thing' \gset
SET ROLE varied;
SELECT kepler.use_workspace('acme', false);
SELECT outcome FROM kepler.insert_entries('Thing', '[{"n": 1}]');
INSERT INTO shop.items (n) VALUES (1) RETURNING n;
SELECT kepler.use_workspace('beta', false);
\set VERBOSITY sqlstate
SELECT outcome FROM kepler.insert_entries('Thing', '[{"n": 1}]');
INSERT INTO kepler_data.:thing (n) VALUES (1);
\set VERBOSITY default
SELECT count(*) FROM kepler_data.:thing;
INSERT INTO shop.items (n) VALUES (2);
SELECT n FROM shop.items;

-- A table of the role's own, and views: rights of whoever owns the view.
RESET ROLE;
CREATE SCHEMA varied AUTHORIZATION varied;
CREATE ROLE lender;
SELECT kepler.grant_access('lender', 'writer', 'acme');
GRANT USAGE, CREATE ON SCHEMA varied TO lender;
SET ROLE lender;
CREATE VIEW varied.lent AS SELECT id, entity_type FROM kepler.records;
CREATE FUNCTION varied.lent_insert() RETURNS text LANGUAGE sql SECURITY DEFINER AS $$ INSERT INTO kepler.records (entity_type) VALUES ('t') RETURNING workspace_id $$;
GRANT ALL ON varied.lent TO varied;
SET ROLE varied;
CREATE TABLE varied.own (n integer);
INSERT INTO varied.own VALUES (1);
-- Called from a workspace where the lender has the level.
SELECT kepler.use_workspace('acme', false);
SELECT id FROM varied.lent WHERE entity_type = 't' AND id = 'a';
SELECT varied.lent_insert();
-- And from one where it has none: what it lends it does not have there.
SELECT kepler.use_workspace('beta', false);
SELECT id FROM varied.lent WHERE entity_type = 't';
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT varied.lent_insert();
-- Functions of the owner, and checks of foreign keys, are the owner's.
RESET ROLE;
CREATE FUNCTION varied.owners() RETURNS text LANGUAGE sql SECURITY DEFINER AS $$ INSERT INTO kepler.records (entity_type) VALUES ('t') RETURNING workspace_id $$;
SET ROLE varied;
SELECT varied.owners();

-- A level in all workspaces goes with those in single ones; what is there in all of them is changed by whoever has it in all.
RESET ROLE;
SELECT kepler.grant_access('varied', 'reader'), kepler.revoke_access('varied', 'beta');
SET ROLE varied;
SELECT kepler.use_workspace('beta', false);
EXECUTE change;
RESET ROLE;
SELECT kepler.grant_access('varied', 'admin', 'acme');
SET ROLE varied;
SELECT kepler.use_workspace('acme', false);
UPDATE kepler.entry_tables SET updated_at = updated_at WHERE record_name = 'Thing' RETURNING record_name;
SELECT kepler.create_embedding_space('varied_space', 3, 'model');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
RESET ROLE;
SELECT kepler.revoke_access('varied'), kepler.grant_access('varied', 'admin', 'acme');
SET ROLE varied;
SELECT kepler.create_embedding_space('varied_space', 3, 'model');
RESET ROLE;
SELECT kepler.grant_access('varied', 'reader', 'beta'), kepler.grant_access('varied', 'writer');
SET ROLE varied;
SELECT kepler.use_workspace('beta', false);
EXECUTE change;

-- One level everywhere: no difference.
RESET ROLE;
SELECT kepler.revoke_access('varied'), kepler.grant_access('varied', 'reader', 'acme'), kepler.grant_access('varied', 'reader', 'beta');
SELECT has_table_privilege('varied', 'kepler.records', 'INSERT'), has_table_privilege('varied', 'kepler.credentials', 'SELECT');
SET ROLE varied;
SELECT kepler.use_workspace('beta', false);
EXECUTE change;

RESET ROLE;
RESET ALL;
SET client_min_messages = warning;
DROP SCHEMA varied CASCADE;
DELETE FROM shop.items;
SELECT outcome FROM kepler.drop_blueprint('shop');
SELECT kepler.drop_entry_table('Thing', workspace_id => w) IS NOT NULL AS dropped FROM unnest('{acme,beta}'::text[]) AS w;
SELECT kepler.purge_entry_table('Thing', workspace_id => w) FROM unnest('{acme,beta}'::text[]) AS w;
DELETE FROM kepler.records;
SELECT kepler.revoke_access('varied'), kepler.revoke_access('lender');
DROP ROLE varied, lender;
DELETE FROM kepler.entities WHERE workspace_id IN ('acme', 'beta', 'work');
DELETE FROM kepler.workspaces WHERE id IN ('acme', 'beta', 'work');
