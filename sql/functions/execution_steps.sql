-- The log of a run. A batch of steps is judged element by element and written in one statement, or where the
-- database refuses some, by halves; the run's row is locked meanwhile, so that numbers are given out once
-- and nothing is logged after the end.

CREATE FUNCTION kepler.add_execution_steps(
    execution_id text,
    token text,
    steps text,
    workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS TABLE (ordinal integer, number integer, outcome text, error_code text, error text, violations jsonb)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    wanted_execution ALIAS FOR $1;
    wanted_workspace ALIAS FOR $4;
    added_at constant timestamptz := clock_timestamp();
    is_ours boolean;
    -- A place for each element.
    numbers integer[];
    decisions text[];
    problems text[];
    all_violations jsonb[];
    ids bigint[];
    names text[];
    statuses kepler.execution_step_status[];
    inputs jsonb[];
    outputs jsonb[];
    errors text[];
    starts timestamptz[];
    ends timestamptz[];
    pieces int4range[];
    piece int4range;
    half integer;
    sent bigint;
    written bigint;
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_arguments(ARRAY['execution_id', 'token', 'steps', 'workspace_id'],
        ARRAY[$1, $2, CASE WHEN $3 IS NOT NULL THEN '' END, $4]);
    SELECT e.status = 'RUNNING' AND e.token_hash IS NOT DISTINCT FROM kepler_internal.execution_token_hash($2)
    INTO is_ours
    FROM kepler.executions AS e WHERE e.workspace_id = wanted_workspace AND e.id = wanted_execution
    FOR NO KEY UPDATE;
    IF is_ours IS NOT TRUE THEN
        RETURN QUERY
        SELECT g.ordinal, NULL::integer, CASE WHEN is_ours IS NULL THEN 'not_found' ELSE 'stale' END,
            NULL::text, NULL::text, NULL::jsonb
        FROM kepler_internal.execution_steps_given($3) AS g ORDER BY g.ordinal;
        RETURN;
    END IF;

    WITH given AS MATERIALIZED (
        SELECT s.ordinal, s.name, coalesce(s.status, 'SUCCESS')::kepler.execution_step_status AS status, s.input,
            s.output, s.error, s.started_at, s.ended_at, s.problem_code, s.problem, s.violations,
            -- Those without a number follow the highest that is there or given.
            CASE WHEN s.problem_code IS NULL THEN coalesce(s.number, (
                greatest(max(s.number) OVER (), (
                    SELECT max(x.number) FROM kepler.execution_steps AS x
                    WHERE x.workspace_id = wanted_workspace AND x.execution_id = wanted_execution), 0)
                + count(*) FILTER (WHERE s.number IS NULL AND s.problem_code IS NULL) OVER (ORDER BY s.ordinal)
            )::integer) END AS number
        FROM kepler_internal.execution_steps_given($3) AS s
    ), merged AS MATERIALIZED (
        -- What a running step said before stays where the element does not speak of it.
        SELECT g.ordinal, g.number, g.name, g.status, x.id AS stored_id, x.status AS stored_status,
            (g.name, g.status, coalesce(g.input, x.input), coalesce(g.output, x.output), coalesce(g.error, x.error),
                coalesce(g.started_at, x.started_at), coalesce(g.ended_at, x.ended_at))
                IS NOT DISTINCT FROM (x.name, x.status, x.input, x.output, x.error, x.started_at, x.ended_at) AS same,
            g.problem_code, g.problem, g.violations,
            row_number() OVER (PARTITION BY g.number ORDER BY g.ordinal) AS occurrence,
            coalesce(g.input, x.input) AS input, coalesce(g.output, x.output) AS output,
            coalesce(g.error, x.error) AS error,
            coalesce(g.started_at, x.started_at, CASE g.status WHEN 'RUNNING' THEN added_at END) AS started_at,
            coalesce(g.ended_at, x.ended_at, CASE WHEN x.status = 'RUNNING' AND g.status <> 'RUNNING'
                THEN greatest(added_at, g.started_at, x.started_at) END) AS ended_at
        FROM given AS g
        LEFT JOIN LATERAL (
            SELECT y.* FROM kepler.execution_steps AS y
            WHERE y.workspace_id = wanted_workspace AND y.execution_id = wanted_execution AND y.number = g.number
            LIMIT 1
        ) AS x ON true
    ), decided AS MATERIALIZED (
        SELECT m.*, CASE
                WHEN m.problem_code IS NOT NULL THEN m.problem_code
                WHEN m.occurrence > 1 THEN 'duplicate_number'
                WHEN m.ended_at < m.started_at THEN 'ends_before_start'
                WHEN m.stored_id IS NULL THEN 'insert'
                WHEN m.same THEN 'unchanged'
                WHEN m.stored_status <> 'RUNNING' THEN 'has_ended'
                ELSE 'update' END AS decision
        FROM merged AS m
    )
    SELECT array_agg(d.number ORDER BY d.ordinal), array_agg(d.decision ORDER BY d.ordinal),
        array_agg(CASE d.decision
            WHEN 'duplicate_number' THEN format('/number: an earlier element of the batch is step %s', d.number)
            WHEN 'ends_before_start' THEN '/ended_at: lies before started_at'
            WHEN 'has_ended' THEN format('/number: step %s is %s, and only a running step changes', d.number, d.stored_status)
            ELSE d.problem END ORDER BY d.ordinal),
        array_agg(d.violations ORDER BY d.ordinal),
        array_agg(d.stored_id ORDER BY d.ordinal), array_agg(d.name ORDER BY d.ordinal),
        array_agg(d.status ORDER BY d.ordinal), array_agg(d.input ORDER BY d.ordinal),
        array_agg(d.output ORDER BY d.ordinal), array_agg(d.error ORDER BY d.ordinal),
        array_agg(d.started_at ORDER BY d.ordinal), array_agg(d.ended_at ORDER BY d.ordinal)
    INTO numbers, decisions, problems, all_violations, ids, names, statuses, inputs, outputs, errors, starts, ends
    FROM decided AS d;

    -- The first half of a piece before the second: numbers rise with the ids.
    pieces := CASE WHEN decisions && '{insert,update}'
        THEN ARRAY[int4range(1, cardinality(decisions) + 1)] ELSE '{}' END;
    WHILE pieces <> '{}' LOOP
        piece := pieces[cardinality(pieces)];
        pieces := trim_array(pieces, 1);
        BEGIN
            WITH d AS MATERIALIZED (
                SELECT * FROM unnest(decisions, numbers, ids, names, statuses, inputs, outputs, errors, starts, ends)
                    WITH ORDINALITY AS u (decision, number, id, name, status, input, output, error, started_at,
                        ended_at, ordinal)
                WHERE u.ordinal::integer <@ piece AND u.decision IN ('insert', 'update')
            ), inserted AS (
                INSERT INTO kepler.execution_steps (workspace_id, execution_id, number, name, status, input, output,
                    error, started_at, ended_at)
                SELECT wanted_workspace, wanted_execution, d.number, d.name, d.status, d.input, d.output, d.error,
                    d.started_at, d.ended_at
                FROM d WHERE d.decision = 'insert' ORDER BY d.number
                RETURNING 1
            ), updated AS (
                UPDATE kepler.execution_steps AS x
                SET name = d.name, status = d.status, input = d.input, output = d.output, error = d.error,
                    started_at = d.started_at, ended_at = d.ended_at, updated_at = added_at
                FROM d
                WHERE d.decision = 'update' AND x.workspace_id = wanted_workspace AND x.id = d.id
                    -- Whatever the plan, it reads no other part of the table.
                    AND x.id BETWEEN (SELECT min(f.id) FROM d AS f) AND (SELECT max(f.id) FROM d AS f)
                RETURNING 1
            )
            SELECT (SELECT count(*) FROM d),
                (SELECT count(*) FROM inserted) + (SELECT count(*) FROM updated)
            INTO sent, written;
            IF written < sent THEN
                RAISE EXCEPTION USING ERRCODE = 'triggered_action_exception',
                    MESSAGE = 'a trigger on kepler.execution_steps prevented the write';
            END IF;
        EXCEPTION WHEN OTHERS THEN
            IF kepler_internal.is_about_session(SQLSTATE) THEN
                RAISE;
            END IF;
            -- What is refused whatever the step, for want of a privilege, say, ends the call.
            INSERT INTO kepler.execution_steps (workspace_id, execution_id, number, name, status, input, output,
                error, started_at, ended_at)
            SELECT wanted_workspace, wanted_execution, 1, '', 'SUCCESS', NULL, NULL, NULL, NULL, NULL WHERE false;
            UPDATE kepler.execution_steps AS x
            SET name = x.name, status = x.status, input = x.input, output = x.output, error = x.error,
                started_at = x.started_at, ended_at = x.ended_at, updated_at = x.updated_at
            WHERE x.workspace_id = wanted_workspace AND x.id IS NULL;
            IF upper(piece) - lower(piece) = 1 THEN
                decisions[lower(piece)] := SQLSTATE;
                problems[lower(piece)] := SQLERRM;
            ELSE
                half := (lower(piece) + upper(piece)) / 2;
                pieces := pieces || int4range(half, upper(piece)) || int4range(lower(piece), half);
            END IF;
        END;
    END LOOP;

    RETURN QUERY
    SELECT u.ordinal::integer, u.number,
        CASE u.decision WHEN 'insert' THEN 'inserted' WHEN 'update' THEN 'updated'
            WHEN 'unchanged' THEN 'unchanged' ELSE 'rejected' END,
        CASE WHEN u.decision NOT IN ('insert', 'update', 'unchanged') THEN u.decision END,
        u.problem,
        -- What is wrong beside what is stored is one thing, about the field that its sentence begins with, if any.
        CASE WHEN u.decision NOT IN ('insert', 'update', 'unchanged') THEN coalesce(u.violations,
            jsonb_build_array(jsonb_build_object(
                'path', format('/%s%s', u.ordinal - 1, CASE WHEN u.decision ~ '^[a-z]' THEN substring(u.problem FROM '^(/[a-z_]+): ') END),
                'code', u.decision, 'message', CASE WHEN u.decision ~ '^[a-z]' THEN regexp_replace(u.problem, '^/[a-z_]+: ', '') ELSE u.problem END))) END
    FROM unnest(numbers, decisions, problems, all_violations)
        WITH ORDINALITY AS u (number, decision, problem, violations, ordinal)
    ORDER BY u.ordinal;
END
$$;
