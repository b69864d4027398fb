-- The field that names the workspace of a row may be a reference: then the table that it refers to holds the workspaces' own rows,
-- one each, and shows each workspace its own.
\set VERBOSITY terse
\set ON_ERROR_ROLLBACK on
BEGIN;
SET LOCAL client_min_messages = warning;
CREATE ROLE reference_app;
SELECT kepler.grant_access('reference_app', 'writer');
INSERT INTO kepler.workspaces (id, name) VALUES ('ws_a', 'a'), ('ws_b', 'b');
CREATE FUNCTION pg_temp.document(more text DEFAULT '', own text DEFAULT '') RETURNS json LANGUAGE sql AS
$$ SELECT format('{"blueprint": "crm", "tenancy": {"field": "org"}, "tables": [
    {"name": "Org", "table": "orgs", "key": {"fields": ["id"]}, "fields": [{"name": "id", "column": "org_id", "type": "text"}, {"name": "name", "type": "text"}%s]},
    {"name": "Lead", "table": "leads", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "org", "column": "org_id", "type": "reference", "to": "Org", "on_delete": "cascade", "required": true, "default_sql": "kepler.current_workspace_id()"}, {"name": "n", "type": "integer"}]},
    {"name": "Country", "table": "countries", "fields": [{"name": "code", "type": "text"}]}%s]}', own, more)::json $$;
SELECT outcome FROM kepler.apply_blueprint(pg_temp.document());
SELECT c.relname, pg_get_expr(p.polqual, p.polrelid) AS policy FROM pg_class AS c LEFT JOIN pg_policy AS p ON p.polrelid = c.oid
WHERE c.relnamespace = 'crm'::regnamespace AND c.relkind = 'r' ORDER BY 1;
-- In step: no plan, no drift.
SELECT count(*) FROM kepler.plan_blueprint(pg_temp.document());
SELECT kind, object FROM kepler.blueprint_drift('crm') WHERE kind <> 'coverage';

-- Each workspace has its own row there, and no other.
INSERT INTO crm.orgs VALUES ('ws_a', 'A'), ('ws_b', 'B');
INSERT INTO crm.leads (org_id, n) VALUES ('ws_a', 1), ('ws_b', 2);
SET LOCAL kepler.workspace_id = 'ws_a';
SET ROLE reference_app;
SELECT * FROM crm.orgs;
INSERT INTO crm.leads (n) VALUES (3);
SELECT org_id, n FROM crm.leads;
INSERT INTO crm.orgs VALUES ('ws_c', 'C');
UPDATE crm.orgs SET name = 'all';
SELECT name FROM crm.orgs;
UPDATE crm.orgs SET org_id = 'ws_c';
DELETE FROM crm.orgs WHERE org_id = 'ws_b' RETURNING name;
-- A deletion takes what refers to it.
DELETE FROM crm.orgs RETURNING name;
RESET ROLE;
SELECT org_id, n FROM crm.leads;
SELECT * FROM crm.orgs;

-- The table of the workspaces may have the field itself: then that says whose its rows are.
SELECT operation, object FROM kepler.plan_blueprint(pg_temp.document(own => ', {"name": "org", "column": "parent_id", "type": "text"}'));
-- An administrator of one workspace may refer to that table from a new one, since the reference pairs the field and the key.
CREATE ROLE reference_admin;
SELECT kepler.grant_access('reference_admin', 'admin');
SET LOCAL kepler.workspace_id = 'ws_b';
SET ROLE reference_admin;
SELECT outcome FROM kepler.apply_blueprint(pg_temp.document(', {"name": "Note", "table": "notes", "fields": [{"name": "org", "type": "reference", "to": "Org"}]}'));
SELECT outcome FROM kepler.apply_blueprint(pg_temp.document(', {"name": "Note", "table": "notes", "fields": [{"name": "org", "type": "reference", "to": "Org"}]}, {"name": "Tag", "table": "tags", "fields": [{"name": "of", "type": "reference", "to": "Org"}]}'));
-- Nor may one claim for a workspace what all have, by giving it the field.
SELECT operation, class, object FROM kepler.plan_blueprint(replace(pg_temp.document()::text, '{"name": "code"', '{"name": "org", "type": "text", "default_sql": "kepler.current_workspace_id()"}, {"name": "code"'));
RESET ROLE;
-- Rows of a seed are the workspace's that they name.
SET LOCAL kepler.workspace_id = 'ws_b';
SET ROLE reference_admin;
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "seeded", "tenancy": {"field": "org"}, "tables": [{"name": "Org", "key": {"fields": ["id"]}, "fields": [{"name": "id", "type": "text"}]}, {"name": "Lead", "fields": [{"name": "org", "type": "reference", "to": "Org"}]}], "seed": {"Org": {"rows": [{"id": "ws_a"}]}}}');
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "seeded", "tenancy": {"field": "org"}, "tables": [{"name": "Org", "key": {"fields": ["id"]}, "fields": [{"name": "id", "type": "text"}]}, {"name": "Lead", "fields": [{"name": "org", "type": "reference", "to": "Org"}]}], "seed": {"Org": {"rows": [{"id": "ws_b"}]}}}');
RESET ROLE;
-- A key of another type cannot name a workspace.
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "numbered", "tenancy": {"field": "org"}, "tables": [{"name": "Org", "key": {"name": "id", "type": "bigint"}, "fields": []}, {"name": "Lead", "fields": [{"name": "org", "type": "reference", "to": "Org"}]}]}');
ROLLBACK;
