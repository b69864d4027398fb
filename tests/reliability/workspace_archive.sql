-- A workspace with something of everything, beside another one with rows of its own. Values are those that are hard to print.
\set QUIET on
\set ON_ERROR_STOP on
SET client_min_messages = warning;
SELECT kepler.create_workspace('acme', E'Acme "\\" ünï\n😀') \g /dev/null
SELECT kepler.create_workspace('other') \g /dev/null
SET kepler.workspace_id = 'other';
INSERT INTO kepler.users (id, email) VALUES ('u', 'other@example.com');
SELECT kepler.upsert_records('contact', '[{"external_id": "o", "data": {}}]') \g /dev/null
SET kepler.workspace_id = 'acme';
INSERT INTO kepler.users (id, email, metadata, created_at) VALUES
    ('u', 'u@example.com', '{"n": 1.10, "big": 123456789012345678901234567890.5, "null": null, "": [{}], "t": "\"\\ \u2028\t"}', '0044-03-15 12:00 BC'),
    ('v', 'v@example.com', '{}', 'infinity');
INSERT INTO kepler.connections (id, name, reference_id, user_id, issues, secret_ref, sync_config) VALUES
    ('c', 'c', 'r', 'u', E'{a,"b \\"c\\"",NULL,"NULL"}', 'env:KEY', 'null'), ('d', 'd', 'r', NULL, '{}', NULL, NULL);
INSERT INTO kepler.credentials (id, connection_id, type, secret_ref) VALUES ('k', 'c', 'API_KEY', 'env:KEY');
SELECT kepler.set_enrichment_policy('contact') \g /dev/null
SELECT kepler.upsert_records('contact', (
    SELECT '[' || string_agg(format('{"external_id": "%s", "data": {"n": %s.50, "t": "äöü😀 %s", "o": {"": [null, -0]}}}', i, i, repeat('x', i)), ',') || ']'
    FROM generate_series(1, 300) AS i), connection_id => 'c') \g /dev/null
SELECT kepler.upsert_records('contact', '[{"external_id": "bad", "data": 1}]', connection_id => 'c', options => '{"keep_rejects": true}') \g /dev/null
SELECT min(lease_id) AS lease FROM kepler.claim_records('contact', 'worker', 5) \gset
SELECT kepler.settle_records(:lease, (
    SELECT jsonb_agg(jsonb_build_object('record_id', r.id, 'result', '{"seen": 1e2}'::jsonb)) FROM (
        SELECT id FROM kepler.records WHERE workspace_id = 'acme' AND enrichment_status = 'PENDING' ORDER BY id LIMIT 3) AS r)) \g /dev/null
