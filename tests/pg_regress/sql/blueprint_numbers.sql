-- Columns that count: identities and sequences change into each other, and go on from where they were.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
SET LOCAL client_min_messages = warning;
CREATE FUNCTION pg_temp.shop(generated text, type text DEFAULT 'integer', name text DEFAULT 'item') RETURNS text LANGUAGE sql AS $$
SELECT format('{"blueprint": "shop", "tables": [{"name": "item", "table": "%3$s", "key": {"fields": ["n"]}, "fields": [{"name": "n", "type": "%2$s", "required": true%1$s},
    {"name": "note", "type": "text"}]}]}', generated, type, name)
$$;
CREATE FUNCTION pg_temp.reach(document text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT format('%s %s %s', p.operation, p.object, p.class) FROM kepler.plan_blueprint(document) AS p ORDER BY p.step;
    PERFORM kepler.apply_blueprint(document, '{rewrite,convert}');
    RETURN QUERY SELECT 'again: ' || p.statement FROM kepler.plan_blueprint(document) AS p;
END
$$;
SELECT pg_temp.reach(pg_temp.shop(', "generated": "serial"'));
INSERT INTO shop.item (note) SELECT 'serial' FROM generate_series(1, 3);
DELETE FROM shop.item WHERE n = 3;

SELECT pg_temp.reach(pg_temp.shop(', "generated": "identity"'));
INSERT INTO shop.item (note) VALUES ('identity') RETURNING n;
SELECT pg_get_serial_sequence('shop.item', 'n');

SELECT pg_temp.reach(pg_temp.shop(', "generated": "identity_always"'));
INSERT INTO shop.item (n, note) VALUES (9, 'not so');

SELECT pg_temp.reach(pg_temp.shop(', "generated": "serial"'));
INSERT INTO shop.item (note) VALUES ('serial again') RETURNING n;
SELECT pg_get_serial_sequence('shop.item', 'n'), column_default FROM information_schema.columns
WHERE table_schema = 'shop' AND table_name = 'item' AND column_name = 'n';

-- A wider type has a wider sequence.
SELECT pg_temp.reach(pg_temp.shop(', "generated": "serial"', 'bigint'));
SELECT data_type FROM pg_sequences WHERE schemaname = 'shop';

-- What is named after a table is renamed with it.
SELECT pg_temp.reach(pg_temp.shop(', "generated": "serial"', 'bigint', 'Thing'));
SELECT sequencename FROM pg_sequences WHERE schemaname = 'shop';
SELECT conname FROM pg_constraint WHERE conrelid = 'shop."Thing"'::regclass AND contype = 'p';

SELECT pg_temp.reach(pg_temp.shop('', 'bigint', 'Thing'));
INSERT INTO shop."Thing" (note) VALUES ('none');
SELECT count(*) FROM pg_sequences WHERE schemaname = 'shop';
SELECT pg_temp.reach(pg_temp.shop(', "default": 5', 'bigint', 'Thing'));
SELECT pg_temp.reach(pg_temp.shop(', "generated": "identity"', 'bigint', 'Thing'));
INSERT INTO shop."Thing" (note) VALUES ('counted on') RETURNING n;

-- Each way of counting becomes each other one while the table and the field are renamed and the type changes. The sequence has the
-- name that it would have in a new table, no number is given out twice, and a plan after that is empty.
CREATE FUNCTION pg_temp.counted(place text, name text, type text, generated text) RETURNS text LANGUAGE sql AS $$
SELECT format('{"blueprint": "count", "tables": [{"name": "T", "table": "%s", "key": {"fields": ["n"]}, "fields": [
    {"name": "n", "column": "%s", "type": "%s", "required": true%s}, {"name": "note", "type": "text"}]}]}', place, name, type,
    CASE WHEN generated <> 'none' THEN format(', "generated": "%s"', generated) END)
$$;
CREATE FUNCTION pg_temp.go(one text, two text, type_one text, type_two text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer text;
    target text := pg_temp.counted('after', 'last', type_two, two);
    number bigint;
BEGIN
    BEGIN
        PERFORM kepler.apply_blueprint(pg_temp.counted('before', 'first', type_one, one));
        IF one = 'none' THEN
            INSERT INTO count.before VALUES (1, 'a'), (2, 'b'), (3, 'c');
        ELSE
            INSERT INTO count.before (note) VALUES ('a'), ('b'), ('c');
            DELETE FROM count.before WHERE first = 3;
        END IF;
        PERFORM kepler.apply_blueprint(target, '{rewrite,convert}');
        answer := format('%s %s to %s %s:', one, type_one, two, type_two);
        IF two <> 'none' THEN
            INSERT INTO count.after (note) VALUES ('d') RETURNING last INTO number;
            answer := format('%s %s from %s', answer, number, pg_get_serial_sequence('count.after', 'last'));
        END IF;
        answer := format('%s, %s sequences, %s steps left', answer, (SELECT count(*) FROM pg_sequences WHERE schemaname = 'count'),
            (SELECT count(*) FROM kepler.plan_blueprint(target)));
        RAISE SQLSTATE 'KP001';
    EXCEPTION WHEN SQLSTATE 'KP001' THEN NULL;
    END;
    RETURN answer;
END
$$;
SELECT pg_temp.go(a.way, b.way, (ARRAY['smallint', 'integer', 'bigint'])[1 + a.at % 3], (ARRAY['smallint', 'integer', 'bigint'])[1 + (a.at + b.at) % 3])
FROM unnest(ARRAY['none', 'serial', 'identity', 'identity_always']) WITH ORDINALITY AS a (way, at),
    unnest(ARRAY['none', 'serial', 'identity', 'identity_always']) WITH ORDINALITY AS b (way, at)
ORDER BY a.at, b.at;
-- Two changes without a row between go on from the same number.
SELECT kepler.apply_blueprint(pg_temp.counted('a', 'n', 'integer', 'serial'));
INSERT INTO count.a (note) SELECT 'x' FROM generate_series(1, 5);
SELECT kepler.apply_blueprint(pg_temp.counted('a', 'n', 'integer', 'identity')), kepler.apply_blueprint(pg_temp.counted('a', 'n', 'integer', 'serial'));
INSERT INTO count.a (note) VALUES ('y') RETURNING n;
ROLLBACK;
