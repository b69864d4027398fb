-- A run that is silent beyond its deadline is found and becomes ABANDONED. Its worker, when it comes late,
-- cannot change that; what it says is kept.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
INSERT INTO kepler.users (id, email) VALUES ('ada', 'ada@example.com');
INSERT INTO kepler.workflows (id, user_id, name) VALUES ('w', 'ada', 'w'), ('v', 'ada', 'v');
CREATE TEMP TABLE run AS
SELECT n, s.* FROM generate_series(1, 4) AS n, kepler.start_execution('w', 'run ' || n) AS s;
CREATE FUNCTION pg_temp.silence(numbers integer[]) RETURNS void LANGUAGE sql AS $$
    UPDATE kepler.executions AS e SET deadline_at = '2024-01-01 UTC'::timestamptz + r.n * interval '1 day'
    FROM run AS r WHERE r.execution_id = e.id AND r.n = ANY (numbers)
$$;
SELECT * FROM kepler.abandon_executions();

-- The longest overdue first, as many as asked for.
SELECT pg_temp.silence('{1,2,3}');
SELECT r.n, a.workflow_id, a.user_id, a.deadline_at AT TIME ZONE 'UTC' AS deadline
FROM kepler.abandon_executions(max_rows => 1) AS a JOIN run AS r USING (execution_id);
SELECT idempotency_key, status, ended_at IS NOT NULL AS ended FROM kepler.executions ORDER BY 1;

-- Overdue is not yet lost: a heartbeat or a finish that comes first counts.
SELECT kepler.extend_execution(execution_id, token) IS NOT NULL AS alive FROM run WHERE n = 2;
SELECT (kepler.finish_execution(execution_id, token, 'SUCCESS')).outcome FROM run WHERE n = 3;
SELECT * FROM kepler.abandon_executions();

-- Lost: the heartbeat says so, the finish is stale. The first late report is kept.
SELECT kepler.extend_execution(execution_id, token) AS lost FROM run WHERE n = 1;
SELECT (kepler.finish_execution(execution_id, 'guessed', 'SUCCESS', '{"by": "a stranger"}')).outcome FROM run WHERE n = 1;
SELECT (kepler.finish_execution(execution_id, token, 'SUCCESS', '{"sent": 3}')).outcome FROM run WHERE n = 1;
SELECT (kepler.finish_execution(execution_id, token, 'FAILURE', error => 'second thoughts')).outcome FROM run WHERE n = 1;
SELECT status, results, error, late_finish - 'reported_at' AS late_finish, (late_finish ->> 'reported_at')::timestamptz >= ended_at AS later
FROM kepler.executions WHERE idempotency_key = 'run 1';

-- The next start of the workflow looks after it too, and nothing else need run: of this workflow, not of others.
CREATE TEMP TABLE other AS SELECT * FROM kepler.start_execution('v', 'of v');
UPDATE kepler.executions SET deadline_at = '2024-01-01' WHERE idempotency_key = 'of v';
SELECT pg_temp.silence('{2,4}');
SELECT outcome FROM kepler.start_execution('w', 'run 5');
SELECT idempotency_key, status FROM kepler.executions ORDER BY 1;

-- Of one workspace.
INSERT INTO kepler.workspaces (id, name) VALUES ('other', 'other');
SELECT count(*) FROM kepler.abandon_executions(workspace_id => 'other');
SELECT count(*) FROM kepler.abandon_executions(10);

