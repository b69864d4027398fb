//! The same search for vector columns in anybody's tables. It reads as the caller, whose rights and
//! policies hold; of a table with partitions or children, each of them (`parts`).

use super::arguments::{in_range, no_nan};
use super::embedding::Embedding;
use super::error::MemoryError;
use super::last;
use super::nearest::{self, Condition, Near, Plan, Search};
use super::parts::{self, Part};
use super::space::{Vectors, rows_of};
use crate::access::owner::act_as_owner_of_part;
use crate::arguments::ArgumentError;
use crate::error::Error;
use crate::ident::{qualified, quote};
use crate::installed::require_tables;
use crate::json::Json;
use crate::pg::array::{self, Array};
use crate::pg::json;
use crate::pg::plan::Statement;
use crate::pg::query::Parameters;
use crate::pg::relation::table_name;
use crate::pg::varlena;
use crate::pg::whole::Spi;
use crate::pgvector::Metric;
use pgrx::AnyElement;
use pgrx::iter::TableIterator;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::spi::SpiClient;
use std::collections::HashMap;
use xxhash_rust::xxh3::xxh3_64;

/// A search gives at most so many rows.
const MAX_ROWS: i32 = 10_000;

thread_local! {
    // With the operator that each column's type has for equality, and the type under a domain: the operator is found by
    // name, and an operator of that name for the domain itself may be anybody's.
    static COLUMNS: Statement = const { Statement::new(
        c"SELECT a.attname::text, a.atttypmod, n.nspname::text, t.typname::text, t.oid, t.typarray,
                 x.oid IS NOT NULL, (
                     SELECT format('OPERATOR(%I.%s)', s.nspname, o.oprname)
                     FROM pg_catalog.pg_opclass AS c
                     JOIN pg_catalog.pg_am AS m ON m.oid = c.opcmethod AND m.amname = 'btree'
                     JOIN pg_catalog.pg_amop AS p ON p.amopfamily = c.opcfamily
                         AND p.amoplefttype = c.opcintype AND p.amoprighttype = c.opcintype
                         AND p.amopstrategy = 3
                     JOIN pg_catalog.pg_operator AS o ON o.oid = p.amopopr
                     JOIN pg_catalog.pg_namespace AS s ON s.oid = o.oprnamespace
                     WHERE c.opcdefault
                       AND c.opcintype IN (t.oid, CASE WHEN t.typname = 'varchar' THEN 25::oid END,
                           CASE WHEN t.typtype = 'd' THEN t.typbasetype END,
                           CASE WHEN t.typtype = 'e' THEN 3500::oid END)
                     ORDER BY c.opcintype <> t.oid LIMIT 1),
                 (SELECT format('%I.%I', s.nspname, b.typname)
                  FROM pg_catalog.pg_type AS b JOIN pg_catalog.pg_namespace AS s ON s.oid = b.typnamespace
                  WHERE b.oid = t.typbasetype AND t.typtype = 'd')
          FROM pg_catalog.pg_attribute AS a
          JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
          JOIN pg_catalog.pg_namespace AS n ON n.oid = t.typnamespace
          LEFT JOIN pg_catalog.pg_extension AS x
              ON x.extname = 'vector' AND x.extnamespace = n.oid AND t.typname = 'vector'
          WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped",
        &[pg_sys::OIDOID],
    ) };
    static RELATION: Statement = const { Statement::new(
        c"SELECT c.relkind::text, c.reltuples::float8, c.relpages,
                 c.relkind = 'p' OR c.relhassubclass, pg_catalog.row_security_active(c.oid)
          FROM pg_catalog.pg_class AS c WHERE c.oid = $1",
        &[pg_sys::OIDOID],
    ) };
}

/// What a caller asked for.
struct Request {
    relation: pg_sys::Oid,
    column: String,
    embedding: Embedding,
    max_rows: usize,
    /// An object.
    condition: Json,
    metric: Metric,
    min_similarity: Option<f64>,
}

/// A column as the catalog has it.
struct Column {
    name: String,
    modifier: i32,
    sql_type: String,
    schema: String,
    type_oid: pg_sys::Oid,
    array_oid: pg_sys::Oid,
    is_vector: bool,
    equals: Option<String>,
    /// Of a domain the type that it is over.
    base: Option<String>,
}

/// A row that was found: the whole of it, and its distance.
struct Found {
    row: AnyElement,
    distance: f64,
}

