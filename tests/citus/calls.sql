-- Calls as applications make them: inside of transactions, beside direct SQL, with parameters, in functions, for roles. Two workspaces,
-- which have parts of their own. No output shows ids or times.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
-- What waits for itself is an error.
SET statement_timeout = '30s';

\echo == The stage
SELECT kepler.create_workspace('acme') IS NOT NULL AS made, kepler.create_workspace('globex') IS NOT NULL AS made;
SELECT outcome FROM kepler.upsert_records('contact', '[{"external_id": "1", "data": {"n": 1}}, {"external_id": "2", "data": {"n": 2}}]', workspace_id => 'acme') ORDER BY ordinal;
SELECT outcome FROM kepler.upsert_records('contact', '[{"external_id": "1", "data": {"n": 10}}]', workspace_id => 'globex');
SELECT count(*) FROM kepler.set_enrichment_policy('lead', workspace_id => 'acme');
SELECT outcome, count(*) FROM kepler.upsert_records('lead', (SELECT jsonb_agg(jsonb_build_object('external_id', i, 'data', jsonb_build_object('n', i)))::text FROM generate_series(1, 20) AS i), workspace_id => 'acme') GROUP BY 1;
INSERT INTO kepler.users (workspace_id, id, email) VALUES ('acme', 'u', 'u@example.com'), ('globex', 'u', 'u@example.com');
INSERT INTO kepler.conversations (workspace_id, id, user_id) VALUES ('acme', 'talk', 'u');

\echo == A transaction that is undone, and direct SQL beside the call
BEGIN;
SELECT outcome FROM kepler.upsert_records('contact', '[{"external_id": "3", "data": {"n": 3}}]', workspace_id => 'acme');
SELECT external_id, data FROM kepler.records WHERE workspace_id = 'acme' AND external_id = '3';
UPDATE kepler.records SET data = data || '{"m": 1}' WHERE workspace_id = 'acme' AND external_id = '3';
SELECT outcome FROM kepler.upsert_records('contact', '[{"external_id": "3", "data": {"n": 3, "m": 1}}]', workspace_id => 'acme');
ROLLBACK;
SELECT count(*) FROM kepler.records WHERE workspace_id = 'acme' AND external_id = '3';

\echo == Direct SQL first, then calls that need its rows; committed
BEGIN;
INSERT INTO kepler.conversations (workspace_id, id, user_id) VALUES ('acme', 'new talk', 'u');
SELECT kepler.add_message('new talk', 'user', 'hello', workspace_id => 'acme') IS NOT NULL AS added;
SELECT number, content FROM kepler.conversation_window('new talk', workspace_id => 'acme');
COMMIT;
SELECT count(*) FROM kepler.messages WHERE workspace_id = 'acme' AND conversation_id = 'new talk';

\echo == Savepoints
BEGIN;
SELECT outcome FROM kepler.upsert_records('contact', '[{"external_id": "4", "data": {}}]', workspace_id => 'acme');
SAVEPOINT before;
SELECT outcome FROM kepler.upsert_records('contact', '[{"external_id": "5", "data": {}}]', workspace_id => 'acme');
ROLLBACK TO before;
SELECT outcome FROM kepler.upsert_records('contact', '[{"external_id": "6", "data": {}}]', workspace_id => 'acme');
SAVEPOINT again;
SELECT kepler.add_message('no such talk', 'user', 'hello', workspace_id => 'acme');
ROLLBACK TO again;
SELECT outcome FROM kepler.upsert_records('contact', '[{"external_id": "7", "data": {}}]', workspace_id => 'acme');
COMMIT;
SELECT external_id FROM kepler.records WHERE workspace_id = 'acme' AND external_id IN ('4', '5', '6', '7') ORDER BY 1;

\echo == Two workspaces in a transaction
BEGIN;
SELECT outcome FROM kepler.upsert_records('contact', '[{"external_id": "8", "data": {}}]', workspace_id => 'acme');
SELECT outcome FROM kepler.upsert_records('contact', '[{"external_id": "8", "data": {}}]', workspace_id => 'globex');
ROLLBACK;
SELECT count(*) FROM kepler.records WHERE external_id = '8';
BEGIN;
SELECT outcome FROM kepler.upsert_records('contact', '[{"external_id": "8", "data": {}}]', workspace_id => 'acme');
SELECT outcome FROM kepler.upsert_records('contact', '[{"external_id": "8", "data": {}}]', workspace_id => 'globex');
COMMIT;
SELECT workspace_id FROM kepler.records WHERE external_id = '8' ORDER BY 1;

\echo == REPEATABLE READ
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM kepler.records WHERE workspace_id = 'acme' AND external_id = '1';
SELECT outcome FROM kepler.upsert_records('contact', '[{"external_id": "9", "data": {}}]', workspace_id => 'acme');
SELECT outcome FROM kepler.upsert_records('contact', '[{"external_id": "9", "data": {}}]', workspace_id => 'acme');
COMMIT;

\echo == Two calls in a statement, of which the second fails
SELECT kepler.upsert_record('contact', '10', '{}', workspace_id => 'acme') IS NOT NULL, kepler.add_message('no such talk', 'user', 'hello', workspace_id => 'acme');
SELECT count(*) FROM kepler.records WHERE workspace_id = 'acme' AND external_id = '10';
SELECT kepler.upsert_record('contact', '10', '{}', workspace_id => 'acme') IS NOT NULL AS one, kepler.upsert_record('contact', '10', '{}', workspace_id => 'globex') IS NOT NULL AS two;
SELECT workspace_id FROM kepler.records WHERE external_id = '10' ORDER BY 1;

