-- Tables with partitions and with children: the nearest rows of all of them, each through its own index, as many as are asked for.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
CREATE TABLE chunks (id int, tenant text, at date, kind text, embedding vector(3)) PARTITION BY LIST (tenant);
-- Three tenants; that of c is divided again, by time, and one of its parts is empty.
CREATE TABLE chunks_a PARTITION OF chunks FOR VALUES IN ('a');
CREATE TABLE chunks_b PARTITION OF chunks FOR VALUES IN ('b');
CREATE TABLE chunks_c PARTITION OF chunks FOR VALUES IN ('c') PARTITION BY RANGE (at);
CREATE TABLE chunks_c_old (kind text, embedding vector(3), dropped int, at date, tenant text, id int);
ALTER TABLE chunks_c_old DROP COLUMN dropped;
ALTER TABLE chunks_c ATTACH PARTITION chunks_c_old FOR VALUES FROM ('2020-01-01') TO ('2025-01-01');
CREATE TABLE chunks_c_new PARTITION OF chunks_c FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE chunks_c_next PARTITION OF chunks_c DEFAULT;
-- Around the query lie rows of a, nearly none of the kind that is looked for; those of b, farther off, all are.
INSERT INTO chunks
SELECT i, t, date '2024-06-01' + i % 500, CASE WHEN t = 'a' AND i % 200 <> 0 THEN 'rare' ELSE 'common' END,
    ARRAY[1, i / 4000.0, CASE t WHEN 'a' THEN 0 WHEN 'b' THEN 5 ELSE 9 END]::real[]::vector
FROM generate_series(1, 4000) AS i, unnest('{a,b,c}'::text[]) AS t;
CREATE TABLE expected AS SELECT q, c.tenant, c.id, c.kind, c.embedding <=> q AS distance
FROM chunks AS c, unnest('{"[1,0,0]","[1,0.5,6]"}'::vector[]) AS q;

-- How far the k rows that a search gives are from the k nearest: nothing, with or without indexes.
CREATE FUNCTION missed(q vector, k int, filter jsonb DEFAULT '{}', OUT plan text, OUT rows bigint, OUT missed numeric)
LANGUAGE sql AS $$
    WITH found AS MATERIALIZED (SELECT s.* FROM kepler.search_vectors('chunks', 'embedding', $1, $2, $3) AS s)
    SELECT max(f.plan), count(*), round(coalesce(max(f.distance), 0)::numeric - (
        SELECT coalesce(max(n.distance), 0)::numeric FROM (
            SELECT e.distance FROM expected AS e
            WHERE e.q = $1 AND to_jsonb(e) @> $3 ORDER BY e.distance LIMIT $2) AS n), 6)
    FROM found AS f
