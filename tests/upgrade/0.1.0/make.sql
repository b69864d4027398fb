-- The database of version 0.1.0 that upgrades are tested with: something of everything that 0.1.0 could keep. make.sh runs
-- it with the library of 0.1.0 and dumps the database to data.sql.gz. It is kept to be read, and is never edited: what later
-- versions add has fixtures of its own.
--
-- Variables: shop, neonhub, migrator: the documents of examples/blueprints as 0.1.0 had them.
\set ON_ERROR_STOP on
\set QUIET on
\o /dev/null
SET client_min_messages = warning;

-- Roles of every level, in all workspaces and in one. The fixture's reader makes them, if they are missing.
CREATE EXTENSION vector;
CREATE EXTENSION kepler;
SELECT kepler.install();
SELECT kepler.create_workspace('north', 'North'), kepler.create_workspace('south', 'South & Söhne');
SELECT kepler.grant_access('upgrade_reader', 'reader'), kepler.grant_access('upgrade_writer', 'writer'),
    kepler.grant_access('upgrade_worker', 'worker'), kepler.grant_access('upgrade_admin', 'admin'),
    kepler.grant_access('upgrade_north', 'writer', 'north'), kepler.grant_access('upgrade_two', 'admin', 'north'),
    kepler.grant_access('upgrade_two', 'reader', 'south');

-- People, connections, workflows.
INSERT INTO kepler.users (id, email) VALUES ('ada', 'ada@example.com'), ('grace', 'Grace@Example.com');
INSERT INTO kepler.users (workspace_id, id, email) VALUES ('north', 'ada', 'ada@north.example.com');
INSERT INTO kepler.connections (id, name, reference_id, provider, user_id, issues)
VALUES ('crm', 'CRM', 'ref-1', 'Salesforce', 'ada', '{}'), ('mail', 'Mail', 'ref-2', 'Gmail', 'ada', '{a,"b c"}');
UPDATE kepler.connections SET status = 'ERROR' WHERE id = 'mail';
INSERT INTO kepler.connections (workspace_id, id, name, reference_id) VALUES ('north', 'crm', 'CRM', 'ref-1');
INSERT INTO kepler.credentials (connection_id, type, secret_ref) VALUES ('crm', 'API_KEY', 'env:CRM_KEY');
INSERT INTO kepler.workflows (id, user_id, name, trigger, actions, required_providers)
VALUES ('welcome', 'ada', 'Welcome', '{"app": "Gmail"}', '[{"app": "Slack"}]', '{Jira}'),
    ('nightly', 'grace', 'Nightly', '{"app": "Cron"}', '[]', '{}');
UPDATE kepler.workflows SET status = 'INACTIVE' WHERE id = 'nightly';

-- Records: of a connection and by hand, deleted, archived, with times, odd texts, in three workspaces.
SELECT kepler.set_entity_options('noisy', '{"ignored_paths": ["/at"]}');
SELECT kepler.upsert_records('contact', (
    SELECT string_agg(jsonb_build_object('external_id', i, 'data', jsonb_build_object('n', i, 'd', '1.10'::numeric, 't',
        E'äöü😀 \u0001 ' || repeat('x', i % 7), 'o', '{"": [null, -0]}'::jsonb), 'source_updated_at', 1700000000 + i)::text, E'\n' ORDER BY i)
    FROM generate_series(1, 120) AS i), connection_id => 'crm');
