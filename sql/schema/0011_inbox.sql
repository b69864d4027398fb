-- The inbox of sync runs: what a client copies in, until it is merged.

-- COPY refuses a table with row security, so that what takes rows in has none, and what holds them has: the rows lie in the one
-- partition, and nobody but the owner has more rights here than to insert, without a say in the workspace of the row.
--
-- No foreign keys, and no triggers of rows, since each would cost something for every row. Rows are deleted in masses, in the
-- order in which they came.
CREATE TABLE kepler.inbox (
    workspace_id text NOT NULL DEFAULT kepler.current_workspace_id(),
    sync_run_id text NOT NULL DEFAULT kepler_internal.copied_sync_run(),
    id bigint GENERATED ALWAYS AS IDENTITY,
    line text,
    external_id text,
    data text,
    source_updated_at text,
    deleted boolean,
    PRIMARY KEY (workspace_id, sync_run_id, id),
    CONSTRAINT inbox_line_or_fields CHECK (
        line IS NULL OR (external_id IS NULL AND data IS NULL AND source_updated_at IS NULL AND deleted IS NULL))
) PARTITION BY LIST (workspace_id);
CREATE TABLE kepler.inbox_rows PARTITION OF kepler.inbox DEFAULT WITH (
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_cost_delay = 0,
    autovacuum_analyze_scale_factor = 0.2,
    toast.autovacuum_vacuum_scale_factor = 0.02,
    toast.autovacuum_vacuum_cost_delay = 0
);

CREATE TRIGGER keep_workspace BEFORE UPDATE OF workspace_id ON kepler.inbox_rows
    FOR EACH ROW WHEN (OLD.workspace_id <> NEW.workspace_id)
    EXECUTE FUNCTION kepler_internal.refuse_workspace_change();

-- A COPY for a run that has ended would be for nobody. Once a statement, so that a row costs nothing.
CREATE TRIGGER require_open_run BEFORE INSERT ON kepler.inbox
    FOR EACH STATEMENT EXECUTE FUNCTION kepler_internal.require_copied_run();

-- Open runs and how far they have come, as pg_stat_progress_* views show it. Of the inbox it looks at the first and the last
-- row of each run.
CREATE VIEW kepler.sync_progress AS
SELECT p.workspace_id, p.sync_run_id, p.entity_type, p.source, p.connection_id, p.mode, p.phase, p.done,
    CASE WHEN p.total < p.done THEN p.done ELSE p.total END AS total, s.rate,
    p.active_at + make_interval(secs => CASE WHEN p.total < p.done THEN 0 ELSE p.total - p.done END / s.rate) AS estimated_end,
    p.started_at, p.active_at
FROM (
    SELECT r.workspace_id, r.id AS sync_run_id, e.type AS entity_type, e.source, r.connection_id, r.mode,
        f.phase, r.started_at,
        CASE f.phase
            WHEN 'sweeping' THEN r.deleted + r.spared + r.refused
            WHEN 'merging' THEN r.merged
            ELSE b.elements
        END AS done,
        CASE f.phase
            WHEN 'sweeping' THEN r.to_delete
            WHEN 'merging' THEN CASE WHEN r.merged < r.to_merge THEN r.to_merge ELSE r.merged + i.rows END
        END AS total,
        CASE f.phase WHEN 'listing' THEN r.started_at ELSE r.phase_began_at END AS phase_began_at,
        greatest(r.started_at, r.checkpoint_at, r.phase_active_at, b.active_at) AS active_at
    FROM kepler.sync_runs AS r
    JOIN kepler.entities AS e ON e.workspace_id = r.workspace_id AND e.id = r.entity_id
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(c.inserted + c.updated + c.refreshed + c.restored + c.deleted + c.unchanged + c.stale
                + c.superseded + c.rejected), 0)::bigint AS elements,
            max(c.created_at) AS active_at
        FROM kepler.sync_batches AS c
        WHERE c.workspace_id = r.workspace_id AND c.sync_run_id = r.id
    ) AS b
    CROSS JOIN LATERAL (
        SELECT coalesce(
            (SELECT l.id FROM kepler.inbox_rows AS l
             WHERE l.workspace_id = r.workspace_id AND l.sync_run_id = r.id AND l.id > r.merged_through
             ORDER BY l.id DESC LIMIT 1)
            - (SELECT l.id FROM kepler.inbox_rows AS l
               WHERE l.workspace_id = r.workspace_id AND l.sync_run_id = r.id AND l.id > r.merged_through
               ORDER BY l.id LIMIT 1)
            + 1, 0) AS rows
    ) AS i
    CROSS JOIN LATERAL (
        SELECT CASE
            WHEN r.phase = 'listing' AND (i.rows > 0 OR r.merged < r.to_merge) THEN 'merging'
            ELSE r.phase
        END AS phase
    ) AS f
    WHERE r.status = 'RUNNING'
) AS p
CROSS JOIN LATERAL (
    SELECT round(p.done / nullif(extract(epoch FROM p.active_at - p.phase_began_at), 0), 1) AS rate
) AS q
CROSS JOIN LATERAL (SELECT nullif(q.rate, 0) AS rate) AS s;
-- It shows what its reader may see.
ALTER VIEW kepler.sync_progress SET (security_invoker = true);

