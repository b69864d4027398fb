-- Input made to hurt: too deep, too long, out of range, ambiguous, or aimed at the SQL behind. Each
-- gets a clear answer, and what stands beside it lands.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
CREATE FUNCTION pg_temp.nested(depth integer, brackets text DEFAULT '[]') RETURNS text LANGUAGE sql AS $$
    SELECT repeat(CASE brackets WHEN '[]' THEN '[' ELSE '{"a":' END, depth) || '1'
        || repeat(CASE brackets WHEN '[]' THEN ']' ELSE '}' END, depth)
$$;

-- Depth: the data may hold 512 containers in one another, itself counted.
SELECT u.external_id, u.outcome, u.error_code, u.error FROM kepler.upsert_records('hostile', format(
    '[{"external_id": "512", "data": {"a": %s}}, {"external_id": "513", "data": {"a": %s}},
      {"external_id": "512 objects", "data": %s}, {"external_id": "513 objects", "data": %s},
      {"external_id": "10000", "data": {"a": %s}}, {"external_id": "10000 objects", "data": %s},
      {"external_id": "beside", "data": {}}]',
    pg_temp.nested(511), pg_temp.nested(512), pg_temp.nested(512, '{}'), pg_temp.nested(513, '{}'),
    pg_temp.nested(10000), pg_temp.nested(10000, '{}'))) AS u;
-- In a flat document the element is the data. An element, a time or an id may be that deep too.
SELECT u.external_id, u.outcome, u.error_code FROM kepler.upsert_records('hostile', format(
    '[{"id": "flat 512", "a": %s}, {"id": "flat 513", "a": %s}, %s, {"id": %s}, {"id": "time", "t": %s}]',
    pg_temp.nested(511), pg_temp.nested(512), pg_temp.nested(10000), pg_temp.nested(10000), pg_temp.nested(10000)),
    id_key => 'id', updated_at_key => 't') AS u;
SELECT u.outcome, u.error_code FROM kepler.upsert_record('hostile', 'one', pg_temp.nested(1000000, '{}')) AS u;
SELECT u.outcome, u.error_code FROM kepler.upsert_records('hostile', '[' || pg_temp.nested(1000000) || ']') AS u;
SELECT * FROM kepler.upsert_records('hostile', repeat('[', 100000));
\echo SQLSTATE :LAST_ERROR_SQLSTATE
-- Unchanged, merged and hashed at the limit.
SELECT u.outcome FROM kepler.upsert_record('hostile', '512 objects', pg_temp.nested(512, '{}')) AS u;
SELECT u.outcome FROM kepler.upsert_record('hostile', '512 objects', pg_temp.nested(512, '{}'), merge => 'deep') AS u;
SELECT u.outcome FROM kepler.upsert_record('hostile', '512 objects', replace(pg_temp.nested(512, '{}'), '1', '2'), merge => 'deep') AS u;
-- Stored by direct SQL, documents may be deeper; upserts and hashes still work on them.
UPDATE kepler.records SET data = pg_temp.nested(3000, '{}')::jsonb WHERE external_id = 'beside' AND entity_type = 'hostile';
SELECT u.outcome FROM kepler.upsert_record('hostile', 'beside', '{"a": {"a": {"b": 1}}}', merge => 'deep') AS u;
SELECT data #> '{a,a}' ? 'b' AS merged, kepler.jsonb_hash(data) = content_hash AS hashed
FROM kepler.records WHERE external_id = 'beside' AND entity_type = 'hostile';

-- Numbers: whatever numeric holds is kept digit by digit; what it cannot hold is rejected.
SELECT u.external_id, u.outcome, u.error_code FROM kepler.upsert_records('numbers', format(
    '[{"external_id": "1000 digits", "data": {"n": %1$s}}, {"external_id": "1000 decimals", "data": {"n": 0.%1$s}},
      {"external_id": "1e131071", "data": {"n": 1e131071}}, {"external_id": "1e131072", "data": {"n": 1e131072}},
      {"external_id": "1e400000", "data": {"n": 1e400000}}, {"external_id": "1e-16383", "data": {"n": 1e-16383}},
      {"external_id": "1e-16384", "data": {"n": 1e-16384}}, {"external_id": "1e-400000", "data": {"n": 1e-400000}},
      {"external_id": "0e9999999999", "data": {"n": 0e9999999999}}, {"external_id": "huge exponent", "data": {"n": 1e%1$s}},
      {"external_id": "-0", "data": {"n": -0}}, {"external_id": "200000 digits", "data": {"n": %2$s}}]',
    repeat('7', 1000), repeat('7', 200000))) AS u;
SELECT external_id, length(data->>'n') AS characters,
    CASE WHEN length(data->>'n') < 20 THEN data->>'n' END AS number,
    data->>'n' IN (repeat('7', 1000), '0.' || repeat('7', 1000), '1' || repeat('0', 131071),
        '0.' || repeat('0', 16382) || '1', '0', '-0') AS kept
