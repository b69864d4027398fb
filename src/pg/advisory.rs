//! Locks on names, held to the end of the transaction. No row: they write nothing.

use pgrx::pg_sys;
use xxhash_rust::xxh3::xxh3_64;

/// Waits for the lock on a name.
pub(crate) fn lock(name: &str, exclusive: bool) {
    let key = xxh3_64(name.as_bytes()) as i64;
    let function = if exclusive {
        pg_sys::pg_advisory_xact_lock_int8
    } else {
        pg_sys::pg_advisory_xact_lock_shared_int8
    };
    // SAFETY: a function that takes a bigint and gives nothing.
    unsafe { pgrx::direct_function_call::<()>(function, &[Some(pg_sys::Datum::from(key))]) };
}
