//! The SQL of a search: all of it is built here, from the parts of the target.
//!
//! `e` is a vector, in its table or in a subquery over that; `m` is the memory or message that it belongs to. What
//! gives rows gives six columns: the key, the distance, and four details.
//!
//! `OFFSET 0` keeps the planner out of a subquery. What stands in it is computed once a row, no index on vectors takes
//! part in it, and of a look-up there is one for each row of what stands before it, in that order.

use super::target::{RowsOf, SpaceRows, Target};
use crate::memory::space::{Index, Vectors};

/// What the statements of a search share.
pub(super) struct Statements<'s> {
    pub(super) vectors: &'s Vectors,
    pub(super) target: &'s Target<'s>,
    /// The parameter of the query vector.
    pub(super) query: &'s str,
    /// Four columns, over `m`.
    pub(super) details: &'static str,
}

impl SpaceRows {
    /// The column of a vector that names its row.
    fn column(&self) -> String {
        format!("e.{}", self.embedded.column())
    }

    /// The row of one vector `e`, if it meets the conditions. By its primary key, whatever else is known of it: LIMIT
    /// keeps the planner from other indexes.
    fn of_one(&self) -> String {
        let Self { workspace, of_row, conditions, .. } = self;
        format!(
            "(SELECT x.* FROM {table} AS x WHERE x.workspace_id = {workspace} AND x.id = {column} LIMIT 1) \
             AS m {of_row} WHERE {conditions}",
            table = self.embedded.table(),
            column = self.column(),
        )
    }

    /// The rows of the scope.
    fn of_scope(&self) -> String {
        format!("{} WHERE {}", self.from, self.conditions)
    }

    /// What joins vectors to those.
    fn join(&self) -> String {
        format!("e.workspace_id = {} AND {} = m.id", self.workspace, self.column())
    }
}

