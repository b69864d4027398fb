//! Reads changes in an order that misses nothing.
//!
//! A transaction's number is given when it first writes, and it may commit long after one with a greater number. So what
//! is served lies before the oldest transaction under way, as the calling statement's snapshot has it: of all before
//! that, whatever was committed is seen by the same snapshot, and nothing more will come.

use super::cursor::{Cursor, Position};
use super::epoch::Epochs;
use super::error::FeedError;
use crate::access::owner::Owner;
use crate::error::Error;
use crate::pg::cluster::part;
use crate::pg::cluster::places::Lies;
use crate::pg::plan::{Order, OwnedStatement, Statement};
use crate::pg::relation::{self, UntilChanged};
use crate::pg::varlena::Text;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;
use std::collections::{HashMap, HashSet};
use std::ffi::CString;
use std::rc::Rc;

/// Where changes are filtered, so many are looked at before a call answers, or as many as it may give.
const LOOKED_AT: i32 = 10_000;

/// Whose changes are read, and from where to where.
const BETWEEN: &str = "
    (f.epoch, f.xid, f.sequence) > ($2, $3, $4)
    AND (f.epoch, f.xid) < ($5, $6)
    AND (f.epoch < $7 OR f.xid < $6)
    ORDER BY f.epoch, f.xid, f.sequence LIMIT $8";

thread_local! {
    static HORIZON: Statement = const { Statement::new(
        c"SELECT pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot())",
        &[],
    ) };
    static OF_WORKSPACE: OwnedStatement = changes("f.workspace_id = $1");
    static OF_NONE: OwnedStatement = changes("f.workspace_id IS NULL AND $1 IS NULL");
    static DROPPED: Statement = const { Statement::new(
        c"SELECT d.epoch, d.xid, d.sequence FROM kepler.feed_dropped AS d
          WHERE d.workspace_id IS NOT DISTINCT FROM $1",
        &[pg_sys::TEXTOID],
    ) };
    static TABLES: Statement = const { Statement::new(
        c"SELECT t.id, COALESCE(
              (SELECT pg_catalog.format('%I.%I', n.nspname, c.relname)
               FROM pg_catalog.pg_depend AS d
               JOIN pg_catalog.pg_trigger AS g ON g.oid = d.objid
                   AND pg_catalog.substring(g.tgargs, 1, pg_catalog.length(t.id::text) + 1)
                       = pg_catalog.convert_to(t.id::text, 'UTF8') || '\\x00'::bytea
               JOIN pg_catalog.pg_class AS c ON c.oid = g.tgrelid
               JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
               WHERE d.classid = 'pg_catalog.pg_trigger'::pg_catalog.regclass
                   AND d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass
                   AND d.refobjid = 'kepler_internal.tell_feed()'::pg_catalog.regprocedure
               ORDER BY c.relispartition, c.relname ~ '_[0-9]+$', c.oid LIMIT 1), t.name)
          FROM kepler.tracked_tables AS t",
        &[],
    ) };
    static NAMES: UntilChanged<(), Rc<Tables>> = UntilChanged::default();
}

fn changes(whose: &str) -> OwnedStatement {
    let sql = format!(
        "SELECT f.epoch, f.xid, f.sequence, f.table_id, f.row_id, f.entity_type, f.operation::text,
                f.created_at
         FROM kepler.feed AS f WHERE {whose} AND {BETWEEN}"
    );
    let types = vec![
        pg_sys::TEXTOID,
        pg_sys::INT4OID,
        pg_sys::XID8OID,
        pg_sys::INT8OID,
        pg_sys::INT4OID,
        pg_sys::XID8OID,
        pg_sys::INT4OID,
        pg_sys::INT8OID,
    ];
    OwnedStatement::ordered(sql, types, Order::OfIndex).of_own_text()
}

/// Names of tables by their numbers in the feed.
pub(super) type Tables = HashMap<i32, String>;

/// The names that tracked tables have now; of those that are gone the last one that is known.
pub(super) fn tables(client: &mut SpiClient<'_>) -> Result<Rc<Tables>, Error> {
    NAMES.with(|names| {
        names.find((), |()| {
            // All of them, once for all roles of the session: a change that a caller sees is of a table that it may know.
            let _owner = Owner::find()?.act();
            let rows = TABLES.with(|plan| plan.run_in_snapshot(client, &[]));
            let name =
                |row: crate::pg::rows::Row<'_, 2>| Some((row.integer(0)?, row.text(1)?.to_owned()));
            Ok(Rc::new(rows.iter::<2>().filter_map(name).collect()))
        })
    })
}

/// The oldest transaction under way, as the calling statement has it.
pub(super) fn horizon(client: &mut SpiClient<'_>) -> u64 {
    let rows = HORIZON.with(|plan| plan.run_in_snapshot(client, &[]));
    rows.iter::<1>().next().and_then(|row| row.bigint(0)).unwrap_or_default() as u64
}

