//! What a transaction can see of others.

use pgrx::pg_sys;

/// Whether the transaction keeps to the snapshot that it began with: REPEATABLE READ and SERIALIZABLE.
pub(crate) fn keeps_snapshot() -> bool {
    // SAFETY: a variable of this process, which has one thread.
    unsafe { pg_sys::XactIsoLevel >= pg_sys::XACT_REPEATABLE_READ as i32 }
}

/// Whether the transaction fails, at its end at the latest, where it could not have run alone.
pub(crate) fn is_serializable() -> bool {
    // SAFETY: as above.
    unsafe { pg_sys::XactIsoLevel == pg_sys::XACT_SERIALIZABLE as i32 }
}
