-- A user's trigger on records may refuse a change or change the row on its way. No record is lost by that, none keeps
-- others from being claimed, and what is not stored as finished is not told as finished.
\set SHOW_CONTEXT never
BEGIN;
SELECT * FROM kepler.set_enrichment_policy('note', backoff_base => '0');
INSERT INTO kepler.records (id, entity_type) SELECT 'r' || i, 'note' FROM generate_series(1, 6) AS i;
UPDATE kepler.enrichment_queue
SET ready_at = '2000-01-01'::timestamptz + substr(record_id, 2)::integer * interval '1 microsecond';
CREATE VIEW pg_temp.state AS
SELECT r.id, r.enrichment_status, r.enrichment, q.record_id IS NOT NULL AS queued
FROM kepler.records AS r LEFT JOIN kepler.enrichment_queue AS q ON q.record_id = r.id ORDER BY 1;
CREATE FUNCTION pg_temp.meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE TRIGGER meddle BEFORE UPDATE ON kepler.records FOR EACH ROW EXECUTE FUNCTION pg_temp.meddle();

-- It swallows the claim of the oldest three: the next ones are claimed, and these wait with the reason.
CREATE OR REPLACE FUNCTION pg_temp.meddle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.id <= 'r3' THEN RETURN NULL; END IF;
    RETURN NEW;
END $$;
SELECT record_id FROM kepler.claim_records('note', 'w', 1);
SELECT record_id FROM kepler.claim_records('note', 'w', 9) ORDER BY 1;
SELECT worker, open_records, cardinality(m.record_ids) AS records
FROM kepler.leases AS l JOIN kepler.lease_records AS m ON m.lease_id = l.id ORDER BY l.id;
SELECT count(*) FROM kepler.claim_records('note', 'w', 9);
SELECT count(*) AS leases FROM kepler.leases;
TABLE pg_temp.state;

SELECT record_id, enrichment_status, attempt, error FROM kepler.failed_enrichments ORDER BY 1;
UPDATE kepler.enrichment_queue SET ready_at = '2000-01-01'::timestamptz + substr(record_id, 2)::integer * interval '1 microsecond';

-- It keeps the status as it was: what is not PENDING was not claimed, and waits on.
CREATE OR REPLACE FUNCTION pg_temp.meddle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.id = 'r1' THEN NEW.enrichment_status := OLD.enrichment_status; END IF;
    RETURN NEW;
END $$;
SELECT lease_id AS lease, record_id FROM kepler.claim_records('note', 'w', 1) \gset
SELECT :'record_id' AS record_id;
TABLE pg_temp.state;

-- It has each write change the content: the result that is stored is told as stored, and nothing is queued for it.
CREATE OR REPLACE FUNCTION pg_temp.meddle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.data := jsonb_build_object('seen', coalesce((OLD.data->>'seen')::integer, 0) + 1);
    RETURN NEW;
END $$;
SELECT outcome FROM kepler.complete_records(:lease, ARRAY[:'record_id'], ARRAY['{"a": 1}']::jsonb[]);
SELECT * FROM pg_temp.state WHERE id = :'record_id';

-- It does not think that the result is good enough: the record is queued again.
CREATE OR REPLACE FUNCTION pg_temp.meddle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.enrichment_status = 'APPLIED' THEN NEW.enrichment_status := 'UNAPPLIED'; END IF;
    RETURN NEW;
END $$;
SELECT lease_id AS lease, record_id FROM kepler.claim_records('note', 'w', 1) \gset
SELECT outcome FROM kepler.complete_records(:lease, ARRAY[:'record_id'], ARRAY['{"a": 1}']::jsonb[]);
SELECT enrichment_status, queued FROM pg_temp.state WHERE id = :'record_id';

-- It swallows the result, or keeps the record PENDING: the answer says so, and the record stays with its lease.
DROP TRIGGER meddle ON kepler.records;
SELECT lease_id AS lease, record_id FROM kepler.claim_records('note', 'w', 1) \gset
CREATE TRIGGER meddle BEFORE UPDATE ON kepler.records FOR EACH ROW EXECUTE FUNCTION pg_temp.meddle();
CREATE OR REPLACE FUNCTION pg_temp.meddle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.enrichment ? 'x' THEN RETURN NULL; END IF;
    IF NEW.enrichment ? 'y' THEN NEW.enrichment_status := 'PENDING'; END IF;
    RETURN NEW;
END $$;
SELECT outcome, error_code, error FROM kepler.complete_records(:lease, ARRAY[:'record_id'], ARRAY['{"x": 1}']::jsonb[]);
SELECT outcome, error_code, error FROM kepler.complete_records(:lease, ARRAY[:'record_id'], ARRAY['{"y": 1}']::jsonb[]);
SELECT outcome, error_code, error FROM kepler.complete_records(:lease, ARRAY[:'record_id'], ARRAY['{"z": 1}']::jsonb[]);
SELECT enrichment_status, enrichment, queued FROM pg_temp.state WHERE id = :'record_id';
ROLLBACK;
