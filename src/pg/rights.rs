//! A second look at rights: where Postgres has found that a role may do something to a table, whoever knows more may
//! refuse it. Asked for every statement, COPY included, and by Kepler's functions that check rights themselves.

use crate::error::Error;
use pgrx::pg_sys;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use std::sync::OnceLock;

/// What of a table the rights are needed on, if they can be granted on columns.
#[derive(Clone, Copy)]
pub(crate) enum Of<'c> {
    Table,
    Columns { inserted: &'c [i16], updated: &'c [i16] },
    SomeColumn,
}

/// What a role is about to do.
pub(crate) struct Wanted<'w> {
    pub(crate) user: pg_sys::Oid,
    pub(crate) relation: pg_sys::Oid,
    pub(crate) rights: pg_sys::AclMode,
    pub(crate) of: Of<'w>,
}

/// Refuses, or not. Called for every table of every statement.
type Check = fn(&Wanted<'_>) -> Result<(), Error>;

static CHECK: OnceLock<Check> = OnceLock::new();
static BEFORE: OnceLock<pg_sys::ExecutorCheckPerms_hook_type> = OnceLock::new();

/// Puts the hook in place; once, when the library is loaded.
pub(crate) fn register(check: Check) {
    // SAFETY: Postgres loads a library in one thread, and reads the hook in the same.
    unsafe {
        if CHECK.set(check).is_ok() && BEFORE.set(pg_sys::ExecutorCheckPerms_hook).is_ok() {
            pg_sys::ExecutorCheckPerms_hook = Some(hook);
        }
    }
}

/// Fails where the rights that Postgres has found do not hold.
pub(crate) fn check(wanted: &Wanted<'_>) -> Result<(), Error> {
    CHECK.get().map_or(Ok(()), |check| check(wanted))
}

/// Whether they hold.
pub(super) fn are_within(
    user: pg_sys::Oid,
    relation: pg_sys::Oid,
    rights: pg_sys::AclMode,
    of: Of<'_>,
) -> bool {
    check(&Wanted { user, relation, rights, of }).is_ok()
}

/// Postgres calls this after its own look at the rights of a statement.
unsafe extern "C-unwind" fn hook(
    tables: *mut pg_sys::List,
    infos: *mut pg_sys::List,
    raise: bool,
) -> bool {
    // SAFETY: what Postgres passes on. Nothing in this frame has a destructor: an error of another hook jumps over it.
    unsafe {
        if !allowed(infos, raise) {
            return false;
        }
        match BEFORE.get() {
            Some(Some(before)) => before(tables, infos, raise),
            _ => true,
        }
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn allowed(infos: *mut pg_sys::List, raise: bool) -> bool {
    // SAFETY: a list of what a statement needs, which is there as long as the statement.
    unsafe {
        if infos.is_null() {
            return true;
        }
        for at in 0..(*infos).length as usize {
            let info = (*(*infos).elements.add(at)).ptr_value.cast::<pg_sys::RTEPermissionInfo>();
            if (*info).requiredPerms == 0 {
                continue;
            }
            let user = match (*info).checkAsUser {
                pg_sys::InvalidOid => pg_sys::GetUserId(),
                other => other,
            };
            let (inserted, updated) = (columns((*info).insertedCols), columns((*info).updatedCols));
            let checked = check(&Wanted {
                user,
                relation: (*info).relid,
                rights: (*info).requiredPerms,
                of: Of::Columns { inserted: &inserted, updated: &updated },
            });
            if let Err(error) = checked {
                if raise {
                    ErrorReport::from(error).report(PgLogLevel::ERROR);
                }
                return false;
            }
        }
        true
    }
}

/// The numbers of columns in a set as rights have them.
unsafe fn columns(set: *const pg_sys::Bitmapset) -> Vec<i16> {
    let mut found = Vec::new();
    let mut at = -1;
    loop {
        // SAFETY: a set of Postgres', or none.
        at = unsafe { pg_sys::bms_next_member(set, at) };
        if at < 0 {
            return found;
        }
        found.extend(i16::try_from(at + pg_sys::FirstLowInvalidHeapAttributeNumber));
    }
}
