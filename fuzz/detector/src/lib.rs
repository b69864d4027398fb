//! What must hold of any text in which secrets are looked for. The modules are those of the extension, which itself cannot be
//! linked without Postgres.

#![allow(dead_code, unreachable_pub, clippy::panic)]

mod detector;
#[path = "../../../src/heap.rs"]
mod heap;
#[path = "../../../src/json.rs"]
mod json;
#[path = "../../../src/jsonb/mod.rs"]
mod jsonb;
#[path = "../../../src/poll.rs"]
mod poll;
#[path = "../../../src/secrets/mod.rs"]
mod secrets;

pub use detector::read_secrets;
