//! Two feeds as one: each keeps its order, and between them times decide.
//!
//! Each feed is complete up to where it was read, so nothing is missed whatever the order between the two is.

use super::cursor::{Cursor, Reached};
use super::read::{Change, Changed, Found};
use std::collections::VecDeque;

/// A row of the answer: how far both are, and what was changed, if anything was that is asked for.
pub(super) type Given = (Reached, Option<Changed>);

/// What is left of a feed.
struct Side {
    at: Cursor,
    changes: VecDeque<Change>,
    behind: Option<Cursor>,
}

impl Side {
    /// What was looked at in vain is passed with the first row of the other feed: it need not be looked at again.
    fn of(found: Found) -> Self {
        let mut side =
            Self { at: found.after, changes: found.changes.into(), behind: found.behind };
        if side.changes.is_empty() {
            side.pass();
        }
        side
    }

    /// Goes on to the position behind the last change.
    fn pass(&mut self) {
        if let Some(behind) = self.behind.take() {
            self.at = behind;
        }
    }

    fn next(&mut self) -> Option<Changed> {
        let change = self.changes.pop_front()?;
        self.at = change.cursor;
        Some(change.changed)
    }

    /// When the next change was made.
    fn time(&self) -> Option<i64> {
        self.changes.front().map(|change| change.changed.created_at)
    }
}

/// The first changes of both, and a row without one where more than they say was looked at.
pub(super) fn merge(own: Found, coordinator: Found, max_rows: usize) -> Vec<Given> {
    let mut last = Reached { own: own.after, coordinator: Some(coordinator.after) };
    let (mut own, mut coordinator) = (Side::of(own), Side::of(coordinator));
    let mut given: Vec<Given> = Vec::new();
    while given.len() < max_rows {
        let is_own = match (own.time(), coordinator.time()) {
            (Some(own), Some(other)) => own <= other,
            (is_own, _) => is_own.is_some(),
        };
        let changed = if is_own { own.next() } else { coordinator.next() };
        if changed.is_none() {
            own.pass();
            coordinator.pass();
        }
        let at = Reached { own: own.at, coordinator: Some(coordinator.at) };
        match changed {
            None if at == last => break,
            None => {
                given.push((at, None));
                break;
            }
            Some(changed) => given.push((at, Some(changed))),
        }
        last = at;
    }
    given
}

#[cfg(test)]
mod tests {
    use super::super::cursor::Position;
    use super::*;
    use proptest::prelude::*;

    fn cursor(epoch: i32, number: usize) -> Cursor {
        Cursor { position: Position { epoch, xid: number as u64, sequence: 1 }, identity: 7 }
    }

    /// Changes made at these times, behind a first position.
    fn found(epoch: i32, times: &[i64], looks_on: bool) -> Found {
        let change = |(at, time): (usize, &i64)| Change {
            cursor: cursor(epoch, at + 1),
            changed: Changed {
                relation: None,
                row_id: Some(format!("{epoch} {at}")),
                entity_type: None,
                operation: "INSERT".to_owned(),
                sequence: at as i64,
                created_at: *time,
            },
        };
        Found {
            after: cursor(epoch, 0),
            changes: times.iter().enumerate().map(change).collect(),
            behind: looks_on.then(|| cursor(epoch, times.len() + 1)),
        }
    }

    fn told(given: &[Given]) -> Vec<String> {
        given
            .iter()
            .map(|(_, changed)| {
                changed.as_ref().and_then(|changed| changed.row_id.clone()).unwrap_or_default()
            })
            .collect()
    }

    fn at(given: &Given) -> (u64, u64) {
        let other = given.0.coordinator.unwrap_or(given.0.own);
        (given.0.own.position.xid, other.position.xid)
    }

    #[test]
    fn times_decide_between_feeds_and_not_within() {
        let given = merge(found(1, &[10, 5, 30], false), found(2, &[7, 20], false), 10);
        assert_eq!(told(&given), ["2 0", "1 0", "1 1", "2 1", "1 2"]);
        assert_eq!(
            given.iter().map(at).collect::<Vec<_>>(),
            [(0, 1), (1, 1), (2, 1), (2, 2), (3, 2)]
        );
    }

    #[test]
    fn what_was_looked_at_is_passed() {
        // Nothing of one, which was looked at: said with the first row of the other.
        let given = merge(found(1, &[1], false), found(2, &[], true), 10);
        assert_eq!(given.iter().map(at).collect::<Vec<_>>(), [(1, 1)]);
        // Behind the last change that is asked for, as where there is one feed.
        let given = merge(found(1, &[1], true), found(2, &[], false), 10);
        assert_eq!(given.iter().map(at).collect::<Vec<_>>(), [(1, 0), (2, 0)]);
        assert_eq!(told(&given), ["1 0", ""]);
        assert_eq!(merge(found(1, &[1], true), found(2, &[], false), 1).len(), 1);
        // Of neither.
        let given = merge(found(1, &[], true), found(2, &[], false), 10);
        assert_eq!((told(&given), at(&given[0])), (vec![String::new()], (1, 0)));
        assert!(merge(found(1, &[], false), found(2, &[], false), 10).is_empty());
    }

    proptest! {
        /// Calls one after the other give everything once, each feed in its order, however the times are.
        #[test]
        fn nothing_is_missed_or_told_twice(
            own in prop::collection::vec(0..9_i64, 0..20),
            other in prop::collection::vec(0..9_i64, 0..20),
            looks_on in any::<[bool; 2]>(),
            max_rows in 1..6_usize,
        ) {
            let (mut from, mut all) = ((0, 0), Vec::new());
            loop {
                let rest = |epoch, times: &[i64], from: u64, looks_on| {
                    let mut found = found(epoch, times, looks_on);
                    let from = from as usize;
                    found.after = cursor(epoch, from);
                    found.changes.drain(..from.min(times.len()));
                    found.changes.truncate(max_rows);
                    // Only who has looked at all of them knows what is behind.
                    let is_whole = from + found.changes.len() >= times.len() && found.changes.len() < max_rows;
                    found.behind = found.behind.filter(|_| is_whole && from <= times.len());
                    found
                };
                let given = merge(
                    rest(1, &own, from.0, looks_on[0]), rest(2, &other, from.1, looks_on[1]), max_rows,
                );
                let Some(last) = given.last() else { break };
                prop_assert!(given.len() <= max_rows);
                from = at(last);
                all.extend(told(&given).into_iter().filter(|id| !id.is_empty()));
            }
            let of = |epoch: &str| all.iter().filter(|id| id.starts_with(epoch)).cloned().collect::<Vec<_>>();
            let wanted = |epoch, count| (0..count).map(|at| format!("{epoch} {at}")).collect::<Vec<_>>();
            prop_assert_eq!(of("1"), wanted(1, own.len()));
            prop_assert_eq!(of("2"), wanted(2, other.len()));
        }
    }
}
