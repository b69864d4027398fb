//! The time.

use pgrx::datum::TimestampWithTimeZone;
use pgrx::pg_sys;

/// The time now, in microseconds since 2000-01-01 UTC.
pub(crate) fn now() -> i64 {
    // SAFETY: reads the clock.
    unsafe { pg_sys::GetCurrentTimestamp() }
}

/// The same, as a value for a statement that writes to a table of which every node of a cluster has all rows: they are to write
/// the same, and Citus takes no statement in which each of them would look at its clock.
pub(crate) fn moment() -> Option<TimestampWithTimeZone> {
    TimestampWithTimeZone::try_from(now()).ok()
}
