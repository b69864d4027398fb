-- Any process goes on with a run where another one stopped: with its cursor, and with what was seen before.
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
SELECT count(*) FROM kepler.upsert_records('contact', pg_temp.batch(1, 10), 'crm', 'crm');
SELECT * FROM kepler.resume_sync(connection_id => 'crm', entity_type => 'contact', source => 'crm');
SELECT pg_temp.begin_run('run', 'contact', scope => '{"n": {"$gt": 0}}');
SELECT kepler.upsert_records_summary('contact', pg_temp.batch(1, 5), sync_run_id => 'run')->'unchanged' AS unchanged;
SELECT kepler.checkpoint_sync('run', 'page 2') IS NOT NULL AS noted;
-- The process dies here. Another one finds the run by its entity.
SELECT sync_run_id, entity_type, source, connection_id, mode, phase, scope, cursor, seen, counts, checkpoint_at > started_at AS later
FROM kepler.resume_sync(connection_id => 'crm', entity_type => 'contact', source => 'crm') \gx
SELECT kepler.upsert_records_summary('contact', pg_temp.batch(5, 9), sync_run_id => 'run')->'unchanged' AS unchanged;
-- In the middle of the sweep it is as well.
SELECT outcome, remaining FROM kepler.finish_sync('run', dry_run => true);
SELECT sync_run_id, cursor, seen, phase FROM kepler.resume_sync('run');
SELECT outcome, deleted FROM kepler.finish_sync('run');
SELECT pg_temp.alive('contact');
SELECT cursor FROM kepler.entities WHERE type = 'contact';
SELECT count(*) FROM kepler.resume_sync(connection_id => 'crm', entity_type => 'contact', source => 'crm');

-- Where a full and an incremental run are open, mode says which; the newest is found without.
SELECT pg_temp.begin_run('full', 'contact');
SELECT pg_temp.begin_run('changes', 'contact', 'incremental');
SELECT sync_run_id, mode FROM kepler.resume_sync(connection_id => 'crm', entity_type => 'contact', source => 'crm');
SELECT sync_run_id FROM kepler.resume_sync(connection_id => 'crm', entity_type => 'contact', source => 'crm', mode => 'full');
-- Not those of another connection.
SELECT count(*) FROM kepler.resume_sync(entity_type => 'contact', source => 'crm');
SELECT * FROM kepler.resume_sync('nobody');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.resume_sync('run');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.resume_sync();
SELECT * FROM kepler.resume_sync('full', entity_type => 'contact');
SELECT * FROM kepler.resume_sync(entity_type => 'contact', mode => 'half');
ROLLBACK;
