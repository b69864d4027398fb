-- kepler.upsert_record takes one record by its parts and answers as upsert_records does.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
SET timezone = 'UTC';
SET datestyle = 'ISO';
BEGIN;
SELECT external_id, record_id IS NOT NULL AS has_id, outcome, error_code, error
FROM kepler.upsert_record('order', 'o1', '{"total": 10}', '2024-01-01T00:00:00Z');

-- Equal content, a newer time, an older one, other content, without a time.
SELECT outcome FROM kepler.upsert_record('order', 'o1', ' { "total" : 10.0 } ');
SELECT outcome FROM kepler.upsert_record('order', 'o1', '{"total": 10}', '2024-01-02T00:00:00Z');
SELECT outcome FROM kepler.upsert_record('order', 'o1', '{"total": 9}', '2024-01-01T00:00:00Z');
SELECT outcome FROM kepler.upsert_record('order', 'o1', '{"total": 11}', '2024-01-02T00:00:00Z');
SELECT outcome FROM kepler.upsert_record('order', 'o1', '{"total": 12}');
SELECT data, source_updated_at FROM kepler.records WHERE entity_type = 'order';

-- Deleted, with or without data, and back.
SELECT outcome FROM kepler.upsert_record('order', 'o1', NULL, deleted => true);
SELECT outcome FROM kepler.upsert_record('order', 'o1', NULL, deleted => true);
SELECT outcome FROM kepler.upsert_record('order', 'o1', '{"total": 12}');

-- Merged.
SELECT outcome FROM kepler.upsert_record('order', 'o1', '{"note": "n"}', merge => 'shallow');
SELECT data FROM kepler.records WHERE entity_type = 'order';

-- json and jsonb are taken too; the three forms are one content.
SELECT outcome FROM kepler.upsert_record('order', 'o1', '{"note": "n", "total": 12}'::json);
SELECT outcome FROM kepler.upsert_record('order', 'o1', '{"note": "n", "total": 12}'::jsonb);
SELECT outcome FROM kepler.upsert_record('order', 'o1', jsonb_build_object('total', 13), source => 'MANUAL');

-- A record that is not valid is answered, not raised.
SELECT external_id, outcome, error_code, error FROM kepler.upsert_record('order', NULL, '{}')
UNION ALL SELECT external_id, outcome, error_code, error FROM kepler.upsert_record('order', ' ', '{}')
UNION ALL SELECT external_id, outcome, error_code, error FROM kepler.upsert_record('order', repeat('x', 2001), '{}')
UNION ALL SELECT external_id, outcome, error_code, error FROM kepler.upsert_record('order', 'o2', NULL::text)
UNION ALL SELECT external_id, outcome, error_code, error FROM kepler.upsert_record('order', 'o2', '[1]')
UNION ALL SELECT external_id, outcome, error_code, error FROM kepler.upsert_record('order', 'o2', '')
UNION ALL SELECT external_id, outcome, error_code, error FROM kepler.upsert_record('order', 'o2', '{"a": 1')
UNION ALL SELECT external_id, outcome, error_code, error FROM kepler.upsert_record('order', 'o2', '{"a": 1} {}')
UNION ALL SELECT external_id, outcome, error_code, error FROM kepler.upsert_record('order', 'o2', '{}', now() + interval '2 days')
UNION ALL SELECT external_id, outcome, error_code, error FROM kepler.upsert_record('order', 'o2', '{}', 'infinity')
UNION ALL SELECT external_id, outcome, error_code, error FROM kepler.upsert_record('order', 'o2', '{"a": "\u0000"}');
SELECT count(*) FROM kepler.records WHERE entity_type = 'order';

-- The oldest time there is is a time.
SELECT outcome FROM kepler.upsert_record('order', 'o3', '{}', '0001-01-01 00:00:00Z');
SELECT outcome, error FROM kepler.upsert_record('order', 'o3', '{"a": 1}', '-infinity');
SELECT source_updated_at FROM kepler.records WHERE external_id = 'o3';

-- NULL where a choice is needed is an error.
SELECT * FROM kepler.upsert_record('order', 'o1', '{}', deleted => NULL);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.upsert_record(NULL, 'o1', '{}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
ROLLBACK;
