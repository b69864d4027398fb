//! The nearest vectors under any condition: as many as asked for, if there are so many.
//!
//! An index on vectors gives rows by distance and knows nothing of conditions: where few rows meet
//! them it runs dry, and gives fewer rows than exist. So:
//!
//! 1. No index, or a table or scope so small that all of it is compared sooner: **exact**. What its keys
//!    give is counted; where a filter may leave much less, that is counted if Postgres, which knows which
//!    values are rare, expects it to be little.
//! 2. Otherwise a look into the index. Where twice as many rows as are wanted meet the condition, the
//!    nearest of them are the answer (**index**). It does not matter how many rows meet it elsewhere: what
//!    counts is the neighbourhood of the query.
//! 3. Where fewer do, the look has told how much wider one would have to look. The rows of the scope are
//!    counted, up to where comparing them is no longer cheaper: up to there **exact**.
//! 4. Beyond, a wider look (**index_wide**), and where even that gives too little, all of the scope is
//!    compared (**exact_after_index**).
//!
//! pgvector can also follow its index from one look to the next (`hnsw.iterative_scan`). Where rows that
//! count lie far from the query it finds enough of them that way, but not the nearest: in clusters that
//! are far apart, a third. So it is done only where more rows are wanted than one look can give.

use super::space::{Index, Method, Vectors};
use crate::pg::clock::now;
use crate::pg::large::OrderByIndex;
use crate::pg::plan::{LocalSettings, Order, Row, Rows, own_value};
use crate::pg::query::Parameters;
use crate::pg::role;
use pgrx::spi::SpiClient;
use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::{CStr, CString};

/// How the rows were found; the more it took, the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Plan {
    Exact,
    Index,
    IndexWide,
    ExactAfterIndex,
    /// Not by vectors at all.
    Text,
}

impl Plan {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Plan::Exact => "exact",
            Plan::Index => "index",
            Plan::IndexWide => "index_wide",
            Plan::ExactAfterIndex => "exact_after_index",
            Plan::Text => "text",
        }
    }
}

/// Tables of this size are compared. So are scopes, as far as a search through the index would take
/// longer: up to `FACTOR · √(wanted · rows)`. More than so many, and so many for each wanted row, are not
/// counted before a look into the index.
const SMALL: usize = 2_000;
const FACTOR: f64 = 3.0;
const COUNTED_A_ROW: usize = 20;
/// Candidates that pgvector's search keeps (`hnsw.ef_search`) for up to ten rows, and its limit.
/// Where the setting has a value of somebody's, that.
const EF: usize = 150;
const MAX_EF: usize = 1_000;
/// Lists that a search through an IVFFlat index reads (`ivfflat.probes`), for the root of all of its lists;
/// pgvector's documentation begins with one. And so many rows for each candidate: of the rows of those
/// lists only the nearest are the nearest of all.
const PROBES_A_ROOT: f64 = 2.0;
const ROWS_OF_LISTS: usize = 10;
/// Fewer rows than this say nothing of how many there are around.
const FEW: usize = 4;
/// Rows that are compared in the time in which a look takes one more candidate: by their keys, or looked
/// up by a filter.
const ROWS_A_CANDIDATE: usize = 5;
const FILTERED_ROWS_A_CANDIDATE: usize = 2;
/// Vectors that a search visits for each row that it gives, where one look cannot give as many as wanted.
const VISITS_A_ROW: usize = 30;

/// So long, in microseconds, a session remembers what it knows of a scope; and so many scopes.
const REMEMBERED: i64 = 60_000_000;
const MAX_REMEMBERED: usize = 1_000;

/// Of a table, a scope, and so many rows: when something was found out, and what.
type Remembered<T> = RefCell<HashMap<(u32, u64, usize), (i64, T)>>;

thread_local! {
    /// Whether the scope is so small.
    static FEW_KEYS: Remembered<bool> = RefCell::default();
    /// How wide a look had to be for so many rows.
    static WIDTHS: Remembered<usize> = RefCell::default();
}

fn remembered<T: Copy>(of: &Remembered<T>, scope: (u32, u64, usize)) -> Option<T> {
    let known = of.borrow().get(&scope).copied();
    known.filter(|(at, _)| now() < at.saturating_add(REMEMBERED)).map(|(_, known)| known)
}

