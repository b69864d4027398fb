//! Statements in SQL and PL/pgSQL functions, planned for large tables as Rust's kept statements are.
//!
//! Postgres plans a statement of a function at its first call in a session, by the sizes and statistics of that
//! moment, and keeps the plan. A tenant that was loaded since the last ANALYZE, or a session that began while the
//! tables were empty, then reads all rows of the tenant for each call. Functions of Kepler that read tables
//! therefore say `SET kepler.plan_for_large_tables = on`; while one runs, and for the checks of foreign keys between
//! Kepler's tables, the planner takes every table of Kepler for a large one without statistics.
//!
//! Statements that name a table of somebody else, those of users' triggers included, are planned as ever.

use super::large::PlanForLargeTables;
use super::plan::LocalSettings;
use crate::settings;
use pgrx::pg_sys;
use std::cell::Cell;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::OnceLock;

/// Scans of whole tables are the last resort. Joins stay a matter of cost: a statement may join what it was given.
const PLANNING: &[(&CStr, &CStr)] =
    &[(c"enable_seqscan", c"off"), (c"enable_memoize", c"off"), (c"jit", c"off")];

/// How Postgres' own statements for foreign keys begin (`ri_triggers.c`).
const FOREIGN_KEY: [&[u8]; 3] = [b"SELECT 1 FROM ONLY ", b"DELETE FROM ONLY ", b"UPDATE ONLY "];

thread_local! {
    /// Whether statements of Rust that are planned for their values are planned so.
    static WANTED: Cell<u32> = const { Cell::new(0) };
}

/// While this lives, statements of this session on nothing but Kepler's tables are planned as if these were large.
pub(crate) struct OwnTablesAreLarge(());

impl OwnTablesAreLarge {
    pub(crate) fn begin() -> Self {
        WANTED.set(WANTED.get() + 1);
        Self(())
    }
}

/// Also while an error unwinds.
impl Drop for OwnTablesAreLarge {
    fn drop(&mut self) {
        WANTED.set(WANTED.get().saturating_sub(1));
    }
}

/// The hook that was there before ours.
static BEFORE: OnceLock<pg_sys::planner_hook_type> = OnceLock::new();

/// Puts the hook in place; once, when the library is loaded.
pub(crate) fn register() {
    // SAFETY: Postgres loads a library in one thread, and reads the hook in the same.
    unsafe {
        if BEFORE.set(pg_sys::planner_hook).is_ok() {
            pg_sys::planner_hook = Some(plan);
        }
    }
}

#[pgrx::pg_guard]
unsafe extern "C-unwind" fn plan(
    query: *mut pg_sys::Query,
    text: *const c_char,
    options: c_int,
    parameters: pg_sys::ParamListInfo,
) -> *mut pg_sys::PlannedStmt {
    // SAFETY: Postgres calls the hook with a query that it wants planned; what was there before plans it.
    unsafe {
        let for_large = settings::planner_hooks()
            && (WANTED.get() > 0 || settings::plan_for_large_tables() || checks_foreign_key(text))
            && !names_foreign_table(query);
        let _planning =
            for_large.then(|| (LocalSettings::set(PLANNING), PlanForLargeTables::begin()));
        match BEFORE.get().copied().flatten() {
            Some(before) => before(query, text, options, parameters),
            None => pg_sys::standard_planner(query, text, options, parameters),
        }
    }
}

/// # Safety
/// `text` is null or a C string.
unsafe fn checks_foreign_key(text: *const c_char) -> bool {
    // SAFETY: as the caller says.
    let text = unsafe { if text.is_null() { b"" } else { CStr::from_ptr(text).to_bytes() } };
    FOREIGN_KEY.iter().any(|beginning| text.starts_with(beginning))
}

/// Whether a query names a table that is neither Kepler's nor of the catalog.
///
/// # Safety
/// The query is one that the planner was given.
unsafe fn names_foreign_table(query: *mut pg_sys::Query) -> bool {
    let schemas = [c"kepler", c"kepler_data"];
    // SAFETY: look-ups in the catalog's caches.
    let mut own = schemas.map(|schema| unsafe { pg_sys::get_namespace_oid(schema.as_ptr(), true) });
    // SAFETY: the walker reads the nodes that Postgres hands it, and `own` outlives the walk.
    unsafe { is_foreign(query.cast(), own.as_mut_ptr().cast()) }
}

unsafe extern "C-unwind" fn is_foreign(node: *mut pg_sys::Node, own: *mut c_void) -> bool {
    // SAFETY: Postgres walks the tree with this function; a node's tag says what it is. `own` are two OIDs.
    unsafe {
        if node.is_null() {
            return false;
        }
        match (*node).type_ {
            pg_sys::NodeTag::T_RangeTblEntry => {
                let entry = &*node.cast::<pg_sys::RangeTblEntry>();
                if entry.rtekind != pg_sys::RTEKind::RTE_RELATION {
                    return false;
                }
                let schema = pg_sys::get_rel_namespace(entry.relid);
                let own = &*own.cast::<[pg_sys::Oid; 2]>();
                !own.contains(&schema) && schema != pg_sys::Oid::from(pg_sys::PG_CATALOG_NAMESPACE)
            }
            pg_sys::NodeTag::T_Query => pg_sys::query_tree_walker(
                node.cast(),
                Some(is_foreign),
                own,
                pg_sys::QTW_EXAMINE_RTES_BEFORE as c_int,
            ),
            _ => pg_sys::expression_tree_walker(node, Some(is_foreign), own),
        }
    }
}
