//! The nearest vectors under any condition: as many as asked for, if there are so many.
//!
//! An index on vectors gives rows by distance and knows nothing of conditions: where few rows meet
//! them it runs dry, and gives fewer rows than exist. What counts is the neighbourhood of the query, and that a look into
//! the index tells; how many rows meet the conditions elsewhere does not matter. So a search takes the first of these
//! strategies that fits:
//!
//! | strategy | taken | because | plan |
//! |---|---|---|---|
//! | compare by keys (`compare_keys`) | without an index that serves; where the table, or what the keys give of it, is small | a look would take longer | `exact` |
//! | compare what the index on the metadata gives (`compare_probed`) | where that index itself tells that a filter leaves few rows | the same | `exact` |
//! | compare some namespaces (`compare_namespaces`) | where the index on those says that they have few memories | the same | `exact` |
//! | compare a rare filter while counting (`compare_rare`) | where Postgres expects a filter to leave few rows, and it does | the same; only Postgres knows the values that are rare | `exact` |
//! | look once (`look_once`) | where one look can give what is wanted; it is the answer if half as many again as are wanted count | those that count around the query are the nearest | `index` |
//! | look past a crowd (`look_past_crowd`) | where half of what the look gave is the same few vectors | a graph may lead to them and not away again (`doubt`) | `index_wide` |
//! | look for many (`look_for_many`) | where more are wanted than one look can give for sure; it is the answer if so many count all the same | as before | `index` |
//! | compare the scope (`compare_scope`) | after a look that found too few, where the scope has few rows | it takes less time than the look that would be wide enough | `exact` |
//! | look wider (`look_further`) | else, as wide as the first look has told | the nearest thousand are known for sure, and those of them that count are the nearest that do | `index_wide` |
//! | follow the index (`look_further`) | else, after a look for many, where most rows around the query count | elsewhere it finds enough, but not the nearest: of clusters that are far apart a third | `index_wide` |
//! | compare the scope (`compare_large`) | where nothing of that gave enough, or too few are as similar as asked for | there may be more | `exact_after_index` |
//!
//! `target` is what a search is about, `sql` builds all statements, `compare`, `look` and `count` run them, `through_index`
//! has the strategies that look, `breadth` says how far. Statistics decide nothing but whether
//! `compare_rare`, and in a table of somebody's `keys_are_few`, begin to count: what they promise is checked.

mod breadth;
mod compare;
mod count;
mod doubt;
mod look;
mod probe;
mod scopes;
mod sql;
mod target;
mod through_index;
mod unknown;

pub(crate) use breadth::for_ten;
pub(crate) use look::{number, probes};
pub(in crate::memory) use probe::{gives_few, index_on_metadata};
pub(in crate::memory) use scopes::LargeScopes;
pub(crate) use target::{Details, Keys, Near, Probe, RowsOf, SpaceRows, Target, merge};
pub(in crate::memory) use unknown::has_outgrown;

use super::space::{Index, Method, Vectors};
use crate::pg::query::Parameters;
use crate::pg::role;
use breadth::Breadth;
use count::AtMost;
use pgrx::spi::SpiClient;
use sql::Statements;
use std::ffi::CStr;
use through_index::{First, Further};

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

    /// What is called so.
    pub(crate) fn named(name: &str) -> Self {
        let all = [Plan::Index, Plan::IndexWide, Plan::ExactAfterIndex, Plan::Text];
        all.into_iter().find(|plan| plan.name() == name).unwrap_or(Plan::Exact)
    }

    pub(crate) fn is_from_index(self) -> bool {
        matches!(self, Plan::Index | Plan::IndexWide)
    }
}

/// Tables of this size are compared. So are scopes, as far as a search through the index would take
/// longer: up to `FACTOR · √(wanted · rows)`. More than so many, and so many for each wanted row, are not
/// counted before a look into the index.
const SMALL: usize = 2_000;
const FACTOR: f64 = 3.0;
const COUNTED_A_ROW: usize = 20;

/// What the index on the metadata gives is compared before anything is counted if it is no more than this; and rather than all of the
/// scope, where nothing else found enough, if it is no more than the second, or a fraction of the keys' rows: these are read in a row, and
/// the index's one by one.
const PROBED_FIRST: usize = 200;
const PROBED_LAST: usize = 10_000;
const OF_THE_KEYS: f64 = 8.0;

/// Settings for queries that are planned for their values. What compiling and starting workers cost, such
/// a query does not bring in: a thousand rows are compared before the first worker is there.
const PLANNING: &[(&CStr, &CStr)] =
    &[(c"enable_seqscan", c"off"), (c"jit", c"off"), (c"max_parallel_workers_per_gather", c"0")];

