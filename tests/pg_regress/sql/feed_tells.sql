-- What the feed tells of a change: which rows, whose, and by what kind of statement.
\set VERBOSITY terse
SET client_min_messages = warning;
BEGIN;
-- Changes of this transaction are not served yet: they are read here as they were written.
CREATE FUNCTION pg_temp.told() RETURNS TABLE (change text) LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT concat_ws(' ', f.operation, t.name, f.row_id, f.entity_type, f.workspace_id)
    FROM kepler.feed AS f JOIN kepler.tracked_tables AS t ON t.id = f.table_id
    WHERE f.xid = pg_current_xact_id() AND f.sequence > coalesce(nullif(current_setting('feed.seen', true), ''), '0')::bigint
    ORDER BY f.sequence;
    PERFORM set_config('feed.seen', max(f.sequence)::text, true) FROM kepler.feed AS f WHERE f.xid = pg_current_xact_id();
END
$$;

-- An upsert tells what it wrote, and nothing of what was unchanged or stale.
SELECT external_id, outcome FROM kepler.upsert_records('lead', '[{"external_id": "a", "data": {}}, {"external_id": "b", "data": {}, "source_updated_at": 10}, {"external_id": "c", "data": {}}]');
UPDATE kepler.records SET enrichment = '{"by": "hand"}' WHERE external_id = 'c';
SELECT regexp_replace(change, 'c[a-z0-9]{23}', 'id') AS change FROM pg_temp.told();
SELECT external_id, outcome FROM kepler.upsert_records('lead', '[{"external_id": "a", "data": {"n": 1}}, {"external_id": "b", "data": {"n": 1}, "source_updated_at": 5}, {"external_id": "c", "data": {}}]');
SELECT regexp_replace(change, 'c[a-z0-9]{23}', 'id') AS change FROM pg_temp.told();

-- Rows by hand. An update that leaves a row as it was is none.
INSERT INTO kepler.records (id, entity_type) VALUES ('1', 't'), ('2', 't'), ('3', 'u');
UPDATE kepler.records SET status = status WHERE id IN ('1', '2');
UPDATE kepler.records SET data = '{"n": 1}' WHERE id IN ('2', '3');
SELECT * FROM pg_temp.told() ORDER BY 1;
-- A key that changes is a row that went and another that came; all that went stand first.
ALTER TABLE kepler.records DISABLE TRIGGER keep_id;
UPDATE kepler.records SET id = (id::integer + 10)::text WHERE id IN ('1', '2', '3') AND id > '1';
ALTER TABLE kepler.records ENABLE TRIGGER keep_id;
SELECT split_part(change, ' ', 1) AS operation, string_agg(split_part(change, ' ', 3), ', ' ORDER BY change) AS ids
FROM pg_temp.told() WITH ORDINALITY AS t (change, n) GROUP BY 1 ORDER BY min(n);
DELETE FROM kepler.records WHERE id IN ('12', '13');
SELECT * FROM pg_temp.told() ORDER BY 1;

-- ON CONFLICT, MERGE, COPY, a common table expression, and a function that is called for each row.
INSERT INTO kepler.records (id, entity_type) VALUES ('1', 't'), ('5', 't') ON CONFLICT (workspace_id, id) DO UPDATE SET source = 'again';
INSERT INTO kepler.records (id, entity_type) VALUES ('1', 't') ON CONFLICT DO NOTHING;
SELECT * FROM pg_temp.told() ORDER BY 1;
MERGE INTO kepler.records AS r USING (VALUES ('1'), ('5'), ('6')) AS n (id) ON r.workspace_id = 'default' AND r.id = n.id
WHEN MATCHED AND n.id = '1' THEN DELETE
WHEN MATCHED THEN UPDATE SET source = 'merged'
WHEN NOT MATCHED THEN INSERT (id, entity_type) VALUES (n.id, 'm');
SELECT * FROM pg_temp.told() ORDER BY 1;
COPY kepler.records (id, entity_type) FROM STDIN;
7	copied
8	copied
\.
SELECT * FROM pg_temp.told();
WITH gone AS (DELETE FROM kepler.records WHERE id = '7' RETURNING id)
INSERT INTO kepler.records (id, entity_type) SELECT 'of ' || id, 'cte' FROM gone;
SELECT * FROM pg_temp.told() ORDER BY 1;

-- What is undone is not told.
SAVEPOINT s;
INSERT INTO kepler.records (id, entity_type) VALUES ('undone', 't');
ROLLBACK TO s;
SAVEPOINT s;
INSERT INTO kepler.records (id, entity_type) VALUES ('kept', 't');
RELEASE s;
SELECT * FROM pg_temp.told();

-- A foreign key that empties a column changes the rows.
INSERT INTO kepler.connections (id, name, reference_id) VALUES ('x', 'x', 'x');
SELECT external_id, outcome FROM kepler.upsert_records('of x', '[{"external_id": "a", "data": {}}]', connection_id => 'x');
SELECT count(*) FROM pg_temp.told();
DELETE FROM kepler.connections WHERE id = 'x';
SELECT regexp_replace(change, 'c[a-z0-9]{23}', 'id') AS change FROM pg_temp.told();

-- Workers claim records and give them back: no news. A result is.
SELECT count(*) FROM kepler.set_enrichment_policy('work');
SELECT count(*) FROM kepler.upsert_records('work', '[{"external_id": "1", "data": {}}, {"external_id": "2", "data": {}}, {"external_id": "3", "data": {}}]');
SELECT count(*) FROM pg_temp.told();
SELECT DISTINCT lease_id FROM kepler.claim_records('work', 'w', 3) \gset
SELECT count(*) FROM pg_temp.told();
SELECT outcome FROM kepler.release_records(:lease_id, ARRAY[(SELECT id FROM kepler.records WHERE entity_type = 'work' AND external_id = '1')]);
SELECT count(*) AS released FROM pg_temp.told();
SELECT outcome FROM kepler.complete_records(:lease_id, ARRAY[(SELECT id FROM kepler.records WHERE entity_type = 'work' AND external_id = '2')]);
SELECT outcome FROM kepler.settle_records(:lease_id, (SELECT jsonb_build_array(jsonb_build_object('record_id', id, 'action', 'complete', 'result', '{"a": 1}'::jsonb)) FROM kepler.records WHERE entity_type = 'work' AND external_id = '3'));
SELECT regexp_replace(change, 'c[a-z0-9]{23}', 'id') AS change FROM pg_temp.told();

-- TRUNCATE is told in every workspace, as nobody knows any more which of them had rows.
INSERT INTO kepler.workspaces (id, name) VALUES ('other', 'other');
TRUNCATE kepler.records CASCADE;
SELECT * FROM pg_temp.told() ORDER BY 1;

-- What a subscription or a loader writes as a replica is told too, and once.
SET LOCAL session_replication_role = replica;
INSERT INTO kepler.records (id, entity_type) VALUES ('r', 't'), ('s', 't');
UPDATE kepler.records SET data = '{"n": 1}' WHERE id = 'r';
UPDATE kepler.records SET updated_at = clock_timestamp() WHERE id = 'r';
DELETE FROM kepler.records WHERE id = 's';
SELECT * FROM pg_temp.told();
ROLLBACK;
