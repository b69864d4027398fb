-- Where no index tells that a filter is rare, Postgres may expect it. The plan of such a search is kept for the scope that it was made for,
-- from its second search on. What is found is what a search finds that is planned anew: under other roles and policies, with rows that came since.
\set SHOW_CONTEXT never
\set VERBOSITY terse
\set ON_ERROR_ROLLBACK on
BEGIN;
SELECT count(*) > 0 AS made FROM kepler.create_embedding_space('mini', dimensions => 2, model => 'test-model');
INSERT INTO kepler.workspaces (id, name) VALUES ('ours', 'ours'), ('theirs', 'theirs');
INSERT INTO kepler.memories (workspace_id, id, content, context_type, valid_from, metadata)
SELECT 'ours', 'm' || n, 'memory ' || n, CASE WHEN n = 700 THEN 'secret' ELSE 'fact' END, '2020-01-01',
    jsonb_build_object('part', CASE WHEN n % 1000 = 700 THEN 'rare' WHEN n % 1000 = 300 THEN 'other' ELSE 'common' END)
FROM generate_series(1, 3000) AS n;
INSERT INTO kepler.memories (workspace_id, id, content, metadata) VALUES ('theirs', 'theirs', 'their memory', '{"part": "rare"}');
INSERT INTO kepler_data.mini_embeddings (workspace_id, memory_id, embedding) VALUES ('theirs', 'theirs', '[1, 0]');
INSERT INTO kepler_data.mini_embeddings (workspace_id, memory_id, embedding)
SELECT 'ours', 'm' || n, ARRAY[cos(n / 2000.0), sin(n / 2000.0)]::vector FROM generate_series(1, 3000) AS n;
ANALYZE kepler.memories, kepler_data.mini_embeddings;
DROP INDEX kepler.memories_metadata_of_idx;
CREATE FUNCTION pg_temp.kept() RETURNS bigint LANGUAGE sql AS $$
    SELECT count(*) FROM pg_backend_memory_contexts WHERE name = 'CachedPlanSource' AND ident LIKE '%m.metadata OPER' || 'ATOR%' $$;
CREATE FUNCTION pg_temp.found(part text, at timestamptz DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
DECLARE found text;
BEGIN
    SELECT string_agg(s.memory_id, ' ' ORDER BY s.similarity DESC) || ', ' || min(s.plan) INTO found
    FROM kepler.search_memories('[1, 0]', filter => jsonb_build_object('part', part), weights => '{"similarity": 1}', as_of => at) AS s;
    RETURN found;
END $$;
SET LOCAL kepler.workspace_id = 'ours';
-- A scope that is searched once keeps nothing.
SELECT pg_temp.found('rare');
SELECT pg_temp.kept();
SELECT pg_temp.found('rare');
SELECT pg_temp.kept();
SELECT pg_temp.found('rare');
SELECT pg_temp.kept();
-- Nobody else's plan is taken.
SELECT pg_temp.found('other');
SELECT pg_temp.kept();
SELECT pg_temp.found('other');
SELECT pg_temp.kept();
-- What holds at a time is asked at each search.
SELECT pg_temp.found('rare', '2019-01-01') IS NULL AS nothing_then;
SELECT pg_temp.found('rare');
SELECT pg_temp.kept();
-- What came since is found, and what is no longer valid is not.
INSERT INTO kepler.memories (workspace_id, id, content, metadata) VALUES ('ours', 'new', 'new', '{"part": "rare"}');
INSERT INTO kepler_data.mini_embeddings (workspace_id, memory_id, embedding) VALUES ('ours', 'new', '[1, 0]');
UPDATE kepler.memories SET valid_to = now() WHERE workspace_id = 'ours' AND id = 'm1700';
SELECT pg_temp.found('rare');
SELECT pg_temp.kept();
-- The scope of another workspace is another one.
SET LOCAL kepler.workspace_id = 'theirs';
SELECT count(*) FROM kepler.search_memories('[1, 0]', filter => '{"part": "rare"}');
SET LOCAL kepler.workspace_id = 'ours';
-- A reader, whose policies are those of the workspace; then others, under which it reads as itself.
CREATE ROLE kepler_reader;
GRANT USAGE ON SCHEMA kepler, kepler_internal, kepler_data TO kepler_reader;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA kepler, kepler_internal TO kepler_reader;
GRANT SELECT ON kepler.workspace_members TO kepler_reader;
INSERT INTO kepler.workspace_members (workspace_id, role_name, level) VALUES ('ours', 'kepler_reader', 'reader');
GRANT SELECT ON kepler.memories, kepler.workspaces, kepler.embedding_spaces, kepler_data.mini_embeddings TO kepler_reader;
SET LOCAL ROLE kepler_reader;
SELECT pg_temp.found('rare');
SELECT pg_temp.found('rare');
RESET ROLE;
CREATE POLICY no_secrets ON kepler.memories AS RESTRICTIVE USING (context_type <> 'secret');
SET LOCAL ROLE kepler_reader;
SELECT pg_temp.found('rare');
SELECT pg_temp.found('rare');
RESET ROLE;
SELECT pg_temp.found('rare');
SET LOCAL ROLE kepler_reader;
SELECT pg_temp.found('rare');
SET LOCAL row_security = off;
SELECT pg_temp.found('rare');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SET LOCAL row_security = on;
RESET ROLE;
SAVEPOINT policies;
DROP POLICY no_secrets ON kepler.memories;
SET LOCAL ROLE kepler_reader;
SELECT pg_temp.found('rare');
RESET ROLE;
ROLLBACK TO SAVEPOINT policies;
SET LOCAL ROLE kepler_reader;
SELECT pg_temp.found('rare');
RESET ROLE;
REVOKE SELECT ON kepler_data.mini_embeddings FROM kepler_reader;
SET LOCAL ROLE kepler_reader;
SELECT pg_temp.found('rare');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
RESET ROLE;
-- With a space of the same name that was rolled back.
SAVEPOINT tables;
DROP TABLE kepler_data.mini_embeddings;
SELECT pg_temp.found('rare');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
ROLLBACK TO SAVEPOINT tables;
SELECT pg_temp.found('rare');
SELECT pg_temp.kept();
-- The scope has grown since, and no statistics say so: never short.
UPDATE kepler.memories SET metadata = '{"part": "rare"}' WHERE workspace_id = 'ours' AND id <> 'new';
SELECT pg_temp.found('rare');
-- Where Postgres plans as for everybody, nothing is kept.
SET LOCAL kepler.planner_hooks = off;
SELECT pg_temp.kept() AS kept \gset
SELECT pg_temp.found('third') IS NULL AS nothing_there FROM generate_series(1, 3);
SELECT pg_temp.kept() = :kept AS same;
ROLLBACK;
