-- The language of a workspace changes: searches find all rows meanwhile, and maintain() makes their words anew in bounded steps.
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
INSERT INTO kepler.workspaces (id, name) VALUES ('moves', 'Moves'), ('stays', 'Stays');
CREATE FUNCTION pg_temp.found(query_text text) RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(string_agg(content, ' | ' ORDER BY content COLLATE "C"), '-')
    FROM (SELECT content FROM kepler.search_memories(query_text => query_text, workspace_id => 'moves') UNION ALL SELECT content FROM kepler.search_messages(query_text => query_text, workspace_id => 'moves')) AS f
$$;
CREATE FUNCTION pg_temp.languages() RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(format('%s %s %s', n.what, coalesce(n.language, '(0.1.0)'), n.count), ', ' ORDER BY n.what, n.language)
    FROM (SELECT 'memories' AS what, language, count(*) FROM kepler.memories WHERE workspace_id = 'moves' GROUP BY language
          UNION ALL SELECT 'messages', language, count(*) FROM kepler.messages WHERE workspace_id = 'moves' GROUP BY language) AS n
$$;
CREATE FUNCTION pg_temp.workspace() RETURNS text LANGUAGE sql AS $$
    SELECT format('%s %s, former %s, at %s', language, other_languages, former_languages, coalesce(regexp_replace(words_place, 'messages [1-9].*', 'messages …'), '-')) FROM kepler.workspaces WHERE id = 'moves'
$$;

-- Rows as version 0.1.0 left them: their words know accents and no language.
INSERT INTO kepler.memories (workspace_id, id, content) SELECT 'moves', 'm' || lpad(n::text, 3, '0'), format('Das Haus hat %s Bäume', n) FROM generate_series(1, 50) AS n;
INSERT INTO kepler.memories (workspace_id, id, content) VALUES ('moves', 'accents', 'We met at the café'), ('stays', 'stays', 'Die Häuser');
INSERT INTO kepler.conversations (workspace_id, id) VALUES ('moves', 'talk');
INSERT INTO kepler.messages (workspace_id, conversation_id, role, content) SELECT 'moves', 'talk', 'user', format('Wir haben %s Häuser', n) FROM generate_series(1, 30) AS n;
ALTER TABLE kepler.memories DISABLE TRIGGER zzz_make_words;
ALTER TABLE kepler.messages DISABLE TRIGGER zzz_make_words;
UPDATE kepler.memories SET language = NULL, text_search = to_tsvector('english', content) || array_to_tsvector(ARRAY[' ' || workspace_id]) WHERE workspace_id = 'moves';
UPDATE kepler.messages SET language = NULL, text_search = to_tsvector('english', content) || array_to_tsvector(ARRAY[' ' || workspace_id]) WHERE workspace_id = 'moves';
ALTER TABLE kepler.memories ENABLE ALWAYS TRIGGER zzz_make_words;
ALTER TABLE kepler.messages ENABLE ALWAYS TRIGGER zzz_make_words;
UPDATE kepler.workspaces SET former_languages = '{""}' WHERE id = 'moves';
-- They are found as before, and not by more.
SELECT pg_temp.found('café'), pg_temp.found('CAFÉ'), pg_temp.found('cafe');
SELECT count(*) FROM kepler.search_memories(query_text => 'Bäume', workspace_id => 'moves', max_rows => 100);
-- A new row has the words of now; a row that is changed too; one that is not stays.
INSERT INTO kepler.memories (workspace_id, id, content) VALUES ('moves', 'new', 'Another café');
UPDATE kepler.memories SET content = 'The 7 trees' WHERE workspace_id = 'moves' AND id = 'm007';
UPDATE kepler.memories SET relevance_score = 0.7 WHERE workspace_id = 'moves' AND id = 'm008';
SELECT pg_temp.found('cafe'), pg_temp.found('tree'), pg_temp.languages();

-- In steps of so many rows, each of which goes on where the last one ended; what is rolled back is done again.
SELECT updated_at AS workspace_updated FROM kepler.workspaces WHERE id = 'moves' \gset
SELECT updated_at AS row_updated FROM kepler.memories WHERE workspace_id = 'moves' AND id = 'm001' \gset
SELECT kepler.refresh_words(20, 'moves'), pg_temp.workspace(), pg_temp.languages();
BEGIN;
SELECT kepler.refresh_words(20, 'moves'), pg_temp.workspace(), pg_temp.languages();
ROLLBACK;
SELECT pg_temp.workspace(), pg_temp.languages();
SELECT kepler.refresh_words(40, 'moves'), pg_temp.workspace(), pg_temp.languages();
-- Half of them are of now, and all are found.
SELECT count(*) FROM kepler.search_messages(query_text => 'Häuser', workspace_id => 'moves', max_rows => 100);
SELECT pg_temp.found('cafe');
SELECT kepler.refresh_words(40, 'moves'), pg_temp.workspace(), pg_temp.languages();
SELECT kepler.refresh_words(40, 'moves'), pg_temp.workspace();
-- Nothing of it is a change of the rows, or of the workspace.
SELECT w.updated_at = :'workspace_updated', m.updated_at = :'row_updated' FROM kepler.workspaces AS w JOIN kepler.memories AS m ON m.workspace_id = w.id AND m.id = 'm001' WHERE w.id = 'moves';

