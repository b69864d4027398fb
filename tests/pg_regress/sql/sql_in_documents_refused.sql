-- What a document may not say in SQL: nothing that could run somebody's code, and nothing that a table has no use for. The reason is
-- said, and nothing of the text reaches Postgres.
\set SHOW_CONTEXT never
\set VERBOSITY terse
BEGIN;
CREATE FUNCTION pg_temp.problem(place text, expression text) RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(problem, 'TAKEN: ' || text) FROM kepler_internal.read_sql(expression, place, '{a,b,"Quoted"}', '{shop.status}')
$$;

-- Defaults.
SELECT expression, pg_temp.problem('default', expression) AS problem FROM (VALUES
    (''), (' '), ('1; DROP TABLE x'), ('1 -- x'), ('1 /* x */'), ('/**/ 1'), ('$a$x$a$'), ('$1'), ($$'a$$), ('"a'), ('"" + 1'), ('(1'), ('1)'), ('((((1)))'), ('[1'), ('1]'), ('1 1'), (','), ('1,2'), ('(1,2)'),
    ($$E'a\x41'$$), ($$E'\''$$), ($$U&'\0061'$$), ($$u&"a" = 1$$), ($$X'1F'$$), ($$N'a'$$), ($$B'12'$$), ($$'a' 'b'$$), ('0x1F'), ('1_000'), ('1.2.3'), ('1abc'), ('1e'), ('\'), ('a \ b'), ('{'), ('1 ; 2'), ('@'), (':x'), ('a:b'), ('é = 1'),
    ('a'), ('"a"'), ('lower(a)'), ('t.a'), ('a.b.c'), ('*'), ('count(*)'), ('(SELECT 1)'), ('SELECT 1'), ('EXISTS (SELECT 1)'), ('ARRAY(SELECT 1)'), ('1 IN (SELECT 1)'), ('(WITH x AS (SELECT 1) TABLE x)'), ('(VALUES (1))'), ('ROW(1)'), ('CASE WHEN true THEN 1 END'),
    ('pg_sleep(1)'), ('pg_catalog.pg_sleep(1)'), ('public.now()'), ('"NOW"()'), ('kepler.install()'), ('kepler_internal.read_sql(1)'), ('pg_read_file(''x'')'), ('current_setting(''primary_conninfo'')'), ('pg_catalog.current_setting(''x'', true)'), ('set_config(''role'', ''x'', false)'), ('query_to_xml(''x'')'), ('nextval(''s'')'), ('uuid_generate_v4()'), ('extensions.uuid_generate_v4()'),
    ('lower(VARIADIC ''{}'')'), ('lower(DISTINCT ''a'')'), ('lower(a => ''x'')'), ('now() OVER ()'), ('now() FILTER (WHERE true)'), ('format(''%s'' ORDER BY 1)'), ('now'), ('now('), ('lower(,)'), ('coalesce()'), ('substring(''abc'' FROM 1)'), ('position(''a'' IN ''b'')'), ('trim(''a'')'), ('nullif(1, 2)'),
    ('1 OPERATOR(public.+) 2'), ('1 OPERATOR(pg_catalog.|/) 2'), ('1 |/ 2'), ('1 === 2'), ('@ 1'), ('~ 1'), ('1 !'), ('1 <-> 2'), ('1 = = 2'), ('1 = 2 = 3'), ('1 < 2 < 3'), ('1 IS DISTINCT FROM 2'), ('1 IS 2'), ('NOT'), ('1 AND'), ('1 BETWEEN 2'), ('1 BETWEEN SYMMETRIC 1 AND 2'), ($$'a' LIKE 'b' ESCAPE 'c'$$), ($$'a' SIMILAR TO 'b'$$), ('1 IN ()'), ('1 IN (random())'),
    ($$'x'::regclass$$), ($$'x'::public.text$$), ($$'x'::"Text"$$), ($$'x'::citext$$), ($$'x'::public.status$$), ($$'draft'::shop.status(1)$$), ($$'x'::text(3)$$), ($$'x'::text[3]$$), ($$'x'::text ARRAY$$), ($$'x'::numeric(1,2,3)$$), ($$'x'::numeric(-1)$$), ($$'x'::varchar(99999999999)$$), ($$'x'::setof text$$), ($$'x'::a.b.c$$), ($$'x'::t.a%TYPE$$), ($$CAST('x' text)$$), ($$regclass 'x'$$), ($$interval '1' day$$), ($$interval(3) '1 day'$$), ($$'x'::name$$), ($$'x'::hstore$$),
    ($$'now'::timestamp$$), ($$timestamp 'NOW'$$), ($$'today'::date$$), ($$date 'tomorrow'$$), ($$CAST(' yesterday ' AS timestamptz)$$), ($$'{now}'::timestamptz[]$$), ($$'x' COLLATE "de_DE"$$), ($$'x' COLLATE public."C"$$), ($$ARRAY[ARRAY[1]]$$), ($$ARRAY[1][1]$$), ($$(ARRAY[1])[1]$$), ($$'{}'::jsonb['a']$$), ($$(a).b$$), ('DEFAULT'), ('CURRENT_TIMESTAMP(x)'), ('a AT TIME ZONE'), ('now() AT LOCAL'), ('GROUPING(1)'), ('xmlparse(document ''x'')')
) AS e (expression);

-- Conditions: besides, nothing that is not the same for ever, and no column that the table does not have.
SELECT expression, pg_temp.problem('predicate', expression) AS problem FROM (VALUES
    ('a > now()'), ('a > CURRENT_DATE'), ('a = CURRENT_TIMESTAMP'), ('random() > 0.5'), ('a = current_user'), ('kepler.cuid() = a'), ('c = 1'), ('"A" = 1'), ('A = 1'), ('quoted = 1'), ('"Quoted" = 1'), ('t.a = 1'), ('a = b'), ('ctid = a')
) AS e (expression);

-- Too much of anything.
SELECT n, left(pg_temp.problem('default', text), 60) AS problem FROM (VALUES
    (1, repeat('(', 100000) || '1' || repeat(')', 100000)), (2, repeat('(', 5000) || '1' || repeat(')', 5000)), (3, repeat('lower(', 2000) || '1' || repeat(')', 2000)), (4, '1' || repeat(' + 1', 3000)), (5, repeat('- ', 5000) || '1'), (6, repeat('NOT ', 4000) || 'true'),
    (7, '1' || repeat('::text', 2000)), (8, 'true' || repeat(' IS NULL', 1000)), (9, repeat('ARRAY[', 1000)), (10, repeat('CAST(', 3000)), (11, 'true' || repeat(' AND true', 1500)), (12, repeat('1 BETWEEN ', 1500)), (13, repeat('''', 16001)), (14, repeat('a.', 8000)), (15, '1' || repeat(' AT TIME ZONE ''x''', 900)), (16, repeat('1 ^ ', 4000) || '1')
) AS t (n, text) ORDER BY n;

-- The owner may trust such a text: it stays as it is, and compares as what Postgres prints of it where that is understood.
SELECT r.* FROM (VALUES ('uuid_generate_v4()'), ($$nextval('s'::regclass)$$), ('CASE WHEN true THEN 1 END'), ('public.f( 1,2 )')) AS e (expression), kepler_internal.read_sql(expression, 'trusted', '{}', '{}') AS r;
SELECT r.normal FROM (VALUES ('uuid_generate_v4()'), ($$nextval('s'::regclass)$$), ('CASE WHEN true THEN 1 END'), ('public.f(1, 2)')) AS e (printed), kepler_internal.read_sql(printed, 'printed', '{}', '{}') AS r;
ROLLBACK;
