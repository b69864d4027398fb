//! Whether policies decide what the current role sees of a table.

use pgrx::pg_sys;
use std::ffi::CStr;

/// Whether policies apply to the current role on a table of the schema `kepler`.
pub(crate) fn is_active(table: &CStr) -> bool {
    // SAFETY: look-ups in the catalog; the last one is given the oid of a table, and raises nothing.
    unsafe {
        let schema = pg_sys::get_namespace_oid(c"kepler".as_ptr(), true);
        let relation = pg_sys::get_relname_relid(table.as_ptr(), schema);
        relation != pg_sys::InvalidOid
            && pg_sys::check_enable_rls(relation, pg_sys::InvalidOid, true)
                == pg_sys::CheckEnableRlsResult::RLS_ENABLED as i32
    }
}
