-- Memories are found by meaning, by words, by time and by metadata.
\set SHOW_CONTEXT never
BEGIN;
SELECT kepler.create_embedding_space('mini', dimensions => 3, model => 'test-model');
SELECT count(*) FROM kepler.remember_many('[
    {"content": "The invoice goes out on Friday", "embedding": [1, 0, 0], "metadata": {"amount": 9, "tags": ["money"]}},
    {"content": "Invoices are paid within a week", "embedding": [0.9, 0.1, 0], "metadata": {"amount": 10}, "context_type": "pattern"},
    {"content": "The cat sleeps", "embedding": [0, 1, 0], "relevance_score": 1},
    {"content": "Friday is for the garden", "embedding": [0, 0, 1]},
    {"content": "Nobody has looked at this invoice yet"}
]');
-- By meaning.
SELECT content, round(similarity::numeric, 3) AS similarity, vector_rank, plan, exhausted
FROM kepler.search_memories('[1, 0.1, 0]', 3, weights => '{"similarity": 1}');
-- By words, any of them, in all their forms; what has no embedding is found too.
SELECT content, text_rank, similarity, plan FROM kepler.search_memories(query_text => 'Who paid the invoice?', max_rows => 1);
SELECT count(*), bool_and(exhausted) AS exhausted FROM kepler.search_memories(query_text => 'Who paid the invoice?');
-- By both, united.
SELECT content, vector_rank, text_rank FROM kepler.search_memories('[0, 1, 0.1]', 10, query_text => 'garden Friday', weights => '{"similarity": 1}');
-- By metadata: numbers compare as numbers.
SELECT content FROM kepler.search_memories('[1, 0, 0]', 10, filter => '{"amount": {"$gt": 9}}');
SELECT content FROM kepler.search_memories('[1, 0, 0]', 10, filter => '{"tags": {"$contains": "money"}}');
-- By type; by words and type.
SELECT content FROM kepler.search_memories('[1, 0, 0]', 10, context_types => '{pattern}');
SELECT content FROM kepler.search_memories(query_text => 'invoice', context_types => '{pattern,reasoning}');
-- Nothing but what is similar enough; a threshold means the same whatever else is found.
SELECT content FROM kepler.search_memories('[1, 0, 0]', 10, min_similarity => 0.5);
SELECT content FROM kepler.search_memories('[1, 0, 0]', 1, min_similarity => 0.5);
SELECT count(*) FROM kepler.search_memories('[-1, 0, 0]', 10, min_similarity => 0.5);
-- Importance counts a little beside similarity, and not where only similarity is weighed.
SELECT content, round(score::numeric, 4) AS score, importance FROM kepler.search_memories('[0.6, 0.6, 0]', 2);
SELECT content FROM kepler.search_memories('[0.6, 0.6, 0]', 1, weights => '{"importance": 1}');
-- Results that are unlike each other.
SELECT content FROM kepler.search_memories('[1, 0.2, 0.1]', 2, weights => '{"similarity": 1}');
SELECT content FROM kepler.search_memories('[1, 0.2, 0.1]', 2, weights => '{"similarity": 1}', diversity => 0.8);
ROLLBACK;

-- Time: what is superseded or has expired is not found, unless as of a time when it held.
BEGIN;
SELECT kepler.create_embedding_space('mini', dimensions => 2, model => 'test-model');
SELECT outcome FROM kepler.remember('Ada lives in London', '[1, 0]', valid_from => '2020-01-01', metadata => '{"n": 1}');
SELECT outcome FROM kepler.remember('Ada lives in Turin', '[1, 0.1]', valid_from => '2024-01-01', supersedes => (SELECT id FROM kepler.memories));
SELECT outcome FROM kepler.remember('Ada is on holiday', '[0.9, 0]', valid_from => '2024-06-01', expires_at => '2024-07-01');
SELECT content FROM kepler.search_memories('[1, 0]');
SELECT content FROM kepler.search_memories('[1, 0]', as_of => '2022-01-01');
SELECT content FROM kepler.search_memories('[1, 0]', as_of => '2024-06-15', weights => '{"similarity": 1}');
SELECT content FROM kepler.search_memories(query_text => 'Ada', as_of => '2019-01-01');
-- What it said before, from either end.
SELECT h.version, h.content, h.valid_from, h.valid_to, h.superseded_by IS NULL AS newest
FROM kepler.memories AS m, kepler.memory_history(m.id) AS h WHERE m.content LIKE '%Turin' ORDER BY 1;
SELECT count(*) FROM kepler.memories AS m, kepler.memory_history(m.id) WHERE m.content LIKE '%London';
SELECT * FROM kepler.memory_history('nothing');
-- A link of the chain that is forgotten does not break it.
SELECT outcome FROM kepler.remember('Ada lives in Rome', supersedes => (SELECT id FROM kepler.memories WHERE content LIKE '%Turin'));
SELECT f.outcome FROM kepler.forget(ARRAY(SELECT id FROM kepler.memories WHERE content LIKE '%Turin') || '{nothing}'::text[]) AS f;
SELECT h.version, h.content FROM kepler.memories AS m, kepler.memory_history(m.id) AS h WHERE m.content LIKE '%London' ORDER BY 1;
SELECT count(*) AS embeddings FROM kepler_data.mini_embeddings;
-- Ended from a time on; what has expired goes in steps. A time that was lost ends nothing, and deletes nothing.
SELECT f.outcome FROM kepler.memories AS m, kepler.end_memories(ARRAY[m.id], at => '2024-02-01') AS f WHERE m.content LIKE '%Rome';
SELECT f.outcome FROM kepler.memories AS m, kepler.end_memories(ARRAY[m.id, m.id, 'nothing'], at => '2024-02-01') AS f WHERE m.content LIKE '%Rome';
SAVEPOINT s;
SELECT kepler.end_memories(ARRAY(SELECT id FROM kepler.memories), at => NULL);
ROLLBACK TO s;
SELECT count(*) FROM kepler.memories;
SELECT kepler.expire_memories(1), kepler.expire_memories(), kepler.expire_memories();
SELECT content FROM kepler.memories;
ROLLBACK;
