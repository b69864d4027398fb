-- Under row security a search keeps to the session's workspace and keeps its index. Somebody else's workspace raises; it does not look
-- empty. Policies that a user has added hold.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
SELECT kepler.create_embedding_space('mini', dimensions => 2, model => 'test-model');
INSERT INTO kepler.workspaces (id, name) VALUES ('ours', 'ours'), ('theirs', 'theirs');
SELECT count(*) FROM kepler.remember_many('[{"content": "our public", "embedding": [1, 0]}, {"content": "our secret", "embedding": [1, 0.1], "context_type": "secret"}]', workspace_id => 'ours');
SELECT outcome FROM kepler.remember('their public', '[1, 0]', workspace_id => 'theirs');
CREATE ROLE kepler_reader;
GRANT USAGE ON SCHEMA kepler, kepler_internal, kepler_data TO kepler_reader;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA kepler, kepler_internal TO kepler_reader;
GRANT SELECT ON kepler.workspace_members TO kepler_reader;
INSERT INTO kepler.workspace_members (workspace_id, role_name, level) VALUES ('ours', 'kepler_reader', 'reader');
SET LOCAL kepler.workspace_id = 'ours';
SET LOCAL ROLE kepler_reader;
SELECT count(*) FROM kepler.search_memories('[1, 0]');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
RESET ROLE;
GRANT SELECT ON kepler.memories, kepler.workspaces, kepler.embedding_spaces TO kepler_reader;
SET LOCAL ROLE kepler_reader;
SELECT count(*) AS seen FROM kepler.memories;
SELECT content FROM kepler.search_memories('[1, 0]', weights => '{"similarity": 1}', touch => true);
SELECT content FROM kepler.search_memories(query_text => 'public theirs');
SELECT content FROM kepler.search_memories('[1, 0]', workspace_id => 'theirs');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT content FROM kepler.search_memories('[1, 0]', workspace_id => 'nowhere');
SELECT kepler.touch_memories('{x}', workspace_id => 'theirs');
SELECT searches, recall FROM kepler.recall_check(workspace_id => 'theirs');
-- A reader may not write, and its searches are noted all the same where it asks.
SELECT outcome FROM kepler.remember('x');
RESET ROLE;
SELECT count(*) AS noted FROM kepler.memory_access;
-- Within what the owner reads, the caller is still nobody: the role is restored, also after an error.
SET LOCAL ROLE kepler_reader;
SELECT count(*) FROM kepler.search_memories('[1, 0, 0]');
SELECT current_user;
SELECT * FROM kepler_data.mini_embeddings;
RESET ROLE;
-- A policy of the user's: nothing secret is found, by vectors or by words. Then the reader needs the right to read the embeddings.
CREATE POLICY no_secrets ON kepler.memories AS RESTRICTIVE USING (context_type <> 'secret');
SET LOCAL ROLE kepler_reader;
SELECT content FROM kepler.search_memories('[1, 0]');
RESET ROLE;
GRANT SELECT ON kepler_data.mini_embeddings, kepler.memory_access TO kepler_reader;
SET LOCAL ROLE kepler_reader;
SELECT content FROM kepler.search_memories('[1, 0]');
SELECT content FROM kepler.search_memories(query_text => 'public secret');
RESET ROLE;
-- Policies for others, or none at all: what the caller may not see is not found.
DROP POLICY no_secrets ON kepler.memories;
DROP POLICY workspace ON kepler.memories;
CREATE ROLE kepler_other;
CREATE POLICY workspace ON kepler.memories TO kepler_other USING (workspace_id = kepler.current_workspace_id());
SET LOCAL ROLE kepler_reader;
SELECT count(*) FROM kepler.search_memories('[1, 0]');
RESET ROLE;
DROP POLICY workspace ON kepler.memories;
SET LOCAL ROLE kepler_reader;
SELECT count(*) FROM kepler.search_memories('[1, 0]');
RESET ROLE;
CREATE POLICY workspace ON kepler.memories USING (workspace_id = kepler.current_workspace_id());
SET LOCAL ROLE kepler_reader;
SELECT count(*) FROM kepler.search_memories('[1, 0]');
ROLLBACK;
