//! Columns of a shard that are counted otherwise than those of its table.
//!
//! Citus makes a shard that comes from another node from what its table is then: columns that were dropped before are not there, and
//! those behind them have other numbers. A statement that was written for the table is told the numbers of the shard.

// As in `planner`: errors pass through as Postgres raised them, so no value with a destructor is on their way.

use pgrx::pg_sys;
use std::ffi::c_int;
use std::ptr;

unsafe extern "C-unwind" {
    fn relation_open(relation: pg_sys::Oid, mode: pg_sys::LOCKMODE) -> pg_sys::Relation;
    fn relation_close(relation: pg_sys::Relation, mode: pg_sys::LOCKMODE);
    fn build_attrmap_by_name_if_req(
        given: pg_sys::TupleDesc,
        wanted: pg_sys::TupleDesc,
        may_lack: bool,
    ) -> *mut pg_sys::AttrMap;
    fn map_variable_attnos(
        node: *mut pg_sys::Node,
        entry: c_int,
        levels_up: c_int,
        numbers: *const pg_sys::AttrMap,
        row_type: pg_sys::Oid,
        found_whole_row: *mut bool,
    ) -> *mut pg_sys::Node;
    fn bms_next_member(set: *const pg_sys::Bitmapset, before: c_int) -> c_int;
    fn bms_add_member(set: *mut pg_sys::Bitmapset, member: c_int) -> *mut pg_sys::Bitmapset;
    fn get_rel_type_id(relation: pg_sys::Oid) -> pg_sys::Oid;
    fn lappend(list: *mut pg_sys::List, item: *mut std::ffi::c_void) -> *mut pg_sys::List;
}

/// The numbers that the columns of a table have in a shard, which are both locked; null where they are the same.
///
/// # Safety
/// Called where no value with a destructor is on the way of an error.
pub(super) unsafe fn numbers(table: pg_sys::Oid, shard: pg_sys::Oid) -> *mut pg_sys::AttrMap {
    // SAFETY: as the caller says; both are closed again, and what is made lies in the memory of the moment.
    unsafe {
        let opened = relation_open(table, pg_sys::NoLock as i32);
        let of_shard = relation_open(shard, pg_sys::NoLock as i32);
        let numbers = build_attrmap_by_name_if_req((*of_shard).rd_att, (*opened).rd_att, true);
        relation_close(of_shard, pg_sys::NoLock as i32);
        relation_close(opened, pg_sys::NoLock as i32);
        numbers
    }
}

/// # Safety
/// Numbers of columns; `number` is of a column of the table.
unsafe fn number(numbers: *const pg_sys::AttrMap, number: i16) -> i16 {
    // SAFETY: as the caller says.
    unsafe {
        if number > 0 && i32::from(number) <= (*numbers).maplen {
            *(*numbers).attnums.add(number as usize - 1)
        } else {
            number
        }
    }
}

/// Has a query name the columns of a shard, in all that it says of the entry of its table, which is at this place in its list.
///
/// # Safety
/// A query that the planner was given.
pub(super) unsafe fn place(
    query: *mut pg_sys::Query,
    entry: c_int,
    shard: pg_sys::Oid,
    numbers: *const pg_sys::AttrMap,
) {
    // SAFETY: as the caller says; a node's tag says what it is, and lists of targets have such entries.
    unsafe {
        let mut found_whole_row = false;
        let row_type = get_rel_type_id(shard);
        let mapped =
            map_variable_attnos(query.cast(), entry, 0, numbers, row_type, &mut found_whole_row);
        ptr::copy(mapped.cast::<pg_sys::Query>(), query, 1);
        let conflict = (*query).onConflict;
        if (*query).resultRelation == entry {
            use pg_sys::CmdType::{CMD_INSERT, CMD_UPDATE};
            if matches!((*query).commandType, CMD_INSERT | CMD_UPDATE) {
                place_targets((*query).targetList, numbers);
            }
            for at in 0..pg_sys::list_length((*query).mergeActionList) {
                let action =
                    pg_sys::list_nth((*query).mergeActionList, at).cast::<pg_sys::MergeAction>();
                if matches!((*action).commandType, CMD_INSERT | CMD_UPDATE) {
                    place_targets((*action).targetList, numbers);
                }
            }
            if !conflict.is_null() {
                place_targets((*conflict).onConflictSet, numbers);
            }
        }
        if !conflict.is_null() && (*conflict).exclRelIndex == entry {
            (*conflict).exclRelTlist = excluded((*conflict).exclRelTlist);
        }
    }
}

/// # Safety
/// Entries for columns of the table.
unsafe fn place_targets(targets: *mut pg_sys::List, numbers: *const pg_sys::AttrMap) {
    // SAFETY: as the caller says.
    unsafe {
        for at in 0..pg_sys::list_length(targets) {
            let target = pg_sys::list_nth(targets, at).cast::<pg_sys::TargetEntry>();
            if !(*target).resjunk {
                (*target).resno = number(numbers, (*target).resno);
            }
        }
    }
}

/// The columns of EXCLUDED, each at its own number: those that were dropped are not among them.
///
/// # Safety
/// Entries of a column or of the whole row each, which have the numbers of the shard.
unsafe fn excluded(targets: *mut pg_sys::List) -> *mut pg_sys::List {
    // SAFETY: as the caller says.
    unsafe {
        let mut kept = ptr::null_mut();
        for at in 0..pg_sys::list_length(targets) {
            let target = pg_sys::list_nth(targets, at).cast::<pg_sys::TargetEntry>();
            if (*(*target).expr).type_ == pg_sys::NodeTag::T_ConvertRowtypeExpr {
                (*target).expr = (*(*target).expr.cast::<pg_sys::ConvertRowtypeExpr>()).arg;
            }
            if (*(*target).expr).type_ == pg_sys::NodeTag::T_Var {
                (*target).resno = (*(*target).expr.cast::<pg_sys::Var>()).varattno;
                kept = lappend(kept, target.cast());
            }
        }
        kept
    }
}

/// Has what a statement needs rights on be columns of the shard.
///
/// # Safety
/// Rights on the table.
pub(super) unsafe fn place_rights(
    rights: *mut pg_sys::RTEPermissionInfo,
    numbers: *const pg_sys::AttrMap,
) {
    // SAFETY: as the caller says.
    unsafe {
        for columns in [
            &raw mut (*rights).selectedCols,
            &raw mut (*rights).insertedCols,
            &raw mut (*rights).updatedCols,
        ] {
            let mut placed = ptr::null_mut();
            let mut member = -1;
            loop {
                member = bms_next_member(*columns, member);
                if member < 0 {
                    break;
                }
                let of_table = member + pg_sys::FirstLowInvalidHeapAttributeNumber;
                let of_shard = number(numbers, of_table as i16);
                placed = bms_add_member(
                    placed,
                    i32::from(of_shard) - pg_sys::FirstLowInvalidHeapAttributeNumber,
                );
            }
            *columns = placed;
        }
    }
}
