//! The rows that were found, as the caller sees them.

use crate::memory::nearest::Near;
use crate::pg::array::{self, Array};
use crate::pg::query::Parameters;
use pgrx::AnyElement;
use pgrx::datum::FromDatum;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;
use std::collections::HashMap;

/// A row that was found: the whole of it, and its distance.
pub(super) struct Found {
    pub(super) row: AnyElement,
    pub(super) distance: f64,
}

/// The place of a row in its table.
pub(super) const KEY: &str = "e.ctid::pg_catalog.text";
/// In one of several.
pub(super) const WHOLE_KEY: &str =
    "pg_catalog.concat(e.tableoid::pg_catalog.oid::pg_catalog.text, ' ', e.ctid::pg_catalog.text)";

/// The rows at these places, as the caller sees them.
pub(super) fn whole_rows(
    client: &mut SpiClient<'_>,
    table: &str,
    has_parts: bool,
    near: Vec<Near<()>>,
    memory: pg_sys::MemoryContext,
) -> Vec<Found> {
    let (mut places, mut keys) = (Array::new(array::TEXT), Array::new(array::TEXT));
    for near in &near {
        places.push_text(near.key.split_once(' ').map_or("", |(_, place)| place));
        keys.push_text(&near.key);
    }
    let mut parameters = Parameters::default();
    let places = parameters.array(pg_sys::TEXTARRAYOID, places);
    let keys = parameters.array(pg_sys::TEXTARRAYOID, keys);
    // The same place in other parts is another row.
    let those = if has_parts { format!("{WHOLE_KEY} = ANY ({keys})") } else { "true".to_owned() };
    let rows = parameters.run(
        client,
        &format!(
            "SELECT {WHOLE_KEY}, pg_catalog.to_jsonb(e.*) FROM {table} AS e \
             WHERE e.ctid = ANY ({places}::pg_catalog.tid[]) AND {those}"
        ),
    );
    let mut found: HashMap<&str, AnyElement> = rows
        .iter::<2>()
        .filter_map(|row| Some((row.text(0)?, kept(row.datum(1)?, memory)?)))
        .collect();
    let found = near.into_iter().filter_map(|near| {
        let row = found.remove(near.key.as_str())?;
        Some(Found { row, distance: near.distance })
    });
    found.collect()
}

/// A copy of a `jsonb` as it is stored: pgrx's own type would lose digits.
pub(crate) fn kept(datum: pg_sys::Datum, memory: pg_sys::MemoryContext) -> Option<AnyElement> {
    // SAFETY: the datum is a jsonb of a row that is still there; the memory is the call's.
    unsafe {
        let before = pg_sys::MemoryContextSwitchTo(memory);
        let copy = pg_sys::pg_detoast_datum_copy(datum.cast_mut_ptr());
        pg_sys::MemoryContextSwitchTo(before);
        AnyElement::from_polymorphic_datum(pg_sys::Datum::from(copy), false, pg_sys::JSONBOID)
    }
}
