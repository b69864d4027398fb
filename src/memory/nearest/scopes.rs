//! What a session remembers of scopes for a minute: which of them have many rows. It decides how a search goes on, and saves the count
//! in those where that would take a good part of a search.

use crate::pg::clock::now;
use std::cell::RefCell;
use std::collections::HashMap;

/// A session knows so many scopes.
const MAX_SCOPES: usize = 1_000;
/// What it knows of a scope it believes for so long, in microseconds.
const BELIEVED: i64 = 60_000_000;

/// A table, a scope, and so many rows.
pub(crate) type Scope = (u32, u64, usize);

/// Something that a session knows of scopes.
pub(crate) struct OfScopes<T>(RefCell<HashMap<Scope, (i64, T)>>);

/// Scopes that have more rows than that.
pub(crate) type LargeScopes = OfScopes<()>;

impl<T> Default for OfScopes<T> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<T: Copy> OfScopes<T> {
    pub(crate) fn get(&self, scope: Scope) -> Option<T> {
        let (at, known) = self.0.borrow().get(&scope).copied()?;
        (now() < at.saturating_add(BELIEVED)).then_some(known)
    }

    pub(crate) fn set(&self, scope: Scope, known: T) {
        let mut scopes = self.0.borrow_mut();
        if scopes.len() >= MAX_SCOPES {
            scopes.clear();
        }
        scopes.insert(scope, (now(), known));
    }
}

impl LargeScopes {
    /// Whether a scope is small, as `count` says, unless it is known to be large.
    pub(crate) fn is_small(&self, scope: Scope, count: impl FnOnce() -> bool) -> bool {
        if self.get(scope).is_some() {
            return false;
        }
        let small = count();
        if !small {
            self.set(scope, ());
        }
        small
    }
}
