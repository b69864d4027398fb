//! Writes the rows of a seed that are not there, or are otherwise: as the caller, a statement for rows of one table that name the
//! same fields.

use super::super::error::BlueprintError;
use super::compare::{SETTINGS, Scene, nothing_found};
use super::look::{Looker, compared};
use super::order::{Group, order};
use super::refused::write_rows;
use super::statements::{Way, texts};
use super::unique::Set;
use super::{Existing, Seed, Value};
use crate::error::Error;
use crate::pg::local_settings::LocalSettings;
use pgrx::spi::SpiClient;
use std::collections::BTreeMap;

/// Writes what is not as it is to be.
pub(crate) fn write(client: &mut SpiClient<'_>, scene: &Scene<'_>) -> Result<(), Error> {
    let _settings = LocalSettings::set(SETTINGS);
    let mut looker = Looker::new(scene);
    for group in order(scene.blueprint).unwrap_or_default() {
        pgrx::check_for_interrupts!();
        let looked = looker.look(client, &group)?;
        let seed = looker.seed(&group);
        let Some(set) = looker.set(seed) else { continue };
        let changed: Vec<usize> = looked.changed.iter().map(|(at, _)| *at).collect();
        let values = looked.missing.iter().chain(&changed);
        let values = values.flat_map(|at| seed.rows[*at].0.iter().map(|(_, value)| value));
        looker.resolved.look_up(client, scene, values);
        check_found(&looker, &group, looked.missing.iter().chain(&changed))?;
        insert(client, &looker, (seed, &set), &looked.missing)?;
        update(client, &looker, (seed, &set), &changed)?;
        if seed.existing == Existing::Update && !looked.missing.is_empty() {
            // A row that another session has inserted meanwhile was left as it is.
            let rows = Group { seed: group.seed, rows: looked.missing };
            let again = looker.look(client, &rows)?;
            let changed: Vec<usize> = again.changed.iter().map(|(at, _)| *at).collect();
            update(client, &looker, (seed, &set), &changed)?;
        }
    }
    Ok(())
}

/// Every row that is to be written has what it looks up.
fn check_found<'r>(
    looker: &Looker<'_>,
    group: &Group,
    rows: impl Iterator<Item = &'r usize>,
) -> Result<(), Error> {
    let seed = looker.seed(group);
    let mut lines = Vec::new();
    for &at in rows {
        let mut lookups = seed.rows[at].0.iter().flat_map(|(_, value)| value.lookups());
        if let Some(lookup) = lookups.find(|lookup| !looker.resolved.has_found(lookup)) {
            lines.push(nothing_found(seed, at, lookup, looker.scene));
        }
    }
    if lines.is_empty() { Ok(()) } else { Err(BlueprintError::SeedLookup(lines).into()) }
}

/// The values of some rows in a column.
fn values(
    looker: &Looker<'_>,
    seed: &Seed,
    rows: &[usize],
    column: &str,
) -> crate::pg::array::Array {
    let text = |at: &usize| looker.resolved.text(seed.rows[*at].get(column)?).flatten();
    let values: Vec<Option<String>> = rows.iter().map(text).collect();
    texts(values.iter().map(Option::as_deref))
}

fn insert(
    client: &mut SpiClient<'_>,
    looker: &Looker<'_>,
    (seed, set): (&Seed, &Set),
    rows: &[usize],
) -> Result<(), Error> {
    let Some(spoken) = looker.scene.spoken(&seed.table) else { return Ok(()) };
    for (columns, rows) in by_columns(seed, rows) {
        let statement = spoken.insert(set, &columns);
        write_rows(looker.scene, seed, &rows, |rows| {
            let names = columns.iter().map(|(name, _)| *name);
            let mut arrays: Vec<_> = names.map(|name| values(looker, seed, rows, name)).collect();
            let parameters: Vec<_> = arrays.iter_mut().map(|array| Some(array.datum())).collect();
            statement.run(client, &parameters);
        })?;
    }
    Ok(())
}

/// Rows by the columns that they name, and how their values come.
pub(super) fn by_columns<'s>(
    seed: &'s Seed,
    rows: &[usize],
) -> BTreeMap<Vec<(&'s str, Way)>, Vec<usize>> {
    let mut kinds: BTreeMap<Vec<(&str, Way)>, Vec<usize>> = BTreeMap::new();
    for &at in rows {
        let columns = seed.rows[at].0.iter().map(|(name, value)| {
            let way = match value {
                Value::Moved { ahead, .. } => Way::Moved { ahead: *ahead },
                _ => Way::Given,
            };
            (name.as_str(), way)
        });
        let mut columns: Vec<_> = columns.collect();
        columns.sort_unstable();
        kinds.entry(columns).or_default().push(at);
    }
    kinds
}

fn update(
    client: &mut SpiClient<'_>,
    looker: &Looker<'_>,
    (seed, set): (&Seed, &Set),
    rows: &[usize],
) -> Result<(), Error> {
    let Some(spoken) = looker.scene.spoken(&seed.table) else { return Ok(()) };
    let mut kinds: BTreeMap<Vec<&str>, Vec<usize>> = BTreeMap::new();
    for &at in rows {
        kinds.entry(compared(&seed.rows[at], set)).or_default().push(at);
    }
    for (columns, rows) in kinds {
        let statement = spoken.update(set, &columns);
        write_rows(looker.scene, seed, &rows, |rows| {
            let names = set.names().into_iter().chain(columns.iter().copied());
            let mut arrays: Vec<_> = names.map(|name| values(looker, seed, rows, name)).collect();
            let parameters: Vec<_> = arrays.iter_mut().map(|array| Some(array.datum())).collect();
            statement.run(client, &parameters);
        })?;
    }
    Ok(())
}
