//! Entries that change places: nobody can take a unique value that another entry still has, so one of each circle steps
//! aside first. It gets NULL in a column of the unique set, or a value that no entry is likely to have, and its own value
//! at the end, all in one subtransaction: nobody else sees it, and it stays nowhere.
//!
//! A column that a foreign key refers to, of whatever table, never gets NULL: `ON UPDATE CASCADE` would take that to the
//! rows which refer to it, and nothing would bring them back.

use super::change::Batch;
use super::identity::random_uuid;
use super::insert::WRITE_ROWS;
use super::key::Key;
use super::land::refused;
use super::needs;
use super::statements;
use super::validator::Column;
use crate::answer::{Code, Problem, Violation};
use crate::field_types::kind::FieldKind;
use crate::field_types::scalar::Scratch;
use crate::pg::array::Array;
use crate::pg::plan::{Parameter, Statement};
use crate::pg::subtransaction::{self, Refusal};
use crate::structure::model::Sensitive;
use pgrx::pg_sys;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::spi::SpiClient;
use pgrx::{PgLogLevel, PgSqlErrorCode, check_for_interrupts};
use std::cell::Cell;
use std::collections::{HashMap, HashSet};

const UNIQUE: PgSqlErrorCode = PgSqlErrorCode::ERRCODE_UNIQUE_VIOLATION;
const SUPPRESSED: PgSqlErrorCode = PgSqlErrorCode::ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION;

const CHECK: PgSqlErrorCode = PgSqlErrorCode::ERRCODE_CHECK_VIOLATION;
const FOREIGN_KEY: PgSqlErrorCode = PgSqlErrorCode::ERRCODE_FOREIGN_KEY_VIOLATION;

const NOT_WRITTEN: &str = "a trigger on the table prevented the write";
const NO_VALUE: &str = "the field takes no value that nobody has";

/// So many times one entry of what still is a circle steps aside, then all of them: circles through several unique sets
/// can be large.
const ROUNDS_OF_ONE: usize = 8;

/// So often a circle is tried with other values.
const TRIES: usize = 20;

/// The same where a check refuses them: they lie elsewhere each time, in few places.
const TRIES_OF_CHECKS: usize = 6;

thread_local! {
    // Triggers are found by their table; a constraint by what it refers to is not. Of a generated column that is referred
    // to, any column may be a part.
    static REFERRED: Statement = const { Statement::new(
        c"SELECT DISTINCT a.attname::text
          FROM pg_catalog.pg_trigger AS g
          JOIN pg_catalog.pg_constraint AS f ON f.oid = g.tgconstraint
          JOIN pg_catalog.pg_attribute AS a ON a.attrelid = g.tgrelid AND a.attnum > 0
          WHERE g.tgrelid = $1 AND f.contype = 'f' AND f.confrelid = $1
              AND (a.attnum = ANY (f.confkey)
                   OR EXISTS (SELECT FROM pg_catalog.pg_attribute AS b
                              WHERE b.attrelid = g.tgrelid AND b.attnum = ANY (f.confkey)
                                  AND b.attgenerated <> ''))",
        &[pg_sys::OIDOID],
    ) };
}

/// Rows that are written together, each after those that it waits for.
pub(super) struct Unit {
    pub(super) rows: Vec<u32>,
    /// Columns in which rows step aside before.
    aside: Vec<(u16, u32)>,
}

/// What a row waits for: another one, by its place, and the unique set in which that has what the row is to get.
pub(super) type Need = (u32, usize);

/// What stopped a try to write units.
struct Stop {
    refusal: Refusal,
    /// Whether it was about values that nobody asked for.
    is_aside: bool,
}

impl Stop {
    /// Whether other values may do better, after so many tries.
    fn may_pass(&self, tries: usize) -> bool {
        match self.refusal.code.standard() {
            UNIQUE => tries < TRIES,
            CHECK => self.is_aside && tries < TRIES_OF_CHECKS,
            _ => false,
        }
    }
}

