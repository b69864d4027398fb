//! How many candidates a look into an index takes, as a session has learnt it.
//!
//! Two things decide. How surely a look finds the nearest lies in the data and in how the index was built: of
//! points around centres 40 candidates find all, of texts a hundred find 98 in 100, and there is data for which
//! they find 85. So a session begins at a level that is right for texts, and now and then looks twice, at
//! its level and at the next one up or down. Where more candidates find nearer rows it goes up; where fewer
//! find the same it goes down. A session that searches but a few times pays nothing for that.
//!
//! And how many of the candidates meet the conditions lies in the scope: a look that found too few says how
//! wide the next one has to be.

use crate::pg::clock::now;
use std::cell::RefCell;
use std::collections::HashMap;

/// Candidates for up to ten rows; pgvector's default, `hnsw.ef_search`, is 40.
const LEVELS: [usize; 5] = [40, 100, 200, 400, 800];
/// Where a session begins: an index that was built with so many candidates (`ef_construction`) or more, or
/// with fewer. pgvector's default is 64, and `index_advice` asks for 128.
const THOROUGH: usize = 100;
const OF_THOROUGH: usize = 1;
const OF_OTHERS: usize = 2;

/// Of the rows that the wider of two looks finds, the narrower finds this share, or it is too narrow; from
/// that share on it does as well.
const TOO_FEW: f64 = 0.97;
const AS_GOOD: f64 = 0.985;
/// So many comparisons say that a level is too narrow, and so many that the lower one does as well.
const ENOUGH_TO_RISE: u32 = 8;
const ENOUGH_TO_SINK: u32 = 12;
/// Older comparisons count half each time there are so many.
const MOST_COMPARISONS: u32 = 32;
/// A new level is compared at each fourth search, until both of its neighbours should be known.
const EAGER_SEARCHES: u32 = 4 * 2 * ENOUGH_TO_SINK;
const EAGER_EVERY: u32 = 4;
const EVERY: u32 = 32;

/// A session knows so many indexes, and so many scopes.
const MAX_INDEXES: usize = 256;
const MAX_SCOPES: usize = 1_000;
/// What it knows of a scope it believes for so long, in microseconds.
const BELIEVED: i64 = 60_000_000;

/// A table, a scope, and so many rows.
pub(crate) type Scope = (u32, u64, usize);

/// What a session knows of scopes.
pub(crate) struct OfScopes<T>(RefCell<HashMap<Scope, (i64, T)>>);

impl<T> Default for OfScopes<T> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<T: Copy> OfScopes<T> {
    pub(crate) fn get(&self, scope: Scope) -> Option<T> {
        let (at, known) = self.0.borrow().get(&scope).copied()?;
        (now() < at.saturating_add(BELIEVED)).then_some(known)
    }

    pub(crate) fn set(&self, scope: Scope, known: T) {
        let mut scopes = self.0.borrow_mut();
        if scopes.len() >= MAX_SCOPES {
            scopes.clear();
        }
        scopes.insert(scope, (now(), known));
    }
}

/// The level of one index.
#[derive(Debug)]
pub(crate) struct Level {
    at: usize,
    /// Since it is at this level.
    searches: u32,
    /// Of each level and the next: how often they were compared, and the sum of the shares.
    compared: [(u32, f64); LEVELS.len() - 1],
}

thread_local! {
    static OF_INDEXES: RefCell<HashMap<u32, Level>> = RefCell::default();
}

/// Reads or changes what is known of an index.
pub(crate) fn of_index<T>(
    index: u32,
    ef_construction: usize,
    f: impl FnOnce(&mut Level) -> T,
) -> T {
    OF_INDEXES.with_borrow_mut(|indexes| {
        if indexes.len() >= MAX_INDEXES && !indexes.contains_key(&index) {
            indexes.clear();
        }
        f(indexes.entry(index).or_insert_with(|| Level::of(ef_construction)))
    })
}

