//! Parts move from node to node.

use super::{part, places};
use pgrx::pg_sys;

unsafe extern "C-unwind" {
    /// `src/include/replication/logicalworker.h` of Postgres 16 to 18: reads a variable.
    fn IsLogicalWorker() -> bool;
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

/// By what a stay of the session's part on this node is told from others, and from times before the cluster was. None where
/// tables are not distributed.
pub(crate) fn stay() -> Option<u64> {
    places::stay_of(&part::key()?)
}
