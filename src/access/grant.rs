//! `kepler.grant_access` and `revoke_access`: the rights that all functions of a level need, on tables that
//! are there and on those that come later.

use super::error::AccessError;
use super::level::{self, INTERNAL_SCHEMA, Level, Made, SCHEMA};
use super::owner::{ACCESS_LEVELS, Owner};
use crate::arguments::ArgumentError;
use crate::error::Error;
use crate::ident::{qualified, quote};
use crate::installed::require_tables;
use crate::pg::relation;
use crate::pg::role::{self, ActAs};
use crate::pg::whole::Spi;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::spi::SpiClient;

/// Where entry tables and embeddings are.
const DATA_SCHEMA: &str = "kepler_data";

/// Gives a role a level of access, in place of the one that it had: the rights that the functions of the level need,
/// on Kepler's tables, on entry tables and embedding spaces, and on those that are made later.
///
/// `reader` searches and reads; `writer` changes records, entries, memories, conversations and workflows too;
/// `worker` enriches records, runs workflows and brings embeddings; `admin` does all that, and declares entry
/// tables, embedding spaces, policies and workspaces. For the owner of Kepler's tables and superusers. What was
/// granted to the role by hand on these tables is taken.
///
/// Errors: 55000 before `install()`, 22004 and 22023 for arguments, 42501 for other callers.
#[pg_extern(
    volatile,
    parallel_unsafe,
    sql = "
CREATE FUNCTION kepler.grant_access(role regrole, level text) RETURNS void
VOLATILE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"
)]
fn grant_access(role: Option<pg_sys::Oid>, level: Option<String>) -> Result<(), ErrorReport> {
    let (owner, role) = checked(role)?;
    let level = level.ok_or(ArgumentError::Null("level"))?;
    let level = Level::from_name(&level).ok_or_else(|| ArgumentError::BadChoice {
        argument: "level",
        legal: Level::LEGAL,
        given: level.clone(),
    })?;
    Spi::connect_mut(|client| -> Result<(), Error> {
        owner.require_own_code(client, ACCESS_LEVELS)?;
        take(client, owner, &role)?;
        give(client, owner, &role, level)?;
        let _owner = owner.act();
        client.update(
            "INSERT INTO kepler.access_levels AS a (role_name, level) VALUES ($1, $2)
             ON CONFLICT (role_name) DO UPDATE SET level = excluded.level,
                 granted_by = excluded.granted_by, granted_at = excluded.granted_at",
            None,
            &[role.as_str().into(), level.name().into()],
        )?;
        Ok(())
    })?;
    Ok(())
}

/// Takes from a role all that `grant_access` gave it, and what else it was granted on Kepler's tables, functions
/// and schemas. Gives whether it had a level.
///
/// Errors: 55000 before `install()`, 22004 and 22023 for arguments, 42501 for callers other than the owner of
/// Kepler's tables and superusers.
#[pg_extern(
    volatile,
    parallel_unsafe,
    sql = "
CREATE FUNCTION kepler.revoke_access(role regrole) RETURNS boolean
VOLATILE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"
)]
fn revoke_access(role: Option<pg_sys::Oid>) -> Result<bool, ErrorReport> {
    let (owner, role) = checked(role)?;
    Ok(Spi::connect_mut(|client| -> Result<bool, Error> {
        owner.require_own_code(client, ACCESS_LEVELS)?;
        take(client, owner, &role)?;
        let _owner = owner.act();
        let taken = client.update(
            "DELETE FROM kepler.access_levels AS a WHERE a.role_name = $1",
            None,
            &[role.as_str().into()],
        )?;
        Ok(!taken.is_empty())
    })?)
}

/// The owner, whose rights the caller must have, and the name of another role.
fn checked(role: Option<pg_sys::Oid>) -> Result<(Owner, String), Error> {
    require_tables()?;
    let role = role.ok_or(ArgumentError::Null("role"))?;
    let owner = Owner::find()?;
    owner.require_caller("give and take access")?;
    if role == owner.role() {
        return Err(AccessError::IsTheOwner(owner.name()).into());
    }
    Ok((owner, role::name(role)))
}

