-- find_secrets reads a table as its caller, and tells where secrets are and of what kind. The values are in no answer.
\set SHOW_CONTEXT never
\set VERBOSITY default
\set ON_ERROR_ROLLBACK on
BEGIN;
SELECT 'ghp' || '_' || 'q8Zr2LmN5tYx0KpWb7Cd3EfGh1JkMnPqRsTu' AS github \gset
CREATE SCHEMA own;
CREATE DOMAIN own.note AS varchar(200);
CREATE TABLE own.things ("Id" integer, part text, config jsonb, raw json, tags text[], note own.note, fixed char(60), n integer, doubled text GENERATED ALWAYS AS (part || '!') STORED, PRIMARY KEY ("Id", part));
INSERT INTO own.things VALUES
    (1, 'a', '{"auth": {"api_key": "abcd1234efgh"}, "page_token": "q8Zr2LmN5tYx0KpWb7Cd3EfGh1JkMnPq"}', '{"password": "hunter2"}', ARRAY['x', :'github', NULL], 'postgres://app:hunter2@db/app', NULL, 7),
    (2, 'b', '{"a/b": {"x~y": "postgres://app:hunter2@db/app"}}', '[]', '{}', 'harmless', :'github', 8),
    (3, 'c', NULL, NULL, NULL, NULL, NULL, NULL);
SELECT * FROM kepler.find_secrets('own.things') ORDER BY key::text, column_name, path;
-- What looks random and nothing more is told if that is asked.
SELECT * FROM kepler.find_secrets('own.things', include_possible => true) WHERE certainty = 'possible' ORDER BY key::text, column_name, path;
-- Without a primary key a row is told by its place.
CREATE TABLE own.plain (t text);
INSERT INTO own.plain VALUES ('none'), (:'github');
SELECT * FROM kepler.find_secrets('own.plain');
SELECT count(*) FROM kepler.find_secrets('kepler.workspaces');
CREATE TABLE own.numbers (n integer PRIMARY KEY);
SELECT * FROM kepler.find_secrets('own.numbers');
-- Partitions are read through their table.
CREATE TABLE own.parted (id integer PRIMARY KEY, t text) PARTITION BY LIST (id);
CREATE TABLE own.parted_1 PARTITION OF own.parted FOR VALUES IN (1);
INSERT INTO own.parted VALUES (1, :'github');
SELECT * FROM kepler.find_secrets('own.parted');
-- Without a key a row is told by its place, which is one in a partition.
CREATE TABLE own.placed (id integer, t text) PARTITION BY LIST (id);
CREATE TABLE own.placed_1 PARTITION OF own.placed FOR VALUES IN (1);
CREATE TABLE own.placed_2 PARTITION OF own.placed FOR VALUES IN (2);
INSERT INTO own.placed VALUES (1, :'github'), (2, :'github');
SELECT * FROM kepler.find_secrets('own.placed') ORDER BY key::text;
-- It reads as its caller: rights and row security hold.
CREATE ROLE regress_reader;
GRANT USAGE ON SCHEMA own TO regress_reader;
SELECT kepler.grant_access('regress_reader', 'reader');
ALTER TABLE own.things ENABLE ROW LEVEL SECURITY;
CREATE POLICY odd ON own.things USING ("Id" % 2 = 1);
SET LOCAL ROLE regress_reader;
SELECT count(*) FROM kepler.find_secrets('own.things');
RESET ROLE;
GRANT SELECT ON own.things TO regress_reader;
SET LOCAL ROLE regress_reader;
SELECT DISTINCT key FROM kepler.find_secrets('own.things');
RESET ROLE;
-- A view runs what its owner wrote.
CREATE VIEW own.seen AS SELECT * FROM own.things;
SELECT * FROM kepler.find_secrets('own.seen');
SELECT * FROM kepler.find_secrets(NULL);
SELECT * FROM kepler.find_secrets(1::oid::regclass);
ROLLBACK;
