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
ROLLBACK;
