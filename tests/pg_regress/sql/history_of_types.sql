-- Values come back from the history as they were, whatever settings the session has that wrote them and the one that reads.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE SCHEMA kinds;
SET search_path = kinds, public;
CREATE TYPE mood AS ENUM ('ok', 'it is bad');
CREATE DOMAIN positive AS integer CHECK (VALUE > 0);
CREATE TYPE pair AS (a integer, b text);
CREATE TABLE typed (
    id uuid PRIMARY KEY, a smallint, b real, c double precision, d money, e interval, f bytea, g json, h mood, i positive, j pair, k regclass,
    l inet, m timestamp, n char(5), o numeric(10, 3), p int4range, q bit(3), r boolean, s date, t text, u timestamptz, v pair[], w mood[], x oid,
    y jsonb, z xid8, aa time, ab timetz, ac text[], ad bigint, ae varchar, af "char", ag name, ah vector(2));
SELECT kepler.track('typed', 'history');
-- Written under settings that print everything otherwise.
SET datestyle = 'German'; SET intervalstyle = 'sql_standard'; SET bytea_output = 'escape'; SET extra_float_digits = -5; SET timezone = 'Asia/Kolkata';
INSERT INTO typed VALUES ('00000000-0000-0000-0000-000000000001', 7, 0.1, 1e300 / 3, 1234.56::numeric::money, '-1 year 2 days -03:04:05', '\x00ff', '{"z": 1,  "a":[1.0]}', 'it is bad', 5,
    (1, 'x "y'), 'typed', '10.0.0.1', '2024-02-03 04:05:06.789', 'ab', 1.5, '[1,5)', '101', true, '2024-02-29', repeat('long ', 5000), '2024-02-03 04:05:06.789+05:30',
    ARRAY[(1, 'a')::pair, NULL], '{ok}', 4000000000, '{"a": [1.50, null, "x"]}', '18446744073709551615', '01:02:03', '01:02:03+02', '{a,NULL,"NULL",""}', -9223372036854775808, 'v', 'c', 'n', '[1,2.5]');
CREATE TABLE copy AS SELECT * FROM typed;
SELECT pg_sleep(0.002);
SELECT extract(epoch FROM clock_timestamp()) AS then \gset
UPDATE typed SET a = 8, b = 'NaN', c = 'Infinity', d = NULL, e = NULL, f = '', g = NULL, h = 'ok', i = 6, j = NULL, k = NULL, l = NULL, m = 'infinity', n = 'cd', o = 2, p = 'empty',
    q = '111', r = false, s = NULL, t = NULL, u = '-infinity', v = '{}', w = NULL, x = 1, y = 'null', z = '1', aa = NULL, ab = NULL, ac = '{}', ad = 1, ae = NULL, af = NULL, ag = NULL, ah = NULL;
RESET ALL;
SET client_min_messages = warning; SET search_path = kinds, public;
SET datestyle = 'SQL, MDY'; SET intervalstyle = 'iso_8601'; SET timezone = 'America/New_York';
SELECT kepler.row_as_of('typed', '00000000-0000-0000-0000-000000000001', to_timestamp(:then)) AS was \gset
SELECT jsonb_typeof(:'was') AS kind, (SELECT count(*) FROM jsonb_object_keys(:'was')) AS columns;
-- As a row it is the same one. (Of json the text is the same in the history; in a document it is a document.)
SELECT r.key AS differs, r.value, n.value FROM jsonb_each_text(to_jsonb(jsonb_populate_record(NULL::copy, :'was'))) AS r
JOIN jsonb_each_text((SELECT to_jsonb(whole.*) FROM copy AS whole)) AS n USING (key) WHERE r.value IS DISTINCT FROM n.value ORDER BY 1;
SELECT old_values ->> 'g' = (SELECT g::text FROM copy) AS json_is_the_same, old_values ->> 'k' AS named, old_values -> 'y' AS document FROM kepler.history
WHERE operation = 'UPDATE' AND shape_id IN (SELECT s.id FROM kepler.history_shapes AS s WHERE s.relation = 'kinds.typed'::regclass);
-- What it is now: special values too.
SELECT kepler.row_as_of('typed', '00000000-0000-0000-0000-000000000001', now()) - 't';

-- A document of its own is kept as it is; a bare string and a null as text, so that both come back.
CREATE TABLE documents (id integer PRIMARY KEY, d jsonb);
SELECT kepler.track('documents', 'history');
INSERT INTO documents VALUES (1, NULL), (2, 'null'), (3, '"null"'), (4, '"a\"b"'), (5, '1.50'), (6, 'true'), (7, '[]'), (8, '{"k": "null"}');
DELETE FROM documents;
SELECT row_id, old_values -> 'd' AS kept FROM kepler.history AS h WHERE operation = 'DELETE' AND old_values ? 'd' AND NOT old_values ? 'k' ORDER BY sequence;
SELECT n, changes #> '{d,old}' AS was FROM generate_series(1, 8) AS n, kepler.row_history('documents', n::text, 1);

-- A type of somebody's own: its output function runs as whoever changes the table.
CREATE TABLE typed_by_cast (id pair PRIMARY KEY, note text);
SELECT kepler.track('typed_by_cast', 'history');
INSERT INTO typed_by_cast VALUES ((1, 'a'), 'x');
UPDATE typed_by_cast SET note = 'y';
SELECT operation, changes FROM kepler.row_history('typed_by_cast', '(1,a)');

-- Values of many megabytes: beyond 64 of them the change is told without the value.
CREATE TABLE large (id integer PRIMARY KEY, small text, big text);
ALTER TABLE large ALTER big SET STORAGE EXTENDED;
SELECT kepler.track('large', 'history');
INSERT INTO large VALUES (1, 'a', repeat('x', 70000000));
UPDATE large SET small = 'b';
DELETE FROM large;
SELECT operation, old_values, withheld FROM kepler.history AS h WHERE table_id = (SELECT id FROM kepler.tracked_tables WHERE name = 'kinds.large') ORDER BY sequence;
DROP SCHEMA kinds CASCADE;
