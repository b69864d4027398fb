-- Runs that wait for a person. The worker gives its run up, with a question; somebody answers; a worker, this one or another, goes
-- on with the run under a token of its own. Nobody holds the run meanwhile. The run's row is locked before the question's.

CREATE FUNCTION kepler_internal.guard_execution_question() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    kept text;
BEGIN
    kept := concat_ws(', ',
        CASE WHEN NEW.execution_id <> OLD.execution_id THEN 'execution_id' END,
        CASE WHEN NEW.number <> OLD.number THEN 'number' END,
        CASE WHEN NEW.question <> OLD.question THEN 'question' END,
        CASE WHEN NEW.created_at <> OLD.created_at THEN 'created_at' END,
        -- Foreign keys may empty who was asked and who answered.
        CASE WHEN NEW.user_id <> OLD.user_id OR (OLD.user_id IS NULL AND NEW.user_id IS NOT NULL) THEN 'user_id' END,
        CASE WHEN NEW.due_at IS DISTINCT FROM OLD.due_at THEN 'due_at' END,
        CASE WHEN OLD.closed_at IS NOT NULL AND NEW.closed_at IS DISTINCT FROM OLD.closed_at THEN 'closed_at' END,
        CASE WHEN (OLD.answered_at IS NOT NULL OR OLD.closed_at IS NOT NULL)
            AND NEW.answered_at IS DISTINCT FROM OLD.answered_at THEN 'answered_at' END,
        -- erase_user takes out what the person wrote.
        CASE WHEN (OLD.answered_at IS NOT NULL OR OLD.closed_at IS NOT NULL)
            AND NEW.answer IS DISTINCT FROM OLD.answer AND NEW.answer IS DISTINCT FROM '"[erased]"' THEN 'answer' END,
        CASE WHEN (OLD.answered_at IS NOT NULL OR OLD.closed_at IS NOT NULL)
            AND NEW.answered_by IS NOT NULL AND NEW.answered_by IS DISTINCT FROM OLD.answered_by THEN 'answered_by' END);
    IF kept <> '' THEN
        RAISE EXCEPTION USING
            ERRCODE = 'integrity_constraint_violation',
            MESSAGE = format('cannot change question %s of execution "%s": %s', OLD.number, OLD.execution_id, kept),
            DETAIL = CASE WHEN OLD.answered_at IS NOT NULL THEN 'It is answered.'
                WHEN OLD.closed_at IS NOT NULL THEN 'Its run no longer waits for an answer.'
                ELSE 'What was asked stays as it was asked.' END;
    END IF;
    RETURN NEW;
END
$$;

