//! Whether Kepler's tables are there.

use crate::error::{Error, Report};
use crate::pg::relation;
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

/// Fails unless the tables are there, the newest that functions touch included. Two look-ups in
/// Postgres' caches, nothing is read.
pub(crate) fn require_tables() -> Result<(), Error> {
    match relation::named(c"kepler", c"blueprints") {
        Some(_) => Ok(()),
        None => Err(NotInstalled.into()),
    }
}

/// The same check for functions in SQL, before a query on a missing table fails without a hint.
#[pg_extern(schema = "kepler_internal", name = "require_tables", stable, parallel_safe)]
fn require_tables_in_sql() -> Result<(), ErrorReport> {
    Ok(require_tables()?)
}
