//! The SQL functions over records.

use super::decode;
use super::entity;
use super::keys::GivenKeys;
use super::options::{Arguments, Request, Shape};
use super::rejects;
use super::seen;
use super::summary::{Summary, warn_of_few_ids};
use super::upsert::{self, Ids};
use crate::answer::{self, Answer};
use crate::arguments::ArgumentError;
use crate::error::Error;
use crate::installed::require_tables;
use crate::jsonb::hash::Hasher;
use crate::pg::clock::now;
use crate::pg::json::Options;
use crate::pg::row::Row;
use crate::pg::whole::Spi;
use crate::pg::{known, memory, spelt, varlena};
use pgrx::iter::TableIterator;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::{AnyElement, JsonB, Uuid};

/// An outcome as a row: ordinal, external id, record id, outcome, error code, error. (pgrx must see
/// the type spelt out where a function returns it.)
type BatchRow = (i32, Option<String>, Option<String>, &'static str, Option<String>, Option<String>);

/// Inserts, updates, deletes or leaves alone the records that a batch describes, and answers for each
/// element in a row, in their order.
///
/// `records`: a JSON array, or JSON objects on a line each. Without `id_key` each element is an envelope
/// `{external_id, data, source_updated_at, deleted}`; with it each is a flat document that is the data, and
/// `id_key`, `updated_at_key` and `deleted_key` say where it holds its external id, the source's time and whether
/// it was deleted: names of members, JSON Pointers, or for `id_key` a JSON array of several.
/// `merge`: `replace` (the default), `shallow`, `deep` or `merge_patch`. `options`: a JSON object, known are
/// `invalid_characters` (`reject` or `strip`) and `source_updated_at` (of flat documents without a time).
///
/// What is wrong with one element, or what the database has against it (a constraint, an index, a trigger or a
/// row security policy of the user's), rejects that element. Errors: 55000 before `install()`, 22004 and
/// 22023 for arguments, 22P02 where `records` is no batch, 54000 where it has more than 4,000,000
/// elements, 23503 for an unknown workspace or connection.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::too_many_arguments, clippy::type_complexity)]
fn upsert_records(
    entity_type: Option<String>,
    records: Option<&str>,
    source: default!(Option<String>, "NULL"),
    connection_id: default!(Option<String>, "NULL"),
    sync_run_id: default!(Option<String>, "NULL"),
    merge: default!(Option<String>, "'replace'"),
    id_key: default!(Option<String>, "NULL"),
    updated_at_key: default!(Option<String>, "NULL"),
    deleted_key: default!(Option<String>, "NULL"),
    options: default!(Option<Options>, "NULL"),
    workspace_id: default!(Option<String>, "kepler.current_workspace_id()"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(ordinal, i32),
            name!(external_id, Option<String>),
            name!(record_id, Option<String>),
            name!(outcome, &'static str),
            name!(error_code, Option<String>),
            name!(error, Option<String>),
        ),
    >,
    ErrorReport,
> {
    let request = Arguments {
        workspace_id,
        entity_type,
        source,
        connection_id,
        sync_run_id,
        merge,
        keys: GivenKeys { id_key, updated_at_key, deleted_key },
        options: options.map(|options| options.0),
    };
    Ok(rows(upsert_batch(request, records)?))
}

/// The same as `upsert_records`, answered by counts: a JSON object with `total`, a count for each
/// outcome, and `rejected_by_code`.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::too_many_arguments, clippy::type_complexity)]
fn upsert_records_summary(
    entity_type: Option<String>,
    records: Option<&str>,
    source: default!(Option<String>, "NULL"),
    connection_id: default!(Option<String>, "NULL"),
    sync_run_id: default!(Option<String>, "NULL"),
    merge: default!(Option<String>, "'replace'"),
    id_key: default!(Option<String>, "NULL"),
    updated_at_key: default!(Option<String>, "NULL"),
    deleted_key: default!(Option<String>, "NULL"),
    options: default!(Option<Options>, "NULL"),
    workspace_id: default!(Option<String>, "kepler.current_workspace_id()"),
) -> Result<JsonB, ErrorReport> {
    let request = Arguments {
        workspace_id,
        entity_type,
        source,
        connection_id,
        sync_run_id,
        merge,
        keys: GivenKeys { id_key, updated_at_key, deleted_key },
        options: options.map(|options| options.0),
    };
    let summary = Summary::of(&upsert_batch(request, records)?);
    Ok(JsonB(serde_json::to_value(summary).map_err(Error::from)?))
}

/// Upserts one record, given by its parts, and answers with one row.
///
/// `data`: the text of a JSON object; may be NULL where `deleted` is true. `source_updated_at`: a text, and
/// read as the same text in a batch is. A record that is not valid is answered with `rejected`, not with
/// an error.
#[pg_extern(
    volatile,
    parallel_unsafe,
    requires = [workspace::current_workspace_id],
    sql = r#"
CREATE FUNCTION kepler.upsert_record(
    entity_type text,
    external_id text,
    data text,
    source_updated_at text DEFAULT NULL,
    deleted boolean DEFAULT false,
    source text DEFAULT NULL,
    connection_id text DEFAULT NULL,
    sync_run_id text DEFAULT NULL,
    merge text DEFAULT 'replace',
    options jsonb DEFAULT NULL,
    workspace_id text DEFAULT kepler.current_workspace_id(),
    OUT external_id text,
    OUT record_id text,
    OUT outcome text,
    OUT error_code text,
    OUT error text
)
VOLATILE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"#
)]
#[allow(clippy::too_many_arguments)]
fn upsert_record(
    entity_type: Option<String>,
    external_id: Option<&str>,
    data: Option<&str>,
    source_updated_at: Option<&str>,
    deleted: Option<bool>,
    source: Option<String>,
    connection_id: Option<String>,
    sync_run_id: Option<String>,
    merge: Option<String>,
    options: Option<Options>,
    workspace_id: Option<String>,
) -> Result<Row<5>, ErrorReport> {
    let arguments = Arguments {
        workspace_id,
        entity_type,
        source,
        connection_id,
        sync_run_id,
        merge,
        keys: GivenKeys::default(),
        options: options.map(|options| options.0),
    };
    Ok(row(upsert_one(arguments, external_id, data, source_updated_at, deleted)?))
}

/// The same for the other types of `data` (json, jsonb) and of `source_updated_at` (any). Without a function
/// in SQL around it: one that gives a row cannot be inlined.
#[pg_extern(volatile, parallel_unsafe, sql = false)]
#[allow(clippy::too_many_arguments)]
fn upsert_record_of_any(
    entity_type: Option<String>,
    external_id: Option<&str>,
    data: Option<AnyElement>,
    source_updated_at: Option<AnyElement>,
    deleted: Option<bool>,
    source: Option<String>,
    connection_id: Option<String>,
    sync_run_id: Option<String>,
    merge: Option<String>,
    options: Option<Options>,
    workspace_id: Option<String>,
) -> Result<Row<5>, ErrorReport> {
    // SAFETY: declared in SQL as text, json or jsonb.
    let data = data.map(|data| unsafe { spelt::text(&data) });
    // SAFETY: declared as any type.
    let time = source_updated_at.and_then(|time| unsafe { spelt::scalar(&time) });
    upsert_record(
        entity_type,
        external_id,
        data.as_deref(),
        time.as_deref(),
        deleted,
        source,
        connection_id,
        sync_run_id,
        merge,
        options,
        workspace_id,
    )
}

/// 128 bits over what a document says: key order, white space and the spelling of numbers (`1.0`,
/// `1`, `1e0`) do not count, everything else does. The same in every version and on every machine.
#[pg_extern(
    immutable,
    parallel_safe,
    strict,
    sql = "
CREATE FUNCTION kepler.jsonb_hash(document jsonb) RETURNS uuid
IMMUTABLE STRICT PARALLEL SAFE LANGUAGE c AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"
)]
fn jsonb_hash(document: AnyElement) -> Uuid {
    // SAFETY: declared in SQL to take a jsonb, which is a varlena.
    if let Some(hash) = unsafe { varlena::stored(document.datum()) }.and_then(known::hash) {
        return Uuid::from_bytes(hash);
    }
    // SAFETY: as above.
    let bytes = unsafe { varlena::aligned_bytes(document.datum()) };
    let hash = HASHER.with_borrow_mut(|hasher| hasher.hash(bytes));
    Uuid::from_bytes(hash.to_be_bytes())
}

