-- Tables that users define at run time: their names, every version of their structures, and their
-- hidden fields. The tables themselves are in the schema kepler_data.

CREATE SCHEMA IF NOT EXISTS kepler_data;
COMMENT ON SCHEMA kepler_data IS 'Entry tables (kepler.create_entry_table) and the tables of embedding spaces (kepler.create_embedding_space)';

-- One sequence for the database, so that two workspaces never make the same table name.
CREATE SEQUENCE kepler.entry_table_numbers;
COMMENT ON SEQUENCE kepler.entry_table_numbers IS 'Gives the number in the name of an entry table';

CREATE TABLE kepler.entry_tables (
    workspace_id text NOT NULL DEFAULT kepler.current_workspace_id() REFERENCES kepler.workspaces (id),
    id text NOT NULL DEFAULT kepler.cuid(),
    record_name text NOT NULL,
    number bigint NOT NULL,
    table_name text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    dropped_at timestamptz,
    PRIMARY KEY (workspace_id, id),
    CONSTRAINT entry_tables_table_name_key UNIQUE (workspace_id, table_name),
    CONSTRAINT entry_tables_id_length CHECK (octet_length(id) BETWEEN 1 AND 128),
    CONSTRAINT entry_tables_record_name_length CHECK (octet_length(record_name) BETWEEN 1 AND 128)
);

-- A record name is free again once its table is dropped.
CREATE UNIQUE INDEX entry_tables_record_name_key ON kepler.entry_tables (workspace_id, record_name)
    WHERE dropped_at IS NULL;

CREATE TABLE kepler.structures (
    workspace_id text NOT NULL DEFAULT kepler.current_workspace_id() REFERENCES kepler.workspaces (id),
    entry_table_id text NOT NULL,
    version integer NOT NULL,
    structure jsonb NOT NULL,
    plan jsonb NOT NULL DEFAULT '[]',
    created_by text NOT NULL DEFAULT session_user,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (workspace_id, entry_table_id, version),
    CONSTRAINT structures_entry_table_fkey FOREIGN KEY (workspace_id, entry_table_id)
        REFERENCES kepler.entry_tables (workspace_id, id) ON DELETE CASCADE,
    CONSTRAINT structures_version_positive CHECK (version > 0),
    CONSTRAINT structures_structure_object CHECK (jsonb_typeof(structure) = 'object'),
    CONSTRAINT structures_plan_array CHECK (jsonb_typeof(plan) = 'array')
);

CREATE TABLE kepler.hidden_fields (
    workspace_id text NOT NULL DEFAULT kepler.current_workspace_id() REFERENCES kepler.workspaces (id),
    id bigint GENERATED ALWAYS AS IDENTITY,
    entry_table_id text NOT NULL,
    field_name text NOT NULL,
    column_name text NOT NULL,
    version integer NOT NULL,
    hidden_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (workspace_id, id),
    CONSTRAINT hidden_fields_column_name_key UNIQUE (workspace_id, entry_table_id, column_name),
    CONSTRAINT hidden_fields_entry_table_fkey FOREIGN KEY (workspace_id, entry_table_id)
        REFERENCES kepler.entry_tables (workspace_id, id) ON DELETE CASCADE
);

CREATE TRIGGER touch_updated_at BEFORE UPDATE ON kepler.entry_tables
    FOR EACH ROW WHEN (OLD *<> NEW AND OLD.updated_at = NEW.updated_at)
    EXECUTE FUNCTION kepler_internal.touch_updated_at();
CREATE TRIGGER keep_workspace BEFORE UPDATE OF workspace_id ON kepler.entry_tables
    FOR EACH ROW WHEN (OLD.workspace_id <> NEW.workspace_id)
    EXECUTE FUNCTION kepler_internal.refuse_workspace_change();
CREATE TRIGGER touch_updated_at BEFORE UPDATE ON kepler.structures
    FOR EACH ROW WHEN (OLD *<> NEW AND OLD.updated_at = NEW.updated_at)
    EXECUTE FUNCTION kepler_internal.touch_updated_at();
CREATE TRIGGER keep_workspace BEFORE UPDATE OF workspace_id ON kepler.structures
    FOR EACH ROW WHEN (OLD.workspace_id <> NEW.workspace_id)
    EXECUTE FUNCTION kepler_internal.refuse_workspace_change();
CREATE TRIGGER keep_workspace BEFORE UPDATE OF workspace_id ON kepler.hidden_fields
    FOR EACH ROW WHEN (OLD.workspace_id <> NEW.workspace_id)
    EXECUTE FUNCTION kepler_internal.refuse_workspace_change();

-- Each workspace sees and changes its own rows.
ALTER TABLE kepler.entry_tables ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace ON kepler.entry_tables USING (workspace_id = kepler.current_workspace_id());
ALTER TABLE kepler.structures ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace ON kepler.structures USING (workspace_id = kepler.current_workspace_id());
ALTER TABLE kepler.hidden_fields ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace ON kepler.hidden_fields USING (workspace_id = kepler.current_workspace_id());

COMMENT ON TABLE kepler.entry_tables IS 'Tables that users define by structures; each belongs to one workspace';
COMMENT ON COLUMN kepler.entry_tables.workspace_id IS 'Workspace the row belongs to; never changes';
COMMENT ON COLUMN kepler.entry_tables.record_name IS 'Name that users give the table; unique in the workspace among tables that are not dropped';
COMMENT ON COLUMN kepler.entry_tables.number IS 'Number in the name of the table; unique in the database';
COMMENT ON COLUMN kepler.entry_tables.table_name IS 'Name of the table in schema kepler_data';
COMMENT ON COLUMN kepler.entry_tables.version IS 'Current version of the structure';
COMMENT ON COLUMN kepler.entry_tables.dropped_at IS 'When the table was dropped; NULL while it is in use. The entries are kept until purge_entry_table';

COMMENT ON TABLE kepler.structures IS 'Every version of the structure of every entry table';
COMMENT ON COLUMN kepler.structures.workspace_id IS 'Workspace the row belongs to; never changes';
COMMENT ON COLUMN kepler.structures.entry_table_id IS 'Entry table that the structure describes';
COMMENT ON COLUMN kepler.structures.version IS 'Version number, from 1 for each table';
COMMENT ON COLUMN kepler.structures.structure IS 'The document, in normal form';
COMMENT ON COLUMN kepler.structures.plan IS 'The steps that led to this version';
COMMENT ON COLUMN kepler.structures.created_by IS 'Role that created this version';

COMMENT ON TABLE kepler.hidden_fields IS 'Fields that a later version left out; their data is kept until purge_field';
COMMENT ON COLUMN kepler.hidden_fields.workspace_id IS 'Workspace the row belongs to; never changes';
COMMENT ON COLUMN kepler.hidden_fields.entry_table_id IS 'Entry table of the field';
COMMENT ON COLUMN kepler.hidden_fields.field_name IS 'Name of the field before it was hidden';
COMMENT ON COLUMN kepler.hidden_fields.column_name IS 'Column that holds the data';
COMMENT ON COLUMN kepler.hidden_fields.version IS 'Last version of the structure that had the field and its rules';
