-- kepler.metrics(): what the views of statistics show, in the form that exporters for Prometheus pass on.

-- Every metric: its type, its labels, and what it says. Names as Prometheus has them: units in them, _total for what only grows.
CREATE FUNCTION kepler_internal.metric_names() RETURNS TABLE (name text, type text, label_names text[], help text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
VALUES
    ('kepler_info', 'gauge', '{library_version,extension_version,postgres_version}'::text[], 'Versions of library, extension and Postgres; always 1'),
    ('kepler_schema_version', 'gauge', '{}', 'Schema version of Kepler''s tables'),
    ('kepler_schema_version_expected', 'gauge', '{}', 'Schema version that the library knows; install() brings the tables there'),
    ('kepler_workspaces', 'gauge', '{}', 'Workspaces, as Postgres estimates them'),
    ('kepler_queue_ready_records', 'gauge', '{workspace_id,entity_type}', 'Records that a claim may take now, counted up to kepler_queue_counted_up_to_records'),
    ('kepler_queue_waiting_records', 'gauge', '{workspace_id,entity_type}', 'Records whose next attempt comes later, counted up to kepler_queue_counted_up_to_records'),
    ('kepler_queue_leased_records', 'gauge', '{workspace_id,entity_type}', 'Records that workers hold'),
    ('kepler_queue_failed_records', 'gauge', '{workspace_id,entity_type}', 'Records that are FAILED, counted up to kepler_queue_counted_up_to_records'),
    ('kepler_queue_counted_up_to_records', 'gauge', '{workspace_id,entity_type}', 'Where counting of the queue stops: a greater count is not told'),
    ('kepler_queue_oldest_ready_age_seconds', 'gauge', '{workspace_id,entity_type}', 'How long the record that has been ready longest is ready'),
    ('kepler_queue_leases', 'gauge', '{workspace_id,entity_type}', 'Leases that are open'),
    ('kepler_queue_expired_leases', 'gauge', '{workspace_id,entity_type}', 'Leases that have ended without a result'),
    ('kepler_workers', 'gauge', '{workspace_id}', 'Workers that hold leases'),
    ('kepler_workers_recent_attempts', 'gauge', '{workspace_id}', 'Attempts that have ended in the last 15 minutes, of the last attempts of the workspace'),
    ('kepler_workers_recent_failed_attempts', 'gauge', '{workspace_id}', 'Attempts of these that failed or expired'),
    ('kepler_workers_attempt_average_seconds', 'gauge', '{workspace_id}', 'How long these attempts took on average'),
    ('kepler_queue_paused', 'gauge', '{workspace_id,entity_type}', '1 while claims of the type are paused'),
    ('kepler_sync_open_runs', 'gauge', '{workspace_id,entity_type,source}', 'Sync runs that are open'),
    ('kepler_sync_oldest_open_run_age_seconds', 'gauge', '{workspace_id,entity_type,source}', 'How long ago the oldest open sync run began'),
    ('kepler_sync_failing_entities', 'gauge', '{workspace_id,entity_type,source}', 'Entities whose last sync run of a mode failed or was abandoned'),
    ('kepler_sync_last_success_age_seconds', 'gauge', '{workspace_id,entity_type,source}', 'How long ago the last successful sync run ended, of the entity of the type where it is longest'),
    ('kepler_feed_waiting_changes', 'gauge', '{workspace_id,consumer}', 'Changes behind the cursor of a consumer, counted up to kepler_feed_counted_up_to_changes'),
    ('kepler_feed_counted_up_to_changes', 'gauge', '{workspace_id,consumer}', 'Where counting of the feed stops: a greater count is not told'),
    ('kepler_feed_oldest_waiting_age_seconds', 'gauge', '{workspace_id,consumer}', 'Age of the oldest change that waits for a consumer'),
    ('kepler_feed_acknowledged_age_seconds', 'gauge', '{workspace_id,consumer}', 'How long ago a consumer last acknowledged changes'),
    ('kepler_horizon_held_seconds', 'gauge', '{held_by}', 'How long the oldest transaction of a kind has been under way'),
    ('kepler_horizon_held_transactions', 'gauge', '{held_by}', 'How many transactions have begun since the horizon is held back'),
    ('kepler_memory_estimated_rows', 'gauge', '{space,kind}', 'Embeddings of a space, as Postgres estimates them'),
    ('kepler_memory_estimated_pending_rows', 'gauge', '{space,kind}', 'Memories or messages without an embedding in a space, as Postgres estimates it'),
    ('kepler_memory_bytes', 'gauge', '{space,kind}', 'Size of the table of embeddings without its indexes'),
    ('kepler_memory_index_bytes', 'gauge', '{space,kind}', 'Size of the index on the vectors'),
    ('kepler_memory_index_valid', 'gauge', '{space,kind}', '1 if searches use the index, 0 if it is not valid'),
    ('kepler_memory_index_building', 'gauge', '{space,kind}', '1 while the index is being built'),
    ('kepler_executions_running', 'gauge', '{workspace_id}', 'Executions under way'),
    ('kepler_executions_waiting', 'gauge', '{workspace_id}', 'Executions that wait for a person'),
    ('kepler_executions_overdue', 'gauge', '{workspace_id}', 'Executions under way whose deadline has passed'),
    ('kepler_executions_oldest_age_seconds', 'gauge', '{workspace_id}', 'How long ago the oldest execution under way began'),
    ('kepler_entry_tables', 'gauge', '{workspace_id}', 'Entry tables of a workspace'),
    ('kepler_entry_tables_estimated_rows', 'gauge', '{workspace_id}', 'Rows of the entry tables of a workspace, as Postgres estimates them'),
    ('kepler_entry_tables_estimated_bytes', 'gauge', '{workspace_id}', 'Size of the entry tables of a workspace without indexes, as of their last vacuum'),
    ('kepler_maintenance_last_success_age_seconds', 'gauge', '{step}', 'How long ago a step of maintain() last did what it could'),
    ('kepler_maintenance_failing', 'gauge', '{step}', 'How many objects a step of maintain() fails at'),
    ('kepler_table_estimated_rows', 'gauge', '{table}', 'Rows of a table of Kepler''s, as Postgres estimates them'),
    ('kepler_table_dead_rows', 'gauge', '{table}', 'Versions of rows that vacuum has not removed yet, as Postgres counts them'),
    ('kepler_table_bytes', 'gauge', '{table}', 'Size of a table with its indexes'),
    ('kepler_table_rows_inserted_total', 'counter', '{table}', 'Rows inserted since the statistics of Postgres were reset'),
    ('kepler_table_rows_updated_total', 'counter', '{table}', 'Rows updated since the statistics of Postgres were reset'),
    ('kepler_table_rows_deleted_total', 'counter', '{table}', 'Rows deleted since the statistics of Postgres were reset')
$$;

-- What stat_feed shows: on the coordinator of a cluster of all workspaces, in both feeds of each.
CREATE FUNCTION kepler_internal.metric_samples_of_feed() RETURNS TABLE (name text, labels jsonb, value double precision)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET kepler.plan_for_large_tables = on
SET max_parallel_workers_per_gather = 0
AS $$
#variable_conflict use_variable
BEGIN
    RETURN QUERY
    SELECT v.name, l.labels, v.value
    FROM kepler.stat_feed AS s
    CROSS JOIN LATERAL (SELECT jsonb_build_object('workspace_id', s.workspace_id, 'consumer', s.consumer) AS labels) AS l
    CROSS JOIN LATERAL (VALUES
        ('kepler_feed_waiting_changes', s.waiting::float8),
        ('kepler_feed_counted_up_to_changes', s.counted_up_to::float8),
        ('kepler_feed_oldest_waiting_age_seconds', coalesce(extract(epoch FROM statement_timestamp() - s.oldest_waiting_at), 0)::float8),
        ('kepler_feed_acknowledged_age_seconds', extract(epoch FROM statement_timestamp() - s.acknowledged_at)::float8)) AS v (name, value);
END
$$;

-- What the views show of workspaces. In a part of a cluster: of those that lie there, and of its node.
CREATE FUNCTION kepler_internal.metric_samples_of_workspaces() RETURNS TABLE (name text, labels jsonb, value double precision)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET kepler.plan_for_large_tables = on
-- Starting workers would take longer than all of it.
SET max_parallel_workers_per_gather = 0
AS $$
#variable_conflict use_variable
BEGIN
    RETURN QUERY
    SELECT v.name, l.labels, v.value
    FROM kepler.stat_queue AS s
    CROSS JOIN LATERAL (SELECT jsonb_build_object('workspace_id', s.workspace_id, 'entity_type', s.entity_type) AS labels) AS l
    CROSS JOIN LATERAL (VALUES
        ('kepler_queue_ready_records', s.ready::float8),
        ('kepler_queue_waiting_records', s.waiting::float8),
        ('kepler_queue_leased_records', s.leased::float8),
        ('kepler_queue_failed_records', s.failed::float8),
        ('kepler_queue_counted_up_to_records', s.counted_up_to::float8),
        ('kepler_queue_oldest_ready_age_seconds', coalesce(extract(epoch FROM statement_timestamp() - s.oldest_ready_at), 0)::float8),
        ('kepler_queue_paused', (s.paused_at IS NOT NULL)::integer::float8),
        ('kepler_queue_leases', s.leases::float8),
        ('kepler_queue_expired_leases', s.expired_leases::float8)) AS v (name, value)
    UNION ALL
    SELECT v.name, jsonb_build_object('workspace_id', s.workspace_id), v.value
    FROM (
        SELECT w.workspace_id, count(*) FILTER (WHERE w.leases > 0) AS workers, sum(w.attempts) AS attempts, sum(w.failed_attempts) AS failed,
            sum(extract(epoch FROM w.average_duration) * w.attempts) / nullif(sum(w.attempts), 0) AS average
        FROM kepler.stat_workers AS w GROUP BY w.workspace_id
    ) AS s
    CROSS JOIN LATERAL (VALUES
        ('kepler_workers', s.workers::float8),
        ('kepler_workers_recent_attempts', s.attempts::float8),
        ('kepler_workers_recent_failed_attempts', s.failed::float8),
        ('kepler_workers_attempt_average_seconds', s.average::float8)) AS v (name, value)
    UNION ALL
    SELECT v.name, l.labels, v.value
    FROM (
        SELECT r.workspace_id, r.entity_type, r.source,
            count(*) FILTER (WHERE r.status = 'RUNNING') AS open_runs,
            min(r.started_at) FILTER (WHERE r.status = 'RUNNING') AS oldest_open_at,
            count(DISTINCT r.entity_id) FILTER (WHERE r.status IN ('FAILURE', 'ABANDONED')) AS failing,
            min(r.last_succeeded_at) AS last_succeeded_at
        FROM kepler.stat_sync_runs AS r GROUP BY r.workspace_id, r.entity_type, r.source
    ) AS s
    CROSS JOIN LATERAL (SELECT jsonb_build_object(
        'workspace_id', s.workspace_id, 'entity_type', s.entity_type, 'source', s.source) AS labels) AS l
    CROSS JOIN LATERAL (VALUES
        ('kepler_sync_open_runs', s.open_runs::float8),
        ('kepler_sync_oldest_open_run_age_seconds', coalesce(extract(epoch FROM statement_timestamp() - s.oldest_open_at), 0)::float8),
        ('kepler_sync_failing_entities', s.failing::float8),
        ('kepler_sync_last_success_age_seconds', extract(epoch FROM statement_timestamp() - s.last_succeeded_at)::float8)) AS v (name, value)
    UNION ALL
    SELECT v.name, jsonb_build_object('held_by', s.held_by), v.value
    FROM kepler.stat_horizon AS s
    CROSS JOIN LATERAL (VALUES
        ('kepler_horizon_held_seconds', extract(epoch FROM statement_timestamp() - s.began_at)::float8),
        ('kepler_horizon_held_transactions', s.transactions::float8)) AS v (name, value)
    UNION ALL
    SELECT v.name, jsonb_build_object('workspace_id', s.workspace_id), v.value
    FROM (
        SELECT x.workspace_id, sum(x.running) AS running, sum(x.waiting) AS waiting, sum(x.overdue) AS overdue, min(x.oldest_started_at) AS oldest_started_at
        FROM kepler.stat_executions AS x GROUP BY x.workspace_id
    ) AS s
    CROSS JOIN LATERAL (VALUES
        ('kepler_executions_running', s.running::float8),
        ('kepler_executions_waiting', s.waiting::float8),
        ('kepler_executions_overdue', s.overdue::float8),
        ('kepler_executions_oldest_age_seconds', extract(epoch FROM statement_timestamp() - s.oldest_started_at)::float8)) AS v (name, value);
END
$$;

-- What the view shows of the spaces.
CREATE FUNCTION kepler_internal.metric_samples_of_spaces() RETURNS TABLE (name text, labels jsonb, value double precision)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET kepler.plan_for_large_tables = on
-- Starting workers would take longer than all of it.
SET max_parallel_workers_per_gather = 0
AS $$
#variable_conflict use_variable
BEGIN
    RETURN QUERY
    SELECT v.name, jsonb_build_object('space', s.space, 'kind', s.kind), v.value
    FROM kepler.stat_memory_spaces AS s
    CROSS JOIN LATERAL (VALUES
        ('kepler_memory_estimated_rows', s.estimated_rows::float8),
        ('kepler_memory_estimated_pending_rows', s.estimated_pending::float8),
        ('kepler_memory_bytes', s.bytes::float8),
        ('kepler_memory_index_bytes', s.index_bytes::float8),
        ('kepler_memory_index_valid', s.index_is_valid::integer::float8),
        ('kepler_memory_index_building', s.index_is_building::integer::float8)) AS v (name, value);
END
$$;

-- What the catalog says of Kepler's tables. whose: in a cluster, those 'of part', 'of node' for what a node has for itself, and
-- 'of coordinator'; NULL where there is none.
CREATE FUNCTION kepler_internal.metric_samples_of_tables(whose text) RETURNS TABLE (name text, labels jsonb, value double precision)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET kepler.plan_for_large_tables = on
-- Starting workers would take longer than all of it.
SET max_parallel_workers_per_gather = 0
AS $$
#variable_conflict use_variable
BEGIN
    RETURN QUERY
    WITH tables AS MATERIALIZED (
        SELECT h.oid, coalesce(p.relname, c.relname)::text AS table_name, h.reltuples
        FROM pg_class AS c
        LEFT JOIN pg_inherits AS i ON i.inhrelid = c.oid
        LEFT JOIN pg_class AS p ON p.oid = i.inhparent
        CROSS JOIN LATERAL (SELECT kepler_internal.relation_here(c.oid)::oid) AS o (oid)
        CROSS JOIN LATERAL (
            SELECT o.oid, (SELECT x.reltuples FROM pg_class AS x WHERE x.oid = o.oid) AS reltuples
        ) AS h
        WHERE c.relnamespace = 'kepler'::regnamespace AND c.relkind = 'r'
            AND (whose IS NULL OR kepler_internal.is_counted(c.oid, coalesce(p.relname, c.relname), whose))
    )
    SELECT v.name, jsonb_build_object('table', s.table_name), v.value
    FROM (
        SELECT t.table_name, sum(greatest(t.reltuples::bigint, pg_stat_get_live_tuples(t.oid), 0)) AS estimated_rows,
            sum(pg_stat_get_dead_tuples(t.oid)) AS dead, sum(pg_total_relation_size(t.oid)) AS bytes,
            sum(pg_stat_get_tuples_inserted(t.oid)) AS inserted, sum(pg_stat_get_tuples_updated(t.oid)) AS updated,
            sum(pg_stat_get_tuples_deleted(t.oid)) AS deleted
        FROM tables AS t GROUP BY t.table_name
    ) AS s
    CROSS JOIN LATERAL (VALUES
        ('kepler_table_estimated_rows', s.estimated_rows::float8),
        ('kepler_table_dead_rows', s.dead::float8),
        ('kepler_table_bytes', s.bytes::float8),
        ('kepler_table_rows_inserted_total', s.inserted::float8),
        ('kepler_table_rows_updated_total', s.updated::float8),
        ('kepler_table_rows_deleted_total', s.deleted::float8)) AS v (name, value);
END
$$;

-- Of the database as a whole.
CREATE FUNCTION kepler_internal.metric_samples_of_database() RETURNS TABLE (name text, labels jsonb, value double precision)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET kepler.plan_for_large_tables = on
-- Starting workers would take longer than all of it.
SET max_parallel_workers_per_gather = 0
AS $$
#variable_conflict use_variable
BEGIN
    RETURN QUERY
    SELECT v.name, jsonb_build_object('workspace_id', s.workspace_id), v.value
    FROM (
        SELECT x.workspace_id, count(*) AS tables, sum(x.estimated_rows) AS estimated_rows, sum(x.estimated_bytes) AS estimated_bytes
        FROM kepler.stat_entry_tables AS x GROUP BY x.workspace_id
    ) AS s
    CROSS JOIN LATERAL (VALUES
        ('kepler_entry_tables', s.tables::float8),
        ('kepler_entry_tables_estimated_rows', s.estimated_rows::float8),
        ('kepler_entry_tables_estimated_bytes', s.estimated_bytes::float8)) AS v (name, value)
    UNION ALL
    SELECT v.name, jsonb_build_object('step', s.step), v.value
    FROM (
        SELECT m.step, max(m.last_succeeded_at) FILTER (WHERE m.workspace_id IS NULL AND m.object IS NULL) AS last_succeeded_at,
            count(*) FILTER (WHERE m.outcome = 'failed') AS failing
        FROM kepler.stat_maintenance AS m GROUP BY m.step
    ) AS s
    CROSS JOIN LATERAL (VALUES
        ('kepler_maintenance_last_success_age_seconds', extract(epoch FROM statement_timestamp() - s.last_succeeded_at)::float8),
        ('kepler_maintenance_failing', s.failing::float8)) AS v (name, value)
    UNION ALL
    SELECT v.name, v.labels, v.value
    FROM (VALUES
        ('kepler_info', jsonb_build_object('library_version', kepler.version(), 'postgres_version', current_setting('server_version'),
            'extension_version', (SELECT e.extversion FROM pg_extension AS e WHERE e.extname = 'kepler')), 1::float8),
        ('kepler_schema_version', '{}', (SELECT max(x.version) FROM kepler.schema_versions AS x)::float8),
        ('kepler_schema_version_expected', '{}', kepler_internal.latest_schema_version()::float8),
        ('kepler_workspaces', '{}', (
            SELECT greatest((SELECT c.reltuples FROM pg_class AS c WHERE c.oid = h.oid)::bigint, pg_stat_get_live_tuples(h.oid), 0)
            FROM (SELECT kepler_internal.relation_here('kepler.workspaces')::oid) AS h (oid))::float8)) AS v (name, labels, value);
END
$$;

CREATE FUNCTION kepler.metrics() RETURNS TABLE (name text, labels jsonb, value double precision, type text, help text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET kepler.plan_for_large_tables = on
SET max_parallel_workers_per_gather = 0
AS $$
#variable_conflict use_variable
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_monitor();
    IF kepler_internal.is_distributed() THEN
        RETURN QUERY
        SELECT m.name, s.labels, s.value, m.type, m.help
        FROM kepler_internal.metric_samples_in_parts() AS s JOIN kepler_internal.metric_names() AS m ON m.name = s.name
        WHERE s.value IS NOT NULL;
        RETURN;
    END IF;
    RETURN QUERY
    SELECT m.name, s.labels, s.value, m.type, m.help
    FROM (
        SELECT * FROM kepler_internal.metric_samples_of_workspaces()
        UNION ALL SELECT * FROM kepler_internal.metric_samples_of_feed()
        UNION ALL SELECT * FROM kepler_internal.metric_samples_of_spaces()
        UNION ALL SELECT * FROM kepler_internal.metric_samples_of_database()
        UNION ALL SELECT * FROM kepler_internal.metric_samples_of_tables(NULL)
    ) AS s JOIN kepler_internal.metric_names() AS m ON m.name = s.name
    WHERE s.value IS NOT NULL;
END
$$;
