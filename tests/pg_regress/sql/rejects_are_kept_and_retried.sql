-- What an upsert rejects is kept if it is asked to, as it was sent, and can be looked at, repaired and tried again.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
SET timezone = 'UTC';
SET datestyle = 'ISO';
BEGIN;
CREATE VIEW kept AS SELECT entity_type, external_id, ordinal, document, error_code, tries, options FROM kepler.rejects ORDER BY entity_type, id;

-- Nothing is kept unasked.
SELECT outcome FROM kepler.upsert_records('pet', '[{"external_id": "a", "data": {"v": "\u0000"}}]');
SELECT count(*) FROM kepler.rejects;

-- Kept as text, whatever it is: what jsonb cannot hold, what is no JSON, what is no object. Rejections of the database too.
ALTER TABLE kepler.records ADD CONSTRAINT pets CHECK (data->>'kind' IS DISTINCT FROM 'dragon');
SELECT ordinal, external_id, outcome, error_code FROM kepler.upsert_records('pet', '[
    {"external_id": "a", "data": {"v": "\u0000"}}, {"external_id": "b", "data": {"v": 1}}, 17, {"external_id": "c" "data": {}}, {"external_id": "d", "data": {"kind": "dragon"}},
    {"data": {}} ]', merge => 'deep', options => '{"keep_rejects": true, "invalid_characters": "reject"}');
TABLE kept;
-- Lines, flat documents, the form that counts, one record, and all that says how to read them.
SELECT kepler.upsert_records_summary('toy', E'{"id": "a", "at": "soon"}\n{"id": \n\n  {"id": "b", "at": "2024-01-01"}  \r\n[1]', id_key => '["id"]', updated_at_key => '/at', deleted_key => 'gone',
    options => '{"keep_rejects": true, "invalid_characters": "strip"}')->'rejected_by_code' AS rejected;
SELECT kepler.upsert_records_summary('toy', '[{"id": "c", "v": 1e999999}]', id_key => 'id', options => '{"keep_rejects": true, "source_updated_at": "2024-02-01T01:00:00.123456+01:00"}')->'rejected_by_code' AS rejected;
SELECT outcome, error_code FROM kepler.upsert_record('toy', 'd "1"', '{"v": }', '2024-01-01', options => '{"keep_rejects": true}');
SELECT outcome, error_code FROM kepler.upsert_record('toy', NULL, NULL, deleted => true, options => '{"keep_rejects": true}');
SELECT entity_type, external_id, ordinal, document, error_code, tries, options FROM kept WHERE entity_type = 'toy';

-- The same again takes its own place: by its id, or by its text where it has none or is a part to be merged.
SELECT count(*) FROM kepler.upsert_records('pet', '[17, {"external_id": "a", "data": {"v": "\u0000"}}, {"external_id": "a", "data": {"w": "\u0000"}}]', merge => 'deep', options => '{"keep_rejects": true}');
SELECT count(*) FROM kepler.upsert_records('toy', '[{"external_id": "e", "data": 1}, {"external_id": "e", "data": 2}]', options => '{"keep_rejects": true}');
SELECT count(*) FROM kepler.upsert_records('toy', '[{"external_id": "e", "data": 3}]', options => '{"keep_rejects": true}');
SELECT entity_type, external_id, document, error_code, tries FROM kept WHERE tries > 1 OR external_id IN ('a', 'e');

-- A retry reads each as its call did. What lands leaves the table, what fails again says why.
SELECT ordinal, reject_id IS NOT NULL AS has_id, external_id, record_id IS NOT NULL AS has_record, outcome, error_code FROM kepler.retry_rejects(entity_type => 'pet');
SELECT external_id, document, error_code, tries FROM kept WHERE entity_type = 'pet';
-- Documents are repaired by hand, rules are lifted.
UPDATE kepler.rejects SET document = replace(document, '\u0000', 'x') WHERE external_id = 'a' AND entity_type = 'pet';
UPDATE kepler.rejects SET document = '{"external_id": "c", "data": {}}' WHERE document LIKE '%"c" "data"%';
UPDATE kepler.rejects SET document = ' {"external_id": "f", "data": {}}, ' WHERE document = '17';
ALTER TABLE kepler.records DROP CONSTRAINT pets;
SELECT ordinal, external_id, outcome, error_code, error FROM kepler.retry_rejects(entity_type => 'pet');
SELECT external_id, data FROM kepler.records WHERE entity_type = 'pet' ORDER BY external_id;
SELECT external_id, document, error_code, tries FROM kept WHERE entity_type = 'pet';
UPDATE kepler.rejects SET document = '{"id": "a", "at": "2024-01-03", "gone": "t", "x": "\u0000"}' WHERE document LIKE '%soon%';
SELECT external_id, outcome FROM kepler.retry_rejects(ARRAY(SELECT id FROM kepler.rejects WHERE document LIKE '%gone%'));
SELECT external_id, source_updated_at, deleted_at IS NOT NULL AS deleted, data FROM kepler.records WHERE entity_type = 'toy' ORDER BY 1;

