//! A look at statements that start, and at those that Postgres refuses because a right is missing.
//!
//! Nothing here may hold a value with a destructor across a call into Postgres: an error jumps over these
//! frames, and goes to where it was going. pgrx's wrappers, which catch errors and raise others in their
//! place, are not used for the same reason.

use super::cluster::names::of_tables;
use super::cluster::{self, narrow, part};
use super::{foreign_keys, role};
use pgrx::pg_sys;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::sync::OnceLock;

/// A right that was missing.
pub(crate) struct Refused<'r> {
    pub(crate) role: &'r str,
    pub(crate) schema: &'r str,
    pub(crate) relation: &'r str,
    /// As GRANT calls them; all that the statement needs on the relation.
    pub(crate) rights: Vec<&'static str>,
}

/// Says what hint to give, if any.
type Hint = fn(&Refused<'_>) -> Option<CString>;

static HINT: OnceLock<Hint> = OnceLock::new();
static BEFORE: OnceLock<pg_sys::ExecutorStart_hook_type> = OnceLock::new();
static BEFORE_END: OnceLock<pg_sys::ExecutorEnd_hook_type> = OnceLock::new();

unsafe extern "C-unwind" {
    fn standard_ExecutorStart(query: *mut pg_sys::QueryDesc, flags: c_int);
    fn standard_ExecutorEnd(query: *mut pg_sys::QueryDesc);
    fn geterrcode() -> c_int;
    fn errhint(format: *const c_char, ...) -> c_int;
    fn get_rel_namespace(relation: pg_sys::Oid) -> pg_sys::Oid;
    fn get_namespace_name(namespace: pg_sys::Oid) -> *mut c_char;
    fn get_rel_name(relation: pg_sys::Oid) -> *mut c_char;
    fn GetUserId() -> pg_sys::Oid;
    fn GetUserNameFromId(role: pg_sys::Oid, missing_ok: bool) -> *mut c_char;
    fn pg_class_aclmask(
        relation: pg_sys::Oid,
        role: pg_sys::Oid,
        mask: pg_sys::AclMode,
        how: pg_sys::AclMaskHow::Type,
    ) -> pg_sys::AclMode;
    fn pstrdup(text: *const c_char) -> *mut c_char;
}

/// Puts the hook in place; once, when the library is loaded.
pub(crate) fn on_missing_right(hint: Hint) {
    // SAFETY: Postgres loads a library in one thread, and reads the hook in the same.
    unsafe {
        if HINT.set(hint).is_ok() && BEFORE.set(pg_sys::ExecutorStart_hook).is_ok() {
            pg_sys::ExecutorStart_hook = Some(start);
        }
        if cluster::is_loaded() && BEFORE_END.set(pg_sys::ExecutorEnd_hook).is_ok() {
            pg_sys::ExecutorEnd_hook = Some(end);
        }
    }
}

unsafe extern "C-unwind" fn start(query: *mut pg_sys::QueryDesc, flags: c_int) {
    // SAFETY: the context lies in this frame as long as it is linked: it is unlinked below, or by
    // whoever catches an error, before its own code goes on.
    unsafe {
        narrow::begin(query);
        part::begin(query);
        let mut context = pg_sys::ErrorContextCallback {
            previous: pg_sys::error_context_stack,
            callback: Some(refused),
            arg: query.cast(),
        };
        pg_sys::error_context_stack = &mut context;
        match BEFORE.get() {
            Some(Some(before)) => before(query, flags),
            _ => standard_ExecutorStart(query, flags),
        }
        pg_sys::error_context_stack = context.previous;
        foreign_keys::started(query);
    }
}

/// Only where a cluster may be.
unsafe extern "C-unwind" fn end(query: *mut pg_sys::QueryDesc) {
    // SAFETY: Postgres calls the hook with a statement that has ended; what was there before ends it.
    unsafe {
        match BEFORE_END.get() {
            Some(Some(before)) => before(query),
            _ => standard_ExecutorEnd(query),
        }
        part::end(query);
    }
}

/// Postgres calls this for every message that is raised while a statement starts.
unsafe extern "C-unwind" fn refused(query: *mut c_void) {
    // SAFETY: the statement is still there. What is looked up was looked up a moment ago to check rights,
    // and is in Postgres' caches. Names are copied before anything else is called.
    unsafe {
        if geterrcode() != pgrx::PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE as c_int {
            return;
        }
        let statement = (*query.cast::<pg_sys::QueryDesc>()).plannedstmt;
        let Some(hint) = HINT.get() else { return };
        if statement.is_null() || (*statement).permInfos.is_null() {
            return;
        }
        let infos = (*statement).permInfos;
        for at in 0..(*infos).length as usize {
            let info = (*(*infos).elements.add(at)).ptr_value.cast::<pg_sys::RTEPermissionInfo>();
            let (relation, needed) = ((*info).relid, (*info).requiredPerms);
            if (*info).checkAsUser != pg_sys::InvalidOid || lacks_none(relation, needed) {
                continue;
            }
            let schema = text(get_namespace_name(get_rel_namespace(relation)));
            let name = text(get_rel_name(relation));
            let role = text(GetUserNameFromId(GetUserId(), true));
            let name = of_tables(name);
            let refused = Refused { role, schema, relation: &name, rights: role::rights(needed) };
            let given = hint(&refused);
            drop(refused);
            drop(name);
            if let Some(given) = given {
                let given = given.into_raw();
                let copy = pstrdup(given);
                drop(CString::from_raw(given));
                errhint(c"%s".as_ptr(), copy);
                return;
            }
        }
    }
}

/// Whether the role has all of the rights on the whole relation.
unsafe fn lacks_none(relation: pg_sys::Oid, needed: pg_sys::AclMode) -> bool {
    // SAFETY: a look-up in the caches.
    unsafe {
        let mode = pg_sys::AclMaskHow::ACLMASK_ALL;
        pg_class_aclmask(relation, GetUserId(), needed, mode) == needed
    }
}

unsafe fn text<'t>(name: *mut c_char) -> &'t str {
    if name.is_null() {
        return "";
    }
    // SAFETY: a C string that Postgres has just made, in memory that lives as long as the message.
    unsafe { CStr::from_ptr(name) }.to_str().unwrap_or_default()
}
