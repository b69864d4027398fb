-- A blueprint is made in a schema that is there only if nobody else owns it, and takes over no table unless it is told to. What
-- others own is never touched.
\set SHOW_CONTEXT never
\set VERBOSITY default
\set ON_ERROR_ROLLBACK on
BEGIN;
SET LOCAL client_min_messages = warning;
CREATE ROLE bp_other; CREATE ROLE bp_admin;
SELECT kepler.grant_access('bp_admin', 'admin');
CREATE SCHEMA app;
CREATE SCHEMA theirs AUTHORIZATION bp_other;
\set document '{"blueprint": "app", "tables": [{"name": "User", "table": "users", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "email", "type": "text"}]}]}'

-- An empty schema of the owner is for every administrator; one with something in it is the owner's to give.
SAVEPOINT clean;
SET LOCAL ROLE bp_admin;
SELECT outcome FROM kepler.apply_blueprint(:'document');
ROLLBACK TO clean;
CREATE TABLE app.others (a text);
SET LOCAL ROLE bp_admin;
SELECT kepler.apply_blueprint(:'document');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
RESET ROLE;
SELECT outcome FROM kepler.apply_blueprint(:'document');
SELECT made_schemas FROM kepler.blueprints;
-- Once the owner has applied it, administrators go on.
SET LOCAL ROLE bp_admin;
SELECT outcome FROM kepler.apply_blueprint(replace(:'document', '"email"', '"mail", "renamed_from": "email"'));
RESET ROLE;
-- The table beside is nobody's drift, and stays.
SELECT object, kind FROM kepler.blueprint_drift('app') WHERE kind <> 'coverage';
SELECT steps FROM kepler.drop_blueprint('app');
SELECT relname FROM pg_class WHERE relnamespace = 'app'::regnamespace;
ROLLBACK TO clean;

-- A schema of another role.
SELECT kepler.apply_blueprint(replace(:'document', '"blueprint": "app"', '"blueprint": "app", "schema": "theirs"'));
\echo SQLSTATE :LAST_ERROR_SQLSTATE
-- Kepler's own.
SELECT kepler.apply_blueprint(replace(:'document', '"blueprint": "app"', '"blueprint": "app", "schema": "kepler_data"'));
\echo SQLSTATE :LAST_ERROR_SQLSTATE

-- A table of the name: of the owner, of somebody else, a view, another blueprint's.
CREATE TABLE app.users (id bigint PRIMARY KEY, mail text, added text);
INSERT INTO app.users VALUES (1, 'a', 'b');
SELECT operation, class, hazards FROM kepler.plan_blueprint(:'document');
SELECT kepler.apply_blueprint(:'document');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT operation, object, class FROM kepler.plan_blueprint(:'document', '{"adopt": true}');
SAVEPOINT adopting;
SELECT outcome FROM kepler.apply_blueprint(:'document', options => '{"adopt": true}');
SELECT count(*) FROM kepler.plan_blueprint(:'document');
SELECT object_type, object, kind FROM kepler.blueprint_drift('app') WHERE kind <> 'coverage';
SELECT * FROM app.users;
SELECT kepler.apply_blueprint(replace(:'document', '"blueprint": "app"', '"blueprint": "second", "schema": "app"'), options => '{"adopt": true}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
ROLLBACK TO adopting;
ALTER TABLE app.users OWNER TO bp_other;
SELECT kepler.apply_blueprint(:'document', options => '{"adopt": true}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
ALTER TABLE app.users RENAME TO users_before;
CREATE VIEW app.users AS SELECT 1 AS id;
SELECT kepler.apply_blueprint(:'document', options => '{"adopt": true}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
ROLLBACK TO clean;

-- A table that was handed to another role is that role's.
SELECT outcome FROM kepler.apply_blueprint(:'document');
ALTER TABLE app.users OWNER TO bp_other;
SELECT kepler.apply_blueprint(replace(:'document', '"email"', '"mail"'), '{drop}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT object_type, object, kind, actual FROM kepler.blueprint_drift('app') WHERE kind <> 'coverage';
SELECT kepler.drop_blueprint('app');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
ROLLBACK TO clean;

-- Types: an enum of somebody's, and a type that no extension brought.
CREATE TYPE app.mood AS ENUM ('x');
ALTER TYPE app.mood OWNER TO bp_other;
SELECT kepler.apply_blueprint('{"blueprint": "app", "enums": {"mood": ["x"]}, "tables": [{"name": "T", "fields": [{"name": "m", "type": "enum", "enum": "mood"}]}]}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
CREATE DOMAIN app.trap AS text;
SELECT kepler.apply_blueprint('{"blueprint": "app", "tables": [{"name": "T", "fields": [{"name": "m", "type": "native", "sql_type": "app.trap"}]}]}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
-- An extension that is not there is named, with the statement.
SELECT operation, object, statement, class FROM kepler.plan_blueprint('{"blueprint": "app", "extensions": ["vector", "postgis"], "tables": []}');
ROLLBACK;
