//! Kepler's tables on a Citus cluster: distributing them, and beginning work in a workspace's part.
//!
//! How a session works in a part is `pg::cluster`'s.

mod empty;
mod enter;
mod levels;
mod look;

pub(crate) use enter::{register, require_other_node};
