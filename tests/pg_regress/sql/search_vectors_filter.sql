-- A filter over the rows of any table means what kepler.json_matches says of to_jsonb(row), and its comparisons are the columns' own.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
CREATE TYPE part AS ENUM ('head', 'body', 'tail');
CREATE DOMAIN code AS integer CHECK (VALUE < 100);
CREATE TABLE items (
    id integer PRIMARY KEY, n smallint, big bigint, x numeric, f double precision, ok boolean, t text COLLATE "C", v varchar(9) COLLATE "C", part part,
    day date, code code, u uuid, meta jsonb, plain json, tags text[], numbers integer[], "a.b" text COLLATE "C", "it's $1" integer, embedding vector(2),
    moment timestamptz, local timestamp);
INSERT INTO items
SELECT i, nullif(i % 7, 6), nullif(9007199254740990 + i % 5, 9007199254740990), nullif(i % 6, 5) / 4.0, nullif(i % 5, 4) * 0.1, nullif(i % 3, 2) = 1,
    (ARRAY['a', 'b', 'B', '', 'é', NULL])[1 + i % 6], (ARRAY['x', 'x ', 'y', NULL])[1 + i % 4], (ARRAY['head', 'body', NULL])[1 + i % 3]::part,
    date '2025-01-01' + nullif(i % 4, 3), nullif(i % 8, 7), (ARRAY['10000000-0000-0000-0000-000000000000', '20000000-0000-0000-0000-000000000000', NULL])[1 + i % 3]::uuid,
    (ARRAY['{"a": 1, "b": {"c": "x"}}', '{"a": [1, 2, "x"], "b": [{"c": "x"}, {"c": 2}]}', '{"a": null}', '{}', '[1, {"a": 1}]', '"a"', 'null', NULL])[1 + i % 8]::jsonb,
    (ARRAY['{"a": 1}', '{"a": "x", "b": 2}', NULL])[1 + i % 3]::json,
    (ARRAY['{a,b}', '{b,NULL}', '{}', '{{a,b},{b,c}}', NULL])[1 + i % 5]::text[], (ARRAY['{1,2}', '{2}', '{}', NULL])[1 + i % 4]::integer[],
    (ARRAY['a', 'b', NULL])[1 + i % 3], nullif(i % 4, 3), ARRAY[cos(i / 500.0), sin(i / 500.0)]::real[]::vector,
    (ARRAY['2025-01-01T00:00:00Z', '2025-01-01T12:00:00Z', '2025-01-02T00:00:00.000001Z', 'infinity', NULL])[1 + i % 5]::timestamptz,
    (ARRAY['2025-01-01T00:00:00', '2025-01-01T12:00:00', '2025-01-03', NULL])[1 + i % 4]::timestamp
FROM generate_series(1, 240) AS i;
ANALYZE items;

-- 700 filters, made by a hash of their number: of columns, places in documents, and operators, with $and, $or, $nor and $not.
CREATE FUNCTION pick(seed text, VARIADIC choices text[]) RETURNS text LANGUAGE sql AS
'SELECT choices[1 + ((hashtextextended(seed, 1) & 1048575) % cardinality(choices))::integer]';
CREATE FUNCTION operand(seed text, of text) RETURNS jsonb LANGUAGE sql AS $$
    SELECT CASE WHEN pick(seed || 'null', 'y', 'n', 'n', 'n', 'n', 'n', 'n') = 'y' THEN 'null' ELSE CASE of
        WHEN 'n' THEN pick(seed, '0', '1', '2', '3', '5', '2.5', '-1', '1.0', '1e400', '70000', '9007199254740992', '9007199254740993')
        WHEN 'x' THEN pick(seed, '0', '0.25', '0.5', '0.50', '1', '1e3', '-0.25', '0.1', '0.2')
        WHEN 'b' THEN pick(seed, 'true', 'false')
        WHEN 't' THEN pick(seed, '"a"', '"b"', '"B"', '""', '"é"', '"x"', '"x "', '"$1"', '"it''s"')
        WHEN 'p' THEN pick(seed, '"head"', '"body"', '"tail"')
        WHEN 'd' THEN pick(seed, '"2025-01-01"', '"2025-01-02"', '"2025-01-03"', '"2024-12-31"')
        WHEN 'u' THEN pick(seed, '"10000000-0000-0000-0000-000000000000"', '"20000000-0000-0000-0000-000000000000"')
        WHEN 'w' THEN jsonb_build_object('$date', pick(seed, '2025-01-01', '2025-01-01T12:00:00Z', '2025-01-02', '2025-01-02T01:00:00+01:00', '2024-12-31T19:00:00-05:00', '2025-01-03 00:00', 'infinity'))::text
        ELSE pick(seed, '1', '2', '"x"', '"a"', '"b"', '[1, 2]', '["b", null]', '{"a": 1}', '{"c": "x"}', '[]', '{}', 'true') END END::jsonb
