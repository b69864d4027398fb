-- A tenant with rows in every table. MARK is its mark: it begins every name and id, and is in every text, so that what is the
-- tenant's can be told wherever it turns up. Run in the session of the tenant, by the owner.
SET client_min_messages = warning;
INSERT INTO kepler.workspaces (id, name) VALUES ('MARK', 'MARK workspace') ON CONFLICT (id) DO UPDATE SET name = excluded.name;
SET kepler.workspace_id = 'MARK';
INSERT INTO kepler.users (id, email, name, auth_provider, auth_subject, metadata)
VALUES ('MARK_user', 'MARK@example.com', 'MARK person', 'MARK_provider', 'MARK_subject', '{"note": "MARK metadata"}');
INSERT INTO kepler.connections (id, name, reference_id, user_id, provider, kind, subscription_id, last_verified_at, sync_config, metadata)
VALUES ('MARK_connection', 'MARK_name', 'MARK_reference', 'MARK_user', 'MARK_mail', 'OAUTH', 'MARK_subscription', now(), '{"MARK": 1}', '{"MARK": 1}'),
    ('MARK_detached', 'MARK_gone', 'MARK_reference', NULL, 'MARK_mail', 'OAUTH', NULL, now(), '{}', '{}');
INSERT INTO kepler.credentials (id, connection_id, type, secret_ref) VALUES ('MARK_credential', 'MARK_connection', 'MARK_kind', 'vault:MARK/key');

-- Records, what is rejected, and the enrichment of them.
SELECT count(*) FROM kepler.upsert_records('MARK_type', (
    SELECT json_agg(json_build_object('external_id', 'MARK_external_' || i, 'data', json_build_object('text', 'MARK data ' || i)))::text
    FROM generate_series(1, 12) AS i) , connection_id => 'MARK_connection', options => '{"keep_rejects": true}');
SELECT count(*) FROM kepler.upsert_records('MARK_type', '[{"external_id": "MARK_bad", "data": "MARK rejected"}]', options => '{"keep_rejects": true}');
SELECT count(*) FROM kepler.upsert_records('MARK_detached_type', '[{"external_id": "MARK_left", "data": {"text": "MARK left"}}]', connection_id => 'MARK_detached');
SELECT count(*) FROM kepler.delete_connection('MARK_detached', 'keep');
SELECT count(*) FROM kepler.set_enrichment_policy('MARK_type', fair => true);
INSERT INTO kepler.enrichment_limits (entity_type, limit_key, seconds, records, leases) VALUES ('MARK_type', 'MARK', '{1}', '{1}', '{1}');
SELECT count(*) FROM kepler.set_retention('kepler.rejects', '90 days');
INSERT INTO kepler.records (id, entity_type, external_id, data) SELECT 'MARK_record_' || i, 'MARK_type', 'MARK_own_' || i, '{"text": "MARK own"}' FROM generate_series(1, 4) AS i;
SELECT kepler.fail_records(lease_id, array_agg(record_id), 'MARK failed', retryable => false) FROM kepler.claim_records('MARK_type', 'MARK_worker', 2) GROUP BY lease_id;
SELECT kepler.fail_records(lease_id, array_agg(record_id), 'MARK to be tried again') FROM kepler.claim_records('MARK_type', 'MARK_worker', 1) GROUP BY lease_id;
SELECT count(*) FROM kepler.claim_records('MARK_type', 'MARK_worker', 2);

-- Runs of syncs: one with rows in its inbox, one that sweeps.
SELECT sync_run_id AS run FROM kepler.begin_sync('MARK_connection', 'MARK_copied') \gset
INSERT INTO kepler.inbox (sync_run_id, line)
SELECT :'run', format('{"external_id": "MARK_copied_%s", "data": {"text": "MARK copied"}}', i) FROM generate_series(1, 3) AS i;
SELECT sync_run_id AS run FROM kepler.begin_sync('MARK_connection', 'MARK_swept') \gset
SELECT count(*) FROM kepler.upsert_records('MARK_swept', '[{"external_id": "MARK_seen", "data": {"text": "MARK seen"}}]', connection_id => 'MARK_connection', sync_run_id => :'run');
INSERT INTO kepler.sync_candidates (sync_run_id, external_id, record_id) VALUES (:'run', 'MARK_candidate', 'MARK_record_1');

-- Workflows.
INSERT INTO kepler.workflows (id, user_id, name, intent, trigger, actions)
VALUES ('MARK_workflow', 'MARK_user', 'MARK_flow', 'MARK intent', '{"app": "MARK_mail"}', '[{"app": "MARK_slack"}]');
SELECT execution_id AS run, token FROM kepler.start_execution('MARK_workflow', 'MARK_key', timeout => '1 hour', metadata => '{"note": "MARK metadata"}') \gset
SELECT count(*) FROM kepler.add_execution_steps(:'run', :'token', '[{"name": "MARK step", "input": {"text": "MARK input"}, "output": "MARK output"}]');
SELECT execution_id AS run, token FROM kepler.start_execution('MARK_workflow', 'MARK_asks') \gset
SELECT count(kepler.suspend_execution(:'run', :'token', '{"text": "MARK question"}', user_id => 'MARK_user'));
SELECT count(kepler.answer_execution(:'run', 1, '{"text": "MARK answer"}', user_id => 'MARK_user'));

