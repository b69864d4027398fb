//! Values of any type as JSON spells them, whatever the settings of the session are.

use super::varlena;
use pgrx::{AnyElement, direct_function_call, direct_function_call_as_datum, pg_sys};
use std::ffi::{CStr, CString, c_char};
use std::ptr;

/// More than the longest time that Postgres prints.
const TIME_BYTES: usize = 256;

/// The text of a value of type text, json or jsonb, or of a domain over one of them.
///
/// # Safety
/// `value` must be of the type that it says, which is one of these.
pub(crate) unsafe fn text(value: &AnyElement) -> String {
    // SAFETY: the caller vouches for the type; json is stored as text is.
    unsafe {
        match pg_sys::getBaseType(value.oid()) {
            pg_sys::JSONBOID => printed(pg_sys::jsonb_out, value.datum()),
            _ => varlena::text(value.datum()).to_owned(),
        }
    }
}

/// What `to_jsonb(value) #>> '{}'` gives for a value that can say a time; any other as it is printed.
///
/// # Safety
/// `value` must be of the type that it says.
pub(crate) unsafe fn scalar(value: &AnyElement) -> Option<String> {
    let datum = value.datum();
    // SAFETY: the caller vouches for the type, and each function is one that takes it.
    unsafe {
        let base = pg_sys::getBaseType(value.oid());
        Some(match base {
            pg_sys::DATEOID | pg_sys::TIMESTAMPOID | pg_sys::TIMESTAMPTZOID => {
                let mut buffer = [0 as c_char; TIME_BYTES];
                pg_sys::JsonEncodeDateTime(buffer.as_mut_ptr(), datum, base, ptr::null());
                CStr::from_ptr(buffer.as_ptr()).to_string_lossy().into_owned()
            }
            pg_sys::BOOLOID => (datum.value() != 0).to_string(),
            // Without an exponent.
            pg_sys::FLOAT4OID | pg_sys::FLOAT8OID => {
                let number = output(base, datum).into();
                let arguments = [Some(number), Some(0.into()), Some((-1_i32).into())];
                let number = direct_function_call_as_datum(pg_sys::numeric_in, &arguments)?;
                printed(pg_sys::numeric_out, number)
            }
            pg_sys::JSONOID | pg_sys::JSONBOID => {
                let text = CString::new(text(value)).ok()?;
                let arguments = [Some(text.as_ptr().into())];
                let document = direct_function_call_as_datum(pg_sys::jsonb_in, &arguments);
                let path = pg_sys::construct_empty_array(pg_sys::TEXTOID);
                return direct_function_call(
                    pg_sys::jsonb_extract_path_text,
                    &[document, Some(path.into())],
                );
            }
            _ => CStr::from_ptr(output(base, datum)).to_string_lossy().into_owned(),
        })
    }
}

/// # Safety
/// The function must be an output function for the datum.
unsafe fn printed(
    function: unsafe fn(pg_sys::FunctionCallInfo) -> pg_sys::Datum,
    datum: pg_sys::Datum,
) -> String {
    // SAFETY: the caller vouches for both; an output function gives a C string.
    let text = unsafe { direct_function_call::<&CStr>(function, &[Some(datum)]) };
    text.map_or_else(String::new, |text| text.to_string_lossy().into_owned())
}

/// # Safety
/// The datum must be of this type.
unsafe fn output(of: pg_sys::Oid, datum: pg_sys::Datum) -> *mut c_char {
    let mut function = pg_sys::InvalidOid;
    let mut is_varlena = false;
    // SAFETY: the caller vouches for the type, whose own output function is called.
    unsafe {
        pg_sys::getTypeOutputInfo(of, &mut function, &mut is_varlena);
        pg_sys::OidOutputFunctionCall(function, datum)
    }
}
