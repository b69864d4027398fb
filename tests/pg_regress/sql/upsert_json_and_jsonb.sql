-- upsert_records takes text, json and jsonb. A literal is text, the form that loses nothing.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;

-- The three forms are one: the second and third find nothing to do.
SELECT outcome FROM kepler.upsert_records('form', '[{"external_id": "a", "data": {"b": 1.0, "a": [1, 2]}}]'::text);
SELECT outcome FROM kepler.upsert_records('form', '[{"external_id": "a", "data": {"a": [1,2], "b": 1}}]'::json);
SELECT outcome FROM kepler.upsert_records('form', '[{"external_id": "a", "data": {"a": [1,2], "b": 1}}]'::jsonb);
SELECT kepler.upsert_records_summary('form', '[{"external_id": "a", "data": {"a": [1,2], "b": 1}}]'::json)->'unchanged' AS json,
    kepler.upsert_records_summary('form', '[{"external_id": "a", "data": {"a": [1,2], "b": 1}}]'::jsonb)->'unchanged' AS jsonb;

-- All arguments arrive where they belong in each form.
SELECT outcome FROM kepler.upsert_records('form', '[{"id": "b", "at": 1704067200, "x": "\u0000"}]'::json,
    source => 'crm', merge => 'deep', id_key => 'id', updated_at_key => 'at', options => '{"invalid_characters": "strip"}', workspace_id => 'default');
SELECT outcome FROM kepler.upsert_records('form', '[{"id": "b", "at": 1704067200, "y": 1}]'::jsonb,
    source => 'crm', merge => 'deep', id_key => 'id', updated_at_key => 'at', options => '{"invalid_characters": "strip"}', workspace_id => 'default');
SELECT source, data, extract(epoch FROM source_updated_at)::bigint AS time FROM kepler.records WHERE external_id = 'b';

-- A literal without a type is text, in every call: what jsonb cannot hold rejects one record only.
SELECT external_id, outcome, error_code FROM kepler.upsert_records('form', '[
    {"external_id": "nul", "data": {"a": "\u0000"}}, {"external_id": "good", "data": {}}]');
SELECT kepler.upsert_records_summary('form', '[{"external_id": "nul", "data": {"a": "\u0000"}}]')->'rejected_by_code' AS rejected;
SELECT outcome, error_code FROM kepler.upsert_record('form', 'nul', '{"a": "\u0000"}');

-- So is a parameter whose type the driver leaves open.
PREPARE upsert AS SELECT outcome FROM kepler.upsert_records($1, $2);
SELECT parameter_types FROM pg_prepared_statements WHERE name = 'upsert';
EXECUTE upsert ('form', '[{"external_id": "good", "data": {}}]');
DEALLOCATE upsert;

-- json keeps the text, so it can hold what jsonb cannot; jsonb refuses before the call begins.
SELECT external_id, outcome, error_code FROM kepler.upsert_records('form', '[
    {"external_id": "nul", "data": {"a": "\u0000"}}, {"external_id": "good", "data": {}}]'::json);
SELECT * FROM kepler.upsert_records('form', '[{"external_id": "nul", "data": {"a": "\u0000"}}]'::jsonb);
\echo SQLSTATE :LAST_ERROR_SQLSTATE

-- NULL is an error in each.
SELECT * FROM kepler.upsert_records('form', NULL::json);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.upsert_records('form', NULL::jsonb);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.upsert_records('form', NULL);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
ROLLBACK;
