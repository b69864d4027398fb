//! The SQL functions of the feed.

use super::consumer::{self, Lag};
use super::cursor::Feeds;
use super::elsewhere::{self, Asked, Place, Start, Told};
use super::error::FeedError;
use super::merge::Given;
use super::read::{self, Change, Changed};
use super::track;
use super::upkeep;
use crate::access::owner::{Owner, require_right};
use crate::arguments::{ArgumentError, name, required};
use crate::error::Error;
use crate::installed::require_tables;
use crate::pg::cluster::part;
use crate::pg::cluster::places::Lies;
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
/// 42501 for the workspace; 0A000 where on a cluster it can reach one feed alone.
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
    let changes = Spi::connect_mut(|client| -> Result<Vec<Given>, Error> {
        let start = start(cursor.as_deref(), consumer.as_deref(), workspace.as_deref())?;
        let place = Place::of(workspace.as_deref())?;
        let table = relation.map(|table| track::spelled(client, table)).transpose()?;
        let asked = Asked {
            workspace: workspace.as_deref(),
            start,
            max_rows,
            table: table.as_deref().zip(relation.map(part::lies)),
            entity_type: entity_type.as_deref(),
        };
        elsewhere::changes(client, place, &asked)
    })?;
    let row = move |(at, changed): Given| {
        let cursor = at.write(workspace.as_deref());
        let (relation, row_id, entity_type, operation, sequence, created_at) = columns(changed);
        (cursor, relation, row_id, entity_type, operation, sequence, created_at)
    };
    Ok(TableIterator::new(changes.into_iter().map(row)))
}

fn start<'a>(
    cursor: Option<&'a str>,
    consumer: Option<&'a str>,
    workspace: Option<&str>,
) -> Result<Start<'a>, Error> {
    match (cursor, consumer) {
        (Some(_), Some(_)) => Err(FeedError::CursorOrConsumer.into()),
        (Some(cursor), None) => Ok(Start::Cursor(cursor)),
        (None, None) => Ok(Start::Oldest),
        (None, Some(_)) if workspace.is_none() => Err(ArgumentError::Null("workspace_id").into()),
        (None, Some(consumer)) => Ok(Start::Consumer(consumer)),
    }
}

/// What a change says of itself.
type Columns = (
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<i64>,
    Option<TimestampWithTimeZone>,
);

fn columns(changed: Option<Changed>) -> Columns {
    changed.map_or((None, None, None, None, None, None), |changed| {
        (
            changed.relation,
            changed.row_id,
            changed.entity_type,
            Some(changed.operation),
            Some(changed.sequence),
            TimestampWithTimeZone::try_from(changed.created_at).ok(),
        )
    })
}

/// Internal: changes_since in the feed of the node where the workspace lies, with cursors of that alone. Before them a row of where
/// they begin; of a consumer with where it stands in the feed of the coordinator (a cursor of that alone), and when it was last here.
/// relation: its name. max_rows: with 0 there is that row alone.
#[pg_extern(
    schema = "kepler_internal",
    stable,
    parallel_unsafe,
    sql = "
CREATE FUNCTION kepler_internal.changes_of_part(
    cursor text, max_rows integer, relation text, entity_type text, consumer text, workspace_id text
) RETURNS TABLE (
    reached text, relation_name text, row_id text, type text, operation text, sequence bigint, created_at timestamptz,
    coordinator text, acknowledged_at text
)
STABLE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"
)]
#[allow(clippy::type_complexity)]
fn changes_of_part(
    cursor: Option<String>,
    max_rows: Option<i32>,
    relation: Option<String>,
    entity_type: Option<String>,
    consumer: Option<String>,
    workspace_id: Option<String>,
) -> Result<
    TableIterator<
        'static,
        (
            name!(reached, String),
            name!(relation_name, Option<String>),
            name!(row_id, Option<String>),
            name!(type, Option<String>),
            name!(operation, Option<String>),
            name!(sequence, Option<i64>),
            name!(created_at, Option<TimestampWithTimeZone>),
            name!(coordinator, Option<String>),
            name!(acknowledged_at, Option<String>),
        ),
    >,
    ErrorReport,
