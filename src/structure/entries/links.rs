//! Many-to-many links: an entry table whose entries refer to two others, each pair once. Here they are written as lists, of
//! all that one entry is linked to: what is missing is inserted, what is too much is deleted, and the rest is left alone.
//!
//! The entries whose links are set are locked, in the order of their keys: of two calls about one entry the later one
//! wins whole. Links go before others come, and come in the order of their pairs, so that calls from both sides cannot
//! wait for each other in a circle.

use super::answer::Answers;
use super::entry_table::{EntryTable, Reference, UniqueSet};
use super::error::EntriesError;
use super::insert::WRITE_ROWS;
use super::key::Key;
use super::land::{ordinals, refused, run_for_keys};
use super::link_lists::Reader;
use super::references::key_kind;
use super::statements;
use super::validator::{Column, Filling};
use crate::answer::{Code, Outcome, Problem, Violation};
use crate::batch;
use crate::error::Error;
use crate::json::shorten;
use crate::pg::array::{Array, ElementType};
use crate::pg::isolation::keeps_snapshot;
use crate::pg::plan::{OwnedStatement, Parameter};
use crate::pg::rows::Rows;
use crate::pg::subtransaction;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::spi::SpiClient;
use pgrx::{PgLogLevel, PgSqlErrorCode, check_for_interrupts};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::rc::Rc;

const SUPPRESSED: PgSqlErrorCode = PgSqlErrorCode::ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION;
const NOT_WRITTEN: &str = "a trigger on the table prevented the write";

/// What a call says.
pub(crate) struct Call<'c> {
    pub(crate) workspace: &'c str,
    /// The table of links.
    pub(crate) name: &'c str,
    /// The field that refers to the entries whose links are set.
    pub(crate) field: &'c str,
    /// The unique field by which the lists name the entries at the other end; their key if there is none.
    pub(crate) target_field: Option<&'c str>,
}

/// The two ends of a table of links.
struct Links<'t> {
    table: &'t EntryTable,
    owner: &'t Reference,
    other: &'t Reference,
    pair: &'t UniqueSet,
    lock_owners: OwnedStatement,
    read: OwnedStatement,
    insert: OwnedStatement,
}

/// How the lists name entries.
enum Named {
    ByKey,
    By { table: Rc<EntryTable>, set: usize, column: u16 },
}

/// One valid element.
struct Element {
    place: u32,
    owner: Key,
    targets: BTreeSet<Key>,
}

/// What is to be done for one entry.
struct Work {
    place: u32,
    owner: Key,
    add: Vec<Key>,
    remove: Vec<Key>,
}

/// Sets the links of entries.
pub(crate) fn set(
    client: &mut SpiClient<'_>,
    table: &EntryTable,
    call: &Call<'_>,
    text: &str,
) -> Result<Answers, Error> {
    let links = Links::find(table, call)?;
    let named = links.named(client, call)?;
    let mut answers = Answers::default();
    let elements = links.decode(client, &named, text, &mut answers)?;
    let elements = links.check_targets(client, elements, &named, &mut answers);
    let (mut standing, mut earlier) = Links::latest(elements);
    while !standing.is_empty() {
        let stood: Vec<(u32, Key)> =
            standing.iter().map(|element| (element.place, element.owner.clone())).collect();
        let elements = links.lock(client, standing, &mut answers);
        let mut work = Vec::new();
        for some in elements.chunks(WRITE_ROWS) {
            work.extend(links.compare(client, some, call, &mut answers)?);
        }
        links.write(client, &work, &mut answers);
        standing = Vec::new();
        for (place, owner) in stood {
            let Some(mut elements) = earlier.remove(&owner) else { continue };
            // Only what lands supersedes: where the last is rejected, the one before it stands.
            if answers.all[place as usize].is_rejected() {
                if let Some(element) = elements.pop() {
                    standing.push(element);
                    earlier.insert(owner, elements);
                }
                continue;
            }
            for element in elements {
                answers.settle(element.place, Outcome::Superseded, owner.to_string());
            }
        }
    }
    Ok(answers)
}

