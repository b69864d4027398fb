//! Writing changes of entries, where one may get what another one gives up.
//!
//! A unique value that moves from entry to entry within a batch moves in the order in which it is free: what lands does
//! not depend on how the batch is cut. Where entries change places, one of them steps aside (`circles`): a unique key is
//! checked with each row.

use super::change::Batch;
use super::circles::Need;
use super::insert::WRITE_ROWS;
use super::key::Key;
use super::land::{ordinals, refused, run_for_keys};
use super::needs;
use crate::pg::subtransaction;
use pgrx::PgSqlErrorCode;
use pgrx::check_for_interrupts;
use pgrx::spi::SpiClient;
use std::collections::HashMap;
use std::rc::Rc;

/// What stands in the way of a row: the place of a unique set, and the entry that has the same there.
pub(super) type Rivals = HashMap<u32, Vec<(usize, Key)>>;

const UNIQUE: PgSqlErrorCode = PgSqlErrorCode::ERRCODE_UNIQUE_VIOLATION;

impl Batch<'_> {
    /// Writes rows whose entries are locked, and answers for them.
    pub(super) fn move_to(
        &mut self,
        client: &mut SpiClient<'_>,
        keys: &HashMap<u32, Key>,
        changing: Vec<u32>,
    ) {
        let mut rivals = self.find_rivals(client, keys, &changing);
        let free: Vec<u32> =
            changing.iter().copied().filter(|row| !rivals.contains_key(row)).collect();
        for chunk in free.chunks(WRITE_ROWS) {
            self.update(client, keys, chunk, self.landing.skip);
        }
        if free.len() == changing.len() {
            return;
        }
        let row_of: HashMap<&Key, u32> =
            changing.iter().filter_map(|row| Some((keys.get(row)?, *row))).collect();
        let waiting: Vec<u32> =
            changing.iter().copied().filter(|row| rivals.contains_key(row)).collect();
        let place: HashMap<u32, u32> = waiting.iter().copied().zip(0..).collect();
        // Of what is not changed here nothing becomes free.
        let mut out = vec![false; waiting.len()];
        let mut needs: Vec<Vec<Need>> = vec![Vec::new(); waiting.len()];
        for (at, row) in waiting.iter().enumerate() {
            for (set, rival) in &rivals[row] {
                match row_of.get(rival) {
                    None => out[at] = true,
                    Some(other) => needs[at].extend(place.get(other).map(|&on| (on, *set))),
                }
            }
        }
        let plain: Vec<Vec<u32>> =
            needs.iter().map(|needs| needs.iter().map(|(on, _)| *on).collect()).collect();
        let mut units = Vec::new();
        let found = needs::units(waiting.len(), &plain);
        if found.iter().any(|unit| unit.len() > 1) {
            self.find_referred(client);
        }
        for unit in found {
            let is_stuck = |&at: &u32| {
                out[at as usize] || plain[at as usize].iter().any(|&on| out[on as usize])
            };
            let waits = unit.iter().any(is_stuck);
            let opened = match waits {
                true => None,
                false => self.open_circle(&unit, &waiting, &needs),
            };
            if let Some(opened) = opened {
                units.push(opened);
                continue;
            }
            for at in unit {
                out[at as usize] = true;
                let row = waiting[at as usize];
                let rivals = rivals.remove(&row).unwrap_or_default();
                match waits {
                    true => self.reject_rivals(row, rivals),
                    false => self.reject_stuck(row, rivals, None),
                }
            }
        }
        self.write_units(client, keys, &units);
    }

    pub(super) fn reject_rivals(&mut self, row: u32, rivals: Vec<(usize, Key)>) {
        for (set, rival) in rivals {
            let violation = self.landing.duplicate(set, &rival);
            self.landing.answers.reject(self.element(row), violation);
        }
    }

    /// Rows that would get what another entry has.
    pub(super) fn find_rivals(
        &mut self,
        client: &mut SpiClient<'_>,
        keys: &HashMap<u32, Key>,
        changing: &[u32],
    ) -> Rivals {
        let mut rivals = Rivals::new();
        let shape = Rc::clone(&self.shape);
        for (set, find) in &shape.rivals {
            for chunk in changing.chunks(WRITE_ROWS) {
                let mut arrays = vec![ordinals(chunk), self.keys(keys, chunk)];
                self.push_given(chunk, &mut arrays);
                for (row, rival) in run_for_keys(client, self.landing.table, find, &mut arrays) {
                    rivals.entry(row).or_default().push((*set, rival));
                }
            }
        }
        rivals
    }

    /// Writes some rows. With `careful`, what the database refuses is found by halves; else its error ends the call.
    pub(super) fn update(
        &mut self,
        client: &mut SpiClient<'_>,
        keys: &HashMap<u32, Key>,
        changing: &[u32],
        careful: bool,
    ) {
        check_for_interrupts!();
        if !careful {
            let written = self.update_some(client, keys, changing);
            return self.settle_updated(keys, changing, &written);
        }
        match subtransaction::attempt(|| self.update_some(client, keys, changing)) {
            Ok(written) => self.settle_updated(keys, changing, &written),
            Err(refusal) => match changing {
                [row] => {
                    let rivals = match refusal.code.standard() {
                        UNIQUE => self.find_rivals(client, keys, changing).remove(row),
                        _ => None,
                    };
                    match rivals {
                        Some(rivals) => self.reject_rivals(*row, rivals),
                        None => {
                            let element = self.element(*row);
                            self.landing.answers.reject(element, refused(refusal));
                        }
                    }
                }
                _ => {
                    let (first, second) = changing.split_at(changing.len() / 2);
                    self.update(client, keys, first, careful);
                    self.update(client, keys, second, careful);
                }
            },
        }
    }
}
