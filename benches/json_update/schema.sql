-- What the benchmark of document updates needs in its database: documents of two sizes, and the
-- procedures that measure.

CREATE SCHEMA bench;

-- A document as a job keeps it: some fields, counters, and a result for each organization.
CREATE FUNCTION bench.document(number integer, organizations integer) RETURNS jsonb
LANGUAGE sql IMMUTABLE
AS $$
SELECT jsonb_build_object(
    'dataScheduleId', md5(number::text), 'status', 'Running', 'count', number % 100, 'attempts', 1,
    'settings', jsonb_build_object('batchSize', 200, 'objects', '["Account", "Contact", "Case"]'::jsonb),
    'result', jsonb_object_agg('org' || o, jsonb_build_object(
        'ok', (number + o) % 3 = 0, 'records', number * o % 10007, 'ratio', round(o / 7.0, 3),
        'message', 'row ' || md5((number * 31 + o)::text)))
) FROM generate_series(1, organizations) AS o
$$;

-- `storage`: EXTENDED, as a table is made, or EXTERNAL, where nothing has to be decompressed.
CREATE PROCEDURE bench.make_documents(name text, rows integer, organizations integer, storage text)
LANGUAGE plpgsql
AS $$
BEGIN
    EXECUTE format('CREATE TABLE bench.%I (id integer PRIMARY KEY, doc jsonb NOT NULL) WITH (fillfactor = 50)', name);
    EXECUTE format('ALTER TABLE bench.%I ALTER COLUMN doc SET STORAGE %s', name, storage);
    EXECUTE format('INSERT INTO bench.%I SELECT i, bench.document(i, %s) FROM generate_series(1, %s) AS i',
        name, organizations, rows);
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

-- One row after another, each in a transaction: read and locked, changed, written back. The change is
-- made in the server; a client would add the way there and back of the whole document.
CREATE PROCEDURE bench.read_modify_write(
    count integer, path text[], value jsonb,
    INOUT seconds double precision DEFAULT 0, INOUT wal numeric DEFAULT 0
)
LANGUAGE plpgsql
AS $$
DECLARE
    lsn constant pg_lsn := pg_current_wal_insert_lsn();
    started constant timestamptz := clock_timestamp();
    document jsonb;
BEGIN
    FOR number IN 1 .. count LOOP
        SELECT d.doc INTO document FROM bench.documents AS d WHERE d.id = number FOR UPDATE;
        document := jsonb_set(document, path, value);
        UPDATE bench.documents AS d SET doc = document WHERE d.id = number;
        COMMIT;
    END LOOP;
    seconds := extract(epoch FROM clock_timestamp() - started);
    wal := pg_current_wal_insert_lsn() - lsn;
END
$$;

CREATE PROCEDURE bench.update_documents(
    count integer, operations jsonb,
    INOUT seconds double precision DEFAULT 0, INOUT wal numeric DEFAULT 0
)
LANGUAGE plpgsql
AS $$
DECLARE
    lsn constant pg_lsn := pg_current_wal_insert_lsn();
    started constant timestamptz := clock_timestamp();
BEGIN
    FOR number IN 1 .. count LOOP
        PERFORM outcome FROM kepler.update_document('bench.documents', jsonb_build_object('id', number), 'doc', operations);
        COMMIT;
    END LOOP;
    seconds := extract(epoch FROM clock_timestamp() - started);
    wal := pg_current_wal_insert_lsn() - lsn;
END
$$;
