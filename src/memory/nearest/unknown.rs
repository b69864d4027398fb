//! Tenants that the statistics do not know.
//!
//! Statements over a filter are planned for their values, so that Postgres can tell a rare value from a common one. Of a
//! tenant that was loaded since the last ANALYZE it expects one row; any index then looks as good as the primary key, and
//! a join reads all of the tenant for each row. Where Postgres expects a scope to be small, its statements are planned
//! as if it were large: if it is small after all, that costs next to nothing.

use super::Search;
use super::scopes::OfScopes;
use crate::memory::embedded::Embedded;
use crate::pg::local_settings::LocalSettings;
use crate::pg::plan::Order;
use crate::pg::planner::OwnTablesAreLarge;
use crate::pg::query::Parameters;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;
use xxhash_rust::xxh3::xxh3_64;

/// A tenant is small up to so many rows, and has outgrown its statistics where they say so and it has twice as many.
const SMALL: usize = 1_000;

thread_local! {
    /// Whether Postgres expects few vectors of a scope.
    static EXPECTED_FEW: OfScopes<bool> = OfScopes::default();
    /// Whether a tenant has many more memories or messages than Postgres expects.
    static OUTGROWN: OfScopes<bool> = OfScopes::default();
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
            let few = self.expected_by_keys(client) <= most as f64;
            EXPECTED_FEW.with(|known| known.set(scope, few));
            few
        })
    }

    /// How many vectors Postgres expects the keys to give.
    pub(super) fn expected_by_keys(&self, client: &mut SpiClient<'_>) -> f64 {
        self.parameters.expected_rows(client, &self.statements::<()>().keys())
    }
}

/// Whether a tenant has many more memories or messages than Postgres expects: it would read them all for a few words,
/// of which there is an index. In a small tenant that is the cheaper way.
pub(in crate::memory) fn has_outgrown(
    client: &mut SpiClient<'_>,
    embedded: Embedded,
    workspace_id: &str,
) -> bool {
    let scope = (embedded as u32, xxh3_64(workspace_id.as_bytes()), SMALL);
    OUTGROWN.with(|known| known.get(scope)).unwrap_or_else(|| {
        let mut parameters = Parameters::default();
        let workspace = parameters.text(workspace_id);
        let rows =
            format!("SELECT FROM {} AS m WHERE m.workspace_id = {workspace}", embedded.table());
        let outgrown = parameters.expected_rows(client, &rows) <= SMALL as f64 && {
            let most = 2 * SMALL;
            let sql = format!("SELECT pg_catalog.count(*) FROM ({rows} LIMIT $2) AS counted");
            parameters.datum(pg_sys::INT8OID, Some(pg_sys::Datum::from(most)));
            let counted = parameters.run_kept(client, sql, Order::Sorted);
            let counted = counted.iter::<1>().next().and_then(|row| row.bigint(0));
            counted.is_some_and(|counted| counted as usize >= most)
        };
        OUTGROWN.with(|known| known.set(scope, outgrown));
        outgrown
    })
}
