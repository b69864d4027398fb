-- What goes, stays or refuses when a row that others refer to is deleted.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
INSERT INTO kepler.workspaces (id, name) VALUES ('keys', 'keys');
SET LOCAL kepler.workspace_id = 'keys';
INSERT INTO kepler.users (id, email) VALUES ('u', 'u@example.com'), ('v', 'v@example.com');
INSERT INTO kepler.connections (id, name, reference_id, user_id) VALUES ('c', 'c', 'r', 'u'), ('d', 'd', 'r', 'v');
INSERT INTO kepler.credentials (id, connection_id, type, secret_ref) VALUES ('k', 'c', 'API_KEY', 'env:KEY'), ('l', 'd', 'API_KEY', 'env:KEY');
SELECT outcome FROM kepler.upsert_records('contact', '[{"external_id": "a", "data": {"v": 1}}]', connection_id => 'c');
SELECT outcome FROM kepler.upsert_records('contact', '[{"external_id": "a", "data": {"v": 2}}]', connection_id => 'd');

-- Deleting a user empties the connection's user, and nothing else.
DELETE FROM kepler.users WHERE id = 'u';
SELECT workspace_id, id, user_id FROM kepler.connections ORDER BY id;

-- Deleting a connection takes its credentials and entities; its records stay, without an entity.
DELETE FROM kepler.connections WHERE id = 'c';
SELECT id FROM kepler.connections WHERE workspace_id = 'keys';
SELECT id FROM kepler.credentials WHERE workspace_id = 'keys';
SELECT connection_id FROM kepler.entities WHERE workspace_id = 'keys';
SELECT workspace_id, entity_id IS NULL AS without_entity, external_id, entity_type, data, updated_at > created_at AS touched
FROM kepler.records WHERE workspace_id = 'keys' ORDER BY data;

-- A new connection begins anew: the old record is not taken up.
INSERT INTO kepler.connections (id, name, reference_id) VALUES ('c', 'c', 'r');
SELECT outcome FROM kepler.upsert_records('contact', '[{"external_id": "a", "data": {"v": 1}}]', connection_id => 'c');

-- Deleting an entity keeps its records as well.
DELETE FROM kepler.entities WHERE connection_id = 'd';
SELECT entity_id IS NULL AS without_entity, data FROM kepler.records WHERE workspace_id = 'keys' ORDER BY data, 1;

-- A workspace that holds anything refuses to go; an empty one goes.
\set VERBOSITY sqlstate
DELETE FROM kepler.workspaces WHERE id = 'keys';
\set VERBOSITY terse
INSERT INTO kepler.workspaces (id, name) VALUES ('empty', 'empty');
DELETE FROM kepler.workspaces WHERE id = 'empty';

-- What is referred to must exist, and in the same workspace.
INSERT INTO kepler.records (entity_type, entity_id) VALUES ('contact', 'none');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
INSERT INTO kepler.records (workspace_id, entity_type, entity_id) SELECT 'default', 'contact', id FROM kepler.entities WHERE workspace_id = 'keys';
INSERT INTO kepler.records (workspace_id, entity_type) VALUES ('nowhere', 'contact');
INSERT INTO kepler.credentials (workspace_id, connection_id, type, secret_ref) VALUES ('default', 'c', 'API_KEY', 'env:KEY');
INSERT INTO kepler.connections (workspace_id, name, reference_id, user_id) VALUES ('default', 'c', 'r', 'v');

-- One each: a user an address, a connection a name, a connection its credentials, a kind of thing its entity.
INSERT INTO kepler.users (email) VALUES ('V@Example.com');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
INSERT INTO kepler.connections (name, reference_id) VALUES ('c', 'r');
INSERT INTO kepler.credentials (connection_id, type, secret_ref) VALUES ('d', 'OAUTH2', 'env:OTHER');
INSERT INTO kepler.entities (type) VALUES ('by hand');
INSERT INTO kepler.entities (type) VALUES ('by hand');

-- Every foreign key, and what it does on delete (a: refuse, c: delete too, n: empty) and on update (a: refuse).
SELECT c.conrelid::regclass AS table, c.conname AS key, c.confrelid::regclass AS refers_to, c.confdeltype AS on_delete, c.confupdtype AS on_update
FROM pg_constraint AS c WHERE c.connamespace = 'kepler'::regnamespace AND c.contype = 'f' ORDER BY c.conrelid::regclass::text, c.conname;
ROLLBACK;
