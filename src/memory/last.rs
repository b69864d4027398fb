//! How the last search of the session went: its rows tell that too, and an answer without rows cannot.

use super::nearest::Plan;
use crate::installed::require_tables;
use crate::pg::cluster::carry;
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

/// A search that was sent to another node went so, as its session there says; empty where one is about to be sent.
fn note_sent(told: &str) {
    let told = serde_json::from_str::<serde_json::Value>(told).unwrap_or_default();
    if told.is_null() {
        return forget();
    }
    let plan = Plan::named(told["plan"].as_str().unwrap_or_default());
    let rows = told["row_count"].as_u64().unwrap_or_default();
    note(plan.name(), told["exhausted"].as_bool() == Some(true), rows as usize);
}

/// Once, when the library is loaded.
pub(crate) fn register() {
    carry::on_search(note_sent);
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
