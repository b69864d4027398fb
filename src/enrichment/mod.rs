//! Hands records to workers and takes back what they found: claim, settle, and the queue between.
//!
//! A record says itself which lease holds it, in the row version that says PENDING: a worker whose lease
//! it is not is stale, whatever happened meanwhile. What is not PENDING and to be enriched has a row in
//! the queue.
//!
//! Who changes a record locks the record first, then its row in the queue. A claim goes the other way
//! and therefore never waits: what is locked it leaves to others.

pub(crate) mod api;
mod backlog;
mod backlog_api;
mod backoff;
mod claim;
mod decode;
pub(crate) mod direct;
pub(crate) mod error;
pub(crate) mod failures;
mod fair;
mod filtered;
mod hand_over;
mod lease;
mod leftover;
mod limits;
mod mark;
mod members;
mod next;
mod outcome;
mod pick;
mod place;
pub(crate) mod policy;
mod policy_api;
pub(crate) mod queue;
pub(crate) mod reap;
mod record_triggers;
mod refusal;
pub(crate) mod requeue;
mod schedule;
mod settle;
pub(crate) mod settle_api;
mod triggers;
