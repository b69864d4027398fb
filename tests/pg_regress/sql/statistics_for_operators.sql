-- The views kepler.stat_… show members of pg_monitor the queue, workers, sync runs, consumers, spaces, entry tables and executions of
-- all workspaces: counts, times and names, no content. Nobody else reads them, and metrics() tells the same.
\set SHOW_CONTEXT never
BEGIN;
SET LOCAL client_min_messages = warning;
CREATE ROLE watch_monitor IN ROLE pg_monitor;
CREATE ROLE watch_tenant;
INSERT INTO kepler.workspaces (id, name) VALUES ('watch_a', 'A'), ('watch_b', 'B');
SELECT kepler.grant_access('watch_tenant', 'admin', 'watch_a');

-- The stage: in each workspace records that are ready, waiting, leased and failed.
SELECT kepler.use_workspace('watch_a');
SELECT count(*) FROM kepler.set_enrichment_policy('lead', max_attempts => 1);
SELECT count(*) FROM kepler.set_enrichment_policy('idle');
SELECT outcome, count(*) FROM kepler.upsert_records('lead', (SELECT jsonb_agg(jsonb_build_object('external_id', n, 'data', jsonb_build_object('secret', 'content'))) FROM generate_series(1, 20) AS n)) GROUP BY 1;
SELECT count(*), min(c.lease_id) AS lease FROM kepler.claim_records('lead', 'worker one', 5) AS c \gset held_
SELECT count(*) FROM kepler.claim_records('lead', 'worker two', 2);
SELECT count(*), outcome FROM kepler.fail_records(:held_lease, ARRAY(SELECT r.id FROM kepler.records AS r WHERE r.enrichment_lease_id = :held_lease ORDER BY r.id LIMIT 2), 'broken: content') GROUP BY 2;
UPDATE kepler.enrichment_queue SET ready_at = clock_timestamp() + interval '1 hour' WHERE record_id IN (SELECT q.record_id FROM kepler.enrichment_queue AS q LIMIT 3);
UPDATE kepler.leases SET lease_until = clock_timestamp() - interval '1 minute' WHERE worker = 'worker two';
SELECT kepler.use_workspace('watch_b');
SELECT count(*) FROM kepler.set_enrichment_policy('lead');
SELECT outcome, count(*) FROM kepler.upsert_records('lead', '[{"external_id": "1", "data": {}}]') GROUP BY 1;
-- A sync run that has ended, one that failed, and one that is open.
SELECT sync_run_id AS run FROM kepler.begin_sync(NULL, 'lead') \gset
SELECT count(*) FROM kepler.upsert_records('lead', '[{"external_id": "1", "data": {}}, 2]', sync_run_id => :'run');
SELECT outcome FROM kepler.finish_sync(:'run', allow_rejects => true);
SELECT sync_run_id AS run FROM kepler.begin_sync(NULL, 'lead', mode => 'incremental') \gset
SELECT count(*) FROM kepler.abort_sync(:'run', 'broken: content');
SELECT count(*) FROM kepler.begin_sync(NULL, 'deal');
-- A consumer that has seen nothing, and one whose cursor cannot be read.
INSERT INTO kepler.consumers (name, cursor) VALUES ('slow', '01' || repeat('0', 56)), ('broken', 'x');
SELECT kepler.use_workspace('default');
SELECT count(*) FROM kepler.create_embedding_space('watched', 3, 'm');
SELECT count(*) FROM kepler.create_entry_table('Watched', '{"fields": []}');
INSERT INTO kepler.users (id, email) VALUES ('watched', 'watched@example.com');
INSERT INTO kepler.connections (name, reference_id, provider, user_id) VALUES ('c', 'watched', 'Mail', 'watched');
INSERT INTO kepler.workflows (id, user_id, name, trigger) VALUES ('watched', 'watched', 'w', '{"app": "Mail"}');
SELECT outcome FROM kepler.start_execution('watched', 'k');
UPDATE kepler.executions SET deadline_at = started_at, next_check_at = started_at WHERE workflow_id = 'watched';

SET LOCAL ROLE watch_monitor;
SELECT workspace_id, entity_type, ready, waiting, leased, failed, oldest_ready_at IS NOT NULL AS has_oldest, next_ready_at > clock_timestamp() AS later,
    leases, expired_leases, backlog_is_open, paused_at FROM kepler.stat_queue WHERE workspace_id LIKE 'watch_%' ORDER BY 1, 2;
