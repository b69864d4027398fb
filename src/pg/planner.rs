//! Statements in SQL and PL/pgSQL functions, planned for large tables as Rust's kept statements are.
//!
//! Postgres plans a statement of a function at its first call in a session, by the sizes and statistics of that
//! moment, and keeps the plan. A tenant that was loaded since the last ANALYZE, or a session that began while the
//! tables were empty, then reads all rows of the tenant for each call. Functions of Kepler that read tables
//! therefore say `SET kepler.plan_for_large_tables = on`; while one runs, and for the checks of foreign keys between
//! Kepler's tables, the planner takes every table of Kepler for a large one without statistics.
//!
//! So are statements that read one of the views `kepler.stat_…`, which an exporter asks every few seconds: whatever the
//! statistics say, they must not read a table through.
//!
//! Statements that name a table of somebody else, those of users' triggers included, are planned as ever.

// No wrapper of pgrx and no value with a destructor is on the way of an error through this hook: it passes errors
// of everybody's statements, and they arrive as Postgres raised them. What a plan that failed leaves set, Postgres
// resets with the (sub)transaction.

use super::cluster::{narrow, rewrite, ship};
use super::policy_conditions::{self, Author};
use crate::settings;
use pgrx::pg_sys;
use std::cell::Cell;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::OnceLock;

unsafe extern "C-unwind" {
    fn standard_planner(
        query: *mut pg_sys::Query,
        text: *const c_char,
        options: c_int,
        parameters: pg_sys::ParamListInfo,
    ) -> *mut pg_sys::PlannedStmt;
    fn get_namespace_oid(name: *const c_char, missing_ok: bool) -> pg_sys::Oid;
    fn get_rel_namespace(relation: pg_sys::Oid) -> pg_sys::Oid;
    fn get_rel_name(relation: pg_sys::Oid) -> *mut c_char;
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
    fn NewGUCNestLevel() -> c_int;
    fn AtEOXact_GUC(is_commit: bool, nest_level: c_int);
    fn set_config_option(
        name: *const c_char,
        value: *const c_char,
        context: pg_sys::GucContext::Type,
        source: pg_sys::GucSource::Type,
        action: pg_sys::GucAction::Type,
        change: bool,
        level: c_int,
        is_reload: bool,
    ) -> c_int;
}

/// Scans of whole tables are the last resort. Joins stay a matter of cost: a statement may join what it was given.
const PLANNING: &[(&CStr, &CStr)] = &[
    (c"enable_seqscan", c"off"),
    (c"enable_memoize", c"off"),
    (c"jit", c"off"),
    (settings::TABLES_ARE_LARGE_NAME, c"on"),
];

/// Of the views of statistics: starting workers would take longer than what they find out.
const PLANNING_STATISTICS: &[(&CStr, &CStr)] = &[(c"max_parallel_workers_per_gather", c"0")];

/// How Postgres' own statements for foreign keys begin (`ri_triggers.c`).
const FOREIGN_KEY: [&[u8]; 3] = [b"SELECT 1 FROM ONLY ", b"DELETE FROM ONLY ", b"UPDATE ONLY "];

thread_local! {
    /// Whether statements of Rust that are planned for their values are planned so.
    static WANTED: Cell<u32> = const { Cell::new(0) };
    /// What the parameters of the next statement are estimated by, where its plan is to serve any values.
    static ESTIMATED_BY: Cell<pg_sys::ParamListInfo> = const { Cell::new(std::ptr::null_mut()) };
    /// The text of the next statement, where it is Kepler's own.
    static OWN: Cell<*const c_char> = const { Cell::new(std::ptr::null()) };
}

/// Whether Kepler's tables count as large for what is planned for its values.
pub(crate) fn own_tables_are_large() -> bool {
    WANTED.get() > 0
}

/// While this lives, the next statement that is planned for any values is estimated by these: its plan is the one that
/// they would get, and is right for all.
pub(crate) struct EstimatedBy(());

impl EstimatedBy {
    /// # Safety
    /// The values are of these types, and live as long as this.
    pub(crate) unsafe fn values(types: &[pg_sys::Oid], values: &[Option<pg_sys::Datum>]) -> Self {
        // SAFETY: the list has room for as many parameters as it is made for. Without a flag that says that they are
        // constant the planner does not write their values into the plan.
        unsafe {
            let list = pg_sys::makeParamList(types.len() as i32);
            let places = (*list).params.as_mut_ptr();
            for (at, (ptype, value)) in types.iter().zip(values).enumerate() {
                places.add(at).write(pg_sys::ParamExternData {
                    value: value.unwrap_or(pg_sys::Datum::null()),
                    isnull: value.is_none(),
                    pflags: 0,
                    ptype: *ptype,
                });
            }
            ESTIMATED_BY.set(list);
        }
        Self(())
    }
}

/// Also while an error unwinds. The list goes with the memory of the call.
impl Drop for EstimatedBy {
    fn drop(&mut self) {
        ESTIMATED_BY.set(std::ptr::null_mut());
    }
}

/// While this lives, the next statement that is planned is Kepler's own, if it has this text: see `policy_conditions`.
pub(crate) struct OwnStatement(());

impl OwnStatement {
    pub(crate) fn begin(text: &CStr) -> Self {
        OWN.set(text.as_ptr());
        Self(())
    }
}

