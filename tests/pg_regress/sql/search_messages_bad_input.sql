-- Wrong arguments of a search over messages get a clear error, or the right answer.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
INSERT INTO kepler.conversations (id) VALUES ('c');
SELECT count(*) FROM kepler.add_messages('c', '[{"role": "user", "content": "hello"}, {"role": "assistant", "content": "it''s $1 \\ \"odd\""}]');
SELECT count(*) FROM kepler.search_messages('[1, 2]');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
-- Words need no space.
SELECT number FROM kepler.search_messages(query_text => 'hello');
SELECT kepler.create_embedding_space('mini', dimensions => 2, model => 'test-model');
SELECT outcome FROM kepler.set_message_embeddings('mini', (SELECT json_agg(json_build_object('message_id', message_id, 'embedding', '[1, 2]'::json)) FROM kepler.pending_message_embeddings('mini'))::text);
SELECT count(*) FROM kepler.search_messages();
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT count(*) FROM kepler.search_messages(query_text => ' ');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT count(*) FROM kepler.search_messages(query_text => '''" & | ! \ <-> :*');
SELECT number FROM kepler.search_messages(query_text => E'it''s \\ "odd"');
SELECT count(*) FROM kepler.search_messages('[1, 2, 3]');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT count(*) FROM kepler.search_messages('[0, 0]');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT count(*) FROM kepler.search_messages('[1, 2]', 0);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT count(*) FROM kepler.search_messages('[1, 2]', 10000);
SELECT count(*) FROM kepler.search_messages('[1, 2]', 10001);
SELECT count(*) FROM kepler.search_messages('[1, 2]', NULL);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT count(*) FROM kepler.search_messages('[1, 2]', expand => -1);
SELECT count(*) FROM kepler.search_messages('[1, 2]', expand => 101);
SELECT count(*) FROM kepler.search_messages('[1, 2]', expand => NULL);
SELECT count(*) FROM kepler.search_messages('[1, 2]', 1001, expand => 1);
-- An application that has lost a conversation's id does not search all of them.
SELECT count(*) FROM kepler.search_messages('[1, 2]', conversation_id => NULL);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT count(*) FROM kepler.search_messages('[1, 2]', conversation_id => 'none');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT count(*) FROM kepler.search_messages('[1, 2]', workspace_id => 'nowhere');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT count(*) FROM kepler.search_messages('[1, 2]', space => 'maxi');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT count(*) FROM kepler.search_messages('[1, 2]', kinds => '{a,NULL}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT count(*) FROM kepler.search_messages('[1, 2]', kinds => '{}');
SELECT count(*) FROM kepler.search_messages('[1, 2]', roles => '{user,bot}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT count(*) FROM kepler.search_messages('[1, 2]', filter => '{"a": {"$near": 1}}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT count(*) FROM kepler.search_messages('[1, 2]', sent_from => '2024-01-02Z', sent_before => '2024-01-02Z');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT count(*) FROM kepler.search_messages('[1, 2]', sent_from => '-infinity', sent_before => 'infinity');

-- Workers.
SELECT count(*) FROM kepler.pending_message_embeddings('mini', roles => '{bot}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT count(*) FROM kepler.pending_message_embeddings('mini', roles => '{NULL}');
SELECT count(*) FROM kepler.pending_message_embeddings('mini', 0);
SELECT count(*) FROM kepler.pending_message_embeddings('maxi');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT ordinal, message_id IS NULL AS no_id, outcome, error FROM kepler.set_message_embeddings('mini', '[{"message_id": 9223372036854775807, "embedding": [1, 2]}, {"message_id": "9223372036854775807", "embedding": [1, 3]},
    {"message_id": 9223372036854775808, "embedding": [1]}, {"message_id": 1.5, "embedding": [0, 0], "memory_id": "m"}, {"embedding": "x"}, {"message_id": "1 OR true", "embedding": [1, 2]}, 7]');
SELECT * FROM kepler.set_message_embeddings('mini', '7');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.set_message_embeddings('mini', NULL);
-- Names of tables are taken once.
SELECT kepler.create_embedding_space('mini_message', dimensions => 2, model => 'test-model');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.create_embedding_space(repeat('a', 45), dimensions => 2, model => 'test-model');
SELECT kepler.create_embedding_space(repeat('a', 44), dimensions => 2, model => 'test-model');
SELECT name = repeat('a', 44) AS name, memory_table_name, message_table_name FROM kepler.embedding_spaces WHERE name LIKE 'aaa%';
ROLLBACK;