impl Statements<'_> {
    /// What identifies a row, as text.
    fn key(&self) -> String {
        match self.target.rows {
            RowsOf::SameTable { key } => key.to_owned(),
            RowsOf::Space(rows) => rows.embedded.id(&rows.column()),
        }
    }

    fn distance(&self) -> String {
        self.vectors.distance(self.query)
    }

    /// The vectors that the keys give.
    fn by_keys(&self) -> String {
        format!("{} AS e WHERE {}", self.vectors.table, self.target.keys.sql)
    }

    /// The same, each with its distance.
    fn compared(&self, column: &str) -> String {
        format!(
            "(SELECT {column}, {} AS distance FROM {} OFFSET 0) AS e",
            self.distance(),
            self.by_keys()
        )
    }

    /// What the keys give, for the planner to say how many there are.
    pub(super) fn keys(&self) -> String {
        format!("SELECT FROM {}", self.by_keys())
    }

    /// How many vectors the keys give, up to `most` and one.
    pub(super) fn count_keys(&self, most: usize) -> String {
        count(&self.by_keys(), most)
    }

    /// How many rows the filter gives, up to `most` and one.
    pub(super) fn count_filtered(&self, rows: &SpaceRows, most: usize) -> String {
        count(&rows.of_scope(), most)
    }

    /// Compares all that the keys give, where the rows are those of the table itself.
    pub(super) fn compare_table(&self, limit: usize) -> String {
        format!(
            "SELECT e.key, e.distance, {details} FROM {compared} ORDER BY e.distance, e.key LIMIT {limit}",
            details = self.details,
            compared = self.compared(&format!("{} AS key", self.key())),
        )
    }

    /// Compares all that the keys give, and looks up the rows of the nearest, until there are enough; of no more than
    /// `most`, where that is given.
    pub(super) fn compare_keys(
        &self,
        rows: &SpaceRows,
        most: Option<usize>,
        limit: usize,
    ) -> String {
        let column = rows.column();
        format!(
            "SELECT {key}, e.distance, m.* \
             FROM (SELECT * FROM {compared} ORDER BY e.distance, {column} {most}) AS e \
             CROSS JOIN LATERAL (SELECT {details} FROM {row} OFFSET 0) AS m LIMIT {limit}",
            key = self.key(),
            compared = self.compared(&column),
            most = most.map_or("OFFSET 0".to_owned(), |most| format!("LIMIT {most}")),
            details = self.details,
            row = rows.of_one(),
        )
    }

    /// The same, once for each distance and text.
    pub(super) fn compare_keys_distinct(&self, rows: &SpaceRows, limit: usize) -> String {
        let column = rows.column();
        format!(
            "SELECT DISTINCT ON (e.distance, pg_catalog.hashtext(m.a)) {key}, e.distance, m.* \
             FROM (SELECT * FROM {compared} ORDER BY e.distance, {column} OFFSET 0) AS e \
             CROSS JOIN LATERAL (SELECT {details} FROM {row} OFFSET 0) AS m (a, b, c, d) \
             ORDER BY e.distance, pg_catalog.hashtext(m.a) LIMIT {limit}",
            key = self.key(),
            compared = self.compared(&column),
            details = self.details,
            row = rows.of_one(),
        )
    }

    /// All that the filter gives, with distances, in no order.
    pub(super) fn filtered(&self, rows: &SpaceRows) -> String {
        format!(
            "SELECT {key} AS key, {distance} AS distance, {details} FROM {table} AS e, {scope} AND {join}",
            key = self.key(),
            distance = self.distance(),
            details = self.details,
            table = self.vectors.table,
            scope = rows.of_scope(),
            join = rows.join(),
        )
    }

    /// Compares all that the filter gives.
    pub(super) fn compare_filtered(&self, rows: &SpaceRows, limit: usize) -> String {
        format!(
            "SELECT * FROM ({} OFFSET 0) AS found ORDER BY distance, key LIMIT {limit}",
            self.filtered(rows)
        )
    }

    /// The same, once for each distance and text.
    pub(super) fn compare_filtered_distinct(&self, rows: &SpaceRows, limit: usize) -> String {
        format!(
            "SELECT DISTINCT ON (distance, pg_catalog.hashtext(a)) * \
             FROM ({} OFFSET 0) AS found (key, distance, a, b, c, d) \
             ORDER BY distance, pg_catalog.hashtext(a), key LIMIT {limit}",
            self.filtered(rows)
        )
    }

    /// Compares all that counts of what an index on the rows gives for a condition, over the table as `x`. Nothing else stands beside its condition, so
    /// that no other index can serve; vectors are looked up one by one.
    pub(super) fn compare_probed(&self, rows: &SpaceRows, condition: &str, limit: usize) -> String {
        format!(
            "SELECT * FROM (\
                 SELECT {key} AS key, {distance} AS distance, {details} \
                 FROM (SELECT x.* FROM {table} AS x WHERE {condition} OFFSET 0) AS m {of_row} \
                 CROSS JOIN LATERAL (SELECT y.* FROM {vectors} AS y \
                                     WHERE y.workspace_id = {workspace} AND y.{column} = m.id LIMIT 1) AS e \
                 WHERE {conditions} OFFSET 0) AS found \
             ORDER BY distance, key LIMIT {limit}",
            key = self.key(),
            distance = self.distance(),
            details = self.details,
            table = rows.embedded.table(),
            of_row = rows.of_row,
            vectors = self.vectors.table,
            workspace = rows.workspace,
            column = rows.embedded.column(),
            conditions = rows.conditions,
        )
    }

    /// What counts among the vectors that an HNSW index gives, one after the other.
    pub(super) fn look(&self, index: &Index, limit: usize) -> String {
        let (key, distance, order) = (self.key(), self.distance(), &index.order_by);
        let (table, keys, details) = (&self.vectors.table, &self.target.keys.sql, self.details);
        match self.target.rows {
            RowsOf::SameTable { .. } => format!(
                "SELECT {key}, {distance}, {details} FROM {table} AS e WHERE {keys} \
                 ORDER BY {order} LIMIT {limit}"
            ),
            RowsOf::Space(rows) => format!(
                "SELECT {key}, {distance}, m.* FROM {table} AS e \
                 CROSS JOIN LATERAL (SELECT {details} FROM {row} OFFSET 0) AS m \
                 WHERE {keys} ORDER BY {order} LIMIT {limit}",
                row = rows.of_one(),
            ),
        }
    }

    /// What the keys give among them, and the rows of the first `most`. The others, and those whose row does not meet
    /// the conditions, have no key.
    pub(super) fn look_by_keys(
        &self,
        rows: &SpaceRows,
        index: &Index,
        most: usize,
        limit: usize,
    ) -> String {
        format!(
            "SELECT m.key, e.distance, m.a, m.b, m.c, m.d \
             FROM (SELECT e.*, pg_catalog.row_number() OVER () AS place \
                   FROM (SELECT {column}, {distance} AS distance FROM {by_keys} \
                         ORDER BY {order} LIMIT {limit}) AS e) AS e \
             LEFT JOIN LATERAL (SELECT {key} AS key, {details} FROM {row} AND e.place <= {most} OFFSET 0) \
                 AS m (key, a, b, c, d) ON true",
            column = rows.column(),
            distance = self.distance(),
            by_keys = self.by_keys(),
            order = index.order_by,
            key = self.key(),
            details = self.details,
            row = rows.of_one(),
        )
    }

    /// What counts among the `width` nearest vectors of the lists that an IVFFlat index reads. What is behind those does
    /// not count, though it was read: there may be nearer rows in other lists. The names are ones that nobody's columns
    /// have.
    pub(super) fn look_into_lists(&self, index: &Index, width: usize, limit: usize) -> String {
        let row = match self.target.rows {
            RowsOf::SameTable { .. } => format!("(SELECT {})", self.details),
            RowsOf::Space(rows) => {
                format!("(SELECT {} FROM {} OFFSET 0)", self.details, rows.of_one())
            }
        };
        format!(
            "SELECT e.\"kepler: key\", e.\"kepler: distance\", m.* \
             FROM (SELECT e.*, {key} AS \"kepler: key\", {distance} AS \"kepler: distance\" \
                   FROM {table} AS e ORDER BY {order} LIMIT {width}) AS e \
             CROSS JOIN LATERAL {row} AS m WHERE {keys} LIMIT {limit}",
            key = self.key(),
            distance = self.distance(),
            table = self.vectors.table,
            order = index.order_by,
            keys = self.target.keys.sql,
        )
    }
}

/// How many rows meet a condition over a table as `x`, up to `most` and one.
pub(super) fn count_rows(table: &str, condition: &str, most: usize) -> String {
    count(&format!("{table} AS x WHERE {condition}"), most)
}

/// Counts what stands behind FROM, up to `most` and one.
fn count(from: &str, most: usize) -> String {
    format!(
        "SELECT pg_catalog.count(*) FROM (SELECT FROM {from} LIMIT {}) AS counted",
        most.saturating_add(1)
    )
}
