-- Application models: which blueprints were applied, each version of their documents, and which tables and types are theirs.
--
-- They belong to the database. Only the owner's functions write here: whoever could name a table here could have it changed or
-- dropped with the rights of the owner.

CREATE TABLE kepler.blueprints (
    name text PRIMARY KEY,
    workspace_id text REFERENCES kepler.workspaces (id),
    version integer NOT NULL DEFAULT 0,
    pending_version integer,
    schemas text[] NOT NULL DEFAULT '{}',
    made_schemas text[] NOT NULL DEFAULT '{}',
    deferred jsonb NOT NULL DEFAULT '[]',
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT blueprints_name_form CHECK (name ~ '^[a-z][a-z0-9_]*$' AND octet_length(name) <= 48),
    CONSTRAINT blueprints_version_positive CHECK (version >= 0),
    CONSTRAINT blueprints_pending_version_next CHECK (pending_version > version),
    CONSTRAINT blueprints_deferred_array CHECK (jsonb_typeof(deferred) = 'array')
);

-- A document is kept as json and not as jsonb: the order of its keys is the author's.
CREATE TABLE kepler.blueprint_versions (
    blueprint_name text NOT NULL,
    version integer NOT NULL,
    document json NOT NULL,
    document_version integer,
    plan jsonb NOT NULL DEFAULT '[]',
    printed jsonb NOT NULL DEFAULT '{}',
    renames jsonb NOT NULL DEFAULT '{}',
    created_by text NOT NULL DEFAULT session_user,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    applied_at timestamptz,
    PRIMARY KEY (blueprint_name, version),
    CONSTRAINT blueprint_versions_blueprint_fkey FOREIGN KEY (blueprint_name)
        REFERENCES kepler.blueprints (name) ON DELETE CASCADE,
    CONSTRAINT blueprint_versions_version_positive CHECK (version > 0),
    CONSTRAINT blueprint_versions_document_object CHECK (json_typeof(document) = 'object'),
    CONSTRAINT blueprint_versions_plan_array CHECK (jsonb_typeof(plan) = 'array'),
    CONSTRAINT blueprint_versions_printed_object CHECK (jsonb_typeof(printed) = 'object'),
    CONSTRAINT blueprint_versions_renames_object CHECK (jsonb_typeof(renames) = 'object')
);

CREATE TABLE kepler.blueprint_tables (
    schema_name text NOT NULL,
    table_name text NOT NULL,
    blueprint_name text NOT NULL,
    name text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (schema_name, table_name),
    CONSTRAINT blueprint_tables_blueprint_fkey FOREIGN KEY (blueprint_name)
        REFERENCES kepler.blueprints (name) ON DELETE CASCADE
);
CREATE INDEX blueprint_tables_blueprint_name_idx ON kepler.blueprint_tables (blueprint_name);

CREATE TABLE kepler.blueprint_enums (
    schema_name text NOT NULL,
    type_name text NOT NULL,
    blueprint_name text NOT NULL,
    name text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (schema_name, type_name),
    CONSTRAINT blueprint_enums_blueprint_fkey FOREIGN KEY (blueprint_name)
        REFERENCES kepler.blueprints (name) ON DELETE CASCADE
);
CREATE INDEX blueprint_enums_blueprint_name_idx ON kepler.blueprint_enums (blueprint_name);
CREATE INDEX blueprints_workspace_id_idx ON kepler.blueprints (workspace_id);

CREATE TRIGGER touch_updated_at BEFORE UPDATE ON kepler.blueprints
    FOR EACH ROW WHEN (OLD *<> NEW AND OLD.updated_at = NEW.updated_at)
    EXECUTE FUNCTION kepler_internal.touch_updated_at();

-- Each workspace sees its own, and those that belong to none.
ALTER TABLE kepler.blueprints ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace ON kepler.blueprints FOR SELECT
    USING (COALESCE(workspace_id, kepler.current_workspace_id()) = kepler.current_workspace_id());
ALTER TABLE kepler.blueprint_versions ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace ON kepler.blueprint_versions USING (kepler_internal.sees_blueprint(blueprint_name));
ALTER TABLE kepler.blueprint_tables ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace ON kepler.blueprint_tables USING (kepler_internal.sees_blueprint(blueprint_name));
ALTER TABLE kepler.blueprint_enums ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace ON kepler.blueprint_enums USING (kepler_internal.sees_blueprint(blueprint_name));

COMMENT ON TABLE kepler.blueprints IS 'Application models that apply_blueprint made; only Kepler''s functions write here';
COMMENT ON COLUMN kepler.blueprints.name IS 'Name that the document gives the blueprint; unique in the database';
COMMENT ON COLUMN kepler.blueprints.workspace_id IS 'Workspace that all rows of the tables belong to, if the tenancy is workspace; NULL otherwise';
COMMENT ON COLUMN kepler.blueprints.version IS 'Last version that was applied; 0 while the first is under way';
COMMENT ON COLUMN kepler.blueprints.pending_version IS 'Version that apply_blueprint_online has begun and not finished; NULL if there is none';
COMMENT ON COLUMN kepler.blueprints.schemas IS 'SQL schemas that the tables and types are in';
COMMENT ON COLUMN kepler.blueprints.made_schemas IS 'Those of them that the blueprint created: a table there that the document does not name is drift';
COMMENT ON COLUMN kepler.blueprints.deferred IS 'Indexes that are to be built by statements of their own: for each its schema, table, name and statement';

COMMENT ON TABLE kepler.blueprint_versions IS 'Every version of every blueprint, with the plan that led to it';
COMMENT ON COLUMN kepler.blueprint_versions.blueprint_name IS 'Blueprint that the version is of';
COMMENT ON COLUMN kepler.blueprint_versions.version IS 'Version number, from 1 for each blueprint';
COMMENT ON COLUMN kepler.blueprint_versions.document IS 'The document, in normal form';
COMMENT ON COLUMN kepler.blueprint_versions.document_version IS 'Number that the document gives itself as its version';
COMMENT ON COLUMN kepler.blueprint_versions.plan IS 'The steps that led to this version';
COMMENT ON COLUMN kepler.blueprint_versions.printed IS 'How Postgres prints SQL expressions of the document that were trusted, by table and expression';
COMMENT ON COLUMN kepler.blueprint_versions.renames IS 'What the document renamed: a document that goes back while the version is under way cannot tell it';
COMMENT ON COLUMN kepler.blueprint_versions.created_by IS 'Role of the session that applied this version';
COMMENT ON COLUMN kepler.blueprint_versions.applied_at IS 'When the version was reached; NULL while it is under way';

COMMENT ON TABLE kepler.blueprint_tables IS 'The tables of each blueprint; no table belongs to two';
COMMENT ON COLUMN kepler.blueprint_tables.schema_name IS 'SQL schema of the table';
COMMENT ON COLUMN kepler.blueprint_tables.table_name IS 'SQL name of the table';
COMMENT ON COLUMN kepler.blueprint_tables.blueprint_name IS 'Blueprint that the table belongs to';
COMMENT ON COLUMN kepler.blueprint_tables.name IS 'Name of the table in the document';

COMMENT ON TABLE kepler.blueprint_enums IS 'The enum types of each blueprint; no type belongs to two';
COMMENT ON COLUMN kepler.blueprint_enums.schema_name IS 'SQL schema of the type';
COMMENT ON COLUMN kepler.blueprint_enums.type_name IS 'SQL name of the type';
COMMENT ON COLUMN kepler.blueprint_enums.blueprint_name IS 'Blueprint that the type belongs to';
COMMENT ON COLUMN kepler.blueprint_enums.name IS 'Name of the enum in the document';
