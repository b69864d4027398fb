//! Writes memories and their embeddings.
//!
//! 1. What cannot be written is rejected: unknown users, memories to supersede that are not there or another
//!    user's. What is stored and changes is locked (`put_lock`).
//! 2. On request, what is remembered already is found (`dedupe`).
//! 3. The rest is inserted, and what it supersedes ends. What a constraint or trigger of somebody's refuses is
//!    found out and rejected by itself.
//! 4. What stood back for an element that was refused in 3 takes its turn.

use super::decode::NewMemory;
use super::dedupe::{self, Known, Original};
use super::embedded::{Present, insert_embeddings};
use super::error::MemoryError;
use super::merge::merge_known;
use super::named::{unknown_languages, unknown_users};
use super::put_keyed::{self, Given, Place, Written};
use super::put_plain;
use super::put_rows::Beside;
use super::space::Space;
use crate::answer::{Answer, Code, Outcome, Rejection, Violation};
use crate::error::Error;
use crate::id::new_id;
use crate::pg::advisory;
use crate::pg::clock::now;
use crate::pg::plan::Statement;
use crate::pg::subtransaction;
use crate::pg::varlena::Text;
use crate::workspace::WorkspaceError;
use pgrx::prelude::*;
use pgrx::spi::SpiClient;
use std::collections::{HashMap, HashSet};

/// The answer for one element, with the id of its memory.
pub(crate) type Put = Answer<Option<String>>;

/// Rejects an element, perhaps for one more reason: it has no memory.
pub(super) fn reject(answer: &mut Put, rejection: impl Into<Rejection>) {
    answer.reject(rejection);
    answer.id = None;
}

/// So many memories are written by one statement, and about so many bytes.
const CHUNK_ROWS: usize = 1_000;
const CHUNK_BYTES: usize = 4 << 20;

thread_local! {
    static WORKSPACE: Statement = const { Statement::new(
        c"SELECT FROM kepler.workspaces AS w WHERE w.id = $1",
        &[pg_sys::TEXTOID],
    ) };
    static SUPERSEDE: Statement = const { Statement::new(
        c"UPDATE kepler.memories AS m
          SET superseded_by = n.by,
              valid_to = GREATEST(m.valid_from, LEAST(m.valid_to, n.at)), updated_at = $2
          FROM (SELECT pg_catalog.unnest($3) AS id, pg_catalog.unnest($4) AS by,
                       pg_catalog.unnest($5) AS at) AS n
          WHERE m.workspace_id = $1 AND m.id = n.id AND m.superseded_by IS DISTINCT FROM n.by",
        &[
            pg_sys::TEXTOID, pg_sys::TIMESTAMPTZOID, pg_sys::TEXTARRAYOID, pg_sys::TEXTARRAYOID,
            pg_sys::TIMESTAMPTZARRAYOID,
        ],
    ) };
}

/// Keeps `activate_embedding_space`, which must see all memories of the workspace, apart from those who write
/// them; and two who look for duplicates from each other.
pub(crate) fn lock(workspace_id: &str, exclusive: bool) {
    advisory::lock(&format!("kepler memories\0{workspace_id}"), exclusive);
}

/// What is left to be written of a batch, and what has become of the rest.
pub(super) struct Batch<'b> {
    pub(super) workspace: &'b Text,
    space: Option<&'b Space>,
    pub(super) memories: Vec<Option<NewMemory>>,
    /// What each gets if it is new: in the order of the batch, whatever is written first.
    ids: Vec<String>,
    pub(super) answers: Vec<Put>,
    /// Whether it waits for others more than once, and so in an order.
    pub(super) is_ordered: bool,
    /// Memories that have one of the batch's keys, which are locked.
    pub(super) in_the_way: HashSet<String>,
    /// The places of these keys.
    pub(super) held: HashSet<(Option<String>, String, String)>,
    /// Whether the elements that the database refuses are answered; else its error ends the call.
    skip: bool,
}

/// Writes what can be written of a batch, and answers for each element. `elements` gives them, as often as the call begins anew.
/// `skip`: also where the database refuses an element.
pub(crate) fn run(
    client: &mut SpiClient<'_>,
    workspace_id: &str,
    space: Option<&Space>,
    mut elements: impl FnMut() -> Result<Vec<Result<NewMemory, Rejection>>, Error>,
    dedupe: bool,
    skip: bool,
) -> Result<Vec<Put>, Error> {
    let mut first = Some(elements()?);
    let keyed = |memory: &&NewMemory| memory.key.is_some();
    let is_ordered = first.as_ref().is_some_and(|first| {
        let given = || first.iter().flatten();
        let keys = given().filter(keyed).count();
        keys > 1 || keys == 1 && given().any(|memory| memory.supersedes.is_some())
    });
    let mut once = || {
        let elements = match first.take() {
            Some(first) => first,
            None => elements()?,
        };
        run_once(client, workspace_id, space, elements, is_ordered, dedupe, skip)
    };
    if is_ordered { subtransaction::attempt_anew(once) } else { once() }
}

