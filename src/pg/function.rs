//! Functions that take no arguments, in the catalog.

use pgrx::pg_sys;
use std::ffi::CStr;

/// A function without arguments, by its name.
pub(crate) fn named(schema: &CStr, name: &CStr) -> Option<pg_sys::Oid> {
    // SAFETY: look-ups by C strings and a list of types, which live as long as the calls.
    let found = unsafe {
        let schema = pg_sys::get_namespace_oid(schema.as_ptr(), true);
        let none = pg_sys::buildoidvector(std::ptr::null(), 0);
        let found = pg_sys::GetSysCacheOid(
            pg_sys::SysCacheIdentifier::PROCNAMEARGSNSP as i32,
            pg_sys::Anum_pg_proc_oid as i16,
            pg_sys::Datum::from(name.as_ptr()),
            pg_sys::Datum::from(none),
            schema.into(),
            pg_sys::Datum::null(),
        );
        pg_sys::pfree(none.cast());
        found
    };
    (found != pg_sys::InvalidOid).then_some(found)
}

/// Whether a role may execute a function.
pub(crate) fn may_execute(function: pg_sys::Oid, role: pg_sys::Oid) -> bool {
    // SAFETY: a look-up.
    let answer = unsafe {
        let execute = pg_sys::ACL_EXECUTE.into();
        pg_sys::object_aclcheck(pg_sys::ProcedureRelationId, function, role, execute)
    };
    answer == pg_sys::AclResult::ACLCHECK_OK
}
