-- What must happen now and then: which steps there are, what they find to do, and what is noted of them. src/maintain runs them,
-- as the owner of Kepler's tables.

-- The steps, those first that make what others need. drains: less than was asked for means that nothing is left.
CREATE FUNCTION kepler_internal.maintenance_steps(OUT step text, OUT is_creation boolean, OUT drains boolean) RETURNS SETOF record
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
VALUES
    ('make_feed_partitions', true, false),
    ('make_history_partitions', true, false),
    ('reap_leases', false, true),
    ('abandon_executions', false, true),
    ('abandon_syncs', false, false),
    ('queue_backlog', false, false),
    ('drop_backlog', false, false),
    ('seal_history', false, false),
    ('expire_memories', false, true),
    ('refresh_words', false, false),
    ('apply_retention', false, false),
    ('drop_old_changes', false, false),
    ('delete_workspace', false, false),
    ('advise_indexes', false, false)
$$;

-- Whether each node of a cluster has what a step is about for itself.
CREATE FUNCTION kepler_internal.is_step_of_each_node(step text) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT step IN ('make_feed_partitions', 'make_history_partitions', 'seal_history', 'drop_old_changes') $$;

-- Whether a partition of a log is missing, of now or of the time ahead.
CREATE FUNCTION kepler_internal.lacks_partitions(log text, period text, ahead integer) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET kepler.plan_for_large_tables = on
AS $$
    SELECT EXISTS (
        SELECT FROM generate_series(0, ahead) AS g (n)
        WHERE to_regclass(format('kepler.%I', log || '_'
            || to_char(date_trunc(period, clock_timestamp()) + g.n * ('1 ' || period)::interval, 'YYYYMMDD'))) IS NULL)
$$;

-- How long the feed is kept: as maintain_feed() does, unless a policy says how long, which is applied as all of them are.
CREATE FUNCTION kepler_internal.feed_kept_for() RETURNS interval
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET kepler.plan_for_large_tables = on
AS $$
    -- Each node of a cluster drops its feed by age: a consumer's place there says nothing of the feed of another one.
    SELECT CASE
        WHEN kepler_internal.is_distributed() THEN
            coalesce((SELECT min(r.keep) FROM kepler.retention_policies AS r WHERE r.table_name = 'kepler.feed'), interval '30 days')
        WHEN NOT EXISTS (SELECT FROM kepler.retention_policies AS r WHERE r.table_name = 'kepler.feed') THEN interval '30 days' END
$$;

-- Whether the feed holds what is older: a partition, or rows of the default partition. NULL: nobody asks here.
CREATE FUNCTION kepler_internal.has_old_changes(keep interval) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET kepler.plan_for_large_tables = on
AS $$
    SELECT EXISTS (
            SELECT FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
            WHERE i.inhparent = 'kepler.feed'::regclass AND c.relname ~ '^feed_[0-9]{8}$'
                AND to_date(right(c.relname, 8), 'YYYYMMDD') + interval '7 days' < clock_timestamp() - keep)
        OR EXISTS (SELECT FROM kepler.feed_default AS f WHERE f.created_at < clock_timestamp() - keep)
$$;

-- Whether there is something behind the last seal that nobody can still be writing.
CREATE FUNCTION kepler_internal.has_unsealed_changes() RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    last kepler.history_seals;
    present constant integer := (SELECT max(e.epoch) FROM kepler.feed_epochs AS e);
    horizon constant xid8 := pg_snapshot_xmin(pg_current_snapshot());
