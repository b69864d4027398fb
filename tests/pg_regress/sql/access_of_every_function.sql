-- Every function, called by every kind of caller. A level of access is enough for what it is for, and where it is not the
-- call ends with 42501 and a hint that names grant_access. Nobody but the owner reaches another workspace. And whatever
-- somebody has put on the tables or into the search path, it never runs with more rights than the caller has.
\set SHOW_CONTEXT never
\set VERBOSITY terse
BEGIN;
SET LOCAL client_min_messages = warning;
SET LOCAL search_path = public;

-- The stage: something of everything.
INSERT INTO kepler.workspaces (id, name) VALUES ('elsewhere', 'Elsewhere');
INSERT INTO kepler.users (id, email) VALUES ('u', 'u@example.com');
INSERT INTO kepler.connections (id, name, reference_id, provider, user_id) VALUES ('c', 'c', 'c', 'Mail', 'u');
INSERT INTO kepler.workflows (id, user_id, name, trigger) VALUES ('w', 'u', 'w', '{"app": "Mail"}');
SELECT count(*) FROM kepler.set_enrichment_policy('lead');
SELECT count(*) FROM kepler.upsert_records('lead', '[{"external_id": "1", "data": {}}, {"external_id": "2", "data": {}}, {"external_id": "3", "data": {}}]');
SELECT count(*) FROM kepler.upsert_records('lead', '[{"external_id": "bad", "data": 1}, {"external_id": "bad"}, 2]', options => '{"keep_rejects": true}');
UPDATE kepler.rejects SET document = '{"external_id": "bad", "data": {}}', received_at = now() - interval '1 year' WHERE external_id = 'bad';
SELECT count(*) FROM kepler.create_embedding_space('walk', 2, 'm');
SELECT count(*) FROM kepler.create_embedding_space('spare', 2, 'm');
SELECT count(*) FROM kepler.create_embedding_space('old', 2, 'm');
SELECT kepler.retire_embedding_space('old');
SELECT kepler.activate_embedding_space('walk');
SELECT memory_id AS memory FROM kepler.remember('tea', '[1, 0]', key => 'tea', namespace => 'drinks') \gset
INSERT INTO kepler.conversations (id, user_id) VALUES ('talk', 'u');
SELECT message_id AS message FROM kepler.add_message('talk', 'user', 'hello', embedding => '[1, 0]') \gset
SELECT count(*) FROM kepler.create_entry_table('Thing', '{"fields": [{"name": "a", "type": "integer"}, {"name": "b", "type": "text"}]}');
SELECT kepler.alter_entry_table('Thing', '{"fields": [{"name": "a", "type": "integer"}]}') AS version;
SELECT count(*) FROM kepler.insert_entries('Thing', '[{"entry_id": 1, "a": 1}]');
SELECT count(*) FROM kepler.create_entry_table('End', '{"fields": []}');
SELECT count(*) FROM kepler.create_entry_table('Link', '{"fields": [{"name": "one", "type": "reference", "to": "End"}, {"name": "two", "type": "reference", "to": "End"}], "unique": [["one", "two"]]}');
SELECT count(*) FROM kepler.insert_entries('End', '[{"entry_id": 1}, {"entry_id": 2}]');
SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "model", "tables": [{"name": "A", "fields": [{"name": "a", "type": "text"}]}]}');
SELECT count(*) FROM kepler.create_entry_table('Gone', '{"fields": []}');
SELECT count(*) FROM kepler.drop_entry_table('Gone');
SELECT table_name AS things FROM kepler.entry_tables WHERE record_name = 'Thing' \gset
SELECT kepler.track(format('kepler_data.%I', :'things'), 'history') AS history_of_things;
SELECT policy_id AS policy FROM kepler.set_retention('kepler.rejects', '1 day') \gset
SELECT min(lease_id) AS lease, min(record_id) AS leased FROM kepler.claim_records('lead', 'x', 1) \gset
SELECT id AS record FROM kepler.records WHERE external_id = '3' \gset
SELECT sync_run_id AS sync FROM kepler.begin_sync('c', 'lead') \gset
SELECT execution_id AS run, token FROM kepler.start_execution('w', 'k') \gset
SELECT execution_id AS asking, token AS asking_token FROM kepler.start_execution('w', 'asks') \gset
SELECT count(kepler.suspend_execution(:'asking', :'asking_token', '"May I?"'));
SELECT execution_id AS answered, token AS answered_token FROM kepler.start_execution('w', 'was answered') \gset
SELECT count(kepler.suspend_execution(:'answered', :'answered_token', '"May I?"'));
SELECT count(kepler.answer_execution(:'answered', 1, 'true'));
CREATE TABLE documents (id text PRIMARY KEY, document jsonb, embedding vector(2));
INSERT INTO documents VALUES ('d', '{}', '[1,0]');
GRANT SELECT, INSERT, UPDATE ON documents TO PUBLIC;
CREATE TABLE archive (number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, line text);
INSERT INTO archive (line) SELECT kepler.export_workspace('elsewhere');
GRANT SELECT ON archive TO PUBLIC;

