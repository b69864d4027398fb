-- Kepler's own tables: what is under way stays, what goes takes along what is its own, and unread changes are never dropped.
SET client_min_messages = warning;
\set VERBOSITY terse
-- Records: those that were deleted, unless another column is named. Not what a worker holds.
SELECT count(*) FROM kepler.upsert_records('kept', (SELECT jsonb_agg(jsonb_build_object('external_id', n::text, 'data', jsonb_build_object('n', n))) FROM generate_series(1, 20) AS n));
SELECT count(*) FROM kepler.delete_records('kept', ARRAY['1', '2', '3']);
UPDATE kepler.records SET deleted_at = '2020-01-01' WHERE deleted_at IS NOT NULL AND entity_type = 'kept';
SELECT outcome FROM kepler.set_retention('kepler.records', '30 days');
CALL kepler.run_retention();
SELECT count(*), count(deleted_at) FROM kepler.records WHERE entity_type = 'kept';
SELECT outcome FROM kepler.set_enrichment_policy('kept');
SELECT count(*) FROM kepler.claim_records('kept', 'worker', 5);
UPDATE kepler.records SET created_at = '2020-01-01' WHERE entity_type = 'kept';
SELECT outcome FROM kepler.set_retention('kepler.records', '1 year', 'created_at', '{"entity_type": "kept"}');
CALL kepler.run_retention();
SELECT enrichment_status, count(*) FROM kepler.records WHERE entity_type = 'kept' GROUP BY 1;
SELECT (SELECT count(*) AS queued FROM kepler.enrichment_queue WHERE entity_type = 'kept'), (SELECT count(*) AS leased FROM kepler.leases WHERE entity_type = 'kept');
-- Runs: not those under way. Their steps go along, and they leave a trace.
INSERT INTO kepler.users (id, email) VALUES ('keeper', 'keeper@example.com');
INSERT INTO kepler.workflows (id, user_id, name, intent, trigger, actions) VALUES ('kept', 'keeper', 'kept', 'i', '{"app": "a"}', '[{"app": "b"}]');
INSERT INTO kepler.executions (id, workflow_id, status, started_at, ended_at) VALUES ('old run', 'kept', 'SUCCESS', '2020-01-01', '2020-01-02'), ('running', 'kept', 'RUNNING', '2020-01-01', NULL);
INSERT INTO kepler.execution_steps (execution_id, number, name) VALUES ('old run', 1, 's');
SELECT outcome FROM kepler.set_retention('kepler.executions', '30 days') UNION ALL SELECT outcome FROM kepler.set_retention('kepler.executions', '31 days', 'started_at', '{"status": {"$ne": "ABANDONED"}}');
CALL kepler.run_retention();
SELECT status FROM kepler.executions WHERE workflow_id = 'kept';
SELECT count(*) AS steps FROM kepler.execution_steps WHERE execution_id = 'old run';
SELECT operation, old_values ->> 'status' AS status FROM kepler.history WHERE row_id = 'old run';
-- Messages and conversations, memories, rejects.
INSERT INTO kepler.conversations (id, last_message_at) VALUES ('old talk', '2020-01-01'), ('new talk', now()), ('silent talk', NULL);
INSERT INTO kepler.messages (conversation_id, role, content, sent_at) VALUES ('old talk', 'user', 'a', '2020-01-01'), ('new talk', 'user', 'b', '2020-01-01'), ('new talk', 'user', 'c', now());
UPDATE kepler.conversations SET last_message_at = '2020-01-01' WHERE id = 'old talk';
UPDATE kepler.conversations SET last_message_at = NULL WHERE id = 'silent talk';
INSERT INTO kepler.memories (id, content, created_at, metadata) VALUES ('old memory', 'x', '2020-01-01', '{"temporary": true}'), ('old fact', 'y', '2020-01-01', '{}');
INSERT INTO kepler.memory_access (memory_id, last_accessed_at) VALUES ('old memory', now());
SELECT count(*) FROM kepler.upsert_records('kept', '[{"external_id": "bad", "data": 1}]', options => '{"keep_rejects": true}');
UPDATE kepler.rejects SET received_at = '2020-01-01' WHERE entity_type = 'kept';
SELECT array_agg(outcome) FROM (VALUES ('kepler.conversations', NULL::jsonb), ('kepler.messages', NULL), ('kepler.memories', '{"metadata.temporary": true}'), ('kepler.rejects', NULL)) AS v (t, f)
CROSS JOIN LATERAL kepler.set_retention(v.t::regclass, '30 days', filter => v.f);
CALL kepler.run_retention();
SELECT array_agg(id ORDER BY id) FROM kepler.conversations WHERE id LIKE '%talk';
SELECT content FROM kepler.messages WHERE conversation_id LIKE '%talk';
SELECT id, (SELECT count(*) FROM kepler.memory_access WHERE memory_id = 'old memory') AS accessed FROM kepler.memories WHERE id LIKE 'old%';
SELECT count(*) FROM kepler.rejects WHERE entity_type = 'kept';
-- Sync runs, with what they have noted.
SELECT entity_id AS entity FROM kepler.records WHERE entity_type = 'kept' LIMIT 1 \gset
INSERT INTO kepler.sync_runs (id, entity_id, status, started_at, ended_at) VALUES ('old run', :'entity', 'SUCCESS', '2020-01-01', '2020-01-01'), ('open run', :'entity', 'RUNNING', '2020-01-01', NULL);
INSERT INTO kepler.sync_seen (sync_run_id, external_ids) VALUES ('old run', '{a}'), ('open run', '{a}');
SELECT array_agg(outcome) FROM kepler.set_retention('kepler.sync_runs', '30 days');
CALL kepler.run_retention();
SELECT r.id, count(s) FROM kepler.sync_runs AS r LEFT JOIN kepler.sync_seen AS s ON s.sync_run_id = r.id WHERE r.id LIKE '%run' GROUP BY 1;
-- The feed: a week that a consumer has not read stays, whatever the policy says.
CREATE TABLE kepler.feed_20200106 PARTITION OF kepler.feed FOR VALUES FROM ('2020-01-06 00:00+00') TO ('2020-01-13 00:00+00');
SELECT kepler.feed_cursor() AS early \gset
INSERT INTO kepler.feed (xid, sequence, created_at, epoch, table_id, operation, workspace_id, row_id)
SELECT pg_current_xact_id(), nextval('kepler.feed_sequence') * 65536, '2020-01-07', (SELECT max(epoch) FROM kepler.feed_epochs), 1, 'INSERT', 'default', 'old';
SELECT outcome FROM kepler.acknowledge_changes('slow', :'early');
SELECT outcome FROM kepler.set_retention('kepler.feed', '30 days', workspace_id => NULL);
CALL kepler.run_retention();
SELECT to_regclass('kepler.feed_20200106') AS unread;
SELECT partition_count FROM kepler.retention_report() WHERE relation = 'kepler.feed';
DO $$
DECLARE until constant xid8 := pg_snapshot_xmax(pg_current_snapshot());
BEGIN
    WHILE pg_snapshot_xmin(pg_current_snapshot()) < until LOOP PERFORM pg_sleep(0.01); END LOOP;
END
$$;
SELECT outcome FROM kepler.acknowledge_changes('slow', kepler.feed_cursor());
CALL kepler.run_retention();
SELECT to_regclass('kepler.feed_20200106') AS is_read, dropped_partitions FROM kepler.retention_report() WHERE relation = 'kepler.feed';
SELECT relation, problem FROM kepler.retention_report() WHERE problem IS NOT NULL;
SELECT count(kepler.drop_retention(policy_id)) FROM kepler.retention_report();
DELETE FROM kepler.consumers WHERE name = 'slow';
DELETE FROM kepler.sync_runs WHERE id = 'open run';
DELETE FROM kepler.executions WHERE workflow_id = 'kept';
DELETE FROM kepler.workflows WHERE id = 'kept';
DELETE FROM kepler.users WHERE id = 'keeper';
DELETE FROM kepler.conversations WHERE id LIKE '%talk';
DELETE FROM kepler.memories WHERE id LIKE 'old%';
SELECT kepler.drop_enrichment_policy('kept');
DELETE FROM kepler.records WHERE entity_type = 'kept';
DELETE FROM kepler.entities WHERE type = 'kept';
