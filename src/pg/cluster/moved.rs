//! Parts move from node to node.

use super::{part, places};
use crate::pg::relation::MadeOf;
use crate::pg::varlena::Text;
use pgrx::pg_sys;
use std::cell::RefCell;
use std::ffi::c_int;

unsafe extern "C-unwind" {
    /// `src/include/replication/logicalworker.h` of Postgres 16 to 18: reads a variable.
    fn IsLogicalWorker() -> bool;
    /// `src/include/common/hashfn.h` of the same: reads so many bytes.
    fn hash_bytes(bytes: *const u8, count: c_int) -> u32;
}

/// Whether a trigger on a shard fires because the shard comes from another node, row by row: triggers there have seen to each
/// of them, and there is no statement that begins work in a part.
pub(crate) fn is_on_its_way(shard: pg_sys::Oid) -> bool {
    // SAFETY: a variable; look-ups.
    super::is_loaded()
        && unsafe { IsLogicalWorker() }
        && part::current() == 0
        && part::is_shard(shard)
}

thread_local! {
    /// Where the hashes of the parts begin, in their order, and how Citus calls what lies together.
    static PARTS: RefCell<Option<(Vec<i32>, i32, MadeOf)>> = const { RefCell::new(None) };
}

/// As Citus locks the shards of a part whose rows change, until the transaction ends: a move of the part to another node waits
/// for it, or is waited for (`resource_lock.c`, `SetLocktagForShardDistributionMetadata`).
pub(super) fn lock(place: u32, colocation: i32) {
    /// Locks of shards that lie together.
    const COLOCATED_SHARDS: u16 = 8;
    // SAFETY: a lock that Postgres gives back at the end of the transaction.
    unsafe {
        let tag = pg_sys::LOCKTAG {
            locktag_field1: pg_sys::MyDatabaseId.to_u32(),
            locktag_field2: place,
            locktag_field3: colocation as u32,
            locktag_field4: COLOCATED_SHARDS,
            locktag_type: pg_sys::LockTagType::LOCKTAG_ADVISORY as u8,
            locktag_lockmethodid: pg_sys::USER_LOCKMETHOD as u8,
        };
        pg_sys::LockAcquire(&tag, pg_sys::ShareLock as i32, false, false);
        pg_sys::AcceptInvalidationMessages();
    }
}

/// Keeps the session's part on this node until the transaction ends. Gives whether it is still here.
pub(crate) fn hold() -> bool {
    let Some((key, place)) = part::place() else { return false };
    lock(place.number as u32, key.colocation);
    places::is_here(place)
}

/// Keeps the part of a workspace where it is until the transaction ends: what is sent there next arrives.
pub(crate) fn hold_elsewhere(workspace: &Text) {
    // SAFETY: a variable; a standby takes no such locks.
    if unsafe { pg_sys::RecoveryInProgress() } {
        return;
    }
    if let Some((place, colocation)) = place_of(workspace.as_str()) {
        lock(place, colocation);
    }
}

/// The same. Where that is on this node, the session works in the part as long as what this gives lives.
pub(super) fn begin_here(workspace: &Text) -> Option<part::Own> {
    hold_elsewhere(workspace);
    part::Own::begin(places::shard_here(workspace.as_str())?)
}

/// The same; gives whether that is on this node.
pub(crate) fn hold_and_look(workspace: &Text) -> bool {
    hold_elsewhere(workspace);
    places::lies_here(workspace.as_str())
}

/// Whether this node is the coordinator of the cluster.
pub(crate) fn is_coordinator() -> bool {
    places::own_group() == Some(0)
}

/// The place of the part of a workspace among all, and how Citus calls what lies together.
fn place_of(workspace: &str) -> Option<(u32, i32)> {
    // SAFETY: reads the bytes of the text: what `hashtext` does where the collation tells texts by their bytes, as that of a
    // database does.
    let hash = unsafe { hash_bytes(workspace.as_ptr(), workspace.len() as c_int) as i32 };
    let is_current =
        PARTS.with_borrow(|known| known.as_ref().is_some_and(|(_, _, made)| made.is_current()));
    if !is_current {
        PARTS.set(places::parts());
    }
    PARTS.with_borrow(|known| {
        let (begin, colocation, _) = known.as_ref()?;
        let place = begin.partition_point(|first| *first <= hash).checked_sub(1)?;
        Some((place as u32, *colocation))
    })
}

/// Whether rows of a workspace lie where the session works: everywhere, where it works in no part.
pub(crate) fn is_of_part(workspace: &str) -> bool {
    match part::place() {
        None => true,
        Some((_, place)) => {
            place_of(workspace).is_none_or(|(number, _)| i64::from(number) == place.number)
        }
    }
}

/// Whether this node is among nodes, by their numbers in Citus' list of groups.
pub(crate) fn is_among(groups: &[i32]) -> bool {
    places::own_group().is_some_and(|own| groups.contains(&own))
}

/// By what a stay of the session's part on this node is told from others, and from times before the cluster was. None where
/// tables are not distributed.
pub(crate) fn stay() -> Option<u64> {
    places::stay_of(&part::key()?)
}
