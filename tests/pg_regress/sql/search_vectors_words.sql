-- Vector columns of anybody's table are searched together with a column of words, and rows are shown with the columns that are asked for.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
CREATE TABLE notes (id integer PRIMARY KEY, tenant text, body text, meta jsonb, at timestamptz, embedding vector(2), half halfvec(2),
    words tsvector GENERATED ALWAYS AS (to_tsvector('english', body)) STORED);
INSERT INTO notes (id, tenant, body, meta, at, embedding)
SELECT i, 't' || i % 2, 'I like to work at home', jsonb_build_object('year', 2000 + i), '2026-01-01'::timestamptz + i * interval '1 day', ARRAY[1, i / 100.0]::real[]::vector FROM generate_series(1, 40) AS i;
UPDATE notes SET body = 'My ferret likes the garden' WHERE id = 30;
UPDATE notes SET body = 'A ferret sleeps most of the day, and so do cats, dogs and most other animals that live with people at home or at work', embedding = NULL WHERE id = 31;
UPDATE notes SET body = 'Ferret food, ferret toys, ferret cages', tenant = 't9' WHERE id = 32;

-- What is shown: everything but what searches are made of; or what is named, that included.
SELECT document FROM kepler.search_vectors('notes', 'embedding', '[1, 0]', 1);
SELECT document FROM kepler.search_vectors('notes', 'embedding', '[1, 0]', 1, columns => '{body,id,id}');
SELECT document FROM kepler.search_vectors('notes', 'embedding', '[1, 0]', 1, columns => '{embedding,half,words}');
SELECT document FROM kepler.search_vectors('notes', 'embedding', '[1, 0]', 1, columns => '{}');

