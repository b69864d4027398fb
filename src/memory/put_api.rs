//! The SQL functions that remember.

use super::access::{open_needed_space, open_space};
use super::decode::{self, NewMemory, see_to_secrets};
use super::embedding::Embedding;
use super::error::MemoryError;
use super::put;
use super::ttl::Ttl;
use super::with_space;
use crate::answer::{self, Rejection, Violation};
use crate::arguments::{ArgumentError, required};
use crate::error::Error;
use crate::installed::require_tables;
use crate::pg::row::Row;
use crate::pg::whole::Spi;
use crate::pg::{spelt, varlena};
use crate::workspace;
use pgrx::AnyElement;
use pgrx::JsonB;
use pgrx::iter::TableIterator;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

/// Remembers one thing, whose content is text or a JSON value, and answers with one row.
#[pg_extern(
    volatile,
    parallel_unsafe,
    requires = ["embedding_spaces", workspace::current_workspace_id],
    sql = r#"
CREATE FUNCTION kepler.remember(
    content text,
    embedding @extschema:vector@.vector DEFAULT NULL,
    user_id text DEFAULT NULL,
    context_type text DEFAULT 'fact',
    metadata jsonb DEFAULT NULL,
    relevance_score double precision DEFAULT 0.5,
    valid_from timestamptz DEFAULT NULL,
    expires_at timestamptz DEFAULT NULL,
    supersedes text DEFAULT NULL,
    dedupe boolean DEFAULT false,
    space text DEFAULT NULL,
    workspace_id text DEFAULT kepler.current_workspace_id(),
    key text DEFAULT NULL,
    namespace text DEFAULT '',
    ttl interval DEFAULT NULL,
    language text DEFAULT NULL,
    OUT memory_id text,
    OUT outcome text
)
VOLATILE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';

CREATE FUNCTION kepler.remember(
    content jsonb,
    embedding @extschema:vector@.vector DEFAULT NULL,
    user_id text DEFAULT NULL,
    context_type text DEFAULT 'fact',
    metadata jsonb DEFAULT NULL,
    relevance_score double precision DEFAULT 0.5,
    valid_from timestamptz DEFAULT NULL,
    expires_at timestamptz DEFAULT NULL,
    supersedes text DEFAULT NULL,
    dedupe boolean DEFAULT false,
    space text DEFAULT NULL,
    workspace_id text DEFAULT kepler.current_workspace_id(),
    key text DEFAULT NULL,
    namespace text DEFAULT '',
    ttl interval DEFAULT NULL,
    language text DEFAULT NULL,
    OUT memory_id text,
    OUT outcome text
)
VOLATILE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"#
)]
#[allow(clippy::too_many_arguments)]
fn remember_v2(
    content: Option<AnyElement>,
    embedding: Option<AnyElement>,
    user_id: Option<String>,
    context_type: Option<String>,
    metadata: Option<AnyElement>,
    relevance_score: Option<f64>,
    valid_from: Option<TimestampWithTimeZone>,
    expires_at: Option<TimestampWithTimeZone>,
    supersedes: Option<String>,
    dedupe: Option<bool>,
    space: Option<String>,
    workspace_id: Option<String>,
    key: Option<String>,
    namespace: Option<String>,
    ttl: Option<AnyElement>,
    language: Option<String>,
) -> Result<Row<2>, ErrorReport> {
    require_tables()?;
    let workspace_id = workspace::argument(workspace_id)?;
    let content = content.ok_or(ArgumentError::Null("content"))?;
    let mut memory = NewMemory {
        // SAFETY: declared in SQL as text and as jsonb.
        content: unsafe { spelt::text(&content) },
        is_json: content.oid() == pg_sys::JSONBOID,
        user_id,
        context_type: required("context_type", context_type)?,
        relevance_score: relevance_score.ok_or(ArgumentError::Null("relevance_score"))?,
        // SAFETY: declared in SQL as jsonb.
        metadata: metadata
            .map(|given| varlena::whole(unsafe { varlena::aligned_bytes(given.datum()) })),
        valid_from: valid_from.map(i64::from),
        expires_at: expires_at.map(i64::from),
        supersedes,
        // SAFETY: declared in SQL as vector.
        embedding: embedding.map(|given| unsafe { Embedding::from_datum(given.datum()) }),
        key,
        namespace: required("namespace", namespace)?,
        // SAFETY: declared in SQL as interval.
        ttl: ttl.map(|given| unsafe { Ttl::of(&given) }),
        language,
    };
    let dedupe = dedupe.ok_or(ArgumentError::Null("dedupe"))?;
    let answer = Spi::connect_mut(|client| {
        put::lock(&workspace_id, dedupe);
        let embedded = memory.embedding.is_some();
        let space = open_space(client, space.as_deref(), &workspace_id, embedded)?;
        let mut faults = see_to_secrets(&mut memory.content, &mut memory.metadata);
        faults.extend(memory.faults(space.as_ref()));
        if let (1, Some(space), Some(embedding)) = (faults.len(), &space, &memory.embedding) {
            // Alone it has its own code and hint.
            space.check(embedding)?;
        }
        if !faults.is_empty() {
            let problems = faults.iter().map(ToString::to_string).collect();
            let holds_secret = faults.iter().any(Violation::is_about_secret);
            return Err(Error::from(MemoryError::Invalid { problems, holds_secret }));
        }
        // What the database has against it is told in its own words.
        let memory = || Ok(vec![Ok(memory.clone())]);
        let answers = put::run(client, &workspace_id, space.as_ref(), memory, dedupe, false)?;
        Ok(answers.into_iter().next().ok_or(ArgumentError::Null("content"))?)
    })?;
    if answer.is_rejected() {
        let problems = answer.rejection.iter().map(Rejection::text).collect();
        let holds_secret = answer.rejection.iter().any(Rejection::is_about_secret);
        return Err(Error::from(MemoryError::Invalid { problems, holds_secret }).into());
    }
    Ok(Row([answer.id.into_datum(), answer.outcome.name().into_datum()]))
}

