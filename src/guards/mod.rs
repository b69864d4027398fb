//! Triggers that keep secrets out of tables, also where SQL writes to them directly.
//!
//! They are triggers and not CHECK constraints: of a row that breaks one Postgres shows the values.

pub(crate) mod api;
mod error;
mod references;
mod secrets;
