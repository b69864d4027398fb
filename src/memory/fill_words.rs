//! The words of memories and messages, made by a trigger as each row is written, whoever writes it: they name the workspace too, so
//! nobody may bring words of their own.

use super::access::searched_by_writer;
use super::error::MemoryError;
use crate::error::Error;
use crate::pg::cluster::moved;
use crate::pg::filling::{ColumnOf, Filling};
use crate::pg::relation;
use crate::pg::row_change::{Fired, raise};
use crate::words::language::{ENGLISH, Language};
use crate::words::vector::words;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use std::borrow::Cow;

/// So many characters of a content are looked at: a `tsvector` holds a megabyte.
const MAX_CHARACTERS: usize = 100_000;

/// Fires before a row is inserted or updated, behind what may change its content.
#[pg_extern(
    schema = "kepler_internal",
    sql = "
CREATE FUNCTION kepler_internal.make_words() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"
)]
fn make_words(call: pg_sys::FunctionCallInfo) -> Fired {
    let mut row = Filling::of(call);
    // It brings its words along.
    if moved::is_on_its_way(row.table()) {
        return row.done();
    }
    let columns = row.kept(|| columns(&row)).unwrap_or_else(|error| raise(error.into()));
    let [workspace, content, language, text_search] = columns[..] else { return row.done() };
    let is_update = row.is_update();
    let is_same = |column: ColumnOf| is_update && row.is_same(column.number);
    if is_update && columns.iter().all(|column| is_same(*column)) {
        return row.done();
    }
    // What must not be NULL is refused by the table.
    let (Some(id), Some(text)) = (row.text(workspace), row.text(content)) else {
        return row.done();
    };
    let given = row.text(language).filter(|_| !is_same(language));
    let kept = row.text(language).filter(|_| is_same(language));
    let made = (|| {
        let name = language_of(id, given, kept)?;
        let language = Language::find_shared(&name)?;
        let mark = format!(" {id}");
        Ok((words(first_characters(text), language).stored(Some(&mark)), name))
    })();
    let (vector, name) = made.unwrap_or_else(|error: Error| raise(error));
    let is_new = row.text(language) != Some(name.as_ref());
    let stored = is_new.then(|| name.as_ref().into_datum()).flatten();
    row.set(text_search, vector);
    if let Some(stored) = stored {
        row.set(language, stored);
    }
    row.done()
}

fn columns(row: &Filling) -> Result<Vec<ColumnOf>, MemoryError> {
    let is_own = [c"memories", c"messages"]
        .into_iter()
        .any(|table| relation::named(c"kepler", table) == Some(row.table()));
    let column = |name| row.column(name).filter(|_| is_own).ok_or(MemoryError::ForeignTrigger);
    ["workspace_id", "content", "language", "text_search"].into_iter().map(column).collect()
}

/// The language of a row: the one that is given, or that it keeps, if the workspace has it; else the workspace's own.
fn language_of<'r>(
    workspace_id: &str,
    given: Option<&'r str>,
    kept: Option<&'r str>,
) -> Result<Cow<'r, str>, Error> {
    let Some(searched) = searched_by_writer(workspace_id)? else {
        return Ok(Cow::Borrowed(ENGLISH));
    };
    match given {
        Some(name) if searched.had(name) => Ok(Cow::Borrowed(name)),
        Some(name) => Err(searched.lacks(name).into()),
        None => Ok(
            match kept.filter(|name| searched.had(name) && Language::find_shared(name).is_ok()) {
                Some(name) => Cow::Borrowed(name),
                None => Cow::Owned(searched.language.clone()),
            },
        ),
    }
}

fn first_characters(text: &str) -> &str {
    if text.len() <= MAX_CHARACTERS {
        return text;
    }
    text.char_indices().nth(MAX_CHARACTERS).map_or(text, |(end, _)| &text[..end])
}

/// Internal: fails unless rows may have words of a language.
#[pg_extern(schema = "kepler_internal", stable, parallel_safe)]
#[search_path(pg_catalog, pg_temp)]
fn require_language(language: &str) -> Result<(), ErrorReport> {
    Language::find(language).map_err(Error::from)?;
    Language::find_shared(language)?;
    Ok(())
}
