-- Without an index on vectors, dedupe compares those of the same user and type, in a tenant of any size, and looks up the memories of
-- the near ones alone.
\set SHOW_CONTEXT never
BEGIN;
SELECT count(*) > 0 AS made FROM kepler.create_embedding_space('mini', dimensions => 2, model => 'test-model');
INSERT INTO kepler.users (id, email) VALUES ('ada', 'ada@example.com'), ('bob', 'bob@example.com');
INSERT INTO kepler.memories (id, user_id, context_type, content)
SELECT 'm' || n, CASE WHEN n <= 10 THEN 'ada' WHEN n <= 20 THEN NULL ELSE 'bob' END, CASE WHEN n % 2 = 0 THEN 'fact' ELSE 'event' END, 'Memory ' || n
FROM generate_series(1, 4000) AS n;
INSERT INTO kepler_data.mini_embeddings (memory_id, embedding)
SELECT 'm' || n, ARRAY[cos(n / 4.0), sin(n / 4.0)]::vector FROM generate_series(1, 4000) AS n;
CREATE FUNCTION pg_temp.vector(n integer) RETURNS vector LANGUAGE sql AS 'SELECT ARRAY[cos(n / 4.0), sin(n / 4.0)]::vector';
CREATE FUNCTION pg_temp.reads(relation regclass) RETURNS bigint LANGUAGE sql AS $$
    SELECT pg_stat_get_xact_tuples_returned(relation) + sum(pg_stat_get_xact_tuples_returned(i.indexrelid)) FROM pg_index AS i WHERE i.indrelid = relation $$;
CREATE FUNCTION pg_temp.remembered(content text, n integer, whose text, kind text, OUT outcome text, OUT of_few boolean, OUT looked_up boolean)
LANGUAGE plpgsql AS $$
DECLARE
    embeddings bigint := pg_temp.reads('kepler_data.mini_embeddings'::regclass);
    memories bigint := pg_temp.reads('kepler.memories'::regclass);
BEGIN
    SELECT r.outcome INTO outcome FROM kepler.remember(content, pg_temp.vector(n), user_id => whose, context_type => kind, dedupe => true) AS r;
    of_few := pg_temp.reads('kepler_data.mini_embeddings'::regclass) - embeddings BETWEEN 1 AND 30;
    looked_up := pg_temp.reads('kepler.memories'::regclass) - memories < 60;
END $$;
SELECT * FROM pg_temp.remembered('memory, 4!', 4, 'ada', 'fact');
SELECT * FROM pg_temp.remembered('something else', 4, 'ada', 'fact');
SELECT * FROM pg_temp.remembered('memory, 14!', 14, NULL, 'fact');
-- Neither another type nor another user is the same.
SELECT * FROM pg_temp.remembered('memory, 4!', 4, 'ada', 'event');
SELECT * FROM pg_temp.remembered('memory, 14!', 14, 'ada', 'fact');
SELECT * FROM pg_temp.remembered('memory, 4!', 4, NULL, 'fact');
-- A vector without a direction is near nothing.
SELECT count(*) > 0 AS made FROM kepler.create_embedding_space('straight', dimensions => 2, model => 'test-model', metric => 'l2');
SELECT r.outcome FROM kepler.remember('Nowhere', '[0, 0]', dedupe => true, space => 'straight') AS r;
SELECT r.outcome FROM kepler.remember('Nowhere!', '[1, 0]', dedupe => true, space => 'straight') AS r;
SELECT r.outcome FROM kepler.remember('nowhere!', '[2, 0]', dedupe => true, space => 'straight') AS r;
ROLLBACK;