BEGIN
    SELECT * INTO last FROM kepler.history_seals AS s ORDER BY s.number DESC LIMIT 1;
    last.epoch := coalesce(last.epoch, 0);
    last.xid := coalesce(last.xid, '0');
    last.sequence := coalesce(last.sequence, -1);
    RETURN EXISTS (
        SELECT FROM (
            (SELECT h.epoch, h.xid FROM kepler.history AS h WHERE (h.epoch, h.xid, h.sequence) > (last.epoch, last.xid, last.sequence)
            ORDER BY h.epoch, h.xid, h.sequence LIMIT 1)
            UNION ALL
            (SELECT t.epoch, t.xid FROM kepler.history_transactions AS t
            WHERE (t.epoch, t.xid, t.sequence) > (last.epoch, last.xid, last.sequence)
            ORDER BY t.epoch, t.xid, t.sequence LIMIT 1)
            UNION ALL
            (SELECT c.epoch, c.xid FROM kepler.history_shapes AS c WHERE (c.epoch, c.xid, c.id) > (last.epoch, last.xid, last.sequence)
            ORDER BY c.epoch, c.xid, c.id LIMIT 1)
            UNION ALL
            (SELECT r.epoch, r.xid FROM kepler.history_redactions AS r WHERE (r.epoch, r.xid, r.id) > (last.epoch, last.xid, last.sequence)
            ORDER BY r.epoch, r.xid, r.id LIMIT 1)
        ) AS n
        WHERE n.epoch < present OR n.xid < horizon);
END
$$;

-- The types of record that leases or the queue hold, with the deadline of the first lease: as many steps in an index as there are
-- types with leases, and types with something in the queue.
CREATE FUNCTION kepler_internal.leased_types(OUT workspace_id text, OUT entity_type text, OUT deadline timestamptz) RETURNS SETOF record
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET kepler.plan_for_large_tables = on
AS $$
    WITH RECURSIVE t AS (
        (SELECT l.workspace_id, l.entity_type, l.deadline FROM kepler.leases AS l
        ORDER BY l.workspace_id, l.entity_type, l.deadline LIMIT 1)
        UNION ALL
        SELECT n.* FROM t CROSS JOIN LATERAL (
            SELECT l.workspace_id, l.entity_type, l.deadline FROM kepler.leases AS l
            WHERE (l.workspace_id, l.entity_type) > (t.workspace_id, t.entity_type)
            ORDER BY l.workspace_id, l.entity_type, l.deadline LIMIT 1) AS n
    )
    SELECT t.workspace_id, t.entity_type, t.deadline FROM t
$$;

CREATE FUNCTION kepler_internal.queued_types(OUT workspace_id text, OUT entity_type text) RETURNS SETOF record
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET kepler.plan_for_large_tables = on
AS $$
    WITH RECURSIVE t AS (
        (SELECT q.workspace_id, q.entity_type FROM kepler.enrichment_queue AS q
        ORDER BY q.workspace_id DESC, q.entity_type DESC, q.ready_at DESC LIMIT 1)
        UNION ALL
        -- From the end: what claims have taken out at the beginning stays there as long as an old snapshot may need it.
        SELECT n.* FROM t CROSS JOIN LATERAL (
            SELECT q.workspace_id, q.entity_type FROM kepler.enrichment_queue AS q
            WHERE (q.workspace_id, q.entity_type) < (t.workspace_id, t.entity_type)
            ORDER BY q.workspace_id DESC, q.entity_type DESC, q.ready_at DESC LIMIT 1) AS n
    )
    SELECT t.workspace_id, t.entity_type FROM t
$$;

