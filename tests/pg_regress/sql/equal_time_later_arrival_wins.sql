-- Pain: at equal timestamps the older state is kept. Sources whose times are whole seconds send two
-- versions with one time; here the one that arrives later wins.
BEGIN;
SELECT outcome FROM kepler.upsert_record('tie', 'a', '{"v": 1}', '2024-01-01 00:00:00+00');
SELECT outcome FROM kepler.upsert_record('tie', 'a', '{"v": 2}', '2024-01-01 00:00:00+00');
SELECT data FROM kepler.records WHERE entity_type = 'tie';

-- Deletions alike: a deletion, then data again, all at the same time.
SELECT outcome FROM kepler.upsert_record('tie', 'a', NULL, '2024-01-01 00:00:00+00', deleted => true);
SELECT outcome FROM kepler.upsert_record('tie', 'a', '{"v": 3}', '2024-01-01 00:00:00+00');
SELECT data, deleted_at IS NULL AS live FROM kepler.records WHERE entity_type = 'tie';

-- Within one batch the later element is the later arrival.
SELECT ordinal, outcome FROM kepler.upsert_records('tie', '[
    {"external_id": "a", "data": {"v": 4}, "source_updated_at": "2024-01-01T00:00:00Z"},
    {"external_id": "a", "data": {"v": 5}, "source_updated_at": "2024-01-01T00:00:00Z"}]');
SELECT data FROM kepler.records WHERE entity_type = 'tie';

-- Equal time and equal content: nothing to do.
SELECT outcome FROM kepler.upsert_record('tie', 'a', '{"v": 5}', '2024-01-01 00:00:00+00');
ROLLBACK;
