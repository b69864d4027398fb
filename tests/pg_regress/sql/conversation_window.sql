-- What of a conversation fits into the context of a model.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
INSERT INTO kepler.conversations (id) VALUES ('c'), ('empty');
SELECT count(*) FROM kepler.add_messages('c', '[
    {"role": "system", "content": "Be short.", "token_count": 10},
    {"role": "user", "content": "q1", "token_count": 5},
    {"role": "assistant", "content": "calls", "token_count": 20},
    {"role": "tool", "content": "t1", "token_count": 30},
    {"role": "tool", "content": "t2", "token_count": 30},
    {"role": "assistant", "content": "a1", "token_count": 5},
    {"role": "system", "content": "Be shorter.", "token_count": 4},
    {"role": "user", "content": "q2 with eight and more"},
    {"role": "assistant", "content": "a2", "token_count": 0}]');
CREATE FUNCTION pg_temp.shown(conversation text, before integer DEFAULT NULL, after integer DEFAULT NULL, max_tokens integer DEFAULT NULL, max_rows integer DEFAULT NULL, keep_system boolean DEFAULT false)
RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(string_agg(w.number::text, ' ' ORDER BY w.at), '') || ' (' || coalesce(sum(w.token_count), 0) || ')'
    FROM (SELECT row_number() OVER () AS at, * FROM kepler.conversation_window($1, $2, $3, $4, $5, $6)) AS w
$$;

-- Everything, and what a row says.
SELECT number, role, content, token_count FROM kepler.conversation_window('c');
SELECT pg_temp.shown('empty') AS empty;
-- The newest, as many as fit: what was not counted is estimated.
SELECT pg_temp.shown('c', max_tokens => 6) AS six, pg_temp.shown('c', max_tokens => 10) AS ten, pg_temp.shown('c', max_tokens => 1000) AS everything,
    pg_temp.shown('c', max_rows => 3) AS three_rows, pg_temp.shown('c', max_rows => 9) AS nine_rows;
-- The system messages stay.
SELECT pg_temp.shown('c', max_tokens => 25, keep_system => true) AS tokens, pg_temp.shown('c', max_rows => 4, keep_system => true) AS rows;
-- A cut window does not begin with the answer of a tool: it would be without its call.
SELECT pg_temp.shown('c', max_tokens => 50) AS one_answer, pg_temp.shown('c', max_tokens => 80) AS two_answers, pg_temp.shown('c', max_tokens => 100) AS with_the_call;
-- Pages: back from a message, on from a message, and between two.
SELECT pg_temp.shown('c', before => 6, max_rows => 3) AS back, pg_temp.shown('c', after => 3, max_rows => 2) AS "on", pg_temp.shown('c', after => 9) AS at_the_end,
    pg_temp.shown('c', before => 1) AS at_the_beginning, pg_temp.shown('c', before => 8, after => 3) AS between, pg_temp.shown('c', before => 2, keep_system => true) AS system;
-- Nor does any window end with a call whose answers lie behind it, or begin with answers to a call before it: pages end behind the last answer.
SELECT pg_temp.shown('c', before => 4) AS at_the_first_answer, pg_temp.shown('c', before => 5) AS between_answers, pg_temp.shown('c', before => 6) AS behind_them,
    pg_temp.shown('c', before => 5, keep_system => true) AS with_system, pg_temp.shown('c', before => 5, after => 2) AS nothing_whole;
SELECT pg_temp.shown('c', after => 3, before => 8) AS behind_the_call, pg_temp.shown('c', after => 4, before => 5) AS one_answer, pg_temp.shown('c', after => 4, max_rows => 1) AS "on";
SELECT pg_temp.shown('c', after => 0, max_rows => 2) AS page_1, pg_temp.shown('c', after => 2, max_rows => 3) AS page_2, pg_temp.shown('c', after => 5, max_rows => 4) AS page_3;
SELECT pg_temp.shown('c', after => 0, max_rows => 3) AS before_the_call, pg_temp.shown('c', after => 0, max_rows => 4) AS and_half_its_answers, pg_temp.shown('c', after => 0, max_rows => 5) AS and_all;
SELECT pg_temp.shown('c', after => 2, max_rows => 2);
\echo SQLSTATE :LAST_ERROR_SQLSTATE

-- What does not fit is said: a window without its newest message would mislead.
SELECT pg_temp.shown('c', before => 9, max_tokens => 5);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT pg_temp.shown('c', before => 6, max_tokens => 60);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT pg_temp.shown('c', after => 2, max_tokens => 79);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT pg_temp.shown('c', max_tokens => 13, keep_system => true);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT pg_temp.shown('c', max_rows => 1, keep_system => true);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
-- Only system messages, and room for no more than them.
SELECT pg_temp.shown('c', before => 2, max_rows => 1, max_tokens => 10, keep_system => true) AS system_only;

SELECT pg_temp.shown('none');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT pg_temp.shown('c', before => 0);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT pg_temp.shown('c', after => -1);
SELECT pg_temp.shown('c', max_tokens => 0);
SELECT pg_temp.shown('c', max_rows => 0);
SELECT pg_temp.shown('c', keep_system => NULL);
\echo SQLSTATE :LAST_ERROR_SQLSTATE

-- A long conversation: the window reads what it shows, and no more.
INSERT INTO kepler.conversations (id) VALUES ('long');
INSERT INTO kepler.messages (conversation_id, number, role, content)
SELECT 'long', n, CASE WHEN n = 1 THEN 'system' WHEN n % 2 = 0 THEN 'user' ELSE 'assistant' END::kepler.message_role, repeat('x', 100)
FROM generate_series(1, 20000) AS n;
ANALYZE kepler.messages;
SELECT pg_temp.shown('long', max_tokens => 100) AS newest, pg_temp.shown('long', after => 12345, max_rows => 2) AS middle, pg_temp.shown('long', max_rows => 3, keep_system => true) AS with_system;
SELECT pg_stat_force_next_flush();
SELECT pg_stat_get_xact_tuples_fetched('kepler.messages'::regclass) + pg_stat_get_xact_tuples_returned('kepler.messages'::regclass) AS before \gset
SELECT count(*) FROM kepler.conversation_window('long', max_tokens => 100, keep_system => true);
SELECT pg_stat_get_xact_tuples_fetched('kepler.messages'::regclass) + pg_stat_get_xact_tuples_returned('kepler.messages'::regclass) - :before < 100 AS few_rows_read;
ROLLBACK;