/// The rows lie in the given memory.
fn run(
    client: &mut SpiClient<'_>,
    request: &Request,
    memory: pg_sys::MemoryContext,
) -> Result<(Vec<Found>, Plan), Error> {
    let relation = [Some(pg_sys::Datum::from(request.relation))];
    let table = table_name(request.relation).ok_or_else(|| MemoryError::NotATable {
        table: request.relation.to_u32().to_string(),
        kind: String::new(),
    })?;
    let (rows, pages, has_parts, secured) = {
        let rows = RELATION.with(|statement| statement.run(client, &relation));
        let row = rows.iter::<5>().next();
        let kind = row.as_ref().and_then(|row| row.text(0)).unwrap_or_default().to_owned();
        if !["r", "m", "p"].contains(&kind.as_str()) {
            return Err(MemoryError::NotATable { table, kind }.into());
        }
        let flag = |at| row.as_ref().and_then(|row| row.boolean(at)) == Some(true);
        let (rows, pages) = (
            row.as_ref().and_then(|row| row.float(1)),
            row.as_ref().and_then(|row| row.integer(2)),
        );
        (rows, pages, flag(3), flag(4))
    };
    let columns = columns(client, &relation);
    let Some(vector) =
        columns.iter().find(|column| column.is_vector && column.name == request.column)
    else {
        let vectors = columns.iter().filter(|column| column.is_vector);
        let vectors = vectors.map(|column| column.name.clone()).collect();
        let column = request.column.clone();
        return Err(MemoryError::NotAVector { table, column, vectors }.into());
    };
    let dimensions = usize::try_from(vector.modifier).ok();
    check(request, &table, dimensions)?;
    let mut parameters = Parameters::default();
    let mut conditions = conditions(client, request, &columns, &mut parameters)?;
    let name = quote(&request.column);
    conditions.push(format!("e.{name} IS NOT NULL"));
    if dimensions.is_none() {
        conditions.push(format!(
            "{}.vector_dims(e.{name}) = {}",
            quote(&vector.schema),
            request.embedding.dimensions()
        ));
    }
    let conditions = conditions.join(" AND ");
    let query = parameters.stored(vector.type_oid, &request.embedding.stored());
    let within = Within { request, vector, parameters: &parameters, query: &query };
    let parts = if has_parts && !secured {
        let query = format!("SELECT e FROM {table} AS e WHERE {conditions}");
        parts::find(client, &table, &query, &parameters)?
    } else {
        None
    };
    let (mut near, plan) = match parts {
        Some(parts) => within.parts(client, parts, &conditions),
        None => {
            let relation = request.relation;
            let whole = Part { relation, table: table.clone(), rows, pages, owner: None };
            within.search(&whole, &table, &conditions, has_parts, |search| match has_parts {
                true => (search.exact(client), Plan::Exact),
                false => search.run(client),
            })
        }
    };
    if let Some(least) = request.min_similarity {
        near.retain(|near| request.metric.similarity(near.distance) >= least);
    }
    Ok((whole_rows(client, &table, has_parts, near, memory), plan))
}

/// A search within one table or several.
struct Within<'s> {
    request: &'s Request,
    vector: &'s Column,
    parameters: &'s Parameters,
    query: &'s str,
}

