//! Tells direct SQL on records from Kepler's own, which keeps the queue by itself.
//!
//! The triggers that keep the queue under direct SQL ask in their condition, so that Kepler's own
//! statements do not pay for them. A user's trigger that fires inside one of those is direct again: it
//! stands deeper.

use pgrx::prelude::*;
use std::cell::Cell;

thread_local! {
    /// The depth of triggers at which Kepler's own statements run; -1 where none do.
    static OWN_DEPTH: Cell<i32> = const { Cell::new(-1) };
}

fn trigger_depth() -> i32 {
    // SAFETY: a function without arguments that reads a counter.
    unsafe { pgrx::direct_function_call(pg_sys::pg_trigger_depth, &[]) }.unwrap_or(0)
}

/// While this lives, the triggers take statements of this depth for Kepler's own. An error that ends
/// the call drops it too.
pub(crate) struct Own(i32);

impl Own {
    pub(crate) fn begin() -> Self {
        Self(OWN_DEPTH.replace(trigger_depth()))
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        OWN_DEPTH.set(self.0);
    }
}

/// The same for a trigger function itself, which stands one deeper than the statement that it fires for.
pub(crate) fn fires_for_direct() -> bool {
    let own = OWN_DEPTH.get();
    own < 0 || own != trigger_depth() - 1
}

/// Whether a change of a record comes from direct SQL, and not from Kepler's own functions.
#[pg_extern(schema = "kepler_internal", volatile, parallel_unsafe)]
fn is_direct() -> bool {
    let own = OWN_DEPTH.get();
    own < 0 || own != trigger_depth()
}
