-- Which definition a run ran: each change of a workflow that counts makes a version, a run keeps the one that it was started
-- with, also when its workflow is edited or deleted, and no version ever changes.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
INSERT INTO kepler.users (id, email) VALUES ('ada', 'ada@example.com');
INSERT INTO kepler.workflows (id, user_id, name, intent, trigger, actions)
VALUES ('w', 'ada', 'Digest', 'A digest', '{"app": "mail"}', '[{"app": "chat", "n": 1.0}]');
CREATE TEMP VIEW versions AS SELECT workflow_id, version, name, intent, trigger, actions, required_providers FROM kepler.workflow_versions ORDER BY 1, 2;
TABLE versions;

-- A change of trigger, actions, required apps or intent counts.
UPDATE kepler.workflows SET actions = '[{"app": "chat", "n": 2}]' WHERE id = 'w';
UPDATE kepler.workflows SET trigger = '{"app": "timer"}', intent = 'A digest a day' WHERE id = 'w';
UPDATE kepler.workflows SET required_providers = '{mail}' WHERE id = 'w';
UPDATE kepler.workflows SET intent = NULL WHERE id = 'w';
-- The same again, a value that is equal, and all else write no version.
UPDATE kepler.workflows SET trigger = '{"app":   "timer"}', actions = '[{"n": 2.00, "app": "chat"}]', intent = NULL, required_providers = '{mail}' WHERE id = 'w';
UPDATE kepler.workflows SET name = 'Daily digest', metadata = '{"color": "red"}', status = 'ACTIVE' WHERE id = 'w';
-- Nor does who names another number get it.
UPDATE kepler.workflows SET version = 70 WHERE id = 'w';
INSERT INTO kepler.workflows (id, user_id, name, version) VALUES ('v', 'ada', 'v', 9);
SELECT id, version FROM kepler.workflows ORDER BY id;
TABLE versions;
-- An upsert is an edit, or none.
INSERT INTO kepler.workflows (id, user_id, name, trigger) VALUES ('v', 'ada', 'v', '{}')
ON CONFLICT (workspace_id, id) DO UPDATE SET trigger = excluded.trigger, name = excluded.name;
INSERT INTO kepler.workflows (id, user_id, name, trigger) VALUES ('v', 'ada', 'v', '{"app": "mail"}')
ON CONFLICT (workspace_id, id) DO UPDATE SET trigger = excluded.trigger, name = excluded.name;
SELECT version FROM kepler.workflows WHERE id = 'v';

-- A run tells its worker which definition it runs, and keeps it while the workflow is edited.
SELECT execution_id AS run, token, workflow_version FROM kepler.start_execution('w', 'one') \gset
UPDATE kepler.workflows SET actions = '[]' WHERE id = 'w';
SELECT workflow_version FROM kepler.start_execution('w', 'two');
SELECT outcome, workflow_version FROM kepler.start_execution('w', 'one');
CREATE TEMP VIEW ran AS
SELECT e.idempotency_key, e.workflow_id, e.workflow_version, v.actions
FROM kepler.executions AS e
JOIN kepler.workflow_versions AS v USING (workspace_id, workflow_id) WHERE v.version = e.workflow_version ORDER BY 1;
TABLE ran;
SELECT (kepler.finish_execution(:'run', :'token', 'SUCCESS')).outcome;

-- No version changes, for nobody. The current one cannot be deleted, nor one that a run ran; another one can.
UPDATE kepler.workflow_versions SET actions = '[{"app": "bank"}]' WHERE workflow_id = 'w' AND version = 5;
\echo SQLSTATE :LAST_ERROR_SQLSTATE
DELETE FROM kepler.workflow_versions WHERE workflow_id = 'w' AND version = 6;
\echo SQLSTATE :LAST_ERROR_SQLSTATE
DELETE FROM kepler.workflow_versions WHERE workflow_id = 'w' AND version = 5;
\echo SQLSTATE :LAST_ERROR_SQLSTATE
DELETE FROM kepler.workflow_versions WHERE workflow_id = 'w' AND version < 5;
-- One that was inserted by hand takes nobody's number.
INSERT INTO kepler.workflow_versions (workflow_id, version, name, trigger, actions) VALUES ('w', 8, 'forged', '{}', '[]');
UPDATE kepler.workflows SET intent = 'Again' WHERE id = 'w';
SELECT version FROM kepler.workflows WHERE id = 'w';
-- A secret in one is refused, as in a workflow.
INSERT INTO kepler.workflow_versions (workflow_id, version, name, trigger, actions) VALUES ('w', 20, 'forged', '{"password": "hunter2hunter2"}', '[]');
\echo SQLSTATE :LAST_ERROR_SQLSTATE

