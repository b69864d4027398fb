-- What workers ask for: a policy that is paused, priorities and earliest times, limits, and who made an attempt and when.

ALTER TABLE kepler.enrichment_policies
    ADD COLUMN paused_at timestamptz,
    ADD COLUMN priorities boolean NOT NULL DEFAULT false,
    ADD COLUMN limit_by text NOT NULL DEFAULT 'type',
    ADD COLUMN records_per_minute integer NOT NULL DEFAULT 0,
    ADD COLUMN leases_per_minute integer NOT NULL DEFAULT 0,
    -- A limit by entity or source is kept by taking turns between them: the queue knows each row's.
    ADD COLUMN turns_by text GENERATED ALWAYS AS (
        CASE WHEN limit_by <> 'type' AND (records_per_minute > 0 OR leases_per_minute > 0) THEN limit_by
             WHEN fair THEN 'entity' END) STORED,
    ADD CONSTRAINT enrichment_policies_limit_by_legal CHECK (limit_by IN ('type', 'entity', 'source')),
    ADD CONSTRAINT enrichment_policies_one_turn CHECK (NOT fair OR limit_by <> 'source'),
    ADD CONSTRAINT enrichment_policies_records_per_minute_not_negative CHECK (records_per_minute >= 0),
    ADD CONSTRAINT enrichment_policies_leases_per_minute_not_negative CHECK (leases_per_minute >= 0);

-- As before, by name: Postgres makes no BEFORE trigger whose condition takes a whole row that has a generated column, and a dump
-- with one could not be restored.
CREATE OR REPLACE TRIGGER touch_updated_at BEFORE UPDATE ON kepler.enrichment_policies
    FOR EACH ROW WHEN (OLD.updated_at = NEW.updated_at AND (
        OLD.workspace_id IS DISTINCT FROM NEW.workspace_id
        OR OLD.entity_type IS DISTINCT FROM NEW.entity_type
        OR OLD.max_attempts IS DISTINCT FROM NEW.max_attempts
        OR OLD.lease IS DISTINCT FROM NEW.lease
        OR OLD.backoff_base IS DISTINCT FROM NEW.backoff_base
        OR OLD.backoff_cap IS DISTINCT FROM NEW.backoff_cap
        OR OLD.clear_on_change IS DISTINCT FROM NEW.clear_on_change
        OR OLD.fair IS DISTINCT FROM NEW.fair
        OR OLD.notify IS DISTINCT FROM NEW.notify
        OR OLD.backlog_after IS DISTINCT FROM NEW.backlog_after
        OR OLD.backlog_queued IS DISTINCT FROM NEW.backlog_queued
        OR OLD.fair_keys_after IS DISTINCT FROM NEW.fair_keys_after
        OR OLD.created_at IS DISTINCT FROM NEW.created_at
        OR OLD.paused_at IS DISTINCT FROM NEW.paused_at
        OR OLD.priorities IS DISTINCT FROM NEW.priorities
        OR OLD.limit_by IS DISTINCT FROM NEW.limit_by
        OR OLD.records_per_minute IS DISTINCT FROM NEW.records_per_minute
        OR OLD.leases_per_minute IS DISTINCT FROM NEW.leases_per_minute))
    EXECUTE FUNCTION kepler_internal.touch_updated_at();

-- Few priorities, so that a claim finds each of them by one descent of the index, however many records wait under one.
ALTER TABLE kepler.enrichment_queue
    ADD COLUMN priority smallint NOT NULL DEFAULT 0,
    ADD COLUMN not_before timestamptz,
    ADD CONSTRAINT enrichment_queue_priority_legal CHECK (priority BETWEEN 0 AND 9) NOT VALID;
ALTER TABLE kepler.enrichment_queue VALIDATE CONSTRAINT enrichment_queue_priority_legal;

-- Empty unless somebody gives records a priority.
CREATE INDEX enrichment_queue_priority_idx
    ON kepler.enrichment_queue (workspace_id, entity_type, priority, ready_at) WHERE priority > 0;
CREATE INDEX enrichment_queue_fair_priority_idx
    ON kepler.enrichment_queue (workspace_id, entity_type, fair_key, priority, ready_at)
    WHERE priority > 0 AND fair_key IS NOT NULL;

ALTER TABLE kepler.lease_records ADD COLUMN priorities integer[];

ALTER TABLE kepler.enrichment_attempts
    ADD COLUMN worker text,
    ADD COLUMN started_at timestamptz;

-- How many records and leases were claimed in each second of the last minute, for each key of a limit. Rewritten by each
-- claim under a limit, in place: no index has the columns that change.
CREATE TABLE kepler.enrichment_limits (
    workspace_id text NOT NULL DEFAULT kepler.current_workspace_id(),
    entity_type text NOT NULL,
    limit_key text COLLATE "C" NOT NULL,
    seconds bigint[] NOT NULL,
    records integer[] NOT NULL,
    leases integer[] NOT NULL,
    PRIMARY KEY (workspace_id, entity_type, limit_key)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01);

CREATE TRIGGER keep_workspace BEFORE UPDATE OF workspace_id ON kepler.enrichment_limits
    FOR EACH ROW WHEN (OLD.workspace_id <> NEW.workspace_id)
    EXECUTE FUNCTION kepler_internal.refuse_workspace_change();
ALTER TABLE kepler.enrichment_limits ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace ON kepler.enrichment_limits USING (workspace_id = kepler.current_workspace_id());