-- Runs that have ended, or are gone, and have left notes.
CREATE FUNCTION kepler_internal.workspaces_with_sync_notes() RETURNS SETOF text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET kepler.plan_for_large_tables = on
AS $$
    WITH RECURSIVE s AS (
        (SELECT x.workspace_id, x.sync_run_id FROM kepler.sync_seen AS x ORDER BY 1, 2 LIMIT 1)
        UNION ALL
        SELECT n.* FROM s CROSS JOIN LATERAL (
            SELECT x.workspace_id, x.sync_run_id FROM kepler.sync_seen AS x
            WHERE (x.workspace_id, x.sync_run_id) > (s.workspace_id, s.sync_run_id) ORDER BY 1, 2 LIMIT 1) AS n
    ), b AS (
        (SELECT x.workspace_id, x.sync_run_id FROM kepler.sync_batches AS x ORDER BY 1, 2 LIMIT 1)
        UNION ALL
        SELECT n.* FROM b CROSS JOIN LATERAL (
            SELECT x.workspace_id, x.sync_run_id FROM kepler.sync_batches AS x
            WHERE (x.workspace_id, x.sync_run_id) > (b.workspace_id, b.sync_run_id) ORDER BY 1, 2 LIMIT 1) AS n
    ), c AS (
        (SELECT x.workspace_id, x.sync_run_id FROM kepler.sync_candidates AS x ORDER BY 1, 2 LIMIT 1)
        UNION ALL
        SELECT n.* FROM c CROSS JOIN LATERAL (
            SELECT x.workspace_id, x.sync_run_id FROM kepler.sync_candidates AS x
            WHERE (x.workspace_id, x.sync_run_id) > (c.workspace_id, c.sync_run_id) ORDER BY 1, 2 LIMIT 1) AS n
    ), i AS (
        (SELECT x.workspace_id, x.sync_run_id FROM kepler.inbox_rows AS x WHERE x.sync_run_id > '' ORDER BY 1, 2 LIMIT 1)
        UNION ALL
        SELECT n.* FROM i CROSS JOIN LATERAL (
            SELECT x.workspace_id, x.sync_run_id FROM kepler.inbox_rows AS x
            WHERE (x.workspace_id, x.sync_run_id) > (i.workspace_id, i.sync_run_id) ORDER BY 1, 2 LIMIT 1) AS n
    )
    SELECT DISTINCT n.workspace_id
    FROM (SELECT * FROM s UNION SELECT * FROM b UNION SELECT * FROM c UNION SELECT * FROM i) AS n
    WHERE NOT EXISTS (
        SELECT FROM kepler.sync_runs AS r
        WHERE r.workspace_id = n.workspace_id AND r.id = n.sync_run_id AND r.status = 'RUNNING')
$$;

-- What a step finds to do, of all workspaces, by indexes: what it reads grows with what is open, and not with what there is.
CREATE FUNCTION kepler_internal.maintenance_due(step text, OUT workspace_id text, OUT object text) RETURNS SETOF record
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET kepler.plan_for_large_tables = on
    SET max_parallel_workers_per_gather = 0
