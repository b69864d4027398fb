//! Locks on names, held to the end of the transaction. No row: they write nothing.
//!
//! They are advisory locks of a class of their own. Postgres' functions for advisory locks take two other
//! classes, so nobody can hold or await one of these by SQL, or release it.

use pgrx::{check_for_interrupts, pg_sys};
use std::time::Duration;
use xxhash_rust::xxh3::xxh3_64;

/// So often, and after such pauses, is a lock tried that others hold.
const TRIES: usize = 20;
const PAUSE: Duration = Duration::from_millis(5);

/// So often are those waited for who hold it.
const ROUNDS: usize = 3;

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

/// Takes the lock on a name for itself alone, and waits for those who hold it: as long as it may take without that
/// anybody waits behind it, and where there are always others, in line.
pub(crate) fn lock_alone(name: &str) {
    for _ in 0..ROUNDS {
        if lock_alone_soon(name) {
            return;
        }
        wait_for_holders(name);
    }
    lock(name, true);
}

/// The same if nobody holds it, or those who do end soon. Nobody waits behind this meanwhile.
pub(crate) fn lock_alone_soon(name: &str) -> bool {
    for _ in 0..TRIES {
        if try_lock(name) {
            return true;
        }
        check_for_interrupts!();
        std::thread::sleep(PAUSE);
    }
    try_lock(name)
}

/// Lets go of a lock that was taken alone.
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
