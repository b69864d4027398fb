-- What an operator looks at: views that read like pg_stat_*. They belong to the owner of the tables, as all views here that are not
-- security_invoker, and read in the owner's name, all workspaces; nobody but members of pg_monitor may read them. They show
-- names of workspaces, types, consumers and workers, counts and times: no content, no external id, no error text.
--
-- Each costs a few look-ups in an index for each row that it gives, however many rows the tables hold: what is counted is
-- counted up to a number that stands beside it, and what is estimated is called so. Statements that read one of them are planned
-- as if the tables were large (src/pg/planner.rs).

CREATE VIEW kepler.stat_queue AS
WITH policies AS (
    SELECT p.workspace_id, p.entity_type, p.backlog_after IS NOT NULL AS backlog_is_open, p.paused_at,
        -- 50,000 rows of each kind in all, or 20 of each policy.
        greatest(20, least(10000, 50000 / count(*) OVER ()))::integer AS counted_up_to
    FROM kepler.enrichment_policies AS p
)
SELECT p.workspace_id, p.entity_type, r.ready, w.waiting, coalesce(l.leased, 0) AS leased, f.failed, p.counted_up_to,
    r.oldest_ready_at, w.next_ready_at, coalesce(l.leases, 0) AS leases, coalesce(l.expired_leases, 0) AS expired_leases,
    l.oldest_lease_at, p.backlog_is_open, p.paused_at
FROM policies AS p
CROSS JOIN LATERAL (
    SELECT count(*) AS ready, min(n.ready_at) AS oldest_ready_at FROM (
        SELECT q.ready_at FROM kepler.enrichment_queue AS q
        WHERE q.workspace_id = p.workspace_id AND q.entity_type = p.entity_type AND q.ready_at <= statement_timestamp()
        ORDER BY q.ready_at LIMIT p.counted_up_to) AS n
) AS r
CROSS JOIN LATERAL (
    SELECT count(*) AS waiting, min(n.ready_at) AS next_ready_at FROM (
        SELECT q.ready_at FROM kepler.enrichment_queue AS q
        WHERE q.workspace_id = p.workspace_id AND q.entity_type = p.entity_type AND q.ready_at > statement_timestamp()
        ORDER BY q.ready_at LIMIT p.counted_up_to) AS n
) AS w
CROSS JOIN LATERAL (
    SELECT count(*) AS failed FROM (
        SELECT FROM kepler.enrichment_failures AS e
        WHERE e.workspace_id = p.workspace_id AND e.entity_type = p.entity_type LIMIT p.counted_up_to) AS n
) AS f
CROSS JOIN LATERAL (
    SELECT sum(s.open_records) AS leased, count(*) AS leases, min(s.created_at) AS oldest_lease_at,
        count(*) FILTER (WHERE s.lease_until <= statement_timestamp()) AS expired_leases
    FROM kepler.leases AS s WHERE s.workspace_id = p.workspace_id AND s.entity_type = p.entity_type
) AS l;

-- Leases are few: as many as workers hold. Of the log of attempts the end is read, by its key: later leases have greater ids.
CREATE VIEW kepler.stat_workers AS
WITH workspaces AS (
    SELECT p.workspace_id, greatest(20, least(1000, 20000 / count(*) OVER ()))::integer AS counted_up_to
    FROM (SELECT DISTINCT y.workspace_id FROM kepler.enrichment_policies AS y) AS p
), held AS (
    SELECT l.workspace_id, l.worker, count(*) AS leases, sum(l.open_records) AS leased,
        count(*) FILTER (WHERE l.lease_until <= statement_timestamp()) AS expired_leases,
        min(l.created_at) AS oldest_lease_at, max(l.created_at) AS last_claim_at
    FROM kepler.leases AS l GROUP BY l.workspace_id, l.worker
), ended AS (
    SELECT w.workspace_id, a.worker, count(*) AS attempts,
        count(*) FILTER (WHERE a.outcome IN ('failed', 'expired')) AS failed_attempts,
        avg(a.ended_at - a.started_at) AS average_duration, min(a.ended_at) AS counted_since, max(a.ended_at) AS last_ended_at
    FROM workspaces AS w
    CROSS JOIN LATERAL (
        SELECT t.worker, t.outcome, t.started_at, t.ended_at FROM kepler.enrichment_attempts AS t
        WHERE t.workspace_id = w.workspace_id ORDER BY t.lease_id DESC LIMIT w.counted_up_to) AS a
    WHERE a.worker IS NOT NULL AND a.ended_at > statement_timestamp() - interval '15 minutes'
    GROUP BY w.workspace_id, a.worker
)
SELECT coalesce(h.workspace_id, e.workspace_id) AS workspace_id, coalesce(h.worker, e.worker) AS worker,
    coalesce(h.leases, 0) AS leases, coalesce(h.leased, 0) AS leased, coalesce(h.expired_leases, 0) AS expired_leases,
    h.oldest_lease_at, h.last_claim_at, coalesce(e.attempts, 0) AS attempts, coalesce(e.failed_attempts, 0) AS failed_attempts,
    e.average_duration, e.counted_since, e.last_ended_at