$$;
CREATE FUNCTION bound(of text) RETURNS jsonb LANGUAGE sql AS $$
    SELECT CASE of WHEN 'n' THEN '2' WHEN 'x' THEN '0.5' WHEN 'b' THEN 'true' WHEN 't' THEN '"a"' WHEN 'p' THEN '"body"' WHEN 'd' THEN '"2025-01-02"'
        WHEN 'u' THEN '"10000000-0000-0000-0000-000000000001"' WHEN 'w' THEN '{"$date": "2025-01-01"}' ELSE '1' END::jsonb
$$;
CREATE FUNCTION test(seed text, of text) RETURNS jsonb LANGUAGE sql AS $$
    SELECT CASE operator
        WHEN '$in' THEN jsonb_build_object('$in', jsonb_build_array(operand(seed || 1, of), operand(seed || 2, of)))
        WHEN '$nin' THEN jsonb_build_object('$nin', jsonb_build_array(operand(seed || 1, of), operand(seed || 2, of)))
        WHEN '$all' THEN jsonb_build_object('$all', jsonb_build_array(operand(seed || 1, of)))
        WHEN '$between' THEN jsonb_build_object('$between', CASE
            WHEN jsonb_typeof(operand(seed || 1, of)) IN ('null', 'array') OR jsonb_typeof(operand(seed || 1, of)) <> jsonb_typeof(operand(seed || 2, of))
                OR of = 'j' AND jsonb_typeof(operand(seed || 1, of)) = 'object' OR of = 'p'
            THEN jsonb_build_array(bound(of), bound(of)) ELSE jsonb_build_array(operand(seed || 1, of), operand(seed || 2, of)) END)
        WHEN '$like' THEN CASE WHEN of IN ('t', 'j', 'd', 'u') THEN jsonb_build_object(pick(seed || 3, '$like', '$ilike'), pick(seed, '%', 'B', 'b%', '_', '%x', 'x_', '2025%', '%-02', '', 'É', '%0'))
            ELSE jsonb_build_object('$ne', operand(seed || 1, of)) END
        WHEN '$exists' THEN jsonb_build_object('$exists', pick(seed, 'true', 'false')::jsonb)
        WHEN '$not' THEN jsonb_build_object('$not', jsonb_build_object('$eq', operand(seed || 1, of)))
        WHEN '$regex' THEN CASE WHEN of IN ('t', 'j') THEN '{"$regex": "^B", "$options": "i"}' ELSE jsonb_build_object('$ne', operand(seed || 1, of)) END
        WHEN '=' THEN operand(seed || 1, of)
        ELSE jsonb_build_object(operator, CASE WHEN operator IN ('$gt', '$gte', '$lt', '$lte') AND (jsonb_typeof(operand(seed || 1, of)) IN ('null', 'array') OR of <> 'w' AND jsonb_typeof(operand(seed || 1, of)) = 'object')
            THEN bound(of) ELSE operand(seed || 1, of) END) END
    FROM (SELECT pick(seed, '=', '=', '$eq', '$ne', '$gt', '$gte', '$lt', '$lte', '$between', '$between', '$like', '$in', '$in', '$nin', '$all', '$exists', '$contains', '$not', '$regex') AS operator) AS o
