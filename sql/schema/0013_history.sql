-- The history: what rows of tracked tables were before they were changed, by whom, and a chain of hashes that proves it.

-- The numbers of changes. Each call of a trigger takes one, for up to 65,536 rows.
CREATE SEQUENCE kepler.history_sequence AS bigint MAXVALUE 140737488355327;

-- Written by a trigger alone, which goes past SQL: defaults, checks and triggers on it do not hold.
CREATE TABLE kepler.history (
    xid xid8 NOT NULL,
    sequence bigint NOT NULL,
    created_at timestamptz NOT NULL,
    epoch integer NOT NULL,
    table_id integer NOT NULL,
    shape_id bigint NOT NULL,
    statement bigint NOT NULL,
    operation kepler.change_operation NOT NULL,
    workspace_id text,
    row_id text COLLATE "C",
    old_values jsonb,
    withheld text[],
    redaction_id bigint,
    content_hash bytea
) PARTITION BY RANGE (created_at);
ALTER SEQUENCE kepler.history_sequence OWNED BY kepler.history.sequence;

-- The changes of a row.
CREATE INDEX history_row_idx ON kepler.history (workspace_id, table_id, row_id);
-- Their order, in which they are sealed.
CREATE INDEX history_position_idx ON kepler.history (epoch, xid, sequence);
-- What emptied a table.
CREATE INDEX history_emptied_idx ON kepler.history (workspace_id, table_id) WHERE operation = 'TRUNCATE';
CREATE INDEX history_redaction_id_idx ON kepler.history (redaction_id) WHERE redaction_id IS NOT NULL;

-- What comes when maintain_history() is late.
CREATE TABLE kepler.history_default PARTITION OF kepler.history DEFAULT;

-- Who made the changes of a transaction: a row for each workspace that it changed, and one more where the actor changes meanwhile.
CREATE TABLE kepler.history_transactions (
    xid xid8 NOT NULL,
    sequence bigint NOT NULL,
    created_at timestamptz NOT NULL,
    epoch integer NOT NULL,
    workspace_id text,
    role_name text,
    actor text,
    request_id text,
    redaction_id bigint,
    content_hash bytea
);
CREATE INDEX history_transactions_position_idx ON kepler.history_transactions (epoch, xid, sequence);
CREATE INDEX history_transactions_actor_idx ON kepler.history_transactions (workspace_id, actor);
CREATE INDEX history_transactions_redaction_id_idx ON kepler.history_transactions (redaction_id) WHERE redaction_id IS NOT NULL;

-- Which columns tables had: by the names that the images have, and by the numbers that columns keep.
CREATE TABLE kepler.history_shapes (
    id bigint NOT NULL,
    xid xid8 NOT NULL,
    created_at timestamptz NOT NULL,
    epoch integer NOT NULL,
    table_id integer NOT NULL,
    relation oid NOT NULL,
    table_name text NOT NULL,
    columns jsonb NOT NULL
);
CREATE INDEX history_shapes_id_idx ON kepler.history_shapes (id);
CREATE INDEX history_shapes_table_id_idx ON kepler.history_shapes (table_id, epoch, relation, id);
CREATE INDEX history_shapes_position_idx ON kepler.history_shapes (epoch, xid, id);

-- What was taken out of the history, and why.
CREATE TABLE kepler.history_redactions (
    id bigint PRIMARY KEY,
    xid xid8 NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    epoch integer NOT NULL,
    workspace_id text,
    table_name text,
    reason text NOT NULL,
    role_name text NOT NULL DEFAULT session_user,
    row_count bigint NOT NULL,
    positions_hash bytea NOT NULL
);
CREATE INDEX history_redactions_position_idx ON kepler.history_redactions (epoch, xid, id);

