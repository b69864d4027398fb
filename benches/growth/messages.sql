-- Messages: a conversation has a hundred of them, and a user ten conversations.

CREATE SEQUENCE bench.number MINVALUE 0;

CREATE FUNCTION bench.content(number bigint) RETURNS text
LANGUAGE sql IMMUTABLE
AS $$
SELECT format('Message %s of topic%s: could you send me the offer for %s chairs again, with the delivery in week %s? Thank you', number,
    number / 50, number % 90, number % 52)
$$;
-- So many messages from a number on.
CREATE FUNCTION bench.messages(first bigint, n bigint) RETURNS text
LANGUAGE sql
AS $$
SELECT json_agg(jsonb_build_object('role', (ARRAY['user', 'assistant'])[1 + i % 2], 'content', bench.content(i), 'external_id', i::text,
    'metadata', jsonb_build_object('topic', i / 50)))::text
FROM generate_series(first, first + n - 1) AS i
$$;

-- Whole conversations. What was added before, with its external id, is not added again.
CREATE PROCEDURE bench.load(target bigint)
LANGUAGE plpgsql
AS $$
DECLARE
    first bigint := (SELECT count(*) FROM kepler.conversations);
BEGIN
    INSERT INTO kepler.users (id, email) SELECT 'u' || i, 'u' || i || '@example.com'
    FROM generate_series(0, target / 1000) AS i ON CONFLICT DO NOTHING;
    FOR talk IN greatest(first - 1, 0) .. (target + 99) / 100 - 1 LOOP
        INSERT INTO kepler.conversations (id, user_id) VALUES ('c' || talk, 'u' || talk / 10) ON CONFLICT DO NOTHING;
        IF (SELECT bool_or(a.outcome = 'rejected') FROM kepler.add_messages('c' || talk, bench.messages(talk * 100, least(100, target))) AS a) THEN
            RAISE EXCEPTION 'a message was rejected';
        END IF;
        IF talk % 100 = 99 THEN COMMIT; END IF;
    END LOOP;
END
$$;

CREATE FUNCTION bench.some(run bigint, rows bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$ SELECT (hashint8(run)::bigint + 2147483648) % rows $$;
CREATE FUNCTION bench.talk(run bigint, rows bigint) RETURNS text
LANGUAGE sql IMMUTABLE AS $$ SELECT 'c' || bench.some(run, rows) / 100 $$;
CREATE FUNCTION bench.found(n bigint, wanted bigint) RETURNS bigint
LANGUAGE plpgsql
AS $$
BEGIN
    IF n <> wanted AND bench.is_strict() THEN RAISE EXCEPTION '% rows were found instead of %', n, wanted; END IF;
    RETURN n;
END
$$;

CREATE FUNCTION bench.add_1_input(run bigint, rows bigint) RETURNS text
LANGUAGE sql AS $$ SELECT bench.talk(run, rows) || ' ' || bench.content(run + 1000000000) $$;
CREATE FUNCTION bench.add_100_input(run bigint, rows bigint) RETURNS text
LANGUAGE sql AS $$ SELECT bench.talk(run, rows) || ' ' || bench.messages(run * 100 + 1000000000, 100) $$;
CREATE FUNCTION bench.window_20_input(run bigint, rows bigint) RETURNS text LANGUAGE sql AS $$ SELECT bench.talk(run, rows) $$;
CREATE FUNCTION bench.search_talk_input(run bigint, rows bigint) RETURNS text LANGUAGE sql AS $$ SELECT bench.talk(run, rows) $$;
CREATE FUNCTION bench.search_word_input(run bigint, rows bigint) RETURNS text
LANGUAGE sql AS $$ SELECT 'topic' || bench.some(run, rows) / 50 $$;

CREATE FUNCTION bench.add_1(input text) RETURNS bigint
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM kepler.add_message(split_part(input, ' ', 1), 'user', substr(input, strpos(input, ' ') + 1));
    RETURN 1;
END
$$;
CREATE FUNCTION bench.add_100(input text) RETURNS bigint
LANGUAGE plpgsql
AS $$
BEGIN
    RETURN (SELECT count(*) FILTER (WHERE a.outcome = 'inserted')
        FROM kepler.add_messages(split_part(input, ' ', 1), substr(input, strpos(input, ' ') + 1)) AS a);
END
$$;
CREATE FUNCTION bench.window_20(input text) RETURNS bigint
LANGUAGE plpgsql
AS $$ BEGIN RETURN bench.found((SELECT count(*) FROM kepler.conversation_window(input, max_rows => 20)), 20); END $$;
CREATE FUNCTION bench.search_talk(input text) RETURNS bigint
LANGUAGE plpgsql
AS $$
BEGIN
    RETURN bench.found((SELECT count(*) FROM kepler.search_messages(query_text => 'chairs delivery', conversation_id => input)), 10);
END
$$;
CREATE FUNCTION bench.search_word(input text) RETURNS bigint
LANGUAGE plpgsql
AS $$ BEGIN RETURN bench.found((SELECT count(*) FROM kepler.search_messages(query_text => input)), 10); END $$;
