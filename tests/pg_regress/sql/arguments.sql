-- What may be wrong with the arguments of a call: each is an error that says which and what to do.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;

-- NULL where a value is needed.
SELECT * FROM kepler.upsert_records(NULL, '[]');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.upsert_records('t', NULL);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.upsert_records('t', '[]', merge => NULL);
SELECT * FROM kepler.upsert_records('t', '[]', workspace_id => NULL);
SELECT kepler.upsert_records_summary(NULL, '[]');
SELECT kepler.upsert_records_summary('t', NULL);
SELECT kepler.set_entity_options(NULL, '{}');
SELECT kepler.set_entity_options('t', NULL);
SELECT * FROM kepler.delete_records(NULL);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.restore_records('{}'::text[], NULL);
SELECT * FROM kepler.archive_records(NULL::text[], NULL);

-- NULL where it means "none".
SELECT outcome FROM kepler.upsert_records('t', '[{"external_id": "a", "data": {}}]', source => NULL, connection_id => NULL, sync_run_id => NULL, id_key => NULL, updated_at_key => NULL, options => NULL);
SELECT outcome FROM kepler.upsert_record('t', 'a', '{}', source_updated_at => NULL, options => NULL);

-- Blank or too long.
SELECT * FROM kepler.upsert_records('', '[]');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.upsert_records(E' \t\n', '[]');
SELECT * FROM kepler.upsert_records('t', '[]', source => ' ');
SELECT * FROM kepler.upsert_records('t', '[]', workspace_id => '');
SELECT * FROM kepler.upsert_records(repeat('x', 129), '[]');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.upsert_records('t', '[]', source => repeat('é', 65));
SELECT * FROM kepler.upsert_records('t', '[]', workspace_id => repeat('x', 129));
SELECT outcome FROM kepler.upsert_records(repeat('x', 128), '[{"external_id": "a", "data": {}}]', source => repeat('é', 64));

-- No such choice, workspace, connection.
SELECT * FROM kepler.upsert_records('t', '[]', merge => 'DEEP');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.upsert_records('t', '[]', merge => '');
SELECT * FROM kepler.upsert_records('new type', '[]', workspace_id => 'nowhere');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.upsert_records('new type', '[]', connection_id => 'none');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.upsert_records('t', '[]', connection_id => '');
SELECT kepler.set_entity_options('new type', '{}', connection_id => 'none');

-- Options: unknown names and values are errors, not ignored.
SELECT * FROM kepler.upsert_records('t', '[]', options => '{"invalid_character": "strip"}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.upsert_records('t', '[]', options => '{"invalid_characters": "drop"}');
\set VERBOSITY sqlstate
SELECT * FROM kepler.upsert_records('t', '[]', options => '{"invalid_characters": true}');
SELECT * FROM kepler.upsert_records('t', '[]', options => '["strip"]');
SELECT * FROM kepler.upsert_records('t', '[]', options => '[]');
SELECT * FROM kepler.upsert_records('t', '[]', options => '"strip"');
SELECT * FROM kepler.upsert_records('t', '[]', options => 'null');
SELECT kepler.set_entity_options('t', '[]');
SELECT kepler.set_entity_options('t', '[["/a"]]');
SELECT kepler.set_entity_options('t', 'null');
\set VERBOSITY default
SELECT * FROM kepler.upsert_records('t', '[]', options => '{}');
SELECT * FROM kepler.upsert_records('t', '[]', options => '{"invalid_characters": "reject"}');
SELECT kepler.set_entity_options('t', '{"ignored_path": []}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.set_entity_options('t', '{"ignored_paths": "/a"}');
SELECT kepler.set_entity_options('t', '{"ignored_paths": [1]}');
SELECT kepler.set_entity_options('t', '{"ignored_paths": ["fetched_at"]}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.set_entity_options('t', '{"ignored_paths": [""]}');
SELECT kepler.set_entity_options('t', '{"ignored_paths": ["/a~2"]}');

-- What is wrong is found before anything is written, whatever the batch.
SELECT * FROM kepler.upsert_records('never made', '[{"external_id": "a", "data": {}}]', options => '{"x": 1}');
SELECT * FROM kepler.upsert_records('never made', '[{"external_id": "a", "data": {}}] x');
SELECT count(*) FROM kepler.entities WHERE type = 'never made';
ROLLBACK;
