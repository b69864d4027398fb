//! How vectors are compared: pgvector's operators, and what a distance says of similarity.

use crate::ident::quote;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Metric {
    Cosine,
    L2,
    InnerProduct,
}

impl Metric {
    pub(crate) const ALL: [Metric; 3] = [Metric::Cosine, Metric::L2, Metric::InnerProduct];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Metric::Cosine => "cosine",
            Metric::L2 => "l2",
            Metric::InnerProduct => "inner_product",
        }
    }

    /// pgvector's operator class.
    pub(crate) fn operator_class(self) -> &'static str {
        match self {
            Metric::Cosine => "vector_cosine_ops",
            Metric::L2 => "vector_l2_ops",
            Metric::InnerProduct => "vector_ip_ops",
        }
    }

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
