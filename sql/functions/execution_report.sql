-- How the workflows of a workspace fare. It writes nothing, so that it runs on a replica and with the
-- right to read: what is overdue is counted as such, and becomes ABANDONED elsewhere.

CREATE FUNCTION kepler_internal.execution_report(
    workflow_id text, started_from timestamptz, started_before timestamptz, workspace_id text
) RETURNS TABLE (
    found_id text, name text, runs bigint, running bigint, overdue bigint, succeeded bigint,
    failed bigint, abandoned bigint, success_rate numeric, p50_duration interval, p95_duration interval,
    last_started_at timestamptz, waiting bigint, cancelled bigint
)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
-- One plan would have to serve one workflow and all, and workspaces of any size.
SET plan_cache_mode = force_custom_plan
AS $$
#variable_conflict use_variable
DECLARE
    wanted_workflow ALIAS FOR $1;
    wanted_workspace ALIAS FOR $4;
    -- Half-open: runs that started at started_from, or later, and before started_before.
    lower_bound constant timestamptz := coalesce($2, '-infinity');
    upper_bound constant timestamptz := coalesce($3, 'infinity');
    seen_at constant timestamptz := clock_timestamp();
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_arguments(ARRAY['workspace_id'], ARRAY[$4]);
    IF wanted_workflow IS NOT NULL THEN
        PERFORM kepler_internal.require_workflow(wanted_workflow, wanted_workspace);
    END IF;
    RETURN QUERY
    SELECT w.id, w.name, r.runs, r.running - o.overdue, o.overdue, r.succeeded, r.failed, r.abandoned,
        round(r.succeeded::numeric / nullif(r.succeeded + r.failed + r.abandoned, 0), 4),
        make_interval(secs => r.seconds[1]), make_interval(secs => r.seconds[2]), r.last_started_at, r.waiting, r.cancelled
    FROM kepler.workflows AS w
    CROSS JOIN LATERAL (
        SELECT count(*) AS runs,
            count(*) FILTER (WHERE e.status = 'RUNNING') AS running,
            count(*) FILTER (WHERE e.status = 'SUCCESS') AS succeeded,
            count(*) FILTER (WHERE e.status = 'FAILURE') AS failed,
            count(*) FILTER (WHERE e.status = 'ABANDONED') AS abandoned,
            count(*) FILTER (WHERE e.status = 'WAITING') AS waiting,
            count(*) FILTER (WHERE e.status = 'CANCELLED') AS cancelled,
            -- When an abandoned run really stopped is not known.
            percentile_cont('{0.5, 0.95}'::double precision[]) WITHIN GROUP (
                ORDER BY extract(epoch FROM e.ended_at - e.started_at)::double precision)
                FILTER (WHERE e.status IN ('SUCCESS', 'FAILURE') AND isfinite(e.ended_at)) AS seconds,
            max(e.started_at) AS last_started_at
        FROM kepler.executions AS e
        WHERE e.workspace_id = wanted_workspace AND e.workflow_id = w.id
            AND e.started_at >= lower_bound AND e.started_at < upper_bound
    ) AS r
    CROSS JOIN LATERAL (
        SELECT count(*) AS overdue FROM kepler.executions AS e
        WHERE e.workspace_id = wanted_workspace AND e.workflow_id = w.id AND e.status = 'RUNNING'
            AND e.next_check_at < seen_at AND e.deadline_at < seen_at AND e.started_at >= lower_bound AND e.started_at < upper_bound
    ) AS o
    WHERE w.workspace_id = wanted_workspace AND (wanted_workflow IS NULL OR w.id = wanted_workflow)
    ORDER BY w.name, w.id;
END
$$;

