-- The enrichment of records by workers: policies, the queue, leases, and the log of attempts. The
-- status itself is a column of the record.

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
    backlog_after text DEFAULT '',
    backlog_queued bigint NOT NULL DEFAULT 0,
    fair_keys_after text,
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

-- No foreign key to records: it would double the cost of queueing, and its check is planned once a
-- session, perhaps while the table is empty. A trigger removes the rows of deleted records, and a claim
-- drops rows that have no record.
-- The table is narrow, and the only one that a claim searches. A status in an index of the wide records
-- would end their HOT updates, at a multiple of the cost. A claim deletes its rows.
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

-- The order in which a claim takes rows.
CREATE INDEX enrichment_queue_ready_at_idx ON kepler.enrichment_queue (workspace_id, entity_type, ready_at);
-- The same for each entity; empty unless a policy is fair.
CREATE INDEX enrichment_queue_fair_key_idx
    ON kepler.enrichment_queue (workspace_id, entity_type, fair_key, ready_at)
    WHERE fair_key IS NOT NULL;

-- What failed_enrichments shows of them, wherever in the queue they stand.
CREATE INDEX enrichment_queue_error_idx ON kepler.enrichment_queue (workspace_id, record_id) WHERE error IS NOT NULL;

-- The records that are FAILED, active and not deleted. Narrow, and apart: a status in an index of the wide records would
-- end their HOT updates. No foreign key, as in the queue.
CREATE TABLE kepler.enrichment_failures (
    workspace_id text NOT NULL DEFAULT kepler.current_workspace_id(),
    record_id text NOT NULL,
    entity_type text NOT NULL,
    failed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (workspace_id, record_id)
) WITH (autovacuum_vacuum_scale_factor = 0.05);

-- The order in which requeue_records takes them.
CREATE INDEX enrichment_failures_failed_at_idx
    ON kepler.enrichment_failures (workspace_id, entity_type, failed_at, record_id);

-- No foreign keys: all claims would lock the same row of workspaces or of the policies.
CREATE TABLE kepler.leases (
    workspace_id text NOT NULL DEFAULT kepler.current_workspace_id(),
    id bigint GENERATED ALWAYS AS IDENTITY,
    entity_type text NOT NULL,
    worker text NOT NULL,
    length interval NOT NULL,
    deadline timestamptz NOT NULL,
    lease_until timestamptz NOT NULL,
    open_records integer NOT NULL,
    looked_through integer NOT NULL DEFAULT 0,
    error text,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (workspace_id, id)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01);

-- Leases that may have expired. extend_lease leaves deadline alone, so that it is a HOT update.
CREATE INDEX leases_deadline_idx ON kepler.leases (workspace_id, entity_type, deadline);
CREATE INDEX leases_error_idx ON kepler.leases (workspace_id, id) WHERE error IS NOT NULL;

-- Apart from the leases, because extend_lease rewrites their rows. One row for each lease, not for each
-- record, because most leases are settled in one call.
CREATE TABLE kepler.lease_records (
    workspace_id text NOT NULL DEFAULT kepler.current_workspace_id(),
    lease_id bigint NOT NULL,
    record_ids text[] NOT NULL,
    attempts integer[] NOT NULL,
    content_hashes uuid[] NOT NULL,
    places tid[] NOT NULL,
    PRIMARY KEY (workspace_id, lease_id)
-- What a lease of a hundred records holds fits on a page: in TOAST it would cost three rows more.
) WITH (autovacuum_vacuum_scale_factor = 0.01, toast_tuple_target = 8160);
-- Ids, hashes and places do not compress.
ALTER TABLE kepler.lease_records ALTER COLUMN record_ids SET STORAGE EXTERNAL;
ALTER TABLE kepler.lease_records ALTER COLUMN content_hashes SET STORAGE EXTERNAL;
ALTER TABLE kepler.lease_records ALTER COLUMN places SET STORAGE EXTERNAL;

