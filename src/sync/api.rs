//! The SQL functions of sync runs.

use super::begin;
use super::end;
use super::error::SyncError;
use super::guards::Allowed;
use super::run::Run;
use super::silent::{self, Silent};
use super::sweep::{self, Options, STEP, Stepped};
use crate::access::owner;
use crate::arguments::{ArgumentError, name, required};
use crate::error::Error;
use crate::filter::Filter;
use crate::installed::require_tables;
use crate::pg::clock::now;
use crate::pg::row::Row;
use crate::pg::varlena;
use crate::pg::whole::Spi;
use crate::record::options::Arguments;
use crate::record::seen;
use crate::workspace;
use pgrx::AnyElement;
use pgrx::JsonB;
use pgrx::datum::{Interval, TimestampWithTimeZone};
use pgrx::iter::TableIterator;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

/// Begins a sync run.
#[pg_extern(
    volatile,
    parallel_unsafe,
    requires = [workspace::current_workspace_id],
    sql = r#"
CREATE FUNCTION kepler.begin_sync(
    connection_id text,
    entity_type text,
    mode text DEFAULT 'full',
    source text DEFAULT 'MANUAL',
    scope jsonb DEFAULT NULL,
    workspace_id text DEFAULT kepler.current_workspace_id(),
    OUT sync_run_id text,
    OUT entity_id text,
    OUT cursor text,
    OUT abandoned_run_id text
)
VOLATILE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"#
)]
fn begin_sync(
    connection_id: Option<String>,
    entity_type: Option<String>,
    mode: Option<String>,
    source: Option<String>,
    scope: Option<AnyElement>,
    workspace_id: Option<String>,
) -> Result<Row<4>, ErrorReport> {
    require_tables()?;
    let mode = match required("mode", mode)?.as_str() {
        "full" => "full",
        "incremental" => "incremental",
        other => {
            let (legal, given) = ("full, incremental", other.to_owned());
            return Err(ArgumentError::BadChoice { argument: "mode", legal, given }.into());
        }
    };
    let arguments = Arguments {
        workspace_id,
        entity_type,
        source: Some(required("source", source)?),
        connection_id,
        merge: Some("replace".to_owned()),
        ..Arguments::default()
    };
    let request = arguments.check()?;
    let scope = scope.map(|scope| scope.datum());
    if let Some(scope) = scope {
        if mode != "full" {
            return Err(Error::from(SyncError::ScopeOfIncremental).into());
        }
        // SAFETY: declared in SQL as jsonb.
        Filter::read(unsafe { varlena::aligned_bytes(scope) }).map_err(Error::from)?;
    }
    // Whoever may not write runs keeps nobody waiting.
    owner::require_right("sync_runs", pg_sys::ACL_INSERT)?;
    let begun = Spi::connect_mut(|client| begin::begin(client, &request, mode, scope))?;
    Ok(Row([
        begun.id.into_datum(),
        begun.entity_id.into_datum(),
        begun.cursor.into_datum(),
        begun.abandoned.into_datum(),
    ]))
}

/// Notes how far a run has come.
#[pg_extern(volatile, parallel_unsafe, requires = [workspace::current_workspace_id])]
#[search_path(pg_catalog, pg_temp)]
fn checkpoint_sync(
    sync_run_id: Option<String>,
    cursor: Option<String>,
    workspace_id: default!(Option<String>, "kepler.current_workspace_id()"),
) -> Result<TimestampWithTimeZone, ErrorReport> {
    require_tables()?;
    let workspace_id = workspace::argument(workspace_id)?;
    let run_id = seen::run_argument(sync_run_id)?;
    let cursor = required("cursor", cursor)?;
    owner::require_right("sync_runs", pg_sys::ACL_UPDATE)?;
    let at = now();
    Spi::connect_mut(|client| -> Result<(), Error> {
        let run = Run::read(client, &workspace_id, &run_id)?.shared(client)?;
        run.require_open()?;
        run.set_checkpoint(client, &cursor, at);
        Ok(())
    })?;
    Ok(TimestampWithTimeZone::try_from(at).map_err(|_| Error::from(SyncError::BeganMeanwhile))?)
}