FROM held AS h
FULL JOIN ended AS e ON e.workspace_id = h.workspace_id AND e.worker = h.worker;

-- The last run of each entity and mode.
CREATE VIEW kepler.stat_sync_runs AS
SELECT e.workspace_id, e.id AS entity_id, e.type AS entity_type, e.source, r.mode, r.status, r.phase,
    r.started_at, r.checkpoint_at, r.ended_at, r.seen, r.rejected, r.deleted, s.ended_at AS last_succeeded_at
FROM kepler.entities AS e
CROSS JOIN unnest(enum_range(NULL::kepler.sync_mode)) AS m (mode)
CROSS JOIN LATERAL (
    SELECT u.mode, u.status, u.phase, u.started_at, u.checkpoint_at, u.ended_at, u.seen,
        (u.counts ->> 'rejected')::bigint AS rejected, u.deleted
    FROM kepler.sync_runs AS u
    WHERE u.workspace_id = e.workspace_id AND u.entity_id = e.id AND u.mode = m.mode
    ORDER BY u.started_at DESC LIMIT 1
) AS r
LEFT JOIN kepler.sync_runs AS s ON s.workspace_id = e.workspace_id AND s.id = e.last_sync_id;

-- Which change a cursor stands at is written in it, the position in this feed first. One that is not readable (another version, a
-- slip) shows nothing behind it.
CREATE VIEW kepler.stat_feed AS
WITH consumers AS (
    SELECT c.workspace_id, c.name AS consumer, c.acknowledged_at, c.cursor ~ '^(01[0-9a-f]{56}|02[0-9a-f]{104})$' AS is_readable,
        CASE WHEN c.cursor ~ '^(01[0-9a-f]{56}|02[0-9a-f]{104})$' THEN c.cursor ELSE '01' || repeat('f', 56) END AS cursor,
        greatest(10, least(10000, 10000 / count(*) OVER ()))::integer AS counted_up_to
    FROM kepler.consumers AS c
)
SELECT c.workspace_id, c.consumer, c.acknowledged_at, b.waiting, c.counted_up_to, b.oldest_waiting_at, c.is_readable,
    CASE WHEN c.is_readable THEN c.cursor END AS cursor
FROM consumers AS c
CROSS JOIN LATERAL (
    SELECT CASE WHEN c.is_readable THEN count(*) END AS waiting, min(n.created_at) AS oldest_waiting_at FROM (
        SELECT f.created_at FROM kepler.feed AS f
        WHERE f.workspace_id = c.workspace_id AND (f.epoch, f.xid, f.sequence) > (
            ('x' || substr(c.cursor, 3, 8))::bit(32)::integer,
            ('x' || substr(c.cursor, 11, 16))::bit(64)::bigint::text::xid8,
            ('x' || substr(c.cursor, 27, 16))::bit(64)::bigint)
            AND c.is_readable
        ORDER BY f.epoch, f.xid, f.sequence LIMIT c.counted_up_to) AS n
) AS b;

-- The oldest of each kind. What a reader sees of the sessions of others, pg_stat_activity decides.
CREATE VIEW kepler.stat_horizon AS
SELECT DISTINCT ON (h.held_by) h.held_by, h.pid, h.name, h.database_name, h.role_name, h.state, h.began_at,
    h.transactions, h.holds_feed