\echo == Prepared statements, more often than Postgres makes plans for values
PREPARE send (text, text) AS SELECT outcome FROM kepler.upsert_records('contact', $1, workspace_id => $2);
EXECUTE send('[{"external_id": "p", "data": {"n": 1}}]', 'acme');
EXECUTE send('[{"external_id": "p", "data": {"n": 1}}]', 'acme');
EXECUTE send('[{"external_id": "p", "data": {"n": 2}}]', 'acme');
EXECUTE send('[{"external_id": "p", "data": {"n": 1}}]', 'globex');
EXECUTE send('[{"external_id": "p", "data": {"n": 1}}]', 'globex');
EXECUTE send('[{"external_id": "p", "data": {"n": 3}}]', 'acme');
EXECUTE send('[{"external_id": "p", "data": {"n": 3}}]', 'acme');
EXECUTE send('[{"external_id": "p", "data": {"n": 4}}]', 'globex');
SELECT outcome FROM kepler.upsert_records('contact', $1, workspace_id => $2) \bind '[{"external_id": "p", "data": {"n": 4}}]' 'globex' \g
SELECT outcome FROM kepler.upsert_records('contact', $1, workspace_id => $2) \bind '[{"external_id": "p", "data": {"n": 5}}]' 'acme' \g
SELECT kepler.use_workspace('acme', is_local => false);
PREPARE of_session (text) AS SELECT outcome FROM kepler.upsert_records('contact', $1);
EXECUTE of_session('[{"external_id": "p", "data": {"n": 5}}]');
SELECT kepler.use_workspace('globex', is_local => false);
EXECUTE of_session('[{"external_id": "p", "data": {"n": 5}}]');
SELECT workspace_id, data FROM kepler.records WHERE external_id = 'p' ORDER BY 1;

\echo == A call for each row of a table, whatever workspace the row names
CREATE TABLE staging (place integer, workspace text, line text);
INSERT INTO staging SELECT i, CASE WHEN i % 2 = 0 THEN 'acme' ELSE 'globex' END, format('[{"external_id": "s%s", "data": {"n": %s}}]', i, i) FROM generate_series(1, 6) AS i;
SELECT s.place, u.outcome FROM staging AS s CROSS JOIN LATERAL kepler.upsert_records('contact', s.line, workspace_id => s.workspace) AS u ORDER BY 1;
SELECT workspace_id, count(*) FROM kepler.records WHERE external_id LIKE 's%' GROUP BY 1 ORDER BY 1;
SELECT s.place, kepler.upsert_records_summary('contact', s.line, workspace_id => s.workspace) ->> 'unchanged' AS unchanged FROM staging AS s ORDER BY 1;
WITH sent AS (SELECT outcome FROM kepler.upsert_records('contact', (SELECT line FROM staging WHERE place = 1), workspace_id => 'globex')) SELECT count(*), min(outcome) FROM sent;

\echo == In PL/pgSQL and SQL functions, in views, in DO, through cursors
CREATE FUNCTION send_all(workspace text, n integer) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    said text;
BEGIN
    FOR i IN 1..n LOOP
        SELECT u.outcome INTO said FROM kepler.upsert_records('contact', format('[{"external_id": "f%s", "data": {}}]', i), workspace_id => workspace) AS u;
        RETURN NEXT said;
    END LOOP;
    BEGIN
        PERFORM kepler.upsert_record('contact', 'undone', '{}', workspace_id => workspace);
        PERFORM kepler.add_message('no such talk', 'user', 'hello', workspace_id => workspace);
    EXCEPTION WHEN OTHERS THEN
        RETURN NEXT SQLSTATE;
    END;
END
$$;
SELECT * FROM send_all('acme', 8);
SELECT * FROM send_all('globex', 2);
SELECT count(*) FROM kepler.records WHERE external_id = 'undone';
CREATE FUNCTION window_of(talk text, workspace text) RETURNS bigint LANGUAGE sql AS $$ SELECT count(*) FROM kepler.conversation_window(talk, workspace_id => workspace) $$;
SELECT window_of('new talk', 'acme'), window_of('talk', 'acme');
CREATE VIEW told AS SELECT number, content FROM kepler.conversation_window('new talk', workspace_id => 'acme');
SELECT * FROM told;
DO $$ BEGIN PERFORM kepler.add_message('talk', 'user', 'from DO', workspace_id => 'acme'); END $$;
BEGIN;
DECLARE c CURSOR FOR SELECT content FROM kepler.conversation_window('talk', workspace_id => 'acme');
FETCH ALL FROM c;
COMMIT;
COPY (SELECT content FROM kepler.conversation_window('talk', workspace_id => 'acme')) TO STDOUT;

\echo == Claims, put into a table; settled from it
CREATE TABLE claimed AS SELECT lease_id, record_id, external_id FROM kepler.claim_records('lead', 'w', 5, workspace_id => 'acme');
INSERT INTO claimed SELECT lease_id, record_id, external_id FROM kepler.claim_records('lead', 'w', 5, workspace_id => 'acme');
SELECT count(*), count(DISTINCT record_id), count(DISTINCT lease_id) FROM claimed;
SELECT s.outcome, count(*) FROM (SELECT lease_id, array_agg(record_id) AS ids FROM claimed GROUP BY 1) AS l
    CROSS JOIN LATERAL kepler.complete_records(l.lease_id, l.ids, workspace_id => 'acme') AS s GROUP BY 1;
SELECT enrichment_status, count(*) FROM kepler.records WHERE workspace_id = 'acme' AND entity_type = 'lead' GROUP BY 1 ORDER BY 1;

\echo == Errors arrive whole, and name the tables that everybody knows
SELECT kepler.add_message('no such talk', 'user', 'hello', workspace_id => 'acme');
\echo :LAST_ERROR_SQLSTATE
SELECT kepler.upsert_records('contact', '[{', workspace_id => 'acme');
\echo :LAST_ERROR_SQLSTATE
SELECT kepler.upsert_records('contact', '[]', workspace_id => 'nowhere');
\echo :LAST_ERROR_SQLSTATE
SELECT kepler.remember('my key is ' || 'sk_' || 'live_51H8xJ2eZvKYlo2C0abcdEFGH', workspace_id => 'acme');
\echo :LAST_ERROR_SQLSTATE
ALTER TABLE kepler.records ADD CONSTRAINT no_seven CHECK (data ->> 'n' <> '777') NOT VALID;
SELECT outcome, error_code, error FROM kepler.upsert_records('contact', '[{"external_id": "1", "data": {"n": 777}}]', workspace_id => 'acme');
ALTER TABLE kepler.records DROP CONSTRAINT no_seven;

