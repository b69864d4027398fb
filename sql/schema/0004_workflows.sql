-- Workflows of users, their runs, and the steps that a run logged. The history is true: a run that has
-- ended keeps its outcome, also under direct SQL.

CREATE TABLE kepler.workflows (
    workspace_id text NOT NULL DEFAULT kepler.current_workspace_id() REFERENCES kepler.workspaces (id),
    id text NOT NULL DEFAULT kepler.cuid(),
    user_id text,
    name text NOT NULL,
    intent text,
    trigger jsonb NOT NULL DEFAULT '{}',
    actions jsonb NOT NULL DEFAULT '[]',
    required_providers text[] NOT NULL DEFAULT '{}',
    status kepler.workflow_status NOT NULL DEFAULT 'ACTIVE',
    metadata jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (workspace_id, id),
    CONSTRAINT workflows_user_fkey FOREIGN KEY (workspace_id, user_id)
        REFERENCES kepler.users (workspace_id, id) ON DELETE SET NULL (user_id),
    CONSTRAINT workflows_id_length CHECK (octet_length(id) BETWEEN 1 AND 128),
    CONSTRAINT workflows_trigger_object CHECK (jsonb_typeof(trigger) = 'object'),
    CONSTRAINT workflows_actions_array CHECK (jsonb_typeof(actions) = 'array'),
    CONSTRAINT workflows_metadata_object CHECK (jsonb_typeof(metadata) = 'object')
);

-- The workflows of a user, and the foreign key check when a user is deleted.
CREATE INDEX workflows_user_id_idx ON kepler.workflows (workspace_id, user_id);

CREATE TABLE kepler.executions (
    workspace_id text NOT NULL DEFAULT kepler.current_workspace_id() REFERENCES kepler.workspaces (id),
    id text NOT NULL DEFAULT kepler.cuid(),
    workflow_id text NOT NULL,
    user_id text,
    status kepler.execution_status NOT NULL DEFAULT 'RUNNING',
    idempotency_key text,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at timestamptz,
    timeout interval NOT NULL DEFAULT '1 hour',
    deadline_at timestamptz NOT NULL DEFAULT clock_timestamp() + interval '1 hour',
    next_check_at timestamptz NOT NULL DEFAULT 'infinity',
    token_hash bytea,
    results jsonb,
    error text,
    late_finish jsonb,
    metadata jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (workspace_id, id),
    -- NULLs are distinct: a run without a key is a run of its own.
    CONSTRAINT executions_idempotency_key_key UNIQUE (workspace_id, workflow_id, idempotency_key),
    -- A workflow that has run cannot be deleted: its history would be deleted with it.
    CONSTRAINT executions_workflow_fkey FOREIGN KEY (workspace_id, workflow_id)
        REFERENCES kepler.workflows (workspace_id, id),
    CONSTRAINT executions_user_fkey FOREIGN KEY (workspace_id, user_id)
        REFERENCES kepler.users (workspace_id, id) ON DELETE SET NULL (user_id),
    CONSTRAINT executions_id_length CHECK (octet_length(id) BETWEEN 1 AND 128),
    CONSTRAINT executions_idempotency_key_length CHECK (octet_length(idempotency_key) BETWEEN 1 AND 500),
    CONSTRAINT executions_running_has_no_end CHECK ((status = 'RUNNING') = (ended_at IS NULL)),
    CONSTRAINT executions_end_after_start CHECK (ended_at >= started_at),
    CONSTRAINT executions_timeout_positive CHECK (timeout > interval '0'),
    CONSTRAINT executions_checked_in_time CHECK (next_check_at <= deadline_at),
    CONSTRAINT executions_late_finish_object CHECK (jsonb_typeof(late_finish) = 'object'),
    CONSTRAINT executions_metadata_object CHECK (jsonb_typeof(metadata) = 'object')
-- Each run is written again when it ends, and an index changes with it.
) WITH (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.05);

-- For execution_report() and for the runs of a workflow by time. The index includes status and end,
-- because the rows hold results of any size and the report reads all rows of a workflow. Both change once.
CREATE INDEX executions_workflow_id_started_at_idx
    ON kepler.executions (workspace_id, workflow_id, started_at) INCLUDE (status, ended_at);
-- The runs of a user by time, and the foreign key check when a user is deleted.
CREATE INDEX executions_user_id_started_at_idx
    ON kepler.executions (workspace_id, user_id, started_at);
-- Running executions that may be overdue, of one workflow and of all. Most heartbeats
-- move deadline_at alone and change no index; next_check_at follows when less than half of the timeout is left before it, and
-- abandon_executions() moves it to the deadline where a run is due for a check and not overdue.
CREATE INDEX executions_workflow_id_next_check_at_idx ON kepler.executions (workspace_id, workflow_id, next_check_at)
    WHERE status = 'RUNNING';
CREATE INDEX executions_next_check_at_idx ON kepler.executions (workspace_id, next_check_at)
    WHERE status = 'RUNNING';