-- By ids: in their order, each answered.
SELECT r.ordinal, r.reject_id = ids.second AS second, r.external_id, r.outcome, r.error_code
FROM (SELECT min(id) AS first, max(id) AS second FROM kepler.rejects WHERE entity_type = 'toy') AS ids
CROSS JOIN LATERAL kepler.retry_rejects(ARRAY[ids.second, -1, NULL, ids.first, ids.second]) AS r ORDER BY r.ordinal;

-- Those that were tried least come first, so that none is left out for ever.
SELECT count(*) FROM kepler.retry_rejects(max_rows => 2);
SELECT count(*) FROM kepler.retry_rejects(max_rows => 2);
SELECT count(*) FROM kepler.retry_rejects(max_rows => 2);
SELECT min(tries) > 1 AS all_tried FROM kepler.rejects;
SELECT count(*) FROM kepler.retry_rejects(sync_run_id => 'none');

-- Options that somebody has made senseless are the answer of their elements.
UPDATE kepler.rejects SET options = options || '{"merge": "over", "new": 1}' WHERE external_id = 'e';
UPDATE kepler.rejects SET options = '{"id_key": "id", "new": 1}' WHERE external_id = 'c';
SELECT external_id, error_code, error FROM kepler.retry_rejects(entity_type => 'toy') WHERE error_code = 'invalid_options' ORDER BY external_id;

-- One that is too large is told of and not kept.
SELECT count(*) FROM kepler.upsert_records('large', jsonb_build_array(jsonb_build_object('external_id', 'a', 'data', repeat('x', 1100000))), options => '{"keep_rejects": true}');
SELECT external_id, document, document_bytes, error_code FROM kepler.rejects WHERE entity_type = 'large';
SELECT outcome, error_code, error FROM kepler.retry_rejects(entity_type => 'large');

-- So many of an entity, and no more; the warning counts the others. What is there already still has its place.
SELECT kepler.upsert_records_summary('many', (SELECT json_agg(json_build_object('external_id', i, 'data', 1)) FROM generate_series(1, 10002) AS i), options => '{"keep_rejects": true}')->'rejected' AS rejected;
SELECT kepler.upsert_records_summary('many', '[{"external_id": 10003, "data": 1}, {"external_id": 5, "data": 2}]', options => '{"keep_rejects": true}')->'rejected' AS rejected;
SELECT count(*), sum(tries) FROM kepler.rejects WHERE entity_type = 'many';

-- A call for a sync run keeps them unasked, unless it says no, and they are found by the run.
SELECT sync_run_id AS run FROM kepler.begin_sync(NULL, 'run', source => 'MANUAL') \gset
SELECT outcome FROM kepler.upsert_records('run', '[{"external_id": "a", "data": 1}, {"external_id": "b", "data": {}}]', sync_run_id => :'run');
SELECT outcome FROM kepler.upsert_records('run', '[{"external_id": "c", "data": 1}]', sync_run_id => :'run', options => '{"keep_rejects": false}');
SELECT external_id, sync_run_id = :'run' AS of_the_run FROM kepler.rejects WHERE entity_type = 'run';
SELECT external_id, outcome FROM kepler.retry_rejects(sync_run_id => :'run');
SELECT external_id, outcome FROM kepler.retry_rejects(entity_type => 'other', sync_run_id => :'run');

-- They are purged by age, a part at a time, and go with their entity.
SELECT kepler.purge_rejects() AS nothing_is_old;
UPDATE kepler.rejects SET received_at = received_at - interval '31 days' WHERE entity_type = 'many' AND ordinal <= 100;
SELECT kepler.purge_rejects(max_rows => 60) AS a_part, kepler.purge_rejects(entity_type => 'toy') AS of_another_type, kepler.purge_rejects(sync_run_id => 'none') AS of_no_run, kepler.purge_rejects() AS the_rest;
SELECT kepler.purge_rejects('0', entity_type => 'large') AS all_of_a_type;
DELETE FROM kepler.records WHERE entity_type = 'toy';
DELETE FROM kepler.entities WHERE type = 'toy';
SELECT entity_type, count(*) FROM kepler.rejects GROUP BY 1 ORDER BY 1;

-- Arguments.
SELECT * FROM kepler.retry_rejects(ARRAY[1], entity_type => 'toy');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.retry_rejects(max_rows => 0);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.retry_rejects(max_rows => NULL);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.purge_rejects(NULL);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.upsert_records('pet', '[]', options => '{"keep_rejects": "yes"}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
-- Who may not keep them is told so before anything is written.
CREATE ROLE rejects_writer;
GRANT USAGE ON SCHEMA kepler, kepler_internal TO rejects_writer;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA kepler, kepler_internal TO rejects_writer;
GRANT SELECT, INSERT, UPDATE ON kepler.connections, kepler.sync_runs, kepler.entities, kepler.records, kepler.workspaces, kepler.enrichment_policies TO rejects_writer;
SET LOCAL ROLE rejects_writer;
SELECT outcome FROM kepler.upsert_records('free', '[{"external_id": "a", "data": {}}, 1]');
SELECT outcome FROM kepler.upsert_records('free', '[{"external_id": "b", "data": {}}, 1]', options => '{"keep_rejects": true}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
RESET ROLE;
SELECT count(*) FROM kepler.records WHERE entity_type = 'free';
ROLLBACK;
