-- What the feed adds to an upsert: batches of records of about 1 kB, in a database where records are tracked and in one where
-- they are not.

CREATE SCHEMA IF NOT EXISTS bench;
CREATE TABLE bench.batches (size integer, revision integer, number integer, body text);
ALTER TABLE bench.batches ALTER COLUMN body SET STORAGE EXTERNAL;

-- `records` records in batches of `size`, as they are first, and changed.
CREATE PROCEDURE bench.make_batches(size integer, records integer) LANGUAGE sql AS $$
    INSERT INTO bench.batches
    SELECT size, revision, b, (
        SELECT '[' || string_agg(format('{"external_id": "%s-%s", "data": {"name": "%s", "revision": %s, "amount": %s.25, "tags": ["a", "b", "c"], "text": "%s"}}',
            size, i, md5(i::text), revision, i, repeat(md5((i + 1)::text), 26)), ',')
        FROM generate_series(b * size + 1, least((b + 1) * size, records)) AS i) || ']'
    FROM generate_series(0, (records - 1) / size) AS b, generate_series(0, 1) AS revision
$$;

CREATE PROCEDURE bench.upsert(size integer, revision integer) LANGUAGE plpgsql AS $$
DECLARE body text;
BEGIN
    FOR body IN SELECT b.body FROM bench.batches AS b WHERE b.size = upsert.size AND b.revision = upsert.revision ORDER BY b.number LOOP
        PERFORM kepler.upsert_records_summary('bench', body);
        COMMIT;
    END LOOP;
END
$$;

-- Reads all changes in pages. Gives how many.
CREATE PROCEDURE bench.follow(max_rows integer, INOUT changes bigint DEFAULT 0) LANGUAGE plpgsql AS $$
DECLARE at text; found integer; last text;
BEGIN
    LOOP
        SELECT count(*), max(c.cursor) FILTER (WHERE c.n = c.total) INTO found, last
        FROM (SELECT s.cursor, row_number() OVER () AS n, count(*) OVER () AS total FROM kepler.changes_since(at, max_rows) AS s) AS c;
        EXIT WHEN found = 0;
        changes := changes + found;
        at := last;
        COMMIT;
    END LOOP;
END
$$;
