-- Records are deleted, restored and archived by the ids that their source gives, too.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
INSERT INTO kepler.connections (id, name, reference_id) VALUES ('one', 'one', '1'), ('two', 'two', '2');
SELECT count(*) FROM kepler.upsert_records('deal', '[{"id": 1}, {"id": "b"}, {"id": "ä"}, {"id": "d"}]', source => 'crm', connection_id => 'one', id_key => 'id');
SELECT count(*) FROM kepler.upsert_records('deal', '[{"id": 1}]', source => 'crm', connection_id => 'two', id_key => 'id');
SELECT count(*) FROM kepler.upsert_records('deal', '[{"id": 1}]', id_key => 'id');
CREATE VIEW deals AS
SELECT e.connection_id, r.external_id, r.deleted_at IS NOT NULL AS deleted, r.status FROM kepler.records AS r JOIN kepler.entities AS e ON e.workspace_id = r.workspace_id AND e.id = r.entity_id
WHERE r.entity_type = 'deal' ORDER BY e.connection_id, r.external_id;

-- In the order of the array, which may hold anything; each record is changed once.
SELECT ordinal, d.external_id, d.record_id = r.id AS the_records_id, outcome, error_code, error
FROM kepler.delete_records('deal', ARRAY['ä', '1', NULL, 'none', '1', 'b', ''], source => 'crm', connection_id => 'one') AS d
LEFT JOIN kepler.records AS r ON r.id = d.record_id ORDER BY ordinal;
TABLE deals;
-- Neither another connection nor another source is concerned.
SELECT outcome FROM kepler.delete_records('deal', external_ids => '{1}');
SELECT ordinal, external_id, outcome FROM kepler.restore_records('deal', '{1,b}'::text[], source => 'crm', connection_id => 'one');
SELECT ordinal, external_id, outcome FROM kepler.archive_records('deal', '{b,d,b}'::text[], 'crm', 'one');
TABLE deals;

-- What is not there is made by nobody.
SELECT external_id, record_id, outcome FROM kepler.delete_records('deal', '{1}'::text[], source => 'other');
SELECT external_id, record_id, outcome FROM kepler.delete_records('no such type', '{1}'::text[]);
SELECT external_id, record_id, outcome FROM kepler.archive_records('deal', '{1}'::text[], 'crm', 'no such connection');
SELECT count(*) FROM kepler.delete_records('deal', '{}'::text[]);
SELECT count(*) FROM kepler.entities WHERE type = 'no such type' OR source = 'other';

-- A deletion by hand is not the source's: its next version brings the record back.
SELECT outcome FROM kepler.upsert_records('deal', '[{"id": "ä"}]', source => 'crm', connection_id => 'one', id_key => 'id');

-- One that the database refuses is rejected alone.
ALTER TABLE kepler.records ADD CONSTRAINT kept CHECK (deleted_at IS NULL OR external_id <> 'b');
SELECT external_id, outcome, error_code FROM kepler.delete_records('deal', '{1,b}'::text[], 'crm', 'one');

SELECT * FROM kepler.delete_records(NULL, '{a}'::text[]);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.restore_records('deal', external_ids => NULL);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.archive_records(' ', '{a}'::text[]);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
ROLLBACK;
