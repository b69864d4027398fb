//! Documents that describe something, as arguments of type `jsonb`. pgrx's own type goes through
//! serde_json, which loses digits, and fails without an SQLSTATE for numbers beyond a double and for deep
//! nesting.

use crate::json::{Broken, Json};
use pgrx::pg_sys;
use std::ffi::CStr;

/// The text of a `jsonb`, with all digits of its numbers.
pub(crate) fn text(datum: pg_sys::Datum) -> String {
    // SAFETY: the callers declare the argument as jsonb in SQL; the function gives a C string.
    let text = unsafe { pgrx::direct_function_call::<&CStr>(pg_sys::jsonb_out, &[Some(datum)]) };
    text.map_or_else(String::new, |text| text.to_string_lossy().into_owned())
}

/// A `jsonb` as a document. Fails only where it is nested too deep.
pub(crate) fn document(datum: pg_sys::Datum) -> Result<Json, Broken> {
    Json::parse(&text(datum))
}
