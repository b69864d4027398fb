//! What roles may do, and acting as another one for a while.

use pgrx::pg_sys;
use std::ffi::{CStr, CString};

/// While this lives, what is done is done as the given role, and what it calls can neither change the
/// role nor leave anything behind in the session. Made by `access::owner` alone, which says when.
pub(crate) struct ActAs {
    before: (pg_sys::Oid, i32),
}

impl ActAs {
    pub(crate) fn role(role: pg_sys::Oid) -> Self {
        // SAFETY: plain calls; where an error ends the (sub)transaction, Postgres restores the role.
        unsafe {
            let mut before = (pg_sys::InvalidOid, 0);
            pg_sys::GetUserIdAndSecContext(&mut before.0, &mut before.1);
            let restricted =
                pg_sys::SECURITY_LOCAL_USERID_CHANGE | pg_sys::SECURITY_RESTRICTED_OPERATION;
            pg_sys::SetUserIdAndSecContext(role, before.1 | restricted as i32);
            Self { before }
        }
    }
}

impl Drop for ActAs {
    fn drop(&mut self) {
        // While a panic unwinds, Postgres' own abort restores the role.
        if !std::thread::panicking() {
            // SAFETY: as above.
            unsafe { pg_sys::SetUserIdAndSecContext(self.before.0, self.before.1) };
        }
    }
}

/// The role that calls.
pub(crate) fn current() -> pg_sys::Oid {
    // SAFETY: reads a variable.
    unsafe { pg_sys::GetUserId() }
}

/// Whether the role that calls has all that another one has: as a member that inherits, or a superuser.
pub(crate) fn may_act_as(role: pg_sys::Oid) -> bool {
    // SAFETY: a look-up.
    unsafe { pg_sys::has_privs_of_role(current(), role) }
}

/// Whether there is a role of this name.
pub(crate) fn exists(name: &str) -> bool {
    // SAFETY: a look-up by a C string, which lives as long as the call.
    CString::new(name).is_ok_and(|name| unsafe {
        pg_sys::get_role_oid(name.as_ptr(), true) != pg_sys::InvalidOid
    })
}

/// Whether a role is a superuser.
pub(crate) fn is_superuser(role: pg_sys::Oid) -> bool {
    // SAFETY: a look-up.
    unsafe { pg_sys::superuser_arg(role) }
}

/// What a role is called; its number, where it is gone.
pub(crate) fn name(role: pg_sys::Oid) -> String {
    // SAFETY: a look-up that gives a C string, or null where there is no such role.
    unsafe {
        let name = pg_sys::GetUserNameFromId(role, true);
        if name.is_null() {
            return role.to_u32().to_string();
        }
        CStr::from_ptr(name).to_string_lossy().into_owned()
    }
}

/// Whether the role that calls has a right on all of a table.
pub(crate) fn may(right: u32, relation: pg_sys::Oid) -> bool {
    // SAFETY: a look-up; it raises where the table does not exist.
    unsafe {
        let answer = pg_sys::pg_class_aclcheck(relation, current(), right.into());
        answer == pg_sys::AclResult::ACLCHECK_OK
    }
}

/// Whether the role that calls has a right on a table, or on a column of it.
pub(crate) fn may_in_part(right: u32, relation: pg_sys::Oid) -> bool {
    let how = pg_sys::AclMaskHow::ACLMASK_ANY;
    // SAFETY: as above.
    let of_columns = || unsafe {
        pg_sys::pg_attribute_aclcheck_all(relation, current(), right.into(), how)
            == pg_sys::AclResult::ACLCHECK_OK
    };
    may(right, relation) || of_columns()
}

/// Whether policies hold for the role that calls.
pub(crate) fn is_secured(relation: pg_sys::Oid) -> bool {
    // SAFETY: as above; without a role it asks about the current one.
    let answer = unsafe { pg_sys::check_enable_rls(relation, pg_sys::InvalidOid, true) };
    answer == pg_sys::CheckEnableRlsResult::RLS_ENABLED as i32
}

/// Rights as GRANT calls them.
pub(crate) fn rights(mask: pg_sys::AclMode) -> Vec<&'static str> {
    let known = [
        (pg_sys::ACL_SELECT, "SELECT"),
        (pg_sys::ACL_INSERT, "INSERT"),
        (pg_sys::ACL_UPDATE, "UPDATE"),
        (pg_sys::ACL_DELETE, "DELETE"),
    ];
    let is_set = |(bit, _): &(u32, &str)| mask & pg_sys::AclMode::from(*bit) != 0;
    known.into_iter().filter(is_set).map(|(_, name)| name).collect()
}
