-- The levels of access of each role, as grant_access gave them: in all workspaces, and in one. install() grants them on later
-- tables too, and kepler.current_workspace_id() reads where a role may work.
--
-- Only grant_access and revoke_access write here. granted_to keeps a role apart from another one that comes to its name.

CREATE TABLE kepler.access_levels (
    role_name text PRIMARY KEY,
    level text NOT NULL,
    granted_by text NOT NULL DEFAULT session_user,
    granted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    granted_to text,
    CONSTRAINT access_levels_level_known CHECK (level IN ('reader', 'writer', 'worker', 'admin'))
);
CREATE INDEX access_levels_granted_to_idx ON kepler.access_levels (granted_to);

CREATE TABLE kepler.workspace_members (
    workspace_id text NOT NULL DEFAULT kepler.current_workspace_id() REFERENCES kepler.workspaces (id),
    role_name text NOT NULL,
    level text NOT NULL,
    granted_by text NOT NULL DEFAULT session_user,
    granted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    granted_to text,
    PRIMARY KEY (workspace_id, role_name),
    CONSTRAINT workspace_members_level_known CHECK (level IN ('reader', 'writer', 'worker', 'admin'))
);
-- A session looks its role's memberships up.
CREATE INDEX workspace_members_granted_to_idx ON kepler.workspace_members (granted_to);
CREATE INDEX workspace_members_role_name_idx ON kepler.workspace_members (role_name);

CREATE TRIGGER keep_workspace BEFORE UPDATE OF workspace_id ON kepler.workspace_members
    FOR EACH ROW WHEN (OLD.workspace_id <> NEW.workspace_id)
    EXECUTE FUNCTION kepler_internal.refuse_workspace_change();

-- Sessions remember the levels of their roles. A replica or a restore that fires no other triggers fires these.
CREATE TRIGGER announce AFTER INSERT OR UPDATE OR DELETE ON kepler.access_levels
    FOR EACH ROW EXECUTE FUNCTION kepler_internal.tell_sessions();
CREATE TRIGGER announce_truncated AFTER TRUNCATE ON kepler.access_levels
    FOR EACH STATEMENT EXECUTE FUNCTION kepler_internal.tell_sessions();
CREATE TRIGGER announce AFTER INSERT OR UPDATE OR DELETE ON kepler.workspace_members
    FOR EACH ROW EXECUTE FUNCTION kepler_internal.tell_sessions();
CREATE TRIGGER announce_truncated AFTER TRUNCATE ON kepler.workspace_members
    FOR EACH STATEMENT EXECUTE FUNCTION kepler_internal.tell_sessions();
ALTER TABLE kepler.access_levels ENABLE ALWAYS TRIGGER announce;
ALTER TABLE kepler.access_levels ENABLE ALWAYS TRIGGER announce_truncated;
ALTER TABLE kepler.workspace_members ENABLE ALWAYS TRIGGER announce;
ALTER TABLE kepler.workspace_members ENABLE ALWAYS TRIGGER announce_truncated;

COMMENT ON TABLE kepler.access_levels IS 'Database roles with a level of access in all workspaces; grant_access and revoke_access write it';
COMMENT ON COLUMN kepler.access_levels.role_name IS 'Role with the level';
COMMENT ON COLUMN kepler.access_levels.level IS 'reader, writer, worker or admin';
COMMENT ON COLUMN kepler.access_levels.granted_by IS 'Role of the session that last granted the level';
COMMENT ON COLUMN kepler.access_levels.granted_at IS 'When the level was last granted';
COMMENT ON COLUMN kepler.access_levels.granted_to IS 'The role that was meant, as the number of the cluster and its oid; another role that comes to the name does not get the level';

COMMENT ON TABLE kepler.workspace_members IS 'Database roles with a level of access in one workspace; grant_access and revoke_access write it';
COMMENT ON COLUMN kepler.workspace_members.workspace_id IS 'Workspace in which the role has the level';
COMMENT ON COLUMN kepler.workspace_members.role_name IS 'Role with the level';
COMMENT ON COLUMN kepler.workspace_members.level IS 'reader, writer, worker or admin';
COMMENT ON COLUMN kepler.workspace_members.granted_by IS 'Role of the session that last granted the level';
COMMENT ON COLUMN kepler.workspace_members.granted_at IS 'When the level was last granted';
COMMENT ON COLUMN kepler.workspace_members.granted_to IS 'The role that was meant, as the number of the cluster and its oid; another role that comes to the name does not get the level';

-- The list of workspaces has no column workspace_id: each sees its own.
ALTER TABLE kepler.workspaces ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace ON kepler.workspaces USING (id = kepler.current_workspace_id());
ALTER TABLE kepler.workspace_members ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace ON kepler.workspace_members USING (workspace_id = kepler.current_workspace_id());
-- Who may work in all workspaces is nothing to others: a role sees its own level, if it has one.
ALTER TABLE kepler.access_levels ENABLE ROW LEVEL SECURITY;
CREATE POLICY workspace ON kepler.access_levels USING (kepler_internal.sees_level(role_name));