COMMENT ON TABLE kepler.inbox IS 'Takes in the elements that are copied in for a sync run; inbox_rows holds them until merge_inbox upserts them';
COMMENT ON TABLE kepler.inbox_rows IS 'The elements in the inbox, to read and to delete; COPY and INSERT go to inbox';
COMMENT ON COLUMN kepler.inbox.workspace_id IS 'Workspace the row belongs to: that of the session, which only the owner may set otherwise';
COMMENT ON COLUMN kepler.inbox.sync_run_id IS 'Run that the element is for; the default is the setting kepler.sync_run_id';
COMMENT ON COLUMN kepler.inbox.line IS 'An element as one JSON text; excludes the columns after it. A blank one is no element';
COMMENT ON COLUMN kepler.inbox.external_id IS 'Identifier of the record at the source';
COMMENT ON COLUMN kepler.inbox.data IS 'Text of a JSON object: what the source knows';
COMMENT ON COLUMN kepler.inbox.source_updated_at IS 'When the source says it changed, in the spellings that upsert_record takes';
COMMENT ON COLUMN kepler.inbox.deleted IS 'Whether the source has deleted the record; NULL is false';

COMMENT ON VIEW kepler.sync_progress IS 'Open sync runs, and how far each has come';
COMMENT ON COLUMN kepler.sync_progress.workspace_id IS 'Workspace of the run';
COMMENT ON COLUMN kepler.sync_progress.sync_run_id IS 'The run';
COMMENT ON COLUMN kepler.sync_progress.entity_type IS 'Kind of thing that it lists';
COMMENT ON COLUMN kepler.sync_progress.source IS 'Origin, as on the entity';
COMMENT ON COLUMN kepler.sync_progress.connection_id IS 'Connection of the run';
COMMENT ON COLUMN kepler.sync_progress.mode IS 'full or incremental';
COMMENT ON COLUMN kepler.sync_progress.phase IS 'listing, merging (rows wait in the inbox) or sweeping';
COMMENT ON COLUMN kepler.sync_progress.done IS 'Elements of its calls, or rows that were merged, or missing records that were looked at';
COMMENT ON COLUMN kepler.sync_progress.total IS 'What done will be in the end; NULL while it lists. Of an inbox that merge_inbox has not counted it is estimated from ids: more if others copied at the same time';
COMMENT ON COLUMN kepler.sync_progress.rate IS 'done for each second of the phase, up to the last activity';
COMMENT ON COLUMN kepler.sync_progress.estimated_end IS 'When the phase ends at this rate';
COMMENT ON COLUMN kepler.sync_progress.started_at IS 'When the run began';
COMMENT ON COLUMN kepler.sync_progress.active_at IS 'When it was last heard of: a call, a checkpoint, a step';

ALTER TABLE kepler.inbox_rows ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace ON kepler.inbox_rows USING (workspace_id = kepler.current_workspace_id());
