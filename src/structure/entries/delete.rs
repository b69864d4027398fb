//! Deleting entries: they are locked in the order of their keys, and really go.

use super::answer::{Answers, Outcome};
use super::entry_table::EntryTable;
use super::insert::WRITE_ROWS;
use super::key::Key;
use super::land::{ordinals, refused};
use super::violation::{Code, Violation};
use crate::pg::array::Array;
use crate::pg::subtransaction;
use crate::poll;
use pgrx::check_for_interrupts;
use pgrx::spi::SpiClient;
use std::collections::{BTreeMap, HashSet};

/// Deletes the entries with these keys and answers for each.
pub(crate) fn delete(
    client: &mut SpiClient<'_>,
    table: &EntryTable,
    entry_ids: &[Option<String>],
) -> Answers {
    let mut answers = Answers::default();
    let mut first: BTreeMap<Key, u32> = BTreeMap::new();
    for (at, id) in entry_ids.iter().enumerate() {
        let at = at as u32;
        poll::check();
        answers.push(Vec::new());
        let Some(id) = id else {
            answers
                .reject(at, Violation::new(None, Code::Required, "an entry id must not be null"));
            continue;
        };
        // What can be no key is the key of nothing.
        let outcome = match Key::parse(table.key_kind, id) {
            None => Outcome::NotFound,
            Some(key) => match first.insert(key.clone(), at) {
                None => Outcome::NotFound,
                Some(earlier) => {
                    first.insert(key, earlier);
                    Outcome::Unchanged
                }
            },
        };
        answers.settle(at, outcome, id.clone());
    }
    let keys: Vec<(Key, u32)> = first.into_iter().collect();
    for chunk in keys.chunks(WRITE_ROWS) {
        delete_some(client, table, chunk, &mut answers);
    }
    answers
}

/// Deletes as many as the database lets go; the others are found by halves.
fn delete_some(
    client: &mut SpiClient<'_>,
    table: &EntryTable,
    keys: &[(Key, u32)],
    answers: &mut Answers,
) {
    check_for_interrupts!();
    let array = || {
        let mut array = Array::new(table.validator.columns[0].element);
        keys.iter().for_each(|(key, _)| key.push_to(&mut array));
        array
    };
    let attempt = subtransaction::attempt(|| {
        let places: Vec<u32> = (0..keys.len() as u32).collect();
        let (mut ordinals, mut locked, mut deleted) = (ordinals(&places), array(), array());
        let rows = table.lock.run(client, &[Some(ordinals.datum()), Some(locked.datum())]);
        let there: Vec<u32> =
            rows.iter::<1>().filter_map(|row| row.integer(0)).map(|at| at as u32).collect();
        drop(rows);
        let rows = table.delete.run(client, &[Some(deleted.datum())]);
        let key = |row| Key::of::<1>(table.key_kind, &row, 0);
        let gone: HashSet<Key> = rows.iter::<1>().filter_map(key).collect();
        (there, gone)
    });
    match attempt {
        Ok((there, gone)) => {
            for at in there {
                let (key, element) = &keys[at as usize];
                if gone.contains(key) {
                    answers.settle(*element, Outcome::Deleted, key.to_string());
                } else {
                    let message = "a trigger of the table kept it from being deleted";
                    answers.reject(*element, Violation::new(None, Code::NotWritten, message));
                }
            }
        }
        Err(refusal) => match keys {
            [(_, element)] => answers.reject(*element, refused(refusal)),
            _ => {
                let (first, second) = keys.split_at(keys.len() / 2);
                delete_some(client, table, first, answers);
                delete_some(client, table, second, answers);
            }
        },
    }
}