-- By words alone the rare word decides, and a text that holds it more often comes first.
SELECT document -> 'id' AS id, round(score::numeric, 3) AS score, similarity, distance, vector_rank, text_rank, plan, exhausted
FROM kepler.search_vectors('notes', 'embedding', NULL, 4, query_text => 'I like to work at home with my ferret', columns => '{id}');
-- By both: the nearest vectors, and what words find far away from them, with or without a vector.
SELECT document -> 'id' AS id, round(score::numeric, 3) AS score, round(similarity::numeric, 3) AS similarity, vector_rank, text_rank, plan
FROM kepler.search_vectors('notes', 'embedding', '[1, 0]', 4, query_text => 'ferret', columns => '{id}', fusion => '{"vector": 1, "text": 2}');
SELECT document -> 'id' AS id, round(score::numeric, 3) AS score, vector_rank, text_rank
FROM kepler.search_vectors('notes', 'embedding', '[1, 0]', 3, query_text => 'ferret', columns => '{id}', fusion => '{"vector": 3, "text": 1, "k": 10}');
-- Of a metric without a scale the ranks are combined.
SELECT document -> 'id' AS id, round(score::numeric, 3) AS score, vector_rank, text_rank
FROM kepler.search_vectors('notes', 'embedding', '[1, 0]', 3, metric => 'inner_product', query_text => 'ferret', columns => '{id}', fusion => '{"vector": 1, "text": 2}');
-- A filter holds for both ways: ranges, keys of documents, times.
SELECT document -> 'id' AS id, text_rank
FROM kepler.search_vectors('notes', 'embedding', '[1, 0]', 3, '{"meta.year": {"$between": [2005, 2031]}, "at": {"$gte": {"$date": "2026-01-10"}}, "tenant": {"$like": "t_"}}', query_text => 'ferret', columns => '{id}', fusion => '{"vector": 1, "text": 2}');
-- What is less similar is left out, and does not take the place of what is not; what has no vector was found by its words.
SELECT document -> 'id' AS id, round(similarity::numeric, 3) AS similarity FROM kepler.search_vectors('notes', 'embedding', '[1, 0]', 40, min_similarity => 0.957, query_text => 'ferret', columns => '{id}') ORDER BY 1 DESC LIMIT 3;
-- As many rows as are asked for come.
SELECT count(*), count(text_rank) AS by_words, bool_or(exhausted) AS exhausted FROM kepler.search_vectors('notes', 'embedding', '[1, 0]', 39, query_text => 'ferret', fusion => '{"vector": 1, "text": 2}');
SELECT count(*), bool_and(exhausted) AS exhausted FROM kepler.search_vectors('notes', 'embedding', '[1, 0]', 41, query_text => 'ferret');
-- A text without words finds by vectors alone.
SELECT document -> 'id' AS id, text_rank FROM kepler.search_vectors('notes', 'embedding', '[1, 0]', 1, query_text => 'the of', columns => '{id}');
SELECT count(*) FROM kepler.search_vectors('notes', 'embedding', NULL, query_text => 'the of');
-- They are ranked as those of memories are.
CREATE TABLE said AS SELECT body || ' ' || id AS body, NULL::vector(2) AS embedding, to_tsvector('english', body || ' ' || id) AS words FROM notes;
SELECT count(*) FROM kepler.remember_many((SELECT jsonb_agg(jsonb_build_object('content', body)) FROM said));
SELECT count(*), count(*) FILTER (WHERE abs(m.score - v.score) < 1e-9) AS same
FROM kepler.search_memories(max_rows => 99, query_text => 'the home of my ferret, 12', weights => '{"similarity": 1}') AS m
FULL JOIN kepler.search_vectors('said', 'embedding', NULL, 99, query_text => 'the home of my ferret, 12') AS v ON v.document ->> 'body' = m.content;
-- Words of another language, in a column of their own.
ALTER TABLE notes ADD german tsvector;
UPDATE notes SET german = to_tsvector('german', 'Häuser am See') WHERE id = 7;
SELECT document -> 'id' AS id FROM kepler.search_vectors('notes', 'embedding', NULL, query_text => 'ein Haus', words_column => 'german', language => 'german', columns => '{id}');
-- Quotation marks and backslashes in words are words.
UPDATE notes SET german = '''it''''s\\'':1' WHERE id = 8;
SELECT count(*) FROM kepler.search_vectors('notes', 'embedding', NULL, query_text => E'it''s\\ \\''', words_column => 'german', language => 'simple');
-- A column of a domain; words without positions count once.
CREATE DOMAIN stripped AS tsvector;
CREATE TABLE "It's" ("I d" integer, "E 1" vector(2), "w""x" stripped);
INSERT INTO "It's" VALUES (1, '[1, 0]', strip(to_tsvector('simple', 'alpha gamma'))), (2, '[0, 0]', strip(to_tsvector('simple', 'beta beta gamma'))), (3, NULL, strip(to_tsvector('simple', 'beta'))), (4, '[0, 1]', NULL);
SELECT document -> 'I d' AS id, round(score::numeric, 3) AS score, similarity, vector_rank, text_rank FROM kepler.search_vectors('"It''s"', 'E 1', '[1, 0]', 9, query_text => 'beta', language => 'simple', fusion => '{"vector": 1, "text": 2}');

