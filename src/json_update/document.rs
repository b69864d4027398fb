//! Updates the document in one row, or makes the row.
//!
//! The row is changed by one UPDATE that reckons the new document from the version it has locked, so
//! concurrent calls come one after the other. Only where that UPDATE touches nothing is the row read, to
//! distinguish an unchanged document from a missing one. Between the two statements other
//! sessions may commit; if the row then would change after all, the UPDATE is tried again.

use super::current_date;
use super::datum;
use super::error::JsonUpdateError;
use super::once::Once;
use super::target::{Shape, Target};
use crate::arguments::OptionsObject;
use crate::error::Error;
use crate::json_operators::path::pointer_token;
use crate::jsonb::builder::{Builder, length_word};
use crate::jsonb::order::Kind;
use crate::jsonb::view::{Container, Value};
use crate::pg::clock::now;
use crate::pg::relation::table_name;
use crate::pg::rows::Rows;
use crate::pg::varlena;
use pgrx::spi::SpiClient;
use pgrx::{check_for_interrupts, pg_sys};

/// A row that changes under a call this often is given up.
const MAX_TRIES: usize = 32;
/// Postgres counts from 2000, as JavaScript does from 1970: milliseconds between the two.
const EPOCH: i64 = 946_684_800_000;

/// What a call was asked to do. Datums are `jsonb`.
pub(super) struct Request {
    pub(super) relation: pg_sys::Oid,
    pub(super) key: pg_sys::Datum,
    pub(super) column: String,
    pub(super) operations: pg_sys::Datum,
    pub(super) revision: Revision,
    /// Make the row if it is not there.
    pub(super) upsert: bool,
    /// What a new row gets in its other columns.
    pub(super) new_row: Option<pg_sys::Datum>,
}

/// The column that counts changes, and what it must hold.
#[derive(Default)]
pub(super) struct Revision {
    column: Option<String>,
    expected: Option<i64>,
}

/// What became of the row.
pub(super) struct Answer {
    pub(super) outcome: &'static str,
    /// With its length word.
    pub(super) document: Vec<u8>,
}

pub(super) fn read_options(options: Option<serde_json::Value>) -> Result<Revision, Error> {
    let mut revision = Revision::default();
    let Some(options) = options else { return Ok(revision) };
    let mut options = OptionsObject::open("options", options)?;
    if let Some(value) = options.take("revision_column") {
        match value {
            serde_json::Value::String(name) => revision.column = Some(name),
            _ => options.problem("/revision_column: must be the name of a column"),
        }
    }
    if let Some(value) = options.take("expected_revision") {
        revision.expected = value.as_i64();
        if revision.expected.is_none() {
            options.problem("/expected_revision: must be a whole number");
        } else if revision.column.is_none() {
            options.problem("/expected_revision: needs revision_column beside it");
        }
    }
    options.close()?;
    Ok(revision)
}

