-- The history of syncs does not grow without end: notes go when a run ends, the last hundred runs of an entity and a mode stay, and
-- runs that nobody goes on with are abandoned.
\set SHOW_CONTEXT never
\set VERBOSITY default
\set ON_ERROR_ROLLBACK on
BEGIN;
-- A run with an id that can be shown.
CREATE FUNCTION pg_temp.begin_run(name text, entity_type text, mode text DEFAULT 'full', scope jsonb DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    begun record;
BEGIN
    SELECT * INTO begun FROM kepler.begin_sync('crm', entity_type, mode, 'crm', scope);
    UPDATE kepler.sync_runs AS r SET id = name WHERE r.id = begun.sync_run_id;
    RETURN concat_ws(' after ', name, begun.abandoned_run_id) || ' from ' || coalesce(begun.cursor, 'the beginning');
END
$$;
CREATE FUNCTION pg_temp.batch(first integer, last integer) RETURNS text LANGUAGE sql AS $$
    SELECT json_agg(json_build_object('external_id', i, 'data', json_build_object('n', i)))::text FROM generate_series(first, last) AS i
$$;
CREATE FUNCTION pg_temp.alive(type text) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(r.external_id, ' ' ORDER BY length(r.external_id), r.external_id) FROM kepler.records AS r WHERE r.entity_type = type AND r.deleted_at IS NULL
$$;
INSERT INTO kepler.connections (id, name, reference_id) VALUES ('crm', 'crm', 'crm');
CREATE FUNCTION pg_temp.notes() RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', (SELECT count(*) FROM kepler.sync_seen), (SELECT count(*) FROM kepler.sync_batches), (SELECT count(*) FROM kepler.sync_candidates))
$$;
-- A hundred and thirty runs.
DO $$
DECLARE
    run text;
BEGIN
    FOR i IN 1..130 LOOP
        SELECT b.sync_run_id INTO run FROM kepler.begin_sync('crm', 'contact', source => 'crm') AS b;
        PERFORM kepler.upsert_record('contact', '1', '{}', sync_run_id => run);
        IF i % 3 = 0 THEN PERFORM kepler.abort_sync(run, 'x'); ELSE PERFORM kepler.finish_sync(run); END IF;
    END LOOP;
END
$$;
SELECT count(*) BETWEEN 100 AND 101 AS bounded FROM kepler.sync_runs;
SELECT pg_temp.notes();
-- Incremental ones do not drive full ones out.
SELECT pg_temp.begin_run('incremental', 'contact', 'incremental');
SELECT count(*) >= 100 AS kept FROM kepler.sync_runs WHERE mode = 'full';
-- What an ended run has left is taken away when the next one begins.
SELECT kepler.abort_sync('incremental', 'x');
INSERT INTO kepler.sync_seen (sync_run_id, external_ids) SELECT 'incremental', '{a}' FROM generate_series(1, 10001);
SELECT pg_temp.notes();
SELECT pg_temp.begin_run('next', 'contact', 'incremental');
SELECT pg_temp.notes();
SELECT outcome FROM kepler.finish_sync('next');
SELECT pg_temp.begin_run('other', 'contact', 'incremental');
SELECT pg_temp.notes();

-- What is newer than a day shows signs of life; so does an old run that goes on.
SELECT pg_temp.begin_run('full', 'contact');
SELECT outcome FROM kepler.upsert_record('contact', '1', '{}', sync_run_id => 'full');
SELECT outcome FROM kepler.upsert_record('contact', '1', '{}', sync_run_id => 'other');
SELECT kepler.checkpoint_sync('full', 'page 2') IS NOT NULL AS noted;
UPDATE kepler.sync_runs SET started_at = started_at - interval '9 days', checkpoint_at = checkpoint_at - interval '8 days' WHERE status = 'RUNNING';
SELECT sync_run_id FROM kepler.abandon_syncs();
UPDATE kepler.sync_batches SET created_at = created_at - interval '2 days' WHERE sync_run_id = 'full';
-- A step of a merge or a sweep is a sign of life.
UPDATE kepler.sync_runs SET phase_active_at = clock_timestamp() WHERE id = 'full';
SELECT sync_run_id FROM kepler.abandon_syncs();
UPDATE kepler.sync_runs SET phase_active_at = NULL WHERE id = 'full';
SELECT sync_run_id, entity_type, source, connection_id, now() - active_at BETWEEN '47 hours' AND '49 hours' AS two_days FROM kepler.abandon_syncs();
SELECT id, status, phase, seen, error FROM kepler.sync_runs WHERE id IN ('full', 'other') ORDER BY id;
SELECT issues FROM kepler.entities WHERE type = 'contact';
SELECT pg_temp.notes();
-- Webhooks note nothing any more.
SELECT outcome FROM kepler.upsert_record('contact', '1', '{}', source => 'crm', connection_id => 'crm');
SELECT pg_temp.notes();
SELECT sync_run_id FROM kepler.abandon_syncs('3 days');
SELECT sync_run_id FROM kepler.abandon_syncs('0', max_rows => 1);
SELECT * FROM kepler.abandon_syncs(NULL);
SELECT * FROM kepler.abandon_syncs('-1 day');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.abandon_syncs(max_rows => 0);
-- An entity takes its runs along, and they their notes.
SELECT pg_temp.begin_run('gone', 'contact');
SELECT outcome FROM kepler.upsert_record('contact', '1', '{}', sync_run_id => 'gone');
SELECT pg_temp.notes();
DELETE FROM kepler.connections WHERE id = 'crm';
SELECT count(*) FROM kepler.sync_runs;
SELECT pg_temp.notes();
ROLLBACK;
