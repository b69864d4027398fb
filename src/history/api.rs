//! The SQL functions of tracking, and of the history.

use super::error::HistoryError;
use super::keep::{self, Redaction, Verified};
use super::read::{self, Version};
use super::{elsewhere, shape};
use crate::arguments::{ArgumentError, required};
use crate::cluster::require_other_node;
use crate::error::Error;
use crate::feed::track::{self, Level};
use crate::installed::require_tables;
use crate::pg::json::Stored;
use crate::pg::row::Row;
use crate::pg::whole::Spi;
use pgrx::iter::TableIterator;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

/// A call gives at most so many versions.
const MAX_ROWS: i32 = 10_000;

/// Begins to write the changes of a table.
///
/// Errors: 55000 before `install()`, and for a table without a primary key; 22004 and 22023 for arguments; 42809 for what is
/// not a plain table; 42501 for who is no administrator, and not the table's owner.
#[pg_extern(
    volatile,
    parallel_unsafe,
    sql = "
CREATE FUNCTION kepler.track(relation regclass, level text DEFAULT 'feed') RETURNS boolean
VOLATILE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"
)]
fn track(relation: Option<pg_sys::Oid>, level: Option<String>) -> Result<bool, ErrorReport> {
    require_tables()?;
    let table = relation.ok_or(ArgumentError::Null("relation"))?;
    let level = Level::from_argument(level)?;
    if level != Level::Feed {
        shape::require_plain_key(table)?;
    }
    Ok(Spi::connect_mut(|client| track::track(client, table, level))?)
}

/// Writes the changes of a table no longer.
///
/// Errors: 55000 before `install()`, 22004 and 22023 for arguments, 42501 as for `track`.
#[pg_extern(
    volatile,
    parallel_unsafe,
    sql = "
CREATE FUNCTION kepler.untrack(relation regclass, level text DEFAULT 'feed') RETURNS boolean
VOLATILE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"
)]
fn untrack(relation: Option<pg_sys::Oid>, level: Option<String>) -> Result<bool, ErrorReport> {
    require_tables()?;
    let table = relation.ok_or(ArgumentError::Null("relation"))?;
    let level = Level::from_argument(level)?;
    Ok(Spi::connect_mut(|client| track::untrack(client, table, level))?)
}

/// Gives the versions of a row, the newest first.
///
/// Errors: 55000 before `install()`, and for a table of which no history is kept; 22004 and 22023 for arguments; 42501 for
/// the table and the workspace.
#[pg_extern(
    stable,
    parallel_unsafe,
    requires = [workspace::current_workspace_id],
    sql = "
CREATE FUNCTION kepler.row_history(
    relation regclass, id text, max_rows integer DEFAULT 100, workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS TABLE (
    changed_at timestamptz, operation text, changes jsonb, row_data jsonb, actor text, request_id text, role_name text, sequence bigint
)
STABLE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"
)]
#[allow(clippy::type_complexity)]
fn row_history(
    relation: Option<pg_sys::Oid>,
    id: Option<String>,
    max_rows: Option<i32>,
    workspace_id: Option<String>,
) -> Result<
    TableIterator<
        'static,
        (
            name!(changed_at, Option<TimestampWithTimeZone>),
            name!(operation, String),
            name!(changes, Option<Stored>),
            name!(row_data, Option<Stored>),
            name!(actor, Option<String>),
            name!(request_id, Option<String>),
            name!(role_name, Option<String>),
            name!(sequence, i64),
        ),
    >,
    ErrorReport,
> {
    require_tables()?;
    let table = relation.ok_or(ArgumentError::Null("relation"))?;
    let id = required("id", id)?;
    let max_rows = checked_max_rows(max_rows)?;
    let versions = match workspace_id {
        Some(workspace) if elsewhere::is_asked(table)? => {
            elsewhere::versions(table, &id, max_rows, &workspace)?
        }
        of => read::versions(table, &id, max_rows, of, &[])?,
    };
    Ok(rows_of(versions))
}

/// As the columns of the answer are.
type VersionRow = (
    Option<TimestampWithTimeZone>,
    String,
    Option<Stored>,
    Option<Stored>,
    Option<String>,
    Option<String>,
    Option<String>,
    i64,
);

fn rows_of(versions: Vec<Version>) -> TableIterator<'static, VersionRow> {
    let row = |version: Version| {
        (
            TimestampWithTimeZone::try_from(version.created_at).ok(),
            version.operation,
            version.changes.as_deref().map(Stored::copy),
            version.after.as_deref().map(Stored::copy),
            version.actor,
            version.request,
            version.role,
            version.sequence,
        )
    };
    TableIterator::new(versions.into_iter().map(row))
}

