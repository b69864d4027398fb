//! Writes memories that have no key: each is a row of its own.

use super::decode::NewMemory;
use super::put_keyed::{Given, Written};
use super::put_rows::Rows;
use super::space::Space;
use crate::answer::Outcome;
use crate::pg::plan::Statement;
use crate::pg::varlena::Text;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;
use std::collections::HashMap;

thread_local! {
    static INSERT: Statement = const { Statement::new(
        c"INSERT INTO kepler.memories (
              workspace_id, id, user_id, context_type, content, format, relevance_score, metadata,
              valid_from, expires_at, namespace, ttl, created_at, updated_at, language)
          SELECT $1, n.id, n.user_id, n.context_type, n.content,
              CASE WHEN n.is_json THEN 'JSON'::kepler.memory_format ELSE 'TEXT' END,
              n.relevance_score, COALESCE(n.metadata, '{}'), COALESCE(n.valid_from, $2),
              COALESCE(n.expires_at, $2 + n.ttl), n.namespace, n.ttl, $2, $2, n.language
          FROM (SELECT pg_catalog.unnest($3) AS id, pg_catalog.unnest($4) AS user_id,
                       pg_catalog.unnest($5) AS context_type, pg_catalog.unnest($6) AS content,
                       pg_catalog.unnest($7) AS is_json, pg_catalog.unnest($8) AS relevance_score,
                       pg_catalog.unnest($9) AS metadata, pg_catalog.unnest($10) AS valid_from,
                       pg_catalog.unnest($11) AS expires_at, pg_catalog.unnest($12) AS namespace,
                       pg_catalog.unnest($13) AS ttl, pg_catalog.unnest($15) AS language) AS n
          RETURNING id, CASE WHEN $14 THEN content END",
        &[
            pg_sys::TEXTOID, pg_sys::TIMESTAMPTZOID, pg_sys::TEXTARRAYOID, pg_sys::TEXTARRAYOID,
            pg_sys::TEXTARRAYOID, pg_sys::TEXTARRAYOID, pg_sys::BOOLARRAYOID, pg_sys::FLOAT8ARRAYOID,
            pg_sys::JSONBARRAYOID, pg_sys::TIMESTAMPTZARRAYOID, pg_sys::TIMESTAMPTZARRAYOID,
            pg_sys::TEXTARRAYOID, pg_sys::INTERVALARRAYOID, pg_sys::BOOLOID, pg_sys::TEXTARRAYOID,
        ],
    ) };
}

/// Inserts the elements of a chunk, each with the id that it gets. What a trigger swallows is not among what is given.
pub(super) fn insert(
    client: &mut SpiClient<'_>,
    workspace: &Text,
    space: Option<&Space>,
    now: i64,
    chunk: &[Given<'_>],
) -> Vec<Written> {
    let mut rows = Rows::new();
    let mut ids: HashMap<&str, (usize, &NewMemory)> = HashMap::with_capacity(chunk.len());
    for &Given { at, id, memory } in chunk {
        rows.push(id, memory);
        ids.insert(id, (at, memory));
    }
    let parameters = [
        Some(workspace.datum()),
        Some(pg_sys::Datum::from(now)),
        Some(rows.ids.datum()),
        Some(rows.users.datum()),
        Some(rows.types.datum()),
        Some(rows.contents.datum()),
        Some(rows.is_json.datum()),
        Some(rows.relevance.datum()),
        Some(rows.metadata.datum()),
        Some(rows.valid_from.datum()),
        Some(rows.expires_at.datum()),
        Some(rows.namespaces.datum()),
        Some(rows.ttls.datum()),
        Some(pg_sys::Datum::from(space.is_some())),
        rows.has_languages.then(|| rows.languages.datum()),
    ];
    let inserted = INSERT.with(|plan| plan.run(client, &parameters));
    // A trigger of somebody's may have changed what is remembered: the embedding is of something else then.
    let written = inserted.iter::<2>().filter_map(|row| {
        let (id, (at, memory)) = ids.remove_entry(row.text(0)?)?;
        let is_as_given = row.text(1).is_none_or(|content| content == memory.content);
        Some(Written { at, id: id.to_owned(), outcome: Outcome::Inserted, is_as_given })
    });
    written.collect()
}
