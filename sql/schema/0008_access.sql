-- Who has which level of access: what grant_access gave, so that it can be given on tables that come later.

CREATE TABLE kepler.access_levels (
    role_name text PRIMARY KEY,
    level text NOT NULL,
    granted_by text NOT NULL DEFAULT session_user,
    granted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT access_levels_level_known CHECK (level IN ('reader', 'writer', 'worker', 'admin'))
);

COMMENT ON TABLE kepler.access_levels IS 'Roles of the database that have a level of access; written by grant_access and revoke_access';
COMMENT ON COLUMN kepler.access_levels.role_name IS 'Role that has the level';
COMMENT ON COLUMN kepler.access_levels.level IS 'reader, writer, worker or admin';
COMMENT ON COLUMN kepler.access_levels.granted_by IS 'Role of the session that gave it last';
COMMENT ON COLUMN kepler.access_levels.granted_at IS 'When it was given last';
