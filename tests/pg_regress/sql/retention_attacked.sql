-- What a policy was set for, and what it must keep, holds though tables change behind its back.
SET client_min_messages = error;
\set VERBOSITY terse
CREATE FUNCTION public.problem() RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(regexp_replace(problem, 'policy \d+', 'policy N'), '; ' ORDER BY policy_id) FROM kepler.retention_report() $$;
CREATE FUNCTION public.try(call text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE call;
    RETURN 'works';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ' ' || SQLERRM;
END
$$;

-- A policy of a workspace, whose rows cannot be told any more: nothing goes, of anybody.
CREATE TABLE public.tenants_log (id integer, workspace_id text, created_at timestamptz DEFAULT '2020-01-01');
INSERT INTO tenants_log VALUES (1, 'default'), (2, 'other'), (3, 'other');
SELECT outcome FROM kepler.set_retention('tenants_log', '30 days', workspace_id => 'default');
ALTER TABLE tenants_log RENAME COLUMN workspace_id TO tenant;
CALL kepler.run_retention();
SELECT count(*), public.problem() FROM tenants_log;
ALTER TABLE tenants_log RENAME COLUMN tenant TO workspace_id;
ALTER TABLE tenants_log ALTER workspace_id TYPE varchar;
CALL kepler.run_retention();
SELECT count(*), public.problem() FROM tenants_log;
ALTER TABLE tenants_log ALTER workspace_id TYPE text;
CALL kepler.run_retention();
SELECT array_agg(id ORDER BY id), public.problem() FROM tenants_log;
SELECT count(kepler.drop_retention(policy_id)) FROM kepler.retention_report();
DROP TABLE tenants_log;
CREATE FUNCTION public.document() RETURNS text LANGUAGE sql AS
$$ SELECT '{"blueprint": "attacked", "schema": "attacked", "tenancy": "workspace", "tables": [
    {"name": "Run", "table": "runs", "key": {"name": "id", "type": "bigint"}, "times": true, "fields": [{"name": "note", "type": "text"}]},
    {"name": "Log", "table": "logs", "key": {"name": "id", "type": "bigint"}, "retention": {"floor": "20 years", "field": "loggedAt"},
        "fields": [{"name": "run", "type": "reference", "to": "Run", "on_delete": "cascade"}, {"name": "loggedAt", "column": "logged_at", "type": "timestamp"}]}]}' $$;
SELECT outcome FROM kepler.apply_blueprint(public.document());
SELECT outcome FROM kepler.set_retention('attacked.runs', '30 days');
INSERT INTO attacked.runs (id, created_at) VALUES (1, '2020-01-01'), (2, '2020-01-01');
INSERT INTO attacked.logs (id, run, logged_at) VALUES (1, 1, now());
SELECT outcome FROM kepler.drop_blueprint('attacked', '{"keep_tables": true}');
CALL kepler.run_retention();
SELECT count(*), public.problem() FROM attacked.runs;
SELECT count(kepler.drop_retention(policy_id)) FROM kepler.retention_report();
DROP SCHEMA attacked CASCADE;

-- A table that was found to be gone, in this database and in what is made of it later, is not the one that got its name.
CREATE TABLE public.again (id integer, created_at timestamptz);
SELECT outcome, policy_id AS policy FROM kepler.set_retention('again', '30 days') \gset
DROP TABLE again;
CREATE TABLE public.again (id integer, created_at timestamptz);
INSERT INTO again VALUES (1, '2020-01-01');
CALL kepler.run_retention();
SELECT database_id = '' AS is_noted FROM kepler.retention_policies;
CALL kepler.run_retention();
SELECT count(*), public.problem() FROM again;
SELECT outcome, policy_id = :policy AS same FROM kepler.set_retention('again', '30 days');
CALL kepler.run_retention();
SELECT count(*), public.problem() FROM again;
-- In a copy a table is found by its name, and its owner.
UPDATE kepler.retention_policies SET relation = 1, database_id = 'elsewhere/1', time_column_number = 7;
INSERT INTO again VALUES (1, '2020-01-01');
CALL kepler.run_retention();
SELECT count(*), public.problem() FROM again;
UPDATE kepler.retention_policies SET relation = 1, database_id = 'elsewhere/1', owner_name = 'somebody';
INSERT INTO again VALUES (1, '2020-01-01');
CALL kepler.run_retention();
SELECT count(*), public.problem() FROM again;
SELECT count(kepler.drop_retention(policy_id)) FROM kepler.retention_report();
DROP TABLE again;
-- A blueprint's table that was made after the policy is another one there.
SELECT outcome FROM kepler.apply_blueprint(public.document());
SELECT outcome FROM kepler.set_retention('attacked.runs', '30 days');
INSERT INTO attacked.runs (id, created_at) VALUES (1, '2020-01-01'), (2, '2020-01-01'), (3, '2020-01-01');
UPDATE kepler.retention_policies SET relation = 1, database_id = 'elsewhere/1', set_at = '2020-01-01';
CALL kepler.run_retention();
SELECT count(*), public.problem() FROM attacked.runs;
UPDATE kepler.retention_policies SET set_at = now();

