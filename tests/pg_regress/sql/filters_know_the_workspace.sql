-- A filter over metadata is looked for among the rows of its workspace alone: what it reads does not depend on what others have, in searches,
-- lists and counts, with and without row security. What is found does not depend on the index.
\set SHOW_CONTEXT never
BEGIN;
SET LOCAL client_min_messages = warning;
SELECT kepler.create_embedding_space('filtered', dimensions => 2, model => 'test-model');
INSERT INTO kepler.workspaces (id, name) VALUES ('filters_ours', 'ours'), ('theirs', 'theirs'), (E'it''s "x" \\ ✓', 'odd');
-- Theirs have what is rare in ours.
INSERT INTO kepler.memories (workspace_id, id, content, metadata)
SELECT 'theirs', 'm' || i, 'memory ' || i, '{"topic": "rare", "all": 1}' FROM generate_series(1, 4000) AS i;
INSERT INTO kepler.memories (workspace_id, id, content, metadata)
SELECT 'filters_ours', 'm' || i, 'memory ' || i, jsonb_build_object('topic', CASE WHEN i % 1000 = 0 THEN 'rare' ELSE 'common' END, 'all', 1) FROM generate_series(1, 4000) AS i;
INSERT INTO kepler.memories (workspace_id, id, content, metadata) VALUES (E'it''s "x" \\ ✓', 'm1', 'odd', '{"topic": "rare"}');
INSERT INTO kepler_data.filtered_embeddings (workspace_id, memory_id, embedding)
SELECT m.workspace_id, m.id, ARRAY[1, substr(m.id, 2)::integer]::vector FROM kepler.memories AS m;

CREATE FUNCTION pg_temp.reads(call text, OUT rows bigint, OUT reads text) LANGUAGE plpgsql AS $$
DECLARE
    relations constant regclass[] := '{kepler.memories, kepler.memories_metadata_of_idx}';
    before bigint;
    read bigint;
BEGIN
    EXECUTE 'SELECT count(*) FROM ' || call INTO rows;
    before := (SELECT sum(greatest(pg_stat_get_xact_tuples_returned(r), pg_stat_get_xact_tuples_fetched(r))) FROM unnest(relations) AS r);
    EXECUTE 'SELECT count(*) FROM ' || call INTO rows;
    read := (SELECT sum(greatest(pg_stat_get_xact_tuples_returned(r), pg_stat_get_xact_tuples_fetched(r))) FROM unnest(relations) AS r) - before;
    reads := CASE WHEN read <= 10 + 6 * rows THEN 'few' ELSE read::text END;
END $$;
CREATE TEMP TABLE calls (call text);
INSERT INTO calls VALUES
    ($$kepler.search_memories('[1, 0]', filter => '{"topic": "rare"}')$$),
    ($$kepler.search_memories('[1, 0]', query_text => 'memory', filter => '{"topic": "rare"}')$$),
    ($$kepler.search_memories(query_text => 'memory', filter => '{"topic": "rare"}')$$),
    ($$kepler.list_memories(filter => '{"topic": "rare"}')$$),
    ($$kepler.list_memories(filter => '{"topic": "rare"}', order_by => 'updated_at')$$),
    ($$kepler.list_memories(filter => '{"topic": {"$in": ["rare", "none"]}, "all": {"$gte": 1}}')$$),
    ($$generate_series(1, kepler.count_memories(filter => '{"topic": "rare", "all": 1}'))$$),
    ($$kepler.list_memories(filter => '{"topic": "none"}')$$);
