//! Memories as a store: found by key, listed, counted and updated.
//!
//! `api` takes the arguments; `item` is what is given of a memory; `get` finds memories by key or id, `list` lists and
//! counts them (`order` puts them in order and says where a page ends), `namespaces` lists where they are, `update`
//! changes one. What reads does so as the owner of the tables, once the caller's rights are checked.

mod api;
mod get;
mod item;
mod list;
mod list_api;
mod namespaces;
mod order;
mod update;
mod update_api;