$$;
SELECT * FROM missed('[1,0,0]', 10);
ANALYZE chunks;
-- An index for all, as a partitioned table has it, and one of them without.
CREATE INDEX chunks_hnsw ON chunks USING hnsw (embedding vector_cosine_ops);
SELECT * FROM missed('[1,0,0]', 10);
SELECT * FROM missed('[1,0.5,6]', 10);
SELECT * FROM missed('[1,0,0]', 10, '{"kind": "common"}');
SELECT * FROM missed('[1,0,0]', 40, '{"kind": "common"}');
SELECT * FROM missed('[1,0.5,6]', 10, '{"tenant": "b"}');
SELECT * FROM missed('[1,0,0]', 10000);
SELECT * FROM missed('[1,0,0]', 10, '{"tenant": "nobody"}');
-- Only the partitions that the condition leaves are looked at.
CREATE TEMP VIEW scans AS SELECT relname, coalesce(pg_stat_get_xact_numscans(oid), 0) AS scans FROM pg_class WHERE relname LIKE 'chunks%embedding_idx' AND relkind = 'i';
CREATE TEMP TABLE before AS TABLE scans;
SELECT count(*) FROM kepler.search_vectors('chunks', 'embedding', '[1,0,0]', 10, '{"tenant": "b"}');
SELECT relname FROM scans JOIN before USING (relname) WHERE scans.scans > before.scans;
-- By time too, which is no constant before it is read.
CREATE TEMP VIEW table_scans AS SELECT relname, coalesce(pg_stat_get_xact_numscans(oid), 0) AS scans FROM pg_class WHERE relname LIKE 'chunks%' AND relkind = 'r';
CREATE TEMP TABLE tables_before AS TABLE table_scans;
SELECT count(*) FROM kepler.search_vectors('chunks', 'embedding', '[1,0,0]', 10, '{"at": {"$in": ["2025-02-01", "2025-02-02"]}, "tenant": {"$in": ["c", "nobody"]}}');
SELECT relname FROM table_scans AS t JOIN tables_before AS b USING (relname) WHERE t.scans > b.scans;
-- The columns are those of the table that was named, whatever the order in its parts.
SELECT document FROM kepler.search_vectors('chunks', 'embedding', '[1,0,9]', 1, '{"tenant": "c", "id": 3}');
DROP INDEX chunks_hnsw;
CREATE INDEX ON chunks_b USING hnsw ((embedding::halfvec(3)) halfvec_cosine_ops);
SELECT * FROM missed('[1,0.5,6]', 10);
-- One partition, by its name.
SELECT document ->> 'tenant' AS tenant, plan, exhausted FROM kepler.search_vectors('chunks_b', 'embedding', '[1,0.5,6]', 1);
-- Each partition is advised by itself.
UPDATE pg_class SET reltuples = 60000, relpages = 1000 WHERE oid = 'chunks_c_old'::regclass;
SELECT relation, advice, statement FROM kepler.index_advice('chunks');

-- By hash, where no condition but the key itself says which.
CREATE TABLE hashed (id int, embedding vector(2)) PARTITION BY HASH (id);
CREATE TABLE hashed_0 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE hashed_1 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO hashed SELECT i, ARRAY[1, i]::real[]::vector FROM generate_series(1, 50) AS i;
SELECT document -> 'id' AS id, exhausted FROM kepler.search_vectors('hashed', 'embedding', '[1,1]', 3);
SELECT document -> 'id' AS id, exhausted FROM kepler.search_vectors('hashed', 'embedding', '[1,1]', 3, '{"id": {"$in": [20, 21]}}');
SELECT count(*), count(DISTINCT document) FROM kepler.search_vectors('hashed', 'embedding', '[1,1]', 100);

-- The right to read the whole is the right to read its parts, as in any query; and the other way round it is not.
CREATE ROLE kepler_reader;
GRANT USAGE ON SCHEMA public, kepler TO kepler_reader;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA kepler, kepler_internal TO kepler_reader;
GRANT SELECT ON hashed TO kepler_reader;
SET LOCAL ROLE kepler_reader;
SELECT document -> 'id' AS id FROM kepler.search_vectors('hashed', 'embedding', '[1,1]', 2);
SELECT count(*) FROM kepler.search_vectors('hashed_0', 'embedding', '[1,1]', 2);
RESET ROLE;
REVOKE SELECT ON hashed FROM kepler_reader;
GRANT SELECT ON hashed_0, hashed_1 TO kepler_reader;
SET LOCAL ROLE kepler_reader;
SELECT count(*) FROM kepler.search_vectors('hashed', 'embedding', '[1,1]', 2);
RESET ROLE;
-- Not by columns either.
GRANT SELECT (embedding) ON hashed TO kepler_reader;
SET LOCAL ROLE kepler_reader;
SELECT count(*) FROM kepler.search_vectors('hashed', 'embedding', '[1,1]', 2);
RESET ROLE;
-- Row security is that of the table which is named.
GRANT SELECT ON hashed TO kepler_reader;
ALTER TABLE hashed ENABLE ROW LEVEL SECURITY;
CREATE POLICY even ON hashed USING (id % 2 = 0);
SET LOCAL ROLE kepler_reader;
SELECT document -> 'id' AS id, plan, exhausted FROM kepler.search_vectors('hashed', 'embedding', '[1,1]', 3);
RESET ROLE;
ALTER TABLE hashed DISABLE ROW LEVEL SECURITY;
-- And not that of its parts, forced on their owner or not.
ALTER TABLE hashed_0 ENABLE ROW LEVEL SECURITY;
SET LOCAL ROLE kepler_reader;
SELECT count(*) FROM kepler.search_vectors('hashed', 'embedding', '[1,1]', 100);
SELECT count(*) FROM kepler.search_vectors('hashed_0', 'embedding', '[1,1]', 100);
RESET ROLE;
ALTER TABLE hashed_0 OWNER TO kepler_reader;
ALTER TABLE hashed_0 FORCE ROW LEVEL SECURITY;
SET LOCAL ROLE kepler_reader;
SELECT count(*) FROM kepler.search_vectors('hashed', 'embedding', '[1,1]', 100);
RESET ROLE;
ROLLBACK;

