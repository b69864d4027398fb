//! The triggers of a tracked table: what a statement changed goes into the feed.
//!
//! Keys are read, and made texts, as whoever changes the table: types of others have functions of others. The rows are
//! then appended without SQL and without a change of role.
//!
//! Of two changes of one row the later one has the greater number: a trigger takes a number while the transaction still
//! holds the row, and whoever changes the row next waits for that. Only a statement that runs within the first one may come
//! before it: where an AFTER ROW trigger of the table changes its own row again, that change is told first.

use super::epoch;
use super::error::FeedError;
use super::place::{self, Place};
use super::shape::{self, Shape, Spelled};
use crate::access::owner::Owner;
use crate::error::Error;
use crate::pg::clock::now;
use crate::pg::local_settings::LocalSettings;
use crate::pg::plan::Statement;
use crate::pg::relation;
use crate::pg::row_change::{Fired, raise};
use crate::pg::sequence::next_of_identity;
use crate::pg::transition::{ChangedRow, Transition};
use crate::pg::varlena::Text;
use crate::pg::whole::Spi;
use pgrx::pg_sys;
use pgrx::prelude::*;
use std::ffi::CStr;

thread_local! {
    static WORKSPACES: Statement =
        const { Statement::new(c"SELECT w.id FROM kepler.workspaces AS w ORDER BY w.id", &[]) };
}

/// Settings that decide how values are printed: a key has one spelling.
const SPELLING: &[(&CStr, &CStr)] = &[
    (c"datestyle", c"ISO, YMD"),
    (c"intervalstyle", c"postgres"),
    (c"timezone", c"UTC"),
    (c"bytea_output", c"hex"),
    (c"extra_float_digits", c"1"),
];

/// Writes what a statement changed into the feed. The argument is the table's number there.
#[pg_extern(
    schema = "kepler_internal",
    sql = "
CREATE FUNCTION kepler_internal.tell_feed() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"
)]
fn tell_feed(call: pg_sys::FunctionCallInfo) -> Fired {
    // SAFETY: a running call; what its context says it is, it is.
    unsafe {
        let context = (*call).context;
        if context.is_null() || (*context).type_ != pg_sys::NodeTag::T_TriggerData {
            refuse();
        }
        let data = &*context.cast::<pg_sys::TriggerData>();
        let trigger = &*data.tg_trigger;
        if data.tg_event & pg_sys::TRIGGER_EVENT_TIMINGMASK != pg_sys::TRIGGER_EVENT_AFTER
            || !(1..=2).contains(&trigger.tgnargs)
        {
            refuse();
        }
        let number = CStr::from_ptr(*trigger.tgargs).to_str().ok();
        let table_id = number.and_then(|number| number.parse().ok()).unwrap_or_else(|| refuse());
        // Of a table whose rows do not say it.
        let workspace = (trigger.tgnargs == 2)
            .then(|| Text::new(&CStr::from_ptr(*trigger.tgargs.add(1)).to_string_lossy()));
        tell(data, table_id, workspace).unwrap_or_else(|error| raise(error));
    }
    Fired::nothing()
}

fn refuse() -> ! {
    ereport!(
        ERROR,
        PgSqlErrorCode::ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED,
        "the function is made for a trigger of Kepler's"
    );
}

#[derive(Clone, Copy)]
enum Operation {
    Insert,
    Update,
    Delete,
    Truncate,
}

impl Operation {
    fn label(self) -> &'static CStr {
        match self {
            Self::Insert => c"INSERT",
            Self::Update => c"UPDATE",
            Self::Delete => c"DELETE",
            Self::Truncate => c"TRUNCATE",
        }
    }

    const ALL: [Self; 4] = [Self::Insert, Self::Update, Self::Delete, Self::Truncate];
}