CREATE TABLE kepler.execution_steps (
    workspace_id text NOT NULL DEFAULT kepler.current_workspace_id() REFERENCES kepler.workspaces (id),
    id bigint GENERATED ALWAYS AS IDENTITY,
    execution_id text NOT NULL,
    number integer NOT NULL,
    name text NOT NULL,
    status kepler.execution_step_status NOT NULL DEFAULT 'SUCCESS',
    input jsonb,
    output jsonb,
    error text,
    started_at timestamptz,
    ended_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (workspace_id, id),
    CONSTRAINT execution_steps_number_key UNIQUE (workspace_id, execution_id, number),
    CONSTRAINT execution_steps_execution_fkey FOREIGN KEY (workspace_id, execution_id)
        REFERENCES kepler.executions (workspace_id, id) ON DELETE CASCADE,
    CONSTRAINT execution_steps_number_positive CHECK (number > 0),
    CONSTRAINT execution_steps_running_has_no_end CHECK (status <> 'RUNNING' OR ended_at IS NULL),
    CONSTRAINT execution_steps_end_after_start CHECK (ended_at >= started_at)
);

-- What a run was given and what it gave back (input, output, results) is data, and is not looked at.
CREATE TRIGGER zz_guard_secrets BEFORE INSERT OR UPDATE ON kepler.workflows
    FOR EACH ROW EXECUTE FUNCTION kepler_internal.guard_secrets(
        'intent', 'refuse', 'trigger', 'refuse', 'actions', 'refuse', 'metadata', 'refuse');
-- A run must end, whatever its error says.
CREATE TRIGGER zz_guard_secrets BEFORE INSERT OR UPDATE ON kepler.executions
    FOR EACH ROW EXECUTE FUNCTION kepler_internal.guard_secrets('error', 'redact', 'metadata', 'refuse');
CREATE TRIGGER zz_guard_secrets BEFORE INSERT OR UPDATE ON kepler.execution_steps
    FOR EACH ROW EXECUTE FUNCTION kepler_internal.guard_secrets('error', 'redact');
CREATE TRIGGER touch_updated_at BEFORE UPDATE ON kepler.workflows
    FOR EACH ROW WHEN (OLD *<> NEW AND OLD.updated_at = NEW.updated_at)
    EXECUTE FUNCTION kepler_internal.touch_updated_at();
CREATE TRIGGER keep_workspace BEFORE UPDATE OF workspace_id ON kepler.workflows
    FOR EACH ROW WHEN (OLD.workspace_id <> NEW.workspace_id)
    EXECUTE FUNCTION kepler_internal.refuse_workspace_change();
CREATE TRIGGER touch_updated_at BEFORE UPDATE ON kepler.executions
    FOR EACH ROW WHEN (OLD *<> NEW AND OLD.updated_at = NEW.updated_at)
    EXECUTE FUNCTION kepler_internal.touch_updated_at();
CREATE TRIGGER keep_workspace BEFORE UPDATE OF workspace_id ON kepler.executions
    FOR EACH ROW WHEN (OLD.workspace_id <> NEW.workspace_id)
    EXECUTE FUNCTION kepler_internal.refuse_workspace_change();
CREATE TRIGGER touch_updated_at BEFORE UPDATE ON kepler.execution_steps
    FOR EACH ROW WHEN (OLD *<> NEW AND OLD.updated_at = NEW.updated_at)
    EXECUTE FUNCTION kepler_internal.touch_updated_at();
CREATE TRIGGER keep_workspace BEFORE UPDATE OF workspace_id ON kepler.execution_steps
    FOR EACH ROW WHEN (OLD.workspace_id <> NEW.workspace_id)
    EXECUTE FUNCTION kepler_internal.refuse_workspace_change();

CREATE TRIGGER check_in_time BEFORE INSERT OR UPDATE OF deadline_at, next_check_at ON kepler.executions
    FOR EACH ROW WHEN (NEW.next_check_at > NEW.deadline_at)
    EXECUTE FUNCTION kepler_internal.check_in_time();
-- Not on deadline_at, updated_at, timeout and metadata: a heartbeat fires nothing.
CREATE TRIGGER guard_history
    BEFORE UPDATE OF id, workflow_id, status, idempotency_key, started_at, ended_at, token_hash,
        results, error, late_finish ON kepler.executions
    FOR EACH ROW EXECUTE FUNCTION kepler_internal.guard_execution();
-- A user who is deleted may have run a million: that its foreign key empties user_id calls nothing.
CREATE TRIGGER guard_user BEFORE UPDATE OF user_id ON kepler.executions
    FOR EACH ROW WHEN (NEW.user_id IS NOT NULL AND NEW.user_id IS DISTINCT FROM OLD.user_id)
    EXECUTE FUNCTION kepler_internal.guard_execution();
CREATE TRIGGER guard_history
    BEFORE UPDATE ON kepler.execution_steps
    FOR EACH ROW WHEN (OLD *<> NEW)
    EXECUTE FUNCTION kepler_internal.guard_execution_step();