CREATE FUNCTION kepler.execution_report(
    workflow_id text DEFAULT NULL,
    started_from timestamptz DEFAULT NULL,
    started_before timestamptz DEFAULT NULL,
    workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS TABLE (
    workflow_id text, name text, runs bigint, running bigint, overdue bigint, succeeded bigint,
    failed bigint, abandoned bigint, success_rate numeric, p50_duration interval, p95_duration interval,
    last_started_at timestamptz, waiting bigint, cancelled bigint
)
LANGUAGE sql STABLE
AS $$ SELECT * FROM kepler_internal.execution_report($1, $2, $3, $4) $$;

-- For each user and workflow. The runs of one user are found by the index of users, those of all workflow by workflow, so that no
-- run outside of the stretch of time is read.
CREATE FUNCTION kepler_internal.execution_report_by_user(
    wanted_user text, wanted_workflow text, started_from timestamptz, started_before timestamptz, workspace_id text
) RETURNS TABLE (
    user_id text, workflow_id text, name text, runs bigint, running bigint, waiting bigint, succeeded bigint, failed bigint,
    abandoned bigint, cancelled bigint, success_rate numeric, p50_duration interval, p95_duration interval,
    last_started_at timestamptz
)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
-- One plan would have to serve one user and all, and workspaces of any size.
SET plan_cache_mode = force_custom_plan
AS $$
#variable_conflict use_variable
DECLARE
    wanted_workspace ALIAS FOR $5;
    lower_bound constant timestamptz := coalesce($3, '-infinity');
    upper_bound constant timestamptz := coalesce($4, 'infinity');
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_arguments(ARRAY['workspace_id'], ARRAY[$5]);
    IF wanted_user IS NOT NULL THEN
        PERFORM kepler_internal.require_user(wanted_user, wanted_workspace);
    END IF;
    IF wanted_workflow IS NOT NULL AND NOT EXISTS (
        SELECT FROM kepler.workflow_versions AS v WHERE v.workspace_id = wanted_workspace AND v.workflow_id = wanted_workflow
    ) THEN
        PERFORM kepler_internal.require_workflow(wanted_workflow, wanted_workspace);
    END IF;
    RETURN QUERY
    -- Deleted workflows included; each is found behind the one before it, however many versions it has.
    WITH RECURSIVE ids (id) AS (
        SELECT wanted_workflow WHERE wanted_workflow IS NOT NULL
        UNION ALL
        SELECT (
            SELECT v.workflow_id FROM kepler.workflow_versions AS v
            WHERE v.workspace_id = wanted_workspace ORDER BY v.workflow_id LIMIT 1)
        WHERE wanted_workflow IS NULL AND wanted_user IS NULL
        UNION ALL
        SELECT (
            SELECT v.workflow_id FROM kepler.workflow_versions AS v
            WHERE v.workspace_id = wanted_workspace AND v.workflow_id > i.id ORDER BY v.workflow_id LIMIT 1)
        FROM ids AS i WHERE i.id IS NOT NULL AND wanted_workflow IS NULL
    ), found AS (
        SELECT e.user_id, e.workflow_id, e.status, e.started_at, e.ended_at
        FROM kepler.executions AS e
        WHERE wanted_user IS NOT NULL AND wanted_workflow IS NULL AND e.workspace_id = wanted_workspace AND e.user_id = wanted_user
            AND e.started_at >= lower_bound AND e.started_at < upper_bound
        UNION ALL
        SELECT e.user_id, e.workflow_id, e.status, e.started_at, e.ended_at
        FROM ids AS w
        CROSS JOIN LATERAL (
            SELECT x.user_id, x.workflow_id, x.status, x.started_at, x.ended_at FROM kepler.executions AS x
            WHERE x.workspace_id = wanted_workspace AND x.workflow_id = w.id
                AND x.started_at >= lower_bound AND x.started_at < upper_bound
                AND (wanted_user IS NULL OR x.user_id = wanted_user)
            OFFSET 0
        ) AS e
    ), counted AS (
        SELECT f.user_id, f.workflow_id, count(*) AS runs,
            count(*) FILTER (WHERE f.status = 'RUNNING') AS running,
            count(*) FILTER (WHERE f.status = 'WAITING') AS waiting,
            count(*) FILTER (WHERE f.status = 'SUCCESS') AS succeeded,
            count(*) FILTER (WHERE f.status = 'FAILURE') AS failed,
            count(*) FILTER (WHERE f.status = 'ABANDONED') AS abandoned,
            count(*) FILTER (WHERE f.status = 'CANCELLED') AS cancelled,
            percentile_cont('{0.5, 0.95}'::double precision[]) WITHIN GROUP (
                ORDER BY extract(epoch FROM f.ended_at - f.started_at)::double precision)
                FILTER (WHERE f.status IN ('SUCCESS', 'FAILURE') AND isfinite(f.ended_at)) AS seconds,
            max(f.started_at) AS last_started_at
        FROM found AS f
        GROUP BY f.user_id, f.workflow_id
    )
    SELECT c.user_id, c.workflow_id, n.name, c.runs, c.running, c.waiting, c.succeeded, c.failed, c.abandoned, c.cancelled,
        round(c.succeeded::numeric / nullif(c.succeeded + c.failed + c.abandoned, 0), 4),
        make_interval(secs => c.seconds[1]), make_interval(secs => c.seconds[2]), c.last_started_at
    FROM counted AS c
    LEFT JOIN LATERAL (
        SELECT v.name FROM kepler.workflow_versions AS v
        WHERE v.workspace_id = wanted_workspace AND v.workflow_id = c.workflow_id
        ORDER BY v.version DESC LIMIT 1
    ) AS n ON true
    ORDER BY c.user_id COLLATE "C" NULLS LAST, c.workflow_id COLLATE "C";
END
$$;

CREATE FUNCTION kepler.execution_report_by_user(
    user_id text DEFAULT NULL,
    workflow_id text DEFAULT NULL,
    started_from timestamptz DEFAULT NULL,
    started_before timestamptz DEFAULT NULL,
    workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS TABLE (
    user_id text, workflow_id text, name text, runs bigint, running bigint, waiting bigint, succeeded bigint, failed bigint,
    abandoned bigint, cancelled bigint, success_rate numeric, p50_duration interval, p95_duration interval,
    last_started_at timestamptz
)
LANGUAGE sql STABLE
AS $$ SELECT * FROM kepler_internal.execution_report_by_user($1, $2, $3, $4, $5) $$;
