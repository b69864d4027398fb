//! What is run now and then, by an administrator or a scheduler, for all users: deleting what has expired, and
//! ending what has fallen silent.
//!
//! The work is SQL. It is done as the owner of Kepler's tables where the caller has that role's rights anyway, so that
//! the triggers of users do not run as a superuser; others do it as themselves.

use crate::access::owner::{Owner, require_right};
use crate::error::Error;
use crate::installed::require_tables;
use crate::pg::whole::Spi;
use crate::workspace;
use pgrx::iter::TableIterator;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::spi::SpiClient;

fn keep_up<T>(run: impl FnOnce(&mut SpiClient<'_>) -> Result<T, Error>) -> Result<T, ErrorReport> {
    Ok(Spi::connect_mut(|client| {
        // Users may have triggers of their own on these tables.
        let _acting = Owner::find()?.act_for_administrator(client, &[])?;
        run(client)
    })?)
}

/// Deletes memories that have expired, the longest expired first, and gives how many.
///
/// Errors: 55000 before `install()`, 22004 and 22023 for arguments.
#[pg_extern(volatile, parallel_unsafe, requires = ["memories", workspace::current_workspace_id])]
#[search_path(pg_catalog, pg_temp)]
fn expire_memories(
    max_rows: default!(Option<i32>, 1000),
    workspace_id: default!(Option<String>, "kepler.current_workspace_id()"),
) -> Result<Option<i64>, ErrorReport> {
    require_tables()?;
    let workspace_id = workspace::argument(workspace_id)?;
    require_right("memories", pg_sys::ACL_DELETE)?;
    keep_up(|client| {
        let expired = client.update(
            "SELECT kepler_internal.expire_memories($1, $2)",
            None,
            &[max_rows.into(), workspace_id.as_str().into()],
        )?;
        Ok(expired.first().get_one::<i64>()?)
    })
}

type Abandoned = (String, String, Option<String>, TimestampWithTimeZone, TimestampWithTimeZone);

/// Ends executions that are overdue, and gives them.
///
/// Errors: 55000 before `install()`, 22004 and 22023 for arguments.
#[pg_extern(
    volatile,
    parallel_unsafe,
    requires = ["executions", workspace::current_workspace_id],
    sql = r#"
CREATE FUNCTION kepler.abandon_executions(
    max_rows integer DEFAULT 1000, workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS TABLE (
    execution_id text, workflow_id text, user_id text, started_at timestamptz, deadline_at timestamptz
)
VOLATILE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"#
)]
#[allow(clippy::type_complexity)]
fn abandon_executions(
    max_rows: Option<i32>,
    workspace_id: Option<String>,
) -> Result<
    TableIterator<
        'static,
        (
            name!(execution_id, String),
            name!(workflow_id, String),
            name!(user_id, Option<String>),
            name!(started_at, TimestampWithTimeZone),
            name!(deadline_at, TimestampWithTimeZone),
        ),
    >,
    ErrorReport,
> {
    require_tables()?;
    let workspace_id = workspace::argument(workspace_id)?;
    require_right("executions", pg_sys::ACL_UPDATE)?;
    let ended = keep_up(|client| {
        let rows = client.update(
            "SELECT a.execution_id, a.workflow_id, a.user_id, a.started_at, a.deadline_at
             FROM kepler_internal.abandon_executions($1, $2) AS a",
            None,
            &[max_rows.into(), workspace_id.as_str().into()],
        )?;
        let mut ended: Vec<Abandoned> = Vec::new();
        for row in rows {
            if let (Some(execution), Some(workflow), Some(started), Some(deadline)) = (
                row[1].value::<String>()?,
                row[2].value::<String>()?,
                row[4].value::<TimestampWithTimeZone>()?,
                row[5].value::<TimestampWithTimeZone>()?,
            ) {
                ended.push((execution, workflow, row[3].value::<String>()?, started, deadline));
            }
        }
        Ok(ended)
    })?;
    Ok(TableIterator::new(ended))
}
