-- A trigger fills what a statement leaves out: ids when a row is inserted, times then and when the row is changed.
BEGIN;
CREATE SCHEMA shop;
CREATE TYPE shop.size AS ENUM ('S', 'L');
CREATE DOMAIN shop.code AS text CHECK (length(VALUE) > 10);
CREATE TABLE shop."Order" (
    id text PRIMARY KEY,
    gone integer,
    "a""b" uuid,
    v7 uuid,
    v7_text text,
    ulid varchar(26),
    nano varchar,
    short shop.code,
    wide char(30),
    note text,
    document jsonb DEFAULT '{}',
    double integer GENERATED ALWAYS AS (length(note) * 2) STORED,
    "updatedAt" timestamp(3) NOT NULL,
    touched timestamptz NOT NULL,
    day date,
    at_time time(0),
    at_time_there timetz
);
ALTER TABLE shop."Order" DROP COLUMN gone;
CREATE TRIGGER kepler_fill BEFORE INSERT OR UPDATE ON shop."Order" FOR EACH ROW EXECUTE FUNCTION kepler_internal.fill_columns(
    'id', 'cuid', 'a"b', 'uuid', 'v7', 'uuid7', 'v7_text', 'uuid7', 'ulid', 'ulid', 'nano', 'nanoid', 'short', 'nanoid:12',
    'wide', 'ulid', 'updatedAt', 'touch', 'touched', 'touch', 'day', 'touch', 'at_time', 'touch', 'at_time_there', 'touch');

-- Each has its form, and times are UTC where the column names no zone, rounded as Postgres rounds what is assigned.
SET LOCAL timezone = 'Asia/Tokyo';
INSERT INTO shop."Order" (note) VALUES ('one'), ('two');
CREATE FUNCTION pg_temp.is_filled("row" shop."Order") RETURNS boolean LANGUAGE sql AS $$
SELECT "row".id ~ '^c[0-9a-z]{23}$' AND "row"."a""b"::text ~ '^.{8}-.{4}-4.{3}-[89ab].{3}-.{12}$'
    AND "row".v7::text ~ '^.{8}-.{4}-7.{3}-[89ab].{3}-.{12}$' AND "row".v7_text ~ '^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$'
    AND "row".ulid ~ '^[0-9A-HJKMNP-TV-Z]{26}$' AND "row".nano ~ '^[0-9A-Za-z_-]{21}$' AND length("row".short) = 12
    AND octet_length("row".wide) = 30 AND "row".wide ~ '^[0-9A-HJKMNP-TV-Z]{26} *$'
$$;
CREATE FUNCTION pg_temp.is_now("row" shop."Order") RETURNS boolean LANGUAGE sql AS $$
SELECT "row"."updatedAt" = (now() AT TIME ZONE 'UTC')::timestamp(3) AND "row".touched = now()
    AND "row".day = (now() AT TIME ZONE 'UTC')::date AND "row".at_time = (now() AT TIME ZONE 'UTC')::time(0)
    AND "row".at_time_there = ((now() AT TIME ZONE 'UTC')::time || '+00')::timetz
$$;
SELECT o.note, pg_temp.is_filled(o) AS is_filled, pg_temp.is_now(o) AS is_now, o.double FROM shop."Order" AS o ORDER BY o.note;

-- Ids that begin with the time are in the order of their making, within a session.
INSERT INTO shop."Order" (note) SELECT g FROM generate_series(1, 1000) AS g;
SELECT count(*), bool_and(o.id > o.id_before) AS cuid, bool_and(o.v7 > o.v7_before) AS uuid7, bool_and(o.ulid > o.ulid_before) AS ulid,
    count(DISTINCT o."a""b") AS uuids, count(DISTINCT o.nano) AS nanoids
FROM (SELECT *, lag(id) OVER (ORDER BY note::integer) AS id_before, lag(v7) OVER (ORDER BY note::integer) AS v7_before,
          lag(ulid COLLATE "C") OVER (ORDER BY note::integer) AS ulid_before
      FROM shop."Order" WHERE note ~ '^\d+$') AS o;
DELETE FROM shop."Order" WHERE note ~ '^\d+$';

-- What a row says stays as it is said.
INSERT INTO shop."Order" (id, "a""b", nano, note, "updatedAt", touched)
VALUES ('mine', '00000000-0000-0000-0000-000000000001', 'n', 'three', '2020-01-01', '2020-01-01Z') RETURNING id, "a""b", nano, "updatedAt", touched = '2020-01-01Z' AS kept;
-- COPY leaves columns out, and says NULL.
COPY shop."Order" (id, ulid, note) FROM stdin;
copied	\N	four
\.
SELECT id, ulid ~ '^.{26}$' AS filled, touched = now() AS touched FROM shop."Order" WHERE note = 'four';

