//! What must happen now and then, in all of Kepler: `CALL kepler.maintain()`, from any scheduler.
//!
//! What there is to do, how it is done and what is noted of it is SQL (`sql/functions/maintenance.sql`), run as the owner of
//! Kepler's tables; the parts that other modules do in Rust are in `api`. `run` decides what comes next, and `notes` speaks to
//! the SQL. Between any two parts the procedure commits.

pub(crate) mod api;
mod error;
mod notes;
mod run;
