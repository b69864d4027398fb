//! Leads a batch through the table.
//!
//! 1. Read what is stored, without a lock. What has not changed gets its answer here: nothing is
//!    locked, nothing is written. Of an entity that the call has made, this step is skipped.
//! 2. Insert what is new. What is there after all, since somebody else has just inserted it, is read as
//!    in step 1.
//! 3. Lock what must change and decide again: what was read may have changed since. Write.
//!
//! Steps 2 and 3 are tried in a subtransaction. What the database refuses in it is found out by `narrow`.
//!
//! Inserts come before the first lock on a row that others can see, and both go in the order of
//! external ids, so no two calls can wait for each other in a circle.

use super::content::{Decoder, Prepared, Shelf};
use super::decide::{self, Stored};
use super::decode::{Content, Element};
use super::entity::{self, Entity};
use super::fold::{self, Candidate};
use super::look_up::{Found, LookUp};
use super::narrow::{self, Refused};
use super::options::Request;
use super::seen::{self, Notes};
use super::store::{self, Store};
use crate::answer::{Answer, Outcome, Rejection};
use crate::enrichment::direct::Own;
use crate::enrichment::queue::{self, Queue};
use crate::error::Error;
use crate::jsonb::merge::Merge;
use crate::pg::{row_security, subtransaction};
use crate::record::error::RecordError;
use pgrx::check_for_interrupts;
use pgrx::spi::SpiClient;

/// So many records are looked up at a time, and so many where their data comes along: what is stored
/// may be much larger than what is sent.
const CHUNK_ROWS: usize = 10_000;
const CHUNK_ROWS_WITH_DATA: usize = 500;

/// So often may records vanish between reading and locking them.
pub(super) const MAX_ROUNDS: usize = 20;

/// So often may the entity be deleted under a call.
const MAX_ENTITIES: usize = 3;

/// What names a record in its answer.
pub(crate) struct Ids {
    pub(crate) external_id: Option<String>,
    pub(crate) record_id: Option<String>,
}

/// Upserts the elements of a request. Gives the answers, and how many bytes of data it has had in its
/// hands. `bases`: the state of each element's record when it came, where that was long ago.
pub(crate) fn run(
    client: &mut SpiClient<'_>,
    request: &Request,
    mut elements: Vec<Element<'_>>,
    bases: Option<&[Option<u128>]>,
) -> Result<(Vec<Answer<Ids>>, usize), Error> {
    let _own = Own::begin();
    queue::lock(&request.workspace_id, &request.entity_type)?;
    let mut entity = entity::find_or_make_shared(client, request)?;
    let mut decoder = Decoder::new(request);
    let candidates = fold::fold(&mut elements, |content| {
        check_for_interrupts!();
        decoder.validate(content)
    });
    for _ in 0..MAX_ENTITIES {
        if let Some(run) = &request.sync_run_id {
            seen::require_open(client, &request.workspace_id, run, &entity.id)?;
        }
        let queue = entity.queueing.map(|policy| {
            let Request { workspace_id, entity_type, source, .. } = request;
            Queue::new(policy, workspace_id, entity_type, &entity.id, source)
        });
        let store =
            Store::new(&request.workspace_id, &entity.id, &request.entity_type, &request.source);
        let mut batch = Batch {
            request,
            entity: &entity,
            elements: &elements,
            candidates: &candidates,
            answers: elements.iter().map(before).collect(),
            decoder: Decoder::new(request),
            shelf: Shelf::default(),
            handled: 0,
            queue,
            queued: false,
            are_new: false,
            bases,
        };
        if batch.write(client, &store)? == Ended::EntityGone {
            entity::forget(request);
            entity = entity::find_or_make_shared(client, request)?;
            continue;
        }
        batch.note(client);
        if let Some(queue) = batch.queue.as_ref().filter(|_| batch.queued) {
            queue.notify(client);
        }
        return Ok((batch.answers, batch.handled));
    }
    Err(RecordError::Contended.into())
}

/// The answer for an element, as long as nothing was done about it.
fn before(element: &Element<'_>) -> Answer<Ids> {
    let external_id = element.external_id.as_ref().map(|id| id.clone().into_owned());
    let ids = Ids { external_id, record_id: None };
    match &element.content {
        Ok(_) => Answer::new(ids, Outcome::Superseded),
        Err(rejection) => Answer::rejected(ids, rejection.clone()),
    }
}

/// What is done about candidates.
#[derive(Clone, Copy)]
pub(super) enum Step {
    /// `is_late`: what still cannot be seen is kept out by somebody.
    Insert {
        is_late: bool,
    },
    Change,
}

