//! The rows that were found, as the caller sees them.

use super::relation::Column;
use crate::ident::quote;
use crate::pg::array::{self, Array};
use crate::pg::query::Parameters;
use pgrx::AnyElement;
use pgrx::datum::FromDatum;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;
use std::collections::HashMap;

/// A row that is an answer, by its key, and why it is.
pub(super) struct Ranked {
    pub(super) key: String,
    pub(super) score: f64,
    /// None where the row has no vector, or the question none.
    pub(super) distance: Option<f64>,
    pub(super) similarity: Option<f64>,
    pub(super) vector_rank: Option<i32>,
    pub(super) text_rank: Option<i32>,
}

/// The same with the row.
pub(super) struct Found {
    pub(super) row: AnyElement,
    pub(super) ranked: Ranked,
}

/// The place of a row in its table.
pub(super) const KEY: &str = "e.ctid::pg_catalog.text";
/// In one of several.
pub(super) const WHOLE_KEY: &str =
    "pg_catalog.concat(e.tableoid::pg_catalog.oid::pg_catalog.text, ' ', e.ctid::pg_catalog.text)";

/// Rows by their places.
pub(super) struct Places {
    /// A condition on `e`.
    pub(super) condition: String,
}

impl Places {
    /// The values are added to the parameters.
    pub(super) fn of<'k>(
        keys: impl Iterator<Item = &'k str>,
        has_parts: bool,
        parameters: &mut Parameters,
    ) -> Self {
        let (mut places, mut whole) = (Array::new(array::TEXT), Array::new(array::TEXT));
        for key in keys {
            places.push_text(key.split_once(' ').map_or("", |(_, place)| place));
            whole.push_text(key);
        }
        let places = parameters.array(pg_sys::TEXTARRAYOID, places);
        let mut condition = format!("e.ctid = ANY ({places}::pg_catalog.tid[])");
        if has_parts {
            // The same place in other parts is another row.
            let whole = parameters.array(pg_sys::TEXTARRAYOID, whole);
            condition.push_str(&format!(" AND {WHOLE_KEY} = ANY ({whole})"));
        }
        Self { condition }
    }
}

/// The rows at their places, as the caller sees them, with these columns.
pub(super) fn whole_rows(
    client: &mut SpiClient<'_>,
    table: &str,
    has_parts: bool,
    ranked: Vec<Ranked>,
    shown: &[&Column],
    memory: pg_sys::MemoryContext,
) -> Vec<Found> {
    let mut parameters = Parameters::default();
    let keys = ranked.iter().map(|ranked| ranked.key.as_str());
    let Places { condition } = Places::of(keys, has_parts, &mut parameters);
    let columns: Vec<String> =
        shown.iter().map(|column| format!("e.{}", quote(&column.name))).collect();
    let rows = parameters.run(
        client,
        &format!(
            "SELECT {WHOLE_KEY}, (SELECT pg_catalog.to_jsonb(d.*) FROM (SELECT {}) AS d) \
             FROM {table} AS e WHERE {condition}",
            columns.join(", "),
        ),
    );
    let mut found: HashMap<&str, AnyElement> = rows
        .iter::<2>()
        .filter_map(|row| Some((row.text(0)?, kept(row.datum(1)?, memory)?)))
        .collect();
    let found = ranked.into_iter().filter_map(|ranked| {
        let row = found.remove(ranked.key.as_str())?;
        Some(Found { row, ranked })
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
