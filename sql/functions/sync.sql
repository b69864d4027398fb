-- Sync runs: the procedure that commits, and what goes with a run. All else is in src/sync.

CREATE FUNCTION kepler_internal.forget_sync_notes() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
BEGIN
    DELETE FROM kepler.sync_seen AS s USING old_runs AS o
    WHERE s.workspace_id = o.workspace_id AND s.sync_run_id = o.id;
    DELETE FROM kepler.sync_batches AS s USING old_runs AS o
    WHERE s.workspace_id = o.workspace_id AND s.sync_run_id = o.id;
    DELETE FROM kepler.sync_candidates AS s USING old_runs AS o
    WHERE s.workspace_id = o.workspace_id AND s.sync_run_id = o.id;
    -- Whoever merges has locked rows, and may be waiting for the entity. What is left so is nobody's, and abandon_syncs
    -- takes it away.
    DELETE FROM kepler.inbox_rows AS i WHERE i.ctid = ANY (ARRAY(
        SELECT s.ctid FROM old_runs AS o
        JOIN kepler.inbox_rows AS s ON s.workspace_id = o.workspace_id AND s.sync_run_id = o.id
        FOR UPDATE OF s SKIP LOCKED));
    RETURN NULL;
END
$$;

-- Before rows are copied in for the run that the setting names. It may be the first that a session does with Kepler.
CREATE FUNCTION kepler_internal.require_copied_run() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    run constant text := nullif(current_setting('kepler.sync_run_id', true), '');
    status text;
BEGIN
    IF run IS NULL THEN
        RETURN NULL;
    END IF;
    -- The run does not sweep before these rows can be seen. Its status is read behind that.
    PERFORM kepler_internal.share_copied_run(run, kepler.current_workspace_id());
    SELECT r.status INTO status FROM kepler.sync_runs AS r
    WHERE r.workspace_id = kepler.current_workspace_id() AND r.id = run;
    IF status = 'RUNNING' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION USING
        ERRCODE = CASE WHEN status IS NULL THEN '42704' ELSE '55000' END,
        MESSAGE = CASE WHEN status IS NULL THEN format('sync run "%s" does not exist', run) ELSE format('sync run "%s" has ended', run) END,
        DETAIL = 'The setting kepler.sync_run_id names it.',
        HINT = 'kepler.begin_sync begins a run, and kepler.resume_sync finds one that is open.';
END
$$;

-- Without settings of its own, since such a procedure could not commit. Nothing in it looks a name up.
CREATE PROCEDURE kepler.sweep_sync(
    sync_run_id text,
    max_delete_fraction double precision DEFAULT 0.2,
    allow_rejects boolean DEFAULT false,
    allow_empty boolean DEFAULT false,
    max_rows integer DEFAULT 10000,
    cursor text DEFAULT NULL,
    workspace_id text DEFAULT kepler.current_workspace_id()
)
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_commits('kepler.sweep_sync');
    LOOP
        COMMIT;
        SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
        EXIT WHEN kepler_internal.sweep_sync_step($1, $2, $3, $4, $5, $6, $7);
    END LOOP;
END
$$;

CREATE PROCEDURE kepler.merge_inbox(
    sync_run_id text,
    max_rows integer DEFAULT 10000,
    merge text DEFAULT NULL,
    id_key text DEFAULT NULL,
    updated_at_key text DEFAULT NULL,
    deleted_key text DEFAULT NULL,
    options jsonb DEFAULT NULL,
    workspace_id text DEFAULT kepler.current_workspace_id()
)
LANGUAGE plpgsql
AS $$
DECLARE
    is_first boolean := true;
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_commits('kepler.merge_inbox');
    LOOP
        COMMIT;
        SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
        EXIT WHEN kepler_internal.merge_inbox_step($1, $2, $3, $4, $5, $6, $7, is_first, $8);
        is_first := false;
    END LOOP;
END
$$;
