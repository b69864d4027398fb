-- A field with "sensitive": "reference" holds references to secrets that are kept elsewhere, in entry tables and blueprints, whoever
-- writes. What is refused is never shown. Tokens are put together here, so that nobody takes this file for a leak.
\set SHOW_CONTEXT never
\set VERBOSITY default
\set ON_ERROR_ROLLBACK on
BEGIN;
ALTER SEQUENCE kepler.entry_table_numbers RESTART;
SELECT 'ghp' || '_' || 'q8Zr2LmN5tYx0KpWb7Cd3EfGh1JkMnPqRsTu' AS token \gset

-- Documents say it of text that is no list; a default must be a reference too.
SELECT kepler.create_entry_table('Bad', '{"fields": [{"name": "a", "type": "integer", "sensitive": "reference"}, {"name": "b", "type": "text", "list": true, "sensitive": "reference"}, {"name": "c", "type": "text", "sensitive": "secret"}, {"name": "d", "type": "text", "sensitive": "reference", "default": "hunter2"}, {"name": "e", "type": "text", "sensitive": "reference", "default": "uuid"}]}');

SELECT kepler.create_entry_table('Connections', '{"fields": [{"name": "name", "type": "text", "required": true, "unique": true}, {"name": "token_ref", "type": "text", "sensitive": "reference"}, {"name": "born", "type": "date", "sensitive": true}]}') AS name \gset
SELECT structure -> 'fields' -> 1 ->> 'sensitive' AS reference, structure -> 'fields' -> 2 -> 'sensitive' AS personal FROM kepler.structures AS s JOIN kepler.entry_tables AS t ON t.id = s.entry_table_id WHERE t.record_name = 'Connections';

-- A bad element is its own answer; a sensitive value is in no message.
SELECT ordinal, outcome, error_code, error, violations FROM kepler.insert_entries('Connections', json_build_array(
    json_build_object('name', 'a', 'token_ref', 'vault:team/a'),
    json_build_object('name', 'b', 'token_ref', :'token'),
    json_build_object('name', 'c', 'token_ref', 'vault:' || :'token'),
    json_build_object('name', 'd', 'token_ref', 'admin:hunter2'),
    json_build_object('name', 'e', 'born', '4 July'),
    json_build_object('name', 'f', 'token_ref', NULL, 'born', '1990-07-04'))::text, on_error => 'skip');
SELECT ordinal, outcome, error_code FROM kepler.upsert_entries('Connections', '{name}', json_build_array(
    json_build_object('name', 'a', 'token_ref', 'hunter2'), json_build_object('name', 'f', 'token_ref', 'env:TOKEN'))::text, on_error => 'skip');
SELECT name, token_ref FROM kepler_data.connections_1_entries ORDER BY name;

-- Direct SQL meets a trigger. Its message names column and kind, never the value; and no CHECK shows the row.
INSERT INTO kepler_data.connections_1_entries (name, token_ref) VALUES ('x', 'hunter2');
INSERT INTO kepler_data.connections_1_entries (name, token_ref) VALUES ('x', :'token');
UPDATE kepler_data.connections_1_entries SET token_ref = 'postgres://app:' || 'hunter2' || '@db/app' WHERE name = 'a';
COPY kepler_data.connections_1_entries (name, token_ref) FROM stdin;
y	hunter2
\.
INSERT INTO kepler_data.connections_1_entries (name, token_ref) VALUES ('a', 'op://vault/item/field') ON CONFLICT (name) DO UPDATE SET token_ref = 'hunter2';
-- Nor does CONTEXT show it: not the line of COPY, nor the statement of a function.
\set SHOW_CONTEXT always
COPY kepler_data.connections_1_entries (name, token_ref) FROM stdin;
y	hunter2
\.
DO $$ BEGIN EXECUTE 'INSERT INTO kepler_data.connections_1_entries (name, token_ref) VALUES (''x'', ''hunter2'')'; END $$;
DO $$ BEGIN INSERT INTO kepler_data.connections_1_entries (name, token_ref) VALUES ('x', 'hunter2'); EXCEPTION WHEN check_violation THEN RAISE NOTICE 'caught: %', SQLERRM; END $$;
SELECT 1 / 0 FROM kepler_data.connections_1_entries;
\set SHOW_CONTEXT never
-- A scheme of one's own.
INSERT INTO kepler_data.connections_1_entries (name, token_ref) VALUES ('own', 'acme:team/x');
SET LOCAL kepler.secret_reference_schemes = 'acme, other';
INSERT INTO kepler_data.connections_1_entries (name, token_ref) VALUES ('own', 'acme:team/x');
RESET kepler.secret_reference_schemes;

