-- Vector columns in anybody's tables are searched by the same rule: as many rows as are asked for, if so many exist.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
CREATE TYPE part AS ENUM ('head', 'body');
CREATE TABLE chunks (id int PRIMARY KEY, "organizationId" text, part part, size numeric, "Embedding" vector(4), plain vector);
INSERT INTO chunks
SELECT i, 'org' || (i % 100), CASE WHEN i % 2 = 0 THEN 'head'::part ELSE 'body' END, i + 0.12345678901234567890,
    ARRAY[cos(i / 3000.0), sin(i / 3000.0), 0, 0]::real[]::vector, CASE WHEN i < 4 THEN ARRAY[i, 1]::real[]::vector WHEN i < 6 THEN '[1, 2, 3]' END
FROM generate_series(1, 4000) AS i;
ANALYZE chunks;
SELECT document -> 'id' AS id, document -> 'size' AS size, round(similarity::numeric, 6) AS similarity, plan, exhausted
FROM kepler.search_vectors('chunks', 'Embedding', '[1, 0, 0, 0]', 2);
-- The same through an index; one in half precision, over an expression, serves as well; the similarities are those of the column.
CREATE INDEX ON chunks USING hnsw ("Embedding" vector_cosine_ops);
SELECT document -> 'id' AS id, plan FROM kepler.search_vectors('chunks', 'Embedding', '[1, 0, 0, 0]', 2);
DROP INDEX "chunks_Embedding_idx";
CREATE INDEX chunks_half ON chunks USING hnsw (("Embedding"::halfvec(4)) halfvec_cosine_ops);
SELECT count(*), round(min(similarity)::numeric, 2) AS least, min(plan) AS plan FROM kepler.search_vectors('chunks', 'Embedding', '[1, 0, 0, 0]', 2);
-- So does IVFFlat, whose lists are read as far as is needed; by hand one list is read, and the rest is missing.
DROP INDEX chunks_half;
CREATE INDEX chunks_half ON chunks USING ivfflat ("Embedding" vector_cosine_ops) WITH (lists = 40);
SELECT count(*), round(min(similarity)::numeric, 2) AS least, min(plan) AS plan FROM kepler.search_vectors('chunks', 'Embedding', '[1, 0, 0, 0]', 2);
SELECT count(*), round(min(similarity)::numeric, 2) AS least, min(plan) AS plan FROM kepler.search_vectors('chunks', 'Embedding', '[1, 0, 0, 0]', 1000);
SELECT count(*), bool_or(exhausted) AS exhausted FROM kepler.search_vectors('chunks', 'Embedding', '[1, 0, 0, 0]', 40, '{"organizationId": "org7"}');
SHOW ivfflat.probes;
-- One with the operators of another metric is of no use, and not used.
DROP INDEX chunks_half;
CREATE INDEX chunks_l2 ON chunks USING hnsw ("Embedding" vector_l2_ops);
SELECT document -> 'id' AS id, plan FROM kepler.search_vectors('chunks', 'Embedding', '[1, 0, 0, 0]', 2);
SELECT document -> 'id' AS id, plan FROM kepler.search_vectors('chunks', 'Embedding', '[1, 0, 0, 0]', 2, metric => 'l2');
DROP INDEX chunks_l2;
CREATE INDEX chunks_cosine ON chunks USING hnsw ("Embedding" vector_cosine_ops);
-- Conditions, on the far side of the query.
SELECT count(*), min(plan) AS plan, bool_or(exhausted) AS exhausted FROM kepler.search_vectors('chunks', 'Embedding', '[1, 0, 0, 0]', 40, '{"organizationId": "org7"}');
SELECT count(*), bool_and(exhausted) AS exhausted FROM kepler.search_vectors('chunks', 'Embedding', '[1, 0, 0, 0]', 50, '{"organizationId": "org7"}');
SELECT document -> 'id' AS id FROM kepler.search_vectors('chunks', 'Embedding', '[0, 1, 0, 0]', 2, '{"organizationId": {"$in": ["org7", "org8"]}, "part": "body"}');
SELECT document -> 'id' AS id FROM kepler.search_vectors('chunks', 'Embedding', '[0, 1, 0, 0]', 2, '{"id": {"$in": [1, 2, 3]}, "part": null}');
SELECT count(*) FROM kepler.search_vectors('chunks', 'Embedding', '[1, 0, 0, 0]', 4000, min_similarity => 0.99);
-- A column without dimensions: those that can be compared.
SELECT document -> 'id' AS id, exhausted FROM kepler.search_vectors('chunks', 'plain', '[1, 1]', 3);
-- What is wrong is said.
SELECT count(*) FROM kepler.search_vectors('chunks', 'embedding', '[1, 0, 0, 0]');
SELECT count(*) FROM kepler.search_vectors('pg_class', 'relname', '[1, 0, 0, 0]');
SELECT count(*) FROM kepler.search_vectors('pg_stats', 'x', '[1]');
SELECT count(*) FROM kepler.search_vectors('chunks', 'Embedding', '[1, 0]');
SELECT count(*) FROM kepler.search_vectors('chunks', 'Embedding', '[0, 0, 0, 0]');
SELECT count(*) FROM kepler.search_vectors('chunks', 'Embedding', '[1, 0, 0, 0]', filter => '{"organisationId": "x", "id": ["1"], "Embedding": "[1,2,3,4]", "size": {"$gt": null}}');
SELECT count(*) FROM kepler.search_vectors('chunks', 'Embedding', '[1, 0, 0, 0]', filter => '{"id": "one"}');
SELECT count(*) FROM kepler.search_vectors('chunks', 'Embedding', '[1, 0, 0, 0]', metric => 'hamming');
SELECT count(*) FROM kepler.search_vectors('chunks', 'Embedding', '[1, 0, 0, 0]', 0);
SELECT count(*) FROM kepler.search_vectors(NULL, 'Embedding', '[1, 0, 0, 0]');
-- It reads as the caller.
CREATE ROLE kepler_nobody;
GRANT USAGE ON SCHEMA kepler, kepler_internal TO kepler_nobody;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA kepler, kepler_internal TO kepler_nobody;
SET LOCAL ROLE kepler_nobody;
SELECT count(*) FROM kepler.search_vectors('public.chunks', 'Embedding', '[1, 0, 0, 0]');
RESET ROLE;
GRANT SELECT ON chunks TO kepler_nobody;
ALTER TABLE chunks ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON chunks USING ("organizationId" = 'org3');
SET LOCAL ROLE kepler_nobody;
SELECT count(*), min(document ->> 'organizationId') AS organization FROM kepler.search_vectors('public.chunks', 'Embedding', '[1, 0, 0, 0]', 30);
ROLLBACK;

