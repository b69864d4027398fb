//! Changing stored entries, and upserts: as for records, what has not changed is read and no more.
//!
//! 1. Read what is stored and compare, without a lock. Unchanged entries get their answer here.
//! 2. Insert what is new (an upsert). What is there after all is read as in step 1.
//! 3. Lock what must change, decide again, and write: an entry that gives up what another one is to get comes before it
//!    (`moves`), and before a new one that is to get it.
//!
//! All steps go in the order of the keys, and inserts come before the first lock on a stored row, so no
//! two calls wait for each other in a circle. New entries that waited for such a value come last: two calls that bring the
//! same ones could meet there, and Postgres would end one of them.

use super::decode::{Absent, Decoder, Rows, required};
use super::entry_table::{EntryTable, Shape};
use super::fold;
use super::insert::{WRITE_BYTES, WRITE_ROWS, filler};
use super::key::Key;
use super::land::{Landing, ordinals};
use super::validator::Filling;
use crate::answer::{Code, Outcome, Problem, Violation};
use crate::batch;
use crate::error::Error;
use crate::field_types::stored::compare;
use crate::pg::array::{self, Array, Starts};
use crate::pg::plan::Parameter;
use crate::pg::rows::Row;
use crate::structure::entries::error::EntriesError;
use pgrx::check_for_interrupts;
use pgrx::spi::SpiClient;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;

/// So often may entries vanish between reading and locking them.
const MAX_ROUNDS: usize = 20;

/// What a change does where there is no stored entry.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Inserts it. Entries are found by the unique set at this place.
    Upsert(usize),
    /// Says so. Entries are found by their key.
    Update,
}

/// Changes the entries of a batch.
pub(crate) fn change(
    client: &mut SpiClient<'_>,
    table: &EntryTable,
    kind: Kind,
    text: &str,
    skip: bool,
) -> Result<super::answer::Answers, Error> {
    let set = match kind {
        Kind::Upsert(set) => set,
        Kind::Update => 0,
    };
    let mut landing = Landing::new(table, skip);
    let rows = read_batch(&mut landing, set, text)?;
    // In the order of the keys, the last element of each.
    let order = fold::fold(client, table, set, &rows);
    let mut places = vec![0; rows.count()];
    for (place, &row) in order.last.iter().enumerate() {
        places[row as usize] = place;
    }
    let mut batch = Batch {
        shape: table.shape(set, given_columns(table, set, &rows)),
        starts: rows.columns.iter().map(Array::starts).collect(),
        row_of: rows.elements.iter().zip(0..).map(|(&element, row)| (element, row)).collect(),
        kind,
        set,
        landing,
        rows,
        places,
        referred: HashSet::new(),
    };
    batch.refuse_secrets(client);
    // What stands behind the last element of each entry, the latest at the end.
    let mut earlier: HashMap<u32, Vec<u32>> = HashMap::new();
    for (row, by) in order.superseded {
        batch.places[row as usize] = batch.places[by as usize];
        earlier.entry(by).or_default().push(row);
    }
    let mut standing = order.last;
    while !standing.is_empty() {
        let sound = |row: &u32| !batch.is_refused(*row);
        let sound: Vec<u32> = standing.iter().copied().filter(sound).collect();
        batch.write(client, &sound)?;
        let mut next = Vec::new();
        for by in standing {
            let Some(mut rows) = earlier.remove(&by) else { continue };
            // Only what lands supersedes: where the last is rejected, the one before it stands.
            if batch.is_rejected(by) {
                if let Some(row) = rows.pop() {
                    next.push(row);
                    earlier.insert(row, rows);
                }
                continue;
            }
            let sound = |row: &u32| !batch.is_refused(*row);
            let sound: Vec<u32> = rows.into_iter().filter(sound).collect();
            sound.into_iter().for_each(|row| batch.supersede(row, by));
        }
        standing = next;
    }
    Ok(batch.landing.answers)
}