/// What is asked for.
pub(super) struct Request<'r> {
    /// None is what belongs to no workspace.
    pub(super) workspace: Option<&'r str>,
    /// None is the oldest change behind what was dropped.
    pub(super) after: Option<Cursor>,
    pub(super) max_rows: i32,
    /// A table's name.
    pub(super) table: Option<&'r str>,
    pub(super) entity_type: Option<&'r str>,
    /// When the consumer last was here, for an error.
    pub(super) acknowledged_at: Option<&'r str>,
    pub(super) of: Of,
}

/// Of which tables changes are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    All,
    /// Those whose rows are in tables of this node: not what was changed in others before they were distributed.
    TablesHere,
}

/// What was found behind a position.
pub(super) struct Found {
    /// The position.
    pub(super) after: Cursor,
    pub(super) changes: Vec<Change>,
    /// A position behind all of them, up to which there is no more that is asked for.
    pub(super) behind: Option<Cursor>,
}

pub(super) struct Change {
    pub(super) cursor: Cursor,
    pub(super) changed: Changed,
}

pub(super) struct Changed {
    pub(super) relation: Option<String>,
    pub(super) row_id: Option<String>,
    pub(super) entity_type: Option<String>,
    pub(super) operation: String,
    pub(super) sequence: i64,
    pub(super) created_at: i64,
}

/// Changes of a workspace behind a position.
#[derive(Clone, Copy)]
struct Window<'w> {
    workspace: Option<&'w Text>,
    after: Position,
    counted: (i32, i32),
    horizon: u64,
}

impl Window<'_> {
    fn run<T>(
        &self,
        client: &mut SpiClient<'_>,
        limit: i32,
        take: impl FnOnce(&crate::pg::rows::Rows<'_>) -> T,
    ) -> T {
        let parameters = self.parameters(limit);
        self.statement().with(|plan| take(&plan.run_in_snapshot(client, &parameters)))
    }

    /// Whether there is a change at the position, for what was committed until now.
    fn has_change_at(&self, client: &mut SpiClient<'_>, at: Position) -> bool {
        // The first one behind the place before it.
        let after = Position { sequence: at.sequence - 1, ..at };
        let window = Window { after, horizon: u64::MAX, ..*self };
        let parameters = window.parameters(1);
        let found = window.statement().with(|plan| {
            let rows = plan.run_latest(client, &parameters);
            let row = rows.iter::<8>().next();
            row.and_then(|row| {
                let xid = row.bigint(1)? as u64;
                Some(Position { epoch: row.integer(0)?, xid, sequence: row.bigint(2)? })
            })
        });
        found == Some(at)
    }

    fn statement(&self) -> &'static std::thread::LocalKey<OwnedStatement> {
        if self.workspace.is_some() { &OF_WORKSPACE } else { &OF_NONE }
    }

    fn parameters(&self, limit: i32) -> [Option<pg_sys::Datum>; 8] {
        let datum = |value: u64| Some(pg_sys::Datum::from(value));
        [
            self.workspace.map(Text::datum),
            Some(self.after.epoch.into()),
            datum(self.after.xid),
            Some(self.after.sequence.into()),
            Some(self.counted.0.into()),
            datum(self.horizon),
            Some(self.counted.1.into()),
            Some(i64::from(limit).into()),
        ]
    }
}

/// The tables whose rows are on other nodes, or on all of them.
pub(super) fn distributed(names: &Tables) -> HashSet<i32> {
    let is_distributed = |name: &str| {
        let (schema, table) = name.split_once('.')?;
        let plain = table.strip_prefix('"').and_then(|table| table.strip_suffix('"'));
        let table = plain.map_or(table.to_owned(), |table| table.replace("\"\"", "\""));
        let (schema, table) = (CString::new(schema).ok()?, CString::new(table).ok()?);
        Some(part::lies(relation::named_exactly(&schema, &table)?) != Lies::Here)
    };
    let ids = names.iter().filter(|(_, name)| is_distributed(name) == Some(true));
    ids.map(|(id, _)| *id).collect()
}

/// Where somebody begins who has no cursor. Partitions go by time, and positions by transaction: changes may be left before what was
/// dropped. Whoever begins with one of them could not go on from there.
pub(super) fn beginning(client: &mut SpiClient<'_>, workspace: Option<&str>) -> Cursor {
    let epochs = Epochs::read(client);
    let workspace = workspace.map(Text::new);
    epochs.cursor(dropped(client, workspace.as_ref()).unwrap_or_default())
}