-- The chain: each seal holds a hash of the one before it and of all that came between them.
CREATE TABLE kepler.history_seals (
    number bigint PRIMARY KEY,
    epoch integer NOT NULL,
    xid xid8 NOT NULL,
    sequence bigint NOT NULL,
    row_count integer NOT NULL,
    marks bytea NOT NULL,
    hash bytea NOT NULL,
    sealed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

SELECT kepler_internal.protect_history(t::regclass)
FROM unnest('{kepler.history,kepler.history_transactions,kepler.history_shapes,kepler.history_redactions,kepler.history_seals}'::text[]) AS t;
SELECT kepler_internal.protect_history('kepler.history_default');
ALTER TABLE kepler.history_default ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace ON kepler.history_default FOR SELECT USING (workspace_id = kepler.current_workspace_id());
SELECT kepler_internal.make_partitions('history', 'month', 2);

ALTER TABLE kepler.tracked_tables DROP CONSTRAINT tracked_tables_level_known;
ALTER TABLE kepler.tracked_tables ADD CONSTRAINT tracked_tables_level_known CHECK (level IN ('feed', 'history', 'deletions'));

-- Runs and attempts are the trail of what was done: deleted ones leave a trace.
WITH made AS (
    INSERT INTO kepler.tracked_tables (name, level) VALUES ('kepler.executions', 'deletions'), ('kepler.enrichment_attempts', 'deletions')
    RETURNING name, id
)
SELECT kepler_internal.make_history_triggers(m.name::regclass, m.id, NULL, true) FROM made AS m;

-- Sessions remember which columns are sensitive.
CREATE TRIGGER announce AFTER INSERT OR UPDATE OR DELETE ON kepler.structures
    FOR EACH ROW EXECUTE FUNCTION kepler_internal.tell_sessions();
CREATE TRIGGER announce_truncated AFTER TRUNCATE ON kepler.structures
    FOR EACH STATEMENT EXECUTE FUNCTION kepler_internal.tell_sessions();
CREATE TRIGGER announce AFTER INSERT OR UPDATE OR DELETE ON kepler.blueprint_versions
    FOR EACH ROW EXECUTE FUNCTION kepler_internal.tell_sessions();
CREATE TRIGGER announce_truncated AFTER TRUNCATE ON kepler.blueprint_versions
    FOR EACH STATEMENT EXECUTE FUNCTION kepler_internal.tell_sessions();
ALTER TABLE kepler.structures ENABLE ALWAYS TRIGGER announce;
ALTER TABLE kepler.structures ENABLE ALWAYS TRIGGER announce_truncated;
ALTER TABLE kepler.blueprint_versions ENABLE ALWAYS TRIGGER announce;
ALTER TABLE kepler.blueprint_versions ENABLE ALWAYS TRIGGER announce_truncated;

-- What belongs to no workspace is the owner's alone.
ALTER TABLE kepler.history ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace ON kepler.history FOR SELECT USING (workspace_id = kepler.current_workspace_id());
ALTER TABLE kepler.history_transactions ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace ON kepler.history_transactions FOR SELECT USING (workspace_id = kepler.current_workspace_id());
ALTER TABLE kepler.history_redactions ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace ON kepler.history_redactions FOR SELECT USING (workspace_id = kepler.current_workspace_id());

COMMENT ON TABLE kepler.history IS 'What rows of tracked tables were before they were changed, one row a change; row_history reads it';
COMMENT ON COLUMN kepler.history.xid IS 'Transaction of the change';
COMMENT ON COLUMN kepler.history.sequence IS 'Number of the change; of two changes of one row by different transactions the later one has the greater number';
COMMENT ON COLUMN kepler.history.created_at IS 'When the change was made';
COMMENT ON COLUMN kepler.history.epoch IS 'Part of the database''s life in which the numbers of transactions are comparable (feed_epochs)';
COMMENT ON COLUMN kepler.history.table_id IS 'Table of the row (tracked_tables.id)';
COMMENT ON COLUMN kepler.history.shape_id IS 'Which columns the table had (history_shapes.id)';
COMMENT ON COLUMN kepler.history.statement IS 'Order in which the statements of a transaction began';
COMMENT ON COLUMN kepler.history.operation IS 'What was done to the row';
COMMENT ON COLUMN kepler.history.workspace_id IS 'Workspace of the row; NULL if its table has none, and where a table that is not Kepler''s names another one than the session''s';
COMMENT ON COLUMN kepler.history.row_id IS 'Primary key of the row without its workspace_id, as the feed has it; NULL for TRUNCATE, and where it was redacted';
COMMENT ON COLUMN kepler.history.old_values IS 'Values that were overwritten, by the names of their columns then: those that changed, and all of a deleted row';
COMMENT ON COLUMN kepler.history.withheld IS 'Columns that changed as well, and whose values are not kept: sensitive ones, and what is too large';
COMMENT ON COLUMN kepler.history.redaction_id IS 'Redaction that took values and key out (history_redactions.id)';
COMMENT ON COLUMN kepler.history.content_hash IS 'Hash of what a redaction took out';
COMMENT ON TABLE kepler.history_default IS 'Partition of the history for times that have none';
COMMENT ON TABLE kepler.history_transactions IS 'Who made the changes of a transaction in a workspace';
COMMENT ON COLUMN kepler.history_transactions.xid IS 'Transaction';
COMMENT ON COLUMN kepler.history_transactions.sequence IS 'It is about changes with greater numbers, up to the next one';
COMMENT ON COLUMN kepler.history_transactions.created_at IS 'When the first of these changes was made';
COMMENT ON COLUMN kepler.history_transactions.epoch IS 'Part of the database''s life (feed_epochs)';
COMMENT ON COLUMN kepler.history_transactions.workspace_id IS 'Workspace that was changed; NULL if it has none';
COMMENT ON COLUMN kepler.history_transactions.role_name IS 'Role that the session was set to; NULL where it was redacted';
COMMENT ON COLUMN kepler.history_transactions.actor IS 'What the setting kepler.actor said';
COMMENT ON COLUMN kepler.history_transactions.request_id IS 'What the setting kepler.request_id said';
COMMENT ON COLUMN kepler.history_transactions.redaction_id IS 'Redaction that took role, actor and request out (history_redactions.id)';
COMMENT ON COLUMN kepler.history_transactions.content_hash IS 'Hash of what a redaction took out';
COMMENT ON TABLE kepler.history_shapes IS 'Which columns a tracked table had when it was written to';
COMMENT ON COLUMN kepler.history_shapes.id IS 'Number of the layout';
COMMENT ON COLUMN kepler.history_shapes.xid IS 'Transaction that found it';
COMMENT ON COLUMN kepler.history_shapes.created_at IS 'When it was found';
COMMENT ON COLUMN kepler.history_shapes.epoch IS 'Part of the database''s life in which the numbers of columns hold (feed_epochs)';
COMMENT ON COLUMN kepler.history_shapes.table_id IS 'Table (tracked_tables.id)';
COMMENT ON COLUMN kepler.history_shapes.relation IS 'Table as Postgres knew it, or the partition that a subscription wrote to';
COMMENT ON COLUMN kepler.history_shapes.table_name IS 'Schema and name that it had';
COMMENT ON COLUMN kepler.history_shapes.columns IS 'Numbers, names and types of the columns, and which of them are sensitive';
COMMENT ON TABLE kepler.history_redactions IS 'What was taken out of the history, and why';
COMMENT ON COLUMN kepler.history_redactions.id IS 'Number of the redaction';
COMMENT ON COLUMN kepler.history_redactions.xid IS 'Transaction of the redaction';
COMMENT ON COLUMN kepler.history_redactions.created_at IS 'When it was done';
COMMENT ON COLUMN kepler.history_redactions.epoch IS 'Part of the database''s life (feed_epochs)';
COMMENT ON COLUMN kepler.history_redactions.workspace_id IS 'Workspace of the rows; NULL if they have none';
COMMENT ON COLUMN kepler.history_redactions.table_name IS 'Table of the rows; NULL for all of the workspace, and for an actor';
COMMENT ON COLUMN kepler.history_redactions.reason IS 'Why it was done';
COMMENT ON COLUMN kepler.history_redactions.role_name IS 'Role that logged in to do it';
COMMENT ON COLUMN kepler.history_redactions.row_count IS 'How many rows it were';
COMMENT ON COLUMN kepler.history_redactions.positions_hash IS 'SHA-256 of the numbers of the rows';
COMMENT ON TABLE kepler.history_seals IS 'Chain of hashes over the history; seal_history adds to it';
COMMENT ON COLUMN kepler.history_seals.number IS 'Number of the seal, without gaps';
COMMENT ON COLUMN kepler.history_seals.epoch IS 'Position up to which it seals: epoch';
COMMENT ON COLUMN kepler.history_seals.xid IS 'Position: transaction';
COMMENT ON COLUMN kepler.history_seals.sequence IS 'Position: number of the change';
COMMENT ON COLUMN kepler.history_seals.row_count IS 'How many rows it seals: changes, transactions, shapes and redactions';
COMMENT ON COLUMN kepler.history_seals.marks IS 'Four bytes of the hash of each row, to name the first one that differs';
COMMENT ON COLUMN kepler.history_seals.hash IS 'SHA-256 of the seal before it and of the hashes of the rows';
COMMENT ON COLUMN kepler.history_seals.sealed_at IS 'When it was sealed';
