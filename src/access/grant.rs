//! `kepler.grant_access` and `revoke_access`: the rights that all functions of a level need, on tables that
//! are there and on those that come later.

use super::error::AccessError;
use super::inbox;
use super::level::{self, INTERNAL_SCHEMA, Level, Levels, Made, SCHEMA};
use super::members;
use super::of_blueprint::blueprint_tables;
use super::owner::{ACCESS_LEVELS, Owner};
use crate::arguments::{ArgumentError, name};
use crate::error::Error;
use crate::ident::{qualified, quote, quote_literal};
use crate::installed::require_tables;
use crate::pg::cluster::nodes;
use crate::pg::role::{self, ActAs};
use crate::pg::whole::Spi;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::spi::SpiClient;

/// Where entry tables and embeddings are.
const DATA_SCHEMA: &str = "kepler_data";

/// Gives a role a level of access, in place of the one that it had: in all workspaces, or in one.
///
/// `reader` searches and reads; `writer` changes records, entries, memories, conversations and workflows too;
/// `worker` enriches records, runs workflows and brings embeddings; `admin` does all that, and declares entry
/// tables, embedding spaces, policies and workspaces. The role gets the rights that the functions of all of its levels
/// need, on Kepler's tables, on entry tables and embedding spaces, and on those that are made later; in a workspace
/// where its level is lower, what that level does not hold is refused. For the owner of Kepler's tables and superusers.
/// What was granted to the role by hand on these tables is taken.
///
/// Errors: 55000 before `install()`, 22004 and 22023 for arguments, 23503 for an unknown workspace, 42704 for a
/// role that does not exist, 42501 for other callers.
#[pg_extern(
    volatile,
    parallel_unsafe,
    sql = "
CREATE FUNCTION kepler.grant_access(role regrole, level text, workspace_id text DEFAULT NULL) RETURNS void
VOLATILE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"
)]
fn grant_access(
    role: Option<pg_sys::Oid>,
    level: Option<String>,
    workspace_id: Option<String>,
) -> Result<(), ErrorReport> {
    let (owner, role) = checked(role)?;
    let level = level.ok_or(ArgumentError::Null("level"))?;
    let level = Level::from_name(&level).ok_or_else(|| ArgumentError::BadChoice {
        argument: "level",
        legal: Level::LEGAL,
        given: level.clone(),
    })?;
    let workspace = workspace_id.map(|id| name("workspace_id", Some(id))).transpose()?;
    Spi::connect_mut(|client| -> Result<(), Error> {
        nodes::run_elsewhere(
            client,
            &call("grant_access", role, Some(level.name()), workspace.as_deref()),
        )?;
        let _told = nodes::Told::begin();
        let _for_itself = nodes::for_itself(client)?;
        owner.require_own_code(client, ACCESS_LEVELS)?;
        {
            let _owner = owner.act();
            members::tidy(client)?;
            members::put(client, role, level, workspace.as_deref())?;
        }
        give_anew(client, owner, role)
    })?;
    Ok(())
}

/// Takes from a role its level in one workspace, or all of its levels, in all workspaces and in each. Without a level left
/// it loses all that `grant_access` gave it, and what else it was granted on Kepler's tables, functions and schemas. Gives
/// whether it had such a level.
///
/// Errors: 55000 before `install()`, 22004 and 22023 for arguments, 42704 for a role that does not exist, 42501 for callers
/// other than the owner of Kepler's tables and superusers.
#[pg_extern(
    volatile,
    parallel_unsafe,
    sql = "
CREATE FUNCTION kepler.revoke_access(role regrole, workspace_id text DEFAULT NULL) RETURNS boolean
VOLATILE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"
)]
fn revoke_access(
    role: Option<pg_sys::Oid>,
    workspace_id: Option<String>,
) -> Result<bool, ErrorReport> {
    let (owner, role) = checked(role)?;
    let workspace = workspace_id.map(|id| name("workspace_id", Some(id))).transpose()?;
    Ok(Spi::connect_mut(|client| -> Result<bool, Error> {
        nodes::run_elsewhere(client, &call("revoke_access", role, None, workspace.as_deref()))?;
        let _told = nodes::Told::begin();
        let _for_itself = nodes::for_itself(client)?;
        owner.require_own_code(client, ACCESS_LEVELS)?;
        let taken = {
            let _owner = owner.act();
            members::tidy(client)?;
            members::remove(client, role, workspace.as_deref())?
        };
        // A role that was no member of the workspace keeps what it has.
        if taken || workspace.is_none() {
            give_anew(client, owner, role)?;
        }
        Ok(taken)
    })?)
}