thread_local! {
    static HASHER: std::cell::RefCell<Hasher> = std::cell::RefCell::default();
}

/// Finds or makes the entity of the given kind, and sets what an upsert of its records should do.
///
/// `options`: a JSON object, known is `ignored_paths`, an array of JSON Pointers to places that do
/// not count when a record is compared (`["/fetched_at"]`). Gives the entity's id.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn set_entity_options(
    entity_type: Option<String>,
    options: Option<Options>,
    source: default!(Option<String>, "'MANUAL'"),
    connection_id: default!(Option<String>, "NULL"),
    workspace_id: default!(Option<String>, "kepler.current_workspace_id()"),
) -> Result<String, ErrorReport> {
    let arguments = Arguments {
        workspace_id,
        entity_type,
        source,
        connection_id,
        sync_run_id: None,
        merge: Some("replace".to_owned()),
        keys: GivenKeys::default(),
        options: None,
    };
    require_tables()?;
    let options = options.map(|options| options.0).ok_or(ArgumentError::Null("options"))?;
    let request = arguments.check()?;
    let options = entity::read_options(options)?;
    Ok(Spi::connect_mut(|client| entity::set_options(client, &request, &options))?)
}

/// After so many bytes, sent or handled, memory is given back, which takes some milliseconds.
const LARGE_BATCH: usize = 32 << 20;

