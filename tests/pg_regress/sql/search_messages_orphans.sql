-- An embedding whose message is gone is no hit, has no part in the scores of others, and makes no answer short.
SET client_min_messages = warning;
BEGIN;
SELECT kepler.create_embedding_space('orphaned', dimensions => 3, model => 'test-model');
INSERT INTO kepler.conversations (id, kind) SELECT 'o' || i, 'chat' FROM generate_series(1, 30) AS i;
INSERT INTO kepler.messages (conversation_id, number, role, content)
SELECT 'o' || (1 + i % 30), 1 + i / 30, 'user', 'message ' || i FROM generate_series(0, 2999) AS i;
INSERT INTO kepler_data.orphaned_message_embeddings (message_id, embedding)
SELECT m.id, ARRAY[1, (m.number * 30 + substr(m.conversation_id, 2)::int) / 10000.0, 0]::vector FROM kepler.messages AS m;
CREATE INDEX ON kepler_data.orphaned_message_embeddings USING hnsw (embedding vector_cosine_ops) WITH (ef_construction = 128);
ANALYZE kepler.messages, kepler_data.orphaned_message_embeddings;
-- As replication or TRUNCATE may do it. Of the nearest fifteen five are left.
SET LOCAL session_replication_role = replica;
DELETE FROM kepler.messages WHERE number = 1 AND substr(conversation_id, 2)::int <= 10;
SET LOCAL session_replication_role = origin;
SELECT count(*) AS rows, bool_and(NOT exhausted) AS more, min(plan) AS plan,
    bool_and(abs(s.similarity - (1 - (e.embedding <=> '[1, 0, 0]'))) < 1e-6) AS own_scores,
    bool_and(s.hit = s.vector_rank) AS in_order
FROM kepler.search_messages('[1, 0, 0]', 10) AS s
JOIN kepler_data.orphaned_message_embeddings AS e ON e.message_id = s.message_id;
ROLLBACK;