fn run_once(
    client: &mut SpiClient<'_>,
    workspace_id: &str,
    space: Option<&Space>,
    elements: Vec<Result<NewMemory, Rejection>>,
    is_ordered: bool,
    dedupe: bool,
    skip: bool,
) -> Result<Vec<Put>, Error> {
    let workspace = Text::new(workspace_id);
    let there = WORKSPACE.with(|plan| plan.run(client, &[Some(workspace.datum())]));
    if there.count() == 0 {
        return Err(WorkspaceError::Missing(workspace_id.to_owned()).into());
    }
    let mut answers = Vec::with_capacity(elements.len());
    let mut memories: Vec<Option<NewMemory>> = Vec::with_capacity(elements.len());
    for element in elements {
        let mut answer = Answer::new(None, Outcome::Inserted);
        match element {
            Ok(memory) => memories.push(Some(memory)),
            Err(rejection) => {
                answer.reject(rejection);
                memories.push(None);
            }
        }
        answers.push(answer);
    }
    let ids = memories.iter().map(|_| new_id()).collect();
    let mut batch = Batch {
        workspace: &workspace,
        space,
        memories,
        ids,
        answers,
        is_ordered,
        in_the_way: HashSet::new(),
        held: HashSet::new(),
        skip,
    };
    batch.reject_unknown_users(client);
    batch.reject_unknown_languages(client, workspace_id)?;
    // Each round writes or rejects at least the first element that is left.
    while batch.memories.iter().any(Option::is_some) {
        let replaced = batch.take_replaced();
        let losers = batch.lock_stored(client);
        let repeats = if dedupe { batch.take_known(client) } else { Vec::new() };
        batch.insert_all(client)?;
        let mut again = Vec::new();
        for (at, winner, memory) in losers {
            if batch.answers[winner].is_rejected() {
                again.push((at, memory));
            } else if let Some(old) = &memory.supersedes {
                let text = format!("\"{old}\" is superseded by element {} already", winner + 1);
                reject(
                    &mut batch.answers[at],
                    Violation::new(Some("supersedes"), Code::own("superseded_already"), text),
                );
            }
        }
        let mut settled = Vec::new();
        for (at, known, memory) in repeats {
            match known.of {
                Original::Earlier(element) if batch.answers[element].is_rejected() => {
                    again.push((at, memory));
                }
                Original::Earlier(element) => {
                    let id = batch.answers[element].id.clone().unwrap_or_default();
                    settled.push((at, id, known.same, memory));
                }
                Original::Stored(id) => settled.push((at, id, known.same, memory)),
            }
        }
        merge_known(client, &workspace, space, settled, &mut batch.answers, skip);
        for (at, winner, memory) in replaced {
            // One that was rejected, or has yet to be written, has no memory.
            match batch.answers[winner].id.clone() {
                None => again.push((at, memory)),
                id => {
                    batch.answers[at].outcome = Outcome::Superseded;
                    batch.answers[at].id = id;
                }
            }
        }
        for (at, memory) in again {
            batch.answers[at] = Answer::new(None, Outcome::Inserted);
            batch.memories[at] = Some(memory);
        }
    }
    Ok(batch.answers)
}

fn size(memory: &NewMemory) -> usize {
    memory.content.len()
        + memory.embedding.as_ref().map_or(0, |embedding| 4 * embedding.dimensions())
        + memory.metadata.as_ref().map_or(0, Vec::len)
}

