//! What filters and updates of documents share: both are documents with MongoDB's operators.
//!
//! `path` names a place in a document, `comparison` compares the values at that place, with `dates` where they are times,
//! and `reading` reads a document of operators and notes everything that is wrong with it. None of them touches Postgres.

pub(crate) mod comparison;
pub(crate) mod dates;
pub(crate) mod path;
pub(crate) mod reading;
