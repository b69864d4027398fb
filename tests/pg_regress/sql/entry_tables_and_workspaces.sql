-- An entry table belongs to one workspace, and its row security says so. It is owned by the owner of Kepler's tables,
-- whoever asked for it; nobody needs CREATE on a schema.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
ALTER SEQUENCE kepler.entry_table_numbers RESTART;
INSERT INTO kepler.workspaces (id, name) VALUES ('one', 'One'), ('it''s two', 'Two');

-- The same record name in two workspaces is two tables.
SELECT kepler.create_entry_table('Note', '{"fields": [{"name": "body", "type": "text"}]}', workspace_id => 'one');
SET LOCAL kepler.workspace_id = 'it''s two';
SELECT kepler.create_entry_table('Note', '{"fields": [{"name": "text", "type": "text"}]}');
SELECT kepler.create_entry_table('Only Here', '{"fields": []}');
SELECT workspace_id, record_name, table_name FROM kepler.entry_tables ORDER BY number;
SELECT pg_get_expr(polqual, polrelid) AS policy, polrelid::regclass AS table FROM pg_policy WHERE polrelid::regclass::text LIKE 'kepler_data.%' ORDER BY polrelid::regclass::text;
-- A call works in its own: the other's table is unknown to it, as a reference too.
SET LOCAL kepler.workspace_id = 'one';
SELECT kepler.alter_entry_table('Only Here', '{"fields": []}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.drop_entry_table('Only Here');
SELECT kepler.create_entry_table('Referring', '{"fields": [{"name": "r", "type": "reference", "to": "Only Here"}]}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.alter_entry_table('Note', '{"fields": [{"name": "body", "type": "text"}, {"name": "more", "type": "text"}]}');
SELECT workspace_id, record_name, version FROM kepler.entry_tables ORDER BY number;
SELECT kepler.entry_json_schema('Note', 'it''s two') -> 'properties' ? 'text' AS by_argument;

-- An ordinary role that may use a table sees the entries of its workspace, and not those of a table of another.
CREATE ROLE kepler_entries_reader;
GRANT USAGE ON SCHEMA kepler, kepler_internal, kepler_data TO kepler_entries_reader;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA kepler, kepler_internal TO kepler_entries_reader;
GRANT SELECT ON kepler.workspace_members TO kepler_entries_reader;
INSERT INTO kepler.workspace_members (workspace_id, role_name, level) VALUES ('one', 'kepler_entries_reader', 'reader'), ('it''s two', 'kepler_entries_reader', 'reader');
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA kepler_data TO kepler_entries_reader;
INSERT INTO kepler_data.note_1_entries (body) VALUES ('of one');
INSERT INTO kepler_data.note_2_entries (text) VALUES ('of two');
SET LOCAL ROLE kepler_entries_reader;
SELECT kepler.current_workspace_id(), (SELECT count(*) FROM kepler_data.note_1_entries) AS note_1, (SELECT count(*) FROM kepler_data.note_2_entries) AS note_2;
INSERT INTO kepler_data.note_2_entries (text) VALUES ('by one');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
UPDATE kepler_data.note_2_entries SET text = 'by one';
UPDATE kepler_data.note_1_entries SET body = 'changed' RETURNING body, updated_at > created_at AS touched;
-- It may not make or change tables, nor look at what there is: the functions run with its own rights.
SELECT kepler.create_entry_table('Mine', '{"fields": []}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.alter_entry_table('Note', '{"fields": []}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.purge_entry_table('Note');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
RESET ROLE;
SET LOCAL kepler.workspace_id = 'it''s two';
SET LOCAL ROLE kepler_entries_reader;
SELECT kepler.current_workspace_id(), (SELECT count(*) FROM kepler_data.note_1_entries) AS note_1, (SELECT count(*) FROM kepler_data.note_2_entries) AS note_2;
RESET ROLE;

-- A role that may write Kepler's lists of tables makes one: it belongs to the owner of these lists, and the role may use it.
RESET kepler.workspace_id;
CREATE ROLE kepler_entries_maker;
GRANT USAGE ON SCHEMA kepler, kepler_internal TO kepler_entries_maker;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA kepler, kepler_internal TO kepler_entries_maker;
GRANT SELECT ON kepler.workspaces TO kepler_entries_maker;
GRANT SELECT, INSERT, UPDATE, DELETE ON kepler.entry_tables, kepler.structures, kepler.hidden_fields TO kepler_entries_maker;
GRANT USAGE ON SEQUENCE kepler.entry_table_numbers TO kepler_entries_maker;
SET LOCAL ROLE kepler_entries_maker;
SELECT kepler.create_entry_table('Mine', '{"fields": [{"name": "a", "type": "text", "unique": true}]}') AS mine \gset
INSERT INTO :mine (a) VALUES ('x') RETURNING entry_id, a;
SELECT relowner = (SELECT relowner FROM pg_class WHERE oid = 'kepler.entry_tables'::regclass) AS of_the_owner,
    has_table_privilege(:'mine', 'SELECT, INSERT, UPDATE, DELETE') AS usable, has_schema_privilege('kepler_data', 'CREATE') AS may_create,
    has_table_privilege(:'mine', 'TRUNCATE') AS may_truncate, relrowsecurity
FROM pg_class WHERE oid = :'mine'::regclass;
SELECT created_by = session_user AS session_user FROM kepler.structures AS s JOIN kepler.entry_tables AS t ON t.id = s.entry_table_id WHERE t.record_name = 'Mine';
SELECT kepler.alter_entry_table('Mine', '{"fields": [{"name": "a", "type": "text", "unique": true}, {"name": "b", "type": "integer", "default": 1}]}');
SELECT kepler.alter_entry_table('Mine', '{"fields": [{"name": "b", "type": "integer", "default": 1}]}');
SELECT kepler.restore_field('Mine', 'a');
SELECT a, b FROM :mine;
ALTER TABLE :mine ADD COLUMN c text;
\echo SQLSTATE :LAST_ERROR_SQLSTATE
-- Whose functions run while the owner's rights are used? Not the caller's: nothing here calls what a role can make.
CREATE FUNCTION pg_temp.lower(text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'called as %', current_user; END $$;
CREATE FUNCTION pg_temp.int4ge(integer, integer) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'called as %', current_user; END $$;
CREATE OPERATOR pg_temp.>= (FUNCTION = pg_temp.int4ge, LEFTARG = integer, RIGHTARG = integer);
SET LOCAL search_path = pg_temp, pg_catalog;
SELECT kepler.alter_entry_table('Mine', '{"fields": [{"name": "a", "type": "text", "unique": true, "case_insensitive": true, "min_length": 1}, {"name": "b", "type": "integer", "default": 1, "min": 0}]}');
RESET search_path;
SELECT kepler.drop_entry_table('Mine');
SELECT kepler.restore_entry_table('Mine');
SELECT kepler.drop_entry_table('Mine');
SELECT kepler.purge_entry_table('Mine');
SELECT current_user;
-- It has no table of its own elsewhere to have changed: the functions touch what the lists name, in kepler_data only.
RESET ROLE;
CREATE TABLE kepler.not_an_entry_table (a text);
INSERT INTO kepler.entry_tables (id, record_name, number, table_name) VALUES ('x', 'Trick', 99, 'not_an_entry_table');
INSERT INTO kepler.structures (entry_table_id, version, structure) VALUES ('x', 1, '{"fields": []}');
SET LOCAL ROLE kepler_entries_maker;
SELECT kepler.drop_entry_table('Trick');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
-- Nor does it reach the table of another workspace by naming it in its own list.
INSERT INTO kepler.entry_tables (id, record_name, number, table_name) VALUES ('y', 'Stolen', 1, 'note_1_entries');
INSERT INTO kepler.structures (entry_table_id, version, structure) VALUES ('y', 1, '{"fields": [{"name": "body", "type": "text"}]}');
SELECT kepler.drop_entry_table('Stolen');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.alter_entry_table('Stolen', '{"fields": []}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.create_entry_table('Referring', '{"fields": [{"name": "r", "type": "reference", "to": "Stolen"}]}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
UPDATE kepler.entry_tables SET dropped_at = now() WHERE id = 'y';
SELECT kepler.purge_entry_table('Stolen');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
ROLLBACK;
