-- The rows of a question's rare words are ranked first, and those of its common words only as far as any of them could come before: the
-- answer is the one of ranking them all.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
INSERT INTO kepler.workspaces (id, name) VALUES ('steps', 'Steps');
-- One row in 13 has the rare word, most have the common ones, some again and again, in texts of all lengths.
INSERT INTO kepler.memories (workspace_id, id, content)
SELECT 'steps', lpad(i::text, 4, '0'), concat_ws(' ', CASE WHEN i % 13 = 0 THEN 'ferret' END, CASE WHEN i % 3 > 0 THEN 'garden' END,
    CASE WHEN i % 2 = 0 THEN 'house' END, CASE WHEN i % 1999 = 7 THEN 'kayak' END, repeat('garden ', i % 7 * (i % 5)), repeat('house ', i % 11), repeat('word' || i % 10 || ' ', i % 90), 'end')
FROM generate_series(1, 4000) AS i;
VACUUM (ANALYZE) kepler.memories;
CREATE FUNCTION pg_temp.found(question text, max_rows integer) RETURNS text[] LANGUAGE sql AS $$
    SELECT (array_agg(s.memory_id ORDER BY s.text_rank))[:10]
    FROM kepler.search_memories(query_text => question, max_rows => max_rows, workspace_id => 'steps', weights => '{"similarity": 1}') AS s $$;
-- A search for a thousand ranks all rows.
SELECT q AS question, pg_temp.found(q, 10) = pg_temp.found(q, 1000) AS the_same, pg_temp.found(q, 3) = (pg_temp.found(q, 1000))[:3] AS three
FROM (VALUES ('ferret garden'), ('garden ferret house'), ('ferret ferret house garden end'), ('house garden'), ('kayak garden'), ('kayak ferret garden house word3'), ('end')) AS v (q);
-- And these are the rows that are read.
CREATE FUNCTION pg_temp.read(question text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    before constant bigint := pg_stat_get_xact_tuples_fetched('kepler.memories'::regclass);
BEGIN
    PERFORM pg_temp.found(question, 10);
    RETURN pg_stat_get_xact_tuples_fetched('kepler.memories'::regclass) - before;
END $$;
SELECT q AS question, pg_temp.read(q) BETWEEN 1 AND most AS few FROM (VALUES ('ferret', 400), ('ferret garden', 400), ('kayak ferret garden', 400)) AS v (q, most);
SELECT pg_temp.read('garden house') > 3000 AS all_of_common_words;
-- An answer is as long as it was asked for, or as there are rows.
SELECT count(*) FROM kepler.search_memories(query_text => 'ferret garden', max_rows => 300, workspace_id => 'steps');
SELECT count(*) FROM kepler.search_memories(query_text => 'ferret garden', max_rows => 4000, workspace_id => 'steps');
-- The same in a table of somebody's.
CREATE TABLE public.steps (id text PRIMARY KEY, v vector(2), words tsvector);
INSERT INTO public.steps SELECT id, NULL, to_tsvector('english', content) FROM kepler.memories WHERE workspace_id = 'steps';
CREATE INDEX ON public.steps USING gin (words);
VACUUM (ANALYZE) public.steps;
CREATE FUNCTION pg_temp.rows_of(question text, max_rows integer) RETURNS text[] LANGUAGE sql AS $$
    SELECT (array_agg(s.document ->> 'id' ORDER BY s.text_rank))[:10]
    FROM kepler.search_vectors('public.steps', 'v', NULL, max_rows, columns => '{id}', query_text => question, words_column => 'words') AS s $$;
SELECT q AS question, pg_temp.rows_of(q, 10) = pg_temp.rows_of(q, 1000) AS the_same
FROM (VALUES ('ferret garden'), ('garden ferret house'), ('ferret ferret house garden end'), ('house garden'), ('kayak garden'), ('kayak ferret garden house word3')) AS v (q);
DROP TABLE public.steps;
DELETE FROM kepler.memories WHERE workspace_id = 'steps';
DELETE FROM kepler.workspaces WHERE id = 'steps';
