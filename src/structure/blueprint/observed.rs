//! The tables that are there, read exactly.

use super::facts::Wanted;
use super::plan::Place;
use crate::error::Error;
use crate::structure::catalog::{Telling, tables_in, tables_named};
use crate::structure::observe::{Observed, Reading, observe};
use pgrx::spi::SpiClient;
use std::collections::BTreeMap;

/// By schema and name.
pub(crate) type Tables = BTreeMap<Place, Observed>;

/// Those of the wanted tables that are there, and all of whole schemas.
pub(crate) fn load(
    client: &SpiClient<'_>,
    wanted: &Wanted,
    telling: Telling,
) -> Result<Tables, Error> {
    let named: Vec<(&str, &str)> = wanted
        .tables
        .iter()
        .filter(|(schema, _)| !wanted.whole_schemas.contains(schema))
        .map(|(schema, name)| (schema.as_str(), name.as_str()))
        .collect();
    let whole: Vec<&str> = wanted.whole_schemas.iter().map(String::as_str).collect();
    let mut facts = tables_named(client, &named, telling)?;
    if !whole.is_empty() {
        facts.extend(tables_in(client, &whole, telling)?);
    }
    Ok(facts
        .iter()
        .map(|facts| {
            let place = (facts.schema.clone(), facts.name.clone());
            (place, observe(facts, Reading::Exact))
        })
        .collect())
}
