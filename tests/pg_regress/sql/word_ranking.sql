-- Words are ranked by how rare they are in the workspace, and a text by how well its length and its repetitions bear them.
\set SHOW_CONTEXT never
-- Similarity alone, so that neither importance nor age counts.
CREATE FUNCTION pg_temp.found(query_text text, max_rows integer DEFAULT 3, arguments text DEFAULT '')
RETURNS TABLE (content text, text_rank integer) LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE format('SELECT content, text_rank FROM kepler.search_memories(query_text => %L, max_rows => %s, weights => ''{"similarity": 1}'' %s)', query_text, max_rows, ', ' || nullif(arguments, ''));
END
$$;

-- A rare word finds its text among many that hold the common ones.
BEGIN;
INSERT INTO kepler.memories (id, content)
SELECT 'common' || n, (ARRAY['I like to work at home', 'At home I like my work', 'My work: I like it at home'])[1 + n % 3] FROM generate_series(1, 200) AS n;
INSERT INTO kepler.memories (id, content) VALUES ('ferret', 'The ferret sleeps under the radiator');
SELECT * FROM pg_temp.found('I like to work at home with my ferret', 1);
-- Messages are ranked the same way.
INSERT INTO kepler.conversations (id) VALUES ('talk');
SELECT count(*) FROM kepler.add_messages('talk', (SELECT json_agg(json_build_object('role', 'user', 'content', content) ORDER BY id) FROM kepler.memories)::text);
SELECT content, text_rank FROM kepler.search_messages(query_text => 'I like to work at home with my ferret', max_rows => 1);
SELECT content, text_rank FROM kepler.search_messages(query_text => 'I like to work at home with my ferret', max_rows => 1, conversation_id => 'talk');
ROLLBACK;

-- How rare a word is in another workspace does not count.
BEGIN;
INSERT INTO kepler.workspaces (id, name) VALUES ('a', 'A'), ('b', 'B');
INSERT INTO kepler.memories (workspace_id, id, content)
SELECT w.id, 'm' || n, CASE WHEN n % 10 = 0 THEN CASE WHEN w.id = 'a' THEN 'rowing' ELSE 'sailing' END || ' again' ELSE 'something else' END
FROM (VALUES ('a'), ('b')) AS w (id), generate_series(1, 300) AS n;
INSERT INTO kepler.memories (workspace_id, id, content) SELECT w.id, m.id, m.content FROM (VALUES ('a'), ('b')) AS w (id), (VALUES ('x', 'rowing today'), ('y', 'sailing today')) AS m (id, content);
SET LOCAL kepler.workspace_id = 'a';
SELECT * FROM pg_temp.found('sailing or rowing', 1);
SET LOCAL kepler.workspace_id = 'b';
SELECT * FROM pg_temp.found('sailing or rowing', 1);
ROLLBACK;

-- The rows of a word are counted wherever the index has them: not sorted in, in lists, and in trees among those of others. Of two texts that
-- hold one word each, that with the word of fewer rows comes first, if it is but one row fewer.
CREATE FUNCTION pg_temp.fill(a integer, b integer, n integer) RETURNS void LANGUAGE sql AS $$
    INSERT INTO kepler.memories (workspace_id, id, content)
    SELECT w.id, lpad(i::text, 6, '0'),
        CASE WHEN w.id = 'mine' THEN concat_ws(' ', CASE WHEN i <= a THEN 'apple' END, CASE WHEN i <= b THEN 'banana' END, 'fruit', 'basket') ELSE 'apple banana fruit basket' END
    FROM generate_series(1, n) AS i, (VALUES ('mine'), ('other')) AS w (id)
$$;
CREATE FUNCTION pg_temp.rarer() RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(content, ', ' ORDER BY place) FROM (
        SELECT row_number() OVER () AS place, content FROM kepler.search_memories(query_text => 'banana and apple', max_rows => 2, context_types => '{asked}', workspace_id => 'mine', weights => '{"similarity": 1}')) AS f
