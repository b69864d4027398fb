-- A batch may be JSON objects on a line each, in every function that takes a batch. A broken line is rejected by itself.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
-- Line ends of either kind, blank lines and white space around. Blank lines are no elements.
SELECT ordinal, external_id, outcome FROM kepler.upsert_records('line', E'{"external_id": "a", "data": {"v": 1}}\n\n  {"external_id": "b", "data": {}} \r\n\t\n{"external_id": "c", "data": {}}');
-- The same as an array is unchanged.
SELECT ordinal, external_id, outcome FROM kepler.upsert_records('line', '[{"external_id": "a", "data": {"v": 1}}, {"external_id": "b", "data": {}}, {"external_id": "c", "data": {}}]');
SELECT kepler.upsert_records_summary('line', E'{"id": "a", "v": 1}\n{"id": "d"}\n', id_key => 'id')->'total' AS total;

-- Whatever is wrong with a line ends with it: an open string, an open bracket, a comma too much, an element that is no object.
SELECT ordinal, external_id, outcome, error_code, error FROM kepler.upsert_records('broken', concat_ws(E'\n',
    '{"external_id": "1", "data": {"v": "}}', '{"external_id": "2", "data": {}}', '{"external_id": "3", "data": {', '{"external_id": "4", "data": {}},',
    '{"external_id": "5", "data": {}} {"external_id": "6", "data": {}}', '{"external_id": "7", "data": {]}', '[{"external_id": "8", "data": {}}]', '"{\"external_id\": \"9\"}"',
    'null', '}', '{''external_id'': 1}', '{"external_id": "10", "data": "{\"v\": 1}"}', '{"external_id": "11", "data": {"v": "\u0000"}}', '{"external_id": "12", "data": {}}'));

-- One object is a batch of one, on several lines too.
SELECT outcome FROM kepler.upsert_records('one', '{"external_id": "a", "data": {}}');
SELECT outcome FROM kepler.upsert_records('one', E'{\n  "external_id": "a",\n  "data": {}\n}\n');
SELECT outcome FROM kepler.upsert_records('one', '{"external_id": "a", "data": {}}'::json);
SELECT outcome FROM kepler.upsert_records('one', '{"external_id": "a", "data": {}}'::jsonb);
-- Several of them are not.
SELECT * FROM kepler.upsert_records('one', E'{\n  "external_id": "a",\n  "data": {}\n}\n{\n  "external_id": "b",\n  "data": {}\n}\n');
\echo SQLSTATE :LAST_ERROR_SQLSTATE

-- What a sender has done to a text is named.
SELECT * FROM kepler.upsert_records('one', U&'\FEFF[{"external_id": "a", "data": {}}]');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.upsert_records('one', U&'\FEFF{"external_id": "a", "data": {}}');
SELECT * FROM kepler.upsert_records('one', to_json('[{"external_id": "a", "data": {}}]'::text)::text);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.upsert_records('one', 'plain');

-- The other batches.
SELECT ordinal, outcome FROM kepler.remember_many(E'{"content": "tea"}\n{"content": 1}\n{"content": "milk"}');
INSERT INTO kepler.conversations (id) VALUES ('talk');
SELECT ordinal, outcome FROM kepler.add_messages('talk', E'{"role": "user", "content": "hello"}\n{"role":\n{"role": "user", "content": "again"}');
SELECT kepler.create_entry_table('Line', '{"fields": [{"name": "a", "type": "integer"}, {"name": "b", "type": "text"}]}') IS NOT NULL AS made;
SELECT ordinal, entry_id, outcome, error_code FROM kepler.insert_entries('Line', E'{"entry_id": 1, "a": 1, "b": "x"}\n{"entry_id": 2, "a": 2, "b": "y"\n{"entry_id": 3, "a": 3} 4\n\n{"entry_id": 4, "a": 4}\n', on_error => 'skip');
SELECT ordinal, entry_id, outcome, error_code FROM kepler.update_entries('Line', E'{"entry_id": 1, "a": 5}\n{"entry_id": 2, "a\n{"entry_id": 4, "b": "z"}', on_error => 'skip');
ROLLBACK;
