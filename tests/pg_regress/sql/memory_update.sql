-- A memory is changed in place. What is not given stays.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
SELECT kepler.create_embedding_space('mini', dimensions => 2, model => 'test-model');
SELECT kepler.create_embedding_space('other', dimensions => 2, model => 'test-model');
INSERT INTO kepler.users (id, email) VALUES ('ada', 'ada@example.com');
SELECT memory_id AS tea FROM kepler.remember('Ada likes tea', '[1, 0]', user_id => 'ada', metadata => '{"a": 1, "b": {"c": 2, "d": 3}}', key => 'drink', namespace => 'prefs') \gset
SELECT count(*) FROM kepler.set_memory_embeddings('other', json_build_array(json_build_object('memory_id', :'tea', 'embedding', '[1, 0]'::json))::text);
CREATE FUNCTION pg_temp.shown() RETURNS TABLE (content text, format kepler.memory_format, context_type text, relevance_score float8, metadata jsonb, namespace text, key text, spaces bigint) LANGUAGE sql AS $$
    SELECT m.content, m.format, m.context_type, m.relevance_score, m.metadata, m.namespace, m.key,
        (SELECT count(*) FROM kepler_data.mini_embeddings) + (SELECT count(*) FROM kepler_data.other_embeddings) FROM kepler.memories AS m $$;

-- Metadata are patched: members replace what is stored, null removes. The embeddings stay.
SELECT kepler.update_memory(:'tea', metadata => '{"a": null, "b": {"c": 5}, "e": [1]}');
SELECT * FROM pg_temp.shown();
SELECT ctid AS place FROM kepler.memories \gset
SELECT kepler.update_memory(:'tea', metadata => '{"a": null, "e": [1.0]}', relevance_score => 0.5, content => 'Ada likes tea');
SELECT kepler.update_memory(:'tea');
SELECT kepler.update_memory(:'tea', metadata => '{}');
SELECT ctid = :'place' AS not_written FROM kepler.memories;

-- Another content takes its embeddings along, but for the one that is given.
SELECT outcome FROM kepler.update_memory(:'tea', 'Ada likes green tea', '[0, 1]', relevance_score => 1, context_type => 'preference');
SELECT * FROM pg_temp.shown();
SELECT embedding FROM kepler_data.mini_embeddings;
SELECT outcome FROM kepler.update_memory(:'tea', 'Ada likes green tea', '[0, 1]');
SELECT outcome FROM kepler.update_memory(:'tea', embedding => '[0.5, 1]');
SELECT outcome FROM kepler.update_memory(:'tea', '{"drink": "tea"}'::jsonb);
SELECT * FROM pg_temp.shown();

-- Another place. One that is taken is refused.
SELECT outcome FROM kepler.update_memory(:'tea', namespace => 'prefs/drinks', key => 'tea');
SELECT outcome FROM kepler.update_memory(:'tea', namespace => '');
SELECT namespace, key FROM pg_temp.shown();
SELECT outcome FROM kepler.remember('other', user_id => 'ada', key => 'other');
SELECT outcome FROM kepler.update_memory(:'tea', key => 'other');
\echo SQLSTATE :LAST_ERROR_SQLSTATE

-- A key whose memory has expired is free, whether that is deleted already or not.
UPDATE kepler.memories SET expires_at = clock_timestamp() - interval '1 second' WHERE key = 'other';
SELECT outcome FROM kepler.update_memory(:'tea', key => 'other');
SELECT count(*) FROM kepler.memories WHERE key = 'other';

-- How long it lives.
SELECT outcome FROM kepler.update_memory(:'tea', ttl => '1 day');
SELECT ttl, expires_at > clock_timestamp() + interval '23 hours' AS lives FROM kepler.memories WHERE id = :'tea';
SELECT outcome FROM kepler.update_memory(:'tea', expires_at => '2099-01-01 00:00Z');
SELECT ttl, expires_at AT TIME ZONE 'UTC' AS expires FROM kepler.memories WHERE id = :'tea';
SELECT outcome FROM kepler.update_memory(:'tea', expires_at => 'infinity');
SELECT ttl, expires_at FROM kepler.memories WHERE id = :'tea';
SELECT outcome FROM kepler.update_memory(:'tea', expires_at => 'infinity');

-- Whose memory it must be.
SELECT kepler.update_memory(:'tea', relevance_score => 0, user_id => NULL), kepler.update_memory(:'tea', relevance_score => 0, user_id => 'bob'), kepler.update_memory('nothing', relevance_score => 0),
    kepler.update_memory(:'tea', relevance_score => 0, user_id => 'ada');
-- What has ended or expired is not there.
SELECT outcome FROM kepler.remember('instead', user_id => 'ada', supersedes => :'tea');
SELECT outcome FROM kepler.update_memory(:'tea', relevance_score => 1);

-- All that is wrong is said at once.
SELECT kepler.update_memory(:'tea', ' ', relevance_score => 2, namespace => 'a//b', key => '', ttl => '-1 day', metadata => '[1]', context_type => ' ');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.update_memory(:'tea', 'x', '[1]');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.update_memory(:'tea', metadata => '{"password": "hunter2hunter2"}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.update_memory(NULL);
SELECT kepler.update_memory(:'tea', 'x', '[1, 0]', space => 'nowhere');
ROLLBACK;
