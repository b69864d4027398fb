//! How the last search of the session went: its rows tell that too, and an answer without rows cannot.

use crate::installed::require_tables;
use crate::pg::row::Row;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use std::cell::Cell;

thread_local! {
    /// The plan, whether there are no more, and how many rows were given.
    static LAST: Cell<Option<(&'static str, bool, i32)>> = const { Cell::new(None) };
}

/// A search begins; one that fails leaves nothing to tell.
pub(crate) fn forget() {
    LAST.set(None);
}

/// A search has found so many rows.
pub(crate) fn note(plan: &'static str, exhausted: bool, rows: usize) {
    LAST.set(Some((plan, exhausted, rows as i32)));
}

/// How the last search of the session went; NULLs before the first, and after one that failed.
///
/// Errors: 55000 before `install()`.
#[pg_extern(
    volatile,
    parallel_unsafe,
    sql = "
CREATE FUNCTION kepler.last_search(OUT plan text, OUT exhausted boolean, OUT row_count integer)
VOLATILE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"
)]
fn last_search() -> Result<Row<3>, ErrorReport> {
    require_tables()?;
    Ok(Row(LAST.get().map_or([None; 3], |(plan, exhausted, rows)| {
        [plan.into_datum(), exhausted.into_datum(), rows.into_datum()]
    })))
}
