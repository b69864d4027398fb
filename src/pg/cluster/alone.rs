//! Whether a call is all that its transaction does.

use crate::pg::transaction;
use pgrx::pg_sys;

/// Whether a call is the one thing that the client's statement does, outside of a transaction block: nothing before it or after it
/// is to be undone with it. The statement is `SELECT f(…)` or `SELECT columns FROM f(…)`. What its arguments are made of has been
/// read by then, and has written nothing.
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
        if plan.is_null() || !(*plan).qual.is_null() {
            return false;
        }
        match (*plan).type_ {
            pg_sys::NodeTag::T_FunctionScan => {
                let functions = (*plan.cast::<pg_sys::FunctionScan>()).functions;
                pg_sys::list_length(functions) == 1
                    && (*pg_sys::list_nth(functions, 0).cast::<pg_sys::RangeTblFunction>()).funcexpr
                        == call.cast_mut().cast()
                    && (0..pg_sys::list_length((*plan).targetlist)).all(|at| {
                        (*expression((*plan).targetlist, at)).type_ == pg_sys::NodeTag::T_Var
                    })
            }
            pg_sys::NodeTag::T_Result => {
                (*plan.cast::<pg_sys::Result>()).resconstantqual.is_null()
                    && (*plan).lefttree.is_null()
                    && is_one(call, (*plan).targetlist)
            }
            pg_sys::NodeTag::T_ProjectSet => {
                let below = (*plan).lefttree;
                !below.is_null()
                    && (*below).type_ == pg_sys::NodeTag::T_Result
                    && (*below).lefttree.is_null()
                    && (*below).targetlist.is_null()
                    && is_one(call, (*plan).targetlist)
            }
            _ => false,
        }
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