-- Which index to build, for these as for spaces.
BEGIN;
CREATE TABLE chunks (id int, small vector(3), wide vector(3072), huge vector(4096), plain vector);
ANALYZE chunks;
SELECT column_name, row_count, advice, reason FROM kepler.index_advice('chunks');
UPDATE pg_class SET reltuples = 200000, relpages = 1000 WHERE oid = 'chunks'::regclass;
SELECT column_name, advice, statement, build_memory, reason FROM kepler.index_advice('chunks');
-- An IVFFlat index that 50,000 rows have outgrown.
UPDATE pg_class SET reltuples = 50001 WHERE oid = 'chunks'::regclass;
SET LOCAL client_min_messages = error;
CREATE INDEX chunks_lists ON chunks USING ivfflat (small vector_cosine_ops) WITH (lists = 100);
UPDATE pg_class SET reltuples = 50001 WHERE oid = 'chunks'::regclass;
SELECT advice, statement, reason FROM kepler.index_advice('chunks') WHERE column_name = 'small';
UPDATE pg_class SET reltuples = 50000 WHERE oid = 'chunks'::regclass;
SELECT advice, statement, reason FROM kepler.index_advice('chunks') WHERE column_name = 'small';
-- Each advice is one statement, since none of them runs beside another, and leads to the next.
UPDATE pg_class SET reltuples = 50001 WHERE oid = 'chunks'::regclass;
CREATE INDEX chunks_more_lists ON chunks USING ivfflat (small vector_cosine_ops) WITH (lists = 200);
UPDATE pg_class SET reltuples = 50001 WHERE oid = 'chunks'::regclass;
SELECT advice, statement, reason FROM kepler.index_advice('chunks') WHERE column_name = 'small';
-- One that compares otherwise does not take its place.
DROP INDEX chunks_more_lists;
CREATE INDEX chunks_other ON chunks USING ivfflat (small vector_l2_ops) WITH (lists = 200);
UPDATE pg_class SET reltuples = 50001 WHERE oid = 'chunks'::regclass;
SELECT advice, statement, reason FROM kepler.index_advice('chunks') WHERE column_name = 'small';
DROP INDEX chunks_lists;
UPDATE pg_class SET reltuples = 50001 WHERE oid = 'chunks'::regclass;
SELECT advice, statement, reason FROM kepler.index_advice('chunks') WHERE column_name = 'small';
-- What is left of a build that was interrupted.
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'chunks_other'::regclass;
SELECT advice, statement, reason FROM kepler.index_advice('chunks') WHERE column_name = 'small';
ROLLBACK;

-- An index that compares otherwise than a space does serves none of its searches.
BEGIN;
SELECT kepler.create_embedding_space('advised', 3, 'm');
UPDATE pg_class SET reltuples = 60000, relpages = 1000 WHERE oid = 'kepler_data.advised_embeddings'::regclass;
SET LOCAL client_min_messages = error;
CREATE INDEX ON kepler_data.advised_embeddings USING hnsw (embedding vector_l2_ops);
UPDATE pg_class SET reltuples = 60000, relpages = 1000 WHERE oid = 'kepler_data.advised_embeddings'::regclass;
SELECT advice, statement FROM kepler.index_advice('kepler_data.advised_embeddings');
CREATE INDEX ON kepler_data.advised_embeddings USING hnsw ((embedding::halfvec(3)) halfvec_cosine_ops);
UPDATE pg_class SET reltuples = 60000, relpages = 1000 WHERE oid = 'kepler_data.advised_embeddings'::regclass;
SELECT advice, reason FROM kepler.index_advice('kepler_data.advised_embeddings');
ROLLBACK;