SELECT kepler.upsert_records('contact', '[{"external_id": "gone", "data": {}, "source_updated_at": "2024-01-01"}]', connection_id => 'crm');
SELECT kepler.upsert_records('contact', '[{"external_id": "gone", "deleted": true, "source_updated_at": "2024-02-01"}]', connection_id => 'crm');
SELECT kepler.upsert_records('noisy', '[{"external_id": "a", "data": {"v": 1, "at": 5}}, {"external_id": "b", "data": {"v": 2}}]');
SELECT kepler.archive_records(ARRAY(SELECT id FROM kepler.records WHERE external_id = 'b'));
INSERT INTO kepler.records (entity_type, data, enrichment, enrichment_status) VALUES ('by hand', '{"v": 1}', '{"w": 2}', 'APPLIED');
SELECT kepler.upsert_records('contact', '[{"id": 1, "at": "2024-05-05", "v": "north"}, {"id": 2, "v": null}]', id_key => 'id', workspace_id => w)
FROM unnest('{north,south}'::text[]) AS w;
SELECT kepler.upsert_records('left behind', '[{"external_id": "1", "data": {"kept": true}}]', connection_id => 'mail');
SELECT kepler.delete_connection('mail', 'keep');

-- Rejects: by the decoder and by the database.
SELECT kepler.upsert_records('contact', '[{"external_id": "bad", "data": 1}, {"external_id": "bad"}, 2, {"external_id": "no time", "data": {}, "source_updated_at": "yesterday"}]',
    connection_id => 'crm', options => '{"keep_rejects": true}');

-- Sync runs: finished with a sweep, failed, abandoned, open and half seen; rows in the inbox, half merged.
SELECT sync_run_id AS run FROM kepler.begin_sync(NULL, 'swept') \gset
SELECT kepler.upsert_records('swept', '[{"external_id": "1", "data": {}}, {"external_id": "2", "data": {}}, {"external_id": "3", "data": {}}]', sync_run_id => :'run');
SELECT kepler.finish_sync(:'run', cursor => 'page 1');
SELECT sync_run_id AS run FROM kepler.begin_sync(NULL, 'swept') \gset
SELECT kepler.upsert_records('swept', '[{"external_id": "1", "data": {}}, {"external_id": "2", "data": {"new": 1}}]', sync_run_id => :'run');
SELECT kepler.finish_sync(:'run', max_delete_fraction => 0.5);
SELECT kepler.abort_sync(sync_run_id, 'the source answered 503') FROM kepler.begin_sync(NULL, 'swept', 'incremental');
SELECT kepler.begin_sync(NULL, 'swept', 'incremental');
SELECT kepler.begin_sync(NULL, 'swept', 'incremental');
SELECT sync_run_id AS run FROM kepler.begin_sync('crm', 'contact', scope => '{"n": {"$lte": 100}}') \gset
SELECT kepler.upsert_records('contact', '[{"external_id": "1", "data": {"n": 1}}, {"external_id": "bad", "data": 7}]', sync_run_id => :'run');
SELECT kepler.checkpoint_sync(:'run', 'page 2');
SELECT sync_run_id AS run FROM kepler.begin_sync(NULL, 'copied') \gset
INSERT INTO kepler.inbox (sync_run_id, line) SELECT :'run', format('{"id": %s, "t": "a\tb"}', i) FROM generate_series(1, 5) AS i;
INSERT INTO kepler.inbox (sync_run_id, line) VALUES (:'run', '{"id": ');
SELECT kepler.merge_inbox_batch(:'run', 2, id_key => 'id');