fn checked_max_rows(max_rows: Option<i32>) -> Result<i32, Error> {
    let given = max_rows.ok_or(ArgumentError::Null("max_rows"))?;
    if !(1..=MAX_ROWS).contains(&given) {
        return Err(HistoryError::BadMaxRows { limit: MAX_ROWS, given }.into());
    }
    Ok(given)
}

/// Gives a row as it was at a time, as a JSON object; NULL where it was not there.
///
/// Errors: 55000 before `install()`, for a table of which no history is kept, and for a time of which nothing is known;
/// 22004 and 22023 for arguments; 42501 for the table and the workspace.
#[pg_extern(
    stable,
    parallel_unsafe,
    requires = [workspace::current_workspace_id],
    sql = "
CREATE FUNCTION kepler.row_as_of(
    relation regclass, id text, as_of timestamptz, workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS jsonb
STABLE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"
)]
fn row_as_of(
    relation: Option<pg_sys::Oid>,
    id: Option<String>,
    as_of: Option<TimestampWithTimeZone>,
    workspace_id: Option<String>,
) -> Result<Option<Stored>, ErrorReport> {
    require_tables()?;
    let table = relation.ok_or(ArgumentError::Null("relation"))?;
    let id = required("id", id)?;
    let time: i64 = as_of.ok_or(ArgumentError::Null("as_of"))?.into();
    let row = match workspace_id {
        Some(workspace) if elsewhere::is_asked(table)? => {
            elsewhere::as_of(table, &id, time, &workspace)?
        }
        of => read::as_of(table, &id, time, of, &[])?,
    };
    Ok(row.as_deref().map(Stored::copy))
}

/// Internal: what this node has of a row's history, as a JSON document for another node of the cluster: the last `max_rows` changes,
/// or all since a time, and the last `max_rows` before it without their values.
#[pg_extern(
    schema = "kepler_internal",
    stable,
    parallel_unsafe,
    sql = "
CREATE FUNCTION kepler_internal.history_of_part(
    relation regclass, id text, since timestamptz, max_rows bigint, workspace_id text, part_of text
) RETURNS text
STABLE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"
)]
fn history_of_part(
    relation: Option<pg_sys::Oid>,
    id: Option<String>,
    since: Option<TimestampWithTimeZone>,
    max_rows: Option<i64>,
    workspace_id: Option<String>,
    _part_of: Option<String>,
) -> Result<String, ErrorReport> {
    let id = required("id", id)?;
    let max_rows = max_rows.ok_or(ArgumentError::Null("max_rows"))?;
    Ok(elsewhere::document(relation, &id, since.map(Into::into), max_rows, workspace_id)?)
}

/// Internal: as `row_history`, in the part of the row. `elsewhere`: what nodes have told that were asked.
#[pg_extern(
    schema = "kepler_internal",
    stable,
    parallel_unsafe,
    sql = "
CREATE FUNCTION kepler_internal.row_history_with(
    relation regclass, id text, max_rows integer, elsewhere text[], asked integer[], workspace_id text
) RETURNS TABLE (
    changed_at timestamptz, operation text, changes jsonb, row_data jsonb, actor text, request_id text, role_name text, sequence bigint
)
STABLE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"
)]
#[allow(clippy::type_complexity)]
fn row_history_with(
    relation: Option<pg_sys::Oid>,
    id: Option<String>,
    max_rows: Option<i32>,
    elsewhere: Option<Vec<Option<String>>>,
    asked: Option<Vec<Option<i32>>>,
    workspace_id: Option<String>,
) -> Result<
    TableIterator<
        'static,
        (
            name!(changed_at, Option<TimestampWithTimeZone>),
            name!(operation, String),
            name!(changes, Option<Stored>),
            name!(row_data, Option<Stored>),
            name!(actor, Option<String>),
            name!(request_id, Option<String>),
            name!(role_name, Option<String>),
            name!(sequence, i64),
        ),
    >,
    ErrorReport,
> {
    require_tables()?;
    let table = relation.ok_or(ArgumentError::Null("relation"))?;
    let id = required("id", id)?;
    let max_rows = checked_max_rows(max_rows)?;
    let told = told(elsewhere, asked, workspace_id.as_deref())?;
    Ok(rows_of(read::versions(table, &id, max_rows, workspace_id, &told)?))
}

/// Internal: as `row_as_of`, in the part of the row. `elsewhere`: what nodes have told that were asked.
#[pg_extern(
    schema = "kepler_internal",
    stable,
    parallel_unsafe,
    sql = "
