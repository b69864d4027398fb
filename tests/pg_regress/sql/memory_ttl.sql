-- A memory with a ttl expires that long after it was written, or read with touch. Other reads write nothing.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
SELECT kepler.create_embedding_space('mini', dimensions => 2, model => 'test-model');
CREATE FUNCTION pg_temp.shown() RETURNS TABLE (key text, ttl interval, lives text, updated boolean) LANGUAGE sql AS $$
    SELECT m.key, m.ttl, CASE WHEN m.expires_at - clock_timestamp() > m.ttl * 0.99 THEN 'fresh' ELSE 'older' END, m.updated_at > m.created_at
    FROM kepler.memories AS m ORDER BY m.key $$;
SELECT outcome FROM kepler.remember('tea', '[1, 0]', key => 'a', ttl => '1 day');
SELECT outcome FROM kepler.remember_many('[{"content": "coffee", "embedding": [1, 0.1], "key": "b", "ttl": 86400}, {"content": "milk", "embedding": [0, 1], "ttl": 3600, "expires_at": "2099-01-01T00:00:00Z"}]');
SELECT * FROM pg_temp.shown() WHERE key IS NOT NULL;
SELECT expires_at AT TIME ZONE 'UTC' AS given FROM kepler.memories WHERE key IS NULL;

-- A put says how long from now on; by less than a tenth it is not written.
SELECT outcome FROM kepler.remember('tea', key => 'a', ttl => '1 day');
UPDATE kepler.memories SET expires_at = expires_at - interval '3 hours' WHERE key IS NOT NULL;
SELECT * FROM pg_temp.shown();
SELECT outcome FROM kepler.remember('tea', key => 'a', ttl => '1 day');
SELECT * FROM pg_temp.shown() WHERE key IS NOT NULL;

-- Reading without touch extends nothing; with touch it does, and is no update. The access is noted.
SELECT content FROM kepler.get_memories(keys => '{b}', user_id => NULL);
SELECT lives FROM pg_temp.shown() WHERE key = 'b';
SELECT content FROM kepler.get_memories(keys => '{b}', user_id => NULL, touch => true);
SELECT * FROM pg_temp.shown() WHERE key = 'b';
SELECT count(*) AS accesses FROM kepler.memory_access;
UPDATE kepler.memories SET expires_at = expires_at - interval '3 hours' WHERE key IS NOT NULL;
SELECT count(*) FROM kepler.list_memories(touch => true);
SELECT lives FROM pg_temp.shown() WHERE key IS NOT NULL;
UPDATE kepler.memories SET expires_at = expires_at - interval '3 hours' WHERE key IS NOT NULL;
SELECT content FROM kepler.search_memories('[1, 0]', 2, touch => true);
SELECT lives FROM pg_temp.shown() WHERE key IS NOT NULL;
UPDATE kepler.memories SET expires_at = expires_at - interval '3 hours' WHERE key IS NOT NULL;
SELECT kepler.touch_memories(ARRAY(SELECT id FROM kepler.memories));
SELECT lives FROM pg_temp.shown() WHERE key IS NOT NULL;

-- By less than a tenth nothing moves, and nothing is written.
UPDATE kepler.memories SET expires_at = expires_at - interval '2 hours' WHERE key = 'a';
SELECT ctid AS place FROM kepler.memories WHERE key = 'a' \gset
SELECT content FROM kepler.get_memories(keys => '{a}', user_id => NULL, touch => true);
SELECT ctid = :'place' AS not_written FROM kepler.memories WHERE key = 'a';
-- An expiry that is later than that stays.
SELECT count(*) FROM kepler.list_memories(touch => true);
SELECT expires_at AT TIME ZONE 'UTC' AS given FROM kepler.memories WHERE key IS NULL;

-- What has ended does not live on, and an expired memory is not found, listed or counted.
SELECT outcome FROM kepler.end_memories(ARRAY(SELECT id FROM kepler.memories WHERE key = 'b'), clock_timestamp() + interval '1 hour');
SELECT content FROM kepler.get_memories(keys => '{b}', user_id => NULL, touch => true);
SELECT ttl IS NULL AS no_ttl, expires_at < clock_timestamp() + interval '2 hours' AS ends FROM kepler.memories WHERE key = 'b';
UPDATE kepler.memories SET expires_at = clock_timestamp() WHERE key = 'a';
SELECT count(*) FROM kepler.get_memories(keys => '{a}', user_id => NULL, touch => true);
SELECT key FROM kepler.list_memories() ORDER BY 1;
SELECT kepler.count_memories();
SELECT kepler.expire_memories();
-- Without an end there is no ttl.
\set VERBOSITY terse
INSERT INTO kepler.memories (content, ttl) VALUES ('x', '1 day');
INSERT INTO kepler.memories (content, ttl, expires_at) VALUES ('x', '0', '2099-01-01');

-- A read-only transaction extends nothing.
UPDATE kepler.memories SET ttl = '1 day', expires_at = clock_timestamp() + interval '1 hour';
SET LOCAL transaction_read_only = on;
SELECT count(*) FROM kepler.list_memories(touch => true);
ROLLBACK;

-- Nor does a reader, who may not write to memories.
BEGIN;
SELECT outcome FROM kepler.remember('tea', key => 'a', ttl => '1 day');
UPDATE kepler.memories SET expires_at = expires_at - interval '3 hours';
CREATE ROLE kepler_reader;
SELECT kepler.grant_access('kepler_reader', 'reader');
SET LOCAL ROLE kepler_reader;
SELECT content FROM kepler.get_memories(keys => '{a}', user_id => NULL, touch => true);
RESET ROLE;
SELECT expires_at < clock_timestamp() + interval '22 hours' AS older FROM kepler.memories;
SELECT hits FROM kepler.memory_access;
ROLLBACK;