-- What is wrong is said.
SELECT count(*) FROM kepler.search_vectors('notes', 'embedding', NULL);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT count(*) FROM kepler.search_vectors('notes', 'embedding', NULL, query_text => 'ferret');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT count(*) FROM kepler.search_vectors('notes', 'embedding', '[1, 0]', query_text => 'ferret', words_column => 'body');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT count(*) FROM kepler.search_vectors('notes', 'embedding', '[1, 0]', columns => '{id,nope,Body}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT count(*) FROM kepler.search_vectors('notes', 'embedding', '[1, 0]', columns => '{id,NULL}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT count(*) FROM kepler.search_vectors('notes', 'embedding', '[1, 0]', query_text => 'x', words_column => 'words', language => 'klingon');
SELECT count(*) FROM kepler.search_vectors('notes', 'embedding', '[1, 0]', query_text => 'x', words_column => 'words', language => '99999');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT count(*) FROM kepler.search_vectors('notes', 'embedding', NULL, query_text => 'x', words_column => 'words', min_similarity => 0.5);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT count(*) FROM kepler.search_vectors('notes', 'embedding', '[1, 0]', query_text => ' ');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT count(*) FROM kepler.search_vectors('notes', 'embedding', '[1, 0]', query_text => 'x', words_column => 'words', fusion => '{"vector": -1, "other": 1}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
CREATE TABLE wordless (id integer, embedding vector(2));
SELECT count(*) FROM kepler.search_vectors('wordless', 'embedding', '[1, 0]', query_text => 'x');
\echo SQLSTATE :LAST_ERROR_SQLSTATE

-- Under row security nothing tells of rows that the caller may not see: not how rare a word is among them, nor how long they are.
ALTER TABLE notes DROP COLUMN german;
CREATE ROLE kepler_tenant;
GRANT USAGE ON SCHEMA kepler, kepler_internal TO kepler_tenant;
GRANT EXECUTE ON FUNCTION kepler.search_vectors, kepler_internal.word_score TO kepler_tenant;
GRANT SELECT ON notes TO kepler_tenant;
ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON notes USING (tenant = 't0');
CREATE FUNCTION answers() RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(concat_ws(' ', document ->> 'id', score, similarity, vector_rank, text_rank), ', ' ORDER BY score DESC, document ->> 'id')
    FROM kepler.search_vectors('public.notes', 'embedding', '[1, 0]', 10, query_text => 'garden work', columns => '{id}')
$$;
CREATE TEMP TABLE seen (run text, mine text, everybodys text);
GRANT ALL ON seen TO kepler_tenant;
CREATE INDEX ON notes USING gin (words) WITH (fastupdate = off);
SET LOCAL ROLE kepler_tenant;
INSERT INTO seen SELECT 'before', answers();
RESET ROLE;
UPDATE seen SET everybodys = answers() WHERE run = 'before';
INSERT INTO notes (id, tenant, body, at, embedding) SELECT i, 't1', 'garden garden and many other words that others have written in their notes', '2026-01-01', '[1, 1]' FROM generate_series(1000, 4000) AS i;
ANALYZE notes;
SET LOCAL ROLE kepler_tenant;
INSERT INTO seen SELECT 'after', answers();
RESET ROLE;
UPDATE seen SET everybodys = answers() WHERE run = 'after';
SELECT count(DISTINCT mine) AS mine, count(DISTINCT everybodys) AS everybodys, max(mine) LIKE '30 %' AS garden_first FROM seen;
ROLLBACK;

-- In a large table an index on words tells how rare they are, and finds them; in partitions too.
BEGIN;
CREATE TABLE pages (id integer, part integer, body text, embedding vector(2), words tsvector);
CREATE TABLE parted (LIKE pages) PARTITION BY LIST (part);
CREATE TABLE parted_0 PARTITION OF parted FOR VALUES IN (0);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1);
INSERT INTO pages SELECT i, i % 2, 'common words of page ' || i % 50 || CASE WHEN i = 4321 THEN ' and a quokka' ELSE '' END, ARRAY[cos(i / 3000.0), sin(i / 3000.0)]::real[]::vector FROM generate_series(1, 5000) AS i;
UPDATE pages SET words = to_tsvector('english', body);
INSERT INTO parted SELECT * FROM pages;
CREATE INDEX pages_words ON pages USING gin (words);
CREATE INDEX ON parted USING gin (words);
ANALYZE pages, parted;
SELECT document, text_rank FROM kepler.search_vectors('pages', 'embedding', NULL, 1, query_text => 'common words of a quokka', columns => '{id}');
SELECT document, text_rank FROM kepler.search_vectors('parted', 'embedding', NULL, 1, query_text => 'common words of a quokka', columns => '{id}');
SELECT document, vector_rank, text_rank FROM kepler.search_vectors('parted', 'embedding', '[1, 0]', 3, query_text => 'quokka', columns => '{id}', fusion => '{"vector": 1, "text": 2}');
SELECT document, text_rank FROM kepler.search_vectors('parted', 'embedding', '[1, 0]', 1, '{"part": 0}', query_text => 'quokka', columns => '{id}');
-- One that is not over all rows says nothing of the others.
DROP INDEX pages_words;
CREATE INDEX ON pages USING gin (words) WHERE part = 0;
SELECT document, text_rank FROM kepler.search_vectors('pages', 'embedding', NULL, 1, query_text => 'common words of a quokka', columns => '{id}');
ROLLBACK;
