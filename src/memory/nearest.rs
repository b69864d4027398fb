//! The nearest vectors under any condition: as many as asked for, if there are so many.
//!
//! An index on vectors gives rows by distance and knows nothing of conditions: where few rows meet
//! them it runs dry, and gives fewer rows than exist. So:
//!
//! 1. No index, or a table or scope so small that all of it is compared sooner: **exact**. What its keys
//!    give is counted; where a filter may leave much less, that is counted if Postgres, which knows which
//!    values are rare, expects it to be little.
//! 2. Otherwise a look into the index, without following it further than one search goes. Where
//!    twice as many rows as are wanted meet the condition, the nearest of them are the answer
//!    (**index**). It does not matter how many rows meet it elsewhere: what counts is the
//!    neighbourhood of the query.
//! 3. Where fewer do, the rows of the scope are counted, up to where exact is no longer cheaper: up
//!    to there **exact**.
//! 4. Beyond, the index is followed as far as what the look has found says (**index_iterative**), and
//!    where it found next to nothing, or this runs dry, all of the scope is compared (**exact**,
//!    **exact_after_index**).

use super::space::{Index, Vectors};
use crate::pg::clock::now;
use crate::pg::plan::LocalSettings;
use crate::pg::query::Parameters;
use pgrx::spi::SpiClient;
use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::CString;

/// How the rows were found; the more it took, the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Plan {
    Exact,
    Index,
    IndexIterative,
    ExactAfterIndex,
    /// Not by vectors at all.
    Text,
}

impl Plan {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Plan::Exact => "exact",
            Plan::Index => "index",
            Plan::IndexIterative => "index_iterative",
            Plan::ExactAfterIndex => "exact_after_index",
            Plan::Text => "text",
        }
    }
}

/// Exact while the scope has at most `FACTOR · √(wanted · rows)` rows: where a search through the index
/// that gives as many good ones takes longer.
const FACTOR: f64 = 10.0;
/// Scopes up to this size are compared without a look into the index. To count so many entries takes a
/// tenth of a look.
const SMALL: f64 = 2_000.0;
/// Candidates that pgvector's search keeps (`hnsw.ef_search`): at least, a wanted row, and its limit.
const EF: usize = 100;
const EF_A_ROW: usize = 10;
const MAX_EF: usize = 1_000;
/// Fewer rows than this say nothing of how many there are around.
const FEW: usize = 4;
/// Rows that an iterative scan visits at most.
const MAX_SCAN: (f64, f64) = (20_000.0, 400_000.0);

/// So long, in microseconds, a session remembers that a scope is large; and so many scopes.
const REMEMBERED: i64 = 60_000_000;
const MAX_REMEMBERED: usize = 1_000;

thread_local! {
    /// When the scopes of a table were found to be large.
    static LARGE: RefCell<HashMap<(u32, u64), i64>> = RefCell::default();
}

/// A row and its distance.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Near {
    pub(crate) key: String,
    pub(crate) distance: f64,
}

/// Which rows count, in SQL over the table of vectors under the alias `e`.
pub(crate) struct Condition {
    /// What stands behind FROM where rows are looked up by the condition, WHERE included.
    pub(crate) exact_from: String,
    /// What stands there where rows come from the index, one by one.
    pub(crate) index_from: String,
    /// A query that gives the rows of the scope by its keys alone, without the rest of the condition.
    pub(crate) keys: String,
    /// What tells these keys from others.
    pub(crate) keys_hash: u64,
    /// A query that gives the rows of the scope.
    pub(crate) scope: String,
    /// Whether the scope may be much smaller than what its keys give.
    pub(crate) is_filtered: bool,
    /// The column that identifies a row, as text.
    pub(crate) key: String,
}

/// A search for the `wanted` nearest rows.
pub(crate) struct Search<'s> {
    pub(crate) vectors: &'s Vectors,
    pub(crate) condition: &'s Condition,
    pub(crate) parameters: &'s Parameters,
    /// The query vector, as its parameter is named.
    pub(crate) query: &'s str,
    pub(crate) wanted: usize,
}

