-- What somebody has made under a name that the next version uses stays theirs, and the version is refused, unless it is adopted.
\set SHOW_CONTEXT never
\set VERBOSITY default
\set ON_ERROR_ROLLBACK on
BEGIN;
SET LOCAL client_min_messages = warning;
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "shop", "tables": [{"name": "Item", "table": "items", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "a", "type": "text"}, {"name": "n", "type": "integer"}]}, {"name": "Other", "table": "others", "fields": [{"name": "a", "type": "text"}]}]}');
CREATE FUNCTION shop.noop() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
-- For each: something made by hand, a next version that has it, and what comes of it without and with the option.
CREATE FUNCTION pg_temp.try(made text, fields text, more text DEFAULT '', head text DEFAULT '') RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    document json := format('{"blueprint": "shop", %s "tables": [{"name": "Item", "table": "items", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "a", "type": "text"} %s] %s}, {"name": "Other", "table": "others", "fields": [{"name": "a", "type": "text"}]}]}', head, fields, more);
    options jsonb;
    answer text;
    why text;
BEGIN
    RETURN NEXT '* ' || made;
    FOREACH options IN ARRAY ARRAY['{}', '{"adopt": true}']::jsonb[] LOOP
        BEGIN
            EXECUTE made;
            SELECT a.outcome INTO answer FROM kepler.apply_blueprint(document, '{rewrite,convert,drop}', options) AS a;
            SELECT answer || coalesce(': ' || string_agg(format('%s %s %s', d.kind, d.object_type, d.object), '; '), '') INTO answer
            FROM kepler.blueprint_drift('shop') AS d WHERE d.kind <> 'coverage';
            RAISE EXCEPTION USING ERRCODE = 'UR001';
        EXCEPTION WHEN SQLSTATE 'UR001' THEN
            RETURN NEXT answer;
        WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS why = PG_EXCEPTION_DETAIL;
            RETURN NEXT SQLSTATE || ' ' || why;
        END;
    END LOOP;
END $$;
\set n ', {"name": "n", "type": "integer"}'
\pset format unaligned
\pset tuples_only on
-- A column, of the type that the field has and of another.
SELECT pg_temp.try('ALTER TABLE shop.items ADD COLUMN x integer', :'n' || ', {"name": "x", "type": "integer"}');
SELECT pg_temp.try('ALTER TABLE shop.items ADD COLUMN x text', :'n' || ', {"name": "x", "type": "integer"}');
-- Constraints, the same ones and others.
SELECT pg_temp.try('ALTER TABLE shop.items ADD CONSTRAINT u UNIQUE (n)', :'n', ', "unique": [{"fields": ["n"], "name": "u"}]');
SELECT pg_temp.try('ALTER TABLE shop.items ADD CONSTRAINT u UNIQUE (a)', :'n', ', "unique": [{"fields": ["n"], "name": "u"}]');
SELECT pg_temp.try('ALTER TABLE shop.items ADD CONSTRAINT c CHECK (n >= 0)', ', {"name": "n", "type": "integer"}, {"name": "m", "type": "integer"}', ', "checks": [{"field": "n", "op": "<", "other_field": "m", "name": "c"}]');
-- Indexes, also of another table, and what else has the name of one.
SELECT pg_temp.try('CREATE INDEX i ON shop.items (n)', :'n', ', "indexes": [{"fields": ["n"], "name": "i"}]');
SELECT pg_temp.try('CREATE INDEX i ON shop.items (a, n)', :'n', ', "indexes": [{"fields": ["n"], "name": "i"}]');
SELECT pg_temp.try('CREATE INDEX i ON shop.others (a)', :'n', ', "indexes": [{"fields": ["n"], "name": "i"}]');
SELECT pg_temp.try('CREATE TABLE shop.i ()', :'n', ', "indexes": [{"fields": ["n"], "name": "i"}]');
SELECT pg_temp.try('CREATE SEQUENCE shop.i', :'n', ', "indexes": [{"fields": ["n"], "name": "i"}]');
-- A sequence.
SELECT pg_temp.try('CREATE SEQUENCE shop.items_n_seq', ', {"name": "n", "type": "integer", "generated": "serial"}');
SELECT pg_temp.try('CREATE SEQUENCE shop.items_m_seq', :'n' || ', {"name": "m", "type": "integer", "generated": "serial"}');
-- A trigger, of Kepler's function and of another; the version that names none leaves it.
SELECT pg_temp.try('CREATE TRIGGER kepler_fill BEFORE INSERT ON shop.items FOR EACH ROW EXECUTE FUNCTION shop.noop()', :'n' || ', {"name": "x", "type": "text", "fill": "cuid"}');
SELECT pg_temp.try('CREATE TRIGGER kepler_fill BEFORE INSERT ON shop.items FOR EACH ROW EXECUTE FUNCTION kepler_internal.fill_columns(''a'', ''cuid'')', :'n' || ', {"name": "x", "type": "text", "fill": "cuid"}');
SELECT pg_temp.try('CREATE TRIGGER kepler_fill BEFORE INSERT ON shop.items FOR EACH ROW EXECUTE FUNCTION kepler_internal.fill_columns(''a'', ''cuid'')', :'n');
-- A policy.
SELECT pg_temp.try('CREATE POLICY workspace ON shop.items USING (true)', :'n', '', '"tenancy": {"field": "a"},');
SELECT pg_temp.try('CREATE POLICY workspace ON shop.items USING (true); ALTER TABLE shop.items ENABLE ROW LEVEL SECURITY', :'n');
-- A type, an enum and another.
SELECT pg_temp.try('CREATE TYPE shop.s AS ENUM (''a'')', ', {"name": "s", "type": "enum", "enum": "s"}', '', '"enums": {"s": ["a", "b"]},');
SELECT pg_temp.try('CREATE TYPE shop.s AS (a text)', ', {"name": "s", "type": "enum", "enum": "s"}', '', '"enums": {"s": ["a", "b"]},');
-- One that was given up is not the blueprint's for having the name of one.
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "moods", "enums": {"mood": ["good", "bad"]}, "tables": []}');
SELECT schema_name, type_name, name FROM kepler.blueprint_enums WHERE blueprint_name = 'moods';
SELECT kepler.drop_blueprint('moods', '{"keep_tables": true}');
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "moods", "enums": {"mood": ["good"]}, "tables": []}');
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "moods", "enums": {"mood": ["good"]}, "tables": []}', '{rewrite}', '{"adopt": true}');
ROLLBACK;
