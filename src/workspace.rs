//! The workspace that a call works in.

use crate::access::error::AccessError;
use crate::access::owner::Owner;
use crate::arguments::name;
use crate::error::Error;
use crate::settings;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

/// The session's workspace: `kepler.workspace_id`, or `default` where nothing was set. Looks
/// nothing up: it runs once for each row that takes it as a default.
#[pg_extern(stable, parallel_safe)]
fn current_workspace_id() -> String {
    settings::workspace_id()
}

/// The argument `workspace_id`, checked.
pub(crate) fn argument(workspace_id: Option<String>) -> Result<String, Error> {
    let asked = name("workspace_id", workspace_id)?;
    require_own(&asked)?;
    Ok(asked)
}

/// Fails unless a workspace is the session's, or the caller has the rights of the owner of Kepler's tables.
pub(crate) fn require_own(asked: &str) -> Result<(), Error> {
    let own = settings::workspace_id();
    if asked == own || Owner::find()?.is_caller() {
        return Ok(());
    }
    Err(AccessError::ForeignWorkspace { asked: asked.to_owned(), own }.into())
}

/// The same check for functions in SQL.
#[pg_extern(schema = "kepler_internal", stable, parallel_unsafe)]
fn require_workspace(workspace_id: Option<String>) -> Result<(), ErrorReport> {
    argument(workspace_id)?;
    Ok(())
}
