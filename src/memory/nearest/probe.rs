//! Filters that few rows meet, in tenants that the statistics do not know: the index on the metadata tells. Namespaces of few
//! rows: the index on those tells.

use super::Search;
use super::scopes::LargeScopes;
use super::sql::count_rows;
use super::target::{Details, Keys, Near, Probe, read};
use crate::memory::embedded::Embedded;
use crate::pg::gin;
use crate::pg::plan::{Order, Statement};
use crate::pg::query::Parameters;
use crate::pg::relation::{UntilChanged, named};
use pgrx::pg_sys;
use pgrx::spi::SpiClient;
use std::convert::Infallible;

/// What an index tells of its rows may be their size: a row takes a byte at least, and seldom so many.
const BYTES_A_ROW: usize = 4;
/// Where what is known of namespaces stands beside what is known of indexes: no index has this oid.
const NAMESPACES: u32 = 0;

thread_local! {
    /// Filters for which an index gives more rows.
    static LARGE: LargeScopes = LargeScopes::default();
    static INDEXES: UntilChanged<u32, Option<pg_sys::Oid>> = UntilChanged::default();

    static INDEX: Statement = const { Statement::new(
        c"SELECT i.indexrelid
          FROM pg_catalog.pg_index AS i
          JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
          JOIN pg_catalog.pg_am AS m ON m.oid = c.relam AND m.amname = 'gin'
          JOIN pg_catalog.pg_opclass AS o ON o.oid = i.indclass[0] AND o.opcname = 'jsonb_path_ops'
          JOIN pg_catalog.pg_attribute AS a
              ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] AND a.attname = 'metadata'
          WHERE i.indrelid = $1 AND i.indnatts = 1 AND i.indisvalid AND i.indpred IS NULL
          ORDER BY 1 LIMIT 1",
        &[pg_sys::OIDOID],
    ) };
}

impl Search<'_> {
    /// Compares all that a filter leaves, if the index on the metadata gives at most so many rows for it: of all tenants,
    /// because it does not know them. None where these are more.
    pub(super) fn compare_probed<D: Details>(
        &self,
        client: &mut SpiClient<'_>,
        most: usize,
    ) -> Option<Vec<Near<D>>> {
        let rows = self.target.filtered()?;
        let probe = rows.probe.as_ref()?;
        let hash = self.target.hash;
        gives_few(client, self.parameters, rows.embedded, probe, hash, most).then(|| {
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

/// Whether the index on the metadata gives at most so many rows for what it can look for of a filter, in all tenants.
/// `docs/security.md` says what that tells of others. A session remembers it for a while; `hash` tells the filter from others.
pub(in crate::memory) fn gives_few(
    client: &mut SpiClient<'_>,
    parameters: &Parameters,
    embedded: Embedded,
    probe: &Probe,
    hash: u64,
    most: usize,
) -> bool {
    let Some(index) = relation(embedded).and_then(|relation| index(client, relation)) else {
        return false;
    };
    let scope = (index.to_u32(), hash, most);
    let few = || {
        let told = gin::most_rows(index, &probe.path);
        told.is_some_and(|told| told <= BYTES_A_ROW * most) && {
            let sql = count_rows(embedded.table(), &probe.condition, most);
            has_at_most(client, parameters, sql, Order::OfTable, most)
        }
    };
    LARGE.with(|large| large.is_small(scope, few))
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

fn relation(embedded: Embedded) -> Option<pg_sys::Oid> {
    let name = match embedded {
        Embedded::Memories => c"memories",
        Embedded::Messages => c"messages",
    };
    named(c"kepler", name)
}

/// The index on the metadata of a table, if it is there.
fn index(client: &mut SpiClient<'_>, relation: pg_sys::Oid) -> Option<pg_sys::Oid> {
    let look_up = |_: &u32| {
        let rows = INDEX.with(|statement| statement.run_latest(client, &[Some(relation.into())]));
        Ok::<_, Infallible>(rows.iter::<1>().next().and_then(|row| row.oid(0)))
    };
    INDEXES.with(|indexes| indexes.find(relation.to_u32(), look_up)).unwrap_or(None)
}