impl Batch<'_> {
    fn reject_unknown_users(&mut self, client: &mut SpiClient<'_>) {
        let named = self.memories.iter().flatten().filter_map(|memory| memory.user_id.as_deref());
        let unknown = unknown_users(client, self.workspace, named);
        for (memory, answer) in self.memories.iter().zip(&mut self.answers) {
            let user = memory.as_ref().and_then(|memory| memory.user_id.as_deref());
            if let Some(user) = user.filter(|user| unknown.contains(*user)) {
                let text = format!("user \"{user}\" does not exist");
                reject(answer, Violation::new(Some("user_id"), Code::own("unknown_user"), text));
            }
        }
    }

    /// Takes out the elements whose key a later one has too, with that one: the last one is written.
    fn take_replaced(&mut self) -> Vec<(usize, usize, NewMemory)> {
        let mut last: HashMap<Place<'_>, usize> = HashMap::new();
        let mut places = Vec::new();
        for (at, memory) in self.memories.iter().enumerate().rev() {
            let Some(memory) = memory.as_ref().filter(|_| !self.answers[at].is_rejected()) else {
                continue;
            };
            let Some(place) = memory.place() else { continue };
            match last.get(&place) {
                Some(&winner) => places.push((at, winner)),
                None => {
                    last.insert(place, at);
                }
            }
        }
        let taken = places.into_iter().rev();
        taken.filter_map(|(at, winner)| Some((at, winner, self.memories[at].take()?))).collect()
    }

    fn reject_unknown_languages(
        &mut self,
        client: &mut SpiClient<'_>,
        workspace_id: &str,
    ) -> Result<(), Error> {
        let languages = self.memories.iter().map(|memory| memory.as_ref()?.language.as_deref());
        for (at, problem) in unknown_languages(client, workspace_id, languages)? {
            reject(&mut self.answers[at], problem);
        }
        Ok(())
    }

    /// Takes out what is remembered already: gives the elements with what they repeat.
    fn take_known(&mut self, client: &mut SpiClient<'_>) -> Vec<(usize, Known, NewMemory)> {
        let known = dedupe::find(client, self.workspace, self.space, &self.memories);
        let mut repeats = Vec::new();
        for (at, known) in known.into_iter().enumerate() {
            let Some(known) = known else { continue };
            let Some(memory) = self.memories[at].take() else { continue };
            repeats.push((at, known, memory));
        }
        repeats
    }

    /// Writes what is left, some at a time.
    fn insert_all(&mut self, client: &mut SpiClient<'_>) -> Result<(), Error> {
        let left = |keyed: bool| {
            let is_left = move |memory: &Option<NewMemory>| {
                memory.as_ref().is_some_and(|memory| memory.key.is_some() == keyed)
            };
            let all = self.memories.iter().enumerate();
            all.filter(move |(_, memory)| is_left(memory)).map(|(at, _)| at).collect::<Vec<_>>()
        };
        let (plain, mut keyed) = (left(false), left(true));
        // In one order, so that two calls cannot wait for each other.
        keyed.sort_by_key(|&at| self.memories[at].as_ref().and_then(NewMemory::place));
        self.insert_each(client, &plain)?;
        self.insert_each(client, &keyed)
    }

    fn insert_each(&mut self, client: &mut SpiClient<'_>, left: &[usize]) -> Result<(), Error> {
        let mut rest = left;
        while !rest.is_empty() {
            let (mut taken, mut bytes) = (0, 0);
            while taken < rest.len().min(CHUNK_ROWS) && (taken == 0 || bytes < CHUNK_BYTES) {
                bytes += self.memories[rest[taken]].as_ref().map_or(0, size);
                taken += 1;
            }
            if self.skip {
                self.insert_or_reject(client, &rest[..taken]);
            } else {
                let written = self.insert(client, &rest[..taken]);
                if written.len() < taken {
                    let error = MemoryError::NotWritten { sent: taken, written: written.len() };
                    return Err(error.into());
                }
                self.settle(&rest[..taken], written);
            }
            rest = &rest[taken..];
        }
        Ok(())
    }

    /// Writes some elements; of those that the database refuses, half at a time.
    fn insert_or_reject(&mut self, client: &mut SpiClient<'_>, chunk: &[usize]) {
        pgrx::check_for_interrupts!();
        match subtransaction::attempt(|| self.insert(client, chunk)) {
            Ok(written) => self.settle(chunk, written),
            Err(refusal) => match chunk {
                [] => (),
                [at] => {
                    self.memories[*at] = None;
                    reject(&mut self.answers[*at], refusal);
                }
                _ => {
                    let (first, second) = chunk.split_at(chunk.len() / 2);
                    self.insert_or_reject(client, first);
                    self.insert_or_reject(client, second);
                }
            },
        }
    }

    /// Notes the ids of the elements that were written; the others were swallowed.
    fn settle(&mut self, chunk: &[usize], written: Vec<(usize, String, Outcome)>) {
        for &at in chunk {
            self.memories[at] = None;
        }
        let mut left: HashSet<usize> = chunk.iter().copied().collect();
        for (at, id, outcome) in written {
            left.remove(&at);
            self.answers[at].outcome = outcome;
            self.answers[at].id = Some(id);
        }
        for at in left {
            reject(&mut self.answers[at], Rejection::not_written("kepler.memories"));
        }
    }

    /// Writes some of the memories, their embeddings, and ends what they supersede. Gives those that were written, with
    /// their ids. Either all of them have a key, or none.
    fn insert(&self, client: &mut SpiClient<'_>, chunk: &[usize]) -> Vec<(usize, String, Outcome)> {
        let now = now();
        let of_chunk = |&at: &usize| Some((at, self.memories[at].as_ref()?));
        let memories: Vec<(usize, &NewMemory)> = chunk.iter().filter_map(of_chunk).collect();
        let is_keyed = memories.first().is_some_and(|(_, memory)| memory.key.is_some());
        let given: Vec<Given<'_>> =
            memories.iter().map(|&(at, memory)| Given { at, id: &self.ids[at], memory }).collect();
        let mut written = match is_keyed {
            true => self.upsert(client, &given, now),
            false => put_plain::insert(client, self.workspace, self.space, now, &given),
        };
        let mut beside = Beside::new(self.space);
        for Written { at, id, is_as_given, .. } in &written {
            if let Some(memory) = &self.memories[*at] {
                beside.push(id, memory, *is_as_given, now);
            }
        }
        if let Some(space) = self.space.filter(|_| beside.embedded.count() > 0) {
            let (ids, embeddings) = (&mut beside.embedded, &mut beside.embeddings);
            let embedded = insert_embeddings(
                client,
                self.workspace,
                space,
                ids,
                embeddings,
                Present::IsReplaced,
            );
            // Another embedding of the same content changes the memory too.
            for Written { id, outcome, .. } in &mut written {
                if *outcome == Outcome::Unchanged && embedded.contains_key(id) {
                    *outcome = Outcome::Updated;
                }
            }
        }
        self.supersede(client, beside, now);
        written.into_iter().map(|written| (written.at, written.id, written.outcome)).collect()
    }

    /// Ends what memories supersede.
    fn supersede(&self, client: &mut SpiClient<'_>, mut beside: Beside, now: i64) {
        if beside.ended.count() > 0 {
            let parameters = [
                Some(self.workspace.datum()),
                Some(pg_sys::Datum::from(now)),
                Some(beside.ended.datum()),
                Some(beside.successors.datum()),
                Some(beside.ended_at.datum()),
            ];
            SUPERSEDE.with(|plan| plan.run(client, &parameters));
        }
    }

    /// Writes memories under their keys. What is superseded and has one of the batch's keys itself is ended before; all else
    /// afterwards, when nobody is waited for any more.
    fn upsert(&self, client: &mut SpiClient<'_>, given: &[Given<'_>], now: i64) -> Vec<Written> {
        let end = |client: &mut SpiClient<'_>| {
            let mut beside = Beside::new(None);
            for Given { id, memory, .. } in given {
                if memory.supersedes.as_ref().is_some_and(|old| self.in_the_way.contains(old)) {
                    beside.push(id, memory, false, now);
                }
            }
            self.supersede(client, beside, now);
        };
        let (mut held, free): (Vec<Given<'_>>, Vec<Given<'_>>) =
            given.iter().copied().partition(|given| !self.is_ordered || self.is_held(given.memory));
        let mut written = put_keyed::claim(client, self.workspace, self.space, now, &free);
        let claimed: HashSet<usize> = written.iter().map(|written| written.at).collect();
        // What a trigger swallows, or gives a place that is taken.
        held.extend(free.into_iter().filter(|given| !claimed.contains(&given.at)));
        if !held.is_empty() {
            let upsert = put_keyed::upsert;
            written.extend(upsert(client, self.workspace, self.space, now, &held, end));
        }
        // What a trigger swallows takes nobody's place.
        if written.len() < given.len() && given.iter().any(|it| it.memory.supersedes.is_some()) {
            ereport!(
                ERROR,
                PgSqlErrorCode::ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION,
                "a trigger prevented the write"
            );
        }
        written
    }
    fn is_held(&self, memory: &NewMemory) -> bool {
        let place = |(user, namespace, key): Place<'_>| {
            (user.map(str::to_owned), namespace.to_owned(), key.to_owned())
        };
        memory.place().is_some_and(|taken| self.held.contains(&place(taken)))
    }
}
