-- What was said is found by meaning, by words, or both, and comes with what was said around it.
\set SHOW_CONTEXT never
BEGIN;
SELECT kepler.create_embedding_space('mini', dimensions => 2, model => 'test-model');
INSERT INTO kepler.users (id, email) VALUES ('ada', 'ada@example.com'), ('bob', 'bob@example.com');
INSERT INTO kepler.conversations (id, user_id, kind) VALUES ('trip', 'ada', 'planning'), ('work', 'ada', 'support'), ('stay', 'bob', 'planning'), ('open', NULL, NULL);
SELECT count(*) FROM kepler.add_messages('trip', '[
    {"role": "system", "content": "You plan trips.", "sent_at": "2024-03-01T10:00:00Z"},
    {"role": "user", "content": "Where is it warm in March?", "sent_at": "2024-03-01T10:01:00Z"},
    {"role": "assistant", "content": "", "metadata": {"tool": "weather", "calls": 1}, "sent_at": "2024-03-01T10:02:00Z"},
    {"role": "tool", "content": "{\"Malta\": 17}", "metadata": {"tool": "weather", "limit": 12345678901234567890.10}, "sent_at": "2024-03-01T10:03:00Z"},
    {"role": "assistant", "content": "Malta is warm.", "sent_at": "2024-03-01T10:04:00Z"},
    {"role": "user", "content": "Are there cheap hotels?", "sent_at": "2024-03-02T09:00:00Z"},
    {"role": "assistant", "content": "Gozo has cheap hotels.", "metadata": {"tool": "search", "calls": 12}, "sent_at": "2024-03-02T09:01:00Z"},
    {"role": "user", "content": "Book one.", "sent_at": "2024-03-02T09:02:00Z"},
    {"role": "assistant", "content": "Booked.", "sent_at": "2024-03-02T09:03:00Z"}]');
SELECT count(*) FROM kepler.add_messages('work', '[{"role": "user", "content": "The printer is on fire", "sent_at": "2024-03-03T00:00:00Z"}, {"role": "assistant", "content": "Which hotel are you in?"}]');
SELECT count(*) FROM kepler.add_messages('stay', '[{"role": "user", "content": "My hotel is cold"}, {"role": "assistant", "content": "Hotels are"}]');
SELECT count(*) FROM kepler.add_messages('open', '[{"role": "user", "content": "Is there a hotel?"}]');
CREATE FUNCTION pg_temp.shown(max_rows integer DEFAULT 10, expand integer DEFAULT 0, embedding vector DEFAULT NULL, words text DEFAULT NULL, arguments text DEFAULT '')
RETURNS TABLE (passage integer, message text, is_hit boolean, hit integer, content text, exhausted boolean) LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE format('SELECT passage, conversation_id || '' '' || number, is_hit, hit, content, exhausted FROM kepler.search_messages(%L, %L, expand => %L, query_text => %L %s)',
        embedding, max_rows, expand, words, ', ' || nullif(arguments, ''));
END
$$;

-- By words alone, no embedding is needed: any word counts, in its forms; the best first, and the newest of equals.
SELECT * FROM pg_temp.shown(words => 'a cheap hotel?');
-- A number of hits; there are more.
SELECT * FROM pg_temp.shown(2, words => 'a cheap hotel?');

-- Embeddings: those of the messages that are worth one. A worker's round.
SELECT conversation_id, number, role, content FROM kepler.pending_message_embeddings('mini', roles => '{user,assistant}');
SELECT outcome, count(*) FROM kepler.set_message_embeddings('mini', (
    SELECT json_agg(json_build_object('message_id', message_id, 'embedding', json_build_array(10 - number, number + length(content) / 100.0)))
    FROM kepler.pending_message_embeddings('mini', roles => '{user,assistant}') WHERE conversation_id <> 'open')::text) GROUP BY 1;
SELECT role, count(*) FROM kepler.pending_message_embeddings('mini') GROUP BY 1 ORDER BY 1;

-- By meaning.
SELECT conversation_id, number, round(similarity::numeric, 3) AS similarity, score = similarity AS score, vector_rank, text_rank, hit, plan, exhausted
FROM kepler.search_messages('[3, 7]', 3, user_id => 'ada');
-- All of a row: what a model needs to see the message again. No digit is lost.
SELECT passage, conversation_id, number, m.id = s.message_id AS id, s.role, s.content, s.user_id, s.metadata, s.sent_at
FROM kepler.search_messages(query_text => 'Malta', max_rows => 1, roles => '{tool}') AS s JOIN kepler.messages AS m USING (conversation_id, number);
-- By both: the ranks are united, and what has no embedding is found by its words.
SELECT conversation_id, number, round(score::numeric, 3) AS score, round(similarity::numeric, 3) AS similarity, vector_rank, text_rank
FROM kepler.search_messages('[3, 7]', 5, query_text => 'cheap hotels') AS s;
SELECT conversation_id, similarity, text_rank FROM kepler.search_messages('[1, 1]', user_id => NULL, query_text => 'hotel');

