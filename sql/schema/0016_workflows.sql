-- What runs ran, again and for whom they wait: versions of workflows, retries, questions to people, and cancellation.

-- The definitions that a workflow has had. They outlive it, for as long as a run refers to one: no foreign key leads to kepler.workflows.
CREATE TABLE kepler.workflow_versions (
    workspace_id text NOT NULL DEFAULT kepler.current_workspace_id() REFERENCES kepler.workspaces (id),
    workflow_id text NOT NULL,
    version integer NOT NULL,
    name text NOT NULL,
    intent text,
    trigger jsonb NOT NULL,
    actions jsonb NOT NULL,
    required_providers text[] NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (workspace_id, workflow_id, version),
    CONSTRAINT workflow_versions_workflow_id_length CHECK (octet_length(workflow_id) BETWEEN 1 AND 128),
    CONSTRAINT workflow_versions_version_not_negative CHECK (version >= 0),
    CONSTRAINT workflow_versions_trigger_object CHECK (jsonb_typeof(trigger) = 'object'),
    CONSTRAINT workflow_versions_actions_array CHECK (jsonb_typeof(actions) = 'array')
);

-- Version 0 is of workflows that are older than versions: the definition that they have now, for all runs that were before.
ALTER TABLE kepler.workflows ADD COLUMN version integer NOT NULL DEFAULT 0;
INSERT INTO kepler.workflow_versions (workspace_id, workflow_id, version, name, intent, trigger, actions, required_providers)
SELECT w.workspace_id, w.id, w.version, w.name, w.intent, w.trigger, w.actions, w.required_providers FROM kepler.workflows AS w;

ALTER TABLE kepler.executions ADD COLUMN workflow_version integer NOT NULL DEFAULT 0, ADD COLUMN retry_of text;
ALTER TABLE kepler.executions ALTER COLUMN workflow_version DROP DEFAULT;
-- A run keeps its definition and not its workflow, which can be deleted.
ALTER TABLE kepler.executions DROP CONSTRAINT executions_workflow_fkey;
ALTER TABLE kepler.executions
    ADD CONSTRAINT executions_workflow_version_fkey FOREIGN KEY (workspace_id, workflow_id, workflow_version)
        REFERENCES kepler.workflow_versions (workspace_id, workflow_id, version) NOT VALID,
    ADD CONSTRAINT executions_retry_of_another CHECK (retry_of <> id) NOT VALID,
    DROP CONSTRAINT executions_running_has_no_end,
    ADD CONSTRAINT executions_ended_has_end CHECK ((status IN ('RUNNING', 'WAITING')) = (ended_at IS NULL)) NOT VALID;
ALTER TABLE kepler.executions VALIDATE CONSTRAINT executions_workflow_version_fkey;
ALTER TABLE kepler.executions VALIDATE CONSTRAINT executions_retry_of_another;
ALTER TABLE kepler.executions VALIDATE CONSTRAINT executions_ended_has_end;

-- A run is retried once: who asks again gets the run that is there. No foreign key: the run that was retried may be deleted.
CREATE UNIQUE INDEX executions_retry_of_key ON kepler.executions (workspace_id, retry_of) WHERE retry_of IS NOT NULL;
-- Runs whose wait for a person ends some time.
CREATE INDEX executions_waiting_next_check_at_idx ON kepler.executions (workspace_id, next_check_at) WHERE status = 'WAITING';

-- What runs have asked people, and what they answered.
CREATE TABLE kepler.execution_questions (
    workspace_id text NOT NULL DEFAULT kepler.current_workspace_id() REFERENCES kepler.workspaces (id),
    execution_id text NOT NULL,
    number integer NOT NULL,
    question jsonb NOT NULL,
    user_id text,
    due_at timestamptz,
    answer jsonb,
    answered_by text,
    answered_at timestamptz,
    closed_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (workspace_id, execution_id, number),
    CONSTRAINT execution_questions_execution_fkey FOREIGN KEY (workspace_id, execution_id)
        REFERENCES kepler.executions (workspace_id, id) ON DELETE CASCADE,
    CONSTRAINT execution_questions_user_fkey FOREIGN KEY (workspace_id, user_id)
        REFERENCES kepler.users (workspace_id, id) ON DELETE SET NULL (user_id),
    CONSTRAINT execution_questions_answered_by_fkey FOREIGN KEY (workspace_id, answered_by)
        REFERENCES kepler.users (workspace_id, id) ON DELETE SET NULL (answered_by),
    CONSTRAINT execution_questions_number_positive CHECK (number > 0),
    CONSTRAINT execution_questions_answer_has_time CHECK ((answer IS NULL) = (answered_at IS NULL)),
    CONSTRAINT execution_questions_answered_by_has_answer CHECK (answered_by IS NULL OR answered_at IS NOT NULL)
) WITH (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.05);