impl Batch<'_> {
    /// Finds the columns that foreign keys refer to.
    pub(super) fn find_referred(&mut self, client: &mut SpiClient<'_>) {
        let table = self.landing.table;
        let parameters = [Some(pg_sys::Datum::from(table.relation))];
        let rows = REFERRED.with(|statement| statement.run_latest(client, &parameters));
        let names: HashSet<String> =
            rows.iter::<1>().filter_map(|row| row.text(0).map(str::to_owned)).collect();
        let columns = (0_u16..).zip(&table.validator.columns);
        self.referred = columns
            .filter(|(_, column)| names.contains(&column.column))
            .map(|(at, _)| at)
            .collect();
    }

    /// Whether NULL cannot stand in a column meanwhile.
    fn needs_value(&self, column: u16) -> bool {
        let described = &self.landing.table.validator.columns[column as usize];
        described.required || self.referred.contains(&column)
    }

    /// How some rows can be written that wait for each other; none where nobody can step aside.
    pub(super) fn open_circle(
        &self,
        places: &[u32],
        waiting: &[u32],
        needs: &[Vec<Need>],
    ) -> Option<Unit> {
        let row = |place: u32| waiting[place as usize];
        if let [place] = places {
            return Some(Unit { rows: vec![row(*place)], aside: Vec::new() });
        }
        let own: HashMap<u32, u32> = places.iter().copied().zip(0..).collect();
        let mut edges: Vec<Vec<Need>> = places
            .iter()
            .map(|&place| {
                let needs = needs[place as usize].iter();
                needs.filter_map(|(on, set)| Some((*own.get(on)?, *set))).collect()
            })
            .collect();
        let mut aside = Vec::new();
        for round in 0.. {
            check_for_interrupts!();
            let plain: Vec<Vec<u32>> =
                edges.iter().map(|edges| edges.iter().map(|(on, _)| *on).collect()).collect();
            let found = needs::units(places.len(), &plain);
            let circles: Vec<&Vec<u32>> = found.iter().filter(|unit| unit.len() > 1).collect();
            if circles.is_empty() {
                let order = found.iter().flatten();
                let rows = order.map(|&at| row(places[at as usize])).collect();
                return Some(Unit { rows, aside });
            }
            let mut freed: HashSet<Need> = HashSet::new();
            for circle in circles {
                let members: HashSet<u32> = circle.iter().copied().collect();
                // By which sets the others wait for each.
                let mut wanted: HashMap<u32, Vec<usize>> = HashMap::new();
                for (on, set) in circle.iter().flat_map(|&member| &edges[member as usize]) {
                    if members.contains(on) {
                        wanted.entry(*on).or_default().push(*set);
                    }
                }
                let mut candidates: Vec<(u32, Vec<usize>)> = wanted.into_iter().collect();
                candidates.sort_unstable_by(|a, b| b.1.len().cmp(&a.1.len()).then(a.0.cmp(&b.0)));
                let most = if round < ROUNDS_OF_ONE { 1 } else { usize::MAX };
                let mut taken = 0;
                for (member, sets) in candidates {
                    let row = row(places[member as usize]);
                    let columns: Option<Vec<u16>> =
                        sets.iter().map(|&set| self.column_aside(row, set)).collect();
                    let Some(columns) = columns else { continue };
                    aside.extend(columns.into_iter().map(|column| (column, row)));
                    freed.extend(sets.into_iter().map(|set| (member, set)));
                    taken += 1;
                    if taken == most {
                        break;
                    }
                }
                if taken == 0 {
                    return None;
                }
            }
            edges.iter_mut().for_each(|edges| edges.retain(|edge| !freed.contains(edge)));
            aside.sort_unstable();
            aside.dedup();
        }
        None
    }

    /// The column in which a row can step aside from a unique set. The row must give it: then it gets it back.
    fn column_aside(&self, row: u32, set: usize) -> Option<u16> {
        let table = self.landing.table;
        let columns = table.unique[set].columns.iter().map(|(column, _)| *column);
        let given = columns.filter(|&column| column != 0 && self.is_given(row, column));
        let is_reference =
            |column: u16| table.references.iter().any(|reference| reference.column == column);
        let ease = |column: &u16| {
            let described = &table.validator.columns[*column as usize];
            match described.kind {
                _ if !self.needs_value(*column) => Some(0),
                _ if is_reference(*column) || described.list => None,
                FieldKind::Uuid => Some(1),
                FieldKind::Text { .. } => Some(2),
                FieldKind::Bigint | FieldKind::Integer | FieldKind::Decimal { .. } => Some(3),
                FieldKind::Float | FieldKind::Timestamp | FieldKind::Date => Some(4),
                FieldKind::Time => Some(5),
                _ => None,
            }
        };
        given.filter_map(|column| Some((ease(&column)?, column))).min().map(|(_, column)| column)
    }

    /// Writes units, each of which needs only itself and what stands before it, and answers for their rows.
    pub(super) fn write_units(
        &mut self,
        client: &mut SpiClient<'_>,
        keys: &HashMap<u32, Key>,
        units: &[Unit],
    ) {
        check_for_interrupts!();
        let rows: Vec<u32> = units.iter().flat_map(|unit| &unit.rows).copied().collect();
        if units.iter().all(|unit| unit.aside.is_empty()) {
            for chunk in rows.chunks(WRITE_ROWS) {
                self.update(client, keys, chunk, true);
            }
            return;
        }
        let mut stop = match self.try_units(client, keys, units, &rows, 0) {
            Ok(written) => return self.settle_updated(keys, &rows, &written),
            Err(stop) => stop,
        };
        if units.len() > 1 {
            let (first, second) = units.split_at(units.len() / 2);
            self.write_units(client, keys, first);
            self.write_units(client, keys, second);
            return;
        }
        // By chance an entry had the value, or a check is against it.
        for tries in 1.. {
            if !stop.may_pass(tries) {
                break;
            }
            match self.try_units(client, keys, units, &rows, tries) {
                Ok(written) => return self.settle_updated(keys, &rows, &written),
                Err(again) => stop = again,
            }
        }
        let Stop { refusal, is_aside } = stop;
        // Whoever asked for an exchange is told why it cannot be, not what a value of nobody's met. A foreign key without
        // CASCADE would refuse the change itself.
        let code = refusal.code.standard();
        let stuck = is_aside && ![UNIQUE, FOREIGN_KEY].contains(&code);
        let mut rivals = match stuck || code == UNIQUE {
            true => self.find_rivals(client, keys, &rows),
            false => HashMap::new(),
        };
        for row in rows {
            match rivals.remove(&row) {
                Some(rivals) if stuck => self.reject_stuck(row, rivals, Some(&refusal.message)),
                Some(rivals) => self.reject_rivals(row, rivals),
                None if refusal.message == NOT_WRITTEN => {
                    self.reject(row, Violation::new(None, Code::NotWritten, NOT_WRITTEN));
                }
                None => self.reject(row, refused(refusal.clone())),
            }
        }
    }

    /// Answers for a row whose circle nobody can open.
    pub(super) fn reject_stuck(&mut self, row: u32, rivals: Vec<(usize, Key)>, why: Option<&str>) {
        for (set, rival) in rivals {
            let Violation { field, problem } = self.landing.duplicate(set, &rival);
            let why = why.map(|why| format!(": {why}")).unwrap_or_default();
            let message = format!(
                "{}, and none of those that exchange values can step aside meanwhile{why}",
                problem.message
            );
            self.reject(
                row,
                Violation { field, problem: Problem { message: message.into(), ..problem } },
            );
        }
    }

    fn reject(&mut self, row: u32, violation: Violation) {
        let element = self.element(row);
        self.landing.answers.reject(element, violation);
    }

    fn try_units(
        &self,
        client: &mut SpiClient<'_>,
        keys: &HashMap<u32, Key>,
        units: &[Unit],
        rows: &[u32],
        tries: usize,
    ) -> Result<HashSet<Key>, Stop> {
        let mut aside: Vec<(u16, u32)> =
            units.iter().flat_map(|unit| &unit.aside).copied().collect();
        aside.sort_unstable();
        let is_aside = Cell::new(true);
        let done = subtransaction::attempt(|| {
            for chunk in aside.chunk_by(|a, b| a.0 == b.0).flat_map(|same| same.chunks(WRITE_ROWS))
            {
                self.step_aside(client, keys, chunk, tries);
            }
            is_aside.set(false);
            let mut written = HashSet::new();
            for chunk in rows.chunks(WRITE_ROWS) {
                written.extend(self.update_some(client, keys, chunk));
            }
            let is_back =
                |(_, row): &(u16, u32)| keys.get(row).is_some_and(|key| written.contains(key));
            if !aside.iter().all(is_back) {
                ErrorReport::new(SUPPRESSED, NOT_WRITTEN, "step_aside").report(PgLogLevel::ERROR);
            }
            written
        });
        done.map_err(|refusal| Stop { refusal, is_aside: is_aside.get() })
    }

    /// Takes rows out of the unique sets of a column.
    fn step_aside(
        &self,
        client: &mut SpiClient<'_>,
        keys: &HashMap<u32, Key>,
        some: &[(u16, u32)],
        tries: usize,
    ) {
        let Some(&(column, _)) = some.first() else { return };
        let table = self.landing.table;
        let rows: Vec<u32> = some.iter().map(|(_, row)| *row).collect();
        let described = &table.validator.columns[column as usize];
        let mut values = Array::new(described.element);
        let mut scratch = Scratch::new();
        for _ in &rows {
            if !self.needs_value(column) {
                values.push_null();
            } else if !described.push_aside(&mut scratch, &mut values, tries) {
                subtransaction::undo(NO_VALUE);
            }
        }
        let mut keys = self.keys(keys, &rows);
        let statement = statements::set_one(&table.name, &table.validator, column);
        let parameters: [Parameter; 2] = [Some(keys.datum()), Some(values.datum())];
        statement.run(client, &parameters);
    }
}

