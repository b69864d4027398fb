//! Entries: batches of JSON objects into entry tables.
//!
//! The way of a batch: `decode` reads its text straight into columns (`field_types` the values, by the
//! rules of a `validator`), `insert` and `change` compare them with the table and write,
//! through `land`, by the `statements` of an `entry_table`. `answer` keeps what became
//! of each element, and `api` holds the SQL functions.

mod answer;
pub(crate) mod api;
mod change;
mod circles;
mod decode;
mod delete;
mod entry_table;
mod error;
mod fold;
mod identity;
mod insert;
mod key;
mod land;
mod link_lists;
mod links;
mod moves;
pub(crate) mod needs;
mod references;
mod statements;
mod validator;