\echo == Errors of direct SQL, which name tables and not parts
INSERT INTO kepler.users (workspace_id, id, email) VALUES ('acme', 'u', 'again@example.com');
\echo :LAST_ERROR_SQLSTATE
INSERT INTO kepler.conversations (workspace_id, id, user_id) VALUES ('acme', 'of nobody', 'nobody');
\echo :LAST_ERROR_SQLSTATE
UPDATE kepler.users SET metadata = '{"password": "hunter2hunter2"}' WHERE workspace_id = 'acme' AND id = 'u';
\echo :LAST_ERROR_SQLSTATE

\echo == What a session says of itself
SELECT kepler.use_workspace('acme', is_local => false);
SELECT kepler.current_workspace_id(), count(*) FROM kepler.conversation_window('talk');
BEGIN;
SELECT kepler.use_workspace('globex');
SELECT outcome FROM kepler.upsert_records('contact', '[{"external_id": "of globex", "data": {}}]');
COMMIT;
SELECT outcome FROM kepler.upsert_records('contact', '[{"external_id": "of acme", "data": {}}]');
SELECT workspace_id, external_id FROM kepler.records WHERE external_id LIKE 'of %' ORDER BY 1;
SELECT kepler.track('kepler.conversations', 'history') IS NOT NULL AS tracked;
SET kepler.actor = 'somebody';
UPDATE kepler.conversations SET title = 'as somebody' WHERE workspace_id = 'acme' AND id = 'talk';
SET kepler.actor = 'somebody else';
UPDATE kepler.conversations SET title = 'as somebody else' WHERE workspace_id = 'acme' AND id = 'talk';
SELECT actor, operation, changes -> 'title' AS title FROM kepler.row_history('kepler.conversations', 'talk') ORDER BY 1;
RESET kepler.actor;
SELECT kepler.untrack('kepler.conversations', 'history') IS NOT NULL AS untracked;

\echo == Roles
SELECT kepler.grant_access('kepler_calls_reader', 'reader', 'acme') IS NOT NULL AS granted;
SELECT kepler.grant_access('kepler_calls_writer', 'writer', 'globex') IS NOT NULL AS granted;
SELECT kepler.grant_access('kepler_calls_both', 'writer', 'acme') IS NOT NULL AS granted;
SELECT kepler.grant_access('kepler_calls_both', 'writer', 'globex') IS NOT NULL AS granted;
RESET kepler.workspace_id;
SET ROLE kepler_calls_reader;
SELECT workspace_id, count(*) > 0 FROM kepler.records GROUP BY 1;
SELECT count(*) FROM kepler.records WHERE workspace_id = 'globex';
SELECT outcome FROM kepler.upsert_records('contact', '[{"external_id": "1", "data": {"n": 5}}]');
\echo :LAST_ERROR_SQLSTATE
UPDATE kepler.conversations SET title = 'no' WHERE workspace_id = 'acme';
\echo :LAST_ERROR_SQLSTATE
SELECT count(*) FROM kepler.conversation_window('talk');
SELECT count(*) FROM kepler.conversation_window('talk', workspace_id => 'globex');
\echo :LAST_ERROR_SQLSTATE
SET ROLE kepler_calls_writer;
SELECT workspace_id, count(*) > 0 FROM kepler.records GROUP BY 1;
SELECT outcome FROM kepler.upsert_records('contact', '[{"external_id": "1", "data": {"n": 5}}]');
INSERT INTO kepler.conversations (workspace_id, id, user_id) VALUES ('acme', 'of a writer', 'u');
\echo :LAST_ERROR_SQLSTATE
INSERT INTO kepler.conversations (id, user_id) VALUES ('of a writer', 'u');
UPDATE kepler.conversations SET title = 'mine' WHERE id = 'of a writer';
UPDATE kepler.conversations SET title = 'mine';
SELECT workspace_id, id, title FROM kepler.conversations ORDER BY 1, 2;
DELETE FROM kepler.conversations WHERE workspace_id = 'acme';
SELECT outcome FROM kepler.upsert_records('contact', '[{"external_id": "1", "data": {"n": 5}}]', workspace_id => 'acme');
\echo :LAST_ERROR_SQLSTATE
SET ROLE kepler_calls_both;
SELECT count(*) FROM kepler.records;
\echo :LAST_ERROR_SQLSTATE
BEGIN;
SELECT kepler.use_workspace('acme');
SELECT workspace_id, count(*) > 0 FROM kepler.records GROUP BY 1;
SELECT outcome FROM kepler.upsert_records('contact', '[{"external_id": "both", "data": {}}]');
COMMIT;
BEGIN;
SELECT kepler.use_workspace('globex');
SELECT workspace_id, count(*) > 0 FROM kepler.records GROUP BY 1;
SELECT outcome FROM kepler.upsert_records('contact', '[{"external_id": "both", "data": {}}]');
INSERT INTO kepler.users (id, email) VALUES ('of both', 'both@example.com');
INSERT INTO kepler.users (workspace_id, id, email) VALUES ('acme', 'of both', 'both@example.com');
\echo :LAST_ERROR_SQLSTATE
ROLLBACK;
RESET ROLE;