-- What a person is asked; the foreign key checks when a user is deleted.
CREATE INDEX execution_questions_user_id_idx ON kepler.execution_questions (workspace_id, user_id, created_at);
CREATE INDEX execution_questions_answered_by_idx ON kepler.execution_questions (workspace_id, answered_by);
-- What waits for a person, and what waits for a worker.
CREATE INDEX execution_questions_open_idx ON kepler.execution_questions (workspace_id, created_at)
    WHERE answered_at IS NULL AND closed_at IS NULL;
CREATE INDEX execution_questions_answered_at_idx ON kepler.execution_questions (workspace_id, answered_at)
    WHERE answered_at IS NOT NULL AND closed_at IS NULL;

-- After zz_guard_secrets, which may still change the definition.
CREATE TRIGGER zz_number_version BEFORE INSERT ON kepler.workflows
    FOR EACH ROW EXECUTE FUNCTION kepler_internal.number_workflow_version();
CREATE TRIGGER zz_number_version_again BEFORE UPDATE ON kepler.workflows
    FOR EACH ROW WHEN (OLD.version IS DISTINCT FROM NEW.version OR OLD.id IS DISTINCT FROM NEW.id
        OR OLD.intent IS DISTINCT FROM NEW.intent OR OLD.trigger IS DISTINCT FROM NEW.trigger
        OR OLD.actions IS DISTINCT FROM NEW.actions OR OLD.required_providers IS DISTINCT FROM NEW.required_providers)
    EXECUTE FUNCTION kepler_internal.number_workflow_version();
CREATE TRIGGER keep_version AFTER INSERT ON kepler.workflows
    FOR EACH ROW EXECUTE FUNCTION kepler_internal.keep_workflow_version();
CREATE TRIGGER keep_version_again AFTER UPDATE ON kepler.workflows
    FOR EACH ROW WHEN (OLD.version <> NEW.version OR OLD.id <> NEW.id)
    EXECUTE FUNCTION kepler_internal.keep_workflow_version();
CREATE TRIGGER drop_versions AFTER DELETE ON kepler.workflows
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION kepler_internal.drop_workflow_versions('id');
CREATE TRIGGER drop_versions AFTER DELETE ON kepler.executions
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION kepler_internal.drop_workflow_versions('workflow_id');
CREATE TRIGGER guard_history BEFORE UPDATE ON kepler.workflow_versions
    FOR EACH ROW WHEN (OLD *<> NEW) EXECUTE FUNCTION kepler_internal.guard_workflow_version();
CREATE TRIGGER guard_new BEFORE INSERT ON kepler.workflow_versions
    FOR EACH ROW EXECUTE FUNCTION kepler_internal.guard_workflow_version();
CREATE TRIGGER guard_current BEFORE DELETE ON kepler.workflow_versions
    FOR EACH ROW EXECUTE FUNCTION kepler_internal.guard_workflow_version();
-- What a workflow holds was looked at there: an old secret that stays does not keep the rest from being edited.
CREATE TRIGGER zz_guard_secrets BEFORE INSERT ON kepler.workflow_versions
    FOR EACH ROW WHEN (pg_catalog.pg_trigger_depth() = 0)
    EXECUTE FUNCTION kepler_internal.guard_secrets('intent', 'refuse', 'trigger', 'refuse', 'actions', 'refuse');
CREATE TRIGGER keep_workspace BEFORE UPDATE OF workspace_id ON kepler.workflow_versions
    FOR EACH ROW WHEN (OLD.workspace_id <> NEW.workspace_id)
    EXECUTE FUNCTION kepler_internal.refuse_workspace_change();

-- A start names the version itself.
CREATE TRIGGER fill_version BEFORE INSERT ON kepler.executions
    FOR EACH ROW WHEN (NEW.workflow_version IS NULL) EXECUTE FUNCTION kepler_internal.fill_workflow_version();
CREATE OR REPLACE TRIGGER guard_history
    BEFORE UPDATE OF id, workflow_id, workflow_version, retry_of, status, idempotency_key, started_at, ended_at, token_hash,
        results, error, late_finish ON kepler.executions
    FOR EACH ROW EXECUTE FUNCTION kepler_internal.guard_execution();

CREATE TRIGGER touch_updated_at BEFORE UPDATE ON kepler.execution_questions
    FOR EACH ROW WHEN (OLD *<> NEW AND OLD.updated_at = NEW.updated_at)
    EXECUTE FUNCTION kepler_internal.touch_updated_at();
CREATE TRIGGER keep_workspace BEFORE UPDATE OF workspace_id ON kepler.execution_questions
    FOR EACH ROW WHEN (OLD.workspace_id <> NEW.workspace_id)
    EXECUTE FUNCTION kepler_internal.refuse_workspace_change();
