-- In a search by meaning and words a similarity counts by how far it stands out from what is usual in the workspace, whatever scale the model has.
\set SHOW_CONTEXT never
BEGIN;
SELECT kepler.create_embedding_space('close', dimensions => 3, model => 'test-model');
-- A model whose cosines lie close together: of all texts about 0.8 to this question, and of its answer 1. One text shares a word with the question.
CREATE FUNCTION pg_temp.at(cosine float8, turn float8) RETURNS vector LANGUAGE sql AS $$
    SELECT ARRAY[cosine, sqrt(1 - cosine * cosine) * cos(turn), sqrt(1 - cosine * cosine) * sin(turn)]::real[]::vector $$;
CREATE FUNCTION pg_temp.fill(workspace text, rows integer, usual float8, spread float8) RETURNS void LANGUAGE sql AS $$
    INSERT INTO kepler.memories (workspace_id, id, content, user_id)
    SELECT workspace, 'm' || lpad(n::text, 4, '0'), CASE n WHEN 150 THEN 'She adopted a turtle' WHEN 20 THEN 'The zoo lets everybody pet a goat' ELSE 'Number ' || n END, CASE WHEN n % 2 = 0 THEN 'ada' END
    FROM generate_series(1, rows) AS n;
    INSERT INTO kepler_data.close_embeddings (workspace_id, memory_id, embedding)
    SELECT workspace, 'm' || lpad(n::text, 4, '0'), pg_temp.at(CASE n WHEN 150 THEN 1 ELSE usual + spread * sin(n) END, n) FROM generate_series(1, rows) AS n;
$$;
INSERT INTO kepler.users (workspace_id, id, email) VALUES ('default', 'ada', 'ada@example.com');
SELECT pg_temp.fill('default', 200, 0.8, 0.03);
CREATE FUNCTION pg_temp.found(max_rows integer DEFAULT 2, arguments text DEFAULT '')
RETURNS TABLE (content text, score numeric, similarity numeric, vector_rank integer, text_rank integer) LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE format('SELECT content, round(score::numeric, 3), round(similarity::numeric, 3), vector_rank, text_rank FROM kepler.search_memories(''[1, 0, 0]'', %s, query_text => ''which pet did my sister choose last year'', weights => ''{"similarity": 1}'' %s)', max_rows, ', ' || nullif(arguments, ''));
END
$$;
-- The cosine of the answer is above the others' by a fourth, and by nine times what these differ from each other. A word in common counts for less.
SELECT * FROM pg_temp.found();
-- Neither how many are asked for nor the scope changes a score.
SELECT * FROM pg_temp.found(200) LIMIT 2;
SELECT * FROM pg_temp.found(2, 'user_id => ''ada''');
SELECT count(*) FILTER (WHERE a.score <> b.score) AS differ, count(*) FROM pg_temp.found(200) AS a JOIN pg_temp.found(100, 'user_id => ''ada''') AS b USING (content);
-- Nor does another workspace, nor what a session has done before.
INSERT INTO kepler.workspaces (id, name) VALUES ('other', 'Other');
INSERT INTO kepler.users (workspace_id, id, email) VALUES ('other', 'ada', 'ada@example.com');
SELECT pg_temp.fill('other', 400, 0.1, 0.09);
SELECT * FROM pg_temp.found();
-- Vectors count for more, or alone, or words do.
SELECT * FROM pg_temp.found(2, 'fusion => ''{"vector": 3}''');
SELECT content, similarity, vector_rank FROM pg_temp.found(3, 'fusion => ''{"text": 0}''');
SELECT content, text_rank FROM pg_temp.found(1, 'fusion => ''{"vector": 0}''');
-- What is no more similar than usual has nothing of its similarity, and comes in the order of it: as many as are asked for.
SELECT count(*), count(*) FILTER (WHERE score = 0) > 50 AS some_have_nothing FROM pg_temp.found(200);
-- Of few memories little is usual: there the score is about the square of the similarity.
INSERT INTO kepler.workspaces (id, name) VALUES ('small', 'Small');
INSERT INTO kepler.memories (workspace_id, id, content) VALUES ('small', 'a', 'A turtle'), ('small', 'b', 'A dog');
INSERT INTO kepler_data.close_embeddings (workspace_id, memory_id, embedding) VALUES ('small', 'a', '[0.6, 0.8, 0]'), ('small', 'b', '[0.8, 0.6, 0]');
SELECT content, round(2 * score::numeric, 2) AS of_similarity, round((similarity ^ 2)::numeric, 2) AS square
FROM kepler.search_memories('[1, 0, 0]', 2, query_text => 'cat', weights => '{"similarity": 1}', workspace_id => 'small', space => 'close');
-- Memories without embeddings are found by their words, and one is enough.
DELETE FROM kepler_data.close_embeddings WHERE workspace_id = 'small' AND memory_id = 'a';
SELECT content, round(score::numeric, 2) AS score FROM kepler.search_memories('[1, 0, 0]', 2, query_text => 'turtle', weights => '{"similarity": 1}', workspace_id => 'small', space => 'close');
DELETE FROM kepler_data.close_embeddings WHERE workspace_id = 'small';
SELECT content, round(score::numeric, 2) AS score FROM kepler.search_memories('[1, 0, 0]', 2, query_text => 'turtle', weights => '{"similarity": 1}', workspace_id => 'small', space => 'close');

