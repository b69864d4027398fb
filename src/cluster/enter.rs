//! The first thing that a call does that was sent to a workspace's node.

use crate::access::current::require_member;
use crate::access::membership::{self, Standing};
use crate::access::owner::Owner;
use crate::error::{Error, Report};
use crate::pg::cluster::{carry, moved, part};
use crate::pg::local_settings::{initial_value, own_value, set_as_superuser, set_for_transaction};
use crate::pg::{in_transaction, role};
use crate::settings::WORKSPACE_ID_NAME;
use crate::workspace::{WorkspaceError, require_own};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use std::ffi::CString;

/// There is no part to begin work in.
#[derive(Debug, thiserror::Error)]
#[error("the function is called by Kepler alone, on the node of a workspace")]
struct NotInPart;

impl Report for NotInPart {
    fn code(&self) -> PgSqlErrorCode {
        PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE
    }

    fn hint(&self) -> Option<String> {
        Some("Call the function that you need, on any node: Kepler sends it where its workspace lies.".to_owned())
    }
}

/// The workspace has gone to another node since the call was sent.
#[derive(Debug, thiserror::Error)]
#[error("workspace \"{0}\" has moved to another node")]
struct Moved(String);

impl Report for Moved {
    fn code(&self) -> PgSqlErrorCode {
        PgSqlErrorCode::ERRCODE_T_R_SERIALIZATION_FAILURE
    }

    fn hint(&self) -> Option<String> {
        Some("Try the transaction again.".to_owned())
    }
}

/// A call is sent for the session's workspace, or by the owner of Kepler's tables: as each function asks where it runs.
pub(crate) fn register() {
    carry::register(require_own);
}

/// Internal: has the session work in a workspace of its part for the rest of the transaction, if its role may, under
/// settings of the session that has sent the call: each stands before its value. Gives the workspace.
#[pg_extern(schema = "kepler_internal", volatile, parallel_unsafe)]
fn enter_part(workspace_id: String, settings: Vec<Option<String>>) -> Result<String, ErrorReport> {
    let settings: Vec<String> = settings.into_iter().flatten().collect();
    Ok(enter(workspace_id, &settings)?)
}

/// Fails unless the session is in a part that is here, where it stays to the end of the transaction.
fn require_part(workspace_id: &str) -> Result<(), Error> {
    if part::current() == 0 {
        return Err(NotInPart.into());
    }
    if !moved::hold() {
        return Err(Moved(workspace_id.to_owned()).into());
    }
    Ok(())
}

fn set_workspace(workspace_id: &str) {
    let value = CString::new(workspace_id).unwrap_or_default();
    set_as_superuser(WORKSPACE_ID_NAME, &value, true);
}

/// Sets what the session of the caller has set. What an earlier call of the transaction came with is not there any more.
fn set_all<'s>(pairs: impl Iterator<Item = &'s [String]>) {
    let text = |text: &String| CString::new(text.as_str()).unwrap_or_default();
    let pairs: Vec<(CString, CString)> =
        pairs.map(|pair| (text(&pair[0]), text(&pair[1]))).collect();
    for name in carry::SETTINGS {
        if !pairs.iter().any(|(given, _)| given.as_c_str() == name) && own_value(name).is_some() {
            set_for_transaction(name, &initial_value(name));
        }
    }
    for (name, value) in &pairs {
        set_for_transaction(name, value);
    }
}

/// Has the session work in a workspace, as `use_workspace` does.
fn choose(workspace_id: &str) -> Result<(), Error> {
    let standing = membership::standing(role::outer());
    require_member(&standing, workspace_id)?;
    if !matches!(*standing, Standing::Anywhere) {
        in_transaction::note(workspace_id).map_err(|used| WorkspaceError::Used { used })?;
    }
    set_workspace(workspace_id);
    Ok(())
}

fn enter(workspace_id: String, settings: &[String]) -> Result<String, Error> {
    require_part(&workspace_id)?;
    choose(&workspace_id)?;
    part::enter();
    set_all(settings.chunks_exact(2));
    Ok(workspace_id)
}

/// Internal: has the session look into the part of a workspace for the rest of the transaction, as whoever it is: it works in the
/// workspace that it works in where the call comes from, if its role may. Gives the workspace that named the part.
#[pg_extern(schema = "kepler_internal", volatile, parallel_unsafe)]
fn look_into_part(
    workspace_id: String,
    settings: Vec<Option<String>>,
) -> Result<String, ErrorReport> {
    let settings: Vec<String> = settings.into_iter().flatten().collect();
    require_part(&workspace_id)?;
    let own = WORKSPACE_ID_NAME.to_str().unwrap_or_default();
    let (workspaces, others): (Vec<&[String]>, Vec<&[String]>) =
        settings.chunks_exact(2).partition(|pair| pair[0] == own);
    let standing = membership::standing(role::outer());
    let asked = workspaces.first().map(|pair| pair[1].as_str());
    let may = |id: &&str| require_member(&standing, id).is_ok();
    set_workspace(asked.filter(may).unwrap_or_default());
    part::enter();
    set_all(others.into_iter());
    Ok(workspace_id)
}

/// Internal: has the session look into what a node without parts has for itself, for the rest of the transaction: in the workspace that
/// is named, if its role may. Gives the workspace.
#[pg_extern(schema = "kepler_internal", volatile, parallel_unsafe)]
fn look_into_node(workspace_id: String) -> Result<String, ErrorReport> {
    choose(&workspace_id)?;
    part::enter();
    Ok(workspace_id)
}

/// Fails where a workspace has come to a node that was asked as one where it is not.
pub(crate) fn require_other_node(asked: &[i32], workspace_id: &str) -> Result<(), Error> {
    if moved::is_among(asked) {
        return Err(Moved(workspace_id.to_owned()).into());
    }
    Ok(())
}

/// Internal: fails unless the caller has the rights of the owner of Kepler's tables.
#[pg_extern(schema = "kepler_internal", volatile, parallel_unsafe)]
fn require_cluster_owner() -> Result<(), ErrorReport> {
    let owner = Owner::find()?;
    owner.require_caller("distribute them").map_err(Error::from)?;
    Ok(())
}