/// Gives None where there is no such row, and none was to be made.
pub(super) fn run(client: &mut SpiClient<'_>, request: &Request) -> Result<Option<Answer>, Error> {
    // SAFETY: declared in SQL as jsonb.
    let asked = unsafe { varlena::aligned_bytes(request.operations) };
    let resolved = current_date::resolve(asked, now() / 1_000 + EPOCH)?;
    let given = resolved.as_ref().map_or(request.operations, |o| pg_sys::Datum::from(o.as_ptr()));
    // Wrong operations are an error whether there is such a row or not.
    let operations = datum::operations(given)?;
    let shape = Shape {
        relation: request.relation,
        key: key_columns(request.key)?,
        column: request.column.clone(),
        revision_column: request.revision.column.clone(),
        expects_revision: request.revision.expected.is_some(),
        upsert: request.upsert,
        new_row: request.new_row.map_or(Ok(Vec::new()), new_row_columns)?,
    };
    let has_others = !shape.new_row.is_empty();
    let target = Target::open(client, shape)?;
    let expected = request.revision.expected;
    let expected_datum = expected.map(pg_sys::Datum::from);
    let (given, key) = (Some(given), Some(request.key));
    for _ in 0..MAX_TRIES {
        check_for_interrupts!();
        let once = Once::begin();
        let rows = if expected.is_some() {
            target.update.run(client, &[given, key, expected_datum])
        } else {
            target.update.run(client, &[given, key])
        };
        let reckoned = once.end();
        one(rows.count(), request)?;
        if rows.count() == 1 {
            let document = if !target.plain {
                stored::<1>(&rows)
            } else if target.is_current() {
                reckoned
            } else {
                // It may have got a trigger since. The row is locked, so this is what was stored; no
                // revision is this one, so nothing is reckoned.
                let none = Some(pg_sys::Datum::from(i64::MIN));
                stored::<3>(&target.read.run(client, &[given, key, none]))
            };
            return Ok(Some(Answer { outcome: "updated", document }));
        }
        drop(rows);
        let rows = target.read.run(client, &[given, key, expected_datum]);
        one(rows.count(), request)?;
        if let Some(row) = rows.iter::<3>().next() {
            if let Some(expected) = expected
                && row.bigint(1) != Some(expected)
            {
                return Err(JsonUpdateError::Moved { expected, found: row.bigint(1) }.into());
            }
            let empty = Builder::empty_object();
            let document = match row.jsonb(0) {
                Some(document) => document,
                None if request.upsert => &empty[..],
                None => {
                    let column = request.column.clone();
                    return Err(JsonUpdateError::NullDocument { column }.into());
                }
            };
            if row.boolean(2) != Some(true) {
                let document = with_length(document);
                return Ok(Some(Answer { outcome: "unchanged", document }));
            }
            continue;
        }
        drop(rows);
        if !request.upsert {
            return Ok(None);
        }
        if let Some(expected) = expected.filter(|expected| *expected != 0) {
            return Err(JsonUpdateError::Moved { expected, found: None }.into());
        }
        let empty = with_length(&Builder::empty_object());
        let new = datum::updated(&operations, &empty[4..], true)?;
        let new = new.map_or_else(|| pg_sys::Datum::from(empty.as_ptr()), |new| new.datum());
        let rows = match request.new_row.filter(|_| has_others) {
            Some(_) => target.insert.run(client, &[Some(new), key, request.new_row]),
            None => target.insert.run(client, &[Some(new), key]),
        };
        if rows.count() > 0 {
            let document = stored::<1>(&rows);
            return Ok(Some(Answer { outcome: "inserted", document }));
        }
    }
    Err(JsonUpdateError::NeitherNor.into())
}

/// The columns that a key names. Its values are converted where the statements run.
fn key_columns(key: pg_sys::Datum) -> Result<Vec<String>, Error> {
    // SAFETY: declared in SQL as jsonb.
    let bytes = unsafe { varlena::aligned_bytes(key) };
    let object = match Container::root(bytes).value() {
        Value::Container(object) if object.is_object() && object.count() > 0 => object,
        _ => {
            let problem = "it must be a JSON object of columns and values ({\"id\": 1})".to_owned();
            return Err(JsonUpdateError::BadKey(vec![problem]).into());
        }
    };
    let mut names = Vec::new();
    let mut problems = Vec::new();
    for (name, value) in object.pairs() {
        let kind = Kind::of(value.value());
        if !matches!(kind, Kind::String | Kind::Number | Kind::Boolean) {
            problems.push(format!(
                "{}: must be a string, a number or a boolean, not {}",
                pointer_token(name),
                kind.name()
            ));
        }
        names.push(String::from_utf8_lossy(name).into_owned());
    }
    if problems.is_empty() { Ok(names) } else { Err(JsonUpdateError::BadKey(problems).into()) }
}

/// The columns that a new row gets values for.
fn new_row_columns(new_row: pg_sys::Datum) -> Result<Vec<String>, Error> {
    // SAFETY: declared in SQL as jsonb.
    let bytes = unsafe { varlena::aligned_bytes(new_row) };
    match Container::root(bytes).value() {
        Value::Container(object) if object.is_object() => {
            Ok(object.keys().map(|key| String::from_utf8_lossy(key.bytes).into_owned()).collect())
        }
        other => {
            let problem = format!(
                "it must be a JSON object of columns and values ({{\"name\": \"x\"}}), not {}",
                Kind::of(other).name()
            );
            Err(JsonUpdateError::BadNewRow(vec![problem]).into())
        }
    }
}

/// A unique key of a table that others inherit from may be there more than once.
fn one(count: usize, request: &Request) -> Result<(), Error> {
    if count <= 1 {
        return Ok(());
    }
    let table = table_name(request.relation).unwrap_or_default();
    Err(JsonUpdateError::NotOne { table }.into())
}

/// The document in the first column of the only row.
fn stored<const N: usize>(rows: &Rows<'_>) -> Vec<u8> {
    let row = rows.iter::<N>().next();
    with_length(row.as_ref().and_then(|row| row.jsonb(0)).unwrap_or_default())
}

fn with_length(bytes: &[u8]) -> Vec<u8> {
    let mut datum = length_word(4 + bytes.len()).to_vec();
    datum.extend_from_slice(bytes);
    datum
}
