-- CALL kepler.maintain() does all that must happen now and then. Each step has an outcome of its own: one that fails stops no other,
-- and waits longer each time.
\set VERBOSITY terse
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE FUNCTION public.noted() RETURNS TABLE (step text, workspace_id text, object text, outcome text, work_remains boolean, rows bigint, error_code text)
LANGUAGE sql AS $$
    SELECT s.step, s.workspace_id, s.object, s.outcome, s.work_remains, s.last_rows, s.last_error_code FROM kepler.stat_maintenance AS s
    WHERE s.workspace_id LIKE 'maint\_%' OR s.object LIKE 'maint\_%' ORDER BY 1, 2, 3
$$;
-- What the tests before have left is done first.
CALL kepler.maintain();
SELECT string_agg(step, ' ' ORDER BY step) AS steps, bool_and(outcome IN ('finished', 'unfinished')) AS done FROM kepler.stat_maintenance
WHERE object IS NULL AND workspace_id IS NULL;
DELETE FROM kepler.maintenance;

-- Something for every step, in two workspaces.
SELECT kepler.create_workspace('maint_a') AS a, kepler.create_workspace('maint_b') AS b;
CREATE PROCEDURE public.fill(workspace text) LANGUAGE plpgsql AS $$
DECLARE
    lease bigint;
BEGIN
    PERFORM set_config('kepler.workspace_id', workspace, true);
    PERFORM kepler.remember('short of life', expires_at => '2001-01-01');
    PERFORM kepler.remember('long of life');
    INSERT INTO kepler.users (id, email) VALUES ('u', 'u@example.com') ON CONFLICT DO NOTHING;
    INSERT INTO kepler.workflows (id, name) VALUES ('w', 'w') ON CONFLICT DO NOTHING;
    INSERT INTO kepler.executions (workflow_id, user_id, started_at, timeout, deadline_at, next_check_at)
    VALUES ('w', 'u', '2001-01-01', '1 minute', '2001-01-01 00:01', '2001-01-01 00:01');
    PERFORM kepler.upsert_records_summary('maint_kept', '[{"external_id": "1", "data": {}}, {"external_id": "2", "data": {}}]');
    PERFORM kepler.upsert_records_summary('maint_left', '[{"external_id": "1", "data": {}}]');
    PERFORM kepler.set_enrichment_policy('maint_kept');
    -- A worker fell silent.
    SELECT c.lease_id INTO lease FROM kepler.claim_records('maint_kept', 'w', 1) AS c LIMIT 1;
    UPDATE kepler.leases SET deadline = '2001-01-01', lease_until = '2001-01-01' WHERE id = lease;
    -- A queue without a policy.
    INSERT INTO kepler.enrichment_queue (record_id, entity_type) SELECT id, 'maint_left' FROM kepler.records AS r WHERE entity_type = 'maint_left' ON CONFLICT DO NOTHING;
    -- A connector fell silent, and one left notes.
    PERFORM kepler.begin_sync(NULL, 'maint_sync');
    UPDATE kepler.sync_runs SET started_at = '2001-01-01' WHERE status = 'RUNNING';
    INSERT INTO kepler.sync_seen (sync_run_id, external_ids) SELECT 'gone', '{x}' FROM generate_series(1, 3);
END
$$;
CALL public.fill('maint_a');
CALL public.fill('maint_b');
-- A deletion was interrupted.
SELECT kepler.create_workspace('maint_gone');
UPDATE kepler.workspaces SET deleting_at = clock_timestamp() WHERE id = 'maint_gone';
-- Partitions: one is missing, one is old.
DO $$
DECLARE
    last text := (SELECT max(c.relname) FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid WHERE i.inhparent = 'kepler.feed'::regclass AND c.relname ~ '[0-9]$');
BEGIN
    EXECUTE format('DROP TABLE kepler.%I', last);
    CREATE TABLE kepler.feed_20010101 (LIKE kepler.feed INCLUDING ALL);
    ALTER TABLE kepler.feed ATTACH PARTITION kepler.feed_20010101 FOR VALUES FROM ('2001-01-01 00:00+00') TO ('2001-01-08 00:00+00');
