//! Lists of memories, page by page, and how many there are.
//!
//! What a list costs is what its page costs, or the rows of the narrowest of what its arguments name: a filter, a
//! namespace, a user. Where one of those has few rows, these are read and put in order. Else the memories are walked
//! through in their order, as the index has it, until the page is full. A walk that meets too few of the memories asked
//! for is given up: then they stand together elsewhere, and are read by what the arguments name.

use super::item::{COLUMNS, Item};
use super::order::{By, Order as Listed, Place};
use crate::error::Error;
use crate::memory::access::Reader;
use crate::memory::embedded::Embedded;
use crate::memory::narrow::{Few, few};
use crate::memory::nearest::index_on_metadata;
use crate::memory::place;
use crate::memory::scope::{Conditions, Scope, User};
use crate::memory::touch;
use crate::pg::plan::Order;
use crate::pg::query::Parameters;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;

const MEMORIES: Embedded = Embedded::Memories;

/// So many rows are read and put in order rather than walked through; and so many are walked through before that is given up.
const FEW: usize = 2_000;
const WALKED: usize = 20_000;
const WALKED_A_ROW: usize = 10;

/// Times that bound a list; microseconds.
#[derive(Default)]
pub(super) struct Times {
    pub(super) created_from: Option<i64>,
    pub(super) created_before: Option<i64>,
    pub(super) updated_from: Option<i64>,
    pub(super) updated_before: Option<i64>,
}

impl Times {
    fn conditions(&self, parameters: &mut Parameters) -> String {
        let all = [
            ("m.created_at >=", self.created_from),
            ("m.created_at <", self.created_before),
            ("m.updated_at >=", self.updated_from),
            ("m.updated_at <", self.updated_before),
        ];
        let given = all.into_iter().filter_map(|(than, time)| Some((than, time?)));
        given.map(|(than, time)| format!(" AND {than} {}", parameters.time(time))).collect()
    }
}

/// A page that is asked for.
pub(super) struct Page {
    pub(super) order: Listed,
    pub(super) after: Option<Place>,
    pub(super) max_rows: usize,
    pub(super) touch: bool,
}

/// What is common to lists and counts.
struct Listing<'l> {
    scope: &'l Scope,
    conditions: Conditions,
    /// All that a row `m` must meet.
    all: String,
    parameters: Parameters,
}

impl<'l> Listing<'l> {
    fn new(reader: &Reader, scope: &'l Scope, times: &Times) -> Result<Self, Error> {
        let mut parameters = Parameters::default();
        let conditions = scope.conditions(&mut parameters)?.of(reader);
        let all = conditions.rows.conditions.clone() + &times.conditions(&mut parameters);
        Ok(Self { scope, conditions, all, parameters })
    }

    /// What few rows can be read by.
    fn few(&self, client: &mut SpiClient<'_>) -> Option<Few> {
        few(client, MEMORIES, &self.conditions, &self.parameters, FEW)
    }

    /// The same where the rows are many; None where nothing names them.
    fn many(&self, client: &mut SpiClient<'_>) -> Option<Few> {
        let Conditions { narrow, rows, .. } = &self.conditions;
        if let Some(keys) = narrow.first() {
            return Some(Few { order: Order::OfTable, ..Few::by_keys(MEMORIES, &keys.sql) });
        }
        let probe = rows.probe.as_ref()?;
        index_on_metadata(client, MEMORIES)?;
        Some(Few::by_filter(MEMORIES, &probe.condition))
    }

    fn number(&mut self, number: usize) -> String {
        self.parameters.datum(pg_sys::INT8OID, Some(pg_sys::Datum::from(number)))
    }

    fn run(
        &self,
        client: &mut SpiClient<'_>,
        sql: String,
        order: Order,
        memory: pg_sys::MemoryContext,
    ) -> Vec<Item> {
        let rows = self.parameters.run_kept(client, sql, order);
        rows.iter().filter_map(|row| Item::read(&row, memory)).collect()
    }
}

