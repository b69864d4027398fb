-- Sync runs: what a connector has listed, so that what is gone from the source can be told from what was not listed.

CREATE TABLE kepler.sync_runs (
    workspace_id text NOT NULL DEFAULT kepler.current_workspace_id(),
    id text NOT NULL DEFAULT kepler.cuid(),
    entity_id text NOT NULL,
    connection_id text,
    mode kepler.sync_mode NOT NULL DEFAULT 'full',
    status kepler.sync_status NOT NULL DEFAULT 'RUNNING',
    phase text NOT NULL DEFAULT 'listing',
    scope jsonb,
    cursor text,
    -- Written when the run ends; until then they are in sync_batches.
    seen bigint,
    counts jsonb,
    -- Written by the sweep.
    records bigint,
    to_delete bigint,
    deleted bigint NOT NULL DEFAULT 0,
    spared bigint NOT NULL DEFAULT 0,
    refused bigint NOT NULL DEFAULT 0,
    seen_through bigint,
    swept_through text COLLATE "C",
    -- Written by the merge of its inbox.
    inbox_options jsonb,
    to_merge bigint,
    merged bigint NOT NULL DEFAULT 0,
    merged_through bigint NOT NULL DEFAULT 0,
    phase_began_at timestamptz,
    phase_active_at timestamptz,
    error text,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    checkpoint_at timestamptz,
    ended_at timestamptz,
    PRIMARY KEY (workspace_id, id),
    CONSTRAINT sync_runs_entity_fkey FOREIGN KEY (workspace_id, entity_id)
        REFERENCES kepler.entities (workspace_id, id) ON DELETE CASCADE,
    CONSTRAINT sync_runs_id_length CHECK (octet_length(id) BETWEEN 1 AND 128),
    CONSTRAINT sync_runs_inbox_options_object CHECK (jsonb_typeof(inbox_options) = 'object'),
    CONSTRAINT sync_runs_scope_of_full CHECK (scope IS NULL OR mode = 'full'),
    CONSTRAINT sync_runs_ended CHECK ((status = 'RUNNING') = (ended_at IS NULL))
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);

-- One run of a mode is open for an entity. Upserts look here, and a newer run finds the older one.
CREATE UNIQUE INDEX sync_runs_open_idx ON kepler.sync_runs (workspace_id, entity_id, mode)
    WHERE status = 'RUNNING';
-- The history of an entity, and the check when it is deleted.
CREATE INDEX sync_runs_entity_id_idx ON kepler.sync_runs (workspace_id, entity_id, mode, started_at);

-- One row for each call that carried the run's id: a run's own row would be rewritten by every batch. No foreign keys: they
-- would lock rows that all batches share.
CREATE TABLE kepler.sync_batches (
    workspace_id text NOT NULL DEFAULT kepler.current_workspace_id(),
    sync_run_id text NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    seen integer NOT NULL,
    inserted integer NOT NULL,
    updated integer NOT NULL,
    refreshed integer NOT NULL,
    restored integer NOT NULL,
    deleted integer NOT NULL,
    unchanged integer NOT NULL,
    stale integer NOT NULL,
    superseded integer NOT NULL,
    rejected integer NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (workspace_id, sync_run_id, id)
) WITH (autovacuum_vacuum_scale_factor = 0.05);

-- What upserts met while a full run was open. External ids, since an element that was rejected was seen too.
CREATE TABLE kepler.sync_seen (
    workspace_id text NOT NULL DEFAULT kepler.current_workspace_id(),
    sync_run_id text NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    external_ids text[] COLLATE "C" NOT NULL,
    PRIMARY KEY (workspace_id, sync_run_id, id)
) WITH (autovacuum_vacuum_scale_factor = 0.05);

-- What a sweep found missing and has not deleted yet.
CREATE TABLE kepler.sync_candidates (
    workspace_id text NOT NULL DEFAULT kepler.current_workspace_id(),
    sync_run_id text NOT NULL,
    external_id text COLLATE "C" NOT NULL,
    record_id text NOT NULL,
    PRIMARY KEY (workspace_id, sync_run_id, external_id)
) WITH (autovacuum_vacuum_scale_factor = 0.05);

-- A run must end, whatever its error says.
CREATE TRIGGER zz_guard_secrets BEFORE INSERT OR UPDATE ON kepler.sync_runs
    FOR EACH ROW EXECUTE FUNCTION kepler_internal.guard_secrets('error', 'redact');
