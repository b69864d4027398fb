-- What is wrong with one element of a batch is that element's answer, also where a constraint or a trigger of the user's says no.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
SELECT kepler.create_embedding_space('mini', dimensions => 2, model => 'test-model');
INSERT INTO kepler.users (id, email) VALUES ('ada', 'ada@example.com');
INSERT INTO kepler.conversations (id, user_id) VALUES ('talk', 'ada');

-- A character that no text can hold.
SELECT ordinal, number, outcome, error_code, error FROM kepler.add_messages('talk', '[
    {"role": "user", "content": "before"},
    {"role": "user", "content": "a\u0000b"},
    {"role": "user", "content": "x", "external_id": "\u0000"},
    {"role": "user", "content": "x", "metadata": {"a": ["\u0000"]}},
    {"role": "user", "content": "x", "user_id": "\ud800"},
    {"role": "user", "content": "\ud83d\ude00"},
    {"role": "user", "content": "x", "embedding": [1, 2, 3]},
    {"role": "user", "content": "x", "embedding": [0, 0]},
    {"role": null, "content": null},
    {"role": "user", "content": "x", "user_id": "eve"},
    {"role": "user", "content": "x", "metadata": {"a": 1e400000}},
    {"role": "user" "content": "x"},
    null,
    {"role": "user", "content": "after", "embedding": [1, 0]}]');
SELECT number, content FROM kepler.conversation_window('talk');
SELECT count(*) FROM kepler_data.mini_message_embeddings;
SELECT ordinal, outcome, error_code FROM kepler.remember_many('[{"content": "a\u0000"}, {"content": "a", "user_id": "\u0000"}, {"content": "a", "supersedes": "\u0000"}, {"content": "b"},
    {"content": "c", "embedding": [1, 2, 3]}, {"content": "c", "valid_from": "yesterday"}, {"content": "c", "user_id": "eve"}, {"content": "c", "x": 1}, {"embedding": [1, 2]}, []]');