impl Within<'_> {
    /// Searches one part after the other: the nearest of all, and the plan that took most.
    fn parts(
        &self,
        client: &mut SpiClient<'_>,
        parts: Vec<Part>,
        conditions: &str,
    ) -> (Vec<Near<()>>, Plan) {
        let (mut near, mut plan) = (Vec::new(), Plan::Exact);
        for part in parts {
            pgrx::check_for_interrupts!();
            let _owner = part.owner.map(act_as_owner_of_part);
            let only = format!("ONLY {}", part.table);
            let (found, how) =
                self.search(&part, &only, conditions, false, |search| search.run(client));
            near = nearest::merge(near, found, self.request.max_rows);
            plan = plan.max(how);
        }
        (near, plan)
    }

    /// Searches `table`, whose rows are those of `part`; `several`: and of what is behind it.
    fn search(
        &self,
        part: &Part,
        table: &str,
        conditions: &str,
        several: bool,
        run: impl FnOnce(&Search<'_>) -> (Vec<Near<()>>, Plan),
    ) -> (Vec<Near<()>>, Plan) {
        let request = self.request;
        // A partitioned table has no pages of its own to count rows by.
        let rows = match several {
            true => 0.0,
            false => {
                let dimensions = request.embedding.dimensions();
                rows_of(part.relation, part.rows, part.pages, dimensions)
            }
        };
        let vectors = Vectors {
            table: table.to_owned(),
            relation: part.relation,
            column: request.column.clone(),
            metric: request.metric,
            dimensions: request.embedding.dimensions(),
            // One that was made on the whole need not be the choice of the part's owner.
            plain_indexes_only: part.owner.is_some(),
            rows,
            vector_schema: self.vector.schema.clone(),
            vector_type: self.vector.type_oid,
            vector_array_type: self.vector.array_oid,
        };
        let hash = xxh3_64(request.condition.to_string().as_bytes());
        let condition = Condition {
            keys: conditions.to_owned(),
            keys_hash: hash,
            scope_hash: hash,
            has_one_way: false,
            beside: None,
            key: if several { WHOLE_KEY } else { KEY }.to_owned(),
        };
        let (mut near, plan) = run(&Search {
            vectors: &vectors,
            condition: &condition,
            parameters: self.parameters,
            query: self.query,
            wanted: request.max_rows,
            certain: request.max_rows,
            least: request.min_similarity,
            is_diverse: false,
        });
        if !several {
            for near in &mut near {
                near.key = format!("{} {}", part.relation.to_u32(), near.key);
            }
        }
        (near, plan)
    }
}

/// The place of a row in its table.
const KEY: &str = "e.ctid::pg_catalog.text";
/// In one of several.
const WHOLE_KEY: &str =
    "pg_catalog.concat(e.tableoid::pg_catalog.oid::pg_catalog.text, ' ', e.ctid::pg_catalog.text)";

/// The rows at these places, as the caller sees them.
fn whole_rows(
    client: &mut SpiClient<'_>,
    table: &str,
    has_parts: bool,
    near: Vec<Near<()>>,
    memory: pg_sys::MemoryContext,
) -> Vec<Found> {
    let (mut places, mut keys) = (Array::new(array::TEXT), Array::new(array::TEXT));
    for near in &near {
        places.push_text(near.key.split_once(' ').map_or("", |(_, place)| place));
        keys.push_text(&near.key);
    }
    let mut parameters = Parameters::default();
    let places = parameters.array(pg_sys::TEXTARRAYOID, places);
    let keys = parameters.array(pg_sys::TEXTARRAYOID, keys);
    // The same place in other parts is another row.
    let those = if has_parts { format!("{WHOLE_KEY} = ANY ({keys})") } else { "true".to_owned() };
    let rows = parameters.run(
        client,
        &format!(
            "SELECT {WHOLE_KEY}, pg_catalog.to_jsonb(e) FROM {table} AS e \
             WHERE e.ctid = ANY ({places}::pg_catalog.tid[]) AND {those}"
        ),
    );
    let mut found: HashMap<&str, AnyElement> = rows
        .iter::<2>()
        .filter_map(|row| Some((row.text(0)?, kept(row.datum(1)?, memory)?)))
        .collect();
    let found = near.into_iter().filter_map(|near| {
        let row = found.remove(near.key.as_str())?;
        Some(Found { row, distance: near.distance })
    });
    found.collect()
}

/// A copy of a `jsonb` as it is stored: pgrx's own type would lose digits.
pub(crate) fn kept(datum: pg_sys::Datum, memory: pg_sys::MemoryContext) -> Option<AnyElement> {
    // SAFETY: the datum is a jsonb of a row that is still there; the memory is the call's.
    unsafe {
        let before = pg_sys::MemoryContextSwitchTo(memory);
        let copy = pg_sys::pg_detoast_datum_copy(datum.cast_mut_ptr());
        pg_sys::MemoryContextSwitchTo(before);
        AnyElement::from_polymorphic_datum(pg_sys::Datum::from(copy), false, pg_sys::JSONBOID)
    }
}

fn check(request: &Request, table: &str, dimensions: Option<usize>) -> Result<(), MemoryError> {
    let place = format!("{table}.{}", quote(&request.column));
    let given = request.embedding.dimensions();
    if let Some(expected) = dimensions.filter(|expected| *expected != given) {
        return Err(MemoryError::Dimensions { place, model: None, expected, given });
    }
    if request.metric == Metric::Cosine && request.embedding.is_zero() {
        return Err(MemoryError::ZeroVector { place: "cosine".to_owned() });
    }
    Ok(())
}

