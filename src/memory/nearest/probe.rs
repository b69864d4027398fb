//! Filters that few rows meet, in tenants that the statistics do not know: the index on the metadata tells.

use super::Search;
use super::scopes::LargeScopes;
use super::target::{Details, Near, read};
use crate::memory::embedded::Embedded;
use crate::pg::plan::{Order, Statement};
use crate::pg::relation::{UntilChanged, named};
use crate::pg::{gin, role};
use pgrx::pg_sys;
use pgrx::spi::SpiClient;
use std::convert::Infallible;

/// What an index tells of its rows may be their size: a row takes a byte at least, and seldom so many.
const BYTES_A_ROW: usize = 4;

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
    /// because it does not know them. None where these are more, and where policies hold: under them Postgres does not use
    /// the index.
    pub(super) fn compare_probed<D: Details>(
        &self,
        client: &mut SpiClient<'_>,
        most: usize,
    ) -> Option<Vec<Near<D>>> {
        let rows = self.target.filtered()?;
        let probe = rows.probe.as_ref()?;
        let relation = relation(rows.embedded)?;
        if role::is_secured(relation) {
            return None;
        }
        let index = index(client, relation)?;
        let scope = (index.to_u32(), self.target.hash, most);
        let few = || {
            let told = gin::most_rows(index, &probe.path);
            told.is_some_and(|told| told <= BYTES_A_ROW * most) && {
                let sql = self.statements::<()>().count_probed(rows, probe, most);
                let counted = self.parameters.run_kept(client, sql, Order::OfTable);
                let counted = counted.iter::<1>().next().and_then(|row| row.bigint(0));
                counted.is_some_and(|counted| counted as usize <= most)
            }
        };
        let few = LARGE.with(|large| large.is_small(scope, few));
        few.then(|| {
            let sql = self.statements::<D>().compare_probed(rows, probe, self.wanted);
            self.cut(read(&self.parameters.run_kept(client, sql, Order::OfTable)))
        })
    }
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
