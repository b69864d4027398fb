//! Which rows of a group are stored already, and what of them is otherwise.

use super::super::error::BlueprintError;
use super::compare::Scene;
use super::order::Group;
use super::resolve::Resolved;
use super::statements::{Spoken, numbers, texts};
use super::unique::{Set, unique_sets};
use super::{Existing, Row, Seed, Value};
use crate::error::Error;
use pgrx::spi::SpiClient;
use std::collections::{BTreeMap, HashMap};

/// Looks at the rows of a seed, a group at a time.
pub(super) struct Looker<'s> {
    pub(super) scene: &'s Scene<'s>,
    pub(super) resolved: Resolved,
}

/// Rows of a group that are not as they are to be.
#[derive(Default)]
pub(super) struct Looked {
    pub(super) missing: Vec<usize>,
    pub(super) changed: Vec<(usize, String)>,
    pub(super) hidden: BTreeMap<String, Vec<usize>>,
    pub(super) is_rough: bool,
}

impl<'s> Looker<'s> {
    pub(super) fn new(scene: &'s Scene<'s>) -> Self {
        Self { scene, resolved: Resolved::default() }
    }

    pub(super) fn seed(&self, group: &Group) -> &'s Seed {
        &self.scene.blueprint.seed[group.seed]
    }

    /// The unique set that tells the rows from one another.
    pub(super) fn set(&self, seed: &Seed) -> Option<Set> {
        let sets = unique_sets(self.scene.table(&seed.table)?);
        sets.into_iter().find(|set| set.is_of(&seed.key))
    }

    pub(super) fn look(
        &mut self,
        client: &mut SpiClient<'_>,
        group: &Group,
    ) -> Result<Looked, Error> {
        let seed = self.seed(group);
        let mut looked = Looked::default();
        let Some(set) = self.set(seed) else { return Ok(looked) };
        let mut rows = Vec::new();
        for &at in &group.rows {
            match self.scene.hidden(seed, &seed.rows[at]) {
                Some(why) => looked.hidden.entry(why).or_default().push(at),
                None => rows.push(at),
            }
        }
        let Some(spoken) = self.scene.spoken(&seed.table) else {
            looked.missing = rows;
            return Ok(looked);
        };
        if !seed.key.iter().all(|column| self.scene.is_readable(&seed.table, column)) {
            looked.is_rough = true;
            looked.missing = rows;
            return Ok(looked);
        }
        let of_key = |at: &usize| {
            let row = &seed.rows[*at];
            seed.key.iter().filter_map(|column| row.get(column))
        };
        self.resolved.look_up(client, self.scene, rows.iter().flat_map(of_key));
        // By what is compared of them.
        let mut kinds: BTreeMap<Vec<&str>, Vec<usize>> = BTreeMap::new();
        for &at in &rows {
            let compared = match seed.existing {
                Existing::Keep => Vec::new(),
                Existing::Update => compared(&seed.rows[at], &set),
            };
            kinds.entry(compared).or_default().push(at);
        }
        if seed.existing == Existing::Update {
            let values = rows.iter().flat_map(|at| seed.rows[*at].0.iter().map(|(_, value)| value));
            self.resolved.look_up(client, self.scene, values);
        }
        let mut places: HashMap<String, usize> = HashMap::new();
        let mut same = Vec::new();
        for (compared, rows) in kinds {
            let found = self.find(client, &spoken, (&set, seed), &compared, &rows);
            for at in rows {
                let Some((place, changes)) = found.get(&at) else {
                    looked.missing.push(at);
                    continue;
                };
                if let Some(first) = places.insert(place.clone(), at) {
                    same.push(format!("rows {first} and {at} of \"{}\"", seed.table));
                }
                if changes != "{}" {
                    looked.changed.push((at, changes.clone()));
                }
            }
        }
        if !same.is_empty() {
            return Err(BlueprintError::SeedSame(same).into());
        }
        looked.missing.sort_unstable();
        looked.changed.sort_unstable();
        Ok(looked)
    }

    /// The rows that are stored: their places, and what is otherwise.
    fn find(
        &self,
        client: &mut SpiClient<'_>,
        spoken: &Spoken<'_>,
        (set, seed): (&Set, &Seed),
        compared: &[&str],
        rows: &[usize],
    ) -> HashMap<usize, (String, String)> {
        let text = |at: usize, column: &str| {
            let value = seed.rows[at].get(column)?;
            self.scene.stored(&seed.table, column, value, self.resolved.text(value)?)
        };
        let compared_text = |at: usize, column: &str| {
            let value = seed.rows[at].get(column)?;
            self.scene.compared(&seed.table, column, value, self.resolved.text(value)?)
        };
        let names = set.names();
        let keyed: Vec<usize> = rows
            .iter()
            .copied()
            .filter(|at| names.iter().all(|name| text(*at, name).is_some()))
            .collect();
        // What is not there yet differs from whatever is.
        let is_known = |at: &usize| {
            compared.iter().all(|column| {
                self.scene.is_readable(&seed.table, column) && compared_text(*at, column).is_some()
            })
        };
        let (known, unknown): (Vec<usize>, Vec<usize>) = keyed.into_iter().partition(is_known);
        let mut found = HashMap::new();
        for (rows, compared, otherwise) in [(known, compared, None), (unknown, &[], Some("…"))] {
            if rows.is_empty() {
                continue;
            }
            let mut arrays = vec![numbers(rows.iter().copied())];
            let mut add = |column: &str, text: &dyn Fn(usize, &str) -> Option<Option<String>>| {
                let values: Vec<Option<String>> =
                    rows.iter().map(|at| text(*at, column).flatten()).collect();
                arrays.push(texts(values.iter().map(Option::as_deref)));
            };
            names.iter().for_each(|column| add(column, &text));
            compared.iter().for_each(|column| add(column, &compared_text));
            let parameters: Vec<_> = arrays.iter_mut().map(|array| Some(array.datum())).collect();
            let statement = spoken.find(set, compared);
            for row in statement.run(client, &parameters).iter::<3>() {
                let (Some(at), Some(place)) = (row.integer(0), row.text(1)) else { continue };
                let changes = otherwise.unwrap_or(row.text(2).unwrap_or_default());
                found.insert(at as usize, (place.to_owned(), changes.to_owned()));
            }
        }
        found
    }
}

/// Columns in which a stored row may be otherwise: those that the row names, but for its key and for what is counted from the
/// application.
pub(super) fn compared<'r>(row: &'r Row, set: &Set) -> Vec<&'r str> {
    let is_key = |name: &str| {
        set.columns.iter().any(|column| column.name == name && !column.case_insensitive)
    };
    let values =
        row.0.iter().filter(|(name, value)| !is_key(name) && !matches!(value, Value::Moved { .. }));
    let mut names: Vec<&str> = values.map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    names
}
