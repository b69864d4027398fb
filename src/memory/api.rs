//! The SQL functions that search memories, and note that they were used.

use super::access::Reader;
use super::arguments::{
    fusion_of, in_range, names, need_embedding, no_nan, query_of, search_text, user, within,
};
use super::error::MemoryError;
use super::last;
use super::place;
use super::scope::Scope;
use super::score::Weights;
use super::search::{self, Request};
use super::touch;
use crate::access::owner::require_right;
use crate::arguments::ArgumentError;
use crate::error::Error;
use crate::installed::require_tables;
use crate::pg::clock::now;
use crate::pg::json::{self, Options};
use crate::pg::texts::Texts;
use crate::pg::varlena;
use crate::pg::whole::Spi;
use crate::workspace;
use pgrx::AnyElement;
use pgrx::iter::TableIterator;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use std::cell::RefCell;

/// A search gives at most so many rows, and so many where they are to be unlike each other.
const MAX_ROWS: i32 = 10_000;
const MAX_DIVERSE_ROWS: i32 = 200;

/// Finds memories by meaning, words, time and metadata.
///
/// Gives `max_rows` rows if so many memories meet the conditions, best first. `embedding`: of the
/// question, by the model of the space. `query_text`: words to look for beside. `user_id`: `*` is
/// everybody's; NULL those of no user.
///
/// Errors: 55000 before `install()`, 22004 and 22023 for arguments, 22000 for an embedding of other
/// dimensions, 42704 for the space, 42501 for the workspace or table, 23503 for an unknown workspace.
#[pg_extern(
    volatile,
    parallel_unsafe,
    requires = ["embedding_spaces", workspace::current_workspace_id],
    sql = r#"
