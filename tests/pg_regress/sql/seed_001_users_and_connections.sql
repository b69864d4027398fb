-- Users and connections hold what seed 001's Synth says of them, and answer what it asks.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
BEGIN;
-- A user: id, email, name, authentication information, account metadata.
INSERT INTO kepler.users (email, name, auth_provider, auth_subject, metadata)
VALUES ('ada@example.com', 'Ada', 'google', '108234', '{"plan": "pro"}');
SELECT id ~ '^[a-z][a-z0-9]{23}$' AS cuid, email, name, auth_provider, auth_subject, metadata, created_at <= now() + interval '1 minute' AS created
FROM kepler.users WHERE email = 'ada@example.com';
-- An address has one account, and a sign-in finds one.
\set VERBOSITY terse
INSERT INTO kepler.users (email) VALUES ('Ada@Example.com');
INSERT INTO kepler.users (email, auth_provider, auth_subject) VALUES ('other@example.com', 'google', '108234');
\set VERBOSITY default

-- A connection: user, app name, status, type, when it was verified, metadata. And no secret: where it lives is a reference.
INSERT INTO kepler.connections (user_id, name, reference_id, provider, kind, status, secret_ref, last_verified_at, metadata)
SELECT u.id, c.app, u.id, c.app, c.kind, c.status::kepler.connection_status, 'vault:synth/' || lower(c.app), c.verified, '{"scopes": ["read"]}'
FROM kepler.users AS u, (VALUES ('Gmail', 'OAUTH', 'ACTIVE', timestamptz '2024-05-01 10:00Z'), ('Stripe', 'API_KEY', 'INACTIVE', NULL)) AS c (app, kind, status, verified)
WHERE u.email = 'ada@example.com';
SELECT c.provider, c.kind, c.status, c.last_verified_at AT TIME ZONE 'UTC' AS verified, c.metadata
FROM kepler.connections AS c JOIN kepler.users AS u ON u.workspace_id = c.workspace_id AND u.id = c.user_id
WHERE u.email = 'ada@example.com' ORDER BY c.provider;
UPDATE kepler.connections SET secret_ref = 'sk_live_0123456789' WHERE provider = 'Stripe';
\echo SQLSTATE :LAST_ERROR_SQLSTATE

-- "Checking if a user has connected a specific app".
SELECT kepler.is_connected(id, 'gmail') AS gmail, kepler.is_connected(id, 'stripe') AS stripe, kepler.is_connected(id, 'Slack') AS slack
FROM kepler.users WHERE email = 'ada@example.com';
-- "Managing user's app connection status".
UPDATE kepler.connections SET status = 'ACTIVE', last_verified_at = now() WHERE provider = 'Stripe';
SELECT kepler.is_connected(id, 'stripe') AS stripe FROM kepler.users WHERE email = 'ada@example.com';
-- "Validating workflow requirements before creation".
SELECT v.* FROM kepler.users AS u, kepler.validate_workflow(u.id, '{"app": "Gmail"}', '[{"app": "Stripe"}, {"app": "Slack"}]') AS v
WHERE u.email = 'ada@example.com';

-- What the tables hold beside it has no place for a token, a key or a password.
SELECT table_name, column_name FROM information_schema.columns
WHERE table_schema = 'kepler' AND table_name IN ('users', 'connections', 'workflows', 'executions', 'execution_steps')
    AND column_name ~ '(secret|token|password|api_?key)' ORDER BY 1, 2;
ROLLBACK;
