-- No secret is stored by accident: connections, users, entities, workflows, conversations, messages, memories and their metadata refuse what
-- is one by the name of its key or by its looks. Where it stands is said, and what kind it is; never the value. Tokens are put
-- together here, so that nobody takes this file for a leak.
\set SHOW_CONTEXT always
\set VERBOSITY default
\set ON_ERROR_ROLLBACK on
BEGIN;
SELECT 'ghp' || '_' || 'q8Zr2LmN5tYx0KpWb7Cd3EfGh1JkMnPqRsTu' AS github, 'sk' || '_live_' || 'q8Zr2LmN5tYx0KpWb7Cd' AS stripe \gset
\set ok '{"page_token": "q8Zr2LmN5tYx0KpWb7Cd3EfGh1JkMnPq", "password": "vault:team/db", "api_key": "${API_KEY}", "url": "postgres://db/app"}'

-- Connections: by key, by shape, at any depth, in lists of names and values, in keys.
INSERT INTO kepler.connections (id, name, reference_id, secret_ref, sync_config, metadata) VALUES ('c', 'crm', 'crm', 'vault:team/crm', :'ok', :'ok');
UPDATE kepler.connections SET sync_config = '{"auth": {"clientSecret": "q8Zr2LmN5tYx0K"}}' WHERE id = 'c';
UPDATE kepler.connections SET sync_config = jsonb_build_object('steps', jsonb_build_array(1, jsonb_build_object('run', 'curl -H ''Authorization: Bearer ' || :'github' || ''' x'))) WHERE id = 'c';
UPDATE kepler.connections SET metadata = '{"headers": [{"name": "Accept", "value": "*/*"}, {"name": "X-Api-Key", "value": "abcd1234efgh"}]}' WHERE id = 'c';
UPDATE kepler.connections SET metadata = jsonb_build_object(:'github', 1) WHERE id = 'c';
UPDATE kepler.connections SET metadata = '{"db": "postgres://app:hunter2@db/app"}' WHERE id = 'c';
UPDATE kepler.connections SET secret_ref = 'hunter2' WHERE id = 'c';
UPDATE kepler.connections SET secret_ref = :'stripe' WHERE id = 'c';
INSERT INTO kepler.credentials (connection_id, type, secret_ref) VALUES ('c', 'API_KEY', 'postgres://app:hunter2@db');
-- Errors that are noted must be noted.
UPDATE kepler.connections SET issues = ARRAY['401 for https://bot:hunter2@example.org', 'other', NULL] WHERE id = 'c' RETURNING issues;
-- What has no form of its own is told by the name that it is given: lines of variables and of configuration, headers, code, URLs,
-- arguments; numbers and base64 under the names of passwords. What finds a page or a sync stays.
UPDATE kepler.connections SET metadata = jsonb_build_object('env', E'A=1\nDB_PASSWORD=hunter2\n') WHERE id = 'c';
UPDATE kepler.connections SET metadata = jsonb_build_object('run', 'curl -H ''X-Api-Key: abcd1234efgh'' -u bob:hunter2 https://example.com') WHERE id = 'c';
UPDATE kepler.connections SET metadata = jsonb_build_object('code', 'const apiKey = "abcd1234efgh";') WHERE id = 'c';
UPDATE kepler.connections SET metadata = jsonb_build_object('url', 'https://example.com/hook?token=q8Zr2LmN5tYx0KpWb7Cd3EfG') WHERE id = 'c';
UPDATE kepler.connections SET metadata = jsonb_build_object('url', 'cache:6380,password=q8Zr2LmN5tYx0K=,ssl=True') WHERE id = 'c';
UPDATE kepler.connections SET metadata = jsonb_build_object('url', 'jdbc:oracle:thin:scott/t1ger@db:1521:orcl') WHERE id = 'c';
UPDATE kepler.connections SET metadata = '{"password": 12345678}' WHERE id = 'c';
UPDATE kepler.connections SET metadata = jsonb_build_object('auths', jsonb_build_object('registry', jsonb_build_object('auth', encode('bob:hunter2', 'base64')))) WHERE id = 'c';
UPDATE kepler.connections SET metadata = '{"next": "https://example.com/items?token=eyJpZCI6MTIzNDU2fQ", "sync": "sync-token: q8Zr2LmN5tYx0KpWb7Cd3EfG", "page": "?page_token=q8Zr2LmN5tYx0KpWb7Cd3EfG", "min_password": 8, "password": 1, "auth": "oauth2", "env": "CACHE_KEY=q8Zr2LmN5tYx0KpWb7Cd3EfG"}' WHERE id = 'c';
-- Users, entities, workflows, conversations, runs.
INSERT INTO kepler.users (email, metadata) VALUES ('a@example.com', '{"password": "hunter2"}');
INSERT INTO kepler.users (email, metadata) VALUES ('a@example.com', '{"password_hash": "x", "password_changed_at": "2026-01-01"}');
INSERT INTO kepler.entities (id, connection_id, type, properties) VALUES ('e', 'c', 'Account', '{"refreshToken": "q8Zr2LmN5tYx0KpWb7Cd"}');
INSERT INTO kepler.entities (id, connection_id, type, properties) VALUES ('e', 'c', 'Account', '{"cursor": "q8Zr2LmN5tYx0KpWb7Cd3EfGh1JkMnPq"}');
INSERT INTO kepler.workflows (id, name, actions) VALUES ('w', 'w', jsonb_build_array(jsonb_build_object('type', 'http', 'url', 'https://api.example.org/?access_token=' || md5('1') || md5('2'))));
INSERT INTO kepler.workflows (id, name, actions) VALUES ('w', 'w', '[{"type": "http", "headers": {"Authorization": "Bearer {{secrets.crm}}"}}]');
INSERT INTO kepler.conversations (id, title, metadata) VALUES ('v', 'my key is ' || :'github', '{}');
INSERT INTO kepler.conversations (id, title, metadata) VALUES ('v', 'A talk about keys', '{}');

-- A batch: the bad element's answer, never the batch's.
SELECT ordinal, outcome, error_code, error FROM kepler.add_messages('v', json_build_array(
    json_build_object('role', 'user', 'content', 'how do I make a GitHub token?'),
    json_build_object('role', 'user', 'content', 'use ' || :'github'),
    json_build_object('role', 'tool', 'content', '{"config": {"apiKey": "abcd1234efgh"}}'),
    json_build_object('role', 'assistant', 'content', 'done', 'metadata', json_build_object('headers', json_build_array(json_build_object('cookie', 'session=q8Zr2LmN5tYx0KpWb7Cd')))),
    json_build_object('role', 'assistant', 'content', 'a key begins with -----BEGIN PRIVATE KEY-----'))::text);
SELECT * FROM kepler.add_message('v', 'user', 'use ' || :'stripe');
SELECT ordinal, outcome, error_code, error FROM kepler.remember_many(json_build_array(
    json_build_object('content', 'likes tea'), json_build_object('content', 'token is ' || :'github'),
    json_build_object('content', json_build_object('password', 'hunter2')), json_build_object('content', 'x', 'metadata', json_build_object('secret', 'q8Zr2LmN5t')))::text);
SELECT outcome FROM kepler.remember('the key is ' || :'stripe');
SELECT content FROM kepler.messages ORDER BY number;
SELECT content FROM kepler.memories ORDER BY content;
-- Direct SQL is guarded as well.
INSERT INTO kepler.messages (conversation_id, role, content) VALUES ('v', 'user', 'use ' || :'github');
INSERT INTO kepler.memories (content) VALUES ('use ' || :'github');
UPDATE kepler.memories SET content = 'use ' || :'github';
COPY kepler.memories (content) FROM stdin;
postgres://app:hunter2@db/app
\.
DO $$ BEGIN EXECUTE 'INSERT INTO kepler.memories (content) VALUES (''postgres://app:hunter2@db/app'')'; END $$;

-- Where the application says so, a mark takes its place; or what was sent is stored.
SET LOCAL kepler.on_secret = 'redact';
UPDATE kepler.connections SET sync_config = '{"n": 1.50, "auth": {"clientSecret": "q8Zr2LmN5tYx0K"}, "url": "postgres://app:hunter2@db/app"}' WHERE id = 'c' RETURNING sync_config;
SELECT outcome FROM kepler.add_message('v', 'user', 'use ' || :'github' || ' and ' || :'stripe' || ', please', metadata => '{"pwd": "hunter2", "n": 1.0}');
SELECT outcome FROM kepler.remember(jsonb_build_object('password', 'hunter2', 'n', 1.20));
INSERT INTO kepler.memories (content) VALUES ('use ' || :'github');
SELECT content, metadata FROM kepler.messages ORDER BY number DESC LIMIT 1;
SELECT content FROM kepler.memories ORDER BY content;
-- A reference is never a mark.
UPDATE kepler.connections SET secret_ref = 'hunter2' WHERE id = 'c';
SET LOCAL kepler.on_secret = 'allow';
SELECT outcome FROM kepler.add_message('v', 'user', 'postgres://app:hunter2@db/app');
INSERT INTO kepler.memories (content) VALUES ('postgres://app:hunter2@db/app');
RESET kepler.on_secret;
SET LOCAL kepler.on_secret = 'sometimes';

-- What is there stays readable, and other columns of its row can be changed.
UPDATE kepler.memories SET metadata = '{"a": 1}', relevance_score = 1, content = content WHERE content LIKE 'postgres://%';
SELECT content FROM kepler.memories WHERE content LIKE 'postgres://%';
UPDATE kepler.memories SET content = content || '!' WHERE content LIKE 'postgres://%';

-- Records are the outside world's data, and are not looked at. What was rejected of them is kept, without the document if a
-- secret is in it.
SELECT outcome FROM kepler.upsert_records('Account', '[{"external_id": "1", "data": {"password": "hunter2"}}]', connection_id => 'c');
SELECT outcome FROM kepler.upsert_records('Account', '[{"external_id": "2", "data": {"password": "hunter2"}, "oops": 1}, {"external_id": "3", "data": {"a": 1}, "oops": 1}]', connection_id => 'c', options => '{"keep_rejects": true}');
SELECT external_id, document, document_bytes > 0 AS has_size FROM kepler.rejects ORDER BY external_id;
UPDATE kepler.rejects SET document = '{"external_id": "2", "data": {"password": "hunter2"}}' WHERE external_id = '2';
UPDATE kepler.rejects SET document = '{"external_id": "2", "data": {"password": "vault:x"}}' WHERE external_id = '2' RETURNING document;
-- The error of a run is noted, without the secret.
INSERT INTO kepler.executions (id, workflow_id) VALUES ('x', 'w');
UPDATE kepler.executions SET error = 'no connection to postgres://app:hunter2@db/app' WHERE id = 'x' RETURNING error;
ROLLBACK;
