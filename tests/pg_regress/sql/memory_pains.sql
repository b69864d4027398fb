-- What users of other memories suffer from, one by one.
\set SHOW_CONTEXT never
BEGIN;
SELECT kepler.create_embedding_space('mini', dimensions => 8, model => 'test-model');
INSERT INTO kepler.workspaces (id, name) VALUES ('tiny', 'tiny');
INSERT INTO kepler.users (id, email) VALUES ('ada', 'ada@example.com');
-- 3,000 memories on a quarter of a circle, and three of another tenant at its far end.
CREATE TEMP TABLE circle AS
SELECT 'm' || i AS id, ARRAY[cos(i / 2000.0), sin(i / 2000.0), 0, 0, 0, 0, 0, 0]::real[]::vector AS embedding FROM generate_series(1, 3000) AS i;
INSERT INTO kepler.memories (id, content, metadata) SELECT id, 'number ' || id, jsonb_build_object('n', substr(id, 2)::int) FROM circle;
INSERT INTO kepler_data.mini_embeddings SELECT 'default', * FROM circle;
INSERT INTO kepler.memories (workspace_id, id, content) SELECT 'tiny', id, 'tiny ' || id FROM circle WHERE id IN ('m2900', 'm2901', 'm2902');
INSERT INTO kepler_data.mini_embeddings SELECT 'tiny', * FROM circle WHERE id IN ('m2900', 'm2901', 'm2902');
CREATE INDEX mini_hnsw ON kepler_data.mini_embeddings USING hnsw (embedding vector_cosine_ops);
ANALYZE kepler.memories, kepler_data.mini_embeddings;

-- Fewer rows than asked: pgvector's own query, whose index is read first and filtered then, gives the tiny tenant nothing.
SET LOCAL enable_sort = off; SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off;
SELECT count(*) AS plain_pgvector FROM (SELECT FROM kepler_data.mini_embeddings WHERE workspace_id = 'tiny' ORDER BY embedding <=> '[1,0,0,0,0,0,0,0]' LIMIT 3) AS s;
RESET enable_sort; RESET enable_seqscan; RESET enable_bitmapscan;
SELECT count(*) AS rows, min(plan) AS plan, bool_or(exhausted) AS exhausted FROM kepler.search_memories('[1,0,0,0,0,0,0,0]', 3, workspace_id => 'tiny');
SELECT count(*) AS rows, bool_and(exhausted) AS exhausted FROM kepler.search_memories('[1,0,0,0,0,0,0,0]', 4, workspace_id => 'tiny');
-- A filter that one row in a thousand meets, far from the query.
SELECT count(*) AS rows FROM kepler.search_memories('[1,0,0,0,0,0,0,0]', 3, filter => '{"n": {"$gte": 1500, "$lt": 1503}}');
-- A cap of 40, which is what pgvector's search keeps.
SELECT count(*) AS rows, min(plan) AS plan FROM kepler.search_memories('[1,0,0,0,0,0,0,0]', 41, weights => '{"similarity": 1}');
SELECT count(*) AS rows FROM kepler.search_memories('[1,0,0,0,0,0,0,0]', 2999);
-- The index is used where it is good: no ORDER BY of another form keeps it out.
SELECT count(*) AS rows, min(plan) AS plan FROM kepler.search_memories('[1,0,0,0,0,0,0,0]', 5, weights => '{"similarity": 1}');

-- Settings that leak across a pooled session: none has changed.
SELECT name, setting FROM pg_settings WHERE name IN ('hnsw.ef_search', 'hnsw.iterative_scan', 'hnsw.max_scan_tuples', 'enable_seqscan', 'enable_sort', 'jit', 'plan_cache_mode') AND setting IS DISTINCT FROM reset_val;
\set ON_ERROR_ROLLBACK on
SELECT count(*) FROM kepler.search_memories('[1,0]');
SELECT name, setting FROM pg_settings WHERE name IN ('hnsw.ef_search', 'hnsw.iterative_scan', 'enable_seqscan', 'enable_sort') AND setting IS DISTINCT FROM reset_val;

-- A null group that searches all groups: NULL is nobody in particular, and * is everybody.
UPDATE kepler.memories SET user_id = 'ada' WHERE workspace_id = 'default' AND id <> 'm7';
SELECT content FROM kepler.search_memories('[1,0,0,0,0,0,0,0]', 10, user_id => NULL);
SELECT count(*) FROM kepler.search_memories('[1,0,0,0,0,0,0,0]', 10, user_id => 'ada');
SELECT count(*) FROM kepler.search_memories('[1,0,0,0,0,0,0,0]', 10, user_id => 'eve');
SELECT count(*) FROM kepler.search_memories('[1,0,0,0,0,0,0,0]', 10);

