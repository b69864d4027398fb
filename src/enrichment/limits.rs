//! Limits: so many records, or claims, within any 60 seconds, for a type or for each key of its turns.
//!
//! What was claimed is counted by the second, in a row for each key that a claim locks, reads and writes in the transaction
//! that claims: what is rolled back was never counted. A second counts until 60 seconds after its end, so that no 60
//! seconds, wherever they begin, have more than the limit.
//!
//! A claim waits for nobody: a key whose row another claim holds is served by that one, and claims of other keys and types
//! do not meet. Of a key without a row a lock on its name takes the place.

use super::claim::Call;
use super::pick::Picked;
use super::policy::Limit;
use crate::pg::advisory;
use crate::pg::array::{self, Array};
use crate::pg::clock::now;
use crate::pg::plan::{Parameter, Statement};
use crate::pg::rows::Row;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

const SECOND: i64 = 1_000_000;
/// A second counts for so many seconds after it.
const COUNTS: i64 = 60;
/// So many keys get their first row in a claim; the others have to wait for the next one.
const MAX_NEW: usize = 100;
/// So often, and after such pauses, is a limit of a whole type tried that another claim holds: a claim takes about as long.
const TRIES: usize = 5;
const PAUSE: Duration = Duration::from_millis(2);

thread_local! {
    static LOCK: Statement = const { Statement::new(
        c"SELECT l.limit_key, l.seconds, l.records, l.leases
          FROM (SELECT pg_catalog.unnest($3) AS limit_key) AS n
          CROSS JOIN LATERAL (
              SELECT x.limit_key, x.seconds, x.records, x.leases FROM kepler.enrichment_limits AS x
              WHERE x.workspace_id = $1 AND x.entity_type = $2 AND x.limit_key = n.limit_key
              LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED) AS l",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TEXTARRAYOID],
    ) };
    static KNOWN: Statement = const { Statement::new(
        c"SELECT l.limit_key FROM (SELECT pg_catalog.unnest($3) AS limit_key) AS n
          CROSS JOIN LATERAL (
              SELECT x.limit_key FROM kepler.enrichment_limits AS x
              WHERE x.workspace_id = $1 AND x.entity_type = $2 AND x.limit_key = n.limit_key
              LIMIT 1) AS l",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TEXTARRAYOID],
    ) };
    static WRITE: Statement = const { Statement::new(
        c"INSERT INTO kepler.enrichment_limits
              (workspace_id, entity_type, limit_key, seconds, records, leases)
          SELECT $1, $2, pg_catalog.unnest($3), pg_catalog.unnest($4)::bigint[],
                 pg_catalog.unnest($5)::integer[], pg_catalog.unnest($6)::integer[]
          ON CONFLICT (workspace_id, entity_type, limit_key) DO UPDATE
          SET seconds = excluded.seconds, records = excluded.records, leases = excluded.leases",
        &[
            pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TEXTARRAYOID, pg_sys::TEXTARRAYOID,
            pg_sys::TEXTARRAYOID, pg_sys::TEXTARRAYOID,
        ],
    ) };
}

/// What was claimed of a key: seconds with the number of records and of claims, in order.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Window(Vec<(i64, i64, i64)>);

impl Window {
    /// From columns of its row, the seconds first.
    pub(super) fn read<const N: usize>(row: &Row<'_, N>, first: usize, now: i64) -> Self {
        let (Some(seconds), Some(records), Some(leases)) =
            (row.array::<i64>(first), row.array::<i32>(first + 1), row.array::<i32>(first + 2))
        else {
            return Self::default();
        };
        let counts = records.iter().zip(leases.iter());
        let entries = seconds.iter().zip(counts).filter_map(|(second, (records, leases))| {
            Some((second?, i64::from(records?), i64::from(leases?)))
        });
        Self::of(entries, now.div_euclid(SECOND))
    }

    /// What still counts. What lies ahead was counted before the clock was set back, and counts as of now.
    fn of(entries: impl Iterator<Item = (i64, i64, i64)>, now: i64) -> Self {
        let mut window = Self::default();
        for (second, records, leases) in entries {
            if second >= now.saturating_sub(COUNTS) {
                window.add(second.min(now), records.max(0), leases.max(0));
            }
        }
        window
    }