AS $$
#variable_conflict use_variable
BEGIN
    CASE $1
    WHEN 'make_feed_partitions' THEN
        RETURN QUERY SELECT '', '' WHERE kepler_internal.lacks_partitions('feed', 'week', 4);
    WHEN 'make_history_partitions' THEN
        RETURN QUERY SELECT '', '' WHERE kepler_internal.lacks_partitions('history', 'month', 2);
    WHEN 'reap_leases' THEN
        RETURN QUERY
        SELECT t.workspace_id, t.entity_type FROM kepler_internal.leased_types() AS t
        WHERE t.deadline <= clock_timestamp()
            AND EXISTS (
                SELECT FROM kepler.leases AS l
                WHERE l.workspace_id = t.workspace_id AND l.entity_type = t.entity_type
                    AND l.deadline <= clock_timestamp() AND l.lease_until <= clock_timestamp())
            AND EXISTS (
                SELECT FROM kepler.enrichment_policies AS p
                WHERE p.workspace_id = t.workspace_id AND p.entity_type = t.entity_type);
    WHEN 'abandon_executions' THEN
        RETURN QUERY
        WITH RECURSIVE t AS (
            (SELECT e.workspace_id, e.next_check_at FROM kepler.executions AS e
            WHERE e.status = 'RUNNING' ORDER BY e.workspace_id, e.next_check_at LIMIT 1)
            UNION ALL
            SELECT n.* FROM t CROSS JOIN LATERAL (
                SELECT e.workspace_id, e.next_check_at FROM kepler.executions AS e
                WHERE e.status = 'RUNNING' AND e.workspace_id > t.workspace_id
                ORDER BY e.workspace_id, e.next_check_at LIMIT 1) AS n
        ), w AS (
            (SELECT e.workspace_id, e.next_check_at FROM kepler.executions AS e
            WHERE e.status = 'WAITING' ORDER BY e.workspace_id, e.next_check_at LIMIT 1)
            UNION ALL
            SELECT n.* FROM w CROSS JOIN LATERAL (
                SELECT e.workspace_id, e.next_check_at FROM kepler.executions AS e
                WHERE e.status = 'WAITING' AND e.workspace_id > w.workspace_id
                ORDER BY e.workspace_id, e.next_check_at LIMIT 1) AS n
        )
        SELECT d.workspace_id, '' FROM (SELECT t.* FROM t UNION ALL SELECT w.* FROM w) AS d (workspace_id, next_check_at)
        WHERE d.next_check_at < clock_timestamp() GROUP BY d.workspace_id;
    WHEN 'abandon_syncs' THEN
        RETURN QUERY
        SELECT r.workspace_id, '' FROM kepler.sync_runs AS r
        WHERE r.status = 'RUNNING' AND greatest(r.started_at, r.checkpoint_at, r.phase_active_at, (
                SELECT b.created_at FROM kepler.sync_batches AS b
                WHERE b.workspace_id = r.workspace_id AND b.sync_run_id = r.id ORDER BY b.id DESC LIMIT 1))
            < clock_timestamp() - interval '1 day'
        UNION
        SELECT n, '' FROM kepler_internal.workspaces_with_sync_notes() AS n;
    WHEN 'queue_backlog' THEN
        RETURN QUERY
        SELECT p.workspace_id, p.entity_type FROM kepler.enrichment_policies AS p
        WHERE p.backlog_after IS NOT NULL OR p.fair_keys_after IS NOT NULL;
    WHEN 'drop_backlog' THEN
        RETURN QUERY
        SELECT t.workspace_id, t.entity_type
        FROM (
            SELECT l.workspace_id, l.entity_type FROM kepler_internal.leased_types() AS l
            UNION
            SELECT q.workspace_id, q.entity_type FROM kepler_internal.queued_types() AS q
        ) AS t
        WHERE NOT EXISTS (
            SELECT FROM kepler.enrichment_policies AS p
            WHERE p.workspace_id = t.workspace_id AND p.entity_type = t.entity_type);
    WHEN 'seal_history' THEN
        RETURN QUERY SELECT '', '' WHERE kepler_internal.has_unsealed_changes();
    WHEN 'expire_memories' THEN
        RETURN QUERY
        WITH RECURSIVE t AS (
            (SELECT m.workspace_id, m.expires_at FROM kepler.memories AS m
            WHERE m.expires_at IS NOT NULL ORDER BY m.workspace_id, m.expires_at LIMIT 1)
            UNION ALL
            SELECT n.* FROM t CROSS JOIN LATERAL (
                SELECT m.workspace_id, m.expires_at FROM kepler.memories AS m
                WHERE m.expires_at IS NOT NULL AND m.workspace_id > t.workspace_id
                ORDER BY m.workspace_id, m.expires_at LIMIT 1) AS n
        )
        SELECT t.workspace_id, '' FROM t WHERE t.expires_at <= clock_timestamp();
    WHEN 'refresh_words' THEN
        -- A day after it has ended it is done once more.
        RETURN QUERY
        SELECT w.id, '' FROM kepler.workspaces AS w
        WHERE w.former_languages <> '{}'
            AND (w.words_place IS DISTINCT FROM 'end' OR w.language_set_at < clock_timestamp() - interval '1 day');
    WHEN 'apply_retention' THEN
        -- Each policy once an hour, of those that the owner may run: a page of those that have waited longest.
        RETURN QUERY
        SELECT p.workspace_id, p.object
        FROM (
            SELECT coalesce(r.workspace_id, '') AS workspace_id, r.id || ' ' || r.table_name AS object, r.id
            FROM kepler.retention_policies AS r
        ) AS p
        LEFT JOIN kepler.maintenance AS m ON m.workspace_id = p.workspace_id AND m.step = 'apply_retention' AND m.object = p.object
        WHERE (m.outcome = 'finished' AND m.last_started_at > clock_timestamp() - interval '1 hour') IS NOT TRUE
        ORDER BY coalesce(m.next_at > clock_timestamp(), false), m.last_started_at NULLS FIRST, p.id LIMIT 500;
    WHEN 'drop_old_changes' THEN
        RETURN QUERY SELECT '', '' WHERE kepler_internal.has_old_changes(kepler_internal.feed_kept_for());
    WHEN 'delete_workspace' THEN
        RETURN QUERY SELECT w.id, '' FROM kepler.workspaces AS w WHERE w.deleting_at IS NOT NULL;
    WHEN 'advise_indexes' THEN
        -- Once a day.
        RETURN QUERY
        SELECT '', '' WHERE NOT EXISTS (
            SELECT FROM kepler.maintenance AS m
            WHERE m.workspace_id = '' AND m.step = 'advise_indexes' AND m.object = ''
                AND m.outcome = 'finished' AND m.last_started_at > clock_timestamp() - interval '1 day');
    END CASE;