$$;
INSERT INTO kepler.workspaces (id, name) VALUES ('mine', 'Mine'), ('other', 'Other');
INSERT INTO kepler.memories (workspace_id, id, context_type, content) VALUES ('mine', 'apple', 'asked', 'An apple here'), ('mine', 'banana', 'asked', 'A banana here');
-- Fewer apples.
SELECT pg_temp.fill(199, 200, 350);
SELECT pg_temp.rarer();
SELECT gin_clean_pending_list('kepler.memories_text_search_idx') > 0 AS sorted_in;
SELECT pg_temp.rarer();
DELETE FROM kepler.memories WHERE context_type = 'fact';
VACUUM kepler.memories;
-- Fewer bananas.
SELECT pg_temp.fill(200, 199, 350);
SELECT pg_temp.rarer();
DELETE FROM kepler.memories WHERE context_type = 'fact';
VACUUM kepler.memories;
SELECT pg_temp.fill(7000, 6999, 9000);
SELECT pg_temp.rarer();
SELECT gin_clean_pending_list('kepler.memories_text_search_idx') >= 0 AS sorted_in;
SELECT pg_temp.rarer();
DELETE FROM kepler.memories WHERE context_type = 'fact';
VACUUM kepler.memories;
SELECT pg_temp.fill(6999, 7000, 9000);
SELECT pg_temp.rarer();
-- Never short: common words, and a user who has few rows with the rarer one; all of the answer, however many are wanted.
INSERT INTO kepler.users (workspace_id, id, email) VALUES ('mine', 'ada', 'ada@example.com');
UPDATE kepler.memories SET user_id = 'ada' WHERE workspace_id = 'mine' AND id IN ('000001', '008000', '008500');
SELECT content, count(*) FROM kepler.search_memories(query_text => 'apple banana fruit basket', user_id => 'ada', workspace_id => 'mine') GROUP BY 1 ORDER BY 1;
SELECT max_rows, (SELECT count(*) FROM kepler.search_memories(query_text => 'apple banana fruit basket', max_rows => max_rows, workspace_id => 'mine')) AS found
FROM unnest(ARRAY[1, 40, 7500, 9000, 10000]) AS max_rows;
-- The same question has the same answer.
SELECT count(DISTINCT answer) FROM generate_series(1, 8) AS n, LATERAL (
    SELECT string_agg(memory_id, ',' ORDER BY place) AS answer
    FROM (SELECT row_number() OVER () AS place, memory_id FROM kepler.search_memories(query_text => 'fruit apple', max_rows => 20 + 0 * n, workspace_id => 'mine')) AS s) AS a;
-- Without the index rows are looked at.
BEGIN;
DROP INDEX kepler.memories_text_search_idx;
SELECT pg_temp.rarer() IS NOT NULL AS found;
ROLLBACK;
DELETE FROM kepler.memories WHERE workspace_id IN ('mine', 'other');
DELETE FROM kepler.users WHERE workspace_id = 'mine';
DELETE FROM kepler.workspaces WHERE id IN ('mine', 'other');
VACUUM kepler.memories;

-- A word again counts, and less each time; of long texts the shorter one comes first, and of turns those that say the word again.
BEGIN;
INSERT INTO kepler.memories (id, content)
SELECT 'long' || n, 'A page on ' || CASE n WHEN 1 THEN 'tulips' WHEN 2 THEN 'tulips' ELSE 'trees' END || repeat(' garden' || n || ' soil water sun', CASE n WHEN 1 THEN 200 ELSE 30 END) FROM generate_series(1, 20) AS n;
SELECT left(content, 30) AS content, text_rank FROM pg_temp.found('tulips');
ROLLBACK;
BEGIN;
INSERT INTO kepler.memories (id, content) VALUES
    ('1', 'Tulips'), ('2', 'My tulips are out and I love tulips'), ('3', 'Roses'), ('4', 'My roses are out'), ('5', 'Bread and butter'), ('6', 'Rain');
SELECT * FROM pg_temp.found('tulips');
-- Rarer words of the question before a word that is often there.
INSERT INTO kepler.memories (id, content) VALUES ('7', 'rain rain rain rain rain'), ('8', 'rain on the butter');
SELECT * FROM pg_temp.found('butter in the rain', 4);
ROLLBACK;

-- Both ways of finding: how much each counts, by score or by rank.
BEGIN;
SELECT kepler.create_embedding_space('mini', dimensions => 2, model => 'test-model');
SELECT count(*) FROM kepler.remember_many('[
    {"content": "The cat sleeps", "embedding": [1, 0]},
    {"content": "A dog barks at the mailman", "embedding": [0.9, 0.4]},
    {"content": "The mailman comes at noon", "embedding": [0.3, 1]},
    {"content": "Nobody knows", "embedding": [0, 1]}]');
