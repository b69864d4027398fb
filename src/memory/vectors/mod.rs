//! The same search for vector columns in anybody's tables. It reads as the caller, whose rights and
//! policies hold; of a table with partitions or children, each of them (`parts`). What words find beside is `hybrid`.

mod api;
pub(crate) mod filter;
mod hybrid;
mod in_parts;
mod parts;
pub(crate) mod relation;
mod rows;

pub(crate) use rows::kept;

use super::embedding::Embedding;
use super::error::MemoryError;
use super::gather::pool;
use super::nearest::{self, Keys, Near, Plan, RowsOf, Search, Target};
use super::score::Fusion;
use super::space::{Vectors, rows_of};
use crate::access::owner::act_as_owner_of_part;
use crate::error::Error;
use crate::ident::quote;
use crate::pg::cluster::part::here;
use crate::pg::query::Parameters;
use crate::pg::role::{self, ActAs};
use crate::pgvector::Metric;
use crate::words::language::Language;
use hybrid::{Compared, Words};
use parts::Part;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;
use relation::{Column, Relation};
use rows::{Found, KEY, Ranked, WHOLE_KEY, whole_rows};
use xxhash_rust::xxh3::xxh3_64;

/// What a caller asked for: an embedding, words, or both.
struct Request {
    relation: pg_sys::Oid,
    column: String,
    embedding: Option<Embedding>,
    max_rows: usize,
    /// A `jsonb` behind its length word; None where all rows count.
    filter: Option<Vec<u8>>,
    metric: Metric,
    min_similarity: Option<f64>,
    /// The columns that rows are shown with; None is those that somebody reads.
    columns: Option<Vec<String>>,
    query_text: Option<String>,
    words_column: Option<String>,
    language: String,
    fusion: Fusion,
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
    let shown = relation.shown(request.columns.as_deref())?;
    let words_column = match (&request.words_column, &request.query_text) {
        (None, None) => None,
        (name, _) => Some(relation.words(name.as_deref())?),
    };
    let language = match (&request.query_text, words_column) {
        (Some(text), Some(column)) => Some((text, column, Language::find(&request.language)?)),
        _ => None,
    };
    let compared = request.embedding.is_some().then_some(vector);
    let read = shown.iter().copied().chain(compared).chain(words_column);
    let columns: Vec<String> = read.map(|column| format!("e.{}", quote(&column.name))).collect();
    let mut parameters = Parameters::default();
    let mut scope = Scope {
        relation: &relation,
        columns: columns.join(", "),
        conditions: Vec::new(),
        call_functions: false,
    };
    if let Some(filter) = &request.filter {
        let filter = filter::conditions(filter, &relation, &mut parameters)?;
        (scope.conditions, scope.call_functions) = (filter.all, filter.call_functions);
    }
    // How rare words are is asked by functions that the owner of a table need not have a right to.
    let _owner = match &language {
        None => scope.read_as_owner(client, &shown, &parameters)?,
        Some(_) => None,
    };
    let (near, plan, compared) = match &request.embedding {
        Some(embedding) => {
            let found = nearest_of(client, request, embedding, vector, &scope, &mut parameters)?;
            (found.near, found.plan, Some(found.compared))
        }
        None => {
            // Parts that cannot be read by place are told of, as there.
            scope.parts(client, &scope.all(None), &parameters)?;
            (Vec::new(), Plan::Text, None)
        }
    };
    let mut ranked = match language {
        Some((text, column, language)) => {
            let words = Words {
                relation: &relation,
                column,
                text,
                language,
                conditions: &scope.all(None),
                pool: pool(request.max_rows, false),
            };
            let fusion = request.fusion;
            hybrid::rank(client, &words, &near, compared.as_ref(), fusion, &mut parameters)
        }
        None => {
            near.into_iter().enumerate().map(|near| by_distance(near, request.metric)).collect()
        }
    };
    ranked.truncate(request.max_rows);
    Ok((whole_rows(client, table, *has_parts, ranked, &shown, memory), plan))
}

/// Which rows of a table count.
struct Scope<'s> {
    relation: &'s Relation,
    /// What is read of them beside what the conditions read, in SQL.
    columns: String,
    /// All of these hold.
    conditions: Vec<String>,
    call_functions: bool,
}

impl Scope<'_> {
    /// All conditions, and one more.
    fn all(&self, other: Option<&str>) -> String {
        let all: Vec<&str> = self.conditions.iter().map(String::as_str).chain(other).collect();
        if all.is_empty() { "true".to_owned() } else { all.join(" AND ") }
    }

    /// The parts to search one by one; None where the whole is searched.
    fn parts(
        &self,
        client: &mut SpiClient<'_>,
        conditions: &str,
        parameters: &Parameters,
    ) -> Result<Option<Vec<Part>>, MemoryError> {
        let Relation { table, has_parts, is_secured, .. } = self.relation;
        if !*has_parts || *is_secured {
            return Ok(None);
        }
        let query = format!("SELECT {} FROM {table} AS e WHERE {conditions}", self.columns);
        let parts = parts::find(client, table, &query, parameters)?;
        let may_be_owners = |parts: &Vec<Part>| {
            !self.call_functions || parts.iter().all(|part| part.owner.is_none())
        };
        Ok(parts.filter(may_be_owners))
    }
}

