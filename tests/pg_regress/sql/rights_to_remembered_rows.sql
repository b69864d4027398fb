-- What a role may read is looked at once, and again as soon as anything about it has changed: rights, policies, the role itself,
-- the workspace. What a session remembers of a row is no answer for who may no longer read it.
\set VERBOSITY terse
\set SHOW_CONTEXT never
SET client_min_messages = warning;
INSERT INTO kepler.workspaces (id, name) VALUES ('remembered', 'Remembered');
CREATE ROLE remembers;
CREATE ROLE reads_nothing;
SELECT kepler.grant_access('remembers', 'writer', 'default'), kepler.grant_access('remembers', 'writer', 'remembered');
CREATE FUNCTION pg_temp.put() RETURNS text LANGUAGE sql AS $$ SELECT outcome FROM kepler.upsert_record('kept', 'a', '{"v": 1}') $$;
GRANT reads_nothing TO remembers;
SET ROLE remembers;
SELECT kepler.use_workspace('default', false);
SELECT pg_temp.put(), pg_temp.put(), pg_temp.put();

-- Without the right to read entities; a rollback gives it back.
BEGIN;
SELECT pg_temp.put();
SAVEPOINT before;
RESET ROLE;
REVOKE SELECT ON kepler.entities FROM remembers;
SET ROLE remembers;
SELECT pg_temp.put();
\echo SQLSTATE :LAST_ERROR_SQLSTATE
ROLLBACK TO before;
SELECT pg_temp.put();
COMMIT;
RESET ROLE;
REVOKE SELECT ON kepler.entities FROM remembers;
SET ROLE remembers;
SELECT pg_temp.put();
\echo SQLSTATE :LAST_ERROR_SQLSTATE
RESET ROLE;
GRANT SELECT ON kepler.entities TO remembers;
SET ROLE remembers;
SELECT pg_temp.put();

-- With a policy of somebody's own, which hides the entity: nobody but Postgres can tell what the role sees.
RESET ROLE;
CREATE POLICY hides ON kepler.entities AS RESTRICTIVE USING (type <> 'kept');
SET ROLE remembers;
SELECT pg_temp.put();
\echo SQLSTATE :LAST_ERROR_SQLSTATE
RESET ROLE;
DROP POLICY hides ON kepler.entities;
SET ROLE remembers;
SELECT pg_temp.put();

-- As another role, and as itself again.
SET ROLE reads_nothing;
SELECT pg_temp.put();
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SET ROLE remembers;
SELECT pg_temp.put();

-- In another workspace, and back; and when it is no member there any longer.
SELECT kepler.use_workspace('remembered', false);
SELECT pg_temp.put(), pg_temp.put();
SELECT kepler.use_workspace('default', false);
SELECT pg_temp.put();
RESET ROLE;
SELECT kepler.revoke_access('remembers', workspace_id => 'default');
SET ROLE remembers;
SELECT pg_temp.put();
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.current_workspace_id();
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.use_workspace('remembered', false);
SELECT pg_temp.put(), kepler.current_workspace_id();

-- A statement that goes on after a savepoint was rolled back, in which the session chose another workspace.
RESET ROLE;
SELECT kepler.grant_access('remembers', 'writer', 'default');
SET ROLE remembers;
BEGIN;
SAVEPOINT before;
SELECT kepler.use_workspace('default');
SELECT kepler.current_workspace_id();
ROLLBACK TO before;
SELECT kepler.current_workspace_id();
SELECT kepler.use_workspace('default');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
ROLLBACK;

RESET ROLE;
SELECT kepler.revoke_access('remembers');
DROP OWNED BY remembers, reads_nothing;
DROP ROLE remembers, reads_nothing;
DELETE FROM kepler.records WHERE entity_type = 'kept';
DELETE FROM kepler.entities WHERE type = 'kept';
DELETE FROM kepler.workspaces WHERE id = 'remembered';
