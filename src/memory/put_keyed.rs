//! Writes memories that have a key: each takes the place of what is stored under it.
//!
//! One statement inserts or updates, so that two sessions that write the same key write one memory. Where a call writes several, what
//! is stored was locked before (`put_lock`), and keys that are free are claimed by an insert that locks nothing else. What is stored
//! and says the same is locked and not written. A memory that has expired is not there any more, whether it was
//! deleted already or not.

use super::decode::NewMemory;
use super::put_rows::Rows;
use super::space::Space;
use crate::answer::Outcome;
use crate::pg::plan::{Parameter, Statement, sql};
use crate::pg::subtransaction;
use crate::pg::varlena::Text;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;
use std::collections::HashMap;

/// Whose memory in which namespace, and under which key.
pub(super) type Place<'m> = (Option<&'m str>, &'m str, &'m str);

impl NewMemory {
    /// The place that it takes, if it has a key.
    pub(super) fn place(&self) -> Option<Place<'_>> {
        Some((self.user_id.as_deref(), &self.namespace, self.key.as_deref()?))
    }
}

/// A memory that was written, or is so already: its element, its id, what became of it, and whether its content is the
/// one that was given.
pub(super) struct Written {
    pub(super) at: usize,
    pub(super) id: String,
    pub(super) outcome: Outcome,
    pub(super) is_as_given: bool,
}

/// The elements as rows.
macro_rules! given {
    () => {
        "(SELECT g.id, g.user_id, g.context_type, g.content,
              CASE WHEN g.is_json THEN 'JSON'::kepler.memory_format ELSE 'TEXT' END AS format, g.relevance_score,
              COALESCE(g.metadata, '{}') AS metadata, COALESCE(g.valid_from, $2) AS valid_from,
              COALESCE(g.expires_at, $2 + g.ttl) AS expires_at, g.namespace, g.key, g.ttl, g.language
          FROM (SELECT pg_catalog.unnest($3) AS id, pg_catalog.unnest($4) AS user_id,
                       pg_catalog.unnest($5) AS context_type, pg_catalog.unnest($6) AS content,
                       pg_catalog.unnest($7) AS is_json, pg_catalog.unnest($8) AS relevance_score,
                       pg_catalog.unnest($9) AS metadata, pg_catalog.unnest($10) AS valid_from,
                       pg_catalog.unnest($11) AS expires_at, pg_catalog.unnest($12) AS namespace,
                       pg_catalog.unnest($13) AS key, pg_catalog.unnest($14) AS ttl,
                       pg_catalog.unnest($16) AS language) AS g) AS n"
    };
}

/// Whether what is stored, `m`, says something else. A start that was not given is now, and changes nothing by itself,
/// unless what is stored has yet to begin. An
/// end that follows from a ttl changes something if it moves by a tenth of that.
macro_rules! differs {
    ($n:literal) => {
        concat!(
            "((m.context_type, m.content, m.format, m.relevance_score, m.metadata, m.ttl) IS DISTINCT FROM
                (",
            $n, ".context_type, ", $n, ".content, ", $n, ".format, ", $n, ".relevance_score, ",
            $n, ".metadata, ", $n, ".ttl)
              OR (", $n, ".language IS NOT NULL AND m.language IS DISTINCT FROM ", $n, ".language)
              OR CASE WHEN ", $n, ".valid_from = $2 THEN m.valid_from > $2 ELSE m.valid_from <> ", $n, ".valid_from END
              OR CASE WHEN ", $n, ".expires_at = $2 + ", $n, ".ttl
                      THEN m.expires_at <= ", $n, ".expires_at - ", $n, ".ttl / 10
                          OR m.expires_at > ", $n, ".expires_at
                      ELSE m.expires_at IS DISTINCT FROM ", $n, ".expires_at END)"
        )
    };
}

/// What is stored under the keys, as `m`: of a user, or of none. Each way is one look-up in the index.
macro_rules! stored {
    ($columns:expr, $and:literal) => {
        concat!(
            "SELECT n.id AS given_id, l.* FROM ", given!(), " CROSS JOIN LATERAL (
                 SELECT ", $columns, " FROM kepler.memories AS m
                 WHERE m.workspace_id = $1 AND m.user_id = n.user_id AND m.namespace = n.namespace
                     AND m.key = n.key AND m.valid_to IS NULL ", $and, " LIMIT 1) AS l
             UNION ALL
             SELECT n.id, l.* FROM ", given!(), " CROSS JOIN LATERAL (
                 SELECT ", $columns, " FROM kepler.memories AS m
                 WHERE n.user_id IS NULL AND m.workspace_id = $1 AND m.user_id IS NULL
                     AND m.namespace = n.namespace AND m.key = n.key AND m.valid_to IS NULL ", $and,
            " LIMIT 1) AS l"
        )
    };
}

