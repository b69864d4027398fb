-- What the ways to search beside Kepler have: one table for everything, as one builds it on pgvector by
-- hand; the queries; and the clock.

CREATE SCHEMA bench;

-- Only similarity counts, as it does for the others.
CREATE FUNCTION bench.similarity() RETURNS jsonb
LANGUAGE sql IMMUTABLE
AS $$ SELECT '{"similarity": 1}'::jsonb $$;

-- What is loaded, before it goes into the tables of each way.
CREATE PROCEDURE bench.make_loading(dimensions integer)
LANGUAGE plpgsql
AS $$
BEGIN
    DROP TABLE IF EXISTS bench.loaded, bench.queries, bench.texts, bench.answers;
    EXECUTE format('CREATE UNLOGGED TABLE bench.loaded (n integer, embedding vector(%s))', dimensions);
    EXECUTE format('CREATE UNLOGGED TABLE bench.queries (n integer, embedding vector(%s))', dimensions);
    CREATE UNLOGGED TABLE bench.texts (n integer PRIMARY KEY, user_id text, content text);
    CREATE UNLOGGED TABLE bench.answers (way text, scope text, query integer, ms double precision, ids text[]);
END
$$;

CREATE PROCEDURE bench.make_items(dimensions integer)
LANGUAGE plpgsql
AS $$
BEGIN
    DROP TABLE IF EXISTS bench.items;
    EXECUTE format('CREATE TABLE bench.items (
        id text PRIMARY KEY,
        user_id text NOT NULL,
        content text NOT NULL,
        metadata jsonb NOT NULL DEFAULT ''{}'',
        last_accessed_at timestamptz,
        hits bigint NOT NULL DEFAULT 0,
        embedding vector(%s) NOT NULL)', dimensions);
    CREATE INDEX items_user_id_idx ON bench.items (user_id);
END
$$;

-- What kepler.memories has beside those: words.
CREATE PROCEDURE bench.make_items_alike()
LANGUAGE plpgsql
AS $$
BEGIN
    ALTER TABLE bench.items ADD COLUMN text_search tsvector
        GENERATED ALWAYS AS (to_tsvector('english', content)) STORED;
    CREATE INDEX ON bench.items USING gin (text_search);
    CREATE INDEX IF NOT EXISTS items_metadata_idx ON bench.items USING gin (metadata jsonb_path_ops);
END
$$;

-- One search after the other, in one backend, each planned anew as a client's would be. The clock runs from the
-- statement to its last row.
CREATE PROCEDURE bench.search(way text, scope text, statement text, repeat_warm boolean)
LANGUAGE plpgsql
AS $$
DECLARE
    query record;
    began timestamptz;
    found text[];
BEGIN
    IF repeat_warm THEN
        FOR query IN SELECT q.embedding FROM bench.queries AS q ORDER BY q.n LOOP
            EXECUTE statement INTO found USING query.embedding, scope;
        END LOOP;
    END IF;
    FOR query IN SELECT q.n, q.embedding FROM bench.queries AS q ORDER BY q.n LOOP
        began := clock_timestamp();
        EXECUTE statement INTO found USING query.embedding, scope;
        INSERT INTO bench.answers
        VALUES (way, scope, query.n, 1000 * extract(epoch FROM clock_timestamp() - began), found);
    END LOOP;
END
$$;
