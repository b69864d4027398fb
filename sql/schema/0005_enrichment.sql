-- The enrichment of records by workers: policies, what is ready or at work, leases, and the log of
-- attempts. The status itself stands on the record.

CREATE TABLE kepler.enrichment_policies (
    workspace_id text NOT NULL DEFAULT kepler.current_workspace_id() REFERENCES kepler.workspaces (id),
    entity_type text NOT NULL,
    max_attempts integer NOT NULL DEFAULT 5,
    lease interval NOT NULL DEFAULT '5 minutes',
    backoff_base interval NOT NULL DEFAULT '10 seconds',
    backoff_cap interval NOT NULL DEFAULT '1 hour',
    clear_on_change boolean NOT NULL DEFAULT false,
    fair boolean NOT NULL DEFAULT false,
    notify boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (workspace_id, entity_type),
    CONSTRAINT enrichment_policies_entity_type_length CHECK (octet_length(entity_type) BETWEEN 1 AND 128),
    CONSTRAINT enrichment_policies_max_attempts_positive CHECK (max_attempts > 0),
    -- No months: their length depends on the date.
    CONSTRAINT enrichment_policies_lease_length CHECK (lease BETWEEN '1 millisecond' AND '365 days'),
    CONSTRAINT enrichment_policies_backoff_base_length CHECK (backoff_base BETWEEN '0' AND '365 days'),
    CONSTRAINT enrichment_policies_backoff_cap_length CHECK (backoff_cap BETWEEN '0' AND '365 days')
);

-- The fencing token of the lease that a PENDING record is held under: a result under any other is stale.
-- It changes with the status, in the same row version.
ALTER TABLE kepler.records ADD COLUMN enrichment_lease_id bigint;

-- No foreign key to records: it would double the cost of queueing, and its check is planned once a
-- session, perhaps for a table that was empty. A trigger takes out what is deleted, and a claim drops
-- what it meets without a record.
-- Narrow, and the only table that a claim searches: a status in an index of the wide records would end
-- their heap-only updates, at a multiple of the cost. A claim deletes its rows.
CREATE TABLE kepler.enrichment_queue (
    workspace_id text NOT NULL DEFAULT kepler.current_workspace_id(),
    record_id text NOT NULL,
    entity_type text NOT NULL,
    fair_key text COLLATE "C",
    ready_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    attempt integer NOT NULL DEFAULT 0,
    refusals integer NOT NULL DEFAULT 0,
    error text,
    PRIMARY KEY (workspace_id, record_id),
    CONSTRAINT enrichment_queue_attempt_not_negative CHECK (attempt >= 0)
) WITH (autovacuum_vacuum_scale_factor = 0.01);

-- What a claim walks.
CREATE INDEX enrichment_queue_ready_at_idx ON kepler.enrichment_queue (workspace_id, entity_type, ready_at);
-- The same, entity by entity; empty unless a policy is fair.
CREATE INDEX enrichment_queue_fair_key_idx
    ON kepler.enrichment_queue (workspace_id, entity_type, fair_key, ready_at)
    WHERE fair_key IS NOT NULL;

-- No foreign keys: each claim would lock the same row of workspaces or of the policies.
CREATE TABLE kepler.leases (
    workspace_id text NOT NULL DEFAULT kepler.current_workspace_id(),
    id bigint GENERATED ALWAYS AS IDENTITY,
    entity_type text NOT NULL,
    worker text NOT NULL,
    length interval NOT NULL,
    deadline timestamptz NOT NULL,
    lease_until timestamptz NOT NULL,
    open_records integer NOT NULL,
    error text,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (workspace_id, id)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01);

-- Leases that may have expired. A heartbeat leaves deadline alone, and is a heap-only update.
CREATE INDEX leases_deadline_idx ON kepler.leases (workspace_id, entity_type, deadline);

