-- Direct SQL on the tables of the queue leaves no record where nobody looks for it: what it does is made good, or refused.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
SELECT * FROM kepler.set_enrichment_policy('note', backoff_base => '0');
INSERT INTO kepler.records (id, entity_type) SELECT 'r' || i, 'note' FROM generate_series(1, 4) AS i;
UPDATE kepler.enrichment_queue SET ready_at = '2000-01-01'::timestamptz + substr(record_id, 2)::integer * interval '1 second';
CREATE VIEW pg_temp.state AS
SELECT r.id, r.enrichment_status, r.enrichment_lease_id IS NOT NULL AS leased, q.attempt, q.entity_type AS queued_as
FROM kepler.records AS r LEFT JOIN kepler.enrichment_queue AS q ON q.record_id = r.id ORDER BY 1;

-- A lease is deleted: its records are given back, and the attempts before this one still count.
SELECT f.outcome FROM kepler.claim_records('note', 'w') AS c, kepler.fail_records(c.lease_id, ARRAY[c.record_id], 'no') AS f;
UPDATE kepler.enrichment_queue SET ready_at = '2000-01-01' WHERE attempt = 1;
SELECT record_id, attempt FROM kepler.claim_records('note', 'w', 2) ORDER BY 1;
DELETE FROM kepler.leases;
TABLE pg_temp.state;
SELECT count(*) AS lease_records FROM kepler.lease_records;

-- Who a record is never changes, neither in the queue nor at a worker.
SELECT record_id, attempt FROM kepler.claim_records('note', 'w', 2) ORDER BY 1;
UPDATE kepler.records SET id = 'x' WHERE id = 'r1';
\echo SQLSTATE :LAST_ERROR_SQLSTATE
UPDATE kepler.records SET id = 'x' WHERE id = 'r4';
-- Nor does the lease of a record that is at a worker, but by taking it back.
UPDATE kepler.records SET enrichment_lease_id = NULL WHERE enrichment_status = 'PENDING';
UPDATE kepler.records SET enrichment_lease_id = 7 WHERE enrichment_status = 'PENDING';
UPDATE kepler.records SET enrichment_status = 'UNAPPLIED' WHERE enrichment_status = 'PENDING';
TABLE pg_temp.state;

-- The queue holds what is to be enriched.
DELETE FROM kepler.enrichment_queue WHERE record_id = 'r1';
\echo SQLSTATE :LAST_ERROR_SQLSTATE
UPDATE kepler.enrichment_queue SET record_id = 'x' WHERE record_id = 'r1';
UPDATE kepler.enrichment_queue SET entity_type = 'other' WHERE record_id = 'r1';
TRUNCATE kepler.enrichment_queue;
\echo SQLSTATE :LAST_ERROR_SQLSTATE
-- What is not there or is not to be enriched can be put in, and goes at the next claim, or by hand.
INSERT INTO kepler.records (id, entity_type) VALUES ('s', 'other');
INSERT INTO kepler.enrichment_queue (record_id, entity_type, ready_at) VALUES ('nobody', 'note', '1999-01-01'), ('s', 'note', '1999-01-01'), ('t', 'other', '1999-01-01');
DELETE FROM kepler.enrichment_queue WHERE record_id = 't';
SELECT record_id FROM kepler.claim_records('note', 'w', 9) ORDER BY 1;
SELECT record_id FROM kepler.enrichment_queue WHERE record_id !~ '^r';
-- A row under another type does not keep its record from the queue of its own.
INSERT INTO kepler.enrichment_queue (record_id, entity_type) VALUES ('s', 'note');
SELECT * FROM kepler.set_enrichment_policy('other');
SELECT record_id FROM kepler.claim_records('other', 'w', 9);

-- What a lease was claimed with stays with it, and so do its type and its count.
DELETE FROM kepler.lease_records;
UPDATE kepler.lease_records SET record_ids = '{}';
TRUNCATE kepler.lease_records;
TRUNCATE kepler.leases;
UPDATE kepler.leases SET open_records = 0;
UPDATE kepler.leases SET entity_type = 'x';
-- The rest is the administrator's: a lease ends when he says so.
UPDATE kepler.leases SET lease_until = '2001-01-01', deadline = '2001-01-01' WHERE entity_type = 'note';
SELECT record_id, attempt FROM kepler.claim_records('note', 'w', 9) ORDER BY 1;

-- Policies by hand do what the functions do.
UPDATE kepler.enrichment_policies SET entity_type = 'x' WHERE entity_type = 'note';
DELETE FROM kepler.enrichment_policies WHERE entity_type = 'note';
TABLE pg_temp.state;
SELECT count(*) AS leases FROM kepler.leases WHERE entity_type = 'note';
TRUNCATE kepler.enrichment_policies;
COMMIT;
BEGIN;
INSERT INTO kepler.enrichment_policies (entity_type, fair) VALUES ('note', true);
SELECT count(*) AS queued, count(fair_key) AS fair FROM kepler.enrichment_queue WHERE entity_type = 'note';
UPDATE kepler.enrichment_policies SET fair = false WHERE entity_type = 'note';
SELECT count(*) AS queued, count(fair_key) AS fair FROM kepler.enrichment_queue WHERE entity_type = 'note';

-- All records at once: nothing waits, and nothing is held.
TRUNCATE kepler.records;
SELECT (SELECT count(*) FROM kepler.enrichment_queue) AS queued, (SELECT count(*) FROM kepler.leases) AS leases, (SELECT count(*) FROM kepler.lease_records) AS lease_records;
TRUNCATE kepler.records, kepler.enrichment_queue, kepler.leases, kepler.lease_records, kepler.enrichment_policies;
DELETE FROM kepler.enrichment_attempts;
COMMIT;
