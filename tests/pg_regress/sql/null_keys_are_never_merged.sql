-- Pain: rows with NULL keys are inserted again at each sync. Here an element without an id is
-- rejected, each time; rows that people enter need no id, and never meet each other or an upsert.
BEGIN;
SELECT ordinal, external_id, outcome, error_code FROM kepler.upsert_records('keyless', '[
    {"data": {"v": 1}},
    {"external_id": null, "data": {"v": 1}},
    {"external_id": "", "data": {"v": 1}},
    {"external_id": " \t\n", "data": {"v": 1}},
    {"external_id": "\u00a0\u2003", "data": {"v": 1}},
    {"external_id": "null", "data": {"v": 1}}
]');
SELECT ordinal, external_id, outcome, error_code FROM kepler.upsert_records('keyless', '[
    {"id": "", "v": 1}, {"id": null, "v": 1}, {"v": 1}]', id_key => 'id');
SELECT external_id FROM kepler.records WHERE entity_type = 'keyless';

-- By hand: neither entity nor external id, as often as one likes.
INSERT INTO kepler.records (entity_type, data) VALUES ('keyless', '{"hand": 1}'), ('keyless', '{"hand": 1}');
INSERT INTO kepler.records (entity_type, entity_id, data)
SELECT 'keyless', id, '{"hand": 2}' FROM kepler.entities, generate_series(1, 2) WHERE type = 'keyless';
INSERT INTO kepler.records (entity_type, external_id, data) VALUES ('keyless', 'null', '{"hand": 3}');

-- An upsert meets none of them.
SELECT external_id, outcome FROM kepler.upsert_records('keyless', '[{"external_id": "null", "data": {"v": 2}}]');
SELECT entity_id IS NOT NULL AS of_entity, external_id, data, count(*) FROM kepler.records
WHERE entity_type = 'keyless' GROUP BY 1, 2, 3 ORDER BY 3, 1, 2;
ROLLBACK;
