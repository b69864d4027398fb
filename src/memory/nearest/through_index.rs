//! What is found by looking into an index.

use super::Search;
use super::breadth::{Breadth, MAX_CANDIDATES};
use super::count::AtMost;
use super::doubt::Doubt;
use super::look::{Look, Seen};
use super::target::{Details, Near};
use crate::memory::space::Index;
use pgrx::spi::SpiClient;

/// Fewer rows than this say nothing of how many there are around.
const FEW: usize = 4;
/// Rows that are compared in the time in which a look takes one more candidate: by their keys, or looked
/// up by a filter.
const ROWS_A_CANDIDATE: usize = 5;
const FILTERED_ROWS_A_CANDIDATE: usize = 2;
/// And for each row that the index is followed for.
const ROWS_A_FOLLOWED_ROW: usize = 100;

/// What a first look says.
pub(super) enum First<D> {
    /// These are the nearest.
    Enough(Vec<Near<D>>),
    /// Many of the candidates are the same vector, and hide others.
    Crowded,
    TooFew(Further),
}

/// What finds the nearest where a first look has found too few.
pub(super) struct Further {
    /// To compare the scope, if it has no more rows than this.
    pub(super) compare: Option<AtMost>,
    /// Or to look so.
    pub(super) look: Option<Look>,
}

impl Search<'_> {
    /// **Looks once**. Where too few rows count, they tell how wide it takes.
    /// `compared`: to have no more rows than this is known not to hold of what the keys give.
    pub(super) fn look_once<D: Details>(
        &self,
        client: &mut SpiClient<'_>,
        index: &Index,
        breadth: &Breadth,
        compared: AtMost,
    ) -> First<D> {
        let &Breadth { width, limit, .. } = breadth;
        let seen: Seen<D> = Look { width, limit, is_followed: false }.run(self, client, index);
        if seen.found >= limit {
            if seen.is_doubtful(self) {
                return First::Crowded;
            }
            return First::Enough(self.cut(seen.near));
        }
        let wider =
            if seen.found < FEW { MAX_CANDIDATES } else { width * limit / seen.found * 3 / 2 };
        let wider = wider.min(MAX_CANDIDATES);
        let most = AtMost {
            by_keys: wider * ROWS_A_CANDIDATE,
            filtered: wider * FILTERED_ROWS_A_CANDIDATE,
        };
        let is_open = self.target.filtered().is_some() || most.by_keys > compared.by_keys;
        let look = Look { width: wider, limit, is_followed: false };
        First::TooFew(Further {
            compare: is_open.then_some(most),
            look: (wider > width).then_some(look),
        })
    }

    /// **Looks for many**: more rows than one look can give for sure. To follow the index finds the nearest only where
    /// most rows around the query count, and takes longer for each row than to compare many.
    pub(super) fn look_for_many<D: Details>(
        &self,
        client: &mut SpiClient<'_>,
        index: &Index,
        breadth: &Breadth,
    ) -> First<D> {
        let limit = breadth.limit;
        let around = limit.min(MAX_CANDIDATES);
        let look = Look { width: breadth.width, limit: around, is_followed: false };
        let seen: Seen<D> = look.run(self, client, index);
        if seen.found >= limit && !seen.is_doubtful(self) {
            return First::Enough(self.cut(seen.near));
        }
        let most = limit * ROWS_A_FOLLOWED_ROW;
        let followed = Look { width: breadth.width, limit, is_followed: true };
        First::TooFew(Further {
            compare: Some(AtMost { by_keys: most, filtered: most / 2 }),
            look: (2 * seen.found >= around).then_some(followed),
        })
    }

    /// **Looks wider**, or **follows the index**, as a first look has told.
    pub(super) fn look_further<D: Details>(
        &self,
        client: &mut SpiClient<'_>,
        index: &Index,
        look: Look,
    ) -> Option<Vec<Near<D>>> {
        let seen: Seen<D> = look.run(self, client, index);
        if seen.found < look.limit || seen.is_doubtful(self) {
            return None;
        }
        Some(self.cut(seen.near))
    }

    /// **Looks past a crowd**, as wide as can be. None where that does not lead past it.
    pub(super) fn look_past_crowd<D: Details>(
        &self,
        client: &mut SpiClient<'_>,
        index: &Index,
    ) -> Option<Vec<Near<D>>> {
        let look = Look { width: MAX_CANDIDATES, limit: MAX_CANDIDATES, is_followed: false };
        let seen: Seen<D> = look.run(self, client, index);
        let is_past = seen.found >= MAX_CANDIDATES / 2
            && seen.near.len() >= self.wanted
            && !seen.is_doubtful(self);
        is_past.then(|| self.cut(seen.near))
    }
}
