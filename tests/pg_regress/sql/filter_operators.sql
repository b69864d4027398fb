-- A filter means the same wherever one is taken: for documents, memories, messages, claims, records that failed, full runs of a
-- source, retention, the rows of anybody's table, and the elements that $pull takes out.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
SET LOCAL client_min_messages = warning;
CREATE TABLE documents (id text PRIMARY KEY, data jsonb NOT NULL, at timestamptz DEFAULT '2020-01-01', embedding vector(2) DEFAULT '[1, 0]');
INSERT INTO documents (id, data)
SELECT 'd' || lpad(n::text, 2, '0'), coalesce(jsonb_build_object('v', nullif(v, '"-"')) || CASE WHEN n % 2 = 0 THEN jsonb_build_object('in', jsonb_build_object('w', v)) ELSE jsonb_build_object('in', jsonb_build_array(jsonb_build_object('w', v))) END, '{}')
FROM unnest(ARRAY['1', '5', '5.5', '10', '"5"', '"Ada"', '"ada lovelace"', '"5%"', '"2026-01-31"', '"2026-01-31T10:00:00+02:00"', '"Sat, 31 Jan 2026 09:00:00 GMT"', '"2026-02-01T00:00:00Z"',
    '[1, 10]', '["x", "2026-01-30T23:00:00-02:00"]', '["Ada", 7]', 'null', 'true', '{"w": 5}', '{"$date": "2026-01-31"}', '"-"']::jsonb[]) WITH ORDINALITY AS u (v, n);
UPDATE documents SET data = data - 'v' WHERE id = 'd20';

-- The same documents everywhere.
SELECT count(*) FROM kepler.remember_many((SELECT jsonb_agg(jsonb_build_object('content', 'note ' || id, 'metadata', data)) FROM documents));
INSERT INTO kepler.conversations (id) VALUES ('talk');
SELECT count(*) FROM kepler.add_messages('talk', (SELECT jsonb_agg(jsonb_build_object('role', 'user', 'content', 'note ' || id, 'metadata', data) ORDER BY id) FROM documents));
INSERT INTO kepler.connections (id, name, reference_id) VALUES ('crm', 'crm', 'crm');
SELECT outcome FROM kepler.set_enrichment_policy('waiting');
SELECT outcome FROM kepler.set_enrichment_policy('failed', max_attempts => 1);
SELECT entity_type, (SELECT count(*) FROM kepler.upsert_records(entity_type, (SELECT jsonb_agg(jsonb_build_object('external_id', id, 'data', data)) FROM documents)))
FROM unnest('{waiting,failed}'::text[]) AS entity_type;
SELECT count(*) FROM (SELECT c.lease_id, array_agg(c.record_id) AS ids FROM kepler.claim_records('failed', 'w', 99) AS c GROUP BY 1) AS c, kepler.fail_records(c.lease_id, c.ids, 'no', retryable => false);

