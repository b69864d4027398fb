//! What the caller's transaction allows.

use pgrx::pg_sys;

/// Whether the procedure whose statement calls this may commit: it may not inside a transaction block, a function, or a block
/// that catches exceptions.
pub(crate) fn caller_may_commit() -> bool {
    // SAFETY: reads variables of the session.
    unsafe { pg_sys::SPI_inside_nonatomic_context() }
}

/// Whether what is set for the transaction outlives the statement: it does in a transaction block, and inside of what runs
/// several statements.
pub(crate) fn goes_on() -> bool {
    // SAFETY: reads variables of the session. Outside of SPI no name is looked for, and inside none of this name is found.
    unsafe {
        pg_sys::IsTransactionBlock()
            || pg_sys::IsSubTransaction()
            || pg_sys::SPI_unregister_relation(c"kepler".as_ptr()) != pg_sys::SPI_ERROR_UNCONNECTED
    }
}
