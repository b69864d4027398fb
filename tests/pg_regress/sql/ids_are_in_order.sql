-- kepler.cuid() gives ids in the order of their making: a letter, nine base-36 digits of the time in milliseconds,
-- and 14 of randomness. Inserts of a large table land together in its indexes.
CREATE TEMP TABLE made AS
SELECT number, kepler.cuid() AS id FROM generate_series(1, 50000) AS number;

-- The form.
SELECT count(*) FILTER (WHERE id !~ '^c[0-9a-z]{23}$') AS malformed FROM made;

-- Each is greater than the one before, also within a millisecond. So none comes twice.
SELECT count(*) AS made, count(*) FILTER (WHERE NOT in_order) AS out_of_order
FROM (SELECT id COLLATE "C" > lag(id, 1, '') OVER (ORDER BY number) COLLATE "C" AS in_order FROM made) AS pairs;

-- Ids of one millisecond have the time in common, and nothing else.
SELECT count(DISTINCT left(id, 10)) < 20000 AS share_milliseconds, count(DISTINCT substr(id, 11)) AS tails
FROM (SELECT id FROM made WHERE number <= 20000) AS few;

-- The columns have the database's collation. The order is the same wherever digits come before letters, and letters
-- from a to z; here in those that the server has of these.
CREATE FUNCTION pg_temp.out_of_order(collation_name text) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    found bigint;
BEGIN
    EXECUTE format('SELECT count(*) FROM (SELECT id <= lag(id, 1, %L) OVER (ORDER BY number) COLLATE %I AS late
        FROM made WHERE number %% 10 = 0) AS pairs WHERE late', '', collation_name) INTO found;
    RETURN found;
EXCEPTION WHEN feature_not_supported THEN
    RETURN 0;  -- a server that was built without ICU
END
$$;
SELECT sum(pg_temp.out_of_order(collname)) AS out_of_order
FROM (
    SELECT DISTINCT collname FROM pg_collation
    WHERE collnamespace = 'pg_catalog'::regnamespace
        AND collencoding IN (-1, pg_char_to_encoding(getdatabaseencoding()))
        AND collname IN ('default', 'C', 'POSIX', 'ucs_basic', 'C.utf8', 'pg_c_utf8', 'unicode', 'en_US.utf8', 'de_DE.utf8',
            'und-x-icu', 'en-x-icu', 'de-x-icu')
) AS known;

-- The time is that of the call.
CREATE FUNCTION pg_temp.made_at(id text) RETURNS timestamptz
LANGUAGE sql AS $$
    SELECT to_timestamp(sum((strpos('0123456789abcdefghijklmnopqrstuvwxyz', substr($1, place, 1)) - 1)
        * 36::numeric ^ (10 - place)) / 1000)
    FROM generate_series(2, 10) AS place
$$;
SELECT pg_temp.made_at('c0mjuohs00zzzzzzzzzzzzzz') AT TIME ZONE 'UTC' AS made_at;
SELECT abs(extract(epoch FROM clock_timestamp() - pg_temp.made_at(kepler.cuid()))) < 60 AS is_now;

-- What Kepler makes in a batch follows what it made before, whether a function or the default of a column made it.
BEGIN;
CREATE TEMP TABLE steps (step int, id text COLLATE "C");
INSERT INTO steps SELECT 1, record_id
FROM kepler.upsert_records('ordered', '[{"external_id": "b", "data": {}}, {"external_id": "a", "data": {}}, {"external_id": "c", "data": {}}]');
WITH made AS (INSERT INTO kepler.users (email) VALUES ('o@example.com'), ('p@example.com') RETURNING id)
INSERT INTO steps SELECT 2, id FROM made;
INSERT INTO steps SELECT 3, record_id
FROM kepler.upsert_records('ordered', '[{"external_id": "d", "data": {}}, {"external_id": "e", "data": {}}]');
SELECT string_agg(step::text, ' ' ORDER BY id) AS steps FROM steps;
ROLLBACK;
DROP TABLE made;

-- In a parallel plan, too: the workers would each begin an order of their own.
BEGIN;
CREATE TABLE public.many AS SELECT n FROM generate_series(1, 20000) AS n;
ANALYZE public.many;
SET LOCAL min_parallel_table_scan_size = 0;
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL max_parallel_workers_per_gather = 2;
EXPLAIN (VERBOSE, COSTS OFF) SELECT kepler.cuid() FROM public.many WHERE n > 0;
CREATE TABLE public.in_parallel AS SELECT kepler.cuid() COLLATE "C" AS id FROM public.many WHERE n > 0;
SELECT count(*) AS ids, count(*) FILTER (WHERE back) AS out_of_order
FROM (SELECT id <= lag(id) OVER (ORDER BY ctid) AS back FROM public.in_parallel) AS made;
ROLLBACK;