SELECT ordinal, outcome, error_code FROM kepler.set_memory_embeddings('mini', '[{"memory_id": "\u0000", "embedding": [1, 2]}, {"memory_id": "a", "embedding": [1, 2]}, {"memory_id": "a", "embedding": ["\u0000"]}]');
SELECT ordinal, outcome, error_code FROM kepler.set_message_embeddings('mini', '[{"message_id": "\u0000", "embedding": [1, 2]}, {"message_id": 1.5, "embedding": [1, 2]}, {"message_id": -1, "embedding": [1, 2]}]');
-- Only what cannot be told apart ends the call. As jsonb, a text that jsonb cannot hold fails before the call.
SELECT * FROM kepler.add_messages('talk', '[{"role": "user", "content": "x"}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT outcome FROM kepler.add_messages('talk', '[{"role": "user", "content": "json"}]'::json);
SELECT outcome FROM kepler.add_messages('talk', '[{"role": "user", "content": "jsonb"}]'::jsonb);

-- A constraint of the user's.
ALTER TABLE kepler.messages ADD CONSTRAINT no_shouting CHECK (content <> upper(content) OR content !~ '[A-Z]');
SELECT ordinal, number, outcome, error_code, error FROM kepler.add_messages('talk', '[
    {"role": "user", "content": "quiet"}, {"role": "user", "content": "LOUD"}, {"role": "user", "content": "quiet again"}, {"role": "user", "content": "LOUDER"}, {"role": "user", "content": "quiet at last"}]');
SELECT last_number FROM kepler.conversations WHERE id = 'talk';
-- What has the external id of one that was refused is not refused for that.
SELECT ordinal, number, outcome, error_code FROM kepler.add_messages('talk', '[
    {"role": "user", "content": "LOUD", "external_id": "m"}, {"role": "user", "content": "calm", "external_id": "m"}, {"role": "user", "content": "calm", "external_id": "m"}, {"role": "user", "content": "else", "external_id": "m"}]');
-- Alone, a message fails with the constraint's own words.
\set VERBOSITY terse
SELECT * FROM kepler.add_message('talk', 'user', 'LOUD');
\set VERBOSITY default
\echo SQLSTATE :LAST_ERROR_SQLSTATE
-- A trigger that raises, and one that swallows.
CREATE FUNCTION pg_temp.guard() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NEW.content = 'raise' THEN RAISE 'not this one'; ELSIF NEW.content = 'swallow' THEN RETURN NULL; END IF; RETURN NEW; END $$;
CREATE TRIGGER guard BEFORE INSERT ON kepler.messages FOR EACH ROW EXECUTE FUNCTION pg_temp.guard();
SELECT ordinal, message_id IS NOT NULL AS has_id, outcome, error_code, error FROM kepler.add_messages('talk', '[
    {"role": "user", "content": "a"}, {"role": "user", "content": "raise"}, {"role": "user", "content": "swallow"}, {"role": "user", "content": "b"}]');
SELECT * FROM kepler.add_message('talk', 'user', 'swallow');
\echo SQLSTATE :LAST_ERROR_SQLSTATE

-- Memories: the same, with what stood back for a refused one.
ALTER TABLE kepler.memories ADD CONSTRAINT no_shouting CHECK (content <> upper(content) OR content !~ '[A-Z]');
CREATE TRIGGER guard BEFORE INSERT ON kepler.memories FOR EACH ROW EXECUTE FUNCTION pg_temp.guard();
INSERT INTO kepler.memories (id, content) VALUES ('old', 'was so');
SELECT ordinal, memory_id IS NOT NULL AS has_id, outcome, error_code, error FROM kepler.remember_many('[
    {"content": "quiet", "embedding": [1, 0]}, {"content": "LOUD", "embedding": [1, 0]}, {"content": "raise"}, {"content": "swallow", "embedding": [1, 0]}, {"content": "also quiet"},
    {"content": "IS SO", "supersedes": "old"}, {"content": "is so", "supersedes": "old"}, {"content": "so is it", "supersedes": "old"}]');
SELECT m.content, n.content AS successor FROM kepler.memories AS m JOIN kepler.memories AS n ON n.id = m.superseded_by;
SELECT ordinal, outcome, error_code FROM kepler.remember_many('[
    {"content": "HEARD", "embedding": [0, 1]}, {"content": "HEARD", "embedding": [0, 1]}, {"content": "heard", "embedding": [0, 1]}, {"content": "heard!", "embedding": [0, 1]}]', dedupe => true);
\set VERBOSITY terse
SELECT * FROM kepler.remember('LOUD');
\set VERBOSITY default
\echo SQLSTATE :LAST_ERROR_SQLSTATE
-- A merge that is refused.
ALTER TABLE kepler.memories ADD CONSTRAINT few CHECK (NOT metadata ? 'much');
SELECT ordinal, outcome, error_code FROM kepler.remember_many('[{"content": "quiet", "metadata": {"much": 1}}, {"content": "quiet", "metadata": {"little": 1}}, {"content": "also quiet", "metadata": {"little": 1}}]', dedupe => true);

-- Embeddings.
ALTER TABLE kepler_data.mini_embeddings ADD CONSTRAINT small CHECK (vector_norm(embedding) < 10);
SELECT s.outcome, s.error_code, s.error FROM kepler.set_memory_embeddings('mini', (
    SELECT json_agg(json_build_object('memory_id', id, 'embedding', CASE WHEN content = 'quiet' THEN '[99,0]' ELSE '[1,1]' END::json) ORDER BY content) FROM kepler.memories WHERE content LIKE '%quiet')) AS s ORDER BY s.ordinal;
SELECT ordinal, outcome, error_code FROM kepler.remember_many('[{"content": "far", "embedding": [99, 0]}, {"content": "near", "embedding": [1, 0]}]');
ROLLBACK;

-- Numbers by direct SQL: in order within a statement, and noted on the conversation once.
BEGIN;
INSERT INTO kepler.conversations (id) VALUES ('a'), ('b');
SET LOCAL statement_timeout = '10s';
INSERT INTO kepler.messages (conversation_id, role, content) SELECT CASE WHEN i % 2 = 0 THEN 'a' ELSE 'b' END, 'user', 'm' || i FROM generate_series(1, 6000) AS i;
SELECT conversation_id, count(*), min(number), max(number), bool_and(content = 'm' || (2 * number - (conversation_id = 'b')::int)) AS in_order FROM kepler.messages GROUP BY conversation_id ORDER BY 1;
SELECT id, last_number FROM kepler.conversations ORDER BY id;
SAVEPOINT s;
INSERT INTO kepler.messages (conversation_id, role, content) VALUES ('a', 'user', 'undone');
ROLLBACK TO s;
INSERT INTO kepler.messages (conversation_id, role, content) VALUES ('a', 'user', 'done') RETURNING number;
DELETE FROM kepler.messages WHERE content = 'done';
INSERT INTO kepler.messages (conversation_id, role, content) VALUES ('a', 'user', 'again') RETURNING number;
-- A large batch.
SELECT outcome, count(*), max(number) FROM kepler.add_messages('b', (SELECT jsonb_agg(jsonb_build_object('role', 'user', 'content', 'n' || i, 'external_id', 'e' || i % 9000)) FROM generate_series(1, 10000) AS i)) GROUP BY outcome ORDER BY 1;
ROLLBACK;
