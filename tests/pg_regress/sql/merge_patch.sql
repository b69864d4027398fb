-- merge_patch lays a document over the stored one by RFC 7386: null removes a member, at every level. (The vectors of the RFC are
-- unit tests.)
\set SHOW_CONTEXT never
BEGIN;
CREATE FUNCTION pg_temp.stored(id text) RETURNS jsonb LANGUAGE sql AS $$
    SELECT data FROM kepler.records WHERE entity_type = 'patch' AND external_id = $1
$$;
-- A new record has no nulls of the patch, however deep they are; nulls in arrays are values.
SELECT outcome FROM kepler.upsert_record('patch', 'a', '{"a": 1, "b": null, "o": {"x": 1, "y": {"z": null}}, "l": [null, {"n": null}]}', merge => 'merge_patch');
SELECT pg_temp.stored('a');
-- The same again changes nothing, and so does a removal of what is not there.
SELECT outcome FROM kepler.upsert_record('patch', 'a', '{"a": 1, "b": null, "o": {"x": 1, "y": {"z": null}}, "l": [null, {"n": null}]}', merge => 'merge_patch');
SELECT outcome FROM kepler.upsert_record('patch', 'a', '{"b": null, "o": {"y": {"q": null}}}', merge => 'merge_patch');
-- Members are set, removed and replaced; an object takes the place of what is none.
SELECT outcome FROM kepler.upsert_record('patch', 'a', '{"a": null, "o": {"x": null, "y": {"w": 1}}, "l": {"k": null, "m": 1}}', merge => 'merge_patch');
SELECT pg_temp.stored('a');
SELECT outcome FROM kepler.upsert_record('patch', 'a', '{"o": null, "l": [1]}', merge => 'merge_patch');
SELECT pg_temp.stored('a');
-- In the other modes null is a value, as ever, and a patch leaves a null that is stored.
SELECT outcome FROM kepler.upsert_record('patch', 'a', '{"n": null}', merge => 'deep');
SELECT outcome FROM kepler.upsert_record('patch', 'a', '{"l": 2}', merge => 'merge_patch');
SELECT pg_temp.stored('a');
-- The text of a patch was the text of a whole document before: it is another thing now.
SELECT outcome FROM kepler.upsert_record('patch', 'b', '{"a": null}');
SELECT outcome FROM kepler.upsert_record('patch', 'b', '{"a": null}', merge => 'merge_patch');
SELECT pg_temp.stored('b');

-- Several patches of a record in one batch are applied one after another, older ones left out, and a deletion begins anew.
SELECT ordinal, outcome FROM kepler.upsert_records('patch', '[
    {"external_id": "c", "data": {"a": 1, "b": 1}, "source_updated_at": "2024-01-01"},
    {"external_id": "c", "data": {"a": null, "c": 1}, "source_updated_at": "2024-01-03"},
    {"external_id": "c", "data": {"c": null, "b": null}, "source_updated_at": "2024-01-02"},
    {"external_id": "d", "data": {"a": 1}}, {"external_id": "d", "deleted": true}, {"external_id": "d", "data": {"b": null, "c": {"d": null}}}]', merge => 'merge_patch');
SELECT pg_temp.stored('c') AS c, pg_temp.stored('d') AS d;
SELECT outcome FROM kepler.upsert_record('patch', 'c', NULL, deleted => true, source_updated_at => '2024-01-04');
SELECT outcome FROM kepler.upsert_record('patch', 'c', '{"z": {"y": null}}', merge => 'merge_patch');
SELECT pg_temp.stored('c') AS c;

-- To the byte what Postgres makes of the result.
SELECT outcome FROM kepler.upsert_record('patch', 'e', '{"aaa": 1.50, "b": [true, null, {"x": "ü"}], "": {"long": -1e-7, "gone": null}, "gone": null}', merge => 'merge_patch');
SELECT record_image_eq(ROW(pg_temp.stored('e')), ROW('{"aaa": 1.50, "b": [true, null, {"x": "ü"}], "": {"long": -1e-7}}'::jsonb)) AS same_bytes;
ROLLBACK;
