//! Values of rows, owned.

use crate::error::Error;
use crate::pg::rows::Row;
use pgrx::pg_sys;

/// A value of one letter.
pub(super) fn one<T: serde::de::DeserializeOwned, const N: usize>(
    row: &Row<'_, N>,
    column: usize,
) -> Result<T, Error> {
    Ok(serde_json::from_value(text(row, column).into())?)
}

pub(super) fn oid<const N: usize>(row: &Row<'_, N>, column: usize) -> u32 {
    row.oid(column).map_or(0, pg_sys::Oid::to_u32)
}

pub(super) fn text<const N: usize>(row: &Row<'_, N>, column: usize) -> String {
    row.text(column).unwrap_or_default().to_owned()
}

pub(super) fn optional<const N: usize>(row: &Row<'_, N>, column: usize) -> Option<String> {
    row.text(column).map(str::to_owned)
}

/// A value of type `"char"`; the empty one is none.
pub(super) fn char_of<const N: usize>(row: &Row<'_, N>, column: usize) -> Option<char> {
    row.text(column)?.chars().next()
}

pub(super) fn texts<const N: usize>(row: &Row<'_, N>, column: usize) -> Vec<String> {
    optional_texts(row, column).into_iter().flatten().collect()
}

pub(super) fn optional_texts<const N: usize>(
    row: &Row<'_, N>,
    column: usize,
) -> Vec<Option<String>> {
    let array = row.array::<&str>(column);
    array.iter().flat_map(|array| array.iter()).map(|text| text.map(str::to_owned)).collect()
}

pub(super) fn numbers<const N: usize>(row: &Row<'_, N>, column: usize) -> Vec<i32> {
    let array = row.array::<i16>(column);
    array.iter().flat_map(|array| array.iter()).flatten().map(i32::from).collect()
}

pub(super) fn oids<const N: usize>(row: &Row<'_, N>, column: usize) -> Vec<u32> {
    let array = row.array::<pg_sys::Oid>(column);
    array.iter().flat_map(|array| array.iter()).flatten().map(pg_sys::Oid::to_u32).collect()
}