/// The same call, for the other nodes of a cluster, on each of which a role has its rights.
fn call(function: &str, role: pg_sys::Oid, level: Option<&str>, workspace: Option<&str>) -> String {
    let role = quote_literal(&quote(&role::name(role)));
    let level = level.map(|level| format!(", {}", quote_literal(level))).unwrap_or_default();
    let workspace =
        workspace.map(|id| format!(", workspace_id => {}", quote_literal(id))).unwrap_or_default();
    format!("SELECT kepler.{function}({role}::pg_catalog.regrole{level}{workspace})")
}

/// The owner, whose rights the caller must have, and another role.
fn checked(role: Option<pg_sys::Oid>) -> Result<(Owner, pg_sys::Oid), Error> {
    require_tables()?;
    let role = role.ok_or(ArgumentError::Null("role"))?;
    let owner = Owner::find()?;
    owner.require_caller("give and take access")?;
    if !role::is_there(role) {
        return Err(AccessError::NoRole(role.to_u32()).into());
    }
    if role == owner.role() {
        return Err(AccessError::IsTheOwner(owner.name()).into());
    }
    Ok((owner, role))
}

/// Takes all rights from a role, and gives those of all of its levels.
fn give_anew(client: &mut SpiClient<'_>, owner: Owner, role: pg_sys::Oid) -> Result<(), Error> {
    let name = role::name(role);
    take(client, owner, &name)?;
    let (levels, everywhere) = {
        let _owner = owner.act();
        members::levels_of(client, role)?
    };
    if levels.is_empty() {
        return Ok(());
    }
    give(client, owner, &name, levels)?;
    if !everywhere {
        // A mark that nobody makes by hand: without a row on the list such a role works nowhere, not in the default workspace.
        let _owner = owner.act();
        let name = level::role_sql(&name);
        run(client, &format!("GRANT SELECT (granted_to) ON {SCHEMA}.workspace_members TO {name}"))?;
    }
    Ok(())
}

/// Gives the rights of all of some levels.
fn give(client: &mut SpiClient<'_>, owner: Owner, role: &str, levels: Levels) -> Result<(), Error> {
    let name = level::role_sql(role);
    {
        let _owner = act_for_extension(client, owner)?;
        run(client, &format!("GRANT USAGE ON SCHEMA {SCHEMA}, {INTERNAL_SCHEMA} TO {name}"))?;
        run(client, &format!("GRANT EXECUTE ON ALL ROUTINES IN SCHEMA {SCHEMA} TO {name}"))?;
        // What an earlier version gave, and this one does not.
        run(
            client,
            &format!("REVOKE ALL ON ALL ROUTINES IN SCHEMA {INTERNAL_SCHEMA} FROM {name}"),
        )?;
        let functions: Vec<&str> = levels.iter().flat_map(level::functions).collect();
        give_functions(client, INTERNAL_SCHEMA, functions, &name)?;
    }
    {
        let _owner = owner.act();
        run(client, &format!("GRANT USAGE ON SCHEMA {DATA_SCHEMA} TO {name}"))?;
        for grant in levels.iter().flat_map(|level| level::grants(level, &name)) {
            run(client, &grant)?;
        }
        inbox::share(client, role, levels)?;
        for table in made_tables(client, owner)? {
            let on = qualified(DATA_SCHEMA, &table);
            for level in levels.iter() {
                if let Some(grant) = level::grant_on_made(level, Made::of(&table), &on, &name) {
                    run(client, &grant)?;
                }
            }
        }
        for on in blueprint_tables(client, owner, None)? {
            for level in levels.iter() {
                on.give(client, role, level)?;
            }
        }
    }
    // GRANT only warns where there was nothing that could be passed on.
    let usable = client
        .update(
            "SELECT pg_catalog.has_schema_privilege($1::name, $2, 'USAGE')
                 AND pg_catalog.has_schema_privilege($1::name, $3, 'USAGE')
                 AND pg_catalog.has_function_privilege($1::name, 'kepler.current_workspace_id()', 'EXECUTE')
                 AND pg_catalog.has_function_privilege($1::name, 'kepler_internal.require_tables()', 'EXECUTE')",
            None,
            &[role.into(), SCHEMA.into(), INTERNAL_SCHEMA.into()],
        )?
        .first()
        .get_one::<bool>()?;
    if usable != Some(true) {
        let schema_owner = extension_owner(client)?.map(role::name).unwrap_or_default();
        let what = "its rights on the schema and the functions";
        return Err(AccessError::NoGrantOption { owner: owner.name(), what, schema_owner }.into());
    }
    Ok(())
}

