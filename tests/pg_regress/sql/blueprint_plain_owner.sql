-- An owner of Kepler's tables who is no superuser: all that blueprints do goes with its rights, whoever asks, and a superuser who calls
-- lends it none. In a database of its own.
\set SHOW_CONTEXT never
\set VERBOSITY default
SET client_min_messages = warning;
DROP DATABASE IF EXISTS kepler_plain;
DROP ROLE IF EXISTS plain_owner, plain_admin, plain_other;
CREATE ROLE plain_owner; CREATE ROLE plain_admin; CREATE ROLE plain_other;
CREATE DATABASE kepler_plain TEMPLATE template0;
\c kepler_plain
SET client_min_messages = warning;
CREATE EXTENSION kepler CASCADE;
GRANT ALL ON SCHEMA kepler, kepler_internal TO plain_owner WITH GRANT OPTION;
GRANT ALL ON ALL ROUTINES IN SCHEMA kepler, kepler_internal TO plain_owner WITH GRANT OPTION;
GRANT CREATE ON DATABASE kepler_plain TO plain_owner;
SET ROLE plain_owner;
SELECT count(*) FROM kepler.install();
SELECT kepler.grant_access('plain_admin', 'admin');
\set document '{"blueprint": "shop", "tenancy": {"field": "w"}, "enums": {"status": {"values": ["a", "b"], "description": "x"}}, "tables": [{"name": "Parent", "table": "parents", "description": "y", "key": {"name": "id", "type": "cuid"}, "times": true, "fields": [{"name": "w", "type": "text"}, {"name": "email", "type": "text", "unique": true, "case_insensitive": true}, {"name": "n", "type": "integer", "min": 0, "index": true}, {"name": "state", "type": "enum", "enum": "status"}, {"name": "made", "type": "text", "fill": "cuid"}, {"name": "moved", "type": "timestamp", "touch": true}, {"name": "serial", "type": "integer", "generated": "serial"}, {"name": "v", "type": "vector", "dimensions": 3, "index": true}]}, {"name": "Child", "table": "children", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "parent", "type": "reference", "to": "Parent", "on_delete": "cascade"}]}]}'
-- The owner plans, applies, looks and repairs.
SELECT count(*) > 5 AS several FROM kepler.plan_blueprint(:'document');
SELECT outcome FROM kepler.apply_blueprint(:'document');
SELECT outcome FROM kepler.apply_blueprint(:'document');
SELECT DISTINCT relowner::regrole FROM pg_class WHERE relnamespace = 'shop'::regnamespace;
SELECT nspowner::regrole FROM pg_namespace WHERE nspname = 'shop';
SELECT kind, object_type, object FROM kepler.blueprint_drift('shop') WHERE kind <> 'coverage';
INSERT INTO shop.parents (w, email, n, state) VALUES ('default', 'a@x', 1, 'a');
INSERT INTO shop.children (parent) SELECT id FROM shop.parents;
ALTER TABLE shop.parents DROP COLUMN n, ALTER COLUMN email TYPE text COLLATE "C";
ALTER TABLE shop.parents FORCE ROW LEVEL SECURITY;
ALTER SEQUENCE shop.parents_serial_seq OWNED BY NONE;
ALTER SEQUENCE shop.parents_serial_seq INCREMENT BY 4;
DROP TRIGGER kepler_fill ON shop.parents;
SELECT kind, object_type, object FROM kepler.blueprint_drift('shop') WHERE kind NOT IN ('coverage', 'deferred');
SELECT outcome FROM kepler.apply_blueprint(:'document', '{rewrite}');
SELECT kind, object_type, object FROM kepler.blueprint_drift('shop') WHERE kind NOT IN ('coverage', 'deferred');
RESET ROLE;
-- Triggers of references are a superuser's to disable; the owner makes the reference anew.
ALTER TABLE shop.parents DISABLE TRIGGER ALL;
SET ROLE plain_owner;
SELECT kind, object_type, object FROM kepler.blueprint_drift('shop') WHERE kind NOT IN ('coverage', 'deferred');
SELECT outcome FROM kepler.apply_blueprint(:'document');
SELECT kind, object_type, object FROM kepler.blueprint_drift('shop') WHERE kind NOT IN ('coverage', 'deferred');
-- What is in a schema of somebody else, or belongs to somebody else, is out of reach.
RESET ROLE;
CREATE SCHEMA of_super;
CREATE SCHEMA of_other AUTHORIZATION plain_other;
SELECT kepler.apply_blueprint('{"blueprint": "a", "schema": "of_super", "tables": [{"name": "T", "fields": []}]}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.apply_blueprint('{"blueprint": "a", "schema": "of_other", "tables": [{"name": "T", "fields": []}]}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
GRANT CREATE, USAGE ON SCHEMA of_super TO plain_owner;
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "a", "schema": "of_super", "tables": [{"name": "T", "fields": []}]}');
SELECT outcome FROM kepler.drop_blueprint('a');
-- SQL that is trusted runs as the owner, whoever trusts it.
CREATE FUNCTION public.who() RETURNS text LANGUAGE sql AS 'SELECT current_user::text';
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "t", "tables": [{"name": "T", "fields": [{"name": "a", "type": "text"}]}]}');
INSERT INTO t."T" VALUES ('x');
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "t", "tables": [{"name": "T", "fields": [{"name": "a", "type": "text"}, {"name": "w", "type": "text", "default_sql": "public.who()"}]}]}', '{rewrite}', '{"trusted": true}');
SELECT w FROM t."T";
-- An administrator, in a workspace; the way of an online change; another level's rights on what was made.
SET ROLE plain_admin;
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "own", "enums": {"e": ["a"]}, "tables": [{"name": "T", "fields": [{"name": "a", "type": "text"}]}]}');
CALL kepler.apply_blueprint_online('{"blueprint": "own", "enums": {"e": ["a", "b"]}, "tables": [{"name": "T", "fields": [{"name": "a", "type": "text", "required": true}, {"name": "e", "type": "enum", "enum": "e", "default": "b"}]}]}');
INSERT INTO own."T" VALUES ('x');
SELECT * FROM own."T";
SELECT outcome FROM kepler.drop_blueprint('own', '{"with_rows": true}');
RESET ROLE;
-- An event trigger whose function is a plain role's would run it with the rights of the owner.
CREATE SCHEMA plain_other AUTHORIZATION plain_other;
CREATE FUNCTION plain_other.spy() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'runs as %', current_user; END $$;
CREATE EVENT TRIGGER spy ON ddl_command_start EXECUTE FUNCTION plain_other.spy();
SET client_min_messages = notice;
SET ROLE plain_admin;
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "own", "tables": []}');
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "own", "tables": [{"name": "T", "fields": []}]}');
RESET ROLE;
ALTER EVENT TRIGGER spy DISABLE;
ALTER FUNCTION plain_other.spy() OWNER TO plain_other;
ALTER EVENT TRIGGER spy ENABLE;
SET ROLE plain_admin;
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "own", "tables": []}', '{drop}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT outcome FROM kepler.drop_blueprint('own', '{"with_rows": true}');
SELECT kepler.create_entry_table('Spied', '{"fields": []}');
RESET ROLE;
ALTER EVENT TRIGGER spy DISABLE;
SET client_min_messages = warning;
SELECT outcome FROM kepler.drop_blueprint('own', '{"with_rows": true}');
DROP EVENT TRIGGER spy;
SELECT outcome FROM kepler.drop_blueprint('shop', '{"with_rows": true}');
SELECT count(*) FROM pg_namespace WHERE nspname = 'shop';
\c postgres
DROP DATABASE kepler_plain;
DROP ROLE plain_owner, plain_admin, plain_other;
