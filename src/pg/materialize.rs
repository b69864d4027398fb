//! The rows of a set-returning function, given all at once.
//!
//! pgrx gives rows one by one, and looks up their shape in the catalog at each call of the function. Where
//! a call gives one row, and is made for each of many rows, that counts.

use pgrx::pg_sys;

/// Gives the rows. They must have the columns that the function is declared with.
///
/// # Safety
/// `fcinfo` must be that of a call of a function that returns a set of rows; by-reference values must be
/// of the columns' types.
pub(crate) unsafe fn give<const N: usize>(
    fcinfo: pg_sys::FunctionCallInfo,
    rows: impl IntoIterator<Item = [Option<pg_sys::Datum>; N]>,
) {
    // SAFETY: the caller vouches for `fcinfo`. Postgres raises an error where no set is expected, and has
    // made the store and the description behind that. The values are copied.
    unsafe {
        let result = (*fcinfo).resultinfo.cast::<pg_sys::ReturnSetInfo>();
        let known = !result.is_null() && !(*result).expectedDesc.is_null();
        let flags = if known { pg_sys::MAT_SRF_USE_EXPECTED_DESC } else { 0 };
        pg_sys::InitMaterializedSRF(fcinfo, flags);
        assert_eq!((*(*result).setDesc).natts as usize, N, "the function is declared otherwise");
        for row in rows {
            let mut values = row.map(|value| value.unwrap_or(pg_sys::Datum::null()));
            let mut nulls = row.map(|value| value.is_none());
            // Before Postgres 18 the function asks for pointers that it could write through.
            pg_sys::tuplestore_putvalues(
                (*result).setResult,
                (*result).setDesc,
                values.as_mut_ptr(),
                nulls.as_mut_ptr(),
            );
        }
    }
}