/// How a batch has ended.
#[derive(PartialEq, Eq)]
pub(super) enum Ended {
    Written,
    /// Somebody has deleted the entity meanwhile; nothing was written.
    EntityGone,
}

pub(super) struct Batch<'b> {
    pub(super) request: &'b Request,
    pub(super) entity: &'b Entity,
    pub(super) elements: &'b [Element<'b>],
    pub(super) candidates: &'b [Candidate],
    pub(super) answers: Vec<Answer<Ids>>,
    pub(super) decoder: Decoder,
    /// Content that was decoded to be compared and is still to be written.
    pub(super) shelf: Shelf,
    /// Bytes of data that were read or made.
    pub(super) handled: usize,
    /// Where records of this type wait for enrichment, if they do.
    pub(super) queue: Option<Queue>,
    /// Whether some were put there.
    pub(super) queued: bool,
    /// Whether what is missing was missing a moment ago.
    pub(super) are_new: bool,
    /// The state of each element's record when it came, where that was long ago; None where there was no record.
    pub(super) bases: Option<&'b [Option<u128>]>,
}

/// What is to be done with a stored record.
pub(super) enum Action {
    Nothing(Outcome),
    Refresh,
    Delete,
    /// Alive again, with the content that is stored.
    Undelete,
    Write {
        content: Prepared,
        outcome: Outcome,
    },
    Reject(Rejection),
}

impl<'b> Batch<'b> {
    /// Tells sync runs what the call has met. A note goes with the transaction, and with its savepoint.
    fn note(&self, client: &mut SpiClient<'_>) {
        let notes = Notes {
            workspace_id: &self.request.workspace_id,
            open_run: self.entity.open_run.as_deref(),
            own_run: self.request.sync_run_id.as_deref(),
        };
        if notes.are_wanted() {
            let valid = (0..self.candidates.len() as u32).map(|at| self.external_id(at));
            let refused = self.elements.iter().filter(|element| element.content.is_err());
            let refused = refused.filter_map(|element| element.external_id.as_deref());
            notes.write(client, valid.chain(refused), &self.answers);
        }
    }

    fn write(&mut self, client: &mut SpiClient<'_>, store: &Store<'_>) -> Result<Ended, Error> {
        let all: Vec<u32> = (0..self.candidates.len() as u32).collect();
        let (mut missing, mut present) = (Vec::new(), Vec::new());
        if self.entity.is_new {
            missing = all;
        } else {
            self.read_all(client, store, &all, &mut missing, &mut present);
        }
        if missing.is_empty() && present.is_empty() {
            return Ok(Ended::Written);
        }
        let (new, stored) = (missing.clone(), present.clone());
        self.are_new = true;
        let mut whole =
            subtransaction::attempt(|| self.rounds(client, store, missing, present, None));
        if whole.as_ref().is_err_and(store::was_there) {
            // Somebody else has inserted some of them since they were read.
            self.begin_again(&new, &stored);
            self.are_new = false;
            let (missing, present) = (new.clone(), stored.clone());
            whole = subtransaction::attempt(|| self.rounds(client, store, missing, present, None));
        }
        match whole {
            Ok(done) => done.map(|()| Ended::Written),
            Err(refusal) if narrow::entity_is_gone(client, store, &refusal) => {
                Ok(Ended::EntityGone)
            }
            Err(_) => self.narrow_down(client, store, new, stored),
        }
    }

    /// Steps 2 and 3, until nobody else is in the way. Where `refused` is given, what the database refuses is
    /// found out and noted there.
    pub(super) fn rounds(
        &mut self,
        client: &mut SpiClient<'_>,
        store: &Store<'_>,
        mut missing: Vec<u32>,
        mut present: Vec<u32>,
        mut refused: Option<&mut Refused>,
    ) -> Result<(), Error> {
        for round in 0..MAX_ROUNDS {
            let is_late = round >= MAX_ROUNDS / 2;
            let met = self.take(client, store, Step::Insert { is_late }, &missing, &mut refused);
            self.are_new = false;
            missing.clear();
            self.read_all(client, store, &met, &mut missing, &mut present);
            present.sort_unstable();
            for chunk in present.chunks(self.chunk_rows()) {
                missing.extend(self.take(client, store, Step::Change, chunk, &mut refused));
            }
            present.clear();
            if missing.is_empty() {
                return Ok(());
            }
        }
        if !row_security::is_active(c"records") {
            return Err(RecordError::Contended.into());
        }
        for at in missing {
            self.reject(at, narrow::kept_out());
        }
        Ok(())
    }

