//! Workspaces that `delete_workspace` is deleting: nothing works in them any more.
//!
//! Sessions remember which they are, few or none, until somebody writes to `kepler.workspaces`.

use crate::access::owner::Owner;
use crate::error::{Error, Report};
use crate::pg::plan::Statement;
use crate::pg::whole::Spi;
use crate::pg::written::UntilWritten;
use pgrx::PgSqlErrorCode;
use std::rc::Rc;

/// A workspace is on its way out.
#[derive(Debug, thiserror::Error)]
#[error("workspace \"{0}\" is being deleted")]
struct BeingDeleted(String);

impl Report for BeingDeleted {
    fn code(&self) -> PgSqlErrorCode {
        PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE
    }

    fn hint(&self) -> Option<String> {
        let literal = self.0.replace('\'', "''");
        Some(format!(
            "CALL kepler.delete_workspace('{literal}'); goes on where it was interrupted."
        ))
    }
}

thread_local! {
    static LIST: Statement = const { Statement::new(
        c"SELECT w.id FROM kepler.workspaces AS w WHERE w.deleting_at IS NOT NULL",
        &[],
    ) };
    static KNOWN: UntilWritten<(), Rc<[String]>> = UntilWritten::of(&[c"workspaces"]);
}

/// Fails if a workspace is being deleted. The owner looks: whoever works in a workspace need not be able to read the list.
pub(crate) fn refuse(workspace_id: &str) -> Result<(), Error> {
    // Before install() others say what is missing.
    let Ok(owner) = Owner::find() else { return Ok(()) };
    let _owner = owner.act();
    let known = KNOWN.with(|known| known.find(None, (), |()| Ok::<_, Error>(Some(look_up()))))?;
    if known.is_some_and(|list| list.iter().any(|id| id == workspace_id)) {
        return Err(BeingDeleted(workspace_id.to_owned()).into());
    }
    Ok(())
}

fn look_up() -> Rc<[String]> {
    Spi::connect_mut(|client| {
        let rows = LIST.with(|statement| statement.run_latest(client, &[]));
        rows.iter::<1>().filter_map(|row| row.text(0).map(str::to_owned)).collect()
    })
}