-- What is there stays: an update of other columns is let through, one of this column is not.
ALTER TABLE kepler_data.connections_1_entries DISABLE TRIGGER zz_kepler_secret_references;
UPDATE kepler_data.connections_1_entries SET token_ref = 'old secret' WHERE name = 'a';
-- Such a trigger is seen, and made anew.
SELECT operation, object, hazards FROM kepler.plan_entry_table('Connections', (SELECT s.structure FROM kepler.structures AS s JOIN kepler.entry_tables AS t ON t.id = s.entry_table_id WHERE t.record_name = 'Connections')::text);
SELECT kepler.alter_entry_table('Connections', (SELECT s.structure FROM kepler.structures AS s JOIN kepler.entry_tables AS t ON t.id = s.entry_table_id WHERE t.record_name = 'Connections')::text);
UPDATE kepler_data.connections_1_entries SET born = '2000-01-01' WHERE name = 'a';
UPDATE kepler_data.connections_1_entries SET token_ref = 'new secret' WHERE name = 'a';
SELECT token_ref FROM kepler_data.connections_1_entries WHERE name = 'a';

-- Renamed, taken back, hidden and restored, the trigger goes with the field; each plan is empty afterwards.
\set renamed '{"fields": [{"name": "name", "type": "text", "required": true, "unique": true}, {"name": "secret_ref", "type": "text", "sensitive": "reference", "renamed_from": "token_ref"}]}'
SELECT operation, object, statement, hazards FROM kepler.plan_entry_table('Connections', :'renamed') WHERE object <> 'born';
SELECT kepler.alter_entry_table('Connections', :'renamed');
SELECT count(*) AS steps FROM kepler.plan_entry_table('Connections', :'renamed');
INSERT INTO kepler_data.connections_1_entries (name, secret_ref) VALUES ('x', 'hunter2');
SELECT operation, object FROM kepler.plan_entry_table('Connections', '{"fields": [{"name": "name", "type": "text", "required": true, "unique": true}]}');
SELECT kepler.alter_entry_table('Connections', '{"fields": [{"name": "name", "type": "text", "required": true, "unique": true}]}');
INSERT INTO kepler_data.connections_1_entries (name) VALUES ('while hidden');
SELECT kepler.restore_field('Connections', 'secret_ref');
INSERT INTO kepler_data.connections_1_entries (name, secret_ref) VALUES ('x', 'hunter2');
SELECT operation, statement, undo FROM kepler.plan_entry_table('Connections', '{"fields": [{"name": "name", "type": "text", "required": true, "unique": true}, {"name": "secret_ref", "type": "text"}]}');

