//! Scopes that hold few rows: a conversation, a user's memories, what meets a rare filter. Words are looked for in those rows rather
//! than in the index of all words, where Postgres cannot tell a rare word from one that every row has; and lists read them as
//! a whole.

use super::embedded::Embedded;
use super::nearest::{Keys, LargeScopes, gives_few};
use super::scope::Conditions;
use crate::pg::plan::Order;
use crate::pg::query::Parameters;
use pgrx::spi::SpiClient;

/// What gives the rows of a scope as `m`, and how that is planned. Nothing else stands beside the condition that leads to them, so
/// that no other index serves.
#[derive(Clone)]
pub(super) struct Few {
    pub(super) from: String,
    pub(super) order: Order,
}

impl Few {
    pub(super) fn by_keys(embedded: Embedded, keys: &str) -> Self {
        Self { from: rows_of(embedded, "m", keys), order: Order::Sorted }
    }

    /// By the index on the metadata: `condition` is over the table as `x`.
    pub(super) fn by_filter(embedded: Embedded, condition: &str) -> Self {
        Self { from: rows_of(embedded, "x", condition), order: Order::OfTable }
    }

    /// By the index on words: `query` is a parameter.
    pub(super) fn by_words(embedded: Embedded, query: &str) -> Self {
        let condition = format!("x.text_search @@ {query}::pg_catalog.tsquery");
        Self { from: rows_of(embedded, "x", &condition), order: Order::OfTable }
    }
}

fn rows_of(embedded: Embedded, alias: &str, condition: &str) -> String {
    let table = embedded.table();
    format!("(SELECT {alias}.* FROM {table} AS {alias} WHERE {condition} OFFSET 0) AS m")
}

thread_local! {
    static WIDE: LargeScopes = LargeScopes::default();
}

/// What gives the rows of a scope, if one of the things that it names leads to so many at most: a namespace, a user, a filter.
pub(super) fn few(
    client: &mut SpiClient<'_>,
    embedded: Embedded,
    conditions: &Conditions,
    parameters: &Parameters,
    most: usize,
) -> Option<Few> {
    if let Some(keys) = narrowest(client, embedded, conditions, parameters, most) {
        return Some(Few::by_keys(embedded, &keys.sql));
    }
    let probe = conditions.rows.probe.as_ref()?;
    gives_few(client, embedded, probe, conditions.hash, most)
        .then(|| Few::by_filter(embedded, &probe.condition))
}

/// The first of the keys of a scope that leads to so many rows at most.
pub(super) fn narrowest<'c>(
    client: &mut SpiClient<'_>,
    embedded: Embedded,
    conditions: &'c Conditions,
    parameters: &Parameters,
    most: usize,
) -> Option<&'c Keys> {
    conditions.narrow.iter().find(|keys| are_few(client, embedded, keys, parameters, most))
}

fn are_few(
    client: &mut SpiClient<'_>,
    embedded: Embedded,
    Keys { sql, hash }: &Keys,
    parameters: &Parameters,
    most: usize,
) -> bool {
    let scope = (embedded as u32, *hash, most);
    WIDE.with(|wide| {
        wide.is_small(scope, || {
            let sql = format!(
                "SELECT pg_catalog.count(*) FROM (SELECT FROM {} AS m WHERE {sql} LIMIT {}) AS counted",
                embedded.table(),
                most + 1
            );
            let counted = parameters.run_kept(client, sql, Order::Sorted);
            let counted = counted.iter::<1>().next().and_then(|row| row.bigint(0));
            counted.is_some_and(|counted| counted as usize <= most)
        })
    })
}
