-- Namespaces are paths. A search, a list and a count take a namespace with all that is below it, and no neighbour of a similar name.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
SELECT kepler.create_embedding_space('mini', dimensions => 2, model => 'test-model');
INSERT INTO kepler.users (id, email) VALUES ('ada', 'ada@example.com');
SELECT count(*) FROM kepler.remember_many((SELECT json_agg(json_build_object('content', 'tea in ' || n, 'namespace', n, 'embedding', json_build_array(1, at), 'user_id', CASE WHEN n LIKE '%ada/%' THEN 'ada' END))
    FROM unnest('{"",users,users/ada,users/ada/facts,users/ada/facts/old,users/ada-2,users/ada.x/facts,users/ada0,users/bob/facts,users/bob/prefs,docs/é,docs/v1/a}'::text[]) WITH ORDINALITY AS u (n, at))::text);
SELECT namespace FROM kepler.list_memories(namespace => 'users/ada', descending => false);
SELECT content FROM kepler.search_memories('[1, 0]', namespace => 'users/ada');
SELECT content FROM kepler.search_memories(query_text => 'tea', namespace => 'users/ada', weights => '{"similarity": 1}');
SELECT content FROM kepler.search_memories('[1, 0]', 1, query_text => 'tea', namespace => 'users/bob', user_id => NULL);
SELECT count(*) FROM kepler.search_memories('[1, 0]', namespace => 'nowhere');
SELECT count(*) FROM kepler.search_memories('[1, 0]', 100);
SELECT kepler.search_memories('[1, 0]', namespace => 'users/');
\echo SQLSTATE :LAST_ERROR_SQLSTATE

-- They are listed in the order of their labels, without the root.
SELECT * FROM kepler.list_namespaces();
SELECT array_agg(n) FROM kepler.list_namespaces('users/ada') AS n;
SELECT array_agg(n) FROM kepler.list_namespaces(max_depth => 1) AS n;
SELECT array_agg(n) FROM kepler.list_namespaces(max_depth => 2) AS n;
SELECT array_agg(n) FROM kepler.list_namespaces('users/*/facts') AS n;
SELECT array_agg(n) FROM kepler.list_namespaces(suffix => 'facts') AS n;
SELECT array_agg(n) FROM kepler.list_namespaces('users', suffix => '*/facts', max_depth => 2) AS n;
SELECT array_agg(n) FROM kepler.list_namespaces('*', suffix => 'a') AS n;
SELECT array_agg(n) FROM kepler.list_namespaces('users/ada/facts', suffix => 'ada/facts') AS n;
SELECT array_agg(n) FROM kepler.list_namespaces(user_id => 'ada') AS n;
SELECT array_agg(n) FROM kepler.list_namespaces(user_id => 'ada', max_depth => 3) AS n;
SELECT array_agg(n) FROM kepler.list_namespaces('nowhere') AS n;

-- Page by page, cut or not.
CREATE FUNCTION pg_temp.pages(prefix text, suffix text, depth integer) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
    page text[];
    found text[] := '{}';
BEGIN
    LOOP
        SELECT array_agg(n) INTO page FROM kepler.list_namespaces(prefix, suffix, depth, 2, found[cardinality(found)]) AS n;
        EXIT WHEN page IS NULL;
        found := found || page;
    END LOOP;
    RETURN found;
END $$;
SELECT prefix, suffix, depth, pg_temp.pages(prefix, suffix, depth) = (SELECT array_agg(n) FROM kepler.list_namespaces(prefix, suffix, depth) AS n) AS same
FROM (VALUES ('', '', NULL), ('', '', 1), ('', '', 2), ('', '', 3), ('users', '', 2), ('users/*', 'facts', NULL), ('', 'facts', 2), ('', 'facts', 1), ('*/*/*', '', 2)) AS v (prefix, suffix, depth);

-- A namespace whose memories have expired is none.
UPDATE kepler.memories SET expires_at = clock_timestamp() WHERE namespace LIKE 'docs/%';
SELECT array_agg(n) FROM kepler.list_namespaces(max_depth => 1) AS n;

-- What is wrong with arguments.
SELECT kepler.list_namespaces('a//b');
SELECT kepler.list_namespaces(suffix => '/a');
SELECT kepler.list_namespaces(max_depth => 0);
SELECT kepler.list_namespaces(max_rows => NULL);
SELECT kepler.list_namespaces(after => 'a/*');
SELECT kepler.list_namespaces(NULL);
ROLLBACK;
