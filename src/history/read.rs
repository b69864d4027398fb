//! Reads the history of a row.
//!
//! Who may read a table may read what its rows were. The history is then read as its owner, with the workspace, the
//! table and the row bound; the present row is read as the caller, by the same snapshot. On a cluster other nodes have told
//! before what they have of it (`elsewhere`).

use super::elsewhere;
use super::error::HistoryError;
use super::events::{self, Found, Window};
use super::image;
use super::rebuild::{self, Event, Identities, State};
use super::shape;
use super::tracked::Table;
use crate::error::Error;
use crate::feed::tell::Operation;
use crate::jsonb::builder::Builder;
use crate::pg::whole::Spi;
use pgrx::pg_sys;

/// A change of a row, and what the row was after it.
pub(super) struct Version {
    pub(super) created_at: i64,
    pub(super) operation: String,
    /// A `jsonb` each.
    pub(super) changes: Option<Vec<u8>>,
    pub(super) after: Option<Vec<u8>>,
    pub(super) actor: Option<String>,
    pub(super) request: Option<String>,
    pub(super) role: Option<String>,
    pub(super) sequence: i64,
}

/// All that is read of a row.
struct Read {
    identities: Identities,
    /// What the row is now.
    present: State,
    /// The newest first.
    events: Vec<Event>,
    /// Those that are older than what was asked for, as far as other nodes have told of them.
    earlier: Vec<Vec<Event>>,
    row_id: String,
}

/// `elsewhere`: what other nodes have told.
fn read(table: &Table, id: &str, window: Window, elsewhere: &[String]) -> Result<Read, Error> {
    let (image, mut layout, row_id) = table.present(id)?;
    let (here, epoch) = events::find(table, &row_id, &[window])?;
    layout.epoch = epoch;
    let mut of_nodes = vec![here];
    of_nodes.extend(elsewhere::understood(elsewhere)?);
    let (mut layouts, mut events, mut earlier) = (Vec::new(), Vec::new(), Vec::new());
    for Found { layouts: own, events: of_node } in of_nodes {
        layouts.push(own);
        let (inside, before) = of_node.into_iter().partition(|event| window.has(event));
        events.push(inside);
        earlier.push(before);
    }
    let mut layouts = rebuild::merged(layouts, |layout| layout.created_at);
    layouts.push(layout);
    let identities = Identities::of(&layouts);
    let present = match image {
        _ if !table.is_tracked => State::Unknown,
        Some(bytes) => State::Row(identities.values(None, Some(&bytes[4..]))),
        None => State::Absent,
    };
    Ok(Read { identities, present, events: rebuild::in_order(events), earlier, row_id })
}

/// So many more changes are read than are given, so that those of one transaction can be put in order.
pub(super) const MORE: i64 = 100;

/// The versions of a row, the newest first. `elsewhere`: what other nodes of a cluster have told.
pub(super) fn versions(
    oid: pg_sys::Oid,
    id: &str,
    max_rows: i32,
    workspace_id: Option<String>,
    elsewhere: &[String],
) -> Result<Vec<Version>, Error> {
    let table = Spi::connect_mut(|client| Table::find(client, oid, workspace_id))?;
    let window = Window::Last(i64::from(max_rows) + MORE);
    let Read { identities, present, events, .. } = read(&table, id, window, elsewhere)?;
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
        versions.push(Version {
            created_at: event.created_at,
            operation: event.operation.label().to_string_lossy().into_owned(),
            changes,
            after,
            actor: event.actor,
            request: event.request,
            role: event.role,
            sequence: event.sequence,
        });
        state = before;
    }
    Ok(versions)
}

/// What a row was at a time, as a `jsonb`; None where it was not there. `elsewhere`: as for `versions`.
pub(super) fn as_of(
    oid: pg_sys::Oid,
    id: &str,
    time: i64,
    workspace_id: Option<String>,
    elsewhere: &[String],
) -> Result<Option<Vec<u8>>, Error> {
    let table = Spi::connect_mut(|client| Table::find(client, oid, workspace_id))?;
    let Read { identities, present, events, mut earlier, row_id } =
        read(&table, id, Window::Since(time), elsewhere)?;
    let mut state = present;
    for event in &events {
        pgrx::check_for_interrupts!();
        state = event.undo(&identities, &state);
    }
    if time < table.tracked_at {
        state = State::Unknown;
    } else if matches!(state, State::Unknown) && table.is_tracked {
        // What was deleted last, or emptied, is not there, whatever came after it.
        earlier.push(events::find(&table, &row_id, &[Window::LastUntil(time, 1 + MORE)])?.0.events);
        let last = rebuild::in_order(earlier).into_iter().next();
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
