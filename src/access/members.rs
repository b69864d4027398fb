//! The lists of who has which level: `kepler.access_levels`, for all workspaces, and `kepler.workspace_members`. Called as
//! their owner.

use super::current::WorkspaceError;
use super::level::{Level, Levels, SCHEMA};
use crate::error::Error;
use crate::pg::role;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;
use std::collections::BTreeMap;

const LISTS: [&str; 2] = ["kepler.access_levels", "kepler.workspace_members"];

/// The cluster, as `granted_to` begins.
fn cluster() -> String {
    let identity = role::identity(pg_sys::InvalidOid);
    identity.split('/').next().unwrap_or_default().to_owned()
}

/// Brings the lists up to what has become of the roles. Those that were dropped go; those that were renamed are listed by
/// their present names; in a copy of the database in another cluster, roles that have the rights are noted as the roles
/// there.
pub(super) fn tidy(client: &mut SpiClient<'_>) -> Result<(), Error> {
    let cluster = cluster();
    for list in LISTS {
        let run = |client: &mut SpiClient<'_>, sql: &str| {
            client.update(sql, None, &[cluster.as_str().into()]).map(|_| ())
        };
        run(
            client,
            &format!(
                "DELETE FROM {list} AS a WHERE pg_catalog.split_part(a.granted_to, '/', 1) = $1 AND NOT EXISTS (
                     SELECT FROM pg_catalog.pg_roles AS r
                     WHERE a.granted_to = $1 OPERATOR(pg_catalog.||) '/' OPERATOR(pg_catalog.||) r.oid)"
            ),
        )?;
        // In two steps, as two roles may have changed names.
        run(
            client,
            &format!(
                "WITH renamed AS (
                     SELECT a.granted_to, r.rolname::text AS name FROM {list} AS a
                     JOIN pg_catalog.pg_roles AS r
                         ON a.granted_to = $1 OPERATOR(pg_catalog.||) '/' OPERATOR(pg_catalog.||) r.oid
                     WHERE a.role_name <> r.rolname::text
                 ), unfounded AS (
                     DELETE FROM {list} AS a USING renamed AS w
                     WHERE a.role_name = w.name AND pg_catalog.split_part(a.granted_to, '/', 1) IS DISTINCT FROM $1
                 )
                 UPDATE {list} AS a SET role_name = a.granted_to FROM renamed AS w WHERE a.granted_to = w.granted_to"
            ),
        )?;
        run(
            client,
            &format!(
                "UPDATE {list} AS a SET role_name = r.rolname FROM pg_catalog.pg_roles AS r
                 WHERE a.role_name = a.granted_to
                     AND a.granted_to = $1 OPERATOR(pg_catalog.||) '/' OPERATOR(pg_catalog.||) r.oid"
            ),
        )?;
        run(
            client,
            &format!(
                "UPDATE {list} AS a
                 SET granted_to = $1 OPERATOR(pg_catalog.||) '/' OPERATOR(pg_catalog.||) r.oid
                 FROM pg_catalog.pg_roles AS r
                 WHERE r.rolname::text = a.role_name
                     AND pg_catalog.split_part(a.granted_to, '/', 1) IS DISTINCT FROM $1
                     AND r.oid IN (
                         SELECT x.grantee FROM pg_catalog.pg_class AS c
                         CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) AS x
                         WHERE c.oid = '{list}'::pg_catalog.regclass AND x.privilege_type = 'SELECT')"
            ),
        )?;
    }
    Ok(())
}

/// Lists a role with a level, in place of the one that it had there.
pub(super) fn put(
    client: &mut SpiClient<'_>,
    role: pg_sys::Oid,
    level: Level,
    workspace: Option<&str>,
) -> Result<(), Error> {
    let (name, identity) = (role::name(role), role::identity(role));
    let listed = [name.as_str().into(), level.name().into(), identity.as_str().into()];
    let Some(workspace) = workspace else {
        client.update(
            "INSERT INTO kepler.access_levels AS a (role_name, level, granted_to) VALUES ($1, $2, $3)
             ON CONFLICT (role_name) DO UPDATE SET level = excluded.level, granted_by = excluded.granted_by,
                 granted_at = excluded.granted_at, granted_to = excluded.granted_to",
            None,
            &listed,
        )?;
        return Ok(());
    };
    let is_there = client
        .update(
            "SELECT FROM kepler.workspaces AS w WHERE w.id = $1 FOR KEY SHARE",
            None,
            &[workspace.into()],
        )?
        .len();
    if is_there == 0 {
        return Err(WorkspaceError::Missing(workspace.to_owned()).into());
    }
    let [name, level, identity] = listed;
    client.update(
        "INSERT INTO kepler.workspace_members AS a (role_name, level, granted_to, workspace_id)
         VALUES ($1, $2, $3, $4)
         ON CONFLICT (workspace_id, role_name) DO UPDATE SET level = excluded.level,
             granted_by = excluded.granted_by, granted_at = excluded.granted_at, granted_to = excluded.granted_to",
        None,
        &[name, level, identity, workspace.into()],
    )?;
    Ok(())
}

