-- What the benchmark of ids needs: tables like kepler.records, and a load by batches.

CREATE SCHEMA bench;

-- A table with the columns, keys and checks of kepler.records, whose ids come from the expression.
CREATE PROCEDURE bench.create_table(name text, id text)
LANGUAGE plpgsql
AS $$
BEGIN
    EXECUTE format('CREATE TABLE bench.%I (LIKE kepler.records INCLUDING ALL)', name);
    EXECUTE format('ALTER TABLE bench.%I ALTER id SET DEFAULT %s', name, id);
END
$$;

-- Inserts rows first to last, a statement and a transaction a batch. The clock runs from the statement to the
-- end of its commit.
CREATE PROCEDURE bench.load(
    name text, first bigint, last bigint, batch bigint,
    INOUT seconds double precision DEFAULT 0, INOUT wal numeric DEFAULT 0
)
LANGUAGE plpgsql
AS $$
DECLARE
    lsn constant pg_lsn := pg_current_wal_insert_lsn();
    started timestamptz;
BEGIN
    WHILE first <= last LOOP
        started := clock_timestamp();
        EXECUTE format(
            'INSERT INTO bench.%I (entity_id, external_id, entity_type, data)
            SELECT $1, lpad(number::text, 12, ''0''), ''contact'',
                jsonb_build_object(''number'', number, ''name'', md5(number::text), ''text'', repeat(''some text '', 12))
            FROM generate_series($2, least($2 + $3 - 1, $4)) AS number', name)
        USING 'bench', first, batch, last;
        COMMIT;
        seconds := seconds + extract(epoch FROM clock_timestamp() - started);
        first := first + batch;
    END LOOP;
    wal := pg_current_wal_insert_lsn() - lsn;
END
$$;
