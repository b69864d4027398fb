-- What a session remembers dies with what it was learnt from: a rollback, a savepoint, DISCARD ALL, another role, a thing that
-- was dropped and made again under its name. (session_memory.spec: what another session does.)
\set SHOW_CONTEXT never
SET client_min_messages = warning;
\set two_digits '{"fields": [{"name": "p", "type": "decimal", "precision": 10, "scale": 2}]}'
\set four_digits '{"fields": [{"name": "p", "type": "decimal", "precision": 12, "scale": 4}]}'
\set with_note '{"fields": [{"name": "p", "type": "decimal", "precision": 10, "scale": 2}, {"name": "note", "type": "text"}]}'
CREATE FUNCTION pg_temp.put(entries text) RETURNS TABLE (outcome text, error text)
LANGUAGE sql AS $$ SELECT outcome, error FROM kepler.insert_entries('Price', entries, 'skip') $$;

-- An entry table. The next change takes the number of the version that was rolled back; it is another one.
SELECT kepler.create_entry_table('Price', :'two_digits') AS price \gset
BEGIN;
SELECT kepler.alter_entry_table('Price', :'four_digits', allow => '{rewrite}');
SELECT * FROM pg_temp.put('[{"p": 1.2345}]');
ROLLBACK;
SELECT kepler.alter_entry_table('Price', :'with_note');
SELECT * FROM pg_temp.put('[{"p": 1.2345}, {"note": "x"}]');
-- The same within one transaction, by a savepoint; and the other way round.
BEGIN;
SAVEPOINT before;
SELECT kepler.alter_entry_table('Price', :'four_digits', allow => '{rewrite}');
SELECT * FROM pg_temp.put('[{"p": 1.2345}]');
ROLLBACK TO before;
SELECT * FROM pg_temp.put('[{"p": 1.2345}, {"note": "y"}]');
SAVEPOINT before;
SELECT kepler.alter_entry_table('Price', :'two_digits');
SELECT * FROM pg_temp.put('[{"note": "z"}]');
ROLLBACK TO before;
SELECT kepler.alter_entry_table('Price', :'four_digits', allow => '{rewrite}');
SELECT * FROM pg_temp.put('[{"p": 1.2345}, {"note": "z"}]');
ROLLBACK;
SELECT * FROM pg_temp.put('[{"note": "z"}]');
-- Dropped and made again under its name, and that rolled back.
BEGIN;
SELECT kepler.drop_entry_table('Price') IS NOT NULL AS dropped;
SELECT kepler.create_entry_table('Price', :'four_digits') IS NOT NULL AS made;
SELECT * FROM pg_temp.put('[{"p": 1.2345}]');
ROLLBACK;
SELECT * FROM pg_temp.put('[{"p": 1.2345}]');
-- Changed by hand: what the catalog says counts, at the same version.
ALTER TABLE :price ALTER COLUMN note TYPE varchar(3);
SELECT * FROM pg_temp.put('[{"note": "long"}]');
ALTER TABLE :price ALTER COLUMN note TYPE text;
-- The session's statements are discarded, its settings too.
SELECT count(*) FROM :price;
DISCARD ALL;
SET client_min_messages = warning;
SELECT outcome FROM kepler.insert_entries('Price', '[{"note": "after DISCARD ALL"}]', 'skip');
SET kepler.workspace_id = 'nowhere';
SELECT kepler.current_workspace_id();
DISCARD ALL;
SET client_min_messages = warning;
SELECT kepler.current_workspace_id();
BEGIN;
SET LOCAL kepler.workspace_id = 'nowhere';
ROLLBACK;
SELECT kepler.current_workspace_id();
-- Another role has its own rights, whatever the session did before as somebody else.
CREATE ROLE kepler_nobody;
GRANT USAGE ON SCHEMA kepler, kepler_internal, kepler_data TO kepler_nobody;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA kepler, kepler_internal TO kepler_nobody;
\set VERBOSITY sqlstate
SET ROLE kepler_nobody;
SELECT outcome FROM kepler.insert_entries('Price', '[{"note": "as nobody"}]', 'skip');
RESET ROLE;
GRANT SELECT ON kepler.entry_tables, kepler.structures TO kepler_nobody;
SET ROLE kepler_nobody;
SELECT outcome FROM kepler.insert_entries('Price', '[{"note": "as nobody"}]', 'skip');
RESET ROLE;
\set VERBOSITY default

-- The place in a queue: what a claim took that was rolled back is the oldest again.
SELECT count(*) FROM kepler.upsert_records('remembered', '[{"external_id": "1", "data": {}}, {"external_id": "2", "data": {}}, {"external_id": "3", "data": {}}, {"external_id": "4", "data": {}}]');
SELECT kepler.set_enrichment_policy('remembered');
UPDATE kepler.enrichment_queue AS q SET ready_at = timestamptz '2024-01-01' + r.external_id::int * interval '1 min' FROM kepler.records AS r WHERE r.id = q.record_id;
CREATE TEMP VIEW claim AS SELECT r.external_id FROM kepler.claim_records('remembered', 'w', 1) AS c JOIN kepler.records AS r ON r.id = c.record_id;
BEGIN;
TABLE claim;
TABLE claim;
SAVEPOINT before;
TABLE claim;
ROLLBACK TO before;
TABLE claim;
ROLLBACK;
TABLE claim;
DISCARD PLANS;
TABLE claim;

