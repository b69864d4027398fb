//! Finds out which elements of a batch the database refuses, and lets the others land.
//!
//! A constraint, an index, a trigger or a row security policy of the user's may have something against a record, and
//! ends the whole statement. Then what was written is undone, and written again in halves, down to the one record
//! that is refused. Nothing of this happens to a batch that is taken.
//!
//! Records are taken in their order, and one that is refused since another has the same value of a unique index is
//! tried again when the others have landed. So the way in which the batch is cut does not show.

use super::content::{Decoder, Shelf};
use super::fold::{Candidate, Parts};
use super::store::{SWALLOWED, Store};
use super::upsert::{Batch, Ended, MAX_ROUNDS, Step};
use crate::answer::{Code, Outcome, Rejection};
use crate::error::Error;
use crate::pg::row_security;
use crate::pg::subtransaction::{self, Refusal};
use pgrx::spi::SpiClient;
use pgrx::{PgSqlErrorCode, check_for_interrupts};

/// Candidates that were refused, and what was said against each.
pub(super) type Refused = Vec<(u32, Refusal)>;

/// Takes back a trial that went well.
const UNDONE: &str = "a trial";

impl Batch<'_> {
    /// Writes candidates of which some are refused.
    pub(super) fn narrow_down(
        &mut self,
        client: &mut SpiClient<'_>,
        store: &Store<'_>,
        missing: Vec<u32>,
        present: Vec<u32>,
    ) -> Result<Ended, Error> {
        self.begin_again(&missing, &present);
        self.are_new = false;
        let mut refused = Refused::new();
        self.rounds(client, store, missing, present, Some(&mut refused))?;
        for _ in 0..MAX_ROUNDS {
            let (taken, for_good): (Refused, Refused) =
                refused.into_iter().partition(|(_, refusal)| is_about_others(refusal));
            refused = for_good;
            if taken.is_empty() {
                break;
            }
            let mut again: Vec<u32> = taken.iter().map(|(at, _)| *at).collect();
            again.sort_unstable();
            let before = again.len();
            let (mut missing, mut present) = (Vec::new(), Vec::new());
            self.read_all(client, store, &again, &mut missing, &mut present);
            let mut still = Refused::new();
            self.rounds(client, store, missing, present, Some(&mut still))?;
            let is_over = still.len() == before;
            refused.append(&mut still);
            if is_over {
                break;
            }
        }
        for (at, refusal) in refused {
            if entity_is_gone(client, store, &refusal) {
                return Ok(Ended::EntityGone);
            }
            let candidate = &self.candidates[at as usize];
            match (candidate.parts.as_slice(), candidate.outdated.as_slice()) {
                ([_], []) => self.reject(at, rejection(&refusal)),
                _ => self.part_by_part(client, store, at)?,
            }
        }
        Ok(Ended::Written)
    }

    /// Does a step with those candidates that the database takes. Gives back those that the step could not answer
    /// for.
    pub(super) fn narrow(
        &mut self,
        client: &mut SpiClient<'_>,
        store: &Store<'_>,
        step: Step,
        some: &[u32],
        refused: &mut Refused,
    ) -> Vec<u32> {
        if some.is_empty() {
            return Vec::new();
        }
        check_for_interrupts!();
        for &at in some {
            self.reset(at);
        }
        match subtransaction::attempt(|| self.step(client, store, step, some)) {
            Ok(left) => left,
            Err(refusal) if some.len() == 1 => {
                refused.push((some[0], refusal));
                Vec::new()
            }
            Err(_) => {
                let (first, second) = some.split_at(some.len() / 2);
                let mut left = self.narrow(client, store, step, first, refused);
                left.extend(self.narrow(client, store, step, second, refused));
                left
            }
        }
    }

    /// Elements about one record of which not all together are taken: each counts as if it had come in a call of
    /// its own, and what is refused is left out. What a refused one had put out by its time counts again.
    fn part_by_part(
        &mut self,
        client: &mut SpiClient<'_>,
        store: &Store<'_>,
        at: u32,
    ) -> Result<(), Error> {
        let candidate = &self.candidates[at as usize];
        let mut all = [candidate.parts.as_slice(), &candidate.outdated].concat();
        all.sort_unstable();
        let (mut kept, mut outdated, mut refused) = (Vec::new(), Vec::new(), Vec::new());
        let mut newest = None;
        for part in all {
            check_for_interrupts!();
            let time = self.time(part);
            if time.is_some() && time < newest {
                outdated.push(part);
                continue;
            }
            kept.push(part);
            match self.write_parts(client, store, &kept, &outdated, true)? {
                Ok(()) => newest = newest.max(time),
                Err(refusal) => {
                    kept.pop();
                    refused.push((part, refusal));
                }
            }
        }
        self.reset(at);
        if !kept.is_empty()
            && let Err(refusal) = self.write_parts(client, store, &kept, &outdated, false)?
        {
            refused.extend(kept.iter().map(|&part| (part, refusal.clone())));
        }
        for (part, refusal) in refused {
            let answer = &mut self.answers[part as usize];
            answer.outcome = Outcome::Rejected;
            answer.id.record_id = None;
            answer.rejection = Some(rejection(&refusal));
        }
        Ok(())
    }

    /// Writes a record as some of its elements make it; as a trial, takes it back.
    fn write_parts(
        &mut self,
        client: &mut SpiClient<'_>,
        store: &Store<'_>,
        parts: &[u32],
        outdated: &[u32],
        is_trial: bool,
    ) -> Result<Result<(), Refusal>, Error> {
        let candidates =
            [Candidate { parts: Parts::Many(parts.to_vec()), outdated: outdated.to_vec() }];
        let mut alone = Batch {
            request: self.request,
            entity: self.entity,
            elements: self.elements,
            candidates: &candidates,
            answers: std::mem::take(&mut self.answers),
            decoder: Decoder::new(self.request),
            shelf: Shelf::default(),
            handled: 0,
            queue: self.queue.take(),
            queued: self.queued,
            are_new: false,
            bases: self.bases,
        };
        let written = subtransaction::attempt(|| {
            let (mut missing, mut present) = (Vec::new(), Vec::new());
            alone.read_all(client, store, &[0], &mut missing, &mut present);
            let done = alone.rounds(client, store, missing, present, None);
            if is_trial && done.is_ok() {
                subtransaction::undo(UNDONE);
            }
            done
        });
        self.answers = alone.answers;
        self.queue = alone.queue;
        self.handled += alone.handled;
        match written {
            Ok(done) => {
                self.queued = alone.queued;
                done.map(Ok)
            }
            Err(refusal) if is_trial && refusal.message == UNDONE => Ok(Ok(())),
            Err(refusal) => Ok(Err(refusal)),
        }
    }

    /// Forgets an attempt that was undone.
    pub(super) fn begin_again(&mut self, missing: &[u32], present: &[u32]) {
        for &at in missing.iter().chain(present) {
            self.reset(at);
        }
        self.queued = false;
    }

    /// Forgets what was answered for a candidate.
    fn reset(&mut self, at: u32) {
        let candidate = &self.candidates[at as usize];
        for &part in candidate.parts.as_slice().iter().chain(&candidate.outdated) {
            let answer = &mut self.answers[part as usize];
            answer.outcome = Outcome::Superseded;
            answer.id.record_id = None;
            answer.rejection = None;
        }
    }
}

/// Whether another record may be what is in the way: a unique index or an exclusion constraint.
fn is_about_others(refusal: &Refusal) -> bool {
    ["23505", "23P01"].contains(&refusal.code.to_string().as_str())
}

/// Whether a record was refused since its entity was deleted in the meantime.
pub(super) fn entity_is_gone(
    client: &mut SpiClient<'_>,
    store: &Store<'_>,
    refusal: &Refusal,
) -> bool {
    refusal.code.to_string() == "23503" && !store.has_entity(client)
}

/// What the database said, as the answer for an element.
fn rejection(refusal: &Refusal) -> Rejection {
    if refusal.message == SWALLOWED {
        return Rejection::new(Code::NotWritten, SWALLOWED);
    }
    refusal.clone().into()
}

/// A record that can neither be inserted nor found.
pub(super) fn kept_out() -> Rejection {
    if row_security::is_active(c"records") {
        let message = "a row security policy of kepler.records hides the record from this role";
        let denied = PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE.into();
        return Rejection::new(Code::Refused(denied), message);
    }
    Rejection::new(Code::NotWritten, SWALLOWED)
}
