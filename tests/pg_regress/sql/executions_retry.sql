-- A run is tried again by another that says so, once; and a caller with a token of its own loses nothing with an answer.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
INSERT INTO kepler.users (id, email) VALUES ('ada', 'ada@example.com');
INSERT INTO kepler.workflows (id, user_id, name) VALUES ('w', 'ada', 'w'), ('v', 'ada', 'v');
SELECT execution_id AS first, token FROM kepler.start_execution('w', 'mail 1') \gset
-- Not while it runs, waits, or has succeeded.
\set VERBOSITY sqlstate
SELECT kepler.start_execution('w', retry_of => :'first');
\set VERBOSITY default
SELECT (kepler.finish_execution(:'first', :'token', 'FAILURE', error => 'no channel')).outcome;
UPDATE kepler.workflows SET actions = '[{"app": "chat"}]' WHERE id = 'w';

-- Once: who asks again gets the retry that is there, with whatever key.
SELECT outcome, execution_id AS second, token, workflow_version FROM kepler.start_execution('w', retry_of => :'first') \gset
SELECT :'outcome' AS outcome, :'workflow_version' AS version;
SELECT outcome, execution_id = :'second' AS same, token FROM kepler.start_execution('w', retry_of => :'first');
SELECT outcome, execution_id = :'second' AS same, token FROM kepler.start_execution('w', 'another key', retry_of => :'first');
SELECT (kepler.cancel_execution(:'second')).outcome;
SELECT outcome, status FROM kepler.start_execution('w', retry_of => :'first');
-- To try once more is to retry the retry. Its key is its own.
SELECT outcome, execution_id AS third FROM kepler.start_execution('w', 'mail 1, by hand', retry_of => :'second') \gset
SELECT outcome, execution_id = :'third' AS same FROM kepler.start_execution('w', 'mail 1, by hand');
-- A key that has a run gives that run.
SELECT outcome, execution_id = :'first' AS first FROM kepler.start_execution('w', 'mail 1', retry_of => :'third');

-- The chain, from each of its ends.
SELECT attempt, CASE execution_id WHEN :'first' THEN 'first' WHEN :'second' THEN 'second' WHEN :'third' THEN 'third' END AS run, status, workflow_version, ended_at IS NOT NULL AS ended, error
FROM kepler.execution_retries(:'second');
SELECT attempt, status FROM kepler.execution_retries(:'third');
SELECT * FROM kepler.execution_retries('none');
-- A deleted link: what is left of it.
DELETE FROM kepler.executions WHERE id = :'first';
SELECT attempt, status FROM kepler.execution_retries(:'third');
-- A ring that direct SQL has tied.
INSERT INTO kepler.executions (id, workflow_id, retry_of) VALUES ('a', 'w', 'b'), ('b', 'w', 'a');
SELECT attempt, execution_id FROM kepler.execution_retries('b');

-- What cannot be retried: a run of another workflow, none, one that succeeded; and one is not retried twice, by direct SQL either.
\set VERBOSITY sqlstate
SELECT kepler.start_execution('v', retry_of => :'second');
SELECT kepler.start_execution('w', retry_of => 'none');
SELECT execution_id AS good, token FROM kepler.start_execution('w') \gset
SELECT (kepler.finish_execution(:'good', :'token', 'SUCCESS')).outcome;
SELECT kepler.start_execution('w', retry_of => :'good');
INSERT INTO kepler.executions (workflow_id, retry_of) VALUES ('w', :'second');
\set VERBOSITY default

-- A token of the caller's own: asked again with key and token, the run is the caller's; with another token, or without, it is somebody's.
SELECT outcome, token, status, execution_id AS own FROM kepler.start_execution('w', 'mine', caller_token => '0123456789abcdef') \gset
SELECT :'outcome' AS outcome, :'token' AS token;
SELECT outcome, token, status, execution_id = :'own' AS same FROM kepler.start_execution('w', 'mine', caller_token => '0123456789abcdef');
SELECT outcome, token FROM kepler.start_execution('w', 'mine', caller_token => '0123456789abcdeX');
SELECT outcome, token FROM kepler.start_execution('w', 'mine');
-- Of a key in another workflow it is another run, which the token serves too. In this one it is no key to other runs.
SELECT outcome, execution_id = :'own' AS same FROM kepler.start_execution('v', 'mine', caller_token => '0123456789abcdef');
SELECT outcome FROM kepler.start_execution('w', 'mail 1, by hand', caller_token => '0123456789abcdef');
-- It is stored as a hash, and works like any other.
SELECT count(*) FROM kepler.executions AS e WHERE e::text LIKE '%0123456789abcdef%';
SELECT (kepler.finish_execution(:'own', '0123456789abcdef', 'FAILURE')).outcome;
SELECT outcome, token, status FROM kepler.start_execution('w', 'mine', caller_token => '0123456789abcdef');
-- For a retry no key is needed: the run that is retried is one.
SELECT outcome, token FROM kepler.start_execution('w', retry_of => :'own', caller_token => 'fedcba9876543210');
SELECT outcome, token FROM kepler.start_execution('w', retry_of => :'own', caller_token => 'fedcba9876543210');
-- One that waits is still the caller's.
SELECT execution_id AS waits FROM kepler.start_execution('w', 'waits', caller_token => '0123456789abcdef') \gset
SELECT (kepler.suspend_execution(:'waits', '0123456789abcdef', '"?"')).outcome;
SELECT outcome, token, status FROM kepler.start_execution('w', 'waits', caller_token => '0123456789abcdef');

SELECT kepler.start_execution('w', 'short', caller_token => 'guess me');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.start_execution('w', 'empty', caller_token => '');
SELECT kepler.start_execution('w', caller_token => '0123456789abcdef');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.execution_retries(NULL);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
ROLLBACK;