-- Sessions remember the new settings too.
CREATE OR REPLACE TRIGGER announce_change AFTER UPDATE ON kepler.enrichment_policies
    FOR EACH ROW WHEN (
        OLD.workspace_id IS DISTINCT FROM NEW.workspace_id
        OR OLD.entity_type IS DISTINCT FROM NEW.entity_type
        OR OLD.max_attempts IS DISTINCT FROM NEW.max_attempts
        OR OLD.lease IS DISTINCT FROM NEW.lease
        OR OLD.backoff_base IS DISTINCT FROM NEW.backoff_base
        OR OLD.backoff_cap IS DISTINCT FROM NEW.backoff_cap
        OR OLD.clear_on_change IS DISTINCT FROM NEW.clear_on_change
        OR OLD.fair IS DISTINCT FROM NEW.fair
        OR OLD.notify IS DISTINCT FROM NEW.notify
        OR OLD.paused_at IS DISTINCT FROM NEW.paused_at
        OR OLD.priorities IS DISTINCT FROM NEW.priorities
        OR OLD.limit_by IS DISTINCT FROM NEW.limit_by
        OR OLD.records_per_minute IS DISTINCT FROM NEW.records_per_minute
        OR OLD.leases_per_minute IS DISTINCT FROM NEW.leases_per_minute
        OR (OLD.fair_keys_after IS NULL) <> (NEW.fair_keys_after IS NULL))
    EXECUTE FUNCTION kepler_internal.tell_sessions();
ALTER TABLE kepler.enrichment_policies ENABLE ALWAYS TRIGGER announce_change;
CREATE OR REPLACE TRIGGER change_fairness AFTER UPDATE ON kepler.enrichment_policies
    FOR EACH ROW WHEN (OLD.turns_by IS DISTINCT FROM NEW.turns_by AND kepler_internal.is_direct())
    EXECUTE FUNCTION kepler_internal.change_fairness();

-- A record that moves to another entity or source while it waits is served in the turn of that.
CREATE OR REPLACE TRIGGER queue_changed
    AFTER UPDATE OF enrichment_status, status, deleted_at, entity_type, data, entity_id, source ON kepler.records
    FOR EACH ROW WHEN (kepler_internal.is_direct())
    EXECUTE FUNCTION kepler_internal.queue_changed_record();

COMMENT ON COLUMN kepler.enrichment_policies.paused_at IS 'Since when claims give nothing; NULL while the type is not paused. Set by pause_enrichment';
COMMENT ON COLUMN kepler.enrichment_policies.priorities IS 'Whether claims take records of a higher priority first';
COMMENT ON COLUMN kepler.enrichment_policies.limit_by IS 'What the limits hold for: the whole type, each entity, or each source';
COMMENT ON COLUMN kepler.enrichment_policies.records_per_minute IS 'So many records are claimed within 60 seconds, at most; 0: no limit';
COMMENT ON COLUMN kepler.enrichment_policies.leases_per_minute IS 'So many claims get records within 60 seconds, at most; 0: no limit';
COMMENT ON COLUMN kepler.enrichment_policies.turns_by IS 'Between what claims take turns: entity, source, or NULL for the oldest first. Follows from fair and the limits';

COMMENT ON COLUMN kepler.enrichment_queue.fair_key IS 'Entity or source of the record, if claims took turns between them when the row was queued; otherwise NULL';
COMMENT ON COLUMN kepler.enrichment_queue.priority IS 'From 0 to 9; where the policy has priorities, claims take the higher first. Set by schedule_records';
COMMENT ON COLUMN kepler.enrichment_queue.not_before IS 'Earliest time that schedule_records has set; new content and retries do not bring the record forward';
COMMENT ON COLUMN kepler.lease_records.priorities IS 'Priority of each record in the queue; NULL if all were 0';
COMMENT ON TABLE kepler.enrichment_turns IS 'Which entity or source was served last, for types whose claims take turns; claim_records maintains it';
COMMENT ON COLUMN kepler.enrichment_turns.fair_key IS 'Entity or source that was served last; the next claim begins after it';

COMMENT ON COLUMN kepler.enrichment_attempts.worker IS 'Name of the worker, as it gave it to the claim; NULL for attempts of before version 0.2.0';
COMMENT ON COLUMN kepler.enrichment_attempts.started_at IS 'When the record was claimed; NULL for attempts of before version 0.2.0';
COMMENT ON COLUMN kepler.enrichment_attempts.ended_at IS 'When the attempt was settled, or when its lease was found to have expired';

COMMENT ON TABLE kepler.enrichment_limits IS 'What claims under a limit have taken within the last minute; claim_records maintains it';
COMMENT ON COLUMN kepler.enrichment_limits.workspace_id IS 'Workspace the row belongs to; never changes';
COMMENT ON COLUMN kepler.enrichment_limits.entity_type IS 'Type of the records';
COMMENT ON COLUMN kepler.enrichment_limits.limit_key IS 'Entity or source that the limit holds for; empty where it holds for the whole type';
COMMENT ON COLUMN kepler.enrichment_limits.seconds IS 'Seconds since 2000 in which something was claimed, the oldest first';
COMMENT ON COLUMN kepler.enrichment_limits.records IS 'How many records were claimed in each of the seconds';
COMMENT ON COLUMN kepler.enrichment_limits.leases IS 'How many claims there were in each of the seconds';
