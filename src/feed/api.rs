//! The SQL functions of the feed.

use super::consumer;
use super::cursor::Cursor;
use super::error::FeedError;
use super::read::{self, Change, Request};
use super::track;
use super::upkeep;
use crate::access::owner::{Owner, require_right};
use crate::arguments::{ArgumentError, name, required};
use crate::error::Error;
use crate::installed::require_tables;
use crate::pg::row::Row;
use crate::pg::whole::Spi;
use crate::workspace;
use pgrx::datum::Interval;
use pgrx::iter::TableIterator;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

/// A call gives at most so many changes.
const MAX_ROWS: i32 = 100_000;

/// The workspace; None is what belongs to none, which is the owner's.
fn workspace_of(workspace_id: Option<String>) -> Result<Option<String>, Error> {
    match workspace_id {
        Some(_) => workspace::argument(workspace_id).map(Some),
        None => {
            Owner::find()?.require_caller("read changes of tables without a workspace")?;
            Ok(None)
        }
    }
}

/// Gives changes of a workspace behind a position, oldest first.
///
/// Errors: 55000 before `install()`, and where changes are missing; 22004 and 22023 for arguments; 42704 for the consumer;
/// 42501 for the workspace.
#[pg_extern(
    stable,
    parallel_unsafe,
    requires = ["types", workspace::current_workspace_id],
    sql = "
CREATE FUNCTION kepler.changes_since(
    cursor text DEFAULT NULL,
    max_rows integer DEFAULT 1000,
    relation regclass DEFAULT NULL,
    entity_type text DEFAULT NULL,
    consumer text DEFAULT NULL,
    workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS SETOF kepler.change
STABLE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"
)]
#[allow(clippy::type_complexity)]
fn changes_since(
    cursor: Option<String>,
    max_rows: Option<i32>,
    relation: Option<pg_sys::Oid>,
    entity_type: Option<String>,
    consumer: Option<String>,
    workspace_id: Option<String>,
) -> Result<
    TableIterator<
        'static,
        (
            name!(cursor, String),
            name!(relation, Option<String>),
            name!(row_id, Option<String>),
            name!(entity_type, Option<String>),
            name!(operation, Option<String>),
            name!(sequence, Option<i64>),
            name!(created_at, Option<TimestampWithTimeZone>),
        ),
    >,
    ErrorReport,
> {
    require_tables()?;
    let workspace = workspace_of(workspace_id)?;
    let max_rows = checked_max_rows(max_rows)?;
    require_right("feed", pg_sys::ACL_SELECT)?;
    let changes = Spi::connect_mut(|client| -> Result<Vec<Change>, Error> {
        let (text, acknowledged_at) = match (cursor, consumer) {
            (Some(_), Some(_)) => return Err(FeedError::CursorOrConsumer.into()),
            (cursor, None) => (cursor, None),
            (None, Some(consumer)) => {
                let of = workspace.as_deref().ok_or(ArgumentError::Null("workspace_id"))?;
                let (cursor, at) = consumer::find(client, of, &consumer)?;
                (Some(cursor), Some(at))
            }
        };
        let after = text.map(|text| Cursor::read(&text, workspace.as_deref())).transpose()?;
        let table = relation.map(|table| track::spelled(client, table)).transpose()?;
        let request = Request {
            workspace: workspace.as_deref(),
            after,
            max_rows,
            table,
            entity_type: entity_type.as_deref(),
            acknowledged_at,
        };
        read::read(client, &request)
    })?;
    let row = |Change { cursor, changed }| match changed {
        None => (cursor, None, None, None, None, None, None),
        Some(changed) => (
            cursor,
            changed.relation,
            changed.row_id,
            changed.entity_type,
            Some(changed.operation),
            Some(changed.sequence),
            TimestampWithTimeZone::try_from(changed.created_at).ok(),
        ),
    };
    Ok(TableIterator::new(changes.into_iter().map(row)))
}

fn checked_max_rows(max_rows: Option<i32>) -> Result<i32, Error> {
    let given = max_rows.ok_or(ArgumentError::Null("max_rows"))?;
    if !(1..=MAX_ROWS).contains(&given) {
        return Err(FeedError::BadMaxRows { limit: MAX_ROWS, given }.into());
    }
    Ok(given)
}

