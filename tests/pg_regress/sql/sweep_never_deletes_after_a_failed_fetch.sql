-- Pain: a fetch fails, or gives a part, and a sweep deletes what is alive at the source. Here it refuses, says with which counts,
-- and changes nothing.
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
CREATE FUNCTION pg_temp.state() RETURNS text LANGUAGE sql AS $$
    SELECT md5(string_agg(v::text, ' ' ORDER BY v::text)) FROM (
        SELECT r::text FROM kepler.records AS r UNION ALL SELECT s::text FROM kepler.sync_runs AS s UNION ALL SELECT s::text FROM kepler.sync_seen AS s
        UNION ALL SELECT s::text FROM kepler.sync_batches AS s UNION ALL SELECT e::text FROM kepler.entities AS e
        UNION ALL SELECT c::text FROM kepler.connections AS c UNION ALL SELECT c::text FROM kepler.sync_candidates AS c) AS t (v)
$$;
SELECT count(*) FROM kepler.upsert_records('contact', pg_temp.batch(1, 10), 'crm', 'crm');

-- The run saw nothing: the fetch failed without a word. That a webhook has told of one does not make it a listing.
SELECT pg_temp.begin_run('nothing', 'contact');
SELECT outcome FROM kepler.upsert_records('contact', pg_temp.batch(1, 1), 'crm', 'crm');
SELECT pg_temp.state() AS before \gset
SELECT * FROM kepler.finish_sync('nothing', dry_run => true);
SELECT * FROM kepler.finish_sync('nothing', max_delete_fraction => 1);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.upsert_records_summary('contact', '[]', sync_run_id => 'nothing')->'total' AS total;
SELECT outcome FROM kepler.finish_sync('nothing', max_delete_fraction => 1);
SELECT pg_temp.alive('contact');

-- Elements were rejected.
SELECT pg_temp.begin_run('rejects', 'contact');
SELECT kepler.upsert_records_summary('contact', pg_temp.batch(1, 10), sync_run_id => 'rejects')->'unchanged' AS unchanged;
SELECT outcome, error_code FROM kepler.upsert_records('contact', '[{"data": {}}]', sync_run_id => 'rejects');
SELECT * FROM kepler.finish_sync('rejects', dry_run => true);
SELECT * FROM kepler.finish_sync('rejects');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT outcome, rejected, deleted FROM kepler.finish_sync('rejects', allow_rejects => true);

-- More would go than is allowed: a listing that was cut off.
SELECT pg_temp.begin_run('part', 'contact');
SELECT kepler.upsert_records_summary('contact', pg_temp.batch(1, 7), sync_run_id => 'part')->'unchanged' AS unchanged;
SELECT pg_temp.state() AS before \gset
SELECT * FROM kepler.finish_sync('part', dry_run => true);
SELECT pg_temp.state() = :'before' AS nothing_changed;
SELECT * FROM kepler.finish_sync('part');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT outcome FROM kepler.finish_sync('part', max_delete_fraction => 0.29);
SELECT pg_temp.state() = :'before' AS nothing_changed;
-- As many as are allowed go, and a dry run gave the same counts.
SELECT * FROM kepler.finish_sync('part', max_delete_fraction => 0.3, dry_run => true);
SELECT * FROM kepler.finish_sync('part', max_delete_fraction => 0.3);
SELECT pg_temp.alive('contact');

-- A source that has lost everything: by two words.
SELECT pg_temp.begin_run('lost', 'contact');
SELECT outcome FROM kepler.finish_sync('lost', allow_empty => true);
SELECT outcome, seen, records, deleted FROM kepler.finish_sync('lost', allow_empty => true, max_delete_fraction => 1);
SELECT pg_temp.alive('contact');
-- There is nothing to lose by now.
SELECT pg_temp.begin_run('empty', 'contact');
SELECT outcome, seen, records, deleted FROM kepler.finish_sync('empty');
ROLLBACK;