> {
    require_tables()?;
    let workspace = workspace::argument(workspace_id)?;
    let max_rows = if max_rows == Some(0) { 0 } else { checked_max_rows(max_rows)? };
    require_right("feed", pg_sys::ACL_SELECT)?;
    let of = Some(workspace.as_str());
    let Told { found, coordinator, acknowledged_at } =
        Spi::connect_mut(|client| -> Result<Told, Error> {
            let asked = Asked {
                workspace: of,
                start: start(cursor.as_deref(), consumer.as_deref(), of)?,
                max_rows,
                table: relation.as_deref().map(|name| (name, Lies::Here)),
                entity_type: entity_type.as_deref(),
            };
            elsewhere::tell(client, &asked, stored(&workspace)?)
        })?;
    let coordinator = coordinator.map(|cursor| cursor.write(of));
    let begins =
        (found.after.write(of), None, None, None, None, None, None, coordinator, acknowledged_at);
    let changes = found.changes.into_iter();
    let changes = changes.map(|Change { cursor, changed }| (cursor, Some(changed)));
    let changes = changes.chain(found.behind.map(|cursor| (cursor, None)));
    let rows = changes.map(|(cursor, changed)| {
        let (relation, row_id, entity_type, operation, sequence, created_at) = columns(changed);
        (
            cursor.write(of),
            relation,
            row_id,
            entity_type,
            operation,
            sequence,
            created_at,
            None,
            None,
        )
    });
    let rows: Vec<_> = std::iter::once(begins).chain(rows).collect();
    Ok(TableIterator::new(rows))
}

/// Of how many feeds the cursors of consumers are, where these are read.
fn stored(workspace: &str) -> Result<Feeds, Error> {
    match Place::of(Some(workspace))? {
        place @ (Place::Feed | Place::Part) => Ok(place.feeds()),
        Place::BesideFeed | Place::Coordinator => Err(FeedError::Beside.into()),
    }
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
    let of = workspace.as_deref();
    let place = Place::of(of).map_err(Error::from)?;
    let now = Spi::connect_mut(|client| elsewhere::now(client, place, of))?;
    Ok(now.write(of))
}

/// Internal: the position of now in the feed of the node where the workspace lies, as a cursor of that alone.
#[pg_extern(
    schema = "kepler_internal",
    stable,
    parallel_unsafe,
    sql = "
CREATE FUNCTION kepler_internal.feed_cursor_of_part(workspace_id text) RETURNS text
STABLE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"
)]
fn feed_cursor_of_part(workspace_id: Option<String>) -> Result<String, ErrorReport> {
    require_tables()?;
    let workspace = workspace::argument(workspace_id)?;
    require_right("feed_epochs", pg_sys::ACL_SELECT)?;
    Ok(Spi::connect_mut(read::now).write(Some(&workspace)))
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
    let (outcome, at) = Spi::connect_mut(|client| {
        let feeds = stored(&workspace)?;
        consumer::acknowledge(client, &workspace, &consumer, &cursor, feeds)
    })?;
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
    let place = Place::of(Some(&workspace)).map_err(Error::from)?;
    let lags = Spi::connect_mut(|client| elsewhere::lags(client, place, &workspace))?;
    let row = |lag: Lag| {
        let (oldest_at, acknowledged_at) = (time(lag.oldest_at), time(lag.acknowledged_at));
        (lag.consumer, lag.waiting, oldest_at, acknowledged_at, lag.problem)
    };
    Ok(TableIterator::new(lags.into_iter().map(row)))
}

fn time(at: Option<i64>) -> Option<TimestampWithTimeZone> {
    at.and_then(|at| TimestampWithTimeZone::try_from(at).ok())
}

/// Internal: how far the consumers of a workspace are behind in the feed of the node where it lies, and where they stand in that of
/// the coordinator, as cursors of that alone.
#[pg_extern(
    schema = "kepler_internal",
    stable,
    parallel_unsafe,
    sql = "
CREATE FUNCTION kepler_internal.consumer_lag_of_part(workspace_id text) RETURNS TABLE (
    consumer text, waiting integer, oldest_at timestamptz, acknowledged_at timestamptz, problem text, coordinator text
)
STABLE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"
)]
#[allow(clippy::type_complexity)]
fn consumer_lag_of_part(
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
            name!(coordinator, Option<String>),
        ),
    >,
    ErrorReport,
> {
    require_tables()?;
    let workspace = workspace::argument(workspace_id)?;
    require_right("feed", pg_sys::ACL_SELECT)?;
    let feeds = stored(&workspace)?;
    let lags = Spi::connect_mut(|client| consumer::lags(client, &workspace, feeds));
    let row = move |lag: Lag| {
        let (oldest_at, acknowledged_at) = (time(lag.oldest_at), time(lag.acknowledged_at));
        let coordinator = lag.coordinator.map(|cursor| cursor.write(Some(&workspace)));
        (lag.consumer, lag.waiting, oldest_at, acknowledged_at, lag.problem, coordinator)
    };
    Ok(TableIterator::new(lags.into_iter().map(row)))
}

/// Internal: numbers in the feed of tracked tables whose rows are on other nodes of a cluster, or on all of them.
#[pg_extern(
    schema = "kepler_internal",
    stable,
    parallel_unsafe,
    sql = "
CREATE FUNCTION kepler_internal.feed_tables_elsewhere() RETURNS integer[]
STABLE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"
)]
fn feed_tables_elsewhere() -> Result<Vec<i32>, ErrorReport> {
    require_tables()?;
    let names = Spi::connect_mut(read::tables)?;
    Ok(read::distributed(&names).into_iter().collect())
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
