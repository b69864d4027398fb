-- What the ways to enrich records need beside Kepler: the documents, and a queue as one writes it by
-- hand, with the status on the record and an index on what is ready.

CREATE SCHEMA bench;

CREATE FUNCTION bench.document(number bigint) RETURNS jsonb
LANGUAGE sql IMMUTABLE
AS $$
    SELECT jsonb_object_agg('field ' || f, md5(number::text || f)) FROM generate_series(1, 20) AS f
$$;
CREATE FUNCTION bench.result() RETURNS jsonb
LANGUAGE sql IMMUTABLE
AS $$ SELECT '{"industry": "tools", "employees": 120, "domain": "example.com", "score": 0.75}'::jsonb $$;

CREATE TABLE bench.hand (
    id text PRIMARY KEY,
    status text NOT NULL,
    data jsonb NOT NULL,
    enrichment jsonb
) WITH (fillfactor = 90);
CREATE INDEX ON bench.hand (id) WHERE status = 'UNAPPLIED';

CREATE FUNCTION bench.hand_claim(size integer) RETURNS text[]
LANGUAGE plpgsql
AS $$
DECLARE
    ids text[];
BEGIN
    WITH claimed AS (
        UPDATE bench.hand SET status = 'PENDING'
        WHERE id = ANY (ARRAY(
            SELECT id FROM bench.hand WHERE status = 'UNAPPLIED' ORDER BY id LIMIT size FOR UPDATE SKIP LOCKED))
        RETURNING id, data
    )
    SELECT array_agg(id) INTO ids FROM claimed;
    RETURN ids;
END
$$;
CREATE FUNCTION bench.hand_settle(ids text[], result jsonb) RETURNS bigint
LANGUAGE plpgsql
AS $$
DECLARE
    settled bigint;
BEGIN
    UPDATE bench.hand SET status = 'APPLIED', enrichment = coalesce(enrichment, '{}') || result
    WHERE id = ANY (ids) AND status = 'PENDING';
    GET DIAGNOSTICS settled = ROW_COUNT;
    RETURN settled;
END
$$;
