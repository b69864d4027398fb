-- Enum types: values come in their places, are renamed once, and go when no row has them.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
SET LOCAL client_min_messages = warning;
CREATE FUNCTION pg_temp.shop(enums text, field text DEFAULT '', more text DEFAULT '') RETURNS text LANGUAGE sql AS $$
SELECT format('{"blueprint": "shop", "enums": {%s}, "tables": [{"name": "item", "key": {"name": "id", "type": "bigint"},
    "fields": [{"name": "status", "type": "enum", "enum": "status"%s}, {"name": "statuses", "type": "enum", "enum": "status", "list": true}],
    "indexes": [{"fields": ["status"]}]%s}]}', enums, field, more)
$$;
CREATE FUNCTION pg_temp.reach(document text, allow text[] DEFAULT '{}') RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT format('%s %s %s %s', p.operation, p.object, p.class, p.statement) FROM kepler.plan_blueprint(document) AS p ORDER BY p.step;
    PERFORM kepler.apply_blueprint(document, allow);
    RETURN QUERY SELECT 'again: ' || p.statement FROM kepler.plan_blueprint(document) AS p;
END
$$;
CREATE FUNCTION pg_temp.of(type text) RETURNS text LANGUAGE sql AS $$
SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = to_regtype(type)
$$;
SELECT pg_temp.reach(pg_temp.shop('"status": ["draft", "sent"]', ', "default": "draft"'));
INSERT INTO shop.item (status, statuses) VALUES ('draft', '{draft,sent}'), ('sent', NULL), (NULL, '{}');

-- Values come before, between and behind the others.
SELECT pg_temp.reach(pg_temp.shop('"status": ["new", "draft", "checked", "sent", "paid"]', ', "default": "draft"'));
SELECT pg_temp.of('shop.status');

-- Renamed: a document that is applied again renames nothing, also where names change places.
SELECT pg_temp.reach(pg_temp.shop('"status": {"values": ["new", "drawn", "checked", "sent", "paid"], "renamed_values": {"draft": "drawn"}}', ', "default": "drawn"'));
SELECT status, statuses FROM shop.item ORDER BY id;
SELECT pg_temp.reach(pg_temp.shop('"status": {"values": ["new", "drawn", "checked", "sent", "paid"], "type": "Status", "description": "How far it is"}', ', "default": "drawn"'));
SELECT pg_temp.of('shop."Status"'), obj_description('shop."Status"'::regtype, 'pg_type');

-- What a row has does not go.
SELECT pg_temp.reach(pg_temp.shop('"status": {"values": ["new", "checked", "paid"], "type": "Status"}'), '{rewrite}');
-- What none has goes, and so does the order, by a new type.
SELECT pg_temp.reach(pg_temp.shop('"status": {"values": ["sent", "drawn"], "type": "Status"}', ', "default": "sent"'));
SELECT pg_temp.reach(pg_temp.shop('"status": {"values": ["sent", "drawn"], "type": "Status"}', ', "default": "sent"'), '{rewrite}');
SELECT pg_temp.of('shop."Status"'), (SELECT string_agg(typname, ' ') FROM pg_type WHERE typnamespace = 'shop'::regnamespace AND typtype = 'e');
SELECT status, statuses FROM shop.item ORDER BY id;
INSERT INTO shop.item DEFAULT VALUES RETURNING status;

-- A value that is used at once cannot be added in the same transaction: the type is made anew, or the online form commits between.
SELECT pg_temp.reach(pg_temp.shop('"status": {"values": ["sent", "drawn", "late"], "type": "Status"}', ', "default": "late"'));
SELECT pg_temp.reach(pg_temp.shop('"status": {"values": ["sent", "drawn", "late"], "type": "Status"}', ', "default": "late"'), '{rewrite}');
INSERT INTO shop.item DEFAULT VALUES RETURNING status;
SELECT pg_temp.reach(pg_temp.shop('"status": {"values": ["sent", "drawn", "late", "gone"], "type": "Status"}', ', "default": "gone"'), '{rewrite}');

-- A column of somebody else's table keeps a value and a type, and a view keeps the type of a column.
CREATE TABLE theirs (status shop."Status");
SELECT pg_temp.reach(pg_temp.shop('"status": {"values": ["sent", "drawn", "late"], "type": "Status"}'), '{rewrite}');
DROP TABLE theirs;
CREATE VIEW shown AS SELECT status FROM shop.item;
SELECT pg_temp.reach(pg_temp.shop('"status": {"values": ["sent", "drawn", "late"], "type": "Status"}'), '{rewrite}');
DROP VIEW shown;
SELECT pg_temp.reach(pg_temp.shop('"status": {"values": ["sent", "drawn", "late"], "type": "Status"}'), '{rewrite}');
DROP TABLE IF EXISTS theirs;

-- Types exchange their names in a circle, one takes the name that a dropped one leaves, and a table the name of a type.
CREATE FUNCTION pg_temp.three(a text, b text, c text, item text) RETURNS text LANGUAGE sql AS $$
SELECT format('{"blueprint": "three", "enums": {"A": {"type": "%1$s", "values": ["a"]}, "B": {"type": "%2$s", "values": ["b"]}%3$s},
    "tables": [{"name": "item", "table": "%4$s", "fields": [{"name": "a", "type": "enum", "enum": "A", "default": "a"}, {"name": "b", "type": "enum", "enum": "B", "default": "b"}]}]}',
    a, b, CASE WHEN c <> '' THEN format(', "C": {"type": "%s", "values": ["c"]}', c) END, item)
$$;
SELECT outcome FROM kepler.apply_blueprint(pg_temp.three('x', 'y', 'z', 'item'));
INSERT INTO three.item DEFAULT VALUES;
SELECT pg_temp.reach(pg_temp.three('y', 'z', 'x', 'item'));
SELECT a, pg_typeof(a), b, pg_typeof(b) FROM three.item;
SELECT pg_temp.reach(pg_temp.three('z', 'x', '', 'y'), '{drop}');
SELECT a, pg_typeof(a), b, pg_typeof(b) FROM three.y;
ROLLBACK;
