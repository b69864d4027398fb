//! Reads batches: a JSON array, of which each element is an object, or objects on a line each.
//!
//! `divide` cuts the text into elements, `object` takes an element apart into its members, and a `Reader` reads
//! those that a feature knows by their names. Only a text that cannot be divided ends the call. What is wrong
//! with one element is that element's refusal, and tells all that is wrong with it.

mod error;
mod object;
mod reader;

pub(crate) use error::BatchError;
pub(crate) use object::{invalid_json, key, object};
pub(crate) use reader::{INVALID_TIME, Reader, not_a_count, not_one_of};

use crate::answer::Rejection;
use crate::jsonb::elements::{self, Place};
use crate::jsonb::scan::Unbalanced;

/// Calls `element` with each element of an argument; it gives the position behind it.
#[inline]
pub(crate) fn divide<'t>(
    argument: &'static str,
    text: &'t [u8],
    element: impl FnMut(Place<'t>) -> Result<usize, Unbalanced>,
) -> Result<(), BatchError> {
    elements::divide(text, element).map_err(|undivided| BatchError::of(argument, undivided))
}

/// Reads each element of an argument: an object with fields of the names `known`. What is no such object is
/// for `reject`. Of a key given twice the last counts, as in `jsonb`, and null says nothing.
pub(crate) fn read<T>(
    argument: &'static str,
    text: &str,
    known: &[&'static str],
    mut read: impl FnMut(&mut Reader<'_>) -> T,
    mut reject: impl FnMut(Rejection) -> T,
) -> Result<Vec<T>, BatchError> {
    let text = text.as_bytes();
    let mut reader = Reader::new(text, known);
    let mut batch = Vec::new();
    divide(argument, text, |place| {
        let (opened, end) = reader.open(place)?;
        batch.push(match opened {
            Ok(()) => read(&mut reader),
            Err(rejection) => reject(rejection),
        });
        Ok(end)
    })?;
    Ok(batch)
}

#[cfg(test)]
mod tests;
