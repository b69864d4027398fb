//! The workspace that a call works in.

use crate::access::owner::Owner;
use crate::arguments::name;
use crate::being_deleted;
use crate::error::{Error, Report};
use crate::settings;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

/// What is wrong with a workspace.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WorkspaceError {
    #[error("workspace \"{asked}\" is not the session's")]
    Foreign { asked: String, own: String },
    #[error("workspace \"{0}\" does not exist")]
    Missing(String),
}

impl Report for WorkspaceError {
    fn code(&self) -> PgSqlErrorCode {
        match self {
            Self::Foreign { .. } => PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
            Self::Missing(_) => PgSqlErrorCode::ERRCODE_FOREIGN_KEY_VIOLATION,
        }
    }

    fn detail(&self) -> Option<String> {
        match self {
            Self::Foreign { own, .. } => Some(format!("The session's workspace is \"{own}\".")),
            Self::Missing(_) => None,
        }
    }

    fn hint(&self) -> Option<String> {
        let literal = |text: &String| text.replace('\'', "''");
        Some(match self {
            Self::Foreign { asked, .. } => format!(
                "To give a role this workspace: ALTER ROLE … SET kepler.workspace_id = '{}';",
                literal(asked)
            ),
            Self::Missing(id) => {
                format!("SELECT kepler.create_workspace('{}');", literal(id))
            }
        })
    }
}

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
    being_deleted::refuse(&asked)?;
    Ok(asked)
}

/// Fails unless a workspace is the session's, or the caller has the rights of the owner of Kepler's tables.
pub(crate) fn require_own(asked: &str) -> Result<(), Error> {
    let own = settings::workspace_id();
    if asked == own || Owner::find()?.is_caller() {
        return Ok(());
    }
    Err(WorkspaceError::Foreign { asked: asked.to_owned(), own }.into())
}

/// The same check for functions in SQL.
#[pg_extern(schema = "kepler_internal", stable, parallel_unsafe)]
fn require_workspace(workspace_id: Option<String>) -> Result<(), ErrorReport> {
    argument(workspace_id)?;
    Ok(())
}