/// Gives EXECUTE on functions that their names tell: every name is of one function.
fn give_functions(
    client: &mut SpiClient<'_>,
    schema: &str,
    names: Vec<&str>,
    to: &str,
) -> Result<(), Error> {
    let signatures = client
        .update(
            "SELECT pg_catalog.string_agg(p.oid::pg_catalog.regprocedure::text, ', ' ORDER BY p.proname)
             FROM pg_catalog.pg_proc AS p
             WHERE p.pronamespace = pg_catalog.to_regnamespace($1) AND p.proname::text = ANY ($2)",
            None,
            &[schema.into(), names.into()],
        )?
        .first()
        .get_one::<String>()?;
    match signatures {
        Some(signatures) => run(client, &format!("GRANT EXECUTE ON ROUTINE {signatures} TO {to}")),
        None => Ok(()),
    }
}

/// Takes all rights on what Kepler made.
fn take(client: &mut SpiClient<'_>, owner: Owner, role: &str) -> Result<(), Error> {
    let name = level::role_sql(role);
    // A right is gone when each of those who gave it has taken it.
    let extension = extension_owner(client)?.filter(|role| *role != owner.role());
    let givers = [Some(owner.role()), extension.filter(|role| role::may_act_as(*role))];
    for giver in givers.into_iter().flatten() {
        let _giver = Owner::of(giver).act();
        run(
            client,
            &format!(
                "REVOKE ALL ON ALL ROUTINES IN SCHEMA {SCHEMA}, {INTERNAL_SCHEMA} FROM {name}"
            ),
        )?;
        run(client, &format!("REVOKE ALL ON SCHEMA {SCHEMA}, {INTERNAL_SCHEMA} FROM {name}"))?;
    }
    let _owner = owner.act();
    run(client, &format!("REVOKE ALL ON SCHEMA {DATA_SCHEMA} FROM {name}"))?;
    let own: Vec<&str> = level::relations().collect();
    let present = client.update(
        "SELECT c.relname::text, c.relkind = 'S' FROM pg_catalog.pg_class AS c
         WHERE c.relnamespace = pg_catalog.to_regnamespace($1) AND c.relname::text = ANY ($2)
         ORDER BY c.relname",
        None,
        &[SCHEMA.into(), own.into()],
    )?;
    let mut revokes = Vec::new();
    for row in present {
        let (Some(relation), Some(is_sequence)) =
            (row[1].value::<String>()?, row[2].value::<bool>()?)
        else {
            continue;
        };
        let kind = if is_sequence { "SEQUENCE" } else { "TABLE" };
        revokes.push(format!("REVOKE ALL ON {kind} {} FROM {name}", qualified(SCHEMA, &relation)));
    }
    for table in made_tables(client, owner)? {
        revokes.push(format!("REVOKE ALL ON TABLE {} FROM {name}", qualified(DATA_SCHEMA, &table)));
    }
    for on in blueprint_tables(client, owner, None)? {
        let table = qualified(&on.schema, &on.table);
        revokes.push(format!("REVOKE ALL ON TABLE {table} FROM {name}"));
        for sequence in &on.sequences {
            let sequence = qualified(&on.schema, sequence);
            revokes.push(format!("REVOKE ALL ON SEQUENCE {sequence} FROM {name}"));
        }
        if on.is_own_schema {
            let schema = quote(&on.schema);
            revokes.push(format!("REVOKE ALL ON SCHEMA {schema} FROM {name}"));
        }
    }
    revokes.dedup();
    for revoke in revokes {
        run(client, &revoke)?;
    }
    Ok(())
}

/// Gives every role that has a level its rights on a table that was just made. Called as the owner.
pub(crate) fn share_new_table(
    client: &mut SpiClient<'_>,
    made: Made,
    table: &str,
) -> Result<(), Error> {
    let on = qualified(DATA_SCHEMA, table);
    for (level, roles) in members::roles_by_level(client)?.into_values() {
        // One statement for all: a thousand would write the table's row in the catalog a thousand times.
        let roles: Vec<String> = roles.iter().map(|role| level::role_sql(role)).collect();
        if let Some(grant) = level::grant_on_made(level, made, &on, &roles.join(", ")) {
            run(client, &grant)?;
        }
    }
    Ok(())
}

/// What `status()` and `doctor()` need beside the views of statistics, and no more: columns without content.
const MONITOR: &[&str] = &[
    "GRANT SELECT (name, metric, memory_table_name, message_table_name) ON kepler.embedding_spaces TO pg_monitor",
    "GRANT SELECT ON kepler.schema_versions TO pg_monitor",
    "GRANT SELECT (workspace_id, entity_type) ON kepler.enrichment_policies TO pg_monitor",
    "GRANT SELECT (workspace_id, entity_type, ready_at) ON kepler.enrichment_queue TO pg_monitor",
    "GRANT SELECT (workspace_id, entity_type, lease_until) ON kepler.leases TO pg_monitor",
    "GRANT SELECT (workspace_id, workflow_id, status, deadline_at) ON kepler.executions TO pg_monitor",
];