GRANT SELECT ON calls TO PUBLIC;
SET LOCAL kepler.workspace_id = 'filters_ours';
SELECT c.call, r.* FROM calls AS c, pg_temp.reads(c.call) AS r;
CREATE ROLE filters_reader;
SELECT kepler.grant_access('filters_reader', 'reader', 'filters_ours');
SET LOCAL ROLE filters_reader;
SELECT c.call, r.* FROM calls AS c, pg_temp.reads(c.call) AS r;
-- Who may only write makes the entries of the index.
RESET ROLE;
CREATE ROLE filters_writer;
SELECT kepler.grant_access('filters_writer', 'writer', 'filters_ours');
SET LOCAL ROLE filters_writer;
INSERT INTO kepler.memories (id, content, metadata) VALUES ('direct', 'direct', '{"topic": "direct"}');
UPDATE kepler.memories SET metadata = '{"topic": "changed"}' WHERE id = 'direct';
SELECT outcome FROM kepler.remember('by the function', metadata => '{"topic": "changed"}');
SELECT content FROM kepler.list_memories(filter => '{"topic": "changed"}', order_by => 'id') ORDER BY content;
RESET ROLE;
-- A workspace of any name.
SET LOCAL kepler.workspace_id = E'it''s "x" \\ ✓';
SELECT memory_id FROM kepler.list_memories(filter => '{"topic": "rare"}');
SELECT memory_id, plan FROM kepler.search_memories('[1, 0]', filter => '{"topic": "rare"}');
SELECT kepler.count_memories(filter => '{"topic": "common"}');
SET LOCAL kepler.workspace_id = 'filters_ours';
-- What was rolled back is not found, and what came since is, by plans that are kept.
SAVEPOINT more;
SELECT outcome FROM kepler.remember('one more', metadata => '{"topic": "rare"}');
SELECT kepler.count_memories(filter => '{"topic": "rare"}');
ROLLBACK TO SAVEPOINT more;
SELECT kepler.count_memories(filter => '{"topic": "rare"}');
-- Many: by the index as well, in a bounded walk, and the same without the index.
CREATE FUNCTION pg_temp.answers() RETURNS TABLE (what text, answer text) LANGUAGE sql AS $$
    SELECT 'common', md5(string_agg(memory_id, ' ' ORDER BY memory_id)) FROM kepler.list_memories(filter => '{"topic": "common"}', max_rows => 10000)
    UNION ALL SELECT 'changed last', md5(string_agg(memory_id, ' ' ORDER BY memory_id)) FROM kepler.list_memories(filter => '{"topic": "common"}', order_by => 'updated_at', max_rows => 10000)
    UNION ALL SELECT 'count', kepler.count_memories(filter => '{"topic": "common"}')::text
    UNION ALL SELECT 'count of a range', kepler.count_memories(filter => '{"all": {"$gt": 0}}')::text
    UNION ALL SELECT 'count up to 10', kepler.count_memories(filter => '{"topic": "common"}', max_rows => 10)::text
    UNION ALL SELECT 'nearest', string_agg(memory_id, ' ' ORDER BY similarity DESC, memory_id) FROM kepler.search_memories('[1, 3000]', filter => '{"topic": "common"}', weights => '{"similarity": 1}')
    UNION ALL SELECT 'rare', string_agg(memory_id, ' ' ORDER BY similarity DESC, memory_id) FROM kepler.search_memories('[1, 3000]', filter => '{"topic": "rare"}', weights => '{"similarity": 1}')
    UNION ALL SELECT 'words', string_agg(memory_id, ' ' ORDER BY score DESC, memory_id) FROM kepler.search_memories(query_text => '2000 memory', filter => '{"topic": "rare"}', weights => '{"similarity": 1}')
$$;
CREATE TEMP TABLE by_index AS SELECT * FROM pg_temp.answers();
SELECT * FROM by_index WHERE what NOT IN ('common', 'changed last');
SAVEPOINT index;
DROP INDEX kepler.memories_metadata_of_idx;
SELECT what FROM (SELECT * FROM by_index EXCEPT SELECT * FROM pg_temp.answers()) AS differs;
ROLLBACK TO SAVEPOINT index;
SELECT what FROM (SELECT * FROM by_index EXCEPT SELECT * FROM pg_temp.answers()) AS differs;
-- Beside an index on vectors, which may give another order of what is nearly as near.
CREATE INDEX filtered_hnsw ON kepler_data.filtered_embeddings USING hnsw (embedding vector_cosine_ops);
SELECT what FROM (SELECT * FROM by_index EXCEPT SELECT * FROM pg_temp.answers()) AS differs WHERE what <> 'nearest';
-- Under policies of somebody's own Postgres reads no index for a filter; they hold all the same.
CREATE POLICY not_this ON kepler.memories AS RESTRICTIVE USING (id <> 'm2000');
SET LOCAL ROLE filters_reader;
SELECT memory_id FROM kepler.list_memories(filter => '{"topic": "rare"}', order_by => 'id') ORDER BY memory_id;
SELECT string_agg(memory_id, ' ' ORDER BY memory_id) FROM kepler.search_memories('[1, 0]', query_text => '2000', filter => '{"topic": "rare"}');
SELECT kepler.count_memories(filter => '{"topic": "rare"}');
SELECT kepler.count_memories(workspace_id => 'theirs', filter => '{"topic": "rare"}');
ROLLBACK;