-- Apart from the leases, whose rows heartbeats rewrite. One row a lease, not one a record: most leases
-- are settled as they were claimed, in one go.
CREATE TABLE kepler.lease_records (
    workspace_id text NOT NULL DEFAULT kepler.current_workspace_id(),
    lease_id bigint NOT NULL,
    record_ids text[] NOT NULL,
    attempts integer[] NOT NULL,
    content_hashes uuid[] NOT NULL,
    PRIMARY KEY (workspace_id, lease_id)
) WITH (autovacuum_vacuum_scale_factor = 0.01);
-- Ids and hashes do not shrink.
ALTER TABLE kepler.lease_records ALTER COLUMN record_ids SET STORAGE EXTERNAL;
ALTER TABLE kepler.lease_records ALTER COLUMN content_hashes SET STORAGE EXTERNAL;

-- Whose turn it was in each claim of a fair type: the newest row counts, and a claim takes the one away
-- that it began with. Not one row that all claims change: none waits for another, and versions that vacuum
-- cannot remove lie behind the newest in the index, where nobody walks them.
CREATE TABLE kepler.enrichment_turns (
    workspace_id text NOT NULL DEFAULT kepler.current_workspace_id(),
    entity_type text NOT NULL,
    lease_id bigint NOT NULL,
    fair_key text COLLATE "C" NOT NULL,
    PRIMARY KEY (workspace_id, entity_type, lease_id)
) WITH (autovacuum_vacuum_scale_factor = 0.01);

CREATE TABLE kepler.enrichment_attempts (
    workspace_id text NOT NULL DEFAULT kepler.current_workspace_id(),
    lease_id bigint NOT NULL,
    record_id text NOT NULL,
    attempt integer NOT NULL,
    outcome kepler.attempt_outcome NOT NULL,
    error text,
    ended_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- One end for each claim of a record.
    PRIMARY KEY (workspace_id, lease_id, record_id)
);

-- The dead letters: what made a record FAILED.
CREATE INDEX enrichment_attempts_failed_idx ON kepler.enrichment_attempts (workspace_id, record_id, lease_id)
    WHERE outcome IN ('failed', 'expired');

CREATE TRIGGER touch_updated_at BEFORE UPDATE ON kepler.enrichment_policies
    FOR EACH ROW WHEN (OLD *<> NEW AND OLD.updated_at = NEW.updated_at)
    EXECUTE FUNCTION kepler_internal.touch_updated_at();
CREATE TRIGGER keep_workspace BEFORE UPDATE OF workspace_id ON kepler.enrichment_policies
    FOR EACH ROW WHEN (OLD.workspace_id <> NEW.workspace_id)
    EXECUTE FUNCTION kepler_internal.refuse_workspace_change();
CREATE TRIGGER keep_workspace BEFORE UPDATE OF workspace_id ON kepler.enrichment_queue
    FOR EACH ROW WHEN (OLD.workspace_id <> NEW.workspace_id)
    EXECUTE FUNCTION kepler_internal.refuse_workspace_change();
CREATE TRIGGER keep_workspace BEFORE UPDATE OF workspace_id ON kepler.leases
    FOR EACH ROW WHEN (OLD.workspace_id <> NEW.workspace_id)
    EXECUTE FUNCTION kepler_internal.refuse_workspace_change();
CREATE TRIGGER keep_workspace BEFORE UPDATE OF workspace_id ON kepler.lease_records
    FOR EACH ROW WHEN (OLD.workspace_id <> NEW.workspace_id)
    EXECUTE FUNCTION kepler_internal.refuse_workspace_change();
CREATE TRIGGER keep_workspace BEFORE UPDATE OF workspace_id ON kepler.enrichment_turns
    FOR EACH ROW WHEN (OLD.workspace_id <> NEW.workspace_id)
    EXECUTE FUNCTION kepler_internal.refuse_workspace_change();
CREATE TRIGGER keep_workspace BEFORE UPDATE OF workspace_id ON kepler.enrichment_attempts
    FOR EACH ROW WHEN (OLD.workspace_id <> NEW.workspace_id)
    EXECUTE FUNCTION kepler_internal.refuse_workspace_change();

-- The transitions of enrichment_transitions(), as a condition: the function runs, and raises, only
-- where a change is none of them.
CREATE TRIGGER check_enrichment_transition BEFORE UPDATE OF enrichment_status ON kepler.records
    FOR EACH ROW WHEN (
        CASE OLD.enrichment_status
            WHEN 'UNAPPLIED' THEN NEW.enrichment_status NOT IN ('UNAPPLIED', 'PENDING')
            WHEN 'PENDING' THEN false
            ELSE NEW.enrichment_status NOT IN (OLD.enrichment_status, 'UNAPPLIED')
        END)
    EXECUTE FUNCTION kepler_internal.refuse_transition();
