-- A call of each feature of 0.1.0, on the rows that tests/upgrade/0.1.0/make.sql made. Each is undone, and prints one line: its
-- name, and its answer or its SQLSTATE and hint. Run by tests/reliability/upgrade.sh before, within and after upgrades.
CREATE OR REPLACE FUNCTION pg_temp.smoke(name text, call text, first text DEFAULT 'SELECT 1') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer text; state text; told text; message text;
BEGIN
    BEGIN
        EXECUTE first;
        EXECUTE 'SELECT string_agg(a::text, '' '') FROM (' || call || ') AS a' INTO answer;
        RAISE SQLSTATE 'UNDON';
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, told = PG_EXCEPTION_HINT, message = MESSAGE_TEXT;
    END;
    RETURN name || ': ' || CASE state WHEN 'UNDON' THEN coalesce(answer, '-') WHEN '55000' THEN concat_ws(' | ', state, told) ELSE concat_ws(' | ', state, message, told) END;
END $$;
SELECT pg_temp.smoke(name, call, coalesce(first, 'SELECT 1')) FROM (VALUES
    ('upsert_records', $$SELECT outcome FROM kepler.upsert_records('contact', '[{"external_id": "1", "data": {"n": 2}}, {"external_id": "new", "data": {}}, {"external_id": "2", "data": {}, "source_updated_at": 1}, 7]', connection_id => 'crm')$$, NULL),
    ('upsert_record', $$SELECT outcome FROM kepler.upsert_record('noisy', 'a', '{"v": 1, "at": 9}')$$, NULL),
    ('delete_records', $$SELECT outcome FROM kepler.delete_records('contact', '{3,nobody}', connection_id => 'crm')$$, NULL),
    ('retry_rejects', $$SELECT count(*) FROM kepler.retry_rejects(entity_type => 'contact')$$, NULL),
    ('direct SQL on records', $$SELECT enrichment_status FROM kepler.records WHERE entity_type = 'by hand'$$, $$UPDATE kepler.records SET data = '{"v": 2}' WHERE entity_type = 'by hand'$$),
    ('adopt_records', $$SELECT (kepler.adopt_records('crm')).outcome$$, NULL),
    ('resume_sync', $$SELECT cursor, seen FROM kepler.resume_sync(connection_id => 'crm', entity_type => 'contact')$$, NULL),
    ('finish_sync', $$SELECT f.outcome, f.deleted FROM kepler.resume_sync(connection_id => 'crm', entity_type => 'contact') AS r, kepler.finish_sync(r.sync_run_id, max_delete_fraction => 1, allow_rejects => true) AS f$$, NULL),
    ('merge_inbox_batch', $$SELECT m.outcome, m.counts ->> 'inserted' FROM kepler.resume_sync(entity_type => 'copied') AS r, kepler.merge_inbox_batch(r.sync_run_id) AS m$$, NULL),
    ('begin_sync', $$SELECT cursor FROM kepler.begin_sync(NULL, 'swept')$$, NULL),
    ('claim_records', $$SELECT count(*), sum(attempt) > 4 FROM kepler.claim_records('lead', 'again', 5)$$, NULL),
    ('claim_records, fair', $$SELECT count(*) FROM kepler.claim_records('fair lead', 'again', 5)$$, NULL),
    ('complete_records', $$SELECT c.outcome FROM kepler.lease_records AS l JOIN kepler.leases AS e ON e.id = l.lease_id AND e.worker = 'still at work', kepler.complete_records(l.lease_id, l.record_ids[1:1]) AS c$$, NULL),
    ('fail_records', $$SELECT c.outcome FROM kepler.lease_records AS l JOIN kepler.leases AS e ON e.id = l.lease_id AND e.worker = 'still at work', kepler.fail_records(l.lease_id, l.record_ids[1:2], 'no') AS c$$, NULL),
    ('requeue_records', $$SELECT outcome FROM kepler.requeue_records(entity_type => 'lead')$$, NULL),
    ('failed_enrichments', $$SELECT count(*) FROM kepler.failed_enrichments$$, NULL),
    ('start_execution', $$SELECT outcome FROM kepler.start_execution('welcome', 'done') UNION ALL SELECT outcome FROM kepler.start_execution('welcome', 'another')$$, NULL),
    ('execution_report', $$SELECT count(*) FROM kepler.execution_report()$$, NULL),
    ('remember', $$SELECT outcome FROM kepler.remember('what took its place', user_id => 'ada', dedupe => true)$$, NULL),
    ('search_memories', $$SELECT content FROM kepler.search_memories('[3,2,1]', 2, 'ada', weights => '{"similarity": 1}')$$, NULL),
    ('search_memories, words', $$SELECT content FROM kepler.search_memories(query_text => 'first thing', as_of => '2024-06-01')$$, NULL),
    ('search_memories, another space', $$SELECT count(*) FROM kepler.search_memories('[1,3,0,1]', 5, space => 'big')$$, NULL),
    ('memory_history', $$SELECT count(*) FROM kepler.memory_history((SELECT id FROM kepler.memories WHERE content = 'the first thing'))$$, NULL),
    ('pending_memory_embeddings', $$SELECT count(*) FROM kepler.pending_memory_embeddings('big')$$, NULL),
    ('add_message', $$SELECT number, outcome FROM kepler.add_message('talk', 'tool', 'said 3 about the weather', external_id => 'm3') UNION ALL SELECT number, outcome FROM kepler.add_message('talk', 'user', 'new')$$, NULL),
    ('search_messages', $$SELECT count(*), bool_or(content LIKE 'said%') FROM kepler.search_messages('[1,2,2]', query_text => 'weather', max_rows => 3)$$, NULL),
    ('conversation_window', $$SELECT count(*) FROM kepler.conversation_window('talk')$$, NULL),
    ('insert_entries', $$SELECT outcome FROM kepler.insert_entries('Order', '[{"the Code": "z"}]')$$, NULL),
    ('upsert_entries', $$SELECT outcome FROM kepler.upsert_entries('Order', '{the Code}', '[{"the Code": "X", "state": "a"}, {"the Code": "q"}]')$$, NULL),
    ('set_entry_links', $$SELECT outcome FROM kepler.set_entry_links('Pair', 'one', '[{"one": 1, "two": [2]}]')$$, NULL),
    ('plan_entry_table', $$SELECT count(*) FROM kepler.plan_entry_table('Every Type', (SELECT s.structure::text FROM kepler.structures AS s JOIN kepler.entry_tables AS t ON t.id = s.entry_table_id AND t.version = s.version WHERE t.record_name = 'Every Type'))$$, NULL),
    ('restore_field', $$SELECT kepler.restore_field('Order', 'left', '{"name": "wasLeft", "column": "left_before"}')$$, NULL),
    ('restore_entry_table', $$SELECT kepler.restore_entry_table('Dropped')$$, NULL),
    ('blueprint_drift', $$SELECT count(*) FROM unnest('{shop,neonhub,salesforce_migrator,model}'::text[]) AS b, kepler.blueprint_drift(b) AS d WHERE d.kind NOT IN ('coverage', 'deferred')$$, NULL),
    ('apply_blueprint', $$SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "added", "tables": [{"name": "A", "fields": [{"name": "a", "type": "text"}]}]}')$$, NULL),
    ('changes_since', $$SELECT count(*) > 100 FROM kepler.changes_since(consumer => 'from the beginning')$$, NULL),
    ('acknowledge_changes', $$SELECT outcome FROM kepler.acknowledge_changes('further on', (SELECT cursor FROM kepler.changes_since(max_rows => 1)))$$, NULL),
    ('tracked in the feed', $$SELECT count(*) FROM kepler.changes_since(consumer => 'further on', relation => 'shop.customers') AS c WHERE c.operation = 'UPDATE'$$, $$UPDATE shop.customers SET name = 'F'$$),
    ('row_history', $$SELECT operation, actor, changes FROM kepler.row_history('public.orders', '1')$$, NULL),
    ('row_as_of', $$SELECT count(*) FROM kepler.row_as_of('public.orders', '1', '2100-01-01')$$, NULL),
    ('history goes on', $$SELECT count(*) FROM kepler.row_history('public.orders', '1')$$, $$UPDATE public.orders SET amount = 7$$),
    ('verify_history', $$SELECT v.outcome, v.problem FROM public.kept_apart, kepler.verify_history(anchor) AS v$$, NULL),
    ('update_document', $$SELECT document FROM public.documents$$, $$SELECT kepler.update_document('public.documents', '{"id": "d"}', 'document', '{"$inc": {"n": 1}}')$$),
    ('fold in an index', $$SELECT id FROM public.only_deletions WHERE kepler.fold(name) = kepler.fold('STRASSE')$$, NULL),
    ('workspace_report', $$SELECT count(*) > 10 FROM kepler.workspace_report('north')$$, NULL),
    ('create_workspace', $$SELECT kepler.create_workspace('east')$$, NULL),
    ('export_workspace', $$SELECT count(*) > 10 FROM kepler.export_workspace('north')$$, NULL),
    ('erase_user', $$SELECT count(*) > 0 FROM kepler.erase_user('ada')$$, NULL),
    ('grant_access', $$SELECT kepler.grant_access('upgrade_north', 'admin', 'south')$$, NULL),
    ('find_secrets', $$SELECT count(*) FROM kepler.find_secrets('kepler.memories')$$, NULL),
    ('status', $$SELECT kepler.status() ->> 'workspace_id'$$, NULL),
    ('index_advice', $$SELECT count(*) >= 0 FROM kepler.index_advice()$$, NULL)
) AS calls (name, call, first);
