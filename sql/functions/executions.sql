-- Runs of workflows: started once for a key, kept alive, ended once. Who ends a run must hold its token,
-- which is handed out once and stored as a hash: a fence against workers that come late, and against
-- readers of the table.

CREATE FUNCTION kepler.execution_transitions()
RETURNS TABLE (from_status kepler.execution_status, to_status kepler.execution_status, cause text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    VALUES ('RUNNING'::kepler.execution_status, 'SUCCESS'::kepler.execution_status, 'finish_execution'),
        ('RUNNING', 'FAILURE', 'finish_execution'),
        ('RUNNING', 'ABANDONED', 'abandon_executions, start_execution'),
        ('RUNNING', 'WAITING', 'suspend_execution'),
        ('RUNNING', 'CANCELLED', 'cancel_execution'),
        ('WAITING', 'RUNNING', 'resume_execution'),
        ('WAITING', 'ABANDONED', 'abandon_executions'),
        ('WAITING', 'CANCELLED', 'cancel_execution')
$$;

CREATE FUNCTION kepler_internal.check_in_time() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    NEW.next_check_at := NEW.deadline_at;
    RETURN NEW;
END
$$;

-- The history is true under direct SQL too: the status changes as the table of transitions says, what
-- has ended keeps its outcome, and who ran what for whom never changes. A foreign key may empty user_id.
CREATE FUNCTION kepler_internal.guard_execution() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    has_ended constant boolean := OLD.status NOT IN ('RUNNING', 'WAITING');
    kept text;
BEGIN
    IF NEW.status <> OLD.status THEN
        IF NOT EXISTS (SELECT FROM kepler.execution_transitions() AS t
                       WHERE t.from_status = OLD.status AND t.to_status = NEW.status) THEN
            RAISE EXCEPTION USING
                ERRCODE = 'integrity_constraint_violation',
                MESSAGE = format('execution "%s" cannot go from %s to %s', OLD.id, OLD.status, NEW.status),
                DETAIL = (SELECT 'Legal: ' || string_agg(format('%s to %s', t.from_status, t.to_status), ', ')
                          FROM kepler.execution_transitions() AS t) || '.',
                HINT = 'Start another execution.';
        END IF;
        IF NEW.status NOT IN ('RUNNING', 'WAITING') THEN
            NEW.ended_at := coalesce(NEW.ended_at, greatest(clock_timestamp(), NEW.started_at));
        END IF;
    END IF;
    kept := concat_ws(', ',
        CASE WHEN NEW.id <> OLD.id THEN 'id' END,
        CASE WHEN NEW.workflow_id <> OLD.workflow_id THEN 'workflow_id' END,
        CASE WHEN NEW.workflow_version IS DISTINCT FROM OLD.workflow_version THEN 'workflow_version' END,
        CASE WHEN NEW.retry_of IS DISTINCT FROM OLD.retry_of THEN 'retry_of' END,
        CASE WHEN NEW.user_id IS NOT NULL AND NEW.user_id IS DISTINCT FROM OLD.user_id THEN 'user_id' END,
        CASE WHEN NEW.idempotency_key IS DISTINCT FROM OLD.idempotency_key THEN 'idempotency_key' END,
        CASE WHEN NEW.started_at <> OLD.started_at THEN 'started_at' END,
        -- Whoever goes on with a run that waited holds a token of their own.
        CASE WHEN NEW.token_hash IS DISTINCT FROM OLD.token_hash
            AND (OLD.status, NEW.status) <> ('WAITING', 'RUNNING') THEN 'token_hash' END,
        CASE WHEN has_ended AND NEW.ended_at IS DISTINCT FROM OLD.ended_at THEN 'ended_at' END,
        CASE WHEN has_ended AND NEW.results IS DISTINCT FROM OLD.results THEN 'results' END,
        CASE WHEN has_ended AND NEW.error IS DISTINCT FROM OLD.error THEN 'error' END,
        CASE WHEN NEW.late_finish IS DISTINCT FROM OLD.late_finish
            AND (OLD.late_finish IS NOT NULL OR OLD.status NOT IN ('ABANDONED', 'CANCELLED')) THEN 'late_finish' END);
    IF kept <> '' THEN
        RAISE EXCEPTION USING
            ERRCODE = 'integrity_constraint_violation',
            MESSAGE = format('cannot change execution "%s": %s', OLD.id, kept),
            DETAIL = format('It is %s.', OLD.status),
            HINT = 'Keep your own notes in metadata.';
    END IF;
    -- Who asked has let go of the run, and does not hold it again by the token from before, whatever became of the question.
    IF OLD.status = 'WAITING' AND NEW.status = 'RUNNING' AND NEW.token_hash = OLD.token_hash THEN
        RAISE EXCEPTION USING
            ERRCODE = 'integrity_constraint_violation',
            MESSAGE = format('execution "%s" cannot go on under the token from before', OLD.id),
            DETAIL = 'Whoever goes on with a run that waited holds a token of their own.',
            HINT = 'Call answer_execution, then resume_execution, which gives another token; or cancel_execution.';
    END IF;
    IF OLD.status = 'WAITING' AND NEW.status <> 'WAITING' THEN
        UPDATE kepler.execution_questions AS q SET closed_at = clock_timestamp()
        WHERE q.workspace_id = OLD.workspace_id AND q.execution_id = OLD.id AND q.closed_at IS NULL;
    END IF;
    RETURN NEW;
END
$$;

CREATE FUNCTION kepler_internal.guard_execution_step() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF OLD.status <> 'RUNNING' OR NEW.execution_id <> OLD.execution_id OR NEW.number <> OLD.number THEN
        RAISE EXCEPTION USING
            ERRCODE = 'integrity_constraint_violation',
            MESSAGE = format('step %s of execution "%s" cannot change', OLD.number, OLD.execution_id),
            DETAIL = CASE WHEN OLD.status <> 'RUNNING' THEN format('The step is %s. Only a RUNNING step can change.', OLD.status)
                ELSE 'A step keeps its execution and its number.' END,
            HINT = 'Add another step.';
    END IF;
    RETURN NEW;
END
$$;

CREATE FUNCTION kepler_internal.execution_token_hash(token text) RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT pg_catalog.sha256(pg_catalog.convert_to($1, 'UTF8')) $$;

CREATE FUNCTION kepler_internal.check_timeout(timeout interval) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF timeout <= interval '0' OR timeout > interval '366 days' THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'argument "timeout" must be greater than 0 and at most 366 days',
            HINT = 'A run that is not extended within its timeout counts as abandoned.';
    END IF;
END
$$;

-- Whether an error is about the session, the transaction or the server, and not about what is written: the
-- codes of src/pg/subtransaction.rs.
CREATE FUNCTION kepler_internal.is_about_session(sqlstate text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT pg_catalog.left($1, 2) = ANY ('{08,25,2D,3B,40,53,57,58,F0}') OR $1 = '55P03' $$;

-- Overdue runs, of one workflow or all, become ABANDONED: those that run, or those that wait for a person. Who holds a run's row is alive, and is
-- skipped. A run that the database refuses to write (a CHECK, a trigger) is found by halves and warned of: it
-- must not keep others from being abandoned, or their workflow from starting.
CREATE FUNCTION kepler_internal.abandon_overdue(
    wanted_workflow text, max_rows integer, workspace_id text, wanted_status kepler.execution_status
)
RETURNS TABLE (execution_id text, workflow_id text, user_id text, started_at timestamptz, deadline_at timestamptz)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
-- One plan would have to serve one workflow and all of them.
SET plan_cache_mode = force_custom_plan
AS $$
#variable_conflict use_variable
DECLARE
    wanted_workspace ALIAS FOR $3;
    found_at constant timestamptz := clock_timestamp();
    overdue text[];
    pieces int4range[];
    piece int4range;
    half integer;
    written text[];
    abandoned text[] := '{}';
    refused text[] := '{}';
    refused_before integer;
    alive text[];
    -- To move a check locks the row, and a start may stand in a long transaction, where heartbeats would wait for its
    -- end: it leaves those that are due for a check and alive where they are. They are few: heartbeats move them too.
    all_moved boolean := wanted_workflow IS NULL;
BEGIN
    LOOP
        refused_before := cardinality(refused);
        WITH due AS MATERIALIZED (
            SELECT e.id, e.deadline_at FROM kepler.executions AS e
            WHERE e.workspace_id = wanted_workspace AND e.status = wanted_status AND e.next_check_at < found_at
                AND (wanted_workflow IS NULL OR e.workflow_id = wanted_workflow) AND e.id <> ALL (refused)
                -- Those alive whose next check the database would not move are passed over.
                AND (all_moved OR e.deadline_at < found_at)
            ORDER BY e.next_check_at
            LIMIT max_rows - cardinality(abandoned)
            FOR NO KEY UPDATE SKIP LOCKED
        )
        SELECT coalesce(array_agg(d.id ORDER BY d.deadline_at) FILTER (WHERE d.deadline_at < found_at), '{}'),
            coalesce(array_agg(d.id) FILTER (WHERE d.deadline_at >= found_at), '{}')
        INTO overdue, alive FROM due AS d;
        pieces := CASE WHEN alive <> '{}' THEN ARRAY[int4range(1, cardinality(alive) + 1)] ELSE '{}' END;
        WHILE pieces <> '{}' LOOP
            piece := pieces[cardinality(pieces)];
            pieces := trim_array(pieces, 1);
            BEGIN
                WITH moved AS (
                    UPDATE kepler.executions AS e SET next_check_at = e.deadline_at, updated_at = e.updated_at
                    WHERE e.workspace_id = wanted_workspace AND e.id = ANY (alive[lower(piece):upper(piece) - 1])
                    RETURNING e.next_check_at
                )
                SELECT all_moved AND count(*) FILTER (WHERE m.next_check_at >= found_at) = upper(piece) - lower(piece)
                INTO all_moved FROM moved AS m;
            EXCEPTION WHEN OTHERS THEN
                IF kepler_internal.is_about_session(SQLSTATE) THEN
                    RAISE;
                END IF;
                IF upper(piece) - lower(piece) = 1 THEN
                    all_moved := false;
                ELSE
                    half := (lower(piece) + upper(piece)) / 2;
                    pieces := pieces || int4range(half, upper(piece)) || int4range(lower(piece), half);
                END IF;
            END;
        END LOOP;
        pieces := CASE WHEN overdue <> '{}' THEN ARRAY[int4range(1, cardinality(overdue) + 1)] ELSE '{}' END;
        WHILE pieces <> '{}' LOOP
            piece := pieces[cardinality(pieces)];
            pieces := trim_array(pieces, 1);
            BEGIN
                WITH gone AS (
                    UPDATE kepler.executions AS e
                    SET status = 'ABANDONED', ended_at = greatest(found_at, e.started_at), updated_at = found_at
                    WHERE e.workspace_id = wanted_workspace AND e.id = ANY (overdue[lower(piece):upper(piece) - 1])
                    RETURNING e.id
                )
                SELECT coalesce(array_agg(g.id), '{}') INTO written FROM gone AS g;
                IF cardinality(written) < upper(piece) - lower(piece) THEN
                    RAISE EXCEPTION USING ERRCODE = 'triggered_action_exception',
                        MESSAGE = 'a trigger on kepler.executions prevented the write';
                END IF;
                abandoned := abandoned || written;
            EXCEPTION WHEN OTHERS THEN
                IF kepler_internal.is_about_session(SQLSTATE) THEN
                    RAISE;
                END IF;
                -- What is refused whatever the run, for want of a privilege, say, ends the call.
                UPDATE kepler.executions AS e SET status = e.status, ended_at = e.ended_at, updated_at = e.updated_at
                WHERE e.workspace_id = wanted_workspace AND e.id IS NULL;
                IF upper(piece) - lower(piece) = 1 THEN
                    refused := refused || overdue[lower(piece)];
                    RAISE WARNING USING ERRCODE = SQLSTATE,
                        MESSAGE = format('execution "%s" is overdue and cannot be abandoned', overdue[lower(piece)]),
                        DETAIL = SQLERRM;
                ELSE
                    half := (lower(piece) + upper(piece)) / 2;
                    pieces := pieces || int4range(half, upper(piece)) || int4range(lower(piece), half);
                END IF;
            END;
        END LOOP;
        -- Others are taken in the place of executions that were refused, or turned out to be alive.
        -- A start does not try all that are refused each time.
        EXIT WHEN (cardinality(refused) = refused_before AND alive = '{}') OR cardinality(abandoned) >= max_rows
            OR (wanted_workflow IS NOT NULL AND cardinality(refused) >= 1000);
    END LOOP;
    RETURN QUERY
    SELECT e.id, e.workflow_id, e.user_id, e.started_at, e.deadline_at FROM kepler.executions AS e
    WHERE e.workspace_id = wanted_workspace AND e.id = ANY (abandoned)
    ORDER BY e.deadline_at, e.id;
END
$$;

CREATE FUNCTION kepler_internal.abandon_executions(max_rows integer, workspace_id text)
RETURNS TABLE (execution_id text, workflow_id text, user_id text, started_at timestamptz, deadline_at timestamptz)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    left_rows integer := $1;
    abandoned bigint;
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_arguments(ARRAY['max_rows', 'workspace_id'], ARRAY[$1::text, $2]);
    IF max_rows < 1 THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('argument "max_rows" must be at least 1, not %s', max_rows);
    END IF;
    RETURN QUERY SELECT * FROM kepler_internal.abandon_overdue(NULL, $1, $2, 'RUNNING');
    GET DIAGNOSTICS abandoned = ROW_COUNT;
    left_rows := left_rows - abandoned;
    IF left_rows > 0 THEN
        RETURN QUERY SELECT * FROM kepler_internal.abandon_overdue(NULL, left_rows, $2, 'WAITING');
    END IF;
END
$$;

-- Fails where a token that a caller made could be guessed by whoever reads its hash, or is too long to be one.
CREATE FUNCTION kepler_internal.check_caller_token(token text) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF octet_length(token) NOT BETWEEN 16 AND 500 THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'argument "caller_token" must have 16 to 500 bytes',
            HINT = 'Make it random, for instance with gen_random_uuid().';
    END IF;
END
$$;

CREATE FUNCTION kepler.start_execution(
    workflow_id text,
    idempotency_key text DEFAULT NULL,
    timeout interval DEFAULT NULL,
    metadata jsonb DEFAULT NULL,
    retry_of text DEFAULT NULL,
    caller_token text DEFAULT NULL,
    workspace_id text DEFAULT kepler.current_workspace_id(),
    OUT execution_id text,
    OUT token text,
    OUT outcome text,
    OUT status kepler.execution_status,
    OUT deadline_at timestamptz,
    OUT workflow_version integer
)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    wanted_workflow ALIAS FOR $1;
    wanted_key ALIAS FOR $2;
    retried ALIAS FOR $5;
    wanted_workspace ALIAS FOR $7;
    silence constant interval := coalesce($3, interval '1 hour');
    new_token constant text := coalesce($6, replace(gen_random_uuid()::text, '-', ''));
    started constant timestamptz := clock_timestamp();
    workflow_status kepler.workflow_status;
    workflow_user text;
    is_own boolean;
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_arguments(ARRAY['workflow_id', 'workspace_id'], ARRAY[$1, $7]);
    PERFORM kepler_internal.check_timeout($3);
    IF wanted_key = '' OR octet_length(wanted_key) > 500 THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = CASE wanted_key WHEN '' THEN 'argument "idempotency_key" must not be empty'
                ELSE 'argument "idempotency_key" is longer than 500 bytes' END,
            HINT = 'Leave it out, or pass NULL, if each call is a run of its own.';
    END IF;
    IF $6 IS NOT NULL THEN
        PERFORM kepler_internal.check_caller_token($6);
        IF wanted_key IS NULL AND retried IS NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'invalid_parameter_value',
                MESSAGE = 'argument "caller_token" needs an idempotency_key or a retry_of',
                DETAIL = 'Without one each call starts another run, and none can be asked for again.';
        END IF;
    END IF;
    IF jsonb_typeof($4) NOT IN ('object', 'null') THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('argument "metadata" must be a JSON object, not %s', jsonb_typeof($4));
    END IF;
    workflow_status := kepler_internal.require_workflow(wanted_workflow, wanted_workspace);
    -- Mostly nothing is overdue, and to look is cheap.
    IF EXISTS (SELECT FROM kepler.executions AS e
               WHERE e.workspace_id = wanted_workspace AND e.workflow_id = wanted_workflow
                   AND e.status = 'RUNNING' AND e.next_check_at < started AND e.deadline_at < started) THEN
        PERFORM FROM kepler_internal.abandon_overdue(wanted_workflow, 1000, wanted_workspace, 'RUNNING');
    END IF;

    -- Again only where the run with this key vanished between the insert that met it and the look.
    FOR round IN 1 .. 20 LOOP
        -- The repetition of a start is answered alike, whatever became of the workflow.
        IF wanted_key IS NOT NULL THEN
            SELECT e.id, e.status, e.deadline_at, e.workflow_version,
                e.token_hash IS NOT DISTINCT FROM kepler_internal.execution_token_hash($6) AND e.status IN ('RUNNING', 'WAITING')
            INTO execution_id, status, deadline_at, workflow_version, is_own
            FROM kepler.executions AS e
            WHERE e.workspace_id = wanted_workspace AND e.workflow_id = wanted_workflow
                AND e.idempotency_key = wanted_key;
        END IF;
        IF retried IS NOT NULL AND execution_id IS NULL THEN
            SELECT e.id, e.status, e.deadline_at, e.workflow_version,
                e.token_hash IS NOT DISTINCT FROM kepler_internal.execution_token_hash($6) AND e.status IN ('RUNNING', 'WAITING')
            INTO execution_id, status, deadline_at, workflow_version, is_own
            FROM kepler.executions AS e
            WHERE e.workspace_id = wanted_workspace AND e.retry_of = retried AND e.workflow_id = wanted_workflow;
        END IF;
        IF execution_id IS NOT NULL THEN
            -- Whoever shows the token asks again for an answer that was lost.
            outcome := CASE WHEN is_own AND $6 IS NOT NULL THEN 'started' ELSE 'duplicate' END;
            token := CASE WHEN is_own THEN $6 END;
            RETURN;
        END IF;
        SELECT w.user_id, w.version INTO workflow_user, workflow_version FROM kepler.workflows AS w
        WHERE w.workspace_id = wanted_workspace AND w.id = wanted_workflow;
        IF workflow_status <> 'ACTIVE' OR workflow_user IS NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'object_not_in_prerequisite_state',
                MESSAGE = CASE WHEN workflow_status <> 'ACTIVE' THEN format('workflow "%s" is inactive', wanted_workflow)
                    ELSE format('workflow "%s" has no user', wanted_workflow) END,
                DETAIL = CASE WHEN workflow_status <> 'ACTIVE' THEN 'An inactive workflow starts no execution.'
                    ELSE 'Its user was deleted, so it has no connections to use.' END,
                HINT = CASE WHEN workflow_status <> 'ACTIVE'
                    THEN format('UPDATE kepler.workflows SET status = ''ACTIVE'' WHERE workspace_id = %L AND id = %L;',
                        wanted_workspace, wanted_workflow)
                    ELSE 'Give the workflow another user, or make it inactive.' END;
        END IF;
        IF retried IS NULL THEN
            INSERT INTO kepler.executions AS e (workspace_id, workflow_id, workflow_version, user_id, idempotency_key,
                started_at, timeout, deadline_at, next_check_at, token_hash, metadata)
            VALUES (wanted_workspace, wanted_workflow, workflow_version, workflow_user, wanted_key, started, silence,
                started + silence, started + silence, kepler_internal.execution_token_hash(new_token),
                coalesce(nullif($4, 'null'), '{}'))
            ON CONFLICT ON CONSTRAINT executions_idempotency_key_key DO NOTHING
            RETURNING e.id, new_token, 'started', e.status, e.deadline_at
            INTO execution_id, token, outcome, status, deadline_at;
        ELSE
            PERFORM kepler_internal.require_retriable(retried, wanted_workflow, wanted_workspace);
            -- Two kinds of runs may be there already: with this key, and of the same run.
            INSERT INTO kepler.executions AS e (workspace_id, workflow_id, workflow_version, user_id, idempotency_key,
                started_at, timeout, deadline_at, next_check_at, token_hash, metadata, retry_of)
            VALUES (wanted_workspace, wanted_workflow, workflow_version, workflow_user, wanted_key, started, silence,
                started + silence, started + silence, kepler_internal.execution_token_hash(new_token),
                coalesce(nullif($4, 'null'), '{}'), retried)
            ON CONFLICT DO NOTHING
            RETURNING e.id, new_token, 'started', e.status, e.deadline_at
            INTO execution_id, token, outcome, status, deadline_at;
        END IF;
        IF FOUND THEN
            RETURN;
        END IF;
    END LOOP;
    RAISE EXCEPTION USING
        ERRCODE = 'serialization_failure',
        MESSAGE = 'executions with this key kept vanishing during the call',
        HINT = 'Run it again.';
END
$$;

-- What is tried again has ended, and not well. Its end is final, so nothing need be locked.
CREATE FUNCTION kepler_internal.require_retriable(execution_id text, workflow_id text, workspace_id text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    run record;
BEGIN
    SELECT e.workflow_id, e.status INTO run FROM kepler.executions AS e WHERE e.workspace_id = $3 AND e.id = $1;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING
            ERRCODE = 'foreign_key_violation',
            MESSAGE = format('execution "%s" does not exist in workspace "%s"', $1, $3);
    ELSIF run.workflow_id <> $2 THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('execution "%s" is a run of workflow "%s", not of "%s"', $1, run.workflow_id, $2);
    ELSIF run.status IN ('RUNNING', 'WAITING', 'SUCCESS') THEN
        RAISE EXCEPTION USING
            ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('execution "%s" cannot be retried: it is %s', $1, run.status),
            HINT = CASE run.status WHEN 'SUCCESS' THEN 'Start another run, without retry_of.'
                ELSE 'Wait for its end, or call kepler.cancel_execution first.' END;
    END IF;
END
$$;

CREATE FUNCTION kepler.extend_execution(
    execution_id text,
    token text,
    timeout interval DEFAULT NULL,
    workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS timestamptz
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    wanted_timeout ALIAS FOR $3;
    beat_at constant timestamptz := clock_timestamp();
    new_deadline timestamptz;
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_arguments(ARRAY['execution_id', 'token', 'workspace_id'], ARRAY[$1, $2, $4]);
    PERFORM kepler_internal.check_timeout($3);
    -- The check is moved when less than half of the timeout is left before it. Runs that report more often than that are
    -- never due for one, and most heartbeats change no index.
    UPDATE kepler.executions AS e
    SET deadline_at = beat_at + coalesce(wanted_timeout, e.timeout), updated_at = beat_at,
        next_check_at = CASE WHEN e.next_check_at < beat_at + coalesce(wanted_timeout, e.timeout) / 2
            THEN beat_at + coalesce(wanted_timeout, e.timeout) ELSE e.next_check_at END
    WHERE e.workspace_id = $4 AND e.id = $1 AND e.status = 'RUNNING'
        AND e.token_hash = kepler_internal.execution_token_hash($2)
    RETURNING e.deadline_at INTO new_deadline;
    RETURN new_deadline;
END
$$;

-- PL/pgSQL does not tell an argument from a column of the answer that has its name.
CREATE FUNCTION kepler_internal.finish_execution(
    execution_id text,
    token text,
    status text,
    results jsonb,
    error text,
    workspace_id text,
    OUT outcome text,
    OUT stored_status kepler.execution_status,
    OUT ended_at timestamptz
)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
-- Both statements find one row by its key: to plan them anew for each call would cost more than they do.
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_variable
DECLARE
    given_results ALIAS FOR $4;
    given_error ALIAS FOR $5;
    finished constant timestamptz := clock_timestamp();
    new_status kepler.execution_status;
    run record;
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_arguments(ARRAY['execution_id', 'token', 'status', 'workspace_id'],
        ARRAY[$1, $2, $3, $6]);
    IF $3 NOT IN ('SUCCESS', 'FAILURE') THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('argument "status" must be one of SUCCESS, FAILURE, not "%s"', $3);
    END IF;
    new_status := $3::kepler.execution_status;
    -- As the trigger of the table stores it: what is sent again is recognised, and late_finish has no secret either.
    IF current_setting('kepler.on_secret', true) IS DISTINCT FROM 'allow' THEN
        given_error := kepler_internal.without_secrets(given_error);
    END IF;

    SELECT e.status, e.results, e.error, e.late_finish, e.ended_at,
        e.token_hash IS NOT DISTINCT FROM kepler_internal.execution_token_hash($2) AS has_token
    INTO run
    FROM kepler.executions AS e WHERE e.workspace_id = $6 AND e.id = $1
    FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        outcome := 'not_found';
        RETURN;
    END IF;
    stored_status := run.status;
    ended_at := run.ended_at;
    IF NOT run.has_token THEN
        outcome := 'stale';
    ELSIF run.status = 'RUNNING' THEN
        UPDATE kepler.executions AS e
        SET status = new_status, ended_at = greatest(finished, e.started_at), results = given_results,
            error = given_error, updated_at = finished
        WHERE e.workspace_id = $6 AND e.id = $1
        RETURNING e.status, e.ended_at INTO stored_status, ended_at;
        -- What is not stored is not told as stored.
        IF stored_status IS DISTINCT FROM new_status THEN
            RAISE EXCEPTION USING
                ERRCODE = 'triggered_action_exception',
                MESSAGE = 'the end of the execution was not written',
                HINT = 'A trigger on kepler.executions prevents the write, or changes the row.';
        END IF;
        outcome := 'finished';
    ELSIF run.status IN ('ABANDONED', 'CANCELLED') THEN
        -- Too late to count, and still what happened.
        IF run.late_finish IS NULL THEN
            UPDATE kepler.executions AS e
            SET late_finish = jsonb_build_object('status', new_status, 'results', given_results,
                    'error', given_error, 'reported_at', finished),
                updated_at = finished
            WHERE e.workspace_id = $6 AND e.id = $1;
        END IF;
        outcome := 'stale';
    ELSIF (run.status, run.results, run.error) IS NOT DISTINCT FROM (new_status, given_results, given_error) THEN
        outcome := 'duplicate';
    ELSE
        outcome := 'stale';
    END IF;
END
$$;

CREATE FUNCTION kepler.finish_execution(
    execution_id text,
    token text,
    status text,
    results jsonb DEFAULT NULL,
    error text DEFAULT NULL,
    workspace_id text DEFAULT kepler.current_workspace_id(),
    OUT outcome text,
    OUT status kepler.execution_status,
    OUT ended_at timestamptz
)
LANGUAGE sql VOLATILE
AS $$ SELECT f.outcome, f.stored_status, f.ended_at FROM kepler_internal.finish_execution($1, $2, $3, $4, $5, $6) AS f $$;

-- A person, or a program on behalf of one, calls a run off. The end is final at once: its worker, who may be gone, is told by the
-- next heartbeat, and cannot finish it any more.
CREATE FUNCTION kepler.cancel_execution(
    execution_id text,
    reason text DEFAULT NULL,
    workspace_id text DEFAULT kepler.current_workspace_id(),
    OUT outcome text,
    OUT status kepler.execution_status,
    OUT ended_at timestamptz
)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    cancelled constant timestamptz := clock_timestamp();
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_arguments(ARRAY['execution_id', 'workspace_id'], ARRAY[$1, $3]);
    SELECT e.status, e.ended_at INTO status, ended_at
    FROM kepler.executions AS e WHERE e.workspace_id = $3 AND e.id = $1
    FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        outcome := 'not_found';
    ELSIF status IN ('RUNNING', 'WAITING') THEN
        UPDATE kepler.executions AS e
        SET status = 'CANCELLED', ended_at = greatest(cancelled, e.started_at), error = reason, updated_at = cancelled
        WHERE e.workspace_id = $3 AND e.id = $1
        RETURNING e.status, e.ended_at INTO status, ended_at;
        -- What is not stored is not told as stored.
        IF status IS DISTINCT FROM 'CANCELLED' THEN
            RAISE EXCEPTION USING
                ERRCODE = 'triggered_action_exception',
                MESSAGE = 'the end of the execution was not written',
                HINT = 'A trigger on kepler.executions prevents the write, or changes the row.';
        END IF;
        outcome := 'cancelled';
    ELSE
        outcome := CASE status WHEN 'CANCELLED' THEN 'duplicate' ELSE 'stale' END;
    END IF;
END
$$;

-- All runs that tried the same again, from the first one on. PL/pgSQL does not tell an argument from a column of its name.
CREATE FUNCTION kepler_internal.execution_retries(wanted_execution text, workspace_id text)
RETURNS TABLE (attempt integer, execution_id text, status kepler.execution_status, workflow_version integer,
    started_at timestamptz, ended_at timestamptz, error text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    first text;
    earlier text;
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_arguments(ARRAY['execution_id', 'workspace_id'], ARRAY[$1, $2]);
    SELECT e.id, e.retry_of INTO first, earlier FROM kepler.executions AS e WHERE e.workspace_id = $2 AND e.id = $1;
    WHILE earlier IS NOT NULL LOOP
        SELECT e.id, e.retry_of INTO execution_id, earlier
        FROM kepler.executions AS e WHERE e.workspace_id = $2 AND e.id = earlier;
        -- The one before may be deleted. Direct SQL may have tied runs to a ring.
        EXIT WHEN execution_id IS NULL OR execution_id = $1;
        first := execution_id;
    END LOOP;
    attempt := 0;
    LOOP
        SELECT e.id, e.status, e.workflow_version, e.started_at, e.ended_at, e.error
        INTO execution_id, status, workflow_version, started_at, ended_at, error
        FROM kepler.executions AS e
        WHERE e.workspace_id = $2 AND CASE WHEN attempt = 0 THEN e.id = first ELSE e.retry_of = execution_id END;
        EXIT WHEN NOT FOUND OR (attempt > 0 AND execution_id = first);
        attempt := attempt + 1;
        RETURN NEXT;
    END LOOP;
END
$$;

CREATE FUNCTION kepler.execution_retries(execution_id text, workspace_id text DEFAULT kepler.current_workspace_id())
RETURNS TABLE (attempt integer, execution_id text, status kepler.execution_status, workflow_version integer,
    started_at timestamptz, ended_at timestamptz, error text)
LANGUAGE sql STABLE
AS $$ SELECT * FROM kepler_internal.execution_retries($1, $2) $$;
