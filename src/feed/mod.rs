//! The change feed: which rows of tracked tables were changed, in an order that misses nothing.
//!
//! `tell` is what the triggers do: it reads the rows that a statement changed, as the invoker, and appends to the feed
//! without SQL (`pg::append`), so that nobody's code runs. `shape` is what it knows of a table, `place` the partition of
//! now, `epoch` the part of the database's life in which the numbers of transactions are comparable. `read` serves what
//! lies before the oldest transaction under way, from a `cursor` on. `consumer` stores cursors, `track` makes and drops
//! the triggers, `upkeep` the partitions. On a cluster `elsewhere` asks the node of a workspace, and `merge` makes one feed
//! of two.

pub(crate) mod api;
mod consumer;
mod cursor;
mod elsewhere;
pub(crate) mod epoch;
pub(crate) mod error;
mod merge;
pub(crate) mod place;
mod read;
pub(crate) mod shape;
pub(crate) mod tell;
pub(crate) mod track;
pub(crate) mod upkeep;
pub(crate) mod whose;
