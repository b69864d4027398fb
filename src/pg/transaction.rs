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

/// Whether the transaction has written anything on this server.
pub(crate) fn has_written() -> bool {
    // SAFETY: reads a variable of the session.
    unsafe { pg_sys::GetTopTransactionIdIfAny() != pg_sys::InvalidTransactionId }
}

/// Whether the transaction may write nothing.
pub(crate) fn is_read_only() -> bool {
    // SAFETY: reads a variable of the session.
    unsafe { pg_sys::XactReadOnly }
}

/// Whether the server is a standby, on which nobody writes.
pub(crate) fn is_on_standby() -> bool {
    // SAFETY: reads a variable.
    unsafe { pg_sys::RecoveryInProgress() }
}

/// When the statement began that the client sent, and how long it may take, in microseconds.
pub(crate) fn statement() -> (i64, Option<i64>) {
    // SAFETY: reads variables of the session.
    let (began, timeout) =
        unsafe { (pg_sys::GetCurrentStatementStartTimestamp(), pg_sys::StatementTimeout) };
    (began, (timeout > 0).then(|| i64::from(timeout) * 1_000))
}
