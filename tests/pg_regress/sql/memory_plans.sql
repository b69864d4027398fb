-- Statements that a session plans once stay what they are meant to be: look-ups by the primary key, the index that was
-- chosen, and no table read as a whole, whatever else is known of the rows, lies beside, or changes in the session.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
BEGIN;
SELECT kepler.create_embedding_space('planned', dimensions => 4, model => 'test-model');
INSERT INTO kepler.users (id, email) VALUES ('ada', 'ada@example.com'), ('bob', 'bob@example.com');
INSERT INTO kepler.memories (id, user_id, context_type, content) SELECT 'm' || i, CASE WHEN i % 2 = 0 THEN 'ada' ELSE 'bob' END, 'fact', 'memory ' || i FROM generate_series(1, 6000) AS i;
INSERT INTO kepler_data.planned_embeddings (memory_id, embedding) SELECT 'm' || i, ARRAY[cos(i / 3000.0), sin(i / 3000.0), 1, 0]::vector FROM generate_series(1, 6000) AS i;
CREATE INDEX planned_hnsw ON kepler_data.planned_embeddings USING hnsw (embedding vector_cosine_ops);
CREATE INDEX planned_lists ON kepler_data.planned_embeddings USING ivfflat (embedding vector_cosine_ops) WITH (lists = 500);
ANALYZE kepler.memories, kepler_data.planned_embeddings;
CREATE FUNCTION pg_temp.scans(relation regclass) RETURNS bigint LANGUAGE sql AS 'SELECT pg_stat_get_xact_numscans(relation)';
CREATE FUNCTION pg_temp.searched(OUT plan text, OUT rows bigint, OUT through_hnsw boolean, OUT through_lists bigint, OUT by_user bigint, OUT whole bigint)
LANGUAGE plpgsql AS $$
DECLARE
    relations constant regclass[] := '{kepler_data.planned_hnsw, kepler_data.planned_lists, kepler.memories_user_id_idx, kepler.memories, kepler_data.planned_embeddings}';
    before constant bigint[] := ARRAY(SELECT pg_temp.scans(r) FROM unnest(relations) AS r);
    after bigint[];
BEGIN
    SELECT min(s.plan), count(*) INTO plan, rows
    FROM kepler.search_memories('[1, 0, 1, 0]', 10, user_id => 'ada', context_types => '{fact}', weights => '{"similarity": 1}') AS s;
    after := ARRAY(SELECT pg_temp.scans(r) FROM unnest(relations) AS r);
    through_hnsw := after[1] > before[1];
    through_lists := after[2] - before[2];
    by_user := after[3] - before[3];
    whole := after[4] - before[4] + after[5] - before[5];
END $$;
SELECT * FROM pg_temp.searched();
SELECT * FROM pg_temp.searched();
-- The session's settings, and its first temporary table, which changes the search path.
SET LOCAL enable_indexscan = off;
CREATE TEMP TABLE passing ();
SELECT * FROM pg_temp.searched();
SET LOCAL enable_indexscan = on;
ANALYZE kepler.memories;
SELECT * FROM pg_temp.searched();
-- Another user's index cannot get in the way either.
CREATE INDEX ON kepler.memories (workspace_id, context_type, valid_to, expires_at);
SELECT * FROM pg_temp.searched();

-- An import by direct SQL finds each memory by its key, also where the session began when the table was small.
CREATE FUNCTION pg_temp.import(first int, last int) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    others constant regclass[] := '{kepler.memories_content_idx, kepler.memories_user_id_idx, kepler.memories}';
    before constant bigint := (SELECT sum(pg_stat_get_xact_tuples_returned(r)) FROM unnest(others) AS r);
BEGIN
    INSERT INTO kepler.workspaces (id, name) VALUES ('importing', 'importing') ON CONFLICT DO NOTHING;
    INSERT INTO kepler.memories (workspace_id, id, content) SELECT 'importing', 'n' || i, 'memory ' || i FROM generate_series(first, last) AS i;
    INSERT INTO kepler_data.planned_embeddings (workspace_id, memory_id, embedding)
    SELECT 'importing', 'n' || i, '[1, 1, 1, 1]' FROM generate_series(first, last) AS i;
    RETURN (SELECT sum(pg_stat_get_xact_tuples_returned(r)) FROM unnest(others) AS r) - before;
END $$;
TRUNCATE kepler_data.planned_embeddings, kepler.memories CASCADE;
ANALYZE kepler.memories;
SELECT pg_temp.import(1, 10);
SELECT pg_temp.import(11, 3000);
DELETE FROM kepler.memories;
INSERT INTO kepler.memories (id, user_id, content) VALUES ('m2', 'ada', 'memory 2');
INSERT INTO kepler_data.planned_embeddings (memory_id, embedding) VALUES ('m2', '[1, 0, 1, 0]');

-- A trigger of the user's may change whose a memory is; its embedding goes along.
CREATE FUNCTION pg_temp.archive() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.context_type := 'archived'; RETURN NEW; END $$;
CREATE TRIGGER archive BEFORE UPDATE OF relevance_score ON kepler.memories FOR EACH ROW EXECUTE FUNCTION pg_temp.archive();
UPDATE kepler.memories SET relevance_score = 0 WHERE id = 'm2';
SELECT memory_id FROM kepler.search_memories('[1, 0, 1, 0]', context_types => '{archived}');
SELECT count(*) FROM kepler_data.planned_embeddings AS e JOIN kepler.memories AS m ON m.id = e.memory_id
WHERE (e.user_id, e.context_type) IS DISTINCT FROM (m.user_id, m.context_type);

-- An index over a part of the vectors, or over fewer numbers, is of no use to a search over the whole.
CREATE TABLE parts (id int, v vector(4));
INSERT INTO parts SELECT i, ARRAY[cos(i / 3000.0), sin(i / 3000.0), 1, 0]::vector FROM generate_series(1, 3000) AS i;
CREATE INDEX ON parts USING hnsw ((subvector(v, 1, 2)::halfvec(2)) halfvec_cosine_ops);
ANALYZE parts;
SELECT count(*), min(plan) AS plan FROM kepler.search_vectors('parts', 'v', '[1, 0, 1, 0]', 3);
ROLLBACK;