SELECT sync_run_id AS sync FROM kepler.begin_sync('c', 'contact') \gset
SELECT kepler.upsert_records('contact', '[{"external_id": "1", "data": {"n": 1}}]', connection_id => 'c', sync_run_id => :'sync') \g /dev/null
SELECT set_config('kepler.sync_run_id', :'sync', false) \g /dev/null
INSERT INTO kepler.inbox (external_id, data) VALUES ('in', '{"n": 1}');
RESET kepler.sync_run_id;
INSERT INTO kepler.workflows (id, user_id, name, trigger) VALUES ('w', 'u', 'w', '{"app": "Mail"}');
CREATE TEMP TABLE run AS SELECT * FROM kepler.start_execution('w', 'done', timeout => '1 month 90 minutes');
SELECT kepler.add_execution_steps(execution_id, token, '[{"name": "a", "output": [1, null]}, {"name": "b", "output": null}]') FROM run \g /dev/null
SELECT kepler.finish_execution(execution_id, token, 'SUCCESS', '{"v": 1.0}') FROM run \g /dev/null
SELECT kepler.start_execution('w', 'under way') \g /dev/null
-- Versions, of a deleted workflow too; a run that asked and was answered, one that waits, and retries, one of a run that came later by its id.
UPDATE kepler.workflows SET actions = '[{"app": "Chat"}]' WHERE id = 'w';
UPDATE kepler.workflows SET intent = E'Say\tit' WHERE id = 'w';
CREATE TEMP TABLE asks AS SELECT * FROM kepler.start_execution('w', 'asks');
SELECT kepler.suspend_execution(execution_id, token, '{"text": "Send it?", "n": 1.0}', user_id => 'u', timeout => '3 days') FROM asks \g /dev/null
SELECT kepler.answer_execution(execution_id, 1, 'null', user_id => 'v') FROM asks \g /dev/null
SELECT kepler.suspend_execution(execution_id, r.token, '"Really?"') FROM asks, kepler.resume_execution(execution_id) AS r \g /dev/null
SELECT kepler.cancel_execution(execution_id, 'no longer needed') FROM kepler.start_execution('w', 'cancelled') \g /dev/null
INSERT INTO kepler.executions (id, workflow_id, status, ended_at, retry_of) VALUES ('a retry', 'w', 'FAILURE', 'infinity', 'retried'), ('retried', 'w', 'ABANDONED', 'infinity', 'gone');
INSERT INTO kepler.workflows (id, user_id, name, trigger) VALUES ('deleted', 'u', 'deleted', '{"app": "Mail"}');
SELECT kepler.start_execution('deleted') \g /dev/null
DELETE FROM kepler.workflows WHERE id = 'deleted';
SELECT kepler.create_embedding_space('small', 3, 'model') \g /dev/null
SELECT kepler.activate_embedding_space('small', workspace_id => 'acme') \g /dev/null
SELECT memory_id AS first FROM kepler.remember('first', '[0.1, 1e-20, 3]', user_id => 'u') \gset
SELECT kepler.remember('second', '[3, 2, 1]', user_id => 'u', supersedes => :'first') \g /dev/null
SELECT kepler.set_language('german', '{simple}', 'acme') \g /dev/null
SELECT kepler.remember('Zwei Häuser', workspace_id => 'acme'), kepler.remember('東京の喫茶店', language => 'simple', workspace_id => 'acme') \g /dev/null
SELECT kepler.search_memories('[1, 2, 3]', touch => true) \g /dev/null
INSERT INTO kepler.conversations (id, user_id) VALUES ('talk', 'u'), ('theirs', 'v');
SELECT kepler.add_message('talk', 'user', 'said before', embedding => '[1, 2, 3]', user_id => 'u') \g /dev/null
SELECT kepler.add_message('theirs', 'user', E'mine, in\ttheirs\n', user_id => 'u') \g /dev/null
-- Entry tables: all types, lists, hidden fields, two that refer to each other, one that refers to itself, one that was dropped.
SELECT kepler.create_entry_table('Every Type', '{"fields": [
    {"name": "t", "type": "text", "max_length": 20}, {"name": "i", "type": "integer"}, {"name": "b", "type": "bigint"},
    {"name": "d", "type": "decimal", "precision": 20, "scale": 5}, {"name": "free", "type": "decimal"}, {"name": "f", "type": "float"},
    {"name": "yes", "type": "boolean"}, {"name": "day", "type": "date"}, {"name": "clock", "type": "time"}, {"name": "at", "type": "timestamp"},
    {"name": "u", "type": "uuid"}, {"name": "j", "type": "json"}, {"name": "x", "type": "bytes"},
    {"name": "e", "type": "enum", "values": ["a", "b c"]}, {"name": "v", "type": "vector", "dimensions": 3},
    {"name": "ts", "type": "text", "list": true}, {"name": "ds", "type": "decimal", "list": true}, {"name": "ats", "type": "timestamp", "list": true},
    {"name": "gone", "type": "decimal", "precision": 7, "scale": 3}, {"name": "gone2", "type": "text", "max_length": 9},
    {"name": "Ünder \"quoted\"", "column": "odd_name", "type": "text"}]}') AS every \gset
INSERT INTO :every (t, i, b, d, free, f, yes, day, clock, at, u, j, x, e, v, ts, ds, ats, gone, gone2, odd_name) VALUES
    ('ä\n"', 1, 9007199254740993, 1.50000, 1.500, 0.1, true, 'infinity', '23:59:59.999999', '-infinity', gen_random_uuid(), 'null', '\x00ff', 'b c', '[0.1,2,3e-9]',
        '{a,NULL,""}', '{1.10,NaN}', '{infinity}', 1.250, 'kept', '%'),
    (NULL, NULL, NULL, NULL, 'NaN', '-0', NULL, '4713-01-01 BC', '24:00', '0044-03-15 12:00 BC', NULL, NULL, '', NULL, NULL, '{}', NULL, NULL, NULL, NULL, NULL);