-- Statements over somebody's table: a unique index that was never committed is none.
CREATE TABLE session_documents (id int PRIMARY KEY, code text, doc jsonb);
INSERT INTO session_documents VALUES (1, 'a', '{}');
BEGIN;
CREATE UNIQUE INDEX ON session_documents (code);
SELECT * FROM kepler.update_document('session_documents', '{"code": "a"}', 'doc', '{"$set": {"n": 1}}');
ROLLBACK;
SELECT * FROM kepler.update_document('session_documents', '{"code": "a"}', 'doc', '{"$set": {"n": 1}}');
BEGIN;
SAVEPOINT before;
ALTER TABLE session_documents RENAME COLUMN doc TO other;
SELECT document FROM kepler.update_document('session_documents', '{"id": 1}', 'other', '{"$set": {"n": 2}}');
ROLLBACK TO before;
SELECT document FROM kepler.update_document('session_documents', '{"id": 1}', 'doc', '{"$set": {"n": 3}}');
ROLLBACK;
DISCARD ALL;
SET client_min_messages = warning;
SELECT document FROM kepler.update_document('session_documents', '{"id": 1}', 'doc', '{"$set": {"n": 4}}');
SET ROLE kepler_nobody;
SELECT document FROM kepler.update_document('session_documents', '{"id": 1}', 'doc', '{"$set": {"n": 5}}');
RESET ROLE;
DROP TABLE session_documents;
CREATE TABLE session_documents (id text PRIMARY KEY, doc jsonb);
INSERT INTO session_documents VALUES ('1', '{}');
SELECT document FROM kepler.update_document('session_documents', '{"id": "1"}', 'doc', '{"$set": {"n": 6}}');

-- The index of a search.
CREATE TABLE session_vectors (id int PRIMARY KEY, v vector(2));
INSERT INTO session_vectors SELECT i, ARRAY[cos(i), sin(i)]::real[]::vector FROM generate_series(1, 3000) AS i;
ANALYZE session_vectors;
CREATE TEMP VIEW found AS SELECT plan FROM kepler.search_vectors('session_vectors', 'v', '[1, 0]', 1);
TABLE found;
BEGIN;
CREATE INDEX ON session_vectors USING hnsw (v vector_cosine_ops);
TABLE found;
SAVEPOINT before;
DROP INDEX session_vectors_v_idx;
TABLE found;
ROLLBACK TO before;
TABLE found;
ROLLBACK;
TABLE found;
SET ROLE kepler_nobody;
SELECT plan FROM kepler.search_vectors('session_vectors', 'v', '[1, 0]', 1);
RESET ROLE;
DISCARD ALL;
SET client_min_messages = warning;
SELECT plan FROM kepler.search_vectors('session_vectors', 'v', '[1, 0]', 1);

-- The table of an embedding space, made again with other dimensions; and the policies of memories.
BEGIN;
SELECT kepler.create_embedding_space('remembered', 2, 'model') IS NOT NULL AS made;
SELECT FROM kepler.remember('two', '[1, 0]');
ROLLBACK;
BEGIN;
SELECT kepler.create_embedding_space('remembered', 3, 'model') IS NOT NULL AS made;
SELECT count(*) FROM kepler.remember('three', '[1, 0, 0]');
SELECT content FROM kepler.search_memories('[1, 0, 0]');
GRANT SELECT ON kepler.memories, kepler.workspaces, kepler.embedding_spaces, kepler.memory_access, kepler_data.remembered_embeddings TO kepler_nobody;
SET LOCAL ROLE kepler_nobody;
SELECT content FROM kepler.search_memories('[1, 0, 0]');
RESET ROLE;
SAVEPOINT before;
CREATE POLICY nothing ON kepler.memories AS RESTRICTIVE USING (false);
SET LOCAL ROLE kepler_nobody;
SELECT content FROM kepler.search_memories('[1, 0, 0]');
ROLLBACK TO before;
SET LOCAL ROLE kepler_nobody;
SELECT content FROM kepler.search_memories('[1, 0, 0]');
ROLLBACK;

-- Nothing stays behind.
DROP TABLE session_documents, session_vectors;
SELECT kepler.drop_enrichment_policy('remembered');
DELETE FROM kepler.leases WHERE entity_type = 'remembered';
DELETE FROM kepler.records WHERE entity_type = 'remembered';
DELETE FROM kepler.entities WHERE type = 'remembered';
SELECT kepler.drop_entry_table('Price') IS NOT NULL AS dropped;
SELECT kepler.purge_entry_table('Price');
DROP OWNED BY kepler_nobody;
DROP ROLE kepler_nobody;
