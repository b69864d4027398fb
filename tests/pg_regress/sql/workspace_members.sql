-- A role works in the workspaces that it is a member of, and in no other: whatever was set, whoever it becomes, and whatever
-- becomes of it.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
INSERT INTO kepler.workspaces (id, name) VALUES ('acme', 'Acme'), ('beta', 'Beta'), ('gamma', 'Gamma');
INSERT INTO kepler.records (workspace_id, id, entity_type) VALUES ('default', 'd', 't'), ('acme', 'a', 't'), ('beta', 'b', 't');
CREATE ROLE members_one LOGIN;
CREATE ROLE members_two;
CREATE ROLE members_all;
CREATE ROLE members_hand;
CREATE ROLE members_heir IN ROLE members_one, members_two;
CREATE ROLE members_no_heir NOINHERIT;
GRANT members_one TO members_no_heir WITH INHERIT FALSE;
SELECT kepler.grant_access('members_one', 'writer', 'acme');
SELECT kepler.grant_access('members_two', 'reader', 'acme');
SELECT kepler.grant_access('members_two', 'reader', workspace_id => 'beta');
SELECT kepler.grant_access('members_all', 'reader');
GRANT USAGE ON SCHEMA kepler, kepler_internal TO members_hand, members_no_heir;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA kepler TO members_hand, members_no_heir;
GRANT SELECT ON kepler.records TO members_hand, members_no_heir;
SELECT workspace_id, role_name, level, granted_by FROM kepler.workspace_members WHERE role_name LIKE 'members_%' ORDER BY 1, 2;

-- A kept statement follows the role.
PREPARE mine AS SELECT kepler.current_workspace_id(), array(SELECT id FROM kepler.records WHERE entity_type = 't' ORDER BY id);
-- The owner: as ever.
EXECUTE mine;
-- A member of one has nothing to set.
SET ROLE members_one; EXECUTE mine;
-- A member of several has to choose.
SET ROLE members_two; EXECUTE mine;
-- A level in all workspaces; rights by hand: default.
SET ROLE members_all; EXECUTE mine;
SET ROLE members_hand; EXECUTE mine;
-- Membership is inherited as privileges are.
SET ROLE members_heir; EXECUTE mine;
SET ROLE members_no_heir; EXECUTE mine;
RESET ROLE;

-- What a superuser set reaches no workspace that the role is no member of: a pinned role, SET ROLE afterwards.
SET kepler.workspace_id = 'beta';
EXECUTE mine;
SET ROLE members_one; EXECUTE mine;
SELECT * FROM kepler.upsert_record('t', 'x', '{}');
INSERT INTO kepler.records (entity_type) VALUES ('t');
SET ROLE members_two; EXECUTE mine;
SET ROLE members_all; EXECUTE mine;
SET ROLE members_hand; EXECUTE mine;
RESET ROLE;
RESET kepler.workspace_id;

-- Each sees of the lists what concerns its workspace.
SET ROLE members_one;
SELECT id FROM kepler.workspaces;
SELECT workspace_id, role_name FROM kepler.workspace_members ORDER BY 2;
SELECT role_name FROM kepler.access_levels WHERE role_name LIKE 'members_%';
SET ROLE members_all;
SELECT role_name FROM kepler.access_levels WHERE role_name LIKE 'members_%';
-- And writes to none of them.
SET ROLE members_one;
INSERT INTO kepler.workspace_members (workspace_id, role_name, level) VALUES ('beta', 'members_one', 'admin');
UPDATE kepler.workspace_members SET workspace_id = 'beta';
SELECT kepler.grant_access('members_one', 'writer', 'beta');
SELECT kepler.revoke_access('members_one', 'acme');
RESET ROLE;

-- A second level replaces the first one there. The session hears of it at once, and of a rollback.
SELECT kepler.grant_access('members_one', 'reader', 'acme');
SELECT level FROM kepler.workspace_members WHERE role_name = 'members_one';
BEGIN;
SAVEPOINT s;
SELECT kepler.grant_access('members_one', 'reader', 'beta');
SET LOCAL ROLE members_one; EXECUTE mine;
ROLLBACK TO s;
SET LOCAL ROLE members_one; EXECUTE mine;
RESET ROLE;
SELECT kepler.grant_access('members_one', 'reader');
SET LOCAL ROLE members_one; EXECUTE mine;
ROLLBACK;
SET ROLE members_one; EXECUTE mine; RESET ROLE;