CREATE FUNCTION pg_temp.both(fusion jsonb) RETURNS TABLE (content text, score numeric, vector_rank integer, text_rank integer) LANGUAGE sql AS $$
    SELECT content, round(score::numeric, 3), vector_rank, text_rank
    FROM kepler.search_memories('[1, 0]', 3, query_text => 'mailman at noon', weights => '{"similarity": 1}', fusion => fusion) $$;
SELECT * FROM pg_temp.both(NULL);
SELECT * FROM pg_temp.both('{"text": 0}');
SELECT * FROM pg_temp.both('{"vector": 0}');
SELECT * FROM pg_temp.both('{"vector": 1, "text": 1, "k": 60}');
-- What is in both lists has the score of both, also where one list is short of it.
SELECT content FROM kepler.search_memories('[1, 0]', 1, query_text => 'mailman at noon', weights => '{"similarity": 1}', fusion => '{"k": 0}');
SAVEPOINT s;
SELECT * FROM pg_temp.both('{"vector": -1, "words": 1}');
ROLLBACK TO s;
SELECT * FROM pg_temp.both('{"vector": 0, "text": 0}');
ROLLBACK TO s;
SELECT count(*) FROM kepler.search_messages(query_text => 'noon', fusion => '[]');
ROLLBACK TO s;
-- In a space without a scale the ranks count.
SELECT kepler.create_embedding_space('inner', dimensions => 2, model => 'test-model', metric => 'inner_product');
SELECT count(*) FROM kepler.set_memory_embeddings('inner', (SELECT json_agg(json_build_object('memory_id', id, 'embedding', json_build_array(length(content), 1)))::text FROM kepler.memories));
SELECT content, round(score::numeric, 3) AS score, vector_rank, text_rank
FROM kepler.search_memories('[1, 0]', 2, query_text => 'mailman at noon', space => 'inner', weights => '{"similarity": 1}');
ROLLBACK;

-- Importance, age and use decide between what answers about equally well, and not against what answers better.
BEGIN;
SELECT kepler.create_embedding_space('mini', dimensions => 2, model => 'test-model');
INSERT INTO kepler.memories (id, content, relevance_score, valid_from)
SELECT 'm' || n, 'Note ' || n, CASE n WHEN 1 THEN 0 ELSE 1 END, now() - CASE n WHEN 1 THEN interval '3 years' ELSE interval '0' END FROM generate_series(1, 20) AS n;
INSERT INTO kepler_data.mini_embeddings (memory_id, embedding) SELECT 'm' || n, format('[1, %s]', n / 4.0)::vector FROM generate_series(1, 20) AS n;
SELECT count(*) AS touched FROM kepler.touch_memories(ARRAY['m2', 'm3']);
SELECT memory_id FROM kepler.search_memories('[1, 0.1]', 1);
INSERT INTO kepler_data.mini_embeddings (memory_id, embedding) VALUES ('m1', '[1, 0.25]'), ('m2', '[1, 0.251]')
ON CONFLICT (workspace_id, memory_id) DO UPDATE SET embedding = EXCLUDED.embedding;
SELECT memory_id FROM kepler.search_memories('[1, 0.1]', 2);
ROLLBACK;

-- Under policies of one's own only rows that the caller sees tell how rare a word is.
BEGIN;
INSERT INTO kepler.memories (id, content, metadata)
SELECT 'm' || n, CASE WHEN n % 2 = 0 THEN 'rowing here' ELSE 'sailing here' END, jsonb_build_object('secret', n % 2 = 0 AND n > 10) FROM generate_series(1, 400) AS n;
INSERT INTO kepler.memories (id, content) VALUES ('x', 'rowing far'), ('y', 'sailing far');
CREATE ROLE kepler_word_reader;
SELECT count(*) > 0 AS granted FROM kepler.grant_access('kepler_word_reader', 'reader');
ALTER TABLE kepler.memories ENABLE ROW LEVEL SECURITY;
CREATE POLICY rows ON kepler.memories USING (true);
CREATE POLICY open_rows ON kepler.memories AS RESTRICTIVE FOR SELECT TO kepler_word_reader USING ((metadata ->> 'secret')::boolean IS NOT TRUE);
SET LOCAL ROLE kepler_word_reader;
SELECT content FROM kepler.search_memories(query_text => 'sailing, rowing', max_rows => 1, weights => '{"similarity": 1}');
ROLLBACK;
