-- Something of everything, for hostile_calls.py, which knows these ids.
INSERT INTO kepler.workspaces (id, name) VALUES ('other', 'other');
INSERT INTO kepler.users (workspace_id, id, email) VALUES ('default', 'ada', 'ada@example.com'), ('other', 'eve', 'eve@example.com');
INSERT INTO kepler.connections (id, name, reference_id, user_id, provider, kind, last_verified_at)
VALUES ('c', 'c', 'r', 'ada', 'gmail', 'OAUTH', now());

SELECT count(*) FROM kepler.upsert_records('contact', (
    SELECT json_agg(json_build_object('external_id', 'e' || i, 'data', json_build_object('n', i, 'name', 'name ' || i, 'o', json_build_object('a', 1))))::text
    FROM generate_series(1, 200) AS i), connection_id => 'c');
SELECT count(*) FROM kepler.upsert_records('item', '[{"external_id": "e1", "data": 1}, 2, {"id" 3}]', options => '{"keep_rejects": true}');
INSERT INTO kepler.records (id, entity_type, data) SELECT 'record' || i, 'item', '{"v": 1}' FROM generate_series(1, 20) AS i;
INSERT INTO kepler.records (workspace_id, id, entity_type, data) VALUES ('other', 'others_record', 'item', '{}');
SELECT kepler.set_enrichment_policy('item', max_attempts => 3, lease => '1 hour', fair => true);
SELECT kepler.set_enrichment_policy('contact');
SELECT count(*) FROM kepler.claim_records('item', 'worker', 10);
SELECT kepler.set_entity_options('noisy', '{"ignored_paths": ["/at"]}');

SELECT kepler.begin_sync('c', 'item');
INSERT INTO kepler.inbox (sync_run_id, line)
SELECT r.sync_run_id, format('{"external_id": "copied %s", "data": {}}', i) FROM kepler.begin_sync('c', 'copied') AS r, generate_series(1, 10) AS i;

INSERT INTO kepler.workflows (id, user_id, name, trigger, actions)
VALUES ('w', 'ada', 'w', '{"app": "gmail"}', '[{"app": "slack"}, {"app": "openai"}]');
-- The token of a run is told once.
CREATE TABLE public.run AS SELECT execution_id, token FROM kepler.start_execution('w', 'first', timeout => '1 hour');
SELECT count(*) FROM kepler.add_execution_steps((SELECT execution_id FROM public.run), (SELECT token FROM public.run), '[{"name": "a"}]');

CREATE TABLE public.failed AS SELECT execution_id, token FROM kepler.start_execution('w', 'failed');
SELECT kepler.finish_execution((SELECT execution_id FROM public.failed), (SELECT token FROM public.failed), 'FAILURE');
CREATE TABLE public.asking AS SELECT execution_id, token FROM kepler.start_execution('w', 'asking');
SELECT kepler.suspend_execution((SELECT execution_id FROM public.asking), (SELECT token FROM public.asking), '"Send it?"');
CREATE TABLE public.answered AS SELECT execution_id, token FROM kepler.start_execution('w', 'answered');
SELECT kepler.suspend_execution((SELECT execution_id FROM public.answered), (SELECT token FROM public.answered), '"Send it?"');
SELECT kepler.answer_execution((SELECT execution_id FROM public.answered), 1, 'true');

SELECT kepler.create_embedding_space('small', 3, 'model');
SELECT kepler.create_embedding_space('next', 3, 'another');
SELECT kepler.create_embedding_space('retired', 3, 'old');
SELECT kepler.retire_embedding_space('retired');
SELECT kepler.activate_embedding_space('small');
INSERT INTO kepler.memories (id, user_id, content, metadata) SELECT 'memory' || i, 'ada', 'memory number ' || i, jsonb_build_object('n', i)
FROM generate_series(1, 20) AS i;
SELECT count(*) FROM kepler.set_memory_embeddings('small', (
    SELECT json_agg(json_build_object('memory_id', id, 'embedding', json_build_array(1, 2, n))) FROM (SELECT id, metadata -> 'n' AS n FROM kepler.memories) AS m)::text);
SELECT count(*) FROM kepler.remember_many((
    SELECT json_agg(json_build_object('content', 'made ' || i, 'embedding', json_build_array(i, 1, sin(i)), 'metadata', json_build_object('n', i)))::text
    FROM generate_series(1, 500) AS i));
