//! Within a part, statements on Kepler's tables are planned on the part's shards of them.
//!
//! They stay as they were written; the planner gets the oids of the shards, whose columns, indexes, checks and triggers
//! are those of the tables. (Where columns have other numbers, `columns` sees to it.) Policies are those of the tables, which were put into the statement before it is planned.
//!
//! A plan belongs to the part that it was made in. Statements of Rust keep one for each part (`plan`). Those that Postgres
//! keeps for functions in SQL and PL/pgSQL carry a mark, and are planned anew after a change of the part.

// As in `planner`: errors pass through as Postgres raised them, so no value with a destructor is on their way.

use super::{columns, is_loaded, part, places};
use crate::error::{Error, Report};
use pgrx::pg_sys;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{PgLogLevel, PgSqlErrorCode};
use std::cell::Cell;
use std::ffi::{CStr, c_int, c_void};

unsafe extern "C-unwind" {
    fn LockRelationOid(relation: pg_sys::Oid, mode: pg_sys::LOCKMODE);
    fn palloc0(size: usize) -> *mut c_void;
    fn lappend(list: *mut pg_sys::List, item: *mut c_void) -> *mut pg_sys::List;
    fn CallSyscacheCallbacks(cache: c_int, hash: u32);
    fn query_tree_walker_impl(
        query: *mut pg_sys::Query,
        walker: pg_sys::tree_walker_callback,
        context: *mut c_void,
        flags: c_int,
    ) -> bool;
    fn expression_tree_walker_impl(
        node: *mut pg_sys::Node,
        walker: pg_sys::tree_walker_callback,
        context: *mut c_void,
    ) -> bool;
}

/// Of no function: what depends on it is planned anew when the session goes to another part.
const MARK: u32 = 0x6B70_6C72;

thread_local! {
    /// The part in which plans with the mark were made.
    static PLANNED_IN: Cell<u32> = const { Cell::new(0) };
    /// Whether what is planned is kept for its part.
    static KEPT: Cell<bool> = const { Cell::new(false) };
}

/// A statement writes to a table that lies on every node.
#[derive(Debug, thiserror::Error)]
#[error("\"{0}\" cannot be written to from within a workspace's part of the cluster")]
struct Everywhere(String);

impl Report for Everywhere {
    fn code(&self) -> PgSqlErrorCode {
        PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED
    }

    fn detail(&self) -> Option<String> {
        Some("Its rows lie on every node, and all of them would have to change.".to_owned())
    }

    fn hint(&self) -> Option<String> {
        Some("Call the function on the coordinator by itself, and not from a query on distributed tables.".to_owned())
    }
}

/// While this lives, plans that are made are kept for the part that they are made in.
pub(in crate::pg) struct KeptForPart(bool);

impl KeptForPart {
    pub(in crate::pg) fn begin() -> Self {
        Self(KEPT.replace(true))
    }
}

/// Also while an error unwinds.
impl Drop for KeptForPart {
    fn drop(&mut self) {
        KEPT.set(self.0);
    }
}

/// Puts shards in the place of tables. Gives whether the plan needs the mark.
///
/// # Safety
/// A query that the planner was given.
pub(in crate::pg) unsafe fn place(query: *mut pg_sys::Query) -> bool {
    if !is_loaded() {
        return false;
    }
    // Only the first plan may be one that is kept.
    let is_kept = KEPT.replace(false);
    let mut found = false;
    // SAFETY: the walker reads the nodes that Postgres hands it.
    unsafe {
        visit(query.cast(), (&raw mut found).cast());
    }
    if found && !is_kept {
        let part = part::current();
        if PLANNED_IN.replace(part) != part {
            // SAFETY: tells whoever keeps plans; raises nothing.
            unsafe { CallSyscacheCallbacks(pg_sys::SysCacheIdentifier::PROCOID as c_int, MARK) };
        }
    }
    found && !is_kept
}

