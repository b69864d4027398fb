-- Errors say what to do.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
SELECT kepler.set_enrichment_policy('known');
-- A typo is no empty queue.
SELECT * FROM kepler.claim_records('knwon', 'w');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.next_claim_at('knwon');
SELECT * FROM kepler.requeue_records(entity_type => 'knwon');
SELECT kepler.next_claim_at('known') IS NULL AS nothing;
SELECT * FROM kepler.claim_records(NULL, 'w');
SELECT * FROM kepler.claim_records('known', ' ');
SELECT * FROM kepler.claim_records('known', 'w', 0);
SELECT * FROM kepler.claim_records('known', 'w', 10001);
SELECT * FROM kepler.claim_records('known', 'w', lease => '-1 s');
SELECT * FROM kepler.claim_records('known', 'w', options => '{"fare": 1, "fair": 1}');
SELECT * FROM kepler.claim_records('known', 'w', options => '{"fair": true}');
SELECT * FROM kepler.settle_records(NULL, '[]');
SELECT * FROM kepler.settle_records(1, NULL::text);
SELECT * FROM kepler.settle_records(1, '7');
SELECT * FROM kepler.settle_records(1, '[');
SELECT * FROM kepler.settle_records(1, '[]');
SELECT * FROM kepler.settle_records(1, '[{"record_id": "a"}]');
SELECT * FROM kepler.complete_records(1, '{a,b}', '{NULL}');
SELECT * FROM kepler.complete_records(1, NULL);
SELECT * FROM kepler.complete_records(1, '{a,b,c,d,NULL}', ARRAY['7', '"x"', 'null', repeat('[', 600)::text || repeat(']', 600), '{}']::jsonb[]);
SELECT * FROM kepler.fail_records(1, '{a,NULL}', NULL, NULL, '-1 s');
SELECT ordinal, outcome FROM kepler.fail_records(1, '{a}', 'why', false, '1 year');
SELECT * FROM kepler.fail_records(1, NULL, 'why');
SELECT * FROM kepler.release_records(1, '{a}', '2 years');
SELECT * FROM kepler.release_records(1);
SELECT * FROM kepler.release_records(NULL);
SELECT kepler.extend_lease(NULL);
SELECT kepler.extend_lease(1, '-1 s');
SELECT kepler.extend_lease(1) IS NULL AS lost;
SELECT kepler.set_enrichment_policy('known', max_attempts => 0);
SELECT kepler.set_enrichment_policy('known', lease => '0');
SELECT kepler.set_enrichment_policy('known', backoff_cap => '-1 s');
SELECT kepler.set_enrichment_policy('');
SELECT * FROM kepler.requeue_records();
SELECT * FROM kepler.requeue_records('{a}', enrichment_status => 'PENDING');
SELECT * FROM kepler.requeue_records('{a}');
-- What is not given stays.
SELECT kepler.set_enrichment_policy('known', max_attempts => 7);
SELECT kepler.set_enrichment_policy('known', lease => '1 min', notify => true);
SELECT entity_type, max_attempts, lease, backoff_base, backoff_cap, clear_on_change, fair, notify FROM kepler.enrichment_policies;
ROLLBACK;
