-- Where a flat document says its id, its time and its deletion: by the name of a member, by a JSON Pointer, and for the
-- id by several of them.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
SET timezone = 'UTC';
SET datestyle = 'ISO';
BEGIN;

-- Pointers lead into objects and arrays. What is not there is missing, what cannot be an id is rejected.
SELECT ordinal, external_id, outcome, error_code, error FROM kepler.upsert_records('pod', '[
    {"metadata": {"uid": "a", "times": [{"at": "2024-05-01T10:00:00Z"}]}},
    {"metadata": {"uid": 7.0, "times": []}},
    {"metadata": {"uid": null}},
    {"metadata": [], "uid": "b"},
    {"uid": "c"},
    {"metadata": {"uid": {"nested": 1}}},
    {"metadata": {"uid": "d", "uid": "e"}},
    {"metadata": {"uid": "f", "times": [{"at": "soon"}]}},
    {"metadata": {"uid" "g"}}
]', id_key => '/metadata/uid', updated_at_key => '/metadata/times/0/at');
SELECT external_id, source_updated_at FROM kepler.records WHERE entity_type = 'pod' ORDER BY external_id;

-- A name is a name, whatever is in it, unless it begins with a slash: then it is written as a pointer.
SELECT external_id, outcome FROM kepler.upsert_records('odd', '[{"a/b": 1}]', id_key => 'a/b');
SELECT external_id, outcome FROM kepler.upsert_records('odd', '[{"/a~": 2, "": {"": 3}}]', id_key => '/~1a~0');
SELECT external_id, outcome FROM kepler.upsert_records('odd', '[{"/a~": 2, "": {"": 3}}]', id_key => '//');
SELECT external_id, outcome FROM kepler.upsert_records('odd', '[{"[x]": 4}]', id_key => '/[x]');

-- A composite id is the JSON array of its parts, as array_to_json gives it: a number and its text are one part, as they are
-- one id.
SELECT ordinal, external_id, outcome, error_code, error FROM kepler.upsert_records('line', '[
    {"order": {"id": 1}, "line": "a", "data": 1},
    {"order": {"id": "1"}, "line": "a", "data": 2},
    {"order": {"id": "1\",\"a"}, "line": "\u00e4\t\u0001"},
    {"order": {"id": ""}, "line": "a"},
    {"order": {"id": " "}, "line": ""},
    {"order": {"id": 1}},
    {"order": {"id": 1}, "line": null},
    {"order": 1, "line": "a"},
    {"order": {"id": 1}, "line": true}
]', id_key => '["/order/id", "line"]');
SELECT external_id = array_to_json(ARRAY[data #>> '{order,id}', data->>'line'])::text AS joins FROM kepler.records WHERE entity_type = 'line';
-- What could be taken for two different ids is two.
SELECT count(DISTINCT external_id) FROM kepler.upsert_records('pair', '[
    {"a": "x,y", "b": "z"}, {"a": "x", "b": "y,z"}, {"a": "x\",\"y", "b": "z"}, {"a": "x", "b": "y\",\"z"}, {"a": "[\"x\"", "b": ""}]', id_key => '["a","b"]');
-- One that is too long is rejected, whatever its parts are.
SELECT outcome, error_code, error FROM kepler.upsert_records('pair', jsonb_build_array(jsonb_build_object('a', repeat('x', 1500), 'b', repeat('x', 1500))), id_key => '["a","b"]');

-- One time for all documents of a call. A later call with an older one is stale.
SELECT external_id, outcome FROM kepler.upsert_records('export', '[{"id": 1, "n": 1}, {"id": 2}]', id_key => 'id', options => '{"source_updated_at": "2024-05-02T00:00:00Z"}');
SELECT external_id, outcome FROM kepler.upsert_records('export', '[{"id": 1, "n": 0}, {"id": 3}]', id_key => 'id', options => '{"source_updated_at": 1714521600}');
SELECT external_id, source_updated_at, data FROM kepler.records WHERE entity_type = 'export' ORDER BY external_id;
-- null is no time.
SELECT external_id, outcome FROM kepler.upsert_records('export', '[{"id": 1, "n": 2}]', id_key => 'id', options => '{"source_updated_at": null}');

-- Keys that are none, and combinations that make no sense.
\set VERBOSITY default
SELECT * FROM kepler.upsert_records('never', '[]', id_key => '/a~2');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.upsert_records('never', '[]', id_key => 'id', updated_at_key => '/~');
SELECT * FROM kepler.upsert_records('never', '[]', id_key => '["a"');
SELECT * FROM kepler.upsert_records('never', '[]', id_key => '["a", 1]');
SELECT * FROM kepler.upsert_records('never', '[]', id_key => '[]');
SELECT * FROM kepler.upsert_records('never', '[]', id_key => (SELECT json_agg('k' || i)::text FROM generate_series(1, 17) AS i));
SELECT * FROM kepler.upsert_records('never', '[]', deleted_key => 'deleted');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.upsert_records('never', '[]', options => '{"source_updated_at": "2024-05-01"}');
SELECT * FROM kepler.upsert_records('never', '[]', id_key => 'id', updated_at_key => 'at', options => '{"source_updated_at": "2024-05-01"}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.upsert_records('never', '[]', id_key => 'id', options => '{"source_updated_at": "soon"}');
SELECT * FROM kepler.upsert_records('never', '[]', id_key => 'id', options => '{"source_updated_at": "9999-01-01"}');
SELECT count(*) FROM kepler.entities WHERE type = 'never';

-- A key that is no id makes one record of many. The answers are right, and a warning says so, once a call.
SELECT outcome, count(*) FROM kepler.upsert_records('task', (SELECT json_agg(json_build_object('id', i, 'kind', 'task')) FROM generate_series(1, 30) AS i), id_key => 'kind')
GROUP BY outcome ORDER BY outcome;
SELECT kepler.upsert_records_summary('task', (SELECT json_agg(json_build_object('id', i, 'kind', 'task')) FROM generate_series(1, 30) AS i), id_key => '["/kind"]')->'superseded' AS superseded;
-- Not where half of the elements are the same again, in a small batch, or of envelopes.
SELECT kepler.upsert_records_summary('task', (SELECT json_agg(json_build_object('id', i % 15)) FROM generate_series(1, 30) AS i), id_key => 'id')->'superseded' AS superseded;
SELECT kepler.upsert_records_summary('task', (SELECT json_agg(json_build_object('id', 1)) FROM generate_series(1, 9) AS i), id_key => 'id')->'superseded' AS superseded;
SELECT kepler.upsert_records_summary('task', (SELECT json_agg(json_build_object('external_id', 1, 'data', '{}'::json)) FROM generate_series(1, 30) AS i))->'superseded' AS superseded;
ROLLBACK;