-- Enrichment: each state, a fair policy, leases held, expired and settled in part, failures, a queue with times to come.
SELECT kepler.set_enrichment_policy('lead', max_attempts => 2, backoff_base => '365 days', backoff_cap => '365 days');
SELECT kepler.set_enrichment_policy('fair lead', fair => true, notify => true, clear_on_change => true);
SELECT kepler.upsert_records('lead', (SELECT string_agg(format('{"external_id": "%s", "data": {"n": %s}}', i, i), E'\n' ORDER BY i) FROM generate_series(1, 30) AS i));
SELECT kepler.upsert_records('fair lead', (SELECT string_agg(format('{"external_id": "%s", "data": {"n": %s}}', i, i), E'\n' ORDER BY i) FROM generate_series(1, 4) AS i), source => s)
FROM unnest('{a,b}'::text[]) AS s;
SELECT min(lease_id) AS lease, array_agg(record_id ORDER BY record_id) AS records FROM kepler.claim_records('lead', 'first', 10) \gset
SELECT kepler.complete_records(:'lease', (:'records'::text[])[1:3], array_fill('{"score": 0.5, "deep": {"a": [1, 2]}}'::jsonb, ARRAY[3]));
SELECT kepler.fail_records(:'lease', (:'records'::text[])[4:5], 'try again');
SELECT kepler.fail_records(:'lease', (:'records'::text[])[6:6], 'broken for good', retryable => false);
SELECT kepler.release_records(:'lease', (:'records'::text[])[7:7]);
SELECT kepler.claim_records('lead', 'still at work', 4, lease => '300 days');
SELECT kepler.claim_records('fair lead', 'in turns', 3, lease => '300 days');
SELECT kepler.claim_records('lead', 'long gone', 2, lease => '1 millisecond');

-- Runs of workflows: under way, overdue, ended in each way.
SELECT execution_id AS run, token FROM kepler.start_execution('welcome', 'done', timeout => '90 minutes', metadata => '{"by": "hand"}') \gset
SELECT kepler.add_execution_steps(:'run', :'token', '[{"name": "a", "output": [1]}, {"name": "b", "status": "RUNNING"}, {"name": "c", "status": "FAILURE", "error": {"code": 7}}]');
SELECT kepler.finish_execution(:'run', :'token', 'SUCCESS', '{"v": 1}');
SELECT execution_id AS run, token FROM kepler.start_execution('welcome', 'failed') \gset
SELECT kepler.finish_execution(:'run', :'token', 'FAILURE', error => 'the other side hung up');
SELECT execution_id AS run, token FROM kepler.start_execution('welcome', 'abandoned', timeout => '1 second') \gset
UPDATE kepler.executions SET deadline_at = clock_timestamp() - interval '1 hour' WHERE id = :'run';
SELECT kepler.abandon_executions();
SELECT kepler.finish_execution(:'run', :'token', 'SUCCESS', '{"late": true}');
SELECT execution_id AS run, token FROM kepler.start_execution('welcome', 'open', timeout => '366 days') \gset
SELECT kepler.add_execution_steps(:'run', :'token', '[{"name": "waiting", "status": "RUNNING"}]');

-- Two embedding spaces and a retired one, with indexes; memories that end, supersede each other, lack an embedding, belong to nobody.
SELECT kepler.create_embedding_space('small', 3, 'model-a'), kepler.create_embedding_space('big', 4, 'model-b', 'inner_product'),
    kepler.create_embedding_space('old', 2, 'model-0', 'l2');
SELECT kepler.activate_embedding_space('small');
CREATE INDEX ON kepler_data.small_embeddings USING hnsw (embedding public.vector_cosine_ops);
CREATE INDEX ON kepler_data.small_message_embeddings USING hnsw (embedding public.vector_cosine_ops);
SELECT kepler.remember('memory ' || i || ' of tea and coffee', ('[1,' || i || ',0.5]')::public.vector, user_id => (ARRAY['ada', 'grace', NULL])[i % 3 + 1],
    context_type => (ARRAY['fact', 'preference'])[i % 2 + 1], metadata => jsonb_build_object('i', i), relevance_score => i / 40.0)
FROM generate_series(1, 40) AS i;
SELECT kepler.set_memory_embeddings('big', (SELECT jsonb_agg(jsonb_build_object('memory_id', id, 'embedding', ARRAY[1, (metadata ->> 'i')::integer, 0, 1])) FROM kepler.memories
    WHERE (metadata ->> 'i')::integer <= 20));