-- Another language, which maintain() brings to all rows that have the former one; a row with a language of its own keeps it.
SELECT kepler.set_language('german', '{french}', 'moves'), pg_temp.workspace();
SELECT kepler.remember('Les élèves sont là', language => 'french', workspace_id => 'moves') IS NOT NULL;
SELECT w.updated_at > :'workspace_updated' FROM kepler.workspaces AS w WHERE w.id = 'moves';
-- Meanwhile a question is asked in all of them.
SELECT (SELECT count(*) FROM kepler.search_memories(query_text => 'Haus', workspace_id => 'moves', max_rows => 100)), pg_temp.found('trees'), pg_temp.found('eleve');
CALL kepler.maintain();
SELECT pg_temp.workspace(), pg_temp.languages();
SELECT outcome, last_rows > 0 FROM kepler.maintenance WHERE workspace_id = 'moves' AND step = 'refresh_words';
SELECT count(*) FROM kepler.search_messages(query_text => 'Haus', workspace_id => 'moves', max_rows => 100);
-- It is done once more a day later: a statement may have run all the time. Then nothing is left to ask.
CALL kepler.maintain();
SELECT pg_temp.workspace();
ALTER TABLE kepler.memories DISABLE TRIGGER zzz_make_words;
UPDATE kepler.memories SET language = 'english', text_search = to_tsvector('english', content) WHERE workspace_id = 'moves' AND id = 'm003';
ALTER TABLE kepler.memories ENABLE ALWAYS TRIGGER zzz_make_words;
UPDATE kepler.workspaces SET language_set_at = now() - interval '25 hours' WHERE id = 'moves';
CALL kepler.maintain();
SELECT pg_temp.workspace(), pg_temp.languages();
-- A language that is not among the others any more is a former one; to set what is set changes nothing.
SELECT kepler.set_language('german', '{}', 'moves'), pg_temp.workspace();
SELECT xmin AS before FROM kepler.workspaces WHERE id = 'moves' \gset
SELECT kepler.set_language('german', '{}', 'moves'), kepler.set_language('german', workspace_id => 'moves');
SELECT xmin = :'before' FROM kepler.workspaces WHERE id = 'moves';
SELECT kepler.refresh_words(1000, 'moves'), pg_temp.workspace(), pg_temp.languages();
-- And back, before it is done.
SELECT kepler.set_language('english', NULL, 'moves'), kepler.set_language('german', NULL, 'moves'), pg_temp.workspace();

-- What goes wrong with a row is told, and holds up no other workspace.
CREATE FUNCTION public.refuse_language() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not this one'; END $$;
CREATE TRIGGER refuse_language BEFORE UPDATE ON kepler.memories FOR EACH ROW WHEN (OLD.id = 'm004') EXECUTE FUNCTION public.refuse_language();
SELECT kepler.set_language('simple', '{}', 'moves'), kepler.set_language('german', '{}', 'stays');
CALL kepler.maintain();
SELECT workspace_id, outcome, last_error_code FROM kepler.maintenance WHERE step = 'refresh_words' AND workspace_id <> '' ORDER BY 1;
SELECT language FROM kepler.memories WHERE workspace_id = 'stays';
DROP TRIGGER refuse_language ON kepler.memories;
DROP FUNCTION public.refuse_language();
UPDATE kepler.maintenance SET next_at = NULL;
CALL kepler.maintain();
SELECT pg_temp.languages();

-- Arguments, and rights: who administers the workspace.
\set ON_ERROR_STOP off
SELECT kepler.refresh_words(0, 'moves');
SELECT kepler.refresh_words(NULL, 'moves');
SELECT kepler.refresh_words(workspace_id => 'nowhere');
CREATE ROLE words_writer;
SELECT kepler.grant_access('words_writer', 'writer', 'moves') \g /dev/null
SET kepler.workspace_id = 'moves';
SET ROLE words_writer;
SELECT kepler.refresh_words();
SELECT kepler.set_language('english');
SELECT kepler.set_language('english', workspace_id => 'stays');
RESET ROLE;
RESET kepler.workspace_id;
SELECT kepler.revoke_access('words_writer') \g /dev/null
DROP ROLE words_writer;

DELETE FROM kepler.memories WHERE workspace_id IN ('moves', 'stays');
DELETE FROM kepler.conversations WHERE workspace_id = 'moves';
DELETE FROM kepler.maintenance;
DELETE FROM kepler.workspaces WHERE id IN ('moves', 'stays');
