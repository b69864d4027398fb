//! Whether what an index gave can be all.
//!
//! Short texts come again and again ("ok", "Thanks!"), each time with the same vector. A graph of nearest neighbours
//! links them with each other, and a search that comes upon them finds no way out: what it gives is one vector, many
//! times, though others are nearer. It is told by that, and then compared.

use super::Search;
use super::look::Seen;
use super::target::{Details, Near};
use crate::pgvector::Metric;
use pgrx::spi::SpiClient;
use std::collections::HashSet;

/// A look gives at least so many rows to judge it by, and fewer than the second say nothing.
pub(super) const JUDGED: usize = 20;
const ENOUGH: usize = 8;
/// The same vector so often is a crowd.
const CROWD: usize = 4;
/// Nothing is nearer.
const NEAREST: f64 = 1e-6;

/// What a search thinks of rows that an index gave.
pub(super) trait Doubt {
    fn is_doubtful(&self, search: &Search<'_>) -> bool;
}

impl<D> Doubt for Seen<D> {
    /// Whether half of the rows stand in crowds, and the wanted ones could be nearer.
    fn is_doubtful(&self, search: &Search<'_>) -> bool {
        let mut distances = self.distances.clone();
        distances.sort_unstable_by(f64::total_cmp);
        let could_be_nearer = |last: &f64| match search.vectors.metric {
            Metric::Cosine | Metric::L2 => *last > NEAREST,
            Metric::InnerProduct => true,
        };
        let last = distances.get(search.certain.min(distances.len()).saturating_sub(1));
        if distances.len() < ENOUGH || !last.is_some_and(could_be_nearer) {
            return false;
        }
        let groups = distances.chunk_by(|a, b| a.to_bits() == b.to_bits());
        let crowded: usize = groups.map(<[f64]>::len).filter(|size| *size >= CROWD).sum();
        2 * crowded >= distances.len()
    }
}

impl Search<'_> {
    /// Whether so few of the rows are similar enough that there might be more.
    pub(super) fn are_too_few<D>(&self, near: &[Near<D>]) -> bool {
        let Some(least) = self.least else { return false };
        let similar = |near: &&Near<D>| self.vectors.metric.similarity(near.distance) >= least;
        near.iter().filter(similar).count() < self.certain
    }

    /// How many different ones there are, by distance and text.
    pub(super) fn distinct<D: Details>(&self, near: &[Near<D>]) -> usize {
        let of = |near: &'_ Near<D>| (near.distance.to_bits(), near.details.content().to_owned());
        near.iter().map(of).collect::<HashSet<_>>().len()
    }

    /// The rows, and the nearest of those that are others.
    pub(super) fn with_others<D: Details>(
        &self,
        client: &mut SpiClient<'_>,
        mut near: Vec<Near<D>>,
    ) -> Vec<Near<D>> {
        let known: HashSet<String> = near.iter().map(|near| near.key.clone()).collect();
        let others = self.compare_distinct::<D>(client);
        near.extend(others.into_iter().filter(|other| !known.contains(&other.key)));
        near.sort_by(|a, b| a.distance.total_cmp(&b.distance).then_with(|| a.key.cmp(&b.key)));
        near
    }
}
