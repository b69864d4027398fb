//! Updates of JSON documents with the operators of MongoDB's update language.
//!
//! `operations` reads and checks what is to be done, with the paths and comparisons of `json_operators`, and
//! `filter` for what `$pull` looks for; `apply` finds what changes in a document, `array` the new elements of one
//! array; `jsonb::rewrite` then writes the new document. None of them touches Postgres. `datum` takes them
//! from Postgres and hands them back, `document` has the statements that update a row, `api` the SQL functions.

pub(crate) mod api;
pub(crate) mod apply;
pub(crate) mod array;
mod current_date;
mod datum;
pub(crate) mod document;
pub(crate) mod error;
pub(crate) mod once;
pub(crate) mod operations;
pub(crate) mod target;

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