-- What is deleted, archived or of another type is at no worker any more.
CREATE TRIGGER release_pending BEFORE UPDATE OF deleted_at, status, entity_type ON kepler.records
    FOR EACH ROW WHEN (
        OLD.enrichment_status = 'PENDING' AND NEW.enrichment_status = 'PENDING'
        AND (NEW.deleted_at IS NOT NULL OR NEW.status <> 'ACTIVE' OR NEW.entity_type <> OLD.entity_type))
    EXECUTE FUNCTION kepler_internal.reset_enrichment();
-- Its name puts it behind release_pending.
CREATE TRIGGER unlease_record BEFORE UPDATE OF enrichment_status, deleted_at, status, entity_type ON kepler.records
    FOR EACH ROW WHEN (NEW.enrichment_status <> 'PENDING' AND NEW.enrichment_lease_id IS NOT NULL)
    EXECUTE FUNCTION kepler_internal.unlease_record();
-- Direct SQL keeps the queue too. Kepler's own writers do so by themselves, and are let by.
-- The names of the first two put them before the others: the type's lock is held when the queue is looked at.
CREATE TRIGGER lock_inserted AFTER INSERT ON kepler.records
    FOR EACH ROW WHEN (
        NEW.enrichment_status = 'UNAPPLIED' AND NEW.deleted_at IS NULL AND NEW.status = 'ACTIVE'
        AND kepler_internal.is_direct())
    EXECUTE FUNCTION kepler_internal.lock_record_type();
CREATE TRIGGER lock_changed
    AFTER UPDATE OF enrichment_status, status, deleted_at, entity_type, data ON kepler.records
    FOR EACH ROW WHEN (
        (OLD.enrichment_status <> NEW.enrichment_status OR OLD.status <> NEW.status
            OR OLD.entity_type <> NEW.entity_type
            OR (OLD.deleted_at IS NULL) <> (NEW.deleted_at IS NULL))
        AND kepler_internal.is_direct())
    EXECUTE FUNCTION kepler_internal.lock_record_type();
CREATE TRIGGER queue_inserted AFTER INSERT ON kepler.records
    FOR EACH ROW WHEN (
        NEW.enrichment_status = 'UNAPPLIED' AND NEW.deleted_at IS NULL AND NEW.status = 'ACTIVE'
        AND kepler_internal.is_direct())
    EXECUTE FUNCTION kepler_internal.queue_changed_record();
CREATE TRIGGER queue_changed
    AFTER UPDATE OF enrichment_status, status, deleted_at, entity_type, data ON kepler.records
    FOR EACH ROW WHEN (
        (OLD.enrichment_status <> NEW.enrichment_status OR OLD.status <> NEW.status
            OR OLD.entity_type <> NEW.entity_type
            OR (OLD.deleted_at IS NULL) <> (NEW.deleted_at IS NULL))
        AND kepler_internal.is_direct())
    EXECUTE FUNCTION kepler_internal.queue_changed_record();

-- What waits for its next attempt begins anew with new content. What is finished was reset, which is
-- above.
CREATE TRIGGER restart_attempts AFTER UPDATE OF data ON kepler.records
    FOR EACH ROW WHEN (
        OLD.enrichment_status = 'UNAPPLIED' AND NEW.enrichment_status = 'UNAPPLIED'
        AND OLD.content_hash <> NEW.content_hash AND kepler_internal.is_direct())
    EXECUTE FUNCTION kepler_internal.restart_attempts();
-- Of what is finished reset_enrichment clears it.
CREATE TRIGGER clear_enrichment BEFORE UPDATE OF data ON kepler.records
    FOR EACH ROW WHEN (
        OLD.enrichment_status IN ('UNAPPLIED', 'PENDING') AND NEW.enrichment IS NOT NULL
        AND NEW.data IS DISTINCT FROM OLD.data AND kepler_internal.is_direct())
    EXECUTE FUNCTION kepler_internal.clear_enrichment();

