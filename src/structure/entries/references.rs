//! References that lead nowhere, found before the database says so of a whole batch.

use super::decode::Rows;
use super::entry_table::{EntryTable, Reference};
use super::key::Key;
use super::land::{Landing, ordinals};
use super::validator::Column;
use crate::answer::{Code, Violation};
use crate::field_types::kind::FieldKind;
use crate::json::shorten;
use crate::structure::model::KeyKind;
use pgrx::spi::SpiClient;
use std::collections::{HashMap, HashSet};

impl Landing<'_> {
    /// Takes rows out of `alive` that refer to what is not there. An entry may refer to another one of the same rows, if
    /// that can land. Nothing is locked: Postgres' own check does that when the row is written, with the rights of the
    /// table's owner.
    pub(crate) fn check_references(
        &mut self,
        client: &mut SpiClient<'_>,
        rows: &Rows,
        alive: &mut Vec<u32>,
    ) {
        let table = self.table;
        let key_starts = rows.columns[0].starts();
        let key = |row: u32| rows.columns[0].get(&key_starts, row as usize);
        let own: HashSet<&[u8]> = if table.refers_to_itself() {
            alive.iter().filter_map(|&row| key(row)).collect()
        } else {
            HashSet::new()
        };
        let (mut gone, mut waiting) = (HashSet::new(), Vec::new());
        for reference in &table.references {
            let elsewhere = |value: &[u8]| !reference.to_itself || !own.contains(value);
            for (row, value) in missing(client, reference, rows, alive, elsewhere) {
                let violation = no_such_entry(table, reference, value);
                self.answers.reject(rows.elements[row as usize], violation);
                if gone.insert(row) {
                    waiting.push(row);
                }
            }
        }
        if gone.is_empty() {
            return;
        }
        // Others may have referred to those, and others to these; the stored ones are asked for once.
        let mut needing: HashMap<&[u8], Vec<(u32, &Reference)>> = HashMap::new();
        for reference in table.references.iter().filter(|reference| reference.to_itself) {
            let here = |value: &[u8]| own.contains(value);
            for (row, value) in missing(client, reference, rows, alive, here) {
                needing.entry(value).or_default().push((row, reference));
            }
        }
        let mut providers: HashMap<&[u8], usize> = HashMap::new();
        for key in alive.iter().filter_map(|&row| key(row)) {
            *providers.entry(key).or_default() += 1;
        }
        while let Some(row) = waiting.pop() {
            let Some(key) = key(row) else { continue };
            let Some(left) = providers.get_mut(key) else { continue };
            *left -= 1;
            if *left > 0 {
                continue;
            }
            for (row, reference) in needing.remove(key).unwrap_or_default() {
                let violation = no_such_entry(table, reference, key);
                self.answers.reject(rows.elements[row as usize], violation);
                if gone.insert(row) {
                    waiting.push(row);
                }
            }
        }
        alive.retain(|row| !gone.contains(row));
    }
}

/// Rows of `alive` that have one of the given references to a missing entry, and the key that it names.
fn missing<'r>(
    client: &mut SpiClient<'_>,
    reference: &Reference,
    rows: &'r Rows,
    alive: &[u32],
    is_asked: impl Fn(&[u8]) -> bool,
) -> Vec<(u32, &'r [u8])> {
    let column = &rows.columns[reference.column as usize];
    let starts = column.starts();
    let value = |row: u32| column.get(&starts, row as usize).filter(|value| is_asked(value));
    // Many entries refer to few.
    let mut firsts: HashMap<&[u8], u32> = HashMap::new();
    let mut asked = Vec::new();
    for &row in alive {
        if let Some(value) = value(row) {
            firsts.entry(value).or_insert_with(|| {
                asked.push(row);
                row
            });
        }
    }
    if asked.is_empty() {
        return Vec::new();
    }
    let mut values = column.gather(&starts, &asked);
    let mut ordinals = ordinals(&asked);
    let parameters = [Some(ordinals.datum()), Some(values.datum())];
    let found = reference.find_missing.run(client, &parameters);
    let missing: HashSet<u32> =
        found.iter::<1>().filter_map(|row| row.integer(0)).map(|row| row as u32).collect();
    if missing.is_empty() {
        return Vec::new();
    }
    let leads_nowhere = |&row: &u32| {
        let value = value(row)?;
        firsts.get(value).filter(|first| missing.contains(first)).map(|_| (row, value))
    };
    alive.iter().filter_map(leads_nowhere).collect()
}

fn no_such_entry(table: &EntryTable, reference: &Reference, value: &[u8]) -> Violation {
    let column = &table.validator.columns[reference.column as usize];
    let value =
        Key::from_stored(key_kind(column), value).map_or_else(String::new, |key| key.to_string());
    let message = match column.sensitive {
        None => format!("{} has no entry {}", reference.to, shorten(&value)),
        Some(_) => format!("{} has no such entry", reference.to),
    };
    Violation::new(Some(&column.name), Code::MissingReference, message)
}

/// Of which kind the keys are that a column of references holds.
pub(crate) fn key_kind(column: &Column) -> KeyKind {
    match column.kind {
        FieldKind::Bigint => KeyKind::Bigint,
        FieldKind::Uuid => KeyKind::Uuid,
        _ => KeyKind::Cuid,
    }
}
