//! The same search for vector columns in anybody's tables. It reads as the caller, whose rights and
//! policies hold; of a table with partitions or children, each of them (`parts`).

mod api;
pub(crate) mod filter;
mod parts;
pub(crate) mod relation;
mod rows;

pub(crate) use rows::kept;

use super::embedding::Embedding;
use super::error::MemoryError;
use super::nearest::{self, Keys, Near, Plan, RowsOf, Search, Target};
use super::space::{Vectors, rows_of};
use crate::access::owner::act_as_owner_of_part;
use crate::error::Error;
use crate::ident::quote;
use crate::pg::query::Parameters;
use crate::pgvector::Metric;
use parts::Part;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;
use relation::{Column, Relation};
use rows::{Found, KEY, WHOLE_KEY, whole_rows};
use xxhash_rust::xxh3::xxh3_64;

/// What a caller asked for.
struct Request {
    relation: pg_sys::Oid,
    column: String,
    embedding: Embedding,
    max_rows: usize,
    /// A `jsonb` behind its length word; None where all rows count.
    filter: Option<Vec<u8>>,
    metric: Metric,
    min_similarity: Option<f64>,
}

/// The rows lie in the given memory.
fn run(
    client: &mut SpiClient<'_>,
    request: &Request,
    memory: pg_sys::MemoryContext,
) -> Result<(Vec<Found>, Plan), Error> {
    let relation = Relation::find(client, request.relation, request.filter.is_some())?;
    let Relation { table, has_parts, .. } = &relation;
    let vector = relation.vector(&request.column)?;
    let dimensions = usize::try_from(vector.modifier).ok();
    check(request, table, dimensions)?;
    let mut parameters = Parameters::default();
    let (mut conditions, mut call_functions) = (Vec::new(), false);
    if let Some(filter) = &request.filter {
        let filter = filter::conditions(filter, &relation, &mut parameters)?;
        (conditions, call_functions) = (filter.all, filter.call_functions);
    }
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
    let parts = if *has_parts && !relation.is_secured {
        let query = format!("SELECT e.* FROM {table} AS e WHERE {conditions}");
        let parts = parts::find(client, table, &query, &parameters)?;
        parts.filter(|parts| !call_functions || parts.iter().all(|part| part.owner.is_none()))
    } else {
        None
    };
    let (mut near, plan) = match parts {
        Some(parts) => within.parts(client, parts, &conditions),
        None => {
            let whole = relation.as_part();
            within.search(&whole, table, &conditions, *has_parts, |search| match has_parts {
                true => (search.compare_scope(client), Plan::Exact),
                false => search.run(client),
            })
        }
    };
    if let Some(least) = request.min_similarity {
        near.retain(|near| request.metric.similarity(near.distance) >= least);
    }
    Ok((whole_rows(client, table, *has_parts, near, memory), plan))
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
            // Nobody but the session says how wide: `hnsw.ef_search`, `ivfflat.probes`.
            search_width: None,
            vector_schema: self.vector.schema.clone(),
            vector_type: self.vector.type_oid,
            vector_array_type: self.vector.array_oid,
        };
        let hash = xxh3_64(request.filter.as_deref().unwrap_or_default());
        let keys = Keys { sql: conditions.to_owned(), hash };
        let rows = RowsOf::SameTable { key: if several { WHOLE_KEY } else { KEY } };
        let target = Target { keys: &keys, rows, hash };
        let (mut near, plan) = run(&Search {
            vectors: &vectors,
            target: &target,
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