-- Memory.
SELECT kepler.activate_embedding_space('small');
INSERT INTO kepler.memories (id, user_id, context_type, content, metadata) SELECT 'MARK_memory_' || i, 'MARK_user', 'MARK_fact', 'MARK remembers cats ' || i, '{"note": "MARK metadata"}' FROM generate_series(1, 3) AS i;
SELECT count(*) FROM kepler.set_memory_embeddings('small', '[{"memory_id": "MARK_memory_1", "embedding": [1, 2, 3]}, {"memory_id": "MARK_memory_2", "embedding": [1, 2, 4]}]');
INSERT INTO kepler_data.next_embeddings (memory_id, embedding) VALUES ('MARK_memory_1', '[1, 2, 3]');
INSERT INTO kepler_data.retired_embeddings (memory_id, embedding) VALUES ('MARK_memory_1', '[1, 2, 3]');
INSERT INTO kepler_data.next_message_embeddings (message_id, embedding) VALUES (1, '[1, 2, 3]');
INSERT INTO kepler_data.retired_message_embeddings (message_id, embedding) VALUES (1, '[1, 2, 3]');
SELECT count(*) FROM kepler.touch_memories('{MARK_memory_1}');
INSERT INTO kepler.conversations (id, user_id, kind, title) VALUES ('MARK_talk', 'MARK_user', 'MARK_kind', 'MARK title');
SELECT count(*) FROM kepler.add_messages('MARK_talk', '[{"role": "user", "content": "MARK said cats", "external_id": "MARK_message", "embedding": [1, 2, 3], "metadata": {"note": "MARK metadata"}}, {"role": "assistant", "content": "MARK answered", "embedding": [1, 2, 4]}]');

-- Entry tables, one of them with a hidden field, and one that was dropped.
SELECT kepler.create_entry_table('MARK_parent', '{"fields": [{"name": "MARK_label", "type": "text", "unique": true}]}'::text);
SELECT kepler.create_entry_table('MARK_thing', '{"description": "MARK description", "fields": [{"name": "MARK_code", "type": "text", "required": true, "unique": true}, {"name": "MARK_state", "type": "enum", "values": ["MARK_new", "MARK_old"]}, {"name": "MARK_hidden", "type": "text"}, {"name": "price", "type": "decimal", "precision": 10, "scale": 2}, {"name": "parent", "type": "reference", "to": "MARK_parent"}]}'::text);
SELECT count(*) FROM kepler.insert_entries('MARK_parent', '[{"MARK_label": "MARK a"}, {"MARK_label": "MARK b"}]'::text);
SELECT count(*) FROM kepler.insert_entries('MARK_thing', '[{"MARK_code": "MARK 1", "MARK_state": "MARK_new", "MARK_hidden": "MARK secret", "price": 1.5, "parent": 1}, {"MARK_code": "MARK 2"}]'::text);
SELECT kepler.alter_entry_table('MARK_thing', '{"description": "MARK description", "fields": [{"name": "MARK_code", "type": "text", "required": true, "unique": true}, {"name": "MARK_state", "type": "enum", "values": ["MARK_new", "MARK_old"]}, {"name": "price", "type": "decimal", "precision": 10, "scale": 2}, {"name": "parent", "type": "reference", "to": "MARK_parent"}]}'::jsonb);
SELECT kepler.create_entry_table('MARK_dropped', '{"fields": [{"name": "MARK_label", "type": "text"}]}'::text);
SELECT count(*) FROM kepler.insert_entries('MARK_dropped', '[{"MARK_label": "MARK dropped"}]'::text);
SELECT kepler.drop_entry_table('MARK_dropped');

-- The feed, and who reads it.
SELECT kepler.track(format('kepler_data.%I', table_name)::regclass) FROM kepler.entry_tables WHERE record_name = 'MARK_thing';
SELECT count(*) FROM kepler.insert_entries('MARK_thing', '[{"MARK_code": "MARK 3"}]'::text);
SELECT kepler.acknowledge_changes('MARK_consumer', kepler.feed_cursor());
INSERT INTO kepler.maintenance (workspace_id, step, outcome, last_started_at, last_error) VALUES ('MARK', 'expire_memories', 'failed', clock_timestamp(), 'MARK');
INSERT INTO kepler.feed_dropped (workspace_id, epoch, xid, sequence) VALUES ('MARK', 1, '3', 1);

-- The history, and a person who was taken out of it.
SELECT kepler.track('kepler.users', 'history');
INSERT INTO kepler.users (id, email) VALUES ('MARK_erased', 'MARK_erased@example.com');
UPDATE kepler.users SET name = 'MARK changed' WHERE id IN ('MARK_user', 'MARK_erased');
SELECT count(*) FROM kepler.erase_user('MARK_erased');

-- A blueprint of the tenant's own, with the rows that it begins with.
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "MARK_model", "tenancy": "workspace", "enums": {"MARK_mood": ["MARK_good"]}, "tables": [
    {"name": "MARK_one", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "a", "type": "text", "unique": true}, {"name": "mood", "type": "enum", "enum": "MARK_mood"}]},
    {"name": "MARK_many", "key": {"name": "id", "type": "bigint"}, "fields": [{"name": "one", "type": "reference", "to": "MARK_one"}]}]}'::text);
INSERT INTO "MARK_model"."MARK_one" (a, mood) VALUES ('MARK of a blueprint', 'MARK_good');
INSERT INTO "MARK_model"."MARK_many" (one) VALUES (1);
