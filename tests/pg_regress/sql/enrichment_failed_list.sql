-- The list of failures shows every FAILED record: with what the last attempt said while the log has it, and without
-- when the log was cleaned or nobody tried.
\set SHOW_CONTEXT never
BEGIN;
SELECT * FROM kepler.set_enrichment_policy('note', max_attempts => 1);
INSERT INTO kepler.records (id, entity_type) VALUES ('a', 'note'), ('by hand', 'note'), ('expired', 'note'), ('fine', 'note');
SELECT min(lease_id) AS lease FROM kepler.claim_records('note', 'w', 9) \gset
SELECT record_id, outcome FROM kepler.fail_records(:lease, '{a}', 'no such page');
SELECT record_id, outcome FROM kepler.complete_records(:lease, '{fine}');
UPDATE kepler.records SET enrichment_status = 'FAILED' WHERE id = 'by hand';
UPDATE kepler.leases SET lease_until = '2001-01-01', deadline = '2001-01-01';
SELECT count(*) AS claimed FROM kepler.claim_records('note', 'w');
SELECT record_id, enrichment_status, attempt, error FROM kepler.failed_enrichments ORDER BY 1;
-- The log is cleaned.
DELETE FROM kepler.enrichment_attempts;
SELECT record_id, enrichment_status, attempt, error, ended_at FROM kepler.failed_enrichments ORDER BY 1;
-- All of them can be requeued, and are then off the list.
SELECT count(*) AS requeued FROM kepler.requeue_records(entity_type => 'note') WHERE outcome = 'requeued';
SELECT count(*) AS failed FROM kepler.failed_enrichments;
ROLLBACK;
