//! The SQL functions that update documents.

use super::datum;
use super::document::{self, Request};
use super::once;
use crate::arguments::{ArgumentError, required};
use crate::error::Error;
use crate::pg::json::Options;
use crate::pg::row::Row;
use crate::pg::varlena;
use crate::pg::whole::Spi;
use pgrx::AnyElement;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

/// Applies update operators (`$set`, `$unset`, `$inc`, `$mul`, `$min`, `$max`, `$bit`, `$rename`,
/// `$push`, `$pop`, `$addToSet`, `$pull`, `$pullAll`) to a document, all or none of them.
///
/// `operations`: `{"$set": {"result.org1": {"ok": true}}, "$inc": {"count": 1}}`, or, for keys that hold
/// dots or begin with `$`, `[{"op": "$set", "path": ["org.1"], "value": 1}]`. A `document` that is NULL gives
/// NULL. What changes nothing gives the document as it is. `$setOnInsert` does nothing here.
///
/// Errors: 22004 and 22023 for operations, 22033, 22036, 22039, 2203C, 22003 and 42804 where they do
/// not fit the document, 54000 for a document that would be too large.
#[pg_extern(
    immutable,
    parallel_safe,
    sql = "
CREATE FUNCTION kepler.json_update(document jsonb, operations jsonb) RETURNS jsonb
IMMUTABLE PARALLEL SAFE LANGUAGE c AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"
)]
fn json_update(
    document: Option<AnyElement>,
    operations: Option<AnyElement>,
) -> Result<Option<AnyElement>, ErrorReport> {
    let given = operations.ok_or(ArgumentError::Null("operations"))?;
    let operations = datum::operations(given.datum())?;
    let Some(given) = document else { return Ok(None) };
    // SAFETY: declared in SQL as jsonb.
    if let Some(known) = unsafe { once::known(&operations, given.datum(), datum::element) } {
        return Ok(known);
    }
    // SAFETY: declared in SQL as jsonb.
    let document = unsafe { varlena::aligned_bytes(given.datum()) };
    Ok(Some(datum::updated(&operations, document, false)?.unwrap_or(given)))
}

/// Whether `json_update` would give another document.
#[pg_extern(
    immutable,
    parallel_safe,
    sql = "
CREATE FUNCTION kepler_internal.json_update_changes(document jsonb, operations jsonb) RETURNS boolean
IMMUTABLE PARALLEL SAFE COST 100 LANGUAGE c AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"
)]
fn json_update_changes(
    document: Option<AnyElement>,
    operations: Option<AnyElement>,
) -> Result<bool, ErrorReport> {
    let given = operations.ok_or(ArgumentError::Null("operations"))?;
    let operations = datum::operations(given.datum())?;
    let Some(given) = document else { return Ok(false) };
    // SAFETY: declared in SQL as jsonb.
    Ok(unsafe { once::changes(&operations, given.datum()) }.map_err(Error::from)?)
}

/// Applies operations to the document in one row, in one UPDATE: of concurrent calls none is lost.
///
/// `key`: a JSON object of columns and values that are a primary key or a unique constraint.
/// `options`: `{"revision_column": "version", "expected_revision": 3}`. Answers with one row.
#[pg_extern(
    volatile,
    parallel_unsafe,
    sql = "
CREATE FUNCTION kepler.update_document(
    relation regclass, key jsonb, column_name text, operations jsonb, options jsonb DEFAULT NULL,
    OUT outcome text, OUT document jsonb
)
VOLATILE PARALLEL UNSAFE LANGUAGE c AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"
)]
fn update_document(
    relation: Option<pg_sys::Oid>,
    key: Option<AnyElement>,
    column_name: Option<String>,
    operations: Option<AnyElement>,
    options: Option<Options>,
) -> Result<Row<2>, ErrorReport> {
    answer(&request(relation, key, column_name, operations, options, false)?)
}

/// The same, and where there is no such row it is made: its document is what the operations,
/// `$setOnInsert` included, make of `{}`.
///
/// `new_row`: columns and values that a new row gets beside its key and its document; a row that is there
/// keeps its own.
#[pg_extern(
    volatile,
    parallel_unsafe,
    sql = "
CREATE FUNCTION kepler.upsert_document(
    relation regclass, key jsonb, column_name text, operations jsonb,
    new_row jsonb DEFAULT NULL, options jsonb DEFAULT NULL, OUT outcome text, OUT document jsonb
)
VOLATILE PARALLEL UNSAFE LANGUAGE c AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"
)]
fn upsert_document(
    relation: Option<pg_sys::Oid>,
    key: Option<AnyElement>,
    column_name: Option<String>,
    operations: Option<AnyElement>,
    new_row: Option<AnyElement>,
    options: Option<Options>,
) -> Result<Row<2>, ErrorReport> {
    let mut request = request(relation, key, column_name, operations, options, true)?;
    request.new_row = new_row.map(|new_row| new_row.datum());
    answer(&request)
}

fn answer(request: &Request) -> Result<Row<2>, ErrorReport> {
    let answer = Spi::connect_elsewhere(|client| document::run(client, request))?;
    let document = answer.as_ref().and_then(|answer| datum::element(&answer.document));
    let outcome = answer.map_or("not_found", |answer| answer.outcome);
    Ok(Row([outcome.into_datum(), document.map(|document| document.datum())]))
}

fn request(
    relation: Option<pg_sys::Oid>,
    key: Option<AnyElement>,
    column_name: Option<String>,
    operations: Option<AnyElement>,
    options: Option<Options>,
    upsert: bool,
) -> Result<Request, Error> {
    Ok(Request {
        relation: relation.ok_or(ArgumentError::Null("relation"))?,
        key: key.ok_or(ArgumentError::Null("key"))?.datum(),
        column: required("column_name", column_name)?,
        operations: operations.ok_or(ArgumentError::Null("operations"))?.datum(),
        revision: document::read_options(options.map(|options| options.0))?,
        upsert,
        new_row: None,
    })
}