-- A run that cannot be written keeps no other from being abandoned, and its workflow from no start.
CREATE FUNCTION pg_temp.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not this one'; END $$;
CREATE TRIGGER refuse BEFORE UPDATE ON kepler.executions FOR EACH ROW WHEN (NEW.status = 'ABANDONED' AND NEW.id = 'poison') EXECUTE FUNCTION pg_temp.refuse();
INSERT INTO kepler.executions (id, workflow_id, deadline_at)
SELECT id, 'v', '2023-01-01'::timestamptz + n * interval '1 day' FROM unnest(ARRAY['poison', 'first', 'second', 'third', 'fourth']) WITH ORDINALITY AS o (id, n);
SELECT execution_id FROM kepler.abandon_executions(max_rows => 1);
SELECT execution_id FROM kepler.abandon_executions(max_rows => 2);
SELECT outcome FROM kepler.start_execution('v', 'goes on');
SELECT id, status FROM kepler.executions WHERE workflow_id = 'v' AND deadline_at < '2024-01-01' ORDER BY deadline_at;

-- Nor does one that is alive, and whose row cannot be written: refused, kept from being written, or changed back.
CREATE TEMP TABLE alive AS SELECT n, s.* FROM generate_series(1, 5) AS n, kepler.start_execution('v', 'alive ' || n) AS s;
CREATE TEMP TABLE hidden AS SELECT s.* FROM kepler.start_execution('v', 'overdue behind them') AS s;
UPDATE kepler.executions SET next_check_at = '2024-01-01' WHERE id IN (SELECT execution_id FROM alive);
UPDATE kepler.executions SET deadline_at = '2024-01-02' WHERE id IN (SELECT execution_id FROM hidden);
CREATE FUNCTION pg_temp.keep_check() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.idempotency_key = 'alive 1' THEN RAISE EXCEPTION 'not this one'; END IF;
    IF NEW.idempotency_key = 'alive 2' THEN RETURN NULL; END IF;
    IF NEW.idempotency_key = 'alive 3' THEN NEW.next_check_at := OLD.next_check_at; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER keep_check BEFORE UPDATE OF next_check_at ON kepler.executions FOR EACH ROW EXECUTE FUNCTION pg_temp.keep_check();
SET LOCAL statement_timeout = '20s';
SELECT count(*) FROM kepler.abandon_executions(max_rows => 1) AS a JOIN hidden USING (execution_id);
SELECT outcome FROM kepler.start_execution('v', 'goes on still');
SELECT count(*) FROM kepler.abandon_executions();
SELECT e.idempotency_key, e.status, e.next_check_at = e.deadline_at AS moved
FROM kepler.executions AS e JOIN alive AS a ON a.execution_id = e.id ORDER BY a.n;
RESET statement_timeout;
DROP TRIGGER keep_check ON kepler.executions;

-- A heartbeat moves the check when less than half of the timeout is left before it. Others change no index.
CREATE TEMP TABLE beats AS SELECT * FROM kepler.start_execution('w', 'beats', timeout => '1 hour');
SELECT kepler.extend_execution(execution_id, token) IS NOT NULL AS alive FROM beats;
SELECT next_check_at < deadline_at AS kept FROM kepler.executions WHERE idempotency_key = 'beats';
UPDATE kepler.executions SET next_check_at = clock_timestamp() + interval '29 minutes' WHERE idempotency_key = 'beats';
SELECT kepler.extend_execution(execution_id, token) IS NOT NULL AS alive FROM beats;
SELECT next_check_at = deadline_at AS moved FROM kepler.executions WHERE idempotency_key = 'beats';
-- A start locks no run that is alive, however many are due for a check, and finds the one that is overdue behind them.
INSERT INTO kepler.executions (id, workflow_id, deadline_at, next_check_at)
SELECT 'due ' || i, 'w', 'infinity', '2024-01-01' FROM generate_series(1, 150) AS i;
INSERT INTO kepler.executions (id, workflow_id, deadline_at, next_check_at) VALUES ('overdue', 'w', '2024-02-01', '2024-02-01');
SELECT outcome FROM kepler.start_execution('w', 'beside many');
SELECT status, count(*), min(next_check_at) = '2024-01-01' AS due FROM kepler.executions WHERE id LIKE 'due %' OR id = 'overdue' GROUP BY 1 ORDER BY 1;

SELECT * FROM kepler.abandon_executions(0);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.abandon_executions(NULL);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
ROLLBACK;