CREATE FUNCTION kepler.search_memories(
    embedding @extschema:vector@.vector DEFAULT NULL,
    max_rows integer DEFAULT 10,
    user_id text DEFAULT '*',
    query_text text DEFAULT NULL,
    context_types text[] DEFAULT NULL,
    filter jsonb DEFAULT NULL,
    min_similarity double precision DEFAULT NULL,
    as_of timestamptz DEFAULT NULL,
    weights jsonb DEFAULT NULL,
    fusion jsonb DEFAULT NULL,
    diversity double precision DEFAULT 0,
    touch boolean DEFAULT false,
    space text DEFAULT NULL,
    workspace_id text DEFAULT kepler.current_workspace_id(),
    namespace text DEFAULT ''
) RETURNS TABLE (
    memory_id text, content text, score double precision, similarity double precision,
    vector_rank integer, text_rank integer, recency double precision, importance double precision,
    plan text, exhausted boolean
)
VOLATILE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"#
)]
#[allow(clippy::type_complexity, clippy::too_many_arguments)]
fn search_memories_v2(
    embedding: Option<AnyElement>,
    max_rows: Option<i32>,
    user_id: Option<String>,
    query_text: Option<String>,
    context_types: Option<Vec<Option<String>>>,
    filter: Option<AnyElement>,
    min_similarity: Option<f64>,
    as_of: Option<TimestampWithTimeZone>,
    weights: Option<AnyElement>,
    fusion: Option<AnyElement>,
    diversity: Option<f64>,
    touch: Option<bool>,
    space: Option<String>,
    workspace_id: Option<String>,
    namespace: Option<String>,
) -> Result<
    TableIterator<
        'static,
        (
            name!(memory_id, String),
            name!(content, String),
            name!(score, f64),
            name!(similarity, Option<f64>),
            name!(vector_rank, Option<i32>),
            name!(text_rank, Option<i32>),
            name!(recency, f64),
            name!(importance, f64),
            name!(plan, &'static str),
            name!(exhausted, bool),
        ),
    >,
    ErrorReport,
> {
    last::forget();
    require_tables()?;
    let workspace_id = workspace::argument(workspace_id)?;
    let touch = touch.ok_or(ArgumentError::Null("touch"))?;
    let diversity = diversity.ok_or(ArgumentError::Null("diversity"))?;
    let diversity = in_range("diversity", diversity, 0.0, 1.0).map_err(Error::from)?;
    let most = if diversity > 0.0 { MAX_DIVERSE_ROWS } else { MAX_ROWS };
    let query_text = search_text(query_text)?;
    let embedding = query_of(embedding);
    if embedding.is_none() && query_text.is_none() {
        return Err(Error::from(MemoryError::NothingToSearchFor).into());
    }
    let compared = [("min_similarity", min_similarity.is_some()), ("diversity", diversity > 0.0)];
    need_embedding(embedding.as_ref(), &compared).map_err(Error::from)?;
    let request = Request {
        embedding,
        query_text,
        scope: Scope {
            workspace_id,
            user: user(user_id)?,
            namespace: place::namespace("namespace", namespace)?,
            context_types: names("context_types", context_types)?,
            filter: filter.map(|filter| json::text(filter.datum())),
            at: as_of.map_or_else(now, i64::from),
        },
        space,
        max_rows: within("max_rows", max_rows, 1, most)?,
        min_similarity: no_nan("min_similarity", min_similarity).map_err(Error::from)?,
        weights: weights.map_or(Ok(Weights::default()), |weights| weights_of(weights.datum()))?,
        fusion: fusion_of(fusion)?,
        diversity,
        touch,
    };
    let answer = Spi::connect_mut(|client| search::run(client, &request))?;

    let (plan, exhausted) = (answer.plan.name(), answer.exhausted);
    last::note(plan, exhausted, answer.found.len());
    Ok(TableIterator::new(answer.found.into_iter().map(move |found| {
        (
            found.memory_id,
            found.content,
            found.score,
            found.similarity,
            found.vector_rank,
            found.text_rank,
            found.recency,
            found.importance,
            plan,
            exhausted,
        )
    })))
}

thread_local! {
    /// The last that were read, as they are stored: a session seldom has others.
    static LAST_WEIGHTS: RefCell<Option<(Vec<u8>, Weights)>> = const { RefCell::new(None) };
}

fn weights_of(given: pg_sys::Datum) -> Result<Weights, Error> {
    // SAFETY: declared in SQL as jsonb.
    let stored = unsafe { varlena::aligned_bytes(given) };
    LAST_WEIGHTS.with_borrow_mut(|last| {
        if let Some((known, weights)) = last
            && known == stored
        {
            return Ok(*weights);
        }
        let weights = Weights::read(Options::of("weights", given)?.0)?;
        *last = Some((stored.to_vec(), weights));
        Ok(weights)
    })
}

/// Notes that memories were used, as a search does for those that it gives; at most once a minute each.
/// Gives how many were noted.
///
/// Errors: 55000 before `install()`, 22004 for arguments, 42501 without the right to read.
#[pg_extern(volatile, parallel_unsafe, requires = [workspace::current_workspace_id])]
#[search_path(pg_catalog, pg_temp)]
fn touch_memories(
    memory_ids: Option<Texts>,
    workspace_id: default!(Option<String>, "kepler.current_workspace_id()"),
) -> Result<i64, ErrorReport> {
    require_tables()?;
    let workspace_id = workspace::argument(workspace_id)?;
    let ids = memory_ids.ok_or(ArgumentError::Null("memory_ids"))?.0;
    Ok(Spi::connect_mut(|client| -> Result<i64, Error> {
        let reader = Reader::open(client, &workspace_id)?;
        if !reader.close() {
            require_right("memory_access", pg_sys::ACL_INSERT)?;
            require_right("memory_access", pg_sys::ACL_UPDATE)?;
        }
        let ids = ids.iter().flatten().map(String::as_str);
        Ok(touch::run(client, &workspace_id, ids) as i64)
    })?)
}
