//! The SQL functions that list and count memories.

use super::item::{MAX_ROWS, columns};
use super::list::{self, Page, Times};
use super::order::Order;
use crate::arguments::ArgumentError;
use crate::error::Error;
use crate::installed::require_tables;
use crate::memory::arguments::{names, user, within};
use crate::memory::place;
use crate::memory::scope::Scope;
use crate::pg::clock::now;
use crate::pg::json;
use crate::pg::whole::Spi;
use crate::workspace;
use pgrx::AnyElement;
use pgrx::datum::Interval;
use pgrx::iter::TableIterator;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

/// Which memories a list or a count is about.
struct Given {
    user_id: Option<String>,
    namespace: Option<String>,
    context_types: Option<Vec<Option<String>>>,
    filter: Option<AnyElement>,
    workspace_id: Option<String>,
}

impl Given {
    fn scope(self) -> Result<Scope, Error> {
        Ok(Scope {
            workspace_id: workspace::argument(self.workspace_id)?,
            user: user(self.user_id)?,
            namespace: place::namespace("namespace", self.namespace)?,
            context_types: names("context_types", self.context_types)?,
            filter: self.filter.map(|filter| json::text(filter.datum())),
            at: now(),
        })
    }
}

/// A page of memories. Pages survive inserts and deletes: `after` is the `cursor` of the last row of the page before.
///
/// Errors: 55000 before `install()`, 22004 and 22023 for arguments, 42501 for the workspace or table, 23503 for an unknown
/// workspace.
#[pg_extern(
    volatile,
    parallel_unsafe,
    requires = [workspace::current_workspace_id],
    sql = r#"
CREATE FUNCTION kepler.list_memories(
    user_id text DEFAULT '*',
    namespace text DEFAULT '',
    context_types text[] DEFAULT NULL,
    filter jsonb DEFAULT NULL,
    created_from timestamptz DEFAULT NULL,
    created_before timestamptz DEFAULT NULL,
    updated_from timestamptz DEFAULT NULL,
    updated_before timestamptz DEFAULT NULL,
    order_by text DEFAULT 'id',
    descending boolean DEFAULT NULL,
    max_rows integer DEFAULT 100,
    after text DEFAULT NULL,
    touch boolean DEFAULT false,
    workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS TABLE (
    memory_id text, user_id text, namespace text, key text, context_type text, content text,
    format text, metadata jsonb, relevance_score double precision, valid_from timestamptz,
    expires_at timestamptz, ttl interval, created_at timestamptz, updated_at timestamptz, cursor text
)
VOLATILE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"#
)]
#[allow(clippy::type_complexity, clippy::too_many_arguments)]
fn list_memories(
    user_id: Option<String>,
    namespace: Option<String>,
    context_types: Option<Vec<Option<String>>>,
    filter: Option<AnyElement>,
    created_from: Option<TimestampWithTimeZone>,
    created_before: Option<TimestampWithTimeZone>,
    updated_from: Option<TimestampWithTimeZone>,
    updated_before: Option<TimestampWithTimeZone>,
    order_by: Option<String>,
    descending: Option<bool>,
    max_rows: Option<i32>,
    after: Option<String>,
    touch: Option<bool>,
    workspace_id: Option<String>,
) -> Result<
    TableIterator<
        'static,
        (
            name!(memory_id, String),
            name!(user_id, Option<String>),
            name!(namespace, String),
            name!(key, Option<String>),
            name!(context_type, String),
            name!(content, String),
            name!(format, String),
            name!(metadata, Option<AnyElement>),
            name!(relevance_score, f64),
            name!(valid_from, Option<TimestampWithTimeZone>),
            name!(expires_at, Option<TimestampWithTimeZone>),
            name!(ttl, Option<Interval>),
            name!(created_at, Option<TimestampWithTimeZone>),
            name!(updated_at, Option<TimestampWithTimeZone>),
            name!(cursor, String),
        ),
    >,
    ErrorReport,
> {
    require_tables()?;
    let scope = Given { user_id, namespace, context_types, filter, workspace_id }.scope()?;
    let order = Order::read(order_by, descending)?;
    let page = Page {
        order,
        after: after.map(|after| order.place(&after)).transpose()?,
        max_rows: within("max_rows", max_rows, 1, MAX_ROWS)?,
        touch: touch.ok_or(ArgumentError::Null("touch"))?,
    };
    let times = times(created_from, created_before, updated_from, updated_before);
    // SAFETY: the memory that Postgres gave this call lives as long as its rows.
    let memory = unsafe { pg_sys::CurrentMemoryContext };
    let items = Spi::connect_mut(|client| list::run(client, &scope, &times, &page, memory))?;
    Ok(TableIterator::new(items.into_iter().map(move |item| {
        let cursor = order.cursor(&item);
        let (a, b, c, d, e, f, g, h, i, j, k, l, m, n) = columns(item);
        (a, b, c, d, e, f, g, h, i, j, k, l, m, n, cursor)
    })))
}

/// How many memories there are, up to `max_rows` if that is given.
///
/// Errors: 55000 before `install()`, 22004 and 22023 for arguments, 42501 for the workspace or table, 23503 for an unknown
/// workspace.
#[pg_extern(
    volatile,
    parallel_unsafe,
    requires = [workspace::current_workspace_id],
    sql = r#"
CREATE FUNCTION kepler.count_memories(
    user_id text DEFAULT '*',
    namespace text DEFAULT '',
    context_types text[] DEFAULT NULL,
    filter jsonb DEFAULT NULL,
    created_from timestamptz DEFAULT NULL,
    created_before timestamptz DEFAULT NULL,
    updated_from timestamptz DEFAULT NULL,
    updated_before timestamptz DEFAULT NULL,
    max_rows integer DEFAULT NULL,
    workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS bigint
VOLATILE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"#
)]
#[allow(clippy::too_many_arguments)]
fn count_memories(
    user_id: Option<String>,
    namespace: Option<String>,
    context_types: Option<Vec<Option<String>>>,
    filter: Option<AnyElement>,
    created_from: Option<TimestampWithTimeZone>,
    created_before: Option<TimestampWithTimeZone>,
    updated_from: Option<TimestampWithTimeZone>,
    updated_before: Option<TimestampWithTimeZone>,
    max_rows: Option<i32>,
    workspace_id: Option<String>,
) -> Result<i64, ErrorReport> {
    require_tables()?;
    let scope = Given { user_id, namespace, context_types, filter, workspace_id }.scope()?;
    let times = times(created_from, created_before, updated_from, updated_before);
    let most = max_rows.map(|it| within("max_rows", Some(it), 1, i32::MAX)).transpose()?;
    Ok(Spi::connect_mut(|client| list::count(client, &scope, &times, most))?)
}

fn times(
    created_from: Option<TimestampWithTimeZone>,
    created_before: Option<TimestampWithTimeZone>,
    updated_from: Option<TimestampWithTimeZone>,
    updated_before: Option<TimestampWithTimeZone>,
) -> Times {
    Times {
        created_from: created_from.map(i64::from),
        created_before: created_before.map(i64::from),
        updated_from: updated_from.map(i64::from),
        updated_before: updated_before.map(i64::from),
    }
}