-- Who a record is for the queue, a lease and the log.
CREATE TRIGGER keep_id BEFORE UPDATE OF id ON kepler.records
    FOR EACH ROW WHEN (OLD.id <> NEW.id)
    EXECUTE FUNCTION kepler_internal.refuse_enrichment_change(
        'the id of a record never changes', 'Insert another record, and delete this one.');
-- PENDING under no lease, or another one, it would wait for ever.
CREATE TRIGGER keep_lease BEFORE UPDATE OF enrichment_lease_id ON kepler.records
    FOR EACH ROW WHEN (
        OLD.enrichment_status = 'PENDING' AND NEW.enrichment_status = 'PENDING'
        AND OLD.enrichment_lease_id IS DISTINCT FROM NEW.enrichment_lease_id AND kepler_internal.is_direct())
    EXECUTE FUNCTION kepler_internal.refuse_enrichment_change(
        'enrichment_lease_id goes with the status', 'To take a record back, set enrichment_status to UNAPPLIED.');

CREATE TRIGGER queue_deleted AFTER DELETE ON kepler.records
    REFERENCING OLD TABLE AS old_records
    FOR EACH STATEMENT EXECUTE FUNCTION kepler_internal.dequeue_deleted_records();

CREATE TRIGGER queue_truncated AFTER TRUNCATE ON kepler.records
    FOR EACH STATEMENT EXECUTE FUNCTION kepler_internal.forget_truncated_records();

-- The tables themselves: what direct SQL does to them is made good, or refused.
CREATE TRIGGER begin_enrichment AFTER INSERT ON kepler.enrichment_policies
    FOR EACH ROW WHEN (kepler_internal.is_direct())
    EXECUTE FUNCTION kepler_internal.begin_enrichment();
CREATE TRIGGER change_fairness AFTER UPDATE OF fair ON kepler.enrichment_policies
    FOR EACH ROW WHEN (OLD.fair <> NEW.fair)
    EXECUTE FUNCTION kepler_internal.change_fairness();
CREATE TRIGGER end_enrichment AFTER DELETE ON kepler.enrichment_policies
    FOR EACH ROW EXECUTE FUNCTION kepler_internal.end_enrichment();
CREATE TRIGGER keep_entity_type BEFORE UPDATE OF entity_type ON kepler.enrichment_policies
    FOR EACH ROW WHEN (OLD.entity_type <> NEW.entity_type)
    EXECUTE FUNCTION kepler_internal.refuse_enrichment_change(
        'a policy keeps its entity type', 'Use kepler.drop_enrichment_policy(…) and kepler.set_enrichment_policy(…).');
CREATE TRIGGER keep_policies AFTER TRUNCATE ON kepler.enrichment_policies
    FOR EACH STATEMENT EXECUTE FUNCTION kepler_internal.refuse_truncate();
CREATE TRIGGER keep_queued AFTER DELETE ON kepler.enrichment_queue
    FOR EACH ROW WHEN (pg_catalog.pg_trigger_depth() = 0 AND kepler_internal.is_direct())
    EXECUTE FUNCTION kepler_internal.keep_queued();
CREATE TRIGGER keep_record BEFORE UPDATE OF record_id, entity_type ON kepler.enrichment_queue
    FOR EACH ROW WHEN (OLD.record_id <> NEW.record_id OR OLD.entity_type <> NEW.entity_type)
    EXECUTE FUNCTION kepler_internal.keep_queued();
CREATE TRIGGER keep_queue AFTER TRUNCATE ON kepler.enrichment_queue
    FOR EACH STATEMENT EXECUTE FUNCTION kepler_internal.refuse_truncate();
CREATE TRIGGER give_back AFTER DELETE ON kepler.leases
    FOR EACH ROW WHEN (kepler_internal.is_direct())
    EXECUTE FUNCTION kepler_internal.give_back_lease();
