//! Arrays of texts as arguments. pgrx's own vector takes thirty times the memory of short texts before the
//! function can ask whether there is so much.

use crate::poll;
use pgrx::callconv::{Arg, ArgAbi};
use pgrx::nullable::Nullable;
use pgrx::pgrx_sql_entity_graph::metadata::{
    ArgumentError, ReturnsError, ReturnsRef, SqlMappingRef, SqlTranslatable, TypeOrigin,
};

/// A `text[]`.
pub(crate) struct Texts(pub(crate) Vec<Option<String>>);

impl Texts {
    fn of(array: &pgrx::Array<'_, &str>) -> Self {
        let mut texts = Vec::new();
        for text in array.iter() {
            poll::check();
            texts.push(text.map(str::to_owned));
        }
        Self(texts)
    }
}

// SAFETY: declared as text[] below, which is what the datum then is.
unsafe impl<'fcx> ArgAbi<'fcx> for Texts {
    unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
        // SAFETY: as the trait says.
        Self::of(&unsafe { pgrx::Array::<&str>::unbox_arg_unchecked(arg) })
    }

    unsafe fn unbox_nullable_arg(arg: Arg<'_, 'fcx>) -> Nullable<Self> {
        // SAFETY: as the trait says.
        match unsafe { pgrx::Array::<&str>::unbox_nullable_arg(arg) } {
            Nullable::Valid(array) => Nullable::Valid(Self::of(&array)),
            Nullable::Null => Nullable::Null,
        }
    }
}

// SAFETY: it is taken from a text[].
unsafe impl SqlTranslatable for Texts {
    const TYPE_IDENT: &'static str = pgrx::pgrx_resolved_type!(Texts);
    const TYPE_ORIGIN: TypeOrigin = TypeOrigin::External;
    const ARGUMENT_SQL: Result<SqlMappingRef, ArgumentError> = Ok(SqlMappingRef::literal("text[]"));
    const RETURN_SQL: Result<ReturnsRef, ReturnsError> =
        Ok(ReturnsRef::One(SqlMappingRef::literal("text[]")));
}
