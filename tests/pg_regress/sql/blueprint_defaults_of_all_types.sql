-- Whatever default, bound or condition Postgres takes for a type is what the catalog has afterwards: the next plan is empty, in
-- every session. Literals that a type reads in another spelling, rounds, or does not read at all, for every type.
\set SHOW_CONTEXT never
BEGIN;
SET LOCAL client_min_messages = warning;
CREATE TEMP TABLE types ON COMMIT DROP AS
SELECT row_number() OVER () - 1 AS at, t.*, t.sql_type !~ '^(smallint|integer|bigint|oid|numeric|real|double|money|boolean)' OR t.sql_type LIKE 'numrange%' AS is_text FROM (VALUES
    ('text', '"type":"text"'), ('varchar(5)', '"type":"text","max_length":5'), ('varchar', '"type":"varchar"'), ('char(4)', '"type":"char","length":4'),
    ('smallint', '"type":"smallint"'), ('integer', '"type":"integer"'), ('bigint', '"type":"bigint"'), ('oid', '"type":"oid"'),
    ('numeric', '"type":"decimal"'), ('numeric(6,2)', '"type":"decimal","precision":6,"scale":2'), ('real', '"type":"real"'), ('double precision', '"type":"float"'),
    ('money', '"type":"money"'), ('boolean', '"type":"boolean"'), ('date', '"type":"date"'), ('time', '"type":"time"'), ('time(1)', '"type":"time","precision":1'),
    ('time with time zone', '"type":"time","zone":true'), ('time(2) with time zone', '"type":"time","zone":true,"precision":2'),
    ('timestamp with time zone', '"type":"timestamp"'), ('timestamp(0) with time zone', '"type":"timestamp","precision":0'), ('timestamp', '"type":"timestamp","zone":false'),
    ('timestamp(3)', '"type":"timestamp","zone":false,"precision":3'), ('interval', '"type":"native","sql_type":"interval"'), ('interval(1)', '"type":"native","sql_type":"interval(1)"'),
    ('uuid', '"type":"uuid"'), ('jsonb', '"type":"json"'), ('json', '"type":"json","binary":false'), ('bytea', '"type":"bytes"'), ('inet', '"type":"inet"'), ('cidr', '"type":"cidr"'),
    ('macaddr', '"type":"native","sql_type":"macaddr"'), ('macaddr8', '"type":"native","sql_type":"macaddr8"'), ('bit(3)', '"type":"bit","length":3'), ('bit varying(5)', '"type":"varbit","length":5'),
    ('int4range', '"type":"native","sql_type":"int4range"'), ('numrange', '"type":"native","sql_type":"numrange"'), ('daterange', '"type":"native","sql_type":"daterange"'),
    ('tsrange', '"type":"native","sql_type":"tsrange"'), ('tstzrange', '"type":"native","sql_type":"tstzrange"'), ('int8multirange', '"type":"native","sql_type":"int8multirange"'),
    ('tsvector', '"type":"native","sql_type":"tsvector"'), ('tsquery', '"type":"native","sql_type":"tsquery"'), ('point', '"type":"native","sql_type":"point"'),
    ('box', '"type":"native","sql_type":"box"'), ('circle', '"type":"native","sql_type":"circle"'), ('pg_lsn', '"type":"native","sql_type":"pg_lsn"'), ('name', '"type":"native","sql_type":"name"'),
    ('jsonpath', '"type":"native","sql_type":"jsonpath"'),
    ('integer[]', '"type":"integer","list":true'), ('real[]', '"type":"real","list":true'), ('money[]', '"type":"money","list":true'), ('text[]', '"type":"text","list":true'),
    ('varchar(5)[]', '"type":"text","max_length":5,"list":true'), ('jsonb[]', '"type":"json","list":true'), ('time with time zone[]', '"type":"time","zone":true,"list":true'),
    ('interval[]', '"type":"native","sql_type":"interval","list":true'), ('cidr[]', '"type":"cidr","list":true'), ('bytea[]', '"type":"bytes","list":true')
) AS t (sql_type, keys);
CREATE TEMP TABLE literals ON COMMIT DROP AS
SELECT unnest(ARRAY['', ' ', 'abc', 'abc  ', 'it''s', 'a\b', E'tab\t', 'é', 'B', '0', '1', '-1', '007', '+5', '1.50', '.5', '-0', '-0.0', '1e3', '3e10', '3e38', '1e-7', '16777217', '123456789.123456789',
    '0.1', '99999', '32768', '4294967295', 'NaN', '-Infinity', 't', 'off', 'yes', '2024-02-29', 'Feb 29 2024', '2024-02-29 12:30', '2024-02-29T12:30:00Z', '2024-02-29 12:30:00.1234567+05:30',
    '2024-02-29 12:30 PST', '29.02.2024', 'epoch', 'infinity', '23:59', '23:59-08', '23:59:00.999', '24:00', 'allballs', '1 day 24 hours', 'P1Y2M3DT4H', '1-2', '1.5 months', '-1:30', '3', '10/8', '10.0.0.1/32',
    '10.0.0.1/8', '::FFFF:1', '08002B010203', '08-00-2b-01-02-03', '101', '10', 'x5', '\x', '\xDEad', '\000', '{}', '{1,2}', '{ 1 , NULL }', '{"23:59","1:2"}', '{10/8}', '{1.5,2e3}', '{"\\x00"}', '{"a": 1, "a": 2}', '{"b":1.0,"aa":[]}', '[1, 2]', 'null',
    '"x"', '1E2', '[1,5]', '(1,5)', '[3,3)', 'empty', '{[1,3),[2,5]}', '[2024-01-01,2024-02-01]', '[1.0,2.50)', 'b a', 'a:1A b:2', 'a & (b|!c)', '1,2', '(1,2)', '((3,4),(1,2))', '<(1,2),3>', '$1,234.50', '-$1', '$.a[*] ? (@ > 1)', '<a/>', 'A0EEBC999C0B4EF8BB6D6BB9BD380A11',
    '{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}', '16/b374d848', 'Infinity']) AS literal;