-- Messages, and rows of anybody's table, by the same rule.
INSERT INTO kepler.conversations (id) VALUES ('talk');
SELECT count(*) FROM kepler.add_messages('talk', (SELECT json_agg(json_build_object('role', 'user', 'content', content) ORDER BY id) FROM kepler.memories WHERE workspace_id = 'default')::text);
SELECT count(*) FROM kepler.set_message_embeddings('close', (SELECT json_agg(json_build_object('message_id', m.id, 'embedding', e.embedding::text::json)) FROM kepler.messages AS m
    JOIN kepler_data.close_embeddings AS e ON e.workspace_id = 'default' AND e.memory_id = 'm' || lpad(m.number::text, 4, '0'))::text);
SELECT content, round(score::numeric, 3) AS score, vector_rank, text_rank FROM kepler.search_messages('[1, 0, 0]', 2, query_text => 'which pet did my sister choose last year');
CREATE TABLE public.texts AS SELECT m.content, m.text_search AS words, e.embedding::vector(3) FROM kepler.memories AS m JOIN kepler_data.close_embeddings AS e ON e.workspace_id = m.workspace_id AND e.memory_id = m.id WHERE m.workspace_id = 'default';
SELECT document ->> 'content' AS content, score > 0.1 AS stands_out, vector_rank, text_rank FROM kepler.search_vectors('public.texts', 'embedding', '[1, 0, 0]', 2, query_text => 'which pet did my sister choose last year', columns => '{content}');
-- With partitions too.
CREATE TABLE public.parted (content text, words tsvector, embedding vector(3)) PARTITION BY HASH (content);
CREATE TABLE public.parted_0 PARTITION OF public.parted FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE public.parted_1 PARTITION OF public.parted FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO public.parted SELECT * FROM public.texts;
SELECT document ->> 'content' AS content, score > 0.1 AS stands_out, vector_rank, text_rank FROM kepler.search_vectors('public.parted', 'embedding', '[1, 0, 0]', 2, query_text => 'which pet did my sister choose last year', columns => '{content}');
-- Under policies of somebody's own nothing tells of rows that the caller does not see: what they are changes no score.
CREATE ROLE kepler_sees_ada;
GRANT USAGE ON SCHEMA kepler, kepler_internal, kepler_data TO kepler_sees_ada;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA kepler, kepler_internal TO kepler_sees_ada;
GRANT SELECT ON ALL TABLES IN SCHEMA kepler, kepler_data TO kepler_sees_ada;
INSERT INTO kepler.workspace_members (workspace_id, role_name, level) VALUES ('default', 'kepler_sees_ada', 'reader');
CREATE POLICY ada ON kepler.memories AS RESTRICTIVE FOR SELECT TO kepler_sees_ada USING (user_id = 'ada');
SET LOCAL ROLE kepler_sees_ada;
CREATE TEMPORARY TABLE before AS SELECT * FROM pg_temp.found(5);
SELECT content, round(score, 1) AS score FROM before LIMIT 2;
RESET ROLE;
UPDATE kepler_data.close_embeddings SET embedding = '[0, 1, 0]' WHERE workspace_id = 'default' AND memory_id IN (SELECT id FROM kepler.memories WHERE user_id IS NULL);
SET LOCAL ROLE kepler_sees_ada;
SELECT count(*) AS same FROM before JOIN pg_temp.found(5) AS f USING (content, score, similarity);
RESET ROLE;
ROLLBACK;
