//! Locks on names, held to the end of the transaction. No row: they write nothing.

use pgrx::pg_sys;
use xxhash_rust::xxh3::xxh3_64;

fn key(name: &str) -> u64 {
    xxh3_64(name.as_bytes())
}

/// Whether this session holds the exclusive lock on a name.
pub(crate) fn holds(name: &str) -> bool {
    let key = key(name);
    // SAFETY: a look-up in this process' own table of locks; the tag is laid out as for `lock`
    // (`SET_LOCKTAG_INT64` in `lockfuncs.c`).
    unsafe {
        let tag = pg_sys::LOCKTAG {
            locktag_field1: u32::from(pg_sys::MyDatabaseId),
            locktag_field2: (key >> 32) as u32,
            locktag_field3: key as u32,
            locktag_field4: 1,
            locktag_type: pg_sys::LockTagType::LOCKTAG_ADVISORY as u8,
            locktag_lockmethodid: pg_sys::USER_LOCKMETHOD as u8,
        };
        let mode = pg_sys::ExclusiveLock as pg_sys::LOCKMODE;
        #[cfg(feature = "pg16")]
        return pg_sys::LockHeldByMe(&tag, mode);
        #[cfg(not(feature = "pg16"))]
        return pg_sys::LockHeldByMe(&tag, mode, false);
    }
}

/// Waits for the lock on a name.
pub(crate) fn lock(name: &str, exclusive: bool) {
    let key = key(name) as i64;
    let function = if exclusive {
        pg_sys::pg_advisory_xact_lock_int8
    } else {
        pg_sys::pg_advisory_xact_lock_shared_int8
    };
    // SAFETY: a function that takes a bigint and gives nothing.
    unsafe { pgrx::direct_function_call::<()>(function, &[Some(pg_sys::Datum::from(key))]) };
}
