-- The log of a run. A batch of steps is judged element by element and written in two statements; the
-- run's row is locked meanwhile, so that numbers are given out once and nothing is logged after the end.

-- What is wrong with each element of a batch, and what the others say.
CREATE FUNCTION kepler._execution_steps_of(steps jsonb)
RETURNS TABLE (
    ordinal integer, number integer, name text, status kepler.execution_step_status, input jsonb,
    output jsonb, error text, started_at timestamptz, ended_at timestamptz, problem_code text, problem text
)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    WITH given AS (
        SELECT g.at::integer AS ordinal, g.step, jsonb_typeof(g.step) = 'object' AS is_object,
            CASE WHEN jsonb_typeof(g.step) = 'object' THEN g.step ELSE '{}' END AS o
        FROM jsonb_array_elements($1) WITH ORDINALITY AS g (step, at)
    ), judged AS MATERIALIZED (
        SELECT g.ordinal, g.o,
            CASE WHEN NOT g.is_object THEN ARRAY['not_an_object', 'must be an object']
                WHEN u.field IS NOT NULL THEN ARRAY['unknown_field', format(
                    '"%s" is not a field of a step: name, number, status, input, output, error, started_at, ended_at are', u.field)]
                WHEN jsonb_typeof(g.o -> 'name') IS DISTINCT FROM 'string' OR g.o ->> 'name' ~ '^\s*$'
                    THEN ARRAY['invalid_name', 'name: must be a text that is not blank']
                WHEN jsonb_typeof(g.o -> 'number') <> 'null'
                    AND (jsonb_typeof(g.o -> 'number') <> 'number' OR g.o ->> 'number' !~ '^[1-9][0-9]{0,8}$')
                    THEN ARRAY['invalid_number', 'number: must be an integer from 1 to 999999999']
                WHEN g.o ->> 'status' NOT IN ('RUNNING', 'SUCCESS', 'FAILURE', 'SKIPPED')
                    THEN ARRAY['invalid_status', 'status: must be one of RUNNING, SUCCESS, FAILURE, SKIPPED']
                WHEN jsonb_typeof(g.o -> 'error') NOT IN ('string', 'null')
                    THEN ARRAY['invalid_error', 'error: must be a text']
                WHEN t.field IS NOT NULL
                    THEN ARRAY['invalid_time', t.field || ': must be a time, as 2024-05-01T10:00:00Z, to the microsecond']
                WHEN g.o ->> 'status' = 'RUNNING' AND g.o ->> 'ended_at' IS NOT NULL
                    THEN ARRAY['running_has_no_end', 'ended_at: a running step has no end']
            END AS problem
        FROM given AS g
        LEFT JOIN LATERAL (
            SELECT k.field FROM jsonb_object_keys(g.o) AS k (field)
            WHERE k.field NOT IN ('name', 'number', 'status', 'input', 'output', 'error', 'started_at', 'ended_at')
            ORDER BY k.field COLLATE "C" LIMIT 1
        ) AS u ON true
        LEFT JOIN LATERAL (
            SELECT k.field FROM unnest(ARRAY['started_at', 'ended_at']) AS k (field)
            WHERE jsonb_typeof(g.o -> k.field) <> 'null' AND kepler._time_of(g.o -> k.field) IS NULL
            LIMIT 1
        ) AS t ON true
    ), said AS MATERIALIZED (
        -- Casts only where everything was found well.
        SELECT j.ordinal, j.problem, CASE WHEN j.problem IS NULL THEN j.o END AS o FROM judged AS j
    )
    SELECT v.ordinal, (v.o ->> 'number')::integer, v.o ->> 'name',
        coalesce(v.o ->> 'status', 'SUCCESS')::kepler.execution_step_status,
        nullif(v.o -> 'input', 'null'), nullif(v.o -> 'output', 'null'), v.o ->> 'error',
        kepler._time_of(v.o -> 'started_at'), kepler._time_of(v.o -> 'ended_at'), v.problem[1], v.problem[2]
    FROM said AS v
$$;

