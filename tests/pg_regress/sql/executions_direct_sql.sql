-- Direct SQL cannot falsify the history: what has ended keeps its outcome, and a run ends once.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
INSERT INTO kepler.users (id, email) VALUES ('ada', 'ada@example.com'), ('bob', 'bob@example.com');
INSERT INTO kepler.workflows (id, user_id, name) VALUES ('w', 'ada', 'w'), ('v', 'ada', 'v');

-- A history from elsewhere can be brought along.
INSERT INTO kepler.executions (id, workflow_id, user_id, status, started_at, ended_at, results)
VALUES ('old', 'w', 'ada', 'SUCCESS', '2023-01-01 10:00Z', '2023-01-01 10:05Z', '{"v": 1}');
INSERT INTO kepler.execution_steps (execution_id, number, name, output) VALUES ('old', 1, 'fetch', '{"n": 1}');

-- Running has no end, an end is not before the start.
\set VERBOSITY terse
INSERT INTO kepler.executions (workflow_id, ended_at) VALUES ('w', 'infinity');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
INSERT INTO kepler.executions (workflow_id, status) VALUES ('w', 'SUCCESS');
INSERT INTO kepler.executions (workflow_id, status, started_at, ended_at) VALUES ('w', 'SUCCESS', '2024-01-02', '2024-01-01');
INSERT INTO kepler.executions (workflow_id, timeout) VALUES ('w', '0');
INSERT INTO kepler.executions (workflow_id, metadata) VALUES ('w', '[]');
INSERT INTO kepler.workflows (name, trigger) VALUES ('x', '[]');
INSERT INTO kepler.workflows (name, actions) VALUES ('x', '{}');
INSERT INTO kepler.workflows (name, status) VALUES ('x', 'PAUSED');
\set VERBOSITY default

-- The legal changes, and what happens with all others.
SELECT * FROM kepler.execution_transitions();
CREATE FUNCTION pg_temp.goes(from_status text, to_status text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO kepler.executions (id, workflow_id, status, ended_at)
    VALUES ('t', 'w', from_status::kepler.execution_status,
        CASE WHEN from_status NOT IN ('RUNNING', 'WAITING') THEN clock_timestamp() END);
    UPDATE kepler.executions SET status = to_status::kepler.execution_status WHERE id = 't';
    DELETE FROM kepler.executions WHERE id = 't';
    RETURN 'yes';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE;
END
$$;
SELECT f AS from_status, t AS to_status, pg_temp.goes(f::text, t::text)
FROM unnest(enum_range(NULL::kepler.execution_status)) AS f, unnest(enum_range(NULL::kepler.execution_status)) AS t
WHERE f <> t ORDER BY f, t;
UPDATE kepler.executions SET status = 'RUNNING', ended_at = NULL WHERE id = 'old';
\echo SQLSTATE :LAST_ERROR_SQLSTATE

-- What has ended keeps what it said. Metadata is the application's.
UPDATE kepler.executions SET results = '{"v": 2}', error = 'x', ended_at = now() WHERE id = 'old';
\echo SQLSTATE :LAST_ERROR_SQLSTATE
UPDATE kepler.executions SET workflow_id = 'v', user_id = 'bob', started_at = now(), idempotency_key = 'k', token_hash = '\x00', id = 'new' WHERE id = 'old';
UPDATE kepler.executions SET user_id = 'bob' WHERE id = 'old';
UPDATE kepler.executions SET late_finish = '{}' WHERE id = 'old';
UPDATE kepler.executions SET metadata = '{"seen": true}' WHERE id = 'old';
SELECT status, results, error, metadata, updated_at > created_at AS touched FROM kepler.executions WHERE id = 'old';
UPDATE kepler.executions SET workspace_id = 'elsewhere' WHERE id = 'old';

-- Whoever may write the table may cancel a run; the worker is told.
CREATE TEMP TABLE run AS SELECT * FROM kepler.start_execution('w', 'cancelled');
UPDATE kepler.executions SET status = 'FAILURE', error = 'cancelled by ada' WHERE idempotency_key = 'cancelled';
SELECT status, error, ended_at >= started_at AS ended FROM kepler.executions WHERE idempotency_key = 'cancelled';
SELECT kepler.extend_execution(execution_id, token) AS lost, (kepler.finish_execution(execution_id, token, 'SUCCESS')).outcome FROM run;
-- A run that was inserted by hand has no token: it is ended by hand. And nobody gives a run another token.
INSERT INTO kepler.executions (id, workflow_id) VALUES ('by hand', 'w');
UPDATE kepler.executions SET token_hash = sha256('mine') WHERE id = 'by hand';
SELECT (kepler.finish_execution('by hand', '', 'SUCCESS')).outcome;
UPDATE kepler.executions SET status = 'SUCCESS' WHERE id = 'by hand';

-- Steps: only a running one changes.
UPDATE kepler.execution_steps SET output = '{"n": 2}' WHERE execution_id = 'old';
\echo SQLSTATE :LAST_ERROR_SQLSTATE
INSERT INTO kepler.execution_steps (execution_id, number, name, status) VALUES ('old', 2, 'send', 'RUNNING');
UPDATE kepler.execution_steps SET number = 3 WHERE execution_id = 'old' AND number = 2;
UPDATE kepler.execution_steps SET status = 'FAILURE', error = 'x' WHERE execution_id = 'old' AND number = 2;
SELECT number, status, error FROM kepler.execution_steps WHERE execution_id = 'old' ORDER BY number;

-- A run needs a workflow; workflow and definition of a run do not change.
INSERT INTO kepler.executions (workflow_id) VALUES ('none');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
INSERT INTO kepler.executions (workflow_id, workflow_version) VALUES ('w', 7);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
\set VERBOSITY sqlstate
INSERT INTO kepler.executions (workflow_id, retry_of, id) VALUES ('w', 'itself', 'itself');
\set VERBOSITY default
UPDATE kepler.executions SET workflow_version = 2, retry_of = 'by hand' WHERE id = 'old';
DELETE FROM kepler.workflows WHERE id = 'v';
-- A user may go: the history stays, without the user, and the workflow starts no more.
DELETE FROM kepler.users WHERE id = 'ada';
SELECT id, user_id FROM kepler.workflows;
SELECT count(*) AS runs, count(user_id) AS with_user FROM kepler.executions;
SELECT * FROM kepler.start_execution('w');
-- Steps go with their execution.
DELETE FROM kepler.executions WHERE id = 'old';
SELECT count(*) FROM kepler.execution_steps;
ROLLBACK;