-- Tables that inherit: the same place in two of them is two rows.
BEGIN;
CREATE TABLE notes (id int, embedding vector(2));
CREATE TABLE letters (sender text) INHERITS (notes);
CREATE TABLE parcels (weight int) INHERITS (letters);
INSERT INTO notes VALUES (1, '[1,1]'), (2, '[1,2]');
INSERT INTO letters VALUES (3, '[1,1.1]', 'x'), (4, '[1,9]', 'y');
INSERT INTO parcels VALUES (5, '[1,1.05]', 'z', 7), (6, NULL, 'z', 7);
SELECT document, round(distance::numeric, 4) AS distance, exhausted FROM kepler.search_vectors('notes', 'embedding', '[1,1]', 9);
SELECT document FROM kepler.search_vectors('letters', 'embedding', '[1,1]', 2);
SELECT document FROM kepler.search_vectors('notes', 'embedding', '[1,1]', 2, '{"id": {"$in": [4, 5]}}');
-- What has no indexes is refused; a materialized view may have them.
CREATE VIEW seen AS SELECT * FROM notes;
SELECT count(*) FROM kepler.search_vectors('seen', 'embedding', '[1,1]');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
CREATE FOREIGN DATA WRAPPER nowhere;
CREATE SERVER nowhere FOREIGN DATA WRAPPER nowhere;
CREATE FOREIGN TABLE outside (id int, embedding vector(2)) SERVER nowhere;
SELECT count(*) FROM kepler.search_vectors('outside', 'embedding', '[1,1]');
CREATE SEQUENCE numbers;
SELECT count(*) FROM kepler.search_vectors('numbers', 'embedding', '[1,1]');
SELECT count(*) FROM kepler.search_vectors(4294967295::oid::regclass, 'embedding', '[1,1]');
CREATE MATERIALIZED VIEW kept AS SELECT i AS id, ARRAY[1, i]::real[]::vector(2) AS embedding FROM generate_series(1, 3000) AS i;
CREATE INDEX ON kept USING hnsw (embedding vector_cosine_ops);
ANALYZE kept;
SELECT document, plan FROM kepler.search_vectors('kept', 'embedding', '[1,7]', 1);
-- One that was not filled yet.
CREATE MATERIALIZED VIEW empty AS SELECT * FROM kept WITH NO DATA;
SELECT count(*) FROM kepler.search_vectors('empty', 'embedding', '[1,7]', 1);
ROLLBACK;

-- Columns may have any name, also one that Kepler's statements give a table; and the right to read the whole table is the
-- right to read all of its columns.
BEGIN;
CREATE TABLE public.named (e vector(2), r integer, t text, v text) PARTITION BY RANGE (r);
CREATE TABLE public.named_1 PARTITION OF public.named FOR VALUES FROM (0) TO (10);
INSERT INTO public.named VALUES ('[1,2]', 1, 'a', 'b');
SELECT document FROM kepler.search_vectors('public.named', 'e', '[1,2]', 1, '{"t": "a", "v": {"$regex": "b"}}');
SELECT document FROM kepler.search_vectors('public.named_1', 'e', '[1,2]', 1);
CREATE ROLE kepler_one_column;
SELECT kepler.grant_access('kepler_one_column', 'reader');
GRANT SELECT (e) ON public.named TO kepler_one_column;
SET LOCAL ROLE kepler_one_column;
SELECT document FROM kepler.search_vectors('public.named', 'e', '[1,2]', 1);
ROLLBACK;
