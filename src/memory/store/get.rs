//! Memories by their keys or ids.

use super::item::{COLUMNS, Item};
use crate::error::Error;
use crate::memory::access::Reader;
use crate::memory::scope::{Scope, User};
use crate::memory::touch;
use crate::pg::array::{self, Array};
use crate::pg::plan::Order;
use crate::pg::query::Parameters;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;

/// What names the memories that are asked for.
pub(super) enum Names {
    Ids(Vec<Option<String>>),
    /// Keys of one user in a namespace.
    Keys {
        keys: Vec<Option<String>>,
        namespace: String,
    },
}

/// Those of the memories that are there, in the order in which they were asked for. `scope`: whose they must be.
pub(super) fn run(
    client: &mut SpiClient<'_>,
    scope: &Scope,
    names: &Names,
    touch: bool,
    memory: pg_sys::MemoryContext,
) -> Result<Vec<Item>, Error> {
    let reader = Reader::open(client, &scope.workspace_id)?;
    let mut parameters = Parameters::default();
    let conditions = scope.conditions(&mut parameters)?;
    let (Names::Ids(given) | Names::Keys { keys: given, .. }) = names;
    let (mut places, mut texts) = (Array::new(array::INTEGER), Array::new(array::TEXT));
    for (at, name) in given.iter().enumerate() {
        if let Some(name) = name {
            places.push_bytes(&(at as i32).to_ne_bytes());
            texts.push_text(name);
        }
    }
    if texts.count() == 0 {
        return Ok(Vec::new());
    }
    let places = parameters.array(pg_sys::INT4ARRAYOID, places);
    let texts = parameters.array(pg_sys::TEXTARRAYOID, texts);
    let workspace = &conditions.rows.workspace;
    let found = match names {
        Names::Ids(_) => format!("x.workspace_id = {workspace} AND x.id = n.name"),
        Names::Keys { namespace, .. } => {
            let user = match &scope.user {
                User::Id(user) => format!("= {}", parameters.text(user)),
                User::Nobody | User::Any => "IS NULL".to_owned(),
            };
            format!(
                "x.workspace_id = {workspace} AND x.user_id {user} AND x.namespace = {} \
                 AND x.key = n.name AND x.valid_to IS NULL",
                parameters.text(namespace)
            )
        }
    };
    let sql = format!(
        "SELECT n.at, {COLUMNS} \
         FROM (SELECT pg_catalog.unnest({places}) AS at, pg_catalog.unnest({texts}) AS name) AS n \
         CROSS JOIN LATERAL (SELECT x.* FROM kepler.memories AS x WHERE {found} LIMIT 1) AS m \
         WHERE {all}",
        all = conditions.rows.conditions,
    );
    let rows = parameters.run_kept(client, sql, Order::Sorted);
    let mut items: Vec<Item> = rows.iter().filter_map(|row| Item::read(&row, memory)).collect();
    drop(rows);
    items.sort_by_key(|item| item.at);
    if reader.close() && touch {
        touch::run(client, &scope.workspace_id, items.iter().map(|item| item.id.as_str()));
    }
    Ok(items)
}
