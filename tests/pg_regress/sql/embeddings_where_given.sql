-- A batch needs an embedding space where an element has an embedding: not where it is null, nor where metadata or a content speak of
-- one. However its name is written, an embedding is never dropped silently.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
INSERT INTO kepler.conversations (id) VALUES ('talk');
SELECT count(*) AS spaces FROM kepler.embedding_spaces;
SELECT ordinal, outcome, error FROM kepler.remember_many('[{"content": "null", "embedding": null}, {"content": "of metadata", "metadata": {"embedding": [1]}},
    {"content": {"embedding": [1, 2]}}, {"content": "no array", "embedding": "x"}, {"content": " ", "embedding": null}]');
SELECT ordinal, outcome FROM kepler.add_messages('talk', '[{"role": "user", "content": "null", "embedding": null}, {"role": "user", "content": "in metadata", "metadata": {"embedding": 1}}]');
SELECT ordinal, outcome FROM kepler.remember_many('[{"content": "given", "embedding": [1, 2]}]');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT ordinal, outcome FROM kepler.remember_many('[{"content": "given", "\u0065mbedding": [1, 2]}]');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT ordinal, outcome FROM kepler.add_messages('talk', '[{"role": "user", "content": "given", "\u0065mbedding": [1, 2]}]');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
-- What is named must be there.
SELECT ordinal, outcome FROM kepler.remember_many('[{"content": "null", "embedding": null}]', space => 'none');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
-- With a space all are stored as given.
SELECT kepler.create_embedding_space('small', dimensions => 2, model => 'm');
SELECT ordinal, outcome FROM kepler.remember_many('[{"content": "given", "\u0065mbedding": [1, 2]}, {"content": "plain", "embedding": [2, 1]}, {"content": "none", "embedding": null}]');
SELECT m.content, e.embedding FROM kepler_data.small_embeddings AS e JOIN kepler.memories AS m ON m.id = e.memory_id ORDER BY 1;
SELECT ordinal, outcome, error FROM kepler.remember_many('[{"content": "short", "\u0065mbedding": [1]}]');
ROLLBACK;
