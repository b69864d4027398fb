//! Embedding spaces, and the indexes on vectors.

use super::embedded::Embedded;
use super::embedding::Embedding;
use super::error::MemoryError;
use crate::error::Error;
use crate::ident::{qualified, quote};
use crate::pg::cluster::part::here;
use crate::pg::plan::Statement;
use crate::pg::relation::{UntilChanged, blocks};
use crate::pg::rows::Rows;
use crate::pg::varlena::Text;
use crate::pg::written::UntilWritten;
use crate::pgvector::Metric;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;
use std::convert::Infallible;

/// The schema of the tables that hold embeddings.
const SCHEMA: &str = "kepler_data";

/// A column of vectors somewhere.
#[derive(Debug, Clone)]
pub(crate) struct Vectors {
    /// The table as SQL names it.
    pub(crate) table: String,
    pub(crate) relation: pg_sys::Oid,
    pub(crate) column: String,
    pub(crate) metric: Metric,
    /// Of the vectors that are compared.
    pub(crate) dimensions: usize,
    /// Whether indexes over expressions, which are somebody's code, are left out.
    pub(crate) plain_indexes_only: bool,
    /// Rows of the table, as far as is known.
    pub(crate) rows: f64,
    /// Candidates that a look into an index takes, where somebody has set how many.
    pub(crate) search_width: Option<usize>,
    /// The schema of pgvector, and its type.
    pub(crate) vector_schema: String,
    pub(crate) vector_type: pg_sys::Oid,
    pub(crate) vector_array_type: pg_sys::Oid,
}

/// An embedding space.
#[derive(Debug, Clone)]
pub(crate) struct Space {
    pub(crate) name: String,
    pub(crate) model: String,
    pub(crate) active: bool,
    pub(crate) dimensions: usize,
    /// What the vectors are embeddings of.
    pub(crate) embedded: Embedded,
    pub(crate) vectors: Vectors,
}

/// A row of the list of spaces.
#[derive(Debug, Clone)]
struct Listed {
    name: String,
    model: String,
    active: bool,
    dimensions: usize,
    metric: Metric,
    memories: Option<String>,
    messages: Option<String>,
    search_width: Option<usize>,
}

impl Listed {
    fn read(rows: &Rows<'_>) -> Option<Self> {
        let row = rows.iter::<8>().next()?;
        Some(Self {
            name: row.text(0)?.to_owned(),
            model: row.text(1)?.to_owned(),
            active: row.text(4)? == "ACTIVE",
            dimensions: row.integer(2)? as usize,
            metric: Metric::from_name(row.text(3)?)?,
            memories: row.text(5).map(str::to_owned),
            messages: row.text(6).map(str::to_owned),
            search_width: row.integer(7).and_then(|width| usize::try_from(width).ok()),
        })
    }
}

/// What the catalog says of the table of a space, and of the type of vectors.
#[derive(Debug, Clone)]
struct Place {
    relation: pg_sys::Oid,
    counted: f64,
    pages: i32,
    vector_schema: String,
    vector_type: pg_sys::Oid,
    vector_array_type: pg_sys::Oid,
}

impl Place {
    fn find(client: &mut SpiClient<'_>, table: &str) -> Option<Self> {
        let look_up = |table: &String| {
            let name = Text::new(table);
            let rows = PLACE.with(|statement| statement.run_latest(client, &[Some(name.datum())]));
            let place = rows.iter::<6>().next().and_then(|row| {
                Some(Self {
                    relation: row.oid(0)?,
                    counted: row.float(1)?,
                    pages: row.integer(2)?,
                    vector_schema: row.text(3)?.to_owned(),
                    vector_type: row.oid(4)?,
                    vector_array_type: row.oid(5)?,
                })
            });
            place.ok_or(())
        };
        PLACES.with(|places| places.find(table.to_owned(), look_up)).ok()
    }
}

/// The methods of pgvector's indexes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Hnsw { ef_construction: usize },
    IvfFlat { lists: usize },
}

/// An index that gives rows by their distance.
#[derive(Debug, Clone)]
pub(crate) struct Index {
    pub(crate) relation: pg_sys::Oid,
    pub(crate) method: Method,
    /// The expression by which it is ordered. As Postgres prints it, an expression names its column
    /// without a table: no other in a query that uses it may have that name.
    pub(crate) order_by: String,
    /// Whether its order is that of the exact distance.
    pub(crate) is_exact: bool,
}

