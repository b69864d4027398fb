//! The answer of a function that always gives one row: a composite of its OUT columns.
//!
//! It can stand in a select list as well as in FROM. What it looks like is asked of the call, once for
//! each place in a statement: a function may be called for each of many rows.

use pgrx::callconv::{BoxRet, FcInfo};
use pgrx::datum::Datum;
use pgrx::pg_sys;
use pgrx::pgrx_sql_entity_graph::metadata::{
    ArgumentError, ReturnsError, ReturnsRef, SqlMappingRef, SqlTranslatable, TypeOrigin,
};
use std::ptr;

/// The values of the OUT columns, in their order and of their types.
pub(crate) struct Row<const N: usize>(pub(crate) [Option<pg_sys::Datum>; N]);

// SAFETY: gives a composite of the type that Postgres expects of the call.
unsafe impl<const N: usize> BoxRet for Row<N> {
    unsafe fn box_into<'fcx>(self, fcinfo: &mut FcInfo<'fcx>) -> Datum<'fcx> {
        let mut values = self.0.map(|value| value.unwrap_or(pg_sys::Datum::null()));
        let mut nulls = self.0.map(|value| value.is_none());
        // SAFETY: the description is that of the call, and has as many columns as there are values. The tuple is
        // made in the memory of the caller, as a result is.
        unsafe {
            let description = description::<N>(fcinfo.as_mut_ptr());
            let tuple =
                pg_sys::heap_form_tuple(description, values.as_mut_ptr(), nulls.as_mut_ptr());
            fcinfo.return_raw_datum(pg_sys::HeapTupleHeaderGetDatum((*tuple).t_data))
        }
    }
}

/// The columns of the result, registered as a type of this session.
///
/// # Safety
/// `fcinfo` must be that of a running call of a function with N OUT columns.
unsafe fn description<const N: usize>(fcinfo: pg_sys::FunctionCallInfo) -> pg_sys::TupleDesc {
    // SAFETY: the caller vouches for `fcinfo`. Where FROM calls the function, it brings the columns that it
    // resolved itself; else they are kept as long as the place in the statement is. pgrx uses `fn_extra`
    // for sets alone.
    unsafe {
        let result = (*fcinfo).resultinfo.cast::<pg_sys::ReturnSetInfo>();
        if !result.is_null() && (*result).type_ == pg_sys::NodeTag::T_ReturnSetInfo {
            let expected = (*result).expectedDesc;
            if !expected.is_null()
                && (*expected).natts as usize == N
                && (*expected).tdtypeid == pg_sys::RECORDOID
                && (*expected).tdtypmod >= 0
            {
                return expected;
            }
        }
        let place = (*fcinfo).flinfo;
        if (*place).fn_extra.is_null() {
            let mut found = ptr::null_mut();
            let before = pg_sys::MemoryContextSwitchTo((*place).fn_mcxt);
            pg_sys::get_call_result_type(fcinfo, ptr::null_mut(), &mut found);
            pg_sys::MemoryContextSwitchTo(before);
            assert!(
                !found.is_null() && (*found).natts as usize == N,
                "the function is declared otherwise"
            );
            (*place).fn_extra = pg_sys::BlessTupleDesc(found).cast();
        }
        (*place).fn_extra.cast()
    }
}

// SAFETY: what it becomes is declared by hand, as OUT columns.
unsafe impl<const N: usize> SqlTranslatable for Row<N> {
    const TYPE_IDENT: &'static str = concat!(module_path!(), "::Row");
    const TYPE_ORIGIN: TypeOrigin = TypeOrigin::External;
    const ARGUMENT_SQL: Result<SqlMappingRef, ArgumentError> = Ok(SqlMappingRef::literal("record"));
    const RETURN_SQL: Result<ReturnsRef, ReturnsError> =
        Ok(ReturnsRef::One(SqlMappingRef::literal("record")));
}
