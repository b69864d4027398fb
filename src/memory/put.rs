//! Writes memories and their embeddings.
//!
//! 1. What cannot be written is rejected: unknown users, memories to supersede that are not there.
//! 2. On request, what is remembered already is found (`dedupe`).
//! 3. The rest is inserted, and what it supersedes ends.

use super::decode::NewMemory;
use super::dedupe::{self, Known, Original};
use super::embedded::insert_embeddings;
use super::error::MemoryError;
use super::space::Space;
use crate::error::Error;
use crate::id::new_id;
use crate::jsonb::builder::Builder;
use crate::pg::advisory;
use crate::pg::array::{self, Array, ElementType};
use crate::pg::clock::now;
use crate::pg::plan::Statement;
use crate::pg::varlena::Text;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;
use std::collections::{HashMap, HashSet};

/// What became of an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Added,
    Duplicate,
    Merged,
    Superseded,
    Rejected,
}

impl Action {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Action::Added => "added",
            Action::Duplicate => "duplicate",
            Action::Merged => "merged",
            Action::Superseded => "superseded",
            Action::Rejected => "rejected",
        }
    }
}

/// The answer for one element.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) memory_id: Option<String>,
    pub(crate) action: Action,
    pub(crate) error: Option<String>,
}

impl Answer {
    fn rejected(error: String) -> Self {
        Self { memory_id: None, action: Action::Rejected, error: Some(error) }
    }
}

/// So many memories are written by one statement, and about so many bytes.
const CHUNK_ROWS: usize = 1_000;
const CHUNK_BYTES: usize = 4 << 20;

thread_local! {
    static WORKSPACE: Statement = const { Statement::new(
        c"SELECT FROM kepler.workspaces AS w WHERE w.id = $1",
        &[pg_sys::TEXTOID],
    ) };
    static USERS: Statement = const { Statement::new(
        c"SELECT n.id FROM (SELECT pg_catalog.unnest($2) AS id) AS n
          WHERE NOT EXISTS (SELECT FROM kepler.users AS u WHERE u.workspace_id = $1 AND u.id = n.id)",
        &[pg_sys::TEXTOID, pg_sys::TEXTARRAYOID],
    ) };
    // In the order of the ids, so that two calls cannot wait for each other.
    static LOCK: Statement = const { Statement::new(
        c"SELECT m.id, m.superseded_by FROM kepler.memories AS m
          WHERE m.workspace_id = $1 AND m.id = ANY ($2)
          ORDER BY m.id FOR NO KEY UPDATE",
        &[pg_sys::TEXTOID, pg_sys::TEXTARRAYOID],
    ) };
    static INSERT: Statement = const { Statement::new(
        c"INSERT INTO kepler.memories (
              workspace_id, id, user_id, context_type, content, format, relevance_score, metadata,
              valid_from, expires_at, created_at, updated_at)
          SELECT $1, n.id, n.user_id, n.context_type, n.content,
              CASE WHEN n.is_json THEN 'JSON'::kepler.memory_format ELSE 'TEXT' END,
              n.relevance_score, COALESCE(n.metadata, '{}'), COALESCE(n.valid_from, $2), n.expires_at,
              $2, $2
          FROM (SELECT pg_catalog.unnest($3) AS id, pg_catalog.unnest($4) AS user_id,
                       pg_catalog.unnest($5) AS context_type, pg_catalog.unnest($6) AS content,
                       pg_catalog.unnest($7) AS is_json, pg_catalog.unnest($8) AS relevance_score,
                       pg_catalog.unnest($9) AS metadata, pg_catalog.unnest($10) AS valid_from,
                       pg_catalog.unnest($11) AS expires_at) AS n",
        &[
            pg_sys::TEXTOID, pg_sys::TIMESTAMPTZOID, pg_sys::TEXTARRAYOID, pg_sys::TEXTARRAYOID,
            pg_sys::TEXTARRAYOID, pg_sys::TEXTARRAYOID, pg_sys::BOOLARRAYOID, pg_sys::FLOAT8ARRAYOID,
            pg_sys::JSONBARRAYOID, pg_sys::TIMESTAMPTZARRAYOID, pg_sys::TIMESTAMPTZARRAYOID,
        ],
    ) };
    static SUPERSEDE: Statement = const { Statement::new(
        c"UPDATE kepler.memories AS m
          SET superseded_by = n.by,
              valid_to = GREATEST(m.valid_from, LEAST(m.valid_to, n.at)), updated_at = $2
          FROM (SELECT pg_catalog.unnest($3) AS id, pg_catalog.unnest($4) AS by,
                       pg_catalog.unnest($5) AS at) AS n
          WHERE m.workspace_id = $1 AND m.id = n.id",
        &[
            pg_sys::TEXTOID, pg_sys::TIMESTAMPTZOID, pg_sys::TEXTARRAYOID, pg_sys::TEXTARRAYOID,
            pg_sys::TIMESTAMPTZARRAYOID,
        ],
    ) };
    static MERGE: Statement = const { Statement::new(
        c"UPDATE kepler.memories AS m
          SET metadata = m.metadata || n.metadata,
              relevance_score = GREATEST(m.relevance_score, n.relevance_score),
              expires_at = CASE WHEN m.expires_at IS NOT NULL AND n.expires_at IS NOT NULL
                                THEN GREATEST(m.expires_at, n.expires_at) END
          FROM (SELECT pg_catalog.unnest($2) AS id, pg_catalog.unnest($3) AS metadata,
                       pg_catalog.unnest($4) AS relevance_score, pg_catalog.unnest($5) AS expires_at) AS n
          WHERE m.workspace_id = $1 AND m.id = n.id
            AND (NOT m.metadata @> n.metadata OR m.relevance_score < n.relevance_score
                OR (m.expires_at IS NOT NULL
                    AND (n.expires_at IS NULL OR n.expires_at > m.expires_at)))
          RETURNING m.id",
        &[
            pg_sys::TEXTOID, pg_sys::TEXTARRAYOID, pg_sys::JSONBARRAYOID, pg_sys::FLOAT8ARRAYOID,
            pg_sys::TIMESTAMPTZARRAYOID,
        ],
    ) };
}

