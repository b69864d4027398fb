-- One key, one run: a start that is repeated gives the run that is there, and no second token.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
INSERT INTO kepler.users (id, email) VALUES ('ada', 'ada@example.com');
INSERT INTO kepler.workflows (id, user_id, name) VALUES ('w', 'ada', 'w'), ('v', 'ada', 'v');
CREATE TEMP TABLE run AS SELECT * FROM kepler.start_execution('w', 'mail 1');
SELECT outcome, status, token IS NOT NULL AS token FROM run;
SELECT s.execution_id = r.execution_id AS same, s.token, s.outcome, s.status, s.deadline_at = r.deadline_at AS same_deadline
FROM run AS r, kepler.start_execution('w', 'mail 1', timeout => '1 day', metadata => '{"another": true}') AS s;
SELECT timeout, metadata FROM kepler.executions WHERE workflow_id = 'w';

-- Another key, another workflow and no key are other runs.
SELECT outcome FROM kepler.start_execution('w', 'mail 2');
SELECT outcome FROM kepler.start_execution('v', 'mail 1');
SELECT outcome FROM kepler.start_execution('v');
SELECT outcome FROM kepler.start_execution('v');
SELECT workflow_id, idempotency_key, count(*) FROM kepler.executions GROUP BY 1, 2 ORDER BY 1, 2;

-- However it ended, also when the workflow starts nothing any more.
SELECT (kepler.finish_execution(execution_id, token, 'FAILURE', error => 'x')).outcome FROM run;
UPDATE kepler.workflows SET status = 'INACTIVE' WHERE id = 'w';
SELECT token, outcome, status FROM kepler.start_execution('w', 'mail 1');
SELECT * FROM kepler.start_execution('w', 'mail 3');
\echo SQLSTATE :LAST_ERROR_SQLSTATE

-- An abandoned run is not started again under its key: what it did is not known. A new key is a new attempt.
UPDATE kepler.workflows SET status = 'ACTIVE' WHERE id = 'w';
UPDATE kepler.executions SET deadline_at = '2024-01-01' WHERE idempotency_key = 'mail 2';
SELECT token, outcome, status FROM kepler.start_execution('w', 'mail 2');
SELECT outcome, status FROM kepler.start_execution('w', 'mail 2, again');

-- Direct SQL knows the key as well.
INSERT INTO kepler.executions (workflow_id, idempotency_key) VALUES ('w', 'mail 1');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
-- In another workspace it is another.
INSERT INTO kepler.workspaces (id, name) VALUES ('other', 'other');
INSERT INTO kepler.users (workspace_id, id, email) VALUES ('other', 'ada', 'ada@example.com');
INSERT INTO kepler.workflows (workspace_id, id, user_id, name) VALUES ('other', 'w', 'ada', 'w');
SELECT outcome FROM kepler.start_execution('w', 'mail 1', workspace_id => 'other');
SELECT outcome FROM kepler.start_execution('w', 'mail 1', workspace_id => 'other');
ROLLBACK;
