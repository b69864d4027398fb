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

-- By user and workflow: of all, of one user, of one workflow, of a stretch of time; with those of nobody, of deleted workflows, and with ends that are no times.
INSERT INTO kepler.users (id, email) VALUES ('bob', 'bob@example.com'), ('eve', 'eve@example.com');
INSERT INTO kepler.workflows (id, user_id, name) VALUES ('gone', 'bob', 'gone by now');
UPDATE kepler.workflows SET intent = 'again' WHERE id = 'gone';
INSERT INTO kepler.executions (workflow_id, user_id, status, started_at, ended_at)
SELECT w, u, s::kepler.execution_status, t, e::timestamptz FROM (VALUES
    ('a', 'ada', 'SUCCESS', timestamptz '2024-06-01 00:00Z', '2024-06-01 00:00:10Z'), ('a', 'ada', 'FAILURE', '2024-06-02 00:00Z', '2024-06-02 00:00:30Z'),
    ('a', 'bob', 'WAITING', '2024-06-01 00:00Z', NULL), ('a', 'bob', 'RUNNING', '2024-06-01 00:00Z', NULL), ('a', 'bob', 'CANCELLED', '2024-06-01 00:00Z', '2024-06-01 01:00Z'),
    ('gone', 'bob', 'SUCCESS', '2024-06-01 00:00Z', 'infinity'), ('gone', 'bob', 'ABANDONED', '2024-06-01 00:00Z', '2024-06-02 00:00Z')) AS r (w, u, s, t, e);
DELETE FROM kepler.workflows WHERE id = 'gone';
SELECT user_id, workflow_id, name, runs, running, waiting, succeeded, failed, abandoned, cancelled, success_rate, p50_duration, last_started_at FROM kepler.execution_report_by_user();
SELECT user_id, workflow_id, runs, p95_duration FROM kepler.execution_report_by_user('ada');
SELECT user_id, workflow_id, runs FROM kepler.execution_report_by_user(workflow_id => 'a', started_from => '2024-06-01', started_before => '2024-06-02');
SELECT user_id, workflow_id, runs FROM kepler.execution_report_by_user('bob', 'a');
SELECT user_id, name, runs FROM kepler.execution_report_by_user(workflow_id => 'gone');
SELECT count(*) FROM kepler.execution_report_by_user('eve');
SELECT bool_and(runs = running + waiting + succeeded + failed + abandoned + cancelled) AND sum(runs) = (SELECT count(*) FROM kepler.executions) AS adds_up FROM kepler.execution_report_by_user();
SELECT * FROM kepler.execution_report_by_user('nobody');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.execution_report_by_user(workflow_id => 'none');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.execution_report_by_user(workspace_id => NULL);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT workflow_id, p50_duration FROM kepler.execution_report('a', started_from => '2024-06-01');
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
