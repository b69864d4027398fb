//! A role has the rights of all of its levels on a table; in a workspace where its level is lower, this is where what
//! that level does not hold is refused. It does something only for roles whose levels differ by workspace, and where a
//! function that lends the rights of a role is called from a workspace that the role has no such level in.

use super::current;
use super::error::AccessError;
use super::level::{self, Level, Levels, Made, Rights};
use super::membership::{self, Standing};
use super::owner::Owner;
use crate::error::Error;
use crate::pg::cluster::{self, narrow, part, tell};
use crate::pg::direct::Direct;
use crate::pg::relation::{self, UntilChanged};
use crate::pg::rights::{self, Wanted};
use crate::pg::{in_transaction, role};
use pgrx::pg_sys;

thread_local! {
    static RIGHTS: UntilChanged<pg_sys::Oid, Option<Given>> = UntilChanged::default();
}

/// What the levels have on a table.
#[derive(Clone, Copy)]
struct Given {
    rights: &'static Rights,
    is_shared: bool,
    /// Whether a statement that uses it keeps the transaction to a workspace.
    binds: bool,
}

/// Puts the hook in place; once, when the library is loaded.
pub(crate) fn register() {
    rights::register(check);
    narrow::register(|| current::workspace_id().ok());
}

/// For what concerns all workspaces: fails for a role that has the level in some of them only.
pub(crate) fn require_in_all(level: Level, what: &'static str) -> Result<(), AccessError> {
    let user = role::current();
    match &*membership::standing(user) {
        Standing::Member(member) if !member.everywhere.has(level) => {
            Err(AccessError::NotInAll { role: role::name(user), level: level.name(), what })
        }
        _ => Ok(()),
    }
}

fn check(wanted: &Wanted<'_>) -> Result<(), Error> {
    // No level says anything of catalogs: what reads them waits for no table of Kepler's, which somebody may be changing.
    if relation::is_of_catalog(wanted.relation) {
        return Ok(());
    }
    let standing = membership::standing(wanted.user);
    let given = || RIGHTS.with(|known| known.find(wanted.relation, |table| rights_on(*table)));
    if cluster::is_loaded() {
        look_across_nodes(&standing, wanted, given)?;
    }
    let member = match &*standing {
        Standing::Anywhere => return Ok(()),
        Standing::Member(member) if !member.by_workspace.is_empty() => member,
        _ => return bind(given),
    };
    let Some(given) = given()? else { return Ok(()) };
    let (levels, workspace) = if given.is_shared {
        // Whoever has a level anywhere may read.
        (member.everywhere.and(Levels::one(Level::Reader)), None)
    } else if wanted.user == role::outer() && !member.varies() {
        return bind(|| Ok(Some(given)));
    } else {
        let workspace = current::workspace_id()?;
        (member.levels_in(&workspace), Some(workspace))
    };
    if levels == member.union() || level::hold(levels, given.rights, wanted) {
        return Ok(());
    }
    let (schema, table) = relation::names(wanted.relation).unwrap_or_default();
    let rights = role::rights(wanted.rights);
    let needed = level::lowest(&schema, &table, &rights).map_or("admin", Level::name);
    let role = role::name(wanted.user);
    Err(match workspace {
        Some(workspace) => {
            AccessError::NoRightHere { table, role, level: needed, levels, workspace }.into()
        }
        None => AccessError::NoRightInAll { table, role, level: needed }.into(),
    })
}

const WRITES: pg_sys::AclMode =
    (pg_sys::ACL_INSERT | pg_sys::ACL_UPDATE | pg_sys::ACL_DELETE) as pg_sys::AclMode;

/// What the role reads or writes on other nodes of a cluster is of the workspace that was chosen here.
fn look_across_nodes(
    standing: &Standing,
    wanted: &Wanted<'_>,
    given: impl Fn() -> Result<Option<Given>, Error>,
) -> Result<(), Error> {
    let is_written = wanted.rights & WRITES != 0;
    if (is_written || tell::writes_times_otherwise())
        && part::is_elsewhere(wanted.relation, is_written)
    {
        tell::tell_settings()?;
    }
    if is_written && part::is_elsewhere(wanted.relation, true) {
        tell::write()?;
    }
    let is_of_statement = part::is_of_statement(wanted.relation);
    let knows_it_there = match standing {
        Standing::NoLevel | Standing::Nowhere => true,
        // Policies do not hold for it, but calls in the statement ask for the workspace.
        Standing::Anywhere => is_of_statement || !tell::is_chosen(),
        Standing::Member(member) => member.everywhere.is_empty() && member.by_workspace.len() == 1,
    };
    if knows_it_there || !given()?.is_some_and(|given| given.binds) {
        return Ok(());
    }
    if is_of_statement {
        return if tell::is_chosen() {
            Ok(())
        } else {
            Err(AccessError::ManyWorkspaces { role: role::name(wanted.user) }.into())
        };
    }
    if !part::is_elsewhere(wanted.relation, is_written) {
        return Ok(());
    }
    tell::tell(&current::workspace_id()?)?;
    if is_written { tell::write() } else { Ok(()) }
}

/// A statement whose rights were looked at in one workspace goes on in no other: policies ask for the workspace at each row,
/// and the role may change meanwhile, under an open cursor too.
fn bind(given: impl Fn() -> Result<Option<Given>, Error>) -> Result<(), Error> {
    if !in_transaction::is_noted() && given()?.is_some_and(|given| given.binds) {
        current::bind();
    }
    Ok(())
}

/// What the levels have on a table of Kepler's, or on one that it made.
fn rights_on(table: pg_sys::Oid) -> Result<Option<Given>, Error> {
    let Some((schema, name)) = relation::names(part::whole(table)) else { return Ok(None) };
    if schema == level::SCHEMA {
        let is_shared = level::is_shared(&name);
        let binds = !is_shared && !level::is_list(&name);
        return Ok(level::rights_on(&name).map(|rights| Given { rights, is_shared, binds }));
    }
    let owner = Owner::find()?;
    if relation::owner(table) != owner.role() {
        return Ok(None);
    }
    if schema == "kepler_data" {
        return Ok(Some(Given { rights: Made::of(&name).rights(), is_shared: false, binds: true }));
    }
    let is_listed = BLUEPRINT_TABLES
        .find(&schema, &[c"table_name"])
        .iter()
        .flatten()
        .any(|table| table.as_deref() == Some(name.as_str()));
    Ok(is_listed.then(|| Given { rights: Made::Blueprint.rights(), is_shared: false, binds: true }))
}

static BLUEPRINT_TABLES: Direct =
    Direct { table: c"blueprint_tables", index: c"blueprint_tables_pkey", key: c"schema_name" };