CREATE FUNCTION kepler.add_execution_steps(
    execution_id text,
    token text,
    steps jsonb,
    workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS TABLE (ordinal integer, number integer, outcome text, error_code text, error text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    wanted_execution ALIAS FOR $1;
    wanted_workspace ALIAS FOR $4;
    added_at constant timestamptz := clock_timestamp();
    is_ours boolean;
BEGIN
    PERFORM kepler._require_tables();
    PERFORM kepler._require_arguments(ARRAY['execution_id', 'token', 'steps', 'workspace_id'],
        ARRAY[$1, $2, CASE WHEN $3 IS NOT NULL THEN '' END, $4]);
    IF jsonb_typeof($3) <> 'array' THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('argument "steps" must be a JSON array, not %s', jsonb_typeof($3));
    END IF;
    SELECT e.status = 'RUNNING' AND e.token_hash IS NOT DISTINCT FROM kepler._execution_token_hash($2)
    INTO is_ours
    FROM kepler.executions AS e WHERE e.workspace_id = wanted_workspace AND e.id = wanted_execution
    FOR NO KEY UPDATE;
    IF is_ours IS NOT TRUE THEN
        RETURN QUERY
        SELECT a.at::integer, NULL::integer, CASE WHEN is_ours IS NULL THEN 'not_found' ELSE 'stale' END,
            NULL::text, NULL::text
        FROM jsonb_array_elements($3) WITH ORDINALITY AS a (step, at) ORDER BY a.at;
        RETURN;
    END IF;

    RETURN QUERY
    WITH given AS MATERIALIZED (
        SELECT s.ordinal, s.name, s.status, s.input, s.output, s.error, s.started_at, s.ended_at, s.problem_code, s.problem,
            -- Those without a number follow the highest that is there or given.
            CASE WHEN s.problem_code IS NULL THEN coalesce(s.number, (
                greatest(max(s.number) OVER (), (
                    SELECT max(x.number) FROM kepler.execution_steps AS x
                    WHERE x.workspace_id = wanted_workspace AND x.execution_id = wanted_execution), 0)
                + count(*) FILTER (WHERE s.number IS NULL AND s.problem_code IS NULL) OVER (ORDER BY s.ordinal)
            )::integer) END AS number
        FROM kepler._execution_steps_of($3) AS s
    ), merged AS MATERIALIZED (
        -- What a running step said before stays where the element does not speak of it.
        SELECT g.ordinal, g.number, g.name, g.status, x AS stored, g.problem_code, g.problem,
            row_number() OVER (PARTITION BY g.number ORDER BY g.ordinal) AS occurrence,
            coalesce(g.input, x.input) AS input, coalesce(g.output, x.output) AS output,
            coalesce(g.error, x.error) AS error,
            coalesce(g.started_at, x.started_at, CASE g.status WHEN 'RUNNING' THEN added_at END) AS started_at,
            coalesce(g.ended_at, x.ended_at, CASE WHEN x.status = 'RUNNING' AND g.status <> 'RUNNING'
                THEN greatest(added_at, g.started_at, x.started_at) END) AS ended_at
        FROM given AS g
        LEFT JOIN kepler.execution_steps AS x
            ON x.workspace_id = wanted_workspace AND x.execution_id = wanted_execution AND x.number = g.number
    ), decided AS MATERIALIZED (
        SELECT m.*, CASE
                WHEN m.problem_code IS NOT NULL THEN m.problem_code
                WHEN m.occurrence > 1 THEN 'duplicate_number'
                WHEN m.ended_at < m.started_at THEN 'ends_before_start'
                WHEN (m.stored).id IS NULL THEN 'insert'
                WHEN (m.name, m.status, m.input, m.output, m.error, m.started_at, m.ended_at)
                    IS NOT DISTINCT FROM ((m.stored).name, (m.stored).status, (m.stored).input,
                        (m.stored).output, (m.stored).error, (m.stored).started_at, (m.stored).ended_at)
                    THEN 'unchanged'
                WHEN (m.stored).status <> 'RUNNING' THEN 'has_ended'
                ELSE 'update' END AS decision
        FROM merged AS m
    ), inserted AS (
        INSERT INTO kepler.execution_steps (workspace_id, execution_id, number, name, status, input, output,
            error, started_at, ended_at)
        SELECT wanted_workspace, wanted_execution, d.number, d.name, d.status, d.input, d.output, d.error,
            d.started_at, d.ended_at
        FROM decided AS d WHERE d.decision = 'insert' ORDER BY d.number
    ), updated AS (
        UPDATE kepler.execution_steps AS x
        SET name = d.name, status = d.status, input = d.input, output = d.output, error = d.error,
            started_at = d.started_at, ended_at = d.ended_at, updated_at = added_at
        FROM decided AS d
        WHERE d.decision = 'update' AND x.workspace_id = wanted_workspace AND x.id = (d.stored).id
    )
    SELECT d.ordinal, d.number,
        CASE d.decision WHEN 'insert' THEN 'inserted' WHEN 'update' THEN 'updated'
            WHEN 'unchanged' THEN 'unchanged' ELSE 'rejected' END,
        CASE WHEN d.decision NOT IN ('insert', 'update', 'unchanged') THEN d.decision END,
        CASE d.decision
            WHEN 'duplicate_number' THEN format('number: an earlier element of the batch is step %s', d.number)
            WHEN 'ends_before_start' THEN 'ended_at: lies before started_at'
            WHEN 'has_ended' THEN format('number: step %s is %s, and only a running step changes', d.number, (d.stored).status)
            ELSE d.problem END
    FROM decided AS d ORDER BY d.ordinal;
END
$$;
