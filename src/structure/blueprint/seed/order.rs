//! Which rows need which others, and in which order they are written: a row after those that it looks up, and after those
//! that its values refer to.

use super::super::model::Blueprint;
use super::{Lookup, Seed, Value};
use crate::structure::entries::needs;
use crate::structure::table::{Reference, Rule};
use std::collections::{BTreeMap, HashMap, HashSet};

/// A row, by the places of its table and of itself in the document.
pub(crate) type Place = (usize, usize);

/// Rows of one table that are written together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) seed: usize,
    pub(crate) rows: Vec<usize>,
}

/// Rows that need one another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Circle(pub(crate) Vec<Place>);

/// Finds the rows that lookups mean.
pub(crate) struct Rows<'b> {
    blueprint: &'b Blueprint,
    by_name: HashMap<&'b str, usize>,
    /// Of each table the columns in which case does not count.
    folded: Vec<HashSet<String>>,
    /// By table and columns: the rows by their values there.
    found: HashMap<(usize, Vec<String>), HashMap<Vec<String>, usize>>,
}

impl<'b> Rows<'b> {
    pub(crate) fn new(blueprint: &'b Blueprint) -> Self {
        let seeds = blueprint.seed.iter().enumerate();
        let by_name = seeds.map(|(at, seed)| (seed.table.as_str(), at)).collect();
        let folded = blueprint.seed.iter().map(|seed| {
            let table = blueprint.table_called(&seed.table);
            let sets = table.map(super::unique_sets).unwrap_or_default();
            let columns = sets.into_iter().flat_map(|set| set.columns);
            columns.filter(|column| column.case_insensitive).map(|column| column.name).collect()
        });
        let folded = folded.collect();
        Self { blueprint, by_name, folded, found: HashMap::new() }
    }

    fn seed(&self, at: usize) -> &'b Seed {
        &self.blueprint.seed[at]
    }

    /// The row that a lookup finds, if it is one of the document's.
    pub(crate) fn of(&mut self, lookup: &Lookup) -> Option<Place> {
        let seed = *self.by_name.get(lookup.table.as_str())?;
        let by = lookup.by.iter().map(|(column, value)| (column.as_str(), value));
        self.with(seed, by.collect())
    }

    /// The row of a table with these values.
    fn with(&mut self, seed: usize, mut by: Vec<(&str, &Value)>) -> Option<Place> {
        by.sort_by_key(|(column, _)| *column);
        let columns: Vec<String> = by.iter().map(|(column, _)| (*column).to_owned()).collect();
        let folds: Vec<bool> =
            columns.iter().map(|column| self.folded[seed].contains(column)).collect();
        let rows = &self.seed(seed).rows;
        let index = self.found.entry((seed, columns.clone())).or_insert_with(|| {
            let mut index = HashMap::new();
            for (at, row) in rows.iter().enumerate() {
                let values = columns.iter().zip(&folds);
                let values = values.map(|(column, fold)| Some(row.get(column)?.mark(*fold)));
                if let Some(marks) = values.collect::<Option<Vec<String>>>() {
                    index.entry(marks).or_insert(at);
                }
            }
            index
        });
        let marks: Vec<String> =
            by.iter().zip(&folds).map(|((_, value), fold)| value.mark(*fold)).collect();
        index.get(&marks).map(|row| (seed, *row))
    }
}

/// Groups of rows, each needing only those before it, as few as can be; or the rows that go round in circles.
pub(crate) fn order(blueprint: &Blueprint) -> Result<Vec<Group>, Vec<Circle>> {
    let seeds = &blueprint.seed;
    let needs = needed(blueprint);
    let of_tables: Vec<Vec<u32>> = needs
        .iter()
        .map(|rows| {
            let mut others: Vec<u32> =
                rows.iter().flatten().map(|(seed, _)| *seed as u32).collect();
            others.sort_unstable();
            others.dedup();
            others
        })
        .collect();
    let (mut groups, mut circles) = (Vec::new(), Vec::new());
    for tables in needs::units(seeds.len(), &of_tables) {
        let inner = |place: &&Place| tables.contains(&(place.0 as u32));
        let places: Vec<Place> = tables
            .iter()
            .flat_map(|&seed| {
                (0..seeds[seed as usize].rows.len()).map(move |row| (seed as usize, row))
            })
            .collect();
        let numbers: HashMap<Place, u32> =
            places.iter().enumerate().map(|(number, place)| (*place, number as u32)).collect();
        let of_rows: Vec<Vec<u32>> = places
            .iter()
            .map(|(seed, row)| {
                let needed = needs[*seed][*row].iter().filter(inner);
                needed.filter_map(|place| numbers.get(place).copied()).collect()
            })
            .collect();
        // How many rows must come before, one after the other.
        let mut depths = vec![0_usize; places.len()];
        for unit in needs::units(places.len(), &of_rows) {
            let is_circle = unit.len() > 1 || of_rows[unit[0] as usize].contains(&unit[0]);
            if is_circle {
                circles.push(Circle(unit.iter().map(|row| places[*row as usize]).collect()));
                continue;
            }
            let row = unit[0] as usize;
            let before = of_rows[row].iter().map(|needed| depths[*needed as usize] + 1);
            depths[row] = before.max().unwrap_or(0);
        }
        let mut by_depth: BTreeMap<(usize, usize), Vec<usize>> = BTreeMap::new();
        for ((seed, row), depth) in places.iter().zip(&depths) {
            by_depth.entry((*depth, *seed)).or_default().push(*row);
        }
        groups.extend(by_depth.into_iter().map(|((_, seed), rows)| Group { seed, rows }));
    }
    if circles.is_empty() { Ok(groups) } else { Err(circles) }
}

/// For each row of each table the rows that it needs.
fn needed(blueprint: &Blueprint) -> Vec<Vec<Vec<Place>>> {
    let mut rows = Rows::new(blueprint);
    let mut needed = Vec::new();
    for (seed_at, seed) in blueprint.seed.iter().enumerate() {
        let table = blueprint.table_called(&seed.table);
        let references: Vec<(&Reference, usize)> = table
            .iter()
            .flat_map(|table| &table.table.rules)
            .filter_map(|rule| {
                let Rule::Reference(reference) = rule else { return None };
                let target = &reference.target;
                let target = blueprint.tables.iter().find(|table| {
                    table.schema == target.schema && table.table_name == target.table
                })?;
                Some((reference, *rows.by_name.get(target.name.as_str())?))
            })
            .collect();
        let mut of_table = Vec::new();
        for (row_at, row) in seed.rows.iter().enumerate() {
            let mut places = Vec::new();
            for lookup in row.0.iter().flat_map(|(_, value)| value.lookups()) {
                places.extend(rows.of(lookup));
            }
            for (reference, target) in &references {
                let pairs = reference.columns.iter().zip(&reference.target.columns);
                let by: Option<Vec<(&str, &Value)>> = pairs
                    .map(|(own, other)| match row.get(own)? {
                        Value::Null | Value::Moved { .. } => None,
                        value => Some((other.as_str(), value)),
                    })
                    .collect();
                // A row may refer to itself.
                let place = by.and_then(|by| rows.with(*target, by));
                places.extend(place.filter(|place| *place != (seed_at, row_at)));
            }
            places.sort_unstable();
            places.dedup();
            of_table.push(places);
        }
        needed.push(of_table);
    }
    needed
}
