//! The SQL functions of filters.

use super::{Filter, compile};
use crate::arguments::ArgumentError;
use crate::error::Error;
use crate::pg::encoding::require_utf8;
use crate::pg::{support, varlena};
use pgrx::AnyElement;
use pgrx::datum::Internal;
use pgrx::iter::TableIterator;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use std::cell::RefCell;
use std::rc::Rc;

/// A filter that is larger than this is read anew each time.
const MAX_KEPT: usize = 1 << 20;

thread_local! {
    /// The filter of the last call: a statement has the same one for all its rows.
    static LAST: RefCell<Option<Rc<Filter>>> = const { RefCell::new(None) };
}

/// Whether a document meets a filter, in the manner of MongoDB's. Never NULL: a `document` that is NULL meets none.
///
/// `filter`: `{"topic": "x", "year": {"$gte": 2020}}`, or, for keys that hold dots or begin with `$`,
/// `[{"op": "$gte", "path": ["site.year"], "value": 2020}]`.
///
/// Errors: 22004 and 22023 for the filter.
#[pg_extern(
    immutable,
    parallel_safe,
    requires = [json_matches_support],
    sql = "
CREATE FUNCTION kepler.json_matches(document jsonb, filter jsonb) RETURNS boolean
IMMUTABLE PARALLEL SAFE COST 10 SUPPORT kepler_internal.json_matches_support
LANGUAGE c AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"
)]
fn json_matches(
    document: Option<AnyElement>,
    filter: Option<AnyElement>,
) -> Result<bool, ErrorReport> {
    let filter = kept(filter.ok_or(ArgumentError::Null("filter"))?.datum())?;
    let Some(document) = document else { return Ok(false) };
    // SAFETY: declared in SQL as jsonb.
    Ok(filter.matches(unsafe { varlena::aligned_bytes(document.datum()) }))
}

/// Internal: tells the planner which index serves a filter, and how many rows meet it.
#[pg_extern(
    schema = "kepler_internal",
    sql = "
CREATE FUNCTION kepler_internal.json_matches_support(internal) RETURNS internal
IMMUTABLE STRICT PARALLEL SAFE LANGUAGE c AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"
)]
fn json_matches_support(request: Internal) -> Internal {
    let none = pg_sys::Datum::null();
    // What is wrong with a filter is told where it is asked, and nowhere if it never is.
    // SAFETY: the planner's request; the second argument of the function is a jsonb.
    let answer = request.unwrap().map_or(none, |request| unsafe {
        support::answer(request, |filter| Some(kept(filter).ok()?.probe()?.path))
    });
    Internal::from(Some(answer))
}

/// The filter as a condition in SQL: for tests, and to see what an index can do for it.
#[pg_extern(schema = "kepler_internal", immutable, parallel_safe)]
#[search_path(pg_catalog, pg_temp)]
fn filter_condition(
    filter: Option<&str>,
    column_name: Option<&str>,
    first_parameter: default!(Option<i32>, "1"),
) -> Result<
    TableIterator<'static, (name!(condition, String), name!(parameters, Vec<String>))>,
    ErrorReport,
> {
    let filter = filter.ok_or(ArgumentError::Null("filter"))?;
    let column = crate::ident::quote(column_name.ok_or(ArgumentError::Null("column_name"))?);
    let compiled = compile(filter, &column, first_parameter.unwrap_or(1).max(1) as usize)
        .map_err(Error::from)?;
    let parameters = compiled.parameters.iter().map(|value| value.text().to_owned()).collect();
    Ok(TableIterator::once((compiled.sql, parameters)))
}

fn kept(datum: pg_sys::Datum) -> Result<Rc<Filter>, Error> {
    // SAFETY: declared in SQL as jsonb, which is a varlena.
    let bytes = unsafe { varlena::aligned_bytes(datum) };
    LAST.with_borrow_mut(|last| {
        if let Some(known) = last.as_ref().filter(|known| known.is_of(bytes)) {
            return Ok(Rc::clone(known));
        }
        require_utf8()?;
        let read = Rc::new(Filter::read(bytes)?);
        *last = (bytes.len() <= MAX_KEPT).then(|| Rc::clone(&read));
        Ok(read)
    })
}
