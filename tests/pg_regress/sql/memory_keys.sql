-- A key is a caller's own name for a memory. What is remembered under it takes the place of what is stored, in one step.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
SELECT kepler.create_embedding_space('mini', dimensions => 2, model => 'test-model');
INSERT INTO kepler.users (id, email) VALUES ('ada', 'ada@example.com'), ('bob', 'bob@example.com');
SELECT outcome FROM kepler.remember('Ada lives in Turin', '[1, 0]', user_id => 'ada', key => 'home', metadata => '{"city": "Turin"}', relevance_score => 0.9);

-- The same again writes nothing. Something else is an update of the same memory, whole: what is not given has its default, and the
-- embedding of the old content is gone.
SELECT ctid AS place, id AS home FROM kepler.memories \gset
SELECT outcome, memory_id = :'home' AS same_memory FROM kepler.remember('Ada lives in Turin', '[1, 0]', user_id => 'ada', key => 'home', metadata => '{"city": "Turin"}', relevance_score => 0.9);
SELECT ctid = :'place' AS not_written FROM kepler.memories;
SELECT outcome, memory_id = :'home' AS same_memory FROM kepler.remember('Ada lives in Rome', user_id => 'ada', key => 'home');
SELECT user_id, namespace, key, content, metadata, relevance_score, valid_from > created_at AS holds_since_then, updated_at > created_at AS updated FROM kepler.memories;
SELECT count(*) AS embeddings FROM kepler_data.mini_embeddings;

-- An embedding that comes later is an update, and stays as long as the content does.
SELECT outcome FROM kepler.remember('Ada lives in Rome', '[0, 1]', user_id => 'ada', key => 'home');
SELECT outcome FROM kepler.remember('Ada lives in Rome', '[0, 1]', user_id => 'ada', key => 'home');
SELECT outcome FROM kepler.remember('Ada lives in Rome', user_id => 'ada', key => 'home', metadata => '{"sure": true}');
SELECT embedding FROM kepler_data.mini_embeddings;

-- Another user, nobody, and another namespace have keys of their own. A text and the JSON that reads the same are not the same.
SELECT outcome FROM kepler.remember('Bob lives in Oslo', user_id => 'bob', key => 'home');
SELECT outcome FROM kepler.remember('[1]', key => 'home');
SELECT outcome FROM kepler.remember('[1]'::jsonb, key => 'home');
SELECT outcome FROM kepler.remember('[1]'::jsonb, key => 'home', namespace => 'a/b');
SELECT user_id, namespace, key, content, format FROM kepler.memories ORDER BY user_id, namespace;

-- A batch: of one key the last element wins, and where that is refused, the one before it. Keys are not duplicates of anything.
SELECT ordinal, outcome, memory_id IS NOT NULL AS has_id, error FROM kepler.remember_many('[
    {"content": "one", "key": "n"}, {"content": "two", "key": "n"}, {"content": "three", "key": "n"},
    {"content": "kept", "key": "m"}, {"content": "", "key": "m"}, {"content": "no such user", "key": "m", "user_id": "eve"},
    {"content": "three", "key": "o"}, {"content": "three"}, {"content": "three"},
    {"content": "x", "key": ""}, {"content": "x", "namespace": "a//b"}, {"content": "x", "namespace": "/a"}, {"content": "x", "namespace": "a/*"},
    {"content": "x", "key": "t", "ttl": 0}, {"content": "x", "key": "t", "ttl": "soon"}, {"content": "x", "key": null, "namespace": null, "ttl": null},
    {"content": "Bob lives in Oslo", "user_id": "bob", "key": "home"}
]', dedupe => true);
SELECT key, content FROM kepler.memories WHERE key IN ('n', 'm', 'o') ORDER BY key;
SELECT outcome FROM kepler.remember('x', key => repeat('k', 1001), namespace => 'a/', ttl => '-1 day');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT outcome FROM kepler.remember('x', namespace => NULL);

