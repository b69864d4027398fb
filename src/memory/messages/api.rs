//! The SQL function that searches messages.

use super::decode::ROLES;
use super::scope::Scope;
use super::search::{self, Request};
use crate::arguments::{ArgumentError, name};
use crate::error::Error;
use crate::installed::require_tables;
use crate::memory::arguments::{
    fusion_of, names, need_embedding, no_nan, query_of, search_text, user, within,
};
use crate::memory::error::MemoryError;
use crate::memory::last;
use crate::pg::json;
use crate::pg::whole::Spi;
use crate::workspace;
use pgrx::AnyElement;
use pgrx::iter::TableIterator;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

/// A search gives at most so many hits, so many with neighbours, and so many neighbours on each side.
const MAX_ROWS: i32 = 10_000;
const MAX_EXPANDED_ROWS: i32 = 1_000;
const MAX_EXPAND: i32 = 100;

/// Finds messages by meaning, words, time and metadata, with what was said around them.
///
/// Gives `max_rows` hits if so many messages meet the conditions, best first, and `expand` messages
/// before and after each. `user_id`: whose conversations; `*` is everybody's, NULL those of no user.
/// `conversation_id`: `*` is any.
///
/// Errors: 55000 before `install()`, 22004 and 22023 for arguments, 22000 for an embedding of other
/// dimensions, 42704 for the space, 42501 for the workspace or tables, 23503 for an unknown workspace or
/// conversation.
#[pg_extern(
    stable,
    parallel_unsafe,
    requires = ["embedding_spaces", "conversations", workspace::current_workspace_id],
    sql = r#"
CREATE FUNCTION kepler.search_messages(
    embedding @extschema:vector@.vector DEFAULT NULL,
    max_rows integer DEFAULT 10,
    user_id text DEFAULT '*',
    query_text text DEFAULT NULL,
    conversation_id text DEFAULT '*',
    kinds text[] DEFAULT NULL,
    roles text[] DEFAULT NULL,
    filter jsonb DEFAULT NULL,
    sent_from timestamptz DEFAULT NULL,
    sent_before timestamptz DEFAULT NULL,
    min_similarity double precision DEFAULT NULL,
    fusion jsonb DEFAULT NULL,
    expand integer DEFAULT 0,
    space text DEFAULT NULL,
    workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS TABLE (
    passage integer, conversation_id text, number integer, message_id bigint, role kepler.message_role,
    content text, user_id text, metadata jsonb, sent_at timestamptz, is_hit boolean, hit integer,
    score double precision, similarity double precision, vector_rank integer, text_rank integer,
    plan text, exhausted boolean
)
STABLE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"#
)]
#[allow(clippy::type_complexity, clippy::too_many_arguments)]
fn search_messages(
    embedding: Option<AnyElement>,
    max_rows: Option<i32>,
    user_id: Option<String>,
    query_text: Option<String>,
    conversation_id: Option<String>,
    kinds: Option<Vec<Option<String>>>,
    roles: Option<Vec<Option<String>>>,
    filter: Option<AnyElement>,
    sent_from: Option<TimestampWithTimeZone>,
    sent_before: Option<TimestampWithTimeZone>,
    min_similarity: Option<f64>,
    fusion: Option<AnyElement>,
    expand: Option<i32>,
    space: Option<String>,
    workspace_id: Option<String>,
) -> Result<
    TableIterator<
        'static,
        (
            name!(passage, i32),
            name!(conversation_id, String),
            name!(number, i32),
            name!(message_id, i64),
            name!(role, Option<AnyElement>),
            name!(content, String),
            name!(user_id, Option<String>),
            name!(metadata, Option<AnyElement>),
            name!(sent_at, Option<AnyElement>),
            name!(is_hit, bool),
            name!(hit, i32),
            name!(score, Option<f64>),
            name!(similarity, Option<f64>),
            name!(vector_rank, Option<i32>),
            name!(text_rank, Option<i32>),
            name!(plan, &'static str),
            name!(exhausted, bool),
        ),
    >,
    ErrorReport,
> {
    last::forget();
    require_tables()?;
    let expand = within("expand", expand, 0, MAX_EXPAND)?;
    let most = if expand > 0 { MAX_EXPANDED_ROWS } else { MAX_ROWS };
    let (sent_from, sent_before) = (sent_from.map(i64::from), sent_before.map(i64::from));
    let request = Request {
        scope: Scope {
            workspace_id: workspace::argument(workspace_id)?,
            user: user(user_id)?,
            conversation_id: Some(name("conversation_id", conversation_id)?).filter(|id| id != "*"),
            kinds: names("kinds", kinds)?,
            roles: names("roles", roles)?,
            filter: filter.map(|filter| json::text(filter.datum())),
            sent_from,
            sent_before,
        },
        embedding: query_of(embedding),
        query_text: search_text(query_text)?,
        space,
        max_rows: within("max_rows", max_rows, 1, most)?,
        min_similarity: no_nan("min_similarity", min_similarity).map_err(Error::from)?,
        fusion: fusion_of(fusion)?,
        expand,
    };
    check(&request)?;
    // SAFETY: the memory that Postgres gave this call lives as long as its rows.
    let memory = unsafe { pg_sys::CurrentMemoryContext };
    let answer = Spi::connect_mut(|client| search::run(client, &request, memory))?;

    let (plan, exhausted) = (answer.plan.name(), answer.exhausted);
    last::note(plan, exhausted, answer.hits);
    Ok(TableIterator::new(answer.found.into_iter().map(move |found| {
        let hit = found.is_hit;
        (
            found.passage,
            found.conversation_id,
            found.number,
            found.message_id,
            found.role,
            found.content,
            found.user_id,
            found.metadata,
            found.sent_at,
            hit.is_some(),
            found.hit,
            hit.as_ref().map(|hit| hit.score),
            hit.as_ref().and_then(|hit| hit.similarity),
            hit.as_ref().and_then(|hit| hit.vector_rank),
            hit.as_ref().and_then(|hit| hit.text_rank),
            plan,
            exhausted,
        )
    })))
}

/// What two arguments together say.
fn check(request: &Request) -> Result<(), Error> {
    if request.embedding.is_none() && request.query_text.is_none() {
        return Err(MemoryError::NothingToSearchFor.into());
    }
    let compared = [("min_similarity", request.min_similarity.is_some())];
    need_embedding(request.embedding.as_ref(), &compared)?;
    for role in request.scope.roles.iter().flatten() {
        if !ROLES.contains(&role.as_str()) {
            let given = role.clone();
            let legal = "system, user, assistant, tool";
            return Err(ArgumentError::BadChoice { argument: "roles", legal, given }.into());
        }
    }
    if let (Some(from), Some(before)) = (request.scope.sent_from, request.scope.sent_before)
        && from >= before
    {
        return Err(MemoryError::NoTimeBetween.into());
    }
    Ok(())
}
