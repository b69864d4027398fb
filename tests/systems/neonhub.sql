-- The life of a marketing platform's database, in SQL. Run by neonhub.sh, which passes the blueprint (document), the role of the
-- application (application) and the role that owns Kepler's tables (owner); the answers are in neonhub.out.
\pset null '(null)'
\set QUIET on

-- ### The tables and the rows that they begin with, from one document
\echo '# what the plan holds'
SELECT operation, class, count(*), sum(estimated_rows) AS rows FROM kepler.plan_blueprint(:'document') GROUP BY 1, 2 ORDER BY 1, 2;
\echo '# one call'
SELECT blueprint_name, version, outcome, cardinality(deferred) AS deferred FROM kepler.apply_blueprint(:'document');
\echo '# 75 models and the table of a migration, 17 enums, and what holds for them'
SELECT (SELECT count(*) FROM pg_class WHERE relnamespace = 'neonhub'::regnamespace AND relkind = 'r') AS tables,
    (SELECT count(*) FROM pg_type WHERE typnamespace = 'neonhub'::regnamespace AND typtype = 'e') AS enums,
    (SELECT count(*) FROM pg_constraint WHERE connamespace = 'neonhub'::regnamespace AND contype = 'f') AS "references",
    (SELECT count(*) FROM pg_constraint WHERE connamespace = 'neonhub'::regnamespace AND contype = 'f' AND confdeltype = 'c') AS cascades,
    (SELECT count(*) FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indrelid WHERE c.relnamespace = 'neonhub'::regnamespace AND i.indisunique AND NOT i.indisprimary) AS unique_sets,
    (SELECT count(*) FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indrelid WHERE c.relnamespace = 'neonhub'::regnamespace AND NOT i.indisunique) AS indexes;
\echo '# sets of several fields that are unique'
SELECT i.indrelid::regclass AS table, pg_get_indexdef(i.indexrelid, 1, true) || ', ' || pg_get_indexdef(i.indexrelid, 2, true)
    || coalesce(', ' || nullif(pg_get_indexdef(i.indexrelid, 3, true), ''), '') || coalesce(', ' || nullif(pg_get_indexdef(i.indexrelid, 4, true), ''), '') AS fields
FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indrelid
WHERE c.relnamespace = 'neonhub'::regnamespace AND i.indisunique AND i.indnkeyatts > 1 ORDER BY c.relname COLLATE "C", i.indexrelid::regclass::text COLLATE "C";