-- Whose turn it was in each claim of a fair type. The newest row counts, and a claim deletes the row that
-- it began with. One row that all claims update would make them wait for each other. Versions that vacuum
-- cannot remove lie behind the newest row in the index, where no claim walks them.
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
    -- Each claim of a record ends once.
    PRIMARY KEY (workspace_id, lease_id, record_id)
);

-- The dead letters: the attempt that made a record FAILED.
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
CREATE TRIGGER keep_workspace BEFORE UPDATE OF workspace_id ON kepler.enrichment_failures
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

-- The transitions of enrichment_transitions(), and the lease, which goes with the status: a record that is PENDING under
-- no lease, or under another one, would wait for ever. Without a condition, as update_state.
CREATE TRIGGER check_enrichment BEFORE UPDATE OF enrichment_status, data, enrichment_lease_id ON kepler.records
    FOR EACH ROW EXECUTE FUNCTION kepler_internal.check_record_change();
-- Direct SQL maintains the queue too. Kepler's own functions maintain it themselves, and do not fire these, whose condition
-- is as short as it can be: the function asks what has changed.
CREATE TRIGGER queue_inserted AFTER INSERT ON kepler.records
    FOR EACH ROW WHEN (kepler_internal.is_direct())
    EXECUTE FUNCTION kepler_internal.queue_changed_record();
CREATE TRIGGER queue_changed
    AFTER UPDATE OF enrichment_status, status, deleted_at, entity_type, data ON kepler.records
    FOR EACH ROW WHEN (kepler_internal.is_direct())
    EXECUTE FUNCTION kepler_internal.queue_changed_record();

-- The queue, the lease and the log refer to a record by its id.
CREATE TRIGGER keep_id BEFORE UPDATE OF id ON kepler.records
    FOR EACH ROW WHEN (OLD.id <> NEW.id)
    EXECUTE FUNCTION kepler_internal.refuse_enrichment_change(
        'the id of a record cannot change', 'Insert another record, and delete this one.');

CREATE TRIGGER queue_deleted AFTER DELETE ON kepler.records
    REFERENCING OLD TABLE AS old_records
    FOR EACH STATEMENT EXECUTE FUNCTION kepler_internal.dequeue_deleted_records();

CREATE TRIGGER queue_truncated AFTER TRUNCATE ON kepler.records
    FOR EACH STATEMENT EXECUTE FUNCTION kepler_internal.forget_truncated_records();

-- Sessions remember policies. Fires before the others, and on replicas too.
CREATE TRIGGER announce AFTER INSERT OR DELETE ON kepler.enrichment_policies
    FOR EACH ROW EXECUTE FUNCTION kepler_internal.tell_sessions();
-- Not of how far a backlog is queued.
CREATE TRIGGER announce_change AFTER UPDATE ON kepler.enrichment_policies
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
        OR (OLD.fair_keys_after IS NULL) <> (NEW.fair_keys_after IS NULL))
    EXECUTE FUNCTION kepler_internal.tell_sessions();
ALTER TABLE kepler.enrichment_policies ENABLE ALWAYS TRIGGER announce;
ALTER TABLE kepler.enrichment_policies ENABLE ALWAYS TRIGGER announce_change;
-- Direct SQL on the tables of the queue: its effect is repaired, or the statement is refused.
CREATE TRIGGER begin_enrichment AFTER INSERT ON kepler.enrichment_policies
    FOR EACH ROW WHEN (kepler_internal.is_direct())
    EXECUTE FUNCTION kepler_internal.begin_enrichment();
CREATE TRIGGER change_fairness AFTER UPDATE OF fair ON kepler.enrichment_policies
    FOR EACH ROW WHEN (OLD.fair <> NEW.fair AND kepler_internal.is_direct())
    EXECUTE FUNCTION kepler_internal.change_fairness();
CREATE TRIGGER end_enrichment AFTER DELETE ON kepler.enrichment_policies
    FOR EACH ROW EXECUTE FUNCTION kepler_internal.end_enrichment();
