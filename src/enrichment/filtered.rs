//! Claims with a filter: the oldest that are ready and whose data meets it.
//!
//! A claim looks at a bounded number of records, and the session's next claim with the same filter goes on behind them: a
//! filter that nothing meets does not read the queue each time. What does not meet it is not locked, so that others get it.
//! It goes on behind the last row that was dealt with, not the last that was looked at.

use super::claim::Call;
use super::pick::Picked;
use super::place::PRIORITIES;
use crate::pg::array::{self, Array};
use crate::pg::clock::now;
use crate::pg::plan::{Statement, Tid};
use crate::pg::undone::UntilUndone;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;
use std::collections::{HashMap, HashSet};

/// So many records does a claim look at, at most.
const MAX_LOOKED: usize = 1_000;
/// Of those above 0 no more are looked at once more in one claim: the lower ones come too.
const MAX_AGAIN: usize = 500;
/// So many at once, at least.
const LEAST_LOOKED: usize = 50;

/// A filter that is valid, and the bytes that it is known by.
pub(crate) struct Wanted {
    pub(crate) filter: pg_sys::Datum,
    pub(crate) bytes: Vec<u8>,
}

/// Workspace, type and filter.
type Key = (String, String, Vec<u8>);

/// Where a claim goes on: the order of the index, in which rows of one time follow each other by their places. Many may
/// be of one time: a lease that is released gives all of its records the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Position {
    ready_at: i64,
    place: Tid,
}

impl Position {
    /// Before all times that Postgres knows.
    const START: Self = Self { ready_at: i64::MIN, place: [0; 6] };

    fn order(self) -> (i64, [u16; 3]) {
        let [a, b, c, d, e, f] = self.place;
        (self.ready_at, [[a, b], [c, d], [e, f]].map(u16::from_ne_bytes))
    }
}

/// Of each priority, from 0, behind which row records were not looked at.
type From = [Position; PRIORITIES + 1];

thread_local! {
    static LOOKED: UntilUndone<Key, From> = UntilUndone::default();
    static LOOK: Statement = const { Statement::new(
        c"SELECT o.record_id, o.ready_at, o.place, o.fair_key,
                 EXISTS (SELECT FROM kepler.records AS r
                         WHERE r.workspace_id = $1 AND r.id = o.record_id
                           AND kepler.json_matches(r.data, $6))
          FROM (SELECT q.record_id, q.ready_at, q.ctid AS place, q.fair_key
                FROM kepler.enrichment_queue AS q
                WHERE q.workspace_id = $1 AND q.entity_type = $2 AND q.ready_at >= $3
                  AND (q.ready_at > $3 OR q.ctid > $8)
                  AND q.ready_at <= $4 AND ($7 OR q.priority = 0)
                ORDER BY q.ready_at LIMIT $5) AS o",
        &[
            pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TIMESTAMPTZOID, pg_sys::TIMESTAMPTZOID,
            pg_sys::INT4OID, pg_sys::JSONBOID, pg_sys::BOOLOID, pg_sys::TIDOID,
        ],
    ) };
    static LOOK_PRIOR: Statement = const { Statement::new(
        c"SELECT o.record_id, o.ready_at, o.place, o.fair_key,
                 EXISTS (SELECT FROM kepler.records AS r
                         WHERE r.workspace_id = $1 AND r.id = o.record_id
                           AND kepler.json_matches(r.data, $6))
          FROM (SELECT q.record_id, q.ready_at, q.ctid AS place, q.fair_key
                FROM kepler.enrichment_queue AS q
                WHERE q.workspace_id = $1 AND q.entity_type = $2 AND q.priority > 0
                  AND q.priority = $7 AND q.ready_at >= $3 AND q.ready_at <= $4
                  AND (q.ready_at > $3 OR q.ctid > $8)
                ORDER BY q.ready_at LIMIT $5) AS o",
        &[
            pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TIMESTAMPTZOID, pg_sys::TIMESTAMPTZOID,
            pg_sys::INT4OID, pg_sys::JSONBOID, pg_sys::INT4OID, pg_sys::TIDOID,
        ],
    ) };
    // In its place another row of the queue may stand by now.
    static LOCK: Statement = const { Statement::new(
        c"SELECT q.record_id, q.attempt, q.ready_at, q.ctid, q.refusals, q.priority, q.fair_key
          FROM kepler.enrichment_queue AS q
          WHERE q.ctid = ANY ($3) AND q.workspace_id = $1 AND q.entity_type = $2
            AND q.record_id = ANY ($4) AND q.ready_at <= $5
          FOR UPDATE SKIP LOCKED",
        &[
            pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TIDARRAYOID, pg_sys::TEXTARRAYOID,
            pg_sys::TIMESTAMPTZOID,
        ],
    ) };
}

