//! Statements on distributed tables by roles that see one workspace.
//!
//! Postgres puts the policies of tables into a statement, and Citus sends it on with them. Where it arrives, the session knows
//! of no workspace. So here the workspace takes the place of `kepler.current_workspace_id()`, by which Citus finds the node
//! as well; and there a statement of Citus' is not asked for the workspace again. What it would write is checked there alone,
//! against a workspace that nobody has set: such statements are refused. Kepler's functions write what the role may.
//!
//! A plan with a workspace in it holds as long as the workspace is the session's: it carries a mark of its own.

// As in `planner`: no value with a destructor is on the way of an error.

use super::{is_loaded, part, ship};
use crate::error::{Error, Report};
use crate::pg::row_security::{OfWorkspace, Whose};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{PgLogLevel, PgSqlErrorCode, pg_sys};
use std::cell::Cell;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;

unsafe extern "C-unwind" {
    fn get_namespace_oid(name: *const c_char, missing_ok: bool) -> pg_sys::Oid;
    fn get_func_namespace(function: pg_sys::Oid) -> pg_sys::Oid;
    fn get_func_name(function: pg_sys::Oid) -> *mut c_char;
    fn OidFunctionCall0Coll(function: pg_sys::Oid, collation: pg_sys::Oid) -> pg_sys::Datum;
    fn makeConst(
        of: pg_sys::Oid,
        modifier: i32,
        collation: pg_sys::Oid,
        length: c_int,
        value: pg_sys::Datum,
        is_null: bool,
        by_value: bool,
    ) -> *mut pg_sys::Const;
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

/// Of no function: what depends on it is planned anew when the session goes to another workspace.
pub(super) const MARK: u32 = 0x6B70_7773;

thread_local! {
    /// Whether a plan was made with the workspace in it.
    static MADE: Cell<bool> = const { Cell::new(false) };
}

/// A role under row security writes to a distributed table.
#[derive(Debug, thiserror::Error)]
#[error("statements of roles with row security cannot insert into distributed tables, or update them")]
struct Written;

impl Report for Written {
    fn code(&self) -> PgSqlErrorCode {
        PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED
    }

    fn detail(&self) -> Option<String> {
        Some("The node that would write does not know the workspace of this session.".to_owned())
    }

    fn hint(&self) -> Option<String> {
        Some("Call the function of Kepler's that writes such rows.".to_owned())
    }
}

/// Puts the workspace into a statement on distributed tables. Gives whether its plan needs the mark.
///
/// # Safety
/// A query that the planner was given.
pub(in crate::pg) unsafe fn place(query: *mut pg_sys::Query) -> bool {
    // SAFETY: the walkers read the nodes that Postgres hands them.
    unsafe {
        if !is_loaded() || part::current() != 0 || !(*query).hasRowSecurity {
            return false;
        }
        if part::is_of_citus() {
            uncover(query.cast(), ptr::null_mut());
            return false;
        }
        if !ship::finds_distributed(query.cast(), ptr::null_mut()) {
            return false;
        }
        if !(*query).withCheckOptions.is_null() {
            refuse();
        }
        let mut found = false;
        fold(query.cast(), (&raw mut found).cast());
        MADE.set(MADE.get() | found);
        found
    }
}

/// The session may go to another workspace: plans with the one before do not hold.
pub(crate) fn workspace_changes() {
    if MADE.replace(false) {
        // SAFETY: tells whoever keeps plans; raises nothing.
        unsafe { CallSyscacheCallbacks(pg_sys::SysCacheIdentifier::PROCOID as c_int, MARK) };
    }
}

#[pgrx::pg_guard]
unsafe extern "C-unwind" fn refuse() {
    ErrorReport::from(Error::from(Written)).report(PgLogLevel::ERROR);
}

unsafe extern "C-unwind" fn fold(node: *mut pg_sys::Node, found: *mut c_void) -> bool {
    // SAFETY: a node's tag says what it is; the arguments of an operator are a list.
    unsafe {
        if node.is_null() {
            return false;
        }
        match (*node).type_ {
            pg_sys::NodeTag::T_Query => query_tree_walker_impl(node.cast(), Some(fold), found, 0),
            pg_sys::NodeTag::T_OpExpr => {
                let arguments = (*node.cast::<pg_sys::OpExpr>()).args;
                for at in 0..pg_sys::list_length(arguments) {
                    let cell = (*arguments).elements.add(at as usize);
                    let argument = (*cell).ptr_value.cast::<pg_sys::Node>();
                    if (*argument).type_ == pg_sys::NodeTag::T_FuncExpr && gives_workspace(argument)
                    {
                        let call = argument.cast::<pg_sys::FuncExpr>();
                        let value = OidFunctionCall0Coll((*call).funcid, pg_sys::InvalidOid);
                        let collation = (*call).funccollid;
                        let text = pg_sys::TEXTOID;
                        (*cell).ptr_value =
                            makeConst(text, -1, collation, -1, value, false, false).cast();
                        *found.cast::<bool>() = true;
                    }
                }
                expression_tree_walker_impl(node, Some(fold), found)
            }
            _ => expression_tree_walker_impl(node, Some(fold), found),
        }
    }
}

/// # Safety
/// A call of a function.
unsafe fn gives_workspace(node: *mut pg_sys::Node) -> bool {
    // SAFETY: as the caller says; a name is a C string.
    unsafe {
        let call = node.cast::<pg_sys::FuncExpr>();
        if !(*call).args.is_null()
            || get_func_namespace((*call).funcid) != get_namespace_oid(c"kepler".as_ptr(), true)
        {
            return false;
        }
        let name = get_func_name((*call).funcid);
        !name.is_null() && CStr::from_ptr(name) == c"current_workspace_id"
    }
}

/// Takes the policy of workspaces off the shards that a statement of Citus' names.
unsafe extern "C-unwind" fn uncover(node: *mut pg_sys::Node, context: *mut c_void) -> bool {
    // SAFETY: as above; the list of policies holds conditions.
    unsafe {
        if node.is_null() {
            return false;
        }
        if (*node).type_ != pg_sys::NodeTag::T_Query {
            return expression_tree_walker_impl(node, Some(uncover), context);
        }
        let query = node.cast::<pg_sys::Query>();
        for at in 0..pg_sys::list_length((*query).rtable) {
            let entry = pg_sys::list_nth((*query).rtable, at).cast::<pg_sys::RangeTblEntry>();
            if (*entry).rtekind != pg_sys::RTEKind::RTE_RELATION
                || pg_sys::list_length((*entry).securityQuals) != 1
                || !part::looks_like_shard((*entry).relid)
            {
                continue;
            }
            let policy = pg_sys::list_nth((*entry).securityQuals, 0).cast::<pg_sys::Node>();
            let of_workspace = OfWorkspace::read(policy, at + 1);
            if of_workspace.is_some_and(|policy| policy.whose == Whose::EachItsOwn) {
                (*entry).securityQuals = ptr::null_mut();
            }
        }
        query_tree_walker_impl(query, Some(uncover), context, 0)
    }
}
