-- Batches larger than the pieces in which they are worked off: every record lands once, in every step.
-- Postgres believes that the table is as good as empty, as after its last ANALYZE: no plan may rely on it.
BEGIN;
SELECT count(*) FROM kepler.upsert_record('few', '1', '{}');
ANALYZE kepler.records;
CREATE FUNCTION pg_temp.batch(first integer, last integer, version integer, size integer DEFAULT 10) RETURNS text LANGUAGE sql AS $$
    SELECT '[' || string_agg(format('{"external_id": "%s", "data": {"n": %s, "v": %s, "t": "%s"}, "source_updated_at": %s}',
        md5(i::text), i, version, repeat('x', size), 1700000000 + version), ',' ORDER BY md5((i * 7)::text)) || ']'
    FROM generate_series(first, last) AS i
$$;
SELECT s->'total' AS total, s->'inserted' AS inserted FROM kepler.upsert_records_summary('many', pg_temp.batch(1, 25000, 1)) AS s;
SELECT count(*), count(DISTINCT external_id), sum((data->>'n')::int) = 25000 * 25001 / 2 AS all_there FROM kepler.records WHERE entity_type = 'many';
SELECT s->'unchanged' AS unchanged FROM kepler.upsert_records_summary('many', pg_temp.batch(1, 25000, 1)) AS s;

-- All change, and some are new.
SELECT s->'updated' AS updated, s->'inserted' AS inserted FROM kepler.upsert_records_summary('many', pg_temp.batch(5001, 30000, 2)) AS s;
SELECT data->'v' AS version, count(*), min((data->>'n')::int), max((data->>'n')::int) FROM kepler.records WHERE entity_type = 'many' GROUP BY 1 ORDER BY 1;
-- All are too old, but for those that were not touched.
SELECT s->'stale' AS stale, s->'unchanged' AS unchanged FROM kepler.upsert_records_summary('many', pg_temp.batch(1, 30000, 1)) AS s;
-- Only noted.
SELECT s->'refreshed' AS refreshed FROM kepler.upsert_records_summary('many', replace(pg_temp.batch(5001, 30000, 2), '1700000002', '1700000003')) AS s;
-- All merged with a part, deleted, and back: a new life, of the new part alone.
SELECT s->'updated' AS updated FROM kepler.upsert_records_summary('many', (
    SELECT '[' || string_agg(format('{"external_id": "%s", "data": {"m": 0}}', md5(i::text)), ',') || ']' FROM generate_series(1, 30000) AS i), merge => 'deep') AS s;
SELECT count(*) FILTER (WHERE data ?& '{n,v,t,m}') AS merged FROM kepler.records WHERE entity_type = 'many';
SELECT s->'deleted' AS deleted FROM kepler.upsert_records_summary('many', (
    SELECT '[' || string_agg(format('{"external_id": "%s", "deleted": true}', md5(i::text)), ',') || ']' FROM generate_series(1, 30000) AS i)) AS s;
SELECT s->'restored' AS restored FROM kepler.upsert_records_summary('many', (
    SELECT '[' || string_agg(format('{"external_id": "%s", "data": {"m": 1}}', md5(i::text)), ',') || ']' FROM generate_series(1, 30000) AS i), merge => 'deep') AS s;
SELECT count(*), count(*) FILTER (WHERE data = '{"m": 1}') AS new_life FROM kepler.records WHERE entity_type = 'many' AND deleted_at IS NULL;
-- Rows come back in the order of the batch, whatever the order of the ids.
SELECT count(*) AS rows, count(*) FILTER (WHERE u.ordinal = e.place AND u.external_id = e.element->>'external_id') AS in_order
FROM kepler.upsert_records('many', pg_temp.batch(1, 25000, 3)) WITH ORDINALITY
    AS u (ordinal, external_id, record_id, outcome, error_code, error, place)
JOIN jsonb_array_elements(pg_temp.batch(1, 25000, 3)::jsonb) WITH ORDINALITY AS e (element, place) USING (place);

-- Fewer records, but so large that a statement takes only some of them: 60 MB in all.
SELECT s->'inserted' AS inserted FROM kepler.upsert_records_summary('large', pg_temp.batch(1, 60, 1, 1000000)) AS s;
SELECT s->'updated' AS updated FROM kepler.upsert_records_summary('large', pg_temp.batch(1, 60, 2, 1000000)) AS s;
SELECT s->'unchanged' AS unchanged FROM kepler.upsert_records_summary('large', pg_temp.batch(1, 60, 2, 1000000)) AS s;
SELECT count(*), sum(length(data->>'t')) AS characters FROM kepler.records WHERE entity_type = 'large';
ROLLBACK;