/// # Safety
/// The trigger is running.
unsafe fn tell(
    data: &pg_sys::TriggerData,
    table_id: i32,
    workspace: Option<Text>,
) -> Result<(), Error> {
    // SAFETY: the relation of a running trigger is open, and so are its rows.
    unsafe {
        let shape = shape::of(data.tg_relation)?;
        let _spelling = shape.is_printed().then(|| LocalSettings::set(SPELLING));
        let mut changes = Changes { shape: &shape, table_id, workspace, writer: None };
        let description = (*data.tg_relation).rd_att;
        let of_row = data.tg_event & pg_sys::TRIGGER_EVENT_ROW != 0;
        let row = |slot| ChangedRow::of(slot, (*description).natts);
        let rows = |store: *mut pg_sys::Tuplestorestate| {
            if store.is_null() {
                refuse();
            }
            Transition::open(store, data.tg_relation)
        };
        match data.tg_event & pg_sys::TRIGGER_EVENT_OPMASK {
            pg_sys::TRIGGER_EVENT_INSERT if of_row => {
                changes.add(Operation::Insert, &row(data.tg_trigslot))?;
            }
            pg_sys::TRIGGER_EVENT_DELETE if of_row => {
                changes.add(Operation::Delete, &row(data.tg_trigslot))?;
            }
            pg_sys::TRIGGER_EVENT_UPDATE if of_row => {
                let (old, new) = (row(data.tg_trigslot), row(data.tg_newslot));
                if shape.is_same_row(&old, &new, description) {
                    if shape.has_changed(&old, &new, description) {
                        changes.add(Operation::Update, &new)?;
                    }
                } else {
                    changes.add(Operation::Delete, &old)?;
                    changes.add(Operation::Insert, &new)?;
                }
            }
            pg_sys::TRIGGER_EVENT_INSERT => {
                changes.add_all(Operation::Insert, rows(data.tg_newtable))?;
            }
            pg_sys::TRIGGER_EVENT_DELETE => {
                changes.add_all(Operation::Delete, rows(data.tg_oldtable))?;
            }
            pg_sys::TRIGGER_EVENT_UPDATE => {
                let open = || (rows(data.tg_oldtable), rows(data.tg_newtable));
                changes.add_updates(open, description)?;
            }
            _ => changes.add_truncation()?,
        }
        changes.finish();
    }
    Ok(())
}

/// The changes of one call of a trigger.
struct Changes<'s> {
    shape: &'s Shape,
    table_id: i32,
    /// Of all rows, where no column has it.
    workspace: Option<Text>,
    /// There is none before the first change.
    writer: Option<Writer>,
}

