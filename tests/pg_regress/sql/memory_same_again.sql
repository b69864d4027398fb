-- Short replies come again and again, each time with the same vector: what is nearer, similar enough or different is found past them.
\set SHOW_CONTEXT never
BEGIN;
SELECT kepler.create_embedding_space('mini', dimensions => 3, model => 'test-model');
-- 3,000 times "ok", and 30 sentences that say something.
CREATE TEMP TABLE said AS
SELECT 'm' || i AS id, 'ok' AS content, '[1, 0, 0]'::vector AS embedding FROM generate_series(1001, 4000) AS i
UNION ALL SELECT 's' || (100 + i), 'sentence ' || i, ARRAY[0.2, cos(i / 100.0), sin(i / 100.0)]::vector FROM generate_series(1, 30) AS i;
INSERT INTO kepler.memories (id, content) SELECT id, content FROM said;
INSERT INTO kepler_data.mini_embeddings (memory_id, embedding) SELECT id, embedding FROM said;
CREATE INDEX mini_hnsw ON kepler_data.mini_embeddings USING hnsw (embedding vector_cosine_ops);
INSERT INTO kepler.conversations (id) VALUES ('talk');
INSERT INTO kepler.messages (conversation_id, number, role, content) SELECT 'talk', row_number() OVER (ORDER BY id DESC), 'user', content FROM said;
INSERT INTO kepler_data.mini_message_embeddings (message_id, embedding)
SELECT m.id, s.embedding FROM (SELECT *, row_number() OVER (ORDER BY id DESC) AS number FROM said) AS s JOIN kepler.messages AS m USING (number);
CREATE INDEX mini_message_hnsw ON kepler_data.mini_message_embeddings USING hnsw (embedding vector_cosine_ops);
CREATE TABLE said_too (id text, content text, embedding vector(3));
INSERT INTO said_too SELECT * FROM said;
CREATE INDEX said_hnsw ON said_too USING hnsw (embedding vector_cosine_ops);
ANALYZE kepler.memories, kepler_data.mini_embeddings, kepler.messages, kepler_data.mini_message_embeddings, said_too;

-- What an index gives is "ok", and the search notices.
SELECT count(*) AS ok FROM kepler.search_memories('[0, 1, 0]', 5) WHERE content = 'ok';
SELECT count(*), min(similarity) > 0.9 AS near FROM kepler.search_memories('[0, 1, 0]', 3, weights => '{"similarity": 1}');
SELECT count(*), min(similarity) > 0.9 AS near FROM kepler.search_memories('[0, 1, 0]', 1, weights => '{"similarity": 1}');
SELECT count(*) FROM kepler.search_memories('[0, 1, 0]', 200, min_similarity => 0.6);
SELECT count(*) FROM kepler.search_memories('[0, 1, 0]', 200, min_similarity => 0.6, weights => '{"similarity": 1}');
SELECT count(*), min(similarity) > 0.9 AS near FROM kepler.search_messages('[0, 1, 0]', 3);
SELECT count(*) FROM kepler.search_messages('[0, 1, 0]', 200, min_similarity => 0.6);
SELECT count(*), min(similarity) > 0.9 AS near FROM kepler.search_vectors('said_too', 'embedding', '[0, 1, 0]', 3);
SELECT count(*) FROM kepler.search_vectors('said_too', 'embedding', '[0, 1, 0]', 200, min_similarity => 0.6);
-- Who asks for them gets them.
SELECT content, count(*) FROM kepler.search_memories('[1, 0, 0]', 40, weights => '{"similarity": 1}') GROUP BY 1;
-- index_advice says what it costs.
SELECT advice, reason FROM kepler.index_advice('kepler_data.mini_embeddings');

-- Results that are to be unlike each other are, as far as there are others: by meaning, and by words among those without embeddings.
SELECT count(DISTINCT content), count(*) FROM kepler.search_memories('[1, 0.1, 0]', 10, diversity => 1);
SELECT count(DISTINCT content), count(*) FROM kepler.search_memories('[1, 0.1, 0]', 40, diversity => 0.5);
SELECT count(DISTINCT content), count(*) FROM kepler.search_memories('[1, 0.1, 0]', 10, diversity => 1, filter => '{}');
INSERT INTO kepler.memories (content) SELECT 'I have a dog.' FROM generate_series(1, 200);
INSERT INTO kepler.memories (content) SELECT 'Dogs are number ' || i || ' of what my neighbour likes' FROM generate_series(1, 5) AS i;
SELECT count(DISTINCT content) FROM kepler.search_memories('[1, 0, 0]', 10, query_text => 'dog', diversity => 1, context_types => '{fact}');
ROLLBACK;

-- Words and a threshold together: what words find and the threshold drops takes no place.
BEGIN;
SELECT kepler.create_embedding_space('t', dimensions => 3, model => 'test-model');
SELECT outcome, count(*) FROM kepler.remember_many((SELECT json_agg(json_build_object('content', 'apple apple apple ' || i, 'embedding', '[0,0,1]'::json)) FROM generate_series(1, 100) AS i)) GROUP BY outcome;
SELECT outcome, count(*) FROM kepler.remember_many((SELECT json_agg(json_build_object('content', 'one apple of the late summer harvest in the north ' || i)) FROM generate_series(1, 5) AS i)) GROUP BY outcome;
SELECT outcome, count(*) FROM kepler.remember_many((SELECT json_agg(json_build_object('content', 'another apple of the late summer harvest in the far south ' || i, 'embedding', '[0,1,0.1]'::json)) FROM generate_series(1, 3) AS i)) GROUP BY outcome;
SELECT count(*), bool_and(exhausted) AS exhausted, count(similarity) AS similar FROM kepler.search_memories('[0,1,0]', 10, query_text => 'apple', min_similarity => .9);
SELECT count(*), bool_and(exhausted) AS exhausted FROM kepler.search_memories('[0,1,0]', 7, query_text => 'apple', min_similarity => .9);
INSERT INTO kepler.conversations (id) VALUES ('talk');
SELECT outcome, count(*) FROM kepler.add_messages('talk', (SELECT jsonb_agg(jsonb_build_object('role', 'user', 'content', content) ||
    CASE WHEN content LIKE 'one%' THEN '{}' ELSE jsonb_build_object('embedding', CASE WHEN content LIKE 'apple%' THEN '[0,0,1]'::jsonb ELSE '[0,1,0.1]' END) END) FROM kepler.memories)) GROUP BY outcome;
SELECT count(*), bool_and(exhausted) AS exhausted, count(similarity) AS similar FROM kepler.search_messages('[0,1,0]', 10, query_text => 'apple', min_similarity => .9);
SELECT count(*), bool_and(exhausted) AS exhausted FROM kepler.search_messages('[0,1,0]', 7, query_text => 'apple', min_similarity => .9, user_id => NULL);

-- An answer without rows says nothing; how the last search went can be asked.
SELECT count(*) FROM kepler.search_memories('[0,1,0]', min_similarity => 0.999);
SELECT * FROM kepler.last_search();
SELECT count(*) FROM kepler.search_memories(query_text => 'pear');
SELECT * FROM kepler.last_search();
SELECT count(*) FROM kepler.search_messages('[0,1,0]', 2, expand => 5);
SELECT * FROM kepler.last_search();
SAVEPOINT s;
SELECT * FROM kepler.search_memories('[0,1]');
ROLLBACK TO s;
SELECT kepler.last_search();
ROLLBACK;
