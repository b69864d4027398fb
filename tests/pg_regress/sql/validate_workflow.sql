-- A definition is checked before it is stored: all problems at once, each with its place.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
INSERT INTO kepler.users (id, email) VALUES ('ada', 'ada@example.com'), ('bob', 'bob@example.com');
INSERT INTO kepler.connections (id, name, reference_id, provider, status, user_id) VALUES
    ('gmail', 'Gmail', 'ada', 'Gmail', 'ACTIVE', 'ada'),
    ('slack', 'Slack', 'ada', 'Slack', 'INACTIVE', 'ada'),
    ('notion', 'Notion', 'bob', 'Notion', 'ACTIVE', 'bob');

-- Well.
SELECT * FROM kepler.validate_workflow('ada', trigger => '{"app": "gmail"}', actions => '[{"app": "Gmail", "action": "label"}, {"action": "wait"}]');

-- Not well, in every way.
SELECT * FROM kepler.validate_workflow('ada', '{"app": 7, "actions": {}}', '[
    {"app": "Slack"},
    "post",
    {"provider": "  "},
    {"app": "Gmail", "connection_id": 7},
    {"actions": [{"app": "Notion"}, [], {"connection_id": "notion"}]},
    {"connection_id": "none"},
    {"app": "Slack", "connection_id": "gmail"},
    {"app": "slack"},
    {}, {},
    {"app": "Jira"}
]', required_providers => '{"", Stripe, NULL}');
SELECT * FROM kepler.validate_workflow('ada', '[]', '{}');
SELECT * FROM kepler.validate_workflow('ada', '{}', '[]');
SELECT * FROM kepler.validate_workflow('ada', 'null', 'null');

-- Nesting is bounded.
SELECT code, problem, length(path) > 100 AS deep
FROM kepler.validate_workflow('ada', '{}', (repeat('[{"actions": ', 100) || '[]' || repeat('}]', 100))::jsonb);

-- What is wrong with the call.
SELECT * FROM kepler.validate_workflow('none', '{}', '[]');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.validate_workflow('ada', NULL, '[]');
\echo SQLSTATE :LAST_ERROR_SQLSTATE
SELECT * FROM kepler.validate_workflow('ada', '{}', NULL);
ROLLBACK;
