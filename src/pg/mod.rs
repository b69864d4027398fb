//! Postgres from Rust: statements and their plans, values, arrays, locks, roles and memory. A file for each need, as far
//! as pgrx does not meet it, or at a price for each row.

pub(crate) mod advisory;
pub(crate) mod append;
pub(crate) mod array;
pub(crate) mod clock;
pub(crate) mod documents;
pub(crate) mod executor;
mod foreign_keys;
pub(crate) mod gin;
pub(crate) mod held;
pub(crate) mod input;
pub(crate) mod isolation;
pub(crate) mod json;
pub(crate) mod known;
pub(crate) mod large;
pub(crate) mod local_settings;
pub(crate) mod memory;
pub(crate) mod plan;
pub(crate) mod planner;
pub(crate) mod prune;
pub(crate) mod query;
pub(crate) mod relation;
pub(crate) mod role;
pub(crate) mod row;
pub(crate) mod row_change;
pub(crate) mod row_security;
pub(crate) mod rows;
pub(crate) mod sequence;
pub(crate) mod spelt;
pub(crate) mod subtransaction;
pub(crate) mod texts;
pub(crate) mod transition;
pub(crate) mod trigger;
pub(crate) mod undone;
pub(crate) mod varlena;
pub(crate) mod whole;
pub(crate) mod written;