/// Also while an error unwinds: the text is there as long as this.
impl Drop for OwnStatement {
    fn drop(&mut self) {
        OWN.set(std::ptr::null());
    }
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

unsafe extern "C-unwind" fn plan(
    query: *mut pg_sys::Query,
    text: *const c_char,
    options: c_int,
    parameters: pg_sys::ParamListInfo,
) -> *mut pg_sys::PlannedStmt {
    // SAFETY: Postgres calls the hook with a query that it wants planned; what was there before plans it. The
    // settings' names and values are C strings.
    unsafe {
        let next = BEFORE.get().copied().flatten().unwrap_or(standard_planner);
        let is_of_calls = ship::divert(query);
        let has_mark = rewrite::place(query);
        // Taken by the first: what the planner runs to find constants is planned as ever.
        let estimated_by = ESTIMATED_BY.replace(std::ptr::null_mut());
        let parameters = if parameters.is_null() { estimated_by } else { parameters };
        let needs_no_values = is_of_calls || ship::is_carried(query);
        let parameters = if needs_no_values { std::ptr::null_mut() } else { parameters };
        let own = OWN.replace(std::ptr::null());
        let is_own =
            !own.is_null() && !text.is_null() && CStr::from_ptr(own) == CStr::from_ptr(text);
        let of_statistics = reads_statistics(query);
        let of_function = WANTED.get() > 0 || settings::plan_for_large_tables() || of_statistics;
        let is_about_own = settings::planner_hooks()
            && (is_own || of_function || checks_foreign_key(text))
            && !names_foreign_table(query);
        if settings::planner_hooks() && (*query).hasRowSecurity {
            let author = match (is_about_own, is_own, of_function) {
                (true, true, _) => Author::Kepler,
                (true, false, true) => Author::Function,
                _ => Author::Anybody,
            };
            policy_conditions::make_conditions(query, author);
        }
        let is_narrow = narrow::narrow(query);
        let for_large = is_about_own && (of_function || checks_foreign_key(text));
        if !for_large {
            let planned = next(query, text, options, parameters);
            mark(planned, has_mark, is_narrow);
            return planned;
        }
        let nest_level = NewGUCNestLevel();
        let more = if of_statistics { PLANNING_STATISTICS } else { &[] };
        for (name, value) in PLANNING.iter().chain(more) {
            set_config_option(
                name.as_ptr(),
                value.as_ptr(),
                pg_sys::GucContext::PGC_INTERNAL,
                pg_sys::GucSource::PGC_S_SESSION,
                pg_sys::GucAction::GUC_ACTION_SAVE,
                true,
                0,
                false,
            );
        }
        let planned = next(query, text, options, parameters);
        AtEOXact_GUC(true, nest_level);
        mark(planned, has_mark, is_narrow);
        planned
    }
}

/// Notes on a plan that it holds in a part alone, or in a workspace.
///
/// # Safety
/// A plan that was just made.
unsafe fn mark(planned: *mut pg_sys::PlannedStmt, is_of_part: bool, is_of_workspace: bool) {
    // SAFETY: as the caller says.
    unsafe {
        if is_of_part {
            rewrite::mark(planned);
        }
        if is_of_workspace {
            narrow::mark(planned);
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

/// Whether one of the relations that a query reads is a view of statistics.
///
/// # Safety
/// The query is one that the planner was given.
unsafe fn reads_statistics(query: *mut pg_sys::Query) -> bool {
    // SAFETY: a list of entries; the entry of a view has become a query, and still says which view it was.
    unsafe {
        let entries = (*query).rtable;
        (0..pg_sys::list_length(entries)).any(|at| {
            let entry = &*pg_sys::list_nth(entries, at).cast::<pg_sys::RangeTblEntry>();
            if entry.rtekind != pg_sys::RTEKind::RTE_SUBQUERY
                || entry.relid == pg_sys::InvalidOid
                || get_rel_namespace(entry.relid) != get_namespace_oid(c"kepler".as_ptr(), true)
            {
                return false;
            }
            let name = get_rel_name(entry.relid);
            !name.is_null() && CStr::from_ptr(name).to_bytes().starts_with(b"stat_")
        })
    }
}

/// Whether a query names a table that is neither Kepler's nor of the catalog.
///
/// # Safety
/// The query is one that the planner was given.
unsafe fn names_foreign_table(query: *mut pg_sys::Query) -> bool {
    let schemas = [c"kepler", c"kepler_data"];
    // SAFETY: look-ups in the catalog's caches.
    let mut own = schemas.map(|schema| unsafe { get_namespace_oid(schema.as_ptr(), true) });
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
                let schema = get_rel_namespace(entry.relid);
                let own = &*own.cast::<[pg_sys::Oid; 2]>();
                !own.contains(&schema) && schema != pg_sys::Oid::from(pg_sys::PG_CATALOG_NAMESPACE)
            }
            pg_sys::NodeTag::T_Query => query_tree_walker_impl(
                node.cast(),
                Some(is_foreign),
                own,
                pg_sys::QTW_EXAMINE_RTES_BEFORE as c_int,
            ),
            _ => expression_tree_walker_impl(node, Some(is_foreign), own),
        }
    }
}
