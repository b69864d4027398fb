-- A worker that row security lets see some records claims those, and leaves the others in the queue.
\set SHOW_CONTEXT never
BEGIN;
SELECT * FROM kepler.set_enrichment_policy('note');
INSERT INTO kepler.records (id, entity_type) SELECT 'r' || i, 'note' FROM generate_series(1, 4) AS i;
CREATE ROLE kepler_regress_worker;
GRANT USAGE ON SCHEMA kepler, kepler_internal TO kepler_regress_worker;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA kepler, kepler_internal TO kepler_regress_worker;
GRANT ALL ON ALL TABLES IN SCHEMA kepler, kepler_internal TO kepler_regress_worker;
GRANT ALL ON ALL SEQUENCES IN SCHEMA kepler, kepler_internal TO kepler_regress_worker;
CREATE POLICY own ON kepler.records AS RESTRICTIVE TO kepler_regress_worker USING (id IN ('r3', 'r4'));
SET LOCAL ROLE kepler_regress_worker;
SELECT record_id FROM kepler.claim_records('note', 'restricted', 1) ORDER BY 1;
SELECT record_id FROM kepler.claim_records('note', 'restricted', 9) ORDER BY 1;
-- What it sees and cannot be claimed is dropped from the queue as ever.
INSERT INTO kepler.enrichment_queue (record_id, entity_type, ready_at) VALUES ('r3', 'note', '2000-01-01');
SELECT record_id FROM kepler.claim_records('note', 'restricted', 9) ORDER BY 1;
RESET ROLE;
SELECT record_id FROM kepler.enrichment_queue ORDER BY 1;
SELECT record_id FROM kepler.claim_records('note', 'owner', 9) ORDER BY 1;
ROLLBACK;