impl<'t> Links<'t> {
    fn find(table: &'t EntryTable, call: &Call<'_>) -> Result<Self, Error> {
        let Some(&owner) = table.validator.by_name.get(call.field.as_bytes()) else {
            return Err(table.no_field(call.name, call.field).into());
        };
        let reference =
            |column: u16| table.references.iter().find(|reference| reference.column == column);
        let mut found = table.unique.iter().filter_map(|set| match set.columns.as_slice() {
            [(a, _), (b, _)] if *a == owner => Some((set, reference(*a)?, reference(*b)?)),
            [(a, _), (b, _)] if *b == owner => Some((set, reference(*b)?, reference(*a)?)),
            _ => None,
        });
        let (Some((pair, owner, other)), None) = (found.next(), found.next()) else {
            let (table, field) = (call.name.to_owned(), call.field.to_owned());
            return Err(EntriesError::NoLinks { table, field }.into());
        };
        drop(found);
        let is_missing = |(at, column): (u16, &Column)| {
            let is_end = [0, owner.column, other.column].contains(&at);
            (!is_end && column.required && column.filling == Filling::Nothing)
                .then(|| column.name.clone())
        };
        if let Some(field) = (0_u16..).zip(&table.validator.columns).find_map(is_missing) {
            return Err(EntriesError::LinksNeedMore { table: call.name.to_owned(), field }.into());
        }
        let (validator, name) = (&table.validator, &table.name);
        let columns = [pair.columns[0].0, pair.columns[1].0];
        Ok(Self {
            table,
            owner,
            other,
            pair,
            lock_owners: statements::lock_targets(
                &owner.target,
                &owner.target_key,
                &validator.columns[owner.column as usize],
            ),
            read: statements::read_pairs(name, validator, owner.column, other.column),
            insert: statements::insert_pairs(name, validator, columns),
        })
    }