\echo == A role of all workspaces, and what goes along to the nodes
SELECT kepler.grant_access('kepler_calls_all', 'writer') IS NOT NULL AS granted;
SET ROLE kepler_calls_all;
SELECT workspace_id, count(*) > 0 FROM kepler.records GROUP BY 1;
SELECT outcome FROM kepler.upsert_records('contact', '[{"external_id": "all", "data": {}}]');
SELECT outcome FROM kepler.upsert_records('contact', '[{"external_id": "all", "data": {}}]', workspace_id => 'acme');
\echo :LAST_ERROR_SQLSTATE
SELECT kepler.use_workspace('acme', false);
SELECT workspace_id, count(*) > 0 FROM kepler.records GROUP BY 1;
SELECT count(*) FROM kepler.records WHERE workspace_id = 'globex';
SELECT outcome FROM kepler.upsert_records('contact', '[{"external_id": "all", "data": {}}]');
INSERT INTO kepler.users (workspace_id, id, email) VALUES ('acme', 'of all', 'all@example.com');
INSERT INTO kepler.users (workspace_id, id, email) VALUES ('globex', 'of all', 'all@example.com');
\echo :LAST_ERROR_SQLSTATE
UPDATE kepler.users SET email = 'all@example.org' WHERE id = 'of all';
UPDATE kepler.users SET email = 'all@example.org' WHERE workspace_id = 'globex';
PREPARE mine AS SELECT id, email FROM kepler.users WHERE workspace_id = $1 AND id = 'of all';
EXECUTE mine ('acme');
EXECUTE mine ('globex');
BEGIN;
SELECT kepler.use_workspace('globex');
SELECT count(*) FROM kepler.users WHERE id = 'of all';
EXECUTE mine ('acme');
SAVEPOINT a;
SELECT kepler.use_workspace('acme');
\echo :LAST_ERROR_SQLSTATE
ROLLBACK TO a;
INSERT INTO kepler.users (workspace_id, id, email) VALUES ('globex', 'of all in globex', 'g@example.com');
SELECT count(*) FROM kepler.users WHERE id LIKE 'of all%';
COMMIT;
SELECT id FROM kepler.users WHERE id LIKE 'of all%';
\echo == What was told in a part of the transaction, to nodes that are reached later
DO $$
BEGIN
    BEGIN
        PERFORM FROM kepler.users WHERE workspace_id = 'acme' AND id = 'of all';
        ASSERT FOUND;
        RAISE division_by_zero;
    EXCEPTION WHEN division_by_zero THEN
        PERFORM FROM kepler.users WHERE id LIKE 'of all%';
        ASSERT FOUND;
    END;
    BEGIN
        PERFORM FROM kepler.users WHERE workspace_id = 'acme' AND id = 'of all';
        ASSERT FOUND;
    EXCEPTION WHEN division_by_zero THEN
        NULL;
    END;
    PERFORM FROM kepler.users WHERE workspace_id = 'globex';
    ASSERT NOT FOUND;
    ASSERT (SELECT count(*) FROM kepler.users WHERE id LIKE 'of all%') = 1;
END
$$;
COPY (SELECT id, email FROM kepler.users WHERE id LIKE 'of all%') TO STDOUT;
DELETE FROM kepler.users WHERE id LIKE 'of all%';
SELECT kepler.use_workspace('globex', false);
SELECT id FROM kepler.users WHERE id LIKE 'of all%';
BEGIN READ ONLY;
SELECT id FROM kepler.users WHERE id LIKE 'of all%';
COMMIT;
RESET ROLE;
SELECT kepler.use_workspace('default', false);
\echo == Levels that differ by workspace
SELECT kepler.grant_access('kepler_calls_varies', 'reader', 'acme') IS NOT NULL AS granted;
SELECT kepler.grant_access('kepler_calls_varies', 'writer', 'globex') IS NOT NULL AS granted;
SET ROLE kepler_calls_varies;
SELECT kepler.use_workspace('acme', false);
SELECT workspace_id, count(*) > 0 FROM kepler.records GROUP BY 1;
UPDATE kepler.users SET email = 'no@example.com' WHERE id = 'u';
\echo :LAST_ERROR_SQLSTATE
SELECT kepler.use_workspace('globex', false);
UPDATE kepler.users SET email = 'yes@example.com' WHERE id = 'u' RETURNING workspace_id;
RESET ROLE;
RESET kepler.workspace_id;

\echo == A role that has lost its level
SELECT kepler.revoke_access('kepler_calls_reader', 'acme') IS NOT NULL AS revoked;
SET ROLE kepler_calls_reader;
SELECT count(*) FROM kepler.conversation_window('talk', workspace_id => 'acme');
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;

\echo == The feed and what waits in it
SELECT count(*) > 0 AS has_changes FROM kepler.changes_since(workspace_id => 'acme');

\echo == What operators ask: as much as on one server
INSERT INTO kepler.connections (workspace_id, id, name, reference_id, provider, user_id) VALUES ('acme', 'c', 'c', 'r', 'crm', 'u'), ('globex', 'c', 'c', 'r', 'crm', 'u');
SELECT t.key AS name, t.value -> 'rows' AS rows FROM jsonb_each(kepler.status() -> 'tables') AS t
    WHERE t.key NOT LIKE 'history%' AND t.key NOT LIKE 'feed_%' AND t.key <> 'maintenance' ORDER BY 1;
SELECT kepler.status() -> 'enrichment' ->> 'leases' AS leases, kepler.status() -> 'executions' AS executions,
    kepler.status() -> 'made' -> 'embeddings' -> 'tables' AS spaces, (kepler.status() -> 'tables' -> 'records' ->> 'bytes')::bigint > 8192 AS has_size;
SELECT name, labels, value FROM kepler.metrics()
    WHERE name ~ '^kepler_(queue|workers|sync|feed|executions|entry_tables)' AND name !~ 'seconds|oldest|counted_up_to' ORDER BY name, labels::text;
SELECT name, labels, count(*) FROM kepler.metrics() WHERE name ~ '^kepler_(table|memory|info|schema)' GROUP BY 1, 2 HAVING count(*) <> 1;
SELECT count(DISTINCT labels) FROM kepler.metrics() WHERE name = 'kepler_table_bytes';

SELECT workspace_id, entity_type, ready, waiting, leased, failed FROM kepler.stat_queue ORDER BY 1, 2;
SELECT workspace_id, worker, leases, attempts, failed_attempts, average_duration > interval '0' AS took FROM kepler.stat_workers ORDER BY 1, 2;
SELECT workspace_id, consumer, waiting FROM kepler.stat_feed ORDER BY 1, 2;
SELECT count(*) FROM kepler.stat_sync_runs;
SELECT sync_run_id AS run FROM kepler.begin_sync('c', 'order', source => 'crm', workspace_id => 'acme') \gset
SELECT workspace_id, entity_type, phase, done, total FROM kepler.sync_progress;
SELECT workspace_id, entity_type, mode, status, phase FROM kepler.stat_sync_runs;
SELECT kepler.abort_sync(:'run', 'enough', workspace_id => 'acme') IS NOT NULL AS aborted;

