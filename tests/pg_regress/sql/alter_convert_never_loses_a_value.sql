-- A change of type never turns a value into NULL, and never rounds or cuts one: peers did, without a word. Values that
-- would not survive are counted and shown by their keys, all fields at once, and nothing is changed.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
ALTER SEQUENCE kepler.entry_table_numbers RESTART;
-- Tries to change the type of the field v of a table that holds some values, and shows what they become.
CREATE FUNCTION pg_temp.converted(source jsonb, target jsonb, VARIADIC inputs text[])
RETURNS TABLE (value text, becomes text) LANGUAGE plpgsql AS $$
DECLARE
    source_name constant text := 'Try ' || kepler.cuid();
    entries regclass;
    problem text;
BEGIN
    entries := kepler.create_entry_table(source_name, jsonb_build_object('fields', jsonb_build_array(source || '{"name": "v"}')));
    EXECUTE format('INSERT INTO %s (v) SELECT i::%s FROM unnest($1) AS i', entries,
        (SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = entries AND attname = 'v')) USING inputs;
    EXECUTE format('CREATE TEMP TABLE before ON COMMIT DROP AS SELECT entry_id, v::text FROM %s', entries);
    BEGIN
        PERFORM kepler.alter_entry_table(source_name, jsonb_build_object('fields', jsonb_build_array(target || '{"name": "v"}')), allow => '{rewrite,convert}');
        RETURN QUERY EXECUTE format('SELECT b.v, format(''%%s %%s'', e.v, pg_typeof(e.v)) FROM before AS b JOIN %s AS e USING (entry_id) ORDER BY entry_id', entries);
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS problem = PG_EXCEPTION_DETAIL;
        RETURN QUERY SELECT SQLSTATE || ' ' || SQLERRM, problem;
        -- Type and values are what they were.
        RETURN QUERY EXECUTE format('SELECT ''changed'', b.v FROM before AS b JOIN %s AS e USING (entry_id) WHERE e.v::text <> b.v OR e.v IS NULL', entries);
    END;
    DROP TABLE before;
END
$$;

