-- What status() and metrics() say of a cluster: each part is asked, and what they say is added up.

-- Of a part: its tables of these names, its embeddings, and what waits there.
CREATE FUNCTION kepler_internal.status_of_part(table_names text[], part_of text) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
BEGIN
    RETURN (
        SELECT jsonb_build_object('queue', w.queue, 'runs', w.runs,
            'tables', (SELECT jsonb_object_agg(t.name, kepler_internal.table_status(format('kepler.%I', t.name)::regclass))
                FROM unnest(table_names) AS t (name)),
            'embeddings', (
                SELECT jsonb_build_object('rows', coalesce(sum(nullif(h.reltuples, -1)), 0)::bigint,
                    'bytes', coalesce(sum(pg_total_relation_size(h.oid)), 0)::bigint)
                FROM pg_class AS h
                WHERE h.oid = ANY (ARRAY(
                    SELECT kepler_internal.relation_here(c.oid) FROM pg_class AS c
                    WHERE c.relnamespace = to_regnamespace('kepler_data') AND c.relkind IN ('r', 'p')
                        AND right(c.relname::text, 11) = '_embeddings')::oid[])))
        FROM kepler_internal.status_of_work() AS w);
END
$$;

-- Of all parts and of the coordinator, as status() says it.
CREATE FUNCTION kepler_internal.status_in_parts(OUT tables jsonb, OUT made jsonb, OUT queue jsonb, OUT runs jsonb)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    here text[];
    by_workspace text[];
    everywhere text[];
    nodes text[] := ARRAY(SELECT k FROM kepler_internal.node_keys() AS k);
    part text;
    is_first boolean := true;
    told jsonb[] := '{}';
    counted jsonb[] := '{}';
