-- What the benchmark of records needs in its database: the data in batches, a table for each other
-- way, and the procedures that measure.

CREATE SCHEMA bench;

-- Generated, not measured: no WAL, no compression to undo.
CREATE UNLOGGED TABLE bench.documents (
    number integer NOT NULL,
    revision integer NOT NULL,
    external_id text NOT NULL,
    body text NOT NULL
);

CREATE UNLOGGED TABLE bench.batches (
    step text NOT NULL,
    size integer NOT NULL,
    shuffled boolean NOT NULL,
    ordinal integer NOT NULL,
    payload text NOT NULL,
    PRIMARY KEY (step, size, shuffled, ordinal)
);
ALTER TABLE bench.batches ALTER COLUMN payload SET STORAGE EXTERNAL;

-- Cuts the documents, each in the revision that `revision` (an expression over number) names, into
-- batches: JSON arrays of the envelopes that Kepler takes. They are listed in the order of their
-- ids, or in no order.
CREATE PROCEDURE bench.make_batches(step text, size integer, shuffled boolean, revision text)
LANGUAGE plpgsql
AS $$
BEGIN
    EXECUTE format($query$
        INSERT INTO bench.batches (step, size, shuffled, ordinal, payload)
        SELECT %1$L, %2$s, %3$L, place / %2$s,
            '[' || string_agg(format('{"external_id":"%%s","data":%%s}', external_id, body), ','
                ORDER BY place) || ']'
        FROM (
            SELECT external_id, body,
                row_number() OVER (ORDER BY %4$s) - 1 AS place
            FROM bench.documents
            WHERE revision = %5$s
        ) AS listed
        GROUP BY place / %2$s
        $query$, step, size, shuffled,
        CASE WHEN shuffled THEN 'md5(number::text)' ELSE 'number' END, revision);
END
$$;

-- The entity of the other ways' rows: their foreign key is checked as Kepler's is.
INSERT INTO kepler.entities (workspace_id, id, type, source)
VALUES ('default', 'bench', 'bench', 'bench');

-- The floor: what Postgres needs to read rows of jsonb and put them anywhere.
CREATE TABLE bench.copied (external_id text, data jsonb);

-- A table like kepler.records: the same columns but for those of Kepler's hash, the same primary
-- key, unique key, other indexes, checks, foreign keys, defaults and fill factor. No triggers.
CREATE PROCEDURE bench.create_table(name text)
LANGUAGE plpgsql
AS $$
DECLARE
    original constant regclass := 'kepler.records';
    definition text;
BEGIN
    EXECUTE format('CREATE TABLE bench.%I (LIKE %s INCLUDING DEFAULTS INCLUDING CONSTRAINTS
        INCLUDING INDEXES INCLUDING STORAGE INCLUDING COMPRESSION)', name, original);
    EXECUTE format('ALTER TABLE bench.%I DROP COLUMN content_hash, DROP COLUMN source_digest',
        name);
    FOR definition IN
        SELECT pg_get_constraintdef(c.oid) FROM pg_constraint AS c
        WHERE c.conrelid = original AND c.contype = 'f'
    LOOP
        EXECUTE format('ALTER TABLE bench.%I ADD %s', name, definition);
    END LOOP;
    FOR definition IN
        SELECT unnest(c.reloptions) FROM pg_class AS c WHERE c.oid = original
    LOOP
        EXECUTE format('ALTER TABLE bench.%I SET (%s)', name, definition);
    END LOOP;
END
$$;

-- Empties a table. The statistics of its columns stay: a load begins with what is known of a table
-- in use.
CREATE PROCEDURE bench.make_empty(target regclass)
LANGUAGE plpgsql
AS $$
BEGIN
    EXECUTE format('TRUNCATE %s', target);
    IF target = 'kepler.records'::regclass THEN
        DELETE FROM kepler.entities WHERE id <> 'bench';
    END IF;
END
$$;

-- Makes a table as it would be right after a load: compact, and in the order of its external ids.
CREATE PROCEDURE bench.rebuild(target regclass)
LANGUAGE plpgsql
AS $$
DECLARE
    key text;
BEGIN
    SELECT c.relname INTO STRICT key
    FROM pg_index AS i
    JOIN pg_class AS c ON c.oid = i.indexrelid
    WHERE i.indrelid = target AND i.indisunique AND NOT i.indisprimary;
    EXECUTE format('CLUSTER %s USING %I', target, key);
    EXECUTE format('ANALYZE %s', target);
END
$$;

-- Seconds of CPU that the session has had, where the system tells (Linux). Other work on the machine makes statements
-- slower, and hardly changes what they need.
CREATE FUNCTION bench.cpu() RETURNS double precision
LANGUAGE sql VOLATILE
AS $$ SELECT split_part(pg_read_file('/proc/self/schedstat', true), ' ', 1)::double precision / 1e9 $$;

-- Puts all batches of a step through a statement, which is planned anew for each, as it would be
-- for a client that sends it. $1 is the batch, $2 the time. The clock runs from the statement to
-- the end of the commit; fetching the batch is outside.
CREATE PROCEDURE bench.run(
    statement text, step text, size integer, shuffled boolean,
    INOUT seconds double precision DEFAULT 0, INOUT wal numeric DEFAULT 0,
    INOUT cpu double precision DEFAULT 0
)
LANGUAGE plpgsql
AS $$
DECLARE
    lsn constant pg_lsn := pg_current_wal_insert_lsn();
    place integer;
    batch text;
    started timestamptz;
    cpu_before double precision;
BEGIN
    FOR place IN
        SELECT b.ordinal FROM bench.batches AS b
        WHERE (b.step, b.size, b.shuffled) = (run.step, run.size, run.shuffled) ORDER BY b.ordinal
    LOOP
        -- Concatenated, it is in memory and no reference to the table.
        SELECT b.payload || '' INTO STRICT batch FROM bench.batches AS b
        WHERE (b.step, b.size, b.shuffled, b.ordinal)
            = (run.step, run.size, run.shuffled, place);
        cpu_before := bench.cpu();
        started := clock_timestamp();
        EXECUTE statement USING batch, started;
        COMMIT;
        seconds := seconds + extract(epoch FROM clock_timestamp() - started);
        cpu := cpu + bench.cpu() - cpu_before;
    END LOOP;
    wal := pg_current_wal_insert_lsn() - lsn;
END
$$;

-- The file lies with the server, who also wrote it: no client and no network are in the figure.
CREATE FUNCTION bench.copy_file() RETURNS text
LANGUAGE sql STABLE
AS $$ SELECT current_setting('data_directory') || '/kepler-bench.copy' $$;

CREATE PROCEDURE bench.run_copy(
    INOUT seconds double precision DEFAULT 0, INOUT wal numeric DEFAULT 0,
    INOUT cpu double precision DEFAULT 0
)
LANGUAGE plpgsql
AS $$
DECLARE
    lsn constant pg_lsn := pg_current_wal_insert_lsn();
    cpu_before constant double precision := bench.cpu();
    started constant timestamptz := clock_timestamp();
BEGIN
    EXECUTE format('COPY bench.copied FROM %L', bench.copy_file());
    COMMIT;
    seconds := extract(epoch FROM clock_timestamp() - started);
    cpu := bench.cpu() - cpu_before;
    wal := pg_current_wal_insert_lsn() - lsn;
END
$$;