CREATE TRIGGER keep_entity_type BEFORE UPDATE OF entity_type ON kepler.enrichment_policies
    FOR EACH ROW WHEN (OLD.entity_type <> NEW.entity_type)
    EXECUTE FUNCTION kepler_internal.refuse_enrichment_change(
        'the entity type of a policy cannot change', 'Use kepler.drop_enrichment_policy(…) and kepler.set_enrichment_policy(…).');
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
CREATE TRIGGER keep_failed AFTER DELETE ON kepler.enrichment_failures
    FOR EACH ROW WHEN (pg_catalog.pg_trigger_depth() = 0 AND kepler_internal.is_direct())
    EXECUTE FUNCTION kepler_internal.keep_failed();
CREATE TRIGGER keep_record BEFORE UPDATE OF record_id, entity_type ON kepler.enrichment_failures
    FOR EACH ROW WHEN (OLD.record_id <> NEW.record_id OR OLD.entity_type <> NEW.entity_type)
    EXECUTE FUNCTION kepler_internal.keep_failed();
CREATE TRIGGER keep_failures AFTER TRUNCATE ON kepler.enrichment_failures
    FOR EACH STATEMENT EXECUTE FUNCTION kepler_internal.refuse_truncate();
CREATE TRIGGER give_back AFTER DELETE ON kepler.leases
    FOR EACH ROW WHEN (kepler_internal.is_direct())
    EXECUTE FUNCTION kepler_internal.give_back_lease();
CREATE TRIGGER keep_lease BEFORE UPDATE OF id, entity_type, open_records ON kepler.leases
    FOR EACH ROW WHEN (
        (OLD.id <> NEW.id OR OLD.entity_type <> NEW.entity_type OR OLD.open_records <> NEW.open_records)
        AND kepler_internal.is_direct())
    EXECUTE FUNCTION kepler_internal.refuse_enrichment_change(
        'the id, entity type and number of records of a lease cannot change',
        'Delete the lease. Its records are then given back.');
CREATE TRIGGER keep_leases AFTER TRUNCATE ON kepler.leases
    FOR EACH STATEMENT EXECUTE FUNCTION kepler_internal.refuse_truncate();
CREATE TRIGGER keep_records AFTER DELETE ON kepler.lease_records
    FOR EACH ROW WHEN (pg_catalog.pg_trigger_depth() = 0 AND kepler_internal.is_direct())
    EXECUTE FUNCTION kepler_internal.keep_lease_records();
CREATE TRIGGER keep_unchanged BEFORE UPDATE ON kepler.lease_records
    FOR EACH STATEMENT
    EXECUTE FUNCTION kepler_internal.refuse_enrichment_change(
        'the contents of a lease cannot change', 'Delete the lease. Its records are then given back.');
CREATE TRIGGER keep_truncated AFTER TRUNCATE ON kepler.lease_records
    FOR EACH STATEMENT EXECUTE FUNCTION kepler_internal.refuse_truncate();

-- Records that need a person: FAILED records that are active and not deleted, whether or not the log still says why, and records that the
-- database refuses to write, so that they can neither be claimed nor taken back from a lost worker.
CREATE VIEW kepler.failed_enrichments AS
SELECT r.workspace_id, r.id AS record_id, r.entity_type, r.entity_id, r.external_id, r.enrichment_status,
    a.lease_id, a.attempt, a.error, a.ended_at
FROM kepler.enrichment_failures AS f
CROSS JOIN LATERAL (
    SELECT x.workspace_id, x.id, x.entity_type, x.entity_id, x.external_id, x.enrichment_status
    FROM kepler.records AS x
    WHERE x.workspace_id = f.workspace_id AND x.id = f.record_id AND x.enrichment_status = 'FAILED'
    LIMIT 1
) AS r
LEFT JOIN LATERAL (
    SELECT t.lease_id, t.attempt, t.error, t.ended_at
    FROM kepler.enrichment_attempts AS t
    WHERE t.workspace_id = f.workspace_id AND t.record_id = f.record_id AND t.outcome IN ('failed', 'expired')
    ORDER BY t.lease_id DESC LIMIT 1
) AS a ON true
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

