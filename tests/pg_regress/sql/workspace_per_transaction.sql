-- kepler.workspace_per_transaction, for roles whose clients share connections through a pooler: a workspace is chosen for a
-- transaction only, so that the next client never finds it.
\set SHOW_CONTEXT never
\set VERBOSITY default
SET client_min_messages = warning;
CREATE ROLE pooled_role;
INSERT INTO kepler.workspaces (id, name) VALUES ('ws_a', 'a'), ('ws_b', 'b');
SELECT kepler.grant_access('pooled_role', 'writer', 'ws_a');
SELECT kepler.grant_access('pooled_role', 'writer', 'ws_b');
SET kepler.workspace_per_transaction = on;
SET ROLE pooled_role;

-- The hints name no way that is closed.
SELECT count(*) FROM kepler.records;
SELECT kepler.use_workspace('ws_a');
-- For the session: refused, in a transaction as well, and nothing is set.
SELECT kepler.use_workspace('ws_a', is_local => false);
BEGIN;
SELECT kepler.use_workspace('ws_a', false);
ROLLBACK;
SELECT count(*) FROM kepler.records;
-- For a transaction: as always.
BEGIN;
SELECT kepler.use_workspace('ws_a');
SELECT kepler.current_workspace_id(), count(*) FROM kepler.records;
COMMIT;
SELECT kepler.current_workspace_id();

-- The role cannot open what a superuser closed.
SET kepler.workspace_per_transaction = off;
SELECT set_config('kepler.workspace_per_transaction', 'off', false);
SELECT kepler.use_workspace('ws_a', false);
RESET ROLE;
RESET kepler.workspace_per_transaction;

-- Off, as it is by itself.
SET ROLE pooled_role;
SELECT kepler.use_workspace('ws_a', false);
SELECT kepler.current_workspace_id();
RESET ROLE;
RESET kepler.workspace_id;
SELECT kepler.revoke_access('pooled_role');
DROP ROLE pooled_role;
DELETE FROM kepler.workspaces WHERE id IN ('ws_a', 'ws_b');
RESET client_min_messages;