$$;
CREATE FUNCTION field(seed text) RETURNS jsonb LANGUAGE sql AS $$
    SELECT CASE WHEN place = 'a.b' THEN jsonb_build_array(jsonb_build_object('op', pick(seed, '$eq', '$ne', '$lt'), 'path', '{a.b}'::text[], 'value', '"b"'::jsonb))
        -- The order of an enum is its own, and not that of its names.
        ELSE jsonb_build_object(place, CASE WHEN of = 'p' THEN jsonb_build_object(pick(seed, '$eq', '$ne', '$contains'), operand(seed, of)) ELSE test(seed || place, of) END) END
    FROM (SELECT * FROM (VALUES ('id', 'n'), ('n', 'n'), ('big', 'n'), ('x', 'x'), ('f', 'x'), ('ok', 'b'), ('t', 't'), ('v', 't'), ('part', 'p'), ('day', 'd'), ('day', 'w'), ('moment', 'w'), ('local', 'w'), ('t', 'w'), ('code', 'n'), ('u', 'u'),
            ('meta', 'j'), ('meta.a', 'j'), ('meta.b.c', 'j'), ('meta.1.a', 'j'), ('plain.a', 'j'), ('plain', 'j'), ('tags', 'j'), ('tags.0', 'j'), ('numbers', 'j'), ('a.b', 't'), ('it''s $1', 'n')) AS p (place, of)
          ORDER BY hashtextextended(seed || place || of, 2) LIMIT 1) AS p
$$;
CREATE FUNCTION made(i integer) RETURNS jsonb LANGUAGE sql AS $$
    SELECT CASE pick(i || 'shape', 'one', 'one', 'two', 'and', 'or', 'nor', 'not')
        WHEN 'one' THEN field(i || 'a') WHEN 'two' THEN CASE WHEN jsonb_typeof(field(i || 'a')) = 'object' AND jsonb_typeof(field(i || 'b')) = 'object' THEN field(i || 'a') || field(i || 'b') ELSE field(i || 'a') END
        WHEN 'and' THEN jsonb_build_object('$and', jsonb_build_array(field(i || 'a'), field(i || 'b')))
        WHEN 'or' THEN jsonb_build_object('$or', jsonb_build_array(field(i || 'a'), field(i || 'b'), field(i || 'c')))
        WHEN 'nor' THEN jsonb_build_object('$nor', jsonb_build_array(field(i || 'a'), field(i || 'b')), '$not', field(i || 'c'))
        ELSE jsonb_build_object('$not', jsonb_build_object('$or', jsonb_build_array(field(i || 'a'), jsonb_build_object('$not', field(i || 'b'))))) END
$$;
CREATE TEMP TABLE filters AS SELECT i, made(i) AS filter FROM generate_series(1, 700) AS i;
CREATE TEMP TABLE compared AS
SELECT f.filter, ARRAY(SELECT s.document -> 'id' FROM kepler.search_vectors('items', 'embedding', '[1, 0]', 1000, f.filter) AS s ORDER BY 1) AS found,
    ARRAY(SELECT to_jsonb(m.id) FROM items AS m WHERE kepler.json_matches(to_jsonb(m), f.filter) ORDER BY 1) AS meant
FROM filters AS f;
SELECT filter, found, meant FROM compared WHERE found IS DISTINCT FROM meant LIMIT 5;
SELECT count(*) AS filters, count(*) FILTER (WHERE meant <> '{}' AND cardinality(meant) < 240) > 200 AS most_leave_some FROM compared;