    fn column(&self, reference: &Reference) -> &'t Column {
        &self.table.validator.columns[reference.column as usize]
    }

    fn named(&self, client: &mut SpiClient<'_>, call: &Call<'_>) -> Result<Named, Error> {
        let Some(field) = call.target_field else { return Ok(Named::ByKey) };
        let table = EntryTable::open(client, call.workspace, &self.other.to)?;
        let set = table.unique_set(&self.other.to, &[field.to_owned()])?;
        let column = table.unique[set].columns[0].0;
        Ok(Named::By { table, set, column })
    }

    /// Reads the elements that are valid by themselves.
    fn decode(
        &self,
        client: &mut SpiClient<'_>,
        named: &Named,
        text: &str,
        answers: &mut Answers,
    ) -> Result<Vec<Element>, Error> {
        let described = match named {
            Named::ByKey => self.column(self.other),
            Named::By { table, column, .. } => &table.validator.columns[*column as usize],
        };
        let list = &self.column(self.other).name;
        let mut reader = Reader::new(self.column(self.owner), list, described);
        let mut elements = Vec::new();
        batch::divide("links", text.as_bytes(), |element| {
            let place = answers.all.len() as u32;
            let mut violations = Vec::new();
            let (owner, end) = reader.element(element, place, &mut violations)?;
            if let (Some(owner), true) = (owner, violations.is_empty()) {
                elements.push(Element { place, owner, targets: BTreeSet::new() });
            }
            answers.push(violations);
            Ok(end)
        })?;
        let Reader { values, of, .. } = reader;
        let at: HashMap<u32, usize> =
            elements.iter().enumerate().map(|(at, element)| (element.place, at)).collect();
        let starts = values.starts();
        for (chunk, from) in of.chunks(WRITE_ROWS).zip((0_u32..).step_by(WRITE_ROWS)) {
            let places: Vec<u32> = (from..from + chunk.len() as u32).collect();
            let keys: HashMap<u32, Key> = match named {
                Named::ByKey => {
                    let kind = key_kind(self.column(self.other));
                    let key = |&at: &u32| {
                        Some((at, Key::from_stored(kind, values.get(&starts, at as usize)?)?))
                    };
                    places.iter().filter_map(key).collect()
                }
                Named::By { table, set, .. } => {
                    let mut arrays = [ordinals(&places), values.gather(&starts, &places)];
                    let find = &table.unique[*set].find;
                    run_for_keys(client, table, find, &mut arrays).into_iter().collect()
                }
            };
            for ((place, item), at_value) in chunk.iter().zip(places) {
                let Some(&at) = at.get(place) else { continue };
                match keys.get(&at_value) {
                    Some(key) => {
                        elements[at].targets.insert(key.clone());
                    }
                    None => {
                        let message =
                            format!("{} has no entry with this {}", self.other.to, described.name);
                        self.reject_item(*place, *item, message, answers);
                    }
                }
            }
        }
        elements.retain(|element| answers.all[element.place as usize].rejection.is_none());
        Ok(elements)
    }

    fn reject_item(&self, place: u32, item: u32, message: String, answers: &mut Answers) {
        let mut problem = Problem::new(Code::MissingReference, message);
        problem.item = Some(item as usize);
        let field = Some(self.column(self.other).name.clone());
        answers.reject(place, Violation { field, problem });
    }

    /// The last element for each entry, in the order of the keys, and what stands before it, the latest at the end.
    fn latest(elements: Vec<Element>) -> (Vec<Element>, BTreeMap<Key, Vec<Element>>) {
        let mut last: BTreeMap<Key, Element> = BTreeMap::new();
        let mut earlier: BTreeMap<Key, Vec<Element>> = BTreeMap::new();
        for element in elements {
            if let Some(before) = last.insert(element.owner.clone(), element) {
                earlier.entry(before.owner.clone()).or_default().push(before);
            }
        }
        (last.into_values().collect(), earlier)
    }

    fn keys<'k>(element: ElementType, keys: impl Iterator<Item = &'k Key>) -> Array {
        let mut array = Array::new(element);
        keys.for_each(|key| key.push_to(&mut array));
        array
    }

    /// Locks the entries; gives the elements whose entry is there.
    fn lock(
        &self,
        client: &mut SpiClient<'_>,
        elements: Vec<Element>,
        answers: &mut Answers,
    ) -> Vec<Element> {
        let mut there: HashSet<u32> = HashSet::new();
        for chunk in elements.chunks(WRITE_ROWS) {
            check_for_interrupts!();
            let places: Vec<u32> = chunk.iter().map(|element| element.place).collect();
            let keys = chunk.iter().map(|element| &element.owner);
            let mut keys = Self::keys(self.column(self.owner).element, keys);
            let mut ordinals = ordinals(&places);
            let parameters = [Some(ordinals.datum()), Some(keys.datum())];
            let rows = self.lock_owners.run(client, &parameters);
            there.extend(rows.iter::<1>().filter_map(|row| row.integer(0)).map(|at| at as u32));
        }
        let (there, gone): (Vec<Element>, Vec<Element>) =
            elements.into_iter().partition(|element| there.contains(&element.place));
        for element in gone {
            answers.settle(element.place, Outcome::NotFound, element.owner.to_string());
        }
        there
    }

    /// Takes out elements that name what is not there.
    fn check_targets(
        &self,
        client: &mut SpiClient<'_>,
        mut elements: Vec<Element>,
        named: &Named,
        answers: &mut Answers,
    ) -> Vec<Element> {
        if matches!(named, Named::By { .. }) {
            return elements;
        }
        let all: BTreeSet<&Key> = elements.iter().flat_map(|element| &element.targets).collect();
        let all: Vec<&Key> = all.into_iter().collect();
        let mut missing: HashSet<Key> = HashSet::new();
        for chunk in all.chunks(WRITE_ROWS) {
            let places: Vec<u32> = (0..chunk.len() as u32).collect();
            let mut keys = Self::keys(self.column(self.other).element, chunk.iter().copied());
            let mut ordinals = ordinals(&places);
            let parameters = [Some(ordinals.datum()), Some(keys.datum())];
            let rows = self.other.find_missing.run(client, &parameters);
            let found = rows.iter::<1>().filter_map(|row| row.integer(0));
            missing.extend(found.map(|at| chunk[at as usize].clone()));
        }
        if missing.is_empty() {
            return elements;
        }
        elements.retain(|element| {
            let mut is_whole = true;
            for key in element.targets.iter().filter(|key| missing.contains(*key)) {
                let name = &self.column(self.other).name;
                let message =
                    format!("{} has no entry {}", self.other.to, shorten(&key.to_string()));
                let violation = Violation::new(Some(name), Code::MissingReference, message);
                answers.reject(element.place, violation);
                is_whole = false;
            }
            is_whole
        });
        elements
    }

    /// What differs from what is stored; answers for what does not.
    fn compare(
        &self,
        client: &mut SpiClient<'_>,
        elements: &[Element],
        call: &Call<'_>,
        answers: &mut Answers,
    ) -> Result<Vec<Work>, Error> {
        check_for_interrupts!();
        let places: Vec<u32> = (0..elements.len() as u32).collect();
        let keys = elements.iter().map(|element| &element.owner);
        let mut keys = Self::keys(self.column(self.owner).element, keys);
        let mut ordinals = ordinals(&places);
        let parameters: [Parameter; 2] = [Some(ordinals.datum()), Some(keys.datum())];
        let kind = key_kind(self.column(self.other));
        let links = |rows: Rows<'_>| {
            let mut stored: Vec<HashMap<Key, Key>> = vec![HashMap::new(); elements.len()];
            for row in rows.iter::<3>() {
                let (at, other) = (row.integer(0), Key::of(kind, &row, 1));
                let link = Key::of(self.table.key_kind, &row, 2);
                if let (Some(at), Some(other), Some(link)) = (at, other, link) {
                    stored[at as usize].insert(other, link);
                }
            }
            stored
        };
        let stored = links(self.read.run(client, &parameters));
        // The list is to be all that the entry is linked to, and links that came since the snapshot can neither be kept
        // nor deleted. Nobody else sets them now: the entries are locked.
        if keeps_snapshot() && links(self.read.run_latest(client, &parameters)) != stored {
            return Err(EntriesError::LinksMoved { table: call.name.to_owned() }.into());
        }
        let mut work = Vec::new();
        for (element, stored) in elements.iter().zip(stored) {
            let is_new = |key: &&Key| !stored.contains_key(*key);
            let add: Vec<Key> = element.targets.iter().filter(is_new).cloned().collect();
            let too_much = stored.iter().filter(|(other, _)| !element.targets.contains(*other));
            let remove: Vec<Key> = too_much.map(|(_, link)| link.clone()).collect();
            let (place, owner) = (element.place, element.owner.clone());
            if add.is_empty() && remove.is_empty() {
                answers.settle(place, Outcome::Unchanged, owner.to_string());
            } else {
                work.push(Work { place, owner, add, remove });
            }
        }
        Ok(work)
    }

    /// Writes as much as the database takes; what it refuses is found by halves.
    fn write(&self, client: &mut SpiClient<'_>, work: &[Work], answers: &mut Answers) {
        check_for_interrupts!();
        if work.is_empty() {
            return;
        }
        let refusal = match subtransaction::attempt(|| self.write_all(client, work)) {
            Ok(()) => {
                for one in work {
                    answers.settle(one.place, Outcome::Updated, one.owner.to_string());
                }
                return;
            }
            Err(refusal) => refusal,
        };
        if let [one] = work {
            let violation = match refusal.message == NOT_WRITTEN {
                true => Violation::new(None, Code::NotWritten, NOT_WRITTEN),
                false => refused(refusal),
            };
            answers.reject(one.place, violation);
            return;
        }
        let (first, second) = work.split_at(work.len() / 2);
        self.write(client, first, answers);
        self.write(client, second, answers);
    }

    fn write_all(&self, client: &mut SpiClient<'_>, work: &[Work]) {
        let mut gone: Vec<&Key> = work.iter().flat_map(|one| &one.remove).collect();
        gone.sort_unstable();
        for chunk in gone.chunks(WRITE_ROWS) {
            let element = self.table.validator.columns[0].element;
            let mut keys = Self::keys(element, chunk.iter().copied());
            let deleted = self.table.delete.run(client, &[Some(keys.datum())]).count();
            if deleted < chunk.len() {
                // Somebody else has deleted it, or a trigger keeps it.
                let places: Vec<u32> = (0..chunk.len() as u32).collect();
                let (mut ordinals, mut keys) =
                    (ordinals(&places), Self::keys(element, chunk.iter().copied()));
                let parameters = [Some(ordinals.datum()), Some(keys.datum())];
                if self.table.lock.run(client, &parameters).count() > 0 {
                    not_written();
                }
            }
        }
        let owner_is_first = self.pair.columns[0].0 == self.owner.column;
        let mut pairs: Vec<(&Key, &Key)> = Vec::new();
        for one in work {
            let pair =
                |other| if owner_is_first { (&one.owner, other) } else { (other, &one.owner) };
            pairs.extend(one.add.iter().map(pair));
        }
        pairs.sort_unstable();
        for chunk in pairs.chunks(WRITE_ROWS) {
            let array = |at: usize, of: &dyn Fn(&(&'_ Key, &'_ Key)) -> Key| {
                let column = &self.table.validator.columns[self.pair.columns[at].0 as usize];
                let mut array = Array::new(column.element);
                chunk.iter().for_each(|pair| of(pair).push_to(&mut array));
                array
            };
            let (mut first, mut second) =
                (array(0, &|pair| pair.0.clone()), array(1, &|pair| pair.1.clone()));
            let parameters = [Some(first.datum()), Some(second.datum())];
            if self.insert.run(client, &parameters).count() < chunk.len() {
                // Somebody else has made the same link, or a trigger prevents it.
                let places: Vec<u32> = (0..chunk.len() as u32).collect();
                let mut arrays = [
                    ordinals(&places),
                    array(0, &|pair| pair.0.clone()),
                    array(1, &|pair| pair.1.clone()),
                ];
                let found = run_for_keys(client, self.table, &self.pair.find, &mut arrays);
                if found.len() < chunk.len() {
                    not_written();
                }
            }
        }
    }
}

fn not_written() {
    ErrorReport::new(SUPPRESSED, NOT_WRITTEN, "set_entry_links").report(PgLogLevel::ERROR);
}