fn columns(client: &mut SpiClient<'_>, relation: &[Option<pg_sys::Datum>]) -> Vec<Column> {
    let rows = COLUMNS.with(|statement| statement.run(client, relation));
    rows.iter::<9>()
        .filter_map(|row| {
            let schema = row.text(2)?;
            Some(Column {
                name: row.text(0)?.to_owned(),
                modifier: row.integer(1)?,
                sql_type: qualified(schema, row.text(3)?),
                schema: schema.to_owned(),
                type_oid: row.oid(4)?,
                array_oid: row.oid(5)?,
                is_vector: row.boolean(6)?,
                equals: row.text(7).map(str::to_owned),
                base: row.text(8).map(str::to_owned),
            })
        })
        .collect()
}

/// Columns and the values that they must have, as SQL; of an array one of its values.
fn conditions(
    client: &mut SpiClient<'_>,
    request: &Request,
    columns: &[Column],
    parameters: &mut Parameters,
) -> Result<Vec<String>, MemoryError> {
    let (mut conditions, mut given_values, mut problems) = (Vec::new(), Vec::new(), Vec::new());
    let Json::Object(given) = &request.condition else {
        let problems = vec!["it must be a JSON object".to_owned()];
        return Err(MemoryError::BadCondition { problems });
    };
    for (name, value) in given {
        let path = format!("/{}", crate::json::token(name));
        let Some(column) = columns.iter().find(|column| column.name == *name) else {
            problems.push(format!("{path}: there is no such column"));
            continue;
        };
        let field = format!("e.{}", quote(name));
        if *value == Json::Null {
            conditions.push(format!("{field} IS NULL"));
            continue;
        }
        let Some(equals) = &column.equals else {
            problems.push(format!("{path}: values of its type cannot be compared"));
            continue;
        };
        let values = match value {
            Json::Array(values) => values.as_slice(),
            value => std::slice::from_ref(value),
        };
        let mut texts = Array::new(array::TEXT);
        for value in values {
            match value {
                Json::String(text) | Json::Number(text) => texts.push_text(text),
                Json::Boolean(value) => texts.push_text(if *value { "true" } else { "false" }),
                _ => problems.push(format!(
                    "{path}: must be a string, number, boolean, null, or an array of such"
                )),
            }
        }
        given_values.push((field, equals, column, texts));
    }
    if !problems.is_empty() {
        return Err(MemoryError::BadCondition { problems });
    }
    for (field, equals, column, texts) in given_values {
        let texts = parameters.array(pg_sys::TEXTARRAYOID, texts);
        let mut values = format!("{texts}::{}[]", column.sql_type);
        // As values of the column's type: what a text means as a time depends on settings, and the
        // planner would not leave out a partition for it.
        let typed = {
            let rows = parameters.run(client, &format!("SELECT {values}"));
            let datum = rows.iter::<1>().next().and_then(|row| row.datum(0));
            // SAFETY: an array is a varlena, and copied at once.
            datum.map(|datum| varlena::whole(unsafe { varlena::bytes(datum) }))
        };
        if let Some(typed) = typed.filter(|_| column.array_oid != pg_sys::InvalidOid) {
            values = parameters.stored(column.array_oid, &typed);
        }
        conditions.push(match &column.base {
            Some(base) => format!("{field}::{base} {equals} ANY ({values}::{base}[])"),
            None => format!("{field} {equals} ANY ({values})"),
        });
    }
    Ok(conditions)
}

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
    let condition = match filter.map(|given| json::document(given.datum())) {
        None => Json::Object(Vec::new()),
        Some(Ok(condition)) => condition,
        Some(Err(broken)) => {
            let problems = vec![broken.problem];
            return Err(Error::from(MemoryError::BadCondition { problems }).into());
        }
    };
    let embedding = embedding.ok_or(ArgumentError::Null("embedding"))?;
    let request = Request {
        relation: relation.ok_or(ArgumentError::Null("relation"))?,
        column: column_name.ok_or(ArgumentError::Null("column_name"))?,
        // SAFETY: declared in SQL as vector.
        embedding: unsafe { Embedding::from_datum(embedding.datum()) },
        max_rows: max_rows as usize,
        condition,
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
