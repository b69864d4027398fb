-- Pain: a record comes in a form that cannot be stored, and is then deleted because it is missing from what was stored. Here
-- what was rejected was seen, if its id could be read; if not, the run is refused, and the connector can tell which case it is.
BEGIN;
INSERT INTO kepler.connections (id, name, reference_id) VALUES ('crm', 'crm', 'crm');
CREATE VIEW pg_temp.stored AS SELECT external_id, data->>'n' AS n, deleted_at IS NOT NULL AS deleted FROM kepler.records ORDER BY external_id;
SELECT count(*) FROM kepler.upsert_records('contact', '[{"id": 1, "n": 1}, {"id": 2, "n": 2}, {"id": 3, "n": 3}, {"id": 4, "n": 4}, {"id": 5, "n": 5}, {"id": 6, "n": 6}]',
    id_key => 'id', source => 'crm', connection_id => 'crm');
ALTER TABLE kepler.records ADD CONSTRAINT small CHECK (entity_type <> 'contact' OR (data->>'n')::integer < 100);

-- By Kepler (what jsonb cannot hold, broken JSON, a time that is none), and by the database. One is missing indeed.
SELECT sync_run_id AS run FROM kepler.begin_sync('crm', 'contact', source => 'crm') \gset
SELECT ordinal, external_id, outcome, error_code FROM kepler.upsert_records('contact', '[
    {"id": 1, "n": 11}, {"id": 2, "n": "\u0000"}, {"id": 3, "n": tru}, {"id": 4, "n": 4, "at": "soon"}, {"id": 5, "n": 100}]',
    id_key => 'id', updated_at_key => 'at', sync_run_id => :'run');
SELECT outcome, rejected, remaining, split_part(error, '" ', 2) AS error FROM kepler.finish_sync(:'run', dry_run => true);
SELECT outcome, status, rejected, deleted FROM kepler.finish_sync(:'run', allow_rejects => true);
SELECT * FROM pg_temp.stored;

-- Without an id nobody knows which one it is: the answer has none either, and the guard stays.
SELECT sync_run_id AS run FROM kepler.begin_sync('crm', 'contact', source => 'crm') \gset
SELECT ordinal, external_id, outcome, error_code FROM kepler.upsert_records('contact', '[
    {"id": 1, "n": 11}, {"id": 2, "n": 2}, {"id": 3, "n": 3}, {"id": 4, "n": 4}, {"n": 5}]', id_key => 'id', sync_run_id => :'run');
SELECT outcome FROM kepler.finish_sync(:'run', dry_run => true) WHERE error IS NOT NULL;
DO $$
BEGIN
    PERFORM kepler.finish_sync(r.id) FROM kepler.sync_runs AS r WHERE r.status = 'RUNNING';
EXCEPTION WHEN object_not_in_prerequisite_state THEN
    RAISE NOTICE 'refused';
END
$$;
SELECT kepler.abort_sync(:'run', 'an element has no id') AS aborted;
SELECT * FROM pg_temp.stored;
ROLLBACK;