\echo == Values of types that this node alone has
BEGIN;
SET LOCAL client_min_messages = error;
CREATE DOMAIN pg_temp.moment AS timestamptz;
CREATE DOMAIN pg_temp.said AS json;
COMMIT;
SELECT outcome FROM kepler.upsert_record('contact', 'a domain', '{}', pg_temp.moment '2024-01-01T00:00:00Z', workspace_id => 'acme');
SELECT outcome FROM kepler.upsert_record('contact', 'another domain', '{}', pg_temp.said '"2024-01-01T00:00:00Z"', workspace_id => 'acme');

\echo == Rows that are copied into the inbox
SELECT sync_run_id AS copied FROM kepler.begin_sync('c', 'order', source => 'inbox', workspace_id => 'acme') \gset
SELECT kepler.use_workspace('acme', false);
-- Citus hands on the message, and no SQLSTATE or HINT, of what a COPY is refused for.
\set VERBOSITY terse
SET kepler.sync_run_id = 'nobody';
COPY kepler.inbox (line) FROM STDIN;
{"id": "of no run"}
\.
SET kepler.sync_run_id = :'copied';
COPY kepler.inbox (line) FROM STDIN;
{"id": "copied"}
\.
SELECT count(*) FROM kepler.inbox;
SELECT * FROM kepler.merge_inbox_batch(:'copied');
\set VERBOSITY default
SELECT kepler.abort_sync(:'copied', 'enough') IS NOT NULL AS aborted;
SELECT count(*) FROM kepler.inbox;
RESET kepler.sync_run_id;
RESET kepler.workspace_id;

\echo == Retention
INSERT INTO kepler.conversations (workspace_id, id, user_id) VALUES ('globex', 'talk', 'u');
INSERT INTO kepler.messages (workspace_id, conversation_id, number, role, content, sent_at)
    SELECT w, 'talk', 1000 + i, 'user', 'old', timestamptz '2020-01-01' + i * interval '1 day' FROM generate_series(1, 40) AS i CROSS JOIN unnest('{acme,globex}'::text[]) AS w;
SELECT outcome FROM kepler.set_retention('kepler.messages', '1 year', workspace_id => 'acme');
SELECT outcome FROM kepler.set_retention('kepler.messages', '2 years', workspace_id => 'acme');
SELECT outcome FROM kepler.set_retention('kepler.messages', '2 years', workspace_id => 'acme');
SELECT workspace_id, keep, row_count, is_estimate, oldest_at, problem, missing_index FROM kepler.retention_report();
CALL kepler.run_retention('10 seconds');
SELECT workspace_id, row_count, deleted_rows, kept_rows, last_succeeded_at IS NOT NULL AS has_run FROM kepler.retention_report();
SELECT workspace_id, count(*) FROM kepler.messages WHERE content = 'old' GROUP BY 1;
SELECT outcome FROM kepler.set_retention('kepler.messages', '3 years', workspace_id => NULL);
SELECT workspace_id, row_count FROM kepler.retention_report() ORDER BY workspace_id;
CALL kepler.run_retention('10 seconds');
SELECT workspace_id, row_count, deleted_rows FROM kepler.retention_report() ORDER BY workspace_id;
SELECT outcome FROM kepler.set_retention('kepler.messages', '3 years', time_column => 'content');
\echo :LAST_ERROR_SQLSTATE
SELECT kepler.drop_retention(policy_id) FROM kepler.retention_report();
SELECT count(*) FROM kepler.retention_report();

\echo == What is tracked, and what deletions leave
SELECT kepler.track('kepler.users') AS tracked, kepler.track('kepler.users') AS again;
INSERT INTO kepler.users (workspace_id, id, email) VALUES ('acme', 'tracked', 'tracked@example.com');
SELECT count(*) FROM kepler.changes_since(workspace_id => 'acme') WHERE relation = 'kepler.users';
SELECT kepler.untrack('kepler.users') AS untracked, kepler.untrack('kepler.users') AS again;
DELETE FROM kepler.users WHERE workspace_id = 'acme' AND id = 'tracked';
INSERT INTO kepler.workflows (workspace_id, id, name, user_id) VALUES ('acme', 'flow', 'flow', 'u');
SELECT count(*) FROM kepler.start_execution('flow', workspace_id => 'acme');
DELETE FROM kepler.executions WHERE workspace_id = 'acme';

\echo == Secrets in what is stored
SET kepler.on_secret = 'allow';
SELECT kepler.remember('my key is ' || 'sk_' || 'live_51H8xJ2eZvKYlo2C0abcdEFGH', workspace_id => 'globex') IS NOT NULL AS remembered;
RESET kepler.on_secret;
SELECT kepler.remember('my key is ' || 'sk_' || 'live_51H8xJ2eZvKYlo2C0abcdEFGH', workspace_id => 'globex');
\echo :LAST_ERROR_SQLSTATE
BEGIN;
SET LOCAL kepler.on_secret = 'allow';
SELECT kepler.remember('my key is ' || 'sk_' || 'live_51H8xJ2eZvKYlo2C0abcdEFGH too', workspace_id => 'globex') IS NOT NULL AS remembered;
SET LOCAL kepler.on_secret = 'refuse';
SELECT kepler.remember('my key is ' || 'sk_' || 'live_51H8xJ2eZvKYlo2C0abcdEFGH three', workspace_id => 'globex') IS NOT NULL AS remembered;
\echo :LAST_ERROR_SQLSTATE
ROLLBACK;
SELECT key - 'id' AS key, column_name, path, kind, certainty FROM kepler.find_secrets('kepler.memories');
SELECT count(*) FROM kepler.find_secrets('kepler.workspaces');
SELECT count(*) FROM kepler.find_secrets('staging');

\echo == A workspace out, and in under another name
CREATE TABLE archive (number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, line text);
INSERT INTO archive (line) SELECT kepler.export_workspace('acme');
SELECT relation, rows FROM kepler.import_workspace('archive', workspace_id => 'acme') ORDER BY relation::text;
\echo :LAST_ERROR_SQLSTATE
SELECT relation, rows FROM kepler.import_workspace('archive', workspace_id => 'copy') ORDER BY relation::text;
SELECT (SELECT count(*) FROM kepler.records AS r WHERE r.workspace_id = 'acme') = (SELECT count(*) FROM kepler.records AS r WHERE r.workspace_id = 'copy') AS is_same;
SELECT outcome FROM kepler.upsert_records('contact', '[{"external_id": "1", "data": {"n": 5000}}]', workspace_id => 'copy');
SELECT count(*) FROM (SELECT line FROM kepler.export_workspace('copy') AS line WHERE line LIKE '{"table":%') AS c;
SELECT relation, rows FROM kepler.workspace_report('copy') WHERE rows > 0 AND is_exported ORDER BY relation::text;