fn remember<T>(of: &Remembered<T>, scope: (u32, u64, usize), known: T) {
    let mut of = of.borrow_mut();
    if of.len() >= MAX_REMEMBERED {
        of.clear();
    }
    of.insert(scope, (now(), known));
}

/// What a search brings with each row: four columns.
pub(crate) trait Details: Sized {
    const COLUMNS: &'static str;
    /// From the third column on.
    fn read(row: &Row<'_, 6>) -> Option<Self>;
}

impl Details for () {
    const COLUMNS: &'static str = "NULL, NULL, NULL, NULL";

    fn read(_: &Row<'_, 6>) -> Option<Self> {
        Some(())
    }
}

/// A row, its distance, and what else was asked for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Near<D> {
    pub(crate) key: String,
    pub(crate) distance: f64,
    pub(crate) details: D,
}

/// Which rows count, in SQL.
pub(crate) struct Condition {
    /// On the columns of the table of vectors, under the alias `e`.
    pub(crate) keys: String,
    /// What tells these keys, and all of the condition, from others.
    pub(crate) keys_hash: u64,
    pub(crate) scope_hash: u64,
    /// Whether there is but one good way to find rows by these keys.
    pub(crate) has_one_way: bool,
    pub(crate) beside: Option<Beside>,
    /// What identifies a row, as text.
    pub(crate) key: String,
}

/// What lies in another table.
pub(crate) struct Beside {
    /// What stands behind FROM for the row that belongs to `e`, with all that it must meet.
    pub(crate) lookup: String,
    /// What stands there for the rows of the scope.
    pub(crate) scope: String,
    /// What joins `e` to those.
    pub(crate) join: String,
    /// The column of `e` that the look-up and the key are made of.
    pub(crate) column: String,
    /// Whether they may be much fewer than what the keys give.
    pub(crate) is_filtered: bool,
}

/// A search for the `wanted` nearest rows.
pub(crate) struct Search<'s> {
    pub(crate) vectors: &'s Vectors,
    pub(crate) condition: &'s Condition,
    pub(crate) parameters: &'s Parameters,
    /// The query vector, as its parameter is named.
    pub(crate) query: &'s str,
    pub(crate) wanted: usize,
    /// How many of them are to be the nearest for sure; the others are candidates.
    pub(crate) certain: usize,
}

/// Settings for queries that are planned for their values. What compiling and starting workers cost, such
/// a query does not bring in: a thousand rows are compared before the first worker is there.
const PLANNING: &[(&CStr, &CStr)] =
    &[(c"enable_seqscan", c"off"), (c"jit", c"off"), (c"max_parallel_workers_per_gather", c"0")];

