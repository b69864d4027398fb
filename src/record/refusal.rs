//! What is a refusal of a record, for functions that are written in SQL.

use crate::pg::{relation, role, subtransaction};
use pgrx::prelude::*;

/// Whether an error of an SQLSTATE is the answer to a record, by the rule that holds for batches everywhere. SQL does not
/// say who raised a missing right: under row security it is taken for a policy's.
#[pg_extern(schema = "kepler_internal", stable, parallel_unsafe)]
fn is_refusal(sqlstate: &str) -> bool {
    let secured = || relation::named(c"kepler", c"records").is_some_and(role::is_secured);
    subtransaction::is_about_data(sqlstate, "") || (sqlstate == "42501" && secured())
}
