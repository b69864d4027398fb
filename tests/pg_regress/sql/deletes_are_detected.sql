-- Pain: what is deleted at the source stays for ever. Here each way in which a source may tell of a deletion, or not tell,
-- leads to a record that is deleted, once, and comes back with what the source lists again.
BEGIN;
CREATE VIEW pg_temp.stored AS SELECT entity_type, external_id, deleted_at IS NOT NULL AS deleted, data->>'n' AS n
FROM kepler.records ORDER BY entity_type COLLATE "C", external_id COLLATE "C";
CREATE FUNCTION pg_temp.list(type text, ids integer[], cursor text DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    run text := (SELECT b.sync_run_id FROM kepler.begin_sync('crm', type, source => 'crm') AS b);
    done record;
BEGIN
    PERFORM FROM kepler.upsert_records(type,
        (SELECT coalesce(json_agg(json_build_object('id', i, 'n', i)), '[]')::text FROM unnest(ids) AS i), id_key => 'id', sync_run_id => run);
    SELECT * INTO done FROM kepler.finish_sync(run, max_delete_fraction => 0.5, cursor => cursor);
    RETURN format('saw %s, deleted %s', done.seen, done.deleted);
END
$$;
INSERT INTO kepler.connections (id, name, reference_id) VALUES ('crm', 'crm', 'crm');

-- The source tells nothing: a full run finds out. Again it has nothing to do, and leaves the time of the deletion.
SELECT pg_temp.list('untold', ARRAY[1, 2, 3]);
SELECT pg_temp.list('untold', ARRAY[1, 3]);
SELECT deleted_at AS before FROM kepler.records WHERE entity_type = 'untold' AND external_id = '2' \gset
SELECT pg_temp.list('untold', ARRAY[1, 3]);
SELECT deleted_at = :'before' AS same FROM kepler.records WHERE entity_type = 'untold' AND external_id = '2';
SELECT * FROM pg_temp.stored WHERE entity_type = 'untold';
-- A deletion and another record under a new id, in one listing.
SELECT pg_temp.list('untold', ARRAY[1, 4]);
-- It is back.
SELECT pg_temp.list('untold', ARRAY[1, 2, 4]);
SELECT * FROM pg_temp.stored WHERE entity_type = 'untold';

-- The source tells it in the document, beside changes.
SELECT external_id, outcome FROM kepler.upsert_records('flagged', '[{"id": 1, "n": 1}, {"id": 2, "n": 2}, {"id": 3, "n": 3}]',
    id_key => 'id', source => 'crm', connection_id => 'crm');
SELECT sync_run_id AS run FROM kepler.begin_sync('crm', 'flagged', 'incremental', source => 'crm') \gset
SELECT external_id, outcome FROM kepler.upsert_records('flagged', '[{"id": 2, "IsDeleted": true}, {"id": 3, "n": 33, "IsDeleted": false}]',
    id_key => 'id', deleted_key => 'IsDeleted', sync_run_id => :'run');
SELECT outcome, deleted FROM kepler.finish_sync(:'run');
SELECT * FROM pg_temp.stored WHERE entity_type = 'flagged';

-- An event tells it, of one that is known and of one that is not. What was sent before the deletion, and comes after it, stays out.
SELECT external_id, outcome FROM kepler.upsert_records('told', '[
    {"external_id": "1", "data": {"n": 1}, "source_updated_at": "2024-01-01"},
    {"external_id": "1", "deleted": true, "source_updated_at": "2024-01-03"},
    {"external_id": "2", "deleted": true, "source_updated_at": "2024-01-03"}]', source => 'crm', connection_id => 'crm');
SELECT external_id, outcome FROM kepler.upsert_records('told', '[
    {"external_id": "1", "data": {"n": 2}, "source_updated_at": "2024-01-02"},
    {"external_id": "2", "data": {"n": 2}, "source_updated_at": "2024-01-02"}]', source => 'crm', connection_id => 'crm');
SELECT * FROM pg_temp.stored WHERE entity_type = 'told';

-- A list of ids tells it.
SELECT external_id, outcome FROM kepler.delete_records('flagged', ARRAY['1', '2', '9'], source => 'crm', connection_id => 'crm');

-- The deletion is known before the listing of a full run ends: it is not deleted twice, and not counted as missing.
SELECT pg_temp.list('both', ARRAY[1, 2, 3, 4]);
SELECT sync_run_id AS run FROM kepler.begin_sync('crm', 'both', source => 'crm') \gset
SELECT outcome FROM kepler.upsert_record('both', '1', NULL, deleted => true, source => 'crm', connection_id => 'crm');
SELECT count(*) FROM kepler.upsert_records('both', '[{"id": 2, "n": 2}, {"id": 3, "n": 3}]', id_key => 'id', sync_run_id => :'run');
SELECT outcome, records, deleted FROM kepler.finish_sync(:'run', max_delete_fraction => 0.34);
SELECT * FROM pg_temp.stored WHERE entity_type = 'both';
ROLLBACK;
