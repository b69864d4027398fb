//! Hands records to workers and takes back what they found: claim, settle, and the queue between.
//!
//! Who changes a record locks the record first, then its row in the queue. A claim goes the other way
//! and therefore never waits: what is locked it leaves to others.

pub(crate) mod api;
mod backoff;
mod claim;
mod decode;
pub(crate) mod direct;
pub(crate) mod error;
mod hand_over;
mod outcome;
pub(crate) mod policy;
pub(crate) mod queue;
mod reap;
mod settle;