\echo == Vectors in a table that is distributed
ALTER TABLE kepler.conversations ADD COLUMN about vector(3);
UPDATE kepler.conversations SET about = '[1, 2, 3]' WHERE workspace_id = 'acme' AND id = 'talk';
UPDATE kepler.conversations SET about = '[1, 2, 4]' WHERE workspace_id = 'globex' AND id = 'talk';
UPDATE kepler.conversations SET about = '[3, 2, 1]' WHERE workspace_id = 'copy' AND id = 'talk';
SELECT document ->> 'workspace_id' AS workspace, document ->> 'id' AS id, round(similarity::numeric, 3) AS similarity, exhausted, vector_rank
    FROM kepler.search_vectors('kepler.conversations', 'about', '[1, 2, 3]', 2);
SELECT document ->> 'workspace_id' AS workspace, document ->> 'id' AS id, exhausted, vector_rank
    FROM kepler.search_vectors('kepler.conversations', 'about', '[1, 2, 3]', 2, '{"workspace_id": "globex"}');
SELECT row_count FROM kepler.last_search();

SELECT content FROM kepler.search_memories(query_text => 'key', workspace_id => 'globex');
SELECT * FROM kepler.last_search();
SELECT content FROM kepler.search_memories(query_text => 'nothing of this', workspace_id => 'globex');
SELECT * FROM kepler.last_search();
SELECT content FROM kepler.search_memories(workspace_id => 'globex');
SELECT * FROM kepler.last_search();

\echo == Calls beside tables of their workspace
SELECT t.id, w.content FROM kepler.conversations AS t, kepler.conversation_window(t.id, workspace_id => 'acme') AS w WHERE t.workspace_id = 'acme' ORDER BY 1, 2;
SELECT outcome FROM kepler.upsert_records('contact', (SELECT jsonb_agg(jsonb_build_object('external_id', r.external_id || ' beside', 'data', r.data))::text
    FROM kepler.records AS r WHERE r.workspace_id = 'globex' AND r.external_id = '1'), workspace_id => 'globex');
WITH c AS (SELECT lease_id, record_id FROM kepler.claim_records('lead', 'w', 2, workspace_id => 'acme'))
    SELECT count(*) FROM c JOIN kepler.records AS r ON r.workspace_id = 'acme' AND r.id = c.record_id;

\echo == Erasing people, deleting workspaces
SELECT relation, outcome, rows FROM kepler.erase_user('u', workspace_id => 'copy');
SELECT relation, outcome, rows FROM kepler.erase_user('u', workspace_id => 'copy');
SELECT kepler.export_user('u', workspace_id => 'copy') IS NULL;
\echo :LAST_ERROR_SQLSTATE
SELECT count(*) FILTER (WHERE user_id IS NOT NULL) AS named, count(*) FROM kepler.messages WHERE workspace_id = 'copy';
CALL kepler.delete_workspace('copy');
\echo :LAST_ERROR_SQLSTATE
CALL kepler.delete_workspace('copy', true, max_rows => 7);
CALL kepler.delete_workspace('copy');
\echo :LAST_ERROR_SQLSTATE
SELECT count(*) FROM kepler.records WHERE workspace_id = 'copy';
SELECT id FROM kepler.workspaces ORDER BY 1;
CALL kepler.delete_workspace('default', true);
\echo :LAST_ERROR_SQLSTATE

\echo == What is done with secrets, as the session says
SET kepler.on_secret = 'redact';
UPDATE kepler.users SET metadata = '{"password": "hunter2hunter2"}' WHERE workspace_id = 'acme' AND id = 'u';
SELECT metadata FROM kepler.users WHERE workspace_id = 'acme' AND id = 'u';
BEGIN;
UPDATE kepler.users SET metadata = '{"password": "hunter2hunter3"}' WHERE workspace_id = 'acme' AND id = 'u';
RESET kepler.on_secret;
UPDATE kepler.users SET metadata = '{"password": "hunter2hunter4"}' WHERE workspace_id = 'acme' AND id = 'u';
\echo :LAST_ERROR_SQLSTATE
ROLLBACK;

\echo == Calls in statements on distributed tables, which name no workspace, in a transaction that has worked in others
BEGIN;
SELECT kepler.use_workspace('globex');
SELECT count(*) > 0 AS some FROM kepler.records AS r, LATERAL kepler.current_workspace_id() AS w (id) WHERE r.workspace_id = 'globex' AND w.id = 'globex';
SELECT kepler.count_memories(workspace_id => 'acme') >= 0 AS counted;
SELECT DISTINCT kepler.current_workspace_id() FROM kepler.records AS r WHERE r.workspace_id = 'acme' AND r.external_id IS NOT NULL;
SELECT DISTINCT w.id FROM kepler.records AS r, LATERAL (SELECT kepler.current_workspace_id() || left(r.id, 0)) AS w (id) WHERE r.workspace_id = 'acme';
COMMIT;
BEGIN;
SELECT kepler.count_memories(workspace_id => 'acme') >= 0 AS counted;
SELECT DISTINCT w.id FROM kepler.records AS r, LATERAL (SELECT kepler.current_workspace_id() || left(r.id, 0)) AS w (id) WHERE r.workspace_id = 'acme';
COMMIT;

\echo == Searches among other values
SELECT (kepler.search_memories(query_text => 'key', workspace_id => 'acme')).content;
SELECT kepler.search_memories(query_text => 'nothing like this', workspace_id => 'acme') IS NULL;
SELECT plan, exhausted FROM kepler.last_search();

