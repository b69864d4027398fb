//! Frees the room of dead row versions on pages that are about to be written.

use super::plan::Tid;
use pgrx::pg_sys;
use std::collections::BTreeSet;

/// Prunes the pages where these row versions are or were, as a look-up by an index does and one by place does not.
pub(crate) fn prune(relation: pg_sys::Oid, places: impl Iterator<Item = Tid>) {
    let block = |place: Tid| {
        let half = |at: usize| u32::from(u16::from_ne_bytes([place[at], place[at + 1]]));
        half(0) << 16 | half(2)
    };
    let pages: BTreeSet<u32> = places.map(block).collect();
    if pages.is_empty() {
        return;
    }
    // SAFETY: the relation is open and of the kind whose pages these are; a page that it has is pinned while it is looked
    // at. The caller's snapshot is what Postgres asks for before it prunes.
    unsafe {
        let table = pg_sys::table_open(relation, pg_sys::AccessShareLock as pg_sys::LOCKMODE);
        if (*(*table).rd_rel).relam == pg_sys::HEAP_TABLE_AM_OID {
            let count =
                pg_sys::RelationGetNumberOfBlocksInFork(table, pg_sys::ForkNumber::MAIN_FORKNUM);
            for page in pages.into_iter().take_while(|page| *page < count) {
                let buffer = pg_sys::ReadBuffer(table, page);
                pg_sys::heap_page_prune_opt(table, buffer);
                pg_sys::ReleaseBuffer(buffer);
            }
        }
        pg_sys::table_close(table, pg_sys::AccessShareLock as pg_sys::LOCKMODE);
    }
}
