//! Leaves checks of foreign keys out of a statement whose rows all refer to the same row.
//!
//! Postgres checks a foreign key by a query for each row, which costs 3 µs where inserting a record takes 16. Where
//! the key has the same value in all rows of several statements, the check of the last row answers for all: a row
//! that is there then, and from then on locked, is there for the rows before it too, whatever was deleted in between.
//! So the caller inserts the last row by a statement of its own, in the same subtransaction, with all checks.
//!
//! A check stays where a trigger or a rule may give rows another key or leave the last one out, and where it may be
//! deferred: at the end of the transaction the last row may be gone, and its check with it.

// Nothing here has a destructor, and what may raise an error is no wrapper of pgrx: errors jump over these frames.

use super::row_change::attribute;
use pgrx::pg_sys;
use std::cell::Cell;
use std::ffi::CStr;

unsafe extern "C-unwind" {
    fn RelationGetFKeyList(relation: pg_sys::Relation) -> *mut pg_sys::List;
}

/// A statement that is about to start, and the columns that have the same value in all of its rows.
#[derive(Clone, Copy)]
struct Expected {
    statement: *mut pg_sys::PlannedStmt,
    constant: &'static [&'static CStr],
}

thread_local! {
    static EXPECTED: Cell<Option<Expected>> = const { Cell::new(None) };
}

/// While this lives, the statement starts without the checks of keys that consist of `constant` columns.
pub(super) struct Unchecked(());

impl Unchecked {
    pub(super) fn begin(
        statement: *mut pg_sys::PlannedStmt,
        constant: &'static [&'static CStr],
    ) -> Self {
        EXPECTED.set(Some(Expected { statement, constant }));
        Self(())
    }
}

/// Also while an error unwinds.
impl Drop for Unchecked {
    fn drop(&mut self) {
        EXPECTED.set(None);
    }
}

/// Called for every statement that has started.
///
/// # Safety
/// The executor has just started the query.
pub(super) unsafe fn started(query: *mut pg_sys::QueryDesc) {
    // SAFETY: what has started has a state, which lists the relations that it writes to. Each has a copy of its
    // triggers that is the statement's alone.
    unsafe {
        let Some(expected) = EXPECTED.get() else { return };
        if (*query).plannedstmt != expected.statement {
            return;
        }
        EXPECTED.set(None);
        let relations = (*(*query).estate).es_opened_result_relations;
        if (*query).operation != pg_sys::CmdType::CMD_INSERT || relations.is_null() {
            return;
        }
        for at in 0..(*relations).length as usize {
            leave_out((*(*relations).elements.add(at)).ptr_value.cast(), expected.constant);
        }
    }
}

unsafe fn leave_out(target: *mut pg_sys::ResultRelInfo, constant: &[&CStr]) {
    // SAFETY: as for `started`.
    unsafe {
        let (relation, triggers) = ((*target).ri_RelationDesc, (*target).ri_TrigDesc);
        if triggers.is_null()
            || (*triggers).trig_insert_before_row
            || (*triggers).trig_insert_instead_row
            || !(*relation).rd_rules.is_null()
        {
            return;
        }
        for at in 0..(*triggers).numtriggers as usize {
            let trigger = &mut *(*triggers).triggers.add(at);
            if trigger.tgfoid == pg_sys::Oid::from(pg_sys::F_RI_FKEY_CHECK_INS)
                && !trigger.tgdeferrable
                && consists_of(relation, trigger.tgconstraint, constant)
            {
                trigger.tgenabled = pg_sys::TRIGGER_DISABLED as std::ffi::c_char;
            }
        }
    }
}

/// Whether a foreign key of a relation has no other columns than these.
unsafe fn consists_of(
    relation: pg_sys::Relation,
    constraint: pg_sys::Oid,
    columns: &[&CStr],
) -> bool {
    // SAFETY: Postgres' own list of the keys, of which each has as many columns as it says.
    unsafe {
        let keys = RelationGetFKeyList(relation);
        if keys.is_null() {
            return false;
        }
        for at in 0..(*keys).length as usize {
            let key = (*(*keys).elements.add(at)).ptr_value.cast::<pg_sys::ForeignKeyCacheInfo>();
            let key = &*key;
            if key.conoid == constraint {
                return key.conkey[..key.nkeys as usize].iter().all(|&number| {
                    let column = attribute((*relation).rd_att, number as usize);
                    columns.contains(&CStr::from_ptr((*column).attname.data.as_ptr()))
                });
            }
        }
    }
    false
}
