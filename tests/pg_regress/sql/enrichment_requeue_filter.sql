-- requeue_records takes a filter over data: only records that meet it are put back.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
SELECT * FROM kepler.set_enrichment_policy('note', max_attempts => 1);
INSERT INTO kepler.records (id, entity_type, data, updated_at)
SELECT 'r' || i, 'note', jsonb_build_object('n', i, 'lang', CASE WHEN i % 2 = 0 THEN 'en' ELSE 'de' END), '2025-01-01'::timestamptz + i * interval '1 day' FROM generate_series(1, 6) AS i;
SELECT min(lease_id) AS lease FROM kepler.claim_records('note', 'w', 9) \gset
SELECT count(*) FROM kepler.fail_records(:lease, '{r1, r2, r3}', 'no such page');
SELECT count(*) FROM kepler.fail_records(:lease, '{r4, r5}', 'no such page');
-- By type: up to max_rows of those that meet it, however many do not. r6 is PENDING.
SELECT record_id, outcome FROM kepler.requeue_records(entity_type => 'note', filter => '{"lang": "de", "n": {"$gte": 2}}', max_rows => 1);
SELECT record_id, outcome FROM kepler.requeue_records(entity_type => 'note', filter => '{"lang": "fr"}');
-- By id: one that does not meet it stays as it is.
SELECT record_id, outcome FROM kepler.requeue_records('{r1, r2, r4, r6, none}', filter => '{"n": {"$in": [2, 6]}}');
SELECT record_id FROM kepler.failed_enrichments ORDER BY 1;
-- Without one, all.
SELECT record_id, outcome FROM kepler.requeue_records(entity_type => 'note', filter => NULL);
-- A filter that is not valid is refused, with all that is wrong, also where no record is there.
SELECT * FROM kepler.requeue_records(entity_type => 'note', filter => '{"n": {"$above": 1}, "$or": []}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.requeue_records('{none}', filter => '[1]');
ROLLBACK;
