-- A search in anybody's table takes the right to the columns that it reads, and no others: the vectors, those of the filter, and
-- those that it shows. Policies hold, and nobody's code runs as the owner of the table.
\set SHOW_CONTEXT never
\set VERBOSITY terse
\set ON_ERROR_ROLLBACK on
BEGIN;
SET LOCAL client_min_messages = warning;
CREATE ROLE sv_reader; CREATE ROLE sv_owner;
SELECT kepler.grant_access('sv_reader', 'reader');
CREATE SCHEMA shop AUTHORIZATION sv_owner;
GRANT USAGE ON SCHEMA shop TO sv_reader;
SET LOCAL ROLE sv_owner;
CREATE TABLE shop.texts (id integer PRIMARY KEY, body text, price integer, salary integer, v public.vector(2), words tsvector GENERATED ALWAYS AS (to_tsvector('pg_catalog.simple', body)) STORED);
INSERT INTO shop.texts SELECT i, CASE WHEN i % 2 = 0 THEN 'red tea' ELSE 'blue ink' END, i, 1000 * i, public.vector('[' || i || ',1]') FROM generate_series(1, 20) AS i;
GRANT SELECT (body, price, v) ON shop.texts TO sv_reader;
RESET ROLE;
SET LOCAL ROLE sv_reader;
SELECT document, similarity > 0.9 AS near, vector_rank FROM kepler.search_vectors('shop.texts', 'v', '[20, 1]', 2, columns => '{body,price}');
SELECT document FROM kepler.search_vectors('shop.texts', 'v', '[20, 1]', 2, filter => '{"price": {"$lt": 4}}', columns => '{body}');
-- What may not be read is neither shown, nor filtered by, nor searched: by name, by default, by words.
SELECT document FROM kepler.search_vectors('shop.texts', 'v', '[20, 1]', 2, columns => '{body,salary}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT document FROM kepler.search_vectors('shop.texts', 'v', '[20, 1]', 2);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT document FROM kepler.search_vectors('shop.texts', 'v', '[20, 1]', 2, filter => '{"salary": {"$gt": 3}}', columns => '{body}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT document FROM kepler.search_vectors('shop.texts', 'v', NULL, 2, query_text => 'tea', columns => '{body}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
-- A search by words takes the right to the whole table.
RESET ROLE;
GRANT SELECT (words) ON shop.texts TO sv_reader;
SET LOCAL ROLE sv_reader;
SELECT document, text_rank FROM kepler.search_vectors('shop.texts', 'v', NULL, 1, query_text => 'tea', columns => '{body}', language => 'simple');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
-- No right to the vectors.
RESET ROLE;
REVOKE SELECT (v) ON shop.texts FROM sv_reader;
SET LOCAL ROLE sv_reader;
SELECT document FROM kepler.search_vectors('shop.texts', 'v', '[20, 1]', 2, columns => '{body}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
RESET ROLE;
GRANT SELECT (v) ON shop.texts TO sv_reader;
-- Code of the owner's: an index over an expression, a filter that calls functions, a type with a cast. The caller reads, and may not.
SAVEPOINT code;
SET LOCAL ROLE sv_owner;
CREATE FUNCTION shop.spy(a integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS $$BEGIN RAISE WARNING 'spy as %', current_user; RETURN a; END$$;
SET LOCAL client_min_messages = error;
CREATE INDEX ON shop.texts (shop.spy(price));
SET LOCAL client_min_messages = warning;
SET LOCAL ROLE sv_reader;
SELECT document FROM kepler.search_vectors('shop.texts', 'v', '[20, 1]', 2, columns => '{body}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
ROLLBACK TO code;
SET LOCAL ROLE sv_reader;
SELECT document FROM kepler.search_vectors('shop.texts', 'v', '[20, 1]', 2, filter => '{"body": {"$regex": "tea"}}', columns => '{body}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
RESET ROLE;
-- Policies, for the caller and for the owner.
ALTER TABLE shop.texts ENABLE ROW LEVEL SECURITY;
CREATE POLICY cheap ON shop.texts USING (price < 3);
SET LOCAL ROLE sv_reader;
SELECT document FROM kepler.search_vectors('shop.texts', 'v', '[20, 1]', 2, columns => '{body}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
RESET ROLE;
GRANT SELECT ON shop.texts TO sv_reader;
SET LOCAL ROLE sv_reader;
SELECT document FROM kepler.search_vectors('shop.texts', 'v', '[20, 1]', 5, columns => '{price}');
RESET ROLE;
-- Of a table with parts the right to the columns of the whole is not enough, as the places of its rows lie in several.
SET LOCAL ROLE sv_owner;
CREATE TABLE shop.parts (id integer, salary integer, v public.vector(2)) PARTITION BY RANGE (id);
CREATE TABLE shop.part1 PARTITION OF shop.parts FOR VALUES FROM (1) TO (10);
INSERT INTO shop.parts VALUES (1, 1, '[1,1]');
GRANT SELECT (id, v) ON shop.parts TO sv_reader;
SET LOCAL ROLE sv_reader;
SELECT document FROM kepler.search_vectors('shop.parts', 'v', '[20, 1]', 5, columns => '{id}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
ROLLBACK;