impl Changes<'_> {
    fn writer(&mut self) -> Result<&mut Writer, Error> {
        if self.writer.is_none() {
            self.writer = Some(Writer::open(self.table_id)?);
        }
        self.writer.as_mut().ok_or_else(|| FeedError::NoPlace.into())
    }

    fn add(&mut self, operation: Operation, row: &ChangedRow<'_>) -> Result<(), Error> {
        let spell = |column: Option<shape::Column>| column.and_then(|c| Shape::spell(c, row));
        let workspace = spell(self.shape.workspace).filter(Spelled::is_workspace);
        let row_id = self.shape.row_id(row);
        let entity_type = spell(self.shape.entity_type);
        let datum = |text: &Option<Spelled>| text.as_ref().map(Spelled::datum);
        let own = self.workspace.as_ref().filter(|_| self.shape.workspace.is_none());
        let of = datum(&workspace).or_else(|| own.map(Text::datum));
        let (id, kind) = (datum(&row_id), datum(&entity_type));
        self.writer()?.write(operation, of, id, kind);
        Ok(())
    }

    fn add_all(&mut self, operation: Operation, mut rows: Transition) -> Result<(), Error> {
        while let Some(row) = rows.next() {
            pgrx::check_for_interrupts!();
            self.add(operation, &row)?;
        }
        Ok(())
    }

    /// # Safety
    /// The description is that of the rows.
    unsafe fn add_updates(
        &mut self,
        open: impl Fn() -> (Transition, Transition),
        description: pg_sys::TupleDesc,
    ) -> Result<(), Error> {
        let (mut old, mut new) = open();
        // Postgres puts both versions of a row down together. Only a row that moves to another partition, and is kept
        // out there by a trigger, has no new one.
        if old.count() != new.count() {
            self.add_all(Operation::Delete, old)?;
            return self.add_all(Operation::Insert, new);
        }
        let mut moved = false;
        while let (Some(before), Some(after)) = (old.next(), new.next()) {
            pgrx::check_for_interrupts!();
            // SAFETY: as the caller says.
            let (is_same, has_changed) = unsafe {
                (
                    self.shape.is_same_row(&before, &after, description),
                    self.shape.has_changed(&before, &after, description),
                )
            };
            if !is_same {
                moved = true;
                self.add(Operation::Delete, &before)?;
            } else if has_changed {
                self.add(Operation::Update, &after)?;
            }
        }
        if moved {
            // All that went stands before all that came: keys may have gone from one row to another.
            let (mut old, mut new) = open();
            while let (Some(before), Some(after)) = (old.next(), new.next()) {
                // SAFETY: as the caller says.
                if !unsafe { self.shape.is_same_row(&before, &after, description) } {
                    self.add(Operation::Insert, &after)?;
                }
            }
        }
        Ok(())
    }

    /// Tells it in every workspace: which of them had rows, nobody knows any more.
    fn add_truncation(&mut self) -> Result<(), Error> {
        if self.shape.workspace.is_some() {
            let owner = Owner::find()?;
            let ids: Vec<Text> = {
                let _owner = owner.act();
                Spi::connect_mut(|client| {
                    let rows = WORKSPACES.with(|plan| plan.run_latest(client, &[]));
                    rows.iter::<1>().filter_map(|row| row.text(0).map(Text::new)).collect()
                })
            };
            for id in &ids {
                self.writer()?.write(Operation::Truncate, Some(id.datum()), None, None);
            }
        }
        let own = self.workspace.as_ref().filter(|_| self.shape.workspace.is_none());
        let own = own.map(Text::datum);
        self.writer()?.write(Operation::Truncate, own, None, None);
        Ok(())
    }

    fn finish(self) {
        if let Some(writer) = self.writer {
            writer.place.finish();
        }
    }
}

/// So many changes share what is taken from the sequence.
const NUMBERS: i64 = 1 << 16;

/// Writes to the partition of now.
struct Writer {
    place: Place,
    sequence: pg_sys::Oid,
    /// The next number, and how many there are left.
    next: i64,
    left: i64,
    labels: [pg_sys::Datum; 4],
    xid: u64,
    now: i64,
    epoch: i32,
    table_id: i32,
}

impl Writer {
    fn open(table_id: i32) -> Result<Self, Error> {
        let find = |name| relation::named(c"kepler", name).ok_or(FeedError::NoPlace);
        let (feed, sequence) = (find(c"feed")?, find(c"feed_sequence")?);
        // SAFETY: the transaction has changed a row, and may take a number; look-ups.
        let (xid, operation) = unsafe {
            let xid = pg_sys::GetTopFullTransactionId().value;
            (xid, pg_sys::get_attnum(feed, c"operation".as_ptr()))
        };
        let epoch = epoch::of_writer(xid)?;
        let now = now();
        let label = |of: Operation| shape::label(feed, operation, of.label()).into();
        let place = place::open(now)?;
        let labels = Operation::ALL.map(label);
        Ok(Self { place, sequence, next: 0, left: 0, labels, xid, now, epoch, table_id })
    }

    fn write(
        &mut self,
        operation: Operation,
        workspace: Option<pg_sys::Datum>,
        row_id: Option<pg_sys::Datum>,
        entity_type: Option<pg_sys::Datum>,
    ) {
        if self.left == 0 {
            self.next = next_of_identity(self.sequence) * NUMBERS;
            self.left = NUMBERS;
        }
        self.place.push([
            Some(pg_sys::Datum::from(self.xid)),
            Some(self.next.into()),
            Some(self.now.into()),
            Some(self.epoch.into()),
            Some(self.table_id.into()),
            Some(self.labels[operation as usize]),
            workspace,
            row_id,
            entity_type,
        ]);
        self.next += 1;
        self.left -= 1;
    }
}
