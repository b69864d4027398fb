-- One rule for reading a value: where a field of text becomes one of another type, a text is taken if and only if insert_entries
-- takes the same text for a field of that type, and both store the same. A spelling that would not come back is in the way.
\set SHOW_CONTEXT never
BEGIN;
SET LOCAL client_min_messages = warning;
CREATE TEMP TABLE given (i int GENERATED ALWAYS AS IDENTITY, value text);
INSERT INTO given (value) SELECT unnest(ARRAY[
    '0', '-0', '+0', '00', '1', '-1', '+1', ' 1', '1 ', E'1\n', E'\t1', '01', '01234', '-01', '1234', '1.0', '1.', '.5', '0.5', '-0.5', '-0.0', '1.50', '1.5', '12.345',
    '0.10', '1e3', '1E3', '1e+3', '1e+20', '100000000000000000000', '1e-07', '1.5e-07', '0.00000015', '1e40000', '1e-40000', '1_000', '0x10', '0b1', '0o7', '1,000', '1 000',
    '2147483647', '2147483648', '-2147483648', '-2147483649', '9223372036854775807', '9223372036854775808', '9007199254740993', '0.1234567890123456789', '9999.99', '10000',
    '٣', '１', '−1', 'NaN', 'Infinity', 'inf', '', ' ', 'null', 'NULL', 'true', 'false', 'TRUE', 't', 'f', 'yes', 'no', 'on', 'off', 'T', '"1"', '[]', '{}', '{"a": 1.0}', '{"a": 1e3}', '[1,', '{a}',
    '2024-02-29', '2023-02-29', '2024-2-9', '20240229', '0000-01-01', '0001-01-01', '9999-12-31', '10000-01-01', '2024-01-01 BC', '29.02.2024', '02/03/2024', 'today', 'epoch', 'infinity', ' 2024-02-29',
    '12:30', '12:30:00', '12:30:59', '12:30:60', '24:00', '24:00:00', '23:59:59.999999', '12:30:00.5', '12:30:00.1234567', '1:30', '12:30 PM', '12:30Z', 'noon',
    '2024-02-29T12:30:00Z', '2024-02-29 12:30:00', '2024-02-29T12:30', '2024-02-29 12:30:00+02', '2024-02-29 12:30:00+02:00', '2024-02-29T12:30:60Z', '2024-02-29T24:00:00Z', '2024-02-29T12:30:00.123456Z',
    '2024-02-29T12:30:00 Z', '2024-02-29T12:30:00 UTC', '2024-02-29T12:30:00z', '1709209800', 'now',
    'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', '{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}', 'a0eebc999c0b4ef8bb6d6bb9bd380a11', 'a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11']);
CREATE TEMP TABLE targets (name text, field jsonb, literal boolean);
INSERT INTO targets VALUES
    ('integer', '{"type": "integer"}', false), ('bigint', '{"type": "bigint"}', false), ('decimal', '{"type": "decimal"}', false),
    ('decimal(6,2)', '{"type": "decimal", "precision": 6, "scale": 2}', false), ('date', '{"type": "date"}', false), ('time', '{"type": "time"}', false),
    ('timestamp', '{"type": "timestamp"}', false), ('uuid', '{"type": "uuid"}', false), ('text(5)', '{"type": "text", "max_length": 5}', false),
    -- Of these insert_entries takes no string: the text is the value as JSON.
    ('float', '{"type": "float"}', true), ('boolean', '{"type": "boolean"}', true), ('json', '{"type": "json"}', true);
CREATE TEMP TABLE read (name text, i int, inserted text, converted text);
SET LOCAL timezone = 'UTC';
SET LOCAL datestyle = 'ISO, YMD';
DO $$
DECLARE
    target record;
    other regclass;
    own regclass;
    stopped text;
BEGIN
    FOR target IN SELECT t.name, json_build_object('fields', jsonb_build_array(t.field || '{"name": "v"}'))::text AS document, t.literal FROM targets AS t LOOP
        own := kepler.create_entry_table(target.name || ' inserted', target.document);
        PERFORM kepler.insert_entries(target.name || ' inserted', (
            SELECT '[' || string_agg(format('{"entry_id": %s, "v": %s}', g.i, CASE WHEN target.literal THEN g.value ELSE to_json(g.value)::text END), ',') || ']'
            FROM given AS g WHERE NOT target.literal OR (g.value IS JSON AND g.value <> 'null')), 'skip');
        other := kepler.create_entry_table(target.name || ' converted', '{"fields": [{"name": "v", "type": "text"}]}');
        EXECUTE format('INSERT INTO %s (entry_id, v) SELECT i, value FROM given', other);
        -- Some of those that are in the way are named: they go, until it is done.
        LOOP
            BEGIN
                PERFORM kepler.alter_entry_table(target.name || ' converted', target.document, allow => '{convert}');
                EXIT;
            EXCEPTION WHEN check_violation THEN
                GET STACKED DIAGNOSTICS stopped = PG_EXCEPTION_DETAIL;
                EXECUTE format('DELETE FROM %s WHERE entry_id = ANY (%L)', other,
                    string_to_array(substring(stopped FROM 'keys ([0-9, ]*[0-9])'), ', ')::bigint[]);
            END;
        END LOOP;
        EXECUTE format('INSERT INTO pg_temp.read SELECT %L, g.i, o.v::text, t.v::text
            FROM pg_temp.given AS g LEFT JOIN %s AS o ON o.entry_id = g.i LEFT JOIN %s AS t ON t.entry_id = g.i', target.name, own, other);
    END LOOP;
END $$;

-- Where they differ: nowhere.
SELECT r.name, g.value, r.inserted, r.converted FROM read AS r JOIN given AS g USING (i) JOIN targets AS t USING (name)
WHERE r.inserted IS DISTINCT FROM r.converted
    -- What is a number in JSON may be written in more ways, and a moment may be sent in more.
    AND NOT (r.converted IS NULL AND (r.name = 'float' AND g.value IS DISTINCT FROM r.inserted OR r.name = 'timestamp'))
    -- In an entry null is NULL, for a field of any type.
    AND g.value <> 'null'
ORDER BY r.name, r.i;
-- What is taken. A time gets its seconds, a decimal the zeros of its scale, a UUID small digits; a moment is one moment in every zone.
\pset format unaligned
SELECT r.name, string_agg(to_json(g.value) || CASE WHEN r.converted = g.value THEN '' ELSE ' -> ' || r.converted END, ', ' ORDER BY r.i) AS taken
FROM read AS r JOIN given AS g USING (i) WHERE r.converted IS NOT NULL GROUP BY r.name ORDER BY r.name;
ROLLBACK;
