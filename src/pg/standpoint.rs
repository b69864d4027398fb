//! From where a session looks at Kepler's tables: whom it acts as, the workspace that was set, and what it has heard of
//! changes. Each standpoint has a number: what was made of all that holds as long as the number is the same.

use super::cluster::tell::look_at_chosen;
use super::{relation, role, undone};
use pgrx::pg_sys;
use std::cell::{Cell, RefCell};

/// So many are told apart: a call that acts as the owner for a while comes back to the one before, and so does a session to a
/// workspace, or a part of a cluster, that it has worked in.
pub(crate) const PLACES: usize = 8;

struct Standpoint {
    number: u64,
    /// The role that the session acts as, and the one whose rights hold.
    user: pg_sys::Oid,
    current: pg_sys::Oid,
    row_security: bool,
    setting: Vec<u8>,
    tables: u64,
    roles: u64,
    moment: u64,
    /// How much had been undone when this was last found to hold.
    undone: u64,
}

thread_local! {
    static KNOWN: RefCell<Vec<Standpoint>> = const { RefCell::new(Vec::new()) };
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

/// The place of what was made at a standpoint, among as many.
pub(crate) fn place(number: u64) -> usize {
    number as usize % PLACES
}

/// The number of the standpoint now, and never 0.
pub(crate) fn number() -> u64 {
    numbered(relation::generation())
}

/// The same where no Rust frame with a destructor is on the way of an error; none where the session has never asked before.
pub(super) fn number_unguarded() -> Option<u64> {
    relation::generation_unguarded().map(numbered)
}

/// From now on the session has another one: it has learnt something that is to be asked anew each time.
pub(crate) fn leave() {
    KNOWN.with_borrow_mut(Vec::clear);
}

fn numbered(tables: u64) -> u64 {
    let (user, current) = (role::outer(), role::current());
    let (roles, undone) = (role::generation(), undone::count());
    // SAFETY: a variable of this process, which has one thread.
    let row_security = unsafe { pg_sys::row_security };
    KNOWN.with_borrow_mut(|known| {
        look_at_chosen(|setting| {
            let is_of_now = |at: &Standpoint| {
                at.user == user
                    && at.current == current
                    && at.setting == setting
                    && relation::part_of(at.tables) == relation::part_of(tables)
            };
            let place = known.iter().position(is_of_now);
            if let Some(at) = place.and_then(|place| known.get_mut(place))
                && at.tables == tables
                && at.roles == roles
                && at.row_security == row_security
                && (at.undone == undone || undone::holds(at.moment))
            {
                at.undone = undone;
                return at.number;
            }
            // In place of the one that it has become, or of the oldest.
            let oldest = || {
                let numbers = known.iter().enumerate().map(|(place, at)| (at.number, place));
                if known.len() < PLACES { None } else { numbers.min().map(|(_, place)| place) }
            };
            let place = place.or_else(oldest).unwrap_or(known.len());
            let count = COUNT.get() + 1;
            COUNT.set(count);
            let number = count * PLACES as u64 + place as u64;
            let (setting, moment) = (setting.to_vec(), undone::moment());
            let now = Standpoint {
                number,
                user,
                current,
                row_security,
                setting,
                tables,
                roles,
                moment,
                undone,
            };
            if place < known.len() {
                known[place] = now;
            } else {
                known.push(now);
            }
            number
        })
    })
}
