-- Pain: syncs that rewrite rows in which nothing has changed, until bloat is half of the database.
-- Here an unchanged batch writes nothing: no tuple, no row lock, no WAL, no transaction id.
SET kepler.workspace_id = 'unchanged_rows';
INSERT INTO kepler.workspaces (id, name) VALUES ('unchanged_rows', 'unchanged_rows');

CREATE FUNCTION pg_temp.batch(n integer, name text) RETURNS text LANGUAGE sql AS $$
    SELECT jsonb_agg(jsonb_build_object('external_id', i, 'source_updated_at', '2024-01-01T00:00:00Z',
        'data', jsonb_build_object('n', i, 'name', name, 'text', repeat(i::text, 100))))::text
    FROM generate_series(1, n) AS i
$$;
-- What a statement logged, in this session alone.
CREATE FUNCTION pg_temp.wal_records_of(statement text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    plan jsonb;
BEGIN
    EXECUTE 'EXPLAIN (ANALYZE, WAL, FORMAT json) ' || statement INTO plan;
    -- Whoever reads a page of the catalog may tidy it up: once.
    IF (plan->0->'Plan'->>'WAL Records')::int BETWEEN 1 AND 3 THEN
        EXECUTE 'EXPLAIN (ANALYZE, WAL, FORMAT json) ' || statement INTO plan;
    END IF;
    RETURN plan->0->'Plan'->'WAL Records';
END
$$;
CREATE TEMP TABLE versions AS SELECT id, ctid AS place, xmin AS writer, xmax AS locker FROM kepler.records WITH NO DATA;
CREATE TEMP VIEW differences AS
SELECT count(*) AS rewritten_or_locked FROM (
    SELECT id, ctid, xmin, xmax FROM kepler.records WHERE workspace_id = 'unchanged_rows'
    EXCEPT TABLE versions
) AS d;

SELECT kepler.upsert_records_summary('contact', pg_temp.batch(2000, 'x'))->'inserted' AS inserted;
-- Hint bits and pruning are done with before anything is measured.
VACUUM kepler.records;
SELECT kepler.upsert_records_summary('contact', pg_temp.batch(2000, 'x'))->'unchanged' AS unchanged;

INSERT INTO versions SELECT id, ctid, xmin, xmax FROM kepler.records WHERE workspace_id = 'unchanged_rows';
SELECT count(*) AS rows, count(*) FILTER (WHERE locker <> 0) AS locked FROM versions;
BEGIN;
SELECT pg_temp.wal_records_of($$
    SELECT kepler.upsert_records_summary('contact', pg_temp.batch(2000, 'x')) $$) AS wal_records;
SELECT pg_current_xact_id_if_assigned() IS NULL AS no_transaction_id;
COMMIT;
TABLE differences;

-- The same through every other way in: rows, other spelling, flat, merged, stale, without a time.
BEGIN;
SELECT pg_temp.wal_records_of($$
    SELECT * FROM kepler.upsert_records('contact', pg_temp.batch(2000, 'x')) $$) AS as_rows;
SELECT pg_temp.wal_records_of($$
    SELECT * FROM kepler.upsert_records('contact', replace(pg_temp.batch(2000, 'x'), '": ', '" :  ')) $$) AS spelling;
SELECT pg_temp.wal_records_of($$
    SELECT * FROM kepler.upsert_records('contact', pg_temp.batch(2000, 'x')::jsonb) $$) AS jsonb;
SELECT pg_temp.wal_records_of($$
    SELECT * FROM kepler.upsert_records('contact', pg_temp.batch(2000, 'x'), merge => 'deep') $$) AS deep;
SELECT pg_temp.wal_records_of($$
    SELECT * FROM kepler.upsert_records('contact',
        replace(pg_temp.batch(2000, 'other'), '2024-01-01', '2023-01-01')) $$) AS stale;
SELECT pg_temp.wal_records_of($$
    SELECT * FROM kepler.upsert_records('contact',
        replace(pg_temp.batch(2000, 'x'), '"2024-01-01T00:00:00Z"', 'null')) $$) AS without_time;
SELECT pg_temp.wal_records_of($$
    SELECT * FROM kepler.upsert_records('contact', (
        SELECT jsonb_agg(jsonb_build_object('n', i, 'name', 'x', 'text', repeat(i::text, 100)))::text
        FROM generate_series(1, 2000) AS i), id_key => 'n') $$) AS flat;
SELECT pg_temp.wal_records_of($$
    SELECT * FROM kepler.upsert_records('contact', '[1, {}, {"external_id": "1", "data": 0}]') $$) AS rejected;
SELECT pg_temp.wal_records_of($$
    SELECT * FROM kepler.upsert_record('contact', '7',
        format('{"n": 7, "name": "x", "text": "%s"}', repeat('7', 100))) $$) AS one;
SELECT pg_current_xact_id_if_assigned() IS NULL AS no_transaction_id;
COMMIT;
TABLE differences;

-- Where one of two thousand has changed, one is written.
SELECT pg_temp.wal_records_of($$
    SELECT kepler.upsert_records_summary('contact',
        replace(pg_temp.batch(2000, 'x'), '"n": 1000,', '"n": 1000, "new": true,')) $$) BETWEEN 1 AND 10 AS few_records;
TABLE differences;

-- An unchanged tombstone is as quiet.
SELECT outcome FROM kepler.upsert_records('contact', '[{"external_id": "gone", "deleted": true}]');
BEGIN;
SELECT outcome FROM kepler.upsert_records('contact', '[{"external_id": "gone", "deleted": true}]');
SELECT pg_current_xact_id_if_assigned() IS NULL AS no_transaction_id;
COMMIT;

DELETE FROM kepler.records WHERE workspace_id = 'unchanged_rows';
DELETE FROM kepler.entities WHERE workspace_id = 'unchanged_rows';
DELETE FROM kepler.workspaces WHERE id = 'unchanged_rows';