impl Search<'_> {
    /// The nearest rows, and how they were found. Only if there are fewer are there fewer than wanted.
    pub(crate) fn run<D: Details>(&self, client: &mut SpiClient<'_>) -> (Vec<Near<D>>, Plan) {
        if self.vectors.rows <= SMALL as f64 {
            return (self.by_keys(client), Plan::Exact);
        }
        let sooner = FACTOR * (self.wanted as f64 * self.vectors.rows).sqrt();
        let small = (sooner as usize).min(SMALL.max(COUNTED_A_ROW * self.wanted));
        if self.keys_are_few(client, small) {
            return (self.by_keys(client), Plan::Exact);
        }
        // What only the filter makes small: Postgres knows of values that are rare.
        let filter = self.condition.beside.as_ref().filter(|beside| beside.is_filtered);
        if let Some(beside) = filter {
            let _planning = LocalSettings::set(PLANNING);
            let scope = format!("SELECT FROM {}", beside.scope);
            if self.parameters.gives_few(client, &scope, small) {
                return (self.by_filter(client, beside), Plan::Exact);
            }
        }
        // Where policies leave out rows before they are candidates, those of a few lists say nothing.
        let index = self.vectors.index(client, self.query).filter(|index| {
            index.method == Method::Hnsw || !role::is_secured(self.vectors.relation)
        });
        let Some(index) = index else { return (self.by_keys(client), Plan::Exact) };
        // The last of those that the index gives are the least certain, and an order that is only about
        // right wants more to choose from.
        let certain = 2 * self.certain;
        let limit = if index.is_exact { certain.max(self.wanted) } else { 4 * self.wanted };
        let (least, iterative) = self.candidates(index.method, limit);
        let scope = (self.vectors.relation.to_u32(), self.condition.scope_hash, self.wanted);
        let width = WIDTHS.with(|known| remembered(known, scope)).unwrap_or(least).max(least);
        let near = self.through_index(client, &index, width, iterative, limit);
        if near.len() >= limit {
            if width > least {
                // The next one may do with less, until one does not.
                WIDTHS.with(|known| remember(known, scope, width - width / 16));
            }
            return (self.cut(near), Plan::Index);
        }
        let wider = if near.len() < FEW { MAX_EF } else { width * limit / near.len() * 3 / 2 };
        let wider = wider.min(MAX_EF);
        let scope_is_small = match filter {
            Some(beside) => {
                self.has_at_most(client, &beside.scope, wider * FILTERED_ROWS_A_CANDIDATE)
            }
            // They are known to be more than `small`.
            None => {
                let most = wider * ROWS_A_CANDIDATE;
                most > small && self.keys_give_at_most(client, most)
            }
        };
        if scope_is_small {
            return (self.exact(client), Plan::Exact);
        }
        if wider > width {
            let near = self.through_index(client, &index, wider, false, limit);
            if near.len() >= limit {
                WIDTHS.with(|known| remember(known, scope, wider.min(width + width / 4)));
                return (self.cut(near), Plan::IndexWide);
            }
        }
        (self.exact(client), Plan::ExactAfterIndex)
    }

    /// Candidates of a look that is to give `limit` rows, and whether one look cannot.
    fn candidates(&self, method: Method, limit: usize) -> (usize, bool) {
        let own = match method {
            Method::Hnsw => own_value(c"hnsw.ef_search").and_then(|value| value.parse().ok()),
            Method::IvfFlat { .. } => None,
        };
        let ef = (own.unwrap_or(EF) * self.certain.max(10)).div_ceil(10).max(limit);
        match method {
            Method::Hnsw => (ef.min(MAX_EF), ef > MAX_EF),
            Method::IvfFlat { .. } => (ef, false),
        }
    }

    /// All of the scope, compared.
    pub(crate) fn exact<D: Details>(&self, client: &mut SpiClient<'_>) -> Vec<Near<D>> {
        match &self.condition.beside {
            Some(beside) if beside.is_filtered => self.by_filter(client, beside),
            _ => self.by_keys(client),
        }
    }

    /// What the keys give, compared: in a subquery, so that each distance is computed once, and no index on
    /// vectors has a part in it. What lies beside is looked up for the nearest, until there are enough.
    fn by_keys<D: Details>(&self, client: &mut SpiClient<'_>) -> Vec<Near<D>> {
        let Condition { keys, key, beside, .. } = self.condition;
        let distance = self.vectors.distance(self.query);
        let (table, details, wanted) = (&self.vectors.table, D::COLUMNS, self.wanted);
        let Some(Beside { lookup, column, is_filtered, .. }) = beside else {
            let sql = format!(
                "SELECT e.key, e.distance, {details} FROM (\
                     SELECT {key} AS key, {distance} AS distance FROM {table} AS e WHERE {keys} \
                     OFFSET 0) AS e \
                 ORDER BY e.distance, e.key LIMIT {wanted}"
            );
            return self.cut(self.compared(client, sql));
        };
        let nearest = |most: &str| {
            format!(
                "SELECT {key}, e.distance, m.* \
                 FROM (SELECT * FROM (\
                           SELECT {column}, {distance} AS distance FROM {table} AS e WHERE {keys} \
                           OFFSET 0) AS e \
                       ORDER BY e.distance, {column} {most}) AS e \
                 CROSS JOIN LATERAL (SELECT {details} FROM {lookup} OFFSET 0) AS m LIMIT {wanted}"
            )
        };
        // Without a filter nearly all of them count, and a few more than are wanted are sorted sooner.
        if !is_filtered {
            let near =
                self.compared(client, nearest(&format!("LIMIT {}", wanted + wanted.max(10))));
            if near.len() >= wanted {
                return self.cut(near);
            }
        }
        self.cut(self.compared(client, nearest("OFFSET 0")))
    }

    fn compared<D: Details>(&self, client: &mut SpiClient<'_>, sql: String) -> Vec<Near<D>> {
        if self.condition.has_one_way {
            return read(&self.parameters.run_kept(client, sql, Order::Sorted));
        }
        let _planning = LocalSettings::set(PLANNING);
        read(&self.parameters.run(client, &sql))
    }

    /// What the filter gives, compared.
    fn by_filter<D: Details>(&self, client: &mut SpiClient<'_>, beside: &Beside) -> Vec<Near<D>> {
        let _planning = LocalSettings::set(PLANNING);
        let distance = self.vectors.distance(self.query);
        let sql = format!(
            "SELECT * FROM (\
                 SELECT {key} AS key, {distance} AS distance, {details} \
                 FROM {table} AS e, {scope} AND {join} OFFSET 0) AS found \
             ORDER BY distance, key LIMIT {limit}",
            key = self.condition.key,
            details = D::COLUMNS,
            table = self.vectors.table,
            scope = beside.scope,
            join = beside.join,
            limit = self.wanted,
        );
        self.cut(read(&self.parameters.run(client, &sql)))
    }

    /// Up to `limit` rows of the candidates that the index gives.
    fn through_index<D: Details>(
        &self,
        client: &mut SpiClient<'_>,
        index: &Index,
        width: usize,
        iterative: bool,
        limit: usize,
    ) -> Vec<Near<D>> {
        let _index = OrderByIndex::only(index.relation);
        let lists = match index.method {
            Method::Hnsw => return self.through_graph(client, index, width, iterative, limit),
            Method::IvfFlat { lists } => lists,
        };
        let rows_a_list = (self.vectors.rows / lists as f64).max(1.0) as usize;
        let own = own_value(c"ivfflat.probes").and_then(|value| value.parse().ok());
        let probes = own.unwrap_or(probes(lists)).max(ROWS_OF_LISTS * width / rows_a_list);
        let probes = number(probes.clamp(1, lists));
        let _planning = LocalSettings::set(PLANNING);
        let _settings = LocalSettings::set(&[
            (c"ivfflat.probes", &probes),
            (c"ivfflat.iterative_scan", c"off"),
            (c"enable_sort", c"off"),
            (c"enable_bitmapscan", c"off"),
            (c"enable_hashjoin", c"off"),
            (c"enable_mergejoin", c"off"),
            (c"enable_memoize", c"off"),
            (c"enable_material", c"off"),
        ]);
        let Condition { keys, key, beside, .. } = self.condition;
        let (distance, table) = (self.vectors.distance(self.query), &self.vectors.table);
        let details = D::COLUMNS;
        let beside = match beside {
            None => format!("(SELECT {details}) AS m"),
            Some(beside) => format!("(SELECT {details} FROM {} OFFSET 0) AS m", beside.lookup),
        };
        // What is behind the candidates does not count, though the lists that were read hold it: there
        // may be nearer rows in others. The names are ones that nobody's columns have.
        let sql = format!(
            "SELECT e.\"kepler: key\", e.\"kepler: distance\", m.* \
             FROM (SELECT e.*, {key} AS \"kepler: key\", {distance} AS \"kepler: distance\" \
                   FROM {table} AS e ORDER BY {order} LIMIT {width}) AS e \
             CROSS JOIN LATERAL {beside} WHERE {keys} LIMIT {limit}",
            order = index.order_by,
        );
        read(&self.parameters.run(client, &sql))
    }

    /// The same of HNSW, which gives the candidates that it is told to keep.
    fn through_graph<D: Details>(
        &self,
        client: &mut SpiClient<'_>,
        index: &Index,
        width: usize,
        iterative: bool,
        limit: usize,
    ) -> Vec<Near<D>> {
        let (width, visits) = (number(width), number(VISITS_A_ROW * limit));
        let _settings = LocalSettings::set(&[
            (c"hnsw.ef_search", &width),
            (c"hnsw.iterative_scan", if iterative { c"relaxed_order" } else { c"off" }),
            (c"hnsw.max_scan_tuples", &visits),
            (c"hnsw.scan_mem_multiplier", c"16"),
        ]);
        let Condition { keys, key, beside, .. } = self.condition;
        let (distance, table) = (self.vectors.distance(self.query), &self.vectors.table);
        let (order, details) = (&index.order_by, D::COLUMNS);
        // A subquery of its own: it is looked up for each row of the index, in the index's order.
        let sql = match beside {
            None => format!(
                "SELECT {key}, {distance}, {details} FROM {table} AS e WHERE {keys} \
                 ORDER BY {order} LIMIT {limit}"
            ),
            Some(Beside { lookup, .. }) => format!(
                "SELECT {key}, {distance}, m.* FROM {table} AS e \
                 CROSS JOIN LATERAL (SELECT {details} FROM {lookup} OFFSET 0) AS m \
                 WHERE {keys} ORDER BY {order} LIMIT {limit}"
            ),
        };
        read(&self.parameters.run_kept(client, sql, Order::OfIndex))
    }

    /// The nearest of the rows, by distance; equal ones by their key, so that the order is always the same.
    fn cut<D>(&self, near: Vec<Near<D>>) -> Vec<Near<D>> {
        merge(near, Vec::new(), self.wanted)
    }

    /// Whether the keys alone give so few rows. A session remembers it for a while: should it have changed
    /// since, a search takes longer, and finds the same.
    fn keys_are_few(&self, client: &mut SpiClient<'_>, small: usize) -> bool {
        if !self.condition.has_one_way {
            // A table of somebody's may be read as a whole, if that is cheap.
            let _planning =
                LocalSettings::set(&[(c"jit", c"off"), (c"max_parallel_workers_per_gather", c"0")]);
            let Condition { keys, .. } = self.condition;
            let scope = format!("SELECT FROM {} AS e WHERE {keys}", self.vectors.table);
            return self.parameters.gives_few(client, &scope, small);
        }
        let scope = (self.vectors.relation.to_u32(), self.condition.keys_hash, small);
        FEW_KEYS.with(|known| remembered(known, scope)).unwrap_or_else(|| {
            let few = self.keys_give_at_most(client, small);
            FEW_KEYS.with(|known| remember(known, scope, few));
            few
        })
    }

    fn keys_give_at_most(&self, client: &mut SpiClient<'_>, most: usize) -> bool {
        let from = format!("{} AS e WHERE {}", self.vectors.table, self.condition.keys);
        self.has_at_most(client, &from, most)
    }

    /// Whether there are at most so many rows. Stops counting where there are more.
    fn has_at_most(&self, client: &mut SpiClient<'_>, from: &str, most: usize) -> bool {
        let sql = format!(
            "SELECT pg_catalog.count(*) FROM (SELECT FROM {from} LIMIT {}) AS counted",
            most.saturating_add(1)
        );
        let _planning = LocalSettings::set(PLANNING);
        let rows = self.parameters.run(client, &sql);
        let counted = rows.iter::<1>().next().and_then(|row| row.bigint(0));
        counted.is_some_and(|counted| counted as usize <= most)
    }
}

/// The nearest of both.
pub(crate) fn merge<D>(
    mut near: Vec<Near<D>>,
    others: Vec<Near<D>>,
    wanted: usize,
) -> Vec<Near<D>> {
    near.extend(others);
    near.sort_by(|a, b| a.distance.total_cmp(&b.distance).then_with(|| a.key.cmp(&b.key)));
    near.truncate(wanted);
    near
}

fn read<D: Details>(rows: &Rows<'_>) -> Vec<Near<D>> {
    rows.iter::<6>()
        .filter_map(|row| {
            // A zero vector has no direction: as Postgres sorts it, behind all others.
            let distance = row.float(1).filter(|distance| !distance.is_nan());
            let distance = distance.unwrap_or(f64::INFINITY);
            Some(Near { key: row.text(0)?.to_owned(), distance, details: D::read(&row)? })
        })
        .collect()
}

/// Lists that a search through an IVFFlat index reads.
pub(crate) fn probes(lists: usize) -> usize {
    (PROBES_A_ROOT * (lists as f64).sqrt()).ceil() as usize
}

pub(crate) fn number(value: usize) -> CString {
    CString::new(value.to_string()).unwrap_or_default()
}
