-- Enrichment: claims and settles, where half of the records wait and half were settled before.

SELECT kepler.set_enrichment_policy('lead');
CREATE SEQUENCE bench.number MINVALUE 0;

CREATE FUNCTION bench.queue(n bigint) RETURNS bigint
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM kepler.upsert_records_summary('lead', (SELECT json_agg(jsonb_build_object('external_id', md5(i::text), 'data', bench.document(i, 0)))
        FROM (SELECT nextval('bench.number') FROM generate_series(1, n)) AS s (i))::text);
    RETURN n;
END
$$;

CREATE FUNCTION bench.claim(n integer) RETURNS text
LANGUAGE plpgsql
AS $$
DECLARE
    claimed bigint;
    claim text;
BEGIN
    SELECT count(*), concat(min(c.lease_id), ' ', array_agg(c.record_id)) INTO claimed, claim FROM kepler.claim_records('lead', 'w', n) AS c;
    IF claimed <> n AND bench.is_strict() THEN RAISE EXCEPTION '% records were claimed instead of %', claimed, n; END IF;
    PERFORM set_config('bench.answer', claim, false);
    RETURN claim;
END
$$;

CREATE FUNCTION bench.settle(claim text) RETURNS bigint
LANGUAGE plpgsql
AS $$
DECLARE
    ids text[] := split_part(claim, ' ', 2);
    done bigint;
BEGIN
    SELECT count(*) FILTER (WHERE c.outcome = 'applied') INTO done FROM kepler.complete_records(split_part(claim, ' ', 1)::bigint, ids,
        array_fill('{"industry": "tools", "employees": 120, "score": 0.75}'::jsonb, ARRAY[cardinality(ids)])) AS c;
    IF done <> cardinality(ids) AND bench.is_strict() THEN RAISE EXCEPTION '% of % records were applied', done, cardinality(ids); END IF;
    RETURN done;
END
$$;

-- The first half of what is loaded is settled: the queue gives the oldest first.
CREATE PROCEDURE bench.load(target bigint)
LANGUAGE plpgsql
AS $$
DECLARE
    loaded bigint := nextval('bench.number');
BEGIN
    PERFORM setval('bench.number', loaded, false);
    WHILE loaded < target LOOP
        loaded := loaded + bench.queue(least(10000, target - loaded));
        COMMIT;
    END LOOP;
    LOOP
        EXIT WHEN (SELECT count(*) FROM kepler.enrichment_queue) <= greatest(target / 2, 1000);
        FOR batch IN 1 .. 5 LOOP
            PERFORM bench.settle(bench.claim(1000));
            COMMIT;
        END LOOP;
    END LOOP;
END
$$;

-- As many new ones are queued as will be claimed, so that the queue keeps its length.
CREATE FUNCTION bench.cycle_1_input(run bigint, rows bigint) RETURNS text
LANGUAGE sql AS $$ SELECT bench.queue(1)::text $$;
CREATE FUNCTION bench.cycle_10_input(run bigint, rows bigint) RETURNS text
LANGUAGE sql AS $$ SELECT bench.queue(10)::text $$;
CREATE FUNCTION bench.cycle_100_input(run bigint, rows bigint) RETURNS text
LANGUAGE sql AS $$ SELECT bench.queue(100)::text $$;
CREATE FUNCTION bench.cycle_1(input text) RETURNS text
LANGUAGE plpgsql AS $$ BEGIN RETURN bench.claim(1); END $$;
CREATE FUNCTION bench.cycle_10(input text) RETURNS text
LANGUAGE plpgsql AS $$ BEGIN RETURN bench.claim(10); END $$;
CREATE FUNCTION bench.cycle_100(input text) RETURNS text
LANGUAGE plpgsql AS $$ BEGIN RETURN bench.claim(100); END $$;