SELECT memory_id AS memory FROM kepler.remember('the first thing', '[1,2,3]', user_id => 'ada', valid_from => '2024-01-01') \gset
SELECT kepler.remember('what took its place', '[3,2,1]', user_id => 'ada', supersedes => :'memory');
SELECT kepler.remember('{"likes": ["tea"]}'::jsonb, NULL, user_id => 'grace', expires_at => '2100-01-01');
SELECT kepler.remember('expired', '[1,1,1]', user_id => 'ada', valid_from => '2023-01-01', expires_at => '2024-01-01');
SELECT kepler.remember('north remembers', '[0,0,1]', workspace_id => 'north');
SELECT kepler.search_memories('[1,2,3]', query_text => 'tea', touch => true);
SELECT kepler.retire_embedding_space('old');
INSERT INTO kepler.conversations (id, user_id) VALUES ('talk', 'ada'), ('empty', 'grace');
SELECT kepler.add_message('talk', (ARRAY['system', 'user', 'assistant', 'tool'])[i % 4 + 1], 'said ' || i || ' about the weather', external_id => 'm' || i,
    embedding => CASE WHEN i % 5 > 0 THEN ('[1,' || i || ',2]')::public.vector END)
FROM generate_series(1, 25) AS i;

-- Entry tables: a field of each type, references and links, a renamed table, hidden fields, a dropped table, changed structures.
SELECT kepler.create_entry_table('Order', '{"key": {"name": "orderId", "column": "order_id", "type": "bigint"}, "fields": [{"name": "the Code", "column": "code", "type": "text", "unique": true, "required": true, "case_insensitive": true}, {"name": "state", "type": "enum", "values": ["a", "b"], "default": "b"}, {"name": "left", "column": "was_left", "type": "integer"}]}');
SELECT kepler.insert_entries('Order', '[{"the Code": "x", "left": 7}, {"the Code": "y", "state": "a"}]');
SELECT kepler.alter_entry_table('Order', '{"key": {"name": "orderId", "column": "order_id", "type": "bigint"}, "fields": [{"name": "the Code", "column": "code", "type": "text", "unique": true, "required": true, "case_insensitive": true}, {"name": "state", "type": "enum", "values": ["a", "b"], "renamed_values": {"a": "b", "b": "a"}, "default": "a"}]}', '{rewrite}');
SELECT kepler.create_entry_table('Every Type', '{"key": {"name": "id", "type": "uuid"}, "description": "One field of each type", "fields": [
    {"name": "a_text", "type": "text", "max_length": 20, "min_length": 1, "unique": true, "case_insensitive": true}, {"name": "a_integer", "type": "integer", "min": 0, "max": 1000, "index": true},
    {"name": "a_bigint", "type": "bigint"}, {"name": "a_decimal", "type": "decimal", "precision": 10, "scale": 2}, {"name": "a_float", "type": "float"}, {"name": "a_boolean", "type": "boolean", "default": true},
    {"name": "a_date", "type": "date", "default": "now"}, {"name": "a_time", "type": "time"}, {"name": "a_timestamp", "type": "timestamp"}, {"name": "a_uuid", "type": "uuid", "default": "uuid"},
    {"name": "a_json", "type": "json", "index": {"method": "gin"}}, {"name": "a_bytes", "type": "bytes"}, {"name": "an_enum", "type": "enum", "values": ["red", "green"]}, {"name": "a_list", "type": "integer", "list": true},
    {"name": "an_order", "type": "reference", "to": "Order", "on_delete": "set_null"}, {"name": "a_vector", "type": "vector", "dimensions": 3, "index": {"method": "hnsw", "metric": "cosine"}},
    {"name": "a_secret", "type": "text", "sensitive": true}, {"name": "a_cuid", "type": "text", "default": "cuid"}, {"name": "a_reference", "type": "text", "sensitive": "reference"}],
    "checks": [{"field": "a_bigint", "op": ">=", "value": 0}], "unique": [["a_bigint", "a_date"]]}');
