//! The SQL functions for workers.

use super::claim::{self, Request};
use super::error::EnrichmentError;
use crate::arguments::{ArgumentError, OptionsObject, name};
use crate::error::Error;
use crate::installed::require_tables;
use crate::pg::json::{Options, Stored};
use crate::pg::whole::Spi;
use crate::workspace;
use pgrx::datum::Interval;
use pgrx::iter::TableIterator;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

/// A claim takes at most so many records.
const MAX_ROWS: i32 = 10_000;
/// A lease holds at most a year without `extend_lease`.
const MAX_LEASE: i128 = 365 * 86_400_000_000;

/// Claims up to `max_rows` records of a type for `worker`, under one lease.
///
/// `lease`: how long it holds without `extend_lease`; the policy's if NULL. `options`: a JSON object, known
/// is `fair`. No rows: nothing is ready.
///
/// Errors: 55000 before `install()`, 22004 and 22023 for arguments, 42704 where the type has no policy.
#[pg_extern(volatile, parallel_unsafe, requires = [workspace::current_workspace_id])]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)]
fn claim_records(
    entity_type: Option<String>,
    worker: Option<String>,
    max_rows: default!(Option<i32>, "1"),
    lease: default!(Option<Interval>, "NULL"),
    options: default!(Option<Options>, "NULL"),
    workspace_id: default!(Option<String>, "kepler.current_workspace_id()"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(lease_id, i64),
            name!(record_id, String),
            name!(attempt, i32),
            name!(data, Stored),
            name!(source_updated_at, Option<TimestampWithTimeZone>),
            name!(lease_until, TimestampWithTimeZone),
        ),
    >,
    ErrorReport,
> {
    require_tables()?;
    let request = Request {
        workspace_id: workspace::argument(workspace_id)?,
        entity_type: name("entity_type", entity_type)?,
        worker: name("worker", worker)?,
        max_rows: check_max_rows(max_rows)?,
        lease: check_lease(lease)?,
        fair: read_options(options)?,
    };
    // SAFETY: the memory that Postgres gave this call lives as long as its rows.
    let memory = unsafe { pg_sys::CurrentMemoryContext };
    let claim = Spi::connect_mut(|client| {
        claim::run(client, &request, |datum| {
            // SAFETY: the datum is a jsonb of a row that is still there; what is copied lies in the
            // call's memory.
            unsafe {
                let before = pg_sys::MemoryContextSwitchTo(memory);
                let copy = pg_sys::pg_detoast_datum_copy(datum.cast_mut_ptr());
                pg_sys::MemoryContextSwitchTo(before);
                pg_sys::Datum::from(copy)
            }
        })
    })?;
    let (lease_id, lease_until, records) = match claim {
        Some(claim) => (claim.lease_id, claim.lease_until, claim.records),
        None => (0, 0, Vec::new()),
    };
    let until = time(lease_until)?;
    let rows: Result<Vec<_>, Error> = records
        .into_iter()
        .map(|record| {
            let source_updated_at = record.source_updated_at.map(time).transpose()?;
            let data = Stored(record.data);
            Ok((lease_id, record.record_id, record.attempt, data, source_updated_at, until))
        })
        .collect();
    Ok(TableIterator::new(rows?))
}

fn check_max_rows(max_rows: Option<i32>) -> Result<i32, Error> {
    let given = max_rows.ok_or(ArgumentError::Null("max_rows"))?;
    if (1..=MAX_ROWS).contains(&given) {
        Ok(given)
    } else {
        Err(EnrichmentError::BadMaxRows { limit: MAX_ROWS, given }.into())
    }
}

/// In microseconds.
fn check_lease(lease: Option<Interval>) -> Result<Option<i64>, Error> {
    let Some(lease) = lease else { return Ok(None) };
    let micros = lease.as_micros();
    if (1_000..=MAX_LEASE).contains(&micros) {
        Ok(Some(micros as i64))
    } else {
        Err(EnrichmentError::BadLease.into())
    }
}

fn read_options(options: Option<Options>) -> Result<Option<bool>, Error> {
    let Some(options) = options else { return Ok(None) };
    let mut options = OptionsObject::open("options", options.0)?;
    let mut fair = None;
    if let Some(value) = options.take("fair") {
        fair = value.as_bool();
        if fair.is_none() {
            options.problem("/fair: must be true or false");
        }
    }
    options.close()?;
    Ok(fair)
}

fn time(microseconds: i64) -> Result<TimestampWithTimeZone, Error> {
    TimestampWithTimeZone::try_from(microseconds).map_err(|_| EnrichmentError::BadLease.into())
}
