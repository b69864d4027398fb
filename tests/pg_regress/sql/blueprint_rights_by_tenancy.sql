-- Who may change what, by whose rows the tables hold: an administrator of one workspace adds to what several workspaces share, and
-- takes nothing from it.
\set SHOW_CONTEXT never
\set VERBOSITY default
\set ON_ERROR_ROLLBACK on
BEGIN;
SET LOCAL client_min_messages = warning;
CREATE ROLE tenancy_admin;
SELECT kepler.grant_access('tenancy_admin', 'admin');
INSERT INTO kepler.workspaces (id, name) VALUES ('ws_a', 'a'), ('ws_b', 'b');
CREATE FUNCTION pg_temp.document(tenancy text, more text DEFAULT '', enum text DEFAULT '["a", "b"]', n text DEFAULT '{"name": "n", "type": "integer", "default": 7}') RETURNS json LANGUAGE sql AS
$$ SELECT format('{"blueprint": "crm", "tenancy": %s, "enums": {"state": %s}, "tables": [{"name": "Lead", "table": "leads", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "w", "type": "text"}, {"name": "s", "type": "enum", "enum": "state"}, %s %s}, {"name": "Country", "table": "countries", "fields": [{"name": "code", "type": "text"}]}]}', tenancy, enum, n, CASE WHEN more = '' THEN ']' ELSE more END)::json $$;
-- What comes of each change, for an administrator whose workspace is ws_a.
CREATE FUNCTION pg_temp.try(document json) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer text;
    why text;
BEGIN
    BEGIN
        SELECT a.outcome INTO answer FROM kepler.apply_blueprint(document, '{rewrite,convert,drop}') AS a;
        RAISE EXCEPTION USING ERRCODE = 'UR001';
    EXCEPTION WHEN SQLSTATE 'UR001' THEN
        RETURN answer;
    WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS why = PG_EXCEPTION_DETAIL;
        RETURN SQLSTATE || ' ' || why;
    END;
END $$;
GRANT USAGE ON SCHEMA pg_temp TO tenancy_admin;
CREATE TEMP TABLE changes (place serial, what text, more text, enum text, n text);
GRANT SELECT ON changes TO tenancy_admin;
INSERT INTO changes (what, more, enum, n) VALUES
('add a field', ', {"name": "x", "type": "text"}]', NULL, NULL),
('add a description', '], "description": "Leads"', NULL, NULL),
('add an index', '], "indexes": [{"fields": ["n"]}]', NULL, NULL),
('add a value', NULL, '["a", "b", "c"]', NULL),
('add a table', ']}, {"name": "More", "fields": []', NULL, NULL),
('drop a field', NULL, NULL, '{"name": "m", "type": "integer"}'),
('rename a field', NULL, NULL, '{"name": "m", "type": "integer", "default": 7, "renamed_from": "n"}'),
('rewrite a field', NULL, NULL, '{"name": "n", "type": "bigint", "default": 7}'),
('convert a field', NULL, NULL, '{"name": "n", "type": "smallint", "default": 7}'),
('change a default', NULL, NULL, '{"name": "n", "type": "integer", "default": 8}'),
('require a field', NULL, NULL, '{"name": "n", "type": "integer", "default": 7, "required": true}'),
('forbid values', NULL, NULL, '{"name": "n", "type": "integer", "default": 7, "min": 0}'),
('unique', NULL, NULL, '{"name": "n", "type": "integer", "default": 7, "unique": true}'),
('remove a value', NULL, '["a"]', NULL),
('rename a value', NULL, '{"values": ["a", "z"], "renamed_values": {"b": "z"}}', NULL);
\pset format unaligned
\pset tuples_only on

