//! Calls for a workspace go to the node where it lies.
//!
//! The planner finds calls of these functions and puts `kepler_internal.ship` in their place, which gets the arguments and
//! sends the call on in a statement that names the workspace (`carry`). Citus takes the whole statement to the node of the part.
//! There it begins with `enter_part`, which sees to it that the session works in the workspace, if the role may.

// `divert` is on the way of everybody's errors: no value with a destructor there.

use super::calls::{REFUSED, Refused, is_among, is_sent, workspace_argument};
use super::places::Lies;
use super::{carry, is_loaded, part};
use crate::error::Error;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{PgLogLevel, pg_sys};
use std::ffi::{CStr, c_int, c_void};
use std::ptr;

unsafe extern "C-unwind" {
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

/// Puts `ship` in the place of calls for a workspace. A query that names distributed tables goes to their nodes by itself. Gives
/// whether the query is of calls alone, so that no choice depends on its values, of which a plan would have copies.
///
/// # Safety
/// A query that the planner was given.
pub(in crate::pg) unsafe fn divert(query: *mut pg_sys::Query) -> bool {
    // SAFETY: the walkers read the nodes that Postgres hands them.
    unsafe {
        if !is_loaded()
            || part::current() != 0
            || carry::stays_here()
            || !finds_call(query.cast(), ptr::null_mut())
            || finds_distributed(query.cast(), ptr::null_mut())
            || !is_distributed()
        {
            return false;
        }
        replace(query.cast(), ptr::null_mut());
        let entries = (*query).rtable;
        !(*query).hasSubLinks
            && (*query).cteList.is_null()
            && (0..pg_sys::list_length(entries)).all(|at| {
                let kind = (*pg_sys::list_nth(entries, at).cast::<pg_sys::RangeTblEntry>()).rtekind;
                kind == pg_sys::RTEKind::RTE_FUNCTION || kind == pg_sys::RTEKind::RTE_RESULT
            })
    }
}

/// Whether a query is the call that another node has sent. It is planned without its values: no choice depends on them, and each
/// copy of the plan would have one of a whole batch.
///
/// # Safety
/// A query that the planner was given.
pub(in crate::pg) unsafe fn is_carried(query: *mut pg_sys::Query) -> bool {
    // SAFETY: lists of nodes, whose tags say what they are.
    unsafe {
        if !is_loaded() || !part::is_of_citus() {
            return false;
        }
        let entries = (*query).rtable;
        (0..pg_sys::list_length(entries)).any(|at| {
            let entry = pg_sys::list_nth(entries, at).cast::<pg_sys::RangeTblEntry>();
            let below = (*entry).subquery;
            if (*entry).rtekind != pg_sys::RTEKind::RTE_SUBQUERY
                || pg_sys::list_length((*below).targetList) != 1
            {
                return false;
            }
            let target = pg_sys::list_nth((*below).targetList, 0).cast::<pg_sys::TargetEntry>();
            let call = (*target).expr.cast::<pg_sys::FuncExpr>();
            (*call).xpr.type_ == pg_sys::NodeTag::T_FuncExpr
                && is_among((*call).funcid, &["enter_part", "look_into_part"])
        })
    }
}

#[pgrx::pg_guard]
unsafe extern "C-unwind" fn is_distributed() -> bool {
    part::is_distributed()
}

unsafe extern "C-unwind" fn finds_call(node: *mut pg_sys::Node, context: *mut c_void) -> bool {
    // SAFETY: a node's tag says what it is.
    unsafe {
        if node.is_null() {
            return false;
        }
        match (*node).type_ {
            pg_sys::NodeTag::T_Query => {
                query_tree_walker_impl(node.cast(), Some(finds_call), context, 0)
            }
            pg_sys::NodeTag::T_FuncExpr if is_sent((*node.cast::<pg_sys::FuncExpr>()).funcid) => {
                true
            }
            pg_sys::NodeTag::T_FuncExpr
                if is_among((*node.cast::<pg_sys::FuncExpr>()).funcid, &REFUSED) =>
            {
                refuse_on_cluster((*node.cast::<pg_sys::FuncExpr>()).funcid);
                expression_tree_walker_impl(node, Some(finds_call), context)
            }
            _ => expression_tree_walker_impl(node, Some(finds_call), context),
        }
    }
}

#[pgrx::pg_guard]
unsafe extern "C-unwind" fn refuse_on_cluster(function: pg_sys::Oid) {
    if part::is_distributed() {
        // SAFETY: a function that exists has a name.
        let name = unsafe { CStr::from_ptr(pg_sys::get_func_name(function)).to_string_lossy() };
        ErrorReport::from(Error::from(Refused(format!("{name}()")))).report(PgLogLevel::ERROR);
    }
}

unsafe extern "C-unwind" fn finds_distributed(
    node: *mut pg_sys::Node,
    context: *mut c_void,
) -> bool {
    #[pgrx::pg_guard]
    unsafe extern "C-unwind" fn is_elsewhere(table: pg_sys::Oid) -> bool {
        part::lies(table) != Lies::Here
    }
    // SAFETY: as above.
    unsafe {
        if node.is_null() {
            return false;
        }
        match (*node).type_ {
            pg_sys::NodeTag::T_RangeTblEntry => {
                let entry = node.cast::<pg_sys::RangeTblEntry>();
                (*entry).rtekind == pg_sys::RTEKind::RTE_RELATION
                    && part::is_in_own_schema((*entry).relid)
                    && (part::looks_like_shard((*entry).relid) || is_elsewhere((*entry).relid))
            }
            pg_sys::NodeTag::T_Query => query_tree_walker_impl(
                node.cast(),
                Some(finds_distributed),
                context,
                pg_sys::QTW_EXAMINE_RTES_BEFORE as c_int,
            ),
            _ => expression_tree_walker_impl(node, Some(finds_distributed), context),
        }
    }
}

unsafe extern "C-unwind" fn replace(node: *mut pg_sys::Node, context: *mut c_void) -> bool {
    // SAFETY: as above.
    unsafe {
        if node.is_null() {
            return false;
        }
        match (*node).type_ {
            pg_sys::NodeTag::T_Query => {
                query_tree_walker_impl(node.cast(), Some(replace), context, 0)
            }
            pg_sys::NodeTag::T_RangeTblFunction => {
                let of = node.cast::<pg_sys::RangeTblFunction>();
                let call = (*of).funcexpr;
                let is_call = !call.is_null() && (*call).type_ == pg_sys::NodeTag::T_FuncExpr;
                if is_call && is_sent((*call.cast::<pg_sys::FuncExpr>()).funcid) {
                    name_columns(of);
                }
                expression_tree_walker_impl(node, Some(replace), context)
            }
            pg_sys::NodeTag::T_FuncExpr => {
                let call = node.cast::<pg_sys::FuncExpr>();
                if is_sent((*call).funcid) {
                    wrap(call);
                }
                expression_tree_walker_impl(node, Some(replace), context)
            }
            _ => expression_tree_walker_impl(node, Some(replace), context),
        }
    }
}

/// Says the columns of a function that gives records, as `ship` does not know them.
#[pgrx::pg_guard]
unsafe extern "C-unwind" fn name_columns(of: *mut pg_sys::RangeTblFunction) {
    // SAFETY: an expression of the query; lists are made as Postgres makes them.
    unsafe {
        let call = (*of).funcexpr.cast::<pg_sys::FuncExpr>();
        if (*call).funcresulttype != pg_sys::RECORDOID || !(*of).funccolnames.is_null() {
            return;
        }
        let (mut result, mut columns) = (pg_sys::InvalidOid, ptr::null_mut());
        pg_sys::get_expr_result_type((*of).funcexpr, &mut result, &mut columns);
        if columns.is_null() {
            return;
        }
        for number in 1..=(*columns).natts as usize {
            let column = &*crate::pg::row_change::attribute(columns, number);
            let name = pg_sys::pstrdup(column.attname.data.as_ptr());
            (*of).funccolnames =
                pg_sys::lappend((*of).funccolnames, pg_sys::makeString(name).cast());
            (*of).funccoltypes = pg_sys::lappend_oid((*of).funccoltypes, column.atttypid);
            (*of).funccoltypmods = pg_sys::lappend_int((*of).funccoltypmods, column.atttypmod);
            (*of).funccolcollations =
                pg_sys::lappend_oid((*of).funccolcollations, column.attcollation);
        }
    }
}

/// Puts `ship` in the place of a call, with the function and the place of the workspace before the arguments.
#[pgrx::pg_guard]
unsafe extern "C-unwind" fn wrap(call: *mut pg_sys::FuncExpr) {
    // SAFETY: an expression of the query; the row of the catalog is there until it is given back.
    unsafe {
        let Some((place, _)) = workspace_argument((*call).funcid) else { return };
        let function = (*call).funcid;
        let row = pg_sys::SearchSysCache1(
            pg_sys::SysCacheIdentifier::PROCOID as c_int,
            pg_sys::Datum::from(function),
        );
        if row.is_null() {
            return;
        }
        let arguments =
            pg_sys::expand_function_arguments((*call).args, false, (*call).funcresulttype, row);
        pg_sys::ReleaseSysCache(row);
        let Some(ship) = ship_function() else { return };
        let place = pg_sys::makeConst(
            pg_sys::INT4OID,
            -1,
            pg_sys::InvalidOid,
            4,
            pg_sys::Datum::from(place as i32),
            false,
            true,
        );
        let which = pg_sys::makeConst(
            pg_sys::OIDOID,
            -1,
            pg_sys::InvalidOid,
            4,
            pg_sys::Datum::from(function),
            false,
            true,
        );
        (*call).args = pg_sys::lcons(which.cast(), pg_sys::lcons(place.cast(), arguments));
        (*call).funcid = ship;
        (*call).funcvariadic = false;
    }
}

fn ship_function() -> Option<pg_sys::Oid> {
    // SAFETY: a look-up by name, which gives nothing where there is no such function.
    unsafe {
        let name = |text: &CStr| pg_sys::makeString(pg_sys::pstrdup(text.as_ptr())).cast();
        let names = pg_sys::lappend(ptr::null_mut(), name(c"kepler_internal"));
        let names = pg_sys::lappend(names, name(c"ship"));
        let found = pg_sys::LookupFuncName(names, -1, ptr::null(), true);
        (found != pg_sys::InvalidOid).then_some(found)
    }
}