CREATE FUNCTION kepler_internal.row_as_of_with(
    relation regclass, id text, as_of timestamptz, elsewhere text[], asked integer[], workspace_id text
) RETURNS jsonb
STABLE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"
)]
fn row_as_of_with(
    relation: Option<pg_sys::Oid>,
    id: Option<String>,
    as_of: Option<TimestampWithTimeZone>,
    elsewhere: Option<Vec<Option<String>>>,
    asked: Option<Vec<Option<i32>>>,
    workspace_id: Option<String>,
) -> Result<Option<Stored>, ErrorReport> {
    require_tables()?;
    let table = relation.ok_or(ArgumentError::Null("relation"))?;
    let id = required("id", id)?;
    let time: i64 = as_of.ok_or(ArgumentError::Null("as_of"))?.into();
    let told = told(elsewhere, asked, workspace_id.as_deref())?;
    let row = read::as_of(table, &id, time, workspace_id, &told)?;
    Ok(row.as_deref().map(Stored::copy))
}

/// What other nodes have told, if this one is none of them: it was asked where the row lay before.
fn told(
    elsewhere: Option<Vec<Option<String>>>,
    asked: Option<Vec<Option<i32>>>,
    workspace_id: Option<&str>,
) -> Result<Vec<String>, Error> {
    let asked: Vec<i32> = asked.into_iter().flatten().flatten().collect();
    require_other_node(&asked, workspace_id.unwrap_or_default())?;
    Ok(elsewhere.into_iter().flatten().flatten().collect())
}

/// Internal: a row of a table as an image of the history.
#[pg_extern(
    schema = "kepler_internal",
    stable,
    parallel_unsafe,
    sql = "
CREATE FUNCTION kepler_internal.row_image(row_value record) RETURNS bytea
STABLE STRICT PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"
)]
fn row_image(call: pg_sys::FunctionCallInfo) -> Result<Option<Vec<u8>>, ErrorReport> {
    // SAFETY: a running call of a strict function with one argument, a composite value.
    let value = unsafe { (*call).args.as_slice(1)[0].value };
    // SAFETY: as above.
    Ok(unsafe { read::row_image(value) }?)
}

/// Internal: makes partitions of the history ahead.
#[pg_extern(schema = "kepler_internal", volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn make_history_partitions_step() -> Result<bool, ErrorReport> {
    require_tables()?;
    Ok(keep::make_partitions()?)
}

/// Internal: seals some rows of the history, and gives whether there are more.
#[pg_extern(schema = "kepler_internal", volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn seal_history_step() -> Result<bool, ErrorReport> {
    require_tables()?;
    Ok(keep::seal_step()?)
}

/// Internal: the anchor of the last seal.
#[pg_extern(schema = "kepler_internal", volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn history_anchor() -> Result<Option<String>, ErrorReport> {
    require_tables()?;
    Ok(keep::anchor()?)
}

/// Internal: compares the history with its seals.
#[pg_extern(
    schema = "kepler_internal",
    volatile,
    parallel_unsafe,
    sql = "
CREATE FUNCTION kepler_internal.verify_history_chain(
    anchor text, after text,
    OUT outcome text, OUT problem text, OUT seals bigint, OUT sealed_rows bigint, OUT redacted_rows bigint, OUT broken_at timestamptz
)
VOLATILE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"
)]
fn verify_history_chain(
    anchor: Option<String>,
    after: Option<String>,
) -> Result<Row<6>, ErrorReport> {
    require_tables()?;
    let Verified { outcome, problem, seals, sealed_rows, redacted_rows, broken_at } =
        keep::verify(anchor, after)?;
    Ok(Row([
        outcome.into_datum(),
        problem.into_datum(),
        seals.into_datum(),
        sealed_rows.into_datum(),
        redacted_rows.into_datum(),
        broken_at.into_datum(),
    ]))
}

/// Internal: takes values, keys and names out of rows of the history.
#[pg_extern(
    schema = "kepler_internal",
    volatile,
    parallel_unsafe,
    sql = "
CREATE FUNCTION kepler_internal.redact_history(
    workspace_id text, reason text, table_name text DEFAULT NULL, row_ids text[] DEFAULT NULL, actor text DEFAULT NULL,
    max_rows integer DEFAULT 10000
) RETURNS bigint
VOLATILE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"
)]
fn redact_history(
    workspace_id: Option<String>,
    reason: Option<String>,
    table_name: Option<String>,
    row_ids: Option<Vec<Option<String>>>,
    actor: Option<String>,
    max_rows: Option<i32>,
) -> Result<i64, ErrorReport> {
    require_tables()?;
    let redaction = Redaction {
        workspace: workspace_id,
        table: table_name,
        row_ids,
        actor,
        reason: required("reason", reason)?,
        max_rows: max_rows.ok_or(ArgumentError::Null("max_rows"))?,
    };
    Ok(keep::redact(redaction)?)
}
