-- Pain: a sync that failed counts as recent, and the next one skips what it did not bring. Here only a run that succeeds moves
-- cursor and times, whatever it had stored and noted before it failed.
BEGIN;
INSERT INTO kepler.connections (id, name, reference_id) VALUES ('crm', 'crm', 'crm');
CREATE VIEW pg_temp.recent AS SELECT e.cursor, e.last_sync_id IS NOT NULL AS has_run, c.last_sync_at IS NOT NULL AS has_time,
    coalesce(cardinality(e.issues), 0) + coalesce(cardinality(c.issues), 0) AS issues
FROM kepler.entities AS e JOIN kepler.connections AS c ON c.workspace_id = e.workspace_id AND c.id = e.connection_id;
CREATE FUNCTION pg_temp.begin() RETURNS text LANGUAGE sql AS $$
    SELECT b.sync_run_id FROM kepler.begin_sync('crm', 'contact', 'incremental', source => 'crm') AS b
$$;
-- The first one never ended: its process died, or it was told that it failed.
SELECT pg_temp.begin() AS run \gset
SELECT outcome FROM kepler.upsert_record('contact', '1', '{}', sync_run_id => :'run');
SELECT kepler.checkpoint_sync(:'run', 'monday') IS NOT NULL AS noted;
TABLE pg_temp.recent;
SELECT kepler.abort_sync(:'run', 'HTTP 503');
TABLE pg_temp.recent;

-- One succeeds.
SELECT pg_temp.begin() AS run \gset
SELECT outcome FROM kepler.finish_sync(:'run', cursor => 'tuesday');
TABLE pg_temp.recent;
SELECT last_sync_at AS before FROM kepler.connections WHERE id = 'crm' \gset

-- Then one is abandoned, one fails, one is asked what it would do: the next begins where the last success ended.
SELECT pg_temp.begin() AS run \gset
SELECT kepler.checkpoint_sync(:'run', 'wednesday') IS NOT NULL AS noted;
SELECT pg_temp.begin() AS run \gset
SELECT kepler.checkpoint_sync(:'run', 'thursday') IS NOT NULL AS noted;
SELECT kepler.abort_sync(:'run', 'HTTP 503');
SELECT pg_temp.begin() AS run \gset
SELECT outcome FROM kepler.finish_sync(:'run', cursor => 'friday', dry_run => true);
SELECT cursor FROM kepler.begin_sync('crm', 'contact', 'incremental', source => 'crm');
SELECT cursor FROM kepler.begin_sync('crm', 'contact', source => 'crm');
SELECT last_sync_at = :'before' AS same FROM kepler.connections WHERE id = 'crm';
ROLLBACK;
