//! Whether a call is all that its transaction does.

use crate::pg::transaction;
use pgrx::pg_sys;
use std::ffi::c_void;
use std::ptr;

unsafe extern "C-unwind" {
    fn expression_tree_walker_impl(
        node: *mut pg_sys::Node,
        walker: pg_sys::tree_walker_callback,
        context: *mut c_void,
    ) -> bool;
}

/// Whether a call is the one thing that the client's statement does, outside of a transaction block: nothing before it or after it
/// is to be undone with it. The statement is `SELECT f(…)` or `SELECT … FROM f(…)`, which may filter, count and sort the rows by what
/// does not fail for any value. What its arguments are made of has been read by then, and has written nothing.
///
/// # Safety
/// The expression of a call that runs.
pub(super) unsafe fn is_all(call: *const pg_sys::FuncExpr) -> bool {
    // SAFETY: the portal that runs is there, and its plan as long as it runs; a node's tag says what it is.
    unsafe {
        let portal = pg_sys::ActivePortal;
        if transaction::goes_on()
            || transaction::has_written()
            || portal.is_null()
            // One within a statement has a name: Citus runs parts of statements in such.
            || (*portal).name.is_null()
            || *(*portal).name != 0
            || (*portal).strategy != pg_sys::PortalStrategy::PORTAL_ONE_SELECT
            || (*portal).queryDesc.is_null()
        {
            return false;
        }
        let statement = (*(*portal).queryDesc).plannedstmt;
        (*statement).commandType == pg_sys::CmdType::CMD_SELECT
            && !(*statement).hasModifyingCTE
            && is_plan_of(call, (*statement).planTree)
    }
}

/// # Safety
/// A plan.
unsafe fn is_plan_of(call: *const pg_sys::FuncExpr, plan: *const pg_sys::Plan) -> bool {
    // SAFETY: as above.
    unsafe {
        if plan.is_null() {
            return false;
        }
        let below = (*plan).lefttree;
        let is_plain = (*plan).qual.is_null();
        match (*plan).type_ {
            pg_sys::NodeTag::T_FunctionScan => {
                let functions = (*plan.cast::<pg_sys::FunctionScan>()).functions;
                pg_sys::list_length(functions) == 1
                    && (*pg_sys::list_nth(functions, 0).cast::<pg_sys::RangeTblFunction>()).funcexpr
                        == call.cast_mut().cast()
                    && makes_harmless_rows(plan)
            }
            pg_sys::NodeTag::T_Agg | pg_sys::NodeTag::T_Sort => {
                makes_harmless_rows(plan) && is_plan_of(call, below)
            }
            pg_sys::NodeTag::T_Result => {
                is_plain
                    && (*plan.cast::<pg_sys::Result>()).resconstantqual.is_null()
                    && below.is_null()
                    && is_one(call, (*plan).targetlist)
            }
            pg_sys::NodeTag::T_ProjectSet => {
                is_plain
                    && !below.is_null()
                    && (*below).type_ == pg_sys::NodeTag::T_Result
                    && (*below).lefttree.is_null()
                    && (*below).targetlist.is_null()
                    && is_one(call, (*plan).targetlist)
            }
            _ => false,
        }
    }
}

/// Whether the columns of a plan, and what it filters by, fail for no value.
///
/// # Safety
/// A plan.
unsafe fn makes_harmless_rows(plan: *const pg_sys::Plan) -> bool {
    // SAFETY: as above; the walker reads the nodes that Postgres hands it.
    unsafe {
        (0..pg_sys::list_length((*plan).targetlist))
            .all(|at| !may_fail(expression((*plan).targetlist, at), ptr::null_mut()))
            && !may_fail((*plan).qual.cast(), ptr::null_mut())
    }
}

/// Columns, constants, count(*), and functions that Postgres knows to fail for no value (LEAKPROOF).
unsafe extern "C-unwind" fn may_fail(node: *mut pg_sys::Node, context: *mut c_void) -> bool {
    const COUNT: u32 = 2803;
    // SAFETY: a node's tag says what it is.
    unsafe {
        if node.is_null() {
            return false;
        }
        let is_own = match (*node).type_ {
            pg_sys::NodeTag::T_Var
            | pg_sys::NodeTag::T_Const
            | pg_sys::NodeTag::T_Param
            | pg_sys::NodeTag::T_List
            | pg_sys::NodeTag::T_BoolExpr
            | pg_sys::NodeTag::T_NullTest
            | pg_sys::NodeTag::T_BooleanTest
            | pg_sys::NodeTag::T_RelabelType => true,
            pg_sys::NodeTag::T_Aggref => {
                let of = node.cast::<pg_sys::Aggref>();
                (*of).aggfnoid.to_u32() == COUNT && (*of).aggfilter.is_null()
            }
            pg_sys::NodeTag::T_OpExpr => {
                pg_sys::get_func_leakproof((*node.cast::<pg_sys::OpExpr>()).opfuncid)
            }
            pg_sys::NodeTag::T_ScalarArrayOpExpr => {
                pg_sys::get_func_leakproof((*node.cast::<pg_sys::ScalarArrayOpExpr>()).opfuncid)
            }
            _ => false,
        };
        !is_own || expression_tree_walker_impl(node, Some(may_fail), context)
    }
}

/// # Safety
/// A list of targets.
unsafe fn is_one(call: *const pg_sys::FuncExpr, targets: *const pg_sys::List) -> bool {
    // SAFETY: as the caller says.
    unsafe {
        pg_sys::list_length(targets) == 1 && expression(targets, 0).cast_const() == call.cast()
    }
}

/// # Safety
/// A list of targets, which has the place.
unsafe fn expression(targets: *const pg_sys::List, at: i32) -> *mut pg_sys::Node {
    // SAFETY: as the caller says.
    unsafe { (*pg_sys::list_nth(targets, at).cast::<pg_sys::TargetEntry>()).expr.cast() }
}
