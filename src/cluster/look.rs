//! Where the rows of a table lie, for functions in SQL that look at sizes and statistics.

use crate::pg::cluster::part;
use pgrx::prelude::*;

/// Internal: what has the rows of a table here: in a part of a cluster its shard, and everywhere else the table itself.
#[pg_extern(
    schema = "kepler_internal",
    stable,
    parallel_unsafe,
    sql = "
CREATE FUNCTION kepler_internal.relation_here(relation regclass) RETURNS regclass
STABLE STRICT PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"
)]
fn relation_here(relation: pg_sys::Oid) -> pg_sys::Oid {
    part::here(relation)
}