/// Keeps `activate_space`, which must see all memories of the workspace, apart from those who write
/// them; and two who look for duplicates from each other.
pub(crate) fn lock(workspace_id: &str, exclusive: bool) {
    advisory::lock(&format!("kepler memories\0{workspace_id}"), exclusive);
}

/// Writes what can be written of a batch, and answers for each element.
pub(crate) fn run(
    client: &mut SpiClient<'_>,
    workspace_id: &str,
    space: Option<&Space>,
    batch: Vec<Result<NewMemory, String>>,
    dedupe: bool,
) -> Result<Vec<Answer>, Error> {
    let workspace = Text::new(workspace_id);
    let there = WORKSPACE.with(|plan| plan.run(client, &[Some(workspace.datum())]));
    if there.count() == 0 {
        return Err(Error::NoWorkspace(workspace_id.to_owned()));
    }
    let mut answers = Vec::with_capacity(batch.len());
    let mut memories: Vec<Option<NewMemory>> = Vec::with_capacity(batch.len());
    for element in batch {
        match element {
            Ok(memory) => {
                answers.push(Answer { memory_id: None, action: Action::Added, error: None });
                memories.push(Some(memory));
            }
            Err(problem) => {
                answers.push(Answer::rejected(problem));
                memories.push(None);
            }
        }
    }
    reject_unknown_users(client, &workspace, &memories, &mut answers);
    reject_unknown_predecessors(client, &workspace, &memories, &mut answers);
    for (memory, answer) in memories.iter_mut().zip(&answers) {
        if answer.action == Action::Rejected {
            *memory = None;
        }
    }
    let repeats = if dedupe {
        let known = dedupe::find(client, &workspace, space, &memories);
        take_known(known, &mut memories, &mut answers)
    } else {
        Vec::new()
    };
    let left: Vec<usize> = (0..memories.len()).filter(|&at| memories[at].is_some()).collect();
    let mut rest = left.as_slice();
    while !rest.is_empty() {
        let (mut taken, mut bytes) = (0, 0);
        while taken < rest.len().min(CHUNK_ROWS) && (taken == 0 || bytes < CHUNK_BYTES) {
            bytes += memories[rest[taken]].as_ref().map_or(0, size);
            taken += 1;
        }
        insert(client, &workspace, space, &rest[..taken], &memories, &mut answers)?;
        rest = &rest[taken..];
    }
    merge_known(client, &workspace, repeats, &mut answers);
    Ok(answers)
}

fn size(memory: &NewMemory) -> usize {
    memory.content.len()
        + memory.embedding.as_ref().map_or(0, |embedding| 4 * embedding.dimensions())
        + memory.metadata.as_ref().map_or(0, Vec::len)
}

/// Rejects an element, perhaps for one more reason.
fn reject(answer: &mut Answer, problem: String) {
    let before = answer.error.take();
    *answer = Answer::rejected(match before {
        Some(before) => format!("{before}; {problem}"),
        None => problem,
    });
}

