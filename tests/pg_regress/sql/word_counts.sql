-- How many rows of a workspace hold a word is read from the index on words: told right of every word, wherever it stands in the index.
\set SHOW_CONTEXT never
-- Long words and short ones, and one that begins as the other: so many that the tree of words has three levels.
CREATE FUNCTION pg_temp.word(k bigint) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT 'x' || CASE WHEN k % 3 > 0 THEN md5((k / 3)::text) || CASE WHEN k % 3 = 1 THEN md5(k::text) ELSE '' END ELSE 'y' || k END
$$;
-- Of 12,000 words some are in most rows, and most in a few.
CREATE FUNCTION pg_temp.content(i bigint) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT string_agg(DISTINCT pg_temp.word(CASE WHEN j <= 8 THEN i * j * j * 7919 % (4 * j * j) ELSE (i * 31 + j * j * 977) * (i % 7 + 1) % 12000 END), ' ')
    FROM generate_series(1, 40) AS j
$$;
-- While Postgres sorts rows into the index, they may count twice: it does so here only when it is told to.
ALTER TABLE kepler.memories SET (autovacuum_enabled = off);
INSERT INTO kepler.workspaces (id, name) VALUES ('counted', 'Counted'), ('other', 'Other');

-- The words of which a search has counted other rows than there are. A memory that holds nothing but "anchor" gets of what a question's words can
-- give what "anchor" can, so it tells how much the other words weigh together. If that is not what their rows make it, they are asked for one by one.
CREATE TABLE public.word_counts (word text PRIMARY KEY, rows integer);
CREATE FUNCTION public.weight(of integer, rows integer) RETURNS double precision LANGUAGE sql AS $$ SELECT ln(1 + (rows - of + 0.5) / (of + 0.5)) $$;
CREATE FUNCTION public.told(words text[], anchor double precision) RETURNS double precision LANGUAGE sql AS $$
    -- One word of a text that is short: k1 1.2, b 0.75, an average of 60.
    SELECT anchor * (1 / (1 + 1.2 * (0.25 + 0.75 / 60)) / score - 1)
    FROM kepler.search_memories(query_text => 'anchor ' || array_to_string(words, ' '), max_rows => 1, context_types => '{asked}', workspace_id => 'counted', weights => '{"similarity": 1}')
$$;
CREATE FUNCTION public.wrong() RETURNS TABLE (words bigint, in_rows bigint, of_rows integer, told_wrong bigint, for_example text) LANGUAGE plpgsql AS $$
DECLARE
    anchor double precision;
BEGIN
    TRUNCATE public.word_counts;
    INSERT INTO public.word_counts SELECT s.word, s.ndoc FROM ts_stat('SELECT text_search FROM kepler.memories WHERE workspace_id = ''counted''') AS s WHERE s.word NOT IN ('anchor', ' counted');
    SELECT count(*) INTO of_rows FROM kepler.memories WHERE workspace_id = 'counted';
    anchor := public.weight(1, of_rows);
    SELECT count(*), sum(c.rows) INTO words, in_rows FROM public.word_counts AS c;
    WITH batches AS MATERIALIZED (
        SELECT array_agg(c.word) AS words, sum(public.weight(c.rows, wrong.of_rows)) AS weight
        FROM (SELECT b.*, row_number() OVER (ORDER BY b.word COLLATE "C") / 200 AS batch FROM public.word_counts AS b) AS c GROUP BY batch
    ), suspects AS MATERIALIZED (
        SELECT b.words FROM batches AS b WHERE NOT abs(public.told(b.words, anchor) - b.weight) < 0.001
    ), told AS (
        SELECT c.word, c.rows, round(((wrong.of_rows + 1) / exp(public.told(ARRAY[c.word], anchor)) - 0.5)::numeric) AS told
        FROM suspects AS s CROSS JOIN LATERAL unnest(s.words) AS w (word) JOIN public.word_counts AS c USING (word)
    )
    SELECT count(*), string_agg(format('%s: %s rows, told %s', t.word, t.rows, t.told), E'\n' ORDER BY t.word COLLATE "C") FILTER (WHERE t.place <= 5)
    INTO told_wrong, for_example
    FROM (SELECT t.*, row_number() OVER (ORDER BY t.word COLLATE "C") AS place FROM told AS t WHERE t.told IS DISTINCT FROM t.rows) AS t;
    RETURN NEXT;
END
$$;

INSERT INTO kepler.memories (workspace_id, id, context_type, content) VALUES ('counted', 'anchor', 'asked', 'anchor'), ('other', 'anchor', 'fact', 'anchor');
INSERT INTO kepler.memories (workspace_id, id, content) SELECT 'counted', lpad(i::text, 6, '0'), pg_temp.content(i) FROM generate_series(1, 1500) AS i;
-- Most rows are sorted into the index, the last ones are not.
SELECT * FROM public.wrong();
SELECT gin_clean_pending_list('kepler.memories_text_search_idx') >= 0 AS sorted_in;
SELECT * FROM public.wrong();
-- Rows of another workspace with the same words.
INSERT INTO kepler.memories (workspace_id, id, content) SELECT 'other', lpad(i::text, 6, '0'), pg_temp.content(i + 700) FROM generate_series(1, 1500) AS i;
SELECT * FROM public.wrong();
-- Dead rows count until they are vacuumed; then they do not.
DELETE FROM kepler.memories WHERE workspace_id = 'counted' AND id LIKE '%3';
VACUUM kepler.memories;
SELECT * FROM public.wrong();
REINDEX INDEX kepler.memories_text_search_idx;
SELECT * FROM public.wrong();
INSERT INTO kepler.memories (workspace_id, id, content) SELECT 'counted', lpad(i::text, 6, '0'), pg_temp.content(i) FROM generate_series(1601, 1700) AS i;
SELECT * FROM public.wrong();
-- The rows of a word fill a tree of several pages, most of which are another workspace's; then those are gone.
INSERT INTO kepler.memories (workspace_id, id, content)
SELECT CASE WHEN i <= 300 OR i > 20000 THEN 'counted' ELSE 'other' END, 't' || i, CASE WHEN i % 3 > 0 THEN 'common1' ELSE 'common2' END FROM generate_series(1, 20400) AS i;
SELECT gin_clean_pending_list('kepler.memories_text_search_idx') >= 0 AS sorted_in;
SELECT * FROM public.wrong();
DELETE FROM kepler.memories WHERE workspace_id = 'other' AND id LIKE 't%';
VACUUM kepler.memories;
SELECT * FROM public.wrong();

ALTER TABLE kepler.memories RESET (autovacuum_enabled);
DROP FUNCTION public.wrong, public.told, public.weight;
DROP TABLE public.word_counts;
DELETE FROM kepler.memories WHERE workspace_id IN ('counted', 'other');
DELETE FROM kepler.workspaces WHERE id IN ('counted', 'other');
VACUUM kepler.memories;