-- Text to integer: numbers are read, and what is none is told. An empty text is none.
SELECT * FROM pg_temp.converted('{"type": "text"}', '{"type": "integer"}', '0', '42', '-7');
SELECT * FROM pg_temp.converted('{"type": "text"}', '{"type": "integer"}', '1', '');
-- "007" is a code, and would not come back from 7.
SELECT * FROM pg_temp.converted('{"type": "text"}', '{"type": "integer"}', '+7', '007', '-0', '7');
SELECT * FROM pg_temp.converted('{"type": "text"}', '{"type": "integer"}', 'abc', '1', ' 12', '12 ', '1.0', '1e3', '0x1F', '1_000', '2147483648', '٣');
-- Text to other types. What Postgres alone would guess ("tomorrow", "8/14/2024", "on the 1st") is refused.
SELECT * FROM pg_temp.converted('{"type": "text"}', '{"type": "decimal", "precision": 4, "scale": 1}', '1', '1.5', '-999.9');
SELECT * FROM pg_temp.converted('{"type": "text"}', '{"type": "decimal", "precision": 4, "scale": 1}', '1.55', '1000', 'NaN', 'Infinity', '', '1');
SELECT * FROM pg_temp.converted('{"type": "text"}', '{"type": "decimal", "precision": 4, "scale": 1}', '1.50', '1e2', '.5', '01.5', '1');
SELECT * FROM pg_temp.converted('{"type": "text"}', '{"type": "float"}', '1.5', '0.1', '1e+20', '1000000000000000000000');
SELECT * FROM pg_temp.converted('{"type": "text"}', '{"type": "float"}', '1e308', '-0', '1.10', '01.5', '1');
SELECT * FROM pg_temp.converted('{"type": "text"}', '{"type": "float"}', '1e309', '1e-400', 'NaN', 'inf', '9007199254740993', '0.1');
SELECT * FROM pg_temp.converted('{"type": "text"}', '{"type": "boolean"}', 'true', 'false');
SELECT * FROM pg_temp.converted('{"type": "text"}', '{"type": "boolean"}', 'yes', 'f', '1', 'TRUE', 'true');
SELECT * FROM pg_temp.converted('{"type": "text"}', '{"type": "boolean"}', '', '2', 'maybe');
SELECT * FROM pg_temp.converted('{"type": "text"}', '{"type": "date"}', '2024-08-14', '2024-02-29');
SELECT * FROM pg_temp.converted('{"type": "text"}', '{"type": "date"}', 'tomorrow', '8/14/2024', '2023-02-29', '2024-08-14 10:10:00', 'infinity');
SELECT * FROM pg_temp.converted('{"type": "text"}', '{"type": "timestamp"}', '2024-08-14 10:10:00', '2024-08-14T10:10:00.5+02:00', '2024-08-14');
SELECT * FROM pg_temp.converted('{"type": "text"}', '{"type": "timestamp"}', 'now', '2024-08-14 10:10:00 Europe/Berlin', '1723630200');
SELECT * FROM pg_temp.converted('{"type": "text"}', '{"type": "uuid"}', '0a1b2c3d-0000-4000-8000-000000000000');
SELECT * FROM pg_temp.converted('{"type": "text"}', '{"type": "uuid"}', '0a1b2c3d', '');
SELECT * FROM pg_temp.converted('{"type": "text"}', '{"type": "json"}', '{"a": 1}', '"x"', '1');
SELECT * FROM pg_temp.converted('{"type": "text"}', '{"type": "json"}', '{a: 1}', '', '"\u0000"', '{"a": 1, "a": 2}');
SELECT * FROM pg_temp.converted('{"type": "text"}', '{"type": "enum", "values": ["a", "b"]}', 'a', 'c', 'A');
-- Fewer digits, fewer characters: nothing is rounded or cut.
SELECT * FROM pg_temp.converted('{"type": "decimal", "precision": 6, "scale": 3}', '{"type": "decimal", "precision": 6, "scale": 2}', '1.500', '-999.990');
SELECT * FROM pg_temp.converted('{"type": "decimal", "precision": 6, "scale": 3}', '{"type": "decimal", "precision": 6, "scale": 2}', '1.505', '2.000', '0.001');
SELECT * FROM pg_temp.converted('{"type": "decimal"}', '{"type": "decimal", "precision": 6, "scale": 2}', '9999.99', '10000', 'NaN');
SELECT * FROM pg_temp.converted('{"type": "decimal"}', '{"type": "float"}', '0.1', '9007199254740993');
SELECT * FROM pg_temp.converted('{"type": "decimal"}', '{"type": "integer"}', '1.0', '-0.0', '2147483647');
SELECT * FROM pg_temp.converted('{"type": "decimal"}', '{"type": "integer"}', '1.5', '2147483648', 'NaN');
SELECT * FROM pg_temp.converted('{"type": "text", "max_length": 10}', '{"type": "text", "max_length": 3}', 'abc', '', 'äöü');
SELECT * FROM pg_temp.converted('{"type": "text", "max_length": 10}', '{"type": "text", "max_length": 3}', 'abcd', 'abc ', 'ab');
-- Floating point: whole numbers only, and a double's own digits.
SELECT * FROM pg_temp.converted('{"type": "float"}', '{"type": "integer"}', '3', '-2147483648', '-0');
SELECT * FROM pg_temp.converted('{"type": "float"}', '{"type": "integer"}', '3.5', '1e10', 'NaN', '-Infinity');
SELECT * FROM pg_temp.converted('{"type": "float"}', '{"type": "bigint"}', '9007199254740993', '9223372036854775808');
SELECT * FROM pg_temp.converted('{"type": "float"}', '{"type": "decimal"}', '0.1', '0.30000000000000004', '1e-30');
SELECT * FROM pg_temp.converted('{"type": "float"}', '{"type": "text"}', '0.1', '0.30000000000000004', 'NaN');
SELECT * FROM pg_temp.converted('{"type": "bigint"}', '{"type": "integer"}', '2147483647', '2147483648');
SELECT * FROM pg_temp.converted('{"type": "bigint"}', '{"type": "float"}', '9007199254740992', '9007199254740993');
SELECT * FROM pg_temp.converted('{"type": "integer"}', '{"type": "boolean"}', '0', '1', '2');
-- A time of day would be lost.
SET LOCAL timezone = 'UTC';
SELECT * FROM pg_temp.converted('{"type": "timestamp"}', '{"type": "date"}', '2024-08-14 00:00:00+00', 'infinity');
SELECT * FROM pg_temp.converted('{"type": "timestamp"}', '{"type": "date"}', '2024-08-14 10:10:00+00', '2024-08-14 00:00:00+02');
-- Lists.
SELECT * FROM pg_temp.converted('{"type": "text", "max_length": 3, "list": true}', '{"type": "text", "max_length": 2, "list": true}', '{abc}');
SELECT * FROM pg_temp.converted('{"type": "text"}', '{"type": "text", "list": true}', 'a');

-- In one table: all fields' problems come together.
SELECT kepler.create_entry_table('Legacy', '{"fields": [{"name": "amount", "type": "text"}, {"name": "due", "type": "text"}]}') AS legacy \gset
INSERT INTO :legacy (amount, due) SELECT CASE WHEN i % 3 = 0 THEN 'n/a' ELSE i::text END, CASE WHEN i = 7 THEN 'soon' ELSE '2024-01-01' END FROM generate_series(1, 30) AS i;
SELECT kepler.alter_entry_table('Legacy', '{"fields": [{"name": "amount", "type": "integer"}, {"name": "due", "type": "date"}]}', allow => '{convert}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT count(*), count(amount) AS amounts, count(DISTINCT amount) AS different FROM :legacy;
UPDATE :legacy SET amount = NULL WHERE amount = 'n/a';
DELETE FROM :legacy WHERE due = 'soon';
SELECT kepler.alter_entry_table('Legacy', '{"fields": [{"name": "amount", "type": "integer"}, {"name": "due", "type": "date"}]}', allow => '{convert}');
SELECT sum(amount), min(due) FROM :legacy;
ROLLBACK;
