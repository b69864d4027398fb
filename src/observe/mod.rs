//! What `doctor()` knows by itself: how the tables of this version are made, and which servers are at fault.
//!
//! The rest of observability is SQL: `sql/functions/observe_*.sql`, and the views of `sql/schema/0018_observability.sql`.

use crate::access::statistics;
use pgrx::prelude::*;

/// Columns, constraints, indexes, triggers and policies of Kepler's tables right after `install()`, as
/// `kepler_internal.described_tables()` says them: an object a line. `tools/describe-tables.sh` writes the file.
const TABLES: &str = include_str!("tables.jsonl");

/// Internal: how the tables of this version are made
#[pg_extern(schema = "kepler_internal", immutable, parallel_safe)]
fn expected_tables_text() -> &'static str {
    TABLES
}

/// Internal: what is wrong with a version of Postgres
#[pg_extern(schema = "kepler_internal", immutable, parallel_safe)]
fn server_warning(version: Option<i32>) -> Option<String> {
    version.and_then(statistics::warning)
}
