-- What goes well once must go well the hundredth time, when plans are kept, and under settings that
-- change how they are made.
BEGIN;
SET LOCAL timezone = 'UTC';

-- Ten thousand ids in one call stay quick after the sixth call of a session: no test of time, but it
-- would take a minute otherwise.
SELECT kepler.upsert_records_summary('many', (
    SELECT '[' || string_agg(format('{"external_id": "%s", "data": {}}', i), ',') || ']'
    FROM generate_series(1, 10000) AS i))->'inserted' AS inserted;
SELECT call, count(*) FILTER (WHERE d.outcome = CASE call % 2 WHEN 1 THEN 'deleted' ELSE 'restored' END) AS changed
FROM generate_series(1, 8) AS call, LATERAL (
    SELECT * FROM kepler.delete_records(ARRAY(SELECT id FROM kepler.records WHERE entity_type = 'many')) WHERE call % 2 = 1
    UNION ALL
    SELECT * FROM kepler.restore_records(ARRAY(SELECT id FROM kepler.records WHERE entity_type = 'many')) WHERE call % 2 = 0
) AS d
GROUP BY call ORDER BY call;

-- Whatever the user has set, an upsert goes through the indexes.
SET LOCAL plan_cache_mode = force_custom_plan;
SET LOCAL enable_indexscan = off;
SET LOCAL enable_bitmapscan = off;
SELECT seq_scan AS seq_scans FROM pg_stat_xact_user_tables WHERE relid = 'kepler.records'::regclass \gset
SELECT outcome FROM kepler.upsert_record('many', '77', '{"v": 1}');
SELECT seq_scan - :seq_scans AS sequential_scans FROM pg_stat_xact_user_tables WHERE relid = 'kepler.records'::regclass;
SELECT current_setting('plan_cache_mode') AS plan_cache_mode, current_setting('enable_seqscan') AS enable_seqscan;
ROLLBACK;

-- A user's trigger that writes to other records of the batch does no harm.
BEGIN;
CREATE FUNCTION pg_temp.touch_sibling() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE kepler.records SET enrichment = '{"sibling": true}'
    WHERE entity_type = 'siblings' AND external_id <> NEW.external_id;
    RETURN NULL;
END
$$;
SELECT kepler.upsert_records_summary('siblings', '[{"external_id": "a", "data": {"v": 1}}, {"external_id": "b", "data": {"v": 1}}]')->'inserted' AS inserted;
CREATE TRIGGER touch_sibling AFTER UPDATE OF data ON kepler.records
    FOR EACH ROW WHEN (NEW.entity_type = 'siblings') EXECUTE FUNCTION pg_temp.touch_sibling();
SELECT outcome FROM kepler.upsert_records('siblings', '[{"external_id": "a", "data": {"v": 2}}, {"external_id": "b", "deleted": true}]');
SELECT external_id, data, enrichment, deleted_at IS NOT NULL AS deleted FROM kepler.records WHERE entity_type = 'siblings' ORDER BY 1;
ROLLBACK;

-- One that swallows rows is named, for inserts as for updates.
BEGIN;
CREATE FUNCTION pg_temp.swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER swallow BEFORE INSERT ON kepler.records FOR EACH ROW WHEN (NEW.entity_type = 'swallowed') EXECUTE FUNCTION pg_temp.swallow();
SELECT outcome, error_code, error FROM kepler.upsert_record('swallowed', '1', '{}');
ROLLBACK;

-- Columns of any type may be added to the tables.
BEGIN;
ALTER TABLE kepler.connections ADD COLUMN extra json;
INSERT INTO kepler.connections (id, name, reference_id, extra) VALUES ('c', 'c', 'c', '{}');
UPDATE kepler.connections SET name = 'd' WHERE id = 'c' RETURNING name, updated_at > created_at AS touched;
ROLLBACK;

-- Paths that are none are refused, and not passed over.
BEGIN;
SELECT kepler.set_entity_options('paths', '{"ignored_paths": ["/f"]}') IS NOT NULL AS set;
\set VERBOSITY terse
UPDATE kepler.entities SET ignored_paths = ARRAY['/f', NULL] WHERE type = 'paths';
\set VERBOSITY default
ROLLBACK;

-- An envelope is JSON, all of it.
SELECT outcome, error_code FROM kepler.upsert_records('envelope', '[
    {"external_id": "1", "data": tru"e", "data": {"a": 1}},
    {"external_id": "2", "data": {"b": }, "data": {"a": 1}},
    {"external_id": "3", "da\u0000ta": {"a": 1}},
    {"external_id": "4", "data": {"a": 0}, "da\u0074a": {"a": 1}}]');
SELECT data FROM kepler.records WHERE entity_type = 'envelope';

-- No data is no data, however it is said.
SELECT outcome FROM kepler.upsert_record('envelope', '5', 'null'::jsonb, deleted => true);
SELECT outcome FROM kepler.upsert_records('envelope', '[{"external_id": "6", "data": null, "deleted": true}]');

-- A time zone's name would need its rules.
SELECT outcome, error_code FROM kepler.upsert_records('envelope', '[{"external_id": "7", "data": {}, "source_updated_at": "2024-07-01T12:00:00[America/New_York]"}]');
DELETE FROM kepler.records WHERE entity_type = 'envelope';
DELETE FROM kepler.entities WHERE type = 'envelope';
