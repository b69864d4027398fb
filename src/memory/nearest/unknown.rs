//! Tenants that the statistics do not know.
//!
//! Statements over a filter are planned for their values, so that Postgres can tell a rare value from a common one. Of a
//! tenant that was loaded since the last ANALYZE it expects one row; any index then looks as good as the primary key, and
//! a join reads all of the tenant for each row. Where Postgres expects a scope to be small, its statements are planned
//! as if it were large: if it is small after all, that costs next to nothing.

use super::Search;
use super::width::OfScopes;
use crate::pg::plan::LocalSettings;
use crate::pg::planner::OwnTablesAreLarge;
use pgrx::spi::SpiClient;

thread_local! {
    /// Whether Postgres expects few vectors of a scope.
    static EXPECTED_FEW: OfScopes<bool> = OfScopes::default();
}

/// While this lives, statements find rows by the keys of the tenant, and not by what many tenants have in common: a
/// value that is rare in one may be common in all.
pub(super) struct ByKeysAlone {
    _settings: LocalSettings,
    _large: OwnTablesAreLarge,
}

impl ByKeysAlone {
    pub(super) fn begin() -> Self {
        Self {
            _settings: LocalSettings::set(&[(c"enable_bitmapscan", c"off")]),
            _large: OwnTablesAreLarge::begin(),
        }
    }
}

impl Search<'_> {
    /// Whether a filter is to be met in a scope that Postgres takes for a small one.
    pub(super) fn is_unknown(&self, client: &mut SpiClient<'_>) -> bool {
        if self.target.filtered().is_none() {
            return false;
        }
        let most = self.small().by_keys;
        let scope = (self.vectors.relation.to_u32(), self.target.keys.hash, most);
        EXPECTED_FEW.with(|known| known.get(scope)).unwrap_or_else(|| {
            let keys = self.statements::<()>().keys();
            let few = self.parameters.expected(client, &keys) <= most as f64;
            EXPECTED_FEW.with(|known| known.set(scope, few));
            few
        })
    }
}
