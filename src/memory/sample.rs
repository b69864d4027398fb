//! What similarity to a question is usual in a workspace: some of its embeddings tell, which are spread over all of them.
//!
//! They are those of the whole workspace, whatever the scope of a search, so that a score does not depend on that. What they are depends on nothing
//! but the rows that are there: the same question has the same answer. A search costs the same number of look-ups in each tenant.

use super::embedded::Embedded;
use super::embedding::Embedding;
use super::gather::Question;
use super::space::Space;
use super::spread::{self, Keys, ROWS_A_KEY};
use super::usual::Usual;
use super::words::is_secured;
use crate::pg::plan::Order;
use crate::pg::query::Parameters;
use crate::pg::role;
use pgrx::spi::SpiClient;
use std::cell::RefCell;

/// Where the caller may not see all rows nothing tells, as the order of an answer would tell of the others.
pub(super) fn usual(
    client: &mut SpiClient<'_>,
    question: &Question<'_>,
    space: &Space,
    embedding: &Embedding,
) -> Usual {
    if is_secured(space.embedded) || role::is_secured(space.vectors.relation) {
        return Usual::default();
    }
    let mut parameters = Parameters::default();
    let workspace = parameters.text(question.workspace_id);
    let (table, column) = (&space.vectors.table, space.embedded.column());
    let end = |order: &str| {
        format!(
            "(SELECT {id} FROM {table} AS e WHERE e.workspace_id = {workspace} \
             ORDER BY e.workspace_id {order}, e.{column} {order} LIMIT 1)",
            id = space.embedded.id(&format!("e.{column}")),
        )
    };
    let ends = format!("SELECT {}, {}", end("ASC"), end("DESC"));
    let rows = parameters.run_kept(client, ends, Order::OfIndex);
    let ends = rows.iter::<2>().next();
    let ends = ends.and_then(|row| Some((row.text(0)?.to_owned(), row.text(1)?.to_owned())));
    drop(rows);
    let Some((first, last)) = ends else { return Usual::default() };
    let keys = match space.embedded {
        Embedded::Memories => Keys::Texts,
        Embedded::Messages => Keys::Numbers,
    };
    let id = space.embedded.id(&format!("e.{column}"));
    // The keys that are looked for, and the parameters that name them.
    let of = |from: &[String]| {
        let mut parameters = Parameters::default();
        let workspace = parameters.text(question.workspace_id);
        let from = space.embedded.ids(&parameters.texts(from.iter().map(String::as_str)));
        let keys = format!("pg_catalog.unnest({from}) WITH ORDINALITY AS n (key, place)");
        let rows = format!(
            "SELECT x.* FROM {table} AS x WHERE x.workspace_id = {workspace} AND x.{column}"
        );
        (parameters, keys, rows)
    };
    let client = RefCell::new(client);
    let look = |from: &[String]| {
        let (mut parameters, keys, rows) = of(from);
        let query = parameters.stored(space.vectors.vector_type, &embedding.stored());
        let sql = format!(
            "SELECT n.place, {id}, {distance} FROM {keys} CROSS JOIN LATERAL ( \
                 {rows} >= n.key ORDER BY x.workspace_id, x.{column} LIMIT {ROWS_A_KEY}) AS e",
            distance = space.vectors.distance(&query),
        );
        let rows = parameters.run_kept(&mut client.borrow_mut(), sql, Order::OfIndex);
        let mut found = vec![Vec::new(); from.len()];
        for row in rows.iter::<3>() {
            let place = row.bigint(0).and_then(|place| usize::try_from(place - 1).ok());
            if let Some(rows) = place.and_then(|at| found.get_mut(at))
                && let (Some(id), Some(distance)) = (row.text(1), row.float(2))
            {
                rows.push((id.to_owned(), distance));
            }
        }
        found
    };
    let before = |from: &[String]| {
        let (parameters, keys, rows) = of(from);
        let sql = format!(
            "SELECT n.place, {id} FROM {keys} CROSS JOIN LATERAL ( \
                 {rows} < n.key ORDER BY x.workspace_id DESC, x.{column} DESC LIMIT 1) AS e"
        );
        let rows = parameters.run_kept(&mut client.borrow_mut(), sql, Order::OfIndex);
        let mut found = from.to_vec();
        for row in rows.iter::<2>() {
            let place = row.bigint(0).and_then(|place| usize::try_from(place - 1).ok());
            if let Some(key) = place.and_then(|at| found.get_mut(at)) {
                row.text(1).unwrap_or_default().clone_into(key);
            }
        }
        found
    };
    let found = spread::rows(keys, first, last, look, before);
    Usual::of(found.into_values().map(|distance| space.vectors.metric.similarity(distance)))
}