CREATE TRIGGER keep_lease BEFORE UPDATE OF id, entity_type, open_records ON kepler.leases
    FOR EACH ROW WHEN (
        (OLD.id <> NEW.id OR OLD.entity_type <> NEW.entity_type OR OLD.open_records <> NEW.open_records)
        AND kepler_internal.is_direct())
    EXECUTE FUNCTION kepler_internal.refuse_enrichment_change(
        'a lease keeps its id, its entity type and the number of its records',
        'Delete the lease: its records are then given back.');
CREATE TRIGGER keep_leases AFTER TRUNCATE ON kepler.leases
    FOR EACH STATEMENT EXECUTE FUNCTION kepler_internal.refuse_truncate();
CREATE TRIGGER keep_records AFTER DELETE ON kepler.lease_records
    FOR EACH ROW WHEN (pg_catalog.pg_trigger_depth() = 0 AND kepler_internal.is_direct())
    EXECUTE FUNCTION kepler_internal.keep_lease_records();
CREATE TRIGGER keep_unchanged BEFORE UPDATE ON kepler.lease_records
    FOR EACH STATEMENT
    EXECUTE FUNCTION kepler_internal.refuse_enrichment_change(
        'what a lease was claimed with does not change', 'Delete the lease: its records are then given back.');
CREATE TRIGGER keep_truncated AFTER TRUNCATE ON kepler.lease_records
    FOR EACH STATEMENT EXECUTE FUNCTION kepler_internal.refuse_truncate();

-- What needs a person: FAILED records, whether or not the log still says why, and records that the database
-- refuses to write, so that they can neither be claimed nor taken back from a worker that is lost.
CREATE VIEW kepler.failed_enrichments AS
SELECT r.workspace_id, r.id AS record_id, r.entity_type, r.entity_id, r.external_id, r.enrichment_status,
    a.lease_id, a.attempt, a.error, a.ended_at
FROM kepler.records AS r
LEFT JOIN LATERAL (
    SELECT f.lease_id, f.attempt, f.error, f.ended_at
    FROM kepler.enrichment_attempts AS f
    WHERE f.workspace_id = r.workspace_id AND f.record_id = r.id AND f.outcome IN ('failed', 'expired')
    ORDER BY f.lease_id DESC LIMIT 1
) AS a ON true
WHERE r.enrichment_status = 'FAILED' AND r.deleted_at IS NULL
UNION ALL
SELECT r.workspace_id, r.id, r.entity_type, r.entity_id, r.external_id, r.enrichment_status,
    NULL, q.attempt, 'cannot be claimed: ' || q.error, NULL
FROM kepler.enrichment_queue AS q
JOIN kepler.records AS r ON r.workspace_id = q.workspace_id AND r.id = q.record_id
WHERE q.error IS NOT NULL
UNION ALL
SELECT r.workspace_id, r.id, r.entity_type, r.entity_id, r.external_id, r.enrichment_status,
    l.id, m.attempt, 'cannot be taken back: ' || l.error, l.lease_until
FROM kepler.leases AS l
JOIN kepler.lease_records AS n ON n.workspace_id = l.workspace_id AND n.lease_id = l.id
CROSS JOIN LATERAL ROWS FROM (unnest(n.record_ids), unnest(n.attempts)) AS m (record_id, attempt)
JOIN kepler.records AS r
    ON r.workspace_id = l.workspace_id AND r.id = m.record_id AND r.enrichment_lease_id = l.id
WHERE l.error IS NOT NULL AND l.lease_until <= clock_timestamp();
ALTER VIEW kepler.failed_enrichments SET (security_invoker = true);

COMMENT ON TABLE kepler.enrichment_policies IS 'Which entity types workers enrich, and how; set by set_enrichment_policy';
COMMENT ON COLUMN kepler.enrichment_policies.workspace_id IS 'Workspace the row belongs to; never changes';
COMMENT ON COLUMN kepler.enrichment_policies.max_attempts IS 'After so many attempts that failed or expired a record is FAILED';
COMMENT ON COLUMN kepler.enrichment_policies.lease IS 'How long a claim holds without a heartbeat';
COMMENT ON COLUMN kepler.enrichment_policies.backoff_base IS 'Wait before the second attempt; doubles with each further one';
COMMENT ON COLUMN kepler.enrichment_policies.backoff_cap IS 'The longest wait';
COMMENT ON COLUMN kepler.enrichment_policies.clear_on_change IS 'Whether changed content empties records.enrichment at once';
COMMENT ON COLUMN kepler.enrichment_policies.fair IS 'Whether claims take turns between entities';
COMMENT ON COLUMN kepler.enrichment_policies.notify IS 'Whether upserts that queue something notify the channel kepler_enrichment, once a call';