-- An array is a value, and one of several is $in.
SELECT count(*) FROM kepler.search_vectors('items', 'embedding', '[1, 0]', 1000, '{"n": [1, 2]}');
SELECT count(*) FROM kepler.search_vectors('items', 'embedding', '[1, 0]', 1000, '{"n": {"$in": [1, 2]}}');
SELECT count(*) FROM kepler.search_vectors('items', 'embedding', '[1, 0]', 1000, '{"tags": ["a", "b"]}');
-- NULL is null: a row has all of its columns.
SELECT count(*) FROM kepler.search_vectors('items', 'embedding', '[1, 0]', 1000, '{"n": null}');
SELECT count(*) FROM kepler.search_vectors('items', 'embedding', '[1, 0]', 1000, '{"n": {"$ne": null}}');
SELECT count(*) FROM kepler.search_vectors('items', 'embedding', '[1, 0]', 1000, '{"n": {"$exists": true}}');
SELECT count(*) FROM kepler.search_vectors('items', 'embedding', '[1, 0]', 1000, '{"meta.a": {"$exists": true}}');
-- Times, enums and the infinities are compared as their type.
ALTER TABLE items ADD at timestamptz, ADD length interval;
UPDATE items SET at = '2025-01-01 12:00+00'::timestamptz + id * interval '1 hour', length = id * interval '1 hour', f = CASE id WHEN 1 THEN 'NaN' WHEN 2 THEN 'Infinity' ELSE f END;
SELECT count(*) FROM kepler.search_vectors('items', 'embedding', '[1, 0]', 1000, '{"at": {"$gte": "2025-01-01 15:00+02", "$lt": "2025-01-01T17:00:00Z"}}');
SELECT count(*) FROM kepler.search_vectors('items', 'embedding', '[1, 0]', 1000, '{"length": {"$lte": "120 minutes"}}');
SELECT count(*) FROM kepler.search_vectors('items', 'embedding', '[1, 0]', 1000, '{"part": {"$gt": "head"}}');
SELECT document -> 'id' AS id FROM kepler.search_vectors('items', 'embedding', '[1, 0]', 1000, '{"f": {"$in": ["NaN", "Infinity", "-Infinity"]}}') ORDER BY 1;
-- Numbers beyond any column's type are numbers all the same.
SELECT count(*) FROM kepler.search_vectors('items', 'embedding', '[1, 0]', 1000, '{"x": {"$gt": 1e-400, "$lt": 1e400}, "id": {"$lt": 1e400}}');
SELECT count(*) FROM kepler.search_vectors('items', 'embedding', '[1, 0]', 1000, '{"x": {"$in": [0.25, 1e400]}, "big": {"$ne": 1e30}}');

-- A time may be written as one: then it is compared with texts that are times, too, and with nothing else.
ALTER TABLE items ADD said text;
UPDATE items SET said = (ARRAY['2025-01-01T13:00:00+01:00', 'Wed, 01 Jan 2025 12:00:00 GMT', '2025-01-01', 'noon'])[1 + id % 4];
SELECT count(*) FROM kepler.search_vectors('items', 'embedding', '[1, 0]', 1000, '{"said": {"$date": "2025-01-01T12:00:00Z"}}');
SELECT count(*) FROM kepler.search_vectors('items', 'embedding', '[1, 0]', 1000, '{"at": {"$between": [{"$date": "2025-01-01T13:00:00Z"}, {"$date": "2025-01-01T16:00:00+01:00"}]}}');
-- All that is wrong is told, by its place.
SELECT count(*) FROM kepler.search_vectors('items', 'embedding', '[1, 0]', filter => '{"n": {"$gt": {"$date": "2025-01-01"}}, "ok": {"$like": "t%"}, "day": {"$lt": {"$date": "soon"}}, "x": {"$between": [1, "2"]}, "at": {"$between": ["noon", "2025-01-01"]}, "t": {"$like": "a\\"}}');
SELECT count(*) FROM kepler.search_vectors('items', 'embedding', '[1, 0]', filter => '{"nope": 1, "n": "1", "t": {"$in": ["a", 2, ["b"]]}, "ok": 0, "day": "someday", "u": {"$gt": "x"}, "part": "foot",
    "$or": [{"x": {"$lt": "1"}}, {"id.a": 1}, {"f": 1e400}], "n~/": {"$gt": 1}, "big": {"$size": 1, "$regex": "1"}}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
-- With what is wrong with the filter itself.
SELECT count(*) FROM kepler.search_vectors('items', 'embedding', '[1, 0]', filter => '{"nope": {"$gte": 1}, "n": {"$above": 1}, "$and": []}');
SELECT count(*) FROM kepler.search_vectors('items', 'embedding', '[1, 0]', filter => '[{"op": "$eq", "path": ["nope"], "value": 1}, {"op": "$eq", "path": ["n"], "value": "x"}]');
SELECT count(*) FROM kepler.search_vectors('items', 'embedding', '[1, 0]', filter => '"n"');
ROLLBACK;

