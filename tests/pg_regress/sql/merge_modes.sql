-- replace takes the new data as it is; shallow lays its members over the stored ones; deep does so in
-- nested objects too. What counts as changed is the result, not the part.
BEGIN;
CREATE FUNCTION pg_temp.stored(id text) RETURNS jsonb LANGUAGE sql AS $$
    SELECT data FROM kepler.records WHERE entity_type = 'merge' AND external_id = $1
$$;
SELECT outcome FROM kepler.upsert_records('merge', '[
    {"external_id": "replace", "data": {"a": 1, "o": {"x": 1, "y": [1, 2]}}},
    {"external_id": "shallow", "data": {"a": 1, "o": {"x": 1, "y": [1, 2]}}},
    {"external_id": "deep", "data": {"a": 1, "o": {"x": 1, "y": [1, 2]}}}]');
SELECT outcome FROM kepler.upsert_record('merge', 'replace', '{"b": 2, "o": {"z": 3}}', merge => 'replace');
SELECT outcome FROM kepler.upsert_record('merge', 'shallow', '{"b": 2, "o": {"z": 3}}', merge => 'shallow');
SELECT outcome FROM kepler.upsert_record('merge', 'deep', '{"b": 2, "o": {"z": 3}}', merge => 'deep');
SELECT id, pg_temp.stored(id) FROM unnest(ARRAY['replace', 'shallow', 'deep']) AS id;

-- Arrays and scalars are replaced whole, null is a value, and an empty object adds nothing.
SELECT outcome FROM kepler.upsert_record('merge', 'deep', '{"a": null, "o": {"y": [3], "x": {"n": 1}}}', merge => 'deep');
SELECT pg_temp.stored('deep');
SELECT outcome FROM kepler.upsert_record('merge', 'deep', '{"o": {"x": {}, "y": {"k": 1}}}', merge => 'deep');
SELECT pg_temp.stored('deep');
SELECT outcome FROM kepler.upsert_record('merge', 'deep', '{}', merge => 'deep');
SELECT outcome FROM kepler.upsert_record('merge', 'deep', '{"o": null}', merge => 'shallow');
SELECT pg_temp.stored('deep');

-- The same part again is unchanged, in whatever spelling, and so is any part that is there already.
SELECT outcome FROM kepler.upsert_record('merge', 'shallow', '{"b": 2, "o": {"z": 3}}', merge => 'shallow');
SELECT outcome FROM kepler.upsert_record('merge', 'shallow', '{"o": {"z": 3.0}}', merge => 'shallow');
SELECT outcome FROM kepler.upsert_record('merge', 'shallow', '{"a": 1}', merge => 'deep');
-- The same text in another mode is another thing.
SELECT outcome FROM kepler.upsert_record('merge', 'shallow', '{"b": 2, "o": {"z": 3}}', merge => 'replace');
SELECT pg_temp.stored('shallow');
-- After the record was changed by hand, the part is laid over it again.
SELECT outcome FROM kepler.upsert_record('merge', 'shallow', '{"b": 2}', merge => 'shallow');
UPDATE kepler.records SET data = '{"b": 3, "hand": true}' WHERE entity_type = 'merge' AND external_id = 'shallow';
SELECT outcome FROM kepler.upsert_record('merge', 'shallow', '{"b": 2}', merge => 'shallow');
SELECT pg_temp.stored('shallow');

-- The stored hash is that of the result.
SELECT external_id, content_hash = kepler.jsonb_hash(data) AS of_the_result FROM kepler.records WHERE entity_type = 'merge' ORDER BY 1;

-- Several parts for one record in one batch are laid over it one after another.
SELECT ordinal, outcome FROM kepler.upsert_records('merge', '[
    {"external_id": "parts", "data": {"a": 1, "o": {"x": 1}}},
    {"external_id": "parts", "data": {"b": 2, "o": {"y": 2}}},
    {"external_id": "parts", "data": {"a": 3}}]', merge => 'deep');
SELECT pg_temp.stored('parts');
SELECT ordinal, outcome FROM kepler.upsert_records('merge', '[
    {"external_id": "parts", "data": {"c": 4}},
    {"external_id": "parts", "data": {"o": {"z": 5}}}]', merge => 'deep');
