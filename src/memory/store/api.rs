//! The SQL functions that read memories by key or id, and list namespaces.

use super::get::{self, Names};
use super::item::{MAX_ROWS, columns};
use super::namespaces::{self, Wanted};
use crate::arguments::ArgumentError;
use crate::error::Error;
use crate::installed::require_tables;
use crate::memory::arguments::{user, within};
use crate::memory::error::MemoryError;
use crate::memory::place;
use crate::memory::scope::{Scope, User};
use crate::pg::clock::now;
use crate::pg::texts::Texts;
use crate::pg::whole::Spi;
use crate::workspace;
use pgrx::AnyElement;
use pgrx::datum::Interval;
use pgrx::iter::{SetOfIterator, TableIterator};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

/// A scope without conditions but the user and the namespace, as of now.
pub(super) fn scope(workspace_id: String, user: User, namespace: String) -> Scope {
    Scope { workspace_id, user, namespace, context_types: None, filter: None, at: now() }
}

/// Memories by their ids, or by the keys of a user in a namespace, in the order in which they are asked for. What is not
/// there has no row.
///
/// Errors: 55000 before `install()`, 22004 and 22023 for arguments, 42501 for the workspace or table, 23503 for an unknown
/// workspace.
#[pg_extern(
    volatile,
    parallel_unsafe,
    requires = [workspace::current_workspace_id],
    sql = r#"
CREATE FUNCTION kepler.get_memories(
    memory_ids text[] DEFAULT NULL,
    keys text[] DEFAULT NULL,
    namespace text DEFAULT '',
    user_id text DEFAULT '*',
    touch boolean DEFAULT false,
    workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS TABLE (
    ordinal integer, memory_id text, user_id text, namespace text, key text, context_type text, content text,
    format text, metadata jsonb, relevance_score double precision, valid_from timestamptz,
    expires_at timestamptz, ttl interval, created_at timestamptz, updated_at timestamptz
)
VOLATILE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"#
)]
#[allow(clippy::type_complexity)]
fn get_memories(
    memory_ids: Option<Texts>,
    keys: Option<Texts>,
    namespace: Option<String>,
    user_id: Option<String>,
    touch: Option<bool>,
    workspace_id: Option<String>,
) -> Result<
    TableIterator<
        'static,
        (
            name!(ordinal, i32),
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
        ),
    >,
    ErrorReport,
> {
    require_tables()?;
    let workspace_id = workspace::argument(workspace_id)?;
    let touch = touch.ok_or(ArgumentError::Null("touch"))?;
    let user = user(user_id)?;
    let namespace = place::namespace("namespace", namespace)?;
    let names = match (memory_ids, keys) {
        (Some(ids), None) if namespace.is_empty() => Names::Ids(ids.0),
        (Some(_), None) => return Err(Error::from(MemoryError::NamespaceOfIds).into()),
        (None, Some(_)) if matches!(user, User::Any) => {
            return Err(Error::from(MemoryError::KeysOfAnybody).into());
        }
        (None, Some(keys)) => Names::Keys { keys: keys.0, namespace },
        _ => return Err(Error::from(MemoryError::IdsOrKeys).into()),
    };
    // SAFETY: the memory that Postgres gave this call lives as long as its rows.
    let memory = unsafe { pg_sys::CurrentMemoryContext };
    let scope = scope(workspace_id, user, String::new());
    let items = Spi::connect_mut(|client| get::run(client, &scope, &names, touch, memory))?;
    Ok(TableIterator::new(items.into_iter().map(|item| {
        let ordinal = item.at + 1;
        let (a, b, c, d, e, f, g, h, i, j, k, l, m, n) = columns(item);
        (ordinal, a, b, c, d, e, f, g, h, i, j, k, l, m, n)
    })))
}

/// The namespaces that memories are in, in the order of their labels.
///
/// Errors: 55000 before `install()`, 22004 and 22023 for arguments, 42501 for the workspace or table, 23503 for an unknown
/// workspace.
#[pg_extern(
    volatile,
    parallel_unsafe,
    requires = [workspace::current_workspace_id],
    sql = r#"
CREATE FUNCTION kepler.list_namespaces(
    prefix text DEFAULT '',
    suffix text DEFAULT '',
    max_depth integer DEFAULT NULL,
    max_rows integer DEFAULT 100,
    after text DEFAULT NULL,
    user_id text DEFAULT '*',
    workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS SETOF text
VOLATILE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"#
)]
fn list_namespaces(
    prefix: Option<String>,
    suffix: Option<String>,
    max_depth: Option<i32>,
    max_rows: Option<i32>,
    after: Option<String>,
    user_id: Option<String>,
    workspace_id: Option<String>,
) -> Result<SetOfIterator<'static, String>, ErrorReport> {
    require_tables()?;
    let workspace_id = workspace::argument(workspace_id)?;
    let wanted = Wanted {
        prefix: place::pattern("prefix", prefix)?,
        suffix: place::pattern("suffix", suffix)?,
        max_depth: max_depth.map(|it| within("max_depth", Some(it), 1, 1000)).transpose()?,
        max_rows: within("max_rows", max_rows, 1, MAX_ROWS)?,
        after: after.map(|after| place::namespace("after", Some(after))).transpose()?,
    };
    let scope = scope(workspace_id, user(user_id)?, wanted.fixed());
    let found = Spi::connect_mut(|client| namespaces::run(client, &scope, &wanted))?;
    Ok(SetOfIterator::new(found))
}
