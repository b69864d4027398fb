-- Embeddings of messages: beside the messages, gone with them, and carried over to another model.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
SELECT kepler.create_embedding_space('old', dimensions => 2, model => 'model-a');
SELECT kepler.create_embedding_space('new', dimensions => 3, model => 'model-b');
INSERT INTO kepler.users (id, email) VALUES ('ada', 'ada@example.com');
INSERT INTO kepler.conversations (id, user_id) VALUES ('c', 'ada'), ('d', NULL);
SELECT count(*) FROM kepler.add_messages('c', '[{"role": "user", "content": "a"}, {"role": "assistant", "content": " "}, {"role": "tool", "content": "{}"}, {"role": "assistant", "content": "b"}]');
SELECT count(*) FROM kepler.add_messages('d', '[{"role": "user", "content": "c"}, {"role": "assistant", "content": "d"}]');
CREATE TEMP TABLE ids AS SELECT id, content FROM kepler.messages;

-- An answer for each element. Drivers that give 64 bits as texts may send them so.
SELECT s.ordinal, i.content, s.outcome FROM kepler.set_message_embeddings('old', (
    SELECT json_agg(e ORDER BY at) FROM (
        SELECT 1 AS at, json_build_object('message_id', id, 'embedding', '[1, 0]'::json) AS e FROM ids WHERE content = 'a'
        UNION ALL SELECT 2, json_build_object('message_id', id::text, 'embedding', '[0, 1]'::json) FROM ids WHERE content = 'b'
        UNION ALL SELECT 3, json_build_object('message_id', id, 'embedding', '[1, 1]'::json) FROM ids WHERE content = 'a'
        UNION ALL SELECT 4, json_build_object('message_id', id, 'embedding', '[1, 2]'::json) FROM ids WHERE content = 'c'
        UNION ALL SELECT 5, json_build_object('message_id', 0, 'embedding', '[1, 2]'::json)
        UNION ALL SELECT 6, json_build_object('message_id', id, 'embedding', '[1]'::json) FROM ids WHERE content = 'd') AS s)::text) AS s
LEFT JOIN ids AS i ON i.id = s.message_id ORDER BY 1;
SELECT s.outcome FROM kepler.set_message_embeddings('old', (SELECT json_agg(json_build_object('message_id', id, 'embedding', '[1, 1]'::json)) FROM ids WHERE content = 'a')::text) AS s;
SELECT i.content, e.embedding FROM kepler_data.old_message_embeddings AS e JOIN ids AS i ON i.id = e.message_id ORDER BY 1;
-- Page by page; blanks have no meaning.
SELECT content FROM kepler.pending_message_embeddings('new', 2);
SELECT content FROM kepler.pending_message_embeddings('new', 2, after_id => (SELECT max(message_id) FROM kepler.pending_message_embeddings('new', 2)));
SELECT count(*) FROM kepler.pending_message_embeddings('new');

