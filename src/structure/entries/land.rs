//! New rows on their way into the table: what meets a stored entry is found out, and every row that does not land gets
//! its answer. Which rows land does not depend on how a batch is cut: rows that need each other stay together (`needs`).

use super::answer::Answers;
use super::decode::Rows;
use super::entry_table::EntryTable;
use super::key::Key;
use super::needs;
use crate::answer::{Code, Outcome, Violation};
use crate::pg::array::{self, Array};
use crate::pg::plan::{OwnedStatement, Parameter};
use crate::pg::subtransaction::{self, Refusal};
use pgrx::check_for_interrupts;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::spi::SpiClient;
use pgrx::{PgLogLevel, PgSqlErrorCode};
use std::collections::{HashMap, HashSet};

/// So many pieces of a call may be tried in subtransactions of their own: Postgres keeps 64 of a
/// transaction where all sessions find them fast.
const MAX_HOPEFUL: usize = 50;

/// So often rows are sent again that met something which then was gone.
const MAX_ROUNDS: usize = 3;

const FOREIGN_KEY: PgSqlErrorCode = PgSqlErrorCode::ERRCODE_FOREIGN_KEY_VIOLATION;
const OTHER_KEYS: PgSqlErrorCode = PgSqlErrorCode::ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION;

/// What the batches of a call share.
pub(crate) struct Landing<'t> {
    pub(crate) table: &'t EntryTable,
    pub(crate) answers: Answers,
    /// Rows that the database refuses are found out and answered; else its error ends the call.
    pub(crate) skip: bool,
    /// So many more pieces are written in the hope that nothing is met.
    hopeful: usize,
    /// Stored entries that may give up what a new one is to get.
    pub(crate) held: HashSet<Key>,
    /// Elements that met one of these.
    pub(crate) waiting: Vec<u32>,
}

/// A stored entry that stands in a row's way, by the place of the unique set.
struct Met {
    row: u32,
    set: usize,
    key: Key,
}

/// Which rows a statement has written, by their keys.
enum Written {
    All,
    /// All, and a trigger may have given them other keys: in the order of the rows.
    As(Vec<Key>),
    Some(HashSet<Key>),
}

impl<'t> Landing<'t> {
    pub(crate) fn new(table: &'t EntryTable, skip: bool) -> Self {
        let (held, waiting) = (HashSet::new(), Vec::new());
        Self { table, answers: Answers::default(), skip, hopeful: MAX_HOPEFUL, held, waiting }
    }

    /// Inserts rows and answers for them. Gives back the elements that met a stored entry in the unique
    /// set `by`: an upsert changes that.
    pub(crate) fn land(
        &mut self,
        client: &mut SpiClient<'_>,
        rows: &mut Rows,
        by: Option<usize>,
    ) -> Vec<u32> {
        let mut alive: Vec<u32> = (0..rows.count() as u32).collect();
        let given = (0..rows.count()).any(|row| rows.columns[0].is_present(row));
        self.complete_keys(client, &mut rows.columns[0], &rows.elements, &mut alive);
        self.check_references(client, rows, &mut alive);
        // Where nothing is unique, nothing can be met; Postgres' check before each row is spared.
        let lenient = given || self.table.unique.len() > 1;
        let mut met = Vec::new();
        if lenient && self.hopeful > 0 && !alive.is_empty() {
            self.hopeful -= 1;
            // Postgres' check before each row costs as much as the insert, and as a rule finds nothing.
            match subtransaction::attempt(|| self.insert_some(client, rows, &alive, false)) {
                Ok(written) => alive = self.settle_written(rows, &alive, written),
                Err(_) => self.hopeful = 0,
            }
        }
        for _ in 0..MAX_ROUNDS {
            if alive.is_empty() {
                return met;
            }
            let units = self.units(rows, &alive);
            alive = self.insert(client, rows, &units, lenient);
            if alive.is_empty() {
                return met;
            }
            let found = self.find_met(client, rows, &alive);
            let stopped: HashSet<u32> = found.iter().map(|met| met.row).collect();
            let upserted: HashSet<u32> =
                found.iter().filter(|met| Some(met.set) == by).map(|met| met.row).collect();
            met.extend(upserted.iter().map(|&row| rows.elements[row as usize]));
            let others = found.iter().filter(|met| !upserted.contains(&met.row));
            let (held, stopping): (Vec<&Met>, Vec<&Met>) =
                others.partition(|met| self.held.contains(&met.key));
            let rejected: HashSet<u32> = stopping.iter().map(|met| met.row).collect();
            let waiting: HashSet<u32> = held.iter().map(|met| met.row).collect();
            let waiting = waiting.difference(&rejected);
            self.waiting.extend(waiting.map(|&row| rows.elements[row as usize]));
            for meeting in stopping {
                let violation = self.duplicate(meeting.set, &meeting.key);
                self.answers.reject(rows.elements[meeting.row as usize], violation);
            }
            alive.retain(|row| !stopped.contains(row));
        }
        // No unique set that is known explains these: an index of the user's own, or a trigger.
        for row in alive {
            let kept_out =
                match subtransaction::attempt(|| self.insert_some(client, rows, &[row], false)) {
                    Ok(written @ (Written::All | Written::As(_))) => {
                        self.settle_written(rows, &[row], written);
                        continue;
                    }
                    Ok(Written::Some(_)) => Violation::new(
                        None,
                        Code::NotWritten,
                        "a trigger on the table prevented the write",
                    ),
                    Err(refusal) => refused(refusal),
                };
            self.answers.reject(rows.elements[row as usize], kept_out);
        }
        met
    }

