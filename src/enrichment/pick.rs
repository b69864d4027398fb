//! Which rows of the queue a claim tries: the oldest that are ready, or by turns.
//!
//! A session goes on where its last claim ended: dead entries of the index, which a long transaction
//! keeps vacuum from removing, are not walked again each time. From the start it looks once a second,
//! and where it finds too little; where that takes long, at most a twentieth of the time.

use super::claim::Call;
use super::place::{PRIORITIES, blocks};
use super::reap;
use crate::pg::array::{self, Array};
use crate::pg::clock::now;
use crate::pg::plan::{Statement, Tid};
use crate::pg::rows::Row;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;
use std::collections::HashSet;

/// Times in the queue may be so much older than their transaction's last (a batch of an upsert is spread
/// over a microsecond each).
const SLACK: i64 = 5_000;

/// A claim of fewer rows takes so many back.
const LEAST_TAKEN_BACK: usize = 20;

thread_local! {
    static PICK: Statement = const { Statement::new(
        c"SELECT q.record_id, q.attempt, q.ready_at, q.ctid, q.refusals, q.priority, q.fair_key
          FROM kepler.enrichment_queue AS q
          WHERE q.workspace_id = $1 AND q.entity_type = $2 AND q.ready_at >= $3
            AND q.ready_at <= $4
          ORDER BY q.ready_at LIMIT $5
          FOR UPDATE SKIP LOCKED",
        &[
            pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TIMESTAMPTZOID, pg_sys::TIMESTAMPTZOID,
            pg_sys::INT4OID,
        ],
    ) };
    // Behind those of the priorities above: what is ready of them is in hand, or in the hands of others.
    static PICK_ORDINARY: Statement = const { Statement::new(
        c"SELECT q.record_id, q.attempt, q.ready_at, q.ctid, q.refusals, q.priority, q.fair_key
          FROM kepler.enrichment_queue AS q
          WHERE q.workspace_id = $1 AND q.entity_type = $2 AND q.ready_at >= $3
            AND q.ready_at <= $4 AND q.priority = 0
          ORDER BY q.ready_at LIMIT $5
          FOR UPDATE SKIP LOCKED",
        &[
            pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TIMESTAMPTZOID, pg_sys::TIMESTAMPTZOID,
            pg_sys::INT4OID,
        ],
    ) };
    // One descent of the index for each priority: those that wait are not walked.
    static PICK_PRIOR: Statement = const { Statement::new(
        c"SELECT p.record_id, p.attempt, p.ready_at, p.ctid, p.refusals, p.priority, p.fair_key
          FROM (SELECT pg_catalog.unnest($3) AS priority, pg_catalog.unnest($6) AS from_at) AS n
          CROSS JOIN LATERAL (
              SELECT q.record_id, q.attempt, q.ready_at, q.ctid, q.refusals, q.priority, q.fair_key
              FROM kepler.enrichment_queue AS q
              WHERE q.workspace_id = $1 AND q.entity_type = $2 AND q.priority > 0
                AND q.priority = n.priority AND q.ready_at >= n.from_at AND q.ready_at <= $4
              ORDER BY q.ready_at LIMIT $5
              FOR UPDATE SKIP LOCKED) AS p
          LIMIT $5",
        &[
            pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::INT4ARRAYOID, pg_sys::TIMESTAMPTZOID,
            pg_sys::INT4OID, pg_sys::TIMESTAMPTZARRAYOID,
        ],
    ) };
}

/// A row of the queue that this transaction has locked.
pub(super) struct Picked {
    pub(super) record_id: String,
    pub(super) attempt: i32,
    pub(super) ready_at: i64,
    pub(super) place: Tid,
    /// How often the record could not be claimed.
    pub(super) refusals: i32,
    pub(super) priority: i32,
    /// Whose turn it is counted to, where claims take turns.
    pub(super) key: Option<String>,
}

impl Picked {
    pub(super) fn read<const N: usize>(row: &Row<'_, N>) -> Option<Self> {
        Some(Self {
            record_id: row.text(0)?.to_owned(),
            attempt: row.integer(1)?,
            ready_at: row.time(2)?,
            place: row.tid(3)?,
            refusals: row.integer(4)?,
            priority: row.integer(5)?,
            key: row.text(6).map(str::to_owned),
        })
    }
}