fn reject_unknown_users(
    client: &mut SpiClient<'_>,
    workspace: &Text,
    memories: &[Option<NewMemory>],
    answers: &mut [Answer],
) {
    let named: HashSet<&str> =
        memories.iter().flatten().filter_map(|memory| memory.user_id.as_deref()).collect();
    if named.is_empty() {
        return;
    }
    let mut ids = Array::texts(named);
    let rows = USERS.with(|plan| plan.run(client, &[Some(workspace.datum()), Some(ids.datum())]));
    let unknown: HashSet<String> =
        rows.iter::<1>().filter_map(|row| row.text(0).map(str::to_owned)).collect();
    for at in 0..memories.len() {
        let user = memories[at].as_ref().and_then(|memory| memory.user_id.clone());
        if let Some(user) = user.filter(|user| unknown.contains(user)) {
            reject(&mut answers[at], format!("/user_id: there is no user \"{user}\""));
        }
    }
}

/// Locks the memories that are to be superseded.
fn reject_unknown_predecessors(
    client: &mut SpiClient<'_>,
    workspace: &Text,
    memories: &[Option<NewMemory>],
    answers: &mut [Answer],
) {
    let mut ids = Array::new(array::TEXT);
    for id in memories.iter().flatten().filter_map(|memory| memory.supersedes.as_deref()) {
        ids.push_text(id);
    }
    if ids.count() == 0 {
        return;
    }
    let rows = LOCK.with(|plan| plan.run(client, &[Some(workspace.datum()), Some(ids.datum())]));
    let mut found: HashMap<String, Option<String>> = rows
        .iter::<2>()
        .filter_map(|row| Some((row.text(0)?.to_owned(), row.text(1).map(str::to_owned))))
        .collect();
    for at in 0..memories.len() {
        let Some(old) = memories[at].as_ref().and_then(|memory| memory.supersedes.clone()) else {
            continue;
        };
        match found.get_mut(&old) {
            None => {
                let problem = format!("/supersedes: there is no memory \"{old}\"");
                reject(&mut answers[at], problem);
            }
            Some(Some(by)) => {
                let problem = format!("/supersedes: \"{old}\" is superseded by {by} already");
                reject(&mut answers[at], problem);
            }
            // What is rejected takes nobody's place.
            Some(_) if answers[at].action == Action::Rejected => (),
            Some(by) => {
                *by = Some(format!("element {}", at + 1));
                answers[at].action = Action::Superseded;
            }
        }
    }
}

/// What changes on memories that are there already, where only what stands beside the content differs.
struct Merges {
    /// The memory of each, and its element.
    places: HashMap<String, usize>,
    ids: Array,
    metadata: Array,
    relevance: Array,
    expires_at: Array,
}

impl Merges {
    fn new() -> Self {
        Self {
            places: HashMap::new(),
            metadata: Array::new(array::JSONB),
            ids: Array::new(array::TEXT),
            relevance: Array::new(array::FLOAT),
            expires_at: Array::new(array::TIMESTAMPTZ),
        }
    }

    fn push(&mut self, id: &str, at: usize, new: &NewMemory) {
        self.places.insert(id.to_owned(), at);
        self.ids.push_text(id);
        match &new.metadata {
            Some(stored) => self.metadata.push_bytes(stored),
            None => self.metadata.push_varlena(&Builder::empty_object()),
        }
        self.relevance.push_bytes(&new.relevance_score.to_ne_bytes());
        self.expires_at.push_time(new.expires_at);
    }

    /// Writes them. What changed something was merged, and no mere duplicate.
    fn write(mut self, client: &mut SpiClient<'_>, workspace: &Text, answers: &mut [Answer]) {
        if self.places.is_empty() {
            return;
        }
        let parameters = [
            Some(workspace.datum()),
            Some(self.ids.datum()),
            Some(self.metadata.datum()),
            Some(self.relevance.datum()),
            Some(self.expires_at.datum()),
        ];
        let rows = MERGE.with(|plan| plan.run(client, &parameters));
        for row in rows.iter::<1>() {
            if let Some(&at) = row.text(0).and_then(|id| self.places.get(id)) {
                answers[at].action = Action::Merged;
            }
        }
    }
}

/// Takes out what is remembered already: gives the elements with what they repeat.
fn take_known(
    known: Vec<Option<Known>>,
    memories: &mut [Option<NewMemory>],
    answers: &mut [Answer],
) -> Vec<(usize, Original, NewMemory)> {
    let mut repeats = Vec::new();
    for (at, known) in known.into_iter().enumerate() {
        let Some(known) = known else { continue };
        let Some(memory) = memories[at].take() else { continue };
        answers[at].action = if known.same { Action::Duplicate } else { Action::Merged };
        repeats.push((at, known.of, memory));
    }
    repeats
}

