-- What somebody may send who means harm, or does not look: clear errors or right answers, every problem at once.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
SELECT kepler.create_embedding_space('mini', 2, 'test-model');
INSERT INTO kepler.users (id, email) VALUES ('ada', 'ada');
CREATE FUNCTION nested(opening text, inside text, closing text, depth int) RETURNS text LANGUAGE sql AS $$ SELECT repeat($1, $4) || $2 || repeat($3, $4) $$;

-- One memory: all that is wrong with it; what is wrong with its embedding alone has a code of its own.
SELECT * FROM kepler.remember(' ', '[1, 2, 3]', user_id => 'eve', context_type => ' ', relevance_score => 'NaN', metadata => '[1]', valid_from => 'infinity');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.remember('x', '[1, 2, 3]');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.remember('x', '[0, 0]');
SELECT * FROM kepler.remember('x', user_id => 'eve', supersedes => 'nothing');
SELECT * FROM kepler.remember('x', user_id => '');
SELECT * FROM kepler.remember('x', metadata => 'null');
SELECT * FROM kepler.remember('x', metadata => nested('{"a":', '1', '}', 513)::jsonb);
SELECT * FROM kepler.remember('x', context_type => repeat('c', 129));
SELECT * FROM kepler.remember('x', space => '');
SELECT * FROM kepler.remember('"x"'::jsonb);
SELECT * FROM kepler.remember(E'\u00a0\t');
-- Other types of vectors are not taken for embeddings by chance.
SELECT * FROM kepler.remember('x', '[1, 2]'::halfvec);
SELECT * FROM kepler.remember('x', '{1:1}/2'::sparsevec);
-- What is large or strange is kept.
SELECT outcome FROM kepler.remember(repeat('lorem ipsum ', 100000), '[1, 1e-30]', metadata => jsonb_build_object('k', repeat('v', 1000000)), valid_from => '-infinity', expires_at => 'infinity');
SELECT outcome FROM kepler.remember('before Christ', '[1, 1]', valid_from => '4713-01-01 BC');
SELECT length(content), length(metadata ->> 'k'), valid_from FROM kepler.memories ORDER BY length(content);

-- A batch: what is wrong with one element keeps no other from landing.
SELECT ordinal, outcome, error FROM kepler.remember_many('[
    {"content": "fine", "embedding": [1, 2]},
    {"content": "x", "embedding": [1, 2, 3]}, {"content": "x", "embedding": []}, {"content": "x", "embedding": [0, -0.0]},
    {"content": "x", "embedding": [NaN, 1]}, {"content": "x", "embedding": [1, 1e39]}, {"content": "x", "embedding": [1, 1e400]}, {"content": "x", "embedding": [1, null]},
    {"content": "x", "embedding": [[1, 2]]}, {"content": "x", "embedding": "[1,2]"},
    {"content": "a\u0000b"}, {"content": "a\ud800b"}, {"content": {"k": "a\u0000b"}}, {"content": "x", "metadata": {"\u0000": 1}},
    {"content": 5}, {"content": ""}, {}, [], null,
    {"content": "x", "this": 1, "that": 2},
    {"content": "x", "user_id": "eve", "supersedes": "nothing"},
    {"content": " ", "embedding": [1], "context_type": "", "relevance_score": 7, "metadata": [], "user_id": 3, "valid_from": "infinity", "expires_at": "y", "supersedes": 4},
    {"content": "also fine", "content": "the last counts"}]');
SELECT ordinal, outcome, left(error, 80) AS error FROM kepler.remember_many((
    SELECT '[' || string_agg(element, ',') || ']' FROM (VALUES
        ('{"content": "x", "metadata": ' || nested('{"a":', '1', '}', 10000) || '}'),
        ('{"content": ' || nested('[', '', ']', 10000) || '}'),
        ('{"content": "x", "embedding": ' || nested('[', '', ']', 10000) || '}'),
        (nested('[', '', ']', 10000)),
        ('{"content": "x", "embedding": [' || repeat('1,', 20000) || '1]}'),
        ('{"content": "x", "user_id": "' || repeat('u', 129) || '"}'),
        ('{"content": "x", "' || repeat('k', 1000) || '": 1}'),
        ('{"content": "' || repeat('v ', 500000) || '"}')) AS v (element)));
SELECT count(*) FROM kepler.remember_many(repeat('[', 100000));

