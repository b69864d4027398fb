//! Values of identity columns, taken and skipped without SQL.

use crate::pg::plan::Statement;
use pgrx::pg_sys;

unsafe extern "C-unwind" {
    /// `src/include/commands/sequence.h` of Postgres 16 to 18.
    fn nextval_internal(relid: pg_sys::Oid, check_permissions: bool) -> i64;
}

/// The next value of the sequence behind an identity column. As in Postgres' own inserts, whoever may
/// write to the table needs no privilege on the sequence.
pub(crate) fn next_of_identity(sequence: pg_sys::Oid) -> i64 {
    // SAFETY: raises where the sequence is not there, or at its end; the guard turns that into a panic
    // as it does for all of pgrx's bindings.
    unsafe { pg_sys::ffi::pg_guard_ffi_boundary(|| nextval_internal(sequence, false)) }
}

/// Whether the user may set the sequence.
pub(crate) fn may_set(sequence: pg_sys::Oid) -> bool {
    // SAFETY: plain look-ups.
    unsafe {
        let allowed = pg_sys::AclResult::ACLCHECK_OK;
        pg_sys::pg_class_aclcheck(sequence, pg_sys::GetUserId(), pg_sys::ACL_UPDATE.into())
            == allowed
    }
}

/// Keeps all others out who would set the sequence, and nobody who takes values from it.
pub(crate) struct Setting(pg_sys::Oid);

impl Setting {
    pub(crate) fn begin(sequence: pg_sys::Oid) -> Self {
        // SAFETY: a lock that an error gives back with the transaction.
        unsafe {
            pg_sys::LockRelationOid(sequence, pg_sys::ShareUpdateExclusiveLock as i32);
        }
        Self(sequence)
    }
}

impl Drop for Setting {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: gives back what `begin` took.
            unsafe {
                pg_sys::UnlockRelationOid(self.0, pg_sys::ShareUpdateExclusiveLock as i32);
            }
        }
    }
}

thread_local! {
    /// `setval`, which asks for the privilege.
    pub(crate) static SET: Statement = const { Statement::new(
        c"SELECT pg_catalog.setval($1::pg_catalog.regclass, $2)",
        &[pg_sys::OIDOID, pg_sys::INT8OID],
    ) };
}