fn upsert_batch(arguments: Arguments, records: Option<&str>) -> Result<Vec<Answer<Ids>>, Error> {
    require_tables()?;
    let request = checked(arguments)?;
    let records = records.ok_or(ArgumentError::Null("records"))?;
    rejects::require_right(&request)?;
    let began = now();
    let elements = decode::batch(records, &request.shape, began)?;
    let (answers, handled) = Spi::connect_mut(|client| {
        let done = upsert::run(client, &request, elements, None)?;
        rejects::keep(client, &request, &done.0, |places| decode::texts(records, places))?;
        Ok::<_, Error>(done)
    })?;
    if let Shape::Flat(keys) = &request.shape {
        warn_of_few_ids(keys, &answers);
    }
    if records.len().max(handled) >= LARGE_BATCH {
        memory::release_unused();
    }
    Ok(answers)
}

/// Checks arguments, completed by those of the sync run.
fn checked(mut arguments: Arguments) -> Result<Request, Error> {
    if arguments.sync_run_id.is_some() {
        Spi::connect_mut(|client| seen::complete(client, &mut arguments))?;
    }
    arguments.check()
}

fn upsert_one(
    arguments: Arguments,
    external_id: Option<&str>,
    data: Option<&str>,
    source_updated_at: Option<&str>,
    deleted: Option<bool>,
) -> Result<Answer<Ids>, Error> {
    require_tables()?;
    let request = checked(arguments)?;
    let deleted = deleted.ok_or(ArgumentError::Null("deleted"))?;
    rejects::require_right(&request)?;
    let began = now();
    let element = decode::single(external_id, data, source_updated_at, deleted, began);
    let (answers, handled) = Spi::connect_mut(|client| {
        let done = upsert::run(client, &request, vec![element], None)?;
        if request.reading.is_some() && done.0[0].is_rejected() {
            let document = rejects::envelope(external_id, data, source_updated_at, deleted);
            rejects::keep(client, &request, &done.0, |_| vec![&*document])?;
        }
        Ok::<_, Error>(done)
    })?;
    if handled >= LARGE_BATCH {
        memory::release_unused();
    }
    Ok(answers.into_iter().next().ok_or(ArgumentError::Null("data"))?)
}

fn rows(answers: Vec<Answer<Ids>>) -> TableIterator<'static, BatchRow> {
    TableIterator::new(answer::rows(answers).map(|(ordinal, ids, outcome, error_code, error)| {
        (ordinal, ids.external_id, ids.record_id, outcome, error_code, error)
    }))
}

fn row(answer: Answer<Ids>) -> Row<5> {
    let (_, ids, outcome, error_code, error) = answer::row(0, answer);
    Row([
        ids.external_id.into_datum(),
        ids.record_id.into_datum(),
        outcome.into_datum(),
        error_code.into_datum(),
        error.into_datum(),
    ])
}