-- A secret that was let in once does not keep the rest from being edited.
SET LOCAL kepler.on_secret = 'allow';
INSERT INTO kepler.workflows (id, user_id, name, trigger) VALUES ('leaky', 'ada', 'leaky', '{"password": "hunter2hunter2"}');
RESET kepler.on_secret;
UPDATE kepler.workflows SET intent = 'Mend it' WHERE id = 'leaky';
SELECT version FROM kepler.workflows WHERE id = 'leaky';
DELETE FROM kepler.workflows WHERE id = 'leaky';

-- A workflow that has run keeps its id. One that has not may change it, and its versions with it.
UPDATE kepler.workflows SET id = 'x' WHERE id = 'w';
\echo SQLSTATE :LAST_ERROR_SQLSTATE
UPDATE kepler.workflows SET id = 'x' WHERE id = 'v';
SELECT workflow_id, count(*) FROM kepler.workflow_versions GROUP BY 1 ORDER BY 1;

-- A deleted workflow starts nothing; what its runs ran can still be read.
DELETE FROM kepler.workflows WHERE id IN ('w', 'x');
TABLE ran;
SELECT DISTINCT workflow_id FROM kepler.workflow_versions;
SELECT * FROM kepler.start_execution('w');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT user_id, name, runs, running, succeeded FROM kepler.execution_report_by_user();
-- Made again, it goes on behind the old numbers.
INSERT INTO kepler.workflows (id, user_id, name) VALUES ('w', 'ada', 'Another');
SELECT version FROM kepler.workflows WHERE id = 'w';
DELETE FROM kepler.workflows WHERE id = 'w';
-- With the last run the versions go.
DELETE FROM kepler.executions WHERE idempotency_key = 'one';
SELECT count(*) > 0 AS kept FROM kepler.workflow_versions WHERE workflow_id = 'w';
DELETE FROM kepler.executions;
SELECT count(*) FROM kepler.workflow_versions;
-- Deleted versions leave a trace.
SELECT t.name, h.operation, h.row_id, h.old_values ->> 'name' AS name
FROM kepler.history AS h JOIN kepler.tracked_tables AS t ON t.id = h.table_id
WHERE t.name = 'kepler.workflow_versions' AND h.row_id LIKE '%"x"%' ORDER BY h.row_id;

-- A version comes with its workflow alone, also for whoever may write both: not by direct SQL, and not by a trigger of one's own.
CREATE ROLE versions_writer;
SELECT kepler.grant_access('versions_writer', 'writer');
INSERT INTO kepler.workflows (id, user_id, name, intent) VALUES ('kept', 'ada', 'kept', 'one');
SET LOCAL ROLE versions_writer;
INSERT INTO kepler.workflow_versions (workflow_id, version, name, intent) VALUES ('kept', 2147483647, 'kept', 'one');
INSERT INTO kepler.workflow_versions (workflow_id, version, name, intent) VALUES ('kept', 2, 'kept', 'two');
INSERT INTO kepler.workflow_versions (workflow_id, version, name, intent) VALUES ('gone', 1, 'gone', 'one');
CREATE TEMP TABLE own (version integer);
CREATE FUNCTION pg_temp.forge() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN INSERT INTO kepler.workflow_versions (workflow_id, version, name, intent) VALUES ('kept', NEW.version, 'kept', 'forged'); RETURN NEW; END $$;
CREATE TRIGGER forge BEFORE INSERT ON own FOR EACH ROW EXECUTE FUNCTION pg_temp.forge();
INSERT INTO own VALUES (7);
UPDATE kepler.workflows SET intent = 'two' WHERE id = 'kept';
SELECT version, intent FROM kepler.workflow_versions WHERE workflow_id = 'kept' ORDER BY 1;
RESET ROLE;
DELETE FROM kepler.workflows WHERE id = 'kept';

-- In another workspace it is another workflow.
INSERT INTO kepler.workspaces (id, name) VALUES ('other', 'other');
INSERT INTO kepler.workflows (workspace_id, id, name) VALUES ('other', 'w', 'w');
SELECT workspace_id, version FROM kepler.workflow_versions;
ROLLBACK;
