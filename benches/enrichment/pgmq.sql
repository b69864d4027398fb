-- The records that pgmq's messages are about: the columns, keys, checks, foreign keys and fill factor of kepler.records,
-- without triggers, hash, digest and lease.

CREATE TABLE bench.records (LIKE kepler.records INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE);
ALTER TABLE bench.records DROP COLUMN content_hash, DROP COLUMN source_digest, DROP COLUMN enrichment_lease_id,
    ADD PRIMARY KEY (workspace_id, id), ADD UNIQUE (workspace_id, entity_id, external_id),
    ADD FOREIGN KEY (workspace_id) REFERENCES kepler.workspaces (id),
    ADD FOREIGN KEY (workspace_id, entity_id) REFERENCES kepler.entities (workspace_id, id) ON DELETE SET NULL (entity_id);
DO $$
BEGIN
    EXECUTE format('ALTER TABLE bench.records SET (%s)', (
        SELECT string_agg(option, ', ') FROM pg_class, unnest(reloptions) AS option WHERE oid = 'kepler.records'::regclass));
END $$;

CREATE FUNCTION bench.pgmq_fill(rows integer) RETURNS bigint
LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO kepler.entities (id, type) VALUES ('bench', 'bench');
    INSERT INTO bench.records (entity_id, external_id, entity_type, data)
    SELECT 'bench', i::text, 'bench', bench.document(i) FROM generate_series(1, rows) AS i;
    RETURN (SELECT count(*) FROM pgmq.send_batch('bench', ARRAY(
        SELECT jsonb_build_object('record_id', r.id) FROM bench.records AS r ORDER BY r.id)));
END
$$;

CREATE FUNCTION bench.pgmq_settle(messages bigint[], ids text[], result jsonb) RETURNS bigint
LANGUAGE plpgsql
AS $$
BEGIN
    UPDATE bench.records AS r
    SET enrichment_status = 'APPLIED', updated_at = clock_timestamp(), enrichment = coalesce(r.enrichment, '{}') || result
    WHERE r.workspace_id = 'default' AND r.id = ANY (ids);
    RETURN (SELECT count(*) FROM pgmq.archive('bench', messages));
END
$$;
