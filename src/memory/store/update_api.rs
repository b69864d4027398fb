//! The SQL function that updates a memory.

use super::update::{self, Change};
use crate::answer::Violation;
use crate::arguments::name;
use crate::error::Error;
use crate::installed::require_tables;
use crate::memory::access::open_space;
use crate::memory::arguments::user;
use crate::memory::decode::{NewMemory, see_to_secrets};
use crate::memory::embedding::Embedding;
use crate::memory::error::MemoryError;
use crate::memory::put;
use crate::memory::ttl::Ttl;
use crate::pg::whole::Spi;
use crate::pg::{spelt, varlena};
use crate::workspace;
use pgrx::AnyElement;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

/// Changes a memory, whose content is then text or a JSON value, and answers with one row. What is NULL stays.
#[pg_extern(
    volatile,
    parallel_unsafe,
    requires = ["embedding_spaces", workspace::current_workspace_id],
    sql = r#"
CREATE FUNCTION kepler.update_memory(
    memory_id text,
    content text DEFAULT NULL,
    embedding @extschema:vector@.vector DEFAULT NULL,
    metadata jsonb DEFAULT NULL,
    relevance_score double precision DEFAULT NULL,
    context_type text DEFAULT NULL,
    namespace text DEFAULT NULL,
    key text DEFAULT NULL,
    expires_at timestamptz DEFAULT NULL,
    ttl interval DEFAULT NULL,
    user_id text DEFAULT '*',
    space text DEFAULT NULL,
    workspace_id text DEFAULT kepler.current_workspace_id(),
    OUT outcome text
)
VOLATILE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';

CREATE FUNCTION kepler.update_memory(
    memory_id text,
    content jsonb,
    embedding @extschema:vector@.vector DEFAULT NULL,
    metadata jsonb DEFAULT NULL,
    relevance_score double precision DEFAULT NULL,
    context_type text DEFAULT NULL,
    namespace text DEFAULT NULL,
    key text DEFAULT NULL,
    expires_at timestamptz DEFAULT NULL,
    ttl interval DEFAULT NULL,
    user_id text DEFAULT '*',
    space text DEFAULT NULL,
    workspace_id text DEFAULT kepler.current_workspace_id(),
    OUT outcome text
)
VOLATILE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"#
)]
#[allow(clippy::too_many_arguments)]
fn update_memory(
    memory_id: Option<String>,
    content: Option<AnyElement>,
    embedding: Option<AnyElement>,
    metadata: Option<AnyElement>,
    relevance_score: Option<f64>,
    context_type: Option<String>,
    namespace: Option<String>,
    key: Option<String>,
    expires_at: Option<TimestampWithTimeZone>,
    ttl: Option<AnyElement>,
    user_id: Option<String>,
    space: Option<String>,
    workspace_id: Option<String>,
) -> Result<&'static str, ErrorReport> {
    require_tables()?;
    let workspace_id = workspace::argument(workspace_id)?;
    let memory_id = name("memory_id", memory_id)?;
    let user = user(user_id)?;
    // What is given is checked as a new memory is.
    let mut memory = NewMemory {
        // SAFETY: declared in SQL as text and as jsonb.
        content: content.as_ref().map_or("x".to_owned(), |given| unsafe { spelt::text(given) }),
        is_json: content.as_ref().is_some_and(|given| given.oid() == pg_sys::JSONBOID),
        // SAFETY: declared in SQL as jsonb.
        metadata: metadata
            .map(|given| varlena::whole(unsafe { varlena::aligned_bytes(given.datum()) })),
        expires_at: expires_at.map(i64::from),
        // SAFETY: declared in SQL as vector.
        embedding: embedding.map(|given| unsafe { Embedding::from_datum(given.datum()) }),
        key: key.clone(),
        namespace: namespace.clone().unwrap_or_default(),
        // SAFETY: declared in SQL as interval.
        ttl: ttl.map(|given| unsafe { Ttl::of(&given) }),
        ..NewMemory::default()
    };
    if let Some(given) = &context_type {
        memory.context_type = given.clone();
    }
    if let Some(given) = relevance_score {
        memory.relevance_score = given;
    }
    let outcome = Spi::connect_mut(|client| {
        put::lock(&workspace_id, false);
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
        let change = Change {
            content: content.is_some().then_some(memory.content),
            is_json: memory.is_json,
            embedding: memory.embedding,
            context_type,
            relevance_score,
            metadata: memory.metadata,
            namespace,
            key,
            expires_at: memory.expires_at,
            ttl: memory.ttl,
        };
        update::run(client, &workspace_id, &user, &memory_id, space.as_ref(), &change)
    })?;
    Ok(outcome.name())
}
