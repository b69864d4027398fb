-- A claim with a filter takes only what meets it. It looks at a bounded number of records, and the next one goes on.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
SELECT * FROM kepler.set_enrichment_policy('lead');
SELECT count(*) FROM kepler.upsert_records('lead', (SELECT jsonb_agg(jsonb_build_object('external_id', i, 'data', jsonb_build_object('n', i, 'lang', CASE WHEN i % 3 = 0 THEN 'de' ELSE 'en' END))) FROM generate_series(1, 30) AS i));
SELECT external_id FROM kepler.claim_records('lead', 'w', 2, options => '{"filter": {"lang": "de"}}');
SELECT external_id FROM kepler.claim_records('lead', 'w', 3, options => '{"filter": {"lang": "de", "n": {"$gte": 20}}}');
SELECT external_id FROM kepler.claim_records('lead', 'w', 9, options => '{"filter": {"lang": "fr"}}');
-- What does not meet it is there for others, and is in nobody's hands.
SELECT external_id FROM kepler.claim_records('lead', 'w', 3);
-- All digits count.
UPDATE kepler.records SET data = '{"id": 12345678901234567890123}' WHERE external_id = '28';
SELECT external_id FROM kepler.claim_records('lead', 'w', 3, options => '{"filter": {"id": 12345678901234567890124}}');
SELECT external_id FROM kepler.claim_records('lead', 'w', 3, options => '{"filter": {"id": 12345678901234567890123}}');
-- Priorities hold.
SELECT outcome FROM kepler.set_enrichment_policy('lead', priorities => true);
SELECT s.outcome FROM kepler.records AS r, kepler.schedule_records(ARRAY[r.id], 4) AS s WHERE r.external_id IN ('17', '18') ORDER BY r.external_id;
SELECT external_id FROM kepler.claim_records('lead', 'w', 2, options => '{"filter": {"lang": "de"}}');
-- No filter at all, and one that asks for nothing.
SELECT count(*) FROM kepler.claim_records('lead', 'w', 1, options => '{"filter": null}');
SELECT count(*) FROM kepler.claim_records('lead', 'w', 1, options => '{"filter": {}}');
-- What is no filter is told, also of a type with nothing to claim.
SELECT kepler.claim_records('lead', 'w', 1, options => '{"filter": {"n": {"$above": 1}, "$or": []}}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.claim_records('lead', 'w', 1, options => '{"filter": [1]}');
SELECT kepler.claim_records('lead', 'w', 1, options => '{"filter": "x", "fairness": 1}');
ROLLBACK;

-- Of 2,500 that are ready, the last meets it: the third claim finds it, and none has read them all.
BEGIN;
SELECT * FROM kepler.set_enrichment_policy('many');
INSERT INTO kepler.records (id, entity_type, data) SELECT 'm' || i, 'many', jsonb_build_object('n', i) FROM generate_series(1, 2500) AS i;
UPDATE kepler.enrichment_queue SET ready_at = '2001-01-01'::timestamptz + substr(record_id, 2)::integer * interval '1 second';
SELECT i, (SELECT count(*) FROM kepler.claim_records('many', 'w' || i, 1, options => '{"filter": {"n": 2500}}')) AS claimed FROM generate_series(1, 3) AS i;
SELECT count(*) FROM kepler.claim_records('many', 'w', 1, options => '{"filter": {"n": 1}}');
-- Behind the end it begins anew.
SELECT count(*) FROM kepler.claim_records('many', 'w', 1, options => '{"filter": {"n": 7}}');
-- One session's place is not kept where the claim is rolled back.
SAVEPOINT before;
SELECT count(*) FROM kepler.claim_records('many', 'w', 1, options => '{"filter": {"n": 1500}}');
ROLLBACK TO before;
SELECT count(*) FROM kepler.claim_records('many', 'w', 1, options => '{"filter": {"n": 1500}}');
SELECT count(*) FROM kepler.claim_records('many', 'w', 1, options => '{"filter": {"n": 1500}}');
ROLLBACK;

-- A lease that is released gives all of its records one time: those behind the first hundreds are found, and twice.
BEGIN;
SELECT outcome FROM kepler.set_enrichment_policy('tied');
SELECT count(*) FROM kepler.upsert_records('tied', (SELECT jsonb_agg(jsonb_build_object('external_id', i, 'data', jsonb_build_object('c', CASE WHEN i > 400 THEN 'de' ELSE 'en' END))) FROM generate_series(1, 500) AS i));
SELECT count(*) FROM kepler.claim_records('tied', 'w', 500);
SELECT count(*) FROM kepler.leases AS l, kepler.release_records(l.id) AS s;
SELECT count(DISTINCT ready_at) AS times FROM kepler.enrichment_queue;
SELECT i, (SELECT count(*) FROM kepler.claim_records('tied', 'w' || i, 60, options => '{"filter": {"c": "de"}}')) AS claimed FROM generate_series(1, 3) AS i;
SELECT count(*) FROM kepler.leases AS l, kepler.release_records(l.id) AS s;
SELECT i, (SELECT count(*) FROM kepler.claim_records('tied', 'w' || i, 60, options => '{"filter": {"c": "de"}}')) AS claimed FROM generate_series(4, 6) AS i;
ROLLBACK;

-- Claims go on behind what they took, not behind what they looked at; a lower priority comes when nothing of the higher is left.
BEGIN;
SELECT outcome FROM kepler.set_enrichment_policy('ranked', priorities => true);
INSERT INTO kepler.records (id, entity_type, data) SELECT 'k' || i, 'ranked', '{"c": "de"}' FROM generate_series(1, 600) AS i;
UPDATE kepler.enrichment_queue SET ready_at = '2001-01-01'::timestamptz + substr(record_id, 2)::integer * interval '1 second', priority = CASE WHEN substr(record_id, 2)::integer > 300 THEN 5 ELSE 0 END;
CREATE TEMP TABLE got AS
SELECT i, (SELECT array_agg(substr(c.record_id, 2)::integer) FROM kepler.claim_records('ranked', 'w' || i, 10, options => '{"filter": {"c": "de"}}') AS c) AS ranks FROM generate_series(1, 61) AS i;
SELECT i, cardinality(ranks) AS count, (SELECT min(r) || '-' || max(r) FROM unnest(ranks) AS r) AS ranks FROM got WHERE i IN (1, 2, 3, 29, 30, 31, 32, 59, 60, 61);
SELECT count(DISTINCT r) AS records, bool_and(cardinality(ranks) = 10) AS full FROM got, unnest(ranks) AS r;
ROLLBACK;
