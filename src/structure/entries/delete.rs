//! Deleting entries: they are locked in the order of their keys, and really go. One that refers to another goes before
//! it: what stays does not depend on how the batch is cut.

use super::answer::Answers;
use super::entry_table::{EntryTable, Reference};
use super::insert::WRITE_ROWS;
use super::key::Key;
use super::land::{ordinals, refused, run_for_keys};
use super::needs;
use crate::answer::{Code, Outcome, Violation};
use crate::pg::array::Array;
use crate::pg::subtransaction::{self, Refusal};
use crate::poll;
use pgrx::check_for_interrupts;
use pgrx::spi::SpiClient;
use std::collections::{BTreeMap, HashMap, HashSet};

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
    // Entries that refer to each other are looked at together.
    let whole = if table.refers_to_itself() { keys.len().max(1) } else { WRITE_ROWS };
    for keys in keys.chunks(whole) {
        let mut deletion = Deletion { table, keys, answers: &mut answers };
        let there = deletion.lock(client);
        let mut piece = Vec::new();
        let mut size = 0;
        for unit in deletion.units(client, &there) {
            if size > 0 && size + unit.len() > WRITE_ROWS {
                deletion.delete(client, &std::mem::take(&mut piece));
                size = 0;
            }
            size += unit.len();
            piece.push(unit);
        }
        deletion.delete(client, &piece);
    }
    answers
}

/// Some keys, and the elements that name them.
struct Deletion<'d> {
    table: &'d EntryTable,
    keys: &'d [(Key, u32)],
    answers: &'d mut Answers,
}

impl Deletion<'_> {
    fn array(&self, places: &[u32]) -> Array {
        let mut array = Array::new(self.table.validator.columns[0].element);
        places.iter().for_each(|&place| self.keys[place as usize].0.push_to(&mut array));
        array
    }

    /// Locks the existing entries in the order of their keys. Returns their places.
    fn lock(&self, client: &mut SpiClient<'_>) -> Vec<u32> {
        let places: Vec<u32> = (0..self.keys.len() as u32).collect();
        let mut there = Vec::new();
        for chunk in places.chunks(WRITE_ROWS) {
            check_for_interrupts!();
            let (mut ordinals, mut keys) = (ordinals(chunk), self.array(chunk));
            let rows = self.table.lock.run(client, &[Some(ordinals.datum()), Some(keys.datum())]);
            there.extend(rows.iter::<1>().filter_map(|row| row.integer(0)).map(|at| at as u32));
        }
        there
    }

    /// Places in an order in which an entry goes before the one that it refers to, or together with it.
    fn units(&self, client: &mut SpiClient<'_>, there: &[u32]) -> Vec<Vec<u32>> {
        let index: HashMap<&Key, u32> =
            there.iter().zip(0..).map(|(&place, at)| (&self.keys[place as usize].0, at)).collect();
        let at: HashMap<u32, u32> = there.iter().copied().zip(0..).collect();
        let mut needs = vec![Vec::new(); there.len()];
        let tied = |reference: &&Reference| reference.to_itself && reference.is_tied;
        for reference in self.table.references.iter().filter(tied) {
            for chunk in there.chunks(WRITE_ROWS) {
                let mut arrays = [ordinals(chunk), self.array(chunk)];
                for (place, to) in run_for_keys(client, self.table, &reference.read, &mut arrays) {
                    if let (Some(&to), Some(&from)) = (index.get(&to), at.get(&place)) {
                        needs[to as usize].push(from);
                    }
                }
            }
        }
        let place = |at: u32| there[at as usize];
        needs::units(there.len(), &needs)
            .into_iter()
            .map(|unit| unit.into_iter().map(place).collect())
            .collect()
    }

    /// Deletes as many as the database lets go; the others are found by halves.
    fn delete(&mut self, client: &mut SpiClient<'_>, units: &[Vec<u32>]) {
        let places = units.concat();
        if places.is_empty() {
            return;
        }
        let Err(refusal) = self.attempt(client, &places) else { return };
        if let Some((first, second)) = needs::halves(units) {
            self.delete(client, first);
            self.delete(client, second);
        } else if let [place] = places.as_slice() {
            self.answers.reject(self.keys[*place as usize].1, refused(refusal));
        } else {
            self.part(client, places);
        }
    }

    /// Entries that refer to each other, of which one is to stay: each that can go without the others goes.
    fn part(&mut self, client: &mut SpiClient<'_>, mut places: Vec<u32>) {
        loop {
            let mut refusals = Vec::new();
            for &place in &places {
                if let Err(refusal) = self.attempt(client, &[place]) {
                    refusals.push((place, refusal));
                }
            }
            if refusals.len() == places.len() {
                for (place, refusal) in refusals {
                    self.answers.reject(self.keys[place as usize].1, refused(refusal));
                }
                return;
            }
            places = refusals.into_iter().map(|(place, _)| place).collect();
        }
    }

    /// Deletes entries and answers for them, if the database lets all of them go.
    fn attempt(&mut self, client: &mut SpiClient<'_>, places: &[u32]) -> Result<(), Refusal> {
        check_for_interrupts!();
        let gone: HashSet<Key> = subtransaction::attempt(|| {
            let mut deleted = self.array(places);
            let rows = self.table.delete.run(client, &[Some(deleted.datum())]);
            let key = |row| Key::of::<1>(self.table.key_kind, &row, 0);
            rows.iter::<1>().filter_map(key).collect()
        })?;
        for &place in places {
            let (key, element) = &self.keys[place as usize];
            if gone.contains(key) {
                self.answers.settle(*element, Outcome::Deleted, key.to_string());
            } else {
                let message = "a trigger on the table prevented the deletion";
                self.answers.reject(*element, Violation::new(None, Code::NotWritten, message));
            }
        }
        Ok(())
    }
}
