-- A run waits for a person: nobody holds it meanwhile, the first answer counts, and whoever goes on has a token of their own.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
INSERT INTO kepler.users (id, email) VALUES ('ada', 'ada@example.com'), ('bob', 'bob@example.com');
INSERT INTO kepler.workflows (id, user_id, name) VALUES ('w', 'ada', 'w');
SELECT execution_id AS run, token FROM kepler.start_execution('w', 'mail 1', timeout => '10 minutes') \gset
SELECT * FROM kepler.suspend_execution(:'run', :'token', '{"text": "Send it?", "choices": ["yes", "no"]}', user_id => 'bob');
-- The answer was lost: asked again. Another question is another one.
SELECT outcome, number FROM kepler.suspend_execution(:'run', :'token', '{"text": "Send it?", "choices": ["yes", "no"]}', user_id => 'bob');
SELECT outcome, number, status FROM kepler.suspend_execution(:'run', :'token', '"Or not?"', user_id => 'bob');
SELECT (kepler.suspend_execution(:'run', 'a guessed token', '"Or not?"')).outcome;

-- No deadline, and no worker: heartbeats, steps and a finish are refused.
SELECT status, deadline_at, next_check_at, ended_at FROM kepler.executions WHERE id = :'run';
SELECT kepler.extend_execution(:'run', :'token') AS lost;
SELECT outcome FROM kepler.add_execution_steps(:'run', :'token', '[{"name": "send"}]');
SELECT outcome, status FROM kepler.finish_execution(:'run', :'token', 'SUCCESS');
SELECT count(*) FROM kepler.abandon_executions();
SELECT token, outcome, status FROM kepler.start_execution('w', 'mail 1');
-- What waits for Bob.
SELECT e.workflow_id, q.number, q.question ->> 'text' AS text, q.due_at
FROM kepler.execution_questions AS q JOIN kepler.executions AS e ON e.workspace_id = q.workspace_id AND e.id = q.execution_id
WHERE q.user_id = 'bob' AND q.answered_at IS NULL AND q.closed_at IS NULL;
SELECT outcome, token, status, number, question FROM kepler.resume_execution(:'run');

-- The first answer counts, and is told again to whoever gives it again.
SELECT outcome, status, answered_at IS NOT NULL AS answered FROM kepler.answer_execution(:'run', 1, '"yes"', user_id => 'bob');
SELECT (kepler.answer_execution(:'run', 1, '"yes"', user_id => 'bob')).outcome;
SELECT (kepler.answer_execution(:'run', 1, '"yes"')).outcome;
SELECT (kepler.answer_execution(:'run', 1, '"no"', user_id => 'ada')).outcome;
SELECT (kepler.answer_execution(:'run', 2, '"yes"')).outcome, (kepler.answer_execution('none', 1, '"yes"')).outcome;
-- It is not lost, however late a worker comes.
SELECT execution_id = :'run' AS waits_for_worker FROM kepler.execution_questions WHERE answered_at IS NOT NULL AND closed_at IS NULL;