END
$$;
CALL kepler.maintain();
SELECT * FROM public.noted();
SELECT s.step, s.outcome, s.last_rows FROM kepler.stat_maintenance AS s
WHERE s.step IN ('make_feed_partitions', 'make_history_partitions', 'drop_old_changes', 'delete_workspace') AND s.workspace_id IS NULL ORDER BY 1;
SELECT count(*) AS partitions, to_regclass('kepler.feed_20010101') AS old FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
WHERE i.inhparent = 'kepler.feed'::regclass AND c.relname ~ '[0-9]$';
SELECT w.id, (SELECT count(*) FROM kepler.memories AS m WHERE m.workspace_id = w.id) AS memories,
    (SELECT string_agg(e.status::text, ' ') FROM kepler.executions AS e WHERE e.workspace_id = w.id) AS executions,
    (SELECT string_agg(r.status::text, ' ') FROM kepler.sync_runs AS r WHERE r.workspace_id = w.id) AS syncs,
    (SELECT count(*) FROM kepler.sync_seen AS s WHERE s.workspace_id = w.id) AS seen,
    (SELECT count(*) FROM kepler.leases AS l WHERE l.workspace_id = w.id) AS leases,
    (SELECT string_agg(q.entity_type, ' ') FROM kepler.enrichment_queue AS q WHERE q.workspace_id = w.id) AS queue
FROM kepler.workspaces AS w WHERE w.id LIKE 'maint\_%' ORDER BY 1;
-- Nothing is left to do, and nothing is done.
CALL kepler.maintain();
SELECT count(*) AS unfinished FROM kepler.stat_maintenance AS s WHERE s.work_remains AND (s.workspace_id LIKE 'maint%' OR s.workspace_id IS NULL AND s.step <> 'seal_history');

-- A table with a trigger that says no; and one that says so when the transaction ends: what is done with others is done, and this is
-- told. A secret in the error is not.
CREATE FUNCTION public.say_no() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.workspace_id = 'maint_a' THEN
        RAISE EXCEPTION USING ERRCODE = TG_ARGV[0], MESSAGE = 'no, says the trigger: ' || TG_ARGV[1];
    END IF;
    RETURN OLD;
END
$$;
CREATE TRIGGER say_no BEFORE DELETE ON kepler.memories FOR EACH ROW EXECUTE FUNCTION public.say_no('ZZ123', 'postgres://u:hunter2hunter2@host/db');
CREATE CONSTRAINT TRIGGER say_no_late AFTER DELETE ON kepler.leases DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.say_no('P0004', 'late');
DELETE FROM kepler.executions WHERE workspace_id LIKE 'maint\_%';
CALL public.fill('maint_a');
CALL public.fill('maint_b');
CALL kepler.maintain();
SELECT * FROM public.noted() AS n WHERE n.step IN ('expire_memories', 'reap_leases');
SELECT s.step, s.outcome, s.last_error_code FROM kepler.stat_maintenance AS s
WHERE s.step IN ('expire_memories', 'reap_leases', 'abandon_executions') AND s.workspace_id IS NULL ORDER BY 1;
SELECT m.last_error FROM kepler.maintenance AS m WHERE m.workspace_id = 'maint_a' AND m.last_error IS NOT NULL ORDER BY m.step;
-- It waits, twice as long each time, an hour at most, and is not tried before.
CALL kepler.maintain();
CREATE FUNCTION public.waits() RETURNS TABLE (failures integer, minutes numeric) LANGUAGE sql AS $$
    SELECT m.failures, round(extract(epoch FROM m.next_at - m.last_failed_at) / 60) FROM kepler.maintenance AS m
    WHERE m.workspace_id = 'maint_a' AND m.step = 'expire_memories'
