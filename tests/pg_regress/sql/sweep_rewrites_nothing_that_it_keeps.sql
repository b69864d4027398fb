-- A sweep writes about what it deletes, and nothing else: with twenty times as many records, a sweep of the same ten logs the same.
-- In steps that are committed, through the procedure.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET kepler.workspace_id = 'sweeps';
INSERT INTO kepler.workspaces (id, name) VALUES ('sweeps', 'sweeps');
CREATE FUNCTION pg_temp.batch(first integer, last integer) RETURNS text LANGUAGE sql AS $$
    SELECT json_agg(json_build_object('external_id', i, 'data', json_build_object('n', i, 'text', repeat(i::text, 20))))::text FROM generate_series(first, last) AS i
$$;
-- What a statement logged, in this session alone.
CREATE FUNCTION pg_temp.wal_records_of(statement text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    plan jsonb;
BEGIN
    EXECUTE 'EXPLAIN (ANALYZE, WAL, FORMAT json) ' || statement INTO plan;
    RETURN plan->0->'Plan'->'WAL Records';
END
$$;
CREATE TEMP TABLE sizes (n integer, logged bigint);
CREATE TEMP TABLE versions AS SELECT id, ctid AS place, xmin AS writer, xmax AS locker FROM kepler.records WITH NO DATA;
SELECT kepler.upsert_records_summary('small', pg_temp.batch(1, 500))->'inserted' AS inserted;
SELECT kepler.upsert_records_summary('large', pg_temp.batch(1, 10000))->'inserted' AS inserted;
SELECT sync_run_id AS small FROM kepler.begin_sync(NULL, 'small') \gset
SELECT sync_run_id AS large FROM kepler.begin_sync(NULL, 'large') \gset
UPDATE kepler.sync_runs SET id = CASE id WHEN :'small' THEN 'small' ELSE 'large' END WHERE workspace_id = 'sweeps';
\set small small
\set large large
SELECT kepler.upsert_records_summary('small', pg_temp.batch(11, 500), sync_run_id => :'small')->'unchanged' AS unchanged;
SELECT kepler.upsert_records_summary('large', pg_temp.batch(11, 10000), sync_run_id => :'large')->'unchanged' AS unchanged;
-- The unchanged batch wrote its notes: a hundred ids a row, and one row of counts.
SELECT count(*) AS rows, max(cardinality(external_ids)) AS most, sum(cardinality(external_ids)) AS ids FROM kepler.sync_seen WHERE sync_run_id = :'large';
SELECT count(*) AS batches, sum(seen) AS seen FROM kepler.sync_batches WHERE sync_run_id = :'large';
VACUUM kepler.records;
INSERT INTO versions SELECT id, ctid, xmin, xmax FROM kepler.records WHERE workspace_id = 'sweeps' AND external_id::int > 10;
-- With rows of notes that ended runs would leave behind, a run's end clears them away: not what is measured here.
BEGIN;
INSERT INTO sizes VALUES (500, pg_temp.wal_records_of(format('SELECT * FROM kepler.finish_sync(%L, max_rows => 9)', :'small')));
INSERT INTO sizes VALUES (10000, pg_temp.wal_records_of(format('SELECT * FROM kepler.finish_sync(%L, max_rows => 9)', :'large')));
SELECT abs(a.logged - b.logged) < 60 AS about_the_same, b.logged < 400 AS few FROM sizes AS a, sizes AS b WHERE a.n = 500 AND b.n = 10000;
SELECT status, phase, to_delete, deleted FROM kepler.sync_runs WHERE workspace_id = 'sweeps' ORDER BY started_at;
ROLLBACK;
-- It cannot be called in a transaction, and goes on by itself otherwise.
BEGIN;
CALL kepler.sweep_sync(:'large');
ROLLBACK;
CALL kepler.sweep_sync(:'large', max_rows => 3, cursor => 'end');
CALL kepler.sweep_sync(:'large', max_rows => 3);
CALL kepler.sweep_sync(:'small', max_delete_fraction => 0.001);
CALL kepler.sweep_sync(:'small');
SELECT status, phase, to_delete, deleted, cursor FROM kepler.sync_runs WHERE workspace_id = 'sweeps' ORDER BY started_at;
SELECT entity_type, count(*), count(*) FILTER (WHERE deleted_at IS NOT NULL) AS deleted, bool_and((deleted_at IS NOT NULL) = (external_id::int <= 10)) AS those
FROM kepler.records WHERE workspace_id = 'sweeps' GROUP BY 1 ORDER BY 1;
-- What it keeps is where it was.
SELECT count(*) AS rewritten_or_locked FROM (
    SELECT id, ctid, xmin, xmax FROM kepler.records WHERE workspace_id = 'sweeps' AND external_id::int > 10 EXCEPT TABLE versions) AS d;
SELECT (SELECT count(*) FROM kepler.sync_seen WHERE workspace_id = 'sweeps') AS seen, (SELECT count(*) FROM kepler.sync_batches WHERE workspace_id = 'sweeps') AS batches,
    (SELECT count(*) FROM kepler.sync_candidates WHERE workspace_id = 'sweeps') AS candidates;
DELETE FROM kepler.records WHERE workspace_id = 'sweeps';
DELETE FROM kepler.entities WHERE workspace_id = 'sweeps';
SELECT count(*) AS runs FROM kepler.sync_runs WHERE workspace_id = 'sweeps';
DELETE FROM kepler.workspaces WHERE id = 'sweeps';