-- What a filter on a path finds in a place, which is as before afterwards.
CREATE FUNCTION found(place text, path text, tests jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    filter constant jsonb := jsonb_build_object(path, tests);
    answer text;
    run text;
BEGIN
    CASE place
    WHEN 'documents' THEN
        SELECT string_agg(id, ' ' ORDER BY id) INTO answer FROM documents WHERE kepler.json_matches(data, filter);
    WHEN 'memories' THEN
        SELECT string_agg(substr(content, 6), ' ' ORDER BY content) INTO answer FROM kepler.search_memories(max_rows => 99, query_text => 'note', filter => filter);
    WHEN 'messages' THEN
        SELECT string_agg(substr(content, 6), ' ' ORDER BY content) INTO answer FROM kepler.search_messages(max_rows => 99, query_text => 'note', filter => filter);
    WHEN 'rows' THEN
        SELECT string_agg(document ->> 'id', ' ' ORDER BY document ->> 'id') INTO answer FROM kepler.search_vectors('documents', 'embedding', '[1, 0]', 99, jsonb_build_object('data.' || path, tests));
    WHEN 'elements' THEN
        SELECT string_agg(id, ' ' ORDER BY id) INTO answer FROM documents AS d WHERE kepler.json_update(jsonb_build_object('list', jsonb_build_array(d.data)), jsonb_build_object('$pull', jsonb_build_object('list', filter))) = '{"list": []}';
    WHEN 'claims' THEN
        SELECT string_agg(external_id, ' ' ORDER BY external_id) INTO answer FROM kepler.claim_records('waiting', 'w', 99, options => jsonb_build_object('filter', filter));
    WHEN 'failed' THEN
        SELECT string_agg(r.external_id, ' ' ORDER BY r.external_id) INTO answer
        FROM kepler.requeue_records(entity_type => 'failed', filter => filter) AS q JOIN kepler.records AS r ON r.id = q.record_id WHERE q.outcome = 'requeued';
    WHEN 'retention' THEN
        PERFORM kepler_internal.apply_retention((SELECT policy_id FROM kepler.set_retention('documents', '1 day', 'at', jsonb_build_object('data.' || path, tests))), 99);
        SELECT string_agg(n, ' ' ORDER BY n) INTO answer FROM (SELECT 'd' || lpad(i::text, 2, '0') AS n FROM generate_series(1, 20) AS i) AS n WHERE NOT EXISTS (SELECT FROM documents WHERE id = n);
    END CASE;
    RAISE EXCEPTION USING ERRCODE = 'ZZ000';
EXCEPTION WHEN SQLSTATE 'ZZ000' THEN
    RETURN coalesce(answer, 'none');
END $$;
CREATE TEMP TABLE asked (number integer GENERATED ALWAYS AS IDENTITY, tests jsonb);
INSERT INTO asked (tests) VALUES
    ('{"$between": [5, 10]}'), ('{"$gte": 5, "$lte": 10}'), ('{"$not": {"$between": [5, 10]}}'), ('{"$between": ["A", "b"]}'), ('{"$between": [10, 5]}'),
    ('{"$like": "a%"}'), ('{"$ilike": "A%"}'), ('{"$like": "5\\%"}'), ('{"$like": "_da"}'), ('{"$not": {"$ilike": "%a%"}}'),
    ('{"$date": "2026-01-31"}'), ('{"$gt": {"$date": "2026-01-31T08:00:00Z"}}'), ('{"$gte": {"$date": "2026-01-31T10:00:00+02:00"}, "$lt": {"$date": "2026-02-01"}}'),
    ('{"$between": [{"$date": "2026-01-31"}, {"$date": "2026-01-31T08:30:00Z"}]}'), ('{"$ne": {"$date": "2026-01-31T08:00:00Z"}}'),
    ('{"$in": [1, {"$date": "2026-01-31T01:00:00Z"}]}'), ('{"$nin": [1, {"$date": "2026-01-31"}]}'), ('{"$elemMatch": {"$like": "A%"}}'), ('{"$all": ["x", {"$date": "2026-01-31T01:00:00Z"}]}');
SELECT tests, found('documents', 'v', tests) FROM asked ORDER BY number;
-- Nested keys, through objects and arrays.
SELECT tests, found('documents', 'in.w', tests) FROM asked WHERE number IN (1, 6, 12) ORDER BY number;
SELECT place, tests, path, found(place, path, tests), found('documents', path, tests) AS meant
FROM asked, unnest('{v,in.w}'::text[]) AS path, unnest('{memories,messages,rows,elements,claims,failed,retention}'::text[]) AS place
WHERE (path = 'v' OR number IN (1, 6, 12)) AND (place <> 'retention' OR number IN (4, 7, 13)) AND found(place, path, tests) IS DISTINCT FROM found('documents', path, tests);
-- A full run of a source deletes what it has not seen, within its scope.
CREATE FUNCTION swept(scope jsonb) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    run text := (kepler.begin_sync('crm', 'swept')).sync_run_id;
    answer bigint;
BEGIN
    PERFORM kepler.upsert_records('swept', (SELECT jsonb_agg(jsonb_build_object('external_id', id, 'data', data)) FROM documents), sync_run_id => run);
    PERFORM kepler.finish_sync(run);
    run := (kepler.begin_sync('crm', 'swept', scope => scope)).sync_run_id;
    SELECT f.deleted INTO answer FROM kepler.finish_sync(run, 1, allow_empty => true) AS f;
    RAISE EXCEPTION USING ERRCODE = 'ZZ000';
EXCEPTION WHEN SQLSTATE 'ZZ000' THEN RETURN answer;
END $$;
SELECT tests FROM asked WHERE swept(jsonb_build_object('v', tests)) IS DISTINCT FROM coalesce(cardinality(string_to_array(nullif(found('documents', 'v', tests), 'none'), ' ')), 0);

-- Everywhere the place of what is wrong is told.
SELECT kepler.json_matches('{}', '{"v": {"$between": [1], "$like": "a\\", "$gt": {"$date": "soon"}, "$in": [{"$date": "2026-02-30"}]}, "w": {"$date": 5}}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT count(*) FROM kepler.search_memories(query_text => 'note', filter => '{"v": {"$between": [1, "2"]}}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT count(*) FROM kepler.search_messages(query_text => 'note', filter => '{"v": {"$ilike": null}}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT count(*) FROM kepler.search_vectors('documents', 'embedding', '[1, 0]', filter => '{"data.v": {"$between": 5}, "at": {"$lt": {"$date": "noon"}}}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT count(*) FROM kepler.claim_records('waiting', 'w', options => '{"filter": {"v": {"$between": [null, 1]}}}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT count(*) FROM kepler.requeue_records(entity_type => 'failed', filter => '{"v": {"$like": ["a"]}}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT count(*) FROM kepler.begin_sync('crm', 'swept', scope => '{"v": {"$gte": {"$date": 1}}}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT outcome FROM kepler.set_retention('documents', '1 day', 'at', '{"data.v": {"$between": {"a": 1}}}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.json_update('{"list": []}', '{"$pull": {"list": {"v": {"$between": [1, "a"]}}}}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
ROLLBACK;