CREATE TRIGGER keep_workspace BEFORE UPDATE OF workspace_id ON kepler.sync_runs
    FOR EACH ROW WHEN (OLD.workspace_id <> NEW.workspace_id)
    EXECUTE FUNCTION kepler_internal.refuse_workspace_change();
CREATE TRIGGER keep_workspace BEFORE UPDATE OF workspace_id ON kepler.sync_batches
    FOR EACH ROW WHEN (OLD.workspace_id <> NEW.workspace_id)
    EXECUTE FUNCTION kepler_internal.refuse_workspace_change();
CREATE TRIGGER keep_workspace BEFORE UPDATE OF workspace_id ON kepler.sync_seen
    FOR EACH ROW WHEN (OLD.workspace_id <> NEW.workspace_id)
    EXECUTE FUNCTION kepler_internal.refuse_workspace_change();
CREATE TRIGGER keep_workspace BEFORE UPDATE OF workspace_id ON kepler.sync_candidates
    FOR EACH ROW WHEN (OLD.workspace_id <> NEW.workspace_id)
    EXECUTE FUNCTION kepler_internal.refuse_workspace_change();

-- Sessions remember which run of an entity is open. Fires on replicas too.
CREATE TRIGGER announce AFTER INSERT OR DELETE ON kepler.sync_runs
    FOR EACH ROW EXECUTE FUNCTION kepler_internal.tell_sessions();
CREATE TRIGGER announce_change AFTER UPDATE ON kepler.sync_runs
    FOR EACH ROW WHEN (
        OLD.workspace_id IS DISTINCT FROM NEW.workspace_id
        OR OLD.id IS DISTINCT FROM NEW.id
        OR OLD.entity_id IS DISTINCT FROM NEW.entity_id
        OR OLD.mode IS DISTINCT FROM NEW.mode
        OR OLD.status IS DISTINCT FROM NEW.status)
    EXECUTE FUNCTION kepler_internal.tell_sessions();
CREATE TRIGGER announce_truncated AFTER TRUNCATE ON kepler.sync_runs
    FOR EACH STATEMENT EXECUTE FUNCTION kepler_internal.tell_sessions();
ALTER TABLE kepler.sync_runs ENABLE ALWAYS TRIGGER announce;
ALTER TABLE kepler.sync_runs ENABLE ALWAYS TRIGGER announce_change;
ALTER TABLE kepler.sync_runs ENABLE ALWAYS TRIGGER announce_truncated;
-- What a run noted goes with it.
CREATE TRIGGER forget_notes AFTER DELETE ON kepler.sync_runs
    REFERENCING OLD TABLE AS old_runs
    FOR EACH STATEMENT EXECUTE FUNCTION kepler_internal.forget_sync_notes();

-- Each workspace sees and changes its own rows.
ALTER TABLE kepler.sync_runs ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace ON kepler.sync_runs USING (workspace_id = kepler.current_workspace_id());
ALTER TABLE kepler.sync_batches ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace ON kepler.sync_batches USING (workspace_id = kepler.current_workspace_id());
ALTER TABLE kepler.sync_seen ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace ON kepler.sync_seen USING (workspace_id = kepler.current_workspace_id());
ALTER TABLE kepler.sync_candidates ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace ON kepler.sync_candidates USING (workspace_id = kepler.current_workspace_id());