\echo '# the rows'
SET search_path = neonhub;
SELECT o.slug, o.plan, b.slug AS brand, u.email, m.status FROM organizations AS o JOIN brands AS b ON b."organizationId" = o.id
JOIN organization_members AS m ON m."organizationId" = o.id JOIN users AS u ON u.id = m."userId";
SELECT p.name AS persona, k.term, k.intent, k.priority FROM keywords AS k JOIN personas AS p ON p.id = k."personaId" ORDER BY 1, 2;
SELECT round(extract(epoch FROM e."publishAt" - now() AT TIME ZONE 'UTC') / 86400) AS days, e.priority, e.status, p.name AS persona, e.title
FROM editorial_calendar AS e JOIN personas AS p ON p.id = e."personaId" ORDER BY 1;
SELECT name, category, "authType", coalesce("authConfig" ->> 'provider', "authConfig" #>> '{fields,0}') AS auth, jsonb_array_length(triggers -> 'events') AS events,
    actions #>> '{primary,0}' AS action, "isVerified" FROM connectors ORDER BY name;
SELECT c.name, a."accountId", a.status, coalesce(a."accessToken", a."refreshToken", a."apiKey", a."apiSecret") AS secret FROM connector_auths AS a JOIN connectors AS c ON c.id = a."connectorId" ORDER BY 1;
SELECT a.slug, a.kind, a.status, (SELECT string_agg(c.name, ', ' ORDER BY c.name) FROM agent_capabilities AS c WHERE c."agentId" = a.id) AS capabilities,
    (SELECT string_agg(s.key, ', ' ORDER BY s.key) FROM agent_configs AS s WHERE s."agentId" = a.id) AS settings,
    (SELECT string_agg(t.slug || ': ' || (t."inputSchema" ->> 'required'), ', ') FROM tools AS t WHERE t."agentId" = a.id) AS tools
FROM agents AS a ORDER BY 1;
\echo '# applied again, nothing is planned, and no row gets another version'
CREATE FUNCTION public.versions_of(relation regclass, OUT count bigint, OUT versions text) LANGUAGE plpgsql AS $$
BEGIN EXECUTE format('SELECT count(*), string_agg(ctid::text || xmin, '','' ORDER BY ctid) FROM %s', relation) INTO count, versions; END $$;
CREATE TEMP TABLE before AS SELECT c.oid::regclass AS relation, v.versions FROM pg_class AS c, public.versions_of(c.oid) AS v
WHERE c.relnamespace = 'neonhub'::regnamespace AND c.relkind = 'r' AND v.count > 0;
SELECT count(*) AS steps FROM kepler.plan_blueprint(:'document') WHERE phase <> 'deferred';
SELECT outcome, steps FROM kepler.apply_blueprint(:'document');
SELECT count(*) AS tables_with_rows, count(*) FILTER (WHERE b.versions <> v.versions) AS changed FROM before AS b, public.versions_of(b.relation) AS v;
SELECT object, kind FROM kepler.blueprint_drift('neonhub') WHERE kind NOT IN ('coverage', 'deferred');

-- ### The application, a role with the level writer
CREATE FUNCTION public.direction(integer) RETURNS public.vector LANGUAGE sql IMMUTABLE AS $$
    -- A vector that points mostly in one of 1,536 directions.
    SELECT array_agg(CASE WHEN i = $1 THEN 1 WHEN i = $1 + 1 THEN 0.1 ELSE 0 END ORDER BY i)::public.vector FROM generate_series(1, 1536) AS i
$$;
\connect - :application
SET search_path = neonhub, public;
SELECT id AS org FROM organizations WHERE slug = 'primary' \gset
SELECT id AS admin FROM users WHERE email = 'admin@neonhub.ai' \gset
SELECT id AS agent FROM agents WHERE slug = 'email-campaign-agent' \gset
SELECT id AS tool FROM tools WHERE slug = 'email-delivery' \gset

\set ON_ERROR_STOP off
\echo '# a keyword is unique whatever its case, in every script'
INSERT INTO keywords (term, intent) VALUES ('Custom NEON Signs', 'commercial');
INSERT INTO keywords (term, intent) VALUES ('ÉCLAIRAGE', 'informational');
INSERT INTO keywords (term, intent) VALUES ('éclairage', 'informational');
SELECT term FROM keywords WHERE kepler.fold(term) = kepler.fold('CUSTOM neon signs');
\echo '# a token is a reference to where it is kept, or it is refused, and not shown'
UPDATE connector_auths SET "accessToken" = 'ya29.A0ARrdaM-k9Vq7L4PzJmT2f0' WHERE "accountId" = 'workspace-primary';
UPDATE connector_auths SET "accessToken" = 'vault:neonhub/gmail/access' WHERE "accountId" = 'workspace-primary';
SELECT "accessToken" FROM connector_auths WHERE "accountId" = 'workspace-primary';
\echo '# a value that its enum does not have'
INSERT INTO agents ("organizationId", name, slug, kind) VALUES (:'org', 'Spy', 'spy', 'SPY');
\set ON_ERROR_STOP on

-- ### An agent at work
\echo '# a run is queued, calls a tool, and ends with figures'
INSERT INTO agent_runs ("agentId", "organizationId", input) VALUES (:'agent', :'org', '{"campaign": "launch", "recipients": 2}') RETURNING id AS run \gset
SELECT status, "startedAt" IS NOT NULL AS started, "completedAt" FROM agent_runs WHERE id = :'run';
UPDATE agent_runs SET status = 'running' WHERE id = :'run';
INSERT INTO tool_executions ("toolId", "agentRunId", status, input, output, "completedAt") SELECT :'tool', :'run', 'succeeded',
    jsonb_build_object('connector', 'gmail', 'recipient', jsonb_build_object('email', format('c%s@example.com', n))), jsonb_build_object('messageId', format('m-%s', n)), now()
FROM generate_series(1, 2) AS n;
INSERT INTO agent_run_metrics ("agentRunId", name, value) VALUES (:'run', 'sent', 2), (:'run', 'tokens', 1834);
UPDATE agent_runs SET status = 'completed', "completedAt" = now(), output = '{"sent": 2}', metrics = '{"latencyMs": 812}' WHERE id = :'run';
SELECT r.status, r.output, r."completedAt" IS NOT NULL AS completed, (SELECT jsonb_object_agg(m.name, m.value) FROM agent_run_metrics AS m WHERE m."agentRunId" = r.id) AS figures,
    (SELECT array_agg(e.output ->> 'messageId' ORDER BY 1) FROM tool_executions AS e WHERE e."agentRunId" = r.id) AS messages
FROM agent_runs AS r WHERE r."agentId" = :'agent' ORDER BY r."startedAt" DESC LIMIT 1;
\echo '# a conversation, in the order of its messages'
INSERT INTO conversations ("organizationId", kind, title, "createdById") VALUES (:'org', 'campaign', 'Launch', :'admin') RETURNING id AS conversation \gset
INSERT INTO messages ("conversationId", "authorId", role, "contentJson", embedding, "createdAt") VALUES
    (:'conversation', :'admin', 'user', '{"text": "Plan the launch"}', direction(1), '2031-01-01 10:00:00'),
    (:'conversation', NULL, 'tool', '{"tool": "email-delivery"}', NULL, '2031-01-01 10:00:01'),
    (:'conversation', NULL, 'assistant', '{"text": "Done"}', direction(7), '2031-01-01 10:00:02');
SELECT role, "contentJson" FROM messages WHERE "conversationId" = :'conversation' ORDER BY "createdAt";

-- ### Vectors
\echo '# what is embedded'
INSERT INTO embedding_spaces ("organizationId", name, provider, model, dimension) VALUES (:'org', 'main', 'openai', 'text-embedding-3-small', 1536) RETURNING id AS space \gset
INSERT INTO datasets ("organizationId", "embeddingSpaceId", name, slug, kind) VALUES (:'org', :'space', 'Handbook', 'handbook', 'documents') RETURNING id AS dataset \gset
INSERT INTO documents ("organizationId", "datasetId", "ownerId", "embeddingSpaceId", title, content) VALUES (:'org', :'dataset', :'admin', :'space', 'Handbook', 'All of it') RETURNING id AS handbook \gset
INSERT INTO chunks ("datasetId", "documentId", "embeddingSpaceId", idx, text, embedding) SELECT :'dataset', :'handbook', :'space', n, format('chunk %s', n), direction(n * 10) FROM generate_series(1, 60) AS n;
INSERT INTO brand_voices ("brandId", "embeddingSpaceId", "promptTemplate", "styleRulesJson", embedding) SELECT b.id, :'space', format('Voice %s', n), '{}', direction(n) FROM brands AS b, generate_series(1, 20) AS n;
INSERT INTO people ("organizationId", "externalId", "displayName") VALUES (:'org', 'crm-1', 'Ada') RETURNING id AS person \gset
INSERT INTO mem_embeddings ("organizationId", "personId", label, embedding) SELECT :'org', :'person', format('memory %s', n), direction(n * 3) FROM generate_series(1, 20) AS n;
INSERT INTO agent_memories (agent, key, content, embedding) SELECT 'email-campaign-agent', format('k%s', n), format('remembers %s', n), direction(n * 5) FROM generate_series(1, 20) AS n;
\set ON_ERROR_STOP off
\echo '# a vector of another length is refused'
INSERT INTO agent_memories (agent, key, content, embedding) VALUES ('a', 'k', 'c', '[1,2,3]');
\set ON_ERROR_STOP on
\connect - :owner
SET search_path = neonhub, public;
SET client_min_messages = error;
\echo '# the indexes, which were put off until there were rows to learn from'
SELECT d.expected FROM kepler.blueprint_drift('neonhub') AS d WHERE d.kind = 'deferred' ORDER BY d.object COLLATE "C" \gexec
SELECT c.relname AS table, a.attname AS field, format_type(a.atttypid, a.atttypmod) AS type, x.relname AS index, m.amname AS method, o.opcname AS operators, x.reloptions AS options
FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indrelid JOIN pg_class AS x ON x.oid = i.indexrelid JOIN pg_am AS m ON m.oid = x.relam
JOIN pg_opclass AS o ON o.oid = i.indclass[0] JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
WHERE c.relnamespace = 'neonhub'::regnamespace AND m.amname IN ('hnsw', 'ivfflat') ORDER BY 1;
SELECT outcome, steps, deferred FROM kepler.apply_blueprint(:'document');
SELECT object, kind FROM kepler.blueprint_drift('neonhub') WHERE kind <> 'coverage';
\connect - :application
SET search_path = neonhub, public;
SET enable_seqscan = off;
SET enable_sort = off;
SET ivfflat.probes = 100;
\echo '# each is searched by its index'
CREATE FUNCTION pg_temp.index_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE plan json;
BEGIN
    EXECUTE 'EXPLAIN (FORMAT json) ' || query INTO plan;
    RETURN substring(plan::text FROM '"Index Name": "([^"]*)"');
END $$;
SELECT t.name, pg_temp.index_of(format('SELECT id FROM %I ORDER BY embedding <=> direction(7) LIMIT 3', t.name)) AS index
FROM unnest('{agent_memories,brand_voices,chunks,mem_embeddings,messages}'::text[]) AS t (name);
SELECT text FROM chunks ORDER BY embedding <=> direction(500) LIMIT 1;
SELECT "promptTemplate" FROM brand_voices ORDER BY embedding <=> direction(12) LIMIT 1;
SELECT label FROM mem_embeddings ORDER BY embedding <=> direction(30) LIMIT 1;
SELECT content FROM agent_memories ORDER BY embedding <=> direction(55) LIMIT 1;
SELECT "contentJson" FROM messages ORDER BY embedding <=> direction(1) LIMIT 1;
RESET enable_seqscan;
RESET enable_sort;

-- ### Money
\echo '# a budget is set aside and spent, with an entry for each movement'
INSERT INTO budget_profiles ("organizationId", name, "totalBudget") VALUES (:'org', '2031', 10000) RETURNING id AS budget \gset
INSERT INTO marketing_campaigns ("organizationId", name, type, "startDate") VALUES (:'org', 'Launch', 'email', '2031-01-01') RETURNING id AS marketing \gset
INSERT INTO budget_allocations ("organizationId", "budgetProfileId", "campaignId", channel, amount) VALUES (:'org', :'budget', :'marketing', 'email', 2500) RETURNING id AS allocation \gset
WITH reserved AS (UPDATE budget_profiles SET reserved = reserved + 2500 WHERE id = :'budget' RETURNING id)
INSERT INTO budget_ledger ("organizationId", "budgetProfileId", "allocationId", "campaignId", "entryType", amount) SELECT :'org', id, :'allocation', :'marketing', 'reserve', 2500 FROM reserved;
UPDATE budget_allocations SET status = 'executing' WHERE id = :'allocation';
WITH spent AS (UPDATE budget_profiles SET reserved = reserved - 40, spent = spent + 40 WHERE id = :'budget' RETURNING id)
INSERT INTO budget_ledger ("organizationId", "budgetProfileId", "allocationId", "campaignId", "entryType", amount) SELECT :'org', id, :'allocation', :'marketing', 'spend', 40 FROM spent;
INSERT INTO campaigns ("organizationId", "ownerId", name, type) VALUES (:'org', :'admin', 'Launch', 'email') RETURNING id AS campaign \gset
INSERT INTO budget_transactions ("campaignId", "organizationId", type, amount, "balanceBefore", "balanceAfter", "createdBy") VALUES
    (:'campaign', :'org', 'allocate', 100, 0, 100, :'admin'), (:'campaign', :'org', 'spend', 40, 100, 60, NULL);
SELECT p."totalBudget", p.reserved, p.spent, a.status, a.currency, (SELECT jsonb_agg(jsonb_build_array(l."entryType", l.amount) ORDER BY l.amount DESC) FROM budget_ledger AS l WHERE l."allocationId" = a.id) AS ledger
FROM budget_profiles AS p JOIN budget_allocations AS a ON a."budgetProfileId" = p.id;
SELECT type, amount, currency, "balanceAfter" FROM budget_transactions ORDER BY amount DESC;
\set ON_ERROR_STOP off
\echo '# a payment intent is booked once'
INSERT INTO payments ("organizationId", "budgetProfileId", "stripePaymentIntentId", status, amount) VALUES (:'org', :'budget', 'pi_1', 'succeeded', 500);
INSERT INTO payments ("organizationId", "budgetProfileId", "stripePaymentIntentId", status, amount) VALUES (:'org', :'budget', 'pi_1', 'succeeded', 500);
\set ON_ERROR_STOP on

-- ### Drift
\connect - :owner
SET search_path = neonhub, public;
\echo '# somebody changes the database by hand, and it says so'
ALTER TABLE agents ALTER COLUMN status SET DEFAULT 'DRAFT', ADD COLUMN nickname text;
DROP INDEX "agent_runs_agentId_startedAt_idx";
ALTER TABLE tools DROP CONSTRAINT "tools_agentId_fkey";
ALTER TYPE "AgentKind" ADD VALUE 'SCOUT';
DELETE FROM keywords WHERE term = 'venue neon signage';
UPDATE connectors SET "isEnabled" = false WHERE name = 'slack';
SELECT object_type, object, kind, left(expected, 70) AS expected, left(actual, 70) AS actual FROM kepler.blueprint_drift('neonhub') WHERE kind <> 'coverage' ORDER BY object_type, object COLLATE "C";
\echo '# the way back, which takes a word where it writes rows anew'
SELECT operation, object, class FROM kepler.repair_blueprint('neonhub') ORDER BY step;
SELECT a.outcome, a.deferred FROM kepler.blueprints AS b JOIN kepler.blueprint_versions AS v ON v.blueprint_name = b.name AND v.version = b.version
CROSS JOIN LATERAL kepler.apply_blueprint(v.document, '{rewrite}') AS a WHERE b.name = 'neonhub';
SELECT object_type, object, kind FROM kepler.blueprint_drift('neonhub') WHERE kind <> 'coverage';
SELECT term FROM keywords WHERE term LIKE 'venue%';
SELECT name, "isEnabled" FROM connectors WHERE name = 'slack';
ALTER TABLE agents DROP COLUMN nickname;
SELECT object_type, object, kind FROM kepler.blueprint_drift('neonhub') WHERE kind <> 'coverage';

-- ### What goes, and what stays
\connect - :application
SET search_path = neonhub, public;
\echo '# an agent goes with its runs, capabilities and settings; its tools stay, and are nobody''s'
DELETE FROM agents WHERE id = :'agent';
SELECT (SELECT count(*) FROM agent_runs) AS runs, (SELECT count(*) FROM agent_run_metrics) AS metrics, (SELECT count(*) FROM agent_capabilities) AS capabilities,
    (SELECT count(*) FROM tools) AS tools, (SELECT count(*) FROM tools WHERE "agentId" IS NULL) AS without_agent, (SELECT count(*) FROM tool_executions) AS executions, (SELECT count(*) FROM tool_executions WHERE "agentRunId" IS NULL) AS without_run;
\echo '# a tool goes with its executions'
DELETE FROM tools WHERE id = :'tool';
SELECT count(*) FROM tool_executions;
\echo '# the organisation goes with all that it owns; who signs in, what anybody may connect, and what an agent remembers stay'
DELETE FROM organizations WHERE id = :'org';
SELECT 'users' AS table, count(*) FROM users UNION ALL SELECT 'agents', count(*) FROM agents UNION ALL SELECT 'messages', count(*) FROM messages UNION ALL SELECT 'chunks', count(*) FROM chunks
UNION ALL SELECT 'budget_ledger', count(*) FROM budget_ledger UNION ALL SELECT 'mem_embeddings', count(*) FROM mem_embeddings UNION ALL SELECT 'connectors', count(*) FROM connectors
UNION ALL SELECT 'connector_auths', count(*) FROM connector_auths UNION ALL SELECT 'agent_memories', count(*) FROM agent_memories UNION ALL SELECT 'personas', count(*) FROM personas ORDER BY 1;
\echo '# the last rows'
DELETE FROM users;
DELETE FROM personas;
DELETE FROM keywords;
DELETE FROM editorial_calendar;
DELETE FROM connectors;
DELETE FROM agent_memories;
SELECT c.relname FROM pg_class AS c, versions_of(c.oid) AS v WHERE c.relnamespace = 'neonhub'::regnamespace AND c.relkind = 'r' AND v.count > 0;
\connect - :owner
DROP FUNCTION public.direction, public.versions_of;