/// The position of now: what is changed from now on comes behind it.
///
/// Errors: 55000 before `install()`, 22004 and 22023 for arguments, 42501 for the workspace.
#[pg_extern(
    stable,
    parallel_unsafe,
    requires = [workspace::current_workspace_id],
    sql = "
CREATE FUNCTION kepler.feed_cursor(workspace_id text DEFAULT kepler.current_workspace_id()) RETURNS text
STABLE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"
)]
fn feed_cursor(workspace_id: Option<String>) -> Result<String, ErrorReport> {
    require_tables()?;
    let workspace = workspace_of(workspace_id)?;
    require_right("feed_epochs", pg_sys::ACL_SELECT)?;
    Ok(Spi::connect_mut(|client| read::now(client, workspace.as_deref())))
}

/// Notes how far a consumer has come; makes it, if there is none of the name.
///
/// Errors: 55000 before `install()`, and for a cursor that is ahead; 22004 and 22023 for arguments; 42501 for the
/// workspace; 23503 for an unknown one.
#[pg_extern(
    volatile,
    parallel_unsafe,
    requires = [workspace::current_workspace_id],
    sql = "
CREATE FUNCTION kepler.acknowledge_changes(
    consumer text, cursor text, workspace_id text DEFAULT kepler.current_workspace_id(),
    OUT outcome text, OUT acknowledged_cursor text
)
VOLATILE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"
)]
fn acknowledge_changes(
    consumer: Option<String>,
    cursor: Option<String>,
    workspace_id: Option<String>,
) -> Result<Row<2>, ErrorReport> {
    require_tables()?;
    let workspace = workspace::argument(workspace_id)?;
    let consumer = name("consumer", consumer)?;
    let cursor = required("cursor", cursor)?;
    require_right("consumers", pg_sys::ACL_INSERT)?;
    let (outcome, at) =
        Spi::connect_mut(|client| consumer::acknowledge(client, &workspace, &consumer, &cursor))?;
    Ok(Row([outcome.into_datum(), at.into_datum()]))
}

/// Internal: how far the consumers of a workspace are behind.
#[pg_extern(
    schema = "kepler_internal",
    stable,
    parallel_unsafe,
    sql = "
CREATE FUNCTION kepler_internal.consumer_lag(workspace_id text) RETURNS TABLE (
    consumer text, waiting integer, oldest_at timestamptz, acknowledged_at timestamptz, problem text
)
STABLE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"
)]
#[allow(clippy::type_complexity)]
fn consumer_lag(
    workspace_id: Option<String>,
) -> Result<
    TableIterator<
        'static,
        (
            name!(consumer, String),
            name!(waiting, Option<i32>),
            name!(oldest_at, Option<TimestampWithTimeZone>),
            name!(acknowledged_at, Option<TimestampWithTimeZone>),
            name!(problem, Option<String>),
        ),
    >,
    ErrorReport,
> {
    require_tables()?;
    let workspace = workspace::argument(workspace_id)?;
    require_right("feed", pg_sys::ACL_SELECT)?;
    let lags = Spi::connect_mut(|client| consumer::lags(client, &workspace));
    let time = |at: Option<i64>| at.and_then(|at| TimestampWithTimeZone::try_from(at).ok());
    let row = move |lag: consumer::Lag| {
        let (oldest_at, acknowledged_at) = (time(lag.oldest_at), time(lag.acknowledged_at));
        (lag.consumer, lag.waiting, oldest_at, acknowledged_at, lag.problem)
    };
    Ok(TableIterator::new(lags.into_iter().map(row)))
}

/// Internal: one step of `maintain_feed`.
#[pg_extern(schema = "kepler_internal", volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn maintain_feed_step(is_first: Option<bool>, keep: Option<Interval>) -> Result<bool, ErrorReport> {
    require_tables()?;
    let keep = upkeep::required(keep)?;
    Ok(upkeep::step(keep, is_first.unwrap_or(false))?)
}

/// Internal: has all consumers of this node's feed begin anew, where changes are missing in it.
#[pg_extern(schema = "kepler_internal", volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn begin_feed_anew() -> Result<(), ErrorReport> {
    require_tables()?;
    Ok(upkeep::begin_anew()?)
}
