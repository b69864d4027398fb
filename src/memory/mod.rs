//! What agents remember, and what was said: spaces of embeddings, memories, and the search for them and
//! for messages.
//!
//! A search goes one way: `api` takes the arguments, `arguments` checks them, `access` the rights, `space`
//! finds the vectors, `scope` (with the crate's `filter`) says which memories count, `nearest` finds the
//! nearest of them, `words` what words find (`asked`, by `rarity` and `word_score`), `gather` leads through both, `usual` tells by some rows (`sample`, `spread`)
//! how far a similarity stands out, and `search` puts what they give in order by `score`; `messages` does the same for
//! messages. `put` writes what `decode` has read, `put_keyed` what of it has a key, and `fill_words` has the words of each row
//! made; `store` reads memories by their keys, lists, counts and updates them.

pub(crate) mod access;
pub(crate) mod api;
mod arguments;
mod asked;
mod chain;
mod changed;
mod decode;
mod dedupe;
mod embedded;
mod embedding;
pub(crate) mod error;
pub(crate) mod fill_words;
mod gather;
pub(crate) mod last;
mod merge;
pub(crate) mod messages;
mod named;
mod narrow;
mod nearest;
mod place;
mod put;
pub(crate) mod put_api;
mod put_keyed;
mod put_lock;
mod put_plain;
mod put_rows;
mod rarity;
mod recall;
mod sample;
mod scope;
mod score;
mod search;
pub(crate) mod set_embeddings;
mod space;
pub(crate) mod space_tables;
mod spread;
mod statement;
pub(crate) mod store;
mod touch;
mod ttl;
mod usual;
pub(crate) mod vectors;
mod whose;
mod with_space;
pub(crate) mod word_score;
mod words;