impl Level {
    fn of(ef_construction: usize) -> Self {
        let at = if ef_construction >= THOROUGH { OF_THOROUGH } else { OF_OTHERS };
        Self { at, searches: 0, compared: Default::default() }
    }

    /// Candidates for up to ten rows.
    pub(crate) fn candidates(&self) -> usize {
        LEVELS[self.at]
    }

    /// What this search should try beside: so many candidates instead. Counts the search.
    pub(crate) fn trial(&mut self) -> Option<usize> {
        self.searches = self.searches.saturating_add(1);
        let every = if self.searches <= EAGER_SEARCHES { EAGER_EVERY } else { EVERY };
        if !self.searches.is_multiple_of(every) {
            return None;
        }
        let up = (self.searches / every) % 2 == 1;
        let other = match self.at {
            0 => 1,
            top if top == LEVELS.len() - 1 => top - 1,
            at if up => at + 1,
            at => at - 1,
        };
        Some(LEVELS[other])
    }

    /// Notes which share of the rows of the wider look the narrower one found, which had so many candidates.
    pub(crate) fn note(&mut self, narrower: usize, share: f64) {
        let Some(lower) = LEVELS[..LEVELS.len() - 1].iter().position(|level| *level == narrower)
        else {
            return;
        };
        let (count, sum) = &mut self.compared[lower];
        if *count >= MOST_COMPARISONS {
            *count /= 2;
            *sum /= 2.0;
        }
        *count += 1;
        *sum += share;
        let (count, share) = (*count, *sum / f64::from(*count));
        let to = if lower == self.at && count >= ENOUGH_TO_RISE && share < TOO_FEW {
            lower + 1
        } else if lower + 1 == self.at && count >= ENOUGH_TO_SINK && share >= AS_GOOD {
            lower
        } else {
            return;
        };
        self.at = to;
        self.searches = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Searches of which a look with `level` candidates finds the share `found(level)` of all there is.
    fn after(searches: u32, level: &mut Level, found: impl Fn(usize) -> f64) -> u32 {
        let mut trials = 0;
        for _ in 0..searches {
            if let Some(other) = level.trial() {
                trials += 1;
                let (narrow, wide) = (level.candidates().min(other), level.candidates().max(other));
                level.note(narrow, found(narrow) / found(wide));
            }
        }
        trials
    }

    #[test]
    fn easy_data_is_searched_with_fewer_candidates() {
        let mut level = Level::of(128);
        after(200, &mut level, |_| 1.0);
        assert_eq!(level.candidates(), 40);
    }

    #[test]
    fn hard_data_is_searched_with_more() {
        let mut level = Level::of(128);
        after(1_000, &mut level, |candidates| 1.0 - 15.0 / candidates as f64);
        assert_eq!(level.candidates(), 400);
    }

    #[test]
    fn texts_stay_where_they_are() {
        let found = |candidates| match candidates {
            40 => 0.914,
            100 => 0.980,
            200 => 0.994,
            _ => 0.999,
        };
        let mut level = Level::of(128);
        after(10_000, &mut level, found);
        assert_eq!(level.candidates(), 100);
        // An index that was built with less care begins with more.
        assert_eq!(Level::of(64).candidates(), 200);
    }

    #[test]
    fn it_follows_when_the_data_changes() {
        let mut level = Level::of(128);
        after(500, &mut level, |_| 1.0);
        assert_eq!(level.candidates(), 40);
        after(3_000, &mut level, |candidates| 1.0 - 4.0 / candidates as f64);
        assert_eq!(level.candidates(), 100);
    }

    #[test]
    fn a_few_searches_try_nothing_and_many_try_little() {
        let mut level = Level::of(128);
        assert_eq!(after(3, &mut level, |_| 0.98), 0);
        let found = |candidates: usize| if candidates < 100 { 0.9 } else { 0.99 };
        assert!(after(10_000, &mut level, found) < 350);
    }
}