/// A column: its table, the metric, its name, the schema of pgvector, the query's name in SQL, its
/// dimensions, and whether only plain indexes count.
type Key = (u32, &'static str, String, String, String, (usize, bool));

thread_local! {
    static CHOSEN: UntilChanged<Key, Option<Index>> = UntilChanged::default();
    static PLACES: UntilChanged<String, Place> = UntilChanged::default();
    static LISTED: UntilWritten<Option<String>, Listed> = UntilWritten::of(&[c"embedding_spaces"]);

    // Tables of an older version, whose functions this library serves, have no width.
    static NAMED: Statement = const { Statement::new(
        c"SELECT s.name, s.model, s.dimensions, s.metric::text, s.status::text,
                 s.memory_table_name, s.message_table_name,
                 (pg_catalog.to_jsonb(s) ->> 'search_width')::pg_catalog.int4
          FROM kepler.embedding_spaces AS s WHERE s.name = $1",
        &[pg_sys::TEXTOID],
    ) };
    static OLDEST: Statement = const { Statement::new(
        c"SELECT s.name, s.model, s.dimensions, s.metric::text, s.status::text,
                 s.memory_table_name, s.message_table_name,
                 (pg_catalog.to_jsonb(s) ->> 'search_width')::pg_catalog.int4
          FROM kepler.embedding_spaces AS s WHERE s.status = 'ACTIVE'
          ORDER BY s.created_at, s.name LIMIT 1",
        &[],
    ) };
    // Searches read it as the owner of Kepler's tables, and whoever may list spaces may name any relation: a view would
    // run its functions as the owner.
    static PLACE: Statement = const { Statement::new(
        c"SELECT c.oid, c.reltuples::float8, c.relpages, n.nspname::text, t.oid, t.typarray
          FROM pg_catalog.pg_extension AS x
          JOIN pg_catalog.pg_namespace AS n ON n.oid = x.extnamespace
          JOIN pg_catalog.pg_type AS t ON t.typnamespace = n.oid AND t.typname = 'vector'
          CROSS JOIN pg_catalog.pg_class AS c
          WHERE x.extname = 'vector' AND c.relname = $1::name
            AND c.relnamespace = (SELECT d.oid FROM pg_catalog.pg_namespace AS d
                                  WHERE d.nspname = 'kepler_data')
            AND c.relkind IN ('r', 'p')
            AND c.relowner = (SELECT o.relowner FROM pg_catalog.pg_class AS o
                              JOIN pg_catalog.pg_namespace AS k ON k.oid = o.relnamespace
                              WHERE k.nspname = 'kepler' AND o.relname = 'embedding_spaces')",
        &[pg_sys::TEXTOID],
    ) };
    static NAMES: Statement = const { Statement::new(
        c"SELECT s.name FROM kepler.embedding_spaces AS s ORDER BY s.name LIMIT 50",
        &[],
    ) };
    // The best first: HNSW, and what was built with the most candidates or has the most lists, by pgvector's
    // defaults where nobody has said. The first column of an index as SQL: an expression if it is over another type than vector. An
    // index over some of the rows only is of no use to a search over any. An expression is repeated in the query
    // itself: it may call what Postgres and pgvector bring, and nothing that somebody wrote.
    static INDEXES: Statement = const { Statement::new(
        c"SELECT o.opcname::text, pg_catalog.pg_get_indexdef(i.indexrelid, 1, false),
                 pg_catalog.format_type(a.atttypid, a.atttypmod), i.indkey[0] <> 0,
                 (SELECT string_agg(k.attname::text, ' ') FROM pg_catalog.pg_depend AS d
                  JOIN pg_catalog.pg_attribute AS k
                      ON k.attrelid = d.refobjid AND k.attnum = d.refobjsubid
                  WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                    AND d.objid = i.indexrelid AND d.refobjid = i.indrelid AND d.refobjsubid > 0),
                 m.amname = 'hnsw',
                 COALESCE((SELECT p.option_value::integer
                           FROM pg_catalog.pg_options_to_table(c.reloptions) AS p
                           WHERE p.option_name IN ('lists', 'ef_construction')),
                          CASE m.amname WHEN 'hnsw' THEN 64 ELSE 100 END),
                 a.atttypmod, i.indexrelid
          FROM pg_catalog.pg_index AS i
          JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
          JOIN pg_catalog.pg_am AS m ON m.oid = c.relam
          JOIN pg_catalog.pg_opclass AS o ON o.oid = i.indclass[0]
          JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indexrelid AND a.attnum = 1
          WHERE i.indrelid = $1 AND m.amname IN ('hnsw', 'ivfflat')
            AND i.indisvalid AND i.indpred IS NULL
            AND NOT EXISTS (
                SELECT FROM pg_catalog.pg_depend AS d
                WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = i.indexrelid
                  AND d.refclassid IN ('pg_catalog.pg_proc'::pg_catalog.regclass,
                      'pg_catalog.pg_operator'::pg_catalog.regclass, 'pg_catalog.pg_type'::pg_catalog.regclass)
                  AND NOT EXISTS (
                      SELECT FROM pg_catalog.pg_depend AS e
                      JOIN pg_catalog.pg_extension AS x ON x.oid = e.refobjid AND x.extname = 'vector'
                      WHERE e.classid = d.refclassid AND e.objid = d.refobjid AND e.deptype = 'e'
                        AND e.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass))
          ORDER BY m.amname, 7 DESC, i.indexrelid",
        &[pg_sys::OIDOID],
    ) };
}

/// Bytes of a row beside its vector, about.
const ROW_BYTES: usize = 100;

/// What was counted in a table that has grown so much since says nothing of how full its pages are: in one row a page may
/// be all there is.
const OUTGROWN: f64 = 10.0;

/// Rows of a table, about, as the planner has it: what was counted last, in proportion to the pages then
/// and now.
pub(crate) fn rows_of(
    relation: pg_sys::Oid,
    counted: Option<f64>,
    pages: Option<i32>,
    dimensions: usize,
) -> f64 {
    // What is known of a table says nothing of its shard.
    let counted = counted.filter(|_| here(relation) == relation);
    let blocks = f64::from(blocks(here(relation)));
    let full = f64::from(pg_sys::BLCKSZ) / (4 * dimensions + ROW_BYTES) as f64;
    match (counted, pages.map(f64::from)) {
        (Some(rows), Some(pages)) if rows > 0.0 && pages > 0.0 => {
            let counted = rows / pages;
            blocks * if blocks > OUTGROWN * pages { counted.max(full) } else { counted }
        }
        _ => blocks * full,
    }
}

impl Space {
    /// The named space, which may be retired; without a name the oldest that is active.
    pub(crate) fn find(
        client: &mut SpiClient<'_>,
        embedded: Embedded,
        name: Option<&str>,
    ) -> Result<Self, Error> {
        let look_up = |name: &Option<String>| {
            let rows = match name.as_deref().map(Text::new) {
                Some(name) => NAMED.with(|statement| statement.run(client, &[Some(name.datum())])),
                None => OLDEST.with(|statement| statement.run(client, &[])),
            };
            Ok::<_, Error>(Listed::read(&rows))
        };
        let found = LISTED.with(|known| known.find(None, name.map(str::to_owned), look_up))?;
        let found = found.and_then(|mut listed| {
            let table = match embedded {
                Embedded::Memories => listed.memories.take()?,
                Embedded::Messages => listed.messages.take()?,
            };
            Some((listed, table))
        });
        let found = found.map(|(listed, table)| {
            let Listed { name, model, active, dimensions, metric, search_width, .. } = listed;
            let Some(place) = Place::find(client, &table) else {
                return Err(MemoryError::TableGone(name));
            };
            let Place { relation, counted, pages, .. } = place;
            let vectors = Vectors {
                table: qualified(SCHEMA, &table),
                relation,
                column: "embedding".to_owned(),
                metric,
                dimensions,
                plain_indexes_only: false,
                rows: rows_of(relation, Some(counted), Some(pages), dimensions),
                search_width,
                vector_schema: place.vector_schema,
                vector_type: place.vector_type,
                vector_array_type: place.vector_array_type,
            };
            Ok(Self { name, model, active, dimensions, embedded, vectors })
        });
        match found {
            Some(space) => Ok(space?),
            None => {
                let rows = NAMES.with(|statement| statement.run(client, &[]));
                let known: Vec<String> =
                    rows.iter::<1>().filter_map(|row| row.text(0).map(str::to_owned)).collect();
                Err(match name {
                    Some(name) => MemoryError::NoSpace { name: name.to_owned(), known },
                    None => MemoryError::NoSpaces,
                }
                .into())
            }
        }
    }

    /// For messages.
    pub(crate) fn place(&self) -> String {
        format!("embedding space \"{}\"", self.name)
    }

    /// Refuses an embedding that this space cannot compare.
    pub(crate) fn check(&self, embedding: &Embedding) -> Result<(), MemoryError> {
        self.check_dimensions(embedding.dimensions())?;
        if self.vectors.metric == Metric::Cosine && embedding.is_zero() {
            return Err(MemoryError::ZeroVector { place: self.place() });
        }
        Ok(())
    }

    /// Refuses embeddings of other dimensions.
    pub(crate) fn check_dimensions(&self, given: usize) -> Result<(), MemoryError> {
        if given == self.dimensions {
            return Ok(());
        }
        Err(MemoryError::Dimensions {
            place: self.place(),
            model: Some(self.model.clone()),
            expected: self.dimensions,
            given,
        })
    }

    pub(crate) fn require_active(&self) -> Result<(), MemoryError> {
        if self.active { Ok(()) } else { Err(MemoryError::Retired(self.name.clone())) }
    }
}

impl Vectors {
    /// The distance between the query and a row's vector.
    pub(crate) fn distance(&self, query: &str) -> String {
        let operator = self.metric.operator(&self.vector_schema);
        format!("(e.{} {operator} {query})", quote(&self.column))
    }

    /// The index that a search can use, if there is one; `query` is the query vector in SQL.
    pub(crate) fn index(&self, client: &mut SpiClient<'_>, query: &str) -> Option<Index> {
        let key = (
            self.relation.to_u32(),
            self.metric.name(),
            self.column.clone(),
            self.vector_schema.clone(),
            query.to_owned(),
            (self.dimensions, self.plain_indexes_only),
        );
        let look_up = |_: &Key| Ok::<_, Infallible>(self.find_index(client, query));
        CHOSEN.with(|chosen| chosen.find(key, look_up)).unwrap_or(None)
    }

    fn find_index(&self, client: &mut SpiClient<'_>, query: &str) -> Option<Index> {
        let parameters = [Some(pg_sys::Datum::from(self.relation))];
        let rows = INDEXES.with(|statement| statement.run_latest(client, &parameters));
        let schema = quote(&self.vector_schema);
        let mut found: Option<Index> = None;
        for row in rows.iter::<9>() {
            // The columns that it is over: this one alone.
            if row.text(4) != Some(&self.column) {
                continue;
            }
            let (Some(class), Some(expression), Some(sql_type), Some(relation)) =
                (row.text(0), row.text(1), row.text(2), row.oid(8))
            else {
                continue;
            };
            let Some(option) = row.integer(6).map(|option| option as usize) else { continue };
            let method = match row.boolean(5) {
                Some(true) => Method::Hnsw { ef_construction: option },
                _ => Method::IvfFlat { lists: option },
            };
            let of_metric =
                |kind: &str| class == self.metric.operator_class().replacen("vector", kind, 1);
            // Of a part of the vector it says nothing.
            let is_plain = row.boolean(3) == Some(true);
            let is_whole = row.integer(7).and_then(|given| usize::try_from(given).ok())
                == Some(self.dimensions);
            if !is_plain && (!is_whole || self.plain_indexes_only) {
                continue;
            }
            let index = if is_plain {
                of_metric("vector").then(|| Index {
                    relation,
                    method,
                    order_by: self.distance(query),
                    is_exact: true,
                })
            } else if of_metric("halfvec") {
                let operator = self.metric.operator(&self.vector_schema);
                let order_by = format!("({expression} {operator} {query}::{sql_type})");
                Some(Index { relation, method, order_by, is_exact: false })
            } else if class == "bit_hamming_ops" {
                let order_by = format!(
                    "({expression} OPERATOR({schema}.<~>) \
                     {schema}.binary_quantize({query})::{sql_type})"
                );
                Some(Index { relation, method, order_by, is_exact: false })
            } else {
                None
            };
            if let Some(index) = index
                && found.as_ref().is_none_or(|found| index.is_exact && !found.is_exact)
            {
                found = Some(index);
            }
        }
        found
    }
}
