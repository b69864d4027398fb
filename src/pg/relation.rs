//! What Postgres knows of a table.

use crate::ident::qualified;
use pgrx::pg_sys;
use std::ffi::CStr;

/// A table as SQL names it, by its oid.
pub(crate) fn table_name(relation: pg_sys::Oid) -> Option<String> {
    // SAFETY: look-ups in the catalog; what they give is a C string, or null if there is no such table.
    unsafe {
        let name = pg_sys::get_rel_name(relation);
        if name.is_null() {
            return None;
        }
        let schema = pg_sys::get_namespace_name(pg_sys::get_rel_namespace(relation));
        if schema.is_null() {
            return None;
        }
        let text = |name| CStr::from_ptr(name).to_string_lossy();
        Some(qualified(&text(schema), &text(name)))
    }
}

/// Pages of a table now; what the catalog says is from its last VACUUM or ANALYZE.
pub(crate) fn blocks(relation: pg_sys::Oid) -> i32 {
    // SAFETY: the relation exists, having been looked up in this transaction; should it be dropped
    // meanwhile, Postgres raises.
    unsafe {
        let opened = pg_sys::relation_open(relation, pg_sys::AccessShareLock as i32);
        let blocks =
            pg_sys::RelationGetNumberOfBlocksInFork(opened, pg_sys::ForkNumber::MAIN_FORKNUM);
        pg_sys::relation_close(opened, pg_sys::AccessShareLock as i32);
        blocks as i32
    }
}