-- What dedupe finds has no key and is in the same namespace.
SELECT outcome FROM kepler.remember('said in a', namespace => 'a', dedupe => true);
SELECT outcome FROM kepler.remember('said in a', namespace => 'b', dedupe => true);
SELECT outcome FROM kepler.remember('said in a', namespace => 'a', dedupe => true);
SELECT outcome FROM kepler.remember('kept', dedupe => true);

-- What takes the place of a memory may take its key: the older one stays in the history.
SELECT outcome FROM kepler.remember('Ada lives in Bari', user_id => 'ada', key => 'home', supersedes => :'home');
SELECT content FROM kepler.memory_history(:'home');
SELECT content, valid_to IS NULL AS holds FROM kepler.memories WHERE user_id = 'ada' AND key = 'home' ORDER BY valid_to;
SELECT outcome FROM kepler.remember('Ada lives in Pisa', user_id => 'ada', key => 'home');
-- If the successor is forgotten, the key is free again, and the old memory does not come back under it.
SELECT outcome FROM kepler.forget(keys => '{home,none,home}', user_id => 'ada');
SELECT outcome FROM kepler.remember('Ada lives in Como', user_id => 'ada', key => 'home');

-- An expired memory is not there any more, whether it was deleted already or not.
UPDATE kepler.memories SET expires_at = clock_timestamp() WHERE key = 'home';
SELECT outcome, memory_id IN (SELECT id FROM kepler.memories WHERE content = 'Ada lives in Como') AS same_memory FROM kepler.remember('Ada lives in Lodi', user_id => 'ada', key => 'home');
SELECT content FROM kepler.memories WHERE user_id = 'ada' AND key = 'home' AND valid_to IS NULL;

-- Direct SQL keeps keys apart too.
\set VERBOSITY terse
INSERT INTO kepler.memories (content, key) VALUES ('x', 'n');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
INSERT INTO kepler.memories (content, key, namespace) VALUES ('x', 'n', 'a/');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
ROLLBACK;

-- What a constraint or a trigger refuses is refused alone.
BEGIN;
INSERT INTO kepler.users (id, email) VALUES ('ada', 'ada@example.com');
CREATE FUNCTION pg_temp.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.content = 'swallowed' THEN RETURN NULL; END IF;
    IF NEW.content = 'refused' THEN RAISE EXCEPTION 'not this'; END IF;
    IF NEW.content = 'changed' THEN NEW.content := 'made other'; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER of_mine BEFORE INSERT OR UPDATE ON kepler.memories FOR EACH ROW EXECUTE FUNCTION pg_temp.refuse();
SELECT outcome FROM kepler.remember_many('[{"content": "a", "key": "a"}, {"content": "b", "key": "b"}, {"content": "c", "key": "c"}]');
SELECT ordinal, outcome, error_code, error FROM kepler.remember_many('[
    {"content": "swallowed", "key": "a"}, {"content": "refused", "key": "b"}, {"content": "changed", "key": "c"}, {"content": "refused", "key": "d"},
    {"content": "b", "key": "b"}, {"content": "refused", "key": "b"}, {"content": "new", "key": "e"}]');
SELECT key, content FROM kepler.memories ORDER BY key;
SELECT outcome FROM kepler.remember('swallowed', key => 'a');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
-- A successor that is swallowed takes nobody's place.
SELECT ordinal, outcome FROM kepler.remember_many((SELECT json_agg(json_build_object('content', c, 'key', 'a', 'supersedes', m.id)) FROM kepler.memories AS m, unnest('{swallowed}'::text[]) AS c WHERE m.key = 'a')::text);
SELECT content, valid_to IS NULL AS holds FROM kepler.memories WHERE key = 'a';
ROLLBACK;

-- What is remembered again without a start holds from now on, also if it was to begin later.
BEGIN;
SELECT outcome FROM kepler.remember('later', key => 'later', valid_from => now() + interval '1 day');
SELECT outcome FROM kepler.remember('later', key => 'later');
SELECT content FROM kepler.get_memories(keys => '{later}', user_id => NULL);
SELECT outcome FROM kepler.remember('later', key => 'later');
-- A length of time has no negative part.
SELECT kepler.remember('x', key => 'x', ttl => '-1 month 30 days 1 hour');
ROLLBACK;
