//! Claims with a filter: the oldest that are ready and whose data meets it.
//!
//! A claim looks at a bounded number of records, and the session's next claim with the same filter goes on behind them: a
//! filter that nothing meets does not read the queue each time. What does not meet it is not locked, so that others get it.

use super::claim::Call;
use super::pick::Picked;
use super::place::PRIORITIES;
use crate::pg::array::{self, Array};
use crate::pg::clock::now;
use crate::pg::plan::{Statement, Tid};
use crate::pg::undone::UntilUndone;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;
use std::collections::HashMap;

/// So many records does a claim look at, at most.
const MAX_LOOKED: usize = 1_000;
/// So many at once, at least.
const LEAST_LOOKED: usize = 50;

/// A filter that is valid, and the bytes that it is known by.
pub(crate) struct Wanted {
    pub(crate) filter: pg_sys::Datum,
    pub(crate) bytes: Vec<u8>,
}

/// Workspace, type and filter.
type Key = (String, String, Vec<u8>);

/// Of each priority, from 0, from which time on records were not looked at.
type From = [i64; PRIORITIES + 1];

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
                  AND q.ready_at <= $4 AND ($7 OR q.priority = 0)
                ORDER BY q.ready_at LIMIT $5) AS o",
        &[
            pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TIMESTAMPTZOID, pg_sys::TIMESTAMPTZOID,
            pg_sys::INT4OID, pg_sys::JSONBOID, pg_sys::BOOLOID,
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
                ORDER BY q.ready_at LIMIT $5) AS o",
        &[
            pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TIMESTAMPTZOID, pg_sys::TIMESTAMPTZOID,
            pg_sys::INT4OID, pg_sys::JSONBOID, pg_sys::INT4OID,
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

impl Call<'_> {
    /// The oldest that meet the filter, of the highest priority first.
    pub(super) fn pick_filtered(&mut self, client: &mut SpiClient<'_>) -> Vec<Picked> {
        let Some(wanted) = &self.request.filter else { return Vec::new() };
        let filter = wanted.filter;
        let key = (
            self.request.workspace_id.clone(),
            self.request.entity_type.clone(),
            wanted.bytes.clone(),
        );
        if self.is_limited_by_key() {
            self.pick_keyless(client, self.wanted);
        }
        let mut from = LOOKED.with(|looked| looked.get(&key)).unwrap_or([i64::MIN; PRIORITIES + 1]);
        let began = from;
        let (mut picked, mut looked) = (Vec::new(), 0);
        let highest = if self.policy.priorities { PRIORITIES } else { 0 };
        for priority in (0..=highest).rev() {
            // From the start once more, where this claim did not begin there.
            let mut again = priority == 0 && began[priority] != i64::MIN;
            let mut limit = LEAST_LOOKED.max(2 * (self.wanted - picked.len()));
            while picked.len() < self.wanted && looked < MAX_LOOKED {
                limit = (2 * limit).min(MAX_LOOKED - looked);
                let seen = self.look(client, filter, priority, from[priority], limit);
                looked += seen.len();
                let (at_end, last) = (seen.len() < limit, seen.last().map(|row| row.ready_at));
                let first = seen.first().map(|row| row.ready_at);
                let meeting = seen.into_iter().filter(|row| row.meets).collect();
                self.lock_seen(client, meeting, &mut picked);
                if at_end {
                    from[priority] = i64::MIN;
                    if !again {
                        break;
                    }
                    again = false;
                } else if let Some(last) = last {
                    // Many of one time are passed by, rather than looked at for ever.
                    from[priority] =
                        if first == Some(last) { last.saturating_add(1) } else { last };
                }
            }
        }
        LOOKED.with(|looked| looked.set(key, from));
        picked
    }

    fn look(
        &self,
        client: &mut SpiClient<'_>,
        filter: pg_sys::Datum,
        priority: usize,
        from: i64,
        limit: usize,
    ) -> Vec<Seen> {
        let which = match priority {
            0 => pg_sys::Datum::from(!self.policy.priorities),
            priority => pg_sys::Datum::from(priority),
        };
        let parameters = [
            Some(self.workspace.datum()),
            Some(self.entity_type.datum()),
            Some(pg_sys::Datum::from(from)),
            Some(pg_sys::Datum::from(now())),
            Some(pg_sys::Datum::from(limit)),
            Some(filter),
            Some(which),
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

    /// Adds those that nobody has in hand, and that a limit lets pass, up to what is wanted.
    fn lock_seen(&mut self, client: &mut SpiClient<'_>, seen: Vec<Seen>, picked: &mut Vec<Picked>) {
        let mut seen = seen;
        if self.is_limited_by_key() {
            seen.retain(|row| row.key.is_some());
            let keys: Vec<String> = seen.iter().filter_map(|row| row.key.clone()).collect();
            self.open_windows(client, &keys);
            let mut counts: HashMap<String, usize> = HashMap::new();
            for key in picked.iter().filter_map(|row| row.key.clone()) {
                *counts.entry(key).or_default() += 1;
            }
            seen.retain(|row| {
                let Some(key) = &row.key else { return false };
                let count = counts.entry(key.clone()).or_default();
                *count += 1;
                *count <= self.left_of(key)
            });
        }
        let known: Vec<&str> = picked.iter().map(|row| row.record_id.as_str()).collect();
        seen.retain(|row| !known.contains(&row.record_id.as_str()));
        seen.truncate(self.wanted.saturating_sub(picked.len()));
        if seen.is_empty() {
            return;
        }
        let (mut places, mut ids) = (Array::new(array::TID), Array::new(array::TEXT));
        for row in &seen {
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
