-- Memories are found by key or id, listed page by page, and counted.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
INSERT INTO kepler.users (id, email) VALUES ('ada', 'ada@example.com'), ('bob', 'bob@example.com');
SELECT count(*) FROM kepler.remember_many((SELECT json_agg(json_build_object('content', 'memory ' || i, 'user_id', CASE i % 3 WHEN 0 THEN 'ada' WHEN 1 THEN 'bob' END,
    'namespace', CASE WHEN i % 2 = 0 THEN 'users/' || i % 3 END, 'key', CASE WHEN i % 5 > 0 THEN 'k' || i END, 'context_type', CASE WHEN i % 4 = 0 THEN 'preference' ELSE 'fact' END,
    'metadata', json_build_object('n', i))) FROM generate_series(1, 30) AS i)::text);
UPDATE kepler.memories SET created_at = '2026-01-01'::timestamptz + (metadata ->> 'n')::int * interval '1 day', updated_at = '2026-03-01'::timestamptz - (metadata ->> 'n')::int * interval '1 day';

-- By key: of one user and one namespace, in the order asked for. What is not there has no row.
SELECT ordinal, user_id, namespace, key, content, metadata FROM kepler.get_memories(keys => '{k3,none,k9,NULL,k3}', user_id => 'ada');
SELECT ordinal, key, content, format, relevance_score, context_type, ttl, expires_at, created_at AT TIME ZONE 'UTC' AS created FROM kepler.get_memories(keys => '{k8,k2}', namespace => 'users/2', user_id => NULL);
SELECT count(*) FROM kepler.get_memories(keys => '{k8}', namespace => 'users', user_id => NULL);
SELECT count(*) FROM kepler.get_memories(keys => '{}', user_id => NULL);
SELECT kepler.get_memories(keys => '{k3}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.get_memories();
SELECT kepler.get_memories(memory_ids => '{x}', keys => '{x}', user_id => NULL);
SELECT kepler.get_memories(memory_ids => '{x}', namespace => 'users');
SELECT kepler.get_memories(keys => '{x}', user_id => NULL, namespace => 'users/');
-- By id: anybody's, or of one user alone.
SELECT array_agg(id ORDER BY content) AS ids FROM kepler.memories WHERE content IN ('memory 1', 'memory 2', 'memory 3') \gset
SELECT ordinal, content FROM kepler.get_memories(:'ids');
SELECT ordinal, content FROM kepler.get_memories(:'ids', user_id => 'ada');
SELECT ordinal, content FROM kepler.get_memories(:'ids', user_id => NULL);

-- The newest first. A page begins behind the last row of the one before, whatever was added or deleted meanwhile.
SELECT content, cursor LIKE '["id",%' AS has_cursor FROM kepler.list_memories(max_rows => 3);
SELECT cursor AS place FROM kepler.list_memories(max_rows => 3) OFFSET 2 \gset
SELECT outcome FROM kepler.remember('newer', metadata => '{"n": 99}');
SELECT outcome FROM kepler.forget(ARRAY(SELECT id FROM kepler.memories WHERE content IN ('memory 28', 'memory 26')));
SELECT content FROM kepler.list_memories(max_rows => 3, after => :'place');
SELECT content FROM kepler.list_memories(descending => false, max_rows => 2);

-- All pages together are all rows, in each order and each direction, for one user, for nobody and for everybody.
CREATE FUNCTION pg_temp.pages(given_user text, given_order text, given_descending boolean, OUT rows bigint, OUT distinct_rows bigint, OUT in_order boolean) LANGUAGE plpgsql AS $$
DECLARE
    place text;
    page text[];
    found text[] := '{}';
    all_at_once text[];
BEGIN
    LOOP
        SELECT array_agg(l.memory_id ORDER BY l.at), (array_agg(l.cursor ORDER BY l.at DESC))[1] INTO page, place
        FROM (SELECT *, row_number() OVER () AS at FROM kepler.list_memories(given_user, order_by => given_order, descending => given_descending, max_rows => 4, after => place)) AS l;
        EXIT WHEN page IS NULL;
        found := found || page;
    END LOOP;
    SELECT array_agg(l.memory_id ORDER BY l.at) INTO all_at_once
    FROM (SELECT *, row_number() OVER () AS at FROM kepler.list_memories(given_user, order_by => given_order, descending => given_descending)) AS l;
    rows := cardinality(found);
    distinct_rows := (SELECT count(DISTINCT f) FROM unnest(found) AS f);
    in_order := found = all_at_once;
END $$;
SELECT u AS user_id, o AS order_by, d AS descending, p.*
FROM unnest('{*,ada,NULL}'::text[]) WITH ORDINALITY AS u (u, a), unnest('{id,updated_at,key}'::text[]) WITH ORDINALITY AS o (o, b), unnest('{f,t}'::boolean[]) AS d
CROSS JOIN LATERAL pg_temp.pages(u, o, d) AS p ORDER BY a, b, d;
SELECT namespace, key FROM kepler.list_memories(order_by => 'key', max_rows => 3);
SELECT namespace, key FROM kepler.list_memories('ada', order_by => 'key', descending => true, max_rows => 2);
SELECT content FROM kepler.list_memories(order_by => 'updated_at', max_rows => 2);

-- Conditions: all must hold. A count counts what a list lists.
SELECT content FROM kepler.list_memories('ada', namespace => 'users', context_types => '{preference}', filter => '{"n": {"$gt": 12}}');
SELECT content FROM kepler.list_memories(created_from => '2026-01-10 00:00Z', created_before => '2026-01-12 00:00Z');
SELECT content FROM kepler.list_memories(updated_from => '2026-02-18 00:00Z', updated_before => '2026-02-20 00:00Z', descending => false);
SELECT content FROM kepler.list_memories(filter => '{"n": {"$in": [5, 7, 99]}}');
SELECT namespace, key FROM kepler.list_memories('ada', namespace => 'users', order_by => 'key', max_rows => 3);
SELECT kepler.count_memories() AS all, kepler.count_memories('ada') AS ada, kepler.count_memories(NULL) AS nobody, kepler.count_memories('eve') AS eve,
    kepler.count_memories(namespace => 'users') AS below, kepler.count_memories(namespace => 'users/1') AS one, kepler.count_memories(namespace => 'user') AS none,
    kepler.count_memories(context_types => '{preference}') AS preferences, kepler.count_memories(filter => '{"n": {"$lt": 5}}') AS filtered,
    kepler.count_memories(created_from => '2026-01-10 00:00Z', created_before => '2026-01-12 00:00Z') AS created, kepler.count_memories(max_rows => 7) AS no_further;

-- What has ended or is still to come is not there.
SELECT outcome FROM kepler.remember('tomorrow', valid_from => clock_timestamp() + interval '1 day', key => 'later');
SELECT outcome FROM kepler.remember('instead', supersedes => (SELECT id FROM kepler.memories WHERE content = 'newer'));
SELECT content FROM kepler.list_memories(max_rows => 2);
SELECT count(*) FROM kepler.get_memories(keys => '{later}', user_id => NULL);

-- What is wrong with arguments.
SELECT kepler.list_memories(order_by => 'content');
SELECT kepler.list_memories(order_by => NULL);
SELECT kepler.list_memories(max_rows => 0);
SELECT kepler.list_memories(after => :'place', order_by => 'key');
SELECT kepler.list_memories(after => 'x');
SELECT kepler.list_memories(after => '["id", 1]');
SELECT kepler.list_memories(after => '["id", "a\u0000"]');
SELECT kepler.list_memories(' ');
SELECT kepler.list_memories(namespace => NULL);
SELECT kepler.list_memories(context_types => '{NULL}');
\set VERBOSITY terse
SELECT kepler.list_memories(filter => '{"a": {"$near": 1}}');
\set VERBOSITY default
SELECT kepler.list_memories(workspace_id => 'nowhere');
SELECT kepler.count_memories(max_rows => 0);
ROLLBACK;
