-- A run that is abandoned or fails deletes nothing, and says why. A newer full run of the entity makes the older one unable to
-- sweep, and is told of what it has seen.
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
CREATE VIEW pg_temp.runs AS SELECT id, mode, status, phase, error, counts IS NOT NULL AS counted, deleted FROM kepler.sync_runs ORDER BY started_at;
SELECT count(*) FROM kepler.upsert_records('contact', pg_temp.batch(1, 4), 'crm', 'crm');
UPDATE kepler.connections SET issues = '{mine}' WHERE id = 'crm';

-- A newer run.
SELECT pg_temp.begin_run('older', 'contact');
SELECT kepler.upsert_records_summary('contact', pg_temp.batch(1, 2), sync_run_id => 'older')->'unchanged' AS unchanged;
SELECT regexp_replace(pg_temp.begin_run('newer', 'contact'), 'c[a-z0-9]{23}', '…');
SELECT id, status, regexp_replace(error, 'c[a-z0-9]{23}', '…') AS error FROM kepler.sync_runs ORDER BY started_at;
UPDATE kepler.sync_runs SET error = 'newer' WHERE id = 'older';
SELECT * FROM kepler.finish_sync('older', max_delete_fraction => 1);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.upsert_records('contact', pg_temp.batch(1, 1), sync_run_id => 'older');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.resume_sync('older');
SELECT kepler.abort_sync('older', 'x');
SELECT pg_temp.alive('contact');
-- What the older one saw counts for it alone.
SELECT outcome FROM kepler.upsert_records('contact', pg_temp.batch(3, 3), sync_run_id => 'newer');
SELECT outcome, seen, records, deleted FROM kepler.finish_sync('newer', max_delete_fraction => 1);
SELECT pg_temp.alive('contact');

-- A newer run in the middle of a sweep.
SELECT pg_temp.begin_run('swept', 'contact');
SELECT count(*) FROM kepler.upsert_records('contact', pg_temp.batch(1, 4), sync_run_id => 'swept');
SELECT outcome FROM kepler.finish_sync('swept');
SELECT pg_temp.begin_run('half', 'contact');
SELECT outcome FROM kepler.upsert_records('contact', pg_temp.batch(1, 1), sync_run_id => 'half');
SELECT outcome, deleted, remaining FROM kepler.finish_sync('half', max_delete_fraction => 1, max_rows => 1);
SELECT pg_temp.begin_run('other half', 'contact');
UPDATE kepler.sync_runs SET error = 'newer' WHERE id = 'half';
SELECT * FROM kepler.finish_sync('half', max_delete_fraction => 1);
SELECT pg_temp.alive('contact');

-- An incremental run beside a full one is no newer listing: both go on.
SELECT pg_temp.begin_run('changes', 'contact', 'incremental');
SELECT outcome FROM kepler.upsert_record('contact', '4', '{"n": 44}', sync_run_id => 'changes');
SELECT outcome, status, deleted FROM kepler.finish_sync('changes', cursor => 'later');
SELECT outcome FROM kepler.upsert_records('contact', pg_temp.batch(1, 1), sync_run_id => 'other half');

-- A run that fails leaves the cursor, and says why in issues, once.
SELECT kepler.abort_sync('other half', 'HTTP 503');
SELECT kepler.abort_sync('other half', 'again');
TABLE pg_temp.runs;
SELECT cursor, last_sync_id, issues FROM kepler.entities WHERE type = 'contact';
SELECT issues FROM kepler.connections WHERE id = 'crm';
SELECT last_sync_at AS before FROM kepler.connections WHERE id = 'crm' \gset
SELECT pg_temp.begin_run('fails too', 'contact');
SELECT kepler.abort_sync('fails too', 'HTTP 500');
SELECT issues FROM kepler.entities WHERE type = 'contact';
SELECT issues, last_sync_at = :'before' AS same FROM kepler.connections WHERE id = 'crm';
SELECT pg_temp.alive('contact');
-- One of another entity succeeds: that is another matter. Then one of this, which clears what the failure said, and no more.
SELECT pg_temp.begin_run('lead', 'lead');
SELECT outcome FROM kepler.finish_sync('lead');
SELECT issues FROM kepler.connections WHERE id = 'crm';
SELECT pg_temp.begin_run('well', 'contact');
SELECT count(*) FROM kepler.upsert_records('contact', pg_temp.batch(1, 4), sync_run_id => 'well');
SELECT outcome, deleted FROM kepler.finish_sync('well');
SELECT cursor, last_sync_id, issues FROM kepler.entities WHERE type = 'contact';
SELECT issues, last_sync_at > :'before' AS moved FROM kepler.connections WHERE id = 'crm';
-- What has succeeded does not fail.
SELECT kepler.abort_sync('well', 'x');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
ROLLBACK;
