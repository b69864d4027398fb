-- Documents as an API gives them: key names the field of the external id, updated_at_key that of the
-- source's time. The whole document is the data.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
SET timezone = 'UTC';
SET datestyle = 'ISO';
BEGIN;
SELECT ordinal, external_id, outcome, error_code FROM kepler.upsert_records('issue', '[
    {"id": 7, "title": "seven", "updated": "2024-05-01T10:00:00Z", "deleted": true, "data": 1},
    {"id": "8", "title": "eight", "updated": null},
    {"title": "no id"},
    {"id": null, "title": "null id"},
    {"id": 9, "updated": "soon"},
    {"id": {"nested": 10}},
    "text"
]', id_key => 'id', updated_at_key => 'updated');

-- The fields named deleted, data and external_id mean nothing here.
SELECT external_id, source_updated_at, deleted_at, data FROM kepler.records
WHERE entity_type = 'issue' ORDER BY external_id;

-- The time guards as in an envelope; without updated_at_key it is only data.
SELECT external_id, outcome FROM kepler.upsert_records('issue',
    '[{"id": 7, "title": "older", "updated": "2024-04-01T10:00:00Z"}]', id_key => 'id', updated_at_key => 'updated');
SELECT external_id, outcome FROM kepler.upsert_records('issue',
    '[{"id": 7, "title": "newer", "updated": "2024-04-01T10:00:00Z"}]', id_key => 'id');
SELECT source_updated_at, data FROM kepler.records WHERE entity_type = 'issue' AND external_id = '7';

-- An envelope and a flat document with the same data are the same content.
SELECT external_id, outcome FROM kepler.upsert_records('issue',
    '[{"external_id": 7, "data": {"updated": "2024-04-01T10:00:00Z", "title": "newer", "id": 7}}]');

-- A key may be any name: with blanks, escapes, the same for both.
SELECT external_id, outcome FROM kepler.upsert_records('odd', '[{"the \"id\"\n": "x", "n": 1}]', id_key => E'the "id"\n');
SELECT external_id, outcome FROM kepler.upsert_records('odd', '[{"\u0069d": "escaped"}]', id_key => 'id');
SELECT external_id, outcome FROM kepler.upsert_records('odd', '[{"": "empty name"}]', id_key => '');
SELECT external_id, outcome FROM kepler.upsert_records('odd', '[{"at": 1704067200}]', id_key => 'at', updated_at_key => 'at');
SELECT external_id, source_updated_at, data FROM kepler.records WHERE entity_type = 'odd' ORDER BY external_id COLLATE "C";

-- Only members of the document itself count, and of two with the same name the last.
SELECT external_id, outcome, error_code FROM kepler.upsert_records('nested',
    '[{"a": {"id": 1}}, {"id": 1, "a": [{"id": 2}], "id": 3}]', id_key => 'id');
SELECT external_id, data FROM kepler.records WHERE entity_type = 'nested';

-- updated_at_key alone is an error.
SELECT * FROM kepler.upsert_records('issue', '[]', updated_at_key => 'updated');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
ROLLBACK;
