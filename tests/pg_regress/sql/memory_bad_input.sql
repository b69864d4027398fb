-- Wrong arguments get a clear error, or the right answer.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
SELECT count(*) FROM kepler.search_memories('[1, 2]');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.create_embedding_space('mini', dimensions => 2, model => 'test-model');
SELECT kepler.create_embedding_space('mini', dimensions => 2, model => 'test-model');
SELECT kepler.create_embedding_space('Mini', dimensions => 2, model => 'test-model');
SELECT kepler.create_embedding_space('maxi', dimensions => 16001, model => 'test-model');
SELECT kepler.create_embedding_space('maxi', dimensions => NULL, model => 'test-model');
SELECT kepler.create_embedding_space('maxi', dimensions => 2, model => 'test-model', metric => 'hamming');
SELECT count(*) FROM kepler.search_memories('[1, 2]');
SELECT count(*) FROM kepler.search_memories('[1, 2]', 10000);
SELECT count(*) FROM kepler.search_memories('[1, 2]', 0);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT count(*) FROM kepler.search_memories('[1, 2]', 10001);
SELECT count(*) FROM kepler.search_memories('[1, 2]', NULL);
SELECT count(*) FROM kepler.search_memories('[1, 2, 3]');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT count(*) FROM kepler.search_memories('[NaN, 2]');
SELECT count(*) FROM kepler.search_memories('[Infinity, 2]');
SELECT count(*) FROM kepler.search_memories('[0, 0]');
SELECT count(*) FROM kepler.search_memories();
SELECT count(*) FROM kepler.search_memories(query_text => ' ');
-- Words that say nothing find nothing.
SELECT count(*) FROM kepler.search_memories(query_text => 'the');
SELECT count(*) FROM kepler.search_memories(query_text => '''" & | ! \ <-> :*');
SELECT count(*) FROM kepler.search_memories('[1, 2]', space => 'maxi');
SELECT count(*) FROM kepler.search_memories('[1, 2]', workspace_id => 'nowhere');
SELECT count(*) FROM kepler.search_memories('[1, 2]', workspace_id => E'it''s \\ "odd"');
SELECT count(*) FROM kepler.search_memories('[1, 2]', weights => '{"similarity": -1, "beauty": 1}');
SELECT count(*) FROM kepler.search_memories('[1, 2]', weights => '{}');
SELECT count(*) FROM kepler.search_memories('[1, 2]', diversity => 1.5);
SELECT count(*) FROM kepler.search_memories('[1, 2]', diversity => 'NaN');
SELECT count(*) FROM kepler.search_memories('[1, 2]', 201, diversity => 0.5);
SELECT count(*) FROM kepler.search_memories('[1, 2]', context_types => '{a,NULL}');
SELECT count(*) FROM kepler.search_memories('[1, 2]', context_types => '{}');
SELECT count(*) FROM kepler.search_memories('[1, 2]', filter => '{"a": {"$near": 1}}');
-- A filter a hundred levels deep.
SELECT count(*) FROM kepler.search_memories('[1, 2]', filter => (repeat('{"$and": [', 100) || '{"a": 1}' || repeat(']}', 100))::jsonb);
SELECT count(*) FROM kepler.pending_memory_embeddings('mini', 0);
SELECT count(*) FROM kepler.pending_memory_embeddings(NULL);
SELECT kepler.expire_memories(0);
SELECT * FROM kepler.forget(NULL);
SELECT * FROM kepler.recall_check(samples => 0);
SELECT searches, recall, shortfalls FROM kepler.recall_check();
ROLLBACK;
-- Other metrics: the nearest first, as the metric says, zero vectors included.
BEGIN;
SELECT kepler.create_embedding_space('straight', 2, 'm', metric => 'l2');
SELECT count(*) FROM kepler.remember_many('[{"content": "zero", "embedding": [0, 0]}, {"content": "far", "embedding": [9, 9]}]');
SELECT content, round(similarity::numeric, 3) AS similarity FROM kepler.search_memories('[1, 0]', weights => '{"similarity": 1}');
SELECT content, round(similarity::numeric, 3) AS similarity FROM kepler.search_memories('[0, 0]', weights => '{"similarity": 1}');
ROLLBACK;
BEGIN;
SELECT kepler.create_embedding_space('product', 2, 'm', metric => 'inner_product');
SELECT count(*) FROM kepler.remember_many('[{"content": "small", "embedding": [1, 0]}, {"content": "large", "embedding": [9, 9]}, {"content": "against", "embedding": [-1, 0]}]');
SELECT content, similarity FROM kepler.search_memories('[1, 0]', weights => '{"similarity": 1}');
ROLLBACK;
