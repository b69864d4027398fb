//! What the caller's transaction allows.

use pgrx::pg_sys;

/// Whether the procedure whose statement calls this may commit: it may not inside a transaction block, a function, or a block
/// that catches exceptions.
pub(crate) fn caller_may_commit() -> bool {
    // SAFETY: reads variables of the session.
    unsafe { pg_sys::SPI_inside_nonatomic_context() }
}
