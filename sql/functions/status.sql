-- What is installed, how much it holds, and what waits.

-- Rows and bytes of a table. Smaller tables are counted, where the caller may read them; of others the
-- statistics tell.
CREATE FUNCTION kepler_internal.table_status(relation regclass) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
-- To start workers takes longer than to count what is counted.
SET max_parallel_workers_per_gather = 0
AS $$
DECLARE
    counted_up_to constant bigint := 64 * 1024 * 1024;
    row_count bigint;
    estimated boolean;
    bytes bigint;
    -- In a part of a cluster the shards.
    relations constant oid[] := ARRAY(
        SELECT kepler_internal.relation_here(r.relation)
        FROM (SELECT relation UNION SELECT t.relid FROM pg_partition_tree(relation) AS t) AS r (relation));
BEGIN
    SELECT sum(nullif(c.reltuples, -1))::bigint,
        NOT has_table_privilege(relation, 'SELECT')
        OR (sum(pg_relation_size(c.oid)) > counted_up_to AND bool_or(c.reltuples >= 0)),
        sum(pg_total_relation_size(c.oid))
    INTO row_count, estimated, bytes
    FROM pg_class AS c
    WHERE c.oid = ANY (relations);
    IF NOT estimated THEN
        EXECUTE format('SELECT count(*) FROM %s', relation) INTO row_count;
    END IF;
    RETURN jsonb_build_object(
        'rows', row_count, 'estimated', estimated, 'bytes', bytes);
END
$$;

-- What waits, as far as the caller may see it.
CREATE FUNCTION kepler_internal.status_of_work(OUT queue jsonb, OUT runs jsonb)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
SET max_parallel_workers_per_gather = 0
AS $$
#variable_conflict use_variable
BEGIN
    -- The first of each type, by the index.
    IF has_column_privilege('kepler.enrichment_queue', 'ready_at', 'SELECT') THEN
        SELECT jsonb_build_object(
            'oldest_ready_at', min(q.ready_at),
            'leases', (SELECT count(*) FROM kepler.leases AS l),
            'expired_leases', (SELECT count(*) FROM kepler.leases AS l WHERE l.lease_until <= clock_timestamp()))
        INTO queue
        FROM kepler.enrichment_policies AS p
        CROSS JOIN LATERAL (
            SELECT n.ready_at FROM kepler.enrichment_queue AS n
            WHERE n.workspace_id = p.workspace_id AND n.entity_type = p.entity_type
                AND n.ready_at <= clock_timestamp()
            ORDER BY n.ready_at LIMIT 1) AS q;
    END IF;
    IF has_column_privilege('kepler.executions', 'deadline_at', 'SELECT') THEN
        SELECT jsonb_build_object(
            'running', count(*),
            'overdue', count(*) FILTER (WHERE e.deadline_at <= clock_timestamp()))
        INTO runs
        FROM kepler.executions AS e WHERE e.status = 'RUNNING';
    END IF;
END
$$;

CREATE FUNCTION kepler.status() RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    tables jsonb;
    made jsonb;
    queue jsonb;
    runs jsonb;
BEGIN
    PERFORM kepler_internal.require_tables();
    IF kepler_internal.is_distributed() THEN
        SELECT p.tables, p.made, p.queue, p.runs INTO tables, made, queue, runs FROM kepler_internal.status_in_parts() AS p;
    ELSE
        SELECT jsonb_object_agg(c.relname, kepler_internal.table_status(c.oid::regclass)) INTO tables
        FROM pg_class AS c
        WHERE c.relnamespace = 'kepler'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
            AND c.relname NOT IN ('schema_versions', 'access_levels', 'workspace_members');

        -- There may be thousands: what the statistics say of all of them.
        SELECT jsonb_object_agg(k.kind, jsonb_build_object(
            'tables', k.tables, 'rows', k.row_count, 'estimated', true, 'bytes', k.bytes)) INTO made
        FROM (
            SELECT w.kind, count(c.oid) AS tables, coalesce(sum(nullif(c.reltuples, -1)), 0)::bigint AS row_count,
                coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint AS bytes
            FROM (VALUES ('entries'), ('embeddings')) AS w (kind)
            LEFT JOIN pg_class AS c ON c.relnamespace = to_regnamespace('kepler_data') AND c.relkind IN ('r', 'p')
                AND (right(c.relname::text, 11) = '_embeddings') = (w.kind = 'embeddings')
            GROUP BY w.kind
        ) AS k;

        SELECT w.queue, w.runs INTO queue, runs FROM kepler_internal.status_of_work() AS w;
    END IF;

    RETURN jsonb_build_object(
        'library_version', kepler.version(),
        'extension_version',
            (SELECT e.extversion FROM pg_extension AS e WHERE e.extname = 'kepler'),
        'schema_version', (SELECT max(v.version) FROM kepler.schema_versions AS v),
        'latest_schema_version', kepler_internal.latest_schema_version(),
        'postgres_version', current_setting('server_version'),
        'pgvector_version',
            (SELECT e.extversion FROM pg_extension AS e WHERE e.extname = 'vector'),
        'workspace_id', kepler.current_workspace_id(),
        'tables', tables,
        'made', made,
        'enrichment', queue,
        'executions', runs);
END
$$;
