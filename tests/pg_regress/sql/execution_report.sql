-- How the workflows fare: counts that add up, the rate of success, the durations that half and 95 of 100 runs keep to.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
SET LOCAL TIME ZONE 'UTC';
INSERT INTO kepler.users (id, email) VALUES ('ada', 'ada@example.com');
INSERT INTO kepler.workflows (id, user_id, name) VALUES ('a', 'ada', 'digest'), ('b', 'ada', 'backup'), ('c', 'ada', 'never ran');
-- A hundred runs of 1 to 100 seconds, one each hour; every tenth failed.
INSERT INTO kepler.executions (workflow_id, status, started_at, ended_at)
SELECT 'a', CASE WHEN n % 10 = 0 THEN 'FAILURE' ELSE 'SUCCESS' END::kepler.execution_status, t, t + n * interval '1 second'
FROM generate_series(1, 100) AS n, LATERAL (SELECT timestamptz '2024-05-01 00:00Z' + n * interval '1 hour') AS x (t);
-- Running, overdue, abandoned after a week.
INSERT INTO kepler.executions (workflow_id, status, started_at, ended_at, deadline_at) VALUES
    ('b', 'RUNNING', '2024-05-02', NULL, 'infinity'), ('b', 'RUNNING', '2024-05-03', NULL, '2024-05-03 01:00Z'),
    ('b', 'ABANDONED', '2024-05-01', '2024-05-08', '2024-05-01 01:00Z');

SELECT * FROM kepler.execution_report();
SELECT bool_and(runs = running + overdue + waiting + succeeded + failed + abandoned + cancelled) AS adds_up FROM kepler.execution_report();
-- It writes nothing, and works where nothing can be written.
SELECT count(*) AS still_running FROM kepler.executions WHERE workflow_id = 'b' AND status = 'RUNNING';

-- A stretch of time, with its beginning and without its end; one workflow.
SELECT workflow_id, runs, succeeded, failed, success_rate, p50_duration, p95_duration, last_started_at
FROM kepler.execution_report('a', started_from => '2024-05-01 01:00Z', started_before => '2024-05-01 11:00Z');
SELECT workflow_id, runs, overdue FROM kepler.execution_report(started_from => '2024-05-03', started_before => '2024-05-04') ORDER BY 1;
SELECT workflow_id, runs, success_rate, p50_duration FROM kepler.execution_report(started_from => '2030-01-01');

SELECT * FROM kepler.execution_report('none');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.execution_report(workspace_id => NULL);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
INSERT INTO kepler.workspaces (id, name) VALUES ('other', 'other');
SELECT * FROM kepler.execution_report(workspace_id => 'other');
ROLLBACK;
-- In a transaction that only reads.
BEGIN READ ONLY;
SELECT count(*) FROM kepler.execution_report();
ROLLBACK;