    fn add(&mut self, second: i64, records: i64, leases: i64) {
        match self.0.last_mut() {
            Some(last) if last.0 >= second => {
                last.1 = last.1.saturating_add(records);
                last.2 = last.2.saturating_add(leases);
            }
            _ => self.0.push((second, records, leases)),
        }
    }

    /// So many records may be claimed by one claim now.
    pub(super) fn left(&self, limit: Limit) -> usize {
        let sum = |count: fn(&(i64, i64, i64)) -> i64| -> i64 {
            self.0.iter().map(count).fold(0, i64::saturating_add)
        };
        if limit.leases > 0 && sum(|entry| entry.2) >= i64::from(limit.leases) {
            return 0;
        }
        if limit.records == 0 {
            return usize::MAX;
        }
        (i64::from(limit.records) - sum(|entry| entry.1)).max(0) as usize
    }

    /// When a claim gets something again, in microseconds; nothing where it does now.
    pub(super) fn frees_at(&self, limit: Limit) -> Option<i64> {
        let mut rest = self.clone();
        let mut at = None;
        while rest.left(limit) == 0 && !rest.0.is_empty() {
            let (second, ..) = rest.0.remove(0);
            at = Some(second.saturating_add(COUNTS + 1).saturating_mul(SECOND));
        }
        at
    }

    /// The columns, as Postgres reads arrays.
    fn columns(&self) -> [String; 3] {
        let column = |value: fn(&(i64, i64, i64)) -> i64| {
            let values: Vec<String> = self.0.iter().map(|entry| value(entry).to_string()).collect();
            format!("{{{}}}", values.join(","))
        };
        [
            column(|entry| entry.0),
            column(|entry| entry.1.min(i64::from(i32::MAX))),
            column(|entry| entry.2.min(i64::from(i32::MAX))),
        ]
    }
}

/// The windows that a claim holds, by their keys, and the keys that are in the hands of others.
#[derive(Default)]
pub(super) struct Windows {
    held: HashMap<String, Window>,
    others: HashSet<String>,
}

