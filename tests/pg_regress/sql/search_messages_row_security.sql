-- Under row security a search over messages keeps to the session's workspace; policies that a user has added hold.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
SELECT kepler.create_embedding_space('mini', dimensions => 2, model => 'test-model');
INSERT INTO kepler.workspaces (id, name) VALUES ('ours', 'ours'), ('theirs', 'theirs');
INSERT INTO kepler.conversations (workspace_id, id, kind) VALUES ('ours', 'c', 'public'), ('ours', 's', 'secret'), ('theirs', 'c', 'public');
SELECT count(*) FROM kepler.add_messages('c', '[{"role": "user", "content": "our question"}, {"role": "tool", "content": "our tool"}, {"role": "user", "content": "our thanks"}]', workspace_id => 'ours');
SELECT count(*) FROM kepler.add_messages('s', '[{"role": "user", "content": "our secret question"}]', workspace_id => 'ours');
SELECT count(*) FROM kepler.add_messages('c', '[{"role": "user", "content": "their question"}]', workspace_id => 'theirs');
SELECT outcome, count(*) FROM (VALUES ('ours'), ('theirs')) AS w (id), LATERAL kepler.set_message_embeddings('mini', (
    SELECT json_agg(json_build_object('message_id', message_id, 'embedding', json_build_array(1, number))) FROM kepler.pending_message_embeddings('mini', workspace_id => w.id))::text, workspace_id => w.id) GROUP BY 1;
CREATE ROLE kepler_reader;
GRANT USAGE ON SCHEMA kepler, kepler_internal, kepler_data TO kepler_reader;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA kepler, kepler_internal TO kepler_reader;
GRANT SELECT ON kepler.workspace_members TO kepler_reader;
INSERT INTO kepler.workspace_members (workspace_id, role_name, level) VALUES ('ours', 'kepler_reader', 'reader');
SET LOCAL kepler.workspace_id = 'ours';
-- The right to one of the two tables is not enough.
SET LOCAL ROLE kepler_reader;
SELECT count(*) FROM kepler.search_messages('[1, 0]');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
RESET ROLE;
GRANT SELECT ON kepler.messages TO kepler_reader;
SET LOCAL ROLE kepler_reader;
SELECT count(*) FROM kepler.search_messages('[1, 0]');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
RESET ROLE;
GRANT SELECT ON kepler.conversations, kepler.workspaces, kepler.embedding_spaces TO kepler_reader;
SET LOCAL ROLE kepler_reader;
SELECT count(*) AS seen FROM kepler.messages;
SELECT conversation_id, content FROM kepler.search_messages('[1, 0]', expand => 1);
SELECT content FROM kepler.search_messages(query_text => 'their question');
-- Somebody else's workspace raises; it does not look empty.
SELECT content FROM kepler.search_messages('[1, 0]', workspace_id => 'theirs');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT content FROM kepler.search_messages('[1, 0]', conversation_id => 'x');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
-- The role is restored, also after an error; what the owner reads is not the caller's to read.
SELECT current_user;
SELECT * FROM kepler_data.mini_message_embeddings;
RESET ROLE;
-- A policy of the user's: nothing that a tool said is found, not by vectors, not by words, and not around a hit. Then the reader needs
-- the right to read the embeddings.
CREATE POLICY no_tools ON kepler.messages AS RESTRICTIVE USING (role <> 'tool');
SET LOCAL ROLE kepler_reader;
SELECT content FROM kepler.search_messages('[1, 0]');
RESET ROLE;
GRANT SELECT ON kepler_data.mini_message_embeddings TO kepler_reader;
SET LOCAL ROLE kepler_reader;
SELECT content, is_hit FROM kepler.search_messages('[1, 0]', 1, expand => 5, conversation_id => 'c');
SELECT count(*) AS tools FROM kepler.search_messages('[1, 0]', query_text => 'tool', roles => '{tool}');
RESET ROLE;
-- One on conversations alone: who searches by them finds what it leaves.
DROP POLICY no_tools ON kepler.messages;
CREATE POLICY no_secrets ON kepler.conversations AS RESTRICTIVE USING (kind <> 'secret');
SET LOCAL ROLE kepler_reader;
SELECT content FROM kepler.search_messages('[1, 0]', user_id => NULL);
SELECT content FROM kepler.search_messages('[1, 0]', conversation_id => 's');
ROLLBACK;
