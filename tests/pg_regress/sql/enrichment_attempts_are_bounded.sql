-- Peers' jobs that fail for ever. Here an attempt that failed or expired counts; after the last one the record is FAILED,
-- which is the list of dead letters. Requeued, it begins anew.
\set SHOW_CONTEXT never
BEGIN;
SELECT kepler.set_enrichment_policy('lead', max_attempts => 2, backoff_base => '0', lease => '1 hour');
SELECT outcome FROM kepler.upsert_record('lead', 'a', '{"v": 1}');
SELECT outcome FROM kepler.upsert_record('lead', 'b', '{"v": 1}');
CREATE FUNCTION pg_temp.claim_and_fail() RETURNS TABLE (attempt int, outcome text) LANGUAGE sql AS $$
    SELECT c.attempt, f.outcome FROM (SELECT min(lease_id) AS lease_id, min(attempt) AS attempt, array_agg(record_id) AS ids FROM kepler.claim_records('lead', 'w', 10)) AS c,
        kepler.fail_records(c.lease_id, c.ids, 'attempt ' || c.attempt) AS f
$$;
SELECT * FROM pg_temp.claim_and_fail();
-- The second time the worker is never heard of again.
SELECT attempt FROM kepler.claim_records('lead', 'lost', 1, lease => '1 ms');
SELECT pg_sleep(0.01);
SELECT * FROM pg_temp.claim_and_fail();
SELECT count(*) FROM kepler.claim_records('lead', 'w', 10);
SELECT attempt, error FROM kepler.failed_enrichments ORDER BY error;
SELECT count(*) AS queued FROM kepler.enrichment_queue;

-- New content is another chance.
SELECT outcome FROM kepler.upsert_record('lead', 'a', '{"v": 2}');
SELECT attempt, data FROM kepler.claim_records('lead', 'w', 10);
-- So is a requeue; each id has an answer.
SELECT ordinal, outcome FROM kepler.requeue_records((SELECT array_agg(id ORDER BY external_id DESC) || array_agg(id ORDER BY external_id) || ARRAY['none'] FROM kepler.records));
SELECT attempt FROM kepler.claim_records('lead', 'w', 10);
SELECT count(*) AS failed FROM kepler.failed_enrichments;
-- By type: those that are FAILED.
SELECT outcome FROM kepler.fail_records((SELECT max(id) FROM kepler.leases), (SELECT array_agg(id ORDER BY external_id) FROM kepler.records), 'no', retryable => false);
SELECT outcome FROM kepler.requeue_records(entity_type => 'lead');
SELECT enrichment_status, count(*) FROM kepler.records GROUP BY 1 ORDER BY 1;
ROLLBACK;
