-- Organisations of a marketing platform as Kepler's workspaces. Run by neonhub_organizations.sh, which passes the blueprint
-- (the file $KEPLER_DOCUMENT), the example's library (library) and the role of the application (application); the answers are in
-- neonhub_organizations.out.
\pset null '(null)'
\set QUIET on
\set document `cat "$KEPLER_DOCUMENT"`

-- ### The tables, the organisation of the seed, and the library
\echo '# one call'
INSERT INTO kepler.workspaces (id, name) VALUES ('primary', 'NeonHub');
SELECT outcome, cardinality(deferred) AS deferred FROM kepler.apply_blueprint(:'document');
\echo '# again'
SELECT outcome, steps FROM kepler.apply_blueprint(:'document');
\i :library
\set ON_ERROR_STOP off
\echo '# whose rows the tables hold: by policy'
SELECT coalesce(pg_get_expr(p.polqual, p.polrelid), '(all see all)') AS policy, count(*) AS tables,
    CASE WHEN count(*) < 6 THEN string_agg(c.relname, ', ' ORDER BY c.relname COLLATE "C") END AS names
FROM pg_class AS c LEFT JOIN pg_policy AS p ON p.polrelid = c.oid AND p.polpermissive AND p.polname = 'workspace'
WHERE c.relnamespace = 'neonhub'::regnamespace AND c.relkind = 'r' AND (p.oid IS NOT NULL OR NOT c.relrowsecurity)
GROUP BY 1 ORDER BY 1;
\echo '# what was made by hand beside the document is told, and is no change to make'
SELECT kind, object_type, count(*) FROM kepler.blueprint_drift('neonhub') GROUP BY 1, 2 ORDER BY 1, 2;
SELECT count(*) FROM kepler.plan_blueprint(:'document');

-- ### People and organisations
SET ROLE :application;
SET search_path = neonhub, neonhub_access, public;
\echo '# outside of an organisation, the application sees no rows of any'
SELECT (SELECT count(*) FROM organizations) AS organizations, (SELECT count(*) FROM organization_members) AS members,
    (SELECT count(*) FROM agents) AS agents, (SELECT count(*) FROM users) AS people, (SELECT count(*) FROM connectors) > 0 AS connectors;
RESET ROLE;
INSERT INTO users (id, email, name) VALUES ('ada', 'ada@example.org', 'Ada'), ('bob', 'bob@example.org', 'Bob'), ('eve', 'eve@example.org', 'Eve');
SET ROLE :application;
SELECT create_organization('acme', 'Acme', person_of('ada@example.org'), '{campaigns:write,campaigns:read,members:write}') AS acme \gset
SELECT create_organization('globex', 'Globex', person_of('eve@example.org'), '{campaigns:write,campaigns:read}') AS globex \gset

\echo '# Ada owns Acme, and makes Bob an editor there'
BEGIN;
SELECT enter_organization('ada', :'acme') = :'acme' AS entered;
INSERT INTO organization_roles (slug, name) VALUES ('editor', 'Editor');
INSERT INTO role_permissions ("roleId", "permissionId")
SELECT r.id, p.id FROM organization_roles AS r, organization_permissions AS p WHERE r.slug = 'editor' AND p.key LIKE 'campaigns:%';
INSERT INTO organization_members ("userId", "roleId") SELECT 'bob', id FROM organization_roles WHERE slug = 'editor';
SELECT person_id, role, string_agg(permission, ', ' ORDER BY permission) AS permissions FROM member_permissions GROUP BY 1, 2 ORDER BY 1;
COMMIT;
\echo '# Eve owns Globex, and lets Bob read there'
BEGIN;
SELECT enter_organization('eve', :'globex') = :'globex' AS entered;
WITH role AS (INSERT INTO organization_roles (slug, name) VALUES ('reader', 'Reader') RETURNING id),
    permission AS (INSERT INTO role_permissions ("roleId", "permissionId") SELECT role.id, p.id FROM role, organization_permissions AS p WHERE p.key = 'campaigns:read')
INSERT INTO organization_members ("userId", "roleId") SELECT 'bob', id FROM role;
SELECT person_id, role, string_agg(permission, ', ' ORDER BY permission) AS permissions FROM member_permissions GROUP BY 1, 2 ORDER BY 1;
COMMIT;
\echo '# the organisations of Bob, for his sign-in'
SELECT slug, role FROM organizations_of(person_of('bob@example.org'));