-- An update moves the times on, if it changes anything and does not set them itself.
UPDATE shop."Order" SET "updatedAt" = '2020-01-01', touched = '2020-01-01Z', day = '2020-01-01', at_time = '10:00', at_time_there = '10:00Z';
UPDATE shop."Order" SET note = 'one', document = '{}' WHERE note = 'one' RETURNING note, pg_temp.is_now("Order") AS is_now;
UPDATE shop."Order" SET document = '{"a": 1}' WHERE note = 'one' RETURNING note, pg_temp.is_now("Order") AS is_now;
UPDATE shop."Order" SET note = NULL WHERE note = 'two' RETURNING note, pg_temp.is_now("Order") AS is_now;
UPDATE shop."Order" SET "updatedAt" = '2021-01-01' WHERE note = 'three' RETURNING "updatedAt", touched = now() AS touched;
-- Ids are not made by an update, and a time that is taken away is not given back.
UPDATE shop."Order" SET nano = NULL, day = NULL WHERE id = 'mine' RETURNING nano, day, at_time_there = ((now() AT TIME ZONE 'UTC')::time || '+00')::timetz AS moved;
-- Both ways of an upsert.
INSERT INTO shop."Order" (id, touched) VALUES ('mine', '2020-01-01Z'), (NULL, NULL)
ON CONFLICT (id) DO UPDATE SET note = 'upserted' RETURNING coalesce(note, 'new') AS note, id ~ '^c.{23}$' AS made, touched = now() AS touched;
-- What is stored outside of the row is compared as it is.
UPDATE shop."Order" SET note = repeat('0123456789', 100000) WHERE id = 'copied';
UPDATE shop."Order" SET touched = '2020-01-01Z' WHERE id = 'copied';
UPDATE shop."Order" SET note = repeat('0123456789', 100000) WHERE id = 'copied' RETURNING touched = '2020-01-01Z' AS unchanged;
UPDATE shop."Order" SET note = note || '!' WHERE id = 'copied' RETURNING touched = now() AS touched;

-- Partitions have the trigger of their table, also where their columns stand elsewhere.
CREATE TABLE shop.parted (id uuid, key integer NOT NULL, moved timestamptz(0)) PARTITION BY LIST (key);
CREATE TABLE shop.part_1 (gone text, moved timestamptz(0), key integer NOT NULL, id uuid);
ALTER TABLE shop.part_1 DROP COLUMN gone;
ALTER TABLE shop.parted ATTACH PARTITION shop.part_1 FOR VALUES IN (1);
CREATE TABLE shop.part_2 PARTITION OF shop.parted FOR VALUES IN (2);
CREATE TRIGGER kepler_fill BEFORE INSERT OR UPDATE ON shop.parted FOR EACH ROW EXECUTE FUNCTION kepler_internal.fill_columns('id', 'uuid7', 'moved', 'touch');
INSERT INTO shop.parted (key) VALUES (1), (2), (1);
UPDATE shop.parted SET key = 2, moved = '2020-01-01Z' WHERE key = 1;
UPDATE shop.parted SET key = 1;
SELECT key, count(DISTINCT id), bool_and(moved = now()::timestamptz(0)) AS moved FROM shop.parted GROUP BY key;

-- Changes that a replica applies are taken as they are.
SET LOCAL session_replication_role = replica;
INSERT INTO shop.parted (key) VALUES (1) RETURNING id, moved;
SET LOCAL session_replication_role = origin;

-- The domain's condition holds for what is made.
CREATE DOMAIN shop.long AS text CHECK (length(VALUE) > 100);
CREATE TABLE shop.checked (id shop.long);
CREATE FUNCTION pg_temp.filled_by("table" regclass, arguments text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE state text; message text; detail text; hint text;
BEGIN
    EXECUTE format('CREATE OR REPLACE TRIGGER kepler_fill BEFORE INSERT OR UPDATE ON %s FOR EACH ROW EXECUTE FUNCTION kepler_internal.fill_columns(%s)', "table", arguments);
    EXECUTE format('INSERT INTO %s DEFAULT VALUES', "table");
    RETURN 'filled';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(E'\n', state || ': ' || message, nullif(detail, ''), nullif(hint, ''));
END
$$;
SELECT pg_temp.filled_by('shop.checked', $$'id', 'cuid'$$);
-- A trigger that cannot do what it says is an error, and the row is not written.
CREATE TABLE shop.other (id text[], narrow varchar(10), number integer, size shop.size, kept text GENERATED ALWAYS AS ('x') STORED, id_uuid uuid, name text);
SELECT a.arguments, pg_temp.filled_by('shop.other', a.arguments) AS answer
FROM (VALUES ($$'id', 'cuid'$$), ($$'narrow', 'cuid'$$), ($$'narrow', 'nanoid:10'$$), ($$'number', 'touch'$$), ($$'size', 'cuid'$$), ($$'kept', 'cuid'$$),
    ($$'id_uuid', 'cuid'$$), ($$'id_uuid', 'uuid7'$$), ($$'name', 'touch'$$), ($$'name', 'guid'$$), ($$'name', 'nanoid:1'$$), ($$'name', 'nanoid:256'$$),
    ($$'name', 'nanoid:-3'$$), ($$'name'$$), ($$'nobody', 'cuid'$$), ($$'ctid', 'cuid'$$), ($$'', ''$$), ('')) AS a (arguments);
-- Nor does it follow a column that is renamed.
SELECT pg_temp.filled_by('shop.other', $$'name', 'cuid'$$);
ALTER TABLE shop.other RENAME COLUMN name TO title;
SAVEPOINT before;
INSERT INTO shop.other (id) VALUES ('{a}');
ROLLBACK TO before;
ALTER TABLE shop.other RENAME COLUMN title TO name;
INSERT INTO shop.other (id) VALUES ('{a}') RETURNING name ~ '^c.{23}$' AS filled;
-- And it fires before a row is written, or not at all.
SAVEPOINT before;
CREATE TRIGGER wrong AFTER INSERT ON shop.other FOR EACH ROW EXECUTE FUNCTION kepler_internal.fill_columns('name', 'cuid');
INSERT INTO shop.other DEFAULT VALUES;
ROLLBACK TO before;
CREATE TRIGGER wrong BEFORE DELETE ON shop.other FOR EACH ROW EXECUTE FUNCTION kepler_internal.fill_columns('name', 'cuid');
DELETE FROM shop.other;
ROLLBACK TO before;
CREATE TRIGGER wrong BEFORE INSERT ON shop.other EXECUTE FUNCTION kepler_internal.fill_columns('name', 'cuid');
INSERT INTO shop.other DEFAULT VALUES;
ROLLBACK TO before;
SELECT kepler_internal.fill_columns();
ROLLBACK;
