-- Which external systems a workflow needs, whether its user has them, and why not.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
INSERT INTO kepler.users (id, email) VALUES ('ada', 'ada@example.com'), ('bob', 'bob@example.com');
INSERT INTO kepler.connections (id, name, reference_id, provider, status, user_id, last_verified_at) VALUES
    ('gmail', 'Gmail', 'ada', 'Gmail', 'ACTIVE', 'ada', '2024-05-01'),
    ('gmail-2', 'Gmail, second', 'ada', 'gmail', 'ACTIVE', 'ada', '2024-06-01'),
    ('slack', 'Slack', 'ada', 'Slack', 'INACTIVE', 'ada', NULL),
    ('notion', 'Notion', 'bob', 'Notion', 'ACTIVE', 'bob', NULL),
    ('orphan', 'Jira', 'x', 'Jira', 'ACTIVE', NULL, NULL);

-- Apps are named by "app" or "provider", in any case, at any level of actions; each is told once, with its places.
-- The connection is the active one that was verified last.
INSERT INTO kepler.workflows (id, user_id, name, trigger, actions, required_providers) VALUES
('w', 'ada', 'mail to tasks', '{"app": "gmail", "event": "new_email"}', '[
    {"app": "GMAIL", "action": "label"},
    {"provider": "Slack", "action": "post"},
    {"action": "branch", "actions": [{"app": "Notion"}, {"app": "Jira", "params": {"app": "no app of ours"}}]},
    {"action": "wait"}
]', '{Stripe}');
SELECT * FROM kepler.required_connections('w');

-- A connection that a step names by its id is asked for itself.
UPDATE kepler.workflows SET required_providers = '{}', trigger = '{}', actions = '[
    {"app": "Gmail", "connection_id": "gmail"},
    {"connection_id": "gmail-2"},
    {"app": "Slack", "connection_id": "gmail"},
    {"app": "Notion", "connection_id": "notion"},
    {"app": "Gmail", "connection_id": "none"},
    {"connection_id": "slack"}]' WHERE id = 'w';
SELECT * FROM kepler.required_connections('w');

-- Nothing is needed.
INSERT INTO kepler.workflows (id, user_id, name) VALUES ('empty', 'ada', 'empty');
SELECT * FROM kepler.required_connections('empty');

-- Without its user, a workflow has no connection. One that has lost its user serves nobody.
INSERT INTO kepler.workflows (id, name, trigger) VALUES ('ownerless', 'ownerless', '{"app": "Jira"}');
SELECT * FROM kepler.required_connections('ownerless');

-- One question for one app.
SELECT kepler.is_connected('ada', 'gMail') AS gmail, kepler.is_connected('ada', ' slack ') AS slack,
    kepler.is_connected('ada', 'Notion') AS notion, kepler.is_connected('bob', 'Notion') AS of_bob;

-- Who and what must exist, here.
SELECT * FROM kepler.required_connections('none');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.required_connections(NULL);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.required_connections('w', workspace_id => 'elsewhere');
SELECT kepler.is_connected('none', 'Gmail');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT kepler.is_connected('ada', NULL);
\echo SQLSTATE :LAST_ERROR_SQLSTATE
ROLLBACK;