FROM kepler.records WHERE entity_type = 'numbers' ORDER BY external_id;

-- As an id a number becomes text in its plain form; one that cannot be a key is rejected.
SELECT u.external_id, u.outcome, u.error_code, u.error FROM kepler.upsert_records('ids', format(
    '[{"external_id": 0}, {"external_id": -0.0}, {"external_id": -17}, {"external_id": 1e3}, {"external_id": 0.50}, {"external_id": 123456789012345678901234567890},
      {"external_id": %s}, {"external_id": 1e400000}, {"external_id": 1e-99}, {"external_id": 01}, {"external_id": 1x}, {"external_id": +1}]',
    repeat('7', 1000)), id_key => 'external_id') AS u;

-- Long ids: 2000 bytes fit; a character more does not, be it one byte or four.
SELECT length(u.external_id) AS characters, octet_length(u.external_id) AS bytes, u.outcome, u.error_code
FROM kepler.upsert_records('ids', format('[{"external_id": "%s", "data": {}}, {"external_id": "%s", "data": {}}, {"external_id": "%s", "data": {}}]',
    repeat('x', 2000), repeat('😀', 500), repeat('😀', 501))) AS u;

-- Of a key that is given twice the last counts, in the data as in jsonb, and in the envelope.
SELECT u.external_id, u.outcome FROM kepler.upsert_records('twice', '[
    {"external_id": "x", "external_id": "a", "data": {"k": 1, "k": {"j": 1, "j": 2}, "\u006b": 3}},
    {"external_id": "b", "data": [], "data": {"n": 1}, "deleted": true, "deleted": false, "source_updated_at": 1, "source_updated_at": null}]') AS u;
SELECT external_id, data, source_updated_at, deleted_at FROM kepler.records WHERE entity_type = 'twice' ORDER BY 1;
-- A document of many equal keys, and one of many keys.
SELECT u.outcome FROM kepler.upsert_record('twice', 'c', (
    SELECT '{' || string_agg('"k": ' || i, ', ' ORDER BY i) || '}' FROM generate_series(1, 100000) AS i)) AS u;
SELECT data FROM kepler.records WHERE entity_type = 'twice' AND external_id = 'c';

-- What is no batch.
SELECT * FROM kepler.upsert_records('hostile', '1');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.upsert_records('hostile', 'null');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.upsert_records('hostile', '"[]"');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.upsert_records('hostile', '');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.upsert_records('hostile', 'SELECT 1');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.upsert_records('hostile', E'\uFEFF[]');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.upsert_records('hostile', '1'::json);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.upsert_records('hostile', 'null'::jsonb);
\echo SQLSTATE :LAST_ERROR_SQLSTATE

-- A byte that is NUL does not get as far as Kepler.
SELECT * FROM kepler.upsert_records('hostile', '[' || chr(0) || ']');
\echo SQLSTATE :LAST_ERROR_SQLSTATE

-- Text aimed at the SQL behind is text.
CREATE TEMP TABLE attack (text text);
INSERT INTO attack VALUES ($$'; DROP TABLE kepler.records; --$$), ($$" OR 1=1 --$$), ('%s%I%n$1'), (E'\\''\\"\\u0041'), ('${jndi:x}');
SELECT u.external_id = a.text AS same_id, u.outcome
FROM attack AS a, kepler.upsert_records(a.text, jsonb_build_array(jsonb_build_object('external_id', a.text,
    'data', jsonb_build_object(a.text, a.text))), source => a.text) AS u;
SELECT count(*) AS same FROM attack AS a JOIN kepler.records AS r
    ON (r.external_id, r.entity_type, r.source, r.data) = (a.text, a.text, a.text, jsonb_build_object(a.text, a.text));
SELECT u.external_id = a.text AS same_id, u.outcome FROM attack AS a,
    kepler.upsert_records('flat', jsonb_build_array(jsonb_build_object(a.text, a.text)), id_key => a.text, updated_at_key => a.text || 'x') AS u;
SELECT kepler.set_entity_options(a.text, jsonb_build_object('ignored_paths', ARRAY['/' || replace(a.text, '~', '~0')])) IS NOT NULL AS set
FROM attack AS a;
SELECT * FROM kepler.delete_records(ARRAY(SELECT text FROM attack));
SELECT * FROM kepler.upsert_records('hostile', '[]', connection_id => $$'; DROP TABLE kepler.records; --$$);
SELECT * FROM kepler.upsert_records('hostile', '[]', workspace_id => $$'; DROP TABLE kepler.records; --$$);
SELECT * FROM kepler.upsert_records('hostile', '[]', merge => $$'; DROP TABLE kepler.records; --$$);
ROLLBACK;
