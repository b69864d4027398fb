-- Records: upserts in batches and one by one. External ids are hashes, so that each row of a batch lies elsewhere in the index.

CREATE FUNCTION bench.envelope(number bigint, revision bigint) RETURNS jsonb
LANGUAGE sql IMMUTABLE
AS $$ SELECT jsonb_build_object('external_id', md5(number::text), 'data', bench.document(number, revision)) $$;

-- New numbers, which no session has used before.
CREATE SEQUENCE bench.number MINVALUE 0;

CREATE PROCEDURE bench.load(target bigint)
LANGUAGE plpgsql
AS $$
DECLARE
    first bigint := nextval('bench.number');
    last bigint;
BEGIN
    WHILE first < target LOOP
        last := least(first + 9999, target - 1);
        PERFORM kepler.upsert_records_summary('contact', (SELECT json_agg(bench.envelope(i, 0)) FROM generate_series(first, last) AS i)::text);
        COMMIT;
        first := last + 1;
    END LOOP;
    PERFORM setval('bench.number', first, false);
END
$$;

-- Of ten numbers one is changed, the others never.
CREATE FUNCTION bench.records_of(run bigint, revision bigint, n bigint, rows bigint) RETURNS text
LANGUAGE sql
AS $$
SELECT json_agg(bench.envelope(CASE WHEN revision > 0 THEN i / 10 * 10 ELSE i / 10 * 10 + 1 + i % 9 END, revision))::text
FROM (SELECT bench.spread(run, k, n, rows) FROM generate_series(0, n - 1) AS k) AS s (i)
$$;

-- A batch of one as the 32 bytes of its id and its data behind them: that costs next to nothing to take apart.
CREATE FUNCTION bench.single(batch text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$ SELECT (batch::jsonb #>> '{0,external_id}') || (batch::jsonb #>> '{0,data}') $$;

CREATE FUNCTION bench.unchanged_1000_input(run bigint, rows bigint) RETURNS text
LANGUAGE sql AS $$ SELECT bench.records_of(run, 0, 1000, rows) $$;
CREATE FUNCTION bench.changed_1000_input(run bigint, rows bigint) RETURNS text
LANGUAGE sql AS $$ SELECT bench.records_of(run, run, 1000, rows) $$;
CREATE FUNCTION bench.new_1000_input(run bigint, rows bigint) RETURNS text
LANGUAGE sql AS $$ SELECT json_agg(bench.envelope(nextval('bench.number'), 0))::text FROM generate_series(1, 1000) $$;
CREATE FUNCTION bench.unchanged_1_input(run bigint, rows bigint) RETURNS text
LANGUAGE sql AS $$ SELECT bench.single(bench.records_of(run, 0, 1, rows)) $$;
CREATE FUNCTION bench.changed_1_input(run bigint, rows bigint) RETURNS text
LANGUAGE sql AS $$ SELECT bench.single(bench.records_of(run, run, 1, rows)) $$;
CREATE FUNCTION bench.new_1_input(run bigint, rows bigint) RETURNS text
LANGUAGE sql AS $$ SELECT bench.single(jsonb_build_array(bench.envelope(nextval('bench.number'), 0))::text) $$;

CREATE FUNCTION bench.upsert_batch(input text, expected text) RETURNS bigint
LANGUAGE plpgsql
AS $$
DECLARE
    done bigint;
    other text;
BEGIN
    SELECT count(*) FILTER (WHERE u.outcome = expected), min(u.outcome) FILTER (WHERE u.outcome <> expected) INTO done, other
    FROM kepler.upsert_records('contact', input) AS u;
    IF other IS NOT NULL AND bench.is_strict() THEN RAISE EXCEPTION 'a record was % instead of %', other, expected; END IF;
    RETURN done;
END
$$;
CREATE FUNCTION bench.upsert_single(input text, expected text) RETURNS bigint
LANGUAGE plpgsql
AS $$
DECLARE
    given text;
BEGIN
    SELECT u.outcome INTO given FROM kepler.upsert_record('contact', left(input, 32), substr(input, 33)) AS u;
    IF given <> expected AND bench.is_strict() THEN RAISE EXCEPTION 'the record was % instead of %', given, expected; END IF;
    RETURN 1;
END
$$;

CREATE FUNCTION bench.unchanged_1000(input text) RETURNS bigint
LANGUAGE plpgsql AS $$ BEGIN RETURN bench.upsert_batch(input, 'unchanged'); END $$;
CREATE FUNCTION bench.changed_1000(input text) RETURNS bigint
LANGUAGE plpgsql AS $$ BEGIN RETURN bench.upsert_batch(input, 'updated'); END $$;
CREATE FUNCTION bench.new_1000(input text) RETURNS bigint
LANGUAGE plpgsql AS $$ BEGIN RETURN bench.upsert_batch(input, 'inserted'); END $$;
CREATE FUNCTION bench.unchanged_1(input text) RETURNS bigint
LANGUAGE plpgsql AS $$ BEGIN RETURN bench.upsert_single(input, 'unchanged'); END $$;
CREATE FUNCTION bench.changed_1(input text) RETURNS bigint
LANGUAGE plpgsql AS $$ BEGIN RETURN bench.upsert_single(input, 'updated'); END $$;
CREATE FUNCTION bench.new_1(input text) RETURNS bigint
LANGUAGE plpgsql AS $$ BEGIN RETURN bench.upsert_single(input, 'inserted'); END $$;