-- Neighbours: two turns before and after. The neighbourhoods of 6 and 7 overlap: one passage, each message once, in its order.
SELECT * FROM pg_temp.shown(2, 2, words => 'cheap hotels', arguments => $$conversation_id => 'trip'$$);
-- The best hit's passage comes first, whatever its place in the conversation is.
SELECT * FROM pg_temp.shown(3, 1, words => 'booked in March');
-- They touch: one passage. What was deleted parts nothing.
SELECT passage, array_agg(number ORDER BY number) AS numbers, array_agg(number ORDER BY hit) FILTER (WHERE is_hit) AS hits
FROM kepler.search_messages(query_text => 'warm book', conversation_id => 'trip', expand => 1) GROUP BY 1 ORDER BY 1;
SAVEPOINT whole;
DELETE FROM kepler.messages WHERE conversation_id = 'trip' AND number IN (3, 4, 6);
SELECT passage, array_agg(number ORDER BY number) AS numbers, array_agg(number ORDER BY hit) FILTER (WHERE is_hit) AS hits
FROM kepler.search_messages(query_text => 'warm book', conversation_id => 'trip', expand => 1) GROUP BY 1 ORDER BY 1;
ROLLBACK TO whole;
-- Conditions are about hits: their neighbours are whatever was said.
SELECT * FROM pg_temp.shown(5, 1, words => 'hotel', arguments => $$roles => '{assistant}', user_id => 'ada', kinds => '{support}'$$);
-- A neighbour has no score, and the whole conversation comes where expand reaches so far.
SELECT count(*), count(score), count(similarity), count(vector_rank), bool_and(exhausted) AS exhausted FROM kepler.search_messages('[0, 1]', 1, expand => 100);
SELECT count(*) AS messages, count(DISTINCT message_id) AS different, max(passage) AS passages, count(*) FILTER (WHERE is_hit) AS hits, bool_and(exhausted) AS exhausted
FROM kepler.search_messages('[0, 1]', 1000, expand => 100);

-- Whose: everybody's, unless a user is named; NULL is nobody's, and not everybody's.
SELECT array_agg(DISTINCT conversation_id) AS everybody FROM kepler.search_messages(query_text => 'hotel');
SELECT array_agg(DISTINCT conversation_id) AS ada FROM kepler.search_messages(query_text => 'hotel', user_id => 'ada');
SELECT array_agg(DISTINCT conversation_id) AS nobody FROM kepler.search_messages(query_text => 'hotel', user_id => NULL);
SELECT count(*) AS eve FROM kepler.search_messages(query_text => 'hotel', user_id => 'eve');
SELECT count(*) AS not_in_bobs FROM kepler.search_messages('[1, 1]', user_id => 'ada', conversation_id => 'stay');
SELECT array_agg(DISTINCT conversation_id) AS planning FROM kepler.search_messages(query_text => 'hotel', kinds => '{planning,other}');
SELECT array_agg(number ORDER BY hit) AS assistant FROM kepler.search_messages('[1, 1]', conversation_id => 'trip', roles => '{assistant}');
SELECT count(*) AS no_role FROM kepler.search_messages('[1, 1]', roles => '{}');
-- When: from a time on, and before another.
SELECT array_agg(number ORDER BY number) AS numbers FROM kepler.search_messages('[1, 1]', conversation_id => 'trip', sent_from => '2024-03-01 10:04Z', sent_before => '2024-03-02 09:02Z');
SELECT count(*) AS in_march FROM kepler.search_messages('[1, 1]', 100, sent_before => '2024-04-01Z');
SELECT count(*) AS since, bool_and(exhausted) AS exhausted FROM kepler.search_messages('[1, 1]', 100, sent_from => '2024-04-01Z');
-- Metadata, with typed comparison.
SELECT number FROM kepler.search_messages('[1, 1]', filter => '{"calls": {"$gt": 9}}');
SELECT number FROM kepler.search_messages(query_text => 'Malta Gozo', filter => '{"tool": "weather"}');
-- What is too unlike is left out, but not what has no embedding.
SELECT number, round(similarity::numeric, 3) AS similarity FROM kepler.search_messages('[0, 1]', min_similarity => 0.9, conversation_id => 'trip');
SELECT number FROM kepler.search_messages('[0, 1]', min_similarity => 0.99999, query_text => 'Malta', conversation_id => 'trip');
-- Another workspace has its own.
INSERT INTO kepler.workspaces (id, name) VALUES ('w2', 'w2');
SELECT count(*) FROM kepler.search_messages('[1, 1]', query_text => 'hotel', workspace_id => 'w2');

-- A text that is changed is found by its new words.
UPDATE kepler.messages SET content = 'The toaster is on fire' WHERE content LIKE '%printer%';
SELECT content FROM kepler.search_messages(query_text => 'toaster');
SELECT count(*) FROM kepler.search_messages(query_text => 'printer');
-- In a read-only transaction, as on a standby, all of it works.
SET TRANSACTION READ ONLY;
SELECT conversation_id, number FROM kepler.search_messages('[3, 7]', 1, query_text => 'cheap', expand => 1);
ROLLBACK;