/// Remembers the elements of a JSON array, and answers for each.
///
/// Errors: 55000 before `install()`, 22004 and 22023 for arguments, 22P02 where `memories` is no JSON
/// array, 42704 for the space, 23503 for an unknown workspace.
#[pg_extern(volatile, parallel_unsafe, requires = [workspace::current_workspace_id])]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)]
fn remember_many(
    memories: Option<&str>,
    dedupe: default!(Option<bool>, "false"),
    space: default!(Option<String>, "NULL"),
    workspace_id: default!(Option<String>, "kepler.current_workspace_id()"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(ordinal, i32),
            name!(memory_id, Option<String>),
            name!(outcome, &'static str),
            name!(error_code, Option<String>),
            name!(error, Option<String>),
            name!(violations, Option<JsonB>),
        ),
    >,
    ErrorReport,
> {
    require_tables()?;
    let workspace_id = workspace::argument(workspace_id)?;
    let dedupe = dedupe.ok_or(ArgumentError::Null("dedupe"))?;
    let text = memories.ok_or(ArgumentError::Null("memories"))?;
    let answers = Spi::connect_mut(|client| {
        put::lock(&workspace_id, dedupe);
        let (space, batch) = match space.as_deref() {
            None => with_space::read(
                text,
                || open_needed_space(client, None, &workspace_id),
                |space| decode::batch(text, space),
                |memory| memory.embedding.is_some(),
            )?,
            named => {
                let space = open_needed_space(client, named, &workspace_id)?;
                let batch = decode::batch(text, Some(&space))?;
                (Some(space), batch)
            }
        };
        let mut first = Some(batch);
        let batch = || match first.take() {
            Some(first) => Ok(first),
            None => Ok(decode::batch(text, space.as_ref())?),
        };
        put::run(client, &workspace_id, space.as_ref(), batch, dedupe, true)
    })?;
    Ok(TableIterator::new(answer::whole_rows(answers)))
}
