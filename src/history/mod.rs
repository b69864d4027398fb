//! What rows of tracked tables were before they were changed, kept for ever.
//!
//! Triggers that `feed` makes call `write`, which puts down an `image` of what a change has overwritten, with the
//! `shape` of the table and with `who` did it. `read` rebuilds the versions of a row of a `tracked` table
//! from the present one backwards, by the `events` that this node has noted, and by what other nodes of a cluster have
//! (`elsewhere`).
//! `keep` has the owner of Kepler's tables chain hashes over what is there, look for breaks, and redact.

pub(crate) mod api;
mod elsewhere;
mod error;
mod events;
mod image;
pub(crate) mod keep;
mod read;
mod rebuild;
mod shape;
mod tracked;
mod who;
mod write;
