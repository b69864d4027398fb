//! Chains of memories that took each other's place.

use crate::pg::array::Array;
use crate::pg::plan::Statement;
use crate::pg::varlena::Text;
use crate::pg::whole::Spi;
use pgrx::iter::{SetOfIterator, TableIterator};
use pgrx::pg_sys;
use pgrx::prelude::*;
use std::collections::{HashMap, HashSet};

thread_local! {
    static LINK: Statement = const { Statement::new(
        c"SELECT m.id, m.superseded_by, m.user_id FROM kepler.memories AS m
          WHERE m.workspace_id = $1 AND m.id = $2",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID],
    ) };
    static EARLIER: Statement = const { Statement::new(
        c"SELECT m.id, m.user_id
          FROM (SELECT pg_catalog.unnest($2) AS id) AS n
          CROSS JOIN LATERAL (
              SELECT x.id, x.user_id FROM kepler.memories AS x
              WHERE x.workspace_id = $1 AND x.superseded_by = n.id OFFSET 0) AS m",
        &[pg_sys::TEXTOID, pg_sys::TEXTARRAYOID],
    ) };
}

/// The ids of a memory's chain: what it superseded, itself, and what superseded it. Only memories of its own user are
/// in it: direct SQL may have given one of them to somebody else.
#[pg_extern(schema = "kepler_internal", stable, parallel_unsafe, strict)]
#[search_path(pg_catalog, pg_temp)]
fn memory_chain(memory_id: &str, workspace_id: &str) -> SetOfIterator<'static, String> {
    let workspace = Text::new(workspace_id);
    let chain = Spi::connect_mut(|client| {
        let mut chain: Vec<String> = Vec::new();
        let mut seen: HashSet<String> = HashSet::new();
        let mut user: Option<Option<String>> = None;
        let mut next = Some(memory_id.to_owned());
        while let Some(id) = next.take().filter(|id| !seen.contains(id)) {
            pgrx::check_for_interrupts!();
            let key = Text::new(&id);
            let parameters = [Some(workspace.datum()), Some(key.datum())];
            let rows = LINK.with(|statement| statement.run_in_snapshot(client, &parameters));
            let Some(row) = rows.iter::<3>().next() else { break };
            let whose = row.text(2).map(str::to_owned);
            if *user.get_or_insert_with(|| whose.clone()) != whose {
                break;
            }
            next = row.text(1).map(str::to_owned);
            chain.push(id.clone());
            seen.insert(id);
        }
        let Some(user) = user else { return chain };
        let mut ends = vec![memory_id.to_owned()];
        while !ends.is_empty() {
            pgrx::check_for_interrupts!();
            let mut ids = Array::texts(ends.iter().map(String::as_str));
            let parameters = [Some(workspace.datum()), Some(ids.datum())];
            let rows = EARLIER.with(|statement| statement.run_in_snapshot(client, &parameters));
            let earlier = rows.iter::<2>().filter(|row| row.text(1) == user.as_deref());
            let earlier = earlier.filter_map(|row| row.text(0).map(str::to_owned));
            ends = earlier.filter(|id| seen.insert(id.clone())).collect();
            chain.extend(ends.iter().cloned());
        }
        chain
    });
    SetOfIterator::new(chain)
}

/// For deleted memories that others had superseded: what took the place of each, and is not deleted.
#[pg_extern(schema = "kepler_internal", immutable, parallel_safe, strict)]
#[search_path(pg_catalog, pg_temp)]
fn successors(
    workspace_ids: Vec<Option<String>>,
    ids: Vec<Option<String>>,
    superseded_by: Vec<Option<String>>,
) -> TableIterator<
    'static,
    (name!(workspace_id, String), name!(id, String), name!(successor, Option<String>)),
> {
    type Key<'k> = (&'k str, &'k str);
    let all: HashMap<Key<'_>, Option<&str>> = workspace_ids
        .iter()
        .zip(&ids)
        .zip(&superseded_by)
        .filter_map(|((workspace, id), by)| {
            Some(((workspace.as_deref()?, id.as_deref()?), by.as_deref()))
        })
        .collect();
    let mut found: HashMap<Key<'_>, Option<&str>> = HashMap::with_capacity(all.len());
    for &(workspace, id) in all.keys() {
        let mut way = vec![id];
        let mut on_way: HashSet<&str> = HashSet::from([id]);
        let mut at = id;
        let successor = loop {
            if let Some(known) = found.get(&(workspace, at)) {
                break *known;
            }
            match all.get(&(workspace, at)) {
                None => break Some(at),
                Some(None) => break None,
                // Of a circle, which only direct SQL can make, nothing is left.
                Some(Some(by)) if !on_way.insert(by) => break None,
                Some(Some(by)) => {
                    at = by;
                    way.push(by);
                }
            }
        };
        for id in way {
            if all.contains_key(&(workspace, id)) {
                found.insert((workspace, id), successor);
            }
        }
    }
    let rows: Vec<_> = found
        .into_iter()
        .map(|((workspace, id), by)| (workspace.to_owned(), id.to_owned(), by.map(str::to_owned)))
        .collect();
    TableIterator::new(rows)
}