/// Brings what the repeating elements say beside their content to the memories that they repeat.
fn merge_known(
    client: &mut SpiClient<'_>,
    workspace: &Text,
    repeats: Vec<(usize, Original, NewMemory)>,
    answers: &mut [Answer],
) {
    let mut merges = Merges::new();
    for (at, original, memory) in repeats {
        let id = match original {
            Original::Stored(id) => Some(id),
            // Written by now, or rejected with the call.
            Original::Earlier(element) => answers[element].memory_id.clone(),
        };
        if let Some(id) = &id {
            // One statement changes a memory once.
            if merges.places.contains_key(id) {
                std::mem::replace(&mut merges, Merges::new()).write(client, workspace, answers);
            }
            merges.push(id, at, &memory);
        }
        answers[at].memory_id = id;
    }
    merges.write(client, workspace, answers);
}

/// Inserts some of the memories, their embeddings, and ends what they supersede.
fn insert(
    client: &mut SpiClient<'_>,
    workspace: &Text,
    space: Option<&Space>,
    chunk: &[usize],
    memories: &[Option<NewMemory>],
    answers: &mut [Answer],
) -> Result<(), Error> {
    let now = now();
    let mut rows = Rows::new(space);
    for &at in chunk {
        let Some(memory) = &memories[at] else { continue };
        let id = new_id();
        rows.push(&id, memory, now);
        answers[at].memory_id = Some(id);
    }
    let (sent, time) = (rows.ids.count(), Some(pg_sys::Datum::from(now)));
    let written = INSERT.with(|plan| {
        plan.run(
            client,
            &[
                Some(workspace.datum()),
                time,
                Some(rows.ids.datum()),
                Some(rows.users.datum()),
                Some(rows.types.datum()),
                Some(rows.contents.datum()),
                Some(rows.is_json.datum()),
                Some(rows.relevance.datum()),
                Some(rows.metadata.datum()),
                Some(rows.valid_from.datum()),
                Some(rows.expires_at.datum()),
            ],
        )
        .count()
    });
    if written != sent {
        return Err(MemoryError::NotWritten { sent, written }.into());
    }
    if let Some(space) = space.filter(|_| rows.embedded.count() > 0) {
        insert_embeddings(client, workspace, space, &mut rows.embedded, &mut rows.embeddings);
    }
    if rows.ended.count() > 0 {
        let parameters = [
            Some(workspace.datum()),
            time,
            Some(rows.ended.datum()),
            Some(rows.successors.datum()),
            Some(rows.ended_at.datum()),
        ];
        SUPERSEDE.with(|plan| plan.run(client, &parameters));
    }
    Ok(())
}

/// Rows for the statements, a column each.
struct Rows {
    ids: Array,
    users: Array,
    types: Array,
    contents: Array,
    is_json: Array,
    relevance: Array,
    metadata: Array,
    valid_from: Array,
    expires_at: Array,
    embedded: Array,
    embeddings: Array,
    ended: Array,
    successors: Array,
    ended_at: Array,
}

impl Rows {
    /// The largest come first, and get the largest of the spare buffers.
    fn new(space: Option<&Space>) -> Self {
        let vector = space.map_or(pg_sys::InvalidOid, |space| space.vectors.vector_type);
        Self {
            embeddings: Array::new(ElementType::varlena(vector)),
            contents: Array::new(array::TEXT),
            metadata: Array::new(array::JSONB),
            ids: Array::new(array::TEXT),
            users: Array::new(array::TEXT),
            types: Array::new(array::TEXT),
            is_json: Array::new(array::BOOLEAN),
            relevance: Array::new(array::FLOAT),
            valid_from: Array::new(array::TIMESTAMPTZ),
            expires_at: Array::new(array::TIMESTAMPTZ),
            embedded: Array::new(array::TEXT),
            ended: Array::new(array::TEXT),
            successors: Array::new(array::TEXT),
            ended_at: Array::new(array::TIMESTAMPTZ),
        }
    }

    fn push(&mut self, id: &str, memory: &NewMemory, now: i64) {
        self.ids.push_text(id);
        match &memory.user_id {
            Some(user) => self.users.push_text(user),
            None => self.users.push_null(),
        }
        self.types.push_text(&memory.context_type);
        self.contents.push_text(&memory.content);
        self.is_json.push_bytes(&[u8::from(memory.is_json)]);
        self.relevance.push_bytes(&memory.relevance_score.to_ne_bytes());
        match &memory.metadata {
            Some(stored) => self.metadata.push_bytes(stored),
            None => self.metadata.push_null(),
        }
        self.valid_from.push_time(memory.valid_from);
        self.expires_at.push_time(memory.expires_at);
        if let Some(embedding) = &memory.embedding {
            self.embedded.push_text(id);
            self.embeddings.push_bytes(&embedding.stored());
        }
        if let Some(old) = &memory.supersedes {
            self.ended.push_text(old);
            self.successors.push_text(id);
            self.ended_at.push_time(Some(memory.valid_from.unwrap_or(now)));
        }
    }
}
