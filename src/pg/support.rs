//! What a support function tells the planner of a call `f(document, constant)`, all of whose matches fulfil a `jsonpath`: an
//! index that can look for that, and how many rows there are.
//!
//! The function itself decides on every row that the index gives. Under row security Postgres asks only where the function
//! is leakproof, so that no index is read before the policies.

use super::input;
use pgrx::pg_sys;

/// `jsonb @? jsonpath`: as all that Postgres comes with, it has the same number everywhere.
const PATH_EXISTS: pg_sys::Oid = pg_sys::Oid::from_u32(4012);

/// The answer to a request, as the planner takes it; null is none. `path_of` gives the `jsonpath` for the constant.
///
/// # Safety
/// `request` is what Postgres calls a support function with.
pub(crate) unsafe fn answer(
    request: pg_sys::Datum,
    path_of: impl FnOnce(pg_sys::Datum) -> Option<String>,
) -> pg_sys::Datum {
    let node = request.cast_mut_ptr::<pg_sys::Node>();
    // SAFETY: a request begins with its tag, which tells what it is; the planner keeps it while it is answered.
    unsafe {
        match (*node).type_ {
            pg_sys::NodeTag::T_SupportRequestIndexCondition => {
                index_condition(&mut *node.cast(), path_of)
            }
            pg_sys::NodeTag::T_SupportRequestSelectivity => {
                let request = &mut *node.cast::<pg_sys::SupportRequestSelectivity>();
                match selectivity(request, path_of) {
                    Some(()) => pg_sys::Datum::from(node),
                    None => pg_sys::Datum::null(),
                }
            }
            _ => pg_sys::Datum::null(),
        }
    }
}

/// A list with the condition that the index can look for.
///
/// # Safety
/// A request of the planner.
unsafe fn index_condition(
    request: &mut pg_sys::SupportRequestIndexCondition,
    path_of: impl FnOnce(pg_sys::Datum) -> Option<String>,
) -> pg_sys::Datum {
    let none = pg_sys::Datum::null();
    // SAFETY: as above; the condition is made of the planner's own nodes, in its memory.
    unsafe {
        if request.indexarg != 0
            || (*request.node).type_ != pg_sys::NodeTag::T_FuncExpr
            || !pg_sys::op_in_opfamily(PATH_EXISTS, request.opfamily)
        {
            return none;
        }
        let call = &*request.node.cast::<pg_sys::FuncExpr>();
        let Some(condition) = path_exists(call.args, path_of) else { return none };
        request.lossy = true;
        pg_sys::Datum::from(pg_sys::lappend(std::ptr::null_mut(), condition.cast()))
    }
}

/// No more rows are expected than fulfil the path.
///
/// # Safety
/// As above.
unsafe fn selectivity(
    request: &mut pg_sys::SupportRequestSelectivity,
    path_of: impl FnOnce(pg_sys::Datum) -> Option<String>,
) -> Option<()> {
    if request.is_join {
        return None;
    }
    // SAFETY: as above.
    unsafe {
        let condition = path_exists(request.args, path_of)?;
        request.selectivity = pg_sys::clause_selectivity(
            request.root,
            condition.cast(),
            request.varRelid,
            request.jointype,
            request.sjinfo,
        );
    }
    Some(())
}

/// `document @? path`, where the other argument is a constant.
///
/// # Safety
/// The arguments of a call.
unsafe fn path_exists(
    arguments: *mut pg_sys::List,
    path_of: impl FnOnce(pg_sys::Datum) -> Option<String>,
) -> Option<*mut pg_sys::Expr> {
    // SAFETY: nodes, each of which begins with its tag.
    unsafe {
        if pg_sys::list_length(arguments) != 2 {
            return None;
        }
        let document = pg_sys::list_nth(arguments, 0).cast::<pg_sys::Expr>();
        let constant = pg_sys::list_nth(arguments, 1).cast::<pg_sys::Const>();
        if (*constant).xpr.type_ != pg_sys::NodeTag::T_Const || (*constant).constisnull {
            return None;
        }
        let path = path_of((*constant).constvalue)?;
        let path = input::read(pg_sys::JSONPATHOID, &path).ok()?;
        let path =
            pg_sys::makeConst(pg_sys::JSONPATHOID, -1, pg_sys::InvalidOid, -1, path, false, false);
        Some(pg_sys::make_opclause(
            PATH_EXISTS,
            pg_sys::BOOLOID,
            false,
            document,
            path.cast(),
            pg_sys::InvalidOid,
            pg_sys::InvalidOid,
        ))
    }
}