-- A worker goes on, with a token of its own. The one before has none any more.
SELECT outcome, token AS second, status, deadline_at - now() > '9 minutes' AS alive, workflow_id, workflow_version, number, answer, answered_by
FROM kepler.resume_execution(:'run') \gset
SELECT :'outcome' AS outcome, :'status' AS status, :'alive' AS alive, :'workflow_id' AS workflow_id, :'workflow_version' AS version, :'answer' AS answer, :'answered_by' AS by;
SELECT (kepler.resume_execution(:'run')).outcome;
SELECT kepler.extend_execution(:'run', :'token') AS lost, kepler.extend_execution(:'run', :'second') IS NOT NULL AS alive;
SELECT (kepler.finish_execution(:'run', :'token', 'SUCCESS')).outcome;
-- A second question. A page that still shows the first one answers nothing.
SELECT outcome, number, deadline_at IS NOT NULL AS due FROM kepler.suspend_execution(:'run', :'second', '"And Carol?"', timeout => '3 days');
SELECT (kepler.answer_execution(:'run', 1, '"yes"', user_id => 'bob')).outcome, (kepler.answer_execution(:'run', 2, 'null')).outcome;
-- With a token of the caller's own a lost answer costs nothing.
SELECT outcome, token, answer, deadline_at - now() BETWEEN '1 minute' AND '3 minutes' AS short FROM kepler.resume_execution(:'run', 'a token of 24 characters', timeout => '2 minutes');
SELECT outcome, token, answer FROM kepler.resume_execution(:'run', 'a token of 24 characters');
SELECT outcome, token FROM kepler.resume_execution(:'run', 'another of 24 characters');
SELECT (kepler.finish_execution(:'run', 'a token of 24 characters', 'SUCCESS')).outcome;
SELECT outcome, token, status FROM kepler.resume_execution(:'run', 'a token of 24 characters');
SELECT (kepler.answer_execution(:'run', 2, '"no"')).outcome;
SELECT number, question, answer, answered_by, due_at IS NOT NULL AS due, closed_at IS NOT NULL AS closed FROM kepler.execution_questions ORDER BY number;

-- The answer gives nobody the run back by the token from before: not by hand, and not as a token of the caller's own.
SELECT execution_id AS revived FROM kepler.start_execution('w', 'revived', caller_token => 'the token of who has asked') \gset
SELECT (kepler.suspend_execution(:'revived', 'the token of who has asked', '"?"', timeout => '1 hour')).outcome;
SELECT (kepler.answer_execution(:'revived', 1, '"yes"')).outcome;
\set VERBOSITY sqlstate
UPDATE kepler.executions SET status = 'RUNNING' WHERE id = :'revived';
\set VERBOSITY default
SELECT outcome FROM kepler.resume_execution(:'revived', 'the token of who has asked');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.extend_execution(:'revived', 'the token of who has asked') AS lost, (kepler.finish_execution(:'revived', 'the token of who has asked', 'SUCCESS')).outcome;
SELECT outcome FROM kepler.resume_execution(:'revived', 'the token of who goes on');
SELECT (kepler.finish_execution(:'revived', 'the token of who has asked', 'SUCCESS')).outcome, (kepler.finish_execution(:'revived', 'the token of who goes on', 'SUCCESS')).outcome;

-- A question that stands for a time: beyond it the run is overdue. Until somebody finds out an answer counts.
CREATE TEMP TABLE late AS SELECT n, s.* FROM generate_series(1, 3) AS n, kepler.start_execution('w', 'late ' || n) AS s;
SELECT (kepler.suspend_execution(execution_id, token, '"?"', timeout => '1 millisecond')).outcome FROM late;
SELECT FROM pg_sleep(0.01);
SELECT (kepler.answer_execution(execution_id, 1, '1')).outcome FROM late WHERE n = 1;
-- A start of the workflow ends runs that fell silent, and no waiting ones.
SELECT outcome FROM kepler.start_execution('w', 'beside');
SELECT l.n FROM kepler.abandon_executions(1) AS a JOIN late AS l USING (execution_id) WHERE l.n > 1;
SELECT count(*) FROM kepler.abandon_executions();
SELECT l.n, e.status FROM late AS l JOIN kepler.executions AS e ON e.id = l.execution_id ORDER BY n;
SELECT (kepler.answer_execution(execution_id, 1, '1')).outcome, (kepler.resume_execution(execution_id)).outcome FROM late WHERE n = 2;
SELECT (kepler.finish_execution(execution_id, token, 'FAILURE')).outcome FROM late WHERE n = 2;
SELECT late_finish ->> 'status' AS late FROM kepler.executions WHERE idempotency_key = 'late 2';
-- Running ones first, and no more than asked for.
SELECT execution_id AS silent FROM kepler.start_execution('w', 'silent') \gset
SELECT execution_id AS asks, token AS asks_token FROM kepler.start_execution('w', 'asks') \gset
SELECT (kepler.suspend_execution(:'asks', :'asks_token', '"?"', timeout => '1 day')).outcome;
UPDATE kepler.executions SET deadline_at = '2024-01-01' WHERE id IN (:'silent', :'asks');
SELECT workspace_id FROM kepler_internal.maintenance_due('abandon_executions');
SELECT execution_id = :'silent' AS silent FROM kepler.abandon_executions(1);
-- The maintenance comes for waiting ones alone, too.
SELECT workspace_id FROM kepler_internal.maintenance_due('abandon_executions');
SELECT execution_id = :'asks' AS asks FROM kepler.abandon_executions(1);
SELECT workspace_id FROM kepler_internal.maintenance_due('abandon_executions');

