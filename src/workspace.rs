//! The workspace that a call works in.

pub(crate) use crate::access::current::{WorkspaceError, workspace_id};

use crate::access::current::require_member;
use crate::access::membership::{self, Standing};
use crate::access::owner::Owner;
use crate::arguments::{ArgumentError, name};
use crate::being_deleted;
use crate::error::{Error, Report};
use crate::ident::quote_literal;
use crate::installed::require_tables;
use crate::pg::cluster::part;
use crate::pg::direct::Direct;
use crate::pg::local_settings::set_as_superuser;
use crate::pg::{in_transaction, role, transaction};
use crate::settings::{self, WORKSPACE_ID_NAME};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use std::ffi::CString;

/// The workspace that the session works in: the one that `use_workspace` or a superuser set. Where nothing was set, it is
/// the only workspace that the role is a member of; `default` for roles with a level in all workspaces, for the owner of
/// Kepler's tables, and for roles without a level. The role is the one that logged in, or that `SET ROLE` names.
///
/// Errors: 42501 where the role is not a member of the workspace that was set, or is a member of several and chose none;
/// 25001 where the transaction has worked in another workspace.
#[pg_extern(
    stable,
    parallel_safe,
    sql = "
CREATE FUNCTION kepler.current_workspace_id() RETURNS text
STABLE STRICT PARALLEL SAFE LANGUAGE c
AS 'MODULE_PATHNAME', 'session_workspace_id';
"
)]
fn current_workspace_id() -> Result<String, ErrorReport> {
    Ok(workspace_id()?)
}

/// Has the session work in another workspace, of which its role must be a member: for the rest of the transaction, or of
/// the session where `is_local` is false. Gives its id.
///
/// A transaction works in one workspace: whoever has not the rights of the owner of Kepler's tables can choose another
/// one only before the first row is read or written, or after the part of the transaction that did so was rolled back.
///
/// Errors: 55000 before `install()`; 22004 and 22023 for arguments; 42501 where the role is not a member; 23503 where a
/// role that may work in all workspaces names one that does not exist; 25P01 where `is_local` is true outside of a
/// transaction block; 25001 where the transaction has worked in another workspace.
#[pg_extern(
    volatile,
    parallel_unsafe,
    sql = "
CREATE FUNCTION kepler.use_workspace(workspace_id text, is_local boolean DEFAULT true) RETURNS text
VOLATILE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"
)]
fn use_workspace(
    workspace_id: Option<String>,
    is_local: Option<bool>,
) -> Result<String, ErrorReport> {
    Ok(choose(workspace_id, is_local)?)
}

fn choose(workspace_id: Option<String>, is_local: Option<bool>) -> Result<String, Error> {
    require_tables()?;
    let asked = name("workspace_id", workspace_id)?;
    let is_local = is_local.ok_or(ArgumentError::Null("is_local"))?;
    if !is_local && settings::workspace_per_transaction() {
        return Err(WorkspaceError::ForSession.into());
    }
    let standing = membership::standing(role::outer());
    require_member(&standing, &asked)?;
    let is_listed = match &*standing {
        Standing::Member(member) => member.by_workspace.contains_key(&asked),
        Standing::Anywhere | Standing::NoLevel | Standing::Nowhere => false,
    };
    if !is_listed && WORKSPACES.find(&asked, &[c"id"]).is_empty() {
        return Err(WorkspaceError::Missing(asked).into());
    }
    if is_local && !transaction::goes_on() {
        return Err(WorkspaceError::NoTransaction { asked }.into());
    }
    if !matches!(*standing, Standing::Anywhere) {
        in_transaction::note(&asked).map_err(|used| WorkspaceError::Used { used })?;
    }
    let value = CString::new(asked.as_str()).unwrap_or_default();
    set_as_superuser(WORKSPACE_ID_NAME, &value, is_local);
    Ok(asked)
}

static WORKSPACES: Direct = Direct { table: c"workspaces", index: c"workspaces_pkey", key: c"id" };

/// A call runs beside distributed tables, and not where its workspace lies.
#[derive(Debug, thiserror::Error)]
#[error("workspace \"{0}\" does not lie where the statement runs")]
struct Elsewhere(String);

impl Report for Elsewhere {
    fn code(&self) -> PgSqlErrorCode {
        PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED
    }

    fn detail(&self) -> Option<String> {
        Some(
            "A call in a statement on distributed tables runs where Citus reads the rows of these."
                .to_owned(),
        )
    }

    fn hint(&self) -> Option<String> {
        let id = quote_literal(&self.0);
        Some(format!(
            "Name the workspace for each of these tables (workspace_id = {id}); or read the rows first, and pass their values to the call."
        ))
    }
}

/// The argument `workspace_id`, checked.
pub(crate) fn argument(workspace_id: Option<String>) -> Result<String, Error> {
    let asked = name("workspace_id", workspace_id)?;
    if !part::is_for(&asked) {
        return Err(Elsewhere(asked).into());
    }
    require_own(&asked)?;
    being_deleted::refuse(&asked)?;
    Ok(asked)
}

/// Fails unless a workspace is the session's, or the caller has the rights of the owner of Kepler's tables.
pub(crate) fn require_own(asked: &str) -> Result<(), Error> {
    let own = workspace_id();
    if own.as_ref().is_ok_and(|own| own == asked) || Owner::find()?.is_caller() {
        return Ok(());
    }
    Err(WorkspaceError::Foreign { asked: asked.to_owned(), own: own? }.into())
}

/// The same check for functions in SQL.
#[pg_extern(schema = "kepler_internal", stable, parallel_unsafe)]
fn require_workspace(workspace_id: Option<String>) -> Result<(), ErrorReport> {
    argument(workspace_id)?;
    Ok(())
}

/// Internal: whether the list of levels in all workspaces shows that of a role to the session: its own, and those it inherits.
#[pg_extern(schema = "kepler_internal", stable, parallel_safe)]
fn sees_level(role_name: &str) -> bool {
    role::named(role_name).is_some_and(|role| role::has_privileges_of(role::outer(), role))
}
