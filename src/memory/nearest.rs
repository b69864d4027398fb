//! The nearest vectors under any condition: as many as asked for, if there are so many.
//!
//! An index on vectors gives rows by distance and knows nothing of conditions: where few rows meet
//! them it runs dry, and gives fewer rows than exist. So:
//!
//! 1. No index, or a table or scope so small that all of it is compared sooner: **exact**. What its keys
//!    give is counted; where a filter may leave much less, that is counted if Postgres, which knows which
//!    values are rare, expects it to be little.
//! 2. Otherwise a look into the index. Where half as many rows again as are wanted meet the condition, the
//!    nearest of them are the answer (**index**). It does not matter how many rows meet it elsewhere: what
//!    counts is the neighbourhood of the query.
//! 3. Where fewer do, the look has told how much wider one would have to look. The rows of the scope are
//!    counted, up to where comparing them is no longer cheaper: up to there **exact**.
//! 4. Beyond, a wider look (**index_wide**), and where even that gives too little, all of the scope is
//!    compared (**exact_after_index**).
//!
//! pgvector can also follow its index from one look to the next (`hnsw.iterative_scan`). Where rows that
//! count lie far from the query it finds enough of them that way, but not the nearest: in clusters that
//! are far apart, a third. So it is done only where more rows are wanted than one look can give, most rows around
//! the query count, and there are too many to compare.
//!
//! And what an index gave is not believed blindly (`doubt`): where many rows have the same vector, a graph may lead to
//! them and not away again, and where a least similarity is asked for, too few rows mean that there are no more.

use super::doubt::Doubt;
use super::look::Look;
use super::space::{Index, Method, Vectors};
use super::width::{self, OfScopes};
use crate::pg::plan::{LocalSettings, Row, Rows, own_value};
use crate::pg::query::Parameters;
use crate::pg::role;
use pgrx::spi::SpiClient;
use std::ffi::CStr;

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

    fn is_from_index(self) -> bool {
        matches!(self, Plan::Index | Plan::IndexWide)
    }
}

/// Tables of this size are compared. So are scopes, as far as a search through the index would take
/// longer: up to `FACTOR · √(wanted · rows)`. More than so many, and so many for each wanted row, are not
/// counted before a look into the index.
const SMALL: usize = 2_000;
const FACTOR: f64 = 3.0;
const COUNTED_A_ROW: usize = 20;
/// Candidates of an IVFFlat index for up to ten rows; and where a look takes so many for each ten, or those
/// that `hnsw.ef_search` says where somebody has set it, and that is more than pgvector's limit, it is followed further.
const CANDIDATES: usize = 150;
const MAX_CANDIDATES: usize = 1_000;
/// A width that was wide enough is narrowed by this part of it, until it is not.
const NARROWED_BY: usize = 96;
/// Fewer rows than this say nothing of how many there are around.
const FEW: usize = 4;
/// Rows that are compared in the time in which a look takes one more candidate: by their keys, or looked
/// up by a filter.
const ROWS_A_CANDIDATE: usize = 5;
const FILTERED_ROWS_A_CANDIDATE: usize = 2;
/// And for each row that the index is followed for.
const ROWS_A_FOLLOWED_ROW: usize = 100;

thread_local! {
    /// Whether the scope is so small.
    static FEW_KEYS: OfScopes<bool> = OfScopes::default();
    /// How wide a look had to be for so many rows.
    static WIDTHS: OfScopes<usize> = OfScopes::default();
}

/// What a search brings with each row: four columns.
pub(crate) trait Details: Sized {
    const COLUMNS: &'static str;
    /// From the third column on.
    fn read(row: &Row<'_, 6>) -> Option<Self>;
    /// The text, where that is among them.
    fn content(&self) -> &str {
        ""
    }
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
    /// Those that are less similar do not count.
    pub(crate) least: Option<f64>,
    /// Whether they are to be unlike each other.
    pub(crate) is_diverse: bool,
}

/// How broad a look into an index is to be.
struct Breadth {
    /// Rows that it is to give.
    limit: usize,
    /// Candidates, where the scope needs no more; and whether it is followed to the next ones.
    least: usize,
    is_followed: bool,
    /// What to try beside: the narrower of both levels, and the candidates of the other one.
    other: Option<(usize, usize)>,
}

/// Settings for queries that are planned for their values. What compiling and starting workers cost, such
/// a query does not bring in: a thousand rows are compared before the first worker is there.
pub(super) const PLANNING: &[(&CStr, &CStr)] =
    &[(c"enable_seqscan", c"off"), (c"jit", c"off"), (c"max_parallel_workers_per_gather", c"0")];

impl Search<'_> {
    /// The nearest rows, and how they were found. Only if there are fewer are there fewer than wanted. Where they are
    /// to be unlike each other, and most have the vector of another one, more of the others.
    pub(crate) fn run<D: Details>(&self, client: &mut SpiClient<'_>) -> (Vec<Near<D>>, Plan) {
        let (mut near, plan) = self.find(client);
        let (near, plan) = if plan.is_from_index() && self.are_too_few(&near) {
            near = self.exact(client);
            (near, Plan::ExactAfterIndex)
        } else {
            (near, plan)
        };
        if self.is_diverse && near.len() >= self.wanted && self.distinct(&near) < self.certain {
            return (self.with_others(client, near), plan);
        }
        (near, plan)
    }

