//! Whether Kepler's tables are there, and whether a procedure may commit.

use crate::error::{Error, Report};
use crate::pg::versions::{self, Behind};
use crate::pg::{relation, transaction};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

/// Kepler's tables are not there.
#[derive(Debug, thiserror::Error)]
#[error("Kepler's tables are not installed in this database")]
pub(crate) struct NotInstalled;

impl Report for NotInstalled {
    fn code(&self) -> PgSqlErrorCode {
        PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE
    }

    fn hint(&self) -> Option<String> {
        Some("SELECT kepler.install();".to_owned())
    }
}

/// The extension was updated, or created for a restored dump, and its tables were not.
#[derive(Debug, thiserror::Error)]
#[error("Kepler's tables are of an older version than its functions")]
struct OlderTables;

impl Report for OlderTables {
    fn code(&self) -> PgSqlErrorCode {
        PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE
    }

    fn hint(&self) -> Option<String> {
        Some(Behind::Tables.hint().to_string_lossy().into_owned())
    }
}

/// Fails unless the tables are there, and of the version of the functions. Two look-ups in Postgres' caches; what the session
/// has found in step is not read again. The functions of an older extension are served as far as they can be.
pub(crate) fn require_tables() -> Result<(), Error> {
    if relation::named(c"kepler", c"schema_versions").is_none() {
        return Err(NotInstalled.into());
    }
    match versions::behind() {
        Some(Behind::Tables) => Err(OlderTables.into()),
        Some(Behind::Extension) | None => Ok(()),
    }
}

/// The same check for functions in SQL, before a query on a missing table fails without a hint.
#[pg_extern(schema = "kepler_internal", name = "require_tables", stable, parallel_safe)]
fn require_tables_in_sql() -> Result<(), ErrorReport> {
    Ok(require_tables()?)
}

/// A procedure that commits was called where it cannot.
#[derive(Debug, thiserror::Error)]
#[error("procedure {0} cannot run inside a transaction block or a function")]
struct CannotCommit(String);

impl Report for CannotCommit {
    fn code(&self) -> PgSqlErrorCode {
        PgSqlErrorCode::ERRCODE_INVALID_TRANSACTION_TERMINATION
    }

    fn detail(&self) -> Option<String> {
        Some("It commits its work in parts. Nothing was changed.".to_owned())
    }

    fn hint(&self) -> Option<String> {
        Some(
            "CALL it as a statement of its own, outside of BEGIN and COMMIT. Clients that begin transactions by themselves \
             have a mode without that, such as autocommit."
                .to_owned(),
        )
    }
}

/// Fails unless the procedure that calls it may commit: it would do its first part, and fail without a hint then.
#[pg_extern(schema = "kepler_internal", volatile, parallel_unsafe)]
fn require_commits(procedure: &str) -> Result<(), ErrorReport> {
    if transaction::caller_may_commit() {
        return Ok(());
    }
    Err(Error::from(CannotCommit(procedure.to_owned())))?
}
