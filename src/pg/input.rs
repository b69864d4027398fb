//! Values of any type from their text, as the type's own input function reads them.

use pgrx::pg_sys;
use std::ffi::{CStr, CString};

/// Reads a text as a value of a type. The value lies in the current memory. If the text is not valid, what the type says
/// of it; a type whose input function cannot say that raises it.
pub(crate) fn read(sql_type: pg_sys::Oid, text: &str) -> Result<pg_sys::Datum, String> {
    let text = CString::new(text).map_err(|_| "it has a zero byte".to_owned())?;
    // SAFETY: the type is one of the catalog's. The node of the error and what the functions are called with live as long
    // as the calls; Postgres' error data is in the current memory.
    unsafe {
        let (mut function, mut io_parameter) = (pg_sys::InvalidOid, pg_sys::InvalidOid);
        pg_sys::getTypeInputInfo(sql_type, &mut function, &mut io_parameter);
        let mut input = pg_sys::FmgrInfo::default();
        pg_sys::fmgr_info(function, &mut input);
        let mut error = pg_sys::ErrorSaveContext {
            type_: pg_sys::NodeTag::T_ErrorSaveContext,
            details_wanted: true,
            ..Default::default()
        };
        let mut value = pg_sys::Datum::from(0_usize);
        let is_read = pg_sys::InputFunctionCallSafe(
            &mut input,
            text.as_ptr().cast_mut(),
            io_parameter,
            -1,
            (&raw mut error).cast(),
            &mut value,
        );
        if is_read {
            return Ok(value);
        }
        let message = error.error_data.as_ref().map(|data| data.message).filter(|m| !m.is_null());
        Err(message.map_or_else(String::new, |m| CStr::from_ptr(m).to_string_lossy().into_owned()))
    }
}

/// An array of values of a type, and the type of the array. None where there is no such type.
pub(crate) fn array(
    sql_type: pg_sys::Oid,
    values: &mut [pg_sys::Datum],
) -> Option<(pg_sys::Oid, pg_sys::Datum)> {
    // SAFETY: the values are of the type, which is one of the catalog's; the array is in the current memory.
    unsafe {
        let array_type = pg_sys::get_array_type(sql_type);
        if array_type == pg_sys::InvalidOid {
            return None;
        }
        let (mut length, mut by_value, mut alignment) = (0, false, 0);
        pg_sys::get_typlenbyvalalign(sql_type, &mut length, &mut by_value, &mut alignment);
        let array = pg_sys::construct_array(
            values.as_mut_ptr(),
            values.len() as i32,
            sql_type,
            length.into(),
            by_value,
            alignment,
        );
        Some((array_type, pg_sys::Datum::from(array)))
    }
}
