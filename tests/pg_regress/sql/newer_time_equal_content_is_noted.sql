-- A newer time with equal content is noted on the row, and nothing else is: otherwise a version
-- between the two could win later.
SET timezone = 'UTC';
SET datestyle = 'ISO';
INSERT INTO kepler.workspaces (id, name) VALUES ('noted', 'noted');
SET kepler.workspace_id = 'noted';
SELECT outcome FROM kepler.upsert_record('noted', 'a', '{"v": 1}', '2024-01-01');
CREATE TEMP TABLE before AS SELECT * FROM kepler.records WHERE workspace_id = 'noted';
SELECT outcome FROM kepler.upsert_record('noted', 'a', '{"v": 1.0}', '2024-01-03');

-- The columns that differ now.
SELECT n.key, o.value AS before, n.value AS after
FROM kepler.records AS r, before AS b,
    LATERAL jsonb_each(to_jsonb(r)) AS n JOIN LATERAL jsonb_each(to_jsonb(b)) AS o ON o.key = n.key
WHERE r.workspace_id = 'noted' AND o.value <> n.value;

-- The version between the two is stale.
SELECT outcome FROM kepler.upsert_record('noted', 'a', '{"v": 0}', '2024-01-02');
SELECT data FROM kepler.records WHERE workspace_id = 'noted';

-- A row without a time gets its first one this way too; a deleted one that is deleted again, later.
SELECT outcome FROM kepler.upsert_record('noted', 'b', '{}');
SELECT outcome FROM kepler.upsert_record('noted', 'b', '{}', '2024-01-01');
SELECT outcome FROM kepler.upsert_record('noted', 'c', NULL, '2024-01-01', deleted => true);
CREATE TEMP TABLE tombstone AS SELECT deleted_at, updated_at FROM kepler.records
WHERE workspace_id = 'noted' AND external_id = 'c';
SELECT outcome FROM kepler.upsert_record('noted', 'c', NULL, '2024-01-02', deleted => true);
SELECT external_id, source_updated_at FROM kepler.records WHERE workspace_id = 'noted' ORDER BY 1;
SELECT t.deleted_at = r.deleted_at AS same_deletion, t.updated_at = r.updated_at AS same_update
FROM kepler.records AS r, tombstone AS t WHERE workspace_id = 'noted' AND external_id = 'c';

-- It is a narrow write: heap-only, so no index hears of it.
SELECT kepler.upsert_records_summary('hot', (
    SELECT jsonb_agg(jsonb_build_object('external_id', i, 'data', '{}'::jsonb, 'source_updated_at', '2024-01-01'))::text
    FROM generate_series(1, 50) AS i))->'inserted' AS inserted;
BEGIN;
CREATE TEMP TABLE counted AS SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_xact_user_tables
WHERE schemaname = 'kepler' AND relname = 'records';
SELECT kepler.upsert_records_summary('hot', (
    SELECT jsonb_agg(jsonb_build_object('external_id', i, 'data', '{}'::jsonb, 'source_updated_at', '2024-01-02'))::text
    FROM generate_series(10, 11) AS i))->'refreshed' AS refreshed;
SELECT s.n_tup_upd - c.n_tup_upd AS updated, s.n_tup_hot_upd - c.n_tup_hot_upd AS heap_only
FROM pg_stat_xact_user_tables AS s, counted AS c WHERE s.schemaname = 'kepler' AND s.relname = 'records';
COMMIT;

DELETE FROM kepler.records WHERE workspace_id = 'noted';
DELETE FROM kepler.entities WHERE workspace_id = 'noted';
DELETE FROM kepler.workspaces WHERE id = 'noted';
