-- A record that is moved to another type while a worker has it is queued for that type's workers, and no worker of
-- the old one gets it back or writes to it.
\set SHOW_CONTEXT never
BEGIN;
SELECT kepler.set_enrichment_policy('company', backoff_base => '0') AS companies,
    kepler.set_enrichment_policy('person') AS people;
INSERT INTO kepler.records (id, entity_type)
VALUES ('failing', 'company'), ('done', 'company'), ('unqueued', 'company');
SELECT DISTINCT lease_id AS lease FROM kepler.claim_records('company', 'w', 9) \gset
UPDATE kepler.records SET entity_type = CASE id WHEN 'unqueued' THEN 'nothing' ELSE 'person' END;
SELECT r.id, r.enrichment_status, q.entity_type AS queued_as
FROM kepler.records AS r LEFT JOIN kepler.enrichment_queue AS q ON q.record_id = r.id ORDER BY 1;
SELECT record_id, outcome FROM kepler.settle_records(:lease, '[
    {"record_id": "failing", "action": "fail"}, {"record_id": "done", "result": {"by": "w"}},
    {"record_id": "unqueued", "action": "release"}]'::json);
SELECT count(*) AS leases FROM kepler.leases;
SELECT record_id FROM kepler.claim_records('company', 'w', 9);
SELECT record_id, attempt FROM kepler.claim_records('person', 'w', 9) ORDER BY 1;

-- Where the triggers are off, a claim still looks at what the record says.
INSERT INTO kepler.records (id, entity_type) VALUES ('around', 'company');
SET LOCAL session_replication_role = replica;
UPDATE kepler.records SET entity_type = 'person' WHERE id = 'around';
SET LOCAL session_replication_role = origin;
SELECT record_id FROM kepler.claim_records('company', 'w', 9);
SELECT count(*) AS queued FROM kepler.enrichment_queue;
-- Where the backlog is said to begin again, what is missing is queued.
UPDATE kepler.enrichment_policies SET backlog_after = '' WHERE entity_type = 'person';
SELECT * FROM kepler.set_enrichment_policy('person');
SELECT record_id FROM kepler.claim_records('person', 'w', 9);
ROLLBACK;
