//! What roles may do, and acting as another one for a while.

use super::rights;
use pgrx::pg_sys;
use std::cell::Cell;
use std::ffi::{CStr, CString};

/// While this lives, what is done is done as the given role, and what it calls can neither change the
/// role nor leave anything behind in the session. Made by `access::owner` alone, which says when.
pub(crate) struct ActAs {
    before: (pg_sys::Oid, i32),
    /// Of settings: whatever is set meanwhile, also by code of the role, is not set afterwards.
    nest_level: i32,
}

/// The search path of all of Kepler's own statements.
const SEARCH_PATH: &CStr = c"pg_catalog, pg_temp";

impl ActAs {
    pub(crate) fn role(role: pg_sys::Oid) -> Self {
        // SAFETY: plain calls; where an error ends the (sub)transaction, Postgres restores the role.
        unsafe {
            let mut before = (pg_sys::InvalidOid, 0);
            pg_sys::GetUserIdAndSecContext(&mut before.0, &mut before.1);
            let restricted =
                pg_sys::SECURITY_LOCAL_USERID_CHANGE | pg_sys::SECURITY_RESTRICTED_OPERATION;
            pg_sys::SetUserIdAndSecContext(role, before.1 | restricted as i32);
            let nest_level = pg_sys::NewGUCNestLevel();
            // Code of another role may have set it, where this role acts inside of what that one does.
            let path = pg_sys::namespace_search_path;
            if path.is_null() || CStr::from_ptr(path) != SEARCH_PATH {
                pg_sys::set_config_option(
                    c"search_path".as_ptr(),
                    SEARCH_PATH.as_ptr(),
                    pg_sys::GucContext::PGC_USERSET,
                    pg_sys::GucSource::PGC_S_SESSION,
                    pg_sys::GucAction::GUC_ACTION_SAVE,
                    true,
                    0,
                    false,
                );
            }
            Self { before, nest_level }
        }
    }
}

impl Drop for ActAs {
    fn drop(&mut self) {
        // While a panic unwinds, Postgres' own abort restores the role and the settings.
        if !std::thread::panicking() {
            // SAFETY: as above; closes the nest level that `role` opened, as an abort would.
            unsafe {
                pg_sys::AtEOXact_GUC(false, self.nest_level);
                pg_sys::SetUserIdAndSecContext(self.before.0, self.before.1);
            }
        }
    }
}

/// The role that calls.
pub(crate) fn current() -> pg_sys::Oid {
    // As Postgres has it: it is asked often, and raises nothing.
    unsafe extern "C-unwind" {
        fn GetUserId() -> pg_sys::Oid;
    }
    // SAFETY: reads a variable.
    unsafe { GetUserId() }
}

/// The role that the session acts as, also inside of functions that lend the rights of another one: who logged in, or whom
/// SET ROLE named.
pub(crate) fn outer() -> pg_sys::Oid {
    // As Postgres has it: it is asked for each row, and raises nothing.
    unsafe extern "C-unwind" {
        fn GetOuterUserId() -> pg_sys::Oid;
    }
    // SAFETY: reads a variable.
    unsafe { GetOuterUserId() }
}

/// Whether a role has all that another one has.
pub(crate) fn has_privileges_of(role: pg_sys::Oid, other: pg_sys::Oid) -> bool {
    // SAFETY: a look-up.
    unsafe { pg_sys::has_privs_of_role(role, other) }
}

/// The roles whose privileges a role has, itself first. Of a superuser, who has all, those that it is a member of.
pub(crate) fn with_privileges_of(role: pg_sys::Oid) -> Vec<pg_sys::Oid> {
    let mut found = vec![role, pg_sys::Oid::from(pg_sys::ROLE_PG_DATABASE_OWNER)];
    let mut at = 0;
    while let Some(member) = found.get(at).copied() {
        at += 1;
        for of in memberships(member) {
            if !found.contains(&of) {
                found.push(of);
            }
        }
    }
    // Not all memberships inherit.
    found.retain(|other| has_privileges_of(role, *other));
    found
}

/// The roles that a role was made a member of.
fn memberships(member: pg_sys::Oid) -> Vec<pg_sys::Oid> {
    let none = pg_sys::Datum::null();
    let mut found = Vec::new();
    // SAFETY: a list of the cache, which is given back; each member of it is a row of `pg_auth_members`, which begins with
    // four oids in Postgres 16 to 18: its own, the role's, the member's, and the grantor's.
    unsafe {
        let list = pg_sys::SearchSysCacheList(
            pg_sys::SysCacheIdentifier::AUTHMEMMEMROLE as i32,
            1,
            member.into(),
            none,
            none,
        );
        let members = (*list).members.as_ptr();
        for at in 0..(*list).n_members as usize {
            let row = (**members.add(at)).tuple.t_data;
            let fields = row.cast::<u8>().add((*row).t_hoff.into());
            found.push(*fields.cast::<pg_sys::Oid>().add(1));
        }
        pg_sys::ReleaseCatCacheList(list);
    }
    found
}

/// The number of a role, if there is one of this name.
pub(crate) fn named(name: &str) -> Option<pg_sys::Oid> {
    let name = CString::new(name).ok()?;
    // SAFETY: a look-up by a C string, which lives as long as the call.
    let found = unsafe { pg_sys::get_role_oid(name.as_ptr(), true) };
    (found != pg_sys::InvalidOid).then_some(found)
}

/// A role, and the cluster that it is a role of: no other role has ever had this.
pub(crate) fn identity(role: pg_sys::Oid) -> String {
    // SAFETY: reads a variable of the server.
    let cluster = unsafe { pg_sys::GetSystemIdentifier() };
    format!("{cluster}/{}", role.to_u32())
}