$$;
SELECT * FROM public.waits();
SELECT s.outcome, s.work_remains FROM kepler.stat_maintenance AS s WHERE s.step = 'expire_memories' AND s.workspace_id IS NULL;
SET client_min_messages = error;
UPDATE kepler.maintenance SET next_at = NULL;
CALL kepler.maintain();
SELECT * FROM public.waits();
UPDATE kepler.maintenance SET next_at = NULL, failures = 100;
CALL kepler.maintain();
SELECT * FROM public.waits();
-- Once it can be done, it is, and the failure is told as one of the past.
DROP TRIGGER say_no ON kepler.memories;
DROP TRIGGER say_no_late ON kepler.leases;
UPDATE kepler.maintenance SET next_at = NULL;
SET client_min_messages = warning;
CALL kepler.maintain();
SELECT * FROM public.noted() AS n WHERE n.step IN ('expire_memories', 'reap_leases');
SELECT * FROM public.waits();

-- A step whose table is gone fails alone.
ALTER TABLE kepler.sync_seen RENAME TO sync_seen_gone;
SELECT kepler.remember('short of life again', expires_at => '2001-01-01', workspace_id => 'maint_a') IS NOT NULL AS remembered;
CALL kepler.maintain();
ALTER TABLE kepler.sync_seen_gone RENAME TO sync_seen;
SELECT s.step, s.outcome, s.last_error_code FROM kepler.stat_maintenance AS s
WHERE s.step IN ('expire_memories', 'abandon_syncs') AND s.workspace_id IS NULL ORDER BY 1;

-- Little time is enough for something, and what there was no time for is told.
UPDATE kepler.maintenance SET next_at = NULL;
DELETE FROM kepler.maintenance WHERE workspace_id <> '';
CALL public.fill('maint_a');
CALL public.fill('maint_b');
CALL kepler.maintain('0');
SELECT count(*) FILTER (WHERE s.workspace_id IS NOT NULL) AS objects, count(*) FILTER (WHERE s.workspace_id IS NULL AND s.work_remains) > 3 AS unfinished
FROM kepler.stat_maintenance AS s;
-- What has waited longest is next.
CALL kepler.maintain('0');
CALL kepler.maintain('0');
SELECT count(*) AS objects FROM kepler.stat_maintenance AS s WHERE s.workspace_id IS NOT NULL;

-- Retention policies, each once an hour; also that of a table of somebody else, as that role.
CREATE ROLE maint_keeper;
CREATE TABLE public.maint_old (id integer PRIMARY KEY, born timestamptz);
INSERT INTO public.maint_old SELECT n, '2001-01-01' FROM generate_series(1, 3) AS n;
CREATE FUNCTION public.tell_who() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE WARNING 'deleted by %', current_user; RETURN NULL; END $$;
CREATE TRIGGER tell_who AFTER DELETE ON public.maint_old FOR EACH STATEMENT EXECUTE FUNCTION public.tell_who();
ALTER TABLE public.maint_old OWNER TO maint_keeper;
SELECT outcome, policy_id AS policy FROM kepler.set_retention('public.maint_old', '1 day', 'born') \gset
CALL kepler.maintain();
SELECT count(*) FROM public.maint_old;
INSERT INTO public.maint_old VALUES (4, '2001-01-01');
CALL kepler.maintain();
SELECT count(*) FROM public.maint_old;
SELECT split_part(s.object, ' ', 2) AS object, s.outcome, s.last_rows FROM kepler.stat_maintenance AS s WHERE s.object LIKE '% public.maint\_old';
SELECT kepler.drop_retention(:policy) IS NOT NULL AS dropped;
DROP TABLE public.maint_old;
DROP FUNCTION public.tell_who();
DROP ROLE maint_keeper;

-- Advice is noted as long as it holds, and never followed.
CREATE TABLE public.maint_vectors (id integer, embedding vector(2));
UPDATE kepler.maintenance SET last_started_at = last_started_at - interval '2 days' WHERE step = 'advise_indexes';
CALL kepler.maintain();
SELECT s.object, s.advice FROM kepler.stat_maintenance AS s WHERE s.object LIKE '%maint\_vectors%' ORDER BY 1;
DROP TABLE public.maint_vectors;
UPDATE kepler.maintenance SET last_started_at = last_started_at - interval '2 days' WHERE step = 'advise_indexes' AND object = '';
CALL kepler.maintain();
SELECT s.object, s.advice FROM kepler.stat_maintenance AS s WHERE s.object LIKE '%maint\_vectors%' ORDER BY 1;
-- What nothing was done with for days is forgotten.
UPDATE kepler.maintenance SET last_started_at = '2001-01-01' WHERE workspace_id = 'maint_b';
CALL kepler.maintain();
SELECT count(*) FROM kepler.maintenance WHERE workspace_id = 'maint_b';

