//! Documents that describe something, as arguments of type `jsonb`. pgrx's own type goes through
//! serde_json, which loses digits, and fails without an SQLSTATE for numbers beyond a double and for deep
//! nesting.

use crate::arguments;
use crate::error::{Error, Report};
use crate::json::{Broken, Json, MAX_BYTES};
use crate::pg::varlena;
use pgrx::callconv::{Arg, ArgAbi, BoxRet, FcInfo};
use pgrx::datum::Datum;
use pgrx::nullable::Nullable;
use pgrx::pg_sys;
use pgrx::pg_sys::panic::{ErrorReport, ErrorReportable};
use pgrx::pgrx_sql_entity_graph::metadata::{
    ArgumentError, ReturnsError, ReturnsRef, SqlMappingRef, SqlTranslatable, TypeOrigin,
};
use pgrx::{AnyElement, PgSqlErrorCode};
use serde_json::{Map, Number, Value};
use std::ffi::{CStr, CString};

/// The text of a `jsonb`, with all digits of its numbers. Raises 54000 where it is larger than a description is.
pub(crate) fn text(datum: pg_sys::Datum) -> String {
    // SAFETY: the callers declare the argument as jsonb in SQL; the function gives a C string.
    let text = unsafe {
        let size = varlena::size(datum);
        check_size("", size)
            .map_err(|error| ErrorReport::from(Error::from(error)))
            .unwrap_or_report();
        pgrx::direct_function_call::<&CStr>(pg_sys::jsonb_out, &[Some(datum)])
    };
    text.map_or_else(String::new, |text| text.to_string_lossy().into_owned())
}

/// A member of a `jsonb` that is an object, in the memory of the call.
pub(crate) fn member(object: pg_sys::Datum, key: &str) -> Option<pg_sys::Datum> {
    let key = varlena::Text::new(key);
    // SAFETY: the callers declare the argument as jsonb in SQL; the function copies what it gives.
    unsafe {
        pgrx::direct_function_call_as_datum(
            pg_sys::jsonb_object_field,
            &[Some(object), Some(key.datum())],
        )
    }
}

/// A `jsonb` as a document. Fails only where it is nested too deep.
pub(crate) fn document(datum: pg_sys::Datum) -> Result<Json, Broken> {
    Json::parse(&text(datum))
}

/// A document that describes something and is larger than such documents are.
#[derive(Debug, thiserror::Error)]
#[error("a structure, filter or options object is larger than {MAX_BYTES} bytes")]
pub(crate) struct DescriptionTooLarge {
    /// Empty where nobody knows which.
    argument: &'static str,
    bytes: usize,
}

impl Report for DescriptionTooLarge {
    fn code(&self) -> PgSqlErrorCode {
        PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED
    }

    fn detail(&self) -> Option<String> {
        let Self { argument, bytes } = self;
        Some(match *argument {
            "" => format!("It has {bytes} bytes."),
            argument => format!("Argument \"{argument}\" has {bytes} bytes."),
        })
    }

    fn hint(&self) -> Option<String> {
        Some("The limit does not apply to batches and stored documents.".to_owned())
    }
}

/// Whether a text is small enough for a document that describes something.
pub(crate) fn check_size(argument: &'static str, bytes: usize) -> Result<(), DescriptionTooLarge> {
    if bytes > MAX_BYTES { Err(DescriptionTooLarge { argument, bytes }) } else { Ok(()) }
}

/// An `options jsonb` argument. Numbers that no double holds stand as the largest one: no option takes such.
pub(crate) struct Options(pub(crate) Value);

impl Options {
    fn read(datum: pg_sys::Datum) -> Result<Self, ErrorReport> {
        Ok(Self::of("options", datum)?)
    }

    /// Of an argument with another name.
    pub(crate) fn of(
        argument: &'static str,
        datum: pg_sys::Datum,
    ) -> Result<Self, arguments::ArgumentError> {
        let options = document(datum).map_err(|broken| arguments::ArgumentError::BadOptions {
            argument,
            problems: vec![format!("it is {}", broken.problem)],
            known: String::new(),
        })?;
        Ok(Self(value(options)))
    }
}