/// Puts the mark on a plan.
///
/// # Safety
/// A plan that was just made, in the memory that it lies in.
pub(in crate::pg) unsafe fn mark(statement: *mut pg_sys::PlannedStmt) {
    // SAFETY: as the caller says; nodes are made as Postgres makes them.
    unsafe {
        if statement.is_null() {
            return;
        }
        let item = palloc0(size_of::<pg_sys::PlanInvalItem>()).cast::<pg_sys::PlanInvalItem>();
        (*item).type_ = pg_sys::NodeTag::T_PlanInvalItem;
        (*item).cacheId = pg_sys::SysCacheIdentifier::PROCOID as c_int;
        (*item).hashValue = MARK;
        (*statement).invalItems = lappend((*statement).invalItems, item.cast());
    }
}

/// The session works in another part than before: plans with the mark that were made there do not hold.
pub(in crate::pg) fn part_begins(part: u32) {
    if PLANNED_IN.replace(part) != part {
        // SAFETY: as above.
        unsafe { CallSyscacheCallbacks(pg_sys::SysCacheIdentifier::PROCOID as c_int, MARK) };
    }
}

unsafe extern "C-unwind" fn visit(node: *mut pg_sys::Node, found: *mut c_void) -> bool {
    // SAFETY: Postgres walks the tree with this function; a node's tag says what it is.
    unsafe {
        if node.is_null() {
            return false;
        }
        if (*node).type_ != pg_sys::NodeTag::T_Query {
            return expression_tree_walker_impl(node, Some(visit), found);
        }
        let query = node.cast::<pg_sys::Query>();
        for at in 0..pg_sys::list_length((*query).rtable) {
            let entry = pg_sys::list_nth((*query).rtable, at).cast::<pg_sys::RangeTblEntry>();
            if (*entry).rtekind != pg_sys::RTEKind::RTE_RELATION {
                continue;
            }
            if part::is_in_own_schema((*entry).relid) {
                *found.cast::<bool>() = true;
            }
            let shard = part::shard_of((*entry).relid);
            if shard == pg_sys::InvalidOid {
                continue;
            }
            if (*query).resultRelation == at + 1 && part::is_everywhere((*entry).relid) {
                refuse((*entry).relid);
            }
            LockRelationOid(shard, (*entry).rellockmode);
            let numbers = columns::numbers((*entry).relid, shard);
            if !numbers.is_null() {
                columns::place(query, at + 1, shard, numbers);
            }
            let conflict = (*query).onConflict;
            if (*query).resultRelation == at + 1
                && !conflict.is_null()
                && (*conflict).constraint != pg_sys::InvalidOid
            {
                (*conflict).constraint = constraint_of((*conflict).constraint, shard);
            }
            let entry = pg_sys::list_nth((*query).rtable, at).cast::<pg_sys::RangeTblEntry>();
            (*entry).relid = shard;
        }
        for at in 0..pg_sys::list_length((*query).rteperminfos) {
            let info =
                pg_sys::list_nth((*query).rteperminfos, at).cast::<pg_sys::RTEPermissionInfo>();
            let shard = part::shard_of((*info).relid);
            if shard != pg_sys::InvalidOid {
                let numbers = columns::numbers((*info).relid, shard);
                if !numbers.is_null() {
                    columns::place_rights(info, numbers);
                }
                (*info).relid = shard;
            }
        }
        query_tree_walker_impl(query, Some(visit), found, 0)
    }
}

/// What stands for a constraint of a table in a shard.
#[pgrx::pg_guard]
unsafe extern "C-unwind" fn constraint_of(
    constraint: pg_sys::Oid,
    shard: pg_sys::Oid,
) -> pg_sys::Oid {
    // SAFETY: look-ups in the catalog; a name is a C string or null.
    unsafe {
        let index = places::index_of(pg_sys::get_constraint_index(constraint), shard);
        let found = index.map(|index| pg_sys::get_index_constraint(index));
        found.filter(|found| *found != pg_sys::InvalidOid).unwrap_or(constraint)
    }
}

#[pgrx::pg_guard]
unsafe extern "C-unwind" fn refuse(table: pg_sys::Oid) {
    // SAFETY: a look-up.
    let name = unsafe {
        let name = pg_sys::get_rel_name(table);
        if name.is_null() {
            String::new()
        } else {
            CStr::from_ptr(name).to_string_lossy().into_owned()
        }
    };
    ErrorReport::from(Error::from(Everywhere(name))).report(PgLogLevel::ERROR);
}
