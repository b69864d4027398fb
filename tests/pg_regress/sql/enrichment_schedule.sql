-- A record has a priority and an earliest time: claims take the higher priority first, then what was ready first.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
SELECT * FROM kepler.set_enrichment_policy('lead', backoff_base => '0', backoff_cap => '0');
INSERT INTO kepler.records (id, entity_type, data) SELECT 'r' || i, 'lead', jsonb_build_object('n', i) FROM generate_series(1, 9) AS i;
UPDATE kepler.enrichment_queue SET ready_at = '2001-01-01'::timestamptz + substr(record_id, 2)::integer * interval '1 second';
-- A policy without priorities says so, for that record; an earliest time needs none.
SELECT record_id, outcome, error_code, error FROM kepler.schedule_records('{r5, r6}', 3);
SELECT outcome FROM kepler.set_enrichment_policy('lead', priorities => true);
SELECT ordinal, record_id, outcome, error_code FROM kepler.schedule_records('{r5, r6, r5, none, NULL}', 3);
SELECT outcome FROM kepler.schedule_records('{r9}', 9);
SELECT outcome FROM kepler.schedule_records('{r9}', 9);
SELECT outcome FROM kepler.schedule_records('{r1}', 9, clock_timestamp() + interval '1 day');
-- r1 waits in spite of its priority.
SELECT record_id FROM kepler.claim_records('lead', 'w', 4);
-- A retry and a release keep the priority.
SELECT id AS lease FROM kepler.leases \gset
SELECT record_id, outcome FROM kepler.settle_records(:lease, '[{"record_id": "r9", "action": "release"}, {"record_id": "r6", "action": "fail", "retry_in": 0}, {"record_id": "r2", "action": "release"}, {"record_id": "r5"}]');
SELECT record_id, priority, attempt FROM kepler.enrichment_queue WHERE record_id IN ('r2', 'r6', 'r9') ORDER BY 1;
SELECT record_id FROM kepler.claim_records('lead', 'w', 2);
-- So does a lease that expires.
UPDATE kepler.leases SET lease_until = '2001-01-01', deadline = '2001-01-01';
SELECT count(*) FROM kepler.claim_records('lead', 'w', 9);
SELECT record_id, priorities[array_position(record_ids, record_id)] AS priority, attempts[array_position(record_ids, record_id)] AS attempt
FROM kepler.lease_records, unnest('{r3, r6, r9}'::text[]) AS record_id ORDER BY 1;
-- New content does not bring a record forward; a time that is over does.
SELECT outcome FROM kepler.schedule_records('{r1}', NULL, '2099-01-01');
UPDATE kepler.enrichment_queue SET attempt = 2 WHERE record_id = 'r1';
UPDATE kepler.records SET data = '{"n": 100}' WHERE id = 'r1';
SELECT priority, attempt, not_before = '2099-01-01' AS waits, ready_at > '2098-01-01' AS late FROM kepler.enrichment_queue WHERE record_id = 'r1';
SELECT outcome FROM kepler.schedule_records('{r1}', 0, '-1 day'::interval + now());
SELECT priority, not_before, ready_at <= clock_timestamp() AS ready FROM kepler.enrichment_queue WHERE record_id = 'r1';
-- Who holds a record has it; deleted ones are gone; what is over is no more in the queue.
SELECT outcome FROM kepler.schedule_records('{r9, r5}', 1);
SELECT count(*) FROM kepler.delete_records('{r1}');
SELECT outcome FROM kepler.schedule_records('{r1}', 1);
-- What cannot be meant.
SELECT outcome FROM kepler.schedule_records('{r1}', 10);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT outcome FROM kepler.schedule_records('{r1}', -2147483648);
SELECT outcome FROM kepler.schedule_records('{r1}');
SELECT outcome FROM kepler.schedule_records('{r1}', 1, 'infinity');
SELECT outcome FROM kepler.schedule_records('{r1}', 1, '-infinity');
SELECT outcome FROM kepler.schedule_records(NULL, 1);
SELECT outcome FROM kepler.schedule_records('{}', 1);
INSERT INTO kepler.enrichment_queue (record_id, entity_type, ready_at, priority) VALUES ('r', 'lead', '2001-01-01', 10);
ROLLBACK;

-- In the transaction of the upsert nobody gets the record before.
BEGIN;
SELECT * FROM kepler.set_enrichment_policy('lead', priorities => true);
SELECT count(*) FROM kepler.upsert_records('lead', '[{"external_id": "a", "data": {}}, {"external_id": "b", "data": {}}, {"external_id": "c", "data": {}}]');
SELECT s.outcome FROM kepler.records AS r, kepler.schedule_records(ARRAY[r.id], 5) AS s WHERE r.external_id = 'c';
SELECT external_id FROM kepler.claim_records('lead', 'w', 1);
SELECT external_id FROM kepler.claim_records('lead', 'w', 9);
ROLLBACK;

-- Turns go before priorities: nobody takes the turns of others by giving all their records the highest one.
BEGIN;
SELECT * FROM kepler.set_enrichment_policy('lead', priorities => true, fair => true);
SELECT count(*) FROM generate_series(1, 3) AS k, kepler.upsert_records('lead', (SELECT jsonb_agg(jsonb_build_object('external_id', i, 'data', jsonb_build_object('n', i))) FROM generate_series(1, 5) AS i), source => 's' || k);
SELECT count(*) FROM kepler.records AS r, kepler.schedule_records(ARRAY[r.id], 9) AS s WHERE r.source = 's1';
SELECT count(*) FROM kepler.records AS r, kepler.schedule_records(ARRAY[r.id], 2) AS s WHERE r.source = 's2' AND r.external_id = '4';
SELECT source, array_agg(external_id ORDER BY external_id) FROM kepler.claim_records('lead', 'w', 3) GROUP BY 1 ORDER BY 1;
SELECT source, count(*) FROM kepler.claim_records('lead', 'w', 6) GROUP BY 1 ORDER BY 1;
ROLLBACK;
