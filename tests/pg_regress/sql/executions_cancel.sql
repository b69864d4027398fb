-- A run is called off: it ends at once, its worker is told and can change nothing, and what the worker reports is kept.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
INSERT INTO kepler.users (id, email) VALUES ('ada', 'ada@example.com');
INSERT INTO kepler.workflows (id, user_id, name) VALUES ('w', 'ada', 'w');
CREATE TEMP TABLE run AS SELECT n, s.* FROM generate_series(1, 4) AS n, kepler.start_execution('w', 'run ' || n) AS s;
SELECT c.outcome, c.status, c.ended_at IS NOT NULL AS ended FROM run, kepler.cancel_execution(execution_id, 'Ada changed her mind') AS c WHERE n = 1;

-- Its worker learns it by the next heartbeat or step, and cannot finish it.
SELECT kepler.extend_execution(execution_id, token) AS lost FROM run WHERE n = 1;
SELECT s.outcome FROM run, kepler.add_execution_steps(execution_id, token, '[{"name": "send"}]') AS s WHERE n = 1;
SELECT f.outcome, f.status FROM run, kepler.finish_execution(execution_id, 'a guessed token', 'SUCCESS', '{"by": "a stranger"}') AS f WHERE n = 1;
SELECT f.outcome, f.status FROM run, kepler.finish_execution(execution_id, token, 'SUCCESS', '{"sent": 3}') AS f WHERE n = 1;
SELECT f.outcome FROM run, kepler.finish_execution(execution_id, token, 'FAILURE') AS f WHERE n = 1;
SELECT status, error, results, late_finish - 'reported_at' AS late_finish FROM kepler.executions WHERE idempotency_key = 'run 1';
SELECT (kepler.suspend_execution(execution_id, token, '"?"')).outcome FROM run WHERE n = 1;

-- Once; what has ended stays.
SELECT c.outcome, c.status FROM run, kepler.cancel_execution(execution_id, 'again') AS c WHERE n = 1;
-- A token of another run ends nothing.
SELECT (kepler.finish_execution(r.execution_id, o.token, 'SUCCESS')).outcome FROM run AS r, run AS o WHERE r.n = 2 AND o.n = 3;
SELECT (kepler.finish_execution(execution_id, token, 'SUCCESS')).outcome FROM run WHERE n = 2;
SELECT c.outcome, c.status, c.ended_at IS NOT NULL AS ended FROM run, kepler.cancel_execution(execution_id) AS c WHERE n = 2;
SELECT kepler.cancel_execution('none');
SELECT kepler.cancel_execution(NULL);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
\set VERBOSITY sqlstate
UPDATE kepler.executions SET error = 'another reason' WHERE idempotency_key = 'run 1';
\set VERBOSITY default
SELECT error FROM kepler.executions WHERE idempotency_key = 'run 1';

-- An overdue run that nobody has abandoned can be cancelled, and one that waits: its question is closed.
UPDATE kepler.executions SET deadline_at = '2024-01-01' WHERE idempotency_key = 'run 3';
SELECT (kepler.cancel_execution(execution_id)).outcome FROM run WHERE n = 3;
SELECT (kepler.suspend_execution(execution_id, token, '"Send?"')).outcome FROM run WHERE n = 4;
SELECT (kepler.cancel_execution(execution_id)).outcome FROM run WHERE n = 4;
SELECT closed_at IS NOT NULL AS closed FROM kepler.execution_questions;
SELECT (kepler.answer_execution(execution_id, 1, 'true')).* FROM run WHERE n = 4;
SELECT (kepler.resume_execution(execution_id)).outcome FROM run WHERE n = 4;
SELECT count(*) FROM kepler.abandon_executions();

-- The key stays taken, and no success is counted or missed.
SELECT outcome, status, token FROM kepler.start_execution('w', 'run 1');
SELECT runs, running, overdue, succeeded, failed, abandoned, waiting, cancelled, success_rate FROM kepler.execution_report();

-- A secret in the reason gives way to a mark, and a cancellation that is undone never was.
SELECT execution_id AS run, token FROM kepler.start_execution('w', 'told') \gset
SAVEPOINT undone;
SELECT (kepler.cancel_execution(:'run')).outcome;
ROLLBACK TO undone;
SELECT kepler.extend_execution(:'run', :'token') IS NOT NULL AS alive;
SELECT (kepler.cancel_execution(:'run', 'by ghp' || '_' || 'q8Zr2LmN5tYx0KpWb7Cd3EfGh1JkMnPqRsTu')).outcome;
SELECT error FROM kepler.executions WHERE id = :'run';
-- A trigger lets the end vanish: it is not told as stored.
CREATE FUNCTION pg_temp.vanish() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER vanish BEFORE UPDATE OF status ON kepler.executions FOR EACH ROW EXECUTE FUNCTION pg_temp.vanish();
SELECT execution_id AS run, token FROM kepler.start_execution('w') \gset
\set VERBOSITY terse
SELECT count(kepler.cancel_execution(:'run'));
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT count(kepler.suspend_execution(:'run', :'token', '"?"'));
\echo SQLSTATE :LAST_ERROR_SQLSTATE
ROLLBACK;
