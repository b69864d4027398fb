//! Steps 2 and 3 of a batch: inserts new records, then locks and changes existing ones.

use super::decide::Stored;
use super::decode::Content;
use super::look_up::LookUp;
use super::narrow;
use super::store::{Altered, Changes, Insert, NewRecords, Sent, Store, Touch, Touches};
use super::upsert::{Action, Batch};
use crate::answer::Outcome;
use crate::id::new_id;
use crate::jsonb::hash::{source_digest, text_hash};
use crate::pg::clock::now;
use pgrx::check_for_interrupts;
use pgrx::spi::SpiClient;
use std::collections::HashMap;

/// At most so many records, and about so many bytes of data, are written by one statement: what fits
/// into the processor's cache is fastest.
const WRITE_ROWS: usize = 1_000;
const WRITE_BYTES: usize = 1 << 20;

/// From so many records on, a race that is lost may cost an attempt. Single records are raced for more often, and
/// gain nothing.
const MANY: usize = 16;

impl<'b> Batch<'b> {
    /// Step 2. Gives back the candidates that turned out to be there already.
    pub(super) fn insert_all(
        &mut self,
        client: &mut SpiClient<'_>,
        store: &Store<'_>,
        missing: &[u32],
        is_late: bool,
    ) -> Vec<u32> {
        let mut met = Vec::new();
        let mut rest = missing;
        while !rest.is_empty() {
            let now = now();
            let mut records = NewRecords::new();
            let mut sent: Vec<Sent> = Vec::new();
            let mut outcomes: Vec<Outcome> = Vec::new();
            let (mut taken, mut bytes) = (0, 0);
            for &at in rest {
                if sent.len() >= WRITE_ROWS || bytes >= WRITE_BYTES {
                    break;
                }
                taken += 1;
                check_for_interrupts!();
                if self.is_gone(at) {
                    // Its answer is superseded, as it was before anything was done about it.
                    continue;
                }
                let standing = self.standing(at, None);
                let live: Vec<Content<'b>> =
                    standing.live.iter().filter_map(|&part| self.content(part)).collect();
                let deleted = live.last().is_some_and(|content| content.deleted);
                let content = match self.content_of(at, &live, None) {
                    Ok(content) => content,
                    Err(rejection) => {
                        self.reject(at, rejection);
                        continue;
                    }
                };
                let id = new_id();
                records.id.push_text(&id);
                records.external_id.push_text(self.external_id(at));
                records.data.push_bytes(&content.datum);
                records.source_digest.push_uuid(content.source_digest);
                records.source_updated_at.push_time(standing.time);
                records.deleted_at.push_time(deleted.then_some(now));
                bytes += content.datum.len();
                outcomes.push(if deleted { Outcome::Deleted } else { Outcome::Inserted });
                sent.push(Sent { candidate: at, id, content_hash: content.content_hash });
            }
            rest = &rest[taken..];
            let (inserted, altered) = self.insert(client, store, now, &mut records, &sent);
            drop(records);
            self.relink(client, store, altered, |_| None);
            if inserted == sent.len() {
                let alive = sent.iter().zip(&outcomes).filter(|(_, is)| **is == Outcome::Inserted);
                let ids: Vec<&str> = alive.map(|(sent, _)| &*sent.id).collect();
                self.enqueue_new(client, now, &ids);
                for (sent, outcome) in sent.iter().zip(outcomes) {
                    self.settle(sent.candidate, &sent.id, outcome, None);
                }
                continue;
            }
            // Somebody else inserted some of them meanwhile: whoever has our id is ours.
            let ids = self.external_ids(sent.iter().map(|sent| sent.candidate));
            let mut rows = store.look_up(client, &ids, LookUp { lock: false, data: false });
            let mut ours = Vec::new();
            for ((sent, outcome), found) in sent.into_iter().zip(outcomes).zip(rows.found(&ids)) {
                let at = sent.candidate;
                match found {
                    Some(found) if found.id == sent.id => {
                        self.settle(at, &sent.id, outcome, None);
                        if outcome == Outcome::Inserted {
                            ours.push(sent.id);
                        }
                    }
                    // Not ours and not there: deleted again in between. Or, if it goes on like
                    // this, never let in.
                    None if is_late => self.reject(at, narrow::kept_out()),
                    _ => met.push(at),
                }
            }
            let ours: Vec<&str> = ours.iter().map(String::as_str).collect();
            self.enqueue_new(client, now, &ours);
        }
        met
    }

    /// Many records that are known to be new take the short way. The last of them answers for the entity.
    fn insert(
        &self,
        client: &mut SpiClient<'_>,
        store: &Store<'_>,
        now: i64,
        records: &mut NewRecords,
        sent: &[Sent],
    ) -> (usize, Vec<Altered>) {
        if !self.are_new || sent.len() < MANY {
            return store.insert(client, Insert::Missing, now, records, sent);
        }
        let mut last = records.split_last();
        let (others, alone) = sent.split_at(sent.len() - 1);
        let (count, mut altered) = store.insert(client, Insert::NewUnchecked, now, records, others);
        let (one, also) = store.insert(client, Insert::New, now, &mut last, alone);
        altered.extend(also);
        (count + one, altered)
    }