COMMENT ON COLUMN kepler.records.enrichment_lease_id IS 'Lease that a worker holds the record under while it is PENDING; see kepler.leases';

COMMENT ON TABLE kepler.enrichment_queue IS 'Records that are ready for a worker or wait for their next attempt; kept by functions and triggers';
COMMENT ON COLUMN kepler.enrichment_queue.workspace_id IS 'Workspace the row belongs to; never changes';
COMMENT ON COLUMN kepler.enrichment_queue.fair_key IS 'Entity of the record where the policy is fair, otherwise NULL';
COMMENT ON COLUMN kepler.enrichment_queue.ready_at IS 'Not claimed before this time';
COMMENT ON COLUMN kepler.enrichment_queue.attempt IS 'Attempts that the present content has had';
COMMENT ON COLUMN kepler.enrichment_queue.refusals IS 'How often in a row the database refused to let it be claimed; each makes it wait longer';
COMMENT ON COLUMN kepler.enrichment_queue.error IS 'Why it could not be claimed the last time; NULL where nothing stood in the way';

COMMENT ON TABLE kepler.leases IS 'Batches that workers hold; a lease goes when its last record is settled';
COMMENT ON COLUMN kepler.leases.workspace_id IS 'Workspace the row belongs to; never changes';
COMMENT ON COLUMN kepler.leases.id IS 'Fencing token: later leases have greater ids';
COMMENT ON COLUMN kepler.leases.worker IS 'Who claimed, as the caller named itself';
COMMENT ON COLUMN kepler.leases.length IS 'How far a heartbeat extends it, unless it says otherwise';
COMMENT ON COLUMN kepler.leases.deadline IS 'When it ended if no heartbeat came; where a record could not be taken back, when that is tried again';
COMMENT ON COLUMN kepler.leases.lease_until IS 'When it ends';
COMMENT ON COLUMN kepler.leases.open_records IS 'How many of its records are not settled yet';

COMMENT ON COLUMN kepler.leases.error IS 'Why a record could not be taken back after the lease ended';

COMMENT ON TABLE kepler.lease_records IS 'What each lease was claimed with: records, in the order in which they are locked';
COMMENT ON COLUMN kepler.lease_records.workspace_id IS 'Workspace the row belongs to; never changes';
COMMENT ON COLUMN kepler.lease_records.record_ids IS 'Records it was claimed with, settled ones included';
COMMENT ON COLUMN kepler.lease_records.attempts IS 'Number of the attempt of each, from 1';
COMMENT ON COLUMN kepler.lease_records.content_hashes IS 'records.content_hash of each at the claim; another one at the end means superseded';

COMMENT ON TABLE kepler.enrichment_turns IS 'Whose turn it was in the last claims of types with a fair policy; kept by claim_records';
COMMENT ON COLUMN kepler.enrichment_turns.workspace_id IS 'Workspace the row belongs to; never changes';
COMMENT ON COLUMN kepler.enrichment_turns.lease_id IS 'Lease of the claim; the greatest counts';
COMMENT ON COLUMN kepler.enrichment_turns.fair_key IS 'Entity that was served last; the next claim begins behind it';

COMMENT ON TABLE kepler.enrichment_attempts IS 'How each claim of a record ended that was settled or expired; append-only';
COMMENT ON COLUMN kepler.enrichment_attempts.workspace_id IS 'Workspace the row belongs to; never changes';
COMMENT ON COLUMN kepler.enrichment_attempts.attempt IS 'Number of the attempt, from 1';
COMMENT ON COLUMN kepler.enrichment_attempts.error IS 'What the worker said, or why it was ended';

COMMENT ON VIEW kepler.failed_enrichments IS 'Dead letters: records that are FAILED, with what the last attempt said where the log still has it, and records that the database refuses to write, so that no worker gets them';