/// Gives the rights of a level.
fn give(client: &mut SpiClient<'_>, owner: Owner, role: &str, level: Level) -> Result<(), Error> {
    let name = level::role_sql(role);
    {
        let _owner = act_for_extension(client, owner)?;
        run(client, &format!("GRANT USAGE ON SCHEMA {SCHEMA}, {INTERNAL_SCHEMA} TO {name}"))?;
        run(client, &format!("GRANT EXECUTE ON ALL ROUTINES IN SCHEMA {SCHEMA} TO {name}"))?;
        // What an earlier version gave, and this one does not.
        run(
            client,
            &format!("REVOKE ALL ON ALL FUNCTIONS IN SCHEMA {INTERNAL_SCHEMA} FROM {name}"),
        )?;
        let functions: Vec<&str> = level::functions(level).collect();
        give_functions(client, functions, &name)?;
    }
    {
        let _owner = owner.act();
        run(client, &format!("GRANT USAGE ON SCHEMA {DATA_SCHEMA} TO {name}"))?;
        for grant in level::grants(level, &name) {
            run(client, &grant)?;
        }
        for table in made_tables(client, owner)? {
            let on = qualified(DATA_SCHEMA, &table);
            if let Some(grant) = level::grant_on_made(level, Made::of(&table), &on, &name) {
                run(client, &grant)?;
            }
        }
        for on in blueprint_tables(client, owner, None)? {
            on.give(client, role, level)?;
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

/// Gives EXECUTE on functions of `kepler_internal`, which names tell: there every name is of one function.
fn give_functions(client: &mut SpiClient<'_>, names: Vec<&str>, to: &str) -> Result<(), Error> {
    let signatures = client
        .update(
            "SELECT pg_catalog.string_agg(p.oid::pg_catalog.regprocedure::text, ', ' ORDER BY p.proname)
             FROM pg_catalog.pg_proc AS p
             WHERE p.pronamespace = pg_catalog.to_regnamespace($1) AND p.proname::text = ANY ($2)",
            None,
            &[INTERNAL_SCHEMA.into(), names.into()],
        )?
        .first()
        .get_one::<String>()?;
    match signatures {
        Some(signatures) => run(client, &format!("GRANT EXECUTE ON FUNCTION {signatures} TO {to}")),
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
    for (role, level) in levels(client)? {
        let on = qualified(DATA_SCHEMA, table);
        if let Some(grant) = level::grant_on_made(level, made, &on, &level::role_sql(&role)) {
            run(client, &grant)?;
        }
    }
    Ok(())
}

/// Gives every role that has a level its rights on tables of blueprints, by schema and name. Called as the owner.
pub(crate) fn share_blueprint_tables(
    client: &mut SpiClient<'_>,
    owner: Owner,
    tables: &[(&str, &str)],
) -> Result<(), Error> {
    let tables = blueprint_tables(client, owner, Some(tables))?;
    for (role, level) in levels(client)? {
        for on in &tables {
            on.give(client, &role, level)?;
        }
    }
    Ok(())
}

/// Gives the roles with a level their rights on sequences of new columns, as far as they still have theirs on the tables:
/// schemas, tables and columns. Called as the owner.
pub(crate) fn share_new_columns(
    client: &mut SpiClient<'_>,
    columns: &[(&str, &str, &str)],
) -> Result<(), Error> {
    if columns.is_empty() {
        return Ok(());
    }
    let schemas: Vec<&str> = columns.iter().map(|column| column.0).collect();
    let tables: Vec<&str> = columns.iter().map(|column| column.1).collect();
    let names: Vec<&str> = columns.iter().map(|column| column.2).collect();
    let rows = client.update(
        "SELECT w.s, q.relname::text, c.oid
         FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[]), pg_catalog.unnest($3::text[]))
             AS w (s, t, a)
         JOIN pg_catalog.pg_namespace AS n ON n.nspname::text = w.s
         JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname::text = w.t
         JOIN pg_catalog.pg_attribute AS f ON f.attrelid = c.oid AND f.attname::text = w.a
         JOIN pg_catalog.pg_depend AS d ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
             AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
             AND d.refobjid = c.oid AND d.refobjsubid = f.attnum AND d.deptype = 'a'
         JOIN pg_catalog.pg_class AS q ON q.oid = d.objid AND q.relkind = 'S' AND q.relnamespace = n.oid
         ORDER BY 1, 2",
        None,
        &[schemas.into(), tables.into(), names.into()],
    )?;
    let mut sequences = Vec::new();
    for row in rows {
        let schema = row[1].value::<String>()?.unwrap_or_default();
        let name = row[2].value::<String>()?.unwrap_or_default();
        sequences.push((qualified(&schema, &name), row[3].value::<pg_sys::Oid>()?));
    }
    if sequences.is_empty() {
        return Ok(());
    }
    for (role, level) in levels(client)? {
        for (sequence, table) in &sequences {
            let Some(grant) = level::grant_on_sequence(level, sequence, &level::role_sql(&role))
            else {
                continue;
            };
            let right = if grant.contains("USAGE") { "INSERT" } else { "SELECT" };
            let has = client
                .update(
                    "SELECT pg_catalog.has_any_column_privilege($1::name, $2::oid, $3)",
                    None,
                    &[role.as_str().into(), (*table).into(), right.into()],
                )?
                .first()
                .get_one::<bool>()?;
            if has == Some(true) {
                run(client, &grant)?;
            }
        }
    }
    Ok(())
}

/// A table of a blueprint that belongs to the owner.
struct OfBlueprint {
    schema: String,
    table: String,
    /// Those that columns take numbers from.
    sequences: Vec<String>,
    /// Whether the schema belongs to the owner too.
    is_own_schema: bool,
}

impl OfBlueprint {
    fn give(&self, client: &mut SpiClient<'_>, role: &str, level: Level) -> Result<(), Error> {
        let name = level::role_sql(role);
        if self.is_own_schema {
            let usable = client
                .update(
                    "SELECT pg_catalog.has_schema_privilege($1::name, $2, 'USAGE')",
                    None,
                    &[role.into(), self.schema.as_str().into()],
                )?
                .first()
                .get_one::<bool>()?;
            // A grant writes to the catalog, also where it changes nothing.
            if usable != Some(true) {
                run(client, &format!("GRANT USAGE ON SCHEMA {} TO {name}", quote(&self.schema)))?;
            }
        }
        let on = qualified(&self.schema, &self.table);
        if let Some(grant) = level::grant_on_made(level, Made::Blueprint, &on, &name) {
            run(client, &grant)?;
        }
        for sequence in &self.sequences {
            let sequence = qualified(&self.schema, sequence);
            if let Some(grant) = level::grant_on_sequence(level, &sequence, &name) {
                run(client, &grant)?;
            }
        }
        Ok(())
    }
}

/// The tables of all blueprints, or some of them, that belong to the owner.
fn blueprint_tables(
    client: &mut SpiClient<'_>,
    owner: Owner,
    some: Option<&[(&str, &str)]>,
) -> Result<Vec<OfBlueprint>, Error> {
    // An installation of an earlier version has no such list yet.
    if relation::named(c"kepler", c"blueprint_tables").is_none() {
        return Ok(Vec::new());
    }
    let (schemas, names): (Vec<&str>, Vec<&str>) = some.unwrap_or_default().iter().copied().unzip();
    let rows = client.update(
        "SELECT t.schema_name, t.table_name, n.nspowner = $1, ARRAY(
             SELECT s.relname::text FROM pg_catalog.pg_depend AS d
             JOIN pg_catalog.pg_class AS s ON s.oid = d.objid AND s.relkind = 'S' AND s.relnamespace = c.relnamespace
             WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                 AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
                 AND d.refobjid = c.oid AND d.refobjsubid > 0 AND d.deptype = 'a'
             ORDER BY 1)
         FROM kepler.blueprint_tables AS t
         JOIN pg_catalog.pg_namespace AS n ON n.nspname::text = t.schema_name
         JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname::text = t.table_name
             AND c.relkind = 'r' AND c.relowner = $1
         WHERE $2 OR (t.schema_name, t.table_name) IN (
             SELECT w.s, w.n FROM ROWS FROM (pg_catalog.unnest($3::text[]), pg_catalog.unnest($4::text[])) AS w (s, n))
         ORDER BY 1, 2",
        None,
        &[owner.role().into(), some.is_none().into(), schemas.into(), names.into()],
    )?;
    let mut tables = Vec::new();
    for row in rows {
        tables.push(OfBlueprint {
            schema: row[1].value::<String>()?.unwrap_or_default(),
            table: row[2].value::<String>()?.unwrap_or_default(),
            is_own_schema: row[3].value::<bool>()?.unwrap_or_default(),
            sequences: row[4].value::<Vec<String>>()?.unwrap_or_default(),
        });
    }
    Ok(tables)
}

/// What `status()` needs, and no more: columns without content.
const MONITOR: &[&str] = &[
    "GRANT SELECT ON kepler.schema_versions TO pg_monitor",
    "GRANT SELECT (workspace_id, entity_type) ON kepler.enrichment_policies TO pg_monitor",
    "GRANT SELECT (workspace_id, entity_type, ready_at) ON kepler.enrichment_queue TO pg_monitor",
    "GRANT SELECT (workspace_id, entity_type, lease_until) ON kepler.leases TO pg_monitor",
    "GRANT SELECT (workspace_id, workflow_id, status, deadline_at) ON kepler.executions TO pg_monitor",
];

/// Lets members of `pg_monitor` call `status()`.
pub(crate) fn share_with_monitor(client: &mut SpiClient<'_>, owner: Owner) -> Result<(), Error> {
    // A grant writes to the catalog, also where it changes nothing.
    let has_all = client
        .update(
            "SELECT pg_catalog.bool_and(pg_catalog.has_function_privilege('pg_monitor', p.oid, 'EXECUTE')
                     AND pg_catalog.has_schema_privilege('pg_monitor', p.pronamespace, 'USAGE'))
                 AND pg_catalog.has_table_privilege('pg_monitor', 'kepler.schema_versions', 'SELECT')
                 AND pg_catalog.has_column_privilege('pg_monitor', 'kepler.executions', 'deadline_at', 'SELECT')
             FROM pg_catalog.pg_proc AS p
             WHERE p.pronamespace = pg_catalog.to_regnamespace($1) AND p.proname::text = ANY ($2)
                 OR p.pronamespace = pg_catalog.to_regnamespace($3) AND p.proname::text = ANY ($4)",
            None,
            &[
                INTERNAL_SCHEMA.into(),
                level::MONITOR_FUNCTIONS.to_vec().into(),
                SCHEMA.into(),
                vec!["status", "version", "current_workspace_id"].into(),
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
        run(client, "GRANT EXECUTE ON FUNCTION kepler.status(), kepler.version(), kepler.current_workspace_id()
                 TO pg_monitor")?;
        give_functions(client, level::MONITOR_FUNCTIONS.to_vec(), "pg_monitor")?;
    }
    let _owner = owner.act();
    for grant in MONITOR {
        run(client, grant)?;
    }
    Ok(())
}

/// Gives the rights of their levels anew, after tables or functions have come: to those roles that still
/// have what `grant_access` gave them. A role that has come to the name, new or renamed, is another one.
pub(crate) fn share_anew(client: &mut SpiClient<'_>, owner: Owner) -> Result<(), Error> {
    for (role, level) in levels(client)? {
        give(client, owner, &role, level)?;
    }
    Ok(())
}

fn levels(client: &mut SpiClient<'_>) -> Result<Vec<(String, Level)>, Error> {
    let rows = client.update(
        "SELECT a.role_name, a.level
         FROM kepler.access_levels AS a
         JOIN pg_catalog.pg_roles AS r ON r.rolname = a.role_name
         JOIN (VALUES ('reader', 'schema_versions', 'SELECT'), ('writer', 'users', 'INSERT'),
                   ('worker', 'leases', 'INSERT'), ('admin', 'workspaces', 'INSERT')) AS m (level, name, privilege)
             ON m.level = a.level
         WHERE EXISTS (
             SELECT FROM pg_catalog.pg_namespace AS n
             CROSS JOIN LATERAL pg_catalog.aclexplode(n.nspacl) AS x
             WHERE n.nspname = $1 AND x.grantee = r.oid AND x.privilege_type = 'USAGE')
           AND EXISTS (
             SELECT FROM pg_catalog.pg_class AS c
             JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace AND n.nspname = $1
             CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) AS x
             WHERE c.relname = m.name AND x.grantee = r.oid AND x.privilege_type = m.privilege)
         ORDER BY a.role_name",
        None,
        &[SCHEMA.into()],
    )?;
    let mut levels = Vec::new();
    for row in rows {
        if let (Some(role), Some(level)) = (row[1].value::<String>()?, row[2].value::<String>()?) {
            levels.extend(Level::from_name(&level).map(|level| (role, level)));
        }
    }
    Ok(levels)
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

fn run(client: &mut SpiClient<'_>, sql: &str) -> Result<(), Error> {
    client.update(sql, None, &[])?;
    Ok(())
}