/// Takes a role off the list of a workspace, or off both lists. Gives whether it was there.
pub(super) fn remove(
    client: &mut SpiClient<'_>,
    role: pg_sys::Oid,
    workspace: Option<&str>,
) -> Result<bool, Error> {
    let (name, identity) = (role::name(role), role::identity(role));
    let whose = "(a.granted_to = $2 OR a.role_name = $1 AND a.granted_to IS NULL)";
    if let Some(workspace) = workspace {
        let taken = client.update(
            format!(
                "DELETE FROM kepler.workspace_members AS a WHERE {whose} AND a.workspace_id = $3"
            )
            .as_str(),
            None,
            &[name.as_str().into(), identity.as_str().into(), workspace.into()],
        )?;
        return Ok(!taken.is_empty());
    }
    let mut taken = false;
    for list in LISTS {
        taken |= !client
            .update(
                format!("DELETE FROM {list} AS a WHERE {whose}").as_str(),
                None,
                &[name.as_str().into(), identity.as_str().into()],
            )?
            .is_empty();
    }
    Ok(taken)
}

/// All levels of a role, in whichever workspace, but not those that it inherits; and whether it has one in all of them.
pub(super) fn levels_of(
    client: &mut SpiClient<'_>,
    role: pg_sys::Oid,
) -> Result<(Levels, bool), Error> {
    let identity = role::identity(role);
    let rows = client.update(
        "SELECT a.level, true FROM kepler.access_levels AS a WHERE a.granted_to = $1
         UNION SELECT m.level, false FROM kepler.workspace_members AS m WHERE m.granted_to = $1",
        None,
        &[identity.as_str().into()],
    )?;
    let (mut levels, mut everywhere) = (Levels::default(), false);
    for row in rows {
        everywhere |= row[2].value::<bool>()?.unwrap_or_default();
        levels = levels.and(
            row[1]
                .value::<String>()?
                .as_deref()
                .and_then(Level::from_name)
                .map_or_else(Levels::default, Levels::one),
        );
    }
    Ok((levels, everywhere))
}

/// The roles with a level that still have what `grant_access` gave them, with all of their levels.
pub(super) fn roles(client: &mut SpiClient<'_>) -> Result<BTreeMap<String, Levels>, Error> {
    let rows = client.update(
        "WITH listed AS (
             SELECT a.role_name, a.level, a.granted_to FROM kepler.access_levels AS a
             UNION SELECT m.role_name, m.level, m.granted_to FROM kepler.workspace_members AS m
         ), present AS (
             SELECT r.oid, r.rolname, l.level FROM listed AS l
             JOIN pg_catalog.pg_roles AS r
                 ON l.granted_to = $2 OPERATOR(pg_catalog.||) '/' OPERATOR(pg_catalog.||) r.oid
             UNION
             SELECT r.oid, r.rolname, l.level FROM listed AS l
             JOIN pg_catalog.pg_roles AS r ON r.rolname::text = l.role_name
             WHERE pg_catalog.split_part(l.granted_to, '/', 1) IS DISTINCT FROM $2
         ), granted AS MATERIALIZED (
             SELECT c.relname::text AS name, x.grantee, x.privilege_type
             FROM pg_catalog.pg_class AS c CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) AS x
             WHERE c.relnamespace = pg_catalog.to_regnamespace($1)
                 AND c.relname IN ('schema_versions', 'users', 'leases', 'workspaces')
         ), inside AS MATERIALIZED (
             SELECT x.grantee FROM pg_catalog.pg_namespace AS n CROSS JOIN LATERAL pg_catalog.aclexplode(n.nspacl) AS x
             WHERE n.nspname = $1 AND x.privilege_type = 'USAGE'
         )
         SELECT DISTINCT p.rolname::text, p.level FROM present AS p
         JOIN (VALUES ('reader', 'schema_versions', 'SELECT'), ('writer', 'users', 'INSERT'),
                   ('worker', 'leases', 'INSERT'), ('admin', 'workspaces', 'INSERT')) AS m (level, name, privilege)
             ON m.level = p.level
         JOIN granted AS g ON g.name = m.name AND g.privilege_type = m.privilege AND g.grantee = p.oid
         WHERE p.oid IN (SELECT i.grantee FROM inside AS i)
         ORDER BY 1, 2",
        None,
        &[SCHEMA.into(), cluster().as_str().into()],
    )?;
    let mut roles: BTreeMap<String, Levels> = BTreeMap::new();
    for row in rows {
        if let (Some(role), Some(level)) = (row[1].value::<String>()?, row[2].value::<String>()?)
            && let Some(level) = Level::from_name(&level)
        {
            let levels = roles.entry(role).or_default();
            *levels = levels.and(Levels::one(level));
        }
    }
    Ok(roles)
}

/// The same, by level.
pub(super) fn roles_by_level(
    client: &mut SpiClient<'_>,
) -> Result<BTreeMap<&'static str, (Level, Vec<String>)>, Error> {
    let mut by_level = BTreeMap::new();
    for (role, levels) in roles(client)? {
        for level in levels.iter() {
            by_level
                .entry(level.name())
                .or_insert_with(|| (level, Vec::new()))
                .1
                .push(role.clone());
        }
    }
    Ok(by_level)
}