FROM (
    SELECT 'session' AS held_by, a.pid, NULL::text AS name, a.datname::text AS database_name, a.usename::text AS role_name,
        a.state, a.xact_start AS began_at, greatest(age(a.backend_xid), age(a.backend_xmin)) AS transactions,
        coalesce(a.backend_xid = pg_snapshot_xmin(pg_current_snapshot())::xid, false) AS holds_feed
    FROM pg_stat_activity AS a
    WHERE a.pid <> pg_backend_pid() AND (a.backend_xid IS NOT NULL OR a.backend_xmin IS NOT NULL)
        AND a.backend_type <> 'walsender'
    UNION ALL
    SELECT 'prepared transaction', NULL, p.gid, p.database::text, p.owner::text, NULL, p.prepared, age(p.transaction),
        p.transaction = pg_snapshot_xmin(pg_current_snapshot())::xid
    FROM pg_prepared_xacts AS p
    UNION ALL
    SELECT 'replication slot', s.active_pid, s.slot_name::text, s.database::text, NULL,
        CASE WHEN s.active THEN 'active' ELSE 'inactive' END, NULL, greatest(age(s.xmin), age(s.catalog_xmin)), false
    FROM pg_replication_slots AS s WHERE s.xmin IS NOT NULL OR s.catalog_xmin IS NOT NULL
    UNION ALL
    SELECT 'standby', r.pid, r.application_name, NULL, r.usename::text, r.state, NULL, age(r.backend_xmin), false
    FROM pg_stat_replication AS r WHERE r.backend_xmin IS NOT NULL
) AS h
ORDER BY h.held_by, h.transactions DESC NULLS LAST, h.began_at;

-- By the statistics of the tables: nothing of them is read.
CREATE VIEW kepler.stat_memory_spaces AS
SELECT s.name AS space, k.kind, s.status, k.table_name, t.estimated_rows,
    greatest(o.estimated_rows - t.estimated_rows, 0) AS estimated_pending, t.bytes,
    i.index_name, i.is_valid AS index_is_valid, i.bytes AS index_bytes, i.is_building AS index_is_building
FROM kepler.embedding_spaces AS s
CROSS JOIN LATERAL (VALUES
    ('memories', s.memory_table_name, 'kepler.memories'::regclass),
    ('messages', s.message_table_name, 'kepler.messages'::regclass)) AS k (kind, table_name, of_table)
LEFT JOIN LATERAL (
    SELECT c.oid, greatest(c.reltuples::bigint, pg_stat_get_live_tuples(c.oid), 0) AS estimated_rows,
        pg_table_size(c.oid) AS bytes
    FROM pg_class AS c WHERE c.relnamespace = to_regnamespace('kepler_data') AND c.relname = k.table_name
) AS t ON true
LEFT JOIN LATERAL (
    SELECT sum(greatest(c.reltuples::bigint, pg_stat_get_live_tuples(c.oid), 0))::bigint AS estimated_rows
    FROM pg_class AS c WHERE c.oid = k.of_table
) AS o ON true
LEFT JOIN LATERAL (
    SELECT x.relname::text AS index_name, n.indisvalid AS is_valid, pg_relation_size(x.oid) AS bytes,
        EXISTS (SELECT FROM pg_stat_progress_create_index AS p WHERE p.index_relid = x.oid) AS is_building
    FROM pg_index AS n
    JOIN pg_class AS x ON x.oid = n.indexrelid
    JOIN pg_am AS m ON m.oid = x.relam AND m.amname IN ('hnsw', 'ivfflat')
    WHERE n.indrelid = t.oid ORDER BY n.indisvalid DESC, x.relname LIMIT 1
) AS i ON true;

CREATE VIEW kepler.stat_entry_tables AS
SELECT e.workspace_id, e.record_name, e.table_name, e.version, c.oid IS NOT NULL AS is_there,
    greatest(c.reltuples::bigint, pg_stat_get_live_tuples(c.oid), 0) AS estimated_rows,
    c.relpages::bigint * current_setting('block_size')::bigint AS estimated_bytes,
    pg_stat_get_dead_tuples(c.oid) AS dead_rows
FROM kepler.entry_tables AS e
LEFT JOIN pg_class AS c ON c.relnamespace = to_regnamespace('kepler_data') AND c.relname = e.table_name
WHERE e.dropped_at IS NULL;

-- Runs that are under way are few.
CREATE VIEW kepler.stat_executions AS
SELECT e.workspace_id, e.workflow_id, count(*) FILTER (WHERE e.is_running) AS running,
    count(*) FILTER (WHERE e.deadline_at <= statement_timestamp()) AS overdue, min(e.started_at) AS oldest_started_at,
    count(*) FILTER (WHERE NOT e.is_running) AS waiting
FROM (
    SELECT r.workspace_id, r.workflow_id, true AS is_running, r.deadline_at, r.started_at
    FROM kepler.executions AS r WHERE r.status = 'RUNNING'
    UNION ALL
    SELECT w.workspace_id, w.workflow_id, false, NULL, w.started_at FROM kepler.executions AS w WHERE w.status = 'WAITING'
) AS e
GROUP BY e.workspace_id, e.workflow_id;