    fn enqueue_new(&mut self, client: &mut SpiClient<'_>, now: i64, ids: &[&str]) {
        if let Some(queue) = self.queue.as_ref().filter(|_| !ids.is_empty()) {
            queue.enqueue_new(client, now, ids);
            self.queued = true;
        }
    }

    /// A trigger of the user's made something else of these. The digests are tied to what is stored now, so that
    /// the same text is known again: records are compared with what their source sent. `stored`: what was there
    /// before.
    fn relink(
        &mut self,
        client: &mut SpiClient<'_>,
        store: &Store<'_>,
        altered: Vec<Altered>,
        stored: impl Fn(u32) -> Option<Stored>,
    ) {
        let mut links = Vec::new();
        for altered in altered {
            let standing = self.standing(altered.candidate, stored(altered.candidate).as_ref());
            let live: Vec<Content<'b>> =
                standing.live.iter().filter_map(|&part| self.content(part)).collect();
            if let [Content { data: Some(text), .. }] = live.as_slice() {
                let digest =
                    source_digest(text_hash(text), altered.content_hash, self.decoder.context);
                links.push((altered.id, digest));
            }
        }
        if !links.is_empty() {
            store.relink(client, links.into_iter());
        }
    }

    /// Step 3. Gives back the candidates whose record has vanished.
    pub(super) fn lock_and_change(
        &mut self,
        client: &mut SpiClient<'_>,
        store: &Store<'_>,
        chunk: &[u32],
    ) -> Vec<u32> {
        let mut missing = Vec::new();
        let ids = self.external_ids(chunk.iter().copied());
        let how = LookUp { lock: true, data: self.needs_data() };
        let mut locked = store.look_up(client, &ids, how);
        let now = now();
        let mut changes = Changes::new();
        let mut before: HashMap<u32, Stored> = HashMap::new();
        let clear = self.queue.as_ref().is_some_and(|queue| queue.policy.clear_on_change);
        let (mut alive, mut gone, mut failed) = (Vec::new(), Vec::new(), Vec::new());
        let mut bytes = 0;
        let (mut deletes, mut undeletes, mut refreshes) =
            (Touches::new(), Touches::new(), Touches::new());
        for (&at, found) in chunk.iter().zip(locked.found(&ids)) {
            let Some(found) = found else {
                missing.push(at);
                continue;
            };
            check_for_interrupts!();
            if self.is_overtaken(at, &found) {
                self.answer(at, &found, Outcome::Superseded);
                continue;
            }
            if found.state.failed {
                failed.push(found.id);
            }
            match self.decide(at, &found) {
                Action::Nothing(outcome) => self.answer(at, &found, outcome),
                Action::Reject(rejection) => self.reject(at, rejection),
                Action::Refresh => {
                    refreshes.push(found.id, self.standing(at, Some(&found.state)).time);
                    self.answer(at, &found, Outcome::Refreshed);
                }
                Action::Delete => {
                    gone.push(found.id);
                    deletes.push(found.id, self.standing(at, Some(&found.state)).time);
                    self.answer(at, &found, Outcome::Deleted);
                }
                Action::Undelete => {
                    alive.push(found.id);
                    undeletes.push(found.id, self.standing(at, Some(&found.state)).time);
                    self.answer(at, &found, Outcome::Restored);
                }
                Action::Write { content, outcome } => {
                    if outcome == Outcome::Deleted { &mut gone } else { &mut alive }.push(found.id);
                    changes.id.push_text(found.id);
                    changes.data.push_bytes(&content.datum);
                    changes.source_digest.push_uuid(content.source_digest);
                    let time = self.standing(at, Some(&found.state)).time;
                    changes.source_updated_at.push_time(time);
                    changes.deleted_at.push_time((outcome == Outcome::Deleted).then_some(now));
                    changes.sent.push(Sent {
                        candidate: at,
                        id: found.id.to_owned(),
                        content_hash: content.content_hash,
                    });
                    before.insert(at, found.state);
                    bytes += content.datum.len();
                    self.answer(at, &found, outcome);
                    if changes.sent.len() >= WRITE_ROWS || bytes >= WRITE_BYTES {
                        let mut full = std::mem::replace(&mut changes, Changes::new());
                        let altered = store.change(client, now, &mut full, clear);
                        self.relink(client, store, altered, |at| before.get(&at).copied());
                        bytes = 0;
                    }
                }
            }
        }
        if !changes.sent.is_empty() {
            let altered = store.change(client, now, &mut changes, clear);
            self.relink(client, store, altered, |at| before.get(&at).copied());
        }
        store.touch(client, Touch::Delete, now, &mut deletes);
        store.touch(client, Touch::Undelete, now, &mut undeletes);
        store.touch(client, Touch::Refresh, now, &mut refreshes);
        store.follow_failures(client, &failed);
        if let Some(queue) = &self.queue {
            queue.dequeue(client, &gone);
            queue.enqueue(client, now, &alive);
            self.queued |= !alive.is_empty();
        }
        missing
    }
}
