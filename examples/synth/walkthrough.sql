-- Synth in six steps: a user, what they have connected, a workflow, its runs, what people say to them, the report.
-- Synth turns a sentence ("tell the team about urgent mail") into a workflow. Its tables users, workflows,
-- executions and connections are Kepler's; this file plays a day of it.
-- Run it in a database where Kepler is installed: psql -f examples/synth/walkthrough.sql
-- It works in a workspace of its own, in a transaction that it rolls back at the end.
\set ON_ERROR_STOP on
BEGIN;
INSERT INTO kepler.workspaces (id, name) VALUES ('synth', 'Synth');
SET LOCAL kepler.workspace_id = 'synth';

\echo
\echo '1. Ada signs in with Google, and connects two apps. The secrets stay where they are.'
INSERT INTO kepler.users (id, email, name, auth_provider, auth_subject)
VALUES ('ada', 'ada@example.com', 'Ada', 'google', '108234');
INSERT INTO kepler.connections (id, user_id, name, reference_id, provider, kind, status, secret_ref, last_verified_at)
VALUES ('ada-gmail', 'ada', 'Gmail', 'ada', 'Gmail', 'OAUTH', 'ACTIVE', 'vault:synth/ada/gmail', now()),
       ('ada-slack', 'ada', 'Slack', 'ada', 'Slack', 'OAUTH', 'INACTIVE', 'vault:synth/ada/slack', NULL);
SELECT kepler.is_connected('ada', 'gmail') AS gmail, kepler.is_connected('ada', 'slack') AS slack;

\echo '2. "Tell the team about urgent mail": is Ada ready for what Synth has planned?'
\set trigger '{"app": "gmail", "event": "new_email", "filter": {"label": "urgent"}}'
\set actions '[{"app": "openai", "action": "summarise"}, {"app": "slack", "action": "post", "channel": "#team"}]'
SELECT path, code, message FROM kepler.validate_workflow('ada', :'trigger', :'actions');
-- Slack is authorised anew, OpenAI connected.
UPDATE kepler.connections SET status = 'ACTIVE', last_verified_at = now() WHERE id = 'ada-slack' AND workspace_id = 'synth';
INSERT INTO kepler.connections (id, user_id, name, reference_id, provider, kind, secret_ref, last_verified_at)
VALUES ('ada-openai', 'ada', 'OpenAI', 'ada', 'OpenAI', 'API_KEY', 'vault:synth/ada/openai', now());
SELECT count(*) AS problems FROM kepler.validate_workflow('ada', :'trigger', :'actions');

\echo '3. The workflow is stored.'
INSERT INTO kepler.workflows (id, user_id, name, intent, trigger, actions)
VALUES ('urgent-mail', 'ada', 'Urgent mail', 'Tell the team about urgent mail', :'trigger', :'actions');
SELECT provider, connected, connection_id, used_by FROM kepler.required_connections('urgent-mail');

\echo '4. A mail comes in. Gmail announces it twice; it is one run.'
SELECT execution_id AS run, token FROM kepler.start_execution('urgent-mail', 'mail 1', timeout => '5 minutes') \gset
SELECT outcome, status, token IS NOT NULL AS token FROM kepler.start_execution('urgent-mail', 'mail 1');
SELECT ordinal, number, outcome FROM kepler.add_execution_steps(:'run', :'token', '[
    {"name": "summarise", "input": {"mail": "mail 1"}, "output": {"summary": "The shop is down."}},
    {"name": "post", "status": "RUNNING", "input": {"channel": "#team"}}]');
SELECT kepler.extend_execution(:'run', :'token') IS NOT NULL AS alive;
SELECT number, outcome FROM kepler.add_execution_steps(:'run', :'token', '[
    {"number": 2, "name": "post", "output": {"ts": "1714557600.0001"}}]');
SELECT (kepler.finish_execution(:'run', :'token', 'SUCCESS', '{"posted": 1}')).outcome;
-- The answer was lost on the way, and the worker reports again.
SELECT (kepler.finish_execution(:'run', :'token', 'SUCCESS', '{"posted": 1}')).outcome;
SELECT number, name, status, input, output FROM kepler.execution_steps
WHERE workspace_id = 'synth' AND execution_id = :'run' ORDER BY number;

\echo 'The second mail fails. The worker of the third dies; somebody finds its run when it is overdue.'
SELECT execution_id AS run, token FROM kepler.start_execution('urgent-mail', 'mail 2') \gset
SELECT (kepler.finish_execution(:'run', :'token', 'FAILURE', error => 'Slack answered: channel_not_found')).outcome;
SELECT execution_id AS run, token FROM kepler.start_execution('urgent-mail', 'mail 3', timeout => '1 millisecond') \gset
SELECT pg_sleep(0.01);
SELECT workflow_id, user_id FROM kepler.abandon_executions();
-- It was not dead after all. It comes too late, and what it says is kept.
SELECT (kepler.finish_execution(:'run', :'token', 'SUCCESS', '{"posted": 1}')).outcome;

\echo '5. Ada has a say. She wants to be asked first, calls one run off, and has the second mail tried again.'
UPDATE kepler.workflows SET actions = '[{"action": "ask"}]' || actions WHERE workspace_id = 'synth' AND id = 'urgent-mail';
SELECT execution_id AS run, token FROM kepler.start_execution('urgent-mail', 'mail 4') \gset
SELECT outcome, number FROM kepler.suspend_execution(:'run', :'token', '{"text": "Post it to the team?"}', user_id => 'ada');
SELECT (kepler.answer_execution(:'run', 1, '{"yes": true}', user_id => 'ada')).outcome;
SELECT token AS second_token, answer FROM kepler.resume_execution(:'run') \gset
SELECT :'answer' AS answer, (kepler.finish_execution(:'run', :'second_token', 'SUCCESS', '{"posted": 1}')).outcome;
SELECT execution_id AS run FROM kepler.start_execution('urgent-mail', 'mail 5') \gset
SELECT (kepler.cancel_execution(:'run', 'Ada has read it herself')).outcome;
SELECT id AS failed FROM kepler.executions WHERE workspace_id = 'synth' AND idempotency_key = 'mail 2' \gset
SELECT outcome FROM kepler.start_execution('urgent-mail', retry_of => :'failed');
SELECT attempt, status, workflow_version, error FROM kepler.execution_retries(:'failed');

\echo '6. How is it doing?'
SELECT idempotency_key, status, results, error, late_finish ->> 'status' AS said_later
FROM kepler.executions WHERE workspace_id = 'synth' ORDER BY idempotency_key;
SELECT name, runs, running, succeeded, failed, abandoned, cancelled, success_rate, p95_duration < '1 minute' AS fast
FROM kepler.execution_report();
ROLLBACK;
