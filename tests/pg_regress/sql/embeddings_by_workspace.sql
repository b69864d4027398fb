-- The tables of embedding spaces show each workspace its own embeddings, and take no others: to a role that may read
-- and write them, and through the functions.
\set SHOW_CONTEXT never
\set VERBOSITY terse
\set ON_ERROR_ROLLBACK on
BEGIN;
SET LOCAL client_min_messages = warning;
INSERT INTO kepler.workspaces (id, name) VALUES ('ours', 'ours'), ('theirs', 'theirs');
SELECT kepler.create_embedding_space('mini', 2, 'm'), kepler.create_embedding_space('next', 2, 'm');
SELECT outcome FROM kepler.remember('their memory', '[1, 0]', workspace_id => 'theirs');
CREATE ROLE embeddings_worker;
SELECT kepler.grant_access('embeddings_worker', 'worker'), kepler.grant_access('embeddings_worker', 'writer');
SET LOCAL kepler.workspace_id = 'ours';
SET LOCAL ROLE embeddings_worker;
SELECT memory_id AS memory FROM kepler.remember('our memory', '[1, 0]') \gset
SELECT memory_id = :'memory' AS ours FROM kepler_data.mini_embeddings;
SELECT count(*) FROM kepler.pending_memory_embeddings('next', 10);
SELECT outcome FROM kepler.set_memory_embeddings('next', format('[{"memory_id": "%s", "embedding": [0, 1]}]', :'memory'));
SELECT outcome FROM kepler.set_memory_embeddings('next', format('[{"memory_id": "%s", "embedding": [0, 1]}]', :'memory'));
SELECT count(*) FROM kepler.pending_memory_embeddings('next', 10);
SELECT content FROM kepler.search_memories('[1, 0]');
INSERT INTO kepler_data.mini_embeddings (workspace_id, memory_id, embedding) VALUES ('theirs', 'x', '[1, 0]');
UPDATE kepler_data.mini_embeddings SET embedding = '[0, 1]';
DELETE FROM kepler_data.mini_embeddings WHERE workspace_id = 'theirs';
SELECT outcome FROM kepler.forget(ARRAY[:'memory']);
SELECT count(*) FROM kepler_data.mini_embeddings;
RESET ROLE;
SELECT workspace_id, embedding FROM kepler_data.mini_embeddings;
ROLLBACK;