INSERT INTO :every (free, f, ts) VALUES ('Infinity', 'Infinity', '[2:3]={x,y}'), ('123456789012345678901234567890.123456789', 1.7976931348623157e308, '{{a,b},{c,d}}');
SELECT kepler.alter_entry_table('Every Type', structure #- '{fields,19}' #- '{fields,18}') FROM kepler.structures WHERE workspace_id = 'acme' \g /dev/null
SELECT kepler.create_entry_table('Tree', '{"fields": [{"name": "parent", "type": "reference", "to": "Tree"}, {"name": "name", "type": "text", "unique": true}]}') AS tree \gset
INSERT INTO :tree (entry_id, parent, name) VALUES (5, NULL, 'root'), (3, 5, 'child'), (9, 3, 'grandchild');
SELECT kepler.create_entry_table('Egg', '{"key": {"name": "id", "type": "uuid"}, "fields": [{"name": "n", "type": "integer"}]}') AS egg \gset
SELECT kepler.create_entry_table('Hen', '{"key": {"name": "id", "type": "cuid"}, "fields": [{"name": "from", "column": "from_egg", "type": "reference", "to": "Egg", "required": true}]}') AS hen \gset
SELECT kepler.alter_entry_table('Egg', '{"key": {"name": "id", "type": "uuid"}, "fields": [{"name": "n", "type": "integer"}, {"name": "laid_by", "type": "reference", "to": "Hen", "on_delete": "set_null"}], "unique": [["n", "laid_by"]]}') \g /dev/null
INSERT INTO :egg (id, n) VALUES ('00000000-0000-0000-0000-000000000001', 1), ('00000000-0000-0000-0000-000000000002', 2);
INSERT INTO :hen (id, from_egg) VALUES ('h', '00000000-0000-0000-0000-000000000001');
UPDATE :egg SET laid_by = 'h' WHERE n = 2;
SELECT kepler.create_entry_table('Dropped', '{"fields": [{"name": "egg", "type": "reference", "to": "Egg"}, {"name": "t", "type": "text", "required": true}]}') AS dropped \gset
INSERT INTO :dropped (egg, t) VALUES ('00000000-0000-0000-0000-000000000001', 'kept until purge');
SELECT kepler.drop_entry_table('Dropped') \g /dev/null
SELECT kepler.create_entry_table('Dropped', '{"fields": [{"name": "again", "type": "text"}]}') \g /dev/null
-- Blueprints: one of the workspace, and one whose rows say whose they are.
SELECT kepler.apply_blueprint('{"blueprint": "own", "tenancy": "workspace", "tables": [
    {"name": "Invoice", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "total", "type": "decimal", "precision": 12, "scale": 2}, {"name": "corrects", "type": "reference", "to": "Invoice"}]},
    {"name": "Rate", "key": {"fields": ["code"]}, "fields": [{"name": "code", "type": "text", "required": true}, {"name": "rate", "type": "decimal"}]}],
    "seed": {"Rate": {"rows": [{"code": "EUR", "rate": 1}, {"code": "USD", "rate": 2}]}}}') \g /dev/null
SELECT kepler.apply_blueprint('{"blueprint": "shared", "tenancy": {"field": "tenant"}, "enums": {"state": ["a", "b"]}, "tables": [
    {"name": "Parent", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "tenant", "type": "text", "required": true}, {"name": "state", "type": "enum", "enum": "state"}, {"name": "states", "type": "enum", "enum": "state", "list": true}]},
    {"name": "Child", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "tenant", "type": "text", "required": true}, {"name": "parent", "type": "reference", "to": "Parent", "on_delete": "restrict"}, {"name": "next", "type": "reference", "to": "Child"}, {"name": "price", "type": "decimal"}]}]}') \g /dev/null
SELECT format('%I.%I', schema_name, table_name) AS invoice FROM kepler.blueprint_tables WHERE name = 'Invoice' \gset
SELECT format('%I.%I', schema_name, table_name) AS parent FROM kepler.blueprint_tables WHERE name = 'Parent' \gset
SELECT format('%I.%I', schema_name, table_name) AS child FROM kepler.blueprint_tables WHERE name = 'Child' \gset
INSERT INTO :invoice (id, total, corrects) VALUES (1, 10.50, NULL), (2, -10.50, 1);
UPDATE own."Rate" SET rate = 1.05 WHERE code = 'EUR';
INSERT INTO :parent (id, tenant, state, states) VALUES (1, 'acme', 'b', '{a,b}'), (2, 'other', 'a', NULL);
INSERT INTO :child (id, tenant, parent, next, price) VALUES (3, 'acme', 1, NULL, 1.10), (4, 'acme', 1, 3, NULL), (5, 'other', 2, NULL, 7);