-- What the type itself does not read is tried elsewhere.
CREATE FUNCTION pg_temp.reads(literal text, sql_type text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('SELECT %L::%s', literal, sql_type);
    RETURN true;
EXCEPTION WHEN data_exception OR syntax_error THEN RETURN false;
END
$$;
CREATE TEMP TABLE readable ON COMMIT DROP AS
SELECT l.literal, t.at, l.at AS literal_at, pg_temp.reads(l.literal, t.sql_type) AS whole, pg_temp.reads(l.literal, replace(t.sql_type, '[]', '')) AS element
FROM (SELECT literal, row_number() OVER () - 1 AS at FROM literals) AS l, types AS t
-- Types that read nearly everything read a part of it.
WHERE l.at % 6 = 0 OR t.sql_type !~ '^(text|varchar|char|name|bytea|json)';
-- Each as a value of JSON, as a literal of SQL with and without its type, and as a number.
CREATE TEMP TABLE wishes ON COMMIT DROP AS
SELECT t.at AS table_at, row_number() OVER (PARTITION BY t.at) - 1 AS field_at, t.sql_type, t.keys, w.said, l.literal, w.is_literal
FROM types AS t JOIN readable AS l USING (at), LATERAL (VALUES
    (CASE WHEN l.element AND t.is_text THEN format('"default":%s', CASE WHEN t.sql_type LIKE '%[]' THEN json_build_array(l.literal)::text ELSE to_json(l.literal)::text END) END, true),
    (CASE WHEN l.whole THEN format('"default_sql":%s', to_json(quote_literal(l.literal))) END, true),
    (CASE WHEN l.whole THEN format('"default_sql":%s', to_json(format('%L::%s', l.literal, t.sql_type))) END, true),
    (CASE WHEN l.element AND NOT t.is_text AND l.literal ~ CASE WHEN t.sql_type ~ '^(smallint|integer|bigint|oid)' THEN '^-?(0|[1-9][0-9]*)$' ELSE '^-?(0|[1-9][0-9]*)([.][0-9]+)?([eE]-?[0-9]+)?$' END THEN format('"default":%s', CASE WHEN t.sql_type LIKE '%[]' THEN format('[%s]', l.literal) ELSE l.literal END) END, true),
    (CASE WHEN l.element AND l.literal ~ '^-?[0-9.]+([eE]-?[0-9]+)?$' THEN format('"default_sql":%s', to_json(CASE WHEN t.sql_type LIKE '%[]' THEN format('ARRAY[%s]::%s', l.literal, t.sql_type) ELSE l.literal END)) END, false),
    (CASE WHEN l.element AND t.sql_type LIKE '%[]' THEN format('"default_sql":%s', to_json(format('ARRAY[%L]::%s', l.literal, t.sql_type))) END, false)
) AS w (said, is_literal)
WHERE w.said IS NOT NULL;
-- Each is also the value of a check, and of the condition of an index.
CREATE FUNCTION pg_temp.document(without text[] DEFAULT '{}') RETURNS text LANGUAGE sql AS $$
SELECT format('{"blueprint": "every", "tables": [%s]}', string_agg(d.table_text, ',' ORDER BY d.at)) FROM (
    SELECT t.at, format('{"name": "t%s", "key": {"name": "id", "type": "bigint"}, "fields": [%s], "checks": [%s], "indexes": [%s]}', t.at,
        (SELECT string_agg(format('{"name":"f%s",%s%s}', w.field_at, w.keys,
            CASE WHEN format('/tables/%s/fields/%s', t.at, w.field_at) = ANY (without) THEN '' ELSE ',' || w.said END), ',' ORDER BY w.field_at)
         FROM wishes AS w WHERE w.table_at = t.at),
        (SELECT coalesce(string_agg(format('{"field":"f0","op":"<>","value":%s,"name":"c%s"}', CASE WHEN t.is_text THEN to_json(l.literal)::text ELSE l.literal END, l.literal_at), ',' ORDER BY l.literal_at), '')
         FROM readable AS l WHERE l.at = t.at AND l.whole AND t.sql_type !~ '^(json|point|box|circle)|\[\]$' AND (t.is_text OR l.literal ~ '^-?(0|[1-9][0-9]*)([.][0-9]+)?([eE]-?[0-9]+)?$')
             AND NOT format('/tables/%s/checks/c%s', t.at, l.literal_at) = ANY (without)),
        (SELECT coalesce(string_agg(format('{"fields":["id"],"where_sql":%s,"name":"t%s_i%s"}', to_json(format('f0 <> %L::%s', l.literal, t.sql_type)), t.at, l.literal_at), ',' ORDER BY l.literal_at), '')
         FROM readable AS l WHERE l.at = t.at AND l.whole AND l.literal_at % 2 = 0 AND NOT format('/tables/%s/indexes/i%s', t.at, l.literal_at) = ANY (without))) AS table_text
    FROM types AS t) AS d
$$;
-- Takes out what is refused, by its place: all of it is told at once.
CREATE FUNCTION pg_temp.refused(without text[]) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE document json := pg_temp.document(without); lines text; found text[];
BEGIN
    PERFORM FROM kepler.plan_blueprint(document, '{"trusted": true}') AS p WHERE p.class = 'refused' LIMIT 1;
    RETURN NULL;
EXCEPTION WHEN invalid_parameter_value THEN
    GET STACKED DIAGNOSTICS lines = PG_EXCEPTION_DETAIL;
    SELECT array_agg(DISTINCT CASE m[2]
        WHEN 'fields' THEN format('/tables/%s/fields/%s', m[1], m[3])
        WHEN 'checks' THEN format('/tables/%s/checks/%s', m[1], document #>> ARRAY['tables', m[1], 'checks', m[3], 'name'])
        WHEN 'indexes' THEN format('/tables/%s/indexes/%s', m[1], split_part(document #>> ARRAY['tables', m[1], 'indexes', m[3], 'name'], '_', 2)) END)
    INTO found FROM regexp_matches(lines, '^/tables/(\d+)/(fields|checks|indexes)/(\d+)', 'gn') AS m;
    RETURN found;
END
$$;
-- At most a hundred places are shown at once.
CREATE TEMP TABLE without (places text[] NOT NULL) ON COMMIT DROP;
INSERT INTO without VALUES ('{}');
DO $$ DECLARE found text[]; BEGIN
    FOR round IN 1..30 LOOP
        SELECT pg_temp.refused(places) INTO found FROM without;
        EXIT WHEN found IS NULL;
        UPDATE without SET places = places || found;
    END LOOP;
END $$;
CREATE TEMP TABLE documents ON COMMIT DROP AS SELECT pg_temp.document(places) AS document FROM without;
-- SQL of types that the list of what documents may say does not have (ranges, say) is the owner's to let through.
SELECT outcome FROM documents, kepler.apply_blueprint(document, options => '{"trusted": true}');
SELECT operation, object, statement FROM documents, kepler.plan_blueprint(document, '{"trusted": true}') LIMIT 20;
SELECT object_type, object, expected, actual FROM kepler.blueprint_drift('every') WHERE kind <> 'coverage';
-- A type without a default that is read is none that was tried.
SELECT t.sql_type FROM types AS t, without AS r WHERE NOT EXISTS (
    SELECT FROM wishes AS w WHERE w.table_at = t.at AND w.is_literal AND NOT format('/tables/%s/fields/%s', w.table_at, w.field_at) = ANY (r.places));

-- The same for a session that reads and prints otherwise: it plans nothing, and what it makes means the same.
SET LOCAL timezone = 'Asia/Kolkata';
SET LOCAL datestyle = 'German, DMY';
SET LOCAL intervalstyle = 'sql_standard';
SET LOCAL extra_float_digits = -3;
SET LOCAL bytea_output = 'escape';
SET LOCAL xmloption = 'document';
SET LOCAL array_nulls = off;
SET LOCAL quote_all_identifiers = on;
SET LOCAL escape_string_warning = off;
SET LOCAL standard_conforming_strings = off;
SET LOCAL search_path = every, public;
SELECT operation, object, statement FROM documents, kepler.plan_blueprint(document, '{"trusted": true}') LIMIT 20;
SELECT outcome FROM documents, kepler.apply_blueprint(replace(document, '"blueprint": "every"', '"blueprint": "other"'), options => '{"trusted": true}');
RESET ALL;
CREATE TEMP VIEW made AS
SELECT c.relnamespace::regnamespace::text AS schema, c.relname, a.attname AS name, pg_get_expr(d.adbin, d.adrelid) AS expression
FROM pg_attrdef AS d JOIN pg_attribute AS a ON a.attrelid = d.adrelid AND a.attnum = d.adnum JOIN pg_class AS c ON c.oid = d.adrelid
UNION ALL
SELECT c.relnamespace::regnamespace::text, c.relname, r.conname, pg_get_expr(r.conbin, r.conrelid)
FROM pg_constraint AS r JOIN pg_class AS c ON c.oid = r.conrelid WHERE r.contype = 'c'
UNION ALL
SELECT c.relnamespace::regnamespace::text, c.relname, i.indexrelid::regclass::text, pg_get_expr(i.indpred, i.indrelid)
FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indrelid WHERE i.indpred IS NOT NULL;
SELECT a.relname, a.name, a.expression, b.expression AS other FROM made AS a FULL JOIN made AS b
    ON b.schema = 'other' AND b.relname = a.relname AND split_part(b.name, '.', -1) = split_part(a.name, '.', -1)
WHERE a.schema = 'every' AND a.expression IS DISTINCT FROM b.expression LIMIT 20;
SELECT count(*) > 1000 AS many FROM made WHERE schema = 'every';
ROLLBACK;
