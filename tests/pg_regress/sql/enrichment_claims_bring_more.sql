-- A claim brings what a worker asks for first: what the record is called, where it comes from, and what was found before.
-- The log says who made an attempt, and from when to when.
\set SHOW_CONTEXT never
BEGIN;
SELECT * FROM kepler.set_enrichment_policy('lead', backoff_base => '0');
SELECT count(*) FROM kepler.upsert_records('lead', '[{"external_id": "a", "data": {"n": 1}}]', source => 'crm');
INSERT INTO kepler.records (id, entity_type, data, enrichment) VALUES ('bare', 'lead', '{}', '{"known": true}');
SELECT c.external_id, c.source, c.enrichment, c.data, r.entity_id IS NOT DISTINCT FROM c.entity_id AS same_entity
FROM kepler.claim_records('lead', 'worker one', 2) AS c JOIN kepler.records AS r ON r.id = c.record_id ORDER BY 1;
SELECT l.id AS lease, r.id AS a FROM kepler.leases AS l, kepler.records AS r WHERE r.external_id = 'a' \gset
SELECT outcome FROM kepler.complete_records(:lease, ARRAY[:'a'], ARRAY['{"x": 1, "y": null}'::jsonb]);
SELECT outcome FROM kepler.fail_records(:lease, ARRAY['bare'], 'no');
-- The next claim brings the result, null members included.
SELECT outcome FROM kepler.requeue_records(ARRAY[:'a'], enrichment_status => 'APPLIED');
SELECT external_id, attempt, enrichment FROM kepler.claim_records('lead', 'worker two', 2) ORDER BY 1;
-- Also of an attempt that ends with its lease.
UPDATE kepler.leases SET lease_until = '2001-01-01', deadline = '2001-01-01';
SELECT pg_sleep(0.01) IS NULL AS slept;
SELECT count(*) FROM kepler.claim_records('lead', 'worker three', 2);
SELECT worker, outcome, started_at <= ended_at AS in_order, started_at > now() - interval '1 minute' AS now, ended_at IS NOT NULL AS ended
FROM kepler.enrichment_attempts ORDER BY lease_id, outcome;
ROLLBACK;
