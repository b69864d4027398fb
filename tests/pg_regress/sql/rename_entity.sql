-- An entity is renamed with its records: found under the new name at once, moved in steps, and in the queue of the policy that
-- the new type has.
\set SHOW_CONTEXT never
CREATE VIEW public.state AS
SELECT coalesce(r.external_id, r.id) AS id, r.entity_type AS type, r.source, e.type AS entity, r.enrichment_status AS enriched, q.entity_type AS queued, f.entity_type AS failed
FROM kepler.records AS r JOIN kepler.entities AS e ON e.id = r.entity_id
LEFT JOIN kepler.enrichment_queue AS q ON q.record_id = r.id LEFT JOIN kepler.enrichment_failures AS f ON f.record_id = r.id ORDER BY 1;
SELECT outcome FROM kepler.set_enrichment_policy('lead', max_attempts => 1);
SELECT outcome FROM kepler.set_enrichment_policy('prospect');
SELECT outcome FROM kepler.upsert_records('lead', '[{"external_id": "a", "data": {}}, {"external_id": "b", "data": {}}, {"external_id": "c", "data": {}}, {"external_id": "d", "data": {}}]', source => 'crm');
SELECT id AS entity FROM kepler.entities WHERE type = 'lead' \gset
INSERT INTO kepler.records (id, entity_id, entity_type, source) SELECT 'keyless ' || i, :'entity', 'lead', 'crm' FROM generate_series(1, 3) AS i;
SELECT lease_id AS lease, record_id AS first FROM kepler.claim_records('lead', 'w', 1) \gset
SELECT outcome FROM kepler.fail_records(:lease, ARRAY[:'first'], 'no');
SELECT lease_id AS lease, record_id AS first FROM kepler.claim_records('lead', 'w', 1) \gset
TABLE state;

-- Direct SQL says what to use.
UPDATE kepler.entities SET type = 'prospect' WHERE id = :'entity';
CALL kepler.rename_entity('lead', 'prospect', source => 'crm', new_source => 'crm 2', max_rows => 2);
TABLE state;
SELECT id = :'entity' AS same, type, source FROM kepler.entities;
-- The worker is late. What failed still has. Upserts find the records.
SELECT outcome FROM kepler.complete_records(:lease, ARRAY[:'first']);
SELECT external_id, outcome FROM kepler.upsert_records('prospect', '[{"external_id": "a", "data": {}}, {"external_id": "c", "data": {"n": 1}}]', source => 'crm 2');
-- Again: it is so already, and an interrupted one goes on.
CALL kepler.rename_entity('lead', 'prospect', source => 'crm', new_source => 'crm 2');
UPDATE kepler.records SET entity_type = 'lead' WHERE external_id = 'd' OR id = 'keyless 2';
CALL kepler.rename_entity('lead', 'prospect', source => 'crm', new_source => 'crm 2', max_rows => 1);
SELECT id, type, queued FROM state WHERE id IN ('d', 'keyless 2');

-- An upsert under the old name makes another entity, which keeps its name from the first.
SELECT outcome FROM kepler.upsert_record('lead', 'a', '{}', source => 'crm 2');
CALL kepler.rename_entity('lead', 'prospect', source => 'crm 2');
CALL kepler.rename_entity('nothing', 'prospect 2');
CALL kepler.rename_entity('lead', ' ', source => 'crm 2');
CALL kepler.rename_entity('lead', NULL, source => 'crm 2');
CALL kepler.rename_entity('lead', 'x', source => 'crm 2', max_rows => 0);
SELECT type FROM kepler.entities WHERE source = 'crm 2' ORDER BY 1;
BEGIN;
CALL kepler.rename_entity('x', 'y', source => 'crm 2');
ROLLBACK;
DROP VIEW public.state;
DELETE FROM kepler.enrichment_policies;
DELETE FROM kepler.records;
DELETE FROM kepler.entities;
DELETE FROM kepler.enrichment_attempts;
