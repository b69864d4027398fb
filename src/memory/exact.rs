//! Comparisons of all that a scope holds.

use super::nearest::{Beside, Condition, Details, Near, PLANNING, Search, distance, near, read};
use crate::pg::plan::{LocalSettings, Order, Row};
use pgrx::spi::SpiClient;

impl Search<'_> {
    /// All of the scope, compared.
    pub(crate) fn exact<D: Details>(&self, client: &mut SpiClient<'_>) -> Vec<Near<D>> {
        match &self.condition.beside {
            Some(beside) if beside.is_filtered => self.by_filter(client, beside),
            _ => self.by_keys(client),
        }
    }

    /// The nearest, without those that have the distance and the text of another one.
    pub(super) fn exact_distinct<D: Details>(&self, client: &mut SpiClient<'_>) -> Vec<Near<D>> {
        let Condition { keys, key, beside, .. } = self.condition;
        let Some(beside) = beside else { return Vec::new() };
        let (table, details, wanted) = (&self.vectors.table, D::COLUMNS, self.wanted);
        let sql = if beside.is_filtered {
            format!(
                "SELECT DISTINCT ON (distance, pg_catalog.hashtext(a)) * \
                 FROM ({} OFFSET 0) AS found (key, distance, a, b, c, d) \
                 ORDER BY distance, pg_catalog.hashtext(a), key LIMIT {wanted}",
                self.filtered::<D>(beside)
            )
        } else {
            let (column, lookup) = (&beside.column, &beside.lookup);
            let distance = self.vectors.distance(self.query);
            format!(
                "SELECT DISTINCT ON (e.distance, pg_catalog.hashtext(m.a)) {key}, e.distance, m.* \
                 FROM (SELECT * FROM (\
                           SELECT {column}, {distance} AS distance FROM {table} AS e WHERE {keys} \
                           OFFSET 0) AS e \
                       ORDER BY e.distance, {column} OFFSET 0) AS e \
                 CROSS JOIN LATERAL (SELECT {details} FROM {lookup} OFFSET 0) AS m (a, b, c, d) \
                 ORDER BY e.distance, pg_catalog.hashtext(m.a) LIMIT {wanted}"
            )
        };
        let _planning = LocalSettings::set(PLANNING);
        read(&self.parameters.run(client, &sql))
    }

    /// What the keys give, compared: in a subquery, so that each distance is computed once, and no index on
    /// vectors has a part in it. What lies beside is looked up for the nearest, until there are enough.
    pub(super) fn by_keys<D: Details>(&self, client: &mut SpiClient<'_>) -> Vec<Near<D>> {
        let Condition { keys, key, beside, .. } = self.condition;
        let distance = self.vectors.distance(self.query);
        let (table, details, wanted) = (&self.vectors.table, D::COLUMNS, self.wanted);
        let Some(Beside { lookup, column, is_filtered, .. }) = beside else {
            let sql = format!(
                "SELECT e.key, e.distance, {details} FROM (\
                     SELECT {key} AS key, {distance} AS distance FROM {table} AS e WHERE {keys} \
                     OFFSET 0) AS e \
                 ORDER BY e.distance, e.key LIMIT {wanted}"
            );
            return self.cut(self.compared(client, sql));
        };
        let nearest = |most: &str| {
            format!(
                "SELECT {key}, e.distance, m.* \
                 FROM (SELECT * FROM (\
                           SELECT {column}, {distance} AS distance FROM {table} AS e WHERE {keys} \
                           OFFSET 0) AS e \
                       ORDER BY e.distance, {column} {most}) AS e \
                 CROSS JOIN LATERAL (SELECT {details} FROM {lookup} OFFSET 0) AS m LIMIT {wanted}"
            )
        };
        // Without a filter nearly all of them count, and a few more than are wanted are sorted sooner.
        if !is_filtered {
            let near =
                self.compared(client, nearest(&format!("LIMIT {}", wanted + wanted.max(10))));
            if near.len() >= wanted {
                return self.cut(near);
            }
        }
        self.cut(self.compared(client, nearest("OFFSET 0")))
    }

    fn compared<D: Details>(&self, client: &mut SpiClient<'_>, sql: String) -> Vec<Near<D>> {
        if self.condition.has_one_way {
            return read(&self.parameters.run_kept(client, sql, Order::Sorted));
        }
        let _planning = LocalSettings::set(PLANNING);
        read(&self.parameters.run(client, &sql))
    }

    /// What the filter gives, compared.
    fn by_filter<D: Details>(&self, client: &mut SpiClient<'_>, beside: &Beside) -> Vec<Near<D>> {
        let _planning = LocalSettings::set(PLANNING);
        let limit = self.wanted;
        let sql = format!(
            "SELECT * FROM ({} OFFSET 0) AS found ORDER BY distance, key LIMIT {limit}",
            self.filtered::<D>(beside)
        );
        self.cut(read(&self.parameters.run(client, &sql)))
    }

    /// The same, if Postgres expects so few rows and there are no more: they are counted while they are compared.
    pub(super) fn by_rare_filter<D: Details>(
        &self,
        client: &mut SpiClient<'_>,
        beside: &Beside,
        most: usize,
    ) -> Option<Vec<Near<D>>> {
        let _planning = LocalSettings::set(PLANNING);
        let rows = self.parameters.few(client, &self.filtered::<D>(beside), most)?;
        let mut order: Vec<(f64, Row<'_, 6>)> =
            rows.iter().map(|row| (distance(&row), row)).collect();
        order.sort_by(|(a, a_row), (b, b_row)| {
            a.total_cmp(b).then_with(|| a_row.text(0).cmp(&b_row.text(0)))
        });
        order.truncate(self.wanted);
        Some(order.iter().filter_map(|(_, row)| near(row)).collect())
    }

    /// What the filter gives, with distances.
    fn filtered<D: Details>(&self, beside: &Beside) -> String {
        format!(
            "SELECT {key} AS key, {distance} AS distance, {details} FROM {table} AS e, {scope} AND {join}",
            key = self.condition.key,
            distance = self.vectors.distance(self.query),
            details = D::COLUMNS,
            table = self.vectors.table,
            scope = beside.scope,
            join = beside.join,
        )
    }
}