-- Revoked in one workspace it keeps the rest; false where it was no member. Then all of it.
SELECT kepler.revoke_access('members_two', 'gamma'), kepler.revoke_access('members_two', 'acme');
SET ROLE members_two; EXECUTE mine; RESET ROLE;
SELECT kepler.revoke_access('members_two', 'beta');
SET ROLE members_two; EXECUTE mine; RESET ROLE;
SELECT kepler.grant_access('members_two', 'reader', 'beta'), kepler.grant_access('members_two', 'worker');
SELECT kepler.revoke_access('members_two'), kepler.revoke_access('members_two');
SELECT count(*) FROM kepler.workspace_members WHERE role_name = 'members_two';
SELECT has_schema_privilege('members_two', 'kepler', 'USAGE'), has_table_privilege('members_two', 'kepler.records', 'SELECT');

-- A role that is renamed stays the member that it was.
ALTER ROLE members_one RENAME TO members_renamed;
SET ROLE members_renamed; EXECUTE mine; RESET ROLE;
-- Another role that comes to a listed name gets nothing: it is where it would be without.
CREATE ROLE members_one;
GRANT USAGE ON SCHEMA kepler TO members_one; GRANT EXECUTE ON FUNCTION kepler.current_workspace_id() TO members_one;
GRANT SELECT ON kepler.records TO members_one;
SET ROLE members_one; EXECUTE mine; RESET ROLE;
SELECT kepler.grant_access('members_one', 'reader', 'gamma');
SET ROLE members_one; EXECUTE mine; SET ROLE members_renamed; EXECUTE mine; RESET ROLE;
-- Two that change names with each other.
ALTER ROLE members_one RENAME TO members_third;
ALTER ROLE members_renamed RENAME TO members_one;
ALTER ROLE members_third RENAME TO members_renamed;
SELECT kepler.grant_access('members_two', 'reader', 'beta');
SELECT workspace_id, role_name FROM kepler.workspace_members ORDER BY 1, 2;
-- Dropped and made again.
DROP OWNED BY members_one; DROP ROLE members_one;
CREATE ROLE members_one IN ROLE members_hand;
SET ROLE members_one; EXECUTE mine; RESET ROLE;
SELECT kepler.revoke_access('members_two', 'beta');
SELECT workspace_id, role_name FROM kepler.workspace_members ORDER BY 1, 2;

-- A row that was written by hand counts by its name, for a role that has the rights of a level.
SELECT kepler.grant_access('members_two', 'reader', 'beta');
INSERT INTO kepler.workspace_members (workspace_id, role_name, level) VALUES ('acme', 'members_two', 'reader'), ('acme', 'members_hand', 'reader');
SET ROLE members_two; EXECUTE mine; SET ROLE members_hand; EXECUTE mine; RESET ROLE;
UPDATE kepler.workspace_members SET level = 'writer' WHERE role_name = 'members_two';
TRUNCATE kepler.workspace_members;
SET ROLE members_two; EXECUTE mine; RESET ROLE;

-- Nor does a membership that is lost lead into the default workspace, whatever the rights on tables that are left.
SELECT has_table_privilege('members_two', 'kepler.records', 'SELECT') AS left_right;
SET ROLE members_two; SELECT kepler.use_workspace('default', false); RESET ROLE;
SELECT kepler.revoke_access('members_two');
SELECT kepler.grant_access('members_two', 'reader', 'beta'), kepler.grant_access('members_two', 'reader');
SELECT kepler.revoke_access('members_two', 'beta');
SET ROLE members_two; EXECUTE mine; RESET ROLE;

-- Arguments.
SELECT kepler.grant_access(NULL, 'reader', 'acme');
SELECT kepler.grant_access('members_two', NULL, 'acme');
SELECT kepler.grant_access('members_two', 'reader', '');
SELECT kepler.grant_access('members_two', 'owner', 'acme');
SELECT kepler.grant_access('members_two', 'reader', 'nowhere');
SELECT kepler.grant_access('members_nobody', 'reader', 'acme');
SELECT kepler.revoke_access(NULL, 'acme');
SELECT kepler.revoke_access('members_two', 'nowhere');

DELETE FROM kepler.records WHERE entity_type = 't';
DELETE FROM kepler.workspace_members;
DROP OWNED BY members_one, members_two, members_all, members_hand, members_heir, members_no_heir, members_renamed;
DROP ROLE members_one, members_two, members_all, members_hand, members_heir, members_no_heir, members_renamed;
DELETE FROM kepler.access_levels WHERE role_name LIKE 'members_%';
DELETE FROM kepler.workspaces WHERE id IN ('acme', 'beta', 'gamma');