    /// Inserts rows and settles those that land; gives the others. Each unit needs only itself and what stands before it.
    fn insert(
        &mut self,
        client: &mut SpiClient<'_>,
        rows: &mut Rows,
        units: &[Vec<u32>],
        lenient: bool,
    ) -> Vec<u32> {
        check_for_interrupts!();
        let all = units.concat();
        if all.is_empty() {
            return all;
        }
        if !self.skip && !self.table.refers_to_itself() && !self.table.keys_may_change {
            let written = self.insert_some(client, rows, &all, lenient);
            return self.settle_written(rows, &all, written);
        }
        let refusal =
            match subtransaction::attempt(|| self.insert_some(client, rows, &all, lenient)) {
                Ok(written) => return self.settle_written(rows, &all, written),
                Err(refusal) => refusal,
            };
        if !self.skip && ![FOREIGN_KEY, OTHER_KEYS].contains(&refusal.code.standard()) {
            // Says it again, with all that Postgres has to say.
            let written = self.insert_some(client, rows, &all, lenient);
            return self.settle_written(rows, &all, written);
        }
        // One of them at least: half of them are tried at a time.
        let Some((first, second)) = needs::halves(units) else {
            return self.part(client, rows, &all, (refusal, lenient));
        };
        let mut left = self.insert(client, rows, first, lenient);
        left.extend(self.insert_rest(client, rows, second.concat(), lenient));
        left
    }

    /// Inserts rows of which some may need what has not landed.
    fn insert_rest(
        &mut self,
        client: &mut SpiClient<'_>,
        rows: &mut Rows,
        mut rest: Vec<u32>,
        lenient: bool,
    ) -> Vec<u32> {
        if self.table.refers_to_itself() {
            self.check_references(client, rows, &mut rest);
        }
        let units = self.units(rows, &rest);
        self.insert(client, rows, &units, lenient)
    }

    /// Rows that land together or not at all, and were refused. Those that are to blame are found; the others may land
    /// without them where what they need is stored.
    fn part(
        &mut self,
        client: &mut SpiClient<'_>,
        rows: &mut Rows,
        unit: &[u32],
        (refusal, lenient): (Refusal, bool),
    ) -> Vec<u32> {
        if let [row] = unit {
            self.answers.reject(rows.elements[*row as usize], refused(refusal));
            return Vec::new();
        }
        let mut out: HashSet<u32> = HashSet::new();
        for (row, refusal) in self.blame(client, rows, unit) {
            self.answers.reject(rows.elements[row as usize], refused(refusal));
            out.insert(row);
        }
        let rest = |out: &HashSet<u32>| -> Vec<u32> {
            unit.iter().copied().filter(|row| !out.contains(row)).collect()
        };
        let mut left = Vec::new();
        if lenient {
            left = self.find_met(client, rows, &rest(&out)).iter().map(|met| met.row).collect();
            left.sort_unstable();
            left.dedup();
            out.extend(&left);
        }
        if out.is_empty() {
            for &row in unit {
                self.answers.reject(rows.elements[row as usize], refused(refusal.clone()));
            }
            return Vec::new();
        }
        left.extend(self.insert_rest(client, rows, rest(&out), lenient));
        left
    }