fn value(json: Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Boolean(value) => Value::Bool(value),
        Json::Number(text) => {
            let number = text.parse::<Number>().ok();
            number.or_else(|| Number::from_f64(f64::MAX)).map_or(Value::Null, Value::Number)
        }
        Json::String(text) => Value::String(text),
        Json::Array(items) => items.into_iter().map(value).collect(),
        Json::Object(pairs) => {
            Value::Object(pairs.into_iter().map(|(key, v)| (key, value(v))).collect::<Map<_, _>>())
        }
    }
}

// SAFETY: declared as jsonb below, which is what the datum then is.
unsafe impl<'fcx> ArgAbi<'fcx> for Options {
    unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
        // SAFETY: as the trait says.
        let given = unsafe { AnyElement::unbox_arg_unchecked(arg) };
        Self::read(given.datum()).unwrap_or_report()
    }

    unsafe fn unbox_nullable_arg(arg: Arg<'_, 'fcx>) -> Nullable<Self> {
        // SAFETY: as the trait says.
        match unsafe { AnyElement::unbox_nullable_arg(arg) } {
            Nullable::Valid(given) => Nullable::Valid(Self::read(given.datum()).unwrap_or_report()),
            Nullable::Null => Nullable::Null,
        }
    }
}

// SAFETY: it is taken from a jsonb.
unsafe impl SqlTranslatable for Options {
    const TYPE_IDENT: &'static str = pgrx::pgrx_resolved_type!(Options);
    const TYPE_ORIGIN: TypeOrigin = TypeOrigin::External;
    const ARGUMENT_SQL: Result<SqlMappingRef, ArgumentError> = Ok(SqlMappingRef::literal("jsonb"));
    const RETURN_SQL: Result<ReturnsRef, ReturnsError> =
        Ok(ReturnsRef::One(SqlMappingRef::literal("jsonb")));
}

/// A `jsonb` as it is stored: pgrx's own type would decode it and encode it again.
pub(crate) struct Stored(pub(crate) pg_sys::Datum);

impl Stored {
    /// Of a document, with all digits of its numbers.
    pub(crate) fn of(document: &Json) -> Option<Self> {
        let text = CString::new(document.to_string()).unwrap_or_default();
        // SAFETY: the function takes a C string and gives a jsonb in the current memory.
        let datum = unsafe {
            pgrx::direct_function_call_as_datum(pg_sys::jsonb_in, &[Some(text.as_ptr().into())])
        };
        datum.map(Self)
    }
}

impl Stored {
    /// Of its bytes, length word included.
    pub(crate) fn copy(bytes: &[u8]) -> Self {
        // SAFETY: the new piece of the current memory is as long as what is copied into it.
        unsafe {
            let copy = pg_sys::palloc(bytes.len()).cast::<u8>();
            copy.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
            Self(pg_sys::Datum::from(copy))
        }
    }
}

impl pgrx::IntoDatum for Stored {
    fn into_datum(self) -> Option<pg_sys::Datum> {
        Some(self.0)
    }

    fn type_oid() -> pg_sys::Oid {
        pg_sys::JSONBOID
    }
}

// SAFETY: gives the datum to the function's caller.
unsafe impl BoxRet for Stored {
    unsafe fn box_into<'fcx>(self, fcinfo: &mut FcInfo<'fcx>) -> Datum<'fcx> {
        // SAFETY: the datum is a jsonb that lives as long as the call.
        unsafe { fcinfo.return_raw_datum(self.0) }
    }
}

// SAFETY: the datum is a jsonb.
unsafe impl SqlTranslatable for Stored {
    const TYPE_IDENT: &'static str = pgrx::pgrx_resolved_type!(Stored);
    const TYPE_ORIGIN: TypeOrigin = TypeOrigin::External;
    const ARGUMENT_SQL: Result<SqlMappingRef, ArgumentError> = Ok(SqlMappingRef::literal("jsonb"));
    const RETURN_SQL: Result<ReturnsRef, ReturnsError> =
        Ok(ReturnsRef::One(SqlMappingRef::literal("jsonb")));
}
