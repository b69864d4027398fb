-- What every group of benchmarks needs in its database.

-- Makes the WAL files that the runs will write to, as on a server that has been up for a while: a
-- new file has to be filled with zeros first, which only the first runs would pay for. The next
-- checkpoint hands them on to be used again.
CREATE PROCEDURE bench.make_wal_files()
LANGUAGE plpgsql
AS $$
BEGIN
    FOR number IN 1 .. 128 LOOP
        PERFORM pg_logical_emit_message(false, 'bench', '');
        PERFORM pg_switch_wal();
    END LOOP;
END
$$;
