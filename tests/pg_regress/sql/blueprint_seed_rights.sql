-- The rows that a blueprint begins with are written by whoever applies it, with that role's rights and within its workspace; many of
-- them cost what they are, whatever else the table holds.
\set SHOW_CONTEXT never
\set VERBOSITY default
\set ON_ERROR_ROLLBACK on
BEGIN;
SET LOCAL client_min_messages = warning;
CREATE ROLE seed_admin; CREATE ROLE seed_reader;
SELECT kepler.grant_access('seed_admin', 'admin');
SELECT kepler.grant_access('seed_reader', 'reader');
INSERT INTO kepler.workspaces (id, name) VALUES ('ws_a', 'A'), ('ws_b', 'B');
\set tables '"tables": [{"name": "Note", "table": "notes", "key": {"name": "id", "type": "uuid"}, "fields": [{"name": "ws", "type": "text", "required": true}, {"name": "name", "type": "text", "required": true}, {"name": "body", "type": "text"}], "unique": [["ws", "name"]]}]'
\set own '{"blueprint": "shared", "tenancy": {"field": "ws"}, ' :tables ', "seed": {"Note": {"rows": [{"ws": "ws_a", "name": "one"}]}}}'
\set both '{"blueprint": "shared", "tenancy": {"field": "ws"}, ' :tables ', "seed": {"Note": {"existing": "update", "rows": [{"ws": "ws_a", "name": "one", "body": "a"}, {"ws": "ws_b", "name": "one", "body": "b"}]}}}'
SET LOCAL kepler.workspace_id = 'ws_b';
SET ROLE seed_admin;
-- The rows of a workspace are not the business of another one, not even before their table is there.
SELECT kepler.apply_blueprint(:'own');
RESET ROLE;
SET LOCAL kepler.workspace_id = 'ws_a';
SET ROLE seed_admin;
SELECT version, outcome FROM kepler.apply_blueprint(:'own');
SELECT ws, name FROM shared.notes;
-- A row of another workspace is not the session's to write, or to judge; and rows of a table that others share are the owner's to name.
SELECT operation, class, hazards FROM kepler.plan_blueprint(:'both');
SELECT kepler.apply_blueprint(:'both');
-- A trigger on the table runs as whoever applies.
RESET ROLE;
CREATE FUNCTION public.seed_who() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'written by %', current_user; RETURN NEW; END $$;
CREATE TRIGGER who BEFORE INSERT ON shared.notes FOR EACH ROW EXECUTE FUNCTION public.seed_who();
SET LOCAL client_min_messages = notice;
SET ROLE seed_admin;
DELETE FROM shared.notes;
SELECT version, outcome FROM kepler.apply_blueprint(:'own');
RESET ROLE;
-- The owner writes all of them.
SELECT version, outcome FROM kepler.apply_blueprint(:'both');
SELECT ws, name, body FROM shared.notes ORDER BY ws;
UPDATE shared.notes SET body = 'x';
SET ROLE seed_reader;
SELECT object, kind, expected, actual FROM kepler.blueprint_drift('shared') WHERE object_type = 'seed row';
RESET ROLE;
SET LOCAL kepler.workspace_id = 'ws_b';
SET ROLE seed_reader;
SELECT object, kind, expected, actual FROM kepler.blueprint_drift('shared') WHERE object_type = 'seed row';
RESET ROLE;
-- Who may see the blueprint and not the table is told so.
REVOKE SELECT ON shared.notes FROM seed_reader;
SET ROLE seed_reader;
SELECT object, kind, expected, actual FROM kepler.blueprint_drift('shared') WHERE object_type = 'seed row';
RESET ROLE;
-- Who may apply and not write gets Postgres' own answer, and nothing was changed.
SELECT outcome FROM kepler.apply_blueprint(:'own');
REVOKE INSERT ON shared.notes FROM seed_admin;
DELETE FROM shared.notes;
SET LOCAL kepler.workspace_id = 'ws_a';
SET ROLE seed_admin;
SELECT kepler.apply_blueprint(:'own');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
RESET ROLE;
ROLLBACK;

-- Ten thousand rows, each with a lookup, beside others: one statement for each table, and no table is read from end to end.
BEGIN;
SELECT json_build_object('blueprint', 'many', 'tables', '[{"name": "Group", "key": {"name": "id", "type": "uuid"}, "fields": [{"name": "name", "type": "text", "required": true, "unique": true}]}, {"name": "Item", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "code", "type": "text", "required": true, "unique": true, "case_insensitive": true}, {"name": "n", "type": "integer"}, {"name": "group", "type": "reference", "to": "Group"}]}]'::json,
    'seed', json_build_object('Group', '{"rows": [{"name": "a"}, {"name": "b"}]}'::json,
        'Item', json_build_object('existing', 'update', 'rows', (SELECT json_agg(json_build_object('code', 'Item ' || i, 'n', i,
            'group', json_build_object('lookup', json_build_object('where', json_build_object('name', CASE i % 2 WHEN 0 THEN 'a' ELSE 'b' END))))) FROM generate_series(1, 10000) AS i))))::text AS document \gset
SELECT outcome FROM kepler.apply_blueprint(:'document');
SELECT g.name, count(*), sum(i.n) FROM many."Item" AS i JOIN many."Group" AS g ON g.id = i."group" GROUP BY 1 ORDER BY 1;
INSERT INTO many."Item" (code) SELECT 'other ' || i FROM generate_series(1, 5000) AS i;
DELETE FROM many."Item" WHERE n = 17;
UPDATE many."Item" SET n = 0 WHERE code IN ('Item 5', 'Item 6');
CREATE TEMP TABLE scans AS SELECT relname, seq_scan, n_tup_ins, n_tup_upd FROM pg_stat_xact_user_tables WHERE schemaname = 'many';
SELECT operation, object, estimated_rows FROM kepler.plan_blueprint(:'document');
SELECT object, kind, actual FROM kepler.blueprint_drift('many') WHERE object_type = 'seed row' ORDER BY 1;
SELECT outcome, steps FROM kepler.apply_blueprint(:'document');
SELECT outcome, steps FROM kepler.apply_blueprint(:'document');
SELECT relname, t.seq_scan - s.seq_scan AS scans, t.n_tup_ins - s.n_tup_ins AS inserted, t.n_tup_upd - s.n_tup_upd AS updated
FROM pg_stat_xact_user_tables AS t JOIN scans AS s USING (relname) WHERE schemaname = 'many' ORDER BY 1;
ROLLBACK;