END
$$;

-- What there is to do: a row for each step that was looked at, with what went wrong and how long the look took in seconds, and one for
-- each of its objects, those that have waited longest first. What failed lately waits. An object that is not listed was not long due.
CREATE FUNCTION kepler_internal.find_maintenance(
    OUT step text, OUT is_creation boolean, OUT drains boolean, OUT workspace_id text, OUT object text, OUT waits boolean,
    OUT error_code text, OUT error text, OUT took double precision
) RETURNS SETOF record
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET kepler.plan_for_large_tables = on SET lock_timeout = '1s'
    SET max_parallel_workers_per_gather = 0
AS $$
#variable_conflict use_variable
DECLARE
    known record;
    began timestamptz;
    workspaces text[] := '{}';
    objects text[] := '{}';
    steps text[] := '{}';
    more_workspaces text[];
    more_objects text[];
    is_distributed constant boolean := kepler_internal.is_distributed();
    in_parts boolean;
BEGIN
    FOR known IN
        SELECT s.step, s.is_creation, s.drains FROM kepler_internal.maintenance_steps() AS s
        LEFT JOIN kepler.maintenance AS m ON m.workspace_id = '' AND m.step = s.step AND m.object = ''
        WHERE m.next_at IS NULL OR m.next_at <= clock_timestamp()
    LOOP
        step := known.step;
        is_creation := known.is_creation;
        drains := known.drains;
        error_code := NULL;
        error := NULL;
        began := clock_timestamp();
        in_parts := is_distributed AND known.step IN ('reap_leases', 'abandon_executions', 'abandon_syncs', 'queue_backlog',
            'drop_backlog', 'expire_memories');
        BEGIN
            SELECT coalesce(array_agg(d.workspace_id), '{}'), coalesce(array_agg(d.object), '{}')
            INTO more_workspaces, more_objects FROM kepler_internal.maintenance_due(known.step) AS d
            WHERE NOT in_parts;
            -- Of workspaces on other nodes their parts know.
            IF in_parts THEN
                SELECT coalesce(array_agg(d.workspace_id), '{}'), coalesce(array_agg(d.object), '{}')
                INTO more_workspaces, more_objects FROM kepler_internal.maintenance_due_in_parts(known.step) AS d;
            END IF;
            IF is_distributed AND kepler_internal.is_step_of_each_node(known.step) THEN
                SELECT more_workspaces || coalesce(array_agg(d.workspace_id), '{}'), more_objects || coalesce(array_agg(d.object), '{}')
                INTO more_workspaces, more_objects FROM kepler_internal.maintenance_due_on_nodes(known.step) AS d;
            END IF;
            workspaces := workspaces || more_workspaces;
            objects := objects || more_objects;
            steps := steps || array_fill(known.step, ARRAY[cardinality(more_objects)]);
        EXCEPTION WHEN OTHERS OR assert_failure THEN
            error_code := SQLSTATE;
            error := left(kepler_internal.without_secrets(SQLERRM), 2000);
        END;
        took := extract(epoch FROM clock_timestamp() - began);
        RETURN NEXT;
    END LOOP;
    RETURN QUERY
    SELECT d.step, s.is_creation, s.drains, d.workspace_id, d.object,
        coalesce(m.next_at > clock_timestamp() AND (d.workspace_id, d.object) <> ('', ''), false), NULL::text, NULL::text,
        NULL::double precision
    FROM unnest(steps, workspaces, objects) WITH ORDINALITY AS d (step, workspace_id, object, place)
    JOIN kepler_internal.maintenance_steps() AS s ON s.step = d.step
    LEFT JOIN kepler.maintenance AS m ON m.workspace_id = d.workspace_id AND m.step = d.step AND m.object = d.object
    LEFT JOIN kepler.maintenance AS w ON w.workspace_id = '' AND w.step = d.step AND w.object = ''
    WHERE d.step = 'delete_workspace' OR NOT EXISTS (
        SELECT FROM kepler.workspaces AS w WHERE w.id = d.workspace_id AND w.deleting_at IS NOT NULL)
    ORDER BY s.is_creation DESC, coalesce(m.last_started_at, w.last_started_at, '-infinity'), d.place;