impl Scope<'_> {
    /// Whoever may read some columns of a table may not read the places of its rows, by which these are found again. The search then
    /// reads the table as its owner, as it does a part, once Postgres has let the caller read the columns that are asked for: where
    /// no policies hold for the caller, and nobody's code can run.
    ///
    /// Raises what reading these columns raises. Where the whole table is the caller's to read, or something is in the way, nobody
    /// else reads it.
    fn read_as_owner(
        &self,
        client: &mut SpiClient<'_>,
        shown: &[&Column],
        parameters: &Parameters,
    ) -> Result<Option<ActAs>, MemoryError> {
        let Relation { oid, table, has_parts, is_secured, .. } = self.relation;
        let is_callers = role::may(pg_sys::ACL_SELECT, *oid);
        let runs_code = self.call_functions || !shown.iter().all(|column| column.is_plain());
        if is_callers || *has_parts || *is_secured || runs_code {
            return Ok(None);
        }
        let query = format!("SELECT {} FROM {table} AS e WHERE {}", self.columns, self.all(None));
        let parts = parts::find(client, table, &query, parameters)?;
        let only = parts.and_then(|parts| parts.into_iter().next());
        Ok(only.and_then(|only| only.owner).map(act_as_owner_of_part))
    }
}

/// What an embedding finds, and how rows are compared with it.
struct Nearest {
    near: Vec<Near<()>>,
    plan: Plan,
    compared: Compared,
}

fn nearest_of(
    client: &mut SpiClient<'_>,
    request: &Request,
    embedding: &Embedding,
    vector: &Column,
    scope: &Scope<'_>,
    parameters: &mut Parameters,
) -> Result<Nearest, Error> {
    let Relation { table, has_parts, .. } = scope.relation;
    let dimensions = usize::try_from(vector.modifier).ok();
    check(request, embedding, table, dimensions)?;
    let name = quote(&request.column);
    let mut has_vector = format!("e.{name} IS NOT NULL");
    if dimensions.is_none() {
        has_vector.push_str(&format!(
            " AND {}.vector_dims(e.{name}) = {}",
            quote(&vector.schema),
            embedding.dimensions()
        ));
    }
    let conditions = scope.all(Some(&has_vector));
    let query = parameters.stored(vector.type_oid, &embedding.stored());
    let wanted = pool(request.max_rows, request.query_text.is_none());
    let within = Within { request, embedding, vector, wanted, parameters, query: &query };
    let (mut near, plan) = match scope.parts(client, &conditions, parameters)? {
        Some(parts) => within.parts(client, parts, &conditions),
        None => {
            let whole = scope.relation.as_part();
            within.search(&whole, table, &conditions, *has_parts, |search| match has_parts {
                true => (search.compare_scope(client), Plan::Exact),
                false => search.run(client),
            })
        }
    };
    if let Some(least) = request.min_similarity {
        near.retain(|near| request.metric.similarity(near.distance) >= least);
    }
    let operator = request.metric.operator(&vector.schema);
    let distance = format!("(e.{name} {operator} {query})");
    let (metric, least) = (request.metric, request.min_similarity);
    let column = format!("e.{name}");
    let compared = Compared { metric, column, distance, condition: has_vector, least };
    Ok(Nearest { near, plan, compared })
}

/// What an embedding alone has found.
fn by_distance((at, near): (usize, Near<()>), metric: Metric) -> Ranked {
    let similarity = metric.similarity(near.distance);
    Ranked {
        key: near.key,
        score: if similarity.is_nan() { 0.0 } else { similarity.clamp(0.0, 1.0) },
        distance: Some(near.distance),
        similarity: Some(similarity),
        vector_rank: Some(at as i32 + 1),
        text_rank: None,
    }
}

/// A search within one table or several.
struct Within<'s> {
    request: &'s Request,
    embedding: &'s Embedding,
    vector: &'s Column,
    /// How many rows are looked for.
    wanted: usize,
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
            near = nearest::merge(near, found, self.wanted);
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
                let dimensions = self.embedding.dimensions();
                rows_of(part.relation, part.rows, part.pages, dimensions)
            }
        };
        let vectors = Vectors {
            table: table.to_owned(),
            relation: part.relation,
            column: request.column.clone(),
            metric: request.metric,
            dimensions: self.embedding.dimensions(),
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
            wanted: self.wanted,
            certain: request.max_rows,
            least: request.min_similarity,
            is_diverse: false,
        });
        if !several {
            for near in &mut near {
                near.key = format!("{} {}", here(part.relation).to_u32(), near.key);
            }
        }
        (near, plan)
    }
}

fn check(
    request: &Request,
    embedding: &Embedding,
    table: &str,
    dimensions: Option<usize>,
) -> Result<(), MemoryError> {
    let place = format!("{table}.{}", quote(&request.column));
    let given = embedding.dimensions();
    if let Some(expected) = dimensions.filter(|expected| *expected != given) {
        return Err(MemoryError::Dimensions { place, model: None, expected, given });
    }
    if request.metric == Metric::Cosine && embedding.is_zero() {
        return Err(MemoryError::ZeroVector { place: "cosine".to_owned() });
    }
    Ok(())
}