/// Lets members of `pg_monitor` call `status()`, `metrics()` and `doctor()`, and read the views of statistics.
pub(crate) fn share_with_monitor(client: &mut SpiClient<'_>, owner: Owner) -> Result<(), Error> {
    // A grant writes to the catalog, also where it changes nothing.
    let has_all = client
        .update(
            "SELECT pg_catalog.bool_and(pg_catalog.has_function_privilege('pg_monitor', p.oid, 'EXECUTE')
                     AND pg_catalog.has_schema_privilege('pg_monitor', p.pronamespace, 'USAGE'))
                 AND pg_catalog.has_table_privilege('pg_monitor', 'kepler.schema_versions', 'SELECT')
                 AND pg_catalog.has_column_privilege('pg_monitor', 'kepler.executions', 'deadline_at', 'SELECT')
                 AND NOT EXISTS (
                     SELECT FROM pg_catalog.pg_class AS c
                     WHERE c.relnamespace = pg_catalog.to_regnamespace($3) AND c.relname::text = ANY ($5)
                         AND NOT pg_catalog.has_table_privilege('pg_monitor', c.oid, 'SELECT'))
             FROM pg_catalog.pg_proc AS p
             WHERE p.pronamespace = pg_catalog.to_regnamespace($1) AND p.proname::text = ANY ($2)
                 OR p.pronamespace = pg_catalog.to_regnamespace($3) AND p.proname::text = ANY ($4)",
            None,
            &[
                INTERNAL_SCHEMA.into(),
                level::MONITOR_FUNCTIONS.to_vec().into(),
                SCHEMA.into(),
                level::MONITOR_CALLS.to_vec().into(),
                level::statistics().collect::<Vec<_>>().into(),
            ],
        )?
        .first()
        .get_one::<bool>()?;
    if has_all == Some(true) {
        return Ok(());
    }
    {
        let _owner = act_for_extension(client, owner)?;
        run(client, "GRANT USAGE ON SCHEMA kepler, kepler_internal TO pg_monitor")?;
        give_functions(client, SCHEMA, level::MONITOR_CALLS.to_vec(), "pg_monitor")?;
        give_functions(client, INTERNAL_SCHEMA, level::MONITOR_FUNCTIONS.to_vec(), "pg_monitor")?;
    }
    let _owner = owner.act();
    for grant in MONITOR {
        run(client, grant)?;
    }
    for view in level::statistics() {
        run(client, &format!("GRANT SELECT ON {} TO pg_monitor", qualified(SCHEMA, view)))?;
    }
    Ok(())
}

/// Gives the rights of their levels anew, after tables or functions have come: to those roles that still
/// have what `grant_access` gave them. A role that has come to the name, new or renamed, is another one.
pub(crate) fn share_anew(client: &mut SpiClient<'_>, owner: Owner) -> Result<(), Error> {
    let roles = {
        let _owner = owner.act();
        members::tidy(client)?;
        members::roles(client)?
    };
    for (role, levels) in roles {
        give(client, owner, &role, levels)?;
    }
    Ok(())
}

/// Tables in `kepler_data` that belong to the owner.
fn made_tables(client: &mut SpiClient<'_>, owner: Owner) -> Result<Vec<String>, Error> {
    let rows = client.update(
        "SELECT c.relname::text FROM pg_catalog.pg_class AS c
         WHERE c.relnamespace = pg_catalog.to_regnamespace($1) AND c.relkind IN ('r', 'p')
             AND c.relowner = $2
         ORDER BY c.relname",
        None,
        &[DATA_SCHEMA.into(), owner.role().into()],
    )?;
    let mut tables = Vec::new();
    for row in rows {
        tables.extend(row[1].value::<String>()?);
    }
    Ok(tables)
}

/// The schema and the functions belong to whoever created the extension, who is mostly the owner of the
/// tables too. Where they differ, a caller with both rights uses both; others pass on what the owner of the
/// tables may pass on.
fn act_for_extension(client: &mut SpiClient<'_>, owner: Owner) -> Result<ActAs, Error> {
    match extension_owner(client)? {
        Some(extension) if role::may_act_as(extension) => Ok(Owner::of(extension).act()),
        _ => Ok(owner.act()),
    }
}

pub(crate) fn extension_owner(client: &mut SpiClient<'_>) -> Result<Option<pg_sys::Oid>, Error> {
    Ok(client
        .update(
            "SELECT e.extowner FROM pg_catalog.pg_extension AS e WHERE e.extname = 'kepler'",
            None,
            &[],
        )?
        .next()
        .map(|row| row[1].value::<pg_sys::Oid>())
        .transpose()?
        .flatten())
}

pub(super) fn run(client: &mut SpiClient<'_>, sql: &str) -> Result<(), Error> {
    client.update(sql, None, &[])?;
    Ok(())
}