-- One call of each function. A call whose answer needs rights that only some have says which.
CREATE TABLE calls (name text, call text);
\set q ''''
INSERT INTO calls VALUES
    ('abandon_executions', 'kepler.abandon_executions()'),
    ('abandon_syncs', $$kepler.abandon_syncs('0')$$),
    ('abort_sync', format($$kepler.abort_sync(%L, 'broken')$$, :'sync')),
    ('activate_embedding_space', $$kepler.activate_embedding_space('walk')$$),
    ('add_execution_steps', format($$kepler.add_execution_steps(%L, %L, '[{"name": "s"}]')$$, :'run', :'token')),
    ('answer_execution', format($$kepler.answer_execution(%L, 1, 'true')$$, :'asking')),
    ('cancel_execution', format($$kepler.cancel_execution(%L, 'no longer needed')$$, :'run')),
    ('suspend_execution', format($$kepler.suspend_execution(%L, %L, '"May I?"')$$, :'run', :'token')),
    ('resume_execution', format('kepler.resume_execution(%L)', :'answered')),
    ('execution_retries', format('kepler.execution_retries(%L)', :'run')),
    ('execution_report_by_user', 'kepler.execution_report_by_user()'),
    ('add_message', $$kepler.add_message('talk', 'user', 'again')$$),
    ('add_messages', $$kepler.add_messages('talk', '[{"role": "user", "content": "x"}]')$$),
    ('adopt_records', $$kepler.adopt_records('c')$$),
    ('alter_entry_table', $$kepler.alter_entry_table('Thing', '{"fields": [{"name": "a", "type": "integer"}, {"name": "c", "type": "text"}]}')$$),
    ('apply_blueprint', $$kepler.apply_blueprint('{"blueprint": "model", "tables": [{"name": "A", "fields": [{"name": "a", "type": "text"}, {"name": "b", "type": "text"}]}]}')$$),
    ('apply_blueprint_online', $$kepler_internal.apply_blueprint_step('{"blueprint": "model", "tables": [{"name": "A", "fields": [{"name": "a", "type": "text"}, {"name": "b", "type": "text"}]}]}', '{}', NULL)$$),
    ('archive_records', format('kepler.archive_records(ARRAY[%L])', :'record')),
    ('begin_sync', $$kepler.begin_sync('c', 'lead')$$),
    ('blueprint_diagram', $$kepler.blueprint_diagram('model')$$),
    ('blueprint_drift', $$kepler.blueprint_drift('model')$$),
    ('blueprint_from_prisma', $$kepler.blueprint_from_prisma(E'model A { // one field\nid Int @id\n}')$$),
    ('checkpoint_sync', format($$kepler.checkpoint_sync(%L, '1')$$, :'sync')),
    ('claim_records', $$kepler.claim_records('lead', 'x', 1)$$),
    ('complete_records', format('kepler.complete_records(%s, ARRAY[%L])', :'lease', :'leased')),
    ('conversation_window', $$kepler.conversation_window('talk')$$),
    ('count_memories', 'kepler.count_memories(max_rows => 100)'),
    ('create_embedding_space', $$kepler.create_embedding_space('new', 2, 'm')$$),
    ('create_entry_table', $$kepler.create_entry_table('New', '{"fields": []}')$$),
    ('create_workspace', $$kepler.create_workspace('made')$$),
    ('cuid', 'kepler.cuid()'),
    ('current_workspace_id', 'kepler.current_workspace_id()'),
    ('delete_workspace', $$kepler_internal.begin_workspace_deletion('elsewhere', false, 10)$$),
    ('erase_user', $$kepler.erase_user('u')$$),
    ('export_user', $$kepler.export_user('u')$$),
    ('export_workspace', 'kepler.export_workspace()'),
    ('import_workspace', $$kepler.import_workspace('public.archive', 'imported')$$),
    ('workspace_report', 'kepler.workspace_report()'),
    ('delete_entries', $$kepler.delete_entries('Thing', '{1}')$$),
    ('delete_connection', $$kepler.delete_connection('c', 'keep')$$),
    ('delete_records', format('kepler.delete_records(ARRAY[%L])', :'record')),
    ('drop_embedding_space', $$kepler.drop_embedding_space('old')$$),
    ('drop_enrichment_policy', $$kepler.drop_enrichment_policy('lead')$$),
    ('drop_blueprint', $$kepler.drop_blueprint('model')$$),
    ('drop_entry_table', $$kepler.drop_entry_table('Thing')$$),
    ('end_memories', format($$kepler.end_memories(ARRAY[%L], now())$$, :'memory')),
    ('enrichment_transitions', 'kepler.enrichment_transitions()'),
    ('estimate_tokens', $$kepler.estimate_tokens('x')$$),
    ('extend_execution', format('kepler.extend_execution(%L, %L)', :'run', :'token')),
    ('execution_report', 'kepler.execution_report()'),
    ('execution_transitions', 'kepler.execution_transitions()'),
    ('expire_memories', 'kepler.expire_memories()'),
    ('fail_records', format($$kepler.fail_records(%s, ARRAY[%L], 'no')$$, :'lease', :'leased')),
    ('finish_execution', format($$kepler.finish_execution(%L, %L, 'SUCCESS')$$, :'run', :'token')),
    ('fold', $$kepler.fold('X')$$),
    ('forget', format('kepler.forget(ARRAY[%L])', :'memory')),
    ('get_memories', $$kepler.get_memories(keys => '{tea}', namespace => 'drinks', user_id => NULL)$$),
    ('grant_access', $$kepler.grant_access('access_nobody', 'reader')$$),
    ('extend_lease', format('kepler.extend_lease(%s)', :'lease')),
    ('index_advice', 'kepler.index_advice()'),
    ('insert_entries', $$kepler.insert_entries('Thing', '[{"a": 2}]')$$),
    ('install', 'kepler.install()'),
    ('is_connected', $$kepler.is_connected('u', 'Mail')$$),
    ('json_matches', $$kepler.json_matches('{}', '{}')$$),
    ('distribute', 'kepler.distribute(0)'),
    ('plan_distribution', 'kepler.plan_distribution()'),
    ('undistribute', 'kepler.undistribute()'),
    ('entry_json_schema', $$kepler.entry_json_schema('Thing')$$),
    ('json_update', $$kepler.json_update('{}', '{"$set": {"a": 1}}')$$),
    ('finish_sync', format($$kepler.finish_sync(%L, allow_empty => true)$$, :'sync')),
    ('jsonb_hash', $$kepler.jsonb_hash('{}')$$),
    ('last_search', 'kepler.last_search()'),
    ('list_memories', 'kepler.list_memories(max_rows => 10)'),
    ('list_namespaces', 'kepler.list_namespaces(max_depth => 1)'),
    ('memory_history', format('kepler.memory_history(%L)', :'memory')),
    ('metrics', 'kepler.metrics()'),
    ('next_claim_at', $$kepler.next_claim_at('lead')$$),
    ('pause_enrichment', $$kepler.pause_enrichment('lead')$$),
    ('pending_memory_embeddings', $$kepler.pending_memory_embeddings('spare')$$),
    ('pending_message_embeddings', $$kepler.pending_message_embeddings('spare')$$),
    ('plan_blueprint', $$kepler.plan_blueprint('{"blueprint": "model", "tables": []}')$$),
    ('plan_entry_table', $$kepler.plan_entry_table('Thing', '{"fields": []}')$$),
    ('prisma_schema', $$kepler.prisma_schema('public')$$),
    ('purge_entry_table', $$kepler.purge_entry_table('Gone')$$),
    ('purge_rejects', $$kepler.purge_rejects()$$),
    ('purge_field', $$kepler.purge_field('Thing', 'b')$$),
    ('recall_check', 'kepler.recall_check()'),
    ('record_document', '(SELECT kepler.record_document(r) FROM kepler.records AS r LIMIT 1)'),
    ('release_records', format('kepler.release_records(%s, ARRAY[%L])', :'lease', :'leased')),
    ('refresh_words', 'kepler.refresh_words()'),
    ('remember', $$kepler.remember('coffee', '[0, 1]')$$),
    ('remember_many', $$kepler.remember_many('[{"content": "milk"}]')$$),
    ('remove_enrichment_members', format('kepler.remove_enrichment_members(ARRAY[%L], ARRAY[''x''])', :'record')),
    ('merge_inbox_batch', format('kepler.merge_inbox_batch(%L)', :'sync')),
    -- Procedures that commit: the steps that they are made of.
    ('merge_inbox', format('kepler_internal.merge_inbox_step(%L, 10, NULL, NULL, NULL, NULL, NULL, true)', :'sync')),
    ('maintain', $$kepler_internal.maintain_step('1 minute', true)$$),
    ('maintain_feed', $$kepler_internal.maintain_feed_step(false, '30 days')$$),
    ('queue_backlog', $$kepler_internal.queue_backlog_step('lead', 10)$$),
    ('doctor', 'kepler.doctor()'),
    ('drop_backlog', $$kepler_internal.drop_backlog_step('none', 10, 0)$$),
    ('rename_entity', $$kepler_internal.begin_rename_entity('lead', 'lead', 'MANUAL', NULL, NULL, 10)$$),
    ('requeue_records', $$kepler.requeue_records(entity_type => 'lead')$$),
    ('required_connections', $$kepler.required_connections('w')$$),
    ('rename_entry_table', $$kepler.rename_entry_table('Thing', 'Other Thing')$$),
    ('find_secrets', $$kepler.find_secrets('kepler.memories')$$),
    ('repair_blueprint', $$kepler.repair_blueprint('model')$$),
    ('repair_enrichment', $$kepler_internal.repair_enrichment_step('', 10)$$),
    ('restore_entry_table', $$kepler.restore_entry_table('Gone')$$),
    ('restore_field', $$kepler.restore_field('Thing', 'b')$$),
    ('restore_records', format('kepler.restore_records(ARRAY[%L])', :'record')),
    ('resume_enrichment', $$kepler.resume_enrichment('lead')$$),
    ('retry_rejects', $$kepler.retry_rejects(entity_type => 'lead')$$),
    ('resume_sync', format('kepler.resume_sync(%L)', :'sync')),
    ('retire_embedding_space', $$kepler.retire_embedding_space('spare')$$),
    ('revoke_access', $$kepler.revoke_access('access_nobody')$$),
    ('search_memories', $$kepler.search_memories('[1, 0]', query_text => 'tea', touch => true)$$),
    ('search_messages', $$kepler.search_messages('[1, 0]', query_text => 'hello')$$),
    ('search_vectors', $$kepler.search_vectors('public.documents', 'embedding', '[1, 0]')$$),
    ('set_memory_embeddings', format($$kepler.set_memory_embeddings('spare', '[{"memory_id": "%s", "embedding": [1, 1]}]')$$, :'memory')),
    ('set_enrichment_policy', $$kepler.set_enrichment_policy('lead')$$),
    ('set_entry_links', $$kepler.set_entry_links('Link', 'one', '[{"one": 1, "two": [1, 2]}]')$$),
    ('set_language', $$kepler.set_language('english', '{german}')$$),
    ('text_words', $$kepler.text_words('x')$$),
    ('set_entity_options', $$kepler.set_entity_options('lead', '{"ignored_paths": ["/x"]}')$$),
    ('set_message_embeddings', format($$kepler.set_message_embeddings('spare', '[{"message_id": %s, "embedding": [1, 1]}]')$$, :'message')),
    ('settle_records', format($$kepler.settle_records(%s, '[{"record_id": "%s", "action": "complete"}]')$$, :'lease', :'leased')),
    ('start_execution', $$kepler.start_execution('w', 'other')$$),
    ('status', 'kepler.status()'),
    ('structure_of', $$kepler.structure_of('public.documents')$$),
    ('sweep_sync', format($$kepler_internal.sweep_sync_step(%L, 0.2, false, true, 10, NULL)$$, :'sync')),
    ('touch_memories', format('kepler.touch_memories(ARRAY[%L])', :'memory')),
    ('update_document', $$kepler.update_document('public.documents', '{"id": "d"}', 'document', '{"$set": {"a": 1}}')$$),
    ('update_memory', format('kepler.update_memory(%L, relevance_score => 0.7)', :'memory')),
    ('update_entries', $$kepler.update_entries('Thing', '[{"entry_id": 1, "a": 5}]')$$),
    ('upsert_document', $$kepler.upsert_document('public.documents', '{"id": "e"}', 'document', '{"$set": {"a": 1}}')$$),
    ('upsert_entries', $$kepler.upsert_entries('Thing', '{entry_id}', '[{"entry_id": 1, "a": 6}]')$$),
    ('upsert_record', $$kepler.upsert_record('lead', '9', '{"n": 1}')$$),
    ('upsert_records', $$kepler.upsert_records('lead', '[{"external_id": "1", "data": {"n": 2}}]')$$),
    ('upsert_records_summary', $$kepler.upsert_records_summary('lead', '[{"external_id": "1", "data": {"n": 2}}]')$$),
    ('use_workspace', $$kepler.use_workspace('default')$$),
    ('validate_workflow', $$kepler.validate_workflow('u', '{}', '[{}]')$$),
    ('acknowledge_changes', $$kepler.acknowledge_changes('walk', kepler.feed_cursor())$$),
    ('changes_since', $$kepler.changes_since(max_rows => 10)$$),
    ('feed_cursor', $$kepler.feed_cursor()$$),
    ('feed_lag', $$kepler.feed_lag()$$),
    ('track', format($$kepler.track('kepler_data.%I')$$, :'things')),
    ('untrack', format($$kepler.untrack('kepler_data.%I')$$, :'things')),
    ('row_as_of', format($$kepler.row_as_of('kepler_data.%I', '1', clock_timestamp())$$, :'things')),
    ('row_history', format($$kepler.row_history('kepler_data.%I', '1')$$, :'things')),
    ('schedule_records', format('kepler.schedule_records(ARRAY[%L], not_before => now())', :'record')),
    ('seal_history', 'kepler.seal_history()'),
    ('uninstall', 'kepler.uninstall()'),
    ('uninstall_report', 'kepler.uninstall_report()'),
    ('verify_history', 'kepler.verify_history()'),
    ('set_search_width', $$kepler.set_search_width('walk', 50)$$),
    ('set_retention', $$kepler.set_retention('kepler.rejects', '30 days')$$),
    ('drop_retention', format('kepler.drop_retention(%s)', :'policy')),
    ('run_retention', format('kepler_internal.apply_retention(%s, 10)', :'policy')),
    ('retention_report', 'kepler.retention_report()'),
    ('version', 'kepler.version()');

-- No function is forgotten here, and no function is for everybody.
SELECT DISTINCT p.proname AS not_called FROM pg_proc AS p
WHERE p.pronamespace = 'kepler'::regnamespace AND p.proname !~ '^_' AND p.proname NOT IN (SELECT c.name FROM calls AS c);
SELECT p.oid::regprocedure AS for_everybody FROM pg_proc AS p
WHERE p.pronamespace = 'kepler'::regnamespace
    AND EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a WHERE a.grantee = 0);
SELECT c.oid::regclass AS for_everybody FROM pg_class AS c CROSS JOIN LATERAL aclexplode(c.relacl) AS a
WHERE c.relnamespace IN ('kepler'::regnamespace, 'kepler_data'::regnamespace) AND a.grantee = 0;
-- No view lends the rights of its owner, but to pg_monitor.
SELECT c.oid::regclass AS lends FROM pg_class AS c
WHERE c.relnamespace = 'kepler'::regnamespace AND c.relkind = 'v' AND NOT coalesce('security_invoker=true' = ANY (c.reloptions), false)
    AND EXISTS (SELECT FROM aclexplode(c.relacl) AS a WHERE a.grantee NOT IN (c.relowner, 'pg_monitor'::regrole));

-- What a call comes to, in a transaction of its own that is undone.
CREATE FUNCTION public.outcome(call text, caller text, setting text DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    state text; hint text; message text;
BEGIN
    BEGIN
        IF setting IS NOT NULL THEN EXECUTE setting; END IF;
        EXECUTE pg_catalog.format('SET LOCAL ROLE %I', caller);
        EXECUTE pg_catalog.concat('SELECT * FROM ', call);
        SET CONSTRAINTS ALL IMMEDIATE;
        RAISE EXCEPTION USING ERRCODE = 'KX001';
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, hint = PG_EXCEPTION_HINT, message = MESSAGE_TEXT;
    END;
    RETURN CASE WHEN state = 'KX001' THEN 'works'
        WHEN state = '42501' AND (hint LIKE '%grant_access%' OR hint LIKE 'GRANT pg_monitor TO %') THEN '-'
        WHEN state = '42501' AND message LIKE 'workspace "elsewhere" is not%' THEN 'own workspace only'
        ELSE state || ' ' || message END;
END
$$;

-- The levels.
CREATE ROLE access_nobody;
CREATE ROLE access_reader; CREATE ROLE access_writer; CREATE ROLE access_worker; CREATE ROLE access_admin;
SELECT kepler.grant_access(('access_' || level)::regrole, level) FROM unnest('{reader,writer,worker,admin}'::text[]) AS level;
SELECT c.name, outcome(c.call, 'access_reader') AS reader, outcome(c.call, 'access_writer') AS writer,
    outcome(c.call, 'access_worker') AS worker, outcome(c.call, 'access_admin') AS admin
FROM calls AS c ORDER BY c.name;
-- Every relation of Kepler's is given to somebody: one that a level does not speak of would be nobody's. But what is of all workspaces
-- at once: hashes, and the columns of tables.
SELECT c.oid::regclass AS forgotten FROM pg_class AS c
WHERE c.relname NOT IN ('history_seals', 'history_shapes') AND c.relname NOT LIKE 'stat\_%' AND c.relnamespace = 'kepler'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition AND NOT has_table_privilege('access_admin', c.oid, 'SELECT')
    AND NOT has_any_column_privilege('access_admin', c.oid, 'INSERT');
SELECT r.role, p.privilege, count(*) FROM unnest('{access_reader,access_writer,access_worker,access_admin}'::text[]) AS r (role)
CROSS JOIN unnest('{TRIGGER,REFERENCES,TRUNCATE}'::text[]) AS p (privilege) CROSS JOIN pg_class AS c
WHERE c.relnamespace IN ('kepler'::regnamespace, 'kepler_data'::regnamespace) AND c.relkind IN ('r', 'p', 'v')
    AND has_table_privilege(r.role, c.oid, p.privilege) GROUP BY 1, 2;

-- Another workspace: for whoever is not the owner an error, in every function that takes one.
CREATE TABLE elsewhere AS
SELECT c.name, regexp_replace(regexp_replace(c.call, '\)$', ', workspace_id => ''elsewhere'')'), '\(, ', '(') AS call FROM calls AS c
WHERE EXISTS (SELECT FROM pg_proc AS p WHERE p.pronamespace = 'kepler'::regnamespace AND p.proname = c.name AND 'workspace_id' = ANY (p.proargnames))
    -- These are about who may work where, and about workspaces as wholes.
    AND c.name NOT IN ('grant_access', 'revoke_access', 'use_workspace', 'create_workspace', 'import_workspace', 'delete_workspace')
    -- An answer, and no argument.
    AND c.name <> 'retention_report';
SELECT count(*) > 40 AS many, count(*) FILTER (WHERE outcome(e.call, 'access_admin') = 'own workspace only') = count(*) AS all_refused FROM elsewhere AS e;
SELECT e.name, outcome(e.call, 'access_admin') AS not_refused FROM elsewhere AS e
WHERE outcome(e.call, 'access_admin') <> 'own workspace only' ORDER BY 1;

-- A role that was given all there is, as many an application is, uses it to set traps: a trigger before and after every change
-- of every table. A trap that springs as somebody else than the caller is counted, also where all is undone.
CREATE ROLE access_evil;
CREATE SCHEMA evil AUTHORIZATION access_evil;
GRANT USAGE ON SCHEMA evil TO PUBLIC;
CREATE SEQUENCE sprung;
CREATE SEQUENCE shadowed;
GRANT ALL ON SEQUENCE sprung, shadowed TO PUBLIC;
GRANT USAGE ON SCHEMA kepler, kepler_internal, kepler_data TO access_evil;
GRANT ALL ON ALL TABLES IN SCHEMA kepler, kepler_internal, kepler_data TO access_evil;
GRANT ALL ON ALL FUNCTIONS IN SCHEMA kepler, kepler_internal TO access_evil;
SET LOCAL ROLE access_evil;
CREATE FUNCTION evil.trap() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_user <> current_setting('access.caller', true) THEN PERFORM nextval('public.sprung'); END IF;
    RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END
$$;
DO $$
DECLARE relation regclass;
BEGIN
    FOR relation IN SELECT c.oid FROM pg_class AS c
        WHERE c.relnamespace IN ('kepler'::regnamespace, 'kepler_data'::regnamespace) AND c.relkind = 'r'
    LOOP
        EXECUTE format('CREATE TRIGGER a_trap BEFORE INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION evil.trap()', relation);
        EXECUTE format('CREATE CONSTRAINT TRIGGER z_trap AFTER INSERT OR UPDATE OR DELETE ON %s DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION evil.trap()', relation);
    END LOOP;
END
$$;
RESET ROLE;
-- The levels can do what they could, and the traps spring as the caller alone: that is Postgres' own rule for triggers.
SELECT c.name, w.outcome FROM calls AS c
CROSS JOIN unnest('{access_reader,access_writer,access_worker,access_admin}'::text[]) AS r (role)
CROSS JOIN LATERAL (SELECT outcome(c.call, r.role, format('SET LOCAL access.caller = %L', r.role))) AS w (outcome)
WHERE w.outcome NOT IN ('works', '-') ORDER BY c.name, r.role;
SELECT is_called AS sprung FROM sprung;
-- The owner, here a superuser, gives no rights to a trap: what declares and installs refuses tables that have one.
-- (maintain() has constraints fire at once, and Postgres leaves that so for the calls behind it in the transaction: it undoes no state that
-- a released savepoint has set.)
SELECT c.name, w.outcome FROM calls AS c
CROSS JOIN LATERAL (SELECT outcome(c.call, session_user, format('SET LOCAL access.caller = %L', session_user))) AS w (outcome)
WHERE w.outcome <> 'works' ORDER BY c.name;
SELECT is_called AS sprung FROM sprung;

DROP FUNCTION evil.trap() CASCADE;

-- Functions and operators of its own under the names of Postgres' own, before them in the search path of whoever calls.
SET LOCAL ROLE access_evil;
DO $$
DECLARE
    shadow record;
    made text;
BEGIN
    FOR shadow IN
        SELECT o.oprname, format_type(o.oprleft, NULL) AS left_type, format_type(o.oprright, NULL) AS right_type,
            format_type(o.oprresult, NULL) AS result, row_number() OVER (ORDER BY o.oid) AS number
        FROM pg_operator AS o
        JOIN pg_type AS l ON l.oid = o.oprleft AND l.typtype = 'b'
        JOIN pg_type AS r ON r.oid = o.oprright AND r.typtype = 'b'
        JOIN pg_type AS t ON t.oid = o.oprresult AND t.typtype = 'b'
        WHERE o.oprnamespace = 'pg_catalog'::regnamespace
    LOOP
        made := format('evil.shadow_%s', shadow.number);
        EXECUTE format('CREATE FUNCTION %s(%s, %s) RETURNS %s LANGUAGE plpgsql AS %L', made, shadow.left_type, shadow.right_type,
            shadow.result, 'BEGIN PERFORM pg_catalog.nextval(''public.shadowed''); RAISE EXCEPTION ''shadow of an operator''; END');
        EXECUTE format('CREATE OPERATOR evil.%s (FUNCTION = %s, LEFTARG = %s, RIGHTARG = %s)', shadow.oprname, made,
            shadow.left_type, shadow.right_type);
    END LOOP;
    FOR shadow IN
        SELECT p.proname, pg_get_function_identity_arguments(p.oid) AS arguments, format_type(p.prorettype, NULL) AS result
        FROM pg_proc AS p
        JOIN pg_type AS t ON t.oid = p.prorettype AND t.typtype = 'b'
        WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind = 'f' AND p.provariadic = 0 AND NOT p.proretset
            AND p.pronargs > 0 AND p.proallargtypes IS NULL
            AND NOT EXISTS (SELECT FROM unnest(p.proargtypes::oid[]) AS a (type)
                            JOIN pg_type AS x ON x.oid = a.type WHERE x.typtype <> 'b')
    LOOP
        EXECUTE format('CREATE FUNCTION evil.%I(%s) RETURNS %s LANGUAGE plpgsql AS %L', shadow.proname, shadow.arguments, shadow.result,
            'BEGIN PERFORM pg_catalog.nextval(''public.shadowed''); RAISE EXCEPTION ''shadow of a function''; END');
    END LOOP;
END
$$;
RESET ROLE;
SELECT count(*) > 2500 AS many FROM pg_proc WHERE pronamespace = 'evil'::regnamespace;
SELECT c.name, r.role, w.outcome FROM calls AS c
CROSS JOIN unnest('{access_writer,access_worker,access_admin}'::text[]) AS r (role)
CROSS JOIN LATERAL (SELECT outcome(c.call, r.role, 'SET LOCAL search_path = evil, pg_catalog, public')) AS w (outcome)
WHERE w.outcome NOT IN ('works', '-') ORDER BY c.name, r.role;
SELECT is_called AS shadowed FROM shadowed;

-- An index over a function of its own on a table of its own: a search by somebody else does not call the function.
SET LOCAL ROLE access_evil;
CREATE FUNCTION evil.look(v vector) RETURNS vector IMMUTABLE LANGUAGE plpgsql AS $$
BEGIN
    IF current_user <> 'access_evil' THEN PERFORM nextval('public.sprung'); END IF;
    RETURN v;
END
$$;
CREATE TABLE evil.vectors (id integer PRIMARY KEY, embedding vector(2));
INSERT INTO evil.vectors SELECT i, ARRAY[1, i]::real[]::vector FROM generate_series(1, 3000) AS i;
CREATE INDEX ON evil.vectors USING hnsw ((evil.look(embedding)::vector(2)) vector_cosine_ops);
RESET ROLE;
ANALYZE evil.vectors;
SELECT document -> 'id' AS id, plan FROM kepler.search_vectors('evil.vectors', 'embedding', '[1, 7]', 1);
SELECT is_called AS sprung FROM sprung;

-- A partition of its table that belongs to a superuser is read as its owner: but not where the planner would work out, as that
-- owner, what the table's own checks or indexes say.
SET LOCAL ROLE access_evil;
CREATE FUNCTION evil.one() RETURNS integer IMMUTABLE LANGUAGE plpgsql AS $$
BEGIN
    IF current_user <> 'access_evil' AND current_setting('access.caller') = 'access_evil' THEN PERFORM nextval('public.sprung'); END IF;
    RETURN 1;
END
$$;
CREATE TABLE evil.whole (id integer, embedding vector(2), CHECK (id >= evil.one())) PARTITION BY RANGE (id);
RESET ROLE;
SET LOCAL access.caller = 'access_nobody';
CREATE TABLE evil.part PARTITION OF evil.whole FOR VALUES FROM (1) TO (10);
INSERT INTO evil.whole VALUES (1, '[1, 1]'), (2, '[1, 2]');
SET LOCAL access.caller = 'access_evil';
SET LOCAL constraint_exclusion = on;
SET LOCAL ROLE access_evil;
SELECT document -> 'id' AS id FROM kepler.search_vectors('evil.whole', 'embedding', '[1, 2]', 1, filter => '{"id": {"$in": [1, 2, 3]}}');
RESET ROLE;
RESET constraint_exclusion;
SELECT is_called AS sprung FROM sprung;

-- An operator for a domain, found by name where the domain's own type has one: it is not called.
CREATE DOMAIN public.place AS vector(2);
CREATE TABLE public.placed (place public.place UNIQUE, document jsonb, embedding vector(2));
INSERT INTO public.placed VALUES ('[1, 2]', '{}', '[1, 0]'), ('[1, 3]', '{}', '[1, 1]');
GRANT CREATE ON SCHEMA public TO access_evil;
SET LOCAL ROLE access_evil;
CREATE FUNCTION evil.same(public.place, public.place) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN PERFORM nextval('public.sprung'); RETURN true; END
$$;
CREATE OPERATOR public.= (FUNCTION = evil.same, LEFTARG = public.place, RIGHTARG = public.place);
RESET ROLE;
SELECT document -> 'place' AS place FROM kepler.search_vectors('public.placed', 'embedding', '[1, 0]', 5, filter => '{"place": "[1,3]"}', columns => '{place}');
SELECT count(*) FROM kepler.update_document('public.placed', '{"place": "[1,3]"}', 'document', '{"$set": {"a": 1}}');
SELECT place, document FROM public.placed ORDER BY place;
SELECT is_called AS sprung FROM sprung;

-- Whoever may list spaces names a view as the table of one: searches, which read as the owner, take it for none.
GRANT CREATE ON SCHEMA kepler_data TO access_admin;
SET LOCAL ROLE access_admin;
CREATE FUNCTION kepler_data.look() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM nextval('public.sprung');
    RETURN 'fact';
END
$$;
CREATE VIEW kepler_data.view_embeddings AS
SELECT 'default'::text AS workspace_id, m.id AS memory_id, '[1, 0]'::vector(2) AS embedding, NULL::text AS user_id, kepler_data.look() AS context_type
FROM kepler.memories AS m;
INSERT INTO kepler.embedding_spaces (name, model, dimensions, memory_table_name, message_table_name)
VALUES ('view', 'm', 2, 'view_embeddings', 'view_message_embeddings');
SAVEPOINT view;
SELECT memory_id FROM kepler.search_memories('[1, 0]', 1, space => 'view');
ROLLBACK TO view;
SELECT * FROM kepler.recall_check(space => 'view');
ROLLBACK TO view;
RESET ROLE;
SELECT kepler.activate_embedding_space('view');
ROLLBACK TO view;
RESET ROLE;
SELECT kepler.retire_embedding_space('view');
SELECT is_called AS sprung FROM sprung;

-- Whoever may only read cannot lock what searches need.
SET LOCAL ROLE access_reader;
SAVEPOINT locks;
LOCK TABLE kepler.memory_access IN ACCESS EXCLUSIVE MODE;
ROLLBACK TO locks;
SELECT kepler.touch_memories(ARRAY(SELECT m.id FROM kepler.memories AS m)) > 0 AS touched;
RESET ROLE;

-- Nor can it use up the numbers of entries.
SELECT pg_get_serial_sequence('kepler_data.' || :'things', 'entry_id') AS numbers \gset
SELECT last_value AS before FROM :numbers \gset
SELECT outcome($$kepler.insert_entries('Thing', '[{"a": 2}, {"a": 3}]', 'skip')$$, 'access_reader');
SELECT last_value = :before AS same FROM :numbers;

-- An administrator changes the tables of its own workspace, whatever that is called.
INSERT INTO kepler.workspaces (id, name) VALUES ('back\slash''s', 'Backslash');
SET LOCAL kepler.workspace_id = 'back\slash''s';
SET LOCAL ROLE access_admin;
SELECT count(*) FROM kepler.create_entry_table('Thing', '{"fields": [{"name": "a", "type": "integer"}]}');
SELECT kepler.alter_entry_table('Thing', '{"fields": [{"name": "a", "type": "integer"}, {"name": "b", "type": "text"}]}') AS version;
RESET ROLE;
-- It lists another's table as its own, for somebody with all rights to drop.
SET LOCAL ROLE access_admin;
INSERT INTO kepler.entry_tables (id, record_name, number, table_name, dropped_at) VALUES ('forged', 'Old', 1, :'things', now());
INSERT INTO kepler.structures (entry_table_id, version, structure) VALUES ('forged', 1, '{"fields": []}');
RESET ROLE;
SAVEPOINT forged;
SELECT kepler.purge_entry_table('Old');
ROLLBACK TO forged;
ROLLBACK;
