-- What was written around Kepler's triggers is found and repaired: PENDING without a lease, and a lease without records.
\set SHOW_CONTEXT never
SELECT * FROM kepler.set_enrichment_policy('lead');
INSERT INTO kepler.records (id, entity_type) SELECT 'r' || i, 'lead' FROM generate_series(1, 6) AS i;
INSERT INTO kepler.records (id, entity_type) VALUES ('other', 'none');
SELECT lease_id AS lease FROM kepler.claim_records('lead', 'w', 2) LIMIT 1 \gset
SELECT count(*) FROM kepler.claim_records('lead', 'w', 1);
-- Nothing to do.
CALL kepler.repair_enrichment();
SET session_replication_role = replica;
DELETE FROM kepler.leases WHERE id = :lease;
UPDATE kepler.records SET enrichment_status = 'PENDING', enrichment_lease_id = NULL WHERE id = 'other';
UPDATE kepler.records SET enrichment_status = 'APPLIED', enrichment_lease_id = NULL WHERE enrichment_lease_id > :lease;
RESET session_replication_role;
CALL kepler.repair_enrichment(max_rows => 2);
SELECT r.id, r.enrichment_status, r.enrichment_lease_id, q.attempt FROM kepler.records AS r LEFT JOIN kepler.enrichment_queue AS q ON q.record_id = r.id ORDER BY 1;
SELECT count(*) AS leases FROM kepler.leases;
CALL kepler.repair_enrichment();
SELECT count(*) AS claimed FROM kepler.claim_records('lead', 'w', 9);
-- Inside of a transaction it cannot commit. What cannot be meant.
BEGIN;
CALL kepler.repair_enrichment();
\echo SQLSTATE :LAST_ERROR_SQLSTATE
ROLLBACK;
CALL kepler.repair_enrichment(max_rows => 0);
CALL kepler.repair_enrichment(max_rows => NULL);
CALL kepler.repair_enrichment(workspace_id => NULL);
DELETE FROM kepler.records;
DELETE FROM kepler.leases;
DELETE FROM kepler.lease_records;
DELETE FROM kepler.enrichment_policies;
