//! The SQL functions over entries.

use super::answer::Answers;
use super::entry_table::EntryTable;
use super::{change, delete, insert, links};
use crate::answer;
use crate::arguments::ArgumentError;
use crate::error::Error;
use crate::installed::require_tables;
use crate::pg::memory;
use crate::pg::texts::Texts;
use crate::pg::whole::Spi;
use crate::workspace;
use pgrx::JsonB;
use pgrx::iter::TableIterator;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

/// An answer as a row. (pgrx must see the type spelt out where a function returns it.)
type Row = answer::WholeRow<Option<String>>;

/// After so many bytes memory is given back, which takes some milliseconds.
const LARGE_BATCH: usize = 32 << 20;

/// Inserts entries, and answers for each in a row, in the order of the array.
///
/// `entries`: a JSON array of objects, whose keys are fields of the table. `on_error`: `fail` (the
/// default) fails with all violations if there is one; `skip` writes the valid entries and answers
/// `rejected` for the others.
///
/// Errors: 55000 before `install()`, 22004 and 22023 for arguments, 22P02 where `entries` cannot be
/// divided, 54000 where it has more than 4,000,000 elements, 42P01 for an unknown table, 23503 for an
/// unknown workspace; and with `fail` the SQLSTATE of the first violation.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)]
fn insert_entries(
    entry_table: Option<&str>,
    entries: Option<&str>,
    on_error: default!(Option<&str>, "'fail'"),
    workspace_id: default!(Option<&str>, "kepler.current_workspace_id()"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(ordinal, i32),
            name!(entry_id, Option<String>),
            name!(outcome, &'static str),
            name!(error_code, Option<String>),
            name!(error, Option<String>),
            name!(violations, Option<JsonB>),
        ),
    >,
    ErrorReport,
> {
    let call = Call::check(entry_table, workspace_id, Some(on_error))?;
    let entries = entries.ok_or(ArgumentError::Null("entries"))?;
    call.run(entries.len(), |client, table| insert::insert(client, table, entries, call.skip))
}

/// Inserts, updates or leaves alone entries, which are found by a unique set of fields or the table's
/// key, and answers as `insert_entries` does.
///
/// `key_fields`: the names of the fields that find an entry. What an element does not have stays as it is
/// stored. Of elements for one entry the last wins, the others are `superseded`.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)]
fn upsert_entries(
    entry_table: Option<&str>,
    key_fields: Option<Texts>,
    entries: Option<&str>,
    on_error: default!(Option<&str>, "'fail'"),
    workspace_id: default!(Option<&str>, "kepler.current_workspace_id()"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(ordinal, i32),
            name!(entry_id, Option<String>),
            name!(outcome, &'static str),
            name!(error_code, Option<String>),
            name!(error, Option<String>),
            name!(violations, Option<JsonB>),
        ),
    >,
    ErrorReport,
> {
    let call = Call::check(entry_table, workspace_id, Some(on_error))?;
    let key: Option<Vec<String>> = key_fields.and_then(|key| key.0.into_iter().collect());
    let key = key.ok_or(ArgumentError::Null("key_fields"))?;
    let entries = entries.ok_or(ArgumentError::Null("entries"))?;
    call.run(entries.len(), |client, table| {
        let set = table.unique_set(call.name, &key)?;
        change::change(client, table, change::Kind::Upsert(set), entries, call.skip)
    })
}

/// Changes stored entries: each element holds the table's key and the fields to change. Answers as
/// `insert_entries` does.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)]
fn update_entries(
    entry_table: Option<&str>,
    entries: Option<&str>,
    on_error: default!(Option<&str>, "'fail'"),
    workspace_id: default!(Option<&str>, "kepler.current_workspace_id()"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(ordinal, i32),
            name!(entry_id, Option<String>),
            name!(outcome, &'static str),
            name!(error_code, Option<String>),
            name!(error, Option<String>),
            name!(violations, Option<JsonB>),
        ),
    >,
    ErrorReport,
> {
    let call = Call::check(entry_table, workspace_id, Some(on_error))?;
    let entries = entries.ok_or(ArgumentError::Null("entries"))?;
    call.run(entries.len(), |client, table| {
        change::change(client, table, change::Kind::Update, entries, call.skip)
    })
}

/// Deletes entries by their keys; an entry that something else still refers to is `rejected`.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)]
fn delete_entries(
    entry_table: Option<&str>,
    entry_ids: Option<Texts>,
    workspace_id: default!(Option<&str>, "kepler.current_workspace_id()"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(ordinal, i32),
            name!(entry_id, Option<String>),
            name!(outcome, &'static str),
            name!(error_code, Option<String>),
            name!(error, Option<String>),
            name!(violations, Option<JsonB>),
        ),
    >,
    ErrorReport,
> {
    let call = Call::check(entry_table, workspace_id, None)?;
    let entry_ids = entry_ids.ok_or(ArgumentError::Null("entry_ids"))?.0;
    call.run(0, |client, table| Ok(delete::delete(client, table, &entry_ids)))
}

/// Sets the links of entries in a table of links, whose entries refer to two others: each element names an entry and
/// holds the list of all that it is linked to. Answers as `insert_entries` does, with the key of that entry.
///
/// `field`: the reference to the entries whose links are set. `target_field`: the unique field by which the lists name the
/// entries at the other end, instead of their keys.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)]
fn set_entry_links(
    entry_table: Option<&str>,
    field: Option<&str>,
    links: Option<&str>,
    target_field: default!(Option<&str>, "NULL"),
    on_error: default!(Option<&str>, "'fail'"),
    workspace_id: default!(Option<&str>, "kepler.current_workspace_id()"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(ordinal, i32),
            name!(entry_id, Option<String>),
            name!(outcome, &'static str),
            name!(error_code, Option<String>),
            name!(error, Option<String>),
            name!(violations, Option<JsonB>),
        ),
    >,
    ErrorReport,
> {
    let call = Call::check(entry_table, workspace_id, Some(on_error))?;
    let field = field.ok_or(ArgumentError::Null("field"))?;
    let text = links.ok_or(ArgumentError::Null("links"))?;
    let (workspace, name) = (call.workspace, call.name);
    let wanted = links::Call { workspace, name, field, target_field };
    call.run(text.len(), |client, table| links::set(client, table, &wanted, text))
}

/// The arguments that all functions have, checked.
struct Call<'a> {
    name: &'a str,
    workspace: &'a str,
    skip: bool,
}

impl<'a> Call<'a> {
    fn check(
        name: Option<&'a str>,
        given_workspace: Option<&'a str>,
        on_error: Option<Option<&'a str>>,
    ) -> Result<Self, Error> {
        require_tables()?;
        let name = name.ok_or(ArgumentError::Null("entry_table"))?;
        let workspace = given_workspace.ok_or(ArgumentError::Null("workspace_id"))?;
        workspace::require_own(workspace)?;
        let skip = match on_error {
            None | Some(Some("skip")) => true,
            Some(Some("fail")) => false,
            Some(None) => return Err(ArgumentError::Null("on_error").into()),
            Some(Some(other)) => {
                return Err(ArgumentError::BadChoice {
                    argument: "on_error",
                    legal: "fail, skip",
                    given: other.to_owned(),
                }
                .into());
            }
        };
        Ok(Self { name, workspace, skip })
    }

    fn run(
        &self,
        bytes: usize,
        work: impl FnOnce(&mut pgrx::spi::SpiClient<'_>, &EntryTable) -> Result<Answers, Error>,
    ) -> Result<TableIterator<'static, Row>, ErrorReport> {
        let answers = Spi::connect_mut(|client| {
            let table = EntryTable::open(client, self.workspace, self.name)?;
            work(client, &table)
        })?;
        if !self.skip {
            answers.require_all_valid()?;
        }
        if bytes >= LARGE_BATCH {
            memory::release_unused();
        }
        Ok(rows(answers))
    }
}

fn rows(answers: Answers) -> TableIterator<'static, Row> {
    TableIterator::new(answer::whole_rows(answers.all))
}
