//! What agents remember, and what was said: spaces of embeddings, memories, and the search for them and
//! for messages.
//!
//! A search goes one way: `api` takes the arguments, `arguments` checks them, `access` the rights, `space`
//! finds the vectors, `scope` (with the crate's `filter`) says which memories count, `nearest` finds the
//! nearest of them, `score` puts them in order, and `search` leads through; `messages` does the same for
//! messages. `put` writes what `decode` has read.

pub(crate) mod access;
pub(crate) mod api;
mod arguments;
mod chain;
mod changed;
mod decode;
mod dedupe;
mod doubt;
mod embedded;
mod embedding;
pub(crate) mod error;
mod exact;
pub(crate) mod last;
mod look;
mod merge;
pub(crate) mod messages;
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
pub(crate) mod space_tables;
mod statement;
mod touch;
pub(crate) mod vectors;
mod whose;
mod width;
mod words;
