//! What other nodes of a cluster have of a row's history: each has noted what was done while the row lay there.
//!
//! The node where somebody asks has all others tell what they have, as documents, and sends them with the call to the node where the
//! row lies now, which knows what the row is. Each node checks for itself that the caller may read the table's history.

use super::error::HistoryError;
use super::events::{self, Found, Window};
use super::read::{MORE, Version};
use super::tracked::Table;
use crate::access::owner::Owner;
use crate::arguments::ArgumentError;
use crate::error::Error;
use crate::pg::cluster::places::Lies;
use crate::pg::cluster::{moved, part};
use crate::pg::plan::Statement;
use crate::pg::relation;
use crate::pg::rows::Row;
use crate::pg::varlena::{self, Text};
use crate::pg::whole::Spi;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;

thread_local! {
    static LAYOUTS: Statement = const { Statement::new(
        c"SELECT x.id, x.epoch, x.relation, x.columns, x.created_at
          FROM pg_catalog.json_to_recordset($1::pg_catalog.json -> 'layouts')
              AS x (id bigint, epoch integer, relation oid, columns text, created_at timestamptz)",
        &[pg_sys::TEXTOID],
    ) };
    static EVENTS: Statement = const { Statement::new(
        c"SELECT x.epoch, x.xid, x.sequence, x.created_at, x.operation, x.shape_id, x.statement, x.old_values, x.withheld,
              x.is_redacted, x.actor, x.request_id, x.role_name
          FROM pg_catalog.json_to_recordset($1::pg_catalog.json -> 'events')
              AS x (epoch integer, xid xid8, sequence bigint, created_at timestamptz, operation text, shape_id bigint,
                  statement bigint, old_values jsonb, withheld text, is_redacted boolean, actor text, request_id text,
                  role_name text)",
        &[pg_sys::TEXTOID],
    ) };
    static ELSEWHERE: Statement = const { Statement::new(
        c"SELECT e.told, e.asked FROM kepler_internal.history_elsewhere($1, $2, $3, $4, $5) AS e",
        &[
            pg_sys::REGCLASSOID,
            pg_sys::TEXTOID,
            pg_sys::TIMESTAMPTZOID,
            pg_sys::INT8OID,
            pg_sys::TEXTOID,
        ],
    ) };
    static VERSIONS: Statement = const { Statement::new(
        c"SELECT r.* FROM kepler_internal.row_history_with($1, $2, $3, $4, $5, $6) AS r",
        &[
            pg_sys::REGCLASSOID,
            pg_sys::TEXTOID,
            pg_sys::INT4OID,
            pg_sys::TEXTARRAYOID,
            pg_sys::INT4ARRAYOID,
            pg_sys::TEXTOID,
        ],
    ) };
    static AS_OF: Statement = const { Statement::new(
        c"SELECT kepler_internal.row_as_of_with($1, $2, $3, $4, $5, $6)",
        &[
            pg_sys::REGCLASSOID,
            pg_sys::TEXTOID,
            pg_sys::TIMESTAMPTZOID,
            pg_sys::TEXTARRAYOID,
            pg_sys::INT4ARRAYOID,
            pg_sys::TEXTOID,
        ],
    ) };
    static ANY: Statement =
        const { Statement::new(c"SELECT EXISTS (SELECT FROM kepler.history AS h)", &[]) };
}

/// What is in documents that nodes have told, those of each.
pub(super) fn understood(documents: &[String]) -> Result<Vec<Found>, Error> {
    let found = |(at, document): (usize, &String)| {
        let (node, document) = (at as u32 + 1, Text::new(document));
        Spi::connect_mut(|client| {
            let given = [Some(document.datum())];
            let layouts = LAYOUTS.with(|plan| plan.run_in_snapshot(client, &given));
            let layouts =
                layouts.iter::<5>().filter_map(|row| events::layout_of(row, node)).collect();
            let rows = EVENTS.with(|plan| plan.run_in_snapshot(client, &given));
            let events = rows.iter::<13>().filter_map(|row| events::event_of(row, node)).collect();
            Found { layouts, events }
        })
    };
    Ok(documents.iter().enumerate().map(found).collect())
}

/// Whether other nodes are to be asked: the rows of the table lie in parts of a cluster. A call in a part, beside distributed tables,
/// cannot ask them.
pub(super) fn is_asked(table: pg_sys::Oid) -> Result<bool, Error> {
    if part::lies(table) != Lies::Distributed {
        return Ok(false);
    }
    if !part::is_elsewhere(table, false) {
        return Err(HistoryError::Beside(relation::spelled(table).unwrap_or_default()).into());
    }
    Ok(true)
}

/// What other nodes have told, in an array of texts, and which they are, in one of integers.
struct Told {
    documents: Option<pg_sys::Datum>,
    asked: Option<pg_sys::Datum>,
}

