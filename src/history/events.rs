//! What this node has noted of a row: its changes, and the layouts of its table.

use super::rebuild::{Event, LaidOut, Layout};
use super::shape::text;
use super::tracked::Table;
use crate::access::owner::Owner;
use crate::error::Error;
use crate::feed::epoch::Epochs;
use crate::feed::tell::Operation;
use crate::pg::plan::{OwnedStatement, Parameter};
use crate::pg::rows::Row;
use crate::pg::varlena::Text;
use crate::pg::whole::Spi;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;
use std::collections::HashSet;

/// Which changes are asked for: the last ones of all; all since a time; or the last ones up to a time, without their values. The
/// number is how many of them there are at most.
#[derive(Debug, Clone, Copy)]
pub(super) enum Window {
    Last(i64),
    Since(i64),
    LastUntil(i64, i64),
}

impl Window {
    /// Since when, until when, and how many.
    fn bounds(self) -> (Option<i64>, Option<i64>, i64) {
        match self {
            Self::Last(limit) => (None, None, limit),
            Self::Since(time) => (Some(time), None, i64::MAX),
            Self::LastUntil(time, limit) => (None, Some(time), limit),
        }
    }

    pub(super) fn has(self, event: &Event) -> bool {
        let (since, until, _) = self.bounds();
        since.is_none_or(|time| event.created_at > time)
            && until.is_none_or(|time| event.created_at <= time)
    }
}

const EVENT: &str = "
    SELECT h.epoch, h.xid, h.sequence, h.created_at, h.operation::text, h.shape_id, h.statement,
           CASE WHEN $6 IS NULL THEN h.old_values END AS old_values, pg_catalog.to_jsonb(h.withheld)::text AS withheld,
           h.redaction_id IS NOT NULL AS is_redacted, w.actor, w.request_id, w.role_name
    FROM kepler.history AS h
    LEFT JOIN LATERAL (
        SELECT t.actor, t.request_id, t.role_name FROM kepler.history_transactions AS t
        WHERE t.epoch = h.epoch AND t.xid = h.xid AND t.sequence < h.sequence
            AND t.workspace_id IS NOT DISTINCT FROM h.workspace_id
        ORDER BY t.epoch DESC, t.xid DESC, t.sequence DESC LIMIT 1) AS w ON true
    WHERE h.table_id = $2 AND ";

const LAYOUT: &str = "
    SELECT s.id, s.epoch, s.relation, s.columns::text AS columns, s.created_at, s.relation = $2
        OR s.relation = pg_catalog.pg_partition_root($2)
        OR s.relation IN (SELECT p.relid FROM pg_catalog.pg_partition_tree($2) AS p) AS is_own, s.table_name
    FROM kepler.history_shapes AS s WHERE s.table_id = $1 ORDER BY s.id";

/// Whose changes, in the order in which they are asked for: of a row, and those that emptied the table.
const OF_WORKSPACE: [&str; 2] = [
    "h.workspace_id = $1 AND h.row_id = $3",
    "h.workspace_id = $1 AND h.operation = 'TRUNCATE' AND $3 IS NOT NULL",
];
const OF_NONE: [&str; 2] = [
    "h.workspace_id IS NULL AND $1 IS NULL AND h.row_id = $3",
    "h.workspace_id IS NULL AND $1 IS NULL AND h.operation = 'TRUNCATE' AND $3 IS NOT NULL",
];

/// Statements on the history; those of the second kind give each row as a JSON object, and what decides about it.
struct Statements {
    of_workspace: [OwnedStatement; 2],
    of_none: [OwnedStatement; 2],
    layouts: OwnedStatement,
}

impl Statements {
    fn new(events: impl Fn(&str) -> String, layouts: impl Fn(&str) -> String) -> Self {
        let of = |whose: &str| {
            let sql = format!(
                "{EVENT} {whose} AND ($4 IS NULL OR h.created_at > $4) AND ($6 IS NULL OR h.created_at <= $6)
                 ORDER BY h.epoch DESC, h.sequence DESC LIMIT $5"
            );
            let types = vec![
                pg_sys::TEXTOID,
                pg_sys::INT4OID,
                pg_sys::TEXTOID,
                pg_sys::TIMESTAMPTZOID,
                pg_sys::INT8OID,
                pg_sys::TIMESTAMPTZOID,
            ];
            OwnedStatement::new(events(&sql), types)
        };
        Self {
            of_workspace: OF_WORKSPACE.map(of),
            of_none: OF_NONE.map(of),
            layouts: OwnedStatement::new(layouts(LAYOUT), vec![pg_sys::INT4OID, pg_sys::OIDOID]),
        }
    }
}

thread_local! {
    static READ: Statements = Statements::new(str::to_owned, str::to_owned);
    static TOLD: Statements = Statements::new(
        |sql| format!("SELECT x.shape_id, pg_catalog.to_json(x)::text FROM ({sql}) AS x"),
        |sql| format!("SELECT x.id, x.epoch, x.is_own, x.table_name, pg_catalog.to_json(x)::text FROM ({sql}) AS x"),
    );
}

/// What a node has of a row.
#[derive(Default)]
pub(super) struct Found {
    /// The oldest first.
    pub(super) layouts: Vec<Layout>,
    pub(super) events: Vec<Event>,
}

/// The epoch of now, and whose layouts are the table's.
struct Whose<'t> {
    table: &'t Table,
    epoch: i32,
}

