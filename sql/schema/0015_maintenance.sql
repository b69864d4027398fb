-- What maintain() does now and then: when each step was last started, how it ended, and when it comes again.

-- A row for each step, and one for each object that a step had work with in the last days, or fails at.
CREATE TABLE kepler.maintenance (
    -- Empty for what is of all workspaces.
    workspace_id text NOT NULL DEFAULT '',
    step text NOT NULL,
    object text NOT NULL DEFAULT '',
    outcome text NOT NULL,
    last_started_at timestamptz NOT NULL,
    last_succeeded_at timestamptz,
    last_failed_at timestamptz,
    last_error_code text,
    last_error text,
    last_rows bigint NOT NULL DEFAULT 0,
    last_duration interval,
    row_count bigint NOT NULL DEFAULT 0,
    failures integer NOT NULL DEFAULT 0,
    next_at timestamptz,
    advice text,
    PRIMARY KEY (workspace_id, step, object),
    CONSTRAINT maintenance_outcome_known CHECK (outcome IN ('started', 'finished', 'unfinished', 'failed'))
-- Each run rewrites the rows of the steps.
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01);
CREATE TRIGGER keep_workspace BEFORE UPDATE OF workspace_id ON kepler.maintenance
    FOR EACH ROW WHEN (OLD.workspace_id <> NEW.workspace_id)
    EXECUTE FUNCTION kepler_internal.refuse_workspace_change();

-- Backlogs that are not all queued: few, or none.
CREATE INDEX enrichment_policies_backlog_idx ON kepler.enrichment_policies (workspace_id, entity_type)
    WHERE backlog_after IS NOT NULL OR fair_keys_after IS NOT NULL;

-- Each workspace sees its own rows. Nobody but the owner changes them: maintain() does.
ALTER TABLE kepler.maintenance ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace ON kepler.maintenance FOR SELECT USING (workspace_id = kepler.current_workspace_id());

-- Without what an error says: it may quote what a tenant has written.
CREATE VIEW kepler.stat_maintenance AS
SELECT m.step, nullif(m.workspace_id, '') AS workspace_id, nullif(m.object, '') AS object, m.outcome,
    m.outcome <> 'finished' AS work_remains, m.last_started_at, m.last_succeeded_at, m.last_failed_at, m.last_error_code,
    m.failures, m.last_rows, m.last_duration, m.row_count, m.next_at, m.advice
FROM kepler.maintenance AS m;
GRANT SELECT ON kepler.stat_maintenance TO pg_monitor;

COMMENT ON TABLE kepler.maintenance IS 'What maintain() has done, and when: a row for each step, and one for each object that a step had work with in the last days, or fails at';
COMMENT ON COLUMN kepler.maintenance.workspace_id IS 'Workspace that the work was done in; empty for what is of all workspaces';
COMMENT ON COLUMN kepler.maintenance.step IS 'What is done';
COMMENT ON COLUMN kepler.maintenance.object IS 'What it is done with: a type of record, a retention policy, a column; empty for the step itself, and where the workspace says it all';
COMMENT ON COLUMN kepler.maintenance.outcome IS 'How it ended: started (it is running, or was interrupted), finished (nothing is left), unfinished (the time was over, or what is left is in use), failed';
COMMENT ON COLUMN kepler.maintenance.last_started_at IS 'When it last began';
COMMENT ON COLUMN kepler.maintenance.last_succeeded_at IS 'When it last did what it could without an error';
COMMENT ON COLUMN kepler.maintenance.last_failed_at IS 'When it last failed';
COMMENT ON COLUMN kepler.maintenance.last_error_code IS 'SQLSTATE of the last failure';
COMMENT ON COLUMN kepler.maintenance.last_error IS 'What the last failure said; a mark stands in place of a secret';
COMMENT ON COLUMN kepler.maintenance.last_rows IS 'How much it did when it last ran: rows; partitions, parts of a workspace and runs where these are what it deals with';
COMMENT ON COLUMN kepler.maintenance.last_duration IS 'How long it worked when it last ran';
COMMENT ON COLUMN kepler.maintenance.row_count IS 'How much it did in all runs';
COMMENT ON COLUMN kepler.maintenance.failures IS 'How often in a row it failed, or found work and could do nothing';
COMMENT ON COLUMN kepler.maintenance.next_at IS 'Not before this time is it looked at again; NULL: in the next run';
COMMENT ON COLUMN kepler.maintenance.advice IS 'Of the step advise_indexes: the statement that index_advice proposes. It is never executed';
COMMENT ON VIEW kepler.stat_maintenance IS 'kepler.maintenance without the texts of errors, for members of pg_monitor';
COMMENT ON COLUMN kepler.stat_maintenance.step IS 'What is done';
COMMENT ON COLUMN kepler.stat_maintenance.workspace_id IS 'Workspace that the work was done in; NULL for what is of all workspaces';
COMMENT ON COLUMN kepler.stat_maintenance.object IS 'What it is done with: a type of record, a retention policy, a column; NULL for the step itself, and where the workspace says it all';
COMMENT ON COLUMN kepler.stat_maintenance.outcome IS 'How it ended: started (it is running, or was interrupted), finished (nothing is left), unfinished (the time was over, or what is left is in use), failed';
COMMENT ON COLUMN kepler.stat_maintenance.work_remains IS 'Whether it is not finished';
COMMENT ON COLUMN kepler.stat_maintenance.last_started_at IS 'When it last began';
COMMENT ON COLUMN kepler.stat_maintenance.last_succeeded_at IS 'When it last did what it could without an error';
COMMENT ON COLUMN kepler.stat_maintenance.last_failed_at IS 'When it last failed';
COMMENT ON COLUMN kepler.stat_maintenance.last_error_code IS 'SQLSTATE of the last failure';
COMMENT ON COLUMN kepler.stat_maintenance.failures IS 'How often in a row it failed, or found work and could do nothing';
COMMENT ON COLUMN kepler.stat_maintenance.last_rows IS 'How much it did when it last ran: rows; partitions, parts of a workspace and runs where these are what it deals with';
COMMENT ON COLUMN kepler.stat_maintenance.last_duration IS 'How long it worked when it last ran';
COMMENT ON COLUMN kepler.stat_maintenance.row_count IS 'How much it did in all runs';
COMMENT ON COLUMN kepler.stat_maintenance.next_at IS 'Not before this time is it looked at again; NULL: in the next run';
COMMENT ON COLUMN kepler.stat_maintenance.advice IS 'Of the step advise_indexes: the statement that index_advice proposes. It is never executed';
