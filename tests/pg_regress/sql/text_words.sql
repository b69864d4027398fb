-- The words of texts in any language, the same in every locale, for memories, messages and tables of one's own.
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on

-- English without accents is what Postgres makes of it.
SELECT kepler.text_words(t) = to_tsvector('english', t) FROM (VALUES
    ('The quick foxes were jumping over co-operative dogs'), ('see https://example.org/a?b=1, ada@example.org, 3.14 and -7'), ('<b>tags</b> &amp; entities /usr/bin'), ('')) AS v (t);
-- Accents, case and width do not count, however they are written.
SELECT DISTINCT kepler.text_words(t, l) FROM (VALUES ('café'), ('cafe'), (U&'cafe\0301'), ('CAFÉ'), ('ＣＡＦＥ'), ('«Café»…')) AS v (t), (VALUES ('english'), ('simple')) AS l (l) ORDER BY 1;
-- Stems and stop words need the accents; who leaves them out is understood all the same.
SELECT kepler.text_words('Die Häuser, die Bäume und die Straßen', 'german');
SELECT l, kepler.text_words(with_accents, l) @@ query AND kepler.text_words(without, l) @@ query2
FROM (VALUES ('french', 'les élèves sont arrivés à l''été', 'les eleves sont arrives a l''ete'), ('german', 'Bücher über Bären', 'Bucher uber Baren'), ('spanish', 'las canciones del corazón', 'las canciones del corazon'),
    ('portuguese', 'as informações', 'as informacoes'), ('turkish', 'IŞIK', 'isik'), ('danish', 'smørrebrød', 'smorrebrod'), ('romanian', 'înțelegere', 'intelegere')) AS v (l, with_accents, without),
    LATERAL (SELECT replace(plainto_tsquery('simple', array_to_string(tsvector_to_array(kepler.text_words(without, l)), ' '))::text, '&', '|')::tsquery AS query,
        replace(plainto_tsquery('simple', array_to_string(tsvector_to_array(kepler.text_words(with_accents, l)), ' '))::text, '&', '|')::tsquery AS query2) AS q;
SELECT kepler.text_words('été', 'french') = '', kepler.text_words('über', 'german') = '';
-- Other scripts keep their letters.
SELECT kepler.text_words('Книги о чём-то ещё и йод', 'russian'), kepler.text_words('שָׁלוֹם', 'simple') = kepler.text_words('שלום', 'simple'), kepler.text_words('हिन्दी की किताब', 'simple');

-- Scripts without spaces: a word is found inside a sentence, and not in another one.
SELECT word, kepler.text_words(text, l) @@ query, kepler.text_words('何か別のこと 别的事情 อย่างอื่น 다른 것', l) @@ query
FROM (VALUES ('東京', '私は東京に住んでいます。'), ('猫', '黒い猫が好き'), ('コーヒー', 'ﾌﾞﾗｯｸｺｰﾋｰを飲む'), ('北京大学', '他在北京大学学习'), ('แมว', 'ฉันมีแมวสองตัว'), ('งู', 'เห็นงูตัวใหญ่'), ('고양이', '고양이가 집에 있다'), ('집', '집에서'),
    ('ແມວ', 'ຂ້ອຍມີແມວ'), ('ខ្មែរ', 'ភាសាខ្មែរ'), ('မြန်မာ', 'မြန်မာစာ'), ('iPhone', '新しいiPhoneを買った')) AS v (word, text), (VALUES ('english'), ('simple')) AS l (l),
    LATERAL (SELECT string_agg(format('%L', w), ' & ')::tsquery AS query FROM unnest(tsvector_to_array(kepler.text_words(word, l))) AS w) AS q;
-- The order of words is kept, so phrases are found.
SELECT kepler.text_words('iPhoneを買った Ada', 'simple');

-- NULL gives NULL; a word that is too long, and what a tsvector has no room for, are left out.
SELECT kepler.text_words(NULL) IS NULL;
SET client_min_messages = warning;
SELECT kepler.text_words(repeat('x', 3000) || ' y');
RESET client_min_messages;
SELECT length(kepler.text_words(string_agg(chr(19968 + (n::bigint * 7919 % 20000)::integer) || chr(19968 + (n::bigint * 104729 % 20000)::integer), ''))) BETWEEN 20000 AND 200000 FROM generate_series(1, 200000) AS n;
SELECT count(*) FROM (SELECT string_agg(chr(CASE WHEN d THEN 32 + (n * 7919 * b) % 95 ELSE 160 + (n * 7919 * b) % 40000 END), '') AS t FROM generate_series(1, 100) AS n, generate_series(1, 100) AS b, (VALUES (true), (false)) AS d (d) GROUP BY b, d) AS x, (VALUES ('english'), ('german'), ('simple')) AS l (l)
WHERE kepler.text_words(t, l)::text::tsvector <> kepler.text_words(t, l);
\set ON_ERROR_STOP off
SELECT kepler.text_words('x', NULL);
SELECT kepler.text_words('x', 'klingon');
SELECT kepler.text_words('x', 'pg_catalog.german; DROP');
SELECT kepler.text_words('x', 'nowhere.german');

-- A configuration of another schema, for those who may look into it. The search path does not count.
BEGIN;
CREATE SCHEMA hidden_words;
CREATE TEXT SEARCH CONFIGURATION hidden_words."Short" (COPY = pg_catalog.simple);
CREATE TEXT SEARCH CONFIGURATION hidden_words.english (COPY = pg_catalog.simple);
SELECT kepler.text_words('the words', 'hidden_words."Short"'), kepler.text_words('the words', 'pg_catalog.english');
SET LOCAL search_path = hidden_words, pg_catalog;
SELECT kepler.text_words('the words', 'english');
CREATE ROLE words_reader;
GRANT USAGE ON SCHEMA kepler TO words_reader;
GRANT EXECUTE ON FUNCTION kepler.text_words TO words_reader;
SET LOCAL ROLE words_reader;
SELECT kepler.text_words('the words', 'hidden_words."Short"');
ROLLBACK;

-- A generated column of a table of one's own, with a language of each row, and an index.
BEGIN;
CREATE TABLE articles (id integer PRIMARY KEY, body text, language text NOT NULL DEFAULT 'english', words tsvector GENERATED ALWAYS AS (kepler.text_words(body, language)) STORED);
CREATE INDEX articles_words_idx ON articles USING gin (words);
INSERT INTO articles (id, body, language) VALUES (1, 'The café around the corner', 'english'), (2, 'Die Häuser am Fluss', 'german'), (3, '東京の喫茶店', 'simple'), (4, NULL, 'simple');
SET LOCAL enable_seqscan = off;
EXPLAIN (COSTS off) SELECT id FROM articles WHERE words @@ 'cafe';
SELECT id FROM articles WHERE words @@ 'cafe'::tsquery OR words @@ 'haus'::tsquery OR words @@ '喫茶'::tsquery ORDER BY id;
UPDATE articles SET language = 'simple' WHERE id = 2;
SELECT id FROM articles WHERE words @@ 'haus'::tsquery OR words @@ 'hauser'::tsquery;
ROLLBACK;
