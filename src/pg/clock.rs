//! The time.

use pgrx::pg_sys;

/// The time now, in microseconds since 2000-01-01 UTC.
pub(crate) fn now() -> i64 {
    // SAFETY: reads the clock.
    unsafe { pg_sys::GetCurrentTimestamp() }
}