COMMENT ON TABLE kepler.sync_runs IS 'One listing of an entity by a connector; begin_sync makes it';
COMMENT ON COLUMN kepler.sync_runs.workspace_id IS 'Workspace the row belongs to; never changes';
COMMENT ON COLUMN kepler.sync_runs.entity_id IS 'Entity that is listed; the run is deleted with it';
COMMENT ON COLUMN kepler.sync_runs.connection_id IS 'Connection of the entity when the run began';
COMMENT ON COLUMN kepler.sync_runs.mode IS 'full: what it does not list is deleted when it ends; incremental: it deletes nothing by itself';
COMMENT ON COLUMN kepler.sync_runs.status IS 'RUNNING, SUCCESS, FAILURE, or ABANDONED (a newer run began, or it fell silent)';
COMMENT ON COLUMN kepler.sync_runs.phase IS 'listing, sweeping or ended';
COMMENT ON COLUMN kepler.sync_runs.scope IS 'Filter over the data of the records that a full run covers; NULL for all. The sweep deletes nothing outside';
COMMENT ON COLUMN kepler.sync_runs.cursor IS 'Cursor of the last checkpoint';
COMMENT ON COLUMN kepler.sync_runs.seen IS 'External ids that its own calls met, when it ended; one that two calls sent counts twice';
COMMENT ON COLUMN kepler.sync_runs.counts IS 'Outcomes of its own calls, when it ended';
COMMENT ON COLUMN kepler.sync_runs.records IS 'Live records in its scope when the sweep began';
COMMENT ON COLUMN kepler.sync_runs.to_delete IS 'Records that were missing when the sweep began';
COMMENT ON COLUMN kepler.sync_runs.deleted IS 'Records that the sweep has soft-deleted';
COMMENT ON COLUMN kepler.sync_runs.spared IS 'Records that were seen, written or deleted by somebody after the sweep began';
COMMENT ON COLUMN kepler.sync_runs.refused IS 'Records that the database refused to delete; they are kept';
COMMENT ON COLUMN kepler.sync_runs.seen_through IS 'Last row of sync_seen before the sweep looked for missing records';
COMMENT ON COLUMN kepler.sync_runs.swept_through IS 'External id up to which the sweep has come';
COMMENT ON COLUMN kepler.sync_runs.inbox_options IS 'How its inbox is read, as the first merge said: merge, id_key, updated_at_key, deleted_key, invalid_characters, source_updated_at';
COMMENT ON COLUMN kepler.sync_runs.to_merge IS 'Rows of its inbox, merged ones included, when merge_inbox last began';
COMMENT ON COLUMN kepler.sync_runs.merged IS 'Rows of its inbox that were merged';
COMMENT ON COLUMN kepler.sync_runs.merged_through IS 'Highest id of the inbox that was merged';
COMMENT ON COLUMN kepler.sync_runs.phase_began_at IS 'When the merge, or later the sweep, took its first step';
COMMENT ON COLUMN kepler.sync_runs.phase_active_at IS 'When it took its last step';
COMMENT ON COLUMN kepler.sync_runs.error IS 'Why it failed or was abandoned, or what the database refused to delete; a mark stands in place of a secret';
COMMENT ON COLUMN kepler.sync_runs.started_at IS 'When it began: what was written since is never deleted by its sweep';
COMMENT ON COLUMN kepler.sync_runs.checkpoint_at IS 'When its last checkpoint was set';
COMMENT ON COLUMN kepler.sync_runs.ended_at IS 'When it ended; NULL while it is open';

COMMENT ON TABLE kepler.sync_batches IS 'Outcomes of each call of an open sync run';
COMMENT ON COLUMN kepler.sync_batches.workspace_id IS 'Workspace the row belongs to';
COMMENT ON COLUMN kepler.sync_batches.sync_run_id IS 'Run whose id the call carried';
COMMENT ON COLUMN kepler.sync_batches.seen IS 'Different external ids in the call';
COMMENT ON COLUMN kepler.sync_batches.inserted IS 'Elements with this outcome';
COMMENT ON COLUMN kepler.sync_batches.updated IS 'Elements with this outcome';
COMMENT ON COLUMN kepler.sync_batches.refreshed IS 'Elements with this outcome';
COMMENT ON COLUMN kepler.sync_batches.restored IS 'Elements with this outcome';
COMMENT ON COLUMN kepler.sync_batches.deleted IS 'Elements with this outcome';
COMMENT ON COLUMN kepler.sync_batches.unchanged IS 'Elements with this outcome';
COMMENT ON COLUMN kepler.sync_batches.stale IS 'Elements with this outcome';
COMMENT ON COLUMN kepler.sync_batches.superseded IS 'Elements with this outcome';
COMMENT ON COLUMN kepler.sync_batches.rejected IS 'Elements with this outcome; negative: rejects that have landed since (retry_rejects)';

COMMENT ON TABLE kepler.sync_seen IS 'External ids that upserts of an entity met while a full run of it was open';
COMMENT ON COLUMN kepler.sync_seen.workspace_id IS 'Workspace the row belongs to';
COMMENT ON COLUMN kepler.sync_seen.sync_run_id IS 'Full run that was open';
COMMENT ON COLUMN kepler.sync_seen.external_ids IS 'Up to 100 external ids of one call';

COMMENT ON TABLE kepler.sync_candidates IS 'Records that a sweep has found missing and not yet deleted';
COMMENT ON COLUMN kepler.sync_candidates.workspace_id IS 'Workspace the row belongs to';
COMMENT ON COLUMN kepler.sync_candidates.sync_run_id IS 'Run whose sweep it is';
COMMENT ON COLUMN kepler.sync_candidates.external_id IS 'External id of the record';
COMMENT ON COLUMN kepler.sync_candidates.record_id IS 'Record that is missing';
