-- Direct SQL goes through the same states, and the queue follows it.
\set SHOW_CONTEXT never
BEGIN;
SELECT * FROM kepler.enrichment_transitions();
SELECT kepler.set_enrichment_policy('note');
INSERT INTO kepler.records (id, entity_type) VALUES ('a', 'note'), ('b', 'note'), ('c', 'other');
CREATE TEMP VIEW state AS
SELECT r.id, r.enrichment_status, q.record_id IS NOT NULL AS queued, r.enrichment_lease_id IS NOT NULL AS leased
FROM kepler.records AS r LEFT JOIN kepler.enrichment_queue AS q ON q.record_id = r.id ORDER BY 1;
TABLE state;

-- Every transition that is none is refused, in every direction, and the others are not.
CREATE FUNCTION pg_temp.try(one text, other text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    UPDATE kepler.records SET enrichment_status = 'UNAPPLIED' WHERE id = 'c' AND enrichment_status <> 'UNAPPLIED';
    IF one <> 'UNAPPLIED' THEN UPDATE kepler.records SET enrichment_status = 'PENDING' WHERE id = 'c'; END IF;
    UPDATE kepler.records SET enrichment_status = one::kepler.record_enrichment_status WHERE id = 'c';
    UPDATE kepler.records SET enrichment_status = other::kepler.record_enrichment_status WHERE id = 'c';
    RETURN 'legal';
EXCEPTION WHEN check_violation THEN
    RETURN SQLERRM;
END $$;
SELECT one, other, pg_temp.try(one::text, other::text) AS answer,
    EXISTS (SELECT FROM kepler.enrichment_transitions() WHERE from_status = one AND to_status = other) AS in_the_table
FROM unnest(enum_range(NULL::kepler.record_enrichment_status)) AS one, unnest(enum_range(NULL::kepler.record_enrichment_status)) AS other
WHERE one <> other ORDER BY one, other;
SAVEPOINT before;
UPDATE kepler.records SET enrichment_status = 'APPLIED' WHERE id = 'a';
\echo SQLSTATE :LAST_ERROR_SQLSTATE
ROLLBACK TO before;

-- Taken by hand: no claim hands it out. Given back: it is queued.
UPDATE kepler.records SET enrichment_status = 'PENDING' WHERE id = 'a';
SELECT record_id FROM kepler.claim_records('note', 'w', 5);
TABLE state;
UPDATE kepler.records SET enrichment_status = 'UNAPPLIED' WHERE id = 'a';
-- Finished by hand while a worker has it: the worker has lost it.
UPDATE kepler.records SET enrichment_status = 'APPLIED' WHERE id = 'b';
TABLE state;
SELECT outcome FROM kepler.complete_records((SELECT id FROM kepler.leases), ARRAY['b'], ARRAY['{"late": true}']::jsonb[]);
SELECT count(*) AS leases FROM kepler.leases;
-- New content, deletion, archive, another type, and gone for good.
UPDATE kepler.records SET data = '{"v": 2}' WHERE id = 'b';
TABLE state;
UPDATE kepler.records SET deleted_at = now() WHERE id = 'a';
UPDATE kepler.records SET status = 'ARCHIVED' WHERE id = 'b';
TABLE state;
UPDATE kepler.records SET deleted_at = NULL WHERE id = 'a';
UPDATE kepler.records SET entity_type = 'other' WHERE id = 'a';
UPDATE kepler.records SET entity_type = 'note' WHERE id = 'c';
TABLE state;
-- What a worker has is not PENDING once it is deleted.
SELECT record_id FROM kepler.claim_records('note', 'w', 5);
UPDATE kepler.records SET deleted_at = now() WHERE id = 'c';
TABLE state;
DELETE FROM kepler.records WHERE id = 'c';
SELECT count(*) FROM kepler.enrichment_queue;

-- A row that got into the queue around the triggers (here they are off) does not block it.
ALTER TABLE kepler.records DISABLE TRIGGER USER;
INSERT INTO kepler.records (id, entity_type, enrichment_status) VALUES ('d', 'note', 'APPLIED');
ALTER TABLE kepler.records ENABLE TRIGGER USER;
INSERT INTO kepler.enrichment_queue (record_id, entity_type, ready_at) VALUES ('d', 'note', '2000-01-01');
SELECT count(*) FROM kepler.claim_records('note', 'w', 5);
SELECT count(*) FROM kepler.enrichment_queue;

-- Without a policy nothing is queued any more, and nothing is PENDING.
UPDATE kepler.records SET status = 'ACTIVE' WHERE id = 'b';
SELECT record_id FROM kepler.claim_records('note', 'w', 5);
SELECT kepler.drop_enrichment_policy('note'), kepler.drop_enrichment_policy('note') AS again;
TABLE state;
SELECT count(*) AS leases FROM kepler.leases;
ROLLBACK;
