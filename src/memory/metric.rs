//! How vectors are compared: pgvector's operators, and what a distance says of similarity.

use crate::ident::quote;
use crate::structure::model::Metric;

impl Metric {
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|metric| metric.name() == name)
    }

    /// The operator that gives the distance, as SQL names it.
    pub(crate) fn operator(self, vector_schema: &str) -> String {
        let operator = match self {
            Metric::Cosine => "<=>",
            Metric::L2 => "<->",
            Metric::InnerProduct => "<#>",
        };
        format!("OPERATOR({}.{operator})", quote(vector_schema))
    }

    /// How alike two vectors are: the cosine, the inner product, or 1 / (1 + distance).
    pub(crate) fn similarity(self, distance: f64) -> f64 {
        match self {
            Metric::Cosine => 1.0 - distance,
            Metric::L2 => 1.0 / (1.0 + distance),
            Metric::InnerProduct => -distance,
        }
    }

    /// The same in SQL.
    pub(crate) fn similarity_of(self, distance: &str) -> String {
        match self {
            Metric::Cosine => format!("(1::float8 OPERATOR(pg_catalog.-) {distance})"),
            Metric::L2 => format!(
                "(1::float8 OPERATOR(pg_catalog./) (1::float8 OPERATOR(pg_catalog.+) {distance}))"
            ),
            Metric::InnerProduct => format!("(OPERATOR(pg_catalog.-) {distance})"),
        }
    }
}
