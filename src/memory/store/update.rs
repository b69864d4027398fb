//! Changes a memory that is there. What is not given stays.

use crate::answer::Outcome;
use crate::error::Error;
use crate::jsonb::builder::Builder;
use crate::jsonb::merge::{Merge, merge};
use crate::jsonb::view::Container;
use crate::memory::embedded::{Present, insert_embeddings};
use crate::memory::embedding::Embedding;
use crate::memory::error::MemoryError;
use crate::memory::scope::User;
use crate::memory::space::Space;
use crate::memory::ttl::Ttl;
use crate::pg::array::{Array, ElementType};
use crate::pg::clock::now;
use crate::pg::plan::Statement;
use crate::pg::varlena::{self, Text};
use pgrx::pg_sys;
use pgrx::spi::SpiClient;

thread_local! {
    // With what has expired in the place that it is to take: in the order of the ids, as whoever writes several memories.
    static LOCK: Statement = const { Statement::new(
        c"SELECT m.id, m.user_id, m.metadata FROM kepler.memories AS m
          WHERE m.workspace_id = $1 AND m.id = ANY (ARRAY[$2, $4])
              AND (m.id <> $2 OR (m.valid_from <= $3 AND (m.valid_to IS NULL OR m.valid_to > $3)
                  AND (m.expires_at IS NULL OR m.expires_at > $3)))
          ORDER BY m.id COLLATE \"C\" FOR NO KEY UPDATE",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TIMESTAMPTZOID, pg_sys::TEXTOID],
    ) };
    // An expiry that is infinite ends the ttl, too.
    static UPDATE: Statement = const { Statement::new(
        c"UPDATE kepler.memories AS m
          SET content = n.content, format = n.format, context_type = n.context_type,
              relevance_score = n.relevance_score, metadata = n.metadata, namespace = n.namespace, key = n.key,
              expires_at = n.expires_at, ttl = n.ttl, updated_at = $3
          FROM (SELECT COALESCE($4, x.content) AS content,
                    CASE WHEN $4 IS NULL THEN x.format WHEN $5 THEN 'JSON'::kepler.memory_format ELSE 'TEXT' END AS format,
                    COALESCE($6, x.context_type) AS context_type, COALESCE($7, x.relevance_score) AS relevance_score,
                    COALESCE($8, x.metadata) AS metadata, COALESCE($9, x.namespace) AS namespace,
                    COALESCE($10, x.key) AS key,
                    CASE WHEN $11 = 'infinity' THEN NULL ELSE COALESCE($11, $3 + $12, x.expires_at) END AS expires_at,
                    CASE WHEN $11 = 'infinity' THEN NULL ELSE COALESCE($12, x.ttl) END AS ttl
                FROM kepler.memories AS x WHERE x.workspace_id = $1 AND x.id = $2) AS n
          WHERE m.workspace_id = $1 AND m.id = $2
              AND (m.content, m.format, m.context_type, m.relevance_score, m.metadata, m.namespace, m.key,
                   m.expires_at, m.ttl)
                  IS DISTINCT FROM (n.content, n.format, n.context_type, n.relevance_score, n.metadata, n.namespace, n.key,
                   n.expires_at, n.ttl)
          RETURNING CASE WHEN $13 THEN m.content END",
        &[
            pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TIMESTAMPTZOID, pg_sys::TEXTOID, pg_sys::BOOLOID,
            pg_sys::TEXTOID, pg_sys::FLOAT8OID, pg_sys::JSONBOID, pg_sys::TEXTOID, pg_sys::TEXTOID,
            pg_sys::TIMESTAMPTZOID, pg_sys::INTERVALOID, pg_sys::BOOLOID,
        ],
    ) };
    /// Who holds the place that a memory is to take, and whether that has expired. Each way is one look-up in the index.
    static HOLDER: Statement = const { Statement::new(
        c"SELECT o.id, o.expires_at <= $3, o.key
          FROM kepler.memories AS m CROSS JOIN LATERAL (
              SELECT x.id, x.expires_at, x.key FROM kepler.memories AS x
              WHERE x.workspace_id = $1 AND x.user_id = m.user_id AND x.namespace = COALESCE($4, m.namespace)
                  AND x.key = COALESCE($5, m.key) AND x.valid_to IS NULL
              UNION ALL
              SELECT x.id, x.expires_at, x.key FROM kepler.memories AS x
              WHERE m.user_id IS NULL AND x.workspace_id = $1 AND x.user_id IS NULL
                  AND x.namespace = COALESCE($4, m.namespace) AND x.key = COALESCE($5, m.key) AND x.valid_to IS NULL) AS o
          WHERE m.workspace_id = $1 AND m.id = $2 AND o.id <> $2",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TIMESTAMPTZOID, pg_sys::TEXTOID, pg_sys::TEXTOID],
    ) };
    static FREE: Statement = const { Statement::new(
        c"DELETE FROM kepler.memories AS m WHERE m.workspace_id = $1 AND m.id = $2 AND m.expires_at <= $3",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TIMESTAMPTZOID],
    ) };
    static REMAINS: Statement = const { Statement::new(
        c"SELECT FROM kepler.memories AS m WHERE m.workspace_id = $1 AND m.id = $2",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID],
    ) };
}

/// What of a memory is to be another.
#[derive(Default)]
pub(super) struct Change {
    pub(super) content: Option<String>,
    pub(super) is_json: bool,
    pub(super) embedding: Option<Embedding>,
    pub(super) context_type: Option<String>,
    pub(super) relevance_score: Option<f64>,
    /// The stored `jsonb` of a merge patch, length word included.
    pub(super) metadata: Option<Vec<u8>>,
    pub(super) namespace: Option<String>,
    pub(super) key: Option<String>,
    pub(super) expires_at: Option<i64>,
    pub(super) ttl: Option<Ttl>,
}

