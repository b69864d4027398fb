//! The SQL functions that settle records of a lease.

use super::decode::{self, Element, MAX_WAIT, Verdict, not_a_wait, within_bounds};
use super::error::EnrichmentError;
use super::settle;
use crate::answer::{self, Code, Violation, WholeRow};
use crate::arguments::ArgumentError;
use crate::error::Error;
use crate::installed::require_tables;
use crate::jsonb::MAX_DEPTH;
use crate::jsonb::view::{Container, Value};
use crate::pg::documents::Documents;
use crate::pg::hidden::noted;
use crate::pg::texts::Texts;
use crate::pg::whole::Spi;
use crate::workspace;
use pgrx::JsonB;
use pgrx::datum::Interval;
use pgrx::iter::TableIterator;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::spi::SpiClient;

/// The rows of an answer. (pgrx must see the type spelt out where a function returns it.)
type Rows = TableIterator<'static, WholeRow<Option<String>>>;

/// Settles records of a lease: each is completed, fails or is released, and gets an answer.
///
/// `results`: a JSON array of `{record_id, action, result, remove, error, retryable, retry_in}`. What the database
/// refuses to write is `rejected`, with the SQLSTATE as `error_code`.
///
/// Errors: 55000 before `install()`, 22004 and 22023 for arguments, 22P02 where `results` is no JSON
/// array.
#[pg_extern(volatile, parallel_unsafe, requires = [workspace::current_workspace_id])]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)]
fn settle_records(
    lease_id: Option<i64>,
    results: Option<&str>,
    workspace_id: default!(Option<String>, "kepler.current_workspace_id()"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(ordinal, i32),
            name!(record_id, Option<String>),
            name!(outcome, &'static str),
            name!(error_code, Option<String>),
            name!(error, Option<String>),
            name!(violations, Option<JsonB>),
        ),
    >,
    ErrorReport,
> {
    Ok(run(lease_id, workspace_id, |_, _| {
        Ok(decode::batch(results.ok_or(ArgumentError::Null("results"))?)?)
    })?)
}

/// Completes records of a lease, each with its element of `results`, a JSON object or NULL.
#[pg_extern(volatile, parallel_unsafe, requires = [workspace::current_workspace_id])]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)]
fn complete_records(
    lease_id: Option<i64>,
    record_ids: Option<Texts>,
    results: default!(Option<Documents>, "NULL"),
    workspace_id: default!(Option<String>, "kepler.current_workspace_id()"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(ordinal, i32),
            name!(record_id, Option<String>),
            name!(outcome, &'static str),
            name!(error_code, Option<String>),
            name!(error, Option<String>),
            name!(violations, Option<JsonB>),
        ),
    >,
    ErrorReport,
> {
    Ok(run(lease_id, workspace_id, |_, _| {
        let ids = record_ids.ok_or(ArgumentError::Null("record_ids"))?.0;
        let results = match results {
            Some(Documents(results)) if results.len() != ids.len() => {
                let (results, ids) = (results.len(), ids.len());
                return Err(EnrichmentError::ResultsMismatch { results, ids }.into());
            }
            Some(Documents(results)) => results,
            None => vec![None; ids.len()],
        };
        Ok(ids.into_iter().zip(results).map(|(id, result)| completed(id, result)).collect())
    })?)
}

/// Fails records of a lease, for one reason.
#[pg_extern(volatile, parallel_unsafe, requires = [workspace::current_workspace_id])]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)]
fn fail_records(
    lease_id: Option<i64>,
    record_ids: Option<Texts>,
    error: Option<String>,
    retryable: default!(Option<bool>, "true"),
    retry_in: default!(Option<Interval>, "NULL"),
    workspace_id: default!(Option<String>, "kepler.current_workspace_id()"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(ordinal, i32),
            name!(record_id, Option<String>),
            name!(outcome, &'static str),
            name!(error_code, Option<String>),
            name!(error, Option<String>),
            name!(violations, Option<JsonB>),
        ),
    >,
    ErrorReport,
> {
    let retryable = retryable.unwrap_or(true);
    let retry_in = wait(retry_in);
    let (error, note) = within_bounds(error.map(noted));
    Ok(run(lease_id, workspace_id, |_, _| {
        let ids = record_ids.ok_or(ArgumentError::Null("record_ids"))?.0;
        let verdict = retry_in.map(|retry_in| Verdict::Fail { error, note, retryable, retry_in });
        Ok(ids.into_iter().map(|id| element(id, verdict.clone())).collect())
    })?)
}

/// Gives records of a lease back, all of them where `record_ids` is NULL.
#[pg_extern(volatile, parallel_unsafe, requires = [workspace::current_workspace_id])]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)]
fn release_records(
    lease_id: Option<i64>,
    record_ids: default!(Option<Texts>, "NULL"),
    retry_in: default!(Option<Interval>, "NULL"),
    workspace_id: default!(Option<String>, "kepler.current_workspace_id()"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(ordinal, i32),
            name!(record_id, Option<String>),
            name!(outcome, &'static str),
            name!(error_code, Option<String>),
            name!(error, Option<String>),
            name!(violations, Option<JsonB>),
        ),
    >,
    ErrorReport,
> {
    let verdict = wait(retry_in).map(|retry_in| Verdict::Release { retry_in });
    Ok(run(lease_id, workspace_id, |client, (workspace_id, lease_id)| {
        let ids = match record_ids {
            Some(Texts(ids)) => ids,
            None => settle::held(client, workspace_id, lease_id),
        };
        Ok(ids.into_iter().map(|id| element(id, verdict.clone())).collect())
    })?)
}

/// Settles the elements that `elements` gives.
fn run(
    lease_id: Option<i64>,
    workspace_id: Option<String>,
    elements: impl FnOnce(&mut SpiClient<'_>, (&str, i64)) -> Result<Vec<Element>, Error>,
) -> Result<Rows, Error> {
    require_tables()?;
    let lease_id = lease_id.ok_or(ArgumentError::Null("lease_id"))?;
    let workspace_id = workspace::argument(workspace_id)?;
    let answers = Spi::connect_mut(|client| {
        let elements = elements(client, (&workspace_id, lease_id))?;
        Ok::<_, Error>(settle::run(client, &workspace_id, lease_id, elements))
    })?;
    Ok(TableIterator::new(answer::whole_rows(answers)))
}

fn element(record_id: Option<String>, verdict: Result<Verdict, Violation>) -> Element {
    let verdict = match record_id {
        Some(_) => verdict,
        None => Err(Violation::missing("record_id")),
    };
    Element { record_id, verdict: verdict.map_err(Into::into) }
}

fn complete(result: Option<Vec<u8>>) -> Verdict {
    Verdict::Complete { result, remove: Vec::new() }
}

fn completed(record_id: Option<String>, result: Option<Vec<u8>>) -> Element {
    let verdict = match result.as_deref().map(|stored| Container::root(&stored[4..]).value()) {
        None => Ok(complete(result)),
        Some(found) if found.is_deeper_than(MAX_DEPTH) => {
            let message = format!("nested deeper than {MAX_DEPTH} levels");
            Err(Violation::new(Some("result"), Code::TooDeep, message))
        }
        Some(Value::Container(found)) if found.is_object() => Ok(complete(result)),
        // JSON's null is no result either.
        Some(Value::Null) => Ok(complete(None)),
        Some(_) => Err(Violation::invalid("result", "must be an object")),
    };
    element(record_id, verdict)
}

/// Microseconds, or what is wrong with the answer for every record.
fn wait(retry_in: Option<Interval>) -> Result<Option<i64>, Violation> {
    let Some(retry_in) = retry_in else { return Ok(None) };
    let longest = MAX_WAIT as i128 * 1_000_000;
    match retry_in.as_micros() {
        micros if (0..=longest).contains(&micros) => Ok(Some(micros as i64)),
        _ => Err(not_a_wait()),
    }
}
