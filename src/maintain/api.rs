//! What the procedure `maintain` is made of, and the parts of steps that are not SQL.
//!
//! No level of access may execute any of it but `maintain_step`, which asks who calls.

use super::run::{self, Began};
use crate::arguments::ArgumentError;
use crate::enrichment;
use crate::error::Error;
use crate::installed::require_tables;
use crate::pg::whole::Spi;
use crate::sync;
use pgrx::datum::Interval;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

/// Without a sign of life for so long a sync run counts as abandoned, in microseconds.
const SILENT_FOR: i64 = 86_400_000_000;

/// Internal: the next part of `maintain`, which is a transaction of its own. Gives whether there is another.
#[pg_extern(schema = "kepler_internal", volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn maintain_step(budget: Option<Interval>, is_first: Option<bool>) -> Result<bool, ErrorReport> {
    require_tables()?;
    let budget = budget.ok_or(ArgumentError::Null("budget"))?;
    if is_first == Some(true) {
        let began = run::begin(budget.as_micros())?;
        return Ok(matches!(began, Began::Yes));
    }
    Ok(run::next()?)
}

/// Internal: takes back what expired leases of a type hold.
#[pg_extern(schema = "kepler_internal", volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn reap_leases(workspace_id: &str, entity_type: &str, max_rows: i32) -> i64 {
    Spi::connect_mut(|client| {
        enrichment::reap::reap_expired(client, workspace_id, entity_type, max_rows) as i64
    })
}

/// Internal: ends sync runs that nobody goes on with, and deletes what ended ones have noted.
#[pg_extern(schema = "kepler_internal", volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn tidy_syncs(workspace_id: &str, max_rows: i32) -> Result<i64, ErrorReport> {
    let tidied = Spi::connect_mut(|client| -> Result<usize, Error> {
        sync::silent::tidy_up(client, workspace_id, SILENT_FOR, max_rows)
    })?;
    Ok(tidied as i64)
}
