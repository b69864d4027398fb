//! Arrays of documents as arguments, as they are stored: pgrx's own type loses digits.

use super::varlena;
use crate::poll;
use pgrx::AnyElement;
use pgrx::callconv::{Arg, ArgAbi};
use pgrx::nullable::Nullable;
use pgrx::pg_sys;
use pgrx::pgrx_sql_entity_graph::metadata::{
    ArgumentError, ReturnsError, ReturnsRef, SqlMappingRef, SqlTranslatable, TypeOrigin,
};
use std::ffi::c_char;
use std::{ptr, slice};

/// A `jsonb[]`: its values with their length words.
pub(crate) struct Documents(pub(crate) Vec<Option<Vec<u8>>>);

impl Documents {
    /// # Safety
    /// The datum must be a `jsonb[]`.
    unsafe fn of(datum: pg_sys::Datum) -> Self {
        let (mut values, mut nulls, mut count) = (ptr::null_mut(), ptr::null_mut(), 0);
        // SAFETY: the caller vouches for the datum; a jsonb is of any length and lies on four bytes. Postgres gives
        // as many values and marks as it counts.
        unsafe {
            let array = pg_sys::pg_detoast_datum(datum.cast_mut_ptr()).cast::<pg_sys::ArrayType>();
            let align = pg_sys::TYPALIGN_INT as c_char;
            pg_sys::deconstruct_array(
                array,
                pg_sys::JSONBOID,
                -1,
                false,
                align,
                &mut values,
                &mut nulls,
                &mut count,
            );
            let count = usize::try_from(count).unwrap_or(0);
            if count == 0 {
                return Self(Vec::new());
            }
            let values = slice::from_raw_parts(values, count);
            let nulls = slice::from_raw_parts(nulls, count);
            let document = |(value, is_null): (&pg_sys::Datum, &bool)| {
                poll::check();
                (!is_null).then(|| varlena::whole(varlena::aligned_bytes(*value)))
            };
            Self(values.iter().zip(nulls).map(document).collect())
        }
    }
}

// SAFETY: declared as jsonb[] below, which is what the datum then is.
unsafe impl<'fcx> ArgAbi<'fcx> for Documents {
    unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
        // SAFETY: as the trait says.
        unsafe { Self::of(AnyElement::unbox_arg_unchecked(arg).datum()) }
    }

    unsafe fn unbox_nullable_arg(arg: Arg<'_, 'fcx>) -> Nullable<Self> {
        // SAFETY: as the trait says.
        match unsafe { AnyElement::unbox_nullable_arg(arg) } {
            // SAFETY: as the trait says.
            Nullable::Valid(given) => Nullable::Valid(unsafe { Self::of(given.datum()) }),
            Nullable::Null => Nullable::Null,
        }
    }
}

// SAFETY: it is taken from a jsonb[].
unsafe impl SqlTranslatable for Documents {
    const TYPE_IDENT: &'static str = pgrx::pgrx_resolved_type!(Documents);
    const TYPE_ORIGIN: TypeOrigin = TypeOrigin::External;
    const ARGUMENT_SQL: Result<SqlMappingRef, ArgumentError> =
        Ok(SqlMappingRef::literal("jsonb[]"));
    const RETURN_SQL: Result<ReturnsRef, ReturnsError> =
        Ok(ReturnsRef::One(SqlMappingRef::literal("jsonb[]")));
}
