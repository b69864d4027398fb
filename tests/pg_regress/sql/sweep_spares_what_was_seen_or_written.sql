-- Pain: a sweep deletes a row that a webhook has just brought. Here a full run deletes only what nobody has seen and nobody
-- has written since it began.
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
SELECT count(*) FROM kepler.upsert_records('contact', pg_temp.batch(1, 12), 'crm', 'crm');
INSERT INTO kepler.records (entity_id, entity_type, source, data) SELECT id, type, source, '{"by": "hand"}' FROM kepler.entities WHERE type = 'contact';
SELECT kepler.archive_records(ARRAY(SELECT id FROM kepler.records WHERE external_id = '11' AND entity_type = 'contact')) IS NOT NULL AS archived;
SELECT pg_temp.begin_run('run', 'contact');
SELECT kepler.upsert_records_summary('contact', pg_temp.batch(1, 2), sync_run_id => 'run')->'unchanged' AS unchanged;
-- A webhook's row survives: written, or only seen unchanged, stale or rejected, by an upsert without the run's id.
SELECT outcome FROM kepler.upsert_record('contact', '3', '{"n": 33}', source => 'crm', connection_id => 'crm');
SELECT outcome FROM kepler.upsert_record('contact', '4', '{"n": 4}', source => 'crm', connection_id => 'crm');
SELECT outcome FROM kepler.upsert_record('contact', '5', 'broken', source => 'crm', connection_id => 'crm');
SELECT outcome FROM kepler.upsert_record('contact', 'new', '{}', source => 'crm', connection_id => 'crm');
-- A row that direct SQL writes survives.
UPDATE kepler.records SET data = '{"n": "by hand"}' WHERE external_id = '6' AND entity_type = 'contact';
INSERT INTO kepler.records (entity_id, entity_type, source, external_id) SELECT id, type, source, 'inserted' FROM kepler.entities WHERE type = 'contact';
-- What is restored meanwhile survives.
SELECT outcome FROM kepler.delete_records(ARRAY(SELECT id FROM kepler.records WHERE external_id = '7' AND entity_type = 'contact'));
SELECT outcome FROM kepler.restore_records(ARRAY(SELECT id FROM kepler.records WHERE external_id = '7' AND entity_type = 'contact'));
-- An upsert that is rolled back has seen nothing.
SAVEPOINT undone;
SELECT outcome FROM kepler.upsert_record('contact', '8', '{"n": 8}', sync_run_id => 'run');
SELECT outcome FROM kepler.upsert_record('contact', '9', '{"n": 9}', source => 'crm', connection_id => 'crm');
ROLLBACK TO undone;
SAVEPOINT kept;
SELECT outcome FROM kepler.upsert_record('contact', '10', '{"n": 10}', sync_run_id => 'run');
RELEASE kept;
-- Another entity's upserts are no sightings, also of the same id.
SELECT outcome FROM kepler.upsert_record('contact', '8', '{"n": 8}');
SELECT string_agg(i.id, ' ' ORDER BY s.id, i.place) AS seen FROM kepler.sync_seen AS s, unnest(s.external_ids) WITH ORDINALITY AS i (id, place);
SELECT * FROM kepler.finish_sync('run', max_delete_fraction => 1);
SELECT r.external_id, r.status, r.deleted_at IS NOT NULL AS deleted FROM kepler.records AS r JOIN kepler.entities AS e ON e.id = r.entity_id
WHERE e.connection_id = 'crm' ORDER BY r.external_id COLLATE "C";

-- What is seen or written between the steps of a sweep survives too.
SELECT count(*) FROM kepler.upsert_records('lead', pg_temp.batch(1, 9), 'crm', 'crm');
SELECT pg_temp.begin_run('steps', 'lead');
SELECT outcome FROM kepler.upsert_record('lead', '1', '{"n": 1}', sync_run_id => 'steps');
SELECT outcome, deleted, remaining FROM kepler.finish_sync('steps', max_delete_fraction => 1, max_rows => 2);
SELECT phase, to_delete, deleted, swept_through FROM kepler.sync_runs WHERE id = 'steps';
SELECT outcome FROM kepler.upsert_record('lead', '4', '{"n": 4}', source => 'crm', connection_id => 'crm');
SELECT outcome FROM kepler.upsert_record('lead', '5', '{"n": 5}', sync_run_id => 'steps');
UPDATE kepler.records SET status = 'ARCHIVED' WHERE external_id = '7' AND entity_type = 'lead';
SELECT outcome FROM kepler.delete_records(ARRAY(SELECT id FROM kepler.records WHERE external_id = '8' AND entity_type = 'lead'));
DELETE FROM kepler.records WHERE external_id = '9' AND entity_type = 'lead';
-- The guards were checked when it began.
SELECT outcome, deleted, remaining FROM kepler.finish_sync('steps', max_delete_fraction => 0, max_rows => 2);
SELECT outcome, deleted, remaining FROM kepler.finish_sync('steps', max_rows => 2);
SELECT outcome, deleted, remaining FROM kepler.finish_sync('steps', max_rows => 2);
SELECT status, to_delete, deleted, spared, refused FROM kepler.sync_runs WHERE id = 'steps';
SELECT pg_temp.alive('lead');
ROLLBACK;