const TYPES: &[pg_sys::Oid] = &[
    pg_sys::TEXTOID,
    pg_sys::TIMESTAMPTZOID,
    pg_sys::TEXTARRAYOID,
    pg_sys::TEXTARRAYOID,
    pg_sys::TEXTARRAYOID,
    pg_sys::TEXTARRAYOID,
    pg_sys::BOOLARRAYOID,
    pg_sys::FLOAT8ARRAYOID,
    pg_sys::JSONBARRAYOID,
    pg_sys::TIMESTAMPTZARRAYOID,
    pg_sys::TIMESTAMPTZARRAYOID,
    pg_sys::TEXTARRAYOID,
    pg_sys::TEXTARRAYOID,
    pg_sys::INTERVALARRAYOID,
    pg_sys::BOOLOID,
    pg_sys::TEXTARRAYOID,
];

thread_local! {
    // In the order in which `put_lock` has locked what more than one key has.
    static DELETE_EXPIRED: Statement = const { Statement::new(
        sql(concat!(
            "WITH expired AS MATERIALIZED (", stored!("m.id", "AND m.expires_at <= $2"), "),
             locked AS MATERIALIZED (
                 SELECT x.id FROM kepler.memories AS x
                 WHERE x.workspace_id = $1 AND x.id = ANY (ARRAY(SELECT e.id FROM expired AS e))
                     AND x.expires_at <= $2 AND $15 IS NOT NULL
                 ORDER BY x.id COLLATE \"C\" FOR UPDATE)
             DELETE FROM kepler.memories AS x
             WHERE x.workspace_id = $1 AND x.id = ANY (ARRAY(SELECT l.id FROM locked AS l))\0")),
        TYPES,
    ) };
    static UPSERT: Statement = const { Statement::new(
        sql(concat!(
            "INSERT INTO kepler.memories AS m (
                 workspace_id, id, user_id, context_type, content, format, relevance_score, metadata,
                 valid_from, expires_at, namespace, key, ttl, language, created_at, updated_at)
             SELECT $1, n.*, $2, $2 FROM ", given!(), "
             ON CONFLICT (workspace_id, user_id, namespace, key) WHERE key IS NOT NULL AND valid_to IS NULL
             DO UPDATE SET
                 context_type = EXCLUDED.context_type, content = EXCLUDED.content, format = EXCLUDED.format,
                 relevance_score = EXCLUDED.relevance_score, metadata = EXCLUDED.metadata,
                 valid_from = CASE WHEN EXCLUDED.valid_from <> $2 OR m.content <> EXCLUDED.content
                         OR m.format <> EXCLUDED.format
                     THEN EXCLUDED.valid_from ELSE LEAST(m.valid_from, $2) END,
                 expires_at = EXCLUDED.expires_at, ttl = EXCLUDED.ttl, language = EXCLUDED.language,
                 updated_at = $2
             WHERE ", differs!("EXCLUDED"), "
             RETURNING m.id, m.xmax::pg_catalog.text OPERATOR(pg_catalog.=) '0', m.user_id, m.namespace,
                 m.key, CASE WHEN $15 THEN m.content END\0")),
        TYPES,
    ) };
    // Waits for whoever inserts the same key, and for nobody who has it.
    static CLAIM: Statement = const { Statement::new(
        sql(concat!(
            "INSERT INTO kepler.memories AS m (
                 workspace_id, id, user_id, context_type, content, format, relevance_score, metadata,
                 valid_from, expires_at, namespace, key, ttl, language, created_at, updated_at)
             SELECT $1, n.*, $2, $2 FROM ", given!(), "
             ON CONFLICT (workspace_id, user_id, namespace, key) WHERE key IS NOT NULL AND valid_to IS NULL
             DO NOTHING
             RETURNING m.id, CASE WHEN $15 THEN m.content END\0")),
        TYPES,
    ) };
    static TAKEN: Statement = const { Statement::new(
        sql(concat!("SELECT s.id FROM (", stored!("m.id", "AND $15 IS NOT NULL"), ") AS s\0")),
        TYPES,
    ) };
    static UNCHANGED: Statement = const { Statement::new(
        sql(concat!(
            "SELECT s.given_id, s.id FROM (", stored!(concat!("m.id, ", differs!("n"), " AS differs"), ""), ") AS s
             WHERE NOT s.differs AND $15 IS NOT NULL\0")),
        TYPES,
    ) };
}

/// An element, and the id that it gets if it is new.
#[derive(Clone, Copy)]
pub(super) struct Given<'m> {
    pub(super) at: usize,
    pub(super) id: &'m str,
    pub(super) memory: &'m NewMemory,
}

fn parameters(
    workspace: &Text,
    space: Option<&Space>,
    now: i64,
    rows: &mut Rows,
) -> [Parameter; 16] {
    [
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
        Some(rows.keys.datum()),
        Some(rows.ttls.datum()),
        Some(pg_sys::Datum::from(space.is_some())),
        rows.has_languages.then(|| rows.languages.datum()),
    ]
}

/// Inserts elements whose places were free when the call has locked what is stored (`put_lock`), in the order of the places. Where
/// one is taken by now, that row would have to be locked before: the call begins anew.
pub(super) fn claim(
    client: &mut SpiClient<'_>,
    workspace: &Text,
    space: Option<&Space>,
    now: i64,
    chunk: &[Given<'_>],
) -> Vec<Written> {
    if chunk.is_empty() {
        return Vec::new();
    }
    let mut rows = Rows::new();
    let mut by_id: HashMap<&str, Given<'_>> = HashMap::with_capacity(chunk.len());
    for given in chunk {
        rows.push(given.id, given.memory);
        by_id.insert(given.id, *given);
    }
    let parameters = parameters(workspace, space, now, &mut rows);
    let inserted = CLAIM.with(|statement| statement.run(client, &parameters));
    let written: Vec<Written> = inserted
        .iter::<2>()
        .filter_map(|row| {
            let Given { at, id, memory } = *by_id.get(row.text(0)?)?;
            let is_as_given = row.text(1).is_none_or(|content| content == memory.content);
            Some(Written { at, id: id.to_owned(), outcome: Outcome::Inserted, is_as_given })
        })
        .collect();
    drop(inserted);
    // Else a trigger has done something with the rest.
    if written.len() < chunk.len()
        && TAKEN.with(|statement| statement.run(client, &parameters)).count() > 0
    {
        subtransaction::redo();
    }
    written
}

/// Writes the elements of a chunk, each of a place of its own, in the order of the places. `first` is done once expired
/// memories are out of the way. What a trigger swallows is not among what is given.
pub(super) fn upsert(
    client: &mut SpiClient<'_>,
    workspace: &Text,
    space: Option<&Space>,
    now: i64,
    chunk: &[Given<'_>],
    first: impl FnOnce(&mut SpiClient<'_>),
) -> Vec<Written> {
    let mut rows = Rows::new();
    let mut by_place: HashMap<Place<'_>, usize> = HashMap::with_capacity(chunk.len());
    let mut by_id: HashMap<&str, usize> = HashMap::with_capacity(chunk.len());
    for (number, Given { id, memory, .. }) in chunk.iter().enumerate() {
        rows.push(id, memory);
        by_id.insert(id, number);
        if let Some(place) = memory.place() {
            by_place.insert(place, number);
        }
    }
    let parameters = parameters(workspace, space, now, &mut rows);
    DELETE_EXPIRED.with(|statement| statement.run(client, &parameters));
    first(client);
    let mut written: Vec<Option<Written>> = Vec::new();
    written.resize_with(chunk.len(), || None);
    let rows = UPSERT.with(|statement| statement.run(client, &parameters));
    for row in rows.iter::<6>() {
        let (Some(id), Some(namespace), Some(key)) = (row.text(0), row.text(3), row.text(4)) else {
            continue;
        };
        // A trigger of somebody's may have given it another place.
        let number = by_id.get(id).or_else(|| by_place.get(&(row.text(2), namespace, key)));
        let Some(&number) = number else { continue };
        let Given { at, memory, .. } = chunk[number];
        written[number] = Some(Written {
            at,
            id: id.to_owned(),
            outcome: if row.boolean(1) == Some(true) {
                Outcome::Inserted
            } else {
                Outcome::Updated
            },
            is_as_given: row.text(5).is_none_or(|content| content == memory.content),
        });
    }
    drop(rows);
    if written.iter().any(Option::is_none) {
        let rows = UNCHANGED.with(|statement| statement.run(client, &parameters));
        for row in rows.iter::<2>() {
            let (Some(given), Some(id)) = (row.text(0), row.text(1)) else { continue };
            if let Some(&number) = by_id.get(given)
                && written[number].is_none()
            {
                let (at, outcome) = (chunk[number].at, Outcome::Unchanged);
                let id = id.to_owned();
                written[number] = Some(Written { at, id, outcome, is_as_given: true });
            }
        }
    }
    written.into_iter().flatten().collect()
}
