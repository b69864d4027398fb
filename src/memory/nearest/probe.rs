//! Filters that few rows meet: the index on the metadata tells. Namespaces of few rows: the index on those tells.

use super::Search;
use super::scopes::LargeScopes;
use super::sql::count_rows;
use super::target::{Details, Keys, Near, Probe, read};
use crate::memory::embedded::Embedded;
use crate::pg::plan::{Order, Statement};
use crate::pg::query::Parameters;
use crate::pg::relation::{UntilChanged, named};
use crate::pg::{gin, role};
use pgrx::pg_sys;
use pgrx::spi::SpiClient;
use std::convert::Infallible;

/// Where what is known of namespaces stands beside what is known of indexes: no index has this oid.
const NAMESPACES: u32 = 0;

thread_local! {
    /// Filters for which an index gives more rows, and namespaces that have more.
    static LARGE: LargeScopes = LargeScopes::default();
    static INDEXES: UntilChanged<u32, Option<pg_sys::Oid>> = UntilChanged::default();

    static INDEX: Statement = const { Statement::new(
        c"SELECT i.indexrelid
          FROM pg_catalog.pg_index AS i
          JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
          JOIN pg_catalog.pg_am AS m ON m.oid = c.relam AND m.amname = 'gin'
          JOIN pg_catalog.pg_opclass AS o ON o.oid = i.indclass[0] AND o.opcname = 'jsonb_path_ops'
          WHERE i.indrelid = $1 AND i.indnatts = 1 AND i.indkey[0] = 0 AND i.indisvalid AND i.indpred IS NULL
              AND pg_catalog.pg_get_expr(i.indexprs, i.indrelid)
                  = 'jsonb_set(''{}''::jsonb, ARRAY[workspace_id], metadata, true)'
          ORDER BY 1 LIMIT 1",
        &[pg_sys::OIDOID],
    ) };
}

impl Search<'_> {
    /// Compares all that a filter leaves, if the index on the metadata gives at most so many rows for it. None where these are more.
    pub(super) fn compare_probed<D: Details>(
        &self,
        client: &mut SpiClient<'_>,
        most: usize,
    ) -> Option<Vec<Near<D>>> {
        let rows = self.target.filtered()?;
        let probe = rows.probe.as_ref()?;
        gives_few(client, rows.embedded, probe, self.target.hash, most).then(|| {
            let sql = self.statements::<D>().compare_probed(rows, &probe.condition, self.wanted);
            self.cut(read(&self.parameters.run_kept(client, sql, Order::OfTable)))
        })
    }

    /// Compares all memories of some namespaces, if these are few. None where they are more.
    pub(super) fn compare_namespaces<D: Details>(
        &self,
        client: &mut SpiClient<'_>,
        most: usize,
    ) -> Option<Vec<Near<D>>> {
        let rows = self.target.filtered()?;
        let Keys { sql, hash } = rows.namespaces.as_ref()?;
        let scope = (NAMESPACES, *hash, most);
        let few = || {
            let sql = count_rows(rows.embedded.table(), sql, most);
            has_at_most(client, self.parameters, sql, Order::Sorted, most)
        };
        let few = LARGE.with(|large| large.is_small(scope, few));
        few.then(|| {
            let sql = self.statements::<D>().compare_probed(rows, sql, self.wanted);
            self.cut(read(&self.parameters.run_kept(client, sql, Order::Sorted)))
        })
    }
}

/// Whether the index on the metadata gives at most so many rows for what it can look for of a filter. A session remembers for a while
/// that they are more; `hash` tells the filter from others.
pub(in crate::memory) fn gives_few(
    client: &mut SpiClient<'_>,
    embedded: Embedded,
    probe: &Probe,
    hash: u64,
    most: usize,
) -> bool {
    let Some(index) = index_on_metadata(client, embedded) else { return false };
    let few = || gin::most_rows(index, &probe.path, most).is_some();
    LARGE.with(|large| large.is_small((index.to_u32(), hash, most), few))
}

/// The index on the metadata, if it is there. Under policies Postgres reads none for what a filter asks.
pub(in crate::memory) fn index_on_metadata(
    client: &mut SpiClient<'_>,
    embedded: Embedded,
) -> Option<pg_sys::Oid> {
    let name = match embedded {
        Embedded::Memories => c"memories",
        Embedded::Messages => c"messages",
    };
    let relation = named(c"kepler", name).filter(|relation| !role::is_secured(*relation))?;
    let look_up = |_: &u32| {
        let rows = INDEX.with(|statement| statement.run_latest(client, &[Some(relation.into())]));
        Ok::<_, Infallible>(rows.iter::<1>().next().and_then(|row| row.oid(0)))
    };
    INDEXES.with(|indexes| indexes.find(relation.to_u32(), look_up)).unwrap_or(None)
}

fn has_at_most(
    client: &mut SpiClient<'_>,
    parameters: &Parameters,
    count: String,
    order: Order,
    most: usize,
) -> bool {
    let counted = parameters.run_kept(client, count, order);
    let counted = counted.iter::<1>().next().and_then(|row| row.bigint(0));
    counted.is_some_and(|counted| counted as usize <= most)
}
