-- Retention: how long rows of tables are kept, and how far deleting the older ones has come.
--
-- Only set_retention, drop_retention and the runs write here, as the owner: whoever could name a table here could have its rows
-- deleted in the name of the table's owner.

CREATE TABLE kepler.retention_policies (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workspace_id text REFERENCES kepler.workspaces (id),
    -- The table and its column, by name and by Postgres' numbers. Numbers follow a rename and tell a table that was made anew;
    -- they hold in one database, and names hold in its copies.
    table_name text NOT NULL,
    relation oid NOT NULL,
    database_id text NOT NULL,
    owner_name text NOT NULL,
    time_column text NOT NULL,
    time_column_number smallint NOT NULL,
    keep interval NOT NULL,
    filter jsonb,
    created_by text NOT NULL DEFAULT session_user,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    set_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- How far a pass over the table has come: what lies behind the place was looked at.
    pass_began_at timestamptz,
    pass_ended_at timestamptz,
    place_relation oid,
    place_at timestamptz,
    place_block bigint,
    pass_kept_rows bigint NOT NULL DEFAULT 0,
    -- What came of it.
    kept_rows bigint NOT NULL DEFAULT 0,
    deleted_rows bigint NOT NULL DEFAULT 0,
    dropped_partitions bigint NOT NULL DEFAULT 0,
    last_started_at timestamptz,
    last_succeeded_at timestamptz,
    last_failed_at timestamptz,
    last_error_code text,
    last_error text,
    CONSTRAINT retention_policies_keep_positive CHECK (keep > interval '0'),
    CONSTRAINT retention_policies_filter_kind CHECK (jsonb_typeof(filter) IN ('object', 'array'))
-- Each batch writes its policy.
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);

-- One policy for a table, a filter and a workspace.
CREATE UNIQUE INDEX retention_policies_key ON kepler.retention_policies (workspace_id, table_name, relation, kepler.jsonb_hash(filter)) NULLS NOT DISTINCT;
-- For the foreign key, and the policies of a workspace.
CREATE INDEX retention_policies_workspace_id_idx ON kepler.retention_policies (workspace_id) WHERE workspace_id IS NOT NULL;

CREATE TRIGGER keep_workspace BEFORE UPDATE OF workspace_id ON kepler.retention_policies
    FOR EACH ROW WHEN (OLD.workspace_id IS DISTINCT FROM NEW.workspace_id)
    EXECUTE FUNCTION kepler_internal.refuse_workspace_change();

-- Each workspace sees its own. No policy lets anybody but the owner change a row by hand.
ALTER TABLE kepler.retention_policies ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace ON kepler.retention_policies FOR SELECT USING (workspace_id = kepler.current_workspace_id());

COMMENT ON TABLE kepler.retention_policies IS 'How long rows of tables are kept; set_retention and drop_retention write it';
COMMENT ON COLUMN kepler.retention_policies.id IS 'Number of the policy';
COMMENT ON COLUMN kepler.retention_policies.workspace_id IS 'Workspace whose rows are meant; NULL for all rows of the table';
COMMENT ON COLUMN kepler.retention_policies.table_name IS 'Schema and name of the table';
COMMENT ON COLUMN kepler.retention_policies.relation IS 'The table as Postgres knows it in the database of database_id';
COMMENT ON COLUMN kepler.retention_policies.database_id IS 'Number of the cluster and of the database in which relation and time_column_number hold; empty once the table was found to be gone';
COMMENT ON COLUMN kepler.retention_policies.owner_name IS 'Role that owned the table when the policy was set';
COMMENT ON COLUMN kepler.retention_policies.time_column IS 'Column from which the age of a row is counted';
COMMENT ON COLUMN kepler.retention_policies.time_column_number IS 'Number of that column in the table';
COMMENT ON COLUMN kepler.retention_policies.keep IS 'How old rows must be before they are deleted';
COMMENT ON COLUMN kepler.retention_policies.filter IS 'Which rows are meant, in the common grammar of filters; NULL for all';
COMMENT ON COLUMN kepler.retention_policies.created_by IS 'Role of the session that set the policy first';
COMMENT ON COLUMN kepler.retention_policies.set_at IS 'When the policy was last set';
COMMENT ON COLUMN kepler.retention_policies.pass_began_at IS 'When the present pass over the table began; NULL between passes';
COMMENT ON COLUMN kepler.retention_policies.pass_ended_at IS 'When the last pass ended';
COMMENT ON COLUMN kepler.retention_policies.place_relation IS 'Table or partition that the pass has come to';
COMMENT ON COLUMN kepler.retention_policies.place_at IS 'Time up to which its rows were looked at, where an index serves';
COMMENT ON COLUMN kepler.retention_policies.place_block IS 'Page up to which they were, where no index serves';
COMMENT ON COLUMN kepler.retention_policies.pass_kept_rows IS 'Rows that the present pass has kept since other rows refer to them';
COMMENT ON COLUMN kepler.retention_policies.kept_rows IS 'Rows that the last pass kept though they were old, since other rows refer to them';
COMMENT ON COLUMN kepler.retention_policies.deleted_rows IS 'Rows that were deleted so far; those of dropped partitions as Postgres estimated them';
COMMENT ON COLUMN kepler.retention_policies.dropped_partitions IS 'Partitions that were dropped so far';
COMMENT ON COLUMN kepler.retention_policies.last_started_at IS 'When the last pass began';
COMMENT ON COLUMN kepler.retention_policies.last_succeeded_at IS 'When a pass last came to its end';
COMMENT ON COLUMN kepler.retention_policies.last_failed_at IS 'When a batch last failed';
COMMENT ON COLUMN kepler.retention_policies.last_error_code IS 'SQLSTATE of that failure; NULL once a pass has come to its end again';
COMMENT ON COLUMN kepler.retention_policies.last_error IS 'Message of that failure';