impl Call<'_> {
    pub(super) fn pick(&mut self, client: &mut SpiClient<'_>) -> Vec<Picked> {
        if self.place.reap_is_due(now(), true) || self.place.reap_from.is_some() {
            self.reap(client);
        }
        self.limit_wanted(client);
        let wanted = self.wanted;
        if wanted == 0 {
            return Vec::new();
        }
        let mut picked = self.pick_somehow(client);
        if picked.len() < wanted && self.place.reap_is_due(now(), false) && self.reap(client) > 0 {
            picked = self.pick_somehow(client);
        }
        picked
    }

    fn pick_somehow(&mut self, client: &mut SpiClient<'_>) -> Vec<Picked> {
        if self.request.filter.is_some() {
            self.pick_filtered(client)
        } else if self.request.fair != Some(false) && self.policy.takes_turns {
            self.pick_fair(client)
        } else {
            self.pick_in_order(client)
        }
    }

    /// Takes back about as much as the claim wants: what has expired comes back as fast as it is claimed, and a claim of few
    /// rows is short.
    fn reap(&mut self, client: &mut SpiClient<'_>) -> usize {
        let before = blocks();
        let from_start = self.place.reap_is_due(now(), true) || self.place.reap_from.is_none();
        let of = reap::Lost {
            workspace_id: &self.workspace,
            entity_type: &self.entity_type,
            name: &self.request.entity_type,
            policy: &self.policy,
            wanted: (self.request.max_rows as usize).max(LEAST_TAKEN_BACK),
            // Before all times that Postgres knows.
            from: if from_start { i64::MIN } else { self.place.reap_from.unwrap_or(i64::MIN) },
        };
        let reaped = reap::reap(client, &of, now());
        if from_start {
            self.place.reaped_at = now();
            // Work that was found is no reason to look for more of it less often.
            self.place.reap_took = if reaped.records > 0 { 0 } else { blocks() - before };
        }
        self.place.reap_from = reaped.more_from;
        reaped.records
    }

    /// The oldest that are ready; those of the highest priority first, where there are priorities.
    pub(super) fn pick_in_order(&mut self, client: &mut SpiClient<'_>) -> Vec<Picked> {
        let wanted = self.wanted as i32;
        if !self.policy.priorities {
            return self.pick_oldest(client, wanted);
        }
        let mut picked = self.pick_prior(client, wanted);
        let room = wanted - picked.len() as i32;
        if room > 0 {
            picked.append(&mut self.pick_oldest(client, room));
        }
        picked
    }

    /// Those of priorities above 0, the highest first.
    fn pick_prior(&mut self, client: &mut SpiClient<'_>, wanted: i32) -> Vec<Picked> {
        let before = blocks();
        let is_start = self.place.prior_is_due(now());
        if is_start {
            self.place.prior_ready_at = [i64::MIN; PRIORITIES];
        }
        let picked = self.pick_prior_from(client, wanted);
        for row in &picked {
            if let Some(last) = self.place.prior_ready_at.get_mut(row.priority as usize - 1) {
                *last = row.ready_at.saturating_sub(SLACK);
            }
        }
        if is_start {
            self.place.prior_at = now();
            self.place.prior_took = blocks() - before - 4 * picked.len() as i64;
        }
        picked
    }

    fn pick_prior_from(&self, client: &mut SpiClient<'_>, wanted: i32) -> Vec<Picked> {
        let (mut priorities, mut from) =
            (Array::new(array::INTEGER), Array::new(array::TIMESTAMPTZ));
        for (at, ready_at) in self.place.prior_ready_at.iter().enumerate().rev() {
            priorities.push_bytes(&(at as i32 + 1).to_ne_bytes());
            from.push_time(Some(*ready_at));
        }
        let parameters = [
            Some(self.workspace.datum()),
            Some(self.entity_type.datum()),
            Some(priorities.datum()),
            Some(pg_sys::Datum::from(now())),
            Some(pg_sys::Datum::from(wanted)),
            Some(from.datum()),
        ];
        let rows = PICK_PRIOR.with(|plan| plan.run(client, &parameters));
        rows.iter::<7>().filter_map(|row| Picked::read(&row)).collect()
    }

    fn pick_oldest(&mut self, client: &mut SpiClient<'_>, wanted: i32) -> Vec<Picked> {
        if !self.place.start_is_due(now(), true) {
            let picked = self.pick_from(client, self.place.ready_at.saturating_sub(SLACK), wanted);
            if picked.len() == wanted as usize || !self.place.start_is_due(now(), false) {
                self.remember(&picked);
                return picked;
            }
        }
        let before = blocks();
        // Before all times that Postgres knows.
        let picked = self.pick_from(client, i64::MIN, wanted);
        self.place.started_at = now();
        // Some blocks for each row were worth it.
        self.place.start_took = blocks() - before - 4 * picked.len() as i64;
        self.remember(&picked);
        picked
    }

    fn remember(&mut self, picked: &[Picked]) {
        if let Some(last) = picked.last() {
            self.place.ready_at = last.ready_at;
        }
    }

    fn pick_from(&self, client: &mut SpiClient<'_>, from: i64, wanted: i32) -> Vec<Picked> {
        let parameters = [
            Some(self.workspace.datum()),
            Some(self.entity_type.datum()),
            Some(pg_sys::Datum::from(from)),
            Some(pg_sys::Datum::from(now())),
            Some(pg_sys::Datum::from(wanted)),
        ];
        let statement = if self.policy.priorities { &PICK_ORDINARY } else { &PICK };
        let rows = statement.with(|plan| plan.run(client, &parameters));
        rows.iter::<7>().filter_map(|row| Picked::read(&row)).collect()
    }

    /// Adds up to `count` rows behind those that were picked. What is locked in between is found again
    /// when the session next looks from the start.
    pub(super) fn pick_behind(
        &mut self,
        client: &mut SpiClient<'_>,
        picked: &mut Vec<Picked>,
        count: usize,
    ) {
        let Some(last) = picked.iter().map(|row| row.ready_at).max() else { return };
        let limit = (picked.len() + count) as i32;
        // The picked rows of entities that took turns are not the oldest.
        let from_start = self.policy.takes_turns || self.policy.priorities;
        let from = if from_start { i64::MIN } else { last.saturating_sub(SLACK) };
        let mut more = Vec::new();
        if self.policy.priorities {
            self.place.prior_ready_at = [i64::MIN; PRIORITIES];
            more = self.pick_prior_from(client, limit);
        }
        more.append(&mut self.pick_from(client, from, limit));
        let known: HashSet<&str> = picked.iter().map(|row| &*row.record_id).collect();
        more.retain(|row| !known.contains(&*row.record_id));
        more.truncate(count);
        self.remember(&more);
        picked.append(&mut more);
    }
}
