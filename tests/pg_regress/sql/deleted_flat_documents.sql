-- Flat documents that say themselves that their record is gone, in the words of the systems that send them.
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET datestyle = 'ISO';
BEGIN;
CREATE VIEW things AS
SELECT external_id, deleted_at IS NOT NULL AS deleted, source_updated_at, data FROM kepler.records WHERE entity_type = 'thing' ORDER BY external_id;

-- What counts as deleted, what does not, and what is rejected since it could be either.
SELECT v.value, u.outcome, u.error_code
FROM (VALUES (1, 'true'), (2, '"true"'), (3, '"True"'), (4, '"t"'), (5, '"Y"'), (6, '"yes"'), (7, '1'), (8, '"1"'), (9, '1.0'),
    (10, '"2024-05-01T10:00:00Z"'), (11, '"2024-05-01 10:00:00"'), (12, '1714557600'), (13, '1714557600000'), (14, '"1714557600"'),
    (20, 'false'), (21, 'null'), (22, '""'), (23, '"false"'), (24, '"F"'), (25, '"n"'), (26, '"no"'), (27, '0'), (28, '"0"'), (29, '-0.0'),
    (30, '"1970-01-01T00:00:00Z"'), (31, '"0001-01-01T00:00:00Z"'),
    (40, '2'), (41, '-1'), (42, '"null"'), (43, '"maybe"'), (44, '" "'), (45, '{}'), (46, '[true]'), (47, '"9999-12-31T23:59:59Z"'), (48, '"0000-00-00 00:00:00"'), (49, 'tru')
) AS v (step, value)
CROSS JOIN LATERAL kepler.upsert_records('word', format('[{"id": %s, "gone": %s}]', step, value), id_key => 'id', deleted_key => 'gone') AS u
ORDER BY step;
SELECT external_id FROM kepler.upsert_records('word', '[{"id": "absent"}]', id_key => 'id', deleted_key => 'gone') WHERE outcome = 'inserted';
SELECT error FROM kepler.upsert_records('word', '[{"id": 1, "gone": 2}]', id_key => 'id', deleted_key => '/gone');

-- Change data capture in flat form: a deletion keeps what was there, as every tombstone does, and comes in any place of a batch.
SELECT external_id, outcome FROM kepler.upsert_records('thing', '[
    {"id": "a", "v": 1, "__deleted": "false", "ts": "2024-01-01"}, {"id": "b", "v": 1, "__deleted": "false", "ts": "2024-01-01"},
    {"id": "c", "v": 1, "__deleted": "false", "ts": "2024-01-01"}]', id_key => 'id', updated_at_key => 'ts', deleted_key => '__deleted');
SELECT ordinal, external_id, outcome FROM kepler.upsert_records('thing', '[
    {"id": "a", "v": null, "__deleted": "true", "ts": "2024-01-02"},
    {"id": "b", "v": 2, "__deleted": "false", "ts": "2024-01-02"}, {"id": "b", "v": null, "__deleted": "true", "ts": "2024-01-03"},
    {"id": "c", "v": null, "__deleted": "true", "ts": "2024-01-02"}, {"id": "c", "v": 3, "__deleted": "false", "ts": "2024-01-03"},
    {"id": "d", "v": null, "__deleted": "true", "ts": "2024-01-01"}]', id_key => 'id', updated_at_key => 'ts', deleted_key => '__deleted');
TABLE things;

-- The same again writes nothing; a late version does not bring a record back.
SELECT external_id, outcome FROM kepler.upsert_records('thing', '[
    {"id": "a", "v": null, "__deleted": "true", "ts": "2024-01-02"}, {"id": "b", "v": 2, "__deleted": "false", "ts": "2024-01-02"}]',
    id_key => 'id', updated_at_key => 'ts', deleted_key => '__deleted');
-- A newer one does.
SELECT external_id, outcome FROM kepler.upsert_records('thing', '[{"id": "a", "v": 1, "__deleted": "false", "ts": "2024-01-04"}]',
    id_key => 'id', updated_at_key => 'ts', deleted_key => '__deleted');

-- The member is data like the others. To have it not count as a change, ignore its path.
SELECT outcome FROM kepler.upsert_records('quiet', '[{"id": 1, "gone": false}]', id_key => 'id', deleted_key => 'gone');
SELECT outcome FROM kepler.upsert_records('quiet', '[{"id": 1}]', id_key => 'id', deleted_key => 'gone');
SELECT kepler.set_entity_options('quiet', '{"ignored_paths": ["/gone"]}') IS NOT NULL AS set;
SELECT outcome FROM kepler.upsert_records('quiet', '[{"id": 1, "gone": null}]', id_key => 'id', deleted_key => 'gone');
SELECT outcome FROM kepler.upsert_records('quiet', '[{"id": 1, "gone": true}]', id_key => 'id', deleted_key => 'gone');
SELECT outcome FROM kepler.upsert_records('quiet', '[{"id": 1, "gone": 0}]', id_key => 'id', deleted_key => 'gone');
-- Without deleted_key it is a member and no more.
SELECT outcome FROM kepler.upsert_records('quiet', '[{"id": 2, "gone": true}]', id_key => 'id');
SELECT external_id, deleted_at IS NOT NULL AS deleted FROM kepler.records WHERE entity_type = 'quiet' ORDER BY external_id;
ROLLBACK;