    /// Rows that the database refuses for another reason than that others are not there.
    fn blame(
        &self,
        client: &mut SpiClient<'_>,
        rows: &mut Rows,
        some: &[u32],
    ) -> Vec<(u32, Refusal)> {
        let refusal = subtransaction::would_refuse(|| {
            self.insert_some(client, rows, some, true);
        });
        match (refusal, some) {
            (Some(refusal), _) if refusal.code.standard() == FOREIGN_KEY => Vec::new(),
            (Some(refusal), [row]) => vec![(*row, refusal)],
            (Some(_), _) => {
                let (first, second) = some.split_at(some.len() / 2);
                let mut blamed = self.blame(client, rows, first);
                blamed.extend(self.blame(client, rows, second));
                blamed
            }
            (None, _) => Vec::new(),
        }
    }

    /// Rows in an order in which each comes after those that it refers to, or together with them.
    fn units(&self, rows: &Rows, alive: &[u32]) -> Vec<Vec<u32>> {
        if !self.table.refers_to_itself() {
            return alive.iter().map(|&row| vec![row]).collect();
        }
        let key_starts = rows.columns[0].starts();
        let mut places: HashMap<&[u8], Vec<u32>> = HashMap::new();
        for (place, &row) in alive.iter().enumerate() {
            if let Some(key) = rows.columns[0].get(&key_starts, row as usize) {
                places.entry(key).or_default().push(place as u32);
            }
        }
        let mut needs = vec![Vec::new(); alive.len()];
        for reference in self.table.references.iter().filter(|reference| reference.to_itself) {
            let column = &rows.columns[reference.column as usize];
            let starts = column.starts();
            for (needs, &row) in needs.iter_mut().zip(alive) {
                let value = column.get(&starts, row as usize);
                needs.extend(value.and_then(|value| places.get(value)).into_iter().flatten());
            }
        }
        let row = |place: u32| alive[place as usize];
        needs::units(alive.len(), &needs)
            .into_iter()
            .map(|unit| unit.into_iter().map(row).collect())
            .collect()
    }

    /// Settles the rows that were written; gives the others.
    fn settle_written(&mut self, rows: &Rows, alive: &[u32], written: Written) -> Vec<u32> {
        let mut written = match written {
            Written::All => {
                self.settle_inserted(rows, alive);
                return Vec::new();
            }
            Written::As(keys) => {
                for (&row, key) in alive.iter().zip(keys) {
                    let element = rows.elements[row as usize];
                    self.answers.settle(element, Outcome::Inserted, key.to_string());
                }
                return Vec::new();
            }
            Written::Some(written) => written,
        };
        // Of two rows with one key the first was written.
        let starts = rows.columns[0].starts();
        let (mut landed, mut left) = (Vec::new(), Vec::new());
        for &row in alive {
            let stored = rows.columns[0].get(&starts, row as usize);
            let key = stored.and_then(|stored| Key::from_stored(self.table.key_kind, stored));
            if key.is_some_and(|key| written.remove(&key)) {
                landed.push(row);
            } else {
                left.push(row);
            }
        }
        self.settle_inserted(rows, &landed);
        left
    }

    /// Runs the insert; tells what was written.
    fn insert_some(
        &self,
        client: &mut SpiClient<'_>,
        rows: &mut Rows,
        alive: &[u32],
        lenient: bool,
    ) -> Written {
        let statement = if lenient { &self.table.insert_lenient } else { &self.table.insert };
        let mut some;
        let columns = if alive.len() == rows.count() && alive.is_sorted() {
            &mut rows.columns
        } else {
            some = gather(&rows.columns, alive);
            &mut some
        };
        let parameters: Vec<Parameter> =
            columns.iter_mut().map(|column| Some(column.datum())).collect();
        let written = statement.run(client, &parameters);
        let key = |row| Key::of::<1>(self.table.key_kind, &row, 0);
        if written.count() == alive.len() {
            if self.table.keys_may_change {
                return Written::As(written.iter::<1>().filter_map(key).collect());
            }
            return Written::All;
        }
        let written: HashSet<Key> = written.iter::<1>().filter_map(key).collect();
        if self.table.keys_may_change {
            let starts = rows.columns[0].starts();
            let sent = |&row: &u32| {
                Key::from_stored(self.table.key_kind, rows.columns[0].get(&starts, row as usize)?)
            };
            let sent: HashSet<Key> = alive.iter().filter_map(sent).collect();
            if !written.is_subset(&sent) {
                // Nobody can tell which row became which: one at a time that is known.
                let message = "a trigger of the table gives entries other keys";
                ErrorReport::new(OTHER_KEYS, message, "insert").report(PgLogLevel::ERROR);
            }
        }
        Written::Some(written)
    }

