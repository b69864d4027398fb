-- How many candidates a search takes from an index is a setting of the space, and nothing that a session learns: the same question
-- is answered the same at any time.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SELECT kepler.create_embedding_space('wide', 16, 'm') IS NOT NULL AS made;
SELECT setseed(0.5);
INSERT INTO kepler.memories (id, content, metadata)
SELECT 'w' || lpad(i::text, 4, '0'), 'memory ' || i, jsonb_build_object('tenth', i % 10) FROM generate_series(1, 2400) AS i;
INSERT INTO kepler_data.wide_embeddings (memory_id, embedding)
SELECT 'w' || lpad(i::text, 4, '0'), (SELECT array_agg(random() - 0.5) FROM generate_series(1, 16) WHERE i = i)::vector FROM generate_series(1, 2400) AS i;
-- A graph with so few links that each candidate more finds more.
CREATE INDEX ON kepler_data.wide_embeddings USING hnsw (embedding vector_cosine_ops) WITH (m = 2, ef_construction = 4);
ANALYZE kepler.memories, kepler_data.wide_embeddings;
CREATE TABLE public.wide_questions AS
SELECT n, (SELECT array_agg(random() - 0.5) FROM generate_series(1, 16) WHERE n = n)::vector AS q FROM generate_series(1, 40) AS n;
CREATE FUNCTION wide_answers(filter jsonb DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(s.memory_id || s.plan, ',' ORDER BY n, s.vector_rank)
    FROM wide_questions, kepler.search_memories(q, filter => filter, weights => '{"similarity": 1}') AS s $$;
CREATE FUNCTION wide_found() RETURNS bigint LANGUAGE sql AS $$
    SELECT count(*) FROM wide_questions, kepler.search_memories(q, weights => '{"similarity": 1}') AS s
    WHERE s.memory_id IN (SELECT e.memory_id FROM kepler_data.wide_embeddings AS e ORDER BY (e.embedding <=> q) + 0 LIMIT 10) $$;

-- The thousandth search of a session answers as its first one, and as the first one of another session; with a filter too, for which a
-- look has to be wider.
\c -
SET client_min_messages = warning;
CREATE TABLE wide_first AS SELECT wide_answers() AS every, wide_answers('{"tenth": 3}') AS tenth;
DO $$ BEGIN FOR i IN 1..25 LOOP PERFORM wide_answers(); END LOOP; PERFORM wide_answers('{"tenth": 3}') FROM generate_series(1, 3); END $$;
SELECT every = wide_answers() AS every, tenth = wide_answers('{"tenth": 3}') AS tenth, every LIKE '%index%' AS by_index FROM wide_first;
\c -
SET client_min_messages = warning;
SELECT every = wide_answers() AS every, tenth = wide_answers('{"tenth": 3}') AS tenth FROM wide_first;

-- What recall_check measures, and what it proposes: more where too little is found.
SELECT search_width, recall < 0.9 AS finds_little, proposed_width > 200 AS proposes_more, proposed_recall > recall AS that_finds_more, shortfalls
FROM kepler.recall_check(samples => 40);
SELECT search_width, proposed_width <= 20 AS proposes_less FROM kepler.recall_check(samples => 40, min_recall => 0.01);

-- The setting counts, from the commit on.
SELECT wide_found() AS by_default \gset
SELECT kepler.set_search_width('wide', 10);
SELECT search_width FROM kepler.recall_check(samples => 3);
SELECT wide_found() < :by_default AS finds_less;
BEGIN;
SELECT kepler.set_search_width('wide', 1000);
SELECT search_width FROM kepler.recall_check(samples => 3);
SELECT wide_found() > :by_default AS finds_more;
ROLLBACK;
SELECT search_width FROM kepler.recall_check(samples => 3);
-- No search is short for it.
SELECT count(*) FROM wide_questions, kepler.search_memories(q, 30, filter => '{"tenth": 3}');
-- What a session sets for pgvector goes before it.
SET hnsw.ef_search = 70;
SELECT search_width FROM kepler.recall_check(samples => 3);
RESET hnsw.ef_search;
SELECT search_width FROM kepler.recall_check(samples => 3);
-- An index that was built with more candidates needs fewer; lists have a default of their own.
SELECT kepler.set_search_width('wide', NULL);
DROP INDEX kepler_data.wide_embeddings_embedding_idx;
CREATE INDEX ON kepler_data.wide_embeddings USING hnsw (embedding vector_cosine_ops) WITH (m = 2, ef_construction = 100);
SELECT search_width FROM kepler.recall_check(samples => 3);
DROP INDEX kepler_data.wide_embeddings_embedding_idx;
CREATE INDEX ON kepler_data.wide_embeddings USING ivfflat (embedding vector_cosine_ops) WITH (lists = 10);
SELECT search_width FROM kepler.recall_check(samples => 3);
SELECT kepler.set_search_width('wide', 300);
SELECT search_width FROM kepler.recall_check(samples => 3);
-- Where all rows are compared, no width is of use.
DROP INDEX kepler_data.wide_embeddings_embedding_idx;
SELECT recall, search_width, proposed_width, proposed_recall, proposed_p50_ms FROM kepler.recall_check(samples => 3);

-- What is no width.
SELECT kepler.set_search_width('wide', 9);
SELECT kepler.set_search_width('wide', 1001);
SELECT kepler.set_search_width('narrow', 100);
SELECT kepler.set_search_width(NULL, 100);
\set VERBOSITY terse
UPDATE kepler.embedding_spaces SET search_width = 0 WHERE name = 'wide';
\set VERBOSITY default
SELECT * FROM kepler.recall_check(min_recall => 1.1);
SELECT * FROM kepler.recall_check(min_recall => NULL);

-- An archive of a workspace brings the setting along to where the space is not yet.
SELECT definition::jsonb #> '{embedding_space,search_width}' AS archived
FROM kepler.export_workspace() AS definition WHERE definition LIKE '{"embedding_space"%' AND definition LIKE '%"wide"%';
BEGIN;
DELETE FROM kepler.embedding_spaces WHERE name = 'wide';
DROP TABLE kepler_data.wide_embeddings, kepler_data.wide_message_embeddings;
SELECT kepler_internal.import_space('{"name": "wide", "dimensions": 16, "model": "m", "metric": "cosine", "search_width": 300}');
SELECT search_width FROM kepler.embedding_spaces WHERE name = 'wide';
ROLLBACK;

-- Nothing stays behind.
DROP FUNCTION wide_answers, wide_found;
DROP TABLE wide_questions, wide_first;
DELETE FROM kepler.memories WHERE id LIKE 'w____';
SELECT kepler.retire_embedding_space('wide');
SELECT kepler.drop_embedding_space('wide');
