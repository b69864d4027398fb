-- A full run from its beginning to its end: what it lists is upserted, what it does not list is soft-deleted, and counts, cursor
-- and times stand where they are looked for.
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

-- The first run of an entity makes it.
SELECT pg_temp.begin_run('first', 'contact');
SELECT connection_id, type, source, cursor, last_sync_id FROM kepler.entities WHERE connection_id = 'crm';
SELECT kepler.upsert_records_summary('contact', pg_temp.batch(1, 10), sync_run_id => 'first') - 'rejected_by_code' AS counts;
SELECT kepler.checkpoint_sync('first', 'page 2') BETWEEN now() AND clock_timestamp() AS noted;
-- What has not ended moves nothing.
SELECT cursor, last_sync_id, issues FROM kepler.entities WHERE type = 'contact' AND connection_id = 'crm';
SELECT last_sync_at, issues FROM kepler.connections WHERE id = 'crm';
SELECT * FROM kepler.finish_sync('first');
SELECT cursor, last_sync_id FROM kepler.entities WHERE type = 'contact' AND connection_id = 'crm';
SELECT last_sync_at > now() AS moved FROM kepler.connections WHERE id = 'crm';
SELECT pg_temp.alive('contact');

-- The second lists less, in two ways of calling, with deletes and with what cannot be written.
SELECT pg_temp.begin_run('second', 'contact');
SELECT external_id, outcome FROM kepler.upsert_records('contact', pg_temp.batch(1, 5), sync_run_id => 'second');
SELECT external_id, outcome FROM kepler.upsert_record('contact', '6', '{"n": 60}', sync_run_id => 'second');
SELECT external_id, outcome, error_code FROM kepler.upsert_records('contact', '[
    {"external_id": "7", "data": {}, "deleted": true},
    {"external_id": "8", "data": "not an object"},
    {"external_id": "11", "data": {}}, {"external_id": "11", "data": {"n": 11}}]', sync_run_id => 'second');
SELECT outcome, status, seen, rejected, records, deleted, remaining, error FROM kepler.finish_sync('second', allow_rejects => true, dry_run => true);
SELECT outcome, status, seen, rejected, records, deleted, remaining, error
FROM kepler.finish_sync('second', allow_rejects => true, cursor => 'page 3');
-- 8 was rejected, and so it was seen.
SELECT pg_temp.alive('contact');
SELECT mode, status, phase, cursor, seen, counts, records, to_delete, deleted, spared, refused, error, ended_at >= started_at AS in_order
FROM kepler.sync_runs ORDER BY started_at;
SELECT cursor, last_sync_id FROM kepler.entities WHERE type = 'contact' AND connection_id = 'crm';
-- Whoever did not hear the answer asks again.
SELECT outcome, status, seen, rejected, records, deleted, remaining, error FROM kepler.finish_sync('second');
-- Nothing is left of it.
SELECT (SELECT count(*) FROM kepler.sync_seen) AS seen, (SELECT count(*) FROM kepler.sync_batches) AS batches,
    (SELECT count(*) FROM kepler.sync_candidates) AS candidates;
-- It takes no more.
SELECT * FROM kepler.upsert_records('contact', pg_temp.batch(1, 1), sync_run_id => 'second');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.checkpoint_sync('second', 'page 4');

-- What comes back is restored; what is deleted is deleted once, and keeps what else it had.
SELECT deleted_at = updated_at AS at_once, created_at < deleted_at AS later, data, status, source_updated_at FROM kepler.records
WHERE external_id = '10' AND entity_type = 'contact';
SELECT pg_temp.begin_run('third', 'contact');
SELECT external_id, outcome FROM kepler.upsert_records('contact', pg_temp.batch(8, 11), sync_run_id => 'third');
SELECT outcome, records, deleted FROM kepler.finish_sync('third', max_delete_fraction => 0.7);
SELECT pg_temp.alive('contact');
ROLLBACK;
