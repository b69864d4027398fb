//! Reads the history of a row.
//!
//! Who may read a table may read what its rows were. The history is then read as its owner, with the workspace, the
//! table and the row bound; the present row is read as the caller, by the same snapshot.

use super::error::HistoryError;
use super::image;
use super::rebuild::{self, Event, Identities, LaidOut, Layout, State};
use super::shape::{self, text};
use super::tracked::Table;
use crate::access::owner::Owner;
use crate::error::Error;
use crate::feed::epoch::Epochs;
use crate::feed::tell::Operation;
use crate::jsonb::builder::Builder;
use crate::pg::plan::{Parameter, Statement};
use crate::pg::rows::Row;
use crate::pg::varlena::Text;
use crate::pg::whole::Spi;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;
use std::collections::HashSet;

const EVENT: &str = "
    SELECT h.epoch, h.xid, h.sequence, h.created_at, h.operation::text, h.shape_id, h.statement, h.old_values,
           pg_catalog.to_jsonb(h.withheld)::text, h.redaction_id IS NOT NULL, w.actor, w.request_id, w.role_name
    FROM kepler.history AS h
    LEFT JOIN LATERAL (
        SELECT t.actor, t.request_id, t.role_name FROM kepler.history_transactions AS t
        WHERE t.epoch = h.epoch AND t.xid = h.xid AND t.sequence < h.sequence
            AND t.workspace_id IS NOT DISTINCT FROM h.workspace_id
        ORDER BY t.epoch DESC, t.xid DESC, t.sequence DESC LIMIT 1) AS w ON true
    WHERE h.table_id = $2 AND ";

type Events = crate::pg::plan::OwnedStatement;

thread_local! {
    static OF_WORKSPACE: Events = events("h.workspace_id = $1 AND h.row_id = $3");
    static OF_NONE: Events = events("h.workspace_id IS NULL AND $1 IS NULL AND h.row_id = $3");
    static EMPTIED: Events =
        events("h.workspace_id = $1 AND h.operation = 'TRUNCATE' AND $3 IS NOT NULL");
    static EMPTIED_OF_NONE: Events = events(
        "h.workspace_id IS NULL AND $1 IS NULL AND h.operation = 'TRUNCATE' AND $3 IS NOT NULL",
    );
    static LAYOUTS: Statement = const { Statement::new(
        c"SELECT s.id, s.epoch, s.relation, s.columns::text,
              s.relation = $2 OR s.relation = pg_catalog.pg_partition_root($2)
                  OR s.relation IN (SELECT p.relid FROM pg_catalog.pg_partition_tree($2) AS p)
          FROM kepler.history_shapes AS s WHERE s.table_id = $1 ORDER BY s.id",
        &[pg_sys::INT4OID, pg_sys::OIDOID],
    ) };
}

/// The last condition: since when.
fn events(whose: &str) -> Events {
    let sql = format!(
        "{EVENT} {whose} AND ($4 IS NULL OR h.created_at > $4)
         ORDER BY h.epoch DESC, h.sequence DESC LIMIT $5"
    );
    let types = vec![
        pg_sys::TEXTOID,
        pg_sys::INT4OID,
        pg_sys::TEXTOID,
        pg_sys::TIMESTAMPTZOID,
        pg_sys::INT8OID,
    ];
    Events::new(sql, types)
}

/// A change of a row, and what the row was after it.
pub(super) struct Version {
    pub(super) event: Event,
    /// A `jsonb` each.
    pub(super) changes: Option<Vec<u8>>,
    pub(super) after: Option<Vec<u8>>,
}

/// All that is read of a row.
struct Read {
    identities: Identities,
    /// What the row is now.
    present: State,
    /// The newest first.
    events: Vec<Event>,
}

fn read(table: &Table, id: &str, since: Option<i64>, limit: i64) -> Result<Read, Error> {
    let (image, mut layout, row_id) = table.present(id)?;
    let (layouts, mut events) = {
        let _owner = Owner::find()?.act();
        Spi::connect_mut(|client| {
            layout.epoch = Epochs::read(client).counted().0;
            let rows = LAYOUTS.with(|plan| {
                plan.run_in_snapshot(client, &[Some(table.number.into()), Some(table.oid.into())])
            });
            // A number is given to a table of the same name again, which may be somebody else's.
            let (mut layouts, mut foreign) = (Vec::new(), HashSet::new());
            for row in rows.iter::<5>() {
                let is_own = row.boolean(4) == Some(true);
                let Some(found) = layout_of(row) else { continue };
                // Over a restore nothing but the number tells whose it was.
                let is_own = if found.epoch == layout.epoch { is_own } else { table.is_sole };
                if !is_own && !table.sees_all {
                    foreign.extend(found.id);
                } else {
                    layouts.push(found);
                }
            }
            layouts.push(layout);
            let mut events = events_of(client, table, &row_id, since, limit);
            events.retain(|event| !foreign.contains(&event.layout));
            (layouts, events)
        })
    };
    events.sort_by_key(|event| std::cmp::Reverse((event.epoch, event.sequence)));
    rebuild::order(&mut events);
    let identities = Identities::of(&layouts);
    let present = match image {
        _ if !table.is_tracked => State::Unknown,
        Some(bytes) => State::Row(identities.values(None, Some(&bytes[4..]))),
        None => State::Absent,
    };
    Ok(Read { identities, present, events })
}

fn layout_of(row: Row<'_, 5>) -> Option<Layout> {
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
        epoch: row.integer(1)?,
        relation: row.oid(2)?.to_u32(),
        columns: columns.collect(),
    })
}