-- Embeddings.
SELECT * FROM kepler.set_memory_embeddings('mini', '[{"memory_id": "a"}, {"embedding": [1, 2]}, {"memory_id": "", "embedding": [1, 2]}, {"memory_id": 5, "embedding": [1, 2, 3], "x": 1, "y": 2},
    {"memory_id": "a", "embedding": [0, 0]}, {"memory_id": "a\u0000", "embedding": [1, 2]}, 7]');
SELECT ordinal, length(memory_id), outcome FROM kepler.set_memory_embeddings('mini', '[{"memory_id": "' || repeat('a', 129) || '", "embedding": [1, 2]}]');
SELECT * FROM kepler.set_memory_embeddings('', '[]');
SELECT * FROM kepler.set_memory_embeddings('mini', '7');

-- Searches.
SELECT count(*) FROM kepler.search_memories('[1, 2]', min_similarity => 'NaN');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT count(*) FROM kepler.search_memories('[1, 2]', min_similarity => 'Infinity');
SELECT count(*) FROM kepler.search_memories('[1, 2]', 1);
SELECT count(*) FROM kepler.search_memories('[1, 2]', -1);
SELECT count(*) FROM kepler.search_memories('[1e-40, 1e38]');
SELECT count(*) FROM kepler.search_memories('[1, 2]', user_id => '');
SELECT count(*) FROM kepler.search_memories('[1, 2]', weights => '{"similarity": 1e400}');
SELECT count(*) FROM kepler.search_memories('[1, 2]', weights => '{"similarity": "NaN", "recency": "Infinity"}');
SELECT count(*) FROM kepler.search_memories('[1, 2]', weights => nested('{"a":', '1', '}', 5000)::jsonb);
SELECT count(*) FROM kepler.search_memories('[1, 2]', filter => nested('{"a":', '1', '}', 5000)::jsonb);
SELECT count(*) FROM kepler.search_memories('[1, 2]', filter => '{"a": 1, "a": {"$exists": false}}');
SELECT count(*) FROM kepler.search_memories('[1, 2]', filter => jsonb_build_object('a', repeat('x', 1000000)));
SELECT count(*) FROM kepler.search_memories('[1, 2]', filter => 'null');
-- Times without end.
SELECT left(content, 13) AS content FROM kepler.search_memories('[1, 1]', as_of => '-infinity');
SELECT left(content, 13) AS content, recency FROM kepler.search_memories('[1, 1]', as_of => '4713-01-01 BC', weights => '{"similarity": 1}');
SELECT bool_and(recency = 0 AND score BETWEEN 0 AND 1), count(*) FROM kepler.search_memories('[1, 1]', as_of => '294276-12-31');
-- What compares embeddings needs one, and is not passed over.
SELECT count(*) FROM kepler.search_memories(query_text => 'fine', min_similarity => 0.5);
SELECT count(*) FROM kepler.search_memories(query_text => 'fine', diversity => 0.5);
SELECT count(*) FROM kepler.search_memories(query_text => 'fine', space => 'maxi');
SELECT count(*) FROM kepler.search_memories(query_text => 'fine', space => 'mini');
-- Many words, and too many.
SELECT count(*) FROM kepler.search_memories(query_text => (SELECT string_agg('w' || i, ' ') FROM generate_series(1, 14000) AS i) || ' fine');
SELECT count(*) FROM kepler.search_memories(query_text => repeat('word ', 20001));