\echo == Embedding spaces: who searches them, and what their indexes would be for
SELECT kepler.create_embedding_space('calls', dimensions => 2, model => 'm');
SELECT kepler.retire_embedding_space('calls');
SELECT kepler.create_embedding_space('other', dimensions => 2, model => 'm');
INSERT INTO kepler_data.other_embeddings (workspace_id, memory_id, embedding) SELECT m.workspace_id, m.id, '[1, 1]' FROM kepler.memories AS m;
INSERT INTO kepler_data.other_message_embeddings (workspace_id, message_id, embedding) SELECT m.workspace_id, m.id, '[1, 1]' FROM kepler.messages AS m;
SELECT count(kepler.activate_embedding_space('other', workspace_id => w.id)::text) > 0 AS activated FROM (SELECT w.id FROM kepler.workspaces AS w) AS w;
SELECT kepler.retire_embedding_space('calls');
SELECT kepler.drop_embedding_space('calls');
SELECT outcome, count(*) FROM kepler.remember_many((
    SELECT jsonb_agg(jsonb_build_object('content', 'memory ' || i, 'embedding', CASE WHEN i < 60 THEN '[1, 1]' ELSE format('[1, %s]', i) END::jsonb))
    FROM generate_series(1, 100) AS i), workspace_id => 'acme') GROUP BY outcome;
ANALYZE kepler_data.other_embeddings, kepler_data.other_message_embeddings;
CREATE INDEX other_hnsw ON kepler_data.other_embeddings USING hnsw (embedding vector_cosine_ops);
SELECT relation, row_count, advice, reason FROM kepler.index_advice('kepler_data.other_embeddings');
SELECT relation, row_count, advice, reason FROM kepler.index_advice('kepler_data.other_message_embeddings');

\echo == Times as other sessions write them
SET datestyle = 'SQL, DMY';
SET intervalstyle = 'sql_standard';
PREPARE dated (timestamptz) AS INSERT INTO kepler.users (workspace_id, id, email, created_at) VALUES ('acme', 'dated', 'dated@example.com', $1);
EXECUTE dated ('05/03/2026 12:00 UTC');
PREPARE since (timestamptz) AS SELECT count(*) FROM kepler.users WHERE workspace_id = 'acme' AND id = 'dated' AND created_at > $1;
EXECUTE since ('04/03/2026 12:00 UTC');
EXECUTE since ('06/03/2026 12:00 UTC');
BEGIN;
UPDATE kepler.users SET created_at = '07/03/2026 12:00 UTC' WHERE workspace_id = 'acme' AND id = 'dated';
EXECUTE since ('06/03/2026 12:00 UTC');
COMMIT;
CREATE TABLE dated (id integer, at timestamptz, PRIMARY KEY (id, at));
INSERT INTO dated VALUES (1, '05/03/2016'), (2, clock_timestamp());
SELECT kepler.set_retention('dated', '90 days', 'at', filter => NULL);
CALL kepler.run_retention('2 seconds');
SELECT id FROM dated;
SELECT deleted_rows, problem FROM kepler.retention_report() WHERE relation = 'public.dated';
RESET datestyle;
RESET intervalstyle;
SELECT created_at AT TIME ZONE 'UTC' FROM kepler.users WHERE workspace_id = 'acme' AND id = 'dated';

\echo == A role that has been granted rights by hand
GRANT USAGE ON SCHEMA kepler TO kepler_calls_hand;
GRANT EXECUTE ON FUNCTION kepler.current_workspace_id() TO kepler_calls_hand;
GRANT SELECT, INSERT, UPDATE ON kepler.connections TO kepler_calls_hand;
BEGIN;
SET LOCAL ROLE kepler_calls_hand;
SET LOCAL kepler.actor = 'somebody';
SET LOCAL datestyle = 'SQL, DMY';
INSERT INTO kepler.connections (id, name, reference_id) VALUES ('hand', 'by hand', 'h');
UPDATE kepler.connections SET name = 'again' WHERE id = 'hand';
SELECT workspace_id, name FROM kepler.connections WHERE id = 'hand';
COMMIT;
SELECT workspace_id, name FROM kepler.connections WHERE id = 'hand';

\echo == Statements of roles under row security that name no workspace
SET kepler.workspace_id = 'acme';
SELECT outcome FROM kepler.upsert_records('own', '[{"external_id": "1", "data": {"n": 1}}, {"external_id": "2", "data": {"n": 2, "of": "1"}}, {"external_id": "3", "data": {"n": 3, "of": "2"}}]');
INSERT INTO kepler.users (workspace_id, id, email) VALUES ('acme', 'own 1', '1@example.com'), ('acme', 'own 4', '4@example.com');
SET kepler.workspace_id = 'globex';
SELECT outcome FROM kepler.upsert_records('own', '[{"external_id": "1", "data": {"n": 10}}]');
INSERT INTO kepler.users (workspace_id, id, email) VALUES ('globex', 'own 1', '1@example.org');
RESET kepler.workspace_id;
-- Citus tells of what is on this node alone.
SET client_min_messages = error;
CREATE FUNCTION own_sum() RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT sum((r.data ->> 'n')::integer) FROM kepler.records AS r WHERE r.entity_type = 'own'); END $$;
CREATE FUNCTION own_count() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM kepler.records AS r WHERE r.entity_type = 'own'; END;
CREATE FUNCTION twice_in(other text) RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE
    sums bigint[];
BEGIN
    PERFORM kepler.use_workspace('acme', false);
    sums := ARRAY[own_sum()];
    PERFORM kepler.use_workspace(other, false);
    RETURN sums || own_sum();
EXCEPTION WHEN OTHERS THEN
    RETURN ARRAY[-1];
