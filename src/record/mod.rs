//! Records: upserts that write nothing where nothing changed, and answer for each element.
//!
//! The way of a batch: `decode` cuts the text into elements, `fold` settles duplicates, `decide`
//! compares with what is stored, `content` decodes and merges, `look_up` and `store` talk to the table, and `upsert` leads
//! through it, `write` does the writing, `seen` tells sync runs of it; `narrow` finds out what the database refuses.
//! `state` deletes, restores and archives, `rename` gives an entity another name, `rejects` keeps what was rejected, `retry`
//! tries it again. `given` upserts elements that came one a row, `summary` counts answers. `api` holds the other SQL
//! functions. `decode`, `fold` and `decide` do not touch Postgres.

pub(crate) mod api;
mod content;
mod decide;
mod decode;
pub(crate) mod entity;
mod error;
mod fold;
pub(crate) mod given;
pub(crate) mod keys;
mod look_up;
mod narrow;
pub(crate) mod options;
mod rejects;
mod rename;
mod retry;
pub(crate) mod seen;
pub(crate) mod state;
mod store;
pub(crate) mod summary;
mod time;
mod upsert;
mod write;

#[cfg(test)]
mod tests;
