-- Floors that a blueprint declares hold when a policy is set, when it runs, whatever was declared since, and for rows that would go
-- along with others.
SET client_min_messages = warning;
\set VERBOSITY terse
CREATE FUNCTION public.document(floor text) RETURNS text LANGUAGE sql AS
$$ SELECT format('{"blueprint": "floors", "schema": "floors", "tenancy": "workspace", "tables": [
    {"name": "Job", "key": {"name": "id", "type": "bigint"}, "times": true, "fields": [{"name": "parent", "type": "reference", "to": "Job", "on_delete": "set_null"}]},
    {"name": "Run", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "job", "type": "reference", "to": "Job", "on_delete": "cascade"}]},
    {"name": "Log", "table": "job_logs", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "run", "type": "reference", "to": "Run", "on_delete": "cascade"},
        {"name": "loggedAt", "column": "logged_at", "type": "timestamp"}, {"name": "ended_at", "type": "timestamp"}]%s}]}',
    ', "retention": {"floor": "' || floor || '", "field": "loggedAt"}') $$;
SELECT outcome FROM kepler.apply_blueprint(public.document('1 year'));
-- The column of the floor is the one that counts, if none is named.
SELECT outcome FROM kepler.set_retention('floors.job_logs', '11 months');
SELECT outcome FROM kepler.set_retention('floors.job_logs', '365 days');
SELECT outcome FROM kepler.set_retention('floors.job_logs', '360 days', 'ended_at');
SELECT outcome, policy_id AS policy FROM kepler.set_retention('floors.job_logs', '366 days') \gset
SELECT relation, time_column, floor, workspace_id FROM kepler.retention_report();
INSERT INTO floors."Job" (id, created_at) VALUES (1, now() - interval '5 years'), (2, now() - interval '5 years');
INSERT INTO floors."Run" (id, job) VALUES (1, 1), (2, 2);
INSERT INTO floors.job_logs (id, run, logged_at, ended_at) SELECT n, 1, now() - n * interval '1 year' - interval '3 days', '2000-01-01' FROM generate_series(0, 4) AS n;
INSERT INTO floors.job_logs (id, run, logged_at) VALUES (10, 2, now() - interval '4 years');
-- The floor is raised afterwards: it holds from then on.
SELECT outcome FROM kepler.apply_blueprint(public.document('3 years'));
CALL kepler.run_retention();
SELECT array_agg(id ORDER BY id) FROM floors.job_logs;
-- By another column the floor holds as well.
SELECT kepler.drop_retention(:policy);
SELECT outcome, policy_id AS policy FROM kepler.set_retention('floors.job_logs', '3 years', 'ended_at') \gset
CALL kepler.run_retention();
SELECT array_agg(id ORDER BY id) FROM floors.job_logs;
SELECT kepler.drop_retention(:policy);
-- A job goes after a month, with its runs and logs, but not with a log that is younger than its floor. Nor does a run.
INSERT INTO floors.job_logs (id, run, logged_at) VALUES (11, 2, now() - interval '4 years');
SELECT outcome FROM kepler.set_retention('floors."Job"', '1 month');
CALL kepler.run_retention();
SELECT (SELECT array_agg(id ORDER BY id) AS jobs FROM floors."Job"), (SELECT array_agg(id ORDER BY id) AS runs FROM floors."Run"), (SELECT array_agg(id ORDER BY id) AS logs FROM floors.job_logs);
-- A log without a time has no age: it keeps what it goes along with.
UPDATE floors.job_logs SET logged_at = NULL WHERE id = 2;
UPDATE floors.job_logs SET logged_at = '2000-01-01' WHERE id <> 2;
CALL kepler.run_retention();
SELECT count(*) FROM floors."Job";
UPDATE floors.job_logs SET logged_at = '2000-01-01';
CALL kepler.run_retention();
SELECT (SELECT count(*) AS jobs FROM floors."Job"), (SELECT count(*) AS logs FROM floors.job_logs);
-- Where it cannot be told what goes along, nothing does.
CREATE TABLE public.tree (id integer PRIMARY KEY, parent_id integer REFERENCES tree ON DELETE CASCADE, created_at timestamptz);
ALTER TABLE floors."Job" ADD COLUMN tree_id integer REFERENCES public.tree ON DELETE CASCADE;
SELECT outcome FROM kepler.set_retention('tree', '1 month');
ALTER TABLE floors."Job" DROP COLUMN tree_id;
SELECT outcome FROM kepler.set_retention('tree', '1 month');
SELECT count(kepler.drop_retention(policy_id)) FROM kepler.retention_report();
DROP TABLE tree;
SELECT outcome FROM kepler.drop_blueprint('floors', '{"with_rows": true}');
DROP FUNCTION public.document;
