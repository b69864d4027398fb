-- How the workflows of a workspace fare. It writes nothing, so that it runs on a replica and with the
-- right to read: what is overdue is counted as such, and becomes ABANDONED elsewhere.

CREATE FUNCTION kepler_internal.execution_report(
    workflow_id text, started_from timestamptz, started_before timestamptz, workspace_id text
) RETURNS TABLE (
    found_id text, name text, runs bigint, running bigint, overdue bigint, succeeded bigint,
    failed bigint, abandoned bigint, success_rate numeric, p50_duration interval, p95_duration interval,
    last_started_at timestamptz
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
        make_interval(secs => r.seconds[1]), make_interval(secs => r.seconds[2]), r.last_started_at
    FROM kepler.workflows AS w
    CROSS JOIN LATERAL (
        SELECT count(*) AS runs,
            count(*) FILTER (WHERE e.status = 'RUNNING') AS running,
            count(*) FILTER (WHERE e.status = 'SUCCESS') AS succeeded,
            count(*) FILTER (WHERE e.status = 'FAILURE') AS failed,
            count(*) FILTER (WHERE e.status = 'ABANDONED') AS abandoned,
            -- When an abandoned run really stopped is not known.
            percentile_cont('{0.5, 0.95}'::double precision[]) WITHIN GROUP (
                ORDER BY extract(epoch FROM e.ended_at - e.started_at)::double precision)
                FILTER (WHERE e.status IN ('SUCCESS', 'FAILURE')) AS seconds,
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
    last_started_at timestamptz
)
LANGUAGE sql STABLE
AS $$ SELECT * FROM kepler_internal.execution_report($1, $2, $3, $4) $$;