COMMENT ON VIEW kepler.stat_queue IS 'Records that wait for workers, by workspace and type of each enrichment policy. For members of pg_monitor';
COMMENT ON COLUMN kepler.stat_queue.ready IS 'Records that a claim may take now, counted up to counted_up_to';
COMMENT ON COLUMN kepler.stat_queue.waiting IS 'Records whose next attempt comes later, counted up to counted_up_to';
COMMENT ON COLUMN kepler.stat_queue.leased IS 'Records that workers hold';
COMMENT ON COLUMN kepler.stat_queue.failed IS 'Records that are FAILED, counted up to counted_up_to';
COMMENT ON COLUMN kepler.stat_queue.counted_up_to IS 'Where counting stops: a count that is as great means so many or more';
COMMENT ON COLUMN kepler.stat_queue.oldest_ready_at IS 'Since when the record that has been ready longest is ready';
COMMENT ON COLUMN kepler.stat_queue.next_ready_at IS 'When the next waiting record is ready';
COMMENT ON COLUMN kepler.stat_queue.leases IS 'Leases that are open';
COMMENT ON COLUMN kepler.stat_queue.expired_leases IS 'Leases that have ended without a result; the next claims take their records back';
COMMENT ON COLUMN kepler.stat_queue.oldest_lease_at IS 'When the oldest open lease was claimed';
COMMENT ON COLUMN kepler.stat_queue.backlog_is_open IS 'Whether records that existed before the policy are still to be queued (queue_backlog)';
COMMENT ON COLUMN kepler.stat_queue.paused_at IS 'Since when the type is paused';
COMMENT ON VIEW kepler.stat_workers IS 'What each worker holds, and how its attempts of the last 15 minutes ended, by workspace. For members of pg_monitor';
COMMENT ON COLUMN kepler.stat_workers.worker IS 'Name of the worker, as it gave it to claim_records';
COMMENT ON COLUMN kepler.stat_workers.leases IS 'Leases that it holds';
COMMENT ON COLUMN kepler.stat_workers.leased IS 'Records that it holds';
COMMENT ON COLUMN kepler.stat_workers.expired_leases IS 'Leases of these that have ended without a result';
COMMENT ON COLUMN kepler.stat_workers.oldest_lease_at IS 'When it claimed the oldest of them';
COMMENT ON COLUMN kepler.stat_workers.last_claim_at IS 'When it claimed the newest of them';
COMMENT ON COLUMN kepler.stat_workers.attempts IS 'Attempts that have ended in the last 15 minutes, of the last attempts of the workspace (20 to 1,000 of them, the fewer the more workspaces there are)';
COMMENT ON COLUMN kepler.stat_workers.failed_attempts IS 'Attempts of these that failed or expired';
COMMENT ON COLUMN kepler.stat_workers.average_duration IS 'How long they took on average, from the claim to the end';
COMMENT ON COLUMN kepler.stat_workers.counted_since IS 'When the first of them ended: attempts divided by the time since then is the rate';
COMMENT ON COLUMN kepler.stat_workers.last_ended_at IS 'When the last of them ended';
COMMENT ON VIEW kepler.stat_sync_runs IS 'Last sync run of each entity and mode. For members of pg_monitor';
COMMENT ON COLUMN kepler.stat_sync_runs.source IS 'Origin of the entity';
COMMENT ON COLUMN kepler.stat_sync_runs.mode IS 'full or incremental';
COMMENT ON COLUMN kepler.stat_sync_runs.status IS 'How the run ended, or RUNNING';
COMMENT ON COLUMN kepler.stat_sync_runs.phase IS 'listing, sweeping or ended';
COMMENT ON COLUMN kepler.stat_sync_runs.seen IS 'External ids that it met, once it has ended';
COMMENT ON COLUMN kepler.stat_sync_runs.rejected IS 'Elements that were rejected, once it has ended';
COMMENT ON COLUMN kepler.stat_sync_runs.deleted IS 'Records that its sweep has deleted';
COMMENT ON COLUMN kepler.stat_sync_runs.last_succeeded_at IS 'When the last run of the entity that succeeded, of any mode, ended';
COMMENT ON VIEW kepler.stat_feed IS 'How far each consumer of the feed is behind. For members of pg_monitor; feed_lag says why a consumer cannot go on';
COMMENT ON COLUMN kepler.stat_feed.consumer IS 'Name of the consumer';
COMMENT ON COLUMN kepler.stat_feed.waiting IS 'Changes behind its cursor, those that the horizon holds back included, counted up to counted_up_to; NULL if its cursor cannot be read';
COMMENT ON COLUMN kepler.stat_feed.counted_up_to IS 'Where counting stops: a count that is as great means so many or more';
COMMENT ON COLUMN kepler.stat_feed.oldest_waiting_at IS 'When the oldest of them was made';
COMMENT ON COLUMN kepler.stat_feed.is_readable IS 'Whether its cursor can be read';
COMMENT ON COLUMN kepler.stat_feed.cursor IS 'Its cursor; NULL if it cannot be read';
COMMENT ON VIEW kepler.stat_horizon IS 'What has held the horizon of transactions back longest, one row for each kind that does. For members of pg_monitor';
COMMENT ON COLUMN kepler.stat_horizon.held_by IS 'session, prepared transaction, replication slot or standby';
COMMENT ON COLUMN kepler.stat_horizon.pid IS 'Process of the session';
COMMENT ON COLUMN kepler.stat_horizon.name IS 'Name of the prepared transaction, slot or standby';
COMMENT ON COLUMN kepler.stat_horizon.database_name IS 'Database that it is connected to';
COMMENT ON COLUMN kepler.stat_horizon.role_name IS 'Role that it works for';
COMMENT ON COLUMN kepler.stat_horizon.state IS 'State of the session (pg_stat_activity) or of the slot';
COMMENT ON COLUMN kepler.stat_horizon.began_at IS 'When its transaction began; NULL for slots and standbys';
COMMENT ON COLUMN kepler.stat_horizon.transactions IS 'How many transactions have begun since: vacuum removes nothing that was deleted later';
COMMENT ON COLUMN kepler.stat_horizon.holds_feed IS 'Whether the feed waits for it: it is the oldest transaction that has changed something';
COMMENT ON VIEW kepler.stat_memory_spaces IS 'Tables of the embedding spaces and their indexes, by the statistics of Postgres. For members of pg_monitor; index_advice says what to do';
COMMENT ON COLUMN kepler.stat_memory_spaces.space IS 'Name of the space';
COMMENT ON COLUMN kepler.stat_memory_spaces.kind IS 'memories or messages';
COMMENT ON COLUMN kepler.stat_memory_spaces.status IS 'ACTIVE or RETIRED';
COMMENT ON COLUMN kepler.stat_memory_spaces.table_name IS 'Table in kepler_data';
COMMENT ON COLUMN kepler.stat_memory_spaces.estimated_rows IS 'Embeddings, as Postgres estimates them';
COMMENT ON COLUMN kepler.stat_memory_spaces.estimated_pending IS 'Memories or messages of all workspaces that have none in this space, as Postgres estimates it; those of workspaces that search another space count too';
COMMENT ON COLUMN kepler.stat_memory_spaces.bytes IS 'Size of the table without its indexes';
COMMENT ON COLUMN kepler.stat_memory_spaces.index_name IS 'Index on the vectors; NULL if there is none';
COMMENT ON COLUMN kepler.stat_memory_spaces.index_is_valid IS 'Whether searches use it';
COMMENT ON COLUMN kepler.stat_memory_spaces.index_bytes IS 'Size of the index';
COMMENT ON COLUMN kepler.stat_memory_spaces.index_is_building IS 'Whether it is being built now';
COMMENT ON VIEW kepler.stat_entry_tables IS 'Entry tables by the statistics of Postgres. For members of pg_monitor';
COMMENT ON COLUMN kepler.stat_entry_tables.record_name IS 'Name of its records';
COMMENT ON COLUMN kepler.stat_entry_tables.table_name IS 'Table in kepler_data';
COMMENT ON COLUMN kepler.stat_entry_tables.version IS 'Version of its structure';
COMMENT ON COLUMN kepler.stat_entry_tables.is_there IS 'Whether the table exists';
COMMENT ON COLUMN kepler.stat_entry_tables.estimated_rows IS 'Rows, as Postgres estimates them';
COMMENT ON COLUMN kepler.stat_entry_tables.estimated_bytes IS 'Size of the table without indexes and TOAST, as of the last vacuum or analyze';
COMMENT ON COLUMN kepler.stat_entry_tables.dead_rows IS 'Versions of rows that vacuum has not removed yet';
COMMENT ON VIEW kepler.stat_executions IS 'Executions under way, by workspace and workflow. For members of pg_monitor';
COMMENT ON COLUMN kepler.stat_executions.running IS 'Executions that run';
COMMENT ON COLUMN kepler.stat_executions.overdue IS 'Executions of these whose deadline has passed; abandon_executions ends them';
COMMENT ON COLUMN kepler.stat_executions.oldest_started_at IS 'When the oldest of them and of those that wait began';
COMMENT ON COLUMN kepler.stat_executions.waiting IS 'Executions that wait for a person';