    fn take(
        &mut self,
        client: &mut SpiClient<'_>,
        store: &Store<'_>,
        step: Step,
        some: &[u32],
        refused: &mut Option<&mut Refused>,
    ) -> Vec<u32> {
        match refused {
            None => self.step(client, store, step, some),
            Some(refused) => self.narrow(client, store, step, some, refused),
        }
    }

    /// Gives back the candidates that the step could not answer for.
    pub(super) fn step(
        &mut self,
        client: &mut SpiClient<'_>,
        store: &Store<'_>,
        step: Step,
        some: &[u32],
    ) -> Vec<u32> {
        match step {
            Step::Insert { is_late } => self.insert_all(client, store, some, is_late),
            Step::Change => self.lock_and_change(client, store, some),
        }
    }

    pub(super) fn content(&self, element: u32) -> Option<Content<'b>> {
        self.elements[element as usize].content.as_ref().ok().copied()
    }

    pub(super) fn time(&self, element: u32) -> Option<i64> {
        self.content(element).and_then(|content| content.source_updated_at)
    }

    pub(super) fn external_id(&self, candidate: u32) -> &'b str {
        let element = self.candidates[candidate as usize].parts.as_slice()[0];
        self.elements[element as usize].external_id.as_deref().unwrap_or_default()
    }

    pub(super) fn external_ids(&self, candidates: impl Iterator<Item = u32>) -> Vec<&'b str> {
        candidates.map(|at| self.external_id(at)).collect()
    }

    /// Whether deciding takes the stored data, and not only its hash.
    pub(super) fn needs_data(&self) -> bool {
        self.request.merge != Merge::Replace || !self.entity.ignored.is_empty()
    }

    fn chunk_rows(&self) -> usize {
        if self.needs_data() { CHUNK_ROWS_WITH_DATA } else { CHUNK_ROWS }
    }

    pub(super) fn read_all(
        &mut self,
        client: &mut SpiClient<'_>,
        store: &Store<'_>,
        candidates: &[u32],
        missing: &mut Vec<u32>,
        present: &mut Vec<u32>,
    ) {
        for chunk in candidates.chunks(self.chunk_rows()) {
            self.read(client, store, chunk, missing, present);
        }
    }

    /// Step 1. Sorts candidates into missing ones and ones that must change; answers
    /// for the rest.
    fn read(
        &mut self,
        client: &mut SpiClient<'_>,
        store: &Store<'_>,
        chunk: &[u32],
        missing: &mut Vec<u32>,
        present: &mut Vec<u32>,
    ) {
        let ids = self.external_ids(chunk.iter().copied());
        let how = LookUp { lock: false, data: self.needs_data() };
        let mut rows = store.look_up(client, &ids, how);
        for (&at, found) in chunk.iter().zip(rows.found(&ids)) {
            let Some(found) = found else {
                missing.push(at);
                continue;
            };
            check_for_interrupts!();
            match self.decide(at, &found) {
                Action::Nothing(outcome) => self.answer(at, &found, outcome),
                Action::Reject(rejection) => self.reject(at, rejection),
                Action::Write { content, .. } => {
                    // Where content is merged, or made of one of several elements, it depends on
                    // what is stored when it is made.
                    let single = self.candidates[at as usize].parts.as_slice().len() == 1;
                    if single && self.request.merge == Merge::Replace {
                        self.shelf.put(at, &content);
                    }
                    present.push(at);
                }
                Action::Refresh | Action::Delete | Action::Undelete => present.push(at),
            }
        }
    }

    pub(super) fn standing(&self, at: u32, stored: Option<&Stored>) -> decide::Standing<'b> {
        let candidates = self.candidates;
        let parts = candidates[at as usize].parts.as_slice();
        decide::stand(parts, stored, |part| self.time(part))
    }

    /// What a candidate means for the record that was found.
    pub(super) fn decide(&mut self, at: u32, found: &Found<'_>) -> Action {
        let stored = &found.state;
        self.handled += found.data.map_or(0, <[u8]>::len);
        let standing = self.standing(at, Some(stored));
        if standing.live.is_empty() {
            return Action::Nothing(Outcome::Stale);
        }
        let live: Vec<Content<'b>> =
            standing.live.iter().filter_map(|&part| self.content(part)).collect();
        let deleted = live.last().is_some_and(|content| content.deleted);
        let mut written = None;
        // A part that begins a new life is not laid over the old one, whatever it was made of.
        let is_same = || {
            !(stored.deleted && self.request.merge != Merge::Replace)
                && decide::same_text(&live, stored, self.decoder.context)
        };
        if decide::contents(&live, true).next().is_some() && !is_same() {
            let content = match self.content_of(at, &live, Some(found)) {
                Ok(content) => content,
                Err(rejection) => return Action::Reject(rejection),
            };
            if content.content_hash != stored.content_hash
                && !self.differs_only_where_ignored(&content, found.data)
            {
                written = Some(content);
            }
        }
        match (written, stored.deleted, deleted) {
            (Some(content), _, true) => Action::Write { content, outcome: Outcome::Deleted },
            (Some(content), true, false) => Action::Write { content, outcome: Outcome::Restored },
            (Some(content), false, false) => Action::Write { content, outcome: Outcome::Updated },
            (None, false, true) => Action::Delete,
            (None, true, false) => Action::Undelete,
            (None, _, _) if standing.time > stored.source_updated_at => Action::Refresh,
            (None, _, _) => Action::Nothing(Outcome::Unchanged),
        }
    }

    /// Whether a locked record was written since the candidate came, and no times of the source can tell which of them
    /// is the newer one.
    pub(super) fn is_overtaken(&self, at: u32, found: &Found<'_>) -> bool {
        let (Some(bases), Some(&last)) =
            (self.bases, self.candidates[at as usize].parts.as_slice().last())
        else {
            return false;
        };
        let has_times = found.state.source_updated_at.is_some() && self.time(last).is_some();
        !has_times && bases[last as usize] != Some(found.state.state())
    }

    /// Whether a candidate met a record when it came, that is there no more: whoever deleted it did so since.
    pub(super) fn is_gone(&self, at: u32) -> bool {
        let last = self.candidates[at as usize].parts.as_slice().last();
        let base = self.bases.zip(last).and_then(|(bases, &last)| bases[last as usize]);
        base.is_some()
    }

    /// The content of a candidate: as it was decoded before, where that still holds.
    pub(super) fn content_of(
        &mut self,
        at: u32,
        live: &[Content<'b>],
        stored: Option<&Found<'_>>,
    ) -> Result<Prepared, Rejection> {
        let content = match self.shelf.take(at) {
            Some(content) => content,
            None => {
                // A deletion has ended what was stored: what comes then is not laid over it.
                let under = stored.filter(|found| !found.state.deleted).and_then(|s| s.data);
                self.decoder.build(live, stored.is_some(), under)?
            }
        };
        self.handled += content.datum.len();
        Ok(content)
    }

    fn differs_only_where_ignored(&mut self, content: &Prepared, stored: Option<&[u8]>) -> bool {
        let ignored = &self.entity.ignored;
        let Some(stored) = stored.filter(|_| !ignored.is_empty()) else { return false };
        self.decoder.same_without(&content.datum[4..], stored, ignored)
    }

    pub(super) fn answer(&mut self, at: u32, found: &Found<'_>, outcome: Outcome) {
        self.settle(at, found.id, outcome, Some(&found.state));
    }

    /// Notes what became of a candidate: its deciding element has `outcome`, elements behind that
    /// are stale, all others superseded.
    pub(super) fn settle(&mut self, at: u32, id: &str, outcome: Outcome, stored: Option<&Stored>) {
        let candidate = &self.candidates[at as usize];
        let parts = candidate.parts.as_slice();
        if let ([only], []) = (parts, candidate.outdated.as_slice()) {
            let answer = &mut self.answers[*only as usize];
            answer.outcome = outcome;
            answer.id.record_id = Some(id.to_owned());
            return;
        }
        let standing = self.standing(at, stored);
        let deciding = standing.live.last().or(parts.last()).copied();
        let first_stale = parts.len() - standing.stale.len();
        for (place, &part) in parts.iter().chain(&candidate.outdated).enumerate() {
            let answer = &mut self.answers[part as usize];
            answer.id.record_id = Some(id.to_owned());
            if Some(part) == deciding {
                answer.outcome = outcome;
            } else if !standing.live.is_empty() && (first_stale..parts.len()).contains(&place) {
                answer.outcome = Outcome::Stale;
            }
        }
    }

    /// Rejects all parts of a candidate.
    pub(super) fn reject(&mut self, at: u32, rejection: Rejection) {
        for &part in self.candidates[at as usize].parts.as_slice() {
            let answer = &mut self.answers[part as usize];
            answer.outcome = Outcome::Rejected;
            answer.rejection = Some(rejection.clone());
        }
    }
}
