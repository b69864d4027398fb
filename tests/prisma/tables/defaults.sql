-- Defaults that the engine reads as values, as expressions, and as something else.
-- schemas: ["public"]
CREATE FUNCTION made() RETURNS text LANGUAGE sql AS $$SELECT 'x'$$;
CREATE SCHEMA far; CREATE FUNCTION far.made() RETURNS text LANGUAGE sql AS $$SELECT 'x'$$;
CREATE SEQUENCE sq;
CREATE TYPE color AS ENUM ('red','Dark Blue');
CREATE TABLE defaults (
    id int PRIMARY KEY,
    f1 float8 DEFAULT 1e100, f2 float8 DEFAULT '1e-7', f3 float8 DEFAULT 'NaN', f4 float8 DEFAULT 'Infinity', f5 real DEFAULT 3, f6 numeric DEFAULT '-0.5', f7 numeric DEFAULT 1e3, f8 float8 DEFAULT (-1), f9 float8 DEFAULT 2*3, f10 numeric DEFAULT '1e400',
    i1 int DEFAULT (1+1), i2 int DEFAULT '7', i3 bigint DEFAULT 5, i4 int DEFAULT 1.6, i5 int DEFAULT length('abc'), i6 bigint DEFAULT -9223372036854775808, i7 int DEFAULT (true::int), i8 smallint DEFAULT -1,
    b1 bool DEFAULT 't', b2 bool DEFAULT (NOT true), b3 bool DEFAULT (1=1),
    s1 text DEFAULT '', s2 text DEFAULT E'a\tb', s3 varchar(5) DEFAULT 'abcdefg'::varchar(3), s4 text DEFAULT 5, s5 text DEFAULT 'NULLx', s6 text DEFAULT (now()::text), s7 char(3) DEFAULT 'a', s8 text DEFAULT 'é日', s9 text DEFAULT E'\\x41\\', s10 text DEFAULT E'\x01\x7f\u2028', s11 varchar DEFAULT 'q'::text COLLATE "C",s12 name DEFAULT 'x', s13 text DEFAULT 'a' COLLATE "C",
    e1 color DEFAULT 'red'::color, e2 color DEFAULT ('re'||'d')::color, 
    j1 jsonb DEFAULT '{}'::jsonb, j2 jsonb DEFAULT jsonb_build_object('a', 1), j3 json DEFAULT 'null', j4 jsonb DEFAULT '{"a": "it''s \n"}',
    t1 timestamptz DEFAULT now() + '1 day'::interval, t2 timestamptz DEFAULT CURRENT_TIMESTAMP(3), t3 timestamp(0) DEFAULT CURRENT_TIMESTAMP, t4 timestamp DEFAULT (now() AT TIME ZONE 'UTC'), t5 date DEFAULT now(), t6 time DEFAULT LOCALTIME, t7 timestamptz DEFAULT transaction_timestamp(), t8 timestamp DEFAULT 'infinity', t9 timestamptz DEFAULT statement_timestamp(), t10 timetz DEFAULT CURRENT_TIME,
    by1 bytea DEFAULT '', by2 bytea DEFAULT 'abc', by3 bytea DEFAULT decode('00','hex'), by4 bytea DEFAULT '\x00',
    l1 text[] DEFAULT '{"a b","c\"d",e,NULL}', l2 text[] DEFAULT ARRAY[]::text[], l3 int[] DEFAULT ARRAY[1,2], l4 int[] DEFAULT '{-1}', l5 float8[] DEFAULT '{1.5,2}', l6 color[] DEFAULT ARRAY['red','Dark Blue']::color[], l7 color[] DEFAULT '{"Dark Blue"}', l8 jsonb[] DEFAULT ARRAY['{}'::jsonb], l9 jsonb[] DEFAULT '{"{}"}', l10 timestamptz[] DEFAULT '{2020-01-01}', l11 bytea[] DEFAULT '{"\\x00"}', l12 bool[] DEFAULT ARRAY[true,false], l13 uuid[] DEFAULT '{00000000-0000-0000-0000-000000000000}', l14 varchar(5)[] DEFAULT ARRAY['a','b'], l15 text[] DEFAULT ARRAY['a', upper('x')], l16 bigint[] DEFAULT '{}', l17 numeric[] DEFAULT ARRAY[1,2.5], l18 text[] DEFAULT string_to_array('a,b', ','), l19 text[] DEFAULT '{{a},{b}}', l20 text[] DEFAULT '[2:3]={a,b}', l21 timestamptz[] DEFAULT ARRAY[now()], l22 bytea[] DEFAULT ARRAY['\x00'::bytea], l23 uuid[] DEFAULT ARRAY[gen_random_uuid()], l24 text[] DEFAULT '{日本}', l25 text[] DEFAULT '{_x}', l26 int4range[] DEFAULT '{}', l27 date[] DEFAULT '{}', l28 text[] DEFAULT '{a-b,"-",a.b}', l29 money[] DEFAULT '{1}', l30 bytea[] DEFAULT '{}', l31 uuid[] DEFAULT '{}', l32 timestamp[] DEFAULT '{}', l33 json[] DEFAULT '{}', l34 varchar[] DEFAULT ARRAY[]::varchar(10)[], l35 text[] DEFAULT ARRAY['it''s', E'a\\b', 'c"d'], l36 float8[] DEFAULT '{1e100}', l37 int[] DEFAULT '{1,NULL}', 
    u1 uuid DEFAULT '00000000-0000-0000-0000-000000000000', m1 money DEFAULT '12.5', m2 money DEFAULT '-1', n1 inet DEFAULT '::1', bi1 varbit DEFAULT B'', o1 oid DEFAULT 5, o2 regclass DEFAULT 'pg_class', h1 int4range DEFAULT '[1,2)', iv interval DEFAULT '1 day');
CREATE TABLE more_defaults (
    id int PRIMARY KEY DEFAULT nextval('sq'), near text DEFAULT made(), far text DEFAULT far.made(), t text DEFAULT nextval('sq'), n numeric DEFAULT nextval('sq'), b int DEFAULT (nextval('sq') % 5), s smallint DEFAULT nextval('sq'),
    optional serial, user_name text DEFAULT CURRENT_USER, nothing text DEFAULT NULL, day date DEFAULT CURRENT_DATE, long date DEFAULT '2020-01-01'
);
ALTER TABLE more_defaults ALTER optional DROP NOT NULL;