-- By a field: the rows of ws_b are not for ws_a to touch, nor to be told of.
SELECT outcome FROM kepler.apply_blueprint(pg_temp.document('{"field": "w"}'));
INSERT INTO crm.leads (w, s, n) VALUES ('ws_a', 'a', 1), ('ws_b', 'b', 70000), ('ws_b', 'b', NULL);
INSERT INTO crm.countries VALUES ('ch');
SET LOCAL kepler.workspace_id = 'ws_a';
SET ROLE tenancy_admin;
SELECT c.what, pg_temp.try(pg_temp.document('{"field": "w"}', coalesce(c.more, ''), coalesce(c.enum, '["a", "b"]'), coalesce(c.n, '{"name": "n", "type": "integer", "default": 7}'))) FROM changes AS c ORDER BY c.place;
-- Tables of the document that have no such field are shared as well.
SELECT pg_temp.try('{"blueprint": "crm", "tenancy": {"field": "w"}, "enums": {"state": ["a", "b"]}, "tables": [{"name": "Lead", "table": "leads", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "w", "type": "text"}, {"name": "s", "type": "enum", "enum": "state"}, {"name": "n", "type": "integer", "default": 7}]}]}');
-- Nor is the way past the document: another tenancy, an online change, a repair, a drop.
SELECT pg_temp.try(pg_temp.document('"database"', n => '{"name": "m", "type": "integer"}'));
SELECT pg_temp.try(pg_temp.document('"workspace"', n => '{"name": "m", "type": "integer"}'));
SELECT operation, class FROM kepler.plan_blueprint(pg_temp.document('{"field": "w"}', n => '{"name": "m", "type": "integer"}'), '{"online": true}') ORDER BY step;
SELECT kepler.drop_blueprint('crm');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.drop_blueprint('crm', '{"with_rows": true}');
RESET ROLE;
ALTER TABLE crm.leads ALTER COLUMN n TYPE text, ADD COLUMN by_hand text;
SET ROLE tenancy_admin;
SELECT operation, class FROM kepler.repair_blueprint('crm');
SELECT pg_temp.try(pg_temp.document('{"field": "w"}'));
RESET ROLE;
-- The owner of Kepler's tables does each of these.
SELECT c.what, pg_temp.try(pg_temp.document('{"field": "w"}', coalesce(c.more, ''), coalesce(c.enum, '["a", "b"]'), coalesce(c.n, '{"name": "n", "type": "integer", "default": 7}'))) FROM changes AS c
WHERE c.what IN ('drop a field', 'rename a field', 'rewrite a field', 'rename a value') ORDER BY c.place;
SELECT outcome FROM kepler.drop_blueprint('crm', '{"with_rows": true}');

-- Of the database: nobody's rows are hidden from an administrator, who may do all of it.
SELECT outcome FROM kepler.apply_blueprint(pg_temp.document('"database"'));
INSERT INTO crm.leads (w, s, n) VALUES ('ws_a', 'a', 1);
SET ROLE tenancy_admin;
SELECT c.what, pg_temp.try(pg_temp.document('"database"', coalesce(c.more, ''), coalesce(c.enum, '["a", "b"]'), coalesce(c.n, '{"name": "n", "type": "integer", "default": 7}'))) FROM changes AS c ORDER BY c.place;
RESET ROLE;
-- Until row security hides some, whoever has put it there.
CREATE POLICY mine ON crm.leads USING (w = current_user);
ALTER TABLE crm.leads ENABLE ROW LEVEL SECURITY;
SET ROLE tenancy_admin;
SELECT pg_temp.try(pg_temp.document('"database"', n => '{"name": "m", "type": "integer"}'));
SELECT kepler.drop_blueprint('crm', '{"with_rows": true}');
RESET ROLE;
SELECT outcome FROM kepler.drop_blueprint('crm', '{"with_rows": true}');

-- Of one workspace: its administrators do all of it, and those of others nothing.
SET ROLE tenancy_admin;
SELECT outcome FROM kepler.apply_blueprint(pg_temp.document('"workspace"'));
INSERT INTO crm.leads (w, s, n) VALUES ('ws_a', 'a', 1);
SELECT c.what, pg_temp.try(pg_temp.document('"workspace"', coalesce(c.more, ''), coalesce(c.enum, '["a", "b"]'), coalesce(c.n, '{"name": "n", "type": "integer", "default": 7}'))) FROM changes AS c ORDER BY c.place;
RESET ROLE;
SET LOCAL kepler.workspace_id = 'ws_b';
SET ROLE tenancy_admin;
SELECT c.what, pg_temp.try(pg_temp.document('"workspace"', coalesce(c.more, ''), coalesce(c.enum, '["a", "b"]'), coalesce(c.n, '{"name": "n", "type": "integer", "default": 7}'))) FROM changes AS c WHERE c.what IN ('add a field', 'drop a field') ORDER BY c.place;
SELECT kepler.drop_blueprint('crm');
RESET ROLE;
ROLLBACK;
