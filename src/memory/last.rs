//! How the last search of the session went: its rows tell that too, and an answer without rows cannot.

use crate::installed::require_tables;
use pgrx::iter::TableIterator;
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
#[pg_extern(schema = "kepler_internal", volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)]
fn last_search() -> Result<
    TableIterator<
        'static,
        (
            name!(plan, Option<&'static str>),
            name!(exhausted, Option<bool>),
            name!(row_count, Option<i32>),
        ),
    >,
    ErrorReport,
> {
    require_tables()?;
    let last = LAST.get();
    Ok(TableIterator::once((
        last.map(|(plan, _, _)| plan),
        last.map(|(_, exhausted, _)| exhausted),
        last.map(|(_, _, rows)| rows),
    )))
}