-- Write amplification on each read: nothing is written unless asked, the memories never, and an access once a minute.
DELETE FROM kepler.memory_access;
SELECT count(*) FILTER (WHERE score > 0) AS used FROM kepler.search_memories('[1,0,0,0,0,0,0,0]', 10, weights => '{"frequency": 1}');
CREATE TEMP TABLE versions AS SELECT workspace_id, id, xmin AS version, ctid AS place FROM kepler.memories;
SELECT count(*) FROM kepler.search_memories('[1,0,0,0,0,0,0,0]', 2, touch => true);
SELECT count(*) FROM kepler.search_memories('[1,0,0,0,0,0,0,0]', 3, touch => true);
SELECT hits, count(*) FROM kepler.memory_access GROUP BY 1;
SELECT count(*) FILTER (WHERE score > 0) AS used FROM kepler.search_memories('[1,0,0,0,0,0,0,0]', 10, weights => '{"frequency": 1}');
UPDATE kepler.memory_access SET last_accessed_at = last_accessed_at - interval '2 minutes';
SELECT kepler.touch_memories(ARRAY(SELECT memory_id FROM kepler.memory_access) || '{nothing,m9,m9}'::text[]) AS noted;
SELECT hits, count(*) FROM kepler.memory_access GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM kepler.search_memories('[1,0,0,0,0,0,0,0]', 10);
SELECT count(*) FROM kepler.memory_access;
SELECT count(*) AS rewritten FROM (SELECT workspace_id, id, xmin, ctid FROM kepler.memories EXCEPT SELECT * FROM versions) AS s;
ROLLBACK;
\unset ON_ERROR_ROLLBACK
-- In a read-only transaction, as on a standby, a search works and notes nothing, also where it is asked to.
BEGIN;
SELECT kepler.create_embedding_space('mini', dimensions => 2, model => 'test-model');
SELECT outcome FROM kepler.remember('x', '[1, 0]');
SET TRANSACTION READ ONLY;
SELECT content FROM kepler.search_memories('[1, 0]', touch => true);
SELECT count(*) FROM kepler.memory_access;
ROLLBACK;

-- Near-duplicate removal that discards true memories: nearness alone is not enough.
BEGIN;
SELECT kepler.create_embedding_space('mini', dimensions => 2, model => 'test-model');
SELECT outcome FROM kepler.remember('Meeting in room 12', '[1, 0]', dedupe => true);
SELECT outcome FROM kepler.remember('Meeting in room 21', '[1, 0]', dedupe => true);
SELECT outcome FROM kepler.remember('meeting, in room 12.', '[1, 0]', dedupe => true);
SELECT outcome FROM kepler.remember('Meeting in room 12', '[0, 1]', dedupe => true);
SELECT outcome FROM kepler.remember('Lunch in room 12', '[1, 0]', dedupe => true);
ROLLBACK;

-- Dimension errors after a model change, searches that mix models, migrations instead of a job.
BEGIN;
SELECT kepler.create_embedding_space('old', dimensions => 2, model => 'model-a');
SELECT kepler.create_embedding_space('new', dimensions => 3, model => 'model-b');
INSERT INTO kepler.workspaces (id, name) VALUES ('behind', 'behind');
SELECT count(*) FROM kepler.remember_many('[{"content": "a", "embedding": [1, 0]}, {"content": "b", "embedding": [0, 1]}]');
SELECT outcome FROM kepler.remember('c', '[1, 1]', workspace_id => 'behind');
\set ON_ERROR_ROLLBACK on
SELECT count(*) FROM kepler.search_memories('[1, 0, 0]');
SELECT kepler.activate_embedding_space('new');
-- A worker's round.
SELECT outcome FROM kepler.set_memory_embeddings('new', (
    SELECT json_agg(json_build_object('memory_id', memory_id, 'embedding', json_build_array(1, length(content), ascii(content) - 96)))
    FROM kepler.pending_memory_embeddings('new', 1))::text);
SELECT content FROM kepler.search_memories('[1, 0]', weights => '{"similarity": 1}');
SELECT outcome FROM kepler.set_memory_embeddings('new', (
    SELECT json_agg(json_build_object('memory_id', memory_id, 'embedding', json_build_array(1, length(content), ascii(content) - 96)))
    FROM kepler.pending_memory_embeddings('new'))::text);
SELECT count(*) AS pending FROM kepler.pending_memory_embeddings('new');
-- One tenant's gaps do not hold up another.
SELECT kepler.activate_embedding_space('new');
SELECT content FROM kepler.search_memories('[0, 0, 1]', 1, weights => '{"similarity": 1}');
SELECT content FROM kepler.search_memories('[1, 0]', workspace_id => 'behind');
SELECT outcome FROM kepler.remember('d', '[0, 1]');
SELECT kepler.activate_embedding_space('new', workspace_id => 'behind');
-- A space goes when nobody searches it.
SELECT kepler.retire_embedding_space('new');
SELECT kepler.drop_embedding_space('new');
SELECT kepler.retire_embedding_space('old');
SELECT kepler.activate_embedding_space('old');
SELECT kepler.activate_embedding_space('nothing');
SELECT ordinal, outcome, error FROM kepler.set_memory_embeddings('new', '[{"memory_id": "x", "embedding": [1, 2, 3]}, {"embedding": [1]}, {"memory_id": "y", "embedding": [0, 0, 0]}, 1]');
ROLLBACK;
