//! A look into an index: the rows of a scope among the candidates that it gives.

use super::nearest::{Beside, Condition, Details, Near, PLANNING, Search, read};
use super::space::{Index, Method};
use crate::pg::large::OrderByIndex;
use crate::pg::plan::{LocalSettings, Order, own_value};
use pgrx::spi::SpiClient;
use std::ffi::CString;

/// Lists that a search through an IVFFlat index reads (`ivfflat.probes`), for the root of all of its lists;
/// pgvector's documentation begins with one. And so many rows for each candidate: of the rows of those
/// lists only the nearest are the nearest of all.
const PROBES_A_ROOT: f64 = 2.0;
const ROWS_OF_LISTS: usize = 10;
/// Vectors that a search visits for each row that it gives, where one look cannot give as many as wanted.
const VISITS_A_ROW: usize = 30;
/// What is looked up with a look, for each row that is wanted: nearly all of them hold.
const LOOKED_UP_FOR_EIGHT: usize = 9;

/// What a look gave.
pub(super) struct Look<D> {
    /// How many rows meet the conditions; of those that were not looked up, the ones on keys.
    pub(super) found: usize,
    /// The nearest of them.
    pub(super) near: Vec<Near<D>>,
    /// The distances of all that were found.
    pub(super) distances: Vec<f64>,
}

impl<D> Look<D> {
    fn of(near: Vec<Near<D>>) -> Self {
        let distances = near.iter().map(|near| near.distance).collect();
        Self { found: near.len(), near, distances }
    }
}

impl Search<'_> {
    /// Looks for `limit` rows among the candidates that the index gives: so many, or where they are followed
    /// so many at a time.
    pub(super) fn look<D: Details>(
        &self,
        client: &mut SpiClient<'_>,
        index: &Index,
        width: usize,
        is_followed: bool,
        limit: usize,
    ) -> Look<D> {
        // By a few more it is seen what the index gives.
        let limit = limit.max(self.judged(client, width));
        let _index = OrderByIndex::only(index.relation);
        match index.method {
            Method::Hnsw { .. } => self.through_graph(client, index, width, is_followed, limit),
            Method::IvfFlat { lists } => self.through_lists(client, index, lists, width, limit),
        }
    }

    fn through_lists<D: Details>(
        &self,
        client: &mut SpiClient<'_>,
        index: &Index,
        lists: usize,
        width: usize,
        limit: usize,
    ) -> Look<D> {
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
        Look::of(read(&self.parameters.run(client, &sql)))
    }

    /// HNSW gives the candidates that it is told to keep.
    fn through_graph<D: Details>(
        &self,
        client: &mut SpiClient<'_>,
        index: &Index,
        width: usize,
        is_followed: bool,
        limit: usize,
    ) -> Look<D> {
        let (width, visits) = (number(width), number(VISITS_A_ROW * limit));
        let _settings = LocalSettings::set(&[
            (c"hnsw.ef_search", &width),
            (c"hnsw.iterative_scan", if is_followed { c"relaxed_order" } else { c"off" }),
            (c"hnsw.max_scan_tuples", &visits),
            (c"hnsw.scan_mem_multiplier", c"16"),
        ]);
        let Condition { keys, key, beside, .. } = self.condition;
        let (distance, table) = (self.vectors.distance(self.query), &self.vectors.table);
        let (order, details) = (&index.order_by, D::COLUMNS);
        let Some(Beside { lookup, column, is_filtered, .. }) = beside else {
            let sql = format!(
                "SELECT {key}, {distance}, {details} FROM {table} AS e WHERE {keys} \
                 ORDER BY {order} LIMIT {limit}"
            );
            return Look::of(read(&self.parameters.run_kept(client, sql, Order::OfIndex)));
        };
        // Nearly all that the keys give holds: how many there are is seen without looking them all up. What
        // does not hold has no key. (An index that is followed gives the nearest in about their order only.)
        let first = (self.wanted * LOOKED_UP_FOR_EIGHT).div_ceil(8);
        if !is_filtered && index.is_exact && !is_followed && first < limit {
            let sql = format!(
                "SELECT m.key, e.distance, m.a, m.b, m.c, m.d \
                 FROM (SELECT e.*, pg_catalog.row_number() OVER () AS place \
                       FROM (SELECT {column}, {distance} AS distance FROM {table} AS e WHERE {keys} \
                             ORDER BY {order} LIMIT {limit}) AS e) AS e \
                 LEFT JOIN LATERAL (SELECT {key} AS key, {details} \
                                    FROM {lookup} AND e.place <= {first} OFFSET 0) \
                     AS m (key, a, b, c, d) ON true"
            );
            let rows = self.parameters.run_kept(client, sql, Order::OfIndex);
            let distances = rows.iter::<6>().filter_map(|row| row.float(1)).collect();
            let look = Look { found: rows.count(), near: read(&rows), distances };
            if look.found < limit || look.near.len() >= self.wanted {
                return look;
            }
        }
        // A subquery of its own: it is looked up for each row of the index, in the index's order.
        let sql = format!(
            "SELECT {key}, {distance}, m.* FROM {table} AS e \
             CROSS JOIN LATERAL (SELECT {details} FROM {lookup} OFFSET 0) AS m \
             WHERE {keys} ORDER BY {order} LIMIT {limit}"
        );
        Look::of(read(&self.parameters.run_kept(client, sql, Order::OfIndex)))
    }
}

/// Lists that a search through an IVFFlat index reads.
pub(crate) fn probes(lists: usize) -> usize {
    (PROBES_A_ROOT * (lists as f64).sqrt()).ceil() as usize
}

pub(crate) fn number(value: usize) -> CString {
    CString::new(value.to_string()).unwrap_or_default()
}
