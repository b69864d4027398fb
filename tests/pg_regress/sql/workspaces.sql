-- A call works in one workspace: the one it names, or the session's. The same external id in two
-- workspaces is two records.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
INSERT INTO kepler.workspaces (id, name) VALUES ('one', 'same name'), ('two', 'same name');
SELECT kepler.current_workspace_id();

-- By argument.
SELECT outcome FROM kepler.upsert_records('contact', '[{"external_id": "a", "data": {"in": "one"}}]', workspace_id => 'one');
SELECT outcome FROM kepler.upsert_records('contact', '[{"external_id": "a", "data": {"in": "two"}}]', workspace_id => 'two');
SELECT outcome FROM kepler.upsert_record('contact', 'b', '{"in": "two"}', workspace_id => 'two');
SELECT kepler.upsert_records_summary('contact', '[{"external_id": "c", "data": {"in": "two"}}]'::jsonb, workspace_id => 'two')->'inserted' AS inserted;

-- By session.
SET LOCAL kepler.workspace_id = 'one';
SELECT kepler.current_workspace_id();
SELECT outcome FROM kepler.upsert_records('contact', '[{"external_id": "a", "data": {"in": "one"}}]');
SELECT outcome FROM kepler.upsert_records('contact', '[{"external_id": "b", "data": {"in": "one"}}]');
SELECT kepler.set_entity_options('contact', '{"ignored_paths": ["/at"]}') IS NOT NULL AS set;
INSERT INTO kepler.records (entity_type, data) VALUES ('contact', '{"in": "one", "by": "hand"}');
-- The argument wins over the session, and an empty setting is none.
SELECT outcome FROM kepler.upsert_records('contact', '[{"external_id": "b", "data": {"in": "two"}}]', workspace_id => 'two');
SET LOCAL kepler.workspace_id = '';
SELECT kepler.current_workspace_id();
SELECT outcome FROM kepler.upsert_records('contact', '[{"external_id": "a", "data": {"in": "default"}}]');

-- Each has its own entity, with options of its own, and its own records.
SELECT workspace_id, type, ignored_paths FROM kepler.entities WHERE type = 'contact' ORDER BY workspace_id;
SELECT r.workspace_id, r.external_id, r.data, e.workspace_id AS workspace_of_entity
FROM kepler.records AS r LEFT JOIN kepler.entities AS e ON e.id = r.entity_id
WHERE r.entity_type = 'contact' ORDER BY r.workspace_id, r.external_id;

-- A connection of another workspace does not exist here.
INSERT INTO kepler.connections (workspace_id, id, name, reference_id) VALUES ('one', 'c', 'c', 'r');
SELECT outcome FROM kepler.upsert_records('contact', '[{"external_id": "a", "data": {}}]', connection_id => 'c', workspace_id => 'one');
SELECT outcome FROM kepler.upsert_records('contact', '[{"external_id": "a", "data": {}}]', connection_id => 'c', workspace_id => 'two');
\echo SQLSTATE :LAST_ERROR_SQLSTATE

-- A session whose workspace is unknown is told so.
SET LOCAL kepler.workspace_id = 'unknown';
SELECT * FROM kepler.upsert_records('contact', '[]');
\echo SQLSTATE :LAST_ERROR_SQLSTATE

-- The default of a column follows the session at each row, and a plan does not keep the old one.
PREPARE upsert AS SELECT outcome FROM kepler.upsert_records('prepared', '[{"external_id": "a", "data": {}}]');
SET LOCAL kepler.workspace_id = 'one';
EXECUTE upsert;
SET LOCAL kepler.workspace_id = 'two';
EXECUTE upsert;
SELECT workspace_id FROM kepler.records WHERE entity_type = 'prepared' ORDER BY 1;
DEALLOCATE upsert;

-- Ordinary users cannot choose their workspace: row security will rest on it.
CREATE ROLE kepler_workspaces_test;
SET LOCAL ROLE kepler_workspaces_test;
SET kepler.workspace_id = 'two';
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SET kepler.workspace = 'two';
\echo SQLSTATE :LAST_ERROR_SQLSTATE
ROLLBACK;
