-- What is installed, and how much it holds.

CREATE FUNCTION kepler.status() RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    -- Smaller tables are counted, larger ones estimated from their statistics.
    counted_up_to constant bigint := 64 * 1024 * 1024;
    tables jsonb := '{}';
    name text;
    relation regclass;
    row_count bigint;
    estimated boolean;
BEGIN
    PERFORM kepler._require_tables();
    FOREACH name IN ARRAY
        ARRAY['workspaces', 'users', 'connections', 'credentials', 'entities', 'records',
              'entry_tables', 'structures', 'hidden_fields',
              'workflows', 'executions', 'execution_steps',
              'enrichment_policies', 'enrichment_queue', 'leases', 'enrichment_attempts',
              'embedding_spaces', 'memories', 'memory_access', 'conversations', 'messages']
    LOOP
        relation := format('kepler.%I', name)::regclass;
        SELECT c.reltuples::bigint, pg_relation_size(relation) > counted_up_to AND c.reltuples >= 0
        INTO row_count, estimated FROM pg_class AS c WHERE c.oid = relation;
        IF NOT estimated THEN
            EXECUTE format('SELECT count(*) FROM %s', relation) INTO row_count;
        END IF;
        tables := tables || jsonb_build_object(name, jsonb_build_object(
            'rows', row_count, 'estimated', estimated, 'bytes', pg_total_relation_size(relation)));
    END LOOP;
    RETURN jsonb_build_object(
        'library_version', kepler.version(),
        'extension_version',
            (SELECT e.extversion FROM pg_extension AS e WHERE e.extname = 'kepler'),
        'schema_version', (SELECT max(v.version) FROM kepler.schema_versions AS v),
        'latest_schema_version', kepler._latest_schema_version(),
        'postgres_version', current_setting('server_version'),
        'pgvector_version',
            (SELECT e.extversion FROM pg_extension AS e WHERE e.extname = 'vector'),
        'workspace_id', kepler.current_workspace_id(),
        'tables', tables);
END
$$;
