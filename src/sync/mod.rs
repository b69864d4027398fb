//! Sync runs: a connector begins one, upserts what it lists, and ends it; what a full run has not met is deleted.
//!
//! `begin` makes runs, `run` reads and locks them, `guards` say what may not be swept, `sweep` looks for what is missing
//! and deletes it in steps, `end` closes a run, `silent` those that nobody goes on with, `inbox` merges what was copied in.
//! `api` has the other SQL functions. What upserts note is in `record::seen`.
//!
//! Order of locks, in all of it: the run's own (those who end it), the type's, the entity's, rows of records, the run's
//! row, the entity's row, the connection's row. Whoever writes the run's row holds or shares the entity's lock.

pub(crate) mod api;
mod begin;
mod end;
mod error;
mod guards;
pub(crate) mod inbox;
mod run;
pub(crate) mod silent;
mod sweep;