    /// The nearest, as they come by the plan that suits the scope.
    fn find<D: Details>(&self, client: &mut SpiClient<'_>) -> (Vec<Near<D>>, Plan) {
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
        if let Some(beside) = filter
            && let Some(near) = self.by_rare_filter(client, beside, small.min(SMALL))
        {
            return (near, Plan::Exact);
        }
        // Where policies leave out rows before they are candidates, those of a few lists say nothing.
        let index = self.vectors.index(client, self.query).filter(|index| {
            matches!(index.method, Method::Hnsw { .. }) || !role::is_secured(self.vectors.relation)
        });
        let Some(index) = index else { return (self.by_keys(client), Plan::Exact) };
        let scope = (self.vectors.relation.to_u32(), self.condition.scope_hash, self.wanted);
        let breadth = self.breadth(&index);
        if breadth.is_followed {
            return self.many(client, &index, breadth.limit);
        }
        let width = WIDTHS.with(|known| known.get(scope)).unwrap_or(breadth.least);
        let width = width.max(breadth.least);
        let limit = breadth.limit;
        let look = self.look(client, &index, width, false, limit);
        if look.found >= limit {
            if look.is_doubtful(self) {
                return self.past_the_same(client, &index);
            }
            if width > breadth.least {
                // The next one may do with less, until one does not.
                let less = width - (width / NARROWED_BY).max(1);
                WIDTHS.with(|known| known.set(scope, less));
            }
            let near = if width == breadth.least {
                self.tried(client, &index, &breadth, look)
            } else {
                look.near
            };
            return (self.cut(near), Plan::Index);
        }
        let wider =
            if look.found < FEW { MAX_CANDIDATES } else { width * limit / look.found * 3 / 2 };
        let wider = wider.min(MAX_CANDIDATES);
        // Keys alone are known to give more than `small`.
        let is_worth_counting = filter.is_some() || wider * ROWS_A_CANDIDATE > small;
        if is_worth_counting
            && self.scope_has_at_most(
                client,
                wider * ROWS_A_CANDIDATE,
                wider * FILTERED_ROWS_A_CANDIDATE,
            )
        {
            return (self.exact(client), Plan::Exact);
        }
        if wider > width {
            let look = self.look(client, &index, wider, false, limit);
            if look.found >= limit && !look.is_doubtful(self) {
                WIDTHS.with(|known| known.set(scope, wider.min(width + width / 4)));
                return (self.cut(look.near), Plan::IndexWide);
            }
        }
        (self.exact(client), Plan::ExactAfterIndex)
    }

    /// More rows than one look can give for sure. To follow the index finds the nearest only where most rows
    /// around the query count, and takes longer for each row than to compare many.
    fn many<D: Details>(
        &self,
        client: &mut SpiClient<'_>,
        index: &Index,
        limit: usize,
    ) -> (Vec<Near<D>>, Plan) {
        let around = limit.min(MAX_CANDIDATES);
        let look = self.look(client, index, MAX_CANDIDATES, false, around);
        if look.found >= limit && !look.is_doubtful(self) {
            return (self.cut(look.near), Plan::Index);
        }
        let most = limit * ROWS_A_FOLLOWED_ROW;
        if self.scope_has_at_most(client, most, most / 2) {
            return (self.exact(client), Plan::Exact);
        }
        if 2 * look.found >= around {
            let look = self.look(client, index, MAX_CANDIDATES, true, limit);
            if look.found >= limit && !look.is_doubtful(self) {
                return (self.cut(look.near), Plan::IndexWide);
            }
        }
        (self.exact(client), Plan::ExactAfterIndex)
    }

    /// Where a look gave the same vector again and again: as wide a look as there is, and where that does not lead
    /// past them, all of the scope.
    fn past_the_same<D: Details>(
        &self,
        client: &mut SpiClient<'_>,
        index: &Index,
    ) -> (Vec<Near<D>>, Plan) {
        let look = self.look(client, index, MAX_CANDIDATES, false, MAX_CANDIDATES);
        if look.found >= MAX_CANDIDATES / 2
            && look.near.len() >= self.wanted
            && !look.is_doubtful(self)
        {
            return (self.cut(look.near), Plan::IndexWide);
        }
        (self.exact(client), Plan::ExactAfterIndex)
    }