/// The changes behind a position.
pub(super) fn read(client: &mut SpiClient<'_>, request: &Request<'_>) -> Result<Found, Error> {
    let epochs = Epochs::read(client);
    let workspace = request.workspace.map(Text::new);
    let after = match request.after {
        Some(cursor) => cursor.position,
        None => dropped(client, workspace.as_ref()).unwrap_or_default(),
    };
    let window = Window {
        workspace: workspace.as_ref(),
        after,
        counted: epochs.counted(),
        horizon: horizon(client),
    };
    let must_be_there = request.after.map(|cursor| epochs.check(cursor)).transpose()?;
    let names = tables(client)?;
    let others = if request.of == Of::All { HashSet::new() } else { distributed(&names) };
    let wanted = |table: i32, entity_type: Option<&str>| {
        request.table.is_none_or(|name| names.get(&table).map(String::as_str) == Some(name))
            && request.entity_type.is_none_or(|wanted| entity_type == Some(wanted))
            && !others.contains(&table)
    };
    let is_filtered = request.table.is_some() || request.entity_type.is_some();
    let looked_at = request.max_rows.max(LOOKED_AT);
    let limit = if is_filtered { looked_at } else { request.max_rows };
    let look = |rows: &crate::pg::rows::Rows<'_>| {
        let mut changes: Vec<Change> = Vec::new();
        let mut last = None;
        for row in rows.iter::<8>() {
            pgrx::check_for_interrupts!();
            let position = Position {
                epoch: row.integer(0).unwrap_or_default(),
                xid: row.bigint(1).unwrap_or_default() as u64,
                sequence: row.bigint(2).unwrap_or_default(),
            };
            let table = row.integer(3).unwrap_or_default();
            last = Some(position);
            if !wanted(table, row.text(5)) {
                continue;
            }
            last = None;
            let text = |column| row.text(column).map(str::to_owned);
            let changed = Changed {
                relation: names.get(&table).cloned(),
                row_id: text(4),
                entity_type: text(5),
                operation: text(6).unwrap_or_default(),
                sequence: position.sequence,
                created_at: row.time(7).unwrap_or_default(),
            };
            changes.push(Change { cursor: epochs.cursor(position), changed });
            if changes.len() == request.max_rows as usize {
                break;
            }
        }
        (changes, last.map(|position| epochs.cursor(position)))
    };
    let (mut changes, mut behind) = window.run(client, limit, look);
    // Where tables have been distributed, what was changed in them before may be all there is for long.
    if !others.is_empty() && limit < looked_at && changes.is_empty() && behind.is_some() {
        (changes, behind) = window.run(client, looked_at, look);
    }
    if let Some(must_be_there) = must_be_there {
        check_kept(client, request.acknowledged_at, &window, must_be_there)?;
    }
    Ok(Found { after: epochs.cursor(after), changes, behind })
}

/// The last position of a workspace that was dropped for its age.
fn dropped(client: &mut SpiClient<'_>, workspace: Option<&Text>) -> Option<Position> {
    let rows = DROPPED.with(|plan| plan.run_latest(client, &[workspace.map(Text::datum)]));
    rows.iter::<3>().next().map(|row| Position {
        epoch: row.integer(0).unwrap_or_default(),
        xid: row.bigint(1).unwrap_or_default() as u64,
        sequence: row.bigint(2).unwrap_or_default(),
    })
}

/// Refuses a cursor behind which changes are missing. After the reading: the partitions are locked now, and what was
/// dropped before that is noted and committed.
fn check_kept(
    client: &mut SpiClient<'_>,
    acknowledged_at: Option<&str>,
    window: &Window<'_>,
    must_be_there: bool,
) -> Result<(), FeedError> {
    let at = window.after;
    // Before it is asked what was dropped: what is deleted between the two is noted.
    let is_missing = must_be_there && !window.has_change_at(client, at);
    match dropped(client, window.workspace) {
        Some(dropped) if dropped > at => {
            Err(FeedError::Dropped { last_at: acknowledged_at.map(str::to_owned) })
        }
        Some(dropped) if dropped == at => Ok(()),
        _ if is_missing => Err(FeedError::Ahead),
        _ => Ok(()),
    }
}

/// How many changes wait behind a cursor, up to a limit, and when the first of them was made.
pub(super) fn count_behind(
    client: &mut SpiClient<'_>,
    workspace: &str,
    cursor: Cursor,
    limit: i32,
    of: Of,
) -> Result<(i32, Option<i64>), Error> {
    let epochs = Epochs::read(client);
    let text = Text::new(workspace);
    let must_be_there = epochs.check(cursor)?;
    let window = Window {
        workspace: Some(&text),
        after: cursor.position,
        counted: epochs.counted(),
        horizon: horizon(client),
    };
    let others = match of {
        Of::All => HashSet::new(),
        Of::TablesHere => distributed(&*tables(client)?),
    };
    let found = window.run(client, limit, |rows| {
        let waits = |row: &crate::pg::rows::Row<'_, 8>| {
            others.is_empty() || row.integer(3).is_some_and(|table| !others.contains(&table))
        };
        let first = rows.iter::<8>().find(waits).and_then(|row| row.time(7));
        let count =
            if others.is_empty() { rows.count() } else { rows.iter::<8>().filter(waits).count() };
        (count as i32, first)
    });
    check_kept(client, None, &window, must_be_there)?;
    Ok(found)
}

/// The cursor of now.
pub(super) fn now(client: &mut SpiClient<'_>) -> Cursor {
    let epochs = Epochs::read(client);
    let horizon = horizon(client);
    epochs.cursor(epochs.now(horizon))
}
