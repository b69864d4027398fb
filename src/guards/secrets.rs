//! The trigger of columns that may hold anything but secrets.

use super::error::GuardError;
use crate::pg::filling::{ColumnOf, Filling};
use crate::pg::relation;
use crate::pg::row_change::{Fired, raise};
use crate::secrets::document::{
    Path, in_jsonb, in_text_or_document, redacted_jsonb, redacted_text,
};
use crate::secrets::{Certainty, Found};
use crate::settings::{OnSecret, on_secret};
use pgrx::prelude::*;

/// How a column is seen to.
#[derive(Clone, Copy)]
enum How {
    /// As `kepler.on_secret` says.
    AsSet,
    /// Errors that are noted must be noted: a mark takes the place of the secret.
    Redact,
    /// The whole value is left out, as one that is too large.
    LeaveOut,
}

#[derive(Clone, Copy)]
struct Guarded {
    column: ColumnOf,
    how: How,
}

/// Fires before a row is inserted or updated. Its arguments are pairs: a column of type text, jsonb or text[], and how it is seen
/// to: `refuse`, `redact` or `leave_out`. What is stored is let through. Where nothing is found it runs no SQL.
#[pg_extern(
    schema = "kepler_internal",
    sql = "
CREATE FUNCTION kepler_internal.guard_secrets() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"
)]
fn guard_secrets(call: pg_sys::FunctionCallInfo) -> Fired {
    let mut row = Filling::of(call);
    let set = on_secret();
    let columns = row.kept(|| columns(&row)).unwrap_or_else(|error| raise(error.into()));
    for Guarded { column, how } in columns {
        if row.is_update() && row.is_same(column.number) {
            continue;
        }
        match (how, set) {
            // Whatever is set: a mark in the document would be written to the record when it is tried again.
            (How::LeaveOut, _) if !row.is_update() => {
                if find(&row, column).is_some() {
                    row.set_null(column);
                }
            }
            (_, OnSecret::Allow) => {}
            // Whoever repairs it is told.
            (How::AsSet, OnSecret::Refuse) | (How::LeaveOut, _) => {
                let found = find(&row, column);
                // What ON CONFLICT will leave as it is has not become a secret by being sent again.
                let found = found.filter(|_| row.is_update() || !row.is_stored(column));
                if let Some((place, kind)) = found {
                    let table = relation::table_name(row.table()).unwrap_or_default();
                    let column = row.column_name(column);
                    raise(GuardError::Secret { table, column, place, kind }.into());
                }
            }
            _ => redact(&mut row, column),
        }
    }
    row.done()
}

fn columns(row: &Filling) -> Result<Vec<Guarded>, GuardError> {
    let arguments = row.arguments();
    let (pairs, _) = arguments.as_chunks::<2>();
    let guarded = |[name, how]: &[String; 2]| {
        let how = match how.as_str() {
            "redact" => How::Redact,
            "leave_out" => How::LeaveOut,
            _ => How::AsSet,
        };
        let column = row.column(name).ok_or_else(|| GuardError::NoColumn {
            table: relation::table_name(row.table()).unwrap_or_default(),
            trigger: row.trigger(),
            column: name.clone(),
        })?;
        Ok(Guarded { column, how })
    };
    pairs.iter().map(guarded).collect()
}

/// The first secret that is refused: where in the value, and its kind.
fn find(row: &Filling, column: ColumnOf) -> Option<(String, &'static str)> {
    let mut first = None;
    let mut visit = |path: &Path<'_>, found: Found| {
        let is_certain = found.certainty == Certainty::Certain;
        if is_certain {
            first = Some((path.pointer(), found.kind));
        }
        !is_certain
    };
    if let Some(text) = row.text(column) {
        in_text_or_document(text, &Path::ROOT, &mut visit);
    } else if let Some(bytes) = row.jsonb(column) {
        in_jsonb(bytes, &mut visit);
    } else {
        for (at, text) in row.texts(column).into_iter().flatten().enumerate() {
            let path = Path::ROOT.element(at);
            text.into_iter().for_each(|text| in_text_or_document(&text, &path, &mut visit));
        }
    }
    first
}

fn redact(row: &mut Filling, column: ColumnOf) {
    let datum = if let Some(text) = row.text(column) {
        redacted_text(text).and_then(IntoDatum::into_datum)
    } else if let Some(bytes) = row.jsonb(column) {
        redacted_jsonb(bytes).map(|stored| crate::pg::json::Stored::copy(&stored).0)
    } else {
        row.texts(column).and_then(|texts| {
            let clean: Vec<Option<String>> =
                texts.iter().map(|text| text.as_deref().and_then(redacted_text)).collect();
            if clean.iter().all(Option::is_none) {
                return None;
            }
            let both = texts.into_iter().zip(clean);
            both.map(|(text, clean)| clean.or(text)).collect::<Vec<_>>().into_datum()
        })
    };
    if let Some(datum) = datum {
        row.set(column, datum);
    }
}
