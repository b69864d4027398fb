-- What may be wrong with a call of a sync run is an error that says which; what a run rejects is kept, and may land later.
\set SHOW_CONTEXT never
\set VERBOSITY default
\set ON_ERROR_ROLLBACK on
BEGIN;
-- A run with an id that can be shown.
CREATE FUNCTION pg_temp.begin_run(name text, entity_type text, mode text DEFAULT 'full', scope jsonb DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    begun record;
BEGIN
    SELECT * INTO begun FROM kepler.begin_sync('crm', entity_type, mode, 'crm', scope);
    UPDATE kepler.sync_runs AS r SET id = name WHERE r.id = begun.sync_run_id;
    RETURN concat_ws(' after ', name, begun.abandoned_run_id) || ' from ' || coalesce(begun.cursor, 'the beginning');
END
$$;
CREATE FUNCTION pg_temp.batch(first integer, last integer) RETURNS text LANGUAGE sql AS $$
    SELECT json_agg(json_build_object('external_id', i, 'data', json_build_object('n', i)))::text FROM generate_series(first, last) AS i
$$;
CREATE FUNCTION pg_temp.alive(type text) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(r.external_id, ' ' ORDER BY length(r.external_id), r.external_id) FROM kepler.records AS r WHERE r.entity_type = type AND r.deleted_at IS NULL
$$;
INSERT INTO kepler.connections (id, name, reference_id) VALUES ('crm', 'crm', 'crm');
SELECT pg_temp.begin_run('run', 'contact');
-- The run says whose records they are: what is given beside it must be its own.
SELECT outcome FROM kepler.upsert_record('contact', '1', '{}', sync_run_id => 'run', source => 'crm', connection_id => 'crm');
SELECT outcome FROM kepler.upsert_record('lead', '1', '{}', sync_run_id => 'run');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT outcome FROM kepler.upsert_record('contact', '1', '{}', sync_run_id => 'run', source => 'MANUAL');
SELECT outcome FROM kepler.upsert_record('contact', '1', '{}', sync_run_id => 'run', connection_id => 'other');
SELECT outcome FROM kepler.upsert_record('contact', '1', '{}', sync_run_id => 'nobody');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT outcome FROM kepler.upsert_record(NULL, '1', '{}', sync_run_id => 'run');
-- A run without a connection.
SELECT sync_run_id AS manual FROM kepler.begin_sync(NULL, 'contact') \gset
SELECT outcome FROM kepler.upsert_record('contact', '1', '{}', sync_run_id => :'manual');
SELECT connection_id IS NULL AS without, source FROM kepler.entities WHERE last_sync_id IS NULL ORDER BY source;

-- Elements that were rejected are kept, may be repaired, and then are no rejects of the run any more.
SELECT external_id, outcome FROM kepler.upsert_records('contact', '[{"external_id": "2", "data": 2}, {"external_id": "3", "data": {}}]', sync_run_id => 'run');
SELECT outcome FROM kepler.upsert_record('contact', '4', '4', sync_run_id => 'run');
-- A page that is sent twice is counted twice and kept once; what lands takes back all that was counted of it.
SELECT external_id, outcome FROM kepler.upsert_records('contact', '[{"external_id": "2", "data": 2}, {"external_id": "2", "data": 2}]', sync_run_id => 'run');
SELECT sync_run_id, external_id, error_code, document, rejections FROM kepler.rejects ORDER BY id;
UPDATE kepler.rejects SET document = '{"external_id": "2", "data": {"n": 2}}' WHERE external_id = '2';
SELECT external_id, outcome FROM kepler.retry_rejects(sync_run_id => 'run');
SELECT outcome, rejected FROM kepler.finish_sync('run', dry_run => true);
UPDATE kepler.rejects SET document = '{"external_id": "4", "data": {"n": 4}}';
SELECT external_id, outcome FROM kepler.retry_rejects(sync_run_id => 'run');
SELECT outcome, rejected, deleted FROM kepler.finish_sync('run');
SELECT pg_temp.alive('contact');

SELECT * FROM kepler.begin_sync('crm', NULL);
SELECT * FROM kepler.begin_sync('crm', ' ');
SELECT * FROM kepler.begin_sync('crm', 'contact', 'partly');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.begin_sync('crm', 'contact', source => NULL);
SELECT * FROM kepler.begin_sync('other', 'contact');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.checkpoint_sync('run', NULL);
SELECT kepler.checkpoint_sync(NULL, 'x');
SELECT kepler.checkpoint_sync('nobody', 'x');
SELECT kepler.abort_sync('run', NULL);
SELECT kepler.abort_sync('nobody', 'x');
SELECT * FROM kepler.finish_sync('nobody');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.finish_sync(NULL);
SELECT * FROM kepler.finish_sync(:'manual', max_delete_fraction => 1.01);
SELECT * FROM kepler.finish_sync(:'manual', max_delete_fraction => 'NaN');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.finish_sync(:'manual', max_delete_fraction => NULL);
SELECT * FROM kepler.finish_sync(:'manual', allow_rejects => NULL);
SELECT * FROM kepler.finish_sync(:'manual', allow_empty => NULL);
SELECT * FROM kepler.finish_sync(:'manual', dry_run => NULL);
SELECT * FROM kepler.finish_sync(:'manual', max_rows => 0);
SELECT * FROM kepler.finish_sync(:'manual', max_rows => 10001);

-- A run that began in a savepoint is gone with it, also for a session that has written under it.
SAVEPOINT undone;
SELECT pg_temp.begin_run('undone', 'contact');
SELECT outcome FROM kepler.upsert_record('contact', '1', '{}', sync_run_id => 'undone');
ROLLBACK TO undone;
SELECT outcome FROM kepler.upsert_record('contact', '1', '{}', source => 'crm', connection_id => 'crm');
SELECT outcome FROM kepler.upsert_record('contact', '1', '{}', sync_run_id => 'undone');
SELECT count(*) FROM kepler.sync_seen WHERE sync_run_id <> :'manual';
-- A row policy that lets a role see records and not change them keeps them from its sweep, which ends all the same.
SELECT count(*) FROM kepler.upsert_records('hidden', pg_temp.batch(1, 4), 'crm', 'crm');
CREATE ROLE sync_half;
SELECT kepler.grant_access('sync_half', 'writer');
CREATE POLICY sees ON kepler.records AS RESTRICTIVE FOR SELECT USING (true);
CREATE POLICY adds ON kepler.records AS RESTRICTIVE FOR INSERT WITH CHECK (true);
CREATE POLICY changes ON kepler.records AS RESTRICTIVE FOR UPDATE USING (external_id <> '3');
SET LOCAL ROLE sync_half;
SELECT pg_temp.begin_run('half', 'hidden');
SELECT outcome FROM kepler.upsert_record('hidden', '1', '{"n": 1}', sync_run_id => 'half');
SELECT outcome, deleted, remaining FROM kepler.finish_sync('half', max_delete_fraction => 1);
SELECT outcome, deleted, remaining, regexp_replace(error, '"c[a-z0-9]{23}"', '…') AS error FROM kepler.finish_sync('half');
RESET ROLE;
SELECT pg_temp.alive('hidden');
ROLLBACK;
