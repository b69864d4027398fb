-- One user's id does not reach another's memory.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
SELECT kepler.create_embedding_space('mini', dimensions => 2, model => 'test-model');
INSERT INTO kepler.users (id, email) VALUES ('ada', 'ada@example.com'), ('bob', 'bob@example.com');
INSERT INTO kepler.memories (id, user_id, content) VALUES ('of_ada', 'ada', 'Ada has a plan'), ('of_bob', 'bob', 'Bob has a plan'), ('of_nobody', NULL, 'There is a plan');

-- Nothing takes the place of another user's memory, or of one that belongs to nobody. It looks as if there were none.
SELECT * FROM kepler.remember('Bob has another', user_id => 'bob', supersedes => 'of_ada');
SELECT * FROM kepler.remember('Bob has another', user_id => 'bob', supersedes => 'nothing');
SELECT ordinal, outcome, error_code, error FROM kepler.remember_many('[
    {"content": "a", "user_id": "bob", "supersedes": "of_ada"},
    {"content": "b", "user_id": "bob", "supersedes": "of_nobody"},
    {"content": "c", "supersedes": "of_ada"},
    {"content": "d", "user_id": "bob", "supersedes": "of_bob"},
    {"content": "e", "supersedes": "of_nobody"}]');
SELECT id, valid_to IS NULL AS holds FROM kepler.memories WHERE id LIKE 'of%' ORDER BY id;
-- Nor does dedupe merge with one.
SELECT outcome FROM kepler.remember('Ada has a plan', user_id => 'bob', dedupe => true);

-- By their ids memories are the workspace's, for workers and administrators; with user_id they are one user's.
SELECT outcome FROM kepler.end_memories('{of_ada,of_bob,of_nobody}', at => '2040-01-01', user_id => 'ada');
SELECT outcome FROM kepler.end_memories('{of_ada,of_bob,of_nobody}', at => '2040-01-01', user_id => NULL);
SELECT count(*) FROM kepler.memory_history('of_ada', user_id => 'bob');
SELECT count(*) FROM kepler.memory_history('of_ada', user_id => 'ada');
SELECT count(*) FROM kepler.memory_history('of_ada');
SELECT outcome FROM kepler.forget('{of_ada,of_bob,of_nobody}', user_id => 'bob');
SELECT outcome FROM kepler.forget('{of_ada,of_nobody}');

-- A chain from which a link was given to somebody else shows each user the own part.
SELECT memory_id AS first FROM kepler.remember('Ada lives in London', user_id => 'ada', valid_from => '2020-01-01') \gset
SELECT memory_id AS second FROM kepler.remember('Ada lives in Turin', user_id => 'ada', valid_from => '2021-01-01', supersedes => :'first') \gset
SELECT memory_id AS third FROM kepler.remember('Ada lives in Rome', user_id => 'ada', valid_from => '2022-01-01', supersedes => :'second') \gset
SELECT version, content FROM kepler.memory_history(:'second');
UPDATE kepler.memories SET user_id = 'bob' WHERE id = :'third';
SELECT version, content FROM kepler.memory_history(:'first');
SELECT version, content FROM kepler.memory_history(:'third');
ROLLBACK;

-- Long chains take their length, not its square: 3,000 links, forgotten at once but for both ends.
BEGIN;
INSERT INTO kepler.memories (id, content, valid_from, valid_to, superseded_by)
SELECT 'c' || i, 'link ' || i, '2020-01-01'::timestamptz + i * interval '1 hour', CASE WHEN i < 3000 THEN '2020-01-01'::timestamptz + (i + 1) * interval '1 hour' END,
    CASE WHEN i < 3000 THEN 'c' || (i + 1) END FROM generate_series(1, 3000) AS i;
SET LOCAL statement_timeout = '5s';
SELECT count(*), max(version) FROM kepler.memory_history('c1500');
SELECT outcome, count(*) FROM kepler.forget(ARRAY(SELECT 'c' || i FROM generate_series(2, 2999) AS i)) GROUP BY outcome;
SELECT version, memory_id, superseded_by FROM kepler.memory_history('c1');
-- A circle, which only direct SQL can make, ends.
UPDATE kepler.memories SET superseded_by = 'c1', valid_to = 'infinity' WHERE id = 'c3000';
SELECT count(*) FROM kepler.memory_history('c1');
SELECT outcome FROM kepler.forget('{c1,c3000}');
ROLLBACK;