    /// How broad a look into the index is to be.
    fn breadth(&self, index: &Index) -> Breadth {
        // The last of those that the index gives are the least certain, and an order that is only about
        // right wants more to choose from.
        let certain = (3 * self.certain).div_ceil(2);
        let limit = if index.is_exact { certain.max(self.wanted) } else { 4 * self.wanted };
        let Method::Hnsw { ef_construction } = index.method else {
            let least = self.candidates(CANDIDATES, limit);
            return Breadth { limit, least, is_followed: false, other: None };
        };
        let own = own_value(c"hnsw.ef_search").and_then(|value| value.parse().ok());
        let is_followed =
            self.candidates(own.unwrap_or(CANDIDATES).min(CANDIDATES), limit) > MAX_CANDIDATES;
        let (level, other) = match own {
            Some(own) => (own, None),
            None => width::of_index(index.relation.to_u32(), ef_construction, |level| {
                (level.candidates(), if is_followed { None } else { level.trial() })
            }),
        };
        let within = |level| self.candidates(level, limit).min(MAX_CANDIDATES);
        let least = within(level);
        let other = other.map(|other| (level.min(other), within(other)));
        Breadth { limit, least, is_followed, other: other.filter(|(_, width)| *width != least) }
    }

    /// Candidates of a look that is to give `limit` rows, where it takes so many for up to ten.
    fn candidates(&self, for_ten: usize, limit: usize) -> usize {
        (for_ten * self.certain.max(10)).div_ceil(10).max(limit)
    }

    /// What a look gave, or where it is time to try another width, what the wider of both gave.
    fn tried<D: Details>(
        &self,
        client: &mut SpiClient<'_>,
        index: &Index,
        breadth: &Breadth,
        look: Look<D>,
    ) -> Vec<Near<D>> {
        let Some((narrower, width)) = breadth.other else { return look.near };
        let (near, other) = (look.near, self.look(client, index, width, false, breadth.limit));
        if other.found < breadth.limit {
            return near;
        }
        let other = other.near;
        let (narrow, wide) = if width > breadth.least { (near, other) } else { (other, near) };
        let (narrow, wide) = (self.cut(narrow), self.cut(wide));
        // By distance: of equal ones any is as good.
        let sure = &wide[..wide.len().min(self.certain)];
        if let (Some(last), Method::Hnsw { ef_construction }) = (sure.last(), index.method) {
            let found = narrow.iter().filter(|near| near.distance <= last.distance).count();
            let share = found.min(sure.len()) as f64 / sure.len() as f64;
            width::of_index(index.relation.to_u32(), ef_construction, |level| {
                level.note(narrower, share)
            });
        }
        wide
    }

    /// The nearest of the rows, by distance; equal ones by their key, so that the order is always the same.
    pub(super) fn cut<D>(&self, near: Vec<Near<D>>) -> Vec<Near<D>> {
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
            return self.parameters.few(client, &scope, small).is_some();
        }
        let scope = (self.vectors.relation.to_u32(), self.condition.keys_hash, small);
        FEW_KEYS.with(|known| known.get(scope)).unwrap_or_else(|| {
            let few = self.keys_give_at_most(client, small);
            FEW_KEYS.with(|known| known.set(scope, few));
            few
        })
    }

    /// Whether the scope has so few rows: of keys alone, or where there is a filter.
    fn scope_has_at_most(
        &self,
        client: &mut SpiClient<'_>,
        by_keys: usize,
        by_filter: usize,
    ) -> bool {
        match &self.condition.beside {
            Some(beside) if beside.is_filtered => {
                self.has_at_most(client, &beside.scope, by_filter)
            }
            _ => self.keys_give_at_most(client, by_keys),
        }
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

pub(super) fn read<D: Details>(rows: &Rows<'_>) -> Vec<Near<D>> {
    rows.iter().filter_map(|row| near(&row)).collect()
}

/// None where there is nothing to tell of the row: what it was looked up for does not hold.
pub(super) fn near<D: Details>(row: &Row<'_, 6>) -> Option<Near<D>> {
    let details = D::read(row)?;
    Some(Near { key: row.text(0)?.to_owned(), distance: distance(row), details })
}

/// A zero vector has no direction: as Postgres sorts it, behind all others.
pub(super) fn distance(row: &Row<'_, 6>) -> f64 {
    row.float(1).filter(|distance| !distance.is_nan()).unwrap_or(f64::INFINITY)
}
