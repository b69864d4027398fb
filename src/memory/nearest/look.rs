//! One look into an index: the rows that count among the candidates that it gives.

use super::doubt::JUDGED;
use super::target::{Details, Near, RowsOf, read};
use super::{PLANNING, Search};
use crate::memory::space::{Index, Method};
use crate::pg::large::OrderByIndex;
use crate::pg::local_settings::{LocalSettings, own_value};
use crate::pg::plan::Order;
use pgrx::spi::SpiClient;
use std::ffi::CString;

/// Lists that a search through an IVFFlat index reads (`ivfflat.probes`), for the root of all of its lists;
/// pgvector's documentation begins with one. And so many rows for each candidate: of the rows of those
/// lists only the nearest are the nearest of all.
const PROBES_A_ROOT: f64 = 2.0;
const ROWS_OF_LISTS: usize = 10;
/// Vectors that a search visits for each row that it gives, where the index is followed.
const VISITS_A_ROW: usize = 30;
/// Rows that are looked up at once, for eight that are wanted: nearly all of them count.
const LOOKED_UP_FOR_EIGHT: usize = 9;

/// How an index is looked into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Look {
    /// Candidates.
    pub(super) width: usize,
    /// Rows that it is to give.
    pub(super) limit: usize,
    /// Whether it goes on to the next candidates, until it has given so many. HNSW alone can.
    pub(super) is_followed: bool,
}

/// What a look gave.
pub(super) struct Seen<D> {
    /// How many rows count. Of those whose rows were not looked up it is the keys that do.
    pub(super) found: usize,
    /// The nearest of them.
    pub(super) near: Vec<Near<D>>,
    /// The distances of all that were found.
    pub(super) distances: Vec<f64>,
}

impl<D> Seen<D> {
    fn of(near: Vec<Near<D>>) -> Self {
        let distances = near.iter().map(|near| near.distance).collect();
        Self { found: near.len(), near, distances }
    }
}

impl Look {
    /// Looks into the index; for a few more rows than it is to give, where that shows what the index gives.
    pub(super) fn run<D: Details>(
        self,
        search: &Search<'_>,
        client: &mut SpiClient<'_>,
        index: &Index,
    ) -> Seen<D> {
        let look = Self { limit: self.limit.max(JUDGED), ..self };
        let _index = OrderByIndex::only(index.relation);
        match index.method {
            Method::Hnsw { .. } => look.through_graph(search, client, index),
            Method::IvfFlat { lists } => look.through_lists(search, client, index, lists),
        }
    }

    fn through_lists<D: Details>(
        self,
        search: &Search<'_>,
        client: &mut SpiClient<'_>,
        index: &Index,
        lists: usize,
    ) -> Seen<D> {
        let rows_a_list = (search.vectors.rows / lists as f64).max(1.0) as usize;
        let own = own_value(c"ivfflat.probes").and_then(|value| value.parse().ok());
        let probes = own.unwrap_or(probes(lists)).max(ROWS_OF_LISTS * self.width / rows_a_list);
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
        let sql = search.statements::<D>().look_into_lists(index, self.width, self.limit);
        Seen::of(read(&search.parameters.run(client, &sql)))
    }

    /// HNSW gives the candidates that it is told to keep.
    fn through_graph<D: Details>(
        self,
        search: &Search<'_>,
        client: &mut SpiClient<'_>,
        index: &Index,
    ) -> Seen<D> {
        let (width, visits) = (number(self.width), number(VISITS_A_ROW * self.limit));
        let _settings = LocalSettings::set(&[
            (c"hnsw.ef_search", &width),
            (c"hnsw.iterative_scan", if self.is_followed { c"relaxed_order" } else { c"off" }),
            (c"hnsw.max_scan_tuples", &visits),
            (c"hnsw.scan_mem_multiplier", c"16"),
        ]);
        if let Some(seen) = self.nearest_first(search, client, index) {
            return seen;
        }
        let sql = search.statements::<D>().look(index, self.limit);
        Seen::of(read(&search.parameters.run_kept(client, sql, Order::OfIndex)))
    }

    /// Without a filter nearly each vector that meets the keys has a row that counts: the keys say how many there are,
    /// and the rows of the nearest are looked up. None where that cannot be, or was not enough. (An index that is
    /// followed, or is not over the vectors themselves, gives the nearest in about their order only.)
    fn nearest_first<D: Details>(
        self,
        search: &Search<'_>,
        client: &mut SpiClient<'_>,
        index: &Index,
    ) -> Option<Seen<D>> {
        let RowsOf::Space(rows) = search.target.rows else { return None };
        let first = (search.wanted * LOOKED_UP_FOR_EIGHT).div_ceil(8);
        if rows.is_filtered || self.is_followed || !index.is_exact || first >= self.limit {
            return None;
        }
        let sql = search.statements::<D>().look_by_keys(rows, index, first, self.limit);
        let rows = search.parameters.run_kept(client, sql, Order::OfIndex);
        let distances = rows.iter::<6>().filter_map(|row| row.float(1)).collect();
        let seen = Seen { found: rows.count(), near: read(&rows), distances };
        (seen.found < self.limit || seen.near.len() >= search.wanted).then_some(seen)
    }
}

/// Lists that a search through an IVFFlat index reads.
pub(crate) fn probes(lists: usize) -> usize {
    (PROBES_A_ROOT * (lists as f64).sqrt()).ceil() as usize
}

pub(crate) fn number(value: usize) -> CString {
    CString::new(value.to_string()).unwrap_or_default()
}
