-- Memories with embeddings of 32 numbers: a user has a hundred of them, and a topic fifty.

SELECT kepler.create_embedding_space('bench', 32, 'points around centres');
SELECT kepler.activate_embedding_space('bench');
CREATE SEQUENCE bench.number MINVALUE 0;

-- A point near one of a thousand centres.
CREATE FUNCTION bench.embedding(number bigint) RETURNS jsonb
LANGUAGE sql IMMUTABLE
AS $$
SELECT jsonb_agg(round((sin(number % 1000 * 12.9898 + f * 78.233) + 0.3 * sin(number * 0.7391 + f * 37.719))::numeric, 3))
FROM generate_series(1, 32) AS f
$$;
CREATE FUNCTION bench.memory(number bigint) RETURNS jsonb
LANGUAGE sql IMMUTABLE
AS $$
SELECT jsonb_build_object('content', format('Note %s of topic%s: the customer wants offers by mail and calls on Mondays', number, number / 50),
    'user_id', 'u' || number / 100, 'metadata', jsonb_build_object('topic', number / 50), 'embedding', bench.embedding(number))
$$;

CREATE PROCEDURE bench.load(target bigint)
LANGUAGE plpgsql
AS $$
DECLARE
    first bigint := nextval('bench.number');
    last bigint;
BEGIN
    INSERT INTO kepler.users (id, email) SELECT 'u' || i, 'u' || i || '@example.com'
    FROM generate_series(0, target / 100 + 1000) AS i ON CONFLICT DO NOTHING;
    WHILE first < target LOOP
        last := least(first + 9999, target - 1);
        PERFORM count(*) FROM kepler.remember_many((SELECT json_agg(bench.memory(i)) FROM generate_series(first, last) AS i)::text);
        COMMIT;
        first := last + 1;
    END LOOP;
    PERFORM setval('bench.number', first, false);
END
$$;

-- The index goes before a load and comes after it. The memory is that of kepler.index_advice().
CREATE PROCEDURE bench.before_load()
LANGUAGE plpgsql
AS $$ BEGIN DROP INDEX IF EXISTS kepler_data.bench_embedding; END $$;
CREATE PROCEDURE bench.after_load()
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM set_config('maintenance_work_mem', '2GB', true);
    CREATE INDEX bench_embedding ON kepler_data.bench_embeddings USING hnsw (embedding vector_cosine_ops) WITH (ef_construction = 128);
END
$$;

CREATE FUNCTION bench.some(run bigint, rows bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$ SELECT (hashint8(run)::bigint + 2147483648) % rows $$;
-- A question: a number of a memory, and a point near its embedding.
CREATE FUNCTION bench.question(run bigint, rows bigint) RETURNS text
LANGUAGE sql
AS $$ SELECT bench.some(run, rows) || ' ' || bench.embedding(bench.some(run, rows) + 1000 * rows)::text $$;

CREATE FUNCTION bench.found(n bigint, wanted bigint) RETURNS bigint
LANGUAGE plpgsql
AS $$
BEGIN
    IF n <> wanted AND bench.is_strict() THEN RAISE EXCEPTION '% rows were found instead of %', n, wanted; END IF;
    RETURN n;
END
$$;

CREATE FUNCTION bench.search_all_input(run bigint, rows bigint) RETURNS text LANGUAGE sql AS $$ SELECT bench.question(run, rows) $$;
CREATE FUNCTION bench.search_user_input(run bigint, rows bigint) RETURNS text LANGUAGE sql AS $$ SELECT bench.question(run, rows) $$;
CREATE FUNCTION bench.search_filter_input(run bigint, rows bigint) RETURNS text LANGUAGE sql AS $$ SELECT bench.question(run, rows) $$;
CREATE FUNCTION bench.search_word_input(run bigint, rows bigint) RETURNS text LANGUAGE sql AS $$ SELECT bench.question(run, rows) $$;
CREATE FUNCTION bench.remember_1_input(run bigint, rows bigint) RETURNS text
LANGUAGE sql AS $$ SELECT n || ' ' || bench.embedding(n) FROM (SELECT run + 1000000000) AS s (n) $$;
CREATE FUNCTION bench.remember_100_input(run bigint, rows bigint) RETURNS text
LANGUAGE sql AS $$ SELECT json_agg(bench.memory(nextval('bench.number')))::text FROM generate_series(1, 100) $$;

CREATE FUNCTION bench.search_all(input text) RETURNS bigint
LANGUAGE plpgsql
AS $$
BEGIN
    RETURN bench.found((SELECT count(*) FROM kepler.search_memories(substr(input, strpos(input, ' '))::public.vector)), 10);
END
$$;
CREATE FUNCTION bench.search_user(input text) RETURNS bigint
LANGUAGE plpgsql
AS $$
BEGIN
    RETURN bench.found((SELECT count(*) FROM kepler.search_memories(substr(input, strpos(input, ' '))::public.vector,
        user_id => 'u' || split_part(input, ' ', 1)::bigint / 100)), 10);
END
$$;
CREATE FUNCTION bench.search_filter(input text) RETURNS bigint
LANGUAGE plpgsql
AS $$
BEGIN
    RETURN bench.found((SELECT count(*) FROM kepler.search_memories(substr(input, strpos(input, ' '))::public.vector,
        filter => jsonb_build_object('topic', split_part(input, ' ', 1)::bigint / 50))), 10);
END
$$;
-- Words alone, one of them in fifty memories.
CREATE FUNCTION bench.search_word(input text) RETURNS bigint
LANGUAGE plpgsql
AS $$
BEGIN
    RETURN bench.found((SELECT count(*) FROM kepler.search_memories(
        query_text => 'topic' || split_part(input, ' ', 1)::bigint / 50)), 10);
END
$$;
CREATE FUNCTION bench.remember_1(input text) RETURNS bigint
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM kepler.remember('Note ' || split_part(input, ' ', 1) || ': the customer wants offers by mail and calls on Mondays',
        substr(input, strpos(input, ' '))::public.vector, user_id => 'u1', metadata => '{"topic": -1}');
    RETURN 1;
END
$$;
CREATE FUNCTION bench.remember_100(input text) RETURNS bigint
LANGUAGE plpgsql
AS $$ BEGIN RETURN (SELECT count(*) FILTER (WHERE r.outcome = 'inserted') FROM kepler.remember_many(input) AS r); END $$;
