//! How broad the first look into an index is to be.

use super::Search;
use super::width::{self, OfScopes, Scope};
use crate::memory::space::{Index, Method};
use crate::pg::local_settings::own_value;

/// Candidates of an IVFFlat index for up to ten rows; and where a look takes so many for each ten, or those
/// that `hnsw.ef_search` says where somebody has set it, and that is more than pgvector's limit, one look is not enough.
const CANDIDATES: usize = 150;
pub(super) const MAX_CANDIDATES: usize = 1_000;
/// A width that was wide enough is narrowed by this part of it, until it is not.
const NARROWED_BY: usize = 96;

thread_local! {
    /// How wide a look had to be for so many rows.
    static WIDTHS: OfScopes<usize> = OfScopes::default();
}

pub(super) struct Breadth {
    /// Rows that the look is to give.
    pub(super) limit: usize,
    /// Candidates: what the scope needed last time, and at least what the index needs.
    pub(super) width: usize,
    pub(super) least: usize,
    /// Whether more rows are wanted than one look can give for sure.
    pub(super) is_beyond_one: bool,
    /// What to try beside.
    pub(super) trial: Option<Trial>,
    scope: Scope,
}

/// Another number of candidates.
pub(super) struct Trial {
    pub(super) width: usize,
    /// The narrower of both levels.
    pub(super) narrower: usize,
}

impl Breadth {
    pub(super) fn of(search: &Search<'_>, index: &Index) -> Self {
        // The last of those that the index gives are the least certain, and an order that is only about
        // right wants more to choose from.
        let certain = (3 * search.certain).div_ceil(2);
        let limit = if index.is_exact { certain.max(search.wanted) } else { 4 * search.wanted };
        // A look that is to give `limit` rows, where it takes so many candidates for up to ten.
        let candidates =
            |for_ten: usize| (for_ten * search.certain.max(10)).div_ceil(10).max(limit);
        let scope = (search.vectors.relation.to_u32(), search.target.hash, search.wanted);
        let known = || WIDTHS.with(|known| known.get(scope)).unwrap_or(0);
        let Method::Hnsw { ef_construction } = index.method else {
            let least = candidates(CANDIDATES);
            let width = known().max(least);
            return Self { limit, width, least, is_beyond_one: false, trial: None, scope };
        };
        let own = own_value(c"hnsw.ef_search").and_then(|value| value.parse().ok());
        let is_beyond_one = candidates(own.unwrap_or(CANDIDATES).min(CANDIDATES)) > MAX_CANDIDATES;
        let (level, other) = match own {
            Some(own) => (own, None),
            None => width::of_index(index.relation.to_u32(), ef_construction, |level| {
                (level.candidates(), if is_beyond_one { None } else { level.trial() })
            }),
        };
        let within = |level| candidates(level).min(MAX_CANDIDATES);
        let least = within(level);
        let trial = other
            .map(|other| Trial { width: within(other), narrower: level.min(other) })
            .filter(|trial| trial.width != least);
        let width = if is_beyond_one { MAX_CANDIDATES } else { known().max(least) };
        Self { limit, width, least, is_beyond_one, trial, scope }
    }

    /// The width was enough: the next search of the scope may do with less, until one does not.
    pub(super) fn was_enough(&self) {
        if self.width > self.least {
            self.remember(self.width - (self.width / NARROWED_BY).max(1));
        }
    }

    /// It was not, and `wider` was.
    pub(super) fn was_too_narrow(&self, wider: usize) {
        self.remember(wider.min(self.width + self.width / 4));
    }

    fn remember(&self, width: usize) {
        WIDTHS.with(|known| known.set(self.scope, width));
    }
}