impl Call<'_> {
    pub(super) fn is_limited_by_key(&self) -> bool {
        self.policy.limit.is_some_and(|limit| limit.by_key)
    }

    /// Takes no more than the limit of the type allows now.
    pub(super) fn limit_wanted(&mut self, client: &mut SpiClient<'_>) {
        let Some(limit) = self.policy.limit.filter(|limit| !limit.by_key) else { return };
        for attempt in 0..=TRIES {
            self.windows.others.clear();
            self.open_windows(client, &[String::new()]);
            if self.windows.held.contains_key("") || attempt == TRIES {
                break;
            }
            pgrx::check_for_interrupts!();
            std::thread::sleep(PAUSE);
        }
        let left = self.windows.held.get("").map_or(0, |window| window.left(limit));
        self.wanted = self.wanted.min(left);
    }

    /// So many records of a key may be claimed; nothing of one that another claim holds.
    pub(super) fn left_of(&self, key: &str) -> usize {
        let Some(limit) = self.policy.limit else { return usize::MAX };
        self.windows.held.get(key).map_or(0, |window| window.left(limit))
    }

    /// Takes hold of the windows of keys, to the end of the transaction. Those of others are left to them.
    pub(super) fn open_windows(&mut self, client: &mut SpiClient<'_>, keys: &[String]) {
        let Windows { held, others } = &self.windows;
        let is_new = |key: &&str| !held.contains_key(*key) && !others.contains(*key);
        let wanted: Vec<&str> = keys.iter().map(String::as_str).filter(is_new).collect();
        if wanted.is_empty() {
            return;
        }
        let mut found = self.lock_windows(client, &wanted);
        let missing: Vec<&str> =
            wanted.iter().copied().filter(|key| !found.contains_key(*key)).collect();
        if !missing.is_empty() {
            let known = self.known_keys(client, &missing);
            let unknown = missing.iter().copied().filter(|key| !known.contains(*key));
            let (workspace, entity_type) = (&self.request.workspace_id, &self.request.entity_type);
            let mine: Vec<&str> = unknown
                .take(MAX_NEW)
                .filter(|key| {
                    let name =
                        format!("kepler enrichment limit\0{workspace}\0{entity_type}\0{key}");
                    advisory::try_lock(&name)
                })
                .collect();
            // Whoever made the row held the lock until the row was committed.
            found.extend(self.lock_windows(client, &mine));
            let still = self.known_keys(client, &mine);
            for key in mine {
                if !still.contains(key) {
                    found.insert(key.to_owned(), Window::default());
                }
            }
        }
        let others: Vec<String> = wanted
            .iter()
            .filter(|key| !found.contains_key(**key))
            .map(|key| (*key).to_owned())
            .collect();
        self.windows.others.extend(others);
        self.windows.held.extend(found);
    }

    fn lock_windows(&self, client: &mut SpiClient<'_>, keys: &[&str]) -> HashMap<String, Window> {
        let mut names = Array::texts(keys.iter().copied());
        if names.count() == 0 {
            return HashMap::new();
        }
        let rows = LOCK.with(|plan| plan.run(client, &self.of_keys(&mut names)));
        // Behind the lock: what was counted before lies before it.
        let now = now();
        rows.iter::<4>()
            .filter_map(|row| Some((row.text(0)?.to_owned(), Window::read(&row, 1, now))))
            .collect()
    }

    fn known_keys(&self, client: &mut SpiClient<'_>, keys: &[&str]) -> HashSet<String> {
        let mut names = Array::texts(keys.iter().copied());
        if names.count() == 0 {
            return HashSet::new();
        }
        let rows = KNOWN.with(|plan| plan.run(client, &self.of_keys(&mut names)));
        rows.iter::<1>().filter_map(|row| row.text(0).map(str::to_owned)).collect()
    }

    fn of_keys(&self, names: &mut Array) -> [Parameter; 3] {
        [Some(self.workspace.datum()), Some(self.entity_type.datum()), Some(names.datum())]
    }

    /// Counts what was claimed.
    pub(super) fn charge(&mut self, client: &mut SpiClient<'_>, found: &[&Picked]) {
        let Some(limit) = self.policy.limit else { return };
        let mut counts: HashMap<&str, i64> = HashMap::new();
        for row in found {
            let key = if limit.by_key { row.key.as_deref().unwrap_or(" ") } else { "" };
            *counts.entry(key).or_default() += 1;
        }
        let now = now().div_euclid(SECOND);
        let mut keys: Vec<&str> = counts.keys().copied().collect();
        keys.sort_unstable();
        let (mut names, mut columns) = (
            Array::new(array::TEXT),
            [Array::new(array::TEXT), Array::new(array::TEXT), Array::new(array::TEXT)],
        );
        for key in keys {
            let mut window = self.windows.held.remove(key).unwrap_or_default();
            window.add(now, counts[key], 1);
            names.push_text(key);
            for (array, column) in columns.iter_mut().zip(window.columns()) {
                array.push_text(&column);
            }
        }
        let [seconds, records, leases] = &mut columns;
        let parameters = [
            Some(self.workspace.datum()),
            Some(self.entity_type.datum()),
            Some(names.datum()),
            Some(seconds.datum()),
            Some(records.datum()),
            Some(leases.datum()),
        ];
        WRITE.with(|plan| plan.run(client, &parameters));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Limit = Limit { by_key: false, records: 10, leases: 2 };

    #[test]
    fn counts_a_second_until_a_minute_after_its_end() {
        let claimed = |now| Window::of([(100, 10, 1)].into_iter(), now);
        assert_eq!(claimed(100).left(LIMIT), 0);
        assert_eq!(claimed(160).left(LIMIT), 0);
        assert_eq!(claimed(161).left(LIMIT), 10);
        assert_eq!(claimed(130).frees_at(LIMIT), Some(161 * SECOND));
        assert_eq!(claimed(161).frees_at(LIMIT), None);
    }

    #[test]
    fn counts_claims_beside_records() {
        let window = Window::of([(100, 1, 1), (110, 1, 1)].into_iter(), 120);
        assert_eq!(window.left(LIMIT), 0);
        assert_eq!(window.frees_at(LIMIT), Some(161 * SECOND));
        assert_eq!(window.left(Limit { leases: 0, ..LIMIT }), 8);
        assert_eq!(window.left(Limit { records: 0, leases: 3, by_key: true }), usize::MAX);
    }

    #[test]
    fn a_clock_that_was_set_back_frees_within_a_minute() {
        let window = Window::of([(50, 1, 1), (5_000, 9, 1)].into_iter(), 100);
        assert_eq!(window, Window(vec![(50, 1, 1), (100, 9, 1)]));
        assert_eq!(Window::of([(5_000, 9, 1)].into_iter(), 100).frees_at(LIMIT), None);
    }
}
