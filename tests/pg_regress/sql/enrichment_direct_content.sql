-- New content by direct SQL counts as by an upsert, also for what waits for its next attempt or is at a worker.
BEGIN;
SELECT * FROM kepler.set_enrichment_policy('note', max_attempts => 2, backoff_base => '1 hour', clear_on_change => true);
INSERT INTO kepler.records (id, entity_type) VALUES ('a', 'note');
CREATE VIEW pg_temp.state AS
SELECT r.enrichment_status, r.enrichment, q.attempt, q.ready_at <= clock_timestamp() AS ready
FROM kepler.records AS r LEFT JOIN kepler.enrichment_queue AS q ON q.record_id = r.id;
SELECT lease_id AS lease FROM kepler.claim_records('note', 'w') \gset
SELECT outcome FROM kepler.complete_records(:lease, ARRAY['a'], ARRAY['{"of": 1}']::jsonb[]);
SELECT outcome FROM kepler.requeue_records(ARRAY['a']);
SELECT lease_id AS lease FROM kepler.claim_records('note', 'w') \gset
SELECT outcome FROM kepler.fail_records(:lease, ARRAY['a'], 'no');
TABLE pg_temp.state;
-- Written, but not changed.
UPDATE kepler.records SET data = data;
TABLE pg_temp.state;
-- Attempts are those of the present content, and what was found in the old one goes.
UPDATE kepler.records SET data = '{"v": 2}';
TABLE pg_temp.state;
-- A place in the queue that is its first is kept.
SELECT ready_at AS place FROM kepler.enrichment_queue \gset
UPDATE kepler.records SET data = '{"v": 3}';
SELECT ready_at = :'place' AS kept FROM kepler.enrichment_queue;
-- At a worker.
UPDATE kepler.records SET enrichment = '{"of": 3}';
SELECT lease_id AS lease, attempt FROM kepler.claim_records('note', 'w') \gset
UPDATE kepler.records SET data = '{"v": 4}';
TABLE pg_temp.state;
SELECT outcome FROM kepler.complete_records(:lease, ARRAY['a'], ARRAY['{"of": 3}']::jsonb[]);
TABLE pg_temp.state;
-- Without clear_on_change it stays.
SELECT * FROM kepler.set_enrichment_policy('note', clear_on_change => false);
UPDATE kepler.records SET enrichment = '{"of": 4}';
UPDATE kepler.records SET data = '{"v": 5}';
TABLE pg_temp.state;
ROLLBACK;