SELECT kepler.insert_entries('Every Type', '[{"a_text": "Äß", "a_integer": 5, "a_bigint": "9007199254740993", "a_decimal": "12345678.90", "a_float": 1e-300, "a_boolean": false, "a_date": "2024-02-29", "a_time": "23:59:59.123456",
    "a_timestamp": "2024-02-29T12:00:00+02:00", "a_uuid": "6f1a2c3e-1111-4222-8333-444455556666", "a_json": {"k": [1, null]}, "a_bytes": "aGVsbG8=", "an_enum": "green", "a_list": [1, 2, 3], "an_order": 1,
    "a_vector": [1, 2, 3], "a_secret": "quiet", "a_reference": "env:THING"}, {"a_text": "empty otherwise"}]');
SELECT kepler.create_entry_table('Pair', '{"fields": [{"name": "one", "type": "reference", "to": "Order"}, {"name": "two", "type": "reference", "to": "Order"}], "unique": [["one", "two"]]}');
SELECT kepler.set_entry_links('Pair', 'one', '[{"one": 1, "two": [1, 2]}]');
SELECT kepler.create_entry_table('Dropped', '{"fields": [{"name": "a", "type": "integer"}]}');
SELECT kepler.insert_entries('Dropped', '[{"a": 1}]');
SELECT kepler.drop_entry_table('Dropped');
SELECT kepler.create_entry_table('Renamed', '{"fields": [{"name": "a", "type": "text"}]}');
SELECT kepler.rename_entry_table('Renamed', 'Now So Called');
SELECT kepler.create_entry_table('Order', '{"fields": [{"name": "only_north", "type": "text"}]}', workspace_id => 'north');
SELECT kepler.insert_entries('Order', '[{"only_north": "n"}]', workspace_id => 'north');

-- Blueprints: those that are shipped, and a model with something of each kind, in two versions, tracked with rows in them.
SELECT kepler.apply_blueprint(:'shop'), kepler.apply_blueprint(:'neonhub'), kepler.apply_blueprint(:'migrator');
INSERT INTO shop.customers (email, name) VALUES ('c@example.com', 'C'), ('d@example.com', 'D');
INSERT INTO shop.products (sku, name, price) VALUES ('p', 'P', 1.50);
INSERT INTO shop.orders (customer_id) SELECT id FROM shop.customers;
INSERT INTO shop.order_items (order_id, line, sku) SELECT id, 1, 'p' FROM shop.orders;
\set model '{"blueprint": "model", "extensions": ["vector"], "tenancy": {"field": "tenant"}, "enums": {"state": ["a", "b"]}, "tables": [{"name": "Parent", "table": "Parents", "description": "p", "key": {"name": "id", "type": "bigint"}, "times": true, "fields": [{"name": "tenant", "type": "text", "required": true}, {"name": "state", "type": "enum", "enum": "state", "default": "a"}, {"name": "code", "type": "text", "max_length": 30, "fill": "cuid", "unique": true, "case_insensitive": true}, {"name": "n", "type": "integer", "generated": "serial", "min": 0}, {"name": "risky", "type": "text", "default_sql": "pg_backend_pid()::text || version()"}, {"name": "moved", "type": "timestamp", "zone": false, "precision": 3, "default": "now", "touch": true}]}, {"name": "Child", "table": "children", "key": {"fields": ["a", "b"]}, "fields": [{"name": "a", "type": "smallint", "required": true}, {"name": "b", "type": "text", "required": true}, {"name": "parent", "type": "reference", "to": "Parent", "on_delete": "set_null"}, {"name": "v", "type": "vector", "dimensions": 3}, {"name": "doc", "type": "json"}], "indexes": [{"fields": ["v"], "method": "hnsw", "metric": "cosine"}, {"fields": ["b"], "where_sql": "a > 3"}, {"fields": [{"field": "doc", "path": ["x"]}]}]}]}'
SELECT kepler.apply_blueprint(replace(:'model', '{"name": "doc", "type": "json"}', '{"name": "doc", "type": "json"}, {"name": "dropped", "type": "text"}'), options => '{"trusted": true}');
INSERT INTO model."Parents" (tenant, n) VALUES ('default', 1), ('north', 2);
INSERT INTO model.children (a, b, parent, v, doc) SELECT id, 'b', id, '[1,2,3]', '{"x": 1}' FROM model."Parents";
SELECT kepler.apply_blueprint(:'model', options => '{"trusted": true}', allow => '{drop}');