-- Floors hold for a table under another name: by itself, and where its rows go along.
INSERT INTO attacked.logs (id, run, logged_at) VALUES (1, 1, '2020-01-01');
ALTER TABLE attacked.logs RENAME TO old_logs;
SELECT public.try($$SELECT kepler.set_retention('attacked.old_logs', '1 month', 'logged_at')$$);
CALL kepler.run_retention();
SELECT array_agg(id), (SELECT count(*) FROM attacked.old_logs) AS logs, public.problem() FROM attacked.runs;
ALTER TABLE attacked.old_logs RENAME TO logs;
SELECT count(kepler.drop_retention(policy_id)) FROM kepler.retention_report();
-- Where row security hides what would go along, nothing does.
CREATE ROLE retention_blind;
CREATE TABLE public.parents (id bigint PRIMARY KEY, created_at timestamptz DEFAULT '2020-01-01');
ALTER TABLE parents OWNER TO retention_blind;
GRANT CREATE, USAGE ON SCHEMA attacked TO retention_blind;
GRANT SELECT ON attacked.logs TO retention_blind;
SELECT kepler.grant_access('retention_blind', 'reader');
ALTER TABLE attacked.logs ADD parent_id bigint REFERENCES public.parents ON DELETE CASCADE;
INSERT INTO parents VALUES (1), (2);
UPDATE attacked.logs SET parent_id = 1;
SELECT public.try($$SELECT kepler.set_retention('parents', '1 month', workspace_id => NULL)$$);
ALTER TABLE parents OWNER TO CURRENT_USER;
SELECT public.try($$SELECT kepler.set_retention('parents', '1 month', workspace_id => NULL)$$);
CALL kepler.run_retention();
SELECT array_agg(id) FROM parents;
SELECT count(kepler.drop_retention(policy_id)) FROM kepler.retention_report();
ALTER TABLE attacked.logs DROP COLUMN parent_id;
-- A foreign key that refers to a partition takes rows along as well, and keeps rows as well.
CREATE TABLE public.parted (id bigint, at timestamptz, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE public.parted_2020 PARTITION OF parted FOR VALUES FROM ('2020-01-01 00:00+00') TO ('2021-01-01 00:00+00');
ALTER TABLE parted_2020 ADD UNIQUE (id);
INSERT INTO parted VALUES (1, '2020-05-01'), (2, '2020-05-01'), (3, '2020-05-01');
ALTER TABLE attacked.logs ADD part_id bigint REFERENCES public.parted_2020 (id) ON DELETE CASCADE;
UPDATE attacked.logs SET part_id = 1;
CREATE TABLE public.keeping (part_id bigint REFERENCES public.parted_2020 (id));
CREATE INDEX ON keeping (part_id);
INSERT INTO keeping VALUES (2);
SELECT outcome FROM kepler.set_retention('parted', '1 month', 'at');
CALL kepler.run_retention();
SELECT array_agg(id ORDER BY id), (SELECT count(*) FROM attacked.logs) AS logs, (SELECT kept_rows FROM kepler.retention_report()) AS kept FROM parted;
DROP TABLE keeping;
ALTER TABLE attacked.logs DROP COLUMN part_id;
-- An old partition on which a view depends goes by rows.
CREATE VIEW public.of_2020 AS SELECT * FROM parted_2020;
CALL kepler.run_retention();
SELECT to_regclass('parted_2020') AS is_there, (SELECT count(*) FROM parted);
SELECT count(kepler.drop_retention(policy_id)) FROM kepler.retention_report();
DROP TABLE parted CASCADE;
DROP TABLE parents;
SELECT outcome FROM kepler.drop_blueprint('attacked', '{"with_rows": true}');

-- A conversation without messages stays, by whatever time.
INSERT INTO kepler.conversations (id, created_at, last_message_at) VALUES ('attacked empty', '2020-01-01', NULL), ('attacked old', '2020-01-01', '2020-01-01');
SELECT outcome FROM kepler.set_retention('kepler.conversations', '1 month', 'created_at');
CALL kepler.run_retention();
SELECT id FROM kepler.conversations WHERE id LIKE 'attacked%';
SELECT count(kepler.drop_retention(policy_id)) FROM kepler.retention_report();
DELETE FROM kepler.conversations WHERE id LIKE 'attacked%';
SELECT kepler.revoke_access('retention_blind');
DROP ROLE retention_blind;
DROP FUNCTION public.document, public.try, public.problem;