END
$$;

-- Notes that something is begun, so that what takes the server down with it comes last the next time. Nobody waits for the disk.
CREATE FUNCTION kepler_internal.begin_maintenance(step text, workspace_id text, object text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    INSERT INTO kepler.maintenance AS m (workspace_id, step, object, outcome, last_started_at)
    VALUES ($2, $1, $3, 'started', clock_timestamp())
    ON CONFLICT ON CONSTRAINT maintenance_pkey DO UPDATE
    SET outcome = excluded.outcome, last_started_at = excluded.last_started_at;
END
$$;

-- How long it waits that has failed, or done nothing, so often.
CREATE FUNCTION kepler_internal.maintenance_pause(failures integer) RETURNS interval
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT least(interval '1 hour', interval '1 minute' * (2 ^ least(failures - 1, 10))) $$;

-- Notes how something ended.
CREATE FUNCTION kepler_internal.end_maintenance(
    step text, workspace_id text, object text, outcome text, rows bigint, seconds double precision, error_code text, error text
) RETURNS integer
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    ended constant timestamptz := clock_timestamp();
    in_vain constant boolean := outcome = 'failed' OR (outcome = 'unfinished' AND rows = 0);
    failed_so_often integer;
BEGIN
    -- Nothing is left that says its name.
    IF step = 'delete_workspace' AND outcome = 'finished' THEN
        DELETE FROM kepler.maintenance AS m WHERE m.workspace_id = workspace_id;
        RETURN 0;
    END IF;
    UPDATE kepler.maintenance AS m
    SET outcome = outcome, last_rows = rows, row_count = m.row_count + rows, last_duration = seconds * interval '1 second',
        last_succeeded_at = CASE WHEN outcome = 'failed' THEN m.last_succeeded_at ELSE ended END,
        last_failed_at = CASE WHEN outcome = 'failed' THEN ended ELSE m.last_failed_at END,
        last_error_code = CASE WHEN outcome = 'failed' THEN error_code ELSE m.last_error_code END,
        last_error = CASE WHEN outcome = 'failed' THEN error ELSE m.last_error END,
        failures = CASE WHEN in_vain THEN m.failures + 1 ELSE 0 END,
        next_at = CASE WHEN in_vain THEN ended + kepler_internal.maintenance_pause(m.failures + 1) END
    WHERE m.workspace_id = workspace_id AND m.step = step AND m.object = object
    RETURNING m.failures INTO failed_so_often;
    RETURN failed_so_often;
END
$$;

-- Notes of the steps how the run ended for each of them (begun: false where there was no time for it), and forgets objects that nothing was done with for days.
CREATE FUNCTION kepler_internal.end_maintenance_run(
    began_at timestamptz, steps text[], outcomes text[], begun boolean[], rows bigint[], seconds double precision[],
    pauses double precision[], error_codes text[], errors text[]
) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    ended constant timestamptz := clock_timestamp();
BEGIN
    INSERT INTO kepler.maintenance AS m (workspace_id, step, outcome, last_started_at, last_succeeded_at, last_failed_at,
        last_error_code, last_error, last_rows, last_duration, row_count, failures, next_at)
    SELECT '', u.step, u.outcome, CASE WHEN u.begun THEN began_at ELSE '-infinity' END, CASE WHEN u.outcome <> 'failed' THEN ended END,
        CASE WHEN u.outcome = 'failed' THEN ended END, u.error_code, u.error, u.rows, u.seconds * interval '1 second', u.rows,
        CASE WHEN u.outcome = 'failed' THEN 1 ELSE 0 END, ended + u.pause * interval '1 second'
    FROM unnest(steps, outcomes, begun, rows, seconds, pauses, error_codes, errors)
        AS u (step, outcome, begun, rows, seconds, pause, error_code, error)
    ON CONFLICT ON CONSTRAINT maintenance_pkey DO UPDATE
    SET outcome = excluded.outcome, last_started_at = greatest(excluded.last_started_at, m.last_started_at),
        last_succeeded_at = coalesce(excluded.last_succeeded_at, m.last_succeeded_at),
        last_failed_at = coalesce(excluded.last_failed_at, m.last_failed_at),
        last_error_code = coalesce(excluded.last_error_code, m.last_error_code),
        last_error = CASE WHEN excluded.last_error_code IS NULL THEN m.last_error ELSE excluded.last_error END,
        last_rows = excluded.last_rows, last_duration = excluded.last_duration, row_count = m.row_count + excluded.last_rows,
        failures = CASE WHEN excluded.outcome = 'failed' THEN m.failures + 1 ELSE 0 END, next_at = excluded.next_at;
    DELETE FROM kepler.maintenance AS m
    WHERE (m.workspace_id, m.object) <> ('', '') AND m.last_started_at < ended - interval '2 days';
END
$$;

-- Notes what index_advice proposes, in place of what it proposed before. Gives how many proposals there are.
CREATE FUNCTION kepler_internal.advise_indexes() RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    noted bigint;
    noted_at constant timestamptz := clock_timestamp();
BEGIN
    INSERT INTO kepler.maintenance AS m (step, object, outcome, last_started_at, last_succeeded_at, last_duration, advice)
    SELECT 'advise_indexes', format('%s.%I', a.table_name, a.column_name), 'finished', noted_at, noted_at, interval '0', a.statement
    FROM kepler_internal.index_advice(NULL) AS a WHERE a.advice <> 'none'
    ON CONFLICT ON CONSTRAINT maintenance_pkey DO UPDATE
    SET outcome = excluded.outcome, last_started_at = excluded.last_started_at, last_succeeded_at = excluded.last_succeeded_at,
        advice = excluded.advice;
    GET DIAGNOSTICS noted = ROW_COUNT;
    DELETE FROM kepler.maintenance AS m
    WHERE m.workspace_id = '' AND m.step = 'advise_indexes' AND m.object <> '' AND m.last_started_at < noted_at;
    RETURN noted;
END
$$;

-- Does a part of a step, so many rows at most. place: where a step goes on that has one.
CREATE FUNCTION kepler_internal.maintain_part(
    step text, workspace_id text, object text, max_rows integer, INOUT place text, OUT done bigint
)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    last bigint;
    held text;
    left_over boolean;
BEGIN
    -- What is deferred belongs to this part: it fails here, and runs as the owner.
    SET CONSTRAINTS ALL IMMEDIATE;
    CASE step
    WHEN 'make_feed_partitions' THEN
        done := kepler_internal.make_partitions('feed', 'week', 4);
    WHEN 'make_history_partitions' THEN
        done := CASE WHEN kepler_internal.make_history_partitions_step() THEN 1 ELSE 0 END;
    WHEN 'reap_leases' THEN
        done := kepler_internal.reap_leases(workspace_id, object, max_rows);
    WHEN 'abandon_executions' THEN
        SELECT count(*) INTO done FROM kepler_internal.abandon_executions(max_rows, workspace_id) AS a;
    WHEN 'abandon_syncs' THEN
        done := kepler_internal.tidy_syncs(workspace_id, max_rows);
    WHEN 'queue_backlog' THEN
        -- Those who did not know the policy have ended then.
        PERFORM kepler_internal.wait_for_writers(object, max_rows, workspace_id);
        held := kepler_internal.queue_backlog_step(object, max_rows, workspace_id);
        -- Of what somebody holds the next run takes care.
        done := CASE WHEN held IS NULL THEN 1 WHEN held = '' THEN max_rows ELSE 0 END;
    WHEN 'drop_backlog' THEN
        left_over := kepler_internal.drop_backlog_step(object, max_rows, 0, workspace_id);
        done := CASE WHEN left_over IS NULL THEN 1 WHEN left_over THEN 0 ELSE max_rows END;
    WHEN 'seal_history' THEN
        last := coalesce((SELECT max(s.number) FROM kepler.history_seals AS s), 0);
        PERFORM kepler_internal.seal_history_step();
        done := coalesce((SELECT sum(s.row_count) FROM kepler.history_seals AS s WHERE s.number > last), 0);
    WHEN 'expire_memories' THEN
        done := kepler_internal.expire_memories(max_rows, workspace_id);
    WHEN 'refresh_words' THEN
        done := kepler_internal.refresh_words(max_rows, workspace_id);
    WHEN 'apply_retention' THEN
        -- Those of tables of somebody else are that role's to run.
        done := 0;
        IF split_part(object, ' ', 1)::bigint IN (
            SELECT c FROM kepler_internal.retention_candidates(split_part(object, ' ', 1)::bigint) AS c) THEN
            done := kepler_internal.apply_retention(split_part(object, ' ', 1)::bigint, max_rows);
        END IF;
    WHEN 'drop_old_changes' THEN
        left_over := kepler_internal.drop_old_changes(kepler_internal.feed_kept_for());
        -- Nothing is done where the partition is in use.
        done := CASE WHEN left_over OR NOT kepler_internal.has_old_changes(kepler_internal.feed_kept_for()) THEN 1 ELSE 0 END;
    WHEN 'delete_workspace' THEN
        place := kepler_internal.delete_workspace_step(workspace_id, max_rows, place);
        done := 1;
    WHEN 'advise_indexes' THEN
        PERFORM kepler_internal.advise_indexes();
        done := 0;
    END CASE;
END
$$;

-- The same, and what went wrong: then nothing was done. A lock that is not to be had soon is one thing that may go wrong.
CREATE FUNCTION kepler_internal.try_maintenance(
    step text, workspace_id text, object text, max_rows integer, INOUT place text, OUT done bigint, OUT is_over boolean,
    OUT error_code text, OUT error text
)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s'
AS $$
#variable_conflict use_variable
DECLARE
    before constant text := place;
BEGIN
    IF kepler_internal.is_distributed() AND step IN ('reap_leases', 'abandon_executions', 'abandon_syncs', 'queue_backlog',
        'drop_backlog', 'expire_memories')
    THEN
        SELECT p.place, p.done INTO place, done
        FROM kepler_internal.maintain_step_of_part(step, workspace_id, object, max_rows, place) AS p;
    ELSIF object <> '' AND kepler_internal.is_step_of_each_node(step) THEN
        SELECT n.done, n.is_over INTO done, is_over FROM kepler_internal.maintain_node(step, object, max_rows) AS n;
        RETURN;
    ELSE
        SELECT p.place, p.done INTO place, done
        FROM kepler_internal.maintain_part(step, workspace_id, object, max_rows, place) AS p;
    END IF;
    -- Whether there is more, where that is known without another part.
    is_over := CASE
        WHEN done = 0 THEN true
        WHEN step = 'delete_workspace' THEN place IS NULL
        WHEN step IN ('queue_backlog', 'drop_backlog') THEN done = 1
        WHEN step = 'drop_old_changes' THEN NOT kepler_internal.has_old_changes(kepler_internal.feed_kept_for())
        WHEN step IN ('make_feed_partitions', 'make_history_partitions') THEN true
        ELSE false
    END;
EXCEPTION WHEN OTHERS OR assert_failure THEN
    place := before;
    done := 0;
    is_over := true;
    error_code := SQLSTATE;
    error := left(kepler_internal.without_secrets(SQLERRM), 2000);
END
$$;

-- Without settings of its own, since such a procedure could not commit. Nothing in it looks a name up.
CREATE PROCEDURE kepler.maintain(budget interval DEFAULT interval '1 minute')
LANGUAGE plpgsql
AS $$
DECLARE
    is_first boolean := true;
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_commits('kepler.maintain');
    LOOP
        COMMIT;
        SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
        EXIT WHEN NOT kepler_internal.maintain_step(budget, is_first);
        is_first := false;
    END LOOP;
END
$$;
