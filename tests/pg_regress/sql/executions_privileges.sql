-- Functions run with the rights of their caller: a worker needs those that the guide names and no more, a reader sees
-- the report and ends nothing.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
INSERT INTO kepler.users (id, email) VALUES ('ada', 'ada@example.com');
INSERT INTO kepler.workflows (id, user_id, name, trigger) VALUES ('w', 'ada', 'w', '{"app": "Gmail"}');
CREATE ROLE kepler_worker_test;
CREATE ROLE kepler_reader_test;
GRANT USAGE ON SCHEMA kepler, kepler_internal TO kepler_worker_test, kepler_reader_test;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA kepler, kepler_internal TO kepler_worker_test, kepler_reader_test;
GRANT SELECT ON kepler.workflows, kepler.users, kepler.connections TO kepler_worker_test, kepler_reader_test;
GRANT SELECT ON kepler.executions, kepler.execution_steps TO kepler_reader_test;
GRANT SELECT, INSERT, UPDATE ON kepler.executions, kepler.execution_steps TO kepler_worker_test;

SET LOCAL ROLE kepler_worker_test;
SELECT execution_id AS run, token FROM kepler.start_execution('w', 'k') \gset
SELECT kepler.extend_execution(:'run', :'token') IS NOT NULL AS alive;
SELECT number, outcome FROM kepler.add_execution_steps(:'run', :'token', '[{"name": "a", "status": "RUNNING"}]');
SELECT number, outcome FROM kepler.add_execution_steps(:'run', :'token', '[{"number": 1, "name": "a"}]');
SELECT count(*) FROM kepler.abandon_executions();
SELECT kepler.is_connected('ada', 'Gmail');
SELECT provider, reason FROM kepler.required_connections('w');
SELECT count(*) FROM kepler.validate_workflow('ada', '{}', '[{}]');

-- A reader has the report, and nothing else. The hash in the table is of no use to it.
SET LOCAL ROLE kepler_reader_test;
SELECT name, runs, running FROM kepler.execution_report();
SELECT token_hash IS NOT NULL AS reads_the_hash FROM kepler.executions;
SELECT (kepler.finish_execution(:'run', 'guessed', 'SUCCESS')).outcome;
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.start_execution('w');

-- A hash that was read is no token, not even with the right to write.
SET LOCAL ROLE kepler_worker_test;
SELECT (kepler.finish_execution(id, encode(token_hash, 'hex'), 'SUCCESS')).outcome FROM kepler.executions;
SELECT (kepler.finish_execution(:'run', :'token', 'SUCCESS')).outcome;
ROLLBACK;
