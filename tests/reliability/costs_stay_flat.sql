-- What costs_stay_flat.py calls beside the list of access_of_every_function.sql, and how it counts.
-- More calls than one a function, where arguments take another way.
INSERT INTO calls VALUES
    ('search_memories (filter)', $$kepler.search_memories('[1, 0]', query_text => 'tea', filter => '{"k": 3}')$$),
    ('search_memories (user)', $$kepler.search_memories('[1, 0]', user_id => 'u')$$),
    ('search_messages (conversation)', $$kepler.search_messages('[1, 0]', query_text => 'hello', conversation_id => 'talk')$$),
    ('search_memories (namespace)', $$kepler.search_memories('[1, 0]', query_text => 'tea', namespace => 'notes/n7')$$),
    ('get_memories (keys of a user)', $$kepler.get_memories(keys => '{k2,none}', namespace => 'notes/n2', user_id => 'u', touch => true)$$),
    ('list_memories (touch)', 'kepler.list_memories(max_rows => 10, touch => true)'),
    ('list_memories (namespace)', $$kepler.list_memories(namespace => 'notes/n7', order_by => 'updated_at')$$),
    ('list_memories (keys of a user)', $$kepler.list_memories('u', order_by => 'key', max_rows => 10)$$),
    ('list_memories (keys of nobody)', $$kepler.list_memories(NULL, namespace => 'notes', order_by => 'key', descending => true, max_rows => 10)$$),
    ('count_memories (namespace)', $$kepler.count_memories(NULL, namespace => 'notes/n7')$$),
    ('list_namespaces (page)', $$kepler.list_namespaces('notes', max_rows => 10, after => 'notes/n5')$$),
    ('remember (key)', $$kepler.remember('another tea', key => 'k7', namespace => 'notes/n7')$$),
    ('remember (key of a user)', $$kepler.remember('another tea', key => 'k8', namespace => 'notes/n8', user_id => 'u')$$),
    ('forget (keys)', $$kepler.forget(keys => '{k9,none}', namespace => 'notes/n9', user_id => NULL)$$),
    ('remember (dedupe)', $$kepler.remember('coffee', '[0, 1]', dedupe => true)$$),
    ('remember (user)', $$kepler.remember('coffee', '[0, 1]', user_id => 'u')$$),
    ('failed_enrichments LIMIT 10', 'public.first_failures()'),
    ('conversation_window (limit)', $$kepler.conversation_window('talk', max_rows => 20)$$),
    ('start_execution (same key)', $$kepler.start_execution('w', 'k')$$),
    ('start_execution (retry)', $$kepler.start_execution('w', retry_of => 'failed')$$),
    ('start_execution (caller_token)', $$kepler.start_execution('w', 'own', caller_token => 'a token of the caller')$$),
    ('execution_report_by_user (nobody)', $$kepler.execution_report_by_user('u2')$$),
    ('execution_report_by_user (workflow, time)', $$kepler.execution_report_by_user('u', 'w', started_from => 'infinity')$$),
    ('edit of a workflow', $$public.edit_of('w')$$),
    ('DELETE of an execution', $$public.delete_of('kepler.executions', 'failed')$$),
    ('claim_records (10)', $$kepler.claim_records('lead', 'x', 10)$$),
    ('claim_records (fair)', $$kepler.claim_records('fair', 'x', 2)$$),
    ('claim_records (nothing meets the filter)', $$kepler.claim_records('fair', 'x', 2, options => '{"filter": {"n": -1}}')$$),
    ('claim_records (limit used up)', $$kepler.claim_records('limited', 'x', 10)$$),
    ('claim_records (others are scheduled)', $$kepler.claim_records('scheduled', 'x', 2)$$),
    ('next_claim_at (limit used up)', $$kepler.next_claim_at('limited')$$),
    ('begin_sync (records)', $$kepler.begin_sync(NULL, 'lead')$$),
    ('delete_records (100)', $$kepler.delete_records(ARRAY(SELECT id FROM public.chosen))$$),
    ('delete_records (external ids)', $$kepler.delete_records('lead', ARRAY['l1', 'l2', 'l3'])$$),
    ('upsert_records (kept rejects)', $$kepler.upsert_records('lead', '[{"external_id": "l1", "data": 1}, 2]', options => '{"keep_rejects": true}')$$),
    ('retry_rejects (ids)', $$kepler.retry_rejects('{1,2,3}')$$),
    ('restore_records (100)', $$kepler.restore_records(ARRAY(SELECT id FROM public.chosen))$$),
    ('requeue_records (nothing failed)', $$kepler.requeue_records(entity_type => 'fair')$$),
    ('merge_inbox_batch (10)', $$kepler.merge_inbox_batch((SELECT id FROM public.streamed), 10)$$),
    ('merge_inbox (10)', $$kepler_internal.merge_inbox_step((SELECT id FROM public.streamed), 10, NULL, NULL, NULL, NULL, NULL, false)$$),
    ('sync_progress', '(SELECT * FROM kepler.sync_progress) AS p'),
    ('DELETE of a user', $$public.delete_of('kepler.users', 'u2')$$),
    ('DELETE of a connection', $$public.delete_of('kepler.connections', 'c2')$$),
    ('DELETE of a conversation', $$public.delete_of('kepler.conversations', 'talk2')$$),
    ('DELETE of a workflow', $$public.delete_of('kepler.workflows', 'w2')$$);