impl Column {
    /// Appends a value that meets the rules and that hardly any entry has, if there is one.
    fn push_aside(&self, scratch: &mut Scratch, out: &mut Array, tries: usize) -> bool {
        for attempt in tries..tries + 8 {
            let Some(raw) = self.value_aside(attempt) else { break };
            if self.read(raw.as_bytes(), scratch, out).is_ok() && self.no_reference(out).is_none() {
                return true;
            }
            out.undo();
        }
        false
    }

    /// A value as JSON. Later attempts lie elsewhere.
    fn value_aside(&self, attempt: usize) -> Option<String> {
        let random = random_uuid();
        // Far away from what people use.
        let far = |least: i128, most: i128, low: Option<i128>, high: Option<i128>| {
            let room = |least: i128, most: i128| {
                least + (random % (1 << 20)) as i128 % (most - least + 1).max(1)
            };
            Some(match (low, high) {
                (Some(low), Some(high)) => low + (random >> 1) as i128 % (high - low + 1).max(1),
                (Some(low), None) => room(most - (1 << 20), most).max(low),
                (None, None) if attempt % 2 == 1 => room(most - (1 << 20), most),
                _ => room(least, least + (1 << 20)).min(high.unwrap_or(most)),
            })
        };
        let quoted = |text: String| Some(format!("\"{text}\""));
        match &self.kind {
            FieldKind::Uuid => quoted(Key::Uuid(random).to_string()),
            FieldKind::Text { .. } if self.sensitive == Some(Sensitive::Reference) => {
                quoted(format!("vault:aside/{:08x}/{:08x}", random as u32, (random >> 32) as u32))
            }
            FieldKind::Text { max_length } => {
                let text = format!("{random:032x}{:032x}", random_uuid());
                let length = max_length.map_or(32, |most| most.min(32)) as usize;
                let mut text = text[..length.min(text.len())].to_owned();
                let least = self.min_length.unwrap_or(0) as usize;
                text.extend(std::iter::repeat_n('0', least.saturating_sub(text.len())));
                quoted(text)
            }
            FieldKind::Integer => {
                let (low, high) = self.whole_bounds();
                far(i32::MIN.into(), i32::MAX.into(), low, high).map(|value| value.to_string())
            }
            FieldKind::Bigint => {
                let (low, high) = self.whole_bounds();
                far(i64::MIN.into(), i64::MAX.into(), low, high).map(|value| value.to_string())
            }
            FieldKind::Decimal { precision } => {
                let digits = precision.map_or(18, |(digits, scale)| digits - scale).min(18);
                let most = 10_u128.pow(digits.into());
                let value = match attempt % 3 {
                    0 => most - 1 - random % most.min(1 << 20),
                    _ => random % most,
                };
                let sign = if attempt % 3 == 1 { "-" } else { "" };
                let zero = value == 0 && !sign.is_empty();
                Some(if zero { "0".to_owned() } else { format!("{sign}{value}") })
            }
            FieldKind::Float => {
                let value = (random % (1 << 50)) as f64;
                Some(match attempt % 3 {
                    0 => format!("{value}e280"),
                    1 => format!("-{value}e280"),
                    _ => format!("{value}"),
                })
            }
            FieldKind::Date | FieldKind::Timestamp => {
                let year = match attempt % 3 {
                    0 => 8000 + random % 1900,
                    1 => 100 + random % 900,
                    _ => 1900 + random % 200,
                };
                let (month, day) = (1 + (random >> 32) % 12, 1 + (random >> 48) % 28);
                let date = format!("{year:04}-{month:02}-{day:02}");
                match self.kind {
                    FieldKind::Date => quoted(date),
                    _ => {
                        let (minute, second) = ((random >> 64) % 60, (random >> 80) % 60);
                        let part = (random >> 96) % 1_000_000;
                        quoted(format!("{date}T01:{minute:02}:{second:02}.{part:06}Z"))
                    }
                }
            }
            FieldKind::Time => {
                let (hour, minute) = ((random >> 8) % 24, (random >> 16) % 60);
                let (second, part) = ((random >> 32) % 60, (random >> 64) % 1_000_000);
                quoted(format!("{hour:02}:{minute:02}:{second:02}.{part:06}"))
            }
            _ => None,
        }
    }
}
