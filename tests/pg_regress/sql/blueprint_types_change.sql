-- Columns of a blueprint change their types, and nothing of what they hold is lost: what Postgres carries over is carried over,
-- what may not survive is looked at, and stops the change with its rows.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
SET LOCAL client_min_messages = warning;
CREATE FUNCTION pg_temp.shop(fields text, rest text DEFAULT '') RETURNS text LANGUAGE sql AS $$
SELECT format('{"blueprint": "shop", "enums": {"level": ["low", "high"], "size": {"values": ["low", "high", "top"], "type": "Size"}}, "tables": [{"name": "item",
    "key": {"fields": ["id"]}, "fields": [{"name": "id", "type": "integer"}, %s]%s}]}', fields, rest)
$$;
-- What is planned, without what is the same for each.
CREATE FUNCTION pg_temp.steps(blueprint text) RETURNS TABLE (operation text, object text, class text) LANGUAGE sql AS $$
SELECT p.operation, p.object, p.class FROM kepler.plan_blueprint(blueprint) AS p ORDER BY p.step
$$;
SELECT outcome FROM kepler.apply_blueprint(pg_temp.shop($$
    {"name": "small", "type": "smallint"}, {"name": "word", "type": "varchar", "max_length": 5},
    {"name": "code", "type": "char", "length": 4}, {"name": "at", "type": "timestamp", "zone": false, "precision": 3},
    {"name": "level", "type": "text"}, {"name": "levels", "type": "text", "list": true}, {"name": "address", "type": "text"},
    {"name": "ratio", "type": "real"}, {"name": "doc", "type": "json", "binary": false}, {"name": "bits", "type": "bit", "length": 3}$$));
INSERT INTO shop.item VALUES
    (1, 7, 'abc', 'ab', '2024-05-06 07:08:09.123', 'low', '{low,high}', '10.0.0.1', 0.1, '{"b": 1,  "a": 2}', B'101'),
    (2, -7, 'abcde', 'abcd', NULL, 'high', '{}', '10.0.0.0/8', 1.5, '[]', B'000');

-- Wider, without a loss.
CREATE TABLE wider (document text);
INSERT INTO wider VALUES (pg_temp.shop($$
    {"name": "small", "type": "bigint"}, {"name": "word", "type": "varchar"},
    {"name": "code", "type": "text"}, {"name": "at", "type": "timestamp", "zone": true},
    {"name": "level", "type": "enum", "enum": "level"}, {"name": "levels", "type": "enum", "enum": "level", "list": true}, {"name": "address", "type": "inet"},
    {"name": "ratio", "type": "float"}, {"name": "doc", "type": "json"}, {"name": "bits", "type": "varbit", "length": 8}$$));
SELECT s.* FROM wider, pg_temp.steps(document) AS s;
SELECT outcome FROM wider, kepler.apply_blueprint(document);
SELECT outcome FROM wider, kepler.apply_blueprint(document, '{rewrite,convert}');
SELECT * FROM shop.item ORDER BY id;
SELECT outcome FROM wider, kepler.apply_blueprint(document);

-- From one enum to another, and back to text.
CREATE TABLE other (document text);
INSERT INTO other SELECT replace(replace(document, '"enum": "level"}, {"name": "levels"', '"enum": "size"}, {"name": "levels"'), '"enum": "level", "list"', '"enum": "level", "description": "Some", "list"') FROM wider;
SELECT s.* FROM other, pg_temp.steps(document) AS s;
SELECT outcome FROM other, kepler.apply_blueprint(document, '{convert}');
UPDATE shop.item SET level = 'top' WHERE id = 2;
SELECT outcome FROM wider, kepler.apply_blueprint(document, '{convert}');

-- What does not fit is told, all of it, and nothing is changed.
SELECT outcome FROM kepler.apply_blueprint(pg_temp.shop($$
    {"name": "small", "type": "smallint", "min": 0}, {"name": "word", "type": "char", "length": 3},
    {"name": "code", "type": "varchar", "max_length": 3}, {"name": "at", "type": "date"},
    {"name": "level", "type": "text"}, {"name": "levels", "type": "text", "list": true}, {"name": "address", "type": "cidr"},
    {"name": "ratio", "type": "integer"}, {"name": "doc", "type": "json", "binary": false}, {"name": "bits", "type": "bit", "length": 2}$$),
    '{rewrite,convert}');
SELECT * FROM shop.item ORDER BY id;

-- Money has two digits behind its point whatever the session prefers, and becomes text without a sign.
CREATE TABLE paid (document text);
INSERT INTO paid VALUES (replace($${"blueprint": "till", "tables": [{"name": "sale", "key": {"fields": ["id"]}, "fields": [{"name": "id", "type": "integer"},
    {"name": "paid", "type": "money", "default": 1234.5}, {"name": "told", "type": "money"}, {"name": "many", "type": "money", "list": true, "default": [1, -2.5]}]}]}$$, E'\n', ''));
SELECT outcome FROM paid, kepler.apply_blueprint(document);
SELECT a.attname, pg_get_expr(d.adbin, d.adrelid) AS default FROM pg_attrdef AS d JOIN pg_attribute AS a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
WHERE d.adrelid = 'till.sale'::regclass ORDER BY a.attnum;
INSERT INTO till.sale (id, told) VALUES (1, '-99.5');
UPDATE paid SET document = replace(replace(document, '"paid", "type": "money"', '"paid", "type": "decimal"'), '"told", "type": "money"', '"told", "type": "text"');
SELECT s.* FROM paid, pg_temp.steps(document) AS s;
SELECT outcome FROM paid, kepler.apply_blueprint(document, '{rewrite,convert}');
SELECT * FROM till.sale;

-- A real of the digits that were written becomes a double of the same digits, and a real again.
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "ratios", "tables": [{"name": "r", "fields": [{"name": "a", "type": "real"}]}]}');
INSERT INTO ratios.r VALUES (0.1), (16777216), (3e38), (1e-44), ('NaN'), ('-Infinity');
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "ratios", "tables": [{"name": "r", "fields": [{"name": "a", "type": "float"}]}]}', '{rewrite}');
SELECT a FROM ratios.r;
DELETE FROM ratios.r WHERE a IN ('NaN', '-Infinity');
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "ratios", "tables": [{"name": "r", "fields": [{"name": "a", "type": "real"}]}]}', '{convert}');
SELECT a FROM ratios.r;

-- What has no way to another is refused.
SELECT outcome FROM kepler.apply_blueprint(pg_temp.shop($$
    {"name": "small", "type": "boolean"}, {"name": "word", "type": "varchar", "list": true},
    {"name": "code", "type": "xml"}, {"name": "at", "type": "json"},
    {"name": "level", "type": "integer"}, {"name": "levels", "type": "integer", "list": true}, {"name": "address", "type": "uuid"},
    {"name": "ratio", "type": "money"}, {"name": "doc", "type": "date"}, {"name": "bits", "type": "integer"}$$), '{rewrite,convert}');
ROLLBACK;
