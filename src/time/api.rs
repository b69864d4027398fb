//! The grammar of times for functions that are written in SQL.

use super::Instant;
use pgrx::prelude::*;

/// The time that a JSON value says, to the microsecond; NULL where it says none.
#[pg_extern(
    immutable,
    parallel_safe,
    strict,
    sql = "
CREATE FUNCTION kepler._time_of(value jsonb) RETURNS timestamptz
IMMUTABLE STRICT PARALLEL SAFE LANGUAGE c AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"
)]
fn _time_of(value: pgrx::AnyElement) -> Option<TimestampWithTimeZone> {
    let text = crate::pg::json::text(value.datum());
    let micros = super::of_json(text.as_bytes()).and_then(Instant::exact).ok()?;
    TimestampWithTimeZone::try_from(micros).ok()
}
