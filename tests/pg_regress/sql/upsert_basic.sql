-- A batch of records is upserted, and each element gets an answer.
SET timezone = 'UTC';
SET datestyle = 'ISO';
BEGIN;

-- New records.
SELECT ordinal, external_id, record_id IS NOT NULL AS has_id, outcome, error_code, error
FROM kepler.upsert_records('contact', '[
    {"external_id": "b", "data": {"name": "Bea"}, "source_updated_at": "2024-01-01T00:00:00Z"},
    {"external_id": "a", "data": {"name": "Ada", "tags": ["x", 1, null]}}
]', source => 'crm');

-- The entity was made along the way, and the rows carry its type and source.
SELECT type, source, connection_id, ignored_paths FROM kepler.entities
WHERE workspace_id = 'default' AND type = 'contact';
SELECT external_id, entity_type, source, status, enrichment_status, data, enrichment,
    source_updated_at, deleted_at, created_at = updated_at AS untouched,
    content_hash = kepler.jsonb_hash(data) AS hash_follows
FROM kepler.records WHERE entity_type = 'contact' ORDER BY external_id;

-- The answer names the row.
SELECT u.external_id, r.id IS NOT NULL AS is_the_row, u.outcome
FROM kepler.upsert_records('contact', '[{"external_id": "a", "data": {"name": "Ada", "tags": ["x", 1, null]}}]',
    source => 'crm') AS u
LEFT JOIN kepler.records AS r ON (r.workspace_id, r.id, r.external_id) = ('default', u.record_id, u.external_id);

-- One of each outcome that a second batch can have.
SELECT ordinal, external_id, outcome FROM kepler.upsert_records('contact', '[
    {"external_id": "a", "data": {"name": "Ada", "tags": ["x", 1, null]}},
    {"external_id": "b", "data": {"name": "Beatrix"}, "source_updated_at": "2024-01-02T00:00:00Z"},
    {"external_id": "c", "data": {}},
    {"external_id": "d", "deleted": true},
    {"external_id": "b", "data": {"name": "Old"}, "source_updated_at": "2023-01-02T00:00:00Z"},
    {"data": {"name": "nobody"}}
]', source => 'crm');
SELECT ordinal, external_id, outcome FROM kepler.upsert_records('contact', '[
    {"external_id": "b", "data": {"name": "Beatrix"}, "source_updated_at": "2024-01-03T00:00:00Z"},
    {"external_id": "c", "deleted": true},
    {"external_id": "d", "data": {"name": "Dan"}},
    {"external_id": "a", "data": {"name": "Ada"}}
]', source => 'crm');
SELECT external_id, data, source_updated_at, deleted_at IS NOT NULL AS deleted
FROM kepler.records WHERE entity_type = 'contact' ORDER BY external_id;

-- The same ids from another source, or of another type, are other records.
SELECT outcome FROM kepler.upsert_records('contact', '[{"external_id": "a", "data": {}}]', source => 'erp');
SELECT outcome FROM kepler.upsert_records('company', '[{"external_id": "a", "data": {}}]', source => 'crm');
SELECT count(*) FROM kepler.records WHERE external_id = 'a';

-- Nothing in, nothing out; white space anywhere.
SELECT * FROM kepler.upsert_records('contact', '[]');
SELECT * FROM kepler.upsert_records('contact', E' \n\t\r[ \n ] \r\n');
SELECT external_id, outcome FROM kepler.upsert_records('contact',
    E'\n [\t{ "external_id" :\r\n "a" , "data" : { } } , {"external_id":"b","data":{}}\n]\n', source => 'spaces');

-- Version and settings.
SHOW kepler.workspace_id;
ROLLBACK;
