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
    RETURN NULL;
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
    LOOP
        COMMIT;
        SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
        EXIT WHEN kepler_internal.sweep_sync_step($1, $2, $3, $4, $5, $6, $7);
    END LOOP;
END
$$;
