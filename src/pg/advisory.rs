//! Locks on names, held to the end of the transaction. No row: they write nothing.
//!
//! They are advisory locks of a class of their own. Postgres' functions for advisory locks take two other
//! classes, so nobody can hold or await one of these by SQL, or release it.

use pgrx::pg_sys;
use xxhash_rust::xxh3::xxh3_64;

/// "KP". Postgres' own functions use 1 and 2. `pg_locks` shows it as `objsubid`.
const CLASS: u16 = 0x4B50;

/// Waits for the lock on a name.
pub(crate) fn lock(name: &str, exclusive: bool) {
    acquire(name, exclusive, false);
}

/// Takes the lock on a name for itself alone, unless somebody else has it.
pub(crate) fn try_lock(name: &str) -> bool {
    acquire(name, true, true)
}

/// Lets go of a lock that `try_lock` has given.
pub(crate) fn release(name: &str) {
    // SAFETY: a lock that is not the session's, and that this transaction has.
    unsafe { pg_sys::LockRelease(&tag(name), pg_sys::ExclusiveLock as pg_sys::LOCKMODE, false) };
}

/// Waits until every transaction has ended that holds the lock on a name now. Nobody waits behind this one, as behind
/// one that wants the lock.
pub(crate) fn wait_for_holders(name: &str) {
    // SAFETY: a valid tag; Postgres waits for one transaction after the other, and finds deadlocks.
    unsafe { pg_sys::WaitForLockers(tag(name), pg_sys::ExclusiveLock as pg_sys::LOCKMODE, false) };
}

fn acquire(name: &str, exclusive: bool, at_once: bool) -> bool {
    let mode = if exclusive { pg_sys::ExclusiveLock } else { pg_sys::ShareLock };
    let tag = tag(name);
    // SAFETY: a lock that is not the session's goes with the transaction.
    let answer = unsafe { pg_sys::LockAcquire(&tag, mode as pg_sys::LOCKMODE, false, at_once) };
    answer != pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL
}

fn tag(name: &str) -> pg_sys::LOCKTAG {
    let key = xxh3_64(name.as_bytes());
    pg_sys::LOCKTAG {
        // SAFETY: a variable that is set when the session begins.
        locktag_field1: unsafe { pg_sys::MyDatabaseId }.to_u32(),
        locktag_field2: (key >> 32) as u32,
        locktag_field3: key as u32,
        locktag_field4: CLASS,
        locktag_type: pg_sys::LockTagType::LOCKTAG_ADVISORY as u8,
        locktag_lockmethodid: pg_sys::USER_LOCKMETHOD as u8,
    }
}