-- Vectors in other tables: numbers to their last digit.
CREATE TABLE chunks (id bigint, v vector(2), size numeric);
INSERT INTO chunks VALUES (9007199254740993, '[1, 1]', 1.5000000000000000000000001), (9007199254740992, '[1, 1]', 1.5);
SELECT document FROM kepler.search_vectors('chunks', 'v', '[1, 1]', filter => '{"size": 1.5000000000000000000000001}');
SELECT document FROM kepler.search_vectors('chunks', 'v', '[1, 1]', filter => '{"size": {"$in": [1.50]}, "id": 9007199254740992}');
SELECT count(*) FROM kepler.search_vectors('chunks', 'v', '[1, 1]', filter => '{"id": {"$in": []}}');
SELECT count(*) FROM kepler.search_vectors('chunks', 'v', '[1, 1]', filter => '{"id": [null], "xmin": 1, "v": "[1,1]", "size": {"$gt": 1}}');
SELECT count(*) FROM kepler.search_vectors('chunks', 'v', '[1, 1]', filter => '[]');
SELECT count(*) FROM kepler.search_vectors('chunks', 'v', '[1, 1]', filter => nested('{"a":', '1', '}', 5000)::jsonb);
SELECT count(*) FROM kepler.search_vectors('chunks', 'v', '[1, 1]', filter => '{"id": 1.5}');
-- As many levels, comparisons and values as a filter may have, and one more.
SELECT count(*) FROM kepler.search_vectors('chunks', 'v', '[1, 1]', filter => nested('{"$not":', '{"id": {"$gt": 1}}', '}', 64)::jsonb);
SELECT count(*) FROM kepler.search_vectors('chunks', 'v', '[1, 1]', filter => nested('{"$not":', '{"id": {"$gt": 1}}', '}', 65)::jsonb);
SELECT count(*) FROM kepler.search_vectors('chunks', 'v', '[1, 1]', filter => (SELECT jsonb_build_object('$or', jsonb_agg(jsonb_build_object('id', 9007199254740000 + i))) FROM generate_series(1, 1000) AS i));
SELECT count(*) FROM kepler.search_vectors('chunks', 'v', '[1, 1]', filter => (SELECT jsonb_build_object('$or', jsonb_agg(jsonb_build_object('id', i))) FROM generate_series(1, 1001) AS i));
SELECT count(*) FROM kepler.search_vectors('chunks', 'v', '[1, 1]', filter => (SELECT jsonb_build_object('id', jsonb_build_object('$in', jsonb_agg(9007199254730000 + i))) FROM generate_series(1, 20000) AS i));
SELECT count(*) FROM kepler.search_vectors('chunks', 'v', '[1, 1]', filter => '[{"op": "$eq", "path": ["id\" IS NULL OR \"id"], "value": 1}, {"op": "$eq", "path": [""], "value": 1}]');
SELECT count(*) FROM kepler.search_vectors('chunks', 'v', '[1, 1]', min_similarity => 'NaN');
SELECT count(*) FROM kepler.search_vectors('chunks', 'v', '[1, 1]', 10000);
SELECT count(*) FROM kepler.search_vectors('chunks', 'v', '[1, 1]', 10001);
SELECT count(*) FROM kepler.search_vectors('chunks', 'v', NULL);
SELECT similarity, distance FROM kepler.search_vectors('chunks', 'v', '[3e38, 3e38]', 1, metric => 'l2');
SELECT * FROM kepler.recall_check(max_rows => 10000);
SELECT * FROM kepler.recall_check('');

-- Rights: to the schema, the table, and the space.
CREATE ROLE kepler_stranger;
SET LOCAL ROLE kepler_stranger;
SELECT count(*) FROM kepler.search_memories('[1, 2]');
RESET ROLE;
GRANT USAGE ON SCHEMA kepler, kepler_internal TO kepler_stranger;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA kepler, kepler_internal TO kepler_stranger;
SET LOCAL ROLE kepler_stranger;
SELECT count(*) FROM kepler.search_memories('[1, 2]');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT count(*) FROM kepler.recall_check();
SELECT count(*) FROM kepler.remember_many('[{"content": "a"}]');
SELECT count(*) FROM kepler.set_memory_embeddings('mini', '[]');
RESET ROLE;
GRANT SELECT, INSERT ON kepler.memories, kepler.workspaces, kepler.embedding_spaces TO kepler_stranger;
SET LOCAL ROLE kepler_stranger;
SELECT count(*) FROM kepler.search_memories('[1, 2]', 1);
SELECT outcome FROM kepler.remember('a');
SELECT outcome FROM kepler.remember('a', '[1, 2]');
RESET ROLE;
REVOKE SELECT ON kepler.memories FROM kepler_stranger;
SET LOCAL ROLE kepler_stranger;
SELECT count(*) FROM kepler.search_memories('[1, 2]', 1);
RESET ROLE;

-- The table of a space is gone: what needs it says so, and there is a way out.
DROP TABLE kepler_data.mini_embeddings;
SELECT count(*) FROM kepler.search_memories('[1, 2]');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.remember('b', '[1, 2]');
SELECT count(*) FROM kepler.pending_memory_embeddings('mini');
SELECT kepler.activate_embedding_space('mini');
SELECT count(*) FROM kepler.search_memories(query_text => 'fine');
SELECT kepler.create_embedding_space('other', 2, 'test-model');
SELECT count(outcome) > 5 AS set FROM kepler.set_memory_embeddings('other', (SELECT json_agg(json_build_object('memory_id', memory_id, 'embedding', '[1, 2]'::json))::text FROM kepler.pending_memory_embeddings('other')));
SELECT kepler.activate_embedding_space('other');
SELECT kepler.retire_embedding_space('mini');
SELECT kepler.drop_embedding_space('mini');
SELECT count(*) FROM kepler.search_memories('[1, 2]', 1);
ROLLBACK;
