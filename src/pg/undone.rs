//! What a session learns of rows, and forgets where the transaction that it was learnt in is undone, or the part of one.
//!
//! Every moment has a number. What was learnt between the beginning of a (sub)transaction and its end is void
//! where that was rolled back: others never saw what it was learnt from, and nor does the session now.

use pgrx::pg_sys;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::hash::Hash;

/// So many undone stretches are told apart; what is older than the oldest of them counts as undone.
const MAX_STRETCHES: usize = 32;
/// A session knows so many things of a kind.
const MAX_KNOWN: usize = 1_000;

/// The numbers of this session.
#[derive(Default)]
struct Moments {
    now: u64,
    /// When the transaction began.
    began: u64,
    /// The subtransactions that are open, and when they began.
    open: Vec<(pg_sys::SubTransactionId, u64)>,
    /// What was undone: from and to.
    undone: Vec<(u64, u64)>,
    /// Everything up to here counts as undone.
    floor: u64,
}

impl Moments {
    fn next(&mut self) -> u64 {
        self.now += 1;
        self.now
    }

    fn undo(&mut self, from: u64) {
        COUNT.set(COUNT.get() + 1);
        let to = self.now;
        self.undone.retain(|(began, _)| *began < from);
        if self.undone.len() == MAX_STRETCHES {
            self.floor = self.undone.remove(0).1;
        }
        self.undone.push((from, to));
        self.next();
    }

    fn holds(&self, moment: u64) -> bool {
        moment > self.floor && !self.undone.iter().any(|(from, to)| (*from..=*to).contains(&moment))
    }

    fn begin_part(&mut self, part: pg_sys::SubTransactionId) {
        let began = self.next();
        self.open.push((part, began));
    }

    /// Of a part that began before anybody looked the beginning is not known.
    fn end_part(&mut self, part: pg_sys::SubTransactionId, undone: bool) {
        let at = self.open.iter().position(|(open, _)| *open == part);
        let began = at.map_or(0, |at| self.open[at].1);
        self.open.truncate(at.unwrap_or(0));
        if undone {
            self.undo(began);
        }
    }

    fn end(&mut self, undone: bool) {
        self.open.clear();
        if undone {
            self.undo(self.began);
        }
        self.began = self.next();
    }
}

thread_local! {
    static MOMENTS: RefCell<Moments> = RefCell::default();
    static WATCHING: Cell<bool> = const { Cell::new(false) };
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

/// Postgres calls this at the end of each transaction. What is prepared may be undone, and nobody says so here.
#[pgrx::pg_guard]
unsafe extern "C-unwind" fn transaction(
    event: pg_sys::XactEvent::Type,
    _argument: *mut std::ffi::c_void,
) {
    use pg_sys::XactEvent::*;
    let undone = match event {
        XACT_EVENT_COMMIT | XACT_EVENT_PARALLEL_COMMIT => false,
        XACT_EVENT_ABORT | XACT_EVENT_PARALLEL_ABORT | XACT_EVENT_PREPARE => true,
        _ => return,
    };
    MOMENTS.with_borrow_mut(|moments| moments.end(undone));
}

/// And this at both ends of each subtransaction.
#[pgrx::pg_guard]
unsafe extern "C-unwind" fn part(
    event: pg_sys::SubXactEvent::Type,
    part: pg_sys::SubTransactionId,
    _parent: pg_sys::SubTransactionId,
    _argument: *mut std::ffi::c_void,
) {
    use pg_sys::SubXactEvent::*;
    MOMENTS.with_borrow_mut(|moments| match event {
        SUBXACT_EVENT_START_SUB => moments.begin_part(part),
        SUBXACT_EVENT_COMMIT_SUB => moments.end_part(part, false),
        SUBXACT_EVENT_ABORT_SUB => moments.end_part(part, true),
        _ => {}
    });
}

fn watch() {
    if !WATCHING.replace(true) {
        let none = std::ptr::null_mut();
        // SAFETY: registered once in a session; the functions live as long as the library.
        unsafe {
            pg_sys::RegisterXactCallback(Some(transaction), none);
            pg_sys::RegisterSubXactCallback(Some(part), none);
        }
    }
}

/// The moment at which something is learnt.
pub(crate) fn moment() -> u64 {
    watch();
    // Above the floor, which begins at nothing.
    MOMENTS.with_borrow_mut(|moments| {
        moments.now = moments.now.max(1);
        moments.now
    })
}

/// How often anything was undone, since something was first learnt. As long as the count is the same, what held holds.
pub(crate) fn count() -> u64 {
    COUNT.get()
}

/// Whether what was learnt at a moment was not undone since.
pub(crate) fn holds(moment: u64) -> bool {
    MOMENTS.with_borrow(|moments| moments.holds(moment))
}

/// What was learnt, by a key, and when.
pub(crate) struct UntilUndone<K, V>(RefCell<HashMap<K, (u64, V)>>);

impl<K, V> Default for UntilUndone<K, V> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<K: Eq + Hash, V: Clone> UntilUndone<K, V> {
    pub(crate) fn get(&self, key: &K) -> Option<V> {
        let (at, value) = self.0.borrow().get(key).cloned()?;
        holds(at).then_some(value)
    }

    pub(crate) fn set(&self, key: K, value: V) {
        let now = moment();
        let mut known = self.0.borrow_mut();
        if known.len() >= MAX_KNOWN && !known.contains_key(&key) {
            known.clear();
        }
        known.insert(key, (now, value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was learnt at a moment of this course holds.
    fn now(moments: &mut Moments) -> u64 {
        moments.now = moments.now.max(1);
        moments.now
    }

    #[test]
    fn what_was_learnt_in_a_part_goes_with_it() {
        let mut moments = Moments::default();
        let before = now(&mut moments);
        moments.begin_part(2);
        let outer = now(&mut moments);
        moments.begin_part(3);
        let inner = now(&mut moments);
        moments.end_part(3, true);
        let after = now(&mut moments);
        assert!(moments.holds(before) && moments.holds(outer) && moments.holds(after));
        assert!(!moments.holds(inner));
        moments.end_part(2, false);
        assert!(moments.holds(outer) && !moments.holds(inner));
        moments.end(true);
        for moment in [before, outer, inner, after] {
            assert!(!moments.holds(moment));
        }
        let next = now(&mut moments);
        moments.end(false);
        moments.end(true);
        assert!(moments.holds(next));
    }

    #[test]
    fn what_is_released_goes_with_the_part_around_it() {
        let mut moments = Moments::default();
        moments.begin_part(2);
        moments.begin_part(3);
        let inner = now(&mut moments);
        moments.end_part(3, false);
        assert!(moments.holds(inner));
        moments.end_part(2, true);
        assert!(!moments.holds(inner));
    }

    #[test]
    fn many_stretches_are_forgotten_and_never_believed() {
        let mut moments = Moments::default();
        let mut undone = Vec::new();
        for part in 0..100 {
            moments.begin_part(part);
            undone.push(now(&mut moments));
            moments.end_part(part, true);
        }
        assert!(undone.iter().all(|moment| !moments.holds(*moment)));
        assert!(moments.undone.len() <= MAX_STRETCHES);
        let after = now(&mut moments);
        assert!(moments.holds(after));
    }

    #[test]
    fn a_part_that_began_unseen_takes_everything_along() {
        let mut moments = Moments::default();
        let learnt = now(&mut moments);
        moments.end_part(7, true);
        assert!(!moments.holds(learnt));
        let after = now(&mut moments);
        assert!(moments.holds(after));
    }
}