-- Where it cannot run it says why, and has done nothing.
\set VERBOSITY default
CALL kepler.maintain(NULL);
CALL kepler.maintain('-1 second');
CALL kepler.maintain('2 days');
BEGIN;
CALL kepler.maintain();
ROLLBACK;
SET default_transaction_read_only = on;
CALL kepler.maintain();
RESET default_transaction_read_only;
CREATE ROLE maint_admin;
SELECT kepler.grant_access('maint_admin', 'admin');
SET ROLE maint_admin;
CALL kepler.maintain();
-- Those with the level admin see what is said of their workspace. Of all workspaces, without what errors say: pg_monitor.
BEGIN;
SELECT kepler.use_workspace('maint_a');
SELECT string_agg(DISTINCT m.workspace_id, ' ') AS workspaces FROM kepler.maintenance AS m;
DELETE FROM kepler.maintenance;
ROLLBACK;
SELECT count(*) FROM kepler.stat_maintenance;
RESET ROLE;
CREATE ROLE maint_monitor;
GRANT pg_monitor TO maint_monitor;
SET ROLE maint_monitor;
SELECT count(*) > 10 AS some FROM kepler.stat_maintenance;
SELECT count(*) FROM kepler.maintenance;
CALL kepler.maintain();
RESET ROLE;
\set VERBOSITY terse
-- Nothing in the caller's search path is taken for Kepler's or Postgres'.
CREATE SCHEMA maint_evil;
CREATE FUNCTION maint_evil.maintain_step(interval, boolean) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'evil'; END $$;
CREATE FUNCTION maint_evil.clock_timestamp() RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'evil'; END $$;
CREATE FUNCTION maint_evil.count(text) RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'evil'; END $$;
DO $$
DECLARE
    name text; kind regtype;
BEGIN
    FOREACH kind IN ARRAY '{text,timestamptz,integer,bigint,interval,boolean}'::regtype[] LOOP
        EXECUTE format('CREATE FUNCTION maint_evil.evil(%s, %1$s) RETURNS boolean LANGUAGE plpgsql AS $x$ BEGIN RAISE EXCEPTION ''evil''; END $x$', kind);
        FOREACH name IN ARRAY '{=,<,<=,>,>=,<>}'::text[] LOOP
            EXECUTE format('CREATE OPERATOR maint_evil.%s (LEFTARG = %s, RIGHTARG = %2$s, FUNCTION = maint_evil.evil)', name, kind);
        END LOOP;
    END LOOP;
END
$$;
SET search_path = maint_evil, pg_catalog;
CALL kepler.maintain();
RESET search_path;
-- A session whose transactions keep to a snapshot.
SET default_transaction_isolation = 'repeatable read';
SELECT kepler.remember('short of life once more', expires_at => '2001-01-01', workspace_id => 'maint_a') IS NOT NULL AS remembered;
CALL kepler.maintain();
SELECT count(*) FROM kepler.memories WHERE workspace_id = 'maint_a' AND expires_at IS NOT NULL;
RESET default_transaction_isolation;

DROP SCHEMA maint_evil CASCADE;
SELECT kepler.revoke_access('maint_admin');
DROP OWNED BY maint_admin, maint_monitor;
DROP ROLE maint_admin, maint_monitor;
CALL kepler.delete_workspace('maint_a', with_rows => true);
CALL kepler.delete_workspace('maint_b', with_rows => true);
SELECT count(*) FROM kepler.maintenance WHERE workspace_id LIKE 'maint%';
DROP FUNCTION public.noted(), public.waits(), public.say_no();
DROP PROCEDURE public.fill(text);
