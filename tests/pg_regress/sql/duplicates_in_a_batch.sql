-- Pain: ON CONFLICT aborts (21000) when a batch names one record twice. Here the newest wins, then
-- the last; the others answer superseded.
SET timezone = 'UTC';
SET datestyle = 'ISO';
BEGIN;
CREATE TEMP VIEW stored AS
SELECT data, source_updated_at, deleted_at IS NOT NULL AS deleted FROM kepler.records WHERE entity_type = 'dup' AND external_id = 'a';

-- Without times the last wins, for a new record and for a known one.
SELECT ordinal, record_id IS NOT NULL AS has_id, outcome FROM kepler.upsert_records('dup', '[
    {"external_id": "a", "data": {"v": 1}}, {"external_id": "b", "data": {}}, {"external_id": "a", "data": {"v": 2}}]');
SELECT ordinal, record_id IS NOT NULL AS has_id, outcome FROM kepler.upsert_records('dup', '[
    {"external_id": "a", "data": {"v": 3}}, {"external_id": "a", "data": {"v": 4}}, {"external_id": "b", "data": {}}]');
TABLE stored;

-- What ends as it began is unchanged.
SELECT ordinal, outcome FROM kepler.upsert_records('dup', '[
    {"external_id": "a", "data": {"v": 9}}, {"external_id": "a", "data": {"v": 4}}]');

-- With times the newest wins, wherever it stands; each answer names the record.
SELECT ordinal, record_id IS NOT NULL AS has_id, outcome FROM kepler.upsert_records('dup', '[
    {"external_id": "a", "data": {"v": 5}, "source_updated_at": "2024-01-05"},
    {"external_id": "a", "data": {"v": 7}, "source_updated_at": "2024-01-07"},
    {"external_id": "a", "data": {"v": 6}, "source_updated_at": "2024-01-06"}]');
TABLE stored;

SELECT ordinal, record_id IS NOT NULL AS has_id, outcome FROM kepler.upsert_records('dup', '[
    {"external_id": "a", "data": {"v": 8}, "source_updated_at": "2024-01-08"},
    {"external_id": "a", "data": {"v": 6}, "source_updated_at": "2024-01-06"}]');
TABLE stored;

-- An element without a time wins where it comes last; the newest time stays.
SELECT ordinal, outcome FROM kepler.upsert_records('dup', '[
    {"external_id": "a", "data": {"v": 9}, "source_updated_at": "2024-01-09"},
    {"external_id": "a", "data": {"v": 8}, "source_updated_at": "2024-01-08"},
    {"external_id": "a", "data": {"v": 10}}]');
TABLE stored;
SELECT ordinal, outcome FROM kepler.upsert_records('dup', '[
    {"external_id": "a", "data": {"v": 11}},
    {"external_id": "a", "data": {"v": 10}, "source_updated_at": "2024-01-10"}]');
TABLE stored;

-- All of them older than what is stored; and one without a time before a stale one.
SELECT ordinal, outcome FROM kepler.upsert_records('dup', '[
    {"external_id": "a", "data": {"v": 1}, "source_updated_at": "2024-01-01"},
    {"external_id": "a", "data": {"v": 2}, "source_updated_at": "2024-01-02"}]');
SELECT ordinal, outcome FROM kepler.upsert_records('dup', '[
    {"external_id": "a", "data": {"v": 12}},
    {"external_id": "a", "data": {"v": 2}, "source_updated_at": "2024-01-02"}]');
TABLE stored;

-- Deletions count like any other element.
SELECT ordinal, outcome FROM kepler.upsert_records('dup', '[
    {"external_id": "a", "data": {"v": 13}}, {"external_id": "a", "deleted": true}]');
SELECT deleted FROM stored;
SELECT ordinal, outcome FROM kepler.upsert_records('dup', '[
    {"external_id": "a", "deleted": true}, {"external_id": "a", "data": {"v": 14}}]');
TABLE stored;
SELECT ordinal, external_id, outcome FROM kepler.upsert_records('dup', '[
    {"external_id": "new1", "data": {}}, {"external_id": "new1", "deleted": true},
    {"external_id": "new2", "deleted": true}, {"external_id": "new2", "data": {}}]');

-- A broken element never wins, nor takes the others with it: the newest good one lands.
SELECT ordinal, outcome, error_code FROM kepler.upsert_records('dup', '[
    {"external_id": "a", "data": {"v": 15}, "source_updated_at": "2024-01-15"},
    {"external_id": "a", "data": {"v": "\u0000"}, "source_updated_at": "2024-01-17"},
    {"external_id": "a", "data": {"v": 16}, "source_updated_at": "2024-01-16"},
    {"external_id": "a", "data": [], "source_updated_at": "2024-01-18"},
    {"external_id": "a", "data": {"v": 19}, "source_updated_at": "9999-01-01"}]');
TABLE stored;
SELECT ordinal, outcome, error_code FROM kepler.upsert_records('dup', '[
    {"external_id": "new3", "data": {"v": "\ud800"}}, {"external_id": "new3", "data": 1}]');
SELECT count(*) FROM kepler.records WHERE external_id = 'new3';

-- One record two thousand times; ids that are equal as text, and ids that only look it.
SELECT s->'inserted' AS inserted, s->'superseded' AS superseded FROM kepler.upsert_records_summary('dup', (
    SELECT jsonb_agg(jsonb_build_object('external_id', 'many', 'data', jsonb_build_object('v', i)) ORDER BY i)::text
    FROM generate_series(1, 2000) AS i)) AS s;
SELECT data FROM kepler.records WHERE external_id = 'many';
SELECT ordinal, external_id, outcome FROM kepler.upsert_records('dup', '[
    {"external_id": 12, "data": {"v": 1}}, {"external_id": "12", "data": {"v": 2}}, {"external_id": 1.2e1, "data": {"v": 3}},
    {"external_id": "12.0", "data": {}}, {"external_id": " 12", "data": {}}, {"external_id": "\u0031\u0032", "data": {"v": 4}},
    {"external_id": "É", "data": {}}, {"external_id": "E\u0301", "data": {}}]');
ROLLBACK;