SELECT pg_temp.stored('parts');
-- Older parts than what is there do not count; nor do broken ones.
SELECT ordinal, outcome, error_code FROM kepler.upsert_records('merge', '[
    {"external_id": "parts", "data": {"d": 1}, "source_updated_at": "2024-01-02"},
    {"external_id": "parts", "data": {"d": 2, "stale": true}, "source_updated_at": "2024-01-01"},
    {"external_id": "parts", "data": {"d": "\u0000"}, "source_updated_at": "2024-01-03"},
    {"external_id": "parts", "data": {"e": 1}}]', merge => 'deep');
SELECT pg_temp.stored('parts');
-- Parts that end where they began are unchanged.
SELECT ordinal, outcome FROM kepler.upsert_records('merge', '[
    {"external_id": "parts", "data": {"e": 2}}, {"external_id": "parts", "data": {"e": 1}}]', merge => 'deep');

-- A part that comes with its deletion in one batch is kept, as it would be from two batches.
SELECT ordinal, outcome FROM kepler.upsert_records('merge', '[
    {"external_id": "one call", "data": {"a": 1}}, {"external_id": "two calls", "data": {"a": 1}}]', merge => 'deep');
SELECT ordinal, outcome FROM kepler.upsert_records('merge', '[
    {"external_id": "one call", "data": {"b": 2}}, {"external_id": "one call", "deleted": true}]', merge => 'deep');
SELECT outcome FROM kepler.upsert_record('merge', 'two calls', '{"b": 2}', merge => 'deep');
SELECT outcome FROM kepler.upsert_record('merge', 'two calls', NULL, deleted => true, merge => 'deep');
SELECT pg_temp.stored('one call') AS one_call, pg_temp.stored('two calls') AS two_calls;

-- A deletion ends a life: what comes afterwards is not laid over what was before, in one batch or in several. A
-- record that was restored by hand goes on living.
SELECT outcome FROM kepler.upsert_record('merge', 'two calls', '{"c": 3}', merge => 'deep');
SELECT ordinal, outcome FROM kepler.upsert_records('merge', '[
    {"external_id": "one call", "deleted": true, "data": {"stub": 1}}, {"external_id": "one call", "data": {"c": 3}},
    {"external_id": "new life", "data": {"a": 1}}, {"external_id": "new life", "deleted": true},
    {"external_id": "new life", "data": {"b": 2}}, {"external_id": "new life", "data": {"c": 3}}]', merge => 'shallow');
SELECT pg_temp.stored('two calls') AS two_calls, pg_temp.stored('one call') AS one_call, pg_temp.stored('new life') AS new_life;
SELECT outcome FROM kepler.upsert_record('merge', 'new life', '{"d": 4}', merge => 'shallow');
SELECT outcome FROM kepler.upsert_record('merge', 'new life', NULL, deleted => true);
SELECT outcome FROM kepler.upsert_record('merge', 'new life', '{"d": 4}', merge => 'shallow');
SELECT pg_temp.stored('new life') AS the_same_part_as_before;
SELECT outcome FROM kepler.upsert_record('merge', 'new life', NULL, deleted => true);
SELECT outcome FROM kepler.restore_records(ARRAY(SELECT id FROM kepler.records WHERE entity_type = 'merge' AND external_id = 'new life'));
SELECT outcome FROM kepler.upsert_record('merge', 'new life', '{"e": 5}', merge => 'shallow');
SELECT pg_temp.stored('new life') AS restored;

-- New records are what they are in every mode, and duplicate keys of a part are one.
SELECT outcome FROM kepler.upsert_record('merge', 'new', '{"a": null, "o": {"x": 1}, "o": {"y": 1}}', merge => 'deep');
SELECT pg_temp.stored('new');

-- What merge writes is to the byte what Postgres writes.
SELECT outcome FROM kepler.upsert_record('merge', 'new', '{"aaa": 1.50, "b": [true, null, {"x": "ü"}], "": {"long": -1e-7}}', merge => 'shallow');
SELECT record_image_eq(ROW(pg_temp.stored('new')), ROW('{"a": null, "o": {"y": 1}, "aaa": 1.50, "b": [true, null, {"x": "ü"}], "": {"long": -1e-7}}'::jsonb)) AS same_bytes;
ROLLBACK;
