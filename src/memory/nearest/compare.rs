//! Comparisons with all that a scope holds.

use super::count::AtMost;
use super::target::{Details, Near, RowsOf, SpaceRows, distance, near, read};
use super::{OF_THE_KEYS, PLANNING, PROBED_LAST, Search};
use crate::pg::local_settings::LocalSettings;
use crate::pg::plan::Order;
use crate::pg::query::Whose;
use crate::pg::rows::Row;
use pgrx::spi::SpiClient;

/// So many more vectors are sorted than rows are wanted, where nearly each of them has a row that counts.
const SPARE: usize = 10;

impl Search<'_> {
    /// Compares all of the scope: by its filter, which may leave much less than its keys, or by those.
    pub(crate) fn compare_scope<D: Details>(&self, client: &mut SpiClient<'_>) -> Vec<Near<D>> {
        match self.target.filtered() {
            Some(rows) => self.compare_filtered(client, rows),
            None => self.compare_keys(client),
        }
    }

    /// The same for a scope that is large, as what came before has shown.
    pub(super) fn compare_large<D: Details>(&self, client: &mut SpiClient<'_>) -> Vec<Near<D>> {
        if self.target.filtered().is_some_and(|rows| rows.probe.is_some()) {
            let share = self.expected_by_keys(client) / OF_THE_KEYS;
            if let Some(near) = self.compare_probed(client, PROBED_LAST.max(share as usize)) {
                return near;
            }
        }
        self.compare_scope(client)
    }

    /// Compares all that the keys give, each vector once. Rows are looked up for the nearest, until there are enough.
    pub(super) fn compare_keys<D: Details>(&self, client: &mut SpiClient<'_>) -> Vec<Near<D>> {
        let (statements, wanted) = (self.statements::<D>(), self.wanted);
        let RowsOf::Space(rows) = self.target.rows else {
            // A table of somebody's may have several indexes for the keys: it is planned for their values.
            let _planning = LocalSettings::set(PLANNING);
            let sql = statements.compare_table(wanted);
            return self.cut(read(&self.parameters.run(client, &sql)));
        };
        let mut compared = |most| {
            let sql = statements.compare_keys(rows, most, wanted);
            self.cut(read(&self.parameters.run_kept(client, sql, Order::Sorted)))
        };
        // To sort a few more than are wanted takes less time than to sort all.
        if !rows.is_filtered {
            let near = compared(Some(wanted + wanted.max(SPARE)));
            if near.len() >= wanted {
                return near;
            }
        }
        compared(None)
    }

    fn compare_filtered<D: Details>(
        &self,
        client: &mut SpiClient<'_>,
        rows: &SpaceRows,
    ) -> Vec<Near<D>> {
        let _planning = LocalSettings::set(PLANNING);
        let sql = self.statements::<D>().compare_filtered(rows, self.wanted);
        self.cut(read(&self.parameters.run(client, &sql)))
    }

    /// Compares all that a rare filter gives, if Postgres, which knows the values that are rare, expects it to be so
    /// few, and it is: they are counted while they are compared.
    pub(super) fn compare_rare<D: Details>(
        &self,
        client: &mut SpiClient<'_>,
        most: AtMost,
    ) -> Option<Vec<Near<D>>> {
        let rows = self.target.filtered()?;
        let _planning = LocalSettings::set(PLANNING);
        let sql = self.statements::<D>().filtered(rows);
        let whose = Whose(self.target.hash);
        let rows = self.parameters.few_of_scope(client, &sql, most.filtered, whose)?;
        let mut order: Vec<(f64, Row<'_, 6>)> =
            rows.iter().map(|row| (distance(&row), row)).collect();
        order.sort_by(|(a, a_row), (b, b_row)| {
            a.total_cmp(b).then_with(|| a_row.text(0).cmp(&b_row.text(0)))
        });
        order.truncate(self.wanted);
        Some(order.iter().filter_map(|(_, row)| near(row)).collect())
    }

    /// Compares all of the scope, and gives each distance and text once.
    pub(super) fn compare_distinct<D: Details>(&self, client: &mut SpiClient<'_>) -> Vec<Near<D>> {
        let RowsOf::Space(rows) = self.target.rows else { return Vec::new() };
        let (statements, wanted) = (self.statements::<D>(), self.wanted);
        let sql = match rows.is_filtered {
            true => statements.compare_filtered_distinct(rows, wanted),
            false => statements.compare_keys_distinct(rows, wanted),
        };
        let _planning = LocalSettings::set(PLANNING);
        read(&self.parameters.run(client, &sql))
    }
}
