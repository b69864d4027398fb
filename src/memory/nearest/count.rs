//! How many rows a scope has, as far as it decides anything: nothing is counted further.

use super::scopes::LargeScopes;
use super::target::RowsOf;
use super::{PLANNING, Search};
use crate::pg::local_settings::LocalSettings;
use pgrx::spi::SpiClient;

/// A scope that has no more rows is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AtMost {
    /// By its keys alone.
    pub(super) by_keys: usize,
    /// By a filter, whose rows are looked up.
    pub(super) filtered: usize,
}

thread_local! {
    /// Scopes whose keys give more vectors. That they are few is counted each time: it costs a tenth of comparing them, and they
    /// may become more.
    static LARGE: LargeScopes = LargeScopes::default();
}

impl Search<'_> {
    /// Whether the keys alone give so few vectors.
    pub(super) fn keys_are_few(&self, client: &mut SpiClient<'_>, most: AtMost) -> bool {
        if let RowsOf::SameTable { .. } = self.target.rows {
            // A table of somebody's may be read as a whole, if that is cheap.
            let _planning =
                LocalSettings::set(&[(c"jit", c"off"), (c"max_parallel_workers_per_gather", c"0")]);
            let keys = self.statements::<()>().keys();
            return self.parameters.few(client, &keys, most.by_keys).is_some();
        }
        let scope = (self.vectors.relation.to_u32(), self.target.keys.hash, most.by_keys);
        LARGE.with(|large| {
            large.is_small(scope, || {
                let count = self.statements::<()>().count_keys(most.by_keys);
                self.has_at_most(client, most.by_keys, &count)
            })
        })
    }

    /// Whether the scope has so few rows.
    pub(super) fn scope_has(&self, client: &mut SpiClient<'_>, most: AtMost) -> bool {
        let statements = self.statements::<()>();
        let (most, count) = match self.target.filtered() {
            Some(rows) => (most.filtered, statements.count_filtered(rows, most.filtered)),
            None => (most.by_keys, statements.count_keys(most.by_keys)),
        };
        self.has_at_most(client, most, &count)
    }

    fn has_at_most(&self, client: &mut SpiClient<'_>, most: usize, count: &str) -> bool {
        let _planning = LocalSettings::set(PLANNING);
        let rows = self.parameters.run(client, count);
        let counted = rows.iter::<1>().next().and_then(|row| row.bigint(0));
        counted.is_some_and(|counted| counted as usize <= most)
    }
}