fn read_batch(landing: &mut Landing<'_>, set: usize, text: &str) -> Result<Rows, Error> {
    let table = landing.table;
    let key: Vec<u16> = table.unique[set].columns.iter().map(|(column, _)| *column).collect();
    let mut decoder = Decoder::new(&table.validator);
    let mut rows = Rows::new(&table.validator);
    let text = text.as_bytes();
    batch::divide("entries", text, |element| {
        let place = landing.answers.all.len() as u32;
        let mut violations = Vec::new();
        let mut absent = Absent::Kept { key: &key };
        let end = decoder.element(element, place, &mut absent, &mut rows, &mut violations)?;
        landing.answers.push(violations);
        Ok(end)
    })?;
    Ok(rows)
}

/// The columns that the rows give beside those that find the entry, and whether only some rows do. A
/// key that was found without regard to case may be spelt anew.
fn given_columns(table: &EntryTable, set: usize, rows: &Rows) -> Vec<(u16, bool)> {
    let found_by = &table.unique[set].columns;
    let mut given = Vec::new();
    for column in 0..table.validator.columns.len() as u16 {
        if column == 0 || found_by.contains(&(column, false)) {
            continue;
        }
        let count =
            (0..rows.count() as u32).filter(|&row| rows.is_given(row, column.into())).count();
        if count > 0 {
            given.push((column, count < rows.count()));
        }
    }
    given
}

pub(super) struct Batch<'t> {
    kind: Kind,
    /// The unique set by which entries are found.
    set: usize,
    pub(super) landing: Landing<'t>,
    pub(super) shape: Rc<Shape>,
    rows: Rows,
    starts: Vec<Starts>,
    /// The row of each element.
    row_of: HashMap<u32, u32>,
    /// Where each row stands in the order of the keys.
    places: Vec<usize>,
    /// Columns that foreign keys refer to; known where entries exchange values.
    pub(super) referred: HashSet<u16>,
}

/// A stored entry, compared with a row.
struct Found {
    row: u32,
    key: Key,
    differs: bool,
    /// The places of comparisons between fields that would not hold.
    broken: String,
}