-- A workspace that embeds its messages goes over when those have an embedding there; one that does not is not held up.
INSERT INTO kepler.workspaces (id, name) VALUES ('w2', 'w2');
INSERT INTO kepler.conversations (workspace_id, id) VALUES ('w2', 'c');
SELECT number FROM kepler.add_message('c', 'user', 'x', workspace_id => 'w2');
SELECT kepler.activate_embedding_space('new', workspace_id => 'w2');
SELECT kepler.activate_embedding_space('new');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT outcome FROM kepler.remember('m');
SELECT kepler.activate_embedding_space('new');
SELECT outcome FROM kepler.set_memory_embeddings('new', (SELECT json_agg(json_build_object('memory_id', memory_id, 'embedding', '[1, 2, 3]'::json)) FROM kepler.pending_memory_embeddings('new'))::text);
SELECT outcome FROM kepler.set_message_embeddings('new', (SELECT json_agg(json_build_object('message_id', message_id, 'embedding', '[1, 2, 3]'::json)) FROM kepler.pending_message_embeddings('new', roles => '{user}'))::text);
SELECT kepler.activate_embedding_space('new');
SELECT outcome FROM kepler.set_message_embeddings('new', (SELECT json_agg(json_build_object('message_id', id, 'embedding', '[1, 2, 4]'::json)) FROM ids WHERE content = 'b')::text);
-- The answer says whether an embedding is new, replaces another one, or is that which was there.
SELECT e.embedding, s.outcome FROM unnest(ARRAY['[1, 2, 4]', '[4, 2, 1]', '[1, 2, 4]']) WITH ORDINALITY AS e (embedding, place)
CROSS JOIN LATERAL (SELECT json_build_array(json_build_object('message_id', id, 'embedding', e.embedding::json)) AS batch FROM ids WHERE content = 'b') AS b
CROSS JOIN LATERAL kepler.set_message_embeddings('new', b.batch) AS s ORDER BY e.place;
SELECT kepler.activate_embedding_space('new');
-- A message can be added with its embedding, for the space that is searched now; sent again, too.
SELECT outcome FROM kepler.add_message('d', 'user', 'e', external_id => 'e', embedding => '[9, 1, 1]');
SELECT outcome FROM kepler.add_message('d', 'user', 'e', external_id => 'e', embedding => '[9, 1, 2]');
SELECT e.embedding FROM kepler_data.new_message_embeddings AS e JOIN kepler.messages AS m ON m.id = e.message_id WHERE m.content = 'e';
SELECT outcome FROM kepler.add_message('d', 'user', 'f', embedding => '[9, 1]');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT outcome FROM kepler.add_message('d', 'user', 'f', embedding => '[0, 0, 0]');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT count(*) AS added FROM kepler.messages WHERE content = 'f';
DELETE FROM kepler.messages WHERE content = 'e';
-- Searches compare with the new model's from now on, and with another's if it is named.
SELECT content FROM kepler.search_messages('[1, 2, 4]', 1);
SELECT content FROM kepler.search_messages('[0, 1]', 1, space => 'old');
SELECT count(*) FROM kepler.search_messages('[0, 1]');
-- How good the searches are is measured for messages too.
SELECT searches, recall, shortfalls FROM kepler.recall_check(searched => 'messages', max_rows => 2);
SELECT * FROM kepler.recall_check(searched => 'users');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
-- Which index they should have is told of these tables too.
SELECT relation, advice FROM kepler.index_advice() WHERE relation::text ~ '^kepler_data.(old|new)_' ORDER BY 1;

-- Deleted messages take their embeddings along, by whatever way they go.
DELETE FROM kepler.messages WHERE content = 'b';
SELECT i.content FROM kepler_data.new_message_embeddings AS e JOIN ids AS i ON i.id = e.message_id ORDER BY 1;
DELETE FROM kepler.users WHERE id = 'ada';
SELECT i.content FROM kepler_data.new_message_embeddings AS e JOIN ids AS i ON i.id = e.message_id ORDER BY 1;
TRUNCATE kepler_data.new_message_embeddings;
SELECT content FROM kepler.search_messages('[1, 2, 4]', query_text => 'c');

-- A space that a workspace's messages are searched in is not ended, even where nothing is remembered; then it goes with both tables.
DELETE FROM kepler.memories;
UPDATE kepler.workspaces SET embedding_space = NULL WHERE id = 'default';
SELECT kepler.retire_embedding_space('old');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.activate_embedding_space('new');
SELECT outcome FROM kepler.set_message_embeddings('new', (SELECT json_agg(json_build_object('message_id', id, 'embedding', '[1, 2, 4]'::json)) FROM ids WHERE content = 'c')::text);
SELECT kepler.activate_embedding_space('new');
SELECT kepler.retire_embedding_space('old');
SELECT * FROM kepler.set_message_embeddings('old', '[]');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.drop_embedding_space('old');
SELECT to_regclass('kepler_data.old_embeddings') AS memories, to_regclass('kepler_data.old_message_embeddings') AS messages, to_regclass('kepler_data.new_message_embeddings') AS others;
DELETE FROM kepler.messages;
SELECT count(*) FROM kepler_data.new_message_embeddings;
ROLLBACK;
