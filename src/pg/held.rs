//! Whether another transaction has a row in its hands, without taking a lock: nothing is written.

use super::plan::Tid;
use pgrx::pg_sys;

/// Whether the row version at this place is being changed, or is locked for more than its key. The place was
/// read in the present snapshot. Only heap tables can tell; others say no.
pub(crate) fn is_held(relation: pg_sys::Oid, place: Tid) -> bool {
    // SAFETY: the pattern of the contrib module `pgrowlocks`. The snapshot keeps the version where it was
    // read; the relation is open, and the buffer is pinned by `heap_fetch` and locked, while it is looked at.
    unsafe {
        let table = pg_sys::table_open(relation, pg_sys::AccessShareLock as pg_sys::LOCKMODE);
        let mut held = false;
        if (*(*table).rd_rel).relam == pg_sys::HEAP_TABLE_AM_OID {
            let mut tuple = pg_sys::HeapTupleData {
                t_self: std::mem::transmute::<Tid, pg_sys::ItemPointerData>(place),
                ..Default::default()
            };
            let mut buffer: pg_sys::Buffer = 0;
            let any = &raw mut pg_sys::SnapshotAnyData;
            if pg_sys::heap_fetch(table, any, &mut tuple, &mut buffer, false) {
                pg_sys::LockBuffer(buffer, pg_sys::BUFFER_LOCK_SHARE as i32);
                let command = pg_sys::GetCurrentCommandId(false);
                let state = pg_sys::HeapTupleSatisfiesUpdate(&mut tuple, command, buffer);
                let mask = u32::from((*tuple.t_data).t_infomask);
                let locks = mask & (pg_sys::HEAP_XMAX_IS_MULTI | pg_sys::HEAP_LOCK_MASK);
                let key_only = mask & pg_sys::HEAP_XMAX_LOCK_ONLY != 0
                    && locks == pg_sys::HEAP_XMAX_KEYSHR_LOCK;
                held = state == pg_sys::TM_Result::TM_BeingModified && !key_only;
                pg_sys::UnlockReleaseBuffer(buffer);
            }
        }
        pg_sys::table_close(table, pg_sys::AccessShareLock as pg_sys::LOCKMODE);
        held
    }
}