    fn settle_inserted(&mut self, rows: &Rows, landed: &[u32]) {
        let starts = rows.columns[0].starts();
        for &row in landed {
            let stored = rows.columns[0].get(&starts, row as usize);
            let key = stored.and_then(|stored| Key::from_stored(self.table.key_kind, stored));
            let key = key.map_or_else(String::new, |key| key.to_string());
            self.answers.settle(rows.elements[row as usize], Outcome::Inserted, key);
        }
    }

    /// The stored entries, of this batch too, that rows meet in any unique set.
    fn find_met(&self, client: &mut SpiClient<'_>, rows: &Rows, alive: &[u32]) -> Vec<Met> {
        let mut found = Vec::new();
        for (set, unique) in self.table.unique.iter().enumerate() {
            let mut arrays = vec![ordinals(alive)];
            for &(column, _) in &unique.columns {
                let column = &rows.columns[column as usize];
                arrays.push(column.gather(&column.starts(), alive));
            }
            for (row, key) in run_for_keys(client, self.table, &unique.find, &mut arrays) {
                found.push(Met { row, set, key });
            }
        }
        found
    }

    /// What is said of a row that has what a stored entry has.
    pub(crate) fn duplicate(&mut self, set: usize, key: &Key) -> Violation {
        let columns = &self.table.unique[set].columns;
        let name = |column: u16| self.table.validator.columns[column as usize].name.as_str();
        let key = key.to_string();
        let other = match self.answers.maker(&key) {
            Some(element) => format!("element {} of the batch", element + 1),
            None => format!("entry {key}"),
        };
        if let [(column, _)] = columns.as_slice() {
            let message = format!("{other} has the same");
            return Violation::new(Some(name(*column)), Code::Duplicate, message);
        }
        let names: Vec<&str> = columns.iter().map(|(column, _)| name(*column)).collect();
        let message = format!("{other} has the same ({})", names.join(", "));
        Violation::new(None, Code::Duplicate, message)
    }
}

/// What the database says against a row.
pub(crate) fn refused(refusal: Refusal) -> Violation {
    let Refusal { code, mut message, constraint, .. } = refusal;
    // Postgres' own messages name it.
    if let Some(constraint) = constraint.filter(|name| !message.contains(name.as_str())) {
        message.push_str(&format!(" (constraint \"{constraint}\")"));
    }
    Violation::new(None, Code::Refused(code), message)
}

/// Some rows of all columns.
pub(crate) fn gather(columns: &[Array], rows: &[u32]) -> Vec<Array> {
    columns.iter().map(|column| column.gather(&column.starts(), rows)).collect()
}

/// Numbers by which a statement tells which row it speaks of.
pub(crate) fn ordinals(rows: &[u32]) -> Array {
    let mut array = Array::new(array::INTEGER);
    for row in rows {
        array.push_bytes(&row.to_ne_bytes());
    }
    array
}

/// Runs a statement that gives ordinals and keys.
pub(crate) fn run_for_keys(
    client: &mut SpiClient<'_>,
    table: &EntryTable,
    statement: &OwnedStatement,
    arrays: &mut [Array],
) -> Vec<(u32, Key)> {
    let parameters: Vec<Parameter> = arrays.iter_mut().map(|array| Some(array.datum())).collect();
    let rows = statement.run(client, &parameters);
    rows.iter::<2>()
        .filter_map(|row| Some((row.integer(0)? as u32, Key::of(table.key_kind, &row, 1)?)))
        .collect()
}
