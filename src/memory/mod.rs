//! The long-term memory of agents.

pub(crate) mod filter;