-- Each workspace sees and changes its own rows.
ALTER TABLE kepler.enrichment_policies ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace ON kepler.enrichment_policies USING (workspace_id = kepler.current_workspace_id());
ALTER TABLE kepler.enrichment_queue ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace ON kepler.enrichment_queue USING (workspace_id = kepler.current_workspace_id());
ALTER TABLE kepler.enrichment_failures ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace ON kepler.enrichment_failures USING (workspace_id = kepler.current_workspace_id());
ALTER TABLE kepler.leases ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace ON kepler.leases USING (workspace_id = kepler.current_workspace_id());
ALTER TABLE kepler.lease_records ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace ON kepler.lease_records USING (workspace_id = kepler.current_workspace_id());
ALTER TABLE kepler.enrichment_turns ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace ON kepler.enrichment_turns USING (workspace_id = kepler.current_workspace_id());
ALTER TABLE kepler.enrichment_attempts ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace ON kepler.enrichment_attempts USING (workspace_id = kepler.current_workspace_id());

COMMENT ON TABLE kepler.enrichment_policies IS 'Which entity types workers enrich, and how; set by set_enrichment_policy';
COMMENT ON COLUMN kepler.enrichment_policies.workspace_id IS 'Workspace the row belongs to; never changes';
COMMENT ON COLUMN kepler.enrichment_policies.max_attempts IS 'Number of failed or expired attempts after which a record is FAILED';
COMMENT ON COLUMN kepler.enrichment_policies.lease IS 'How long a claim lasts without extend_lease';
COMMENT ON COLUMN kepler.enrichment_policies.backoff_base IS 'Wait before the second attempt; doubles with each further attempt';
COMMENT ON COLUMN kepler.enrichment_policies.backoff_cap IS 'Longest wait between two attempts';
COMMENT ON COLUMN kepler.enrichment_policies.clear_on_change IS 'Whether changed content empties records.enrichment at once';
COMMENT ON COLUMN kepler.enrichment_policies.fair IS 'Whether claims take turns between entities';
COMMENT ON COLUMN kepler.enrichment_policies.notify IS 'Whether an upsert that queues something notifies the channel kepler_enrichment, once a call';

COMMENT ON COLUMN kepler.enrichment_policies.backlog_after IS 'Record behind which queue_backlog continues; empty before its first step, NULL when the backlog is queued. Set it to the empty text to have all records of the type looked at again';
COMMENT ON COLUMN kepler.enrichment_policies.backlog_queued IS 'Number of records that were queued because they existed before the policy';
COMMENT ON COLUMN kepler.enrichment_policies.fair_keys_after IS 'After a policy has become fair: row of the queue behind which queue_backlog continues to give rows their entity. Claims take turns once it is NULL again';

COMMENT ON COLUMN kepler.records.enrichment_lease_id IS 'Lease that holds the record while it is PENDING; see kepler.leases';

COMMENT ON TABLE kepler.enrichment_queue IS 'Records that are ready for a worker or wait for their next attempt; functions and triggers maintain it';
COMMENT ON COLUMN kepler.enrichment_queue.workspace_id IS 'Workspace the row belongs to; never changes';
COMMENT ON COLUMN kepler.enrichment_queue.fair_key IS 'Entity of the record if the policy was fair when the row was queued, otherwise NULL';
COMMENT ON COLUMN kepler.enrichment_queue.ready_at IS 'The record is not claimed before this time';
COMMENT ON COLUMN kepler.enrichment_queue.attempt IS 'Number of attempts with the current content';
COMMENT ON COLUMN kepler.enrichment_queue.refusals IS 'How often in a row the database refused to let the record be claimed; each refusal makes it wait longer';
COMMENT ON COLUMN kepler.enrichment_queue.error IS 'Why the record could not be claimed the last time; NULL if nothing prevented it';