-- Before the checks of foreign keys are planned, for the rest of the session.
CREATE TRIGGER load_library BEFORE DELETE ON kepler.workflows
    FOR EACH STATEMENT EXECUTE FUNCTION kepler_internal.load_library();
CREATE TRIGGER load_library BEFORE DELETE ON kepler.executions
    FOR EACH STATEMENT EXECUTE FUNCTION kepler_internal.load_library();

-- Each workspace sees and changes its own rows.
ALTER TABLE kepler.workflows ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace ON kepler.workflows USING (workspace_id = kepler.current_workspace_id());
ALTER TABLE kepler.executions ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace ON kepler.executions USING (workspace_id = kepler.current_workspace_id());
ALTER TABLE kepler.execution_steps ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace ON kepler.execution_steps USING (workspace_id = kepler.current_workspace_id());

COMMENT ON TABLE kepler.workflows IS 'What a user automates: a trigger, and the actions that follow it';
COMMENT ON COLUMN kepler.workflows.workspace_id IS 'Workspace the row belongs to; never changes';
COMMENT ON COLUMN kepler.workflows.user_id IS 'User whose connections the workflow uses; NULL after the user is deleted, and the workflow then cannot start';
COMMENT ON COLUMN kepler.workflows.intent IS 'Purpose of the workflow, in the words of its user';
COMMENT ON COLUMN kepler.workflows.trigger IS 'Event that starts the workflow, a JSON object; "app" names the external system, "connection_id" one connection. A secret in it is refused';
COMMENT ON COLUMN kepler.workflows.actions IS 'Actions of the workflow, an array of JSON objects; each may have "app", "connection_id", and "actions" of its own. A secret in it is refused';
COMMENT ON COLUMN kepler.workflows.required_providers IS 'External systems that the workflow needs in addition to those in trigger and actions';
COMMENT ON COLUMN kepler.workflows.status IS 'ACTIVE or INACTIVE; an inactive workflow starts no execution';
COMMENT ON COLUMN kepler.workflows.metadata IS 'Anything else, a JSON object; a secret in it is refused';

COMMENT ON TABLE kepler.executions IS 'One run of a workflow; a run that has ended keeps its outcome';
COMMENT ON COLUMN kepler.executions.workspace_id IS 'Workspace the row belongs to; never changes';
COMMENT ON COLUMN kepler.executions.workflow_id IS 'Workflow of the run; it cannot be deleted while this row exists';
COMMENT ON COLUMN kepler.executions.user_id IS 'User of the workflow when the run started; NULL after the user is deleted';
COMMENT ON COLUMN kepler.executions.status IS 'RUNNING, then once SUCCESS, FAILURE or ABANDONED (execution_transitions)';
COMMENT ON COLUMN kepler.executions.idempotency_key IS 'The caller''s name for this run: a second start with it gives the same execution; unique in its workflow';
COMMENT ON COLUMN kepler.executions.started_at IS 'When it started';
COMMENT ON COLUMN kepler.executions.ended_at IS 'When it ended, or was found to be abandoned; NULL while it is running';
COMMENT ON COLUMN kepler.executions.timeout IS 'How long the run may go without extend_execution';
COMMENT ON COLUMN kepler.executions.deadline_at IS 'A run that is still running after this time is overdue, and becomes ABANDONED; extend_execution moves it';
COMMENT ON COLUMN kepler.executions.next_check_at IS 'From this time on Kepler checks whether it is overdue; never later than deadline_at';
COMMENT ON COLUMN kepler.executions.token_hash IS 'SHA-256 of the token that its worker holds; the token itself is not stored';
COMMENT ON COLUMN kepler.executions.results IS 'What came of it; no secrets';
COMMENT ON COLUMN kepler.executions.error IS 'Why it failed: a message or a log; a mark stands in place of a secret';
COMMENT ON COLUMN kepler.executions.late_finish IS 'What its worker reported after it was abandoned: status, results, error, reported_at';
COMMENT ON COLUMN kepler.executions.metadata IS 'Anything else, a JSON object; a secret in it is refused';

COMMENT ON TABLE kepler.execution_steps IS 'The log of a run, step by step; deleted with its execution';
COMMENT ON COLUMN kepler.execution_steps.workspace_id IS 'Workspace the row belongs to; never changes';
COMMENT ON COLUMN kepler.execution_steps.execution_id IS 'Execution of the step';
COMMENT ON COLUMN kepler.execution_steps.number IS 'Position of the step in the run, from 1';
COMMENT ON COLUMN kepler.execution_steps.status IS 'RUNNING, SUCCESS, FAILURE or SKIPPED; only a running step can change';
COMMENT ON COLUMN kepler.execution_steps.input IS 'Input of the step; no secrets';
COMMENT ON COLUMN kepler.execution_steps.output IS 'Output of the step; no secrets';
COMMENT ON COLUMN kepler.execution_steps.error IS 'Why the step failed: a message or a log; a mark stands in place of a secret';
COMMENT ON COLUMN kepler.execution_steps.started_at IS 'When the step started, if known';
COMMENT ON COLUMN kepler.execution_steps.ended_at IS 'When the step ended, if known';
