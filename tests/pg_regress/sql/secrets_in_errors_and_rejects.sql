-- Errors that are noted have a mark in place of a secret, wherever they are noted, and what is sent again is recognised. A rejected
-- element with a secret is kept without its document, and its reason stays.
\set SHOW_CONTEXT always
\set ON_ERROR_ROLLBACK on
BEGIN;
SELECT 'ghp' || '_' || 'q8Zr2LmN5tYx0KpWb7Cd3EfGh1JkMnPqRsTu' AS github, 'ghp' || '_' || 'w8Zr2LmN5tYx0KpWb7Cd3EfGh1JkMnPqRsTu' AS other \gset
INSERT INTO kepler.users (id, email) VALUES ('u', 'u@example.com');
INSERT INTO kepler.workflows (id, name, user_id) VALUES ('w', 'w', 'u');
-- A run that ends: the same end again is a duplicate, and the same step unchanged.
SELECT execution_id AS id, token FROM kepler.start_execution('w') \gset
SELECT outcome FROM kepler.add_execution_steps(:'id', :'token', json_build_array(json_build_object('name', 's', 'number', 1, 'status', 'RUNNING', 'error', 'bad ' || :'github'))::text);
SELECT outcome FROM kepler.add_execution_steps(:'id', :'token', json_build_array(json_build_object('name', 's', 'number', 1, 'status', 'RUNNING', 'error', 'bad ' || :'github'))::text);
SELECT outcome FROM kepler.finish_execution(:'id', :'token', 'FAILURE', error => 'bad ' || :'github');
SELECT outcome FROM kepler.finish_execution(:'id', :'token', 'FAILURE', error => 'bad ' || :'github');
SELECT error FROM kepler.executions WHERE id = :'id';
-- One that is too late.
SELECT execution_id AS id, token FROM kepler.start_execution('w', timeout => '1 millisecond') \gset
SELECT FROM pg_sleep(0.01);
SELECT count(*) FROM kepler.abandon_executions();
SELECT outcome FROM kepler.finish_execution(:'id', :'token', 'FAILURE', error => 'bad ' || :'github');
SELECT late_finish ->> 'error' AS error FROM kepler.executions WHERE id = :'id';
-- An attempt at an enrichment.
INSERT INTO kepler.connections (id, name, reference_id) VALUES ('c', 'crm', 'crm');
SELECT FROM kepler.set_enrichment_policy('Account');
SELECT outcome FROM kepler.upsert_records('Account', '[{"external_id": "1", "data": {"a": 1}}]', connection_id => 'c');
SELECT outcome FROM (SELECT c.lease_id, array_agg(c.record_id) AS ids FROM kepler.claim_records('Account', 'worker') AS c GROUP BY 1) AS c
CROSS JOIN LATERAL kepler.fail_records(c.lease_id, c.ids, '401 Authorization: Bearer ' || :'github') AS f;
SELECT error FROM kepler.enrichment_attempts;

-- Whatever on_secret says, a rejected element with a secret keeps no document. The reason is kept, and a retry says why it cannot be tried.
SET LOCAL kepler.on_secret = 'redact';
SELECT outcome, error_code FROM kepler.upsert_records('Account', '[{"external_id": "2", "data": {"password": "hunter2"}, "oops": 1}]', connection_id => 'c', options => '{"keep_rejects": true}');
SET LOCAL kepler.on_secret = 'allow';
SELECT outcome, error_code FROM kepler.upsert_records('Account', '[{"external_id": "3", "data": {"password": "hunter2"}, "oops": 1}]', connection_id => 'c', options => '{"keep_rejects": true}');
RESET kepler.on_secret;
SELECT external_id, document, error_code, tries FROM kepler.rejects ORDER BY external_id;
SELECT outcome, error_code, error FROM kepler.retry_rejects();
SELECT external_id, document, error_code, error, tries FROM kepler.rejects ORDER BY external_id;

-- A document that cannot be read as one, or has a key twice, or is one of many lines, is looked at as a text.
SELECT content, kepler_internal.without_secrets(content) AS clean FROM unnest(ARRAY[
    '{"password":"hunter2","x":"\ud800"}', '{"password":"hunter2","x":"\u0000"}', '{"password":"hunter2","password":"x"}', E'{"a":1}\n{"password": "hunter2"}',
    E'```json\n{"apiKey": "abcd1234efgh", "page_token": "abcd1234efgh5678"}\n```', '{"body": "{\"password\":\"hunter2\"}"}', 'say "password": "Passwort" here']) AS content;
SELECT kepler_internal.without_secrets('{"password":"hunter2","x":' || repeat('[', 2000) || repeat(']', 2000) || '}') LIKE '%hunter2%' AS is_there;
SELECT kepler.remember('{"password":"hunter2","password":"x"}');
-- The error of a function has no CONTEXT either.
DO $$ BEGIN PERFORM kepler.remember('postgres://app:hunter2@db/app'); END $$;
-- Nor has that of any other that refuses a secret: entries, structures, messages.
SELECT FROM kepler.create_entry_table('Refs', '{"fields": [{"name": "name", "type": "text", "unique": true}, {"name": "token_ref", "type": "text", "sensitive": "reference"}]}');
DO $$ BEGIN PERFORM kepler.insert_entries('Refs', '[{"name": "a", "token_ref": "hunter2"}]'); END $$;
DO $$ BEGIN PERFORM kepler.upsert_entries('Refs', '{name}', '[{"name": "a", "token_ref": "hunter2"}]'); END $$;
DO $$ BEGIN PERFORM kepler.create_entry_table('Bad', '{"fields": [{"name": "a", "type": "text", "sensitive": "reference", "default": "hunter2"}]}'); END $$;
INSERT INTO kepler.conversations (id) VALUES ('v');
DO $$ BEGIN PERFORM kepler.add_message('v', 'user', 'postgres://app:hunter2@db/app'); END $$;
DO $$ DECLARE context text; BEGIN
    PERFORM kepler.insert_entries('Refs', '[{"name": "a", "token_ref": "hunter2"}]');
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS context = PG_EXCEPTION_CONTEXT; RAISE NOTICE 'caught: %, context: %', SQLERRM, context;
END $$;
-- An error that is about something else has a mark where a secret stood: a batch that cannot be read, a row that breaks a rule.
DO $$ BEGIN PERFORM kepler.upsert_records('Account', '[{"external_id": "9", "data": {"password": "hunter2"}', connection_id => 'c'); END $$;
DO $$ BEGIN PERFORM kepler.remember('postgres://app:hunter2@db/app', context_type => NULL); END $$;
DO $$ BEGIN PERFORM 'postgres://app:hunter2@db/app'::integer; END $$;
CREATE TABLE own (a text CHECK (length(a) < 5));
INSERT INTO own VALUES ('postgres://app:hunter2@db/app');
SET LOCAL kepler.on_secret = 'allow';
INSERT INTO own VALUES ('postgres://app:hunter2@db/app');
RESET kepler.on_secret;
-- Two keys that are secrets of one kind are two members still.
SET LOCAL kepler.on_secret = 'redact';
UPDATE kepler.connections SET metadata = jsonb_build_object(:'github', 1, :'other', 2) WHERE id = 'c' RETURNING metadata;
-- A key that is a secret is not shown.
CREATE TABLE toks (token text PRIMARY KEY);
INSERT INTO toks VALUES (:'github');
SELECT * FROM kepler.find_secrets('toks');
ROLLBACK;
