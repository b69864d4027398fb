-- Whoever has the level admin plans and applies blueprints; the tables are the owner's, and each level has on them what it has on
-- entry tables, also when it is given later.
\set SHOW_CONTEXT never
\set VERBOSITY default
\set ON_ERROR_ROLLBACK on
BEGIN;
SET LOCAL client_min_messages = warning;
CREATE ROLE bp_reader; CREATE ROLE bp_writer; CREATE ROLE bp_worker; CREATE ROLE bp_admin; CREATE ROLE bp_late; CREATE ROLE bp_stranger;
SELECT kepler.grant_access(('bp_' || level)::regrole, level) FROM unnest('{reader,writer,worker,admin}'::text[]) AS level;
\set document '{"blueprint": "shop", "tables": [{"name": "Item", "table": "items", "fields": [{"name": "n", "type": "integer", "generated": "serial"}, {"name": "a", "type": "text"}], "key": {"fields": ["n"]}}]}'

-- A writer may neither plan nor apply.
SET ROLE bp_writer;
SELECT kepler.plan_blueprint(:'document');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.apply_blueprint(:'document');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SET ROLE bp_admin;
SELECT version, outcome FROM kepler.apply_blueprint(:'document');
SELECT tableowner = (SELECT tableowner FROM pg_tables WHERE schemaname = 'kepler' AND tablename = 'workspaces') AS owners FROM pg_tables WHERE schemaname = 'shop';
-- The registry is written by the functions alone: whoever could name a table there could have it dropped.
INSERT INTO kepler.blueprint_tables (schema_name, table_name, blueprint_name, name) VALUES ('public', 'x', 'shop', 'X');
UPDATE kepler.blueprint_versions SET document = '{}';
UPDATE kepler.blueprints SET made_schemas = '{public}';
DELETE FROM kepler.blueprints;
-- Trusting SQL and adopting tables are the owner's.
SELECT kepler.apply_blueprint(:'document', options => '{"trusted": true}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.apply_blueprint(:'document', options => '{"adopt": true}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.drop_blueprint('shop', '{"keep_tables": true}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE

-- Rows: readers read, writers and administrators write, workers read.
INSERT INTO shop.items (a) VALUES ('admin');
SET ROLE bp_writer;
INSERT INTO shop.items (a) VALUES ('writer');
UPDATE shop.items SET a = 'w' WHERE a = 'writer';
CREATE TABLE shop.mine (a text);
SET ROLE bp_reader;
SELECT * FROM shop.items ORDER BY n;
INSERT INTO shop.items (a) VALUES ('reader');
SELECT object_type, kind FROM kepler.blueprint_drift('shop') WHERE kind <> 'coverage';
SELECT kepler.repair_blueprint('shop');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.blueprint_diagram('shop');
SET ROLE bp_worker;
SELECT count(*) FROM shop.items;
DELETE FROM shop.items;
SET ROLE bp_stranger;
SELECT kepler.blueprint_drift('shop');
RESET ROLE;
-- A level that is given later covers the tables, and what is taken is taken from them too.
SELECT kepler.grant_access('bp_late', 'writer');
SET ROLE bp_late;
INSERT INTO shop.items (a) VALUES ('late');
RESET ROLE;
SELECT kepler.revoke_access('bp_late');
SET ROLE bp_late;
SELECT * FROM shop.items;
RESET ROLE;
-- A next version's tables are shared as well.
SET ROLE bp_admin;
SELECT version, outcome FROM kepler.apply_blueprint('{"blueprint": "shop", "tables": [{"name": "Item", "table": "items", "fields": [{"name": "n", "type": "integer", "generated": "serial"}, {"name": "a", "type": "text"}, {"name": "m", "type": "bigint", "generated": "serial"}], "key": {"fields": ["n"]}}, {"name": "More", "table": "more", "fields": [{"name": "a", "type": "text"}]}]}', '{rewrite}');
SET ROLE bp_writer;
INSERT INTO shop.more VALUES ('x');
INSERT INTO shop.items (a) VALUES ('with m') RETURNING m;
SET ROLE bp_admin;
SELECT kepler.drop_blueprint('shop', '{"with_rows": true}');
RESET ROLE;
ROLLBACK;

-- Rows of tenants: a policy for one workspace, or for the one that a column names.
BEGIN;
SET LOCAL client_min_messages = warning;
CREATE ROLE bp_tenant; CREATE ROLE bp_admin;
INSERT INTO kepler.workspaces (id, name) VALUES ('acme', 'acme'), ('other', 'other');
SELECT kepler.grant_access('bp_tenant', 'writer'), kepler.grant_access('bp_admin', 'admin');
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "crm", "tenancy": {"field": "tenant"}, "tables": [{"name": "Lead", "table": "leads", "fields": [{"name": "tenant", "type": "text", "required": true}]}, {"name": "Country", "table": "countries", "fields": [{"name": "code", "type": "text"}]}]}');
INSERT INTO crm.leads VALUES ('acme'), ('other');
SET LOCAL kepler.workspace_id = 'acme';
SET ROLE bp_tenant;
SELECT * FROM crm.leads;
INSERT INTO crm.leads VALUES ('other');
RESET ROLE;
-- One workspace owns all of it: that of the session that applied it.
SET ROLE bp_admin;
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "own", "tenancy": "workspace", "tables": [{"name": "Lead", "table": "leads", "fields": [{"name": "a", "type": "text"}]}]}');
INSERT INTO own.leads VALUES ('mine');
RESET ROLE;
SELECT workspace_id FROM kepler.blueprints WHERE name = 'own';
SET LOCAL kepler.workspace_id = 'other';
SET ROLE bp_admin;
SELECT count(*) AS of_another FROM own.leads;
SELECT kepler.apply_blueprint('{"blueprint": "own", "tenancy": "workspace", "tables": [{"name": "Lead", "table": "leads", "fields": [{"name": "b", "type": "text"}]}]}', '{drop}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
RESET ROLE;
ROLLBACK;
