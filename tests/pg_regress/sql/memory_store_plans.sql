-- What lists, counts, look-ups by key and searches of a namespace read is their page, or the few rows that their arguments name: with plans that a
-- session has kept, in a tenant that the statistics do not know, with and without row security, by an index always.
\set SHOW_CONTEXT never
BEGIN;
SET LOCAL client_min_messages = warning;
SELECT kepler.create_embedding_space('planned', dimensions => 2, model => 'test-model');
INSERT INTO kepler.workspaces (id, name) VALUES ('planned', 'planned');
SET LOCAL kepler.workspace_id = 'planned';
-- Plans are made when there is little.
SELECT outcome FROM kepler.remember('first', key => 'first', namespace => 'a');
SELECT count(*) FROM kepler.list_memories(NULL, order_by => 'key') AS a, kepler.list_memories() AS b, kepler.list_memories(namespace => 'a') AS c, kepler.get_memories(keys => '{first}', namespace => 'a', user_id => NULL) AS d;
ANALYZE kepler.memories;
-- Ada has 70 memories among 7,000, Bob the oldest 3,000, nobody the others. A namespace has 30.
INSERT INTO kepler.users (id, email) VALUES ('ada', 'ada@example.com'), ('bob', 'bob@example.com');
INSERT INTO kepler.memories (id, user_id, content, namespace, key, metadata)
SELECT 'm' || lpad(i::text, 5, '0'), CASE WHEN i % 100 = 0 THEN 'ada' WHEN i <= 3000 THEN 'bob' END, 'memory ' || i, 'docs/d' || i / 30, 'k' || i, jsonb_build_object('rare', i / 10, 'all', 1)
FROM generate_series(1, 7000) AS i;
INSERT INTO kepler_data.planned_embeddings (workspace_id, memory_id, embedding) SELECT 'planned', 'm' || lpad(i::text, 5, '0'), ARRAY[1, i]::vector FROM generate_series(1, 7000) AS i;
CREATE TEMP TABLE calls (at integer GENERATED ALWAYS AS IDENTITY, name text, most integer, call text);
INSERT INTO calls (name, most, call) VALUES
    ('the newest', 10, 'kepler.list_memories(max_rows => 10)'),
    ('the next ones', 10, $$kepler.list_memories(max_rows => 10, after => '["id", "m05000"]')$$),
    ('few of a user', 140, $$kepler.list_memories('ada', max_rows => 10)$$),
    ('few of a user, last changed', 140, $$kepler.list_memories('ada', order_by => 'updated_at', max_rows => 10)$$),
    ('many of nobody', 12, 'kepler.list_memories(NULL, max_rows => 10)'),
    ('many of a user, the oldest', 12, $$kepler.list_memories('bob', max_rows => 10, descending => false)$$),
    ('many of a user, by key', 10, $$kepler.list_memories('bob', order_by => 'key', max_rows => 10)$$),
    ('many of nobody, by key, backwards', 10, $$kepler.list_memories(NULL, order_by => 'key', descending => true, max_rows => 10)$$),
    ('a namespace', 60, $$kepler.list_memories(namespace => 'docs/d70', max_rows => 10)$$),
    ('a namespace of many', 12, $$kepler.list_memories(namespace => 'docs', max_rows => 10)$$),
    ('a rare filter', 20, $$kepler.list_memories(filter => '{"rare": 500}', max_rows => 10)$$),
    ('a common filter', 20, $$kepler.list_memories(filter => '{"all": 1}', max_rows => 10)$$),
    ('count of a namespace', 60, $$kepler.count_memories(namespace => 'docs/d70')$$),
    ('count of a user', 140, $$kepler.count_memories('ada')$$),
    ('count of a rare filter', 20, $$kepler.count_memories(filter => '{"rare": 500}')$$),
    ('count up to a hundred', 100, 'kepler.count_memories(max_rows => 100)'),
    ('by key', 2, $$kepler.get_memories(keys => '{k2110,none,k2111}', namespace => 'docs/d70', user_id => 'bob')$$),
    ('by key, of nobody', 2, $$kepler.get_memories(keys => '{k6001}', namespace => 'docs/d200', user_id => NULL)$$),
    ('by id', 2, $$kepler.get_memories('{m00001,none,m06999}')$$),
    ('namespaces, cut', 2, 'kepler.list_namespaces(max_depth => 1)'),
    ('namespaces, a page', 20, $$kepler.list_namespaces('docs', max_rows => 10, after => 'docs/d70')$$),
    ('namespaces of a user', 140, $$kepler.list_namespaces(user_id => 'ada')$$),
    ('search of a namespace', 250, $$kepler.search_memories('[1, 2100]', 5, query_text => 'memory 2110', namespace => 'docs/d70')$$),
    ('put', 10, $$kepler.remember('changed', key => 'k6001', namespace => 'docs/d200')$$),
    ('put, unchanged', 10, $$kepler.remember('changed', key => 'k6001', namespace => 'docs/d200')$$);
GRANT SELECT ON calls TO PUBLIC;
-- Rows of the table, and entries of its indexes. Postgres counts what is read through an index as the index's.
CREATE FUNCTION pg_temp.read_so_far() RETURNS bigint LANGUAGE sql AS $$
    SELECT sum(greatest(pg_stat_get_xact_tuples_returned(r), pg_stat_get_xact_tuples_fetched(r)))
    FROM (SELECT 'kepler.memories'::regclass UNION ALL SELECT indexrelid FROM pg_index WHERE indrelid = 'kepler.memories'::regclass) AS n (r)
$$;
-- Reads each twice: few rows are counted before they are read, and of what is large a session knows it for a minute.
CREATE FUNCTION pg_temp.reads() RETURNS TABLE (name text, rows bigint, reads text) LANGUAGE plpgsql AS $$
DECLARE
    c record;
    before bigint;
BEGIN
    FOR c IN SELECT * FROM pg_temp.calls ORDER BY at LOOP
        EXECUTE 'SELECT count(*) FROM ' || c.call INTO rows;
        before := pg_temp.read_so_far();
        EXECUTE 'SELECT count(*) FROM ' || c.call INTO rows;
        before := pg_temp.read_so_far() - before;
        name := c.name;
        reads := CASE WHEN before <= c.most THEN 'enough' ELSE 'too much: ' || before END;
        RETURN NEXT;
    END LOOP;
END $$;
SELECT * FROM pg_temp.reads();
SELECT pg_stat_get_xact_numscans('kepler.memories'::regclass) AS scans_of_the_table;
-- The same under row security, as a reader.
CREATE ROLE kepler_reader;
SELECT kepler.grant_access('kepler_reader', 'reader', 'planned');
DELETE FROM calls WHERE name LIKE 'put%';
SET LOCAL ROLE kepler_reader;
SELECT * FROM pg_temp.reads();
RESET ROLE;
-- What stands together elsewhere is found as well, and policies of somebody's own hold.
SELECT memory_id FROM kepler.list_memories('bob', max_rows => 2);
CREATE POLICY not_these ON kepler.memories AS RESTRICTIVE USING (id <> 'm02999');
SET LOCAL ROLE kepler_reader;
SELECT memory_id FROM kepler.list_memories('bob', max_rows => 2);
SELECT count(*) FROM kepler.get_memories('{m02999,m02998}');
SELECT kepler.count_memories(namespace => 'docs/d99');
SELECT * FROM kepler.list_namespaces('docs/d99');
SELECT kepler.count_memories(workspace_id => 'default');
ROLLBACK;
