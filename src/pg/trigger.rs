//! What trigger functions in Rust share.
//!
//! A trigger function needs no EXECUTE to fire, and cannot be called by itself. Whoever may execute one can make a
//! trigger of it on a table of their own: no level may, and each looks at the table that it is about.

use super::relation;
use crate::error::Error;
use pgrx::heap_tuple::PgHeapTuple;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use std::ffi::CStr;

/// Loads the library, if this is the first that a session does with Kepler: the checks of foreign keys that a deletion
/// leads to are then planned for large tables (`planner`).
#[pg_trigger(sql = "
CREATE FUNCTION kepler_internal.load_library() RETURNS trigger
LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
fn load_library(_trigger: &PgTrigger<'_>) -> Nothing {
    Ok(None)
}

/// What the functions give: no row, since those that fire after a change need none.
pub(crate) type Nothing = Result<Option<PgHeapTuple<'static, AllocatedByRust>>, PgTriggerError>;

/// A row that a trigger is about.
pub(crate) type Tuple<'t> = PgHeapTuple<'t, AllocatedByPostgres>;

/// Refuses a trigger on another table than the one that it is made for.
pub(crate) fn require_table(trigger: &PgTrigger<'_>, table: &CStr) {
    if trigger.relid().ok() != relation::named(c"kepler", table) {
        refuse("the function is made for a trigger of Kepler's");
    }
}

/// The row as it is now.
pub(crate) fn new<'t>(trigger: &'t PgTrigger<'_>) -> Tuple<'t> {
    trigger.new().unwrap_or_else(|| refuse("the trigger has no new row"))
}

/// The row as it was.
pub(crate) fn old<'t>(trigger: &'t PgTrigger<'_>) -> Tuple<'t> {
    trigger.old().unwrap_or_else(|| refuse("the trigger has no old row"))
}

/// A column that is never NULL; a row without it fails its own constraint.
pub(crate) fn text(row: &Tuple<'_>, name: &str) -> String {
    row.get_by_name::<String>(name).unwrap_or_else(|_| lacks()).unwrap_or_default()
}

pub(crate) fn bigint(row: &Tuple<'_>, name: &str) -> i64 {
    row.get_by_name::<i64>(name).unwrap_or_else(|_| lacks()).unwrap_or_default()
}

/// The row with another value in a column, for a trigger that fires before the change.
pub(crate) fn set<T: IntoDatum>(row: &mut PgHeapTuple<'_, AllocatedByRust>, name: &str, value: T) {
    row.set_by_name(name, value).unwrap_or_else(|_| lacks());
}

/// Raises what went wrong.
pub(crate) fn raise(done: Result<(), Error>) {
    if let Err(error) = done {
        ErrorReport::from(error).report(PgLogLevel::ERROR);
    }
}

fn lacks() -> ! {
    refuse("the trigger's table lacks a column")
}

fn refuse(why: &'static str) -> ! {
    ereport!(ERROR, PgSqlErrorCode::ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED, why);
}