impl Whose<'_> {
    /// A number is given to a table of the same name again, which may be somebody else's.
    fn has(&self, epoch: i32, is_own: bool, table_name: Option<&str>) -> bool {
        let table = self.table;
        // Over a restore nothing but the number tells whose it was.
        let is_own = if epoch == self.epoch { is_own } else { table.is_sole };
        // A table that is distributed has other oids on other nodes, and another one where Citus makes it anew. It lies in a schema
        // where nobody else makes tables.
        is_own || table.sees_all || table.is_distributed && table_name == Some(&table.name)
    }
}

/// What there is of a row in some windows, and the epoch of now.
pub(super) fn find(table: &Table, row_id: &str, windows: &[Window]) -> Result<(Found, i32), Error> {
    let _owner = Owner::find()?.act();
    Spi::connect_mut(|client| {
        let epoch = Epochs::read(client).counted().0;
        let whose = Whose { table, epoch };
        READ.with(|statements| {
            let (mut found, mut foreign) = (Found::default(), HashSet::new());
            let rows = statements.layouts.run_in_snapshot(client, &of_table(table));
            for row in rows.iter::<7>() {
                let is_own = row.boolean(5) == Some(true);
                let name = row.text(6).map(str::to_owned);
                let Some(layout) = layout_of(row, 0) else { continue };
                if whose.has(layout.epoch, is_own, name.as_deref()) {
                    found.layouts.push(layout);
                } else {
                    foreign.extend(layout.id);
                }
            }
            each_of(client, statements, table, row_id, windows, |client, statement, given| {
                let rows = statement.run_in_snapshot(client, given);
                found.events.extend(rows.iter::<13>().filter_map(|row| event_of(row, 0)));
            });
            found.events.retain(|event| !foreign.contains(&event.layout));
            Ok((found, epoch))
        })
    })
}

/// The same as a JSON document, for another node.
pub(super) fn tell(table: &Table, row_id: &str, windows: &[Window]) -> Result<String, Error> {
    let _owner = Owner::find()?.act();
    Spi::connect_mut(|client| {
        let whose = Whose { table, epoch: Epochs::read(client).counted().0 };
        TOLD.with(|statements| {
            let (mut layouts, mut events, mut foreign) = (Vec::new(), Vec::new(), HashSet::new());
            let rows = statements.layouts.run_in_snapshot(client, &of_table(table));
            for row in rows.iter::<5>() {
                let Some(epoch) = row.integer(1) else { continue };
                if whose.has(epoch, row.boolean(2) == Some(true), row.text(3)) {
                    layouts.extend(row.text(4).map(str::to_owned));
                } else {
                    foreign.extend(row.bigint(0));
                }
            }
            each_of(client, statements, table, row_id, windows, |client, statement, given| {
                let rows = statement.run_in_snapshot(client, given);
                for row in rows.iter::<2>() {
                    if row.bigint(0).is_some_and(|layout| !foreign.contains(&layout)) {
                        events.extend(row.text(1).map(str::to_owned));
                    }
                }
            });
            let (layouts, events) = (layouts.join(","), events.join(","));
            Ok(format!("{{\"layouts\":[{layouts}],\"events\":[{events}]}}"))
        })
    })
}

fn of_table(table: &Table) -> [Parameter; 2] {
    [Some(table.number.into()), Some(table.oid.into())]
}

/// Runs the statements for the changes of a row.
fn each_of(
    client: &mut SpiClient<'_>,
    statements: &Statements,
    table: &Table,
    row_id: &str,
    windows: &[Window],
    mut run: impl FnMut(&mut SpiClient<'_>, &OwnedStatement, &[Parameter]),
) {
    let workspace = table.workspace.as_deref().map(Text::new);
    let row_id = Text::new(row_id);
    let of = if workspace.is_some() { &statements.of_workspace } else { &statements.of_none };
    for window in windows {
        let (since, until, limit) = window.bounds();
        let given: [Parameter; 6] = [
            workspace.as_ref().map(Text::datum),
            Some(table.number.into()),
            Some(row_id.datum()),
            since.map(Into::into),
            Some(limit.into()),
            until.map(Into::into),
        ];
        for statement in of {
            run(client, statement, &given);
        }
    }
}

/// `node`: a number for the node that it is from.
pub(super) fn layout_of<const N: usize>(row: Row<'_, N>, node: u32) -> Option<Layout> {
    let columns: serde_json::Value = serde_json::from_str(row.text(3)?).ok()?;
    let columns = columns.as_array()?.iter().filter_map(|column| {
        Some(LaidOut {
            number: column.get("number")?.as_i64()?,
            name: column.get("name")?.as_str()?.to_owned(),
            type_name: column.get("type")?.as_str()?.to_owned(),
        })
    });
    Some(Layout {
        id: row.bigint(0),
        node,
        epoch: row.integer(1)?,
        relation: row.oid(2)?.to_u32(),
        created_at: row.time(4)?,
        columns: columns.collect(),
    })
}

pub(super) fn event_of(row: Row<'_, 13>, node: u32) -> Option<Event> {
    let operation = Operation::ALL
        .into_iter()
        .find(|operation| row.text(4).map(str::as_bytes) == Some(operation.label().to_bytes()))?;
    let withheld = row.text(8).and_then(|names| serde_json::from_str(names).ok());
    Some(Event {
        node,
        epoch: row.integer(0)?,
        xid: row.bigint(1)? as u64,
        sequence: row.bigint(2)?,
        created_at: row.time(3)?,
        operation,
        layout: row.bigint(5)?,
        statement: row.bigint(6)?,
        old_values: row.jsonb(7).map(<[u8]>::to_vec),
        withheld: withheld.unwrap_or_default(),
        is_redacted: row.boolean(9)?,
        actor: text(row.datum(10)),
        request: text(row.datum(11)),
        role: text(row.datum(12)),
    })
}