/// Finds a run that is open: by its id, or the newest of an entity.
#[pg_extern(
    volatile,
    parallel_unsafe,
    requires = [workspace::current_workspace_id],
    sql = r#"
CREATE FUNCTION kepler.resume_sync(
    sync_run_id text DEFAULT NULL,
    connection_id text DEFAULT NULL,
    entity_type text DEFAULT NULL,
    mode text DEFAULT NULL,
    source text DEFAULT 'MANUAL',
    workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS TABLE (
    sync_run_id text, entity_type text, source text, connection_id text, mode text, phase text, scope jsonb,
    cursor text, seen bigint, counts jsonb, started_at timestamptz, checkpoint_at timestamptz
)
VOLATILE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"#
)]
#[allow(clippy::type_complexity)]
fn resume_sync(
    sync_run_id: Option<String>,
    connection_id: Option<String>,
    entity_type: Option<String>,
    mode: Option<String>,
    source: Option<String>,
    workspace_id: Option<String>,
) -> Result<
    TableIterator<
        'static,
        (
            name!(sync_run_id, String),
            name!(entity_type, String),
            name!(source, String),
            name!(connection_id, Option<String>),
            name!(mode, &'static str),
            name!(phase, String),
            name!(scope, Option<JsonB>),
            name!(cursor, Option<String>),
            name!(seen, i64),
            name!(counts, JsonB),
            name!(started_at, TimestampWithTimeZone),
            name!(checkpoint_at, Option<TimestampWithTimeZone>),
        ),
    >,
    ErrorReport,
> {
    require_tables()?;
    let workspace_id = workspace::argument(workspace_id)?;
    if sync_run_id.is_some() == entity_type.is_some() {
        return Err(Error::from(SyncError::RunOrEntity).into());
    }
    if let Some(given) = mode.as_deref().filter(|mode| !["full", "incremental"].contains(mode)) {
        let (legal, given) = ("full, incremental", given.to_owned());
        return Err(ArgumentError::BadChoice { argument: "mode", legal, given }.into());
    }
    let found = Spi::connect_mut(|client| -> Result<_, Error> {
        let run = match (&sync_run_id, entity_type) {
            (Some(id), _) => {
                let run = Run::read(client, &workspace_id, id)?;
                run.require_open()?;
                Some(run)
            }
            (None, entity_type) => {
                let entity_type = name("entity_type", entity_type)?;
                let source = name("source", source)?;
                let names = [source.as_str(), entity_type.as_str()];
                let (connection, mode) = (connection_id.as_deref(), mode.as_deref());
                Run::find_open(client, &workspace_id, names, connection, mode)?
            }
        };
        let Some(run) = run else { return Ok(None) };
        let totals = run.totals(client);
        let json = |text: &str| serde_json::from_str(text).map(JsonB);
        let (counts, scope) = (json(&totals.counts)?, run.scope.as_deref().map(json).transpose()?);
        let mode = run.mode();
        let time =
            |at: i64| TimestampWithTimeZone::try_from(at).map_err(|_| SyncError::BeganMeanwhile);
        Ok(Some((
            run.id,
            run.entity_type,
            run.source,
            run.connection_id,
            mode,
            run.phase,
            scope,
            run.cursor,
            totals.seen,
            counts,
            time(run.started_at)?,
            run.checkpoint_at.map(time).transpose()?,
        )))
    })?;
    Ok(TableIterator::new(found))
}

/// Ends a run: one step of it.
#[pg_extern(
    volatile,
    parallel_unsafe,
    requires = [workspace::current_workspace_id],
    sql = r#"
CREATE FUNCTION kepler.finish_sync(
    sync_run_id text,
    max_delete_fraction double precision DEFAULT 0.2,
    allow_rejects boolean DEFAULT false,
    allow_empty boolean DEFAULT false,
    dry_run boolean DEFAULT false,
    max_rows integer DEFAULT 10000,
    cursor text DEFAULT NULL,
    workspace_id text DEFAULT kepler.current_workspace_id(),
    OUT outcome text,
    OUT status text,
    OUT seen bigint,
    OUT rejected bigint,
    OUT records bigint,
    OUT deleted bigint,
    OUT remaining bigint,
    OUT error text
)
VOLATILE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"#
)]
#[allow(clippy::too_many_arguments)]
fn finish_sync(
    sync_run_id: Option<String>,
    max_delete_fraction: Option<f64>,
    allow_rejects: Option<bool>,
    allow_empty: Option<bool>,
    dry_run: Option<bool>,
    max_rows: Option<i32>,
    cursor: Option<String>,
    workspace_id: Option<String>,
) -> Result<Row<8>, ErrorReport> {
    let stepped = finish(
        sync_run_id,
        Some((max_delete_fraction, allow_rejects, allow_empty)),
        dry_run,
        max_rows,
        cursor,
        workspace_id,
    )?;
    Ok(Row([
        stepped.outcome.name().into_datum(),
        stepped.status.into_datum(),
        stepped.totals.seen.into_datum(),
        stepped.totals.rejected.into_datum(),
        stepped.records.into_datum(),
        stepped.deleted.into_datum(),
        stepped.remaining.into_datum(),
        stepped.error.into_datum(),
    ]))
}

