-- COPY refuses tables with row security. The inbox takes it all the same, from whoever may load, and nobody loads into
-- another workspace, or reads there.
\set SHOW_CONTEXT never
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE ROLE copied_writer;
CREATE ROLE copied_reader;
INSERT INTO kepler.workspaces (id, name) VALUES ('copied_a', 'A'), ('copied_b', 'B');
SELECT kepler.grant_access('copied_writer', 'writer', 'copied_a');
SELECT kepler.grant_access('copied_reader', 'reader', 'copied_a');
SET kepler.workspace_id = 'copied_b';
INSERT INTO kepler.connections (id, name, reference_id) VALUES ('crm', 'crm', 'crm');
SELECT sync_run_id AS run_of_b FROM kepler.begin_sync('crm', 'lead') \gset
INSERT INTO kepler.inbox (sync_run_id, line) VALUES (:'run_of_b', '{"id": "of b"}');
SET kepler.workspace_id = 'copied_a';
INSERT INTO kepler.connections (id, name, reference_id) VALUES ('crm', 'crm', 'crm');
SELECT sync_run_id AS run FROM kepler.begin_sync('crm', 'lead') \gset
SET ROLE copied_writer;
SELECT row_security_active('kepler.inbox_rows') AS secured;

-- COPY, in both ways to name the run, and INSERT.
SET kepler.sync_run_id = :'run';
COPY kepler.inbox (line) FROM STDIN;
{"id": "1"}
\.
RESET kepler.sync_run_id;
INSERT INTO kepler.inbox (sync_run_id, line) VALUES (:'run', '{"id": "2"}');
SELECT line FROM kepler.inbox_rows ORDER BY id;

-- Nobody says whose a row is, and a run of another workspace is unknown.
COPY kepler.inbox (workspace_id, sync_run_id, line) FROM STDIN;
\echo SQLSTATE :LAST_ERROR_SQLSTATE
INSERT INTO kepler.inbox (workspace_id, sync_run_id, line) VALUES ('copied_b', :'run_of_b', '{"id": "forged"}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
INSERT INTO kepler.inbox_rows (workspace_id, sync_run_id, id, line) OVERRIDING SYSTEM VALUE VALUES ('copied_b', :'run_of_b', 1, '{"id": "forged"}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SET kepler.sync_run_id = :'run_of_b';
\set VERBOSITY sqlstate
COPY kepler.inbox (line) FROM STDIN;
{}
\.
\set VERBOSITY terse
RESET kepler.sync_run_id;
-- Named in the column it is a row of one's own, for nobody.
INSERT INTO kepler.inbox (sync_run_id, line) VALUES (:'run_of_b', '{"id": "for nobody"}');
RESET ROLE;
SELECT workspace_id, line FROM kepler.inbox ORDER BY id;
SET ROLE copied_writer;
DELETE FROM kepler.inbox_rows WHERE sync_run_id = :'run_of_b';
-- The table that takes rows in cannot be read, and its errors show nothing.
SELECT FROM kepler.inbox;
DELETE FROM kepler.inbox;
INSERT INTO kepler.inbox (sync_run_id, line) VALUES (:'run', '{"id": "3"}') RETURNING id;
COPY kepler.inbox TO STDOUT;
SELECT r.id FROM kepler.sync_progress AS p JOIN kepler.inbox_rows AS r USING (sync_run_id) WHERE r.workspace_id <> 'copied_a';

-- Merging and sweeping are as before.
CALL kepler.merge_inbox(:'run', id_key => 'id');
SELECT outcome FROM kepler.finish_sync(:'run');
SELECT external_id FROM kepler.records ORDER BY 1;
-- Whoever only reads loads nothing, and is told which level does.
SET ROLE copied_reader;
COPY kepler.inbox (line) FROM STDIN;
\set VERBOSITY default
INSERT INTO kepler.inbox (sync_run_id, line) VALUES (:'run', '{"id": "3"}');
RESET ROLE;

-- The owner names the workspace, also as the first that a session does with Kepler.
\c -
INSERT INTO kepler.inbox (workspace_id, sync_run_id, line) VALUES ('copied_b', :'run_of_b', '{"id": "2"}');
SELECT line FROM kepler.inbox WHERE workspace_id = 'copied_b' ORDER BY id;

SELECT kepler.revoke_access('copied_writer');
SELECT kepler.revoke_access('copied_reader');
DROP ROLE copied_writer, copied_reader;
DELETE FROM kepler.inbox;
DELETE FROM kepler.records WHERE workspace_id LIKE 'copied\__';
DELETE FROM kepler.connections WHERE workspace_id LIKE 'copied\__';
DELETE FROM kepler.entities WHERE workspace_id LIKE 'copied\__';
DELETE FROM kepler.workspaces WHERE id LIKE 'copied\__';