CREATE TRIGGER guard_history BEFORE UPDATE ON kepler.execution_questions
    FOR EACH ROW WHEN (OLD *<> NEW) EXECUTE FUNCTION kepler_internal.guard_execution_question();

-- Before the checks of foreign keys are planned, for the rest of the session.
CREATE TRIGGER load_library BEFORE DELETE ON kepler.workflow_versions
    FOR EACH STATEMENT EXECUTE FUNCTION kepler_internal.load_library();

-- What ran and what people answered is part of the trail.
WITH made AS (
    INSERT INTO kepler.tracked_tables (name, level)
    VALUES ('kepler.workflow_versions', 'deletions'), ('kepler.execution_questions', 'deletions')
    RETURNING name, id
)
SELECT kepler_internal.make_history_triggers(m.name::regclass, m.id, NULL, true) FROM made AS m;

-- Each workspace sees and changes its own rows.
ALTER TABLE kepler.workflow_versions ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace ON kepler.workflow_versions USING (workspace_id = kepler.current_workspace_id());
ALTER TABLE kepler.execution_questions ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace ON kepler.execution_questions USING (workspace_id = kepler.current_workspace_id());

COMMENT ON COLUMN kepler.workflows.version IS 'Version of the definition (workflow_versions); Kepler counts it up when trigger, actions, required_providers or intent change';
COMMENT ON COLUMN kepler.executions.workflow_id IS 'Workflow of the run; it may be deleted since';
COMMENT ON COLUMN kepler.executions.workflow_version IS 'Version of the workflow that the run runs; that definition cannot be deleted while this row exists';
COMMENT ON COLUMN kepler.executions.retry_of IS 'Run that this one tries again; each run is retried once at most. The run that was retried may be deleted since';
COMMENT ON COLUMN kepler.executions.status IS 'RUNNING, WAITING for a person, then once SUCCESS, FAILURE, ABANDONED or CANCELLED (execution_transitions)';
COMMENT ON COLUMN kepler.executions.ended_at IS 'When it ended, or was found to be abandoned; NULL while it is running or waiting';
COMMENT ON COLUMN kepler.executions.deadline_at IS 'A run that is still running after this time is overdue, and becomes ABANDONED; extend_execution moves it. Of a waiting run: how long the question stands, infinity where it stands for ever or was answered';
COMMENT ON COLUMN kepler.executions.error IS 'Why it failed, or why it was cancelled: a message or a log; a mark stands in place of a secret';
COMMENT ON COLUMN kepler.executions.late_finish IS 'What its worker reported after it was abandoned or cancelled: status, results, error, reported_at';

COMMENT ON TABLE kepler.workflow_versions IS 'The definitions that workflows have had, also of deleted workflows whose runs are there; no row ever changes';
COMMENT ON COLUMN kepler.workflow_versions.workspace_id IS 'Workspace the row belongs to; never changes';
COMMENT ON COLUMN kepler.workflow_versions.workflow_id IS 'Workflow; it may be deleted since';
COMMENT ON COLUMN kepler.workflow_versions.version IS 'Number of the definition, from 1. 0: the definition that the workflow had when Kepler began to keep versions';
COMMENT ON COLUMN kepler.workflow_versions.name IS 'Name that the workflow had when the version was made';
COMMENT ON COLUMN kepler.workflow_versions.intent IS 'As in workflows';
COMMENT ON COLUMN kepler.workflow_versions.trigger IS 'As in workflows';
COMMENT ON COLUMN kepler.workflow_versions.actions IS 'As in workflows';
COMMENT ON COLUMN kepler.workflow_versions.required_providers IS 'As in workflows';

COMMENT ON TABLE kepler.execution_questions IS 'What runs have asked people, and the answers; deleted with their execution';
COMMENT ON COLUMN kepler.execution_questions.workspace_id IS 'Workspace the row belongs to; never changes';
COMMENT ON COLUMN kepler.execution_questions.execution_id IS 'Execution that asks';
COMMENT ON COLUMN kepler.execution_questions.number IS 'Position of the question in the run, from 1';
COMMENT ON COLUMN kepler.execution_questions.question IS 'What is asked: any JSON; no secrets';
COMMENT ON COLUMN kepler.execution_questions.user_id IS 'User who is asked; NULL for anybody, and after the user is deleted';
COMMENT ON COLUMN kepler.execution_questions.due_at IS 'Until when the answer is waited for; NULL for ever';
COMMENT ON COLUMN kepler.execution_questions.answer IS 'The answer: any JSON; NULL while there is none';
COMMENT ON COLUMN kepler.execution_questions.answered_by IS 'User who answered, if the answer names one; NULL after the user is deleted';
COMMENT ON COLUMN kepler.execution_questions.answered_at IS 'When it was answered';
COMMENT ON COLUMN kepler.execution_questions.closed_at IS 'When the run went on with the answer, or ended without';
