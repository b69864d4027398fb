-- A function that always gives one row gives one row: in FROM, in a select list, and for each row of a table.
\set SHOW_CONTEXT never
BEGIN;
CREATE TEMPORARY TABLE source (id integer, doc jsonb, changed_at timestamptz);
INSERT INTO source SELECT i, jsonb_build_object('n', i), '2024-01-01 00:00+00' FROM generate_series(1, 5) AS i;

-- None of them is a set.
SELECT p.proname, p.proretset, count(*) AS forms FROM pg_proc AS p
WHERE p.pronamespace = 'kepler'::regnamespace AND p.proname IN ('add_message', 'finish_execution', 'last_search',
    'recall_check', 'remember', 'start_execution', 'update_document', 'upsert_document', 'upsert_record')
GROUP BY 1, 2 ORDER BY 1, 2;

-- In a select list, a column of it, and in FROM.
SELECT outcome, external_id, record_id IS NOT NULL AS has_id, error_code FROM kepler.upsert_record('one', 'a', '{"n": 1}');
SELECT (kepler.upsert_record('one', 'a', '{"n": 1}')).outcome;
SELECT (u).outcome, (u).error_code FROM (SELECT kepler.upsert_record('one', '', '{"n": 1}') AS u OFFSET 0) AS s;

-- For each row of a table: once a row, in both places, with every type of data and time.
SELECT s.id, u.outcome FROM source AS s, kepler.upsert_record('one', s.id::text, s.doc, s.changed_at) AS u ORDER BY s.id;
SELECT id, (u).external_id, (u).outcome
FROM (SELECT s.id, kepler.upsert_record('one', s.id::text, s.doc || '{"m": 1}', s.changed_at) AS u FROM source AS s OFFSET 0) AS t
ORDER BY id;
SELECT count(kepler.upsert_record('one', s.id::text, s.doc::json, s.changed_at::date)) FROM source AS s;
SELECT id, (u).outcome FROM (
    SELECT s.id, kepler.upsert_record('one', s.id::text, s.doc::text, extract(epoch FROM s.changed_at) + 60) AS u
    FROM source AS s OFFSET 0) AS t ORDER BY id;
SELECT external_id, data, source_updated_at = '2024-01-01 00:01+00' AS is_epoch
FROM kepler.records WHERE entity_id IN (SELECT id FROM kepler.entities WHERE entity_type = 'one') ORDER BY external_id;

-- What SQL makes of (f(x)).*: a call for each column. In FROM it is one.
CREATE TABLE counters (id text PRIMARY KEY, doc jsonb NOT NULL DEFAULT '{}');
INSERT INTO counters (id) VALUES ('star'), ('from');
SELECT (kepler.update_document('counters', '{"id": "star"}', 'doc', '{"$inc": {"n": 1}}')).*;
SELECT * FROM kepler.update_document('counters', '{"id": "from"}', 'doc', '{"$inc": {"n": 1}}');
SELECT id, doc FROM counters ORDER BY id;

-- Where PL/pgSQL takes the row, field by field or whole, and where a plan is kept over many calls.
DO $$
DECLARE
    answer record;
    found_outcome text;
BEGIN
    FOR i IN 1 .. 20 LOOP
        answer := kepler.upsert_record('one', 'kept', jsonb_build_object('i', i % 2));
        SELECT outcome INTO STRICT found_outcome FROM kepler.upsert_record('one', 'kept', jsonb_build_object('i', i % 2));
        IF i > 18 THEN RAISE NOTICE '% %', answer.outcome, found_outcome; END IF;
    END LOOP;
END
$$;
PREPARE one AS SELECT kepler.update_document('counters', '{"id": "none"}', 'doc', $1);
EXECUTE one('{"$inc": {"n": 1}}');
EXECUTE one('{"$inc": {"n": 1}}');
SELECT u IS NULL AS nothing, (u).document IS NULL AS no_document
FROM (SELECT kepler.update_document('counters', '{"id": "none"}', 'doc', '{}') AS u OFFSET 0) AS s;

-- The others.
INSERT INTO kepler.conversations (id) VALUES ('one-row');
SELECT (m).number, (m).outcome
FROM (SELECT kepler.add_message('one-row', 'user', s.id::text) AS m FROM source AS s OFFSET 0) AS t ORDER BY 1;
SELECT (kepler.remember('once')).outcome;
SELECT count((r).memory_id), min((r).outcome) FROM (SELECT kepler.remember(s.doc) AS r FROM source AS s OFFSET 0) AS t;
SELECT (kepler.upsert_document('counters', '{"id": "new"}', 'doc', '{"$inc": {"n": 1}}')).outcome;
SELECT count(*) FROM kepler.search_memories(query_text => 'once');
SELECT kepler.last_search();
ROLLBACK;