/// Runs a statement with what other nodes have of a row: all of the last changes, or all since a time, and the last ones before it.
fn with_elsewhere<T>(
    (table, id, workspace_id): (pg_sys::Oid, &str, &str),
    since: Option<i64>,
    max_rows: i64,
    run: impl FnOnce(&mut SpiClient<'_>, Told, &Text, &Text) -> T,
) -> Result<T, Error> {
    // What keeps the caller from it is said here, before others are asked.
    Spi::connect_mut(|client| Table::find(client, table, Some(workspace_id.to_owned())))?;
    let (id, workspace) = (Text::new(id), Text::new(workspace_id));
    // It stays where it is until all have answered.
    moved::hold_elsewhere(&workspace);
    Ok(Spi::connect_mut(|client| {
        let given = [
            Some(table.into()),
            Some(id.datum()),
            since.map(Into::into),
            Some(max_rows.into()),
            Some(workspace.datum()),
        ];
        let rows = ELSEWHERE.with(|plan| plan.run(client, &given));
        let row = rows.iter::<2>().next();
        let of = |column: usize| row.as_ref().and_then(|row| row.datum(column));
        let told = Told { documents: of(0), asked: of(1) };
        run(client, told, &id, &workspace)
    }))
}

/// The versions of a row whose table lies in parts.
pub(super) fn versions(
    table: pg_sys::Oid,
    id: &str,
    max_rows: i32,
    workspace_id: &str,
) -> Result<Vec<Version>, Error> {
    let of = (table, id, workspace_id);
    with_elsewhere(of, None, i64::from(max_rows) + MORE, |client, told, id, workspace| {
        let given = [
            Some(table.into()),
            Some(id.datum()),
            Some(max_rows.into()),
            told.documents,
            told.asked,
            Some(workspace.datum()),
        ];
        let rows = VERSIONS.with(|plan| plan.run(client, &given));
        let version = |row: Row<'_, 8>| {
            Some(Version {
                created_at: row.time(0)?,
                operation: row.text(1)?.to_owned(),
                changes: row.jsonb(2).map(varlena::whole),
                after: row.jsonb(3).map(varlena::whole),
                actor: row.text(4).map(str::to_owned),
                request: row.text(5).map(str::to_owned),
                role: row.text(6).map(str::to_owned),
                sequence: row.bigint(7)?,
            })
        };
        rows.iter::<8>().filter_map(version).collect()
    })
}

/// What a row whose table lies in parts was at a time.
pub(super) fn as_of(
    table: pg_sys::Oid,
    id: &str,
    time: i64,
    workspace_id: &str,
) -> Result<Option<Vec<u8>>, Error> {
    let of = (table, id, workspace_id);
    with_elsewhere(of, Some(time), 1 + MORE, |client, told, id, workspace| {
        let given = [
            Some(table.into()),
            Some(id.datum()),
            Some(time.into()),
            told.documents,
            told.asked,
            Some(workspace.datum()),
        ];
        let rows = AS_OF.with(|plan| plan.run(client, &given));
        rows.iter::<1>().next().and_then(|row| row.jsonb(0).map(varlena::whole))
    })
}

/// What this node has of a row, as a document. `since`: all changes since then, and so many before it.
pub(super) fn document(
    table: Option<pg_sys::Oid>,
    id: &str,
    since: Option<i64>,
    max_rows: i64,
    workspace_id: Option<String>,
) -> Result<String, Error> {
    // Where no part lies, nobody may ever have written; and a node that is being set up has not all tables.
    if part::current() == 0 {
        if !has_any()? {
            return Ok("{}".to_owned());
        }
        // Where Citus has made the tables of a node anew, and no part has come since.
        let listed = relation::named_exactly(c"kepler", c"tracked_tables");
        if listed.is_some_and(|t| part::lies(t) == Lies::Everywhere && part::here(t) == t) {
            return Err(HistoryError::LacksShared.into());
        }
    }
    let oid = table.ok_or(ArgumentError::Null("relation"))?;
    let table = Spi::connect_mut(|client| Table::find(client, oid, workspace_id))?;
    let windows = match since {
        None => vec![Window::Last(max_rows)],
        Some(time) => vec![Window::Since(time), Window::LastUntil(time, max_rows)],
    };
    events::tell(&table, &table.row_id(id)?, &windows)
}

/// Whether this node has noted anything.
fn has_any() -> Result<bool, Error> {
    if relation::named_exactly(c"kepler", c"history").is_none() {
        return Ok(false);
    }
    let _owner = Owner::find()?.act();
    Ok(Spi::connect_mut(|client| {
        let rows = ANY.with(|plan| plan.run_latest(client, &[]));
        rows.iter::<1>().next().and_then(|row| row.boolean(0)) == Some(true)
    }))
}
