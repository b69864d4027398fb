-- Views of a cluster. Citus takes no view that looks up a few rows for each of others; so on the coordinator such a view asks each
-- part, whose node has it as it was.

-- The views that do, and what each of them gives.
CREATE FUNCTION kepler_internal.views_of_parts(OUT name text, OUT given text, OUT columns text, OUT options text) RETURNS SETOF record
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT c.relname::text, string_agg(format('r.%I', a.attname), ', ' ORDER BY a.attnum),
        string_agg(format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY a.attnum),
        coalesce('WITH (' || array_to_string(c.reloptions, ', ') || ')', '')
    FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
    WHERE c.relnamespace = to_regnamespace('kepler') AND c.relkind = 'v'
        AND c.relname IN ('stat_feed', 'stat_queue', 'stat_sync_runs', 'stat_workers', 'sync_progress')
    GROUP BY c.oid
$$;

-- The rows of such a view in a part. One that lies on the coordinator is read by what the view was there.
CREATE FUNCTION kepler_internal.view_rows_of_part(view_name text, part_of text) RETURNS SETOF jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET kepler.plan_for_large_tables = on
AS $$
BEGIN
    IF view_name NOT IN (SELECT v.name FROM kepler_internal.views_of_parts() AS v) THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_table', MESSAGE = format('there is no view %s of parts', view_name);
    END IF;
    RETURN QUERY EXECUTE format('SELECT to_jsonb(v.*) FROM %s AS v',
        coalesce(to_regclass('kepler_internal.former_' || view_name), format('kepler.%I', view_name)::regclass));
END
$$;

-- In all of them.
CREATE FUNCTION kepler_internal.view_rows_in_parts(view_name text) RETURNS SETOF jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    part text;
BEGIN
    FOR part IN SELECT k FROM kepler_internal.part_keys() AS k LOOP
        RETURN QUERY SELECT v FROM kepler_internal.view_rows_of_part(view_name, part) AS v;
    END LOOP;
END
$$;

-- What stat_feed is on the coordinator: what waits in the feed here is added, but for what was changed in distributed tables before they
-- were. Of a cursor with two positions the second one is of this feed.
CREATE FUNCTION kepler_internal.stat_feed_of_cluster(given text, columns text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp SET kepler.plan_for_large_tables = on
AS $$
    SELECT format('SELECT %s FROM (
        SELECT v.workspace_id, v.consumer, v.acknowledged_at, least(v.counted_up_to, v.waiting + b.waiting) AS waiting, v.counted_up_to,
            least(v.oldest_waiting_at, b.oldest_waiting_at) AS oldest_waiting_at, v.is_readable, v.cursor
        FROM kepler_internal.view_rows_in_parts(''stat_feed'') AS p (given) CROSS JOIN LATERAL jsonb_to_record(p.given) AS v (%s)
        CROSS JOIN LATERAL (SELECT v.cursor ~ ''^02[0-9a-f]{104}$'' AS is_of_two) AS c
        CROSS JOIN LATERAL (SELECT CASE WHEN c.is_of_two THEN v.cursor ELSE repeat(''0'', 106) END AS cursor) AS k
        CROSS JOIN LATERAL (
            SELECT count(*) AS waiting, min(n.created_at) AS oldest_waiting_at FROM (
                SELECT f.created_at FROM kepler.feed AS f
                WHERE c.is_of_two AND f.workspace_id = v.workspace_id AND (f.epoch, f.xid, f.sequence) > (
                    (''x'' || substr(k.cursor, 51, 8))::bit(32)::integer,
                    (''x'' || substr(k.cursor, 59, 16))::bit(64)::bigint::text::xid8,
                    (''x'' || substr(k.cursor, 75, 16))::bit(64)::bigint)
                    AND f.table_id <> ALL ((SELECT kepler_internal.feed_tables_elsewhere())::integer[])
                ORDER BY f.epoch, f.xid, f.sequence LIMIT v.counted_up_to) AS n) AS b) AS r', given, columns)
$$;

-- Has the views on the coordinator ask the parts; or, with definitions, read what they read before. That is kept in views of the same
-- names, former_…, which the owner alone may read.
CREATE FUNCTION kepler_internal.turn_views(definitions jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    view record;
    former text;
    propagates constant text := current_setting('citus.enable_ddl_propagation');
BEGIN
    PERFORM kepler_internal.require_cluster_owner();
    PERFORM set_config('citus.enable_ddl_propagation', 'off', true);
    FOR view IN SELECT * FROM kepler_internal.views_of_parts() LOOP
        former := format('kepler_internal.%I', 'former_' || view.name);
        IF definitions IS NULL AND NOT kepler_internal.asks_parts(view.name) THEN
            EXECUTE format('DROP VIEW IF EXISTS %s', former);
            EXECUTE format('CREATE VIEW %s %s AS %s', former, view.options, pg_get_viewdef(format('kepler.%I', view.name)::regclass));
            EXECUTE format('COMMENT ON VIEW %s IS %L', former, format('Internal: what kepler.%s reads in a part of a cluster on this node', view.name));
        END IF;
        EXECUTE format('CREATE OR REPLACE VIEW kepler.%I %s AS %s', view.name, view.options, coalesce(definitions ->> view.name,
            CASE view.name WHEN 'stat_feed' THEN kepler_internal.stat_feed_of_cluster(view.given, view.columns) END,
            format('SELECT %s FROM kepler_internal.view_rows_in_parts(%L) AS p (given) CROSS JOIN LATERAL jsonb_to_record(p.given) AS r (%s)',
                view.given, view.name, view.columns)));
        IF definitions IS NOT NULL THEN EXECUTE format('DROP VIEW IF EXISTS %s', former); END IF;
    END LOOP;
    PERFORM set_config('citus.enable_ddl_propagation', propagates, true);
END
$$;

-- Whether a view asks the parts.
CREATE FUNCTION kepler_internal.asks_parts(view_name text) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT pg_get_viewdef(format('kepler.%I', view_name)::regclass) ~ 'kepler_internal\.view_rows_in_parts' $$;

-- What those that do read before.
CREATE FUNCTION kepler_internal.former_views() RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(jsonb_strip_nulls(jsonb_object_agg(v.name, pg_get_viewdef(to_regclass('kepler_internal.former_' || v.name)))), '{}')
    FROM kepler_internal.views_of_parts() AS v WHERE kepler_internal.asks_parts(v.name)
$$;
