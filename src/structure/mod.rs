//! Structures: JSON documents that describe tables, and the tables made from them.
//!
//! `document` reads a document into the `model`, `lower` turns the model into the columns and rules
//! of a table, `observe` reads the same from the catalog, `plan` compares the two, `apply` does what
//! was planned. `entries` puts rows into the tables.

pub(crate) mod constant;
pub(crate) mod document;
pub(crate) mod model;
pub(crate) mod table;
