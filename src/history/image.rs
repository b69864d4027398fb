//! Values as the history keeps them: a JSON object of columns.
//!
//! A value is the text that the output function of its type gives, under settings that are always the same: it is read
//! back as what it was. NULL is null. Of `jsonb` the document itself is kept; but a bare string or null stands as its
//! text, or could not be told from a text, or from NULL.

use crate::jsonb::builder::{Builder, TooLarge};
use crate::jsonb::entry;
use crate::jsonb::view::{Container, Value};
use crate::pg::varlena;
use pgrx::pg_sys;
use std::convert::Infallible;
use std::ffi::CStr;

/// Values of a row take so many bytes at most; what goes beyond is told without its value. A `jsonb` holds 256 MB.
pub(super) const MAX_BYTES: usize = 64 << 20;

/// How values of a column are put down.
#[derive(Debug, Clone, Copy)]
pub(super) enum Spelling {
    Text,
    Integer,
    Bigint,
    Boolean,
    Jsonb,
    /// By the output function of the type.
    Output {
        function: pg_sys::Oid,
        is_varlena: bool,
    },
}

impl Spelling {
    /// Of values of a type.
    pub(super) fn of(type_oid: pg_sys::Oid) -> Self {
        // SAFETY: look-ups of a type that a column has.
        unsafe {
            match pg_sys::getBaseType(type_oid) {
                pg_sys::TEXTOID | pg_sys::VARCHAROID => Self::Text,
                pg_sys::INT4OID => Self::Integer,
                pg_sys::INT8OID => Self::Bigint,
                pg_sys::BOOLOID => Self::Boolean,
                pg_sys::JSONBOID => Self::Jsonb,
                other => {
                    let (mut function, mut is_varlena) = (pg_sys::InvalidOid, false);
                    pg_sys::getTypeOutputInfo(other, &mut function, &mut is_varlena);
                    Self::Output { function, is_varlena }
                }
            }
        }
    }

    /// Whether settings of the session may have a say.
    pub(super) fn is_printed(self) -> bool {
        matches!(self, Self::Output { .. })
    }

    /// How many bytes a value takes, about.
    ///
    /// # Safety
    /// The value is of the type.
    pub(super) unsafe fn size(self, value: pg_sys::Datum) -> usize {
        match self {
            Self::Text | Self::Jsonb | Self::Output { is_varlena: true, .. } => {
                // SAFETY: as the caller says; what is stored outside is not fetched for that.
                unsafe { varlena::size(value) }
            }
            _ => 64,
        }
    }

    /// Adds a value under the key that was given to the builder.
    ///
    /// # Safety
    /// The value is of the type. What is fetched or printed stays in the current memory.
    pub(super) unsafe fn add(self, builder: &mut Builder, value: pg_sys::Datum) {
        // SAFETY: as the caller says; an output function gives a C string.
        unsafe {
            match self {
                Self::Text => string(builder, varlena::bytes(value)),
                Self::Integer => string(builder, (value.value() as i32).to_string().as_bytes()),
                Self::Bigint => string(builder, (value.value() as i64).to_string().as_bytes()),
                Self::Boolean => {
                    string(builder, if value.value() & 0xFF != 0 { b"t" } else { b"f" })
                }
                Self::Jsonb => {
                    let bytes = varlena::aligned_bytes(value);
                    match Container::root(bytes).value() {
                        Value::Container(_) => builder.copy(entry::CONTAINER, bytes),
                        Value::Number(number) => builder.copy(entry::NUMERIC, number),
                        Value::Boolean(is) => builder.boolean(is),
                        Value::String(_) | Value::Null => {
                            // The text of a document, which has quotes around a string.
                            let (mut function, mut is_varlena) = (pg_sys::InvalidOid, false);
                            pg_sys::getTypeOutputInfo(
                                pg_sys::JSONBOID,
                                &mut function,
                                &mut is_varlena,
                            );
                            let text = pg_sys::OidOutputFunctionCall(function, value);
                            string(builder, CStr::from_ptr(text).to_bytes());
                        }
                    }
                }
                Self::Output { function, .. } => {
                    let text = pg_sys::OidOutputFunctionCall(function, value);
                    string(builder, CStr::from_ptr(text).to_bytes());
                }
            }
        }
    }
}

pub(super) fn string(builder: &mut Builder, bytes: &[u8]) {
    let Ok(()) = builder.string_with(|out| {
        out.extend_from_slice(bytes);
        Ok::<(), Infallible>(())
    });
}

/// The finished object, with its length word.
pub(super) fn finish(builder: &mut Builder, out: &mut Vec<u8>) -> Result<(), TooLarge> {
    builder.close()?;
    out.clear();
    builder.finish(out)
}
