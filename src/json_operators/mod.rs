//! What filters and updates of documents have in common: both are documents with MongoDB's operators.
//!
//! `path` names a place in a document, `comparison` compares the values that are there, and `reading` reads a
//! document of operators, noting all that is wrong. None of them touches Postgres.

pub(crate) mod comparison;
pub(crate) mod path;
pub(crate) mod reading;