CREATE FUNCTION kepler.suspend_execution(
    execution_id text,
    token text,
    question jsonb,
    user_id text DEFAULT NULL,
    timeout interval DEFAULT NULL,
    workspace_id text DEFAULT kepler.current_workspace_id(),
    OUT outcome text,
    OUT status kepler.execution_status,
    OUT number integer,
    OUT deadline_at timestamptz
)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    wanted_execution ALIAS FOR $1;
    wanted_workspace ALIAS FOR $6;
    asked constant timestamptz := clock_timestamp();
    has_token boolean;
    latest record;
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_arguments(ARRAY['execution_id', 'token', 'question', 'workspace_id'],
        ARRAY[$1, $2, CASE WHEN $3 IS NOT NULL THEN '' END, $6]);
    PERFORM kepler_internal.check_timeout($5);
    IF $4 IS NOT NULL THEN
        PERFORM kepler_internal.require_user($4, $6);
    END IF;
    SELECT e.status, e.deadline_at, e.token_hash IS NOT DISTINCT FROM kepler_internal.execution_token_hash($2)
    INTO status, deadline_at, has_token
    FROM kepler.executions AS e WHERE e.workspace_id = wanted_workspace AND e.id = wanted_execution
    FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        outcome := 'not_found';
        RETURN;
    END IF;
    SELECT q.number, q.question, q.user_id INTO latest FROM kepler.execution_questions AS q
    WHERE q.workspace_id = wanted_workspace AND q.execution_id = wanted_execution
    ORDER BY q.number DESC LIMIT 1;
    IF NOT has_token OR status NOT IN ('RUNNING', 'WAITING') THEN
        outcome := 'stale';
        deadline_at := NULL;
    ELSIF status = 'WAITING' THEN
        outcome := CASE WHEN (latest.question, latest.user_id) IS NOT DISTINCT FROM ($3, $4) THEN 'duplicate' ELSE 'stale' END;
        number := CASE outcome WHEN 'duplicate' THEN latest.number END;
    ELSE
        deadline_at := coalesce(asked + $5, 'infinity');
        UPDATE kepler.executions AS e
        SET status = 'WAITING', deadline_at = deadline_at, next_check_at = deadline_at, updated_at = asked
        WHERE e.workspace_id = wanted_workspace AND e.id = wanted_execution
        RETURNING e.status INTO status;
        IF status IS DISTINCT FROM 'WAITING' THEN
            RAISE EXCEPTION USING
                ERRCODE = 'triggered_action_exception',
                MESSAGE = 'that the execution waits was not written',
                HINT = 'A trigger on kepler.executions prevents the write, or changes the row.';
        END IF;
        INSERT INTO kepler.execution_questions AS q (workspace_id, execution_id, number, question, user_id, due_at, created_at)
        VALUES (wanted_workspace, wanted_execution, coalesce(latest.number, 0) + 1, $3, $4, asked + $5, asked)
        RETURNING q.number INTO number;
        outcome := 'suspended';
    END IF;
END
$$;

CREATE FUNCTION kepler.answer_execution(
    execution_id text,
    number integer,
    answer jsonb,
    user_id text DEFAULT NULL,
    workspace_id text DEFAULT kepler.current_workspace_id(),
    OUT outcome text,
    OUT status kepler.execution_status,
    OUT answered_at timestamptz
)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    wanted_execution ALIAS FOR $1;
    wanted_number ALIAS FOR $2;
    wanted_workspace ALIAS FOR $5;
    answered constant timestamptz := clock_timestamp();
    asked record;
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_arguments(ARRAY['execution_id', 'number', 'answer', 'workspace_id'],
        ARRAY[$1, $2::text, CASE WHEN $3 IS NOT NULL THEN '' END, $5]);
    IF $4 IS NOT NULL THEN
        PERFORM kepler_internal.require_user($4, $5);
    END IF;
    SELECT e.status INTO status
    FROM kepler.executions AS e WHERE e.workspace_id = wanted_workspace AND e.id = wanted_execution
    FOR NO KEY UPDATE;
    SELECT q.answer, q.answered_by, q.answered_at, q.closed_at INTO asked FROM kepler.execution_questions AS q
    WHERE q.workspace_id = wanted_workspace AND q.execution_id = wanted_execution AND q.number = wanted_number;
    IF NOT FOUND THEN
        outcome := 'not_found';
        RETURN;
    END IF;
    answered_at := asked.answered_at;
    IF asked.answered_at IS NOT NULL THEN
        outcome := CASE WHEN (asked.answer, asked.answered_by) IS NOT DISTINCT FROM ($3, $4) THEN 'duplicate' ELSE 'stale' END;
    ELSIF asked.closed_at IS NOT NULL OR status <> 'WAITING' THEN
        outcome := 'stale';
    ELSE
        UPDATE kepler.execution_questions AS q
        SET answer = $3, answered_by = $4, answered_at = answered, updated_at = answered
        WHERE q.workspace_id = wanted_workspace AND q.execution_id = wanted_execution AND q.number = wanted_number
        RETURNING q.answered_at INTO answered_at;
        IF answered_at IS NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'triggered_action_exception',
                MESSAGE = 'the answer was not written',
                HINT = 'A trigger on kepler.execution_questions prevents the write, or changes the row.';
        END IF;
        -- What was answered is not lost because no worker comes: it waits for one, however long.
        UPDATE kepler.executions AS e
        SET deadline_at = 'infinity', next_check_at = 'infinity', updated_at = answered
        WHERE e.workspace_id = wanted_workspace AND e.id = wanted_execution AND e.deadline_at <> 'infinity';
        outcome := 'answered';
    END IF;