INSERT INTO kepler.conversations (id, user_id) VALUES ('talk', 'ada');
SELECT count(*) FROM kepler.add_messages('talk', (
    SELECT jsonb_agg(jsonb_build_object('role', CASE WHEN i % 2 = 0 THEN 'user' ELSE 'assistant' END, 'content', 'said ' || i, 'embedding', json_build_array(i, 2, 3)))
    FROM generate_series(1, 60) AS i));

SELECT kepler.create_entry_table('parent', '{"key": {"name": "parent_id", "type": "bigint"}, "fields": [{"name": "name", "type": "text", "unique": true}]}'::text);
SELECT count(*) FROM kepler.insert_entries('parent', '[{"name": "a"}, {"name": "b"}]'::text);
SELECT kepler.create_entry_table('inventory', '{"fields": [
    {"name": "sku", "type": "text", "required": true, "unique": true, "max_length": 40},
    {"name": "quantity", "type": "integer", "min": 0, "default": 0},
    {"name": "price", "type": "decimal", "precision": 10, "scale": 2},
    {"name": "state", "type": "enum", "values": ["new", "old"], "default": "new"},
    {"name": "seen", "type": "timestamp"}, {"name": "day", "type": "date"}, {"name": "ratio", "type": "float"},
    {"name": "tags", "type": "text", "list": true}, {"name": "extra", "type": "json"}, {"name": "raw", "type": "bytes"},
    {"name": "gone", "type": "text"},
    {"name": "v", "type": "vector", "dimensions": 3}, {"name": "parent", "type": "reference", "to": "parent"}],
    "checks": [{"field": "quantity", "op": "<=", "value": 100000}]}'::text);
SELECT count(*) FROM kepler.insert_entries('inventory', (
    SELECT json_agg(json_build_object('sku', 's' || i, 'quantity', i, 'price', i, 'tags', '["x"]'::json, 'v', json_build_array(i, 1, 1), 'parent', 1 + i % 2))
    FROM generate_series(1, 50) AS i)::text);
SELECT count(*) FROM kepler.alter_entry_table('inventory', (
    SELECT jsonb_set(structure, '{fields}', (SELECT jsonb_agg(f) FROM jsonb_array_elements(structure -> 'fields') AS f WHERE f ->> 'name' <> 'gone'))
    FROM kepler.structures AS s JOIN kepler.entry_tables AS t ON t.id = s.entry_table_id WHERE t.record_name = 'inventory'));
SELECT kepler.create_entry_table('links', '{"fields": [{"name": "child", "type": "reference", "to": "parent"}, {"name": "parent", "type": "reference", "to": "parent"}], "unique": [["child", "parent"]]}'::text);
SELECT kepler.create_entry_table('dropped', '{"fields": [{"name": "a", "type": "text"}]}'::text);
SELECT kepler.drop_entry_table('dropped');

SELECT outcome FROM kepler.apply_blueprint('{"blueprint": "model", "version": 1, "tables": [{"name": "A", "table": "a", "fields": [{"name": "a", "type": "text"}]}]}'::text);

CREATE TABLE public.documents (id integer PRIMARY KEY, doc jsonb NOT NULL, version bigint NOT NULL DEFAULT 0, embedding vector(3),
    words tsvector GENERATED ALWAYS AS (to_tsvector('english', 'memory number ' || id)) STORED);
INSERT INTO public.documents SELECT i, jsonb_build_object('n', i, 'list', '[1, 2]'::jsonb), 0, json_build_array(i, 2, 3)::text::vector FROM generate_series(1, 100) AS i;
SELECT kepler.track('public.documents', 'history');
CREATE INDEX ON public.documents USING hnsw (embedding vector_cosine_ops);
SELECT kepler.create_workspace('archived');
CREATE TABLE public.archive (number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, line text);
INSERT INTO public.archive (line) SELECT kepler.export_workspace('archived');
CREATE VIEW public.seen AS SELECT * FROM public.documents;
CREATE TABLE public.parts (id integer, doc jsonb, embedding vector(3)) PARTITION BY RANGE (id);
CREATE TABLE public.parts_1 PARTITION OF public.parts FOR VALUES FROM (0) TO (10);
CREATE SEQUENCE public.numbers;
CREATE TYPE public.pair AS (a integer, b text);
CREATE MATERIALIZED VIEW public.stored AS SELECT * FROM public.documents;
