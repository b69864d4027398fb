-- A statement keeps to the workspace in which its rights were looked at, whatever becomes of the role and of its settings meanwhile.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
INSERT INTO kepler.workspaces (id, name) VALUES ('acme', 'Acme'), ('beta', 'Beta');
INSERT INTO kepler.records (workspace_id, id, entity_type) VALUES ('default', 'd', 't'), ('acme', 'a', 't'), ('beta', 'b', 't');
CREATE ROLE nobody_of_kepler;
CREATE ROLE by_hand;
CREATE ROLE writes_acme;
CREATE ROLE reads_beta;
CREATE ROLE everywhere;
CREATE ROLE several;
CREATE ROLE takes_turns;
SELECT kepler.grant_access('writes_acme', 'writer', 'acme'), kepler.grant_access('reads_beta', 'reader', 'beta'),
    kepler.grant_access('everywhere', 'reader'), kepler.grant_access('everywhere', 'writer', 'acme'),
    kepler.grant_access('several', 'writer', 'acme'), kepler.grant_access('several', 'writer', 'default');
GRANT nobody_of_kepler, by_hand TO writes_acme;
GRANT writes_acme, reads_beta, several TO takes_turns WITH INHERIT FALSE;
GRANT USAGE ON SCHEMA kepler TO by_hand;
GRANT EXECUTE ON FUNCTION kepler.current_workspace_id() TO by_hand;
GRANT SELECT ON kepler.records TO by_hand;
CREATE SCHEMA hops;
GRANT USAGE ON SCHEMA hops TO PUBLIC;
CREATE FUNCTION hops.hop(role text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN EXECUTE format('SET LOCAL ROLE %I', role); RETURN 'hopped'; END $$;
CREATE FUNCTION hops.reset() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RESET ALL; RETURN 'reset'; END $$;

-- A role without any right works nowhere: a cursor that another role has opened gives it nothing.
SET SESSION AUTHORIZATION writes_acme;
BEGIN;
DECLARE c CURSOR FOR SELECT workspace_id, id FROM kepler.records WHERE entity_type = 't';
SET LOCAL ROLE nobody_of_kepler;
FETCH ALL c;
\echo SQLSTATE :LAST_ERROR_SQLSTATE
ROLLBACK;
INSERT INTO kepler.records (entity_type, external_id) SELECT 't', hops.hop('nobody_of_kepler');
\echo SQLSTATE :LAST_ERROR_SQLSTATE

-- Rights that were granted by hand are of another workspace.
BEGIN;
DECLARE c CURSOR FOR SELECT workspace_id, id FROM kepler.records WHERE entity_type = 't';
SET LOCAL ROLE by_hand;
FETCH ALL c;
\echo SQLSTATE :LAST_ERROR_SQLSTATE
ROLLBACK;
INSERT INTO kepler.records (entity_type, external_id) SELECT 't', hops.hop('by_hand');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SET ROLE by_hand;
SELECT workspace_id, id FROM kepler.records WHERE entity_type = 't';

-- A login that takes turns reads in each role what that role may.
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION takes_turns;
SET ROLE writes_acme;
BEGIN;
DECLARE c CURSOR FOR SELECT * FROM kepler.credentials;
SET ROLE reads_beta;
FETCH ALL c;
\echo SQLSTATE :LAST_ERROR_SQLSTATE
ROLLBACK;
-- One that has chosen no workspace opens no cursor, and a statement that it has begun goes on in none.
SET ROLE several;
DECLARE c CURSOR WITH HOLD FOR SELECT * FROM kepler.credentials;
\echo SQLSTATE :LAST_ERROR_SQLSTATE
INSERT INTO kepler.users (email) SELECT 'x@example.com' || hops.hop('reads_beta');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
-- In transactions of their own, and after what was done as another role was rolled back.
SET ROLE writes_acme;
SELECT id FROM kepler.records WHERE entity_type = 't';
SET ROLE reads_beta;
BEGIN;
SAVEPOINT s;
SELECT id FROM kepler.records WHERE entity_type = 't';
ROLLBACK TO s;
SET LOCAL ROLE writes_acme;
SELECT id FROM kepler.records WHERE entity_type = 't';
COMMIT;
RESET SESSION AUTHORIZATION;

-- RESET leads into no other workspace inside of a statement, or of a transaction.
SET SESSION AUTHORIZATION everywhere;
SELECT kepler.use_workspace('acme', false);
INSERT INTO kepler.users (email) SELECT 'x@example.com' || hops.reset();
\echo SQLSTATE :LAST_ERROR_SQLSTATE
BEGIN;
SELECT workspace_id, id FROM kepler.records WHERE entity_type = 't';
RESET ALL;
SELECT workspace_id, id FROM kepler.records WHERE entity_type = 't';
\echo SQLSTATE :LAST_ERROR_SQLSTATE
ROLLBACK;
-- Lists of where a role may work bind nobody.
SELECT kepler.use_workspace('beta', false);
BEGIN;
SELECT workspace_id, level FROM kepler.workspace_members WHERE role_name = 'everywhere';
ROLLBACK;

-- A session of the owner of Kepler's tables goes where it likes, whatever role it has taken.
RESET SESSION AUTHORIZATION;
BEGIN;
SELECT kepler.use_workspace('acme'), kepler.current_workspace_id();
SELECT kepler.use_workspace('beta'), kepler.current_workspace_id();
SET LOCAL ROLE writes_acme;
SELECT kepler.use_workspace('acme'), kepler.current_workspace_id();
COMMIT;

-- A right that is missing is named for the workspace, also before it was asked for; and a role that is none is named as such.
\c
SET SESSION AUTHORIZATION writes_acme;
DELETE FROM kepler.workspaces;
RESET SESSION AUTHORIZATION;
SELECT kepler.grant_access(0::regrole, 'reader');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.revoke_access('-'::regrole);
\echo SQLSTATE :LAST_ERROR_SQLSTATE

RESET ALL;
SET client_min_messages = warning;
SELECT workspace_id, id FROM kepler.records WHERE entity_type = 't' ORDER BY id;
SELECT count(*) FROM kepler.users WHERE email LIKE 'x@%';
DROP SCHEMA hops CASCADE;
DELETE FROM kepler.records WHERE entity_type = 't';
SELECT kepler.revoke_access(r) FROM unnest('{writes_acme,reads_beta,everywhere,several,by_hand}'::regrole[]) AS r;
DROP ROLE takes_turns, nobody_of_kepler, by_hand, writes_acme, reads_beta, everywhere, several;
DELETE FROM kepler.entities WHERE workspace_id IN ('acme', 'beta');
DELETE FROM kepler.workspaces WHERE id IN ('acme', 'beta');
