-- A run logs its steps: each element of a batch is answered, a repeated batch changes nothing, and after the
-- end nothing is logged.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
INSERT INTO kepler.users (id, email) VALUES ('ada', 'ada@example.com');
INSERT INTO kepler.workflows (id, user_id, name) VALUES ('w', 'ada', 'w');
CREATE TEMP TABLE run AS SELECT * FROM kepler.start_execution('w');
CREATE FUNCTION pg_temp.add(steps jsonb) RETURNS TABLE (ordinal integer, number integer, outcome text, error_code text, error text)
LANGUAGE sql AS $$ SELECT s.ordinal, s.number, s.outcome, s.error_code, s.error FROM run AS r, kepler.add_execution_steps(r.execution_id, r.token, steps) AS s $$;
CREATE TEMP VIEW log AS
SELECT s.number, s.name, s.status, s.input, s.output, s.error, s.started_at IS NOT NULL AS started, s.ended_at IS NOT NULL AS ended
FROM kepler.execution_steps AS s JOIN run AS r USING (execution_id) ORDER BY s.number;

-- Without a number they follow one another.
SELECT * FROM pg_temp.add('[
    {"name": "fetch mail", "input": {"label": "inbox"}, "output": [1, 2],
     "started_at": "2024-05-01T10:00:00Z", "ended_at": "2024-05-01T12:00:01.5+02:00"},
    {"name": "post to Slack", "status": "RUNNING"}]');
TABLE log;
SELECT ended_at - started_at AS took FROM kepler.execution_steps WHERE name = 'fetch mail';

-- A running step is changed by its number; what the element does not speak of stays.
SELECT * FROM pg_temp.add('[{"number": 2, "name": "post to Slack", "status": "RUNNING", "input": {"channel": "#ops"}}]');
SELECT * FROM pg_temp.add('[
    {"number": 2, "name": "post to Slack", "status": "FAILURE", "error": "channel_not_found"},
    {"name": "tell Ada", "status": "SKIPPED", "input": null}, {"number": 7, "name": "last"}, {"name": "after the last"}]');
TABLE log;

-- A repetition with numbers changes nothing, and what has ended stays.
SELECT * FROM pg_temp.add('[
    {"number": 2, "name": "post to Slack", "status": "FAILURE", "error": "channel_not_found"},
    {"number": 1, "name": "fetch mail", "output": [1, 2, 3]}]');

-- Bad elements are rejected by themselves.
SELECT * FROM pg_temp.add('[
    7, {}, {"name": " "}, {"name": "x", "numer": 1}, {"name": "x", "number": 0}, {"name": "x", "number": "1"},
    {"name": "x", "number": 1.5}, {"name": "x", "number": 99999999999}, {"name": "x", "status": "DONE"},
    {"name": "x", "started_at": "yesterday"}, {"name": "x", "ended_at": "2024-05-01T10:00:00+24:00"}, {"name": "x", "ended_at": "2024-13-01T10:00:00Z"},
    {"name": "x", "started_at": "2024-05-01T10:00:00Z", "ended_at": "2024-05-01T09:00:00Z"},
    {"name": "x", "status": "RUNNING", "ended_at": "2024-05-01T09:00:00Z"},
    {"name": "twenty", "number": 20}, {"name": "twenty again", "number": 20}, {"name": "lands"}]');
SELECT number, name FROM log WHERE number > 8;
SELECT count(*) FROM pg_temp.add('[]');
-- All that is wrong with one is told at once, and for programs each by itself: what is known of the element alone, and
-- what is known beside the others and what is stored.
SELECT s.ordinal, s.error_code, v.violation FROM run AS r, kepler.add_execution_steps(r.execution_id, r.token, '[
    {"name": " ", "number": 0, "status": "RUNNING", "ended_at": "2024-05-01T10:00:00Z", "input": {"a": 01}, "x/y": 1},
    {"name": "x", "number": 20}, {"number": 1, "name": "fetch mail", "status": "FAILURE"}]') AS s, jsonb_array_elements(s.violations) WITH ORDINALITY AS v (violation, place)
ORDER BY s.ordinal, v.place;

-- So are those that cannot be stored, and those that the database refuses: the others land. A failure is always told.
CREATE FUNCTION pg_temp.add_text(steps text) RETURNS TABLE (ordinal integer, number integer, outcome text, error_code text, error text)
LANGUAGE sql AS $$ SELECT s.ordinal, s.number, s.outcome, s.error_code, s.error FROM run AS r, kepler.add_execution_steps(r.execution_id, r.token, steps) AS s $$;
ALTER TABLE kepler.execution_steps ADD CONSTRAINT short CHECK (length(output::text) < 20);
CREATE FUNCTION pg_temp.meddle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.name = 'vanishes' THEN RETURN NULL; END IF;
    IF NEW.name = 'refused' THEN RAISE EXCEPTION 'not today' USING ERRCODE = 'insufficient_privilege'; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER meddle BEFORE INSERT OR UPDATE ON kepler.execution_steps FOR EACH ROW EXECUTE FUNCTION pg_temp.meddle();
SELECT * FROM pg_temp.add_text('[
    {"name": "thirty", "number": 30, "status": "RUNNING"}, {"name": "before"}, {"name": "x", "output": "\u0000"},
    {"name": "long", "output": "a text of more than twenty characters"}, {"name": "refused"}, {"name": "vanishes"},
    {"name": "told", "status": "FAILURE", "error": "read \u0000 and \ud800"},
    {"name": "told too", "status": "FAILURE", "error": {"code": 7}}, {"name": "after"}]');
SELECT * FROM pg_temp.add_text('[{"number": 30, "name": "refused"}, {"name": "last"}]');
SELECT number, name, status, error FROM log WHERE number > 29;
DROP TRIGGER meddle ON kepler.execution_steps;

-- Without the token, in vain. After the end as well.
SELECT s.* FROM run AS r, kepler.add_execution_steps(r.execution_id, 'guessed', '[{"name": "x"}]') AS s;
SELECT * FROM kepler.add_execution_steps('none', 'x', '[{"name": "x"}, {"name": "y"}]');
SELECT (kepler.finish_execution(execution_id, token, 'FAILURE', error => 'channel_not_found')).outcome FROM run;
SELECT * FROM pg_temp.add('[{"name": "late"}, 7]');
SELECT count(*) FROM log;

SELECT * FROM pg_temp.add('7');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM pg_temp.add(NULL);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
ROLLBACK;
