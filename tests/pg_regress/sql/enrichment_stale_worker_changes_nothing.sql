-- Peers' worst: the rescuer that overwrites a finished job, the expired job beside its retry, the live job run again.
-- A worker whose lease has ended changes nothing, whatever it says and however late. A result for content that is no
-- longer there is dropped.
\set SHOW_CONTEXT never
BEGIN;
SELECT kepler.set_enrichment_policy('deal', backoff_base => '0');
SELECT outcome FROM kepler.upsert_record('deal', 'a', '{"v": 1}');
SELECT lease_id AS old, record_id AS id FROM kepler.claim_records('deal', 'slow', lease => '1 ms') \gset
SELECT pg_sleep(0.01);
-- Expired, and nobody has taken it back yet.
SELECT outcome FROM kepler.complete_records(:old, ARRAY[:'id'], ARRAY['{"by": "slow"}']::jsonb[]);
SELECT kepler.extend_lease(:old) IS NULL AS lost;
SELECT enrichment_status, enrichment FROM kepler.records;
-- Its retry runs.
SELECT lease_id AS new, attempt FROM kepler.claim_records('deal', 'fast') \gset
SELECT :new > :old AS later_leases_are_greater, :attempt AS attempt;
SELECT outcome FROM kepler.complete_records(:old, ARRAY[:'id'], ARRAY['{"by": "slow"}']::jsonb[]);
SELECT outcome FROM kepler.fail_records(:old, ARRAY[:'id'], 'slow');
SELECT outcome FROM kepler.release_records(:old, ARRAY[:'id']);
SELECT outcome FROM kepler.complete_records(:new, ARRAY[:'id'], ARRAY['{"by": "fast"}']::jsonb[]);
SELECT outcome FROM kepler.complete_records(:old, ARRAY[:'id'], ARRAY['{"by": "slow"}']::jsonb[]);
SELECT enrichment_status, enrichment FROM kepler.records;
SELECT attempt, outcome, error FROM kepler.enrichment_attempts ORDER BY lease_id;

-- A lease that a heartbeat keeps alive outlives its first deadline.
SELECT outcome FROM kepler.upsert_record('deal', 'a', '{"v": 2}');
SELECT lease_id AS long FROM kepler.claim_records('deal', 'steady', lease => '50 ms') \gset
SELECT kepler.extend_lease(:long, '1 hour') IS NOT NULL AS alive;
SELECT pg_sleep(0.06);
SELECT count(*) FROM kepler.claim_records('deal', 'other', 5);
-- The source changes meanwhile: the record stays with its worker, whose result is then dropped.
SELECT outcome FROM kepler.upsert_record('deal', 'a', '{"v": 3}');
SELECT enrichment_status FROM kepler.records;
SELECT count(*) FROM kepler.claim_records('deal', 'other', 5);
SELECT outcome FROM kepler.complete_records(:long, ARRAY[:'id'], ARRAY['{"of": 2}']::jsonb[]);
SELECT enrichment_status, enrichment FROM kepler.records;
SELECT lease_id AS again, attempt, data FROM kepler.claim_records('deal', 'other', 5) \gset
SELECT :attempt AS attempt, :'data' AS data;

-- Deleted meanwhile, and back.
SELECT outcome FROM kepler.delete_records(ARRAY[:'id']);
SELECT enrichment_status, (SELECT count(*) FROM kepler.enrichment_queue) AS queued FROM kepler.records;
SELECT outcome FROM kepler.complete_records(:again, ARRAY[:'id'], ARRAY['{"of": 3}']::jsonb[]);
SELECT outcome FROM kepler.restore_records(ARRAY[:'id']);
SELECT lease_id AS again FROM kepler.claim_records('deal', 'other', 5) \gset
SELECT outcome FROM kepler.upsert_record('deal', 'a', NULL, deleted => true);
SELECT outcome FROM kepler.complete_records(:again, ARRAY[:'id']);
SELECT outcome FROM kepler.upsert_record('deal', 'a', '{"v": 3}');
SELECT attempt, data FROM kepler.claim_records('deal', 'other', 5);
-- Archived.
SELECT outcome FROM kepler.archive_records(ARRAY[:'id']);
SELECT enrichment_status, (SELECT count(*) FROM kepler.enrichment_queue) AS queued FROM kepler.records;

-- Results survive every sync; with clear_on_change they go with the content that they were made of.
SELECT enrichment FROM kepler.records;
SELECT kepler.set_enrichment_policy('deal', clear_on_change => true);
SELECT outcome FROM kepler.upsert_record('deal', 'a', '{"v": 3}');
SELECT enrichment FROM kepler.records;
SELECT outcome FROM kepler.upsert_record('deal', 'a', '{"v": 4}');
SELECT enrichment FROM kepler.records;
ROLLBACK;