-- The indexes of a table serve: equalities, ranges and lists are conditions on its columns, and those on documents a jsonpath.
BEGIN;
CREATE TABLE pages (id integer, site text, at timestamptz, size integer, meta jsonb, embedding vector(2));
INSERT INTO pages SELECT i, 'site' || i % 1000, '2025-01-01'::timestamptz + i * interval '1 minute', i, jsonb_build_object('key', 'k' || i % 2000), ARRAY[cos(i / 9000.0), sin(i / 9000.0)]::real[]::vector FROM generate_series(1, 20000) AS i;
CREATE INDEX pages_site ON pages (site);
CREATE INDEX pages_at ON pages (at);
CREATE INDEX pages_meta ON pages USING gin (meta jsonb_path_ops);
ANALYZE pages;
CREATE FUNCTION pg_temp.searched(filter jsonb, OUT rows bigint, OUT by_site boolean, OUT by_at boolean, OUT by_meta boolean, OUT whole boolean) LANGUAGE plpgsql AS $$
DECLARE
    relations constant regclass[] := '{pages_site, pages_at, pages_meta, pages}';
    before constant bigint[] := ARRAY(SELECT pg_stat_get_xact_numscans(r) FROM unnest(relations) AS r);
    after bigint[];
BEGIN
    SELECT count(*) INTO rows FROM kepler.search_vectors('pages', 'embedding', '[1, 0]', 50, $1);
    after := ARRAY(SELECT pg_stat_get_xact_numscans(r) FROM unnest(relations) AS r);
    by_site := after[1] > before[1]; by_at := after[2] > before[2]; by_meta := after[3] > before[3]; whole := after[4] > before[4];
END $$;
SELECT * FROM pg_temp.searched('{"site": "site7"}');
SELECT * FROM pg_temp.searched('{"site": {"$in": ["site7", "site8"]}, "size": {"$gt": 10}}');
SELECT * FROM pg_temp.searched('{"at": {"$gte": "2025-01-02T00:00:00Z", "$lt": "2025-01-02T00:30:00Z"}}');
SELECT * FROM pg_temp.searched('{"meta.key": "k7"}');
SELECT * FROM pg_temp.searched('{"meta": {"$contains": {"key": "k7"}}}');
SELECT * FROM pg_temp.searched('{"$or": [{"site": "site7"}, {"at": {"$lt": "2025-01-01T00:10:00Z"}}]}');
SELECT * FROM pg_temp.searched('{"at": {"$between": [{"$date": "2025-01-02"}, {"$date": "2025-01-02T00:29:00Z"}]}}');
-- One for patterns serves those that say how a text begins.
DROP INDEX pages_site;
CREATE INDEX pages_site ON pages (site text_pattern_ops);
SELECT * FROM pg_temp.searched('{"site": {"$like": "site99_"}}');
ROLLBACK;

-- A part that is read as its owner calls no functions: where a filter needs one, the whole is read as the caller.
BEGIN;
CREATE ROLE kepler_reader;
CREATE ROLE kepler_owner;
GRANT USAGE ON SCHEMA kepler TO kepler_reader;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA kepler TO kepler_reader;
CREATE TABLE whole (id integer, meta jsonb, embedding vector(2)) PARTITION BY RANGE (id);
CREATE TABLE low PARTITION OF whole FOR VALUES FROM (0) TO (10);
CREATE TABLE high PARTITION OF whole FOR VALUES FROM (10) TO (20);
INSERT INTO whole SELECT i, jsonb_build_object('n', i), ARRAY[1, i]::real[]::vector FROM generate_series(0, 19) AS i;
ALTER TABLE low OWNER TO kepler_owner;
GRANT SELECT ON whole TO kepler_reader;
SET LOCAL ROLE kepler_reader;
SELECT document -> 'id' AS id FROM kepler.search_vectors('public.whole', 'embedding', '[1, 0]', 9, '{"meta.n": {"$gt": 3, "$lte": 5}}');
SELECT document -> 'id' AS id FROM kepler.search_vectors('public.whole', 'embedding', '[1, 0]', 9, '{"id": {"$gt": 3, "$lte": 5}}');
ROLLBACK;
