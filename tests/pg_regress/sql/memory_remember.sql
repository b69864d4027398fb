-- What is remembered gets an answer: inserted, duplicate, merged or rejected. A memory that takes the place of another one is inserted.
\set SHOW_CONTEXT never
BEGIN;
SELECT kepler.create_embedding_space('mini', dimensions => 3, model => 'test-model');
INSERT INTO kepler.users (id, email) VALUES ('ada', 'ada@example.com'), ('bob', 'bob@example.com');
SELECT outcome FROM kepler.remember('Ada prefers tea', '[1, 0, 0]', user_id => 'ada', context_type => 'preference', metadata => '{"drink": "tea"}');
SELECT user_id, context_type, content, format, relevance_score, metadata, valid_to, superseded_by, expires_at FROM kepler.memories;

-- JSON is remembered as JSON.
SELECT outcome FROM kepler.remember('{"steps": [1, 2.50]}'::jsonb, context_type => 'pattern');
SELECT content::jsonb -> 'steps' AS steps FROM kepler.memories WHERE format = 'JSON';

-- Without dedupe the same thing is remembered twice; with it, it is a duplicate of the same user and type only.
SELECT outcome FROM kepler.remember('Ada prefers tea', '[1, 0, 0]', user_id => 'ada', context_type => 'preference', dedupe => true);
SELECT outcome FROM kepler.remember('Ada prefers tea', '[1, 0, 0]', user_id => 'bob', context_type => 'preference', dedupe => true);
SELECT outcome FROM kepler.remember('Ada prefers tea', '[1, 0, 0]', user_id => 'ada', dedupe => true);

-- What is said beside the content is kept: that is a merge.
SELECT outcome FROM kepler.remember('Ada prefers tea', user_id => 'ada', context_type => 'preference', metadata => '{"since": 2024}', relevance_score => 0.9, dedupe => true);
SELECT metadata, relevance_score FROM kepler.memories WHERE user_id = 'ada' AND context_type = 'preference';

-- A batch has all of it, and what is wrong with one element does not concern the others.
SELECT ordinal, memory_id IS NOT NULL AS remembered, outcome, error FROM kepler.remember_many('[
    {"content": "Standup is at 9:30", "embedding": [0, 1, 0], "metadata": {"day": "Monday"}},
    {"content": "standup is at 9:30!", "embedding": [0, 1, 0.01], "metadata": {"room": 12}},
    {"content": "Standup is at 9:45", "embedding": [0, 1, 0.001]},
    {"content": ["a", {"b": 1.50}]},
    {"content": "no such user", "user_id": "eve"},
    {"content": "wrong", "embedding": [1, 2], "relevance_score": 2, "colour": "red"},
    {"content": "too large", "embedding": [1, 2, 1e39]},
    {"content": "zero", "embedding": [0, 0, 0]},
    {"content": {"a": "\u0000"}},
    {"content": " "},
    {"content": 5},
    {"content": "x", "supersedes": "nothing"},
    {"content": "x", "metadata": [1], "expires_at": "soon"},
    7
]', dedupe => true);
SELECT content, metadata FROM kepler.memories WHERE content ILIKE 'standup%' ORDER BY 1;

-- Of two that supersede the same memory one does.
SELECT ordinal, outcome, regexp_replace(error, '"[a-z0-9]{24}"', '…') AS error FROM kepler.remember_many((
    SELECT json_agg(json_build_object('content', c, 'supersedes', (SELECT id FROM kepler.memories WHERE content = 'Standup is at 9:45')))
    FROM unnest('{"Standup is at 10","Standup is at 11"}'::text[]) AS c)::text);
ROLLBACK;

-- The single form raises what the batch rejects, with all problems.
BEGIN;
SELECT kepler.create_embedding_space('mini', dimensions => 3, model => 'test-model');
\set ON_ERROR_ROLLBACK on
SELECT * FROM kepler.remember(' ', relevance_score => 7);
SELECT * FROM kepler.remember(NULL::text);
SELECT * FROM kepler.remember('x', user_id => 'eve');
SELECT * FROM kepler.remember('x', context_type => '');
SELECT * FROM kepler.remember('x', dedupe => NULL);
SELECT * FROM kepler.remember('x', '[1, 2, 3]', space => 'maxi');
SELECT * FROM kepler.remember('x', workspace_id => 'nowhere');
SELECT * FROM kepler.remember_many('7');
SELECT * FROM kepler.remember_many('[{"content": "x"}');
SELECT count(*) FROM kepler.memories;
-- Direct SQL keeps to the same.
\set VERBOSITY terse
INSERT INTO kepler.memories (content, relevance_score) VALUES ('x', 'NaN');
INSERT INTO kepler.memories (content, format) VALUES ('no json', 'JSON');
INSERT INTO kepler_data.mini_embeddings (workspace_id, memory_id, embedding, context_type) VALUES ('default', 'm', '[0, 0, 0]', 'fact');
INSERT INTO kepler_data.mini_embeddings VALUES ('default', 'nobody', '[1, 0, 0]');
\set VERBOSITY default
-- A megabyte is remembered whole, and its first words are found.
SELECT outcome FROM kepler.remember('first ' || (SELECT string_agg(md5(i::text), ' ') FROM generate_series(1, 32000) AS i) || ' last');
SELECT length(content) > 1000000 AS whole FROM kepler.search_memories(query_text => 'first');
-- Embeddings know whose they are, however they came, and go along when their memory becomes another's.
INSERT INTO kepler.users (id, email) VALUES ('mover', 'mover@example.com'), ('taker', 'taker@example.com');
INSERT INTO kepler.memories (id, user_id, context_type, content) VALUES ('moved', 'mover', 'note', 'by direct SQL');
INSERT INTO kepler_data.mini_embeddings (memory_id, embedding) VALUES ('moved', '[1, 2, 3]');
SELECT memory_id, similarity FROM kepler.search_memories('[1, 2, 3]', user_id => 'mover', context_types => '{note}');
UPDATE kepler.memories SET user_id = 'taker', context_type = 'gift' WHERE id = 'moved';
SELECT count(*) FROM kepler.search_memories('[1, 2, 3]', user_id => 'mover');
SELECT memory_id FROM kepler.search_memories('[1, 2, 3]', user_id => 'taker', context_types => '{gift}');
UPDATE kepler.memories SET user_id = NULL WHERE id = 'moved';
SELECT count(*) FROM kepler.search_memories('[1, 2, 3]', user_id => 'taker');
SELECT count(*) AS of_nobody FROM kepler.search_memories('[1, 2, 3]', user_id => NULL, context_types => '{gift}');
ROLLBACK;