END
$$;
SET ROLE kepler_calls_all;
SELECT kepler.use_workspace('acme', false);
SELECT r.external_id, o.external_id AS of FROM kepler.records AS r LEFT JOIN kepler.records AS o ON o.entity_type = 'own' AND o.external_id = r.data ->> 'of' WHERE r.entity_type = 'own' ORDER BY 1;
SELECT u.id, r.external_id FROM kepler.users AS u LEFT JOIN kepler.records AS r ON r.entity_type = 'own' AND 'own ' || r.external_id = u.id WHERE u.id LIKE 'own%' ORDER BY 1;
SELECT u.id, r.external_id FROM kepler.users AS u FULL JOIN kepler.records AS r ON 'own ' || r.external_id = u.id AND r.entity_type = 'own' WHERE u.id LIKE 'own%' OR r.entity_type = 'own' ORDER BY 1, 2;
SELECT external_id FROM kepler.records AS r WHERE entity_type = 'own' AND EXISTS (SELECT FROM kepler.users AS u WHERE u.id = 'own ' || r.external_id);
SELECT external_id FROM kepler.records AS r WHERE entity_type = 'own' AND NOT EXISTS (SELECT FROM kepler.users AS u WHERE u.id = 'own ' || r.external_id) ORDER BY 1;
WITH RECURSIVE up AS (SELECT external_id, data, 0 AS depth FROM kepler.records WHERE entity_type = 'own' AND external_id = '3'
    UNION ALL SELECT r.external_id, r.data, depth + 1 FROM up JOIN kepler.records AS r ON r.entity_type = 'own' AND r.external_id = up.data ->> 'of')
SELECT external_id, depth FROM up ORDER BY 2;
SELECT external_id, sum((data ->> 'n')::integer) OVER (ORDER BY external_id) FROM kepler.records WHERE entity_type = 'own' ORDER BY 1;
SELECT external_id FROM kepler.records WHERE entity_type = 'own' UNION SELECT id FROM kepler.users WHERE id LIKE 'own%' ORDER BY 1;
SELECT external_id FROM kepler.records WHERE entity_type = 'own' ORDER BY 1 FOR UPDATE;
SELECT external_id FROM kepler.records WHERE entity_type = 'own' ORDER BY 1 LIMIT 1 FOR UPDATE SKIP LOCKED;
SELECT u.outcome FROM kepler.upsert_records('own copy', (SELECT jsonb_agg(jsonb_build_object('external_id', r.external_id, 'data', r.data)) FROM kepler.records AS r WHERE r.entity_type = 'own')) AS u ORDER BY 1;
SELECT r.external_id, h.outcome FROM kepler.records AS r, kepler.upsert_record('own again', r.external_id, r.data) AS h WHERE r.entity_type = 'own' ORDER BY 1;
SELECT count(*) FROM kepler.records WHERE entity_type LIKE 'own%';
INSERT INTO kepler.users (workspace_id, id, email) VALUES ('acme', 'own copy', 'c@example.com'), ('acme', 'own other copy', 'o@example.com');
UPDATE kepler.users AS u SET email = r.external_id || '@example.net' FROM kepler.records AS r WHERE 'own ' || r.external_id = u.id AND r.entity_type = 'own' RETURNING u.id, u.email;
WITH gone AS (DELETE FROM kepler.users WHERE id LIKE 'own%copy' RETURNING id) SELECT count(*) FROM gone;
DELETE FROM kepler.users AS u USING kepler.records AS r WHERE r.entity_type = 'own' AND u.id = 'own ' || r.external_id RETURNING u.id;
PREPARE own (text) AS SELECT workspace_id, data ->> 'n' AS n FROM kepler.records WHERE entity_type = 'own' AND external_id = $1;
PREPARE own_all AS SELECT workspace_id, count(*) FROM kepler.records WHERE entity_type = 'own' GROUP BY 1 ORDER BY 1;
EXECUTE own ('1');
EXECUTE own ('1');
EXECUTE own ('1');
EXECUTE own ('1');
EXECUTE own ('1');
EXECUTE own ('1');
EXECUTE own ('1');
EXECUTE own_all;
SELECT own_sum(), own_count();
BEGIN;
SELECT kepler.use_workspace('globex');
EXECUTE own ('1');
EXECUTE own_all;
SELECT own_sum(), own_count();
SELECT external_id FROM kepler.records WHERE entity_type = 'own' FOR UPDATE;
SAVEPOINT a;
SELECT kepler.use_workspace('acme');
\echo :LAST_ERROR_SQLSTATE
ROLLBACK TO a;
EXECUTE own_all;
ROLLBACK;
EXECUTE own ('1');
EXECUTE own_all;
SELECT own_sum(), own_count();
SELECT twice_in('globex');
SELECT twice_in('acme');
SET plan_cache_mode = force_generic_plan;
SELECT kepler.use_workspace('globex', false);
EXECUTE own ('1');
EXECUTE own_all;
SELECT own_sum(), own_count();
SELECT kepler.use_workspace('acme', false);
EXECUTE own ('1');
EXECUTE own_all;
SELECT own_sum(), own_count();
RESET plan_cache_mode;
BEGIN;
DECLARE c CURSOR FOR SELECT external_id FROM kepler.records WHERE entity_type = 'own' ORDER BY 1;
FETCH 1 FROM c;
FETCH ALL FROM c;
COMMIT;
RESET ROLE;
-- The same statements of one session, as whom policies hold for and as whom they do not.
EXECUTE own_all;
SET ROLE kepler_calls_all;
EXECUTE own_all;
RESET ROLE;
RESET kepler.workspace_id;
CREATE VIEW own_view WITH (security_invoker) AS SELECT workspace_id, external_id FROM kepler.records WHERE entity_type = 'own';
GRANT SELECT ON own_view TO kepler_calls_all;
SET ROLE kepler_calls_all;
SELECT kepler.use_workspace('globex', false);
SELECT count(*) FROM own_view;
SELECT count(*) FROM own_view JOIN kepler.records AS r USING (workspace_id, external_id) WHERE r.entity_type = 'own';
RESET ROLE;
RESET kepler.workspace_id;
RESET client_min_messages;
DELETE FROM kepler.users WHERE id LIKE 'own%';

\echo == TRUNCATE
TRUNCATE kepler.enrichment_attempts;
SELECT count(*) FROM kepler.enrichment_attempts;

\echo == Procedures
CALL kepler.maintain('2 seconds');
CALL kepler.queue_backlog('lead', workspace_id => 'acme');
SELECT count(*) FROM kepler.doctor() WHERE severity = 'error';
SELECT kepler.erase_user('u', workspace_id => 'globex') IS NOT NULL AS erased;
CALL kepler.delete_workspace('globex', true);
SELECT count(*) FROM kepler.records WHERE workspace_id = 'globex';
SELECT count(*) > 0 AS there FROM kepler.records WHERE workspace_id = 'acme';
