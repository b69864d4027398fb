-- An expression that a document brings becomes SQL that means the same under every search path. It compares as equal to what
-- Postgres prints of it, and of what was written itself; different expressions compare as different.
\set SHOW_CONTEXT never
\set VERBOSITY terse
BEGIN;
SET LOCAL client_min_messages = warning;
SET LOCAL search_path = public;
CREATE SCHEMA shop;
CREATE TYPE shop.status AS ENUM ('draft', 'sent', 'it''s');

CREATE TABLE expressions (place text, type text, expression text);

-- Defaults, each of a column of its type.
INSERT INTO expressions SELECT 'default', type, expression FROM (VALUES
    ('text', $$'a'$$), ('text', $$'it''s'$$), ('text', $$''$$), ('text', $$'a\b'$$), ('text', $$'a'::text$$), ('varchar(10)', $$'b'$$),
    ('varchar(10)', $$'c'::character varying$$), ('varchar(10)', $$CAST('d' AS varchar(10))$$), ('char(3)', $$'abc'$$), ('text', $$lower('A')$$),
    ('text', $$md5(random()::text)$$), ('text', $$gen_random_uuid()$$), ('text', $$(gen_random_uuid())::text || 'x'$$), ('text', $$upper('a' || 'b')$$),
    ('text', $$concat('a', 'b')$$), ('text', $$'x' || gen_random_uuid()$$), ('text', $$to_char(now(), 'YYYY')$$), ('text', $$current_user$$),
    ('text', $$CURRENT_DATE::text$$), ('text', $$NULL$$), ('text', $$replace(gen_random_uuid()::text, '-', '')$$),
    ('text', $$substring(md5('x') , 1, 8)$$), ('text', $$left('abc', 2)$$), ('text', $$kepler.cuid()$$), ('text', $$encode('\x00'::bytea, 'hex')$$),
    ('text', $$'x' COLLATE "C"$$), ('text', $$lpad('1', 3, '0')$$),
    ('integer', $$1$$), ('integer', $$-1$$), ('integer', $$+2$$), ('integer', $$'3'$$), ('integer', $$4::integer$$), ('integer', $$-5::int$$), ('integer', $$1 + 1$$),
    ('integer', $$2 * (3 + 4)$$), ('integer', $$2 * 3 + 4$$), ('integer', $$2 ^ 3$$), ('integer', $$10 / 3 % 2$$), ('integer', $$10 - 3 - 2$$), ('integer', $$10 - (3 - 2)$$),
    ('integer', $$extract(year from now())$$), ('integer', $$floor(random() * 100)$$), ('integer', $$greatest(1, 2)$$), ('integer', $$least(1, 2)$$), ('integer', $$length('abc')$$),
    ('bigint', $$5000000000$$), ('bigint', $$-5000000000$$), ('smallint', $$6$$), ('numeric(10,2)', $$0.50$$), ('numeric(10,2)', $$-1.5$$), ('numeric', $$.25$$), ('numeric', $$1e3$$),
    ('numeric(10,2)', $$'7.00'::numeric(10,2)$$), ('double precision', $$0.75$$), ('double precision', $$'1e300'::float8$$), ('real', $$2.5$$),
    ('boolean', $$true$$), ('boolean', $$FALSE$$), ('boolean', $$NOT true$$), ('boolean', $$1 = 2$$), ('boolean', $$'a' LIKE 'b%'$$),
    ('timestamp', $$now()$$), ('timestamp(3)', $$CURRENT_TIMESTAMP(3)$$), ('timestamp', $$LOCALTIMESTAMP$$), ('timestamp', $$localtimestamp(0)$$),
    ('timestamp', $$'2020-01-02'$$), ('timestamp', $$timestamp '2020-01-02 03:04:05'$$), ('timestamp', $$now() AT TIME ZONE 'utc'$$), ('timestamp', $$(now() + interval '1 day') AT TIME ZONE 'Europe/Zurich'$$),
    ('timestamp', $$timezone('gmt', now())$$), ('timestamp', $$date_trunc('day', now())$$), ('timestamptz', $$clock_timestamp()$$), ('timestamptz', $$now() + interval '1 day'$$),
    ('timestamptz', $$now() + '2 days'::interval$$), ('timestamptz', $$now() + '3 days'$$), ('timestamptz', $$now() - interval '36 hours'$$), ('timestamptz', $$now() + interval '1 week'$$),
    ('timestamptz', $$now() + interval '1 year 2 months 3 days 04:05:06.7'$$), ('timestamptz', $$'2021-05-06 07:08:09+00'$$), ('timestamptz', $$statement_timestamp()$$),
    ('date', $$CURRENT_DATE$$), ('date', $$(now())::date$$), ('date', $$CURRENT_DATE + 7$$), ('date', $$'2022-03-04'$$), ('date', $$date '2022-03-05'$$),
    ('time', $$LOCALTIME$$), ('time', $$'10:30'$$), ('interval', $$'1 hour'$$), ('interval', $$interval '90 minutes'$$), ('interval', $$'00:00:01'$$),
    ('uuid', $$'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'$$), ('uuid', $$'00000000-0000-0000-0000-000000000000'::uuid$$),
    ('jsonb', $$'{}'$$), ('jsonb', $$'[]'::jsonb$$), ('jsonb', $$'{"b":1,"a":[true,null]}'$$), ('jsonb', $$jsonb_build_object()$$), ('jsonb', $$jsonb_build_object('a', 1)$$), ('jsonb', $$jsonb_build_array(1, 'x')$$),
    ('json', $$'{"c":1}'$$), ('jsonb', $$'"text"'::jsonb$$), ('jsonb', $$'null'::jsonb$$),
    ('text[]', $$ARRAY[]::text[]$$), ('text[]', $$ARRAY['a', 'b']$$), ('text[]', $$'{"c c",d}'$$), ('text[]', $$ARRAY['e']::text[]$$), ('integer[]', $$ARRAY[1, 2]$$), ('integer[]', $$'{3}'::int[]$$),
    ('text[]', $$ARRAY['a', NULL]$$), ('text[]', $$ARRAY['a', 'null']$$), ('varchar(5)[]', $$ARRAY['v']::varchar(5)[]$$), ('shop.status[]', $$ARRAY['sent']::shop.status[]$$),
    ('shop.status', $$'draft'$$), ('shop.status', $$'sent'::shop.status$$), ('shop.status', $$'it''s'::status$$), ('shop.status', $$'it''s'::"status"$$),
    ('bytea', $$'\xDEAD'$$), ('bytea', $$'\xbeef'::bytea$$), ('inet', $$'10.0.0.1'$$), ('bit(3)', $$B'101'$$), ('bit varying(5)', $$'11'$$), ('money', $$12$$), ('oid', $$16$$)
) AS d (type, expression);

