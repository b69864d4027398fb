-- The level of access of each role, as grant_access gave it, so that install() can grant it on later tables too.

CREATE TABLE kepler.access_levels (
    role_name text PRIMARY KEY,
    level text NOT NULL,
    granted_by text NOT NULL DEFAULT session_user,
    granted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT access_levels_level_known CHECK (level IN ('reader', 'writer', 'worker', 'admin'))
);

COMMENT ON TABLE kepler.access_levels IS 'Database roles with a level of access; grant_access and revoke_access write it';
COMMENT ON COLUMN kepler.access_levels.role_name IS 'Role with the level';
COMMENT ON COLUMN kepler.access_levels.level IS 'reader, writer, worker or admin';
COMMENT ON COLUMN kepler.access_levels.granted_by IS 'Role of the session that last granted the level';
COMMENT ON COLUMN kepler.access_levels.granted_at IS 'When the level was last granted';