/// A record that was looked at.
struct Seen {
    record_id: String,
    ready_at: i64,
    place: Tid,
    key: Option<String>,
    meets: bool,
}

impl Seen {
    fn position(&self) -> Position {
        Position { ready_at: self.ready_at, place: self.place }
    }
}

impl Call<'_> {
    /// The oldest that meet the filter, of the highest priority first.
    pub(super) fn pick_filtered(&mut self, client: &mut SpiClient<'_>) -> Vec<Picked> {
        if self.is_limited_by_key() {
            self.pick_keyless(client, self.wanted);
        }
        let mut picked = Vec::new();
        self.pick_filtered_behind(client, &mut picked, self.wanted);
        picked
    }

    /// Adds up to `count` rows that meet the filter to those that were picked.
    pub(super) fn pick_filtered_behind(
        &mut self,
        client: &mut SpiClient<'_>,
        picked: &mut Vec<Picked>,
        count: usize,
    ) {
        let Some(wanted) = &self.request.filter else { return };
        let filter = wanted.filter;
        let key = (
            self.request.workspace_id.clone(),
            self.request.entity_type.clone(),
            wanted.bytes.clone(),
        );
        let most = picked.len() + count;
        let known = LOOKED.with(|looked| looked.get(&key));
        let mut from = known.unwrap_or([Position::START; PRIORITIES + 1]);
        let began = from;
        let mut looked = 0;
        let highest = if self.policy.priorities { PRIORITIES } else { 0 };
        for priority in (0..=highest).rev() {
            let mut limit = LEAST_LOOKED.max(2 * (most - picked.len()));
            // From the start once more, where this claim did not begin there.
            let mut again = false;
            while picked.len() < most && looked < MAX_LOOKED {
                limit = (2 * limit).min(MAX_LOOKED - looked);
                let seen = self.look(client, filter, priority, from[priority], limit);
                looked += seen.len();
                let at_end = seen.len() < limit;
                if let Some(left) = self.lock_seen(client, &seen, picked, most) {
                    // Before it stands the last that was taken, or one that did not meet the filter.
                    from[priority] = seen[left - 1].position();
                } else if at_end {
                    from[priority] = Position::START;
                    let may = priority == 0 || looked < MAX_AGAIN;
                    if again || began[priority] == Position::START || !may {
                        break;
                    }
                    again = true;
                } else if let Some(last) = seen.last() {
                    from[priority] = last.position();
                    let behind = from[priority].order() >= began[priority].order();
                    if again && (behind || priority > 0 && looked >= MAX_AGAIN) {
                        break;
                    }
                }
            }
        }
        LOOKED.with(|looked| looked.set(key, from));
    }

    fn look(
        &self,
        client: &mut SpiClient<'_>,
        filter: pg_sys::Datum,
        priority: usize,
        from: Position,
        limit: usize,
    ) -> Vec<Seen> {
        let which = match priority {
            0 => pg_sys::Datum::from(!self.policy.priorities),
            priority => pg_sys::Datum::from(priority),
        };
        // SAFETY: the same six bytes, where Postgres may read them as numbers.
        let place = unsafe { std::mem::transmute::<Tid, pg_sys::ItemPointerData>(from.place) };
        let parameters = [
            Some(self.workspace.datum()),
            Some(self.entity_type.datum()),
            Some(pg_sys::Datum::from(from.ready_at)),
            Some(pg_sys::Datum::from(now())),
            Some(pg_sys::Datum::from(limit)),
            Some(filter),
            Some(which),
            Some(pg_sys::Datum::from(&raw const place)),
        ];
        let statement = if priority == 0 { &LOOK } else { &LOOK_PRIOR };
        let rows = statement.with(|plan| plan.run(client, &parameters));
        let seen = rows.iter::<5>().filter_map(|row| {
            Some(Seen {
                record_id: row.text(0)?.to_owned(),
                ready_at: row.time(1)?,
                place: row.tid(2)?,
                key: row.text(3).map(str::to_owned),
                meets: row.boolean(4)?,
            })
        });
        seen.collect()
    }

    /// Adds those that meet the filter, that nobody has in hand and that a limit lets pass, until there are `most`. Tells
    /// which is the first for which there was no room: not the first of all.
    fn lock_seen(
        &mut self,
        client: &mut SpiClient<'_>,
        seen: &[Seen],
        picked: &mut Vec<Picked>,
        most: usize,
    ) -> Option<usize> {
        let known: HashSet<&str> = picked.iter().map(|row| row.record_id.as_str()).collect();
        let (at, open): (Vec<usize>, Vec<&Seen>) = seen
            .iter()
            .enumerate()
            .filter(|(_, row)| row.meets && !known.contains(row.record_id.as_str()))
            .unzip();
        let mut tried = 0;
        while tried < open.len() && picked.len() < most {
            let until = open.len().min(tried + most - picked.len());
            let passed = self.let_pass(client, &open[tried..until], picked);
            self.lock_open(client, &passed, picked);
            tried = until;
        }
        at.get(tried).copied()
    }

    /// Those that the limits of their keys let pass beside what was picked. A claim holds the windows of keys that it may
    /// serve, and of no others, which other claims serve meanwhile.
    fn let_pass<'s>(
        &mut self,
        client: &mut SpiClient<'_>,
        open: &[&'s Seen],
        picked: &[Picked],
    ) -> Vec<&'s Seen> {
        if !self.is_limited_by_key() {
            return open.to_vec();
        }
        let keys: Vec<String> = open.iter().filter_map(|row| row.key.clone()).collect();
        self.open_windows(client, &keys);
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for key in picked.iter().filter_map(|row| row.key.as_deref()) {
            *counts.entry(key).or_default() += 1;
        }
        let mut passed = open.to_vec();
        passed.retain(|row| {
            let Some(key) = row.key.as_deref() else { return false };
            let count = counts.entry(key).or_default();
            let passes = *count < self.left_of(key);
            *count += usize::from(passes);
            passes
        });
        passed
    }

    fn lock_open(&self, client: &mut SpiClient<'_>, open: &[&Seen], picked: &mut Vec<Picked>) {
        if open.is_empty() {
            return;
        }
        let (mut places, mut ids) = (Array::new(array::TID), Array::new(array::TEXT));
        for row in open {
            places.push_bytes(&row.place);
            ids.push_text(&row.record_id);
        }
        let parameters = [
            Some(self.workspace.datum()),
            Some(self.entity_type.datum()),
            Some(places.datum()),
            Some(ids.datum()),
            Some(pg_sys::Datum::from(now())),
        ];
        let rows = LOCK.with(|plan| plan.run(client, &parameters));
        let mut locked: Vec<Picked> =
            rows.iter::<7>().filter_map(|row| Picked::read(&row)).collect();
        locked.sort_by(|a, b| (b.priority, a.ready_at).cmp(&(a.priority, b.ready_at)));
        picked.append(&mut locked);
    }
}
