//! What must hold of any text that is read as a structure, a JSON Schema or a printed expression. The
//! modules are those of the extension, which itself cannot be linked without Postgres.

#![allow(dead_code, unreachable_pub, clippy::panic)]

mod field_types;
#[path = "../../src/heap.rs"]
mod heap;
#[path = "../../src/ident.rs"]
mod ident;
#[path = "../../src/json.rs"]
mod json;
#[path = "../../src/jsonb/mod.rs"]
mod jsonb;
#[path = "../../src/pgvector.rs"]
mod pgvector;
#[path = "../../src/poll.rs"]
mod poll;
#[path = "../../src/secrets/mod.rs"]
mod secrets;
mod structure;
#[path = "../../src/time/mod.rs"]
mod time;

pub use structure::{read_document, read_expression, read_json_schema};
