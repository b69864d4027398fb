//! Where policies keep a statement to the session's workspace, Citus is told which one that is, and asks its node alone.
//!
//! A policy compares with a function, of which Citus does not know what it gives: it asks all nodes, and refuses what it can only do on
//! one (joins on other columns, FOR UPDATE, much of subqueries). So the policy gets a comparison with what the function gives at the moment. It
//! takes nothing away: the rows of other workspaces are those that the policy hides. Citus reads policies to find the nodes, and sends the
//! statement without them; the node of the rows applies its own.
//!
//! A plan that names a workspace holds for no other one. So it is used once: the start of a statement has it made anew for the next. One
//! that is kept nevertheless, as of a statement that failed before it started, is refused in another workspace.

// As in `planner`: errors pass through as Postgres raised them, so no value with a destructor is on their way.

use super::{is_loaded, part, places::Lies};
use crate::error::{Error, Report};
use crate::pg::row_security::OfWorkspace;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{IntoDatum, PgLogLevel, PgSqlErrorCode, pg_sys};
use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::OnceLock;
use xxhash_rust::xxh3::xxh3_64;

unsafe extern "C-unwind" {
    fn copyObjectImpl(from: *const c_void) -> *mut c_void;
    fn make_and_qual(one: *mut pg_sys::Node, other: *mut pg_sys::Node) -> *mut pg_sys::Node;
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

/// Of no function, as the mark of `rewrite`: what depends on it is planned anew each time. Behind it stands the hash of the workspace.
const MARK: u32 = 0x6B70_6C77;

/// A kept plan is of another workspace.
#[derive(Debug, thiserror::Error)]
#[error("the statement was planned in another workspace")]
struct OtherWorkspace;

impl Report for OtherWorkspace {
    fn code(&self) -> PgSqlErrorCode {
        PgSqlErrorCode::ERRCODE_T_R_SERIALIZATION_FAILURE
    }

    fn hint(&self) -> Option<String> {
        Some("Try the transaction again.".to_owned())
    }
}

static WORKSPACE: OnceLock<fn() -> Option<String>> = OnceLock::new();

/// Says who knows the session's workspace, if it may work in one; once, when the library is loaded.
pub(crate) fn register(workspace: fn() -> Option<String>) {
    let _ = WORKSPACE.set(workspace);
}

/// The session's workspace, as a datum. Null where it has none.
#[pgrx::pg_guard]
unsafe extern "C-unwind" fn workspace() -> *mut pg_sys::Node {
    let Some(id) = WORKSPACE.get().and_then(|workspace| workspace()) else {
        return ptr::null_mut();
    };
    let Some(value) = id.into_datum() else { return ptr::null_mut() };
    // SAFETY: makes a node in the current memory, as the value was.
    unsafe {
        let collation = pg_sys::DEFAULT_COLLATION_OID;
        pg_sys::makeConst(pg_sys::TEXTOID, -1, collation, -1, value, false, false).cast()
    }
}

/// The hash that plans for the session's workspace have; 0 where it has none.
#[pgrx::pg_guard]
unsafe extern "C-unwind" fn workspace_hash() -> u32 {
    let id = WORKSPACE.get().and_then(|workspace| workspace());
    id.map_or(0, |id| (xxh3_64(id.as_bytes()) as u32).max(1))
}

#[pgrx::pg_guard]
unsafe extern "C-unwind" fn is_distributed(table: pg_sys::Oid) -> bool {
    part::is_distributed() && part::lies(table) == Lies::Distributed
}

#[pgrx::pg_guard]
unsafe extern "C-unwind" fn refuse() {
    ErrorReport::from(Error::from(OtherWorkspace)).report(PgLogLevel::ERROR);
}

/// What the walk needs: the workspace, looked up with the first table that has a policy.
struct Narrowing {
    workspace: *mut pg_sys::Node,
    is_none: bool,
    found: bool,
}

/// Puts the session's workspace beside its policies. Gives whether the plan needs the mark.
///
/// # Safety
/// A query that the planner was given.
pub(in crate::pg) unsafe fn narrow(query: *mut pg_sys::Query) -> bool {
    // SAFETY: the walker reads the nodes that Postgres hands it.
    unsafe {
        if !is_loaded() || part::current() != 0 || !(*query).hasRowSecurity {
            return false;
        }
        let mut narrowing = Narrowing { workspace: ptr::null_mut(), is_none: false, found: false };
        visit(query.cast(), (&raw mut narrowing).cast());
        narrowing.found
    }
}

unsafe extern "C-unwind" fn visit(node: *mut pg_sys::Node, narrowing: *mut c_void) -> bool {
    // SAFETY: Postgres walks the tree with this function; a node's tag says what it is.
    unsafe {
        if node.is_null() {
            return false;
        }
        if (*node).type_ != pg_sys::NodeTag::T_Query {
            return expression_tree_walker_impl(node, Some(visit), narrowing);
        }
        let query = node.cast::<pg_sys::Query>();
        for at in 0..pg_sys::list_length((*query).rtable) {
            let entry = pg_sys::list_nth((*query).rtable, at).cast::<pg_sys::RangeTblEntry>();
            if (*entry).rtekind == pg_sys::RTEKind::RTE_RELATION
                && pg_sys::list_length((*entry).securityQuals) == 1
                && part::is_in_own_schema((*entry).relid)
                && is_distributed((*entry).relid)
            {
                name_workspace(entry, at + 1, &mut *narrowing.cast::<Narrowing>());
            }
        }
        query_tree_walker_impl(query, Some(visit), narrowing, 0)
    }
}

/// # Safety
/// A table of a query, at the place, with one policy.
unsafe fn name_workspace(
    entry: *mut pg_sys::RangeTblEntry,
    place: c_int,
    narrowing: &mut Narrowing,
) {
    // SAFETY: as the caller says; a comparison has two sides.
    unsafe {
        let policy = pg_sys::list_nth((*entry).securityQuals, 0).cast::<pg_sys::Node>();
        if !OfWorkspace::read(policy, place).is_some_and(|of| of.is_of_each_row()) {
            return;
        }
        if narrowing.workspace.is_null() && !narrowing.is_none {
            narrowing.workspace = workspace();
            narrowing.is_none = narrowing.workspace.is_null();
        }
        if narrowing.is_none {
            return;
        }
        let comparison = copyObjectImpl(policy.cast()).cast::<pg_sys::OpExpr>();
        (*(*(*comparison).args).elements.add(1)).ptr_value =
            copyObjectImpl(narrowing.workspace.cast());
        let both = make_and_qual(policy, comparison.cast());
        (*entry).securityQuals = lappend(ptr::null_mut(), both.cast());
        narrowing.found = true;
    }
}

/// Puts the mark on a plan that names the session's workspace.
///
/// # Safety
/// A plan that was just made, in the memory that it lies in.
pub(in crate::pg) unsafe fn mark(statement: *mut pg_sys::PlannedStmt) {
    // SAFETY: as the caller says; nodes are made as Postgres makes them.
    unsafe {
        if statement.is_null() {
            return;
        }
        for hash in [MARK, workspace_hash()] {
            let item = palloc0(size_of::<pg_sys::PlanInvalItem>()).cast::<pg_sys::PlanInvalItem>();
            (*item).type_ = pg_sys::NodeTag::T_PlanInvalItem;
            (*item).cacheId = pg_sys::SysCacheIdentifier::PROCOID as c_int;
            (*item).hashValue = hash;
            (*statement).invalItems = lappend((*statement).invalItems, item.cast());
        }
    }
}

/// A statement starts: if its plan names a workspace, that must be the session's, and the plan serves for this once.
///
/// # Safety
/// A statement that is about to start.
pub(in crate::pg) unsafe fn begin(query: *mut pg_sys::QueryDesc) {
    // SAFETY: as the caller says; the list has what `mark` has put there.
    unsafe {
        let statement = (*query).plannedstmt;
        if !is_loaded() || statement.is_null() || pg_sys::ParallelWorkerNumber >= 0 {
            return;
        }
        let items = (*statement).invalItems;
        let count = pg_sys::list_length(items);
        let hash =
            |at: c_int| (*pg_sys::list_nth(items, at).cast::<pg_sys::PlanInvalItem>()).hashValue;
        let Some(at) = (0..count).find(|at| hash(*at) == MARK) else { return };
        CallSyscacheCallbacks(pg_sys::SysCacheIdentifier::PROCOID as c_int, MARK);
        if at + 1 >= count || hash(at + 1) != workspace_hash() {
            refuse();
        }
    }
}
