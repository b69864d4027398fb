-- Kepler decodes the text of a document itself. What it stores is, to the byte, what Postgres' own jsonb
-- input makes of the same text; and it takes what Postgres takes, and refuses what Postgres refuses.
BEGIN;
SELECT setseed(0.42);

CREATE FUNCTION pg_temp.one_of(VARIADIC choices text[]) RETURNS text LANGUAGE sql AS $$
    SELECT choices[1 + floor(random() * cardinality(choices))::int]
$$;
CREATE FUNCTION pg_temp.random_space() RETURNS text LANGUAGE sql AS $$
    SELECT CASE WHEN random() < 0.8 THEN '' ELSE pg_temp.one_of(' ', E'\n', E'\t', E' \r\n ') END
$$;
CREATE FUNCTION pg_temp.random_digits(most integer) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(floor(random() * 10)::text, '') FROM generate_series(1, 1 + floor(random() * most)::int)
$$;
CREATE FUNCTION pg_temp.random_number() RETURNS text LANGUAGE sql AS $$
    SELECT pg_temp.one_of('', '', '-')
        || pg_temp.one_of('0', '1', '9999', '10000', '100000000', '1' || pg_temp.random_digits(3), '7' || pg_temp.random_digits(40))
        || pg_temp.one_of('', '', '', '.0', '.0001', '.00010', '.6789', '.' || pg_temp.random_digits(30))
        || pg_temp.one_of('', '', '', 'e' || pg_temp.one_of('', '+', '-') || floor(random() * 300), 'E00', 'e-5', 'e4', 'e+16')
