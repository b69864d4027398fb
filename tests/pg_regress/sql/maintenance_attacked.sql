-- A reader whose own table has policies and triggers holds up neither the maintenance nor the policies of others.
\set VERBOSITY terse
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SELECT kepler.create_workspace('attacked') AS workspace;
CREATE ROLE attacked_reader;
SELECT kepler.grant_access('attacked_reader', 'reader', 'attacked');
CREATE SCHEMA attacked AUTHORIZATION attacked_reader;
CREATE TABLE public.attacked_mine (id integer, born timestamptz);
CREATE INDEX ON public.attacked_mine (born);
SELECT m.policy_id AS mine FROM kepler.set_retention('public.attacked_mine', '1 day', 'born') AS m \gset
SET ROLE attacked_reader;
SELECT kepler.use_workspace('attacked', false);
CREATE TABLE attacked.t (id integer, born timestamptz);
CREATE INDEX ON attacked.t (born);
SELECT t.policy_id AS theirs FROM kepler.set_retention('attacked.t', '1 day', 'born') AS t \gset
INSERT INTO attacked.t VALUES (1, '2001-01-01');
CREATE FUNCTION attacked.say_no() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = TG_ARGV[0], MESSAGE = 'canceling statement due to postgres://u:hunter2hunter2@host/db';
END
$$;
RESET ROLE;

-- What it raises as a cancellation, or as a failed assertion, is its own failure: the others go on, and no secret is told.
CREATE PROCEDURE public.attacked_with(code text) LANGUAGE plpgsql AS $$
BEGIN
    DROP TRIGGER IF EXISTS say_no ON attacked.t;
    EXECUTE format('CREATE TRIGGER say_no BEFORE DELETE ON attacked.t FOR EACH ROW EXECUTE FUNCTION attacked.say_no(%L)', code);
    INSERT INTO public.attacked_mine VALUES (1, '2001-01-01');
    UPDATE kepler.retention_policies SET last_error_code = NULL, last_error = NULL;
    DELETE FROM kepler.maintenance WHERE step = 'apply_retention';
END
$$;
CREATE FUNCTION public.attacked_told() RETURNS TABLE (mine_left bigint, theirs_left bigint, code text, message text) LANGUAGE sql AS $$
    SELECT (SELECT count(*) FROM public.attacked_mine), (SELECT count(*) FROM attacked.t), r.last_error_code, r.last_error
    FROM kepler.retention_policies AS r WHERE r.table_name = 'attacked.t'
$$;
SET client_min_messages = error;
CALL public.attacked_with('57014');
CALL kepler.run_retention('10 seconds');
SELECT * FROM public.attacked_told();
CALL public.attacked_with('P0004');
CALL kepler.run_retention('10 seconds');
SELECT * FROM public.attacked_told();
CALL public.attacked_with('57014');
CALL kepler.maintain('10 seconds');
SELECT t.mine_left, t.theirs_left, s.outcome, s.last_error_code FROM public.attacked_told() AS t, kepler.stat_maintenance AS s WHERE s.object LIKE '% attacked.t';
CALL public.attacked_with('P0004');
CALL kepler.maintain('10 seconds');
SELECT t.mine_left, t.theirs_left, s.outcome, s.last_error_code FROM public.attacked_told() AS t, kepler.stat_maintenance AS s WHERE s.object LIKE '% attacked.t';
SELECT m.last_error FROM kepler.maintenance AS m WHERE m.object LIKE '% attacked.t';
-- A trigger that sleeps is ended by the caller's statement_timeout, and comes last the next time.
CREATE OR REPLACE FUNCTION attacked.say_no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(600); RETURN OLD; END $$;
UPDATE kepler.retention_policies SET last_started_at = '2001-01-01', last_failed_at = NULL WHERE id = :theirs;
INSERT INTO public.attacked_mine VALUES (1, '2001-01-01');
UPDATE kepler.retention_policies SET last_started_at = '2002-01-01', last_failed_at = NULL WHERE id = :mine;
SET statement_timeout = '2s';
CALL kepler.run_retention('10 seconds');
RESET statement_timeout;
SELECT r.id = :theirs AS is_last FROM kepler.retention_policies AS r WHERE r.id IN (:mine, :theirs) ORDER BY r.last_started_at DESC LIMIT 1;
SET statement_timeout = '2s';
CALL kepler.run_retention('10 seconds');
RESET statement_timeout;
SELECT t.mine_left, t.theirs_left FROM public.attacked_told() AS t;
-- Without one, Kepler's own limit ends the batch as the policy's failure, and the others are served in the same call.
SET kepler.retention_batch_timeout = '300ms';
UPDATE kepler.retention_policies SET last_started_at = '2001-01-01', last_failed_at = NULL, last_error_code = NULL WHERE id = :theirs;
-- From the start: a run that was stopped goes on where it was.
UPDATE kepler.retention_policies SET last_started_at = '2002-01-01', last_failed_at = NULL, pass_began_at = NULL, pass_ended_at = NULL,
    place_relation = NULL, place_at = NULL, place_block = NULL WHERE id = :mine;
