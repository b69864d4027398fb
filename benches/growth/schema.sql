-- What every family of the benchmark of growth needs: the clock, the counters, and a way to run one call many times. A call is
-- a function bench.NAME that takes one text and gives a number or a text; bench.NAME_input(run, rows) makes the text.

CREATE SCHEMA bench;

-- CPU time of this backend so far, in microseconds. Other load on the machine changes it little.
CREATE FUNCTION bench.cpu() RETURNS double precision
LANGUAGE sql VOLATILE
AS $$ SELECT split_part(pg_read_file('/proc/self/schedstat'), ' ', 1)::double precision / 1000 $$;

-- Runs go on where the last session's ended: what is new must stay new.
CREATE SEQUENCE bench.run;

-- Number k of n that are spread evenly over rows, other ones in each run. The distances are the same within a run.
CREATE FUNCTION bench.spread(run bigint, k bigint, n bigint, rows bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE
AS $$ SELECT (hashint8(run)::bigint + 2147483648) % greatest(rows / n, 10) + k * greatest(rows / n, 10) $$;

-- A call that did something else than it should is no measurement. The first calls of an old session, whose tables have one row
-- and which are undone, may do what they like.
CREATE FUNCTION bench.is_strict() RETURNS boolean
LANGUAGE sql STABLE
AS $$ SELECT current_setting('bench.strict', true) IS DISTINCT FROM 'off' $$;

-- Makes bench.run_NAME: runs a call until it has used so much CPU time (microseconds), and at most so often. The call, and what
-- comes after it, have a transaction each, as from clients, and the plans of the session, as prepared statements have. Making
-- the inputs, a stretch of them at a time, does not count.
CREATE PROCEDURE bench.make_runner(call text, next_call text, writes boolean)
LANGUAGE plpgsql
AS $make$
BEGIN
    EXECUTE format(
        $run$
        CREATE PROCEDURE bench.run_%1$s(
            stretch integer, budget double precision, most integer, rows bigint, INOUT runs integer DEFAULT 0, INOUT cpu double precision DEFAULT 0
        )
        LANGUAGE plpgsql
        AS $body$
        DECLARE
            inputs text[];
            input text;
            answer text;
            began double precision;
            started timestamptz;
        BEGIN
            WHILE cpu < budget AND runs < most LOOP
                inputs := ARRAY(SELECT bench.%1$s_input(nextval('bench.run'), rows) FROM generate_series(1, least(stretch, most - runs)));
                COMMIT;
                started := clock_timestamp();
                began := bench.cpu();
                FOREACH input IN ARRAY inputs LOOP
                    answer := bench.%1$s(input);
                    COMMIT;
                    %2$s
                    runs := runs + 1;
                    %3$s
                END LOOP;
                cpu := cpu + bench.cpu() - began;
            END LOOP;
        END
        $body$
        $run$, call, CASE WHEN next_call <> '' THEN format('answer := bench.%s(answer); COMMIT;', next_call) ELSE '' END,
        -- A slow search has a short stretch. What writes uses up all of its inputs: later calls rely on it.
        CASE WHEN NOT writes THEN 'EXIT WHEN clock_timestamp() > started + interval ''2 seconds'';' ELSE '' END);
END
$make$;

-- What one run of a call asks for and writes: pages of shared buffers, pages dirtied, bytes of WAL, whole pages among it.
CREATE FUNCTION bench.explain(call text, input text) RETURNS double precision[]
LANGUAGE plpgsql
AS $$
DECLARE
    plan jsonb;
BEGIN
    EXECUTE format('EXPLAIN (ANALYZE, BUFFERS, WAL, TIMING OFF, FORMAT JSON) SELECT bench.%s(%L)', call, input) INTO plan;
    plan := plan -> 0 -> 'Plan';
    RETURN ARRAY[(plan ->> 'Shared Hit Blocks')::double precision + (plan ->> 'Shared Read Blocks')::double precision,
        (plan ->> 'Shared Dirtied Blocks')::double precision, (plan ->> 'WAL Bytes')::double precision,
        (plan ->> 'WAL FPI')::double precision];
END
$$;

-- The same, of several runs one after the other, with what comes after each. EXPLAIN gives no answer, so what comes after it
-- reads it from the setting bench.answer.
CREATE PROCEDURE bench.count(
    call text, next_call text, times integer, rows bigint, INOUT counts double precision[] DEFAULT '{0,0,0,0}'
)
LANGUAGE plpgsql
AS $$
DECLARE
    input text;
    found double precision[];
BEGIN
    FOR time IN 1 .. times LOOP
        EXECUTE format('SELECT bench.%s_input(nextval(''bench.run''), $1)', call) INTO input USING rows;
        COMMIT;
        found := bench.explain(call, input);
        COMMIT;
        counts := ARRAY(SELECT a + b / times FROM unnest(counts, found) AS c (a, b));
        IF next_call <> '' THEN
            found := bench.explain(next_call, current_setting('bench.answer'));
            COMMIT;
            counts := ARRAY(SELECT a + b / times FROM unnest(counts, found) AS c (a, b));
        END IF;
    END LOOP;
END
$$;

-- Statistics that saw one row of each table, and nothing after it.
CREATE PROCEDURE bench.forget_sizes()
LANGUAGE sql
AS $$
UPDATE pg_class SET reltuples = 1, relpages = 1
WHERE relkind = 'r' AND relnamespace::regnamespace::text IN ('kepler', 'kepler_internal', 'kepler_data')
    AND (reltuples > 1 OR relpages > 1)
$$;

-- Reads every table once: the first reader of a row notes on its page that it is committed.
CREATE PROCEDURE bench.read_all()
LANGUAGE plpgsql
AS $$
DECLARE
    relation regclass;
    counted bigint;
BEGIN
    FOR relation IN SELECT oid FROM pg_class
        WHERE relkind = 'r' AND relnamespace::regnamespace::text IN ('kepler', 'kepler_internal', 'kepler_data')
    LOOP
        EXECUTE format('SELECT count(*) FROM %s', relation) INTO counted;
    END LOOP;
END
$$;

-- Bytes of each table and index of more than 64 kB, and the height of b-trees: the number of pages from the root to a leaf.
-- The first page of a b-tree says it, as it was at the last checkpoint.
CREATE FUNCTION bench.storage() RETURNS jsonb
LANGUAGE sql
AS $$
SELECT jsonb_agg(jsonb_build_object('name', c.oid::regclass, 'kind', CASE c.relkind WHEN 'r' THEN 'table' ELSE m.amname END,
        'bytes', CASE c.relkind WHEN 'r' THEN pg_table_size(c.oid) ELSE pg_relation_size(c.oid) END,
        'height', CASE m.amname WHEN 'btree' THEN get_byte(pg_read_binary_file(pg_relation_filepath(c.oid), 0, 40), 36) + 1 END)
    ORDER BY c.relkind DESC, c.oid::regclass::text)
FROM pg_class AS c JOIN pg_am AS m ON m.oid = c.relam
WHERE c.relkind IN ('r', 'i') AND c.relnamespace::regnamespace::text IN ('kepler', 'kepler_internal', 'kepler_data')
    AND pg_table_size(c.oid) > 65536
$$;

-- Some words and numbers, 200 bytes of them, which are other ones for each number.
CREATE FUNCTION bench.document(number bigint, revision bigint) RETURNS jsonb
LANGUAGE sql IMMUTABLE
AS $$
SELECT jsonb_build_object('number', number, 'revision', revision, 'name', 'Contact ' || number, 'email', md5(number::text) || '@example.com',
    'city', (ARRAY['Turin', 'Porto', 'Ghent', 'Malmö'])[1 + number % 4], 'amount', number % 1000 / 10.0, 'active', number % 3 = 0,
    'tags', jsonb_build_array('a' || number % 10, 'b' || number % 100))
$$;