-- ### A role in each
\echo '# in Acme, Bob writes campaigns'
BEGIN;
SELECT enter_organization('bob', :'acme') = :'acme' AS entered, has_permission('campaigns:write') AS may_write, has_permission('members:write') AS may_invite;
INSERT INTO campaigns ("ownerId", name, type) VALUES ('bob', 'Spring in Acme', 'email');
INSERT INTO agents (name, slug, kind) VALUES ('Writer', 'writer', 'COPILOT') RETURNING id AS agent \gset
INSERT INTO agent_runs ("agentId", input) VALUES (:'agent', '{}') RETURNING id AS run \gset
INSERT INTO agent_run_metrics ("agentRunId", name, value) VALUES (:'run', 'tokens', 12);
INSERT INTO agent_memories (agent, key, content, embedding) VALUES ('writer', 'tone', 'Acme is formal', array_fill(0.1, '{1536}')::vector);
INSERT INTO audit_logs ("userId", action) VALUES ('bob', 'campaign.created');
SELECT kepler.use_workspace(:'acme') = :'acme' AS again;
SELECT outcome FROM kepler.remember('Acme sells anvils'::text);
COMMIT;
\echo '# in Globex, Bob reads, and what he wrote elsewhere is not there'
BEGIN;
SELECT enter_organization('bob', :'globex') = :'globex' AS entered, has_permission('campaigns:write') AS may_write, has_permission('campaigns:read') AS may_read;
SELECT (SELECT count(*) FROM campaigns) AS campaigns, (SELECT count(*) FROM agents) AS agents, (SELECT count(*) FROM agent_run_metrics) AS metrics,
    (SELECT count(*) FROM agent_memories) AS notes, (SELECT count(*) FROM kepler.search_memories(query_text => 'anvils')) AS memories;
SELECT slug FROM organizations;
SELECT id FROM users ORDER BY id;
SAVEPOINT before;
INSERT INTO campaigns ("ownerId", name, type) VALUES ('bob', 'Spring in Globex', 'email');
ROLLBACK TO before;
\echo '# nor can he reach into Acme from here, with its ids'
WITH stolen AS (UPDATE agents SET name = 'Stolen' WHERE id = :'agent' RETURNING id), gone AS (DELETE FROM organizations WHERE id = :'acme' RETURNING id)
SELECT (SELECT count(*) FROM stolen) AS stolen, (SELECT count(*) FROM gone) AS gone;
INSERT INTO audit_logs ("organizationId", action) VALUES (:'acme', 'forged');
ROLLBACK TO before;
UPDATE organization_members SET "organizationId" = :'acme' WHERE "userId" = 'bob';
ROLLBACK TO before;
\set VERBOSITY sqlstate
SELECT enter_organization('bob', :'acme');
\set VERBOSITY terse
ROLLBACK;
\echo '# the same names in both: unique within an organisation'
BEGIN;
SELECT enter_organization('eve', :'globex') = :'globex' AS entered;
INSERT INTO campaigns ("ownerId", name, type) VALUES ('eve', 'Spring in Globex', 'email');
INSERT INTO agents (name, slug, kind) VALUES ('Writer', 'writer', 'COPILOT') RETURNING id AS other_agent \gset
INSERT INTO agent_runs ("agentId", input) VALUES (:'other_agent', '{}');
INSERT INTO agent_memories (agent, key, content, embedding) VALUES ('writer', 'tone', 'Globex is bold', array_fill(0.1, '{1536}')::vector);
INSERT INTO audit_logs ("userId", action) VALUES ('eve', 'campaign.created');
SELECT a.slug, m.content FROM agents AS a JOIN agent_memories AS m ON m.agent = a.slug;
COMMIT;

-- ### Who is not a member
\echo '# Eve is not in Acme, a stranger nowhere; a membership that is no longer active counts no more'
BEGIN;
SELECT enter_organization('eve', :'acme');
ROLLBACK;
SELECT count(*) FROM organizations_of('nobody');
BEGIN;
SELECT enter_organization('eve', :'globex') = :'globex' AS entered;
UPDATE organization_members SET status = 'suspended' WHERE "userId" = 'bob';
COMMIT;
BEGIN;
SELECT enter_organization('bob', :'globex');
ROLLBACK;
SELECT slug, role FROM organizations_of('bob');
\echo '# what is a person''s own only the person sees'
BEGIN;
SELECT enter_organization('ada', :'acme') = :'acme' AS entered;
INSERT INTO user_settings ("userId") VALUES ('ada');
COMMIT;
BEGIN;
SELECT enter_organization('bob', :'acme') = :'acme' AS entered;
SELECT (SELECT count(*) FROM user_settings) AS settings, (SELECT string_agg(id, ', ' ORDER BY id) FROM users) AS colleagues;
INSERT INTO user_settings ("userId") VALUES ('ada');
ROLLBACK;

