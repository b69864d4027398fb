-- A run is started, kept alive and finished once. Who ends it must hold its token.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
INSERT INTO kepler.users (id, email) VALUES ('ada', 'ada@example.com');
INSERT INTO kepler.workflows (id, user_id, name, actions) VALUES ('w', 'ada', 'w', '[{"app": "Gmail"}]'), ('off', 'ada', 'off', '[]'), ('lost', NULL, 'lost', '[]');
UPDATE kepler.workflows SET status = 'INACTIVE' WHERE id = 'off';

-- Started: a token of 32 letters and digits, and an hour.
CREATE TEMP TABLE run AS SELECT * FROM kepler.start_execution('w', metadata => '{"trigger": "mail 1"}');
SELECT outcome, status, token ~ '^[0-9a-f]{32}$' AS token, deadline_at - now() > '59 minutes' AS an_hour FROM run;
SELECT e.workflow_id, e.user_id, e.status, e.ended_at, e.timeout, e.results, e.error, e.metadata,
    e.token_hash = sha256(convert_to(r.token, 'UTF8')) AS only_the_hash_is_stored
FROM kepler.executions AS e JOIN run AS r ON r.execution_id = e.id;
SELECT count(*) AS holds_the_token FROM kepler.executions AS e, run AS r WHERE e::text LIKE '%' || r.token || '%';

-- A heartbeat moves the deadline by the timeout; without the token nothing happens.
SELECT kepler.extend_execution(execution_id, token) > deadline_at AS moved FROM run;
SELECT kepler.extend_execution(execution_id, token, timeout => '5 hours') - deadline_at > '3 hours' AS moved_far FROM run;
SELECT kepler.extend_execution(execution_id, 'guessed') AS lost FROM run;
SELECT kepler.extend_execution('none', token) AS lost FROM run;
-- It touches an index only where less than half of the timeout was left before the next look: here once.
SELECT pg_stat_get_xact_tuples_updated('kepler.executions'::regclass) AS updated, pg_stat_get_xact_tuples_hot_updated('kepler.executions'::regclass) AS heap_only;

-- Nobody else can finish it.
SELECT (kepler.finish_execution(execution_id, 'guessed', 'FAILURE')).outcome FROM run;
SELECT (kepler.finish_execution('none', token, 'SUCCESS')).outcome FROM run;
-- Once.
SELECT (kepler.finish_execution(execution_id, token, 'SUCCESS', '{"mails": 3}')).outcome FROM run;
SELECT status, results, error, ended_at >= started_at AS ended, late_finish FROM kepler.executions WHERE id = (SELECT execution_id FROM run);
-- The same report again, as after a broken connection, is told from another one.
SELECT (kepler.finish_execution(execution_id, token, 'SUCCESS', '{"mails": 3.0}')).outcome FROM run;
SELECT (kepler.finish_execution(execution_id, token, 'SUCCESS', '{"mails": 4}')).outcome FROM run;
SELECT (kepler.finish_execution(execution_id, token, 'FAILURE', error => 'no')).outcome FROM run;
SELECT (kepler.finish_execution(execution_id, 'guessed', 'SUCCESS', '{"mails": 3}')).outcome FROM run;
SELECT kepler.extend_execution(execution_id, token) AS lost FROM run;
SELECT status, results, error, late_finish FROM kepler.executions WHERE id = (SELECT execution_id FROM run);

-- Failed, with its log.
DROP TABLE run;
CREATE TEMP TABLE run AS SELECT * FROM kepler.start_execution('w', timeout => '90 seconds');
SELECT (kepler.finish_execution(execution_id, token, 'FAILURE', error => 'Gmail answered 403')).outcome FROM run;
SELECT status, timeout, results, error FROM kepler.executions WHERE id = (SELECT execution_id FROM run);

-- What does not start.
SELECT * FROM kepler.start_execution('off');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.start_execution('lost');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.start_execution('none');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.start_execution(NULL);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.start_execution('w', timeout => '0');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.start_execution('w', timeout => '367 days');
SELECT * FROM kepler.start_execution('w', metadata => '[]');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.start_execution('w', '');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.start_execution('w', repeat('k', 501));
SELECT (kepler.finish_execution('e', 't', 'RUNNING')).outcome;
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT (kepler.finish_execution('e', 't', NULL)).outcome;
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.extend_execution('e', NULL);
SELECT kepler.extend_execution('e', 't', '-1 second');

-- A trigger lets the end vanish: it is not told as stored.
CREATE FUNCTION pg_temp.vanish() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER vanish BEFORE UPDATE OF status ON kepler.executions FOR EACH ROW EXECUTE FUNCTION pg_temp.vanish();
SELECT execution_id AS run, token FROM kepler.start_execution('w') \gset
\set VERBOSITY terse
SELECT count(kepler.finish_execution(:'run', :'token', 'SUCCESS'));
\echo SQLSTATE :LAST_ERROR_SQLSTATE
ROLLBACK;