impl Batch<'_> {
    fn write(&mut self, client: &mut SpiClient<'_>, order: &[u32]) -> Result<(), Error> {
        let (mut missing, mut present) = (Vec::new(), Vec::new());
        self.read(client, order, &mut missing, &mut present);
        if missing.is_empty() {
            self.landing.held.clear();
        }
        for _ in 0..MAX_ROUNDS {
            let met = match self.kind {
                Kind::Upsert(_) => self.insert(client, &missing),
                Kind::Update => {
                    missing.iter().for_each(|&row| self.settle_not_found(row));
                    Vec::new()
                }
            };
            missing.clear();
            self.read(client, &met, &mut missing, &mut present);
            present.sort_unstable_by_key(|&row| self.places[row as usize]);
            let (mut keys, mut changing) = (HashMap::new(), Vec::new());
            for chunk in present.chunks(WRITE_ROWS) {
                let some = self.lock(client, chunk, &mut keys, &mut missing);
                changing.extend(some);
            }
            present.clear();
            self.move_to(client, &keys, changing);
            // What those had may be free now.
            self.landing.held.clear();
            let waiting = std::mem::take(&mut self.landing.waiting);
            missing.extend(waiting.iter().filter_map(|element| self.row_of.get(element)));
            missing.sort_unstable_by_key(|&row| self.places[row as usize]);
            if missing.is_empty() {
                return Ok(());
            }
        }
        Err(EntriesError::Contended.into())
    }

    /// Whether new entries that meet what a stored one may give up in this batch wait for it. One that others of the batch
    /// can refer to, by a key that it brings along, is not kept waiting.
    fn may_hold(&self) -> bool {
        let gives_up = self.shape.rivals.iter().any(|(set, _)| *set != self.set);
        let brings_keys = || (0..self.rows.count() as u32).any(|row| self.is_given(row, 0));
        self.kind != Kind::Update
            && gives_up
            && !(self.landing.table.refers_to_itself() && brings_keys())
    }

    fn is_rejected(&self, row: u32) -> bool {
        let element = self.element(row) as usize;
        self.landing.answers.all[element].outcome == Outcome::Rejected
    }

    /// Whether something is wrong with a row that is known before it is written.
    fn is_refused(&self, row: u32) -> bool {
        let element = self.element(row) as usize;
        self.landing.answers.all[element].rejection.is_some()
    }

    /// Refuses rows with values that are no references to secrets, unless these are stored so: what does not change is let
    /// through.
    fn refuse_secrets(&mut self, client: &mut SpiClient<'_>) {
        let mut columns: BTreeMap<u16, Vec<(u32, Problem)>> = BTreeMap::new();
        for (row, column, problem) in std::mem::take(&mut self.rows.doubtful) {
            columns.entry(column).or_default().push((row, problem));
        }
        let shape = Rc::clone(&self.shape);
        for (column, mut doubtful) in columns {
            // As if the batch gave this column and no other.
            let finds = self.landing.table.unique[self.set].columns.contains(&(column, false));
            let given = if finds { Vec::new() } else { vec![(column, false)] };
            self.shape = self.landing.table.shape(self.set, given);
            let by_place = |(row, _): &(u32, Problem)| self.places[*row as usize];
            doubtful.sort_by_key(by_place);
            for chunk in doubtful.chunks(WRITE_ROWS) {
                let rows: Vec<u32> = chunk.iter().map(|(row, _)| *row).collect();
                let found = self.compare(client, &rows, false);
                let same: HashSet<u32> =
                    found.iter().filter(|one| !one.differs).map(|one| one.row).collect();
                for (row, problem) in chunk.iter().filter(|(row, _)| !same.contains(row)) {
                    let field =
                        Some(self.landing.table.validator.columns[column as usize].name.clone());
                    let violation = Violation { field, problem: problem.clone() };
                    self.landing.answers.reject(self.rows.elements[*row as usize], violation);
                }
            }
        }
        self.shape = shape;
    }

    fn supersede(&mut self, row: u32, by: u32) {
        let (element, by) = (self.element(row), self.element(by));
        let answers = &mut self.landing.answers.all;
        answers[element as usize].outcome = Outcome::Superseded;
        answers[element as usize].id = answers[by as usize].id.clone();
    }

    pub(super) fn element(&self, row: u32) -> u32 {
        self.rows.elements[row as usize]
    }

    /// Step 1. Sorts rows into missing ones and ones that must change; answers for the
    /// rest.
    fn read(
        &mut self,
        client: &mut SpiClient<'_>,
        order: &[u32],
        missing: &mut Vec<u32>,
        present: &mut Vec<u32>,
    ) {
        let may_hold = self.may_hold();
        for chunk in order.chunks(WRITE_ROWS) {
            check_for_interrupts!();
            let mut found: HashMap<u32, Found> = HashMap::new();
            for one in self.compare(client, chunk, false) {
                found.insert(one.row, one);
            }
            for &row in chunk {
                match found.remove(&row) {
                    None => missing.push(row),
                    Some(found) if self.moves_key(row, &found.key) => {
                        let message =
                            format!("a key cannot change, and the entry has {}", found.key);
                        let name = &self.landing.table.validator.columns[0].name;
                        let violation = Violation::new(Some(name), Code::Check, message);
                        self.landing.answers.reject(self.element(row), violation);
                    }
                    Some(found) if found.differs => {
                        present.push(row);
                        if may_hold {
                            self.landing.held.insert(found.key);
                        }
                    }
                    Some(found) => self.settle(row, Outcome::Unchanged, &found.key),
                }
            }
        }
    }

    /// Whether a row gives the stored entry another key.
    fn moves_key(&self, row: u32, key: &Key) -> bool {
        let stored = self.rows.columns[0].get(&self.starts[0], row as usize);
        stored
            .and_then(|stored| Key::from_stored(self.landing.table.key_kind, stored))
            .is_some_and(|given| given != *key)
    }

    /// Compares rows with what is stored, and locks that if asked to.
    fn compare(&self, client: &mut SpiClient<'_>, chunk: &[u32], lock: bool) -> Vec<Found> {
        let mut arrays = vec![ordinals(chunk)];
        for &(column, _) in &self.landing.table.unique[self.set].columns {
            arrays.push(self.gather(column, chunk));
        }
        self.push_given(chunk, &mut arrays);
        let parameters: Vec<Parameter> =
            arrays.iter_mut().map(|array| Some(array.datum())).collect();
        let statement = if lock { &self.shape.lock } else { &self.shape.read };
        let kind = self.landing.table.key_kind;
        let found = |row: Row<'_, 4>| {
            Some(Found {
                row: row.integer(0)? as u32,
                key: Key::of(kind, &row, 1)?,
                differs: row.boolean(2)?,
                broken: row.text(3)?.to_owned(),
            })
        };
        statement.run(client, &parameters).iter::<4>().filter_map(found).collect()
    }

    pub(super) fn is_given(&self, row: u32, column: u16) -> bool {
        self.rows.is_given(row, column.into())
    }

    fn gather(&self, column: u16, rows: &[u32]) -> Array {
        let column = column as usize;
        self.rows.columns[column].gather(&self.starts[column], rows)
    }

    /// The given columns, with flags where not all rows have one.
    pub(super) fn push_given(&self, rows: &[u32], arrays: &mut Vec<Array>) {
        for &(column, partly) in &self.shape.given {
            arrays.push(self.gather(column, rows));
            if partly {
                let mut flags = Array::new(array::BOOLEAN);
                for &row in rows {
                    flags.push_bytes(&[self.rows.is_given(row, column.into()).into()]);
                }
                arrays.push(flags);
            }
        }
    }

    /// Step 2. Gives back the rows that turned out to be there already.
    fn insert(&mut self, client: &mut SpiClient<'_>, missing: &[u32]) -> Vec<u32> {
        let mut met = Vec::new();
        let table = self.landing.table;
        let to_itself = table.refers_to_itself();
        let mut fill = filler();
        let mut new = Rows::new(&table.validator);
        for &row in missing {
            if !to_itself && (new.count() >= WRITE_ROWS || new.size() >= WRITE_BYTES) {
                met.extend(self.landing.land(client, &mut new, Some(self.set)));
                new = Rows::new(&table.validator);
            }
            self.complete(row, &mut fill, &mut new);
        }
        met.extend(self.landing.land(client, &mut new, Some(self.set)));
        met.iter().filter_map(|element| self.row_of.get(element).copied()).collect()
    }

    /// Appends a row to `new`, with defaults for what it does not have.
    fn complete(
        &mut self,
        row: u32,
        fill: &mut impl FnMut(&super::validator::Column, &mut Array),
        new: &mut Rows,
    ) {
        let validator = &self.landing.table.validator;
        let mut violations = Vec::new();
        for (at, column) in validator.columns.iter().enumerate() {
            let out = &mut new.columns[at];
            if self.rows.is_given(row, at) {
                match self.rows.columns[at].get(&self.starts[at], row as usize) {
                    Some(value) => out.push_bytes(value),
                    None => out.push_null(),
                }
            } else {
                fill(column, out);
                if column.required && column.filling == Filling::Nothing {
                    violations.push(required(column));
                }
            }
        }
        for comparison in &validator.comparisons {
            let (left, right) = (comparison.left as usize, comparison.right as usize);
            let (Some(a), Some(b)) = (new.columns[left].last(), new.columns[right].last()) else {
                continue;
            };
            if compare(&validator.columns[left].kind, a, b)
                .is_some_and(|ordering| !comparison.op.holds(ordering))
            {
                violations.push(validator.broken(comparison));
            }
        }
        let element = self.element(row);
        if violations.is_empty() {
            new.elements.push(element);
            return;
        }
        new.columns.iter_mut().for_each(Array::undo);
        for violation in violations {
            self.landing.answers.reject(element, violation);
        }
    }

    /// Step 3. Gives the rows that are to be written, notes the keys of their entries, and puts rows whose entry has
    /// vanished back to `missing`.
    fn lock(
        &mut self,
        client: &mut SpiClient<'_>,
        chunk: &[u32],
        keys: &mut HashMap<u32, Key>,
        missing: &mut Vec<u32>,
    ) -> Vec<u32> {
        check_for_interrupts!();
        let mut found: HashMap<u32, Found> =
            self.compare(client, chunk, true).into_iter().map(|found| (found.row, found)).collect();
        let mut changing = Vec::new();
        for &row in chunk {
            let Some(found) = found.remove(&row) else {
                missing.push(row);
                continue;
            };
            if !found.differs {
                self.settle(row, Outcome::Unchanged, &found.key);
                continue;
            }
            let broken: Vec<usize> =
                found.broken.split(',').filter_map(|place| place.parse().ok()).collect();
            if broken.is_empty() {
                keys.insert(row, found.key);
                changing.push(row);
                continue;
            }
            let validator = &self.landing.table.validator;
            for place in broken {
                let violation = validator.broken(&validator.comparisons[place]);
                self.landing.answers.reject(self.element(row), violation);
            }
        }
        self.landing.check_references(client, &self.rows, &mut changing);
        changing
    }

    /// The keys of the stored entries of rows.
    pub(super) fn keys(&self, keys: &HashMap<u32, Key>, rows: &[u32]) -> Array {
        let mut array = Array::new(self.landing.table.validator.columns[0].element);
        for row in rows {
            match keys.get(row) {
                Some(key) => key.push_to(&mut array),
                None => array.push_null(),
            }
        }
        array
    }

    /// Answers for rows that were sent to be written.
    pub(super) fn settle_updated(
        &mut self,
        keys: &HashMap<u32, Key>,
        changing: &[u32],
        written: &HashSet<Key>,
    ) {
        for &row in changing {
            match keys.get(&row) {
                Some(key) if written.contains(key) => self.settle(row, Outcome::Updated, key),
                _ => {
                    let message = "a trigger on the table prevented the write";
                    let violation = Violation::new(None, Code::NotWritten, message);
                    self.landing.answers.reject(self.element(row), violation);
                }
            }
        }
    }

    pub(super) fn update_some(
        &self,
        client: &mut SpiClient<'_>,
        keys: &HashMap<u32, Key>,
        changing: &[u32],
    ) -> HashSet<Key> {
        let mut arrays = vec![self.keys(keys, changing)];
        self.push_given(changing, &mut arrays);
        let parameters: Vec<Parameter> =
            arrays.iter_mut().map(|array| Some(array.datum())).collect();
        let written = self.shape.update.run(client, &parameters);
        let key = |row| Key::of::<1>(self.landing.table.key_kind, &row, 0);
        written.iter::<1>().filter_map(key).collect()
    }

    fn settle(&mut self, row: u32, outcome: Outcome, key: &Key) {
        let element = self.element(row);
        self.landing.answers.settle(element, outcome, key.to_string());
    }

    fn settle_not_found(&mut self, row: u32) {
        let kind = self.landing.table.key_kind;
        let stored = self.rows.columns[0].get(&self.starts[0], row as usize);
        let key = stored.and_then(|stored| Key::from_stored(kind, stored));
        if let Some(key) = key {
            self.settle(row, Outcome::NotFound, &key);
        }
    }
}