BEGIN
    SELECT array_agg(c.relname::text) FILTER (WHERE l.lies IS NULL), array_agg(c.relname::text) FILTER (WHERE l.lies = 'by workspace'),
        array_agg(c.relname::text) FILTER (WHERE l.lies = 'everywhere')
    INTO here, by_workspace, everywhere
    FROM pg_class AS c CROSS JOIN LATERAL kepler_internal.lies_now(c.oid) AS l (lies)
    WHERE c.relnamespace = 'kepler'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
        AND c.relname NOT IN ('schema_versions', 'access_levels', 'workspace_members', 'parts', 'two_phase') AND c.relname !~ '_[0-9]+$';
    FOR part IN SELECT k FROM kepler_internal.part_keys() AS k LOOP
        told := told || kepler_internal.status_of_part(by_workspace
            || CASE WHEN is_first THEN everywhere ELSE '{}' END
            || CASE WHEN part = ANY (nodes)
                THEN ARRAY(SELECT h FROM unnest(here) AS h WHERE kepler_internal.each_node_has(h::name)) ELSE '{}' END, part);
        is_first := false;
    END LOOP;
    SELECT array_agg(kepler_internal.table_status(format('kepler.%I', h)::regclass) || jsonb_build_object('name', h))
    INTO counted FROM unnest(here) AS h;
    SELECT jsonb_object_agg(s.name, jsonb_build_object('rows', s.rows, 'estimated', s.estimated, 'bytes', s.bytes)) INTO tables
    FROM (
        SELECT t.name, sum(t.rows) AS rows, bool_or(t.estimated) AS estimated, sum(t.bytes) AS bytes
        FROM (
            SELECT o.name, r.* FROM unnest(told) AS p (said)
            CROSS JOIN LATERAL jsonb_each(p.said -> 'tables') AS o (name, status)
            CROSS JOIN LATERAL jsonb_to_record(o.status) AS r (rows bigint, estimated boolean, bytes bigint)
            UNION ALL
            SELECT r.* FROM unnest(counted) AS p (said)
            CROSS JOIN LATERAL jsonb_to_record(p.said) AS r (name text, rows bigint, estimated boolean, bytes bigint)
        ) AS t GROUP BY t.name
    ) AS s;
    SELECT jsonb_object_agg(k.kind, jsonb_build_object(
        'tables', k.tables, 'rows', k.row_count, 'estimated', true, 'bytes', k.bytes)) INTO made
    FROM (
        SELECT 'entries' AS kind, count(*) AS tables, coalesce(sum(nullif(c.reltuples, -1)), 0)::bigint AS row_count,
            coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint AS bytes
        FROM pg_class AS c
        WHERE c.relnamespace = to_regnamespace('kepler_data') AND c.relkind IN ('r', 'p') AND right(c.relname::text, 11) <> '_embeddings'
            AND c.relname !~ '_embeddings_[0-9]+$'
        UNION ALL
        SELECT 'embeddings', (
                SELECT count(*) FROM pg_class AS c
                WHERE c.relnamespace = to_regnamespace('kepler_data') AND c.relkind IN ('r', 'p')
                    AND right(c.relname::text, 11) = '_embeddings'),
            coalesce(sum((p.said #>> '{embeddings,rows}')::bigint), 0)::bigint,
            coalesce(sum((p.said #>> '{embeddings,bytes}')::bigint), 0)::bigint
        FROM unnest(told) AS p (said)
    ) AS k;
    SELECT CASE WHEN bool_and(p.said -> 'queue' <> 'null') THEN jsonb_build_object(
            'oldest_ready_at', min((p.said #>> '{queue,oldest_ready_at}')::timestamptz),
            'leases', sum((p.said #>> '{queue,leases}')::bigint),
            'expired_leases', sum((p.said #>> '{queue,expired_leases}')::bigint)) END,
        CASE WHEN bool_and(p.said -> 'runs' <> 'null') THEN jsonb_build_object(
            'running', sum((p.said #>> '{runs,running}')::bigint), 'overdue', sum((p.said #>> '{runs,overdue}')::bigint)) END
    INTO queue, runs FROM unnest(told) AS p (said);
END
$$;

-- Whether metrics count a table here. name: that of its whole.
CREATE FUNCTION kepler_internal.is_counted(relation regclass, name name, whose text) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    lies text;
BEGIN
    -- Shards are seen on workers.
    IF name IN ('parts', 'two_phase') OR name ~ '_[0-9]+$' THEN RETURN false; END IF;
    lies := kepler_internal.lies_now(relation);
    RETURN CASE whose
        WHEN 'of part' THEN coalesce(lies = 'by workspace', false)
        WHEN 'of node' THEN lies IS NULL AND kepler_internal.each_node_has(name)
        ELSE lies IS DISTINCT FROM 'by workspace' END;
END
$$;

-- What stat_memory_spaces shows, of a part.
CREATE FUNCTION kepler_internal.metric_samples_of_spaces_here() RETURNS TABLE (name text, labels jsonb, value double precision)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH spaces AS (
        SELECT s.name AS space, k.kind, t.oid, t.estimated_rows, greatest(o.estimated_rows - t.estimated_rows, 0) AS estimated_pending
        FROM kepler.embedding_spaces AS s
        CROSS JOIN LATERAL (VALUES ('memories', s.memory_table_name, 'kepler.memories'::regclass),
            ('messages', s.message_table_name, 'kepler.messages'::regclass)) AS k (kind, table_name, of_table)
        JOIN LATERAL (
            SELECT h.oid, greatest(h.reltuples::bigint, pg_stat_get_live_tuples(h.oid), 0) AS estimated_rows
            FROM pg_class AS h WHERE h.oid = (SELECT kepler_internal.relation_here(to_regclass(format('kepler_data.%I', k.table_name))))
        ) AS t ON true
        JOIN LATERAL (
            SELECT greatest(h.reltuples::bigint, pg_stat_get_live_tuples(h.oid), 0) AS estimated_rows
            FROM pg_class AS h WHERE h.oid = (SELECT kepler_internal.relation_here(k.of_table))
        ) AS o ON true
    )
    SELECT v.name, jsonb_build_object('space', s.space, 'kind', s.kind), v.value
    FROM spaces AS s
    LEFT JOIN LATERAL (
        SELECT n.indisvalid AS is_valid, pg_relation_size(x.oid) AS bytes,
            EXISTS (SELECT FROM pg_stat_progress_create_index AS p WHERE p.index_relid = x.oid) AS is_building
        FROM pg_index AS n
        JOIN pg_class AS x ON x.oid = n.indexrelid
        JOIN pg_am AS m ON m.oid = x.relam AND m.amname IN ('hnsw', 'ivfflat')
        WHERE n.indrelid = s.oid ORDER BY n.indisvalid DESC, x.relname LIMIT 1
    ) AS i ON true
    CROSS JOIN LATERAL (VALUES
        ('kepler_memory_estimated_rows', s.estimated_rows::float8),
        ('kepler_memory_estimated_pending_rows', s.estimated_pending::float8),
        ('kepler_memory_bytes', pg_table_size(s.oid)::float8),
        ('kepler_memory_index_bytes', i.bytes::float8),
        ('kepler_memory_index_valid', i.is_valid::integer::float8),
        ('kepler_memory_index_building', i.is_building::integer::float8)) AS v (name, value);
END
$$;

-- Of a part; with_node: and of what its node has for itself.
CREATE FUNCTION kepler_internal.metric_samples_of_part(with_node boolean, part_of text)
RETURNS TABLE (name text, labels jsonb, value double precision)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    PERFORM kepler_internal.require_monitor();
    RETURN QUERY SELECT s.* FROM kepler_internal.metric_samples_of_workspaces() AS s;
    RETURN QUERY SELECT s.* FROM kepler_internal.metric_samples_of_spaces_here() AS s;
    RETURN QUERY SELECT s.* FROM kepler_internal.metric_samples_of_tables('of part') AS s;
    IF with_node THEN
        RETURN QUERY SELECT s.* FROM kepler_internal.metric_samples_of_tables('of node') AS s;
    END IF;
END
$$;

-- Of all parts and of the coordinator. What is said of a workspace is said by one of them; of a table and a space all is added up;
-- the horizon is that of the node where it is held longest.
CREATE FUNCTION kepler_internal.metric_samples_in_parts() RETURNS TABLE (name text, labels jsonb, value double precision)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
SET max_parallel_workers_per_gather = 0
AS $$
#variable_conflict use_column
DECLARE
    nodes text[] := ARRAY(SELECT k FROM kepler_internal.node_keys() AS k);
    part text;
    names text[] := '{}';
    all_labels jsonb[] := '{}';
    numbers double precision[] := '{}';
    told record;
BEGIN
    FOR part IN SELECT k FROM kepler_internal.part_keys() AS k LOOP
        SELECT array_agg(s.name) AS names, array_agg(s.labels) AS labels, array_agg(s.value) AS numbers INTO told
        FROM kepler_internal.metric_samples_of_part(part = ANY (nodes), part) AS s WHERE s.value IS NOT NULL;
        names := names || told.names;
        all_labels := all_labels || told.labels;
        numbers := numbers || told.numbers;
    END LOOP;
    RETURN QUERY
    SELECT s.name, s.labels, CASE
        WHEN s.name IN ('kepler_memory_index_valid') THEN min(s.value)
        WHEN s.name IN ('kepler_memory_index_building', 'kepler_horizon_held_seconds', 'kepler_horizon_held_transactions') THEN max(s.value)
        ELSE sum(s.value) END
    FROM (
        SELECT u.* FROM unnest(names, all_labels, numbers) AS u (name, labels, value)
        UNION ALL SELECT d.* FROM kepler_internal.metric_samples_of_tables('of coordinator') AS d
        UNION ALL SELECT d.* FROM kepler_internal.metric_samples_of_database() AS d
        UNION ALL SELECT d.* FROM kepler_internal.metric_samples_of_feed() AS d
    ) AS s
    GROUP BY s.name, s.labels;
END
$$;

-- The views that show what nodes have for themselves beside what lies in parts, which Citus does not spread: a node gets those that it
-- lacks. definitions: of each what it reads.
CREATE FUNCTION kepler_internal.complete_node(definitions jsonb, options jsonb, part_of text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    view record;
BEGIN
    PERFORM kepler_internal.require_cluster_owner();
    PERFORM set_config('citus.enable_ddl_propagation', 'off', true);
    FOR view IN SELECT d.name, d.definition FROM jsonb_each_text(definitions) AS d (name, definition) LOOP
        IF to_regclass(format('kepler.%I', view.name)) IS NULL THEN
            EXECUTE format('CREATE VIEW kepler.%I %s AS %s', view.name, options ->> view.name, view.definition);
            IF view.name LIKE 'stat\_%' THEN EXECUTE format('GRANT SELECT ON kepler.%I TO pg_monitor', view.name); END IF;
        END IF;
    END LOOP;
END
$$;

CREATE FUNCTION kepler_internal.complete_nodes() RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    key text;
    definitions jsonb;
    options jsonb;
BEGIN
    SELECT jsonb_object_agg(c.relname, pg_get_viewdef(c.oid)),
        jsonb_object_agg(c.relname, coalesce('WITH (' || array_to_string(c.reloptions, ', ') || ')', ''))
    INTO definitions, options
    FROM pg_class AS c WHERE c.relnamespace = 'kepler'::regnamespace AND c.relkind = 'v';
    FOR key IN SELECT k FROM kepler_internal.node_keys() AS k LOOP
        -- The library must be there before the statement that is sent.
        EXECUTE format('SELECT kepler.cuid() FROM (SELECT count(*) FROM kepler.parts AS p WHERE p.workspace_id = %L) AS n OFFSET 0', key);
    END LOOP;
    -- What asks the parts here reads, on nodes, what it read before.
    definitions := definitions || kepler_internal.former_views();
    FOR key IN SELECT k FROM kepler_internal.node_keys() AS k LOOP
        PERFORM kepler_internal.complete_node(definitions, options, key);
    END LOOP;
END
$$;