-- Tables of the application: tracked in both logs, with Kepler's functions in defaults and indexes, and no retention of their own.
CREATE TABLE public.orders (gone integer, id integer PRIMARY KEY, note text, amount numeric, born interval);
ALTER TABLE public.orders DROP COLUMN gone;
SELECT kepler.track('public.orders', 'history'), kepler.track('public.orders');
CREATE TABLE public.only_deletions (id text PRIMARY KEY DEFAULT kepler.cuid(), workspace_id text NOT NULL DEFAULT kepler.current_workspace_id(), name text);
CREATE UNIQUE INDEX ON public.only_deletions (kepler.fold(name));
SELECT kepler.track('public.only_deletions', 'deletions');
SELECT kepler.track('shop.orders', 'history');
SELECT kepler.track('shop.customers');
SET kepler.actor = 'ada';
SET kepler.request_id = 'req-1';
INSERT INTO public.orders VALUES (1, 'one', 1.50, '1 year -3 days'), (2, 'other', 0, NULL);
UPDATE public.orders SET note = 'two', amount = NULL WHERE id = 1;
ALTER TABLE public.orders RENAME note TO remark;
UPDATE public.orders SET remark = 'three', born = NULL WHERE id = 1;
DELETE FROM public.orders WHERE id = 2;
INSERT INTO public.only_deletions (id, name) VALUES ('x', 'Straße'), ('y', 'Y');
DELETE FROM public.only_deletions WHERE id = 'y';
UPDATE shop.orders SET status = 'sent', sent_at = '2024-01-01';
UPDATE shop.customers SET name = 'E' WHERE name = 'D';
RESET kepler.actor;
RESET kepler.request_id;
-- A redaction within the chain; the rest is sealed, and what comes after is not.
SELECT kepler.seal_history();
SELECT kepler_internal.redact_history(NULL, 'a reason', 'public.orders', '{2}');
SELECT kepler.seal_history() AS anchor \gset
UPDATE public.orders SET amount = 2 WHERE id = 1;

-- Consumers of the feed: at its beginning and further on.
SELECT kepler.acknowledge_changes('from the beginning', min(cursor)) FROM (SELECT cursor FROM kepler.changes_since(max_rows => 1)) AS c;
SELECT kepler.acknowledge_changes('further on', c.cursor) FROM kepler.changes_since(max_rows => 50) AS c WHERE c.row_id IS NOT NULL OFFSET 20 LIMIT 1;
CALL kepler.maintain_feed();
CALL kepler.maintain_history();

-- Documents in a table of the application, by MongoDB's operators.
CREATE TABLE public.documents (id text PRIMARY KEY, document jsonb, embedding public.vector(2));
SELECT kepler.upsert_document('public.documents', '{"id": "d"}', 'document', '{"$set": {"a": 1}, "$inc": {"n": 2}}');

-- What a version of before cannot know, and must keep: columns, indexes and rights of the user on Kepler's tables.
ALTER TABLE kepler.records ADD COLUMN own_note text DEFAULT 'mine';
CREATE INDEX records_own_note_idx ON kepler.records (own_note) WHERE own_note <> 'mine';
COMMENT ON COLUMN kepler.records.own_note IS 'The application''s own';

-- The anchor of the history, for the test to verify with.
CREATE TABLE public.kept_apart AS SELECT :'anchor'::text AS anchor;