-- Direct SQL keeps to it: what was asked and answered stays, a token changes only for who goes on, a run that is ended by hand closes its question.
\set VERBOSITY sqlstate
UPDATE kepler.execution_questions SET answer = '"no"' WHERE execution_id = :'run' AND number = 1;
UPDATE kepler.execution_questions SET question = '"Shall I?"', user_id = 'ada', number = 5, due_at = now(), closed_at = NULL, answered_by = 'ada', answered_at = NULL WHERE execution_id = :'run' AND number = 1;
UPDATE kepler.execution_questions SET answer = '1', answered_at = now() FROM late WHERE n = 2 AND kepler.execution_questions.execution_id = late.execution_id;
INSERT INTO kepler.execution_questions (execution_id, number, question, answer) VALUES (:'run', 9, '"?"', '1');
SELECT execution_id AS byhand, token AS byhand_token FROM kepler.start_execution('w', 'by hand') \gset
SELECT (kepler.suspend_execution(:'byhand', :'byhand_token', '"?"')).outcome;
UPDATE kepler.executions SET token_hash = '\x00' WHERE id = :'byhand';
UPDATE kepler.executions SET status = 'SUCCESS' WHERE id = :'byhand';
-- Nor does who asked get the run back while its question is open.
UPDATE kepler.executions SET status = 'RUNNING' WHERE id = :'byhand';
UPDATE kepler.executions SET status = 'CANCELLED' WHERE id = :'byhand';
SELECT e.status, e.ended_at IS NOT NULL AS ended, q.closed_at IS NOT NULL AS closed FROM kepler.executions AS e JOIN kepler.execution_questions AS q ON q.execution_id = e.id WHERE e.id = :'byhand';
-- A run that waits with no question, by hand, can be gone on with.
INSERT INTO kepler.executions (id, workflow_id, status) VALUES ('bare', 'w', 'WAITING');
SELECT outcome, number, answer FROM kepler.resume_execution('bare');

-- What is refused.
\set VERBOSITY terse
SELECT kepler.suspend_execution(:'run', NULL, '1');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.suspend_execution(:'run', 't', NULL);
SELECT kepler.suspend_execution(:'run', 't', '1', 'nobody');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.suspend_execution(:'run', 't', '1', timeout => '0');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT (kepler.suspend_execution('none', 't', '1')).outcome, (kepler.resume_execution('none')).outcome;
SELECT kepler.answer_execution(:'run', 1, NULL);
SELECT kepler.answer_execution(:'run', NULL, '1');
SELECT kepler.answer_execution(:'run', 1, '1', 'nobody');
SELECT kepler.resume_execution(NULL);
SELECT kepler.resume_execution(:'run', 'short');
\echo SQLSTATE :LAST_ERROR_SQLSTATE

-- Users may go: who asked and who answered is emptied; erase_user takes out what the person wrote, too.
SELECT relation, outcome, rows FROM kepler.erase_user('bob');
SELECT number, user_id, answer, answered_by FROM kepler.execution_questions WHERE execution_id = :'run' ORDER BY number;
DELETE FROM kepler.executions WHERE id = :'run';
SELECT count(*) FROM kepler.execution_questions WHERE execution_id = :'run';
ROLLBACK;
