//! The SQL functions for workers.

use super::claim::{self, Request};
use super::error::EnrichmentError;
use super::filtered::Wanted;
use crate::arguments::{ArgumentError, OptionsObject, name};
use crate::error::Error;
use crate::filter::Filter;
use crate::installed::require_tables;
use crate::pg::json::{Options, Stored, member};
use crate::pg::varlena;
use crate::pg::whole::Spi;
use crate::workspace;
use pgrx::AnyElement;
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
/// are `fair` and `filter`. No rows: nothing is ready, or the type is paused.
///
/// Errors: 55000 before `install()`, 22004 and 22023 for arguments, 42704 where the type has no policy.
#[pg_extern(
    volatile,
    parallel_unsafe,
    requires = [workspace::current_workspace_id],
    sql = r#"
CREATE FUNCTION kepler.claim_records(
    entity_type text,
    worker text,
    max_rows integer DEFAULT 1,
    lease interval DEFAULT NULL,
    options jsonb DEFAULT NULL,
    workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS TABLE (
    lease_id bigint,
    record_id text,
    attempt integer,
    data jsonb,
    source_updated_at timestamptz,
    lease_until timestamptz,
    external_id text,
    source text,
    entity_id text,
    enrichment jsonb
)
VOLATILE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"#
)]
#[allow(clippy::type_complexity)]
fn claim_records_v2(
    entity_type: Option<String>,
    worker: Option<String>,
    max_rows: Option<i32>,
    lease: Option<Interval>,
    options: Option<AnyElement>,
    workspace_id: Option<String>,
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
            name!(external_id, Option<String>),
            name!(source, Option<String>),
            name!(entity_id, Option<String>),
            name!(enrichment, Option<Stored>),
        ),
    >,
    ErrorReport,
> {
    require_tables()?;
    let (fair, filter) = read_options(options)?;
    let request = Request {
        workspace_id: workspace::argument(workspace_id)?,
        entity_type: name("entity_type", entity_type)?,
        worker: name("worker", worker)?,
        max_rows: check_max_rows(max_rows)?,
        lease: check_lease(lease)?,
        fair,
        filter,
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
            let enrichment = record.enrichment.map(Stored);
            let (external_id, source, entity_id) =
                (record.external_id, record.source, record.entity_id);
            Ok((
                lease_id,
                record.record_id,
                record.attempt,
                data,
                source_updated_at,
                until,
                external_id,
                source,
                entity_id,
                enrichment,
            ))
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

/// Whether turns are taken, and a filter that is valid.
fn read_options(options: Option<AnyElement>) -> Result<(Option<bool>, Option<Wanted>), Error> {
    let Some(given) = options else { return Ok((None, None)) };
    let mut options = OptionsObject::open("options", Options::of("options", given.datum())?.0)?;
    let mut fair = None;
    if let Some(value) = options.take("fair") {
        fair = value.as_bool();
        if fair.is_none() {
            options.problem("/fair: must be true or false");
        }
    }
    let has_filter = options.take("filter").is_some_and(|filter| !filter.is_null());
    options.close()?;
    if !has_filter {
        return Ok((fair, None));
    }
    // As it was given, with all digits of its numbers.
    let Some(filter) = member(given.datum(), "filter") else { return Ok((fair, None)) };
    // SAFETY: a jsonb that lives as long as the call.
    let bytes = unsafe { varlena::aligned_bytes(filter) };
    Filter::read(bytes)?;
    Ok((fair, Some(Wanted { filter, bytes: bytes.to_vec() })))
}

fn time(microseconds: i64) -> Result<TimestampWithTimeZone, Error> {
    TimestampWithTimeZone::try_from(microseconds).map_err(|_| EnrichmentError::BadLease.into())
}