/// A page of the memories of a scope.
pub(super) fn run(
    client: &mut SpiClient<'_>,
    scope: &Scope,
    times: &Times,
    page: &Page,
    memory: pg_sys::MemoryContext,
) -> Result<Vec<Item>, Error> {
    let reader = Reader::open(client, &scope.workspace_id)?;
    let mut listing = Listing::new(&reader, scope, times)?;
    if page.order.by == By::Key {
        listing.all.push_str(" AND m.key IS NOT NULL AND m.valid_to IS NULL");
    }
    let behind = match &page.after {
        Some(place) => {
            let behind = page.order.behind(place, &scope.user, &mut listing.parameters);
            format!(" AND {behind}")
        }
        None => String::new(),
    };
    let items = list(client, &mut listing, page, &behind, memory);
    if reader.close() && page.touch {
        touch::run(client, &scope.workspace_id, items.iter().map(|item| item.id.as_str()));
    }
    Ok(items)
}

fn list(
    client: &mut SpiClient<'_>,
    listing: &mut Listing<'_>,
    page: &Page,
    behind: &str,
    memory: pg_sys::MemoryContext,
) -> Vec<Item> {
    let order = page.order.sql(&listing.scope.user);
    let limit = listing.number(page.max_rows);
    let all = format!("{}{behind}", listing.all);
    let sorted = |from: &str, below: &str| {
        format!("SELECT 0, {COLUMNS} FROM {from} WHERE {all}{below} ORDER BY {order} LIMIT {limit}")
    };
    // One user's keys have an index of their own, which begins with the namespace.
    if page.order.by == By::Key && !matches!(listing.scope.user, User::Any) {
        let below = match listing.scope.namespace.as_str() {
            "" => String::new(),
            namespace => {
                let from = listing.parameters.text(namespace);
                let to = listing.parameters.text(&place::range(namespace).1);
                format!(" AND m.namespace >= {from} AND m.namespace < {to}")
            }
        };
        let sql = sorted("kepler.memories AS m", &below);
        return listing.run(client, sql, Order::OfIndex, memory);
    }
    if let Some(few) = listing.few(client) {
        return listing.run(client, sorted(&few.from, ""), few.order, memory);
    }
    let workspace = listing.conditions.rows.workspace.clone();
    let many = listing.many(client);
    match page.order.by {
        By::Id => {
            let walk = |bound: &str| {
                format!(
                    "SELECT 0, {COLUMNS} FROM (SELECT m.* FROM kepler.memories AS m \
                         WHERE m.workspace_id = {workspace}{behind} ORDER BY {order} {bound}) AS m \
                     WHERE {all} LIMIT {limit}"
                )
            };
            if many.is_none() {
                return listing.run(client, walk("OFFSET 0"), Order::OfIndex, memory);
            }
            let most = listing.number(WALKED.max(WALKED_A_ROW * page.max_rows));
            let walk = walk(&format!("LIMIT {most}"));
            let items = listing.run(client, walk, Order::OfIndex, memory);
            if items.len() >= page.max_rows {
                return items;
            }
        }
        By::Key | By::UpdatedAt => {}
    }
    // All are read, and so in the order of the table and not one by one.
    let many = many.unwrap_or_else(|| {
        let keys = format!("m.workspace_id = {workspace}");
        Few { order: Order::OfTable, ..Few::by_keys(MEMORIES, &keys) }
    });
    listing.run(client, sorted(&many.from, ""), many.order, memory)
}

/// How many memories a scope has, up to `most`.
pub(super) fn count(
    client: &mut SpiClient<'_>,
    scope: &Scope,
    times: &Times,
    most: Option<usize>,
) -> Result<i64, Error> {
    let reader = Reader::open(client, &scope.workspace_id)?;
    let mut listing = Listing::new(&reader, scope, times)?;
    let limit = most.map_or(String::new(), |most| format!(" LIMIT {}", listing.number(most)));
    let mut few = listing.few(client);
    // What meets a filter may come last.
    if few.is_none() && scope.filter.is_some() && listing.conditions.narrow.is_empty() {
        few = listing.many(client);
    }
    let (from, order) = match &few {
        Some(few) => (few.from.as_str(), few.order),
        // Otherwise the first rows are enough.
        None if scope.filter.is_some() || most.is_none() => {
            ("kepler.memories AS m", Order::OfTable)
        }
        None => ("kepler.memories AS m", Order::Sorted),
    };
    let sql = format!(
        "SELECT pg_catalog.count(*) FROM (SELECT FROM {from} WHERE {}{limit}) AS counted",
        listing.all
    );
    let rows = listing.parameters.run_kept(client, sql, order);
    Ok(rows.iter::<1>().next().and_then(|row| row.bigint(0)).unwrap_or(0))
}