SELECT workspace_id, worker, leases, leased, expired_leases, attempts, failed_attempts, average_duration >= '0' AS took FROM kepler.stat_workers WHERE workspace_id LIKE 'watch_%' ORDER BY 1, 2;
SELECT workspace_id, entity_type, source, mode, status, phase, seen, rejected, last_succeeded_at IS NOT NULL AS succeeded
FROM kepler.stat_sync_runs WHERE workspace_id LIKE 'watch_%' ORDER BY 1, 2, 4;
SELECT workspace_id, consumer, waiting, oldest_waiting_at IS NOT NULL AS has_oldest, is_readable FROM kepler.stat_feed WHERE workspace_id LIKE 'watch_%' ORDER BY 1, 2;
SELECT space, kind, status, table_name, estimated_rows, estimated_pending >= 0 AS pending, index_name FROM kepler.stat_memory_spaces WHERE space = 'watched' ORDER BY 2;
SELECT workspace_id, record_name, version, is_there, estimated_rows FROM kepler.stat_entry_tables WHERE record_name = 'Watched';
SELECT workspace_id, workflow_id, running, overdue, waiting FROM kepler.stat_executions WHERE workflow_id = 'watched';
-- The same as samples.
SELECT m.name, m.labels, m.value FROM kepler.metrics() AS m
WHERE m.labels ->> 'workspace_id' IN ('watch_a', 'watch_b') AND m.name !~ '_seconds$|_counted_up_to_' ORDER BY m.name, m.labels::text;
-- Nothing that they show is content.
SELECT count(*) AS leaks FROM (
    SELECT to_jsonb(q)::text FROM kepler.stat_queue AS q UNION ALL SELECT to_jsonb(w)::text FROM kepler.stat_workers AS w
    UNION ALL SELECT to_jsonb(s)::text FROM kepler.stat_sync_runs AS s UNION ALL SELECT to_jsonb(f)::text FROM kepler.stat_feed AS f
    UNION ALL SELECT to_jsonb(m)::text FROM kepler.metrics() AS m) AS t (shown) WHERE t.shown ~ 'content|broken:|secret';
-- It reads nothing else, and writes nothing.
SAVEPOINT here;
SELECT count(*) FROM kepler.records;
ROLLBACK TO here;
SELECT count(*) FROM kepler.memories;
ROLLBACK TO here;
INSERT INTO kepler.stat_entry_tables (record_name) VALUES ('x');
ROLLBACK TO here;

-- A tenant's administrator reads none of them: they show other workspaces.
SET LOCAL ROLE watch_tenant;
SELECT count(*) FROM kepler.stat_queue;
ROLLBACK TO here;
SELECT count(*) FROM kepler.stat_horizon;
ROLLBACK TO here;
SELECT count(*) FROM kepler.metrics();
ROLLBACK TO here;
RESET ROLE;
-- No view of statistics has a reader but pg_monitor, and every one of them has it.
SELECT c.relname, a.grantee::regrole, a.privilege_type FROM pg_class AS c
LEFT JOIN LATERAL (SELECT * FROM aclexplode(c.relacl) AS x WHERE x.grantee <> c.relowner) AS a ON true
WHERE c.relnamespace = 'kepler'::regnamespace AND c.relname ~ '^stat_' ORDER BY 1;

-- A workspace that is being deleted is shown until it is gone, and a table of its own that is gone as such.
SELECT kepler.use_workspace('default');
UPDATE kepler.workspaces SET deleting_at = clock_timestamp() WHERE id = 'watch_a';
SELECT e.table_name AS watched FROM kepler.entry_tables AS e WHERE e.record_name = 'Watched' \gset
DROP TABLE kepler_data.:"watched";
DROP TABLE kepler_data.watched_embeddings;
SET LOCAL ROLE watch_monitor;
SELECT count(*) FROM kepler.stat_queue WHERE workspace_id = 'watch_a';
SELECT is_there, estimated_rows, estimated_bytes FROM kepler.stat_entry_tables WHERE record_name = 'Watched';
SELECT kind, estimated_rows, bytes FROM kepler.stat_memory_spaces WHERE space = 'watched' ORDER BY 1;
SELECT count(*) > 0 AS measures FROM kepler.metrics();
ROLLBACK;

-- Counting stops, and says where; and no table is read through, whatever the statistics say.
BEGIN;
SET LOCAL client_min_messages = warning;
INSERT INTO kepler.workspaces (id, name) SELECT 'watch_' || n, 'w' FROM generate_series(1, 1001) AS n;
INSERT INTO kepler.enrichment_policies (workspace_id, entity_type, backlog_after) SELECT 'watch_' || n, 'many', NULL FROM generate_series(1, 1001) AS n;
INSERT INTO kepler.enrichment_queue (workspace_id, record_id, entity_type) SELECT 'watch_1', 'r' || n, 'many' FROM generate_series(1, 1000) AS n;
SELECT count(*), max(ready), max(counted_up_to) FROM kepler.stat_queue WHERE workspace_id LIKE 'watch_%';
CREATE FUNCTION pg_temp.plan(statement text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS off) ' || statement LOOP
        IF line ~ ' (Seq Scan|Gather)' THEN RETURN NEXT trim(line, ' ->'); END IF;
    END LOOP;
END $$;
-- One row for each policy, entity, consumer and so on is what they give.
SELECT pg_temp.plan('TABLE kepler.stat_queue');
SELECT pg_temp.plan('TABLE kepler.stat_sync_runs');
SELECT pg_temp.plan('TABLE kepler.stat_feed');
SELECT pg_temp.plan('TABLE kepler.stat_executions');
SELECT pg_temp.plan('TABLE kepler.stat_workers');
ROLLBACK;
