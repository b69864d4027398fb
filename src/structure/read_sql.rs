//! What becomes of SQL in a document, for tests.

use super::sql_text::{Names, Place, SqlText};
use pgrx::iter::TableIterator;
use pgrx::prelude::*;

/// Reads an expression of a document, or one that Postgres has printed; `place` says which.
#[pg_extern(schema = "kepler_internal", immutable, strict, parallel_safe)]
#[search_path(pg_catalog, pg_temp)]
fn read_sql(
    expression: &str,
    place: &str,
    column_names: Vec<Option<String>>,
    type_names: Vec<Option<String>>,
) -> TableIterator<
    'static,
    (name!(text, Option<String>), name!(normal, Option<String>), name!(problem, Option<String>)),
> {
    let columns =
        |name: &str| column_names.iter().flatten().find(|column| column.as_str() == name).cloned();
    let types = |schema: Option<&str>, name: &str| {
        let mut types = type_names.iter().flatten().filter_map(|known| known.split_once('.'));
        let known = types.find(|known| known.1 == name && schema.is_none_or(|s| s == known.0))?;
        Some((known.0.to_owned(), known.1.to_owned()))
    };
    let names = Names { columns: &columns, types: &types };
    let read = match place {
        "default" => SqlText::given(expression, Place::Default, &names),
        "predicate" => SqlText::given(expression, Place::Predicate, &names),
        "trusted" => Ok(SqlText::trusted(expression)),
        _ => Ok(SqlText::printed(expression)),
    };
    TableIterator::once(match read {
        Ok(read) => (Some(read.text), Some(read.normal), None),
        Err(problem) => (None, None, Some(problem)),
    })
}
