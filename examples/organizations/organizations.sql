-- Organisations, members, roles and permissions of NeonHub, on Kepler's workspaces: each organisation is a workspace, and its id
-- is the workspace's. Run by the owner of Kepler's tables, once, after the blueprint that blueprint.py makes was applied:
--   psql -v application=neonhub_app -f organizations.sql
-- The application's role may work in every workspace: SELECT kepler.grant_access('neonhub_app', 'writer');
\set ON_ERROR_STOP on
BEGIN;
CREATE SCHEMA neonhub_access;
GRANT USAGE ON SCHEMA neonhub_access TO :application;

-- The person whose request it is, as enter_organization noted it; NULL before.
CREATE FUNCTION neonhub_access.person_id() RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN nullif(pg_catalog.current_setting('neonhub.person_id', true), '');

-- Begins a request: the transaction works in the organisation, if the person is a member there.
CREATE FUNCTION neonhub_access.enter_organization(person_id text, organization_id text) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM kepler.use_workspace(organization_id);
    -- Row security shows the members of this organisation and of no other.
    PERFORM FROM neonhub.organization_members AS m
    WHERE m."organizationId" = enter_organization.organization_id AND m."userId" = enter_organization.person_id
        AND m.status = 'active';
    IF NOT FOUND THEN
        RAISE EXCEPTION USING
            ERRCODE = 'insufficient_privilege',
            MESSAGE = 'not a member of this organisation',
            HINT = 'neonhub_access.organizations_of lists the organisations of a person.';
    END IF;
    PERFORM set_config('neonhub.person_id', person_id, true);
    RETURN organization_id;
END
$$;

-- What members of the organisation may do, by their roles.
CREATE VIEW neonhub_access.member_permissions WITH (security_invoker) AS
SELECT m."organizationId" AS organization_id, m."userId" AS person_id, r.slug AS role, p.key AS permission
FROM neonhub.organization_members AS m
JOIN neonhub.organization_roles AS r ON r.id = m."roleId"
JOIN neonhub.role_permissions AS rp ON rp."roleId" = r.id
JOIN neonhub.organization_permissions AS p ON p.id = rp."permissionId"
WHERE m.status = 'active';

-- Whether the person of the request may do something, here.
CREATE FUNCTION neonhub_access.has_permission(permission text) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN EXISTS (
    SELECT FROM neonhub_access.member_permissions AS m
    WHERE m.person_id = neonhub_access.person_id() AND m.permission = has_permission.permission
);

-- The organisations of a person, for a sign-in: the one question that goes beyond an organisation. Its owner sees all rows,
-- and it tells those of one person.
CREATE FUNCTION neonhub_access.organizations_of(person_id text)
RETURNS TABLE (organization_id text, slug text, name text, role text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT o.id, o.slug, o.name, r.slug
    FROM neonhub.organization_members AS m
    JOIN neonhub.organizations AS o ON o.id = m."organizationId"
    LEFT JOIN neonhub.organization_roles AS r ON r.id = m."roleId"
    WHERE m."userId" = organizations_of.person_id AND m.status = 'active'
    ORDER BY o.slug;
END;

-- The person who signs in with an address, for the same.
CREATE FUNCTION neonhub_access.person_of(email text) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT u.id FROM neonhub.users AS u WHERE u.email = person_of.email;
END;

-- An organisation with its workspace, a role that may do everything, and its first member.
CREATE FUNCTION neonhub_access.create_organization(slug text, name text, founder_id text, permissions text[]) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    organization_id text := kepler.cuid();
    role_id text;
BEGIN
    INSERT INTO kepler.workspaces (id, name) VALUES (organization_id, create_organization.name);
    INSERT INTO neonhub.organizations (id, slug, name) VALUES (organization_id, create_organization.slug, create_organization.name);
    INSERT INTO neonhub.organization_roles ("organizationId", slug, name) VALUES (organization_id, 'owner', 'Owner')
    RETURNING id INTO role_id;
    WITH made AS (
        INSERT INTO neonhub.organization_permissions ("organizationId", key)
        SELECT organization_id, p.key FROM unnest(permissions) AS p(key)
        RETURNING id
    )
    INSERT INTO neonhub.role_permissions ("organizationId", "roleId", "permissionId")
    SELECT organization_id, role_id, made.id FROM made;
    INSERT INTO neonhub.organization_members ("organizationId", "userId", "roleId") VALUES (organization_id, founder_id, role_id);
    RETURN organization_id;
END
$$;

-- Who sees people: members of the organisation see each other; what is a person's own only the person sees, in every
-- organisation. Tokens of a sign-in are the owner's.
ALTER TABLE neonhub.users ENABLE ROW LEVEL SECURITY;
CREATE POLICY self ON neonhub.users USING (id = neonhub_access.person_id());
CREATE POLICY colleagues ON neonhub.users FOR SELECT
    USING (EXISTS (SELECT FROM neonhub.organization_members AS m WHERE m."userId" = users.id));
ALTER TABLE neonhub.accounts ENABLE ROW LEVEL SECURITY;
CREATE POLICY self ON neonhub.accounts USING ("userId" = neonhub_access.person_id());
ALTER TABLE neonhub.sessions ENABLE ROW LEVEL SECURITY;
CREATE POLICY self ON neonhub.sessions USING ("userId" = neonhub_access.person_id());
ALTER TABLE neonhub.credentials ENABLE ROW LEVEL SECURITY;
CREATE POLICY self ON neonhub.credentials USING ("userId" = neonhub_access.person_id());
ALTER TABLE neonhub.user_settings ENABLE ROW LEVEL SECURITY;
CREATE POLICY self ON neonhub.user_settings USING ("userId" = neonhub_access.person_id());
ALTER TABLE neonhub.subscriptions ENABLE ROW LEVEL SECURITY;
CREATE POLICY self ON neonhub.subscriptions USING ("userId" = neonhub_access.person_id());
ALTER TABLE neonhub.invoices ENABLE ROW LEVEL SECURITY;
CREATE POLICY self ON neonhub.invoices
    USING (EXISTS (SELECT FROM neonhub.subscriptions AS s WHERE s.id = invoices."subscriptionId"));
ALTER TABLE neonhub.usage_records ENABLE ROW LEVEL SECURITY;
CREATE POLICY self ON neonhub.usage_records
    USING (EXISTS (SELECT FROM neonhub.subscriptions AS s WHERE s.id = usage_records."subscriptionId"));
ALTER TABLE neonhub.verification_tokens ENABLE ROW LEVEL SECURITY;

-- A permission that the database itself asks for, beside the application's own checks.
CREATE POLICY permitted ON neonhub.campaigns AS RESTRICTIVE FOR INSERT
    WITH CHECK (neonhub_access.has_permission('campaigns:write'));
CREATE POLICY permitted_change ON neonhub.campaigns AS RESTRICTIVE FOR UPDATE
    USING (neonhub_access.has_permission('campaigns:write'));
CREATE POLICY permitted_deletion ON neonhub.campaigns AS RESTRICTIVE FOR DELETE
    USING (neonhub_access.has_permission('campaigns:write'));

REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA neonhub_access FROM PUBLIC;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA neonhub_access TO :application;
GRANT SELECT ON neonhub_access.member_permissions TO :application;
COMMIT;
