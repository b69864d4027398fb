//! Embeddings for memories and messages that are there, a batch at a time: how a workspace moves to
//! another model.

use super::decode::{self, NewEmbedding};
use super::embedded::{Embedded, Present, insert_embeddings};
use super::embedding::Embedding;
use super::put;
use super::space::Space;
use crate::answer::{self, Answer, Outcome, Rejection};
use crate::arguments::{ArgumentError, name};
use crate::error::Error;
use crate::installed::require_tables;
use crate::pg::array::{self, Array, ElementType};
use crate::pg::plan::Statement;
use crate::pg::subtransaction;
use crate::pg::varlena::Text;
use crate::pg::whole::Spi;
use crate::workspace;
use pgrx::JsonB;
use pgrx::iter::TableIterator;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::spi::SpiClient;
use std::collections::{BTreeMap, HashMap};

/// Whether the content is the one that an embedding was made of, where the caller has said which.
macro_rules! lock {
    ($table:literal, $ids:literal, $id:literal) => {
        concat!(
            "SELECT m.id",
            $id,
            ", n.content_hash IS NULL OR n.content_hash = pg_catalog.encode(
                 pg_catalog.sha256(pg_catalog.convert_to(m.content, 'UTF8')), 'hex')
             FROM (SELECT pg_catalog.unnest($2",
            $ids,
            ") AS id, pg_catalog.unnest($3) AS content_hash) AS n
             CROSS JOIN LATERAL (
                 SELECT x.id, x.content FROM ",
            $table,
            " AS x
                 WHERE x.workspace_id = $1 AND x.id = n.id LIMIT 1 FOR SHARE) AS m",
            "\0"
        )
    };
}

const fn terminated(text: &'static str) -> &'static std::ffi::CStr {
    match std::ffi::CStr::from_bytes_with_nul(text.as_bytes()) {
        Ok(text) => text,
        Err(_) => c"",
    }
}

thread_local! {
    // So that none is deleted, changed, or becomes another user's before its embedding is written, and what does
    // so finds that too.
    static LOCK_MEMORIES: Statement = const { Statement::new(
        terminated(lock!("kepler.memories", "", "")),
        &[pg_sys::TEXTOID, pg_sys::TEXTARRAYOID, pg_sys::TEXTARRAYOID],
    ) };
    static LOCK_MESSAGES: Statement = const { Statement::new(
        terminated(lock!("kepler.messages", "::int8[]", "::text")),
        &[pg_sys::TEXTOID, pg_sys::TEXTARRAYOID, pg_sys::TEXTARRAYOID],
    ) };
}

/// Sets embeddings, and answers for each element.
pub(crate) fn run(
    client: &mut SpiClient<'_>,
    workspace: &Text,
    space: &Space,
    batch: Vec<Result<NewEmbedding, Rejection>>,
    present: Present,
) -> Vec<Answer<Option<String>>> {
    // Of two for one id the later counts.
    let mut last: BTreeMap<&str, usize> = BTreeMap::new();
    for (at, element) in batch.iter().enumerate() {
        if let Ok(element) = element {
            last.insert(&element.id, at);
        }
    }
    let (mut ids, mut hashes) = (Array::new(array::TEXT), Array::new(array::TEXT));
    for (id, at) in &last {
        ids.push_text(id);
        match batch[*at].as_ref().ok().and_then(|element| element.content_hash.as_deref()) {
            Some(hash) => hashes.push_text(hash),
            None => hashes.push_null(),
        }
    }
    let lock = match space.embedded {
        Embedded::Memories => &LOCK_MEMORIES,
        Embedded::Messages => &LOCK_MESSAGES,
    };
    let parameters = [Some(workspace.datum()), Some(ids.datum()), Some(hashes.datum())];
    let rows = lock.with(|plan| plan.run(client, &parameters));
    // Those that are there, and whether their content is still the same.
    let there: HashMap<String, bool> = rows
        .iter::<2>()
        .filter_map(|row| Some((row.text(0)?.to_owned(), row.boolean(1) == Some(true))))
        .collect();
    drop(rows);
    let wanted = |(id, _): &(&&str, &usize)| there.get(**id) == Some(&true);
    let writes: Vec<&NewEmbedding> =
        last.iter().filter(wanted).filter_map(|(_, at)| batch[*at].as_ref().ok()).collect();
    let mut written = Written::default();
    written.write(client, workspace, space, &writes, present);
    let answer = |(at, element): (usize, &Result<NewEmbedding, Rejection>)| {
        let element = match element {
            Ok(element) => element,
            Err(rejection) => return Answer::rejected(None, rejection.clone()),
        };
        let id = element.id.as_str();
        let rejection = written.refused.get(id).filter(|_| last.get(id) == Some(&at));
        let outcome = match there.get(id) {
            None => Outcome::NotFound,
            // By a later element, or by another content.
            Some(_) if last.get(id) != Some(&at) => Outcome::Superseded,
            Some(false) => Outcome::Superseded,
            Some(true) if rejection.is_some() => Outcome::Rejected,
            Some(true) => written.outcomes.get(id).copied().unwrap_or(Outcome::Unchanged),
        };
        Answer { rejection: rejection.cloned(), ..Answer::new(Some(id.to_owned()), outcome) }
    };
    batch.iter().enumerate().map(answer).collect()
}

/// What was written, and what the database refused.
#[derive(Default)]
struct Written {
    outcomes: HashMap<String, Outcome>,
    refused: HashMap<String, Rejection>,
}

impl Written {
    /// Writes embeddings; of those that the database refuses, half at a time.
    fn write(
        &mut self,
        client: &mut SpiClient<'_>,
        workspace: &Text,
        space: &Space,
        embeddings: &[&NewEmbedding],
        present: Present,
    ) {
        if embeddings.is_empty() {
            return;
        }
        pgrx::check_for_interrupts!();
        let mut ids = Array::texts(embeddings.iter().map(|new| new.id.as_str()));
        let mut vectors = Array::new(ElementType::varlena(space.vectors.vector_type));
        for new in embeddings {
            vectors.push_bytes(&new.embedding.stored());
        }
        let insert =
            || insert_embeddings(client, workspace, space, &mut ids, &mut vectors, present);
        match (subtransaction::attempt(insert), embeddings) {
            (Ok(outcomes), _) => self.outcomes.extend(outcomes),
            (Err(refusal), [new]) => {
                self.refused.insert(new.id.clone(), refusal.into());
            }
            (Err(_), _) => {
                let (first, second) = embeddings.split_at(embeddings.len() / 2);
                self.write(client, workspace, space, first, present);
                self.write(client, workspace, space, second, present);
            }
        }
    }
}

/// Sets the embeddings of memories in a space, and answers for each element.
///
/// `embeddings`: a JSON array of `{memory_id, embedding, content_hash}`; the last need not be there.
///
/// Errors: 55000 before `install()` and for a retired space, 22004 and 22023 for arguments, 22P02 where
/// `embeddings` is no JSON array, 42704 for the space.
#[pg_extern(volatile, parallel_unsafe, requires = [workspace::current_workspace_id])]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)]
fn set_memory_embeddings(
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
            name!(error_code, Option<String>),
            name!(error, Option<String>),
            name!(violations, Option<JsonB>),
        ),
    >,
    ErrorReport,
> {
    let answers = set(Embedded::Memories, space, embeddings, workspace_id)?;
    Ok(TableIterator::new(answer::whole_rows(answers)))
}

/// Sets the embeddings of messages in a space, and answers for each element.
///
/// `embeddings`: a JSON array of `{message_id, embedding, content_hash}`; the last need not be there.
///
/// Errors: as those of `set_memory_embeddings`.
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
            name!(error_code, Option<String>),
            name!(error, Option<String>),
            name!(violations, Option<JsonB>),
        ),
    >,
    ErrorReport,
> {
    let answers = set(Embedded::Messages, space, embeddings, workspace_id)?;
    let number = |id: Option<String>| id.and_then(|id| id.parse().ok());
    Ok(TableIterator::new(answer::whole_rows(answers).map(
        move |(ordinal, id, outcome, error_code, error, violations)| {
            (ordinal, number(id), outcome, error_code, error, violations)
        },
    )))
}

/// Sets the embedding of something that is there.
pub(super) fn set_one(
    client: &mut SpiClient<'_>,
    workspace: &Text,
    space: &Space,
    id: String,
    embedding: Embedding,
) {
    let new = NewEmbedding { id, embedding, content_hash: None };
    run(client, workspace, space, vec![Ok(new)], Present::IsReplaced);
}

/// Checks the arguments, and sets the embeddings.
fn set(
    embedded: Embedded,
    space: Option<String>,
    embeddings: Option<&str>,
    workspace_id: Option<String>,
) -> Result<Vec<Answer<Option<String>>>, Error> {
    require_tables()?;
    let workspace_id = workspace::argument(workspace_id)?;
    let space = name("space", space)?;
    let text = embeddings.ok_or(ArgumentError::Null("embeddings"))?;
    Spi::connect_mut(|client| {
        put::lock(&workspace_id, false);
        let space = Space::find(client, embedded, Some(&space))?;
        space.require_active()?;
        let batch = decode::embeddings(text, &space)?;
        let workspace = Text::new(&workspace_id);
        Ok(run(client, &workspace, &space, batch, Present::IsReplaced))
    })
}
