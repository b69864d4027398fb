-- Memories and messages are found in the language of the workspace, or in one of their own, whoever has written them and whoever asks.
\set SHOW_CONTEXT never
\set VERBOSITY default
\pset format unaligned
\pset tuples_only on
BEGIN;
SET LOCAL client_min_messages = warning;
INSERT INTO kepler.workspaces (id, name) VALUES ('speaks', 'S'), ('other', 'O');
CREATE ROLE speaks_writer;
CREATE ROLE speaks_admin;
SELECT kepler.grant_access('speaks_writer', 'writer', 'speaks'), kepler.grant_access('speaks_admin', 'admin', 'speaks') \g /dev/null
SET LOCAL kepler.workspace_id = 'speaks';
CREATE FUNCTION pg_temp.found(query_text text) RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(string_agg(content, ' | ' ORDER BY content COLLATE "C"), '-') FROM kepler.search_memories(query_text => query_text)
$$;
CREATE FUNCTION pg_temp.said(query_text text) RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(string_agg(content, ' | ' ORDER BY content COLLATE "C"), '-') FROM kepler.search_messages(query_text => query_text)
$$;

-- An administrator of one workspace sets its languages.
SET LOCAL ROLE speaks_admin;
SELECT kepler.set_language('german', '{simple,french,german}');
SELECT language, other_languages, former_languages FROM kepler.workspaces;
-- A writer writes: by function, in a batch, by SQL, and by COPY; as memories and as messages.
SET LOCAL ROLE speaks_writer;
SELECT outcome FROM kepler.remember('Die Häuser am Fluss sind alt');
SELECT outcome FROM kepler.remember('私は東京の喫茶店が好きです', language => 'simple');
SELECT ordinal, outcome, error FROM kepler.remember_many('[{"content": "Les élèves arrivent au café", "language": "french"}, {"content": "x", "language": "english"}, {"content": "y", "language": "klingon"}, {"content": "z", "language": ""}, {"content": "Ein Baum", "language": null}]');
INSERT INTO kepler.memories (id, content) VALUES ('sql', 'Ihre Bücher liegen dort');
RESET ROLE;
COPY kepler.memories (id, content, language) FROM stdin;
copied	ฉันมีแมวสองตัว	simple
copied too	Drei Gläser Wasser	\N
\.
SET LOCAL ROLE speaks_writer;
INSERT INTO kepler.conversations (id) VALUES ('talk');
SELECT outcome FROM kepler.add_message('talk', 'user', 'Wo sind die Häuser?');
SELECT outcome FROM kepler.add_message('talk', 'user', '東京の喫茶店はどこですか', language => 'simple');
SELECT ordinal, outcome, error FROM kepler.add_messages('talk', '[{"role": "user", "content": "Où sont les élèves?", "language": "french"}, {"role": "user", "content": "x", "language": "english"}, {"role": "user", "content": "Ein Baum"}]');
INSERT INTO kepler.messages (conversation_id, role, content) VALUES ('talk', 'tool', 'Zwei Bücher');
SELECT language, content FROM kepler.memories ORDER BY content COLLATE "C";
SELECT language, content FROM kepler.messages ORDER BY number;
-- Each is found by other forms, without accents, inside of sentences, and by questions of several languages.
SELECT q, pg_temp.found(q), pg_temp.said(q) FROM (VALUES ('Haus'), ('ein Haus'), ('Hauser'), ('Buch'), ('Glas'), ('élève'), ('eleve'), ('CAFE'), ('東京'), ('喫茶店'), ('แมว'), ('Bäume'), ('Haus 東京'), ('die'), ('nothing')) AS v (q);
-- One language has the words of another no less: what fits best comes first.
SELECT content FROM kepler.search_memories(query_text => 'Wo ist das Haus am Fluss?', max_rows => 1);
-- A content or a language that changes has other words; so has nothing else.
UPDATE kepler.memories SET content = 'Ihre Katzen liegen dort' WHERE id = 'sql';
SELECT pg_temp.found('Buch'), pg_temp.found('Katze');
UPDATE kepler.memories SET language = 'simple' WHERE id = 'sql';
SELECT pg_temp.found('Katze'), pg_temp.found('Katzen');
SELECT ctid AS before FROM kepler.memories WHERE id = 'sql' \gset
UPDATE kepler.memories SET language = NULL WHERE id = 'sql' RETURNING language;
UPDATE kepler.memories SET relevance_score = 0.9 WHERE id = 'sql' RETURNING language;
-- Nobody brings words of their own: they name the workspace.
INSERT INTO kepler.memories (id, content, text_search) VALUES ('forged', 'Nichts', '''forged'' '' other''') RETURNING text_search;
UPDATE kepler.memories SET text_search = '''forged'' '' other''' WHERE id = 'forged' RETURNING text_search;
-- A language that the workspace has not is refused.
SAVEPOINT before;
INSERT INTO kepler.memories (id, content, language) VALUES ('italian', 'words', 'italian');
ROLLBACK TO before;
SELECT kepler.remember('words', language => 'english');
ROLLBACK TO before;
SELECT kepler.set_language('english');
ROLLBACK TO before;
SELECT kepler.add_message('talk', 'user', 'words', language => 'english');
ROLLBACK TO before;

