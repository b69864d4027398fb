//! How broad a look into an index is to be.
//!
//! How many candidates find the nearest lies in the data and in how the index was built: of points around centres 40 find all, of
//! texts a hundred find 98 in 100, and there is data for which they find 85. So a space has a width of its own, which
//! `recall_check` proposes; the session's `hnsw.ef_search` goes before it. Nothing here is learnt: the same question takes the same
//! candidates in each session and at any time.

use super::Search;
use crate::memory::space::{Index, Method};
use crate::pg::local_settings::own_value;

/// Candidates for up to ten rows, where nobody has said how many: of an HNSW index that was built with so many (`ef_construction`) or
/// more, of others, and of an IVFFlat index. pgvector's default for building is 64, and `index_advice` asks for 128.
const THOROUGH: usize = 100;
const OF_THOROUGH: usize = 100;
const OF_OTHERS: usize = 200;
const OF_LISTS: usize = 150;
/// pgvector's limit. Where more are needed for what is wanted, one look is not enough; for that no more than the second count for ten.
pub(super) const MAX_CANDIDATES: usize = 1_000;
const MOST_FOR_TEN: usize = 150;

pub(super) struct Breadth {
    /// Rows that the look is to give.
    pub(super) limit: usize,
    /// Candidates.
    pub(super) width: usize,
    /// Whether more rows are wanted than one look can give for sure.
    pub(super) is_beyond_one: bool,
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
        let for_ten = for_ten(search.vectors.search_width, index);
        match index.method {
            Method::IvfFlat { .. } => {
                Self { limit, width: candidates(for_ten), is_beyond_one: false }
            }
            Method::Hnsw { .. } => Self {
                limit,
                width: candidates(for_ten).min(MAX_CANDIDATES),
                is_beyond_one: candidates(for_ten.min(MOST_FOR_TEN)) > MAX_CANDIDATES,
            },
        }
    }
}

/// Candidates for up to ten rows: as the session, or else the space, has it.
pub(crate) fn for_ten(of_space: Option<usize>, index: &Index) -> usize {
    let Method::Hnsw { ef_construction } = index.method else {
        return of_space.unwrap_or(OF_LISTS);
    };
    let own = own_value(c"hnsw.ef_search").and_then(|value| value.parse().ok());
    let default = if ef_construction >= THOROUGH { OF_THOROUGH } else { OF_OTHERS };
    own.or(of_space).unwrap_or(default)
}