-- ### Indexes hold under the policies
\echo '# an agent by its slug'
RESET ROLE;
INSERT INTO agents ("organizationId", name, slug, kind) SELECT :'acme', 'n', 'agent-' || i, 'COPILOT' FROM generate_series(1, 5000) AS i;
ANALYZE agents;
SET ROLE :application;
BEGIN;
SELECT enter_organization('ada', :'acme') = :'acme' AS entered;
SET LOCAL enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT * FROM agents WHERE slug = 'agent-77';
COMMIT;

-- ### An organisation as a whole
RESET ROLE;
\echo '# what Acme holds, in the tables of the application and in Kepler''s own; its people are not in it'
SELECT relation, rows FROM kepler.workspace_report(:'acme') WHERE rows > 0 AND is_exported ORDER BY relation::text COLLATE "C";
\echo '# the organisation of the seed leaves as an archive, and goes; its user stays'
CREATE TEMP TABLE archive (number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, line text);
INSERT INTO archive (line) SELECT kepler.export_workspace('primary');
CALL kepler.delete_workspace('primary', with_rows => true);
SELECT (SELECT count(*) FROM organizations WHERE slug = 'primary') AS organizations, (SELECT count(*) FROM agents WHERE "organizationId" = 'primary') AS agents,
    (SELECT count(*) FROM users WHERE email = 'admin@neonhub.ai') AS people;
\echo '# and comes back, under another id'
SELECT relation, rows FROM kepler.import_workspace('archive', workspace_id => 'second') WHERE relation::text LIKE '%organi%' ORDER BY relation::text COLLATE "C";
SELECT o.id, a.slug, a.kind FROM agents AS a JOIN organizations AS o ON o.id = a."organizationId" WHERE o.slug = 'primary' ORDER BY a.slug;

-- ### Acme goes
CREATE FUNCTION pg_temp.counted() RETURNS TABLE (name text, rows bigint, of_acme bigint) LANGUAGE plpgsql AS $$
DECLARE
    acme text := (SELECT id FROM neonhub.organizations WHERE slug = 'acme');
BEGIN
    FOR name IN SELECT c.relname FROM pg_class AS c WHERE c.relnamespace = 'neonhub'::regnamespace AND c.relkind = 'r' LOOP
        of_acme := 0;
        EXECUTE format('SELECT count(*) FROM neonhub.%I', name) INTO rows;
        IF EXISTS (SELECT FROM pg_attribute WHERE attrelid = format('neonhub.%I', name)::regclass AND attname = 'organizationId') THEN
            EXECUTE format('SELECT count(*) FROM neonhub.%I WHERE "organizationId" = $1', name) INTO of_acme USING acme;
        END IF;
        RETURN NEXT;
    END LOOP;
END $$;
CREATE TEMP TABLE before AS SELECT * FROM pg_temp.counted();
\echo '# its owner deletes it from within, and the cascades take what it owns'
SET ROLE :application;
BEGIN;
SELECT enter_organization('ada', :'acme') = :'acme' AS entered;
DELETE FROM organizations RETURNING slug;
COMMIT;
RESET ROLE;
SELECT name, b.of_acme, a.rows - b.rows AS change FROM pg_temp.counted() AS a JOIN before AS b USING (name)
WHERE b.of_acme > 0 OR a.rows <> b.rows ORDER BY name COLLATE "C";
\echo '# the log of Acme stays, and names no organisation: the owner of the tables sees it, and no organisation'
SELECT o.slug, a."userId", a.action FROM audit_logs AS a LEFT JOIN organizations AS o ON o.id = a."organizationId" ORDER BY a."userId";
SET ROLE :application;
BEGIN;
SELECT enter_organization('eve', :'globex') = :'globex' AS entered;
SELECT "userId", action FROM audit_logs;
SELECT name FROM campaigns;
COMMIT;
SELECT slug FROM organizations_of('ada');
SELECT slug, role FROM organizations_of('eve');
RESET ROLE;