-- Under policies of one's own, and with an older snapshot, the same is found.
RESET ROLE;
CREATE POLICY short ON kepler.memories AS RESTRICTIVE USING (length(content) < 1000);
SET LOCAL ROLE speaks_writer;
SELECT pg_temp.found('Haus'), pg_temp.found('東京'), pg_temp.found('แมว');
RESET ROLE;
DROP POLICY short ON kepler.memories;

-- Arguments.
SAVEPOINT before;
SELECT kepler.set_language(NULL);
ROLLBACK TO before;
SELECT kepler.set_language('klingon');
ROLLBACK TO before;
SELECT kepler.set_language('german', '{klingon}');
ROLLBACK TO before;
SELECT kepler.set_language('german', '{NULL}');
ROLLBACK TO before;
SELECT kepler.set_language('german', workspace_id => 'nowhere');
ROLLBACK TO before;
SELECT kepler.set_language('german', (SELECT array_agg('l' || n) FROM generate_series(1, 31) AS n));
ROLLBACK TO before;
UPDATE kepler.workspaces SET language = 'klingon' WHERE id = 'speaks';
ROLLBACK TO before;
-- A configuration of one's own, which must be a superuser's or the owner's: all who search are asked in it.
CREATE SCHEMA own_words;
CREATE TEXT SEARCH CONFIGURATION own_words.plain (COPY = pg_catalog.simple);
CREATE TEXT SEARCH CONFIGURATION own_words.foreign (COPY = pg_catalog.simple);
GRANT USAGE, CREATE ON SCHEMA own_words TO speaks_admin;
ALTER TEXT SEARCH CONFIGURATION own_words.foreign OWNER TO speaks_admin;
GRANT USAGE ON SCHEMA own_words TO PUBLIC;
SET LOCAL ROLE speaks_admin;
SAVEPOINT before;
SELECT kepler.set_language('own_words.foreign');
ROLLBACK TO before;
SELECT kepler.set_language('own_words.plain');
SELECT outcome FROM kepler.remember('Die Dampflokomotiven');
SELECT pg_temp.found('die'), pg_temp.found('Haus');
-- Where it is gone, its rows are found as those of simple are, and a new one says what is wrong.
RESET ROLE;
DROP TEXT SEARCH CONFIGURATION own_words.plain;
SET LOCAL ROLE speaks_writer;
SELECT pg_temp.found('Dampflokomotiven'), pg_temp.found('Haus');
SAVEPOINT before;
SELECT kepler.remember('more');
ROLLBACK;

-- A workspace of one language asks in that one, and others know nothing of it.
BEGIN;
INSERT INTO kepler.workspaces (id, name, language) VALUES ('one', 'One', 'german');
INSERT INTO kepler.memories (workspace_id, content) VALUES ('one', 'Die Häuser'), ('default', 'Die Häuser');
SELECT workspace_id, language, text_search FROM kepler.memories ORDER BY 1;
SELECT count(*) FROM kepler.search_memories(query_text => 'Haus', workspace_id => 'one');
SELECT count(*) FROM kepler.search_memories(query_text => 'Haus', workspace_id => 'default');
ROLLBACK;
