-- What a policy does not delete is met once in a run: a batch goes on behind what the batches before it have looked at, along an
-- index and without one. No statistics are needed, and wrong ones do no harm.
SET client_min_messages = warning;
\set VERBOSITY terse
CREATE TABLE public.long_kept (id integer PRIMARY KEY, created_at timestamptz, temporary boolean, filler text) WITH (autovacuum_enabled = false);
CREATE FUNCTION public.pages(call text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE plan json;
BEGIN
    EXECUTE 'EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, FORMAT JSON) ' || call INTO plan;
    RETURN (plan -> 0 -> 'Plan' ->> 'Shared Hit Blocks')::bigint + (plan -> 0 -> 'Plan' ->> 'Shared Read Blocks')::bigint;
END
$$;
-- One row in a hundred goes, and all are old: what goes is spread.
INSERT INTO long_kept SELECT n, now() - interval '1 year' + n * interval '1 second', n % 100 = 0, repeat('x', 200) FROM generate_series(1, 40000) AS n;
CREATE INDEX ON long_kept (created_at);
SELECT policy_id AS policy FROM kepler.set_retention('long_kept', '30 days', filter => '{"temporary": true}') \gset
-- Batches of five: each looks at a part, the last one as the first. (Of 1,300 pages.)
CREATE TABLE public.batches (n integer, pages bigint, ids bigint);
DO $$
DECLARE policy constant bigint := (SELECT max(id) FROM kepler.retention_policies);
BEGIN
    FOR n IN 1 .. 60 LOOP
        INSERT INTO public.batches VALUES (n, public.pages(format('SELECT kepler_internal.apply_retention(%s, 5)', policy)), (SELECT count(*) FROM long_kept));
        COMMIT;
    END LOOP;
END
$$;
-- A call in ten may read the catalog anew, when somebody else has changed it.
SELECT percentile_disc(0.9) WITHIN GROUP (ORDER BY pages) FILTER (WHERE n > 10) < 600 AS bounded,
    percentile_disc(0.9) WITHIN GROUP (ORDER BY pages) FILTER (WHERE n BETWEEN 40 AND 60) < 2 * max(pages) FILTER (WHERE n BETWEEN 10 AND 30) AS level,
    40000 - min(ids) > 150 AS gone FROM batches;
CALL kepler.run_retention();
SELECT count(*) FROM long_kept;
-- Nothing is left: one pass, bounded by what is there, in parts.
SELECT public.pages(format('SELECT kepler_internal.apply_retention(%s, 1000)', :policy)) < 4000 AS bounded;
-- Without an index, by pages.
DROP INDEX long_kept_created_at_idx;
UPDATE long_kept SET temporary = true WHERE id % 100 = 1;
TRUNCATE batches;
DO $$
DECLARE policy constant bigint := (SELECT max(id) FROM kepler.retention_policies);
BEGIN
    FOR n IN 1 .. 20 LOOP
        INSERT INTO public.batches VALUES (n, public.pages(format('SELECT kepler_internal.apply_retention(%s, 20)', policy)), (SELECT count(*) FROM long_kept));
        COMMIT;
    END LOOP;
END
$$;
SELECT max(pages) FILTER (WHERE n > 3) < 4000 AS bounded, min(ids) < max(ids) - 300 AS gone FROM batches;
CALL kepler.run_retention();
SELECT count(*) FILTER (WHERE temporary) FROM long_kept;
SELECT kepler.drop_retention(:policy);
DROP TABLE long_kept, batches;
DROP FUNCTION public.pages;
