-- A worker claims records, keeps its lease alive, and settles them: each element has an answer, and what was found stands
-- beside the data.
\set SHOW_CONTEXT never
BEGIN;
SELECT kepler.upsert_records_summary('company', '[{"external_id": "a", "data": {"v": 1}}, {"external_id": "b", "data": {"v": 2}}]')->'inserted' AS inserted;
CREATE TEMP VIEW state AS
SELECT r.external_id, r.enrichment_status, r.enrichment,
    coalesce(q.attempt, (SELECT m.attempts[array_position(m.record_ids, r.id)] FROM kepler.lease_records AS m WHERE m.lease_id = r.enrichment_lease_id)) AS attempt,
    r.enrichment_lease_id IS NOT NULL AS leased
FROM kepler.records AS r LEFT JOIN kepler.enrichment_queue AS q ON q.record_id = r.id ORDER BY 1;

-- A policy queues what is there, and upserts queue what comes.
SELECT * FROM kepler.set_enrichment_policy('company', max_attempts => 3);
SELECT * FROM kepler.set_enrichment_policy('company', max_attempts => 3);
SELECT kepler.upsert_records_summary('company', (
    SELECT json_agg(json_build_object('external_id', e, 'data', '{"v": 3}'::json)) FROM unnest('{c,d,e,f,g}'::text[]) AS e)::text)->'inserted' AS inserted;
SELECT kepler.next_claim_at('company') <= clock_timestamp() AS now;

-- The oldest first.
CREATE TEMP TABLE claimed AS SELECT * FROM kepler.claim_records('company', 'worker 1', 6);
SELECT external_id, attempt, data, source_updated_at, lease_until > clock_timestamp() + interval '4 min' AS lease FROM claimed ORDER BY 1;
SELECT worker, entity_type, length FROM kepler.leases;
TABLE state;
-- Nobody else gets them.
SELECT count(*) FROM kepler.claim_records('company', 'worker 2', 6);
SELECT count(*) FROM kepler.claim_records('company', 'worker 2', 6);

-- A heartbeat extends the lease of all of them.
SELECT kepler.extend_lease(lease_id, '1 hour') > clock_timestamp() + interval '59 min' AS extended FROM claimed LIMIT 1;

-- All kinds of ends in one call, an answer to each element.
\set id '(SELECT record_id FROM claimed WHERE external_id = '
SELECT s.ordinal, c.external_id, s.outcome, s.error FROM kepler.settle_records((SELECT lease_id FROM claimed LIMIT 1), jsonb_build_array(
    jsonb_build_object('record_id', :id 'a'), 'result', '{"size": 9, "o": {"x": 1}}'::jsonb),
    jsonb_build_object('record_id', :id 'a')),
    jsonb_build_object('record_id', :id 'b'), 'action', 'fail', 'error', 'not reached'),
    jsonb_build_object('record_id', :id 'c'), 'action', 'fail', 'error', 'never', 'retryable', false),
    jsonb_build_object('record_id', :id 'd'), 'action', 'release'),
    jsonb_build_object('record_id', :id 'e'), 'result', 1),
    jsonb_build_object('record_id', 'nobody'),
    jsonb_build_object('action', 'complete'),
    7)) AS s LEFT JOIN claimed AS c USING (record_id) ORDER BY s.ordinal;
TABLE state;
-- What has not been settled stays with the lease, which goes with the last of it.
SELECT outcome FROM kepler.complete_records((SELECT lease_id FROM claimed LIMIT 1), ARRAY[:id 'e'), :id 'f')], ARRAY['{"w": 1}', NULL]::jsonb[]);
SELECT external_id, enrichment_status, enrichment FROM state WHERE external_id IN ('e', 'f');
SELECT worker FROM kepler.leases;
-- Said again by a worker who did not hear the answer.
SELECT outcome FROM kepler.complete_records((SELECT lease_id FROM claimed LIMIT 1), ARRAY[:id 'e'), :id 'f')]);
SELECT kepler.extend_lease(lease_id) IS NULL AS lost FROM claimed LIMIT 1;

-- The log has an end for each claim.
SELECT c.external_id, a.attempt, a.outcome, a.error FROM kepler.enrichment_attempts AS a JOIN claimed AS c USING (lease_id, record_id) ORDER BY 1;
SELECT record_id = :id 'c') AS c, attempt, error FROM kepler.failed_enrichments;

-- A failed one waits, between half of the backoff and all of it; a released one does not, and its attempt does not count.
SELECT q.attempt, q.ready_at - clock_timestamp() BETWEEN '4 s' AND '10 s' AS waits FROM kepler.enrichment_queue AS q WHERE q.record_id = :id 'b');
SELECT r.external_id, c.attempt FROM kepler.claim_records('company', 'worker 3', 6) AS c JOIN kepler.records AS r ON r.id = c.record_id;
ROLLBACK;