INSERT INTO kepler.executions (id, workflow_id, status, ended_at) SELECT 'failed', w.id, 'FAILURE', clock_timestamp() + interval '1 second' FROM kepler.workflows AS w WHERE w.id = 'w';
CREATE FUNCTION public.edit_of(id text) RETURNS void LANGUAGE plpgsql
SET kepler.plan_for_large_tables = on AS $$
BEGIN UPDATE kepler.workflows AS w SET intent = concat(w.intent, '.') WHERE w.workspace_id = 'default' AND w.id = $1; END $$;

CREATE TABLE public.chosen (id text);
-- A run whose inbox has as many rows as anything, and another that has some, and had more.
CREATE TABLE public.streamed AS SELECT sync_run_id AS id FROM kepler.begin_sync(NULL, 'streamed');
CREATE TABLE public.streamed_before AS SELECT sync_run_id AS id FROM kepler.begin_sync(NULL, 'streamed before');

-- How the row itself is found is up to the statement of whoever deletes it; what hangs on it is up to Kepler.
CREATE FUNCTION public.delete_of(relation regclass, id text) RETURNS void LANGUAGE plpgsql
SET kepler.plan_for_large_tables = on AS $$
BEGIN EXECUTE format('DELETE FROM %s WHERE workspace_id = ''default'' AND id = $1', relation) USING id; END $$;

-- Planned as if the log were large: in three pages its index is not worth a look.
CREATE FUNCTION public.first_failures() RETURNS SETOF kepler.failed_enrichments LANGUAGE plpgsql
SET kepler.plan_for_large_tables = on AS $$
BEGIN RETURN QUERY SELECT * FROM kepler.failed_enrichments LIMIT 10; END $$;

-- Rows returned and pages asked for so far in this transaction, by table and index.
CREATE FUNCTION public.counts() RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_object_agg(c.oid::regclass::text, jsonb_build_array(pg_stat_get_xact_tuples_returned(c.oid),
        pg_stat_get_xact_tuples_fetched(c.oid), pg_stat_get_xact_blocks_fetched(c.oid)))
    FROM pg_class AS c WHERE c.relkind IN ('r', 'i', 'm') AND c.relname NOT IN ('calls', 'chosen')
        AND c.relnamespace IN ('kepler'::regnamespace, 'kepler_internal'::regnamespace, 'kepler_data'::regnamespace, 'public'::regnamespace)
$$;

-- What a call reads. It is undone. Nobody counts what parallel workers read.
CREATE FUNCTION public.probe(call text) RETURNS jsonb LANGUAGE plpgsql SET max_parallel_workers_per_gather = 0 AS $$
DECLARE
    before jsonb; after jsonb; state text; message text;
BEGIN
    before := public.counts();
    BEGIN
        EXECUTE concat('SELECT count(*) FROM (SELECT * FROM ', call, ') AS answer');
        SET CONSTRAINTS ALL IMMEDIATE;
        RAISE EXCEPTION USING ERRCODE = 'KX001';
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT;
    END;
    after := public.counts();
    RETURN jsonb_build_object('state', state, 'message', message, 'counts', (
        SELECT coalesce(jsonb_object_agg(a.key, jsonb_build_array((a.value->>0)::bigint - coalesce((before->a.key->>0)::bigint, 0),
            (a.value->>1)::bigint - coalesce((before->a.key->>1)::bigint, 0), (a.value->>2)::bigint - coalesce((before->a.key->>2)::bigint, 0))), '{}')
        FROM jsonb_each(after) AS a WHERE a.value <> coalesce(before->a.key, '[]')));
END $$;