/// Whether an identity, or none, is of a role of another cluster.
pub(crate) fn is_of_another_cluster(identity: Option<&str>) -> bool {
    let cluster = |identity: &str| identity.split('/').next().unwrap_or_default().to_owned();
    identity.is_none_or(|of| cluster(of) != cluster(&self::identity(pg_sys::InvalidOid)))
}

thread_local! {
    static ROLES: Cell<u64> = const { Cell::new(0) };
}

/// Postgres calls this whenever a role changes, or who is a member of whom.
#[pgrx::pg_guard]
unsafe extern "C-unwind" fn roles_changed(_argument: pg_sys::Datum, _cache: i32, _hash: u32) {
    ROLES.set(ROLES.get() + 1);
}

/// A number that is another one as soon as anything about any role has changed, as far as the session has heard of it:
/// `relation::generation` listens.
pub(crate) fn generation() -> u64 {
    if ROLES.get() == 0 {
        ROLES.set(1);
        use pg_sys::SysCacheIdentifier::*;
        for cache in [AUTHOID, AUTHMEMROLEMEM, DATABASEOID] {
            // SAFETY: registered once in a session; the function lives as long as the library.
            unsafe {
                let none = pg_sys::Datum::null();
                pg_sys::CacheRegisterSyscacheCallback(cache as i32, Some(roles_changed), none);
            }
        }
    }
    ROLES.get()
}

/// The roles that a right on a column was granted to, by itself and not with the whole table.
pub(crate) fn granted_column(right: u32, relation: pg_sys::Oid, column: &CStr) -> Vec<pg_sys::Oid> {
    let none = pg_sys::Datum::null();
    // SAFETY: the row of the catalog is held while it is read.
    unsafe {
        let cache = pg_sys::SysCacheIdentifier::ATTNAME as i32;
        let name = pg_sys::Datum::from(column.as_ptr());
        let row = pg_sys::SearchSysCache(cache, relation.into(), name, none, none);
        if row.is_null() {
            return Vec::new();
        }
        let mut is_null = true;
        let list = pg_sys::SysCacheGetAttr(
            cache,
            row,
            pg_sys::Anum_pg_attribute_attacl as i16,
            &mut is_null,
        );
        let found = if is_null { Vec::new() } else { grantees(list, right) };
        pg_sys::ReleaseSysCache(row);
        found
    }
}

/// Those whom a list of rights gives one.
///
/// # Safety
/// `list` is a list of rights, as the catalog has it.
unsafe fn grantees(list: pg_sys::Datum, right: u32) -> Vec<pg_sys::Oid> {
    // SAFETY: an array of one dimension without NULLs, whose elements begin behind its header.
    unsafe {
        let array = pg_sys::pg_detoast_datum(list.cast_mut_ptr()).cast::<pg_sys::ArrayType>();
        debug_assert_eq!((*array).ndim, 1);
        let size = size_of::<pg_sys::ArrayType>();
        let length = *array.cast::<u8>().add(size).cast::<i32>();
        let items = array.cast::<u8>().add((size + 8).next_multiple_of(8));
        let items = items.cast::<pg_sys::AclItem>();
        (0..usize::try_from(length).unwrap_or(0))
            .map(|at| &*items.add(at))
            .filter(|item| item.ai_privs & pg_sys::AclMode::from(right) != 0)
            .map(|item| item.ai_grantee)
            .collect()
    }
}

/// Whether a right on a table was granted to a role itself, and not to one that it is a member of.
pub(crate) fn is_granted(right: u32, relation: pg_sys::Oid, role: pg_sys::Oid) -> bool {
    let none = pg_sys::Datum::null();
    // SAFETY: the row of the catalog is held while it is read.
    unsafe {
        let cache = pg_sys::SysCacheIdentifier::RELOID as i32;
        let row = pg_sys::SearchSysCache(cache, relation.into(), none, none, none);
        if row.is_null() {
            return false;
        }
        let mut is_null = true;
        let number = pg_sys::Anum_pg_class_relacl as i16;
        let list = pg_sys::SysCacheGetAttr(cache, row, number, &mut is_null);
        let granted = !is_null && grantees(list, right).contains(&role);
        pg_sys::ReleaseSysCache(row);
        granted
    }
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

/// Whether there is a role with this number.
pub(crate) fn is_there(role: pg_sys::Oid) -> bool {
    // SAFETY: a look-up that gives a C string, or null where there is no such role.
    unsafe { !pg_sys::GetUserNameFromId(role, true).is_null() }
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

/// Whether the role that calls has a right on all of a table, in the workspace that it works in.
pub(crate) fn may(right: u32, relation: pg_sys::Oid) -> bool {
    // SAFETY: a look-up; it raises where the table does not exist.
    let answer = unsafe { pg_sys::pg_class_aclcheck(relation, current(), right.into()) };
    answer == pg_sys::AclResult::ACLCHECK_OK
        && rights::are_within(current(), relation, right.into(), rights::Of::Table)
}

/// Whether the role that calls has a right on a table, or on a column of it.
pub(crate) fn may_in_part(right: u32, relation: pg_sys::Oid) -> bool {
    let how = pg_sys::AclMaskHow::ACLMASK_ANY;
    // SAFETY: as above.
    let of_columns = || unsafe {
        pg_sys::pg_attribute_aclcheck_all(relation, current(), right.into(), how)
            == pg_sys::AclResult::ACLCHECK_OK
            && rights::are_within(current(), relation, right.into(), rights::Of::SomeColumn)
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
