//! Embeddings for memories and messages that are there, a batch at a time: how a workspace moves to
//! another model.

use super::access::activated;
use super::decode::{self, NewEmbedding};
use super::embedded::{Embedded, insert_embeddings};
use super::embedding::Embedding;
use super::put;
use super::space::Space;
use crate::arguments::name;
use crate::error::Error;
use crate::install::require_tables;
use crate::pg::array::{self, Array, ElementType};
use crate::pg::plan::Statement;
use crate::pg::varlena::Text;
use crate::pg::whole::Spi;
use crate::workspace;
use pgrx::AnyElement;
use pgrx::iter::TableIterator;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::spi::SpiClient;
use std::collections::{BTreeMap, HashSet};

thread_local! {
    // So that none is deleted, or becomes another user's, before its embedding is written, and what does so
    // finds that too.
    static LOCK_MEMORIES: Statement = const { Statement::new(
        c"SELECT m.id FROM kepler.memories AS m
          WHERE m.workspace_id = $1 AND m.id = ANY ($2) ORDER BY m.id FOR SHARE",
        &[pg_sys::TEXTOID, pg_sys::TEXTARRAYOID],
    ) };
    static LOCK_MESSAGES: Statement = const { Statement::new(
        c"SELECT m.id::text FROM kepler.messages AS m
          WHERE m.workspace_id = $1 AND m.id = ANY ($2::int8[]) ORDER BY m.id FOR KEY SHARE",
        &[pg_sys::TEXTOID, pg_sys::TEXTARRAYOID],
    ) };
}

type Answer = (Option<String>, &'static str, Option<String>);

fn run(
    client: &mut SpiClient<'_>,
    workspace_id: &str,
    space: &Space,
    batch: Vec<Result<NewEmbedding, String>>,
) -> Vec<Answer> {
    let workspace = Text::new(workspace_id);
    // Of two for one id the later counts.
    let mut last: BTreeMap<&str, usize> = BTreeMap::new();
    for (at, element) in batch.iter().enumerate() {
        if let Ok(element) = element {
            last.insert(&element.id, at);
        }
    }
    let mut ids = Array::texts(last.keys().copied());
    let lock = match space.embedded {
        Embedded::Memories => &LOCK_MEMORIES,
        Embedded::Messages => &LOCK_MESSAGES,
    };
    let rows = lock.with(|plan| plan.run(client, &[Some(workspace.datum()), Some(ids.datum())]));
    let there: HashSet<String> =
        rows.iter::<1>().filter_map(|row| row.text(0).map(str::to_owned)).collect();
    drop(rows);
    let mut ids = Array::new(array::TEXT);
    let mut embeddings = Array::new(ElementType::varlena(space.vectors.vector_type));
    for (id, at) in &last {
        if let (true, Ok(element)) = (there.contains(*id), &batch[*at]) {
            ids.push_text(id);
            embeddings.push_bytes(&element.embedding.stored());
        }
    }
    let written = if ids.count() > 0 {
        insert_embeddings(client, &workspace, space, &mut ids, &mut embeddings)
    } else {
        HashSet::new()
    };
    let answers = batch.iter().enumerate().map(|(at, element)| match element {
        Err(problem) => (None, "rejected", Some(problem.clone())),
        Ok(element) => {
            let id = element.id.as_str();
            let outcome = if !there.contains(id) {
                "not_found"
            } else if last.get(id) != Some(&at) {
                "superseded"
            } else if written.contains(id) {
                "set"
            } else {
                "unchanged"
            };
            (Some(id.to_owned()), outcome, None)
        }
    });
    answers.collect()
}

/// Sets the embeddings of memories in a space, and answers for each element.
///
/// `embeddings`: a JSON array of `{memory_id, embedding}`.
///
/// Errors: 55000 before `install()` and for a retired space, 22004 and 22023 for arguments, 22P02 where
/// `embeddings` is no JSON array, 42704 for the space.
#[pg_extern(volatile, parallel_unsafe, requires = [workspace::current_workspace_id])]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)]
fn set_embeddings(
    space: Option<String>,
    embeddings: Option<&str>,
    workspace_id: default!(Option<String>, "kepler.current_workspace_id()"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(ordinal, i32),
            name!(memory_id, Option<String>),
            name!(outcome, &'static str),
            name!(error, Option<String>),
        ),
    >,
    ErrorReport,
> {
    let answers = set(Embedded::Memories, space, embeddings, workspace_id)?;
    Ok(TableIterator::new(
        answers
            .into_iter()
            .enumerate()
            .map(|(at, (memory_id, outcome, error))| (at as i32 + 1, memory_id, outcome, error)),
    ))
}

/// Sets the embeddings of messages in a space, and answers for each element.
///
/// `embeddings`: a JSON array of `{message_id, embedding}`.
///
/// Errors: as those of `set_embeddings`.
#[pg_extern(volatile, parallel_unsafe, requires = [workspace::current_workspace_id])]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)]
fn set_message_embeddings(
    space: Option<String>,
    embeddings: Option<&str>,
    workspace_id: default!(Option<String>, "kepler.current_workspace_id()"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(ordinal, i32),
            name!(message_id, Option<i64>),
            name!(outcome, &'static str),
            name!(error, Option<String>),
        ),
    >,
    ErrorReport,
> {
    let answers = set(Embedded::Messages, space, embeddings, workspace_id)?;
    Ok(TableIterator::new(answers.into_iter().enumerate().map(|(at, (id, outcome, error))| {
        (at as i32 + 1, id.and_then(|id| id.parse().ok()), outcome, error)
    })))
}

/// Sets the embedding of a message that was added, in the space that the workspace searches.
#[pg_extern(
    volatile,
    parallel_unsafe,
    requires = ["embedding_spaces"],
    sql = r#"
CREATE FUNCTION kepler._set_message_embedding(
    message_id bigint, embedding @extschema:vector@.vector, workspace_id text
) RETURNS void
VOLATILE STRICT PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"#
)]
fn _set_message_embedding(
    message_id: i64,
    embedding: AnyElement,
    workspace_id: &str,
) -> Result<(), ErrorReport> {
    // SAFETY: declared in SQL as vector.
    let embedding = unsafe { Embedding::from_datum(embedding.datum()) };
    Spi::connect_mut(|client| -> Result<(), Error> {
        put::lock(workspace_id, false);
        let activated = activated(client, workspace_id)?;
        let space = Space::find(client, Embedded::Messages, activated.as_deref())?;
        space.require_active()?;
        space.check(&embedding)?;
        let id = message_id.to_string();
        run(client, workspace_id, &space, vec![Ok(NewEmbedding { id, embedding })]);
        Ok(())
    })?;
    Ok(())
}

/// Checks the arguments, and sets the embeddings.
fn set(
    embedded: Embedded,
    space: Option<String>,
    embeddings: Option<&str>,
    workspace_id: Option<String>,
) -> Result<Vec<Answer>, Error> {
    require_tables()?;
    let workspace_id = workspace::argument(workspace_id)?;
    let space = name("space", space)?;
    let text = embeddings.ok_or(Error::NullArgument("embeddings"))?;
    Spi::connect_mut(|client| {
        put::lock(&workspace_id, false);
        let space = Space::find(client, embedded, Some(&space))?;
        space.require_active()?;
        let batch = decode::embeddings(text, "embeddings", &space)?;
        Ok(run(client, &workspace_id, &space, batch))
    })
}