$$;
CREATE FUNCTION pg_temp.random_string() RETURNS text LANGUAGE sql AS $$
    SELECT '"' || coalesce((
        SELECT string_agg(pg_temp.one_of('a', 'b', 'k', 'ü', '€', '😀', '\"', '\\', '\/', '\b', '\n', '\u00e9', '\u20AC', '\ud83d\ude00', '\u0001',
            chr(127), translate(chr(32 + floor(random() * 90)::int + CASE WHEN random() < 0.5 THEN 200 ELSE 0 END), '"\', 'qb')), '')
        FROM generate_series(1, floor(random() * CASE WHEN random() < 0.05 THEN 400 ELSE 6 END)::int)), '') || '"'
$$;
CREATE FUNCTION pg_temp.random_value(depth integer) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    kind double precision := random();
    size integer := floor(random() * CASE WHEN random() < 0.05 THEN 80 ELSE 5 END);
    parts text[] := '{}';
BEGIN
    IF depth <= 0 OR kind < 0.5 THEN
        RETURN CASE floor(random() * 5)
            WHEN 0 THEN pg_temp.one_of('true', 'false', 'null')
            WHEN 1 THEN pg_temp.random_string()
            WHEN 2 THEN pg_temp.random_string()
            ELSE pg_temp.random_number() END;
    END IF;
    FOR i IN 1..size LOOP
        parts := parts || (pg_temp.random_space()
            || CASE WHEN kind < 0.75 THEN '' ELSE pg_temp.random_string() || pg_temp.random_space() || ':' || pg_temp.random_space() END
            || pg_temp.random_value(depth - 1) || pg_temp.random_space());
    END LOOP;
    RETURN CASE WHEN kind < 0.75 THEN '[' || array_to_string(parts, ',') || ']' ELSE '{' || array_to_string(parts, ',') || '}' END;
END
$$;
CREATE TEMP TABLE documents AS
SELECT i AS id, format('{%s"v"%s:%s%s}', pg_temp.random_space(), pg_temp.random_space(),
    CASE WHEN i % 20 = 0 THEN pg_temp.random_value(7) ELSE pg_temp.random_value(3) END, pg_temp.random_space()) AS text
FROM generate_series(1, 4000) AS i;
SELECT count(*) FILTER (WHERE NOT pg_input_is_valid(text, 'jsonb')) AS invalid FROM documents;

-- As envelopes in one batch.
SELECT s->'inserted' AS inserted
FROM kepler.upsert_records_summary('random', (
    SELECT '[' || string_agg(format('{"external_id": %s, "data":%s}', id, text), ',') || ']' FROM documents)) AS s;
SELECT count(*) AS compared, count(*) FILTER (WHERE NOT record_image_eq(ROW(r.data), ROW(d.text::jsonb))) AS different
FROM kepler.records AS r JOIN documents AS d ON d.id = r.external_id::int
WHERE r.entity_type = 'random';
-- Sent again as Postgres writes them, none has changed; the hash depends on the content only.
SELECT s->'unchanged' = s->'total' AS all_unchanged FROM kepler.upsert_records_summary('random', (
    SELECT jsonb_agg(jsonb_build_object('external_id', id, 'data', text::jsonb)) FROM documents)) AS s;

-- Merged, they are what Postgres' || makes of them.
SELECT count(*) FILTER (WHERE u.outcome <> 'updated') AS others FROM kepler.upsert_records('random', (
    SELECT '[' || string_agg(format('{"external_id": %s, "data":%s}', id, replace(text, '"v"', '"w"')), ',') || ']' FROM documents), merge => 'shallow') AS u;
SELECT count(*) AS compared,
    count(*) FILTER (WHERE NOT record_image_eq(ROW(r.data), ROW(d.text::jsonb || replace(d.text, '"v"', '"w"')::jsonb))) AS different
FROM kepler.records AS r JOIN documents AS d ON d.id = r.external_id::int
WHERE r.entity_type = 'random';

-- Documents with a character taken out, put in or changed: Kepler rejects exactly those that Postgres
-- refuses, and stores the same for the rest.
CREATE TEMP TABLE damaged AS
SELECT row_number() OVER () AS id, damage.text FROM documents AS d,
    LATERAL (SELECT 1 + floor(random() * length(d.text))::int + d.id * 0) AS p (place),
    LATERAL (
        SELECT overlay(d.text PLACING pg_temp.one_of('', '', ' ', '"', '\', '{', '}', '[', ']', ',', ':', '0', '-', '.', 'e', 'u', 'x', E'\x01', '\u0000', '\ud800')
            FROM place FOR floor(random() * 2)::int) AS text) AS damage
WHERE length(d.text) < 300;
SELECT count(*) FILTER (WHERE valid) > 500 AS many_valid, count(*) FILTER (WHERE NOT valid) > 500 AS many_invalid,
    count(*) FILTER (WHERE valid <> (u.outcome <> 'rejected')) AS disagreements
FROM damaged AS d, LATERAL (SELECT pg_input_is_valid(d.text, 'jsonb') AS valid) AS v,
    kepler.upsert_record('damaged', d.id::text, d.text) AS u;
SELECT count(*) FILTER (WHERE NOT record_image_eq(ROW(r.data), ROW(d.text::jsonb))) AS different
FROM kepler.records AS r JOIN damaged AS d ON d.id = r.external_id::int
WHERE r.entity_type = 'damaged';

-- Numbers at the edges of numeric's forms.
CREATE TEMP TABLE numbers AS
SELECT row_number() OVER () AS id, sign || n AS text
FROM unnest(ARRAY['0', '0.0', '0.' || repeat('0', 63), '0.' || repeat('0', 64), '0e5', '0e-70', '9999', '10000', '99999999', '100000000', '1e252', '1e255', '1e256', '1e260',
    '1e-63', '1e-64', '1e-252', '1e-256', '1e-257', '1e-16383', '1e131071', '9.99e131071', '1.' || repeat('0', 63), '1.' || repeat('0', 64), '1.' || repeat('1', 16383),
    repeat('9', 131072), '1234.5678', '0.00001234', '1200e-2', '1.0e2', '12e3', '1e+0', '1E-0', '1.10e1', '5e-1', '50000e-5', '123e-3', '1.5e-4', '100e-1000', '1e0000005']) AS n,
    unnest(ARRAY['', '-']) AS sign;
SELECT kepler.upsert_records_summary('numbers', '[' || string_agg(format('{"external_id": %s, "data": {"n":%s}}', id, text), ',') || ']')
    ->'inserted' = to_jsonb(count(*)) AS all_inserted FROM numbers;
SELECT count(*) AS numbers, count(*) FILTER (WHERE NOT record_image_eq(ROW(r.data), ROW(format('{"n":%s}', n.text)::jsonb))) AS different
FROM kepler.records AS r JOIN numbers AS n ON n.id = r.external_id::int WHERE r.entity_type = 'numbers';

-- White space is blank, tab, line feed and carriage return, and nothing else.
SELECT s.code, u.outcome, pg_input_is_valid(chr(s.code) || '{}', 'jsonb') AS valid
FROM unnest(ARRAY[9, 10, 11, 12, 13, 32, 133, 160, 65279]) AS s (code),
    kepler.upsert_record('space', s.code::text, chr(s.code) || '{}' || chr(s.code)) AS u;

-- Sizes at the edges of jsonb's form: every 32nd child holds an offset instead of a length.
CREATE TEMP TABLE sizes AS
SELECT size, d.text FROM generate_series(0, 140) AS size,
    LATERAL (SELECT format('{"a": [%s], "o": {%s}, "s": [%s]}',
        string_agg(CASE WHEN i % 3 = 0 THEN i::text WHEN i % 3 = 1 THEN '"x"' ELSE 'null' END, ','),
        string_agg(format('"%s": %s', i, i), ','),
        string_agg(format('"%s"', repeat('y', i)), ',')) AS text FROM generate_series(1, size) AS i) AS d;
SELECT count(*) FILTER (WHERE u.outcome = 'inserted') AS inserted
FROM sizes, kepler.upsert_record('sizes', size::text, sizes.text) AS u;
SELECT count(*) AS sizes, count(*) FILTER (WHERE NOT record_image_eq(ROW(r.data), ROW(s.text::jsonb))) AS different
FROM sizes AS s JOIN kepler.records AS r ON r.entity_type = 'sizes' AND r.external_id = s.size::text;
ROLLBACK;
