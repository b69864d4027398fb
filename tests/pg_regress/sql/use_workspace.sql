-- A member of several workspaces chooses one: for a transaction, or for the session. Nobody chooses what is not theirs, and
-- one transaction works in one workspace.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
INSERT INTO kepler.workspaces (id, name) VALUES ('acme', 'Acme'), ('beta', 'Beta'), ('o''k', 'Quoted'), ('gamma', 'Gamma');
CREATE ROLE chooser;
CREATE ROLE chooser_of_all;
SELECT kepler.grant_access('chooser', 'writer', id) FROM kepler.workspaces WHERE id IN ('acme', 'beta', 'o''k') ORDER BY id;
SELECT kepler.grant_access('chooser_of_all', 'reader');
SET ROLE chooser;
SELECT kepler.current_workspace_id();

-- For the transaction. Outside of one nothing would come of it.
SELECT kepler.use_workspace('o''k');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
BEGIN;
SELECT kepler.use_workspace('acme'), kepler.current_workspace_id();
SELECT kepler.current_workspace_id();
INSERT INTO kepler.records (id, entity_type) VALUES ('chosen', 't') RETURNING workspace_id;
COMMIT;
SELECT kepler.current_workspace_id();
-- Several statements in one go are a transaction too, and so is a block of PL/pgSQL.
SELECT kepler.use_workspace('beta') \; SELECT kepler.current_workspace_id();
DO $$ BEGIN PERFORM kepler.use_workspace('beta'); RAISE NOTICE '%', kepler.current_workspace_id(); INSERT INTO kepler.records (id, entity_type) VALUES ('in a block', 't'); END $$;
SELECT kepler.current_workspace_id();

-- For the session, and not if the transaction is rolled back.
SELECT kepler.use_workspace('beta', false);
SELECT kepler.current_workspace_id(), id FROM kepler.records WHERE entity_type = 't';
BEGIN; SELECT kepler.use_workspace('acme', is_local => false); ROLLBACK;
SELECT kepler.current_workspace_id();
SELECT kepler.use_workspace('acme', false);
RESET ALL;
SELECT kepler.current_workspace_id();

-- One transaction works in one workspace, once it has used it.
BEGIN;
SELECT kepler.use_workspace('acme');
SELECT kepler.use_workspace('acme');
SELECT kepler.use_workspace('beta');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
ROLLBACK;
SELECT kepler.use_workspace('beta', false);
BEGIN;
SELECT count(*) FROM kepler.records;
SELECT kepler.use_workspace('acme');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
ROLLBACK;
-- Before it has, the setting of the session gives way.
BEGIN;
SELECT kepler.use_workspace('acme');
SELECT id FROM kepler.records WHERE entity_type = 't';
RESET ALL;
SELECT kepler.use_workspace('beta');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
ROLLBACK;
-- What was chosen behind a savepoint goes with it.
RESET ALL;
BEGIN;
SAVEPOINT a;
SELECT kepler.use_workspace('acme');
ROLLBACK TO a;
SELECT kepler.use_workspace('beta');
SAVEPOINT b;
SAVEPOINT c;
SELECT kepler.current_workspace_id();
ROLLBACK TO b;
SELECT kepler.current_workspace_id();
SELECT kepler.use_workspace('acme');
ROLLBACK;
BEGIN;
SAVEPOINT a;
SELECT kepler.use_workspace('acme');
RELEASE a;
SAVEPOINT b;
SELECT kepler.use_workspace('beta');
ROLLBACK TO b;
SELECT kepler.current_workspace_id();
COMMIT;
DO $$
BEGIN
    BEGIN PERFORM kepler.use_workspace('acme'); RAISE EXCEPTION 'back'; EXCEPTION WHEN raise_exception THEN NULL; END;
    PERFORM kepler.use_workspace('beta');
    BEGIN PERFORM kepler.use_workspace('acme'); EXCEPTION WHEN active_sql_transaction THEN RAISE WARNING '%', SQLERRM; END;
    RAISE WARNING '%', kepler.current_workspace_id();
END $$;

-- What is not theirs is refused, whether it exists or not.
SELECT kepler.use_workspace('gamma', false);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.use_workspace('nowhere', false);
SELECT kepler.use_workspace(NULL);
SELECT kepler.use_workspace('acme', NULL);
SELECT kepler.use_workspace(' ');
-- Nor can it be forged.
SET kepler.workspace_id = 'gamma';
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SET LOCAL kepler.workspace_id = 'beta';
SELECT set_config('kepler.workspace_id', 'beta', false);
ALTER ROLE chooser SET kepler.workspace_id = 'gamma';
CREATE FUNCTION pg_temp.forge() RETURNS text LANGUAGE sql SET kepler.workspace_id = 'gamma' AS 'SELECT kepler.current_workspace_id()';
RESET kepler.workspace_id;
UPDATE pg_settings SET setting = 'gamma' WHERE name = 'kepler.workspace_id';
SELECT kepler.current_workspace_id();

-- Functions with the rights of somebody else work where their caller does.
RESET ROLE;
CREATE FUNCTION lent() RETURNS text LANGUAGE sql SECURITY DEFINER AS $$ SELECT kepler.current_workspace_id() $$;
CREATE FUNCTION lent_choice(id text) RETURNS text LANGUAGE sql SECURITY DEFINER AS $$ SELECT kepler.use_workspace(id, false) $$;
SET ROLE chooser;
SELECT kepler.use_workspace('beta', false);
SELECT lent();
SELECT lent_choice('gamma');
SELECT lent_choice('acme'), lent();

-- A call that names a workspace names the session's.
SELECT outcome FROM kepler.upsert_record('t', 'x', '{}', workspace_id => 'beta');
\echo SQLSTATE :LAST_ERROR_SQLSTATE

-- Whoever may work in all workspaces names one that exists. The owner changes it as often as they like.
SET ROLE chooser_of_all;
SELECT kepler.use_workspace('gamma', false), kepler.current_workspace_id();
SELECT kepler.use_workspace('nowhere', false);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
RESET ROLE;
BEGIN;
SELECT kepler.use_workspace('acme'), kepler.use_workspace('beta');
SELECT kepler.use_workspace('nowhere');
ROLLBACK;
-- A role that has never had anything to do with Kepler.
CREATE ROLE chooser_of_none;
SET ROLE chooser_of_none;
SELECT kepler.use_workspace('acme', false);
RESET ROLE;
RESET ALL;
SET client_min_messages = warning;

DELETE FROM kepler.records WHERE entity_type = 't';
SELECT kepler.revoke_access('chooser'), kepler.revoke_access('chooser_of_all');
DROP FUNCTION lent; DROP FUNCTION lent_choice;
DROP ROLE chooser, chooser_of_all, chooser_of_none;
DELETE FROM kepler.workspaces WHERE id IN ('acme', 'beta', 'gamma', 'o''k');