/// Changes a memory of that user's, and says what became of it.
pub(super) fn run(
    client: &mut SpiClient<'_>,
    workspace_id: &str,
    user: &User,
    memory_id: &str,
    space: Option<&Space>,
    change: &Change,
) -> Result<Outcome, Error> {
    let (workspace, id, now) = (Text::new(workspace_id), Text::new(memory_id), now());
    let time = Some(pg_sys::Datum::from(now));
    let place = [Some(workspace.datum()), Some(id.datum())];
    let text = |given: &Option<String>| given.as_deref().map(Text::new);
    let (content, context_type) = (text(&change.content), text(&change.context_type));
    let (namespace, key) = (text(&change.namespace), text(&change.key));
    let of = |text: &Option<Text>| text.as_ref().map(Text::datum);
    let holder = |client: &mut SpiClient<'_>| {
        if change.namespace.is_none() && change.key.is_none() {
            return None;
        }
        let parameters = [place[0], place[1], time, of(&namespace), of(&key)];
        let rows = HOLDER.with(|statement| statement.run(client, &parameters));
        rows.iter::<3>().next().and_then(|row| {
            Some((Text::new(row.text(0)?), row.boolean(1) == Some(true), row.text(2)?.to_owned()))
        })
    };
    let metadata = {
        let expired = holder(client).filter(|(_, is_expired, _)| *is_expired);
        let expired = expired.as_ref().map(|(id, ..)| id.datum());
        let parameters = [place[0], place[1], time, expired];
        let rows = LOCK.with(|statement| statement.run(client, &parameters));
        let Some(row) = rows.iter::<3>().find(|row| row.text(0) == Some(memory_id)) else {
            return Ok(Outcome::NotFound);
        };
        let is_theirs = match user {
            User::Any => true,
            User::Nobody => row.text(1).is_none(),
            User::Id(user) => row.text(1) == Some(user.as_str()),
        };
        if !is_theirs {
            return Ok(Outcome::NotFound);
        }
        let stored = row.jsonb(2).unwrap_or_default();
        change.metadata.as_ref().map(|patch| patched(stored, &patch[4..])).transpose()?
    };
    let metadata = metadata.map(|stored| Aligned::new(&stored));
    let ttl = change.ttl.map(|ttl| Aligned::new(&ttl.stored()));
    match holder(client) {
        // It is not there any more.
        Some((id, true, _)) => {
            FREE.with(|statement| statement.run(client, &[place[0], Some(id.datum()), time]));
        }
        Some((_, false, key)) => return Err(MemoryError::KeyTaken { key }.into()),
        None => {}
    }
    let rows = UPDATE.with(|statement| {
        let parameters = [
            place[0],
            place[1],
            time,
            of(&content),
            Some(pg_sys::Datum::from(change.is_json)),
            of(&context_type),
            change.relevance_score.map(|score| pg_sys::Datum::from(score.to_bits())),
            metadata.as_ref().map(Aligned::datum),
            of(&namespace),
            of(&key),
            change.expires_at.map(pg_sys::Datum::from),
            ttl.as_ref().map(Aligned::datum),
            Some(pg_sys::Datum::from(change.content.is_some() && change.embedding.is_some())),
        ];
        statement.run(client, &parameters)
    });
    let changed = rows.iter::<1>().next().map(|row| row.text(0).map(str::to_owned));
    drop(rows);
    // What a trigger of somebody's made of the content is not what the embedding is of.
    let is_as_given = match &changed {
        Some(Some(content)) => Some(content) == change.content.as_ref(),
        _ => true,
    };
    let mut outcome = if changed.is_some() { Outcome::Updated } else { Outcome::Unchanged };
    if let (Some(space), Some(embedding), true) = (space, &change.embedding, is_as_given) {
        let mut ids = Array::texts([memory_id]);
        let mut embeddings = Array::new(ElementType::varlena(space.vectors.vector_type));
        embeddings.push_bytes(&embedding.stored());
        let present = Present::IsReplaced;
        let written =
            insert_embeddings(client, &workspace, space, &mut ids, &mut embeddings, present);
        if !written.is_empty() {
            outcome = Outcome::Updated;
        }
    }
    if outcome == Outcome::Unchanged
        && REMAINS.with(|statement| statement.run(client, &place)).count() == 0
    {
        return Ok(Outcome::NotFound);
    }
    Ok(outcome)
}

/// Metadata with a merge patch laid over it, as RFC 7386 says: null removes a member.
fn patched(stored: &[u8], patch: &[u8]) -> Result<Vec<u8>, Error> {
    let mut merged = Vec::with_capacity(stored.len() + patch.len());
    if Container::root(patch).count() == 0 {
        return Ok(varlena::whole(stored));
    }
    merge(&mut Builder::default(), stored, patch, Merge::Patch, &mut merged)
        .map_err(|_| MemoryError::MetadataTooLarge)?;
    Ok(merged)
}

/// Bytes on an eight-byte boundary, as a parameter.
struct Aligned {
    words: Vec<u64>,
}

impl Aligned {
    fn new(bytes: &[u8]) -> Self {
        let words = bytes.chunks(8).map(|chunk| {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            u64::from_ne_bytes(word)
        });
        Self { words: words.collect() }
    }

    fn datum(&self) -> pg_sys::Datum {
        pg_sys::Datum::from(self.words.as_ptr())
    }
}
