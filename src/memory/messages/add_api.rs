//! The SQL functions that add messages.

use super::add::{self, Ids};
use super::decode::{self, NewMessage};
use crate::answer::{self, Violation};
use crate::arguments::{ArgumentError, required};
use crate::error::Error;
use crate::installed::require_tables;
use crate::memory::access::searched;
use crate::memory::decode::see_to_secrets;
use crate::memory::embedded::Embedded;
use crate::memory::embedding::Embedding;
use crate::memory::error::MemoryError;
use crate::memory::put;
use crate::memory::space::Space;
use crate::memory::with_space;
use crate::pg::row::Row;
use crate::pg::varlena;
use crate::pg::whole::Spi;
use crate::workspace;
use pgrx::AnyElement;
use pgrx::JsonB;
use pgrx::iter::TableIterator;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::spi::SpiClient;

/// The space that the workspace searches, for embeddings that come with messages. Keeps those who move the
/// workspace to another one apart.
fn open_space(client: &mut SpiClient<'_>, workspace_id: &str) -> Result<Space, Error> {
    put::lock(workspace_id, false);
    let searched = searched(client, workspace_id)?;
    let space = Space::find(client, Embedded::Messages, searched.space.as_deref())?;
    space.require_active()?;
    Ok(space)
}

/// Adds the elements of a JSON array to a conversation, and answers for each.
///
/// Errors: 55000 before `install()`, 22004 and 22023 for arguments, 22P02 where `messages` is no JSON
/// array, 42704 where there is no space for embeddings, 23503 for an unknown conversation.
#[pg_extern(volatile, parallel_unsafe, requires = [workspace::current_workspace_id])]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)]
fn add_messages(
    conversation_id: Option<String>,
    messages: Option<&str>,
    workspace_id: default!(Option<String>, "kepler.current_workspace_id()"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(ordinal, i32),
            name!(message_id, Option<i64>),
            name!(number, Option<i32>),
            name!(outcome, &'static str),
            name!(error_code, Option<String>),
            name!(error, Option<String>),
            name!(violations, Option<JsonB>),
        ),
    >,
    ErrorReport,
> {
    require_tables()?;
    let conversation_id = required("conversation_id", conversation_id)?;
    let text = messages.ok_or(ArgumentError::Null("messages"))?;
    let workspace_id = workspace::argument(workspace_id)?;
    let answers = Spi::connect_mut(|client| {
        let (space, batch) = with_space::read(
            text,
            || open_space(client, &workspace_id),
            |space| decode::batch(text, space),
            |message| message.embedding.is_some(),
        )?;
        add::run(client, (&workspace_id, &conversation_id), space.as_ref(), batch, true)
    })?;
    Ok(TableIterator::new(answer::whole_rows(answers).map(
        |(ordinal, ids, outcome, error_code, error, violations)| {
            (ordinal, ids.message_id, ids.number, outcome, error_code, error, violations)
        },
    )))
}

/// Adds a message to a conversation.
///
/// Errors: 55000 before `install()`, 22004 and 22023 for arguments, 22000 for an embedding of other
/// dimensions, 42704 where there is no space for it, 23503 for an unknown conversation or user, 23505 if
/// another message has the external id.
#[pg_extern(
    volatile,
    parallel_unsafe,
    requires = ["embedding_spaces", workspace::current_workspace_id],
    sql = r#"
CREATE FUNCTION kepler.add_message(
    conversation_id text,
    role text,
    content text,
    user_id text DEFAULT NULL,
    token_count integer DEFAULT NULL,
    external_id text DEFAULT NULL,
    metadata jsonb DEFAULT NULL,
    sent_at timestamptz DEFAULT NULL,
    embedding @extschema:vector@.vector DEFAULT NULL,
    workspace_id text DEFAULT kepler.current_workspace_id(),
    language text DEFAULT NULL,
    OUT message_id bigint,
    OUT number integer,
    OUT outcome text
)
VOLATILE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"#
)]
#[allow(clippy::too_many_arguments)]
fn add_message_v2(
    conversation_id: Option<String>,
    role: Option<String>,
    content: Option<String>,
    user_id: Option<String>,
    token_count: Option<i32>,
    external_id: Option<String>,
    metadata: Option<AnyElement>,
    sent_at: Option<TimestampWithTimeZone>,
    embedding: Option<AnyElement>,
    workspace_id: Option<String>,
    language: Option<String>,
) -> Result<Row<3>, ErrorReport> {
    require_tables()?;
    let conversation_id = required("conversation_id", conversation_id)?;
    let mut message = NewMessage {
        role: required("role", role)?,
        content: required("content", content)?,
        user_id,
        token_count,
        external_id,
        // SAFETY: declared in SQL as jsonb.
        metadata: metadata
            .map(|given| varlena::whole(unsafe { varlena::aligned_bytes(given.datum()) })),
        sent_at: sent_at.map(i64::from),
        // SAFETY: declared in SQL as vector.
        embedding: embedding.map(|given| unsafe { Embedding::from_datum(given.datum()) }),
        language,
    };
    let workspace_id = workspace::argument(workspace_id)?;
    let answer = Spi::connect_mut(|client| {
        let space = match &message.embedding {
            Some(_) => Some(open_space(client, &workspace_id)?),
            None => None,
        };
        let mut faults = see_to_secrets(&mut message.content, &mut message.metadata);
        faults.extend(message.faults(space.as_ref()));
        if let (1, Some(space), Some(embedding)) = (faults.len(), &space, &message.embedding) {
            // Alone it has its own code and hint.
            space.check(embedding)?;
        }
        if !faults.is_empty() {
            let problems = faults.iter().map(ToString::to_string).collect();
            return Err(Error::from(MemoryError::InvalidMessage {
                code: "invalid".into(),
                problems,
                holds_secret: faults.iter().any(Violation::is_about_secret),
            }));
        }
        let place = (workspace_id.as_str(), conversation_id.as_str());
        let answers = add::run(client, place, space.as_ref(), vec![Ok(message)], false)?;
        Ok(answers.into_iter().next().ok_or(ArgumentError::Null("content"))?)
    })?;
    if let Some(rejection) = answer.rejection {
        let holds_secret = rejection.is_about_secret();
        let (code, problems) = (rejection.code().name(), vec![rejection.text()]);
        return Err(
            Error::from(MemoryError::InvalidMessage { code, problems, holds_secret }).into()
        );
    }
    let Ids { message_id, number } = answer.id;
    let outcome = answer.outcome.name();
    Ok(Row([message_id.into_datum(), number.into_datum(), outcome.into_datum()]))
}
