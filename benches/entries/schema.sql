-- What the benchmark of entries needs in its database: batches of entries as JSON, and the procedures
-- that measure.

CREATE SCHEMA bench;

-- Generated, not measured: no WAL, no compression to undo.
CREATE UNLOGGED TABLE bench.batches (
    shape text NOT NULL,
    ordinal integer NOT NULL,
    payload text NOT NULL,
    PRIMARY KEY (shape, ordinal)
);
ALTER TABLE bench.batches ALTER COLUMN payload SET STORAGE EXTERNAL;

-- One value of field `field` of entry `number`, of the type that the field has: the eight types in
-- turn.
CREATE FUNCTION bench.value(number integer, field integer) RETURNS jsonb
LANGUAGE sql IMMUTABLE
AS $$
SELECT CASE field % 8
    WHEN 1 THEN to_jsonb('SKU-' || lpad((number * 7 + field)::text, 9, '0'))
    WHEN 2 THEN to_jsonb('Item ' || number || ' of ' || field || CASE WHEN number % 9 = 0
        THEN ' "special" é' ELSE ' as usual' END)
    WHEN 3 THEN to_jsonb(number % 100000)
    WHEN 4 THEN to_jsonb(round((number % 1000003) / 100.0, 2))
    WHEN 5 THEN to_jsonb(number % 3 = 0)
    WHEN 6 THEN to_jsonb(date '2020-01-01' + number % 2000)
    WHEN 7 THEN to_jsonb((ARRAY['in_stock', 'sold_out', 'ordered'])[1 + number % 3])
    ELSE to_jsonb(to_char(timestamp '2024-01-01' + number * interval '7 seconds',
        'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
END
$$;

-- The entries of a table, one by one, good ones and bad ones: those have a negative quantity.
CREATE UNLOGGED TABLE bench.bodies (number integer NOT NULL, good text NOT NULL, bad text NOT NULL);

CREATE PROCEDURE bench.make_bodies(fields integer, total integer)
LANGUAGE plpgsql
AS $$
BEGIN
    TRUNCATE bench.bodies;
    INSERT INTO bench.bodies
    SELECT number, body, regexp_replace(body, '"f3":[0-9]+', '"f3":-1')
    FROM (
        SELECT number, '{' || (
            SELECT string_agg(to_json('f' || f)::text || ':' || bench.value(number, f)::text, ',' ORDER BY f)
            FROM generate_series(1, fields) AS f) || '}' AS body
        FROM generate_series(0, total - 1) AS number
        OFFSET 0
    ) AS made;
END
$$;

-- Batches of them. Of a hundred entries `bad` are bad.
CREATE PROCEDURE bench.make_batches(shape text, size integer, bad integer)
LANGUAGE sql
AS $$
INSERT INTO bench.batches (shape, ordinal, payload)
SELECT shape, b.number / size,
    '[' || string_agg(CASE WHEN b.number % 100 < $3 THEN b.bad ELSE b.good END, ',' ORDER BY b.number) || ']'
FROM bench.bodies AS b
GROUP BY b.number / size
$$;

-- Puts all batches of a shape through a statement, which is planned anew for each, as it would be for
-- a client that sends it. $1 is the batch. The clock runs from the statement to the end of the commit;
-- fetching the batch is outside.
CREATE PROCEDURE bench.run(
    statement text, shape text, INOUT seconds double precision DEFAULT 0, INOUT wal numeric DEFAULT 0
)
LANGUAGE plpgsql
AS $$
DECLARE
    lsn constant pg_lsn := pg_current_wal_insert_lsn();
    place integer;
    batch text;
    started timestamptz;
BEGIN
    FOR place IN
        SELECT b.ordinal FROM bench.batches AS b WHERE b.shape = run.shape ORDER BY b.ordinal
    LOOP
        -- Concatenated, it is in memory and no reference to the table.
        SELECT b.payload || '' INTO STRICT batch FROM bench.batches AS b
        WHERE (b.shape, b.ordinal) = (run.shape, place);
        started := clock_timestamp();
        EXECUTE statement USING batch;
        COMMIT;
        seconds := seconds + extract(epoch FROM clock_timestamp() - started);
    END LOOP;
    wal := pg_current_wal_insert_lsn() - lsn;
END
$$;

-- One statement and its commit.
CREATE PROCEDURE bench.run_once(
    statement text, INOUT seconds double precision DEFAULT 0, INOUT wal numeric DEFAULT 0
)
LANGUAGE plpgsql
AS $$
DECLARE
    lsn constant pg_lsn := pg_current_wal_insert_lsn();
    started constant timestamptz := clock_timestamp();
BEGIN
    EXECUTE statement;
    COMMIT;
    seconds := extract(epoch FROM clock_timestamp() - started);
    wal := pg_current_wal_insert_lsn() - lsn;
END
$$;

-- Runs a statement for the numbers 1 to `count`, each in its transaction: tables are made one by one.
CREATE PROCEDURE bench.repeat(
    statement text, count integer, INOUT seconds double precision DEFAULT 0, INOUT wal numeric DEFAULT 0
)
LANGUAGE plpgsql
AS $$
DECLARE
    lsn constant pg_lsn := pg_current_wal_insert_lsn();
    started constant timestamptz := clock_timestamp();
BEGIN
    FOR number IN 1 .. count LOOP
        EXECUTE replace(statement, '%number%', number::text);
        COMMIT;
    END LOOP;
    seconds := extract(epoch FROM clock_timestamp() - started);
    wal := pg_current_wal_insert_lsn() - lsn;
END
$$;

-- The file lies with the server, who also wrote it: no client and no network are in the figure.
CREATE FUNCTION bench.copy_file() RETURNS text
LANGUAGE sql STABLE
AS $$ SELECT current_setting('data_directory') || '/kepler-bench.copy' $$;