INSERT INTO public.attacked_mine VALUES (2, '2001-01-02');
SET client_min_messages = error;
CALL kepler.run_retention('20 seconds');
SELECT t.mine_left, t.theirs_left FROM public.attacked_told() AS t;
SELECT r.last_error_code, r.last_error FROM kepler.retention_policies AS r WHERE r.id = :theirs;
CALL kepler.maintain('20 seconds');
RESET client_min_messages;
SELECT s.outcome, s.last_error_code FROM kepler.stat_maintenance AS s WHERE s.object LIKE '% attacked.t';
RESET kepler.retention_batch_timeout;
-- The limit is over, and so is its timer.
SELECT pg_sleep(0.4) IS NOT NULL AS slept;
DROP TRIGGER say_no ON attacked.t;

-- Nobody writes that a policy failed, or was begun, who could not run it.
INSERT INTO kepler.retention_policies (workspace_id, table_name, relation, database_id, owner_name, time_column, time_column_number, keep)
SELECT 'attacked', 'kepler.messages', 'kepler.messages'::regclass, r.database_id, current_user, 'sent_at', a.attnum, '1 day'
FROM kepler.retention_policies AS r, pg_attribute AS a
WHERE r.id = :mine AND a.attrelid = 'kepler.messages'::regclass AND a.attname = 'sent_at'
RETURNING id AS messages \gset
SET ROLE attacked_reader;
SELECT kepler.use_workspace('attacked', false);
SELECT kepler_internal.retention_failed(:messages, '00000', 'all is well');
SELECT kepler_internal.retention_begun(:messages);
SELECT kepler_internal.retention_failed(:mine, '00000', 'all is well');
SELECT kepler_internal.retention_failed(:theirs, 'ABCDEFG', 'mine to say: postgres://u:hunter2hunter2@host/db');
RESET ROLE;
SELECT r.table_name, r.last_error_code, r.last_error FROM kepler.retention_policies AS r WHERE r.id IN (:messages, :mine, :theirs) ORDER BY 1;

-- A hundred policies for a table, and a thousand for all tables of a role.
SET ROLE attacked_reader;
SELECT kepler.use_workspace('attacked', false);
\o /dev/null
SELECT kepler.set_retention('attacked.t', '1 day', 'born', jsonb_build_object('id', n)) FROM generate_series(1, 99) AS n;
\o
\set VERBOSITY default
SELECT kepler.set_retention('attacked.t', '1 day', 'born', '{"id": 100}');
\set VERBOSITY terse
-- One that is there may be changed.
SELECT s.outcome FROM kepler.set_retention('attacked.t', '2 days', 'born', '{"id": 99}') AS s;
RESET ROLE;
INSERT INTO kepler.retention_policies (table_name, relation, database_id, owner_name, time_column, time_column_number, keep, filter)
SELECT 'attacked.gone', 1, r.database_id, r.owner_name, 'born', 2, '1 day', jsonb_build_object('id', n)
FROM kepler.retention_policies AS r, generate_series(1, 900) AS n WHERE r.id = :theirs;
SET ROLE attacked_reader;
CREATE TABLE attacked.another (id integer, born timestamptz);
SELECT kepler.set_retention('attacked.another', '1 day', 'born');
RESET ROLE;
-- They are looked at a page at a time, those first that have waited longest.
DELETE FROM kepler.maintenance WHERE step = 'apply_retention';
SELECT count(*) FROM kepler_internal.maintenance_due('apply_retention');
SELECT count(*) FROM kepler_internal.retention_candidates();
SELECT count(*) FROM kepler_internal.retention_candidates(:mine);
INSERT INTO kepler.maintenance (step, object, outcome, last_started_at)
SELECT 'apply_retention', r.id || ' ' || r.table_name, 'failed', '2001-01-01'::timestamptz + r.id * interval '1 second'
FROM kepler.retention_policies AS r WHERE r.id <> :mine;
SELECT split_part(d.object, ' ', 2) AS first FROM kepler_internal.maintenance_due('apply_retention') AS d LIMIT 1;

DELETE FROM kepler.maintenance WHERE step = 'apply_retention';
DELETE FROM kepler.retention_policies WHERE table_name IN ('attacked.t', 'attacked.gone', 'public.attacked_mine', 'kepler.messages');
SELECT kepler.revoke_access('attacked_reader', 'attacked');
DROP TABLE public.attacked_mine;
DROP FUNCTION public.attacked_told();
DROP PROCEDURE public.attacked_with(text);
SET client_min_messages = error;
DROP SCHEMA attacked CASCADE;
DROP OWNED BY attacked_reader;
DROP ROLE attacked_reader;
CALL kepler.delete_workspace('attacked', with_rows => true);
