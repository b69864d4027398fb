-- Content that has changed has no embedding until a new one comes: a vector of what it said before would find it for that.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
SELECT kepler.create_embedding_space('mini', dimensions => 2, model => 'test-model');
SELECT kepler.create_embedding_space('other', dimensions => 2, model => 'other-model');
INSERT INTO kepler.users (id, email) VALUES ('ada', 'ada@example.com'), ('bob', 'bob@example.com');
CREATE FUNCTION pg_temp.remember_all() RETURNS void LANGUAGE sql AS $$
    DELETE FROM kepler.memories;
    INSERT INTO kepler.memories (id, user_id, content) VALUES ('m1', 'ada', 'Ada lives in London'), ('m2', 'ada', 'Ada has a cat');
    SELECT FROM kepler.set_memory_embeddings('mini', '[{"memory_id": "m1", "embedding": [1, 0]}, {"memory_id": "m2", "embedding": [0, 1]}]');
    SELECT FROM kepler.set_memory_embeddings('other', '[{"memory_id": "m1", "embedding": [1, 0]}, {"memory_id": "m2", "embedding": [0, 1]}]');
$$;
CREATE VIEW pg_temp.embedded AS
SELECT (SELECT string_agg(memory_id, ' ' ORDER BY memory_id) FROM kepler_data.mini_embeddings) AS mini, (SELECT string_agg(memory_id, ' ' ORDER BY memory_id) FROM kepler_data.other_embeddings) AS other,
    (SELECT string_agg(memory_id, ' ' ORDER BY memory_id) FROM kepler.pending_memory_embeddings('mini')) AS pending;
SELECT pg_temp.remember_all();

-- By direct SQL.
UPDATE kepler.memories SET content = 'Ada lives in Turin' WHERE id = 'm1';
TABLE pg_temp.embedded;
SELECT content, similarity FROM kepler.search_memories('[1, 0]', min_similarity => 0.9);
SELECT content, similarity FROM kepler.search_memories(query_text => 'Turin');
SELECT outcome FROM kepler.set_memory_embeddings('mini', '[{"memory_id": "m1", "embedding": [1, 0.1]}]');
SELECT content FROM kepler.search_memories('[1, 0]', min_similarity => 0.9);
-- What is no change changes nothing, and neither does anything else about a memory.
SELECT pg_temp.remember_all();
UPDATE kepler.memories SET content = content, relevance_score = 1, metadata = '{"a": 1}', expires_at = 'infinity', valid_to = 'infinity';
UPDATE kepler.memories SET user_id = 'bob', context_type = 'pet' WHERE id = 'm2';
TABLE pg_temp.embedded;
-- A trigger of the user's; an upsert; MERGE; another format; another user at the same time.
CREATE FUNCTION pg_temp.redact() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.content := replace(NEW.content, 'London', '…'); RETURN NEW; END $$;
CREATE TRIGGER redact BEFORE UPDATE ON kepler.memories FOR EACH ROW EXECUTE FUNCTION pg_temp.redact();
UPDATE kepler.memories SET relevance_score = 0.1;
TABLE pg_temp.embedded;
DROP TRIGGER redact ON kepler.memories;
SELECT pg_temp.remember_all();
INSERT INTO kepler.memories (id, content) VALUES ('m1', 'by an upsert') ON CONFLICT (workspace_id, id) DO UPDATE SET content = EXCLUDED.content;
TABLE pg_temp.embedded;
SELECT pg_temp.remember_all();
MERGE INTO kepler.memories AS m USING (VALUES ('m2')) AS n (id) ON m.id = n.id WHEN MATCHED THEN UPDATE SET content = 'by MERGE';
TABLE pg_temp.embedded;
SELECT pg_temp.remember_all();
UPDATE kepler.memories SET content = '[1]' WHERE id = 'm1';
SELECT outcome FROM kepler.set_memory_embeddings('mini', '[{"memory_id": "m1", "embedding": [1, 0]}]');
UPDATE kepler.memories SET format = 'JSON' WHERE id = 'm1';
UPDATE kepler.memories SET content = 'of Bob', user_id = 'bob' WHERE id = 'm2';
TABLE pg_temp.embedded;
-- A trigger that changes what comes: the embedding is of what was given.
CREATE TRIGGER redact BEFORE INSERT ON kepler.memories FOR EACH ROW EXECUTE FUNCTION pg_temp.redact();
DELETE FROM kepler.memories;
SELECT outcome FROM kepler.remember('Ada lives in London', '[1, 0]');
SELECT ordinal, outcome FROM kepler.remember_many('[{"content": "Bob lives in London", "embedding": [1, 0]}, {"content": "Bob lives in Oslo", "embedding": [0, 1]}]');
SELECT m.content, e.embedding FROM kepler.memories AS m LEFT JOIN kepler_data.mini_embeddings AS e ON e.memory_id = m.id ORDER BY 1;
DROP TRIGGER redact ON kepler.memories;
-- What is undone is as it was.
SELECT pg_temp.remember_all();
SAVEPOINT before;
UPDATE kepler.memories SET content = 'for a moment';
ROLLBACK TO before;
TABLE pg_temp.embedded;
-- An id is what embeddings know a memory by: it stays.
UPDATE kepler.memories SET id = 'm3' WHERE id = 'm1';
\echo SQLSTATE :LAST_ERROR_SQLSTATE

