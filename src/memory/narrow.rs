//! Scopes that hold few rows: a conversation, a user's memories. Words are looked for in those rows rather than in the
//! index of all words, where Postgres cannot tell a rare word from one that every row has.

use super::embedded::Embedded;
use super::nearest::{Keys, LargeScopes};
use super::scope::Conditions;
use crate::pg::plan::Order;
use crate::pg::query::Parameters;
use pgrx::spi::SpiClient;

/// Ranking so many rows costs what a look into the index of words costs.
const MOST: usize = 1_000;

thread_local! {
    static WIDE: LargeScopes = LargeScopes::default();
}

/// Whether the keys of a scope lead to a thousand rows at most.
pub(super) fn is_narrow(
    client: &mut SpiClient<'_>,
    embedded: Embedded,
    conditions: &Conditions,
    parameters: &Parameters,
) -> bool {
    narrowest(client, embedded, conditions, parameters, MOST).is_some()
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
