//! The SQL function of searches in anybody's tables.

use super::rows::Found;
use super::{Request, in_parts, run};
use crate::arguments::{ArgumentError, name};
use crate::error::Error;
use crate::installed::require_tables;
use crate::memory::arguments::{
    fusion_of, names, need_embedding, no_nan, query_of, search_text, within,
};
use crate::memory::last;
use crate::pg::whole::Spi;
use crate::pg::{json, varlena};
use crate::pgvector::Metric;
use pgrx::AnyElement;
use pgrx::iter::TableIterator;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

/// A search gives at most so many rows.
const MAX_ROWS: i32 = 10_000;

/// Finds the rows of a table whose vectors are nearest, or whose words answer a text, with the rule that holds for
/// memories: if so many rows meet the condition, so many come back.
///
/// Errors: 55000 before `install()`, 22004 and 22023 for arguments, 22000 for an embedding of other
/// dimensions, 42809 where relation is no table, the column no vector or the words no tsvector, 42703 for columns that do
/// not exist, 42704 for the language.
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
    min_similarity double precision DEFAULT NULL,
    columns text[] DEFAULT NULL,
    query_text text DEFAULT NULL,
    words_column text DEFAULT NULL,
    language text DEFAULT 'english',
    fusion jsonb DEFAULT NULL
) RETURNS TABLE (
    document jsonb, similarity double precision, distance double precision, plan text, exhausted boolean,
    score double precision, vector_rank integer, text_rank integer
)
STABLE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"#
)]
#[allow(clippy::type_complexity, clippy::too_many_arguments)]
fn search_vectors_v2(
    relation: Option<pg_sys::Oid>,
    column_name: Option<String>,
    embedding: Option<AnyElement>,
    max_rows: Option<i32>,
    filter: Option<AnyElement>,
    metric: Option<String>,
    min_similarity: Option<f64>,
    columns: Option<Vec<Option<String>>>,
    query_text: Option<String>,
    words_column: Option<String>,
    language: Option<String>,
    fusion: Option<AnyElement>,
) -> Result<
    TableIterator<
        'static,
        (
            name!(document, AnyElement),
            name!(similarity, Option<f64>),
            name!(distance, Option<f64>),
            name!(plan, &'static str),
            name!(exhausted, bool),
            name!(score, f64),
            name!(vector_rank, Option<i32>),
            name!(text_rank, Option<i32>),
        ),
    >,
    ErrorReport,
> {
    require_tables()?;
    let metric = metric.ok_or(ArgumentError::Null("metric"))?;
    let max_rows = within("max_rows", max_rows, 1, MAX_ROWS)?;
    let query_text = search_text(query_text)?;
    // SAFETY: the memory that Postgres gave this call lives as long as its rows.
    let memory = unsafe { pg_sys::CurrentMemoryContext };
    if let Some(relation) = relation.filter(|relation| in_parts::are_rows_of(*relation)) {
        last::forget();
        let column = column_name.ok_or(ArgumentError::Null("column_name"))?;
        let given = in_parts::Given {
            relation,
            column: &column,
            embedding,
            max_rows: max_rows as i32,
            filter_text: filter.as_ref().map(|filter| json::text(filter.datum())),
            filter,
            metric: &metric,
            min_similarity,
            columns: names("columns", columns)?,
            query_text,
            words_column,
            language,
            fusion,
        };
        let found = Spi::connect_elsewhere(|client| in_parts::search(client, &given, memory))?;
        if let Some((_, _, _, plan, exhausted, ..)) = found.first() {
            last::note(plan, *exhausted, found.len());
        }
        return Ok(TableIterator::new(found));
    }
    let embedding = query_of(embedding);
    if query_text.is_none() && embedding.is_none() {
        return Err(Error::from(ArgumentError::Null("embedding")).into());
    }
    need_embedding(embedding.as_ref(), &[("min_similarity", min_similarity.is_some())])
        .map_err(Error::from)?;
    let request = Request {
        relation: relation.ok_or(ArgumentError::Null("relation"))?,
        column: column_name.ok_or(ArgumentError::Null("column_name"))?,
        embedding,
        max_rows,
        // SAFETY: declared in SQL as jsonb.
        filter: filter.map(|filter| unsafe { varlena::aligned_bytes(filter.datum()) }.to_vec()),
        metric: Metric::from_name(&metric).ok_or_else(|| ArgumentError::BadChoice {
            argument: "metric",
            legal: "cosine, inner_product, l2",
            given: metric.clone(),
        })?,
        min_similarity: no_nan("min_similarity", min_similarity).map_err(Error::from)?,
        columns: names("columns", columns)?,
        query_text,
        words_column,
        language: language.ok_or(ArgumentError::Null("language"))?,
        fusion: fusion_of(fusion)?,
    };
    last::forget();
    let (found, plan) = Spi::connect_elsewhere(|client| run(client, &request, memory))?;
    let exhausted = found.len() < request.max_rows;
    last::note(plan.name(), exhausted, found.len());
    Ok(TableIterator::new(found.into_iter().map(move |Found { row, ranked }| {
        let distance = ranked.distance.filter(|distance| distance.is_finite());
        let similarity = ranked.similarity.filter(|similarity| similarity.is_finite());
        let (vector_rank, text_rank) = (ranked.vector_rank, ranked.text_rank);
        let plan = plan.name();
        (row, similarity, distance, plan, exhausted, ranked.score, vector_rank, text_rank)
    })))
}

/// Internal: the same in a part of a cluster.
#[pg_extern(
    schema = "kepler_internal",
    stable,
    parallel_unsafe,
    requires = ["embedding_spaces"],
    sql = r#"
CREATE FUNCTION kepler_internal.search_vectors_of_part(
    relation regclass, column_name text, embedding @extschema:vector@.vector, max_rows integer, filter jsonb, metric text,
    min_similarity double precision, columns text[], query_text text, words_column text, language text, fusion jsonb, part_of text
) RETURNS TABLE (
    document jsonb, similarity double precision, distance double precision, plan text, exhausted boolean,
    score double precision, vector_rank integer, text_rank integer
)
STABLE PARALLEL UNSAFE LANGUAGE c SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"#
)]
#[allow(clippy::type_complexity, clippy::too_many_arguments)]
fn search_vectors_of_part(
    relation: Option<pg_sys::Oid>,
    column_name: Option<String>,
    embedding: Option<AnyElement>,
    max_rows: Option<i32>,
    filter: Option<AnyElement>,
    metric: Option<String>,
    min_similarity: Option<f64>,
    columns: Option<Vec<Option<String>>>,
    query_text: Option<String>,
    words_column: Option<String>,
    language: Option<String>,
    fusion: Option<AnyElement>,
    part_of: Option<String>,
) -> Result<
    TableIterator<
        'static,
        (
            name!(document, AnyElement),
            name!(similarity, Option<f64>),
            name!(distance, Option<f64>),
            name!(plan, &'static str),
            name!(exhausted, bool),
            name!(score, f64),
            name!(vector_rank, Option<i32>),
            name!(text_rank, Option<i32>),
        ),
    >,
    ErrorReport,
> {
    require_tables()?;
    name("part_of", part_of)?;
    search_vectors_v2(
        relation,
        column_name,
        embedding,
        max_rows,
        filter,
        metric,
        min_similarity,
        columns,
        query_text,
        words_column,
        language,
        fusion,
    )
}