fn events_of(
    client: &mut SpiClient<'_>,
    table: &Table,
    id: &str,
    since: Option<i64>,
    limit: i64,
) -> Vec<Event> {
    let workspace = table.workspace.as_deref().map(Text::new);
    let row_id = Text::new(id);
    let parameters: [Parameter; 5] = [
        workspace.as_ref().map(Text::datum),
        Some(table.number.into()),
        Some(row_id.datum()),
        since.map(Into::into),
        Some(limit.into()),
    ];
    let statements = match workspace {
        Some(_) => [&OF_WORKSPACE, &EMPTIED],
        None => [&OF_NONE, &EMPTIED_OF_NONE],
    };
    let mut events = Vec::new();
    for statement in statements {
        statement.with(|plan| {
            let rows = plan.run_in_snapshot(client, &parameters);
            events.extend(rows.iter::<13>().filter_map(event_of));
        });
    }
    events
}

fn event_of(row: Row<'_, 13>) -> Option<Event> {
    let operation = Operation::ALL
        .into_iter()
        .find(|operation| row.text(4).map(str::as_bytes) == Some(operation.label().to_bytes()))?;
    let withheld = row.text(8).and_then(|names| serde_json::from_str(names).ok());
    Some(Event {
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

/// So many more changes are read than are given, so that those of one transaction can be put in order.
const MORE: i64 = 100;

/// The versions of a row, the newest first.
pub(super) fn versions(
    oid: pg_sys::Oid,
    id: &str,
    max_rows: i32,
    workspace_id: Option<String>,
) -> Result<Vec<Version>, Error> {
    let table = Spi::connect_mut(|client| Table::find(client, oid, workspace_id))?;
    let Read { identities, present, events } = read(&table, id, None, i64::from(max_rows) + MORE)?;
    let mut state = present;
    let mut builder = Builder::default();
    let mut versions = Vec::new();
    for event in events.into_iter().take(max_rows as usize) {
        pgrx::check_for_interrupts!();
        if event.created_at < table.tracked_at {
            // Between the two nobody was told of changes.
            state = State::Unknown;
        }
        let before = event.undo(&identities, &state);
        let changes = identities.difference(&event, &state, &before, &mut builder);
        let after = match &state {
            State::Row(values) => identities.object(values, &mut builder),
            _ => None,
        };
        versions.push(Version { event, changes, after });
        state = before;
    }
    Ok(versions)
}

/// What a row was at a time, as a `jsonb`; None where it was not there.
pub(super) fn as_of(
    oid: pg_sys::Oid,
    id: &str,
    time: i64,
    workspace_id: Option<String>,
) -> Result<Option<Vec<u8>>, Error> {
    let table = Spi::connect_mut(|client| Table::find(client, oid, workspace_id))?;
    let Read { identities, present, events } = read(&table, id, Some(time), i64::MAX)?;
    let mut state = present;
    for event in &events {
        pgrx::check_for_interrupts!();
        state = event.undo(&identities, &state);
    }
    if time < table.tracked_at {
        state = State::Unknown;
    } else if matches!(state, State::Unknown) && table.is_tracked {
        // What was deleted last, or emptied, is not there, whatever came after it.
        let before = read(&table, id, None, i64::MAX)?.events;
        let last = before.into_iter().find(|event| event.created_at <= time);
        if let Some(Operation::Delete | Operation::Truncate) = last.map(|event| event.operation) {
            state = State::Absent;
        }
    }
    match state {
        State::Row(values) => Ok(identities.object(&values, &mut Builder::default())),
        State::Absent => Ok(None),
        State::Unknown => {
            let why = match () {
                () if time < table.tracked_at => {
                    "The table was not tracked then, or not all the time since."
                }
                () if !table.is_tracked => "The table is not tracked any more.",
                () => {
                    "The table was emptied by TRUNCATE since, or the history of the row was redacted."
                }
            };
            Err(HistoryError::Unknown { why }.into())
        }
    }
}

/// The image of a row of a table, as a trigger would keep it all.
///
/// # Safety
/// The datum is a composite value of a table's row type.
pub(super) unsafe fn row_image(datum: pg_sys::Datum) -> Result<Option<Vec<u8>>, Error> {
    // SAFETY: as the caller says. The description is held while it is used.
    unsafe {
        let header =
            pg_sys::pg_detoast_datum(datum.cast_mut_ptr()).cast::<pg_sys::HeapTupleHeaderData>();
        // What the macros of Postgres 16 read, which later versions have as functions.
        let kind = (*header).t_choice.t_datum;
        let row_type = kind.datum_typeid;
        let table = pg_sys::get_typ_typrelid(row_type);
        if table == pg_sys::InvalidOid {
            return Ok(None);
        }
        let description = pg_sys::lookup_rowtype_tupdesc(row_type, kind.datum_typmod);
        let columns = shape::columns(table, description)?;
        let count = (*description).natts as usize;
        let mut values = vec![pg_sys::Datum::null(); count];
        let mut nulls = vec![true; count];
        let mut tuple = pg_sys::HeapTupleData {
            t_len: pgrx::varlena::varsize(header.cast()) as u32,
            t_data: header,
            ..Default::default()
        };
        pg_sys::heap_deform_tuple(&mut tuple, description, values.as_mut_ptr(), nulls.as_mut_ptr());
        let mut builder = Builder::default();
        builder.open_object();
        for column in columns.iter().filter(|column| !column.is_sensitive) {
            let at = column.number as usize - 1;
            builder.key(column.name.as_bytes());
            if nulls[at] {
                builder.null();
            } else {
                column.spelling.add(&mut builder, values[at]);
            }
        }
        if (*description).tdrefcount >= 0 {
            pg_sys::DecrTupleDescRefCount(description);
        }
        let mut out = Vec::new();
        Ok(image::finish(&mut builder, &mut out).ok().map(|()| out))
    }
}
