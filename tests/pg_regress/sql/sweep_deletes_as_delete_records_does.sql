-- The sweep deletes as delete_records does: what it deletes leaves the queue of enrichment, and no worker has it any more. What the
-- database refuses to delete is kept, and told.
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
SELECT count(*) FROM kepler.set_enrichment_policy('contact');
SELECT count(*) FROM kepler.upsert_records('contact', pg_temp.batch(1, 8), 'crm', 'crm');
-- 1 is applied, 2 is claimed, the others wait.
SELECT count(c.lease_id) AS claimed, min(c.lease_id) AS lease FROM kepler.claim_records('contact', 'worker', 2) AS c \gset
SELECT id AS first FROM kepler.records WHERE external_id = '1' \gset
SELECT id AS second FROM kepler.records WHERE external_id = '2' \gset
SELECT outcome FROM kepler.complete_records(:lease, ARRAY[:'first'], ARRAY['{"score": 1}']::jsonb[]);
SELECT pg_temp.begin_run('run', 'contact');
SELECT outcome FROM kepler.upsert_record('contact', '8', '{"n": 8}', sync_run_id => 'run');
CREATE FUNCTION pg_temp.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.external_id = '5' THEN RAISE EXCEPTION 'five stays'; END IF;
    RETURN CASE WHEN NEW.external_id <> '6' THEN NEW END;
END $$;
CREATE TRIGGER refuse BEFORE UPDATE ON kepler.records FOR EACH ROW EXECUTE FUNCTION pg_temp.refuse();
SELECT outcome, records, deleted, remaining, regexp_replace(error, '"c[a-z0-9]{23}"', '…') AS error
FROM kepler.finish_sync('run', max_delete_fraction => 1);
SELECT external_id, enrichment_status, enrichment, deleted_at IS NOT NULL AS deleted FROM kepler.records ORDER BY external_id;
SELECT r.external_id FROM kepler.enrichment_queue AS q JOIN kepler.records AS r ON r.id = q.record_id ORDER BY 1;
SELECT outcome FROM kepler.complete_records(:lease, ARRAY[:'second']);
SELECT to_delete, deleted, spared, refused FROM kepler.sync_runs;
SELECT regexp_replace(issues::text, '"c[a-z0-9]{23}\\"', '…') AS issues FROM kepler.entities WHERE type = 'contact';
-- What a worker claims while the run is open was written since: it stays until the next run.
DROP TRIGGER refuse ON kepler.records;
SELECT count(*) FROM kepler.upsert_records('contact', pg_temp.batch(1, 3), 'crm', 'crm');
SELECT pg_temp.begin_run('next', 'contact');
SELECT outcome FROM kepler.upsert_record('contact', '8', '{"n": 8}', sync_run_id => 'next');
SELECT count(*) AS claimed FROM kepler.claim_records('contact', 'worker', 1);
SELECT outcome, deleted FROM kepler.finish_sync('next', max_delete_fraction => 1);
SELECT count(*) AS alive FROM kepler.records WHERE deleted_at IS NULL;
SELECT pg_temp.begin_run('after', 'contact');
SELECT outcome FROM kepler.upsert_record('contact', '8', '{"n": 8}', sync_run_id => 'after');
SELECT outcome, deleted FROM kepler.finish_sync('after', max_delete_fraction => 1);
SELECT pg_temp.alive('contact');
ROLLBACK;