END
$$;

CREATE FUNCTION kepler.resume_execution(
    execution_id text,
    caller_token text DEFAULT NULL,
    timeout interval DEFAULT NULL,
    workspace_id text DEFAULT kepler.current_workspace_id(),
    OUT outcome text,
    OUT token text,
    OUT status kepler.execution_status,
    OUT deadline_at timestamptz,
    OUT workflow_id text,
    OUT workflow_version integer,
    OUT number integer,
    OUT question jsonb,
    OUT answer jsonb,
    OUT answered_by text
)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    wanted_execution ALIAS FOR $1;
    wanted_workspace ALIAS FOR $4;
    resumed constant timestamptz := clock_timestamp();
    new_token constant text := coalesce($2, replace(gen_random_uuid()::text, '-', ''));
    is_own boolean;
    asked record;
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_arguments(ARRAY['execution_id', 'workspace_id'], ARRAY[$1, $4]);
    PERFORM kepler_internal.check_timeout($3);
    PERFORM kepler_internal.check_caller_token($2);
    SELECT e.status, e.deadline_at, e.workflow_id, e.workflow_version,
        e.token_hash IS NOT DISTINCT FROM kepler_internal.execution_token_hash($2) AND $2 IS NOT NULL
    INTO status, deadline_at, workflow_id, workflow_version, is_own
    FROM kepler.executions AS e WHERE e.workspace_id = wanted_workspace AND e.id = wanted_execution
    FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        outcome := 'not_found';
        RETURN;
    END IF;
    SELECT q.* INTO asked FROM kepler.execution_questions AS q
    WHERE q.workspace_id = wanted_workspace AND q.execution_id = wanted_execution
    ORDER BY q.number DESC LIMIT 1;
    IF status = 'WAITING' AND asked.number IS NOT NULL AND asked.answered_at IS NULL AND asked.closed_at IS NULL THEN
        outcome := 'waiting';
        number := asked.number;
        question := asked.question;
        RETURN;
    ELSIF status = 'WAITING' AND is_own THEN
        -- Whoever asked may still sleep over it.
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'argument "caller_token" is the token from before the question',
            HINT = 'Make a new random token for each call of resume_execution.';
    ELSIF status = 'WAITING' THEN
        UPDATE kepler.executions AS e
        SET status = 'RUNNING', token_hash = kepler_internal.execution_token_hash(new_token),
            deadline_at = resumed + coalesce($3, e.timeout), next_check_at = resumed + coalesce($3, e.timeout), updated_at = resumed
        WHERE e.workspace_id = wanted_workspace AND e.id = wanted_execution
        RETURNING e.status, e.deadline_at INTO status, deadline_at;
        IF status IS DISTINCT FROM 'RUNNING' THEN
            RAISE EXCEPTION USING
                ERRCODE = 'triggered_action_exception',
                MESSAGE = 'that the execution goes on was not written',
                HINT = 'A trigger on kepler.executions prevents the write, or changes the row.';
        END IF;
    ELSIF NOT (status = 'RUNNING' AND is_own AND asked.number IS NOT NULL) THEN
        outcome := 'stale';
        deadline_at := NULL;
        RETURN;
    END IF;
    -- Also for whoever shows the token again, since the answer was lost.
    outcome := 'resumed';
    token := new_token;
    number := asked.number;
    question := asked.question;
    answer := asked.answer;
    answered_by := asked.answered_by;
END
$$;
