-- Pain: a "full" listing leaves out what is cancelled, and the sweep deletes that. Here a run has a scope, and deletes nothing
-- outside.
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
SELECT count(*) FROM kepler.upsert_records('subscription', '[
    {"external_id": "open1", "data": {"status": "open"}}, {"external_id": "open2", "data": {"status": "open"}},
    {"external_id": "open3", "data": {"status": "open"}}, {"external_id": "open4", "data": {"status": "open"}},
    {"external_id": "cancelled1", "data": {"status": "cancelled"}}, {"external_id": "cancelled2", "data": {"status": "cancelled"}},
    {"external_id": "unknown", "data": {}}]', 'crm', 'crm');
SELECT pg_temp.begin_run('open', 'subscription', scope => '{"status": "open"}');
-- One comes into the scope, one goes out of it by a webhook.
SELECT outcome FROM kepler.upsert_records('subscription', '[{"external_id": "open1", "data": {"status": "open"}},
    {"external_id": "cancelled2", "data": {"status": "open"}}]', sync_run_id => 'open');
SELECT outcome FROM kepler.upsert_record('subscription', 'open2', '{"status": "cancelled"}', source => 'crm', connection_id => 'crm');
SELECT * FROM kepler.finish_sync('open', max_delete_fraction => 0.4, dry_run => true);
-- The fraction is of the records in the scope.
SELECT * FROM kepler.finish_sync('open', max_delete_fraction => 0.4);
SELECT * FROM kepler.finish_sync('open', max_delete_fraction => 0.5);
SELECT pg_temp.alive('subscription');
-- What the source lists again is alive again; what is cancelled is not missed.
SELECT pg_temp.begin_run('again', 'subscription', scope => '[{"op": "$in", "path": ["status"], "value": ["open", "trial"]}]');
SELECT external_id, outcome FROM kepler.upsert_records('subscription', '[{"external_id": "open1", "data": {"status": "open"}},
    {"external_id": "cancelled2", "data": {"status": "open"}}, {"external_id": "open3", "data": {"status": "trial"}}]', sync_run_id => 'again');
SELECT outcome, seen, records, deleted FROM kepler.finish_sync('again');
SELECT pg_temp.alive('subscription');
SELECT id, scope FROM kepler.sync_runs ORDER BY started_at;
-- A scope that covers nothing.
SELECT pg_temp.begin_run('none', 'subscription', scope => '{"status": "gone"}');
SELECT outcome, seen, records, deleted FROM kepler.finish_sync('none');

-- A scope must be a filter, and of a full run.
SELECT * FROM kepler.begin_sync('crm', 'subscription', scope => '{"status": {"$above": "o"}}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.begin_sync('crm', 'subscription', 'incremental', scope => '{"status": "open"}');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
ROLLBACK;
