-- Conversations: messages in an exact order, added once, one by one and in batches.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
INSERT INTO kepler.users (id, email) VALUES ('ada', 'ada@example.com'), ('bob', 'bob@example.com');
INSERT INTO kepler.conversations (id, user_id, kind, title) VALUES ('trip', 'ada', 'planning', 'A trip'), ('other', 'bob', NULL, NULL), ('nobody', NULL, NULL, NULL);

-- One by one. What a user says is the conversation's user's, unless somebody else is named.
SELECT number, outcome FROM kepler.add_message('trip', 'system', 'You plan trips.');
SELECT number, outcome FROM kepler.add_message('trip', 'user', 'Where to?', external_id => 'm1', metadata => '{"client": "web"}');
SELECT number, outcome FROM kepler.add_message('trip', 'user', 'Me too.', user_id => 'bob', token_count => 3, sent_at => '2024-05-01T10:00:00Z');
SELECT number, outcome FROM kepler.add_message('trip', 'assistant', '');
SELECT number, role, content, user_id, token_count, external_id, metadata, sent_at < '2025-01-01' AS early, created_at > now() AS now FROM kepler.messages WHERE conversation_id = 'trip' ORDER BY number;
-- The times of adding are in the order of the numbers.
SELECT count(*) FROM kepler.messages AS a JOIN kepler.messages AS b USING (workspace_id, conversation_id) WHERE a.number < b.number AND a.created_at > b.created_at;
SELECT kind, title, last_number, last_message_at = updated_at AS touched FROM kepler.conversations WHERE id = 'trip';

-- Sent again, it is not added again. Another message under the same name is told from it.
SELECT a.message_id = m.id AS same, a.number, a.outcome
FROM kepler.add_message('trip', 'user', 'Where to?', external_id => 'm1') AS a JOIN kepler.messages AS m ON m.external_id = 'm1';
SELECT * FROM kepler.add_message('trip', 'user', 'Where else?', external_id => 'm1');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT number, outcome FROM kepler.add_message('other', 'user', 'Another conversation', external_id => 'm1');

-- A batch: an answer for each element, and what is wrong with one keeps no other out.
SELECT ordinal, message_id IS NOT NULL AS has_id, number, outcome, error_code, error FROM kepler.add_messages('trip', '[
    {"role": "assistant", "content": "", "metadata": {"tool_calls": [{"name": "search", "limit": null}]}, "external_id": "m2"},
    {"role": "tool", "content": "{\"hits\": 3}", "token_count": 7, "user_id": null},
    {"role": "bot", "content": 5, "token_count": 1.5, "user_id": "eve", "external_id": "", "metadata": [], "sent_at": "yesterday", "te/xt": "x"},
    5,
    {"role": "user", "content": "Where to?", "external_id": "m1"},
    {"role": "user", "content": "Where else?", "external_id": "m1"},
    {"role": "user", "content": "Elsewhere?", "external_id": "m2"},
    {"role": "assistant", "content": "Rome.", "sent_at": "2024-05-01T10:00:07+02:00"}]');
SELECT number, role, content, user_id, metadata FROM kepler.messages WHERE conversation_id = 'trip' AND number > 4 ORDER BY number;
SELECT * FROM kepler.add_messages('trip', '[]');
SELECT last_number FROM kepler.conversations WHERE id = 'trip';

-- Direct SQL: a message gets the next number; one that brings its own may leave a gap, and never stands in the way.
INSERT INTO kepler.messages (conversation_id, role, content) VALUES ('nobody', 'user', 'a'), ('nobody', 'user', 'b');
INSERT INTO kepler.messages (conversation_id, number, role, content) VALUES ('nobody', 5, 'user', 'c');
INSERT INTO kepler.messages (conversation_id, role, content) VALUES ('nobody', 'user', 'd');
INSERT INTO kepler.messages (conversation_id, number, role, content) VALUES ('nobody', 9, 'user', 'e');
SELECT number, outcome FROM kepler.add_message('nobody', 'user', 'f');
SELECT number, content, user_id FROM kepler.messages WHERE conversation_id = 'nobody' ORDER BY number;
-- What was deleted leaves its number behind.
DELETE FROM kepler.messages WHERE conversation_id = 'nobody' AND number >= 9;
SELECT number FROM kepler.add_message('nobody', 'user', 'g');
-- A text may be corrected, a place not.
UPDATE kepler.messages SET content = 'G' WHERE content = 'g' RETURNING number, content, updated_at > created_at AS touched;
UPDATE kepler.messages SET number = 1 WHERE content = 'G';
\echo SQLSTATE :LAST_ERROR_SQLSTATE
UPDATE kepler.messages SET conversation_id = 'trip' WHERE content = 'G';
\echo SQLSTATE :LAST_ERROR_SQLSTATE
INSERT INTO kepler.messages (conversation_id, role, content) VALUES ('none', 'user', 'a');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
INSERT INTO kepler.messages (conversation_id, role, content) VALUES ('nobody', 'bot', 'a');
\echo SQLSTATE :LAST_ERROR_SQLSTATE

-- Arguments.
SELECT * FROM kepler.add_message('none', 'user', 'a');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.add_message('trip', 'user', NULL);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.add_message('trip', 'User', 'a', token_count => -1, metadata => '[]', external_id => repeat('x', 501));
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.add_message('trip', 'user', 'a', user_id => 'eve');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.add_messages('trip', '7');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.add_messages(NULL, '[]');
\echo SQLSTATE :LAST_ERROR_SQLSTATE

-- Another workspace sees none of it, and has conversations of the same name.
INSERT INTO kepler.workspaces (id, name) VALUES ('w2', 'w2');
SELECT * FROM kepler.add_message('trip', 'user', 'a', workspace_id => 'w2');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
INSERT INTO kepler.conversations (workspace_id, id) VALUES ('w2', 'trip');
SELECT number, outcome FROM kepler.add_message('trip', 'user', 'a', workspace_id => 'w2', external_id => 'm1');
SELECT * FROM kepler.add_message('trip', 'user', 'a', user_id => 'ada', workspace_id => 'w2');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT number, content FROM kepler.conversation_window('trip', workspace_id => 'w2');
SELECT count(*) FROM kepler.conversation_window('trip');

-- A user's conversations go with the user; what the user said elsewhere stays, without a name.
DELETE FROM kepler.users WHERE id = 'bob';
SELECT c.id, count(m.*) FROM kepler.conversations AS c JOIN kepler.messages AS m ON (m.workspace_id, m.conversation_id) = (c.workspace_id, c.id) GROUP BY c.workspace_id, c.id ORDER BY c.workspace_id, c.id;
SELECT content, user_id FROM kepler.messages WHERE content = 'Me too.';
SELECT kepler.estimate_tokens('') AS empty, kepler.estimate_tokens('Where to?') AS some, kepler.estimate_tokens('東京へ') AS tokyo, kepler.estimate_tokens(NULL) AS nothing;
ROLLBACK;
