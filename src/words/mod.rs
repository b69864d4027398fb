//! The words of texts in any language, for full-text search: one `tsvector`, whatever the locale of the database.
//!
//! A text goes one way: `spelling` gives it one spelling (case, width, accents) and cuts it into what has spaces between words and
//! what has none (`scripts`); `vector` has Postgres' parser and the dictionaries of the language (`language`) make words of the first,
//! makes pairs of characters of the second, and stores all of it. `api` is the SQL function.

pub(crate) mod api;
mod error;
pub(crate) mod language;
mod scripts;
mod spelling;
pub(crate) mod vector;
