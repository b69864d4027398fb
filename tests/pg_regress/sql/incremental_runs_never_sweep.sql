-- An incremental run lists what has changed: it never sweeps, and moves the cursor only where it succeeds.
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
SELECT count(*) FROM kepler.upsert_records('contact', pg_temp.batch(1, 5), 'crm', 'crm');
SELECT pg_temp.begin_run('first', 'contact', 'incremental');
SELECT outcome FROM kepler.upsert_record('contact', '1', '{"n": 11}', sync_run_id => 'first');
-- It notes no ids: nobody will ask.
SELECT (SELECT count(*) FROM kepler.sync_seen) AS seen, (SELECT count(*) FROM kepler.sync_batches) AS batches;
SELECT * FROM kepler.finish_sync('first', max_delete_fraction => 1, dry_run => true);
SELECT * FROM kepler.finish_sync('first', max_delete_fraction => 1, cursor => 'c1');
SELECT pg_temp.alive('contact');
-- It may meet nothing, or rejects: what it did not list is not gone.
SELECT pg_temp.begin_run('second', 'contact', 'incremental');
SELECT outcome FROM kepler.upsert_record('contact', '', '{}', sync_run_id => 'second');
SELECT * FROM kepler.finish_sync('second', cursor => 'c2');
SELECT pg_temp.begin_run('third', 'contact', 'incremental');
SELECT outcome, deleted FROM kepler.finish_sync('third');
SELECT cursor, last_sync_id FROM kepler.entities WHERE type = 'contact';
-- A newer one of the kind abandons it.
SELECT pg_temp.begin_run('fourth', 'contact', 'incremental');
SELECT pg_temp.begin_run('fifth', 'contact', 'incremental');
SELECT id, status FROM kepler.sync_runs ORDER BY started_at DESC LIMIT 2;
SELECT pg_temp.alive('contact');
ROLLBACK;
