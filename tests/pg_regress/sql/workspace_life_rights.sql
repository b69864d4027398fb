-- Who may make, report, export, import and delete workspaces, and export and erase a person. An administrator reads as themselves, under
-- row security, and sees all of the workspace by that; nobody reaches another workspace.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
BEGIN;
CREATE ROLE life_reader; CREATE ROLE life_writer; CREATE ROLE life_worker; CREATE ROLE life_admin;
SELECT kepler.grant_access(('life_' || level)::regrole, level) FROM unnest('{reader,writer,worker,admin}'::text[]) AS level;
SELECT kepler.create_workspace('acme'), kepler.create_workspace('other');
SET LOCAL kepler.workspace_id = 'other';
INSERT INTO kepler.users (id, email) VALUES ('ann', 'ann@example.com');
SET LOCAL kepler.workspace_id = 'acme';
INSERT INTO kepler.users (id, email) VALUES ('ann', 'ann@example.com'), ('bob', 'bob@example.com');
INSERT INTO kepler.connections (id, name, reference_id, user_id) VALUES ('c', 'c', 'r', 'ann');
INSERT INTO kepler.credentials (connection_id, type, secret_ref) VALUES ('c', 'API_KEY', 'env:KEY');
SELECT kepler.create_embedding_space('rights', 2, 'm');
SELECT outcome FROM kepler.remember('tea', '[1, 0]', user_id => 'ann');
SELECT count(*) FROM kepler.create_entry_table('Part', '{"fields": [{"name": "n", "type": "integer"}]}');
SELECT outcome FROM kepler.insert_entries('Part', '[{"n": 1}]');
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "rights", "tenancy": {"field": "tenant"}, "tables": [
    {"name": "Row", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "tenant", "type": "text", "required": true}]}]}');
SELECT format('%I.%I', schema_name, table_name) AS shared FROM kepler.blueprint_tables WHERE blueprint_name = 'rights' \gset
INSERT INTO :shared (id, tenant) VALUES (1, 'acme'), (2, 'other');
CREATE TABLE archive (number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, line text);
INSERT INTO archive (line) SELECT kepler.export_workspace('acme');
CREATE TABLE reported AS SELECT * FROM kepler.workspace_report('acme');
CREATE TABLE of_ann AS SELECT line FROM kepler.export_user('ann', 'acme') AS line;
GRANT SELECT ON archive, reported, of_ann TO PUBLIC;
GRANT CREATE ON SCHEMA public TO life_admin;

-- What an administrator sees is what the owner sees.
SET LOCAL ROLE life_admin;
SELECT * FROM kepler.workspace_report() EXCEPT SELECT * FROM reported;
SELECT count(*) > 30 FROM kepler.workspace_report();
SELECT line FROM ((SELECT kepler.export_workspace() EXCEPT ALL SELECT line FROM archive) UNION ALL (SELECT line FROM archive EXCEPT ALL SELECT kepler.export_workspace())) AS d (line)
WHERE line NOT LIKE '%kepler_archive%' AND line NOT LIKE '{"end"%';
SELECT kepler.create_workspace('made by an administrator');
SAVEPOINT s;
SELECT kepler.export_workspace('other');
ROLLBACK TO s;
SELECT kepler.workspace_report('other');
ROLLBACK TO s;
SELECT kepler.export_user('ann', 'other');
ROLLBACK TO s;
SELECT kepler.erase_user('ann', 'other');
ROLLBACK TO s;
SELECT kepler.import_workspace('archive', 'copy');
ROLLBACK TO s;
SELECT kepler_internal.begin_workspace_deletion('acme', true, 10);
ROLLBACK TO s;
SELECT kepler_internal.delete_workspace_step('acme', 1, NULL);
ROLLBACK TO s;
-- Its parts are nobody's but the owner's.
SELECT kepler_internal.delete_workspace_part('acme', 1, NULL);
ROLLBACK TO s;
SELECT kepler_internal.begin_import('{}', '{}', '{}', 'copy');
ROLLBACK TO s;
-- A view in place of an archive, and a table that is not the caller's to read.
CREATE VIEW lines AS SELECT 1::bigint AS number, 'x' AS line;
SELECT kepler.import_workspace('lines', 'copy');
ROLLBACK TO s;
RESET ROLE;
SELECT kepler.import_workspace('kepler.workspaces', 'copy');
ROLLBACK TO s;

-- Below: neither workspaces nor archives of them, but what is about a person, as far as their rights on the tables reach.
SET LOCAL ROLE life_writer;
SELECT kepler.create_workspace('no');
ROLLBACK TO s;
SET LOCAL ROLE life_writer;
SELECT kepler.workspace_report();
ROLLBACK TO s;
SET LOCAL ROLE life_writer;
SELECT kepler.export_workspace();
ROLLBACK TO s;
SET LOCAL ROLE life_reader;
SELECT line::jsonb -> 'left_out' AS left_out, line::jsonb ->> 'table' AS "table" FROM kepler.export_user('ann') AS line WHERE line NOT LIKE '{"end"%';
ROLLBACK TO s;
SET LOCAL ROLE life_worker;
SELECT kepler.erase_user('ann');
ROLLBACK TO s;
SET LOCAL ROLE life_writer;
SELECT count(*) FROM (SELECT kepler.export_user('ann') EXCEPT ALL SELECT line FROM of_ann) AS d (line) WHERE line NOT LIKE '%kepler_archive%' AND line NOT LIKE '{"end"%';
SELECT * FROM kepler.erase_user('ann') ORDER BY relation::text COLLATE "C";
RESET ROLE;
SELECT workspace_id, id FROM kepler.users WHERE workspace_id IN ('acme', 'other') ORDER BY 1, 2;

-- A role with the level in one workspace reports and exports that one, and makes none.
CREATE ROLE life_member;
SELECT kepler.grant_access('life_member', 'admin', 'acme');
SELECT kepler.grant_access('life_member', 'reader', 'other');
SAVEPOINT s;
SET LOCAL ROLE life_member;
SELECT count(*) > 30 FROM kepler.workspace_report('acme');
SELECT line FROM ((SELECT kepler.export_workspace('acme') EXCEPT ALL SELECT line FROM archive)) AS d (line) WHERE line LIKE '%"other"%';
SELECT kepler.create_workspace('no');
ROLLBACK TO s;
SET LOCAL kepler.workspace_id = 'other';
SET LOCAL ROLE life_member;
SELECT kepler.workspace_report('other');
ROLLBACK TO s;
SET LOCAL kepler.workspace_id = 'other';
SET LOCAL ROLE life_member;
SELECT kepler.export_workspace('other');
ROLLBACK TO s;

-- While a workspace is being deleted, its roles are told.
UPDATE kepler.workspaces SET deleting_at = now() WHERE id = 'acme';
SAVEPOINT s;
SET LOCAL kepler.workspace_id = 'acme';
SET LOCAL ROLE life_writer;
SELECT kepler.remember('more');
ROLLBACK TO s;
UPDATE kepler.workspaces SET deleting_at = NULL WHERE id = 'acme';
SET LOCAL kepler.workspace_id = 'acme';
SET LOCAL ROLE life_writer;
SELECT outcome FROM kepler.remember('more');
ROLLBACK;