/// One step of `sweep_sync`, a procedure in PL/pgSQL, since only such a one can commit. Gives whether it was the last.
#[pg_extern(schema = "kepler_internal", volatile, parallel_unsafe, requires = [workspace::current_workspace_id])]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::too_many_arguments)]
fn sweep_sync_step(
    sync_run_id: Option<String>,
    max_delete_fraction: Option<f64>,
    allow_rejects: Option<bool>,
    allow_empty: Option<bool>,
    max_rows: Option<i32>,
    cursor: Option<String>,
    workspace_id: default!(Option<String>, "kepler.current_workspace_id()"),
) -> Result<bool, ErrorReport> {
    let allowed = Some((max_delete_fraction, allow_rejects, allow_empty));
    let stepped = finish(sync_run_id, allowed, Some(false), max_rows, cursor, workspace_id)?;
    Ok(stepped.outcome == crate::answer::Outcome::Finished)
}

type Given = (Option<f64>, Option<bool>, Option<bool>);

fn finish(
    sync_run_id: Option<String>,
    allowed: Option<Given>,
    dry_run: Option<bool>,
    max_rows: Option<i32>,
    cursor: Option<String>,
    workspace_id: Option<String>,
) -> Result<Stepped, ErrorReport> {
    require_tables()?;
    let workspace_id = workspace::argument(workspace_id)?;
    let run_id = seen::run_argument(sync_run_id)?;
    let (fraction, rejects, empty) = allowed.unwrap_or_default();
    let fraction = fraction.ok_or(ArgumentError::Null("max_delete_fraction"))?;
    if !(0.0..=1.0).contains(&fraction) {
        return Err(Error::from(SyncError::BadFraction(fraction)).into());
    }
    let rejects = rejects.ok_or(ArgumentError::Null("allow_rejects"))?;
    let empty = empty.ok_or(ArgumentError::Null("allow_empty"))?;
    let dry_run = dry_run.ok_or(ArgumentError::Null("dry_run"))?;
    let max_rows = max_rows.ok_or(ArgumentError::Null("max_rows"))?;
    if !(1..=STEP).contains(&max_rows) {
        return Err(Error::from(SyncError::BadMaxRows { limit: STEP, given: max_rows }).into());
    }
    if !dry_run {
        // Whoever may not end runs keeps nobody waiting.
        owner::require_right("sync_runs", pg_sys::ACL_UPDATE)?;
    }
    let options = Options {
        allowed: Allowed { max_delete_fraction: fraction, rejects, empty },
        dry_run,
        max_rows,
        cursor: cursor.as_deref(),
    };
    Ok(Spi::connect_mut(|client| sweep::finish(client, &workspace_id, &run_id, &options))?)
}