-- A worker that hands back the hash of what it has read does not set the vector of an old text.
SELECT memory_id, content_hash = encode(sha256(convert_to(content, 'UTF8')), 'hex') AS is_sha_256 FROM kepler.pending_memory_embeddings('mini');
DELETE FROM kepler_data.mini_embeddings;
SELECT memory_id, content_hash AS hash FROM kepler.pending_memory_embeddings('mini') WHERE memory_id = 'm1' \gset
UPDATE kepler.memories SET content = 'Ada lives in Rome' WHERE id = 'm1';
SELECT ordinal, outcome FROM kepler.set_memory_embeddings('mini', json_build_array(
    json_build_object('memory_id', 'm1', 'embedding', '[1,0]'::json, 'content_hash', :'hash'), json_build_object('memory_id', 'm2', 'embedding', '[0,1]'::json, 'content_hash', null)));
SELECT ordinal, outcome FROM kepler.set_memory_embeddings('mini', (
    SELECT jsonb_agg(jsonb_build_object('memory_id', memory_id, 'embedding', '[1,0]'::jsonb, 'content_hash', content_hash)) FROM kepler.pending_memory_embeddings('mini')));
TABLE pg_temp.embedded;
SELECT outcome, error_code, error FROM kepler.set_memory_embeddings('mini', '[{"memory_id": "m1", "embedding": [1, 0], "content_hash": 5}]');
-- It must have all of them again before it is searched.
UPDATE kepler.memories SET content = 'Ada lives in Oslo' WHERE id = 'm1';
SELECT kepler.activate_embedding_space('other');

-- Messages.
INSERT INTO kepler.conversations (id) VALUES ('talk');
SELECT outcome FROM kepler.add_messages('talk', '[{"role": "user", "content": "Where to?", "embedding": [1, 0], "external_id": "a"}, {"role": "assistant", "content": "Rome.", "embedding": [0, 1]}]');
UPDATE kepler.messages SET metadata = '{"a": 1}', token_count = 3;
SELECT number, similarity FROM kepler.search_messages('[1, 0]') ORDER BY number;
UPDATE kepler.messages SET content = 'Where from?' WHERE number = 1;
SELECT number, similarity FROM kepler.search_messages('[1, 0]') ORDER BY number;
SELECT number, content, content_hash = encode(sha256(convert_to(content, 'UTF8')), 'hex') AS is_sha_256 FROM kepler.pending_message_embeddings('mini');
SELECT message_id AS id, content_hash AS hash FROM kepler.pending_message_embeddings('mini') \gset
UPDATE kepler.messages SET content = 'Where?' WHERE number = 1;
SELECT outcome FROM kepler.set_message_embeddings('mini', jsonb_build_array(jsonb_build_object('message_id', :id, 'embedding', '[1,0]'::jsonb, 'content_hash', :'hash')));
SELECT outcome FROM kepler.set_message_embeddings('mini', jsonb_build_array(jsonb_build_object('message_id', :id, 'embedding', '[1,0]'::jsonb)));
-- Sent again with its embedding, the message of the same content has that.
UPDATE kepler.messages SET content = 'Where to?' WHERE number = 1;
SELECT outcome FROM kepler.add_messages('talk', '[{"role": "user", "content": "Where to?", "embedding": [1, 0], "external_id": "a"}]');
SELECT number, similarity FROM kepler.search_messages('[1, 0]') ORDER BY number;
CREATE TRIGGER redact BEFORE INSERT ON kepler.messages FOR EACH ROW EXECUTE FUNCTION pg_temp.redact();
SELECT outcome FROM kepler.add_messages('talk', '[{"role": "user", "content": "To London", "embedding": [1, 0]}, {"role": "user", "content": "To Oslo", "embedding": [0, 1]}]');
SELECT m.content, e.embedding FROM kepler.messages AS m LEFT JOIN kepler_data.mini_message_embeddings AS e ON e.message_id = m.id WHERE m.content LIKE 'To%' ORDER BY 1;
ROLLBACK;