impl Search<'_> {
    /// The nearest rows, and how they were found. Only if there are fewer are there fewer than wanted.
    pub(crate) fn run(&self, client: &mut SpiClient<'_>) -> (Vec<Near>, Plan) {
        let _planning = LocalSettings::set(&[
            (c"enable_seqscan", c"off"),
            // What compiling and starting workers cost, such a query does not bring in: a thousand rows
            // are compared before the first worker is there.
            (c"jit", c"off"),
            (c"max_parallel_workers_per_gather", c"0"),
        ]);
        let enough = FACTOR * (self.wanted as f64 * self.vectors.rows).sqrt();
        if enough >= self.vectors.rows {
            return (self.exact(client), Plan::Exact);
        }
        let Some(index) = self.vectors.index(client, self.query) else {
            return (self.exact(client), Plan::Exact);
        };
        if !self.is_known_large() {
            if self.has_at_most(client, &self.condition.keys, enough.min(SMALL)) {
                return (self.exact(client), Plan::Exact);
            }
            self.note_large();
        }
        // What only the rest of the condition makes small: Postgres knows of values that are rare.
        if self.condition.is_filtered
            && self.parameters.gives_few(client, &self.condition.scope, enough.min(SMALL) as usize)
        {
            return (self.exact(client), Plan::Exact);
        }
        let ef = (EF_A_ROW * self.wanted).max(EF);
        let mut found = 0;
        if ef <= MAX_EF {
            // An order that is only about right wants more to choose from.
            let limit = self.wanted * if index.is_exact { 2 } else { 4 };
            let rows = self.through_index(client, &index, ef, None, limit.min(ef));
            found = rows.len();
            if found >= limit.min(ef) {
                return (self.cut(rows), Plan::Index);
            }
        }
        if self.has_at_most(client, &self.condition.scope, enough) || (ef <= MAX_EF && found < FEW)
        {
            return (self.exact(client), Plan::Exact);
        }
        // So many rows must be visited for twice as many as are wanted.
        let depth = if ef > MAX_EF { 2 * self.wanted } else { 2 * self.wanted * ef / found };
        let most = (4.0 * depth as f64).clamp(MAX_SCAN.0, MAX_SCAN.1) as usize;
        let limit = 2 * self.wanted;
        let rows = self.through_index(client, &index, MAX_EF, Some(most), limit);
        if rows.len() >= limit {
            return (self.cut(rows), Plan::IndexIterative);
        }
        (self.exact(client), Plan::ExactAfterIndex)
    }

    fn scope_id(&self) -> (u32, u64) {
        (self.vectors.relation.to_u32(), self.condition.keys_hash)
    }

    /// Whether the scope was large a moment ago. Should it have shrunk since, the look into the index
    /// finds less, and all goes on from there.
    fn is_known_large(&self) -> bool {
        let fresh = |at: &i64| now() < at.saturating_add(REMEMBERED);
        LARGE.with_borrow(|large| large.get(&self.scope_id()).is_some_and(fresh))
    }

    fn note_large(&self) {
        LARGE.with_borrow_mut(|large| {
            if large.len() >= MAX_REMEMBERED {
                large.clear();
            }
            large.insert(self.scope_id(), now());
        });
    }

    /// All of the scope, compared.
    pub(crate) fn exact(&self, client: &mut SpiClient<'_>) -> Vec<Near> {
        // "+ 0" keeps the index on vectors out of it.
        let distance = self.vectors.distance(self.query);
        let sql = format!(
            "SELECT {key}, {distance} FROM {from} \
             ORDER BY {distance} OPERATOR(pg_catalog.+) 0::pg_catalog.float8 LIMIT {limit}",
            key = self.condition.key,
            from = self.condition.exact_from,
            limit = self.wanted,
        );
        self.cut(self.rows(client, &sql))
    }

    /// Up to `limit` rows as the index gives them; `iterative`: so many rows may be visited.
    fn through_index(
        &self,
        client: &mut SpiClient<'_>,
        index: &Index,
        ef: usize,
        iterative: Option<usize>,
        limit: usize,
    ) -> Vec<Near> {
        let (ef, most) = (number(ef), number(iterative.unwrap_or(MAX_SCAN.0 as usize)));
        let scan = if iterative.is_some() { c"relaxed_order" } else { c"off" };
        let _settings = LocalSettings::set(&[
            (c"hnsw.ef_search", &ef),
            (c"hnsw.iterative_scan", scan),
            (c"hnsw.max_scan_tuples", &most),
            (c"hnsw.scan_mem_multiplier", c"4"),
            // The order of the index, and each row by its key.
            (c"enable_sort", c"off"),
            (c"enable_bitmapscan", c"off"),
            (c"enable_hashjoin", c"off"),
            (c"enable_mergejoin", c"off"),
            (c"enable_memoize", c"off"),
            (c"enable_material", c"off"),
        ]);
        let sql = format!(
            "SELECT {key}, {distance} FROM {from} ORDER BY {order_by} LIMIT {limit}",
            key = self.condition.key,
            distance = self.vectors.distance(self.query),
            from = self.condition.index_from,
            order_by = index.order_by,
        );
        self.rows(client, &sql)
    }

    fn rows(&self, client: &mut SpiClient<'_>, sql: &str) -> Vec<Near> {
        let rows = self.parameters.run(client, sql);
        rows.iter::<2>()
            .filter_map(|row| {
                // A zero vector has no direction: as Postgres sorts it, behind all others.
                let distance = row.float(1).filter(|distance| !distance.is_nan());
                let distance = distance.unwrap_or(f64::INFINITY);
                Some(Near { key: row.text(0)?.to_owned(), distance })
            })
            .collect()
    }

    /// The nearest of the rows, by distance; equal ones by their key, so that the order is always the same.
    fn cut(&self, rows: Vec<Near>) -> Vec<Near> {
        merge(rows, Vec::new(), self.wanted)
    }

    /// Whether a query gives at most so many rows. Stops counting where it does not.
    fn has_at_most(&self, client: &mut SpiClient<'_>, query: &str, most: f64) -> bool {
        let most = most as i64;
        let sql = format!(
            "SELECT pg_catalog.count(*) FROM ({query} LIMIT {}) AS counted",
            most.saturating_add(1)
        );
        let rows = self.parameters.run(client, &sql);
        let counted = rows.iter::<1>().next().and_then(|row| row.bigint(0));
        counted.is_some_and(|counted| counted <= most)
    }
}

/// The nearest of both.
pub(crate) fn merge(mut rows: Vec<Near>, others: Vec<Near>, wanted: usize) -> Vec<Near> {
    rows.extend(others);
    rows.sort_by(|a, b| a.distance.total_cmp(&b.distance).then_with(|| a.key.cmp(&b.key)));
    rows.truncate(wanted);
    rows
}

fn number(value: usize) -> CString {
    CString::new(value.to_string()).unwrap_or_default()
}
