//! Planning for tables that will be large.
//!
//! A statement that is planned once and kept must fit when its table has grown. Postgres plans by the
//! sizes it knows: where a table was small when it was last analysed, it reads all of it, by whichever
//! index, and looks each row up in the batch, a thousand times slower later on. So the kept statements
//! are planned as if every table were large, and without its statistics: a sample of one row says that
//! every column is unique.
//!
//! Where a query is to be answered by one of several indexes that give rows in the order that is asked for,
//! the others are hidden from the planner: it would choose by cost, and they are searched in other ways.

use crate::settings;
use pgrx::pg_sys;
use std::cell::Cell;
use std::sync::OnceLock;

/// Rows of a large table, and of a page of it and of an index on it.
const ROWS: f64 = 1e7;
const ROWS_A_PAGE: f64 = 20.0;
const ROWS_AN_INDEX_PAGE: f64 = 100.0;
/// Levels of a B-tree of that size above its leaves.
const HEIGHT: i32 = 3;

thread_local! {
    static ACTIVE: Cell<u32> = const { Cell::new(0) };
    /// The only index that may give rows in the order of an operator.
    static ONLY: Cell<pg_sys::Oid> = const { Cell::new(pg_sys::InvalidOid) };
}

/// The hooks that were there before ours.
static BEFORE: OnceLock<(
    pg_sys::get_relation_info_hook_type,
    pg_sys::get_relation_stats_hook_type,
)> = OnceLock::new();

/// While this lives, statements of this session are planned so.
pub(crate) struct PlanForLargeTables(());

impl PlanForLargeTables {
    pub(crate) fn begin() -> Self {
        ACTIVE.set(ACTIVE.get() + 1);
        Self(())
    }
}

/// Also while an error unwinds.
impl Drop for PlanForLargeTables {
    fn drop(&mut self) {
        ACTIVE.set(ACTIVE.get().saturating_sub(1));
    }
}

/// While this lives, statements of this session that ask for rows in the order of an operator get them from one
/// index, or sort.
pub(crate) struct OrderByIndex(pg_sys::Oid);

impl OrderByIndex {
    pub(crate) fn only(index: pg_sys::Oid) -> Self {
        Self(ONLY.replace(index))
    }
}

impl Drop for OrderByIndex {
    fn drop(&mut self) {
        ONLY.set(self.0);
    }
}

/// Whether the statement that is being planned is planned so.
fn are_large() -> bool {
    ACTIVE.get() > 0 || settings::tables_are_large()
}

/// Puts the hooks in place; once, when the library is loaded.
pub(crate) fn register() {
    // SAFETY: Postgres loads a library in one thread, and reads the hooks in the same.
    unsafe {
        let before = (pg_sys::get_relation_info_hook, pg_sys::get_relation_stats_hook);
        if BEFORE.set(before).is_ok() {
            pg_sys::get_relation_info_hook = Some(sizes);
            pg_sys::get_relation_stats_hook = Some(statistics);
        }
    }
}

#[pgrx::pg_guard]
unsafe extern "C-unwind" fn sizes(
    root: *mut pg_sys::PlannerInfo,
    relation: pg_sys::Oid,
    inherited: bool,
    info: *mut pg_sys::RelOptInfo,
) {
    // SAFETY: Postgres calls the hook with what it has just filled in, and the planner works on that
    // copy. Lists of indexes hold `IndexOptInfo`s.
    unsafe {
        if let Some((Some(before), _)) = BEFORE.get() {
            before(root, relation, inherited, info);
        }
        let info = &mut *info;
        if ONLY.get() != pg_sys::InvalidOid {
            let mut indexes = std::ptr::null_mut();
            for at in 0..pg_sys::list_length(info.indexlist) {
                let index = pg_sys::list_nth(info.indexlist, at).cast::<pg_sys::IndexOptInfo>();
                if !(*index).amcanorderbyop || (*index).indexoid == ONLY.get() {
                    indexes = pg_sys::lappend(indexes, index.cast());
                }
            }
            info.indexlist = indexes;
        }
        if !are_large() {
            return;
        }
        info.tuples = info.tuples.max(ROWS);
        info.pages = info.pages.max((ROWS / ROWS_A_PAGE) as u32);
        for at in 0..pg_sys::list_length(info.indexlist) {
            let index = &mut *pg_sys::list_nth(info.indexlist, at).cast::<pg_sys::IndexOptInfo>();
            index.tuples = index.tuples.max(ROWS);
            index.pages = index.pages.max((ROWS / ROWS_AN_INDEX_PAGE) as u32);
            index.tree_height = index.tree_height.max(HEIGHT);
        }
    }
}

/// Tells the planner, by giving true, that it knows all there is of a column; here, that is nothing.
#[pgrx::pg_guard]
unsafe extern "C-unwind" fn statistics(
    root: *mut pg_sys::PlannerInfo,
    entry: *mut pg_sys::RangeTblEntry,
    column: pg_sys::AttrNumber,
    variable: *mut pg_sys::VariableStatData,
) -> bool {
    // SAFETY: Postgres calls the hook with what it is about to fill in.
    unsafe {
        if are_large() {
            (*variable).statsTuple = std::ptr::null_mut();
            return true;
        }
        match BEFORE.get() {
            Some((_, Some(before))) => before(root, entry, column, variable),
            _ => false,
        }
    }
}
