-- A type can be paused: claims give nothing and pollers are told so, and what workers hold already may be settled.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
SELECT * FROM kepler.set_enrichment_policy('lead');
SELECT * FROM kepler.set_enrichment_policy('other');
INSERT INTO kepler.records (id, entity_type) SELECT 'r' || i, 'lead' FROM generate_series(1, 4) AS i;
INSERT INTO kepler.records (id, entity_type) VALUES ('o', 'other');
SELECT min(lease_id) AS lease FROM kepler.claim_records('lead', 'w', 2) \gset
SELECT kepler.pause_enrichment('lead') AS paused, kepler.pause_enrichment('lead') AS again;
SELECT entity_type, paused_at IS NOT NULL AS paused FROM kepler.enrichment_policies ORDER BY 1;
SELECT count(*) AS claimed FROM kepler.claim_records('lead', 'w', 9);
SELECT count(*) AS claimed FROM kepler.claim_records('lead', 'w', 9, options => '{"filter": {}}');
SELECT kepler.next_claim_at('lead') IS NULL AS nothing_to_wait_for;
-- Others go on.
SELECT count(*) AS claimed FROM kepler.claim_records('other', 'w', 9);
-- What is held may be extended and settled; new records are queued.
SELECT kepler.extend_lease(:lease, '1 hour') > clock_timestamp() + interval '50 minutes' AS extended;
SELECT record_id, outcome FROM kepler.settle_records(:lease, '[{"record_id": "r1", "result": {"a": 1}}, {"record_id": "r2", "action": "fail", "retry_in": 0}]');
SELECT count(*) FROM kepler.upsert_records('lead', '[{"external_id": "new", "data": {}}]');
SELECT count(*) AS queued FROM kepler.enrichment_queue WHERE entity_type = 'lead';
-- The other settings can change, and the type stays paused.
SELECT outcome FROM kepler.set_enrichment_policy('lead', fair => true);
SELECT count(*) AS claimed FROM kepler.claim_records('lead', 'w', 9);
SELECT kepler.resume_enrichment('lead') AS resumed, kepler.resume_enrichment('lead') AS again;
SELECT kepler.next_claim_at('lead') <= clock_timestamp() AS now;
SELECT count(*) AS claimed FROM kepler.claim_records('lead', 'w', 9);
-- By direct SQL too. A policy that is dropped and declared again is not paused.
UPDATE kepler.enrichment_policies SET paused_at = now() WHERE entity_type = 'other';
UPDATE kepler.leases SET lease_until = '2001-01-01', deadline = '2001-01-01' WHERE entity_type = 'other';
SELECT count(*) AS claimed FROM kepler.claim_records('other', 'w', 9);
SELECT kepler.drop_enrichment_policy('other');
SELECT outcome, queued FROM kepler.set_enrichment_policy('other');
SELECT count(*) AS claimed FROM kepler.claim_records('other', 'w', 9);
-- A pause that is rolled back never was.
SAVEPOINT before;
SELECT kepler.pause_enrichment('lead');
ROLLBACK TO before;
INSERT INTO kepler.records (id, entity_type) VALUES ('r9', 'lead');
SELECT count(*) AS claimed FROM kepler.claim_records('lead', 'w', 9);
-- A type without a policy, and NULL, are errors.
SELECT kepler.pause_enrichment('typo');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.resume_enrichment('typo');
SELECT kepler.pause_enrichment(NULL);
SELECT kepler.resume_enrichment('lead', NULL);
ROLLBACK;
