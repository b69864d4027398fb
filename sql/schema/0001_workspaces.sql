-- Workspaces and the people in them. In every other table workspace_id leads the keys.

CREATE TABLE kepler.workspaces (
    id text PRIMARY KEY DEFAULT kepler.cuid(),
    name text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    deleting_at timestamptz,
    CONSTRAINT workspaces_id_length CHECK (octet_length(id) BETWEEN 1 AND 128)
);

-- For look-ups by name; names are not unique.
CREATE INDEX workspaces_name_idx ON kepler.workspaces (name);
-- Few at any time: every call asks whether its workspace is one of them.
CREATE INDEX workspaces_deleting_at_idx ON kepler.workspaces (deleting_at) WHERE deleting_at IS NOT NULL;

CREATE TRIGGER touch_updated_at BEFORE UPDATE ON kepler.workspaces
    FOR EACH ROW WHEN (OLD *<> NEW AND OLD.updated_at = NEW.updated_at)
    EXECUTE FUNCTION kepler_internal.touch_updated_at();

-- The workspace of a session that sets none.
INSERT INTO kepler.workspaces (id, name) VALUES ('default', 'default');

CREATE TABLE kepler.users (
    workspace_id text NOT NULL DEFAULT kepler.current_workspace_id() REFERENCES kepler.workspaces (id),
    id text NOT NULL DEFAULT kepler.cuid(),
    email text NOT NULL,
    name text,
    auth_provider text,
    auth_subject text,
    metadata jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (workspace_id, id),
    CONSTRAINT users_id_length CHECK (octet_length(id) BETWEEN 1 AND 128),
    CONSTRAINT users_metadata_object CHECK (jsonb_typeof(metadata) = 'object')
);

-- One account for an address, ignoring case.
CREATE UNIQUE INDEX users_email_key ON kepler.users (workspace_id, kepler.fold(email));
-- A sign-in looks a user up by provider and subject.
CREATE UNIQUE INDEX users_auth_key ON kepler.users (workspace_id, auth_provider, auth_subject);

CREATE TRIGGER touch_updated_at BEFORE UPDATE ON kepler.users
    FOR EACH ROW WHEN (OLD *<> NEW AND OLD.updated_at = NEW.updated_at)
    EXECUTE FUNCTION kepler_internal.touch_updated_at();
CREATE TRIGGER keep_workspace BEFORE UPDATE OF workspace_id ON kepler.users
    FOR EACH ROW WHEN (OLD.workspace_id <> NEW.workspace_id)
    EXECUTE FUNCTION kepler_internal.refuse_workspace_change();

-- Triggers and not CHECKs, whose error would show the row and the secret in it.
CREATE TRIGGER zz_guard_secrets BEFORE INSERT OR UPDATE ON kepler.users
    FOR EACH ROW EXECUTE FUNCTION kepler_internal.guard_secrets('metadata', 'refuse');

-- Before the checks of foreign keys are planned, for the rest of the session.
CREATE TRIGGER load_library BEFORE DELETE ON kepler.users
    FOR EACH STATEMENT EXECUTE FUNCTION kepler_internal.load_library();

-- Each workspace sees and changes its own rows.
ALTER TABLE kepler.users ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace ON kepler.users USING (workspace_id = kepler.current_workspace_id());

COMMENT ON TABLE kepler.workspaces IS 'Tenants; every row of every other table belongs to one workspace';
COMMENT ON COLUMN kepler.workspaces.name IS 'Display name; need not be unique';
COMMENT ON COLUMN kepler.workspaces.deleting_at IS 'When delete_workspace began to delete it; functions refuse to work in it from then on. NULL otherwise';

COMMENT ON TABLE kepler.users IS 'People (or services) on whose behalf an application works';
COMMENT ON COLUMN kepler.users.workspace_id IS 'Workspace the row belongs to; never changes';
COMMENT ON COLUMN kepler.users.email IS 'Email address; unique in the workspace, ignoring case (kepler.fold)';
COMMENT ON COLUMN kepler.users.auth_provider IS 'Identity provider of the user, for example google; never a secret';
COMMENT ON COLUMN kepler.users.auth_subject IS 'Identifier of the user at the identity provider; never a secret';
COMMENT ON COLUMN kepler.users.metadata IS 'Account metadata, a JSON object; a secret in it is refused';
