-- A blueprint is dropped with its tables, types and schema, unless tables hold rows or something of somebody's rests on them.
\set SHOW_CONTEXT never
\set VERBOSITY default
\set ON_ERROR_ROLLBACK on
BEGIN;
\set document '{"blueprint": "shop", "enums": {"status": ["a"]}, "tables": [{"name": "A", "table": "a", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "b", "type": "reference", "to": "B"}, {"name": "s", "type": "enum", "enum": "status"}]}, {"name": "B", "table": "b", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "a", "type": "reference", "to": "A"}]}]}'
SELECT outcome FROM kepler.apply_blueprint(:'document');
INSERT INTO shop.a (s) VALUES ('a'), (NULL);
SELECT kepler.drop_blueprint('shop');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
CREATE VIEW public.seen AS SELECT * FROM shop.a;
CREATE TABLE public.referring (a bigint REFERENCES shop.a);
SELECT kepler.drop_blueprint('shop', '{"with_rows": true}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
DROP VIEW public.seen;
DROP TABLE public.referring;
-- What somebody has put into the schema stays, and so does the schema.
SAVEPOINT whole;
CREATE TABLE shop.mine (a integer);
SELECT * FROM kepler.drop_blueprint('shop', '{"with_rows": true}');
SELECT relname FROM pg_class WHERE relnamespace = 'shop'::regnamespace;
ROLLBACK TO whole;
-- Or the tables stay, and are nobody's.
SELECT * FROM kepler.drop_blueprint('shop', '{"keep_tables": true}');
SELECT count(*) AS rows, (SELECT count(*) FROM kepler.blueprint_versions) AS versions FROM shop.a;
-- The document takes them over again, if it is told to.
SELECT kepler.apply_blueprint(:'document');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT version, outcome, steps FROM kepler.apply_blueprint(:'document', options => '{"adopt": true}');
ROLLBACK TO whole;
SELECT * FROM kepler.drop_blueprint('shop', '{"with_rows": true}');
SELECT to_regnamespace('shop') IS NULL AS gone, (SELECT count(*) FROM kepler.blueprints) AS blueprints, (SELECT count(*) FROM kepler.blueprint_tables) AS tables;
SELECT kepler.drop_blueprint('shop');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.drop_blueprint('shop', '{"force": true}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
ROLLBACK;
