-- Pain: a late webhook overwrites newer state. Here a version older than the stored one answers
-- stale and changes nothing, whether it carries data or a deletion.
SET timezone = 'UTC';
SET datestyle = 'ISO';
BEGIN;
CREATE TEMP VIEW stored AS
SELECT external_id, data, source_updated_at, deleted_at IS NOT NULL AS deleted
FROM kepler.records WHERE entity_type = 'late' ORDER BY external_id;
SELECT external_id, outcome FROM kepler.upsert_records('late', '[
    {"external_id": "live", "data": {"v": 2}, "source_updated_at": "2024-01-02T00:00:00Z"},
    {"external_id": "tombstone", "deleted": true, "source_updated_at": "2024-01-02T00:00:00Z"}
]');

-- Older by a microsecond: data, equal data, a deletion.
SELECT external_id, record_id IS NOT NULL AS has_id, outcome FROM kepler.upsert_records('late', '[
    {"external_id": "live", "data": {"v": 1}, "source_updated_at": "2024-01-01T23:59:59.999999Z"},
    {"external_id": "tombstone", "data": {"v": 1}, "source_updated_at": "2024-01-01T23:59:59.999999Z"}
]');
SELECT external_id, outcome FROM kepler.upsert_records('late', '[
    {"external_id": "live", "data": {"v": 2}, "source_updated_at": "2024-01-01T00:00:00Z"},
    {"external_id": "tombstone", "deleted": true, "source_updated_at": "2024-01-01T00:00:00Z"}
]');
SELECT external_id, outcome FROM kepler.upsert_records('late', '[
    {"external_id": "live", "deleted": true, "source_updated_at": "2024-01-01T00:00:00Z"}
]');
-- The same instant in another zone is not older.
SELECT external_id, outcome FROM kepler.upsert_records('late', '[
    {"external_id": "live", "data": {"v": 2}, "source_updated_at": "2024-01-02T02:00:00+02:00"}
]');
SELECT outcome FROM kepler.upsert_records('late',
    '[{"external_id": "live", "data": {"v": 1, "w": 1}, "source_updated_at": "2023-01-01"}]', merge => 'deep');
TABLE stored;

-- The order of arrival does not matter: in all six orders of three versions the newest stays.
DO $$
DECLARE
    version integer;
    arrival integer[];
BEGIN
    FOR arrival IN
        SELECT ARRAY[a, b, 6 - a - b] FROM generate_series(1, 3) AS a, generate_series(1, 3) AS b WHERE a <> b
    LOOP
        FOREACH version IN ARRAY arrival LOOP
            PERFORM kepler.upsert_record('orders', arrival::text, format('{"v": %s}', version),
                make_timestamptz(2024, version, 1, 0, 0, 0), deleted => version = 2);
        END LOOP;
    END LOOP;
END
$$;
SELECT external_id AS arrival, data, source_updated_at, deleted_at FROM kepler.records
WHERE entity_type = 'orders' ORDER BY external_id;

-- Without a time there is no guard, and the stored time stays: it still keeps older versions out.
SELECT outcome FROM kepler.upsert_records('late', '[{"external_id": "live", "data": {"v": 3}}]');
SELECT outcome FROM kepler.upsert_records('late',
    '[{"external_id": "live", "data": {"v": 4}, "source_updated_at": "2024-01-01T00:00:00Z"}]');
SELECT outcome FROM kepler.upsert_records('late', '[{"external_id": "live", "deleted": true}]');
SELECT outcome FROM kepler.upsert_records('late',
    '[{"external_id": "live", "data": {"v": 4}, "source_updated_at": "2024-01-01T00:00:00Z"}]');
TABLE stored;

-- A record without a time takes the first that comes, however old.
SELECT outcome FROM kepler.upsert_records('late', '[{"external_id": "plain", "data": {"v": 1}}]');
SELECT outcome FROM kepler.upsert_records('late',
    '[{"external_id": "plain", "data": {"v": 2}, "source_updated_at": "1999-01-01T00:00:00Z"}]');
SELECT * FROM stored WHERE external_id = 'plain';
ROLLBACK;