-- Blueprints say it in the same words.
\set document '{"blueprint": "crm", "tables": [{"name": "Org", "table": "orgs", "key": {"name": "id", "type": "cuid"}, "fields": [{"name": "accessToken", "column": "access_token", "type": "text", "sensitive": "reference"}, {"name": "refreshToken", "column": "refresh_token", "type": "varchar", "sensitive": "reference"}, {"name": "ssn", "type": "text", "sensitive": true}]}]}'
SELECT operation, object, statement FROM kepler.plan_blueprint(:'document');
SELECT version, outcome FROM kepler.apply_blueprint(:'document');
SELECT count(*) AS steps FROM kepler.plan_blueprint(:'document');
SELECT f ->> 'name' AS field, f -> 'sensitive' AS sensitive FROM kepler.blueprint_versions, json_array_elements(document -> 'tables' -> 0 -> 'fields') AS f WHERE blueprint_name = 'crm' AND f -> 'sensitive' IS NOT NULL;
INSERT INTO crm.orgs (access_token) VALUES ('hunter2');
INSERT INTO crm.orgs (access_token, refresh_token) VALUES ('vault:crm/access', 'hunter2');
INSERT INTO crm.orgs (access_token, refresh_token) VALUES ('vault:crm/access', 'vault:crm/refresh');
-- Drift: a trigger that is gone, that does not fire, and one that looks at less.
SAVEPOINT clean;
DROP TRIGGER zz_kepler_secret_references ON crm.orgs;
SELECT object_type, object, kind FROM kepler.blueprint_drift('crm') WHERE kind <> 'coverage';
ROLLBACK TO SAVEPOINT clean;
ALTER TABLE crm.orgs DISABLE TRIGGER zz_kepler_secret_references;
SELECT object_type, object, kind, actual FROM kepler.blueprint_drift('crm') WHERE kind <> 'coverage';
ROLLBACK TO SAVEPOINT clean;
CREATE OR REPLACE TRIGGER zz_kepler_secret_references BEFORE INSERT ON crm.orgs FOR EACH ROW EXECUTE FUNCTION kepler_internal.check_secret_references('access_token', 'refresh_token');
SELECT object_type, object, kind FROM kepler.blueprint_drift('crm') WHERE kind <> 'coverage';
ROLLBACK TO SAVEPOINT clean;
-- The next version renames one, and lets the other go.
\set next '{"blueprint": "crm", "tables": [{"name": "Org", "table": "orgs", "key": {"name": "id", "type": "cuid"}, "fields": [{"name": "token", "type": "text", "sensitive": "reference", "renamed_from": "accessToken"}, {"name": "refreshToken", "column": "refresh_token", "type": "varchar"}, {"name": "ssn", "type": "text"}]}]}'
SELECT operation, object, statement FROM kepler.plan_blueprint(:'next');
SELECT version, outcome FROM kepler.apply_blueprint(:'next');
SELECT count(*) AS steps FROM kepler.plan_blueprint(:'next');
INSERT INTO crm.orgs (token) VALUES ('hunter2');
INSERT INTO crm.orgs (token, refresh_token) VALUES ('vault:x', 'anything');

-- The trigger by itself: a column that is not there, and one that is no text.
CREATE SCHEMA own;
CREATE TABLE own.other (n integer, t text, v varchar(20));
CREATE TRIGGER wrong BEFORE INSERT ON own.other FOR EACH ROW EXECUTE FUNCTION kepler_internal.check_secret_references('gone');
INSERT INTO own.other VALUES (1);
CREATE OR REPLACE TRIGGER wrong BEFORE INSERT ON own.other FOR EACH ROW EXECUTE FUNCTION kepler_internal.check_secret_references('n');
INSERT INTO own.other VALUES (1);
CREATE OR REPLACE TRIGGER wrong BEFORE INSERT ON own.other FOR EACH ROW EXECUTE FUNCTION kepler_internal.check_secret_references('t', 'v');
INSERT INTO own.other VALUES (1, 'vault:a', 'hunter2');
INSERT INTO own.other VALUES (1, 'vault:a', 'env:A');
-- A field that becomes one: what is there is told of, and stays.
SELECT kepler.create_entry_table('Later', '{"fields": [{"name": "ref", "type": "text"}]}');
INSERT INTO kepler_data.later_2_entries (ref) VALUES ('hunter2');
SELECT operation, hazards FROM kepler.plan_entry_table('Later', '{"fields": [{"name": "ref", "type": "text", "sensitive": "reference"}]}');
SELECT kepler.alter_entry_table('Later', '{"fields": [{"name": "ref", "type": "text", "sensitive": "reference"}]}');
SELECT ref FROM kepler_data.later_2_entries;
-- A table is read as the structure that asks for its trigger; JSON Schemas carry the key.
SELECT kepler.structure_of('kepler_data.later_2_entries') -> 'fields' AS fields;
SELECT kepler.entry_json_schema('Later') -> 'properties' AS properties;
ROLLBACK;