/// A search for the `wanted` nearest rows.
pub(crate) struct Search<'s> {
    pub(crate) vectors: &'s Vectors,
    pub(crate) target: &'s Target<'s>,
    pub(crate) parameters: &'s Parameters,
    /// The query vector, as its parameter is named.
    pub(crate) query: &'s str,
    pub(crate) wanted: usize,
    /// How many of them are to be the nearest for sure; the others are candidates.
    pub(crate) certain: usize,
    /// Those that are less similar do not count.
    pub(crate) least: Option<f64>,
    /// Whether they are to be unlike each other.
    pub(crate) is_diverse: bool,
}

impl Search<'_> {
    /// The nearest rows, and how they were found. Only if there are fewer are there fewer than wanted. Where they are
    /// to be unlike each other, and most have the vector of another one, more of the others.
    pub(crate) fn run<D: Details>(&self, client: &mut SpiClient<'_>) -> (Vec<Near<D>>, Plan) {
        let _unknown = self.is_unknown(client).then(unknown::ByKeysAlone::begin);
        let (mut near, mut plan) = self.find(client);
        if plan.is_from_index() && self.are_too_few(&near) {
            (near, plan) = (self.compare_large(client), Plan::ExactAfterIndex);
        }
        if self.is_diverse && near.len() >= self.wanted && self.distinct(&near) < self.certain {
            near = self.with_others(client, near);
        }
        (near, plan)
    }

    /// The nearest, by the first strategy that fits.
    fn find<D: Details>(&self, client: &mut SpiClient<'_>) -> (Vec<Near<D>>, Plan) {
        if let Some(near) = self.compare_namespaces(client, self.small().filtered) {
            return (near, Plan::Exact);
        }
        if self.vectors.rows <= SMALL as f64 {
            return (self.compare_keys(client), Plan::Exact);
        }
        let small = self.small();
        if let Some(near) = self.compare_probed(client, PROBED_FIRST) {
            return (near, Plan::Exact);
        }
        if self.keys_are_few(client, small) {
            return (self.compare_keys(client), Plan::Exact);
        }
        if let Some(near) = self.compare_probed(client, small.filtered) {
            return (near, Plan::Exact);
        }
        if let Some(near) = self.compare_rare(client, small) {
            return (near, Plan::Exact);
        }
        let Some(index) = self.index(client) else {
            return (self.compare_keys(client), Plan::Exact);
        };
        let breadth = Breadth::of(self, &index);
        let first = match breadth.is_beyond_one {
            true => self.look_for_many(client, &index, &breadth),
            false => self.look_once(client, &index, &breadth, small),
        };
        let further = match first {
            First::Enough(near) => return (near, Plan::Index),
            First::Crowded => self.look_past_crowd(client, &index),
            First::TooFew(Further { compare, look }) => {
                if let Some(most) = compare {
                    if let Some(near) = self.compare_probed(client, most.filtered) {
                        return (near, Plan::Exact);
                    }
                    if self.scope_has(client, most) {
                        return (self.compare_scope(client), Plan::Exact);
                    }
                }
                look.and_then(|look| self.look_further(client, &index, look))
            }
        };
        match further {
            Some(near) => (near, Plan::IndexWide),
            None => (self.compare_large(client), Plan::ExactAfterIndex),
        }
    }

    /// Scopes of this size are compared before an index is looked into.
    fn small(&self) -> AtMost {
        let sooner = FACTOR * (self.wanted as f64 * self.vectors.rows).sqrt();
        let by_keys = (sooner as usize).min(SMALL.max(COUNTED_A_ROW * self.wanted));
        AtMost { by_keys, filtered: by_keys.min(SMALL) }
    }

    /// The index to look into. Where policies leave out rows before they are candidates, those of a few lists say
    /// nothing.
    fn index(&self, client: &mut SpiClient<'_>) -> Option<Index> {
        let index = self.vectors.index(client, self.query)?;
        let serves =
            matches!(index.method, Method::Hnsw { .. }) || !role::is_secured(self.vectors.relation);
        serves.then_some(index)
    }

    fn statements<D: Details>(&self) -> Statements<'_> {
        let Self { vectors, target, query, .. } = self;
        Statements { vectors, target, query, details: D::COLUMNS }
    }

    /// The nearest of the rows that were found.
    fn cut<D>(&self, near: Vec<Near<D>>) -> Vec<Near<D>> {
        merge(near, Vec::new(), self.wanted)
    }
}
