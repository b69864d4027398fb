-- Kepler's tables may have columns of your own, of any names: also those of arguments and variables of its functions, which
-- a statement without care would take for the column.
\set SHOW_CONTEXT never
BEGIN;
DO $$
DECLARE
    added record;
BEGIN
    FOR added IN
        WITH names AS (
            SELECT unnest(p.proargnames) AS name FROM pg_proc AS p
            WHERE p.pronamespace IN ('kepler'::regnamespace, 'kepler_internal'::regnamespace)
            UNION
            SELECT m.declared[1] FROM pg_proc AS p
            JOIN pg_language AS l ON l.oid = p.prolang AND l.lanname = 'plpgsql',
                regexp_matches(substring(p.prosrc FROM 'DECLARE(.*?)\nBEGIN'), '\n +([a-z_]+) ', 'g') AS m (declared)
            WHERE p.pronamespace IN ('kepler'::regnamespace, 'kepler_internal'::regnamespace)
        )
        SELECT c.oid::regclass AS table_name, string_agg(format('ADD COLUMN %I macaddr', n.name), ', ') AS columns
        FROM pg_class AS c, names AS n
        WHERE c.relnamespace = 'kepler'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.name <> ''
            AND NOT EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attname = n.name)
        GROUP BY c.oid
    LOOP
        EXECUTE format('ALTER TABLE %s %s', added.table_name, added.columns);
    END LOOP;
END $$;
SELECT count(*) AS variables FROM pg_attribute
WHERE attrelid = 'kepler.executions'::regclass AND attname IN ('found_at', 'overdue', 'wanted_workspace', 'finished', 'silence');

-- Workflows.
INSERT INTO kepler.users (id, email) VALUES ('ada', 'ada@example.com');
INSERT INTO kepler.workflows (id, user_id, name) VALUES ('w', 'ada', 'w');
CREATE TEMP TABLE run AS SELECT n, s.* FROM generate_series(1, 3) AS n, kepler.start_execution('w', 'key ' || n) AS s;
SELECT outcome FROM kepler.start_execution('w', 'key 1');
SELECT kepler.extend_execution(execution_id, token) > deadline_at AS later FROM run WHERE n = 1;
SELECT s.number, s.outcome FROM run, kepler.add_execution_steps(execution_id, token, '[{"name": "first"}, {"name": "second"}]') AS s WHERE n = 1;
SELECT f.outcome FROM run, kepler.finish_execution(execution_id, token, 'SUCCESS') AS f WHERE n = 1;
UPDATE kepler.executions SET deadline_at = '2024-01-01' WHERE id IN (SELECT execution_id FROM run WHERE n = 2);
SELECT count(*) FROM kepler.abandon_executions() AS a JOIN run USING (execution_id) WHERE n = 2;
SELECT workflow_id, runs, succeeded FROM kepler.execution_report('w');
SELECT count(*) FROM kepler.required_connections('w');

-- Enrichment.
SELECT outcome FROM kepler.set_enrichment_policy('own');
SELECT kepler.upsert_records_summary('own', '[{"external_id": "1", "data": {}}, {"external_id": "2", "data": {}}, {"external_id": "3", "data": {}}]') ->> 'inserted' AS inserted;
CREATE TEMP TABLE claimed AS SELECT c.* FROM kepler.claim_records('own', 'worker', 3) AS c;
SELECT outcome FROM claimed, kepler.complete_records(lease_id, ARRAY[record_id]) LIMIT 1;
DELETE FROM kepler.leases WHERE id IN (SELECT lease_id FROM claimed);
SELECT enrichment_status, count(*) FROM kepler.records AS r JOIN claimed AS c ON c.record_id = r.id GROUP BY 1 ORDER BY 1;

-- Memories and conversations.
SELECT kepler.create_embedding_space('own', 3, 'm');
SELECT outcome FROM kepler.remember('It is so.', '[1,0,0]', user_id => 'ada');
SELECT outcome FROM kepler.remember('It is so.', '[1,0,0]', user_id => 'ada', dedupe => true);
SELECT content FROM kepler.search_memories('[1,0,0]', 1, user_id => 'ada');
INSERT INTO kepler.conversations (id, user_id) VALUES ('talk', 'ada');
SELECT outcome FROM kepler.add_messages('talk', '[{"role": "user", "content": "Hello."}, {"role": "assistant", "content": "Good day."}]');
SELECT number, content FROM kepler.conversation_window('talk', max_tokens => 100);
SELECT count(*) FROM kepler.pending_message_embeddings('own');
SELECT count(*) FROM kepler.pending_memory_embeddings('own');
SELECT f.outcome FROM kepler.forget(ARRAY(SELECT id FROM kepler.memories WHERE user_id = 'ada')) AS f;
SELECT kepler.expire_memories();
SELECT count(*) FROM kepler.index_advice('kepler_data.own_embeddings');
SELECT kepler.retire_embedding_space('own');
SELECT kepler.drop_embedding_space('own');
SELECT kepler.status() IS NOT NULL AS status;
ROLLBACK;