-- Conditions of indexes.
CREATE TABLE things (
    id bigint, i integer, si smallint, n numeric(10,2), f double precision, s text, v varchar(20), c char(3), "camelCase" text, b boolean, "deletedAt" timestamp(3),
    at timestamptz, d date, u uuid, status shop.status, tags text[], vs varchar(5)[], data jsonb, net inet);
INSERT INTO expressions SELECT 'predicate', NULL, expression FROM (VALUES
    ($$"deletedAt" IS NULL$$), ($$"deletedAt" IS NOT NULL$$), ($$"deletedAt" ISNULL AND b$$), ($$b$$), ($$NOT b$$), ($$b = true$$), ($$b IS TRUE$$), ($$b IS NOT FALSE$$), ($$b IS UNKNOWN$$),
    ($$s = 'a'$$), ($$s <> 'a'$$), ($$s != 'b'$$), ($$v = 'a'$$), ($$v <> ''$$), ($$c = 'abc'$$), ($$"camelCase" = 'a'$$), ($$status = 'draft'$$), ($$status = 'sent'::shop.status$$), ($$status <> 'draft'$$),
    ($$s IN ('a', 'b')$$), ($$v IN ('a', 'b')$$), ($$status IN ('draft', 'sent')$$), ($$status NOT IN ('draft', 'sent')$$), ($$s NOT IN ('a', 'b')$$), ($$s IN ('c')$$), ($$i IN (1, 2)$$), ($$n IN (1, 2.5)$$), ($$u IN ('00000000-0000-0000-0000-000000000000', '00000000-0000-0000-0000-000000000001')$$),
    ($$d IN ('2020-01-01', '2020-01-02')$$), ($$s IN ('a,b', 'c"d')$$), ($$i NOT IN (7)$$), ($$s = ANY (ARRAY['x', 'y'])$$), ($$v = ANY ('{x,z}')$$), ($$s <> ALL (ARRAY['x', 'y'])$$), ($$status IN ('draft'::shop.status, 'it''s')$$),
    ($$i > 5$$), ($$i >= 5$$), ($$5 < i$$), ($$i > -5$$), ($$i > 5000000000$$), ($$n > 0$$), ($$n >= 0.5$$), ($$f > 1$$), ($$f < 0.25$$), ($$si = 3$$), ($$i = n$$), ($$i < si$$), ($$i > 2.5$$),
    ($$i BETWEEN 1 AND 3$$), ($$i NOT BETWEEN 1 AND 3$$), ($$n BETWEEN 0 AND 10 AND b$$), ($$i + 1 > 2$$), ($$i * 2 - 1 > 2$$), ($$i % 2 = 0$$), ($$i / 2 = 0$$), ($$i / 2.0 = 0$$), ($$i * n > 1$$), ($$- i > 3$$), ($$n / 2 > 1$$), ($$-i * 2 > -3$$),
    ($$s LIKE 'a%'$$), ($$v LIKE 'a%'$$), ($$s NOT LIKE 'a%'$$), ($$s ILIKE 'a%'$$), ($$s NOT ILIKE 'a%'$$), ($$s ~ '^a'$$), ($$s !~* '^a'$$), ($$s LIKE ANY (ARRAY['a%', 'b%'])$$), ($$s LIKE 'a\_%'$$),
    ($$lower(s) = 'a'$$), ($$lower(v) = 'a'$$), ($$upper(s) <> 'A' AND length(v) > 3$$), ($$char_length(v) >= 3$$), ($$coalesce(s, '') <> ''$$), ($$coalesce(i, 0) > 0$$), ($$coalesce(v, s) = 'x'$$), ($$s || v = 'ab'$$), ($$left(s, 2) = 'ab'$$), ($$kepler.fold(s) = 'a'$$),
    ($$b AND i > 0 AND s = 'a'$$), ($$b AND (i > 0 AND s = 'b')$$), ($$b OR i > 0$$), ($$b OR i > 0 AND s = 'a'$$), ($$(b OR i > 0) AND s = 'a'$$), ($$NOT (b OR i > 0)$$), ($$NOT b OR i > 0$$), ($$NOT b AND NOT b$$), ($$NOT i = 1$$), ($$i = 1 IS NOT TRUE$$), ($$s IS NULL OR s = ''$$),
    ($$at > '2020-01-01 00:00:00+00'$$), ($$"deletedAt" > '2020-01-01'$$), ($$"deletedAt" > timestamp '2020-01-01 10:00'$$), ($$d > '2020-01-05'$$), ($$d > date '2020-01-06'$$), ($$d - 1 > '2020-01-05'$$), ($$"deletedAt" > '2020-01-01'::date$$), ($$d + interval '1 day' > '2020-01-01'$$),
    ($$date_trunc('day', "deletedAt") = "deletedAt"$$), ($$extract(year from d) = 2020$$), ($$at AT TIME ZONE 'UTC' > '2020-01-01'$$), ($$date_part('month', d) = 2$$),
    ($$data ->> 'a' = 'b'$$), ($$data -> 'a' -> 0 IS NOT NULL$$), ($$data #>> '{a,b}' = 'c'$$), ($$data @> '{"a":1}'$$), ($$data ? 'a'$$), ($$jsonb_typeof(data) = 'array'$$), ($$(data ->> 'n')::int > 5$$), ($$data = '{}'$$), ($$data <> 'null'$$),
    ($$tags @> ARRAY['a']$$), ($$vs @> ARRAY['a']::varchar[]$$), ($$tags && '{a,b}'$$), ($$cardinality(tags) > 0$$), ($$array_length(tags, 1) = 2$$), ($$tags = '{}'$$), ($$tags <> ARRAY[]::text[]$$), ($$'z' = ANY (tags)$$), ($$u = '00000000-0000-0000-0000-00000000000A'$$), ($$net = '10.0.0.1'$$),
    ($$i::text = '5x'$$), ($$n::integer = 5$$), ($$s::integer = 6$$), ($$s::varchar(3) = 'abc'$$), ($$s COLLATE "C" > 'a'$$), ($$s > 'a'$$), ($$greatest(i, si) > 3$$), ($$true$$), ($$i = 1 OR i = 2 OR i = 3$$), ($$(i = 1 OR i = 2) OR i = 4$$), ($$status > 'draft'$$), ($$round(n) = 1$$), ($$abs(i) = 1$$), ($$at < "deletedAt" AT TIME ZONE 'utc'$$)
) AS p (expression);
SELECT place, count(*) FROM expressions GROUP BY place ORDER BY place;

-- What is given is read by the names of the columns and types that the document has.
CREATE TABLE reading AS
SELECT e.*, r.text, r.normal, r.problem
FROM expressions AS e
CROSS JOIN kepler_internal.read_sql(e.expression, e.place,
    (SELECT array_agg(attname::text) FROM pg_attribute WHERE attrelid = 'things'::regclass AND attnum > 0), '{shop.status}') AS r;
SELECT place, expression, problem FROM reading WHERE problem IS NOT NULL;

-- Postgres stores what was made of it, and what was written, and prints both. The path has what the written text needs.
SET LOCAL search_path = public, shop;
CREATE FUNCTION pg_temp.printed(place text, type text, sql text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer text;
BEGIN
    IF place = 'default' THEN
        EXECUTE format('CREATE TABLE probe (x %s DEFAULT (%s))', type, sql);
        answer := kepler_internal.table_facts('probe') #>> '{columns,0,default}';
        DROP TABLE probe;
    ELSE
        EXECUTE format('CREATE INDEX probe ON things (id) WHERE %s', sql);
        answer := kepler_internal.table_facts('things') #>> '{indexes,0,predicate}';
        DROP INDEX probe;
    END IF;
    RETURN coalesce(answer, 'NULL::' || type);
EXCEPTION WHEN OTHERS THEN
    RETURN SQLERRM || ' in ' || sql;
END
$$;
CREATE TABLE stored AS
SELECT r.*, pg_temp.printed(place, type, text) AS printed, pg_temp.printed(place, type, expression) AS printed_of_given FROM reading AS r;

-- Nothing here: one normal form for what is given, what is run, and what is printed of either.
SELECT s.place, s.expression, s.normal, p.normal AS normal_of_printed, s.printed, s.printed_of_given
FROM stored AS s
CROSS JOIN kepler_internal.read_sql(s.printed, 'printed', '{}', '{}') AS p
CROSS JOIN kepler_internal.read_sql(s.printed_of_given, 'printed', '{}', '{}') AS g
CROSS JOIN kepler_internal.read_sql(s.text, 'printed', '{}', '{}') AS t
CROSS JOIN kepler_internal.read_sql(s.expression, 'trusted', '{}', '{}') AS w
WHERE s.normal IS DISTINCT FROM p.normal OR s.normal IS DISTINCT FROM g.normal OR s.normal IS DISTINCT FROM t.normal OR s.normal IS DISTINCT FROM w.normal;

-- Expressions that compare as equal: they are.
SELECT place, string_agg(expression, '   ' ORDER BY expression) AS equal
FROM stored GROUP BY place, normal HAVING count(*) > 1 ORDER BY min(expression);

-- A trap: functions, operators and types of the same names as Postgres' own, in a schema that comes first.
CREATE SCHEMA trap;
DO $$
DECLARE
    o record;
BEGIN
    FOR o IN
        SELECT p.oid, p.oprname, format_type(nullif(p.oprleft, 0), NULL) AS l, format_type(p.oprright, NULL) AS r, format_type(p.oprresult, NULL) AS result
        FROM pg_operator AS p
        JOIN pg_type AS rt ON rt.oid = p.oprright LEFT JOIN pg_type AS lt ON lt.oid = p.oprleft
        WHERE p.oprnamespace = 'pg_catalog'::regnamespace
            AND p.oprname IN ('=', '<>', '<', '>', '<=', '>=', '+', '-', '*', '/', '%', '||', '~~', '!~~', '~~*', '!~~*', '~', '!~*', '->', '->>', '#>>', '@>', '?')
            AND rt.typtype = 'b' AND (lt.oid IS NULL OR lt.typtype = 'b')
    LOOP
        EXECUTE format('CREATE FUNCTION trap.o%s(%s) RETURNS %s LANGUAGE sql IMMUTABLE RETURN NULL::%3$s', o.oid, concat_ws(', ', o.l, o.r), o.result);
        EXECUTE format('CREATE OPERATOR trap.%s (%s RIGHTARG = %s, FUNCTION = trap.o%s)', o.oprname, 'LEFTARG = ' || o.l || ',', o.r, o.oid);
    END LOOP;
    FOR o IN
        SELECT p.proname, pg_get_function_identity_arguments(p.oid) AS arguments, format_type(p.prorettype, NULL) AS result
        FROM pg_proc AS p
        WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind = 'f' AND p.provariadic = 0
            AND NOT EXISTS (SELECT FROM unnest(p.proargtypes::oid[]) AS a (t) JOIN pg_type AS y ON y.oid = a.t WHERE y.typtype = 'p')
            AND p.proname IN ('abs', 'char_length', 'clock_timestamp', 'date_part', 'date_trunc', 'encode', 'extract', 'floor', 'gen_random_uuid', 'jsonb_typeof', 'left',
                'length', 'lower', 'lpad', 'md5', 'now', 'random', 'replace', 'round', 'statement_timestamp', 'substring', 'timezone', 'to_char', 'upper')
    LOOP
        EXECUTE format('CREATE FUNCTION trap.%I(%s) RETURNS %s LANGUAGE sql IMMUTABLE RETURN NULL::%3$s', o.proname, o.arguments, o.result);
    END LOOP;
END
$$;
SELECT format('CREATE DOMAIN trap.%I AS %s', name, CASE name WHEN 'status' THEN 'shop.status' ELSE 'pg_catalog.' || name END)
FROM unnest('{text,varchar,bpchar,int2,int4,int8,numeric,float4,float8,bool,date,timestamp,timestamptz,uuid,jsonb,bytea,status}'::text[]) AS name \gexec
CREATE FUNCTION pg_temp.rests_on(place text, type text, sql text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer text;
BEGIN
    IF place = 'default' THEN
        EXECUTE format('CREATE TABLE probe (x %s)', type);
        SET LOCAL search_path = trap, pg_catalog, public, shop;
        EXECUTE format('ALTER TABLE public.probe ALTER x SET DEFAULT (%s)', sql);
    ELSE
        SET LOCAL search_path = trap, pg_catalog, public, shop;
        EXECUTE format('CREATE INDEX probe ON public.things (id) WHERE %s', sql);
    END IF;
    SET LOCAL search_path = pg_catalog;
    SELECT string_agg(DISTINCT pg_describe_object(d.refclassid, d.refobjid, d.refobjsubid), ', ') INTO answer
    FROM pg_depend AS d
    WHERE d.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass, 'pg_type'::regclass)
        AND (d.objid = to_regclass('public.probe') OR d.objid IN (SELECT oid FROM pg_attrdef WHERE adrelid = to_regclass('public.probe')));
    SET LOCAL search_path = public, shop;
    IF place = 'default' THEN DROP TABLE probe; ELSE DROP INDEX probe; END IF;
    RETURN coalesce(answer, 'nothing but Postgres');
EXCEPTION WHEN OTHERS THEN
    SET LOCAL search_path = public, shop;
    RETURN 'failed: ' || SQLERRM || ' in ' || sql;
END
$$;
-- What was written falls into it; what was made of that does not.
SELECT count(*) > 100 AS many FROM stored WHERE pg_temp.rests_on(place, type, expression) LIKE '%trap%';
SELECT pg_temp.rests_on(place, type, text) AS rests_on, count(*) FROM stored GROUP BY 1 ORDER BY 1;

-- A blueprint that says all of them: once it is applied, nothing is left to do, and nothing differs.
CREATE TABLE field_types (type text, field jsonb);
INSERT INTO field_types VALUES
    ('text', '{"type": "text"}'), ('varchar(10)', '{"type": "varchar", "max_length": 10}'), ('varchar(20)', '{"type": "varchar", "max_length": 20}'), ('char(3)', '{"type": "char", "length": 3}'),
    ('integer', '{"type": "integer"}'), ('bigint', '{"type": "bigint"}'), ('smallint', '{"type": "smallint"}'), ('real', '{"type": "real"}'), ('double precision', '{"type": "float"}'),
    ('numeric', '{"type": "decimal"}'), ('numeric(10,2)', '{"type": "decimal", "precision": 10, "scale": 2}'), ('boolean', '{"type": "boolean"}'),
    ('timestamp', '{"type": "timestamp", "zone": false}'), ('timestamp(3)', '{"type": "timestamp", "zone": false, "precision": 3}'), ('timestamptz', '{"type": "timestamp"}'), ('date', '{"type": "date"}'),
    ('time', '{"type": "time"}'), ('interval', '{"type": "native", "sql_type": "interval"}'), ('uuid', '{"type": "uuid"}'), ('jsonb', '{"type": "json"}'), ('json', '{"type": "json", "binary": false}'),
    ('bytea', '{"type": "bytes"}'), ('inet', '{"type": "inet"}'), ('bit(3)', '{"type": "bit", "length": 3}'), ('bit varying(5)', '{"type": "varbit", "length": 5}'), ('money', '{"type": "money"}'), ('oid', '{"type": "oid"}'),
    ('text[]', '{"type": "text", "list": true}'), ('integer[]', '{"type": "integer", "list": true}'), ('varchar(5)[]', '{"type": "varchar", "max_length": 5, "list": true}'),
    ('shop.status', '{"type": "enum", "enum": "status"}'), ('shop.status[]', '{"type": "enum", "enum": "status", "list": true}');
CREATE TABLE document AS
WITH defaults AS (
    SELECT e.*, row_number() OVER () AS n FROM expressions AS e WHERE e.place = 'default'
), conditions AS (
    SELECT e.*, row_number() OVER () AS n FROM expressions AS e WHERE e.place = 'predicate'
)
SELECT json_build_object('blueprint', 'written', 'enums', '{"status": ["draft", "sent", "it''s"]}'::json, 'tables', json_build_array(
    json_build_object('name', 'defaults', 'fields', (
        SELECT json_agg(t.field || jsonb_build_object('name', 'f' || d.n, 'default_sql', replace(d.expression, 'shop.', 'written.')) ORDER BY d.n)
        FROM defaults AS d JOIN field_types AS t USING (type))),
    json_build_object('name', 'things', 'fields', (
        SELECT json_agg(t.field || jsonb_build_object('name', a.attname) ORDER BY a.attnum)
        FROM pg_attribute AS a JOIN field_types AS t ON t.type = replace(replace(replace(replace(replace(format_type(a.atttypid, a.atttypmod), 'character varying', 'varchar'),
            'character(3)', 'char(3)'), 'timestamp(3) without time zone', 'timestamp(3)'), 'timestamp with time zone', 'timestamptz'), 'status', CASE WHEN a.atttypid = 'shop.status'::regtype AND format_type(a.atttypid, NULL) = 'status' THEN 'shop.status' ELSE 'status' END)
        WHERE a.attrelid = 'things'::regclass AND a.attnum > 0),
        'indexes', (SELECT json_agg(json_build_object('fields', '["id"]'::json, 'name', 'i' || c.n, 'where_sql', replace(c.expression, 'shop.', 'written.')) ORDER BY c.n) FROM conditions AS c))
    )) AS document;
SELECT json_array_length(document #> '{tables,0,fields}') AS defaults, json_array_length(document #> '{tables,1,fields}') AS columns, json_array_length(document #> '{tables,1,indexes}') AS indexes FROM document;
\set VERBOSITY default
SELECT outcome FROM document, kepler.apply_blueprint(document);
SELECT p.operation, p.statement, p.hazards FROM document, kepler.plan_blueprint(document) AS p;
SELECT d.* FROM kepler.blueprint_drift('written') AS d WHERE d.kind <> 'coverage';
ROLLBACK;
