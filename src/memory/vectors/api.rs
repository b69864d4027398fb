//! The SQL function of searches in anybody's tables.

use super::{Request, run};
use crate::arguments::ArgumentError;
use crate::error::Error;
use crate::installed::require_tables;
use crate::memory::arguments::{in_range, no_nan};
use crate::memory::embedding::Embedding;
use crate::memory::last;
use crate::pg::varlena;
use crate::pg::whole::Spi;
use crate::pgvector::Metric;
use pgrx::AnyElement;
use pgrx::iter::TableIterator;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

/// A search gives at most so many rows.
const MAX_ROWS: i32 = 10_000;

/// Finds the rows of a table whose vectors are nearest, with the rule that holds for memories: if so
/// many rows meet the condition, so many come back.
///
/// Errors: 55000 before `install()`, 22004 and 22023 for arguments, 22000 for an embedding of other
/// dimensions, 42809 where relation is no table or the column no vector.
#[pg_extern(
    stable,
    parallel_unsafe,
    requires = ["embedding_spaces"],
    sql = r#"
CREATE FUNCTION kepler.search_vectors(
    relation regclass,
    column_name text,
    embedding @extschema:vector@.vector,
    max_rows integer DEFAULT 10,
    filter jsonb DEFAULT NULL,
    metric text DEFAULT 'cosine',
    min_similarity double precision DEFAULT NULL
) RETURNS TABLE (
    document jsonb, similarity double precision, distance double precision, plan text, exhausted boolean
)
STABLE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"#
)]
#[allow(clippy::type_complexity, clippy::too_many_arguments)]
fn search_vectors(
    relation: Option<pg_sys::Oid>,
    column_name: Option<String>,
    embedding: Option<AnyElement>,
    max_rows: Option<i32>,
    filter: Option<AnyElement>,
    metric: Option<String>,
    min_similarity: Option<f64>,
) -> Result<
    TableIterator<
        'static,
        (
            name!(document, AnyElement),
            name!(similarity, Option<f64>),
            name!(distance, Option<f64>),
            name!(plan, &'static str),
            name!(exhausted, bool),
        ),
    >,
    ErrorReport,
> {
    require_tables()?;
    let metric = metric.ok_or(ArgumentError::Null("metric"))?;
    let max_rows = max_rows.ok_or(ArgumentError::Null("max_rows"))?;
    in_range("max_rows", f64::from(max_rows), 1.0, f64::from(MAX_ROWS)).map_err(Error::from)?;
    let embedding = embedding.ok_or(ArgumentError::Null("embedding"))?;
    let request = Request {
        relation: relation.ok_or(ArgumentError::Null("relation"))?,
        column: column_name.ok_or(ArgumentError::Null("column_name"))?,
        // SAFETY: declared in SQL as vector.
        embedding: unsafe { Embedding::from_datum(embedding.datum()) },
        max_rows: max_rows as usize,
        // SAFETY: declared in SQL as jsonb.
        filter: filter.map(|filter| unsafe { varlena::aligned_bytes(filter.datum()) }.to_vec()),
        metric: Metric::from_name(&metric).ok_or_else(|| ArgumentError::BadChoice {
            argument: "metric",
            legal: "cosine, inner_product, l2",
            given: metric.clone(),
        })?,
        min_similarity: no_nan("min_similarity", min_similarity).map_err(Error::from)?,
    };
    // SAFETY: the memory that Postgres gave this call lives as long as its rows.
    let memory = unsafe { pg_sys::CurrentMemoryContext };
    last::forget();
    let (found, plan) = Spi::connect_elsewhere(|client| run(client, &request, memory))?;
    let exhausted = found.len() < request.max_rows;
    last::note(plan.name(), exhausted, found.len());
    let metric = request.metric;
    Ok(TableIterator::new(found.into_iter().map(move |found| {
        let distance = Some(found.distance).filter(|distance| distance.is_finite());
        let similarity = distance.map(|distance| metric.similarity(distance));
        (found.row, similarity, distance, plan.name(), exhausted)
    })))
}
