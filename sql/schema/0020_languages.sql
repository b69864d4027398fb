-- Languages: which text search configuration the words of memories and messages are made with. Rows that are there keep the words that
-- they have, and are found by them; maintain() makes them anew. No table is rewritten, and none is read.

ALTER TABLE kepler.workspaces
    ADD COLUMN language text NOT NULL DEFAULT 'english',
    ADD COLUMN other_languages text[] NOT NULL DEFAULT '{}',
    ADD COLUMN language_set_at timestamptz,
    ADD COLUMN words_place text,
    ADD CONSTRAINT workspaces_other_languages_number CHECK (cardinality(other_languages) <= 30);
-- An empty name stands for the rows of version 0.1.0, whose words had no other language than English, and accents.
DO $$
BEGIN
    EXECUTE format('ALTER TABLE kepler.workspaces ADD COLUMN former_languages text[] NOT NULL DEFAULT %L',
        CASE WHEN EXISTS (SELECT FROM kepler.memories) OR EXISTS (SELECT FROM kepler.messages) THEN '{""}' ELSE '{}' END);
END
$$;
ALTER TABLE kepler.workspaces ALTER COLUMN former_languages SET DEFAULT '{}';
CREATE INDEX workspaces_former_languages_idx ON kepler.workspaces (id) WHERE former_languages <> '{}';

-- Under the name that it had: what writes to the table as the owner looks for triggers of others, and knows them by their names.
CREATE OR REPLACE TRIGGER touch_updated_at BEFORE INSERT OR UPDATE ON kepler.workspaces
    FOR EACH ROW EXECUTE FUNCTION kepler_internal.change_workspace();
CREATE OR REPLACE TRIGGER announce_change AFTER UPDATE ON kepler.workspaces
    FOR EACH ROW WHEN (
        OLD.id IS DISTINCT FROM NEW.id
        OR OLD.embedding_space IS DISTINCT FROM NEW.embedding_space
        OR OLD.deleting_at IS DISTINCT FROM NEW.deleting_at
        OR OLD.language IS DISTINCT FROM NEW.language
        OR OLD.other_languages IS DISTINCT FROM NEW.other_languages
        OR OLD.former_languages IS DISTINCT FROM NEW.former_languages)
    EXECUTE FUNCTION kepler_internal.tell_sessions();
ALTER TABLE kepler.workspaces ENABLE ALWAYS TRIGGER announce_change;

ALTER TABLE kepler.memories ADD COLUMN language text, ALTER COLUMN text_search DROP EXPRESSION;
ALTER TABLE kepler.messages ADD COLUMN language text, ALTER COLUMN text_search DROP EXPRESSION;
-- Behind the triggers that may change the content. On replicas too: an older publisher sends no words.
CREATE TRIGGER zzz_make_words BEFORE INSERT OR UPDATE ON kepler.memories
    FOR EACH ROW EXECUTE FUNCTION kepler_internal.make_words();
CREATE TRIGGER zzz_make_words BEFORE INSERT OR UPDATE ON kepler.messages
    FOR EACH ROW EXECUTE FUNCTION kepler_internal.make_words();
ALTER TABLE kepler.memories ENABLE ALWAYS TRIGGER zzz_make_words;
ALTER TABLE kepler.messages ENABLE ALWAYS TRIGGER zzz_make_words;

COMMENT ON COLUMN kepler.workspaces.language IS 'Text search configuration that the words of new memories and messages are made with; set_language sets it';
COMMENT ON COLUMN kepler.workspaces.other_languages IS 'Languages that memories and messages may have of their own; set_language sets them';
COMMENT ON COLUMN kepler.workspaces.former_languages IS 'Languages whose memories and messages get the language of the workspace: maintain() makes their words anew. An empty name stands for rows of version 0.1.0';
COMMENT ON COLUMN kepler.workspaces.language_set_at IS 'When the languages were last changed; NULL: never';
COMMENT ON COLUMN kepler.workspaces.words_place IS 'How far maintain() has made words anew: a table and an id, or end; NULL: not begun';
COMMENT ON COLUMN kepler.memories.language IS 'Text search configuration that the words were made with; NULL: by version 0.1.0, in English';
COMMENT ON COLUMN kepler.messages.language IS 'Text search configuration that the words were made with; NULL: by version 0.1.0, in English';
COMMENT ON COLUMN kepler.memories.text_search IS 'Words of the first 100,000 characters of the content as text_words makes them, and the workspace; what is written to it is made anew';
COMMENT ON COLUMN kepler.messages.text_search IS 'Words of the first 100,000 characters of the content as text_words makes them, and the workspace; what is written to it is made anew';
