//! What agents remember: spaces of embeddings, memories, and the search for them.
//!
//! A search goes one way: `api` checks the arguments, `access` the rights, `space` finds the vectors,
//! `scope` and `filter` say which memories count, `nearest` finds the nearest of them, `score` puts them in order,
//! and `search` leads through. `put` writes what `decode` has read.

pub(crate) mod access;
pub(crate) mod api;
mod decode;
mod dedupe;
mod embedding;
pub(crate) mod error;
pub(crate) mod filter;
mod metric;
mod nearest;
mod parts;
mod put;
pub(crate) mod put_api;
mod recall;
mod scope;
mod score;
mod search;
pub(crate) mod set_embeddings;
mod space;
mod touch;
pub(crate) mod vectors;