COMMENT ON TABLE kepler.enrichment_failures IS 'Records that are FAILED, active and not deleted; functions and triggers maintain it';
COMMENT ON COLUMN kepler.enrichment_failures.workspace_id IS 'Workspace the row belongs to; never changes';
COMMENT ON COLUMN kepler.enrichment_failures.failed_at IS 'When the record became FAILED, or was restored as such; requeue_records takes the oldest first';

COMMENT ON TABLE kepler.leases IS 'Batches that workers hold; a lease is deleted when its last record is settled';
COMMENT ON COLUMN kepler.leases.workspace_id IS 'Workspace the row belongs to; never changes';
COMMENT ON COLUMN kepler.leases.id IS 'Fencing token: later leases have greater ids';
COMMENT ON COLUMN kepler.leases.worker IS 'Name of the worker, as the caller gave it';
COMMENT ON COLUMN kepler.leases.length IS 'How far extend_lease extends the lease by default';
COMMENT ON COLUMN kepler.leases.deadline IS 'When the lease ends if it is never extended. If a record could not be taken back, when that is tried again';
COMMENT ON COLUMN kepler.leases.lease_until IS 'When the lease ends';
COMMENT ON COLUMN kepler.leases.open_records IS 'Number of records of the lease that are not settled yet';
COMMENT ON COLUMN kepler.leases.looked_through IS 'How many of its records claims have looked at since it expired, to take them back; 0 before, and where some were left behind';

COMMENT ON COLUMN kepler.leases.error IS 'Why a record could not be taken back after the lease ended';

COMMENT ON TABLE kepler.lease_records IS 'Contents of each lease at its claim; the records are in the order in which they are locked';
COMMENT ON COLUMN kepler.lease_records.workspace_id IS 'Workspace the row belongs to; never changes';
COMMENT ON COLUMN kepler.lease_records.record_ids IS 'Records at the claim, including those settled since';
COMMENT ON COLUMN kepler.lease_records.attempts IS 'Attempt number of each record, from 1';
COMMENT ON COLUMN kepler.lease_records.content_hashes IS 'records.content_hash of each record at the claim; a different hash when it is settled means superseded';
COMMENT ON COLUMN kepler.lease_records.places IS 'Where the claim left the rows of the records; a settle that does not find a record there looks it up by its id';

COMMENT ON TABLE kepler.enrichment_turns IS 'Which entity was served last, for types with a fair policy; claim_records maintains it';
COMMENT ON COLUMN kepler.enrichment_turns.workspace_id IS 'Workspace the row belongs to; never changes';
COMMENT ON COLUMN kepler.enrichment_turns.lease_id IS 'Lease of the claim; the row with the greatest id counts';
COMMENT ON COLUMN kepler.enrichment_turns.fair_key IS 'Entity that was served last; the next claim begins after it';

COMMENT ON TABLE kepler.enrichment_attempts IS 'How each claim of a record ended, if it was settled or expired; append-only';
COMMENT ON COLUMN kepler.enrichment_attempts.workspace_id IS 'Workspace the row belongs to; never changes';
COMMENT ON COLUMN kepler.enrichment_attempts.attempt IS 'Attempt number, from 1';
COMMENT ON COLUMN kepler.enrichment_attempts.error IS 'Error that the worker reported, or why the attempt was ended';

COMMENT ON VIEW kepler.failed_enrichments IS 'Dead letters: records that are FAILED, active and not deleted, with the error of the last attempt if the log still has it; and records that the database refuses to write, which no worker can claim';
COMMENT ON COLUMN kepler.enrichment_attempts.outcome IS 'How the attempt ended';
COMMENT ON COLUMN kepler.failed_enrichments.enrichment_status IS 'FAILED, or UNAPPLIED for what the database refuses to write';
COMMENT ON COLUMN kepler.failed_enrichments.attempt IS 'Number of the last attempt, where the log still has it';
COMMENT ON COLUMN kepler.failed_enrichments.error IS 'What the worker said, or why the database refused';