/// Ends a run that has failed. Gives whether this call did.
#[pg_extern(volatile, parallel_unsafe, requires = [workspace::current_workspace_id])]
#[search_path(pg_catalog, pg_temp)]
fn abort_sync(
    sync_run_id: Option<String>,
    error: Option<String>,
    workspace_id: default!(Option<String>, "kepler.current_workspace_id()"),
) -> Result<bool, ErrorReport> {
    require_tables()?;
    let workspace_id = workspace::argument(workspace_id)?;
    let run_id = seen::run_argument(sync_run_id)?;
    let error = required("error", error)?;
    owner::require_right("sync_runs", pg_sys::ACL_UPDATE)?;
    Ok(Spi::connect_mut(|client| -> Result<bool, Error> {
        let run = Run::read(client, &workspace_id, &run_id)?.shared(client)?;
        if run.status == "FAILURE" || run.status == "ABANDONED" {
            return Ok(false);
        }
        run.require_open()?;
        if end::fail(client, &run, &error) {
            return Ok(true);
        }
        // Another has ended it meanwhile.
        let run = Run::read(client, &workspace_id, &run_id)?;
        if run.status == "SUCCESS" {
            run.require_open()?;
        }
        Ok(false)
    })?)
}

/// Abandons runs that nobody goes on with.
#[pg_extern(
    volatile,
    parallel_unsafe,
    requires = [workspace::current_workspace_id],
    sql = r#"
CREATE FUNCTION kepler.abandon_syncs(
    silent_for interval DEFAULT '1 day',
    max_rows integer DEFAULT 1000,
    workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS TABLE (
    sync_run_id text, entity_type text, source text, connection_id text, started_at timestamptz,
    active_at timestamptz
)
VOLATILE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"#
)]
#[allow(clippy::type_complexity)]
fn abandon_syncs(
    silent_for: Option<Interval>,
    max_rows: Option<i32>,
    workspace_id: Option<String>,
) -> Result<
    TableIterator<
        'static,
        (
            name!(sync_run_id, String),
            name!(entity_type, String),
            name!(source, String),
            name!(connection_id, Option<String>),
            name!(started_at, TimestampWithTimeZone),
            name!(active_at, TimestampWithTimeZone),
        ),
    >,
    ErrorReport,
> {
    require_tables()?;
    let workspace_id = workspace::argument(workspace_id)?;
    let silent_for = silent_for.ok_or(ArgumentError::Null("silent_for"))?;
    let silence = silent_for.as_micros();
    let Some(silence) = i64::try_from(silence).ok().filter(|time| (0..=TEN_YEARS).contains(time))
    else {
        return Err(Error::from(SyncError::BadSilence).into());
    };
    let max_rows = max_rows.ok_or(ArgumentError::Null("max_rows"))?;
    if !(1..=STEP).contains(&max_rows) {
        return Err(Error::from(SyncError::BadMaxRows { limit: STEP, given: max_rows }).into());
    }
    owner::require_right("sync_runs", pg_sys::ACL_UPDATE)?;
    let abandoned = Spi::connect_mut(|client| -> Result<Vec<_>, Error> {
        let found = silent::abandon(client, &workspace_id, silence, max_rows)?;
        let time = |at: i64| TimestampWithTimeZone::try_from(at).map_err(|_| SyncError::BadSilence);
        let rows = found.into_iter().map(|Silent { run, active_at }| {
            let (started_at, active_at) = (time(run.started_at)?, time(active_at)?);
            Ok((run.id, run.entity_type, run.source, run.connection_id, started_at, active_at))
        });
        rows.collect()
    })?;
    Ok(TableIterator::new(abandoned))
}

/// In microseconds.
const TEN_YEARS: i64 = 3_653 * 86_400_000_000;
