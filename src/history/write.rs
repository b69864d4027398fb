//! The triggers of a tracked table: what a statement has overwritten goes into the history.
//!
//! Values are printed as whoever changes the table: types of others have functions of others. The rows are then
//! appended without SQL and without a change of role.

use super::image::{self, MAX_BYTES};
use super::shape::{self, Column, Shape};
use super::who;
use crate::error::Error;
use crate::feed::epoch;
use crate::feed::error::FeedError;
use crate::feed::place::{Log, Period};
use crate::feed::shape::{Shape as RowShape, Spelled};
use crate::feed::tell::{
    Call, Change, Listener, Numbers, Operation, SPELLING, labels, listen, workspaces,
};
use crate::feed::whose::Whose;
use crate::jsonb::builder::Builder;
use crate::pg::append::Append;
use crate::pg::clock::now;
use crate::pg::local_settings::LocalSettings;
use crate::pg::relation;
use crate::pg::row_change::{Fired, raise};
use crate::pg::scratch::Scratch;
use crate::pg::transition::ChangedRow;
use crate::pg::varlena::Text;
use pgrx::IntoDatum;
use pgrx::pg_sys;
use pgrx::prelude::*;
use std::cell::{Cell, RefCell};
use std::ffi::CStr;
use std::ptr;
use std::rc::Rc;

/// Settings under which values are printed, as long as the result lives: those of keys, and some more. A name that is
/// not in the search path is printed with its schema.
pub(super) fn spelling(is_printed: bool, has_names: bool) -> Option<LocalSettings> {
    const MONEY: (&CStr, &CStr) = (c"lc_monetary", c"C");
    const NAMES: (&CStr, &CStr) = (c"search_path", c"pg_catalog");
    is_printed.then(|| {
        let own = if has_names { &[MONEY, NAMES][..] } else { &[MONEY][..] };
        LocalSettings::set(&[SPELLING, own].concat())
    })
}

thread_local! {
    static HISTORY: Log<12> = const {
        Log::new(
            "history",
            [
                c"xid",
                c"sequence",
                c"created_at",
                c"epoch",
                c"table_id",
                c"shape_id",
                c"statement",
                c"operation",
                c"workspace_id",
                c"row_id",
                c"old_values",
                c"withheld",
            ],
            2,
            Period::Month,
        )
    };
}

/// Writes what a statement has overwritten into the history. The argument is the table's number there.
#[pg_extern(
    schema = "kepler_internal",
    sql = "
CREATE FUNCTION kepler_internal.tell_history() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"
)]
fn tell_history(call: pg_sys::FunctionCallInfo) -> Fired {
    // SAFETY: a running call.
    unsafe {
        let call = Call::of(call);
        if call.is_before() {
            Statement::begin(&call);
        } else if !call.is_told_elsewhere() {
            tell(&call).unwrap_or_else(|error| raise(error));
        }
    }
    Fired::nothing()
}

/// Statements that change tracked tables, in the order in which they began: what a trigger of a row does is told of
/// before the statement that it fires for, and was done after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Statement {
    table: pg_sys::Oid,
    event: u32,
    depth: i32,
}

thread_local! {
    static BEGUN: Cell<i64> = const { Cell::new(0) };
    /// Those that have begun, with their numbers. What ended with an error is replaced by the next one of its kind.
    static OPEN: RefCell<Vec<(Statement, i64)>> = const { RefCell::new(Vec::new()) };
}

impl Statement {
    fn of(call: &Call<'_>) -> Self {
        // SAFETY: the relation of a running trigger is open; the function reads a variable.
        let (table, depth) = unsafe {
            let depth = pg_sys::pg_trigger_depth(ptr::null_mut()).value() as i32;
            ((*call.data.tg_relation).rd_id, depth)
        };
        Self { table, event: call.data.tg_event & pg_sys::TRIGGER_EVENT_OPMASK, depth }
    }

    fn next() -> i64 {
        BEGUN.set(BEGUN.get() + 1);
        BEGUN.get()
    }

    fn begin(call: &Call<'_>) {
        let own = Self::of(call);
        OPEN.with_borrow_mut(|open| {
            open.retain(|(other, _)| *other != own && other.depth <= own.depth);
            open.push((own, Self::next()));
        });
    }

    /// The number of the statement that a trigger fires for. It has no say in a trigger of a row, for a replica.
    fn number(call: &Call<'_>) -> i64 {
        let own = Self::of(call);
        OPEN.with_borrow_mut(|open| {
            let at = open.iter().position(|(other, _)| *other == own)?;
            open.retain(|(other, _)| other.depth <= own.depth);
            Some(open.remove(at).1)
        })
        .unwrap_or_else(Self::next)
    }
}

/// # Safety
/// The trigger is running.
unsafe fn tell(call: &Call<'_>) -> Result<(), Error> {
    // SAFETY: the relation of a running trigger is open.
    unsafe {
        let shape = shape::of(call.data.tg_relation)?;
        let _spelling = spelling(shape.is_printed, shape.has_names);
        let mut changes = Changes {
            call,
            shape: &shape,
            whose: Whose::of((*call.data.tg_relation).rd_id)?,
            statement: Statement::number(call),
            scratch: Scratch::new(),
            builder: Builder::default(),
            image: Vec::new(),
            writer: None,
        };
        listen(call, &shape.row, &mut changes)?;
        changes.finish();
    }
    Ok(())
}

/// The changes of one call of a trigger.
struct Changes<'s> {
    call: &'s Call<'s>,
    shape: &'s Rc<Shape>,
    whose: Whose,
    statement: i64,
    scratch: Scratch,
    builder: Builder,
    /// What the last row was, as a `jsonb`.
    image: Vec<u8>,
    /// There is none before the first change.
    writer: Option<Writer>,
}

/// What is put down of a row beside its key.
struct Row {
    operation: Operation,
    old_values: Option<pg_sys::Datum>,
    withheld: Option<pg_sys::Datum>,
}

impl Listener for Changes<'_> {
    fn hear(&mut self, change: Change<'_>) -> Result<(), Error> {
        match change {
            Change::Insert(row) => self.add(Operation::Insert, &row, None),
            Change::Delete(row) => {
                let shape = self.shape.clone();
                let columns: Vec<&Column> = shape.columns.iter().collect();
                let withheld = self.describe(&row, &columns);
                self.add(Operation::Delete, &row, Some(withheld))
            }
            Change::Update { old, new } if !self.is_same_workspace(&old, &new) => {
                self.hear(Change::Delete(old))?;
                self.hear(Change::Insert(new))
            }
            Change::Update { old, new } => {
                let shape = self.shape.clone();
                let description = self.call.description();
                // SAFETY: the rows are of the trigger's table.
                let has_changed =
                    |column: &&Column| unsafe { !old.has_same(&new, description, column.number) };
                let changed: Vec<&Column> =
                    self.scratch.within(|| shape.columns.iter().filter(has_changed).collect());
                if changed.is_empty() {
                    self.scratch.reset();
                    return Ok(());
                }
                let withheld = self.describe(&old, &changed);
                self.add(Operation::Update, &new, Some(withheld))
            }
        }
    }

    /// Tells it in every workspace.
    fn hear_truncation(&mut self) -> Result<(), Error> {
        if self.shape.workspace.is_some() {
            let mut told = workspaces()?;
            told.retain(|id| self.whose.counts(id.as_str()));
            for id in &told {
                self.writer()?.write(Some(id.datum()), None, &Row::of(Operation::Truncate))?;
            }
        }
        let own = self.own_workspace();
        self.writer()?.write(own, None, &Row::of(Operation::Truncate))
    }
}

impl Row {
    fn of(operation: Operation) -> Self {
        Self { operation, old_values: None, withheld: None }
    }
}

impl Changes<'_> {
    fn writer(&mut self) -> Result<&mut Writer, Error> {
        if self.writer.is_none() {
            self.writer = Some(Writer::open(self.call, self.shape, self.statement)?);
        }
        self.writer.as_mut().ok_or_else(|| FeedError::NoPlace.into())
    }

    /// Of all rows, where no column has it.
    fn own_workspace(&self) -> Option<pg_sys::Datum> {
        let own = self.call.workspace.as_ref().filter(|_| self.shape.workspace.is_none());
        own.filter(|own| self.whose.counts(own.as_str())).map(Text::datum)
    }

    /// A row that goes to another workspace is told there as one that came.
    fn is_same_workspace(&self, old: &ChangedRow<'_>, new: &ChangedRow<'_>) -> bool {
        let description = self.call.description();
        self.shape.workspace.is_none_or(|column| {
            // SAFETY: the rows are of the trigger's table.
            unsafe { old.has_same(new, description, column.number) }
        })
    }

    /// Makes the image of some columns of a row, and gives the names of those whose values are not in it.
    fn describe<'c>(&mut self, row: &ChangedRow<'_>, columns: &[&'c Column]) -> Vec<&'c str> {
        let Self { scratch, builder, image, .. } = self;
        let mut withheld = Vec::new();
        let mut room = MAX_BYTES;
        builder.reset();
        builder.open_object();
        scratch.within(|| {
            for column in columns {
                if column.is_sensitive {
                    withheld.push(column.name.as_str());
                    continue;
                }
                let Some(value) = row.value(column.number) else {
                    builder.key(column.name.as_bytes());
                    builder.null();
                    continue;
                };
                // SAFETY: the value is of the column's type; what is made of it is copied before the memory is reset.
                unsafe {
                    let size = column.spelling.size(value);
                    if size > room {
                        withheld.push(column.name.as_str());
                        continue;
                    }
                    room -= size;
                    builder.key(column.name.as_bytes());
                    column.spelling.add(builder, value);
                }
            }
        });
        if image::finish(builder, image).is_err() {
            // Texts may be longer than the values.
            image.clear();
            return columns.iter().map(|column| column.name.as_str()).collect();
        }
        withheld
    }

    /// `withheld`: of a row with an image.
    fn add(
        &mut self,
        operation: Operation,
        row: &ChangedRow<'_>,
        withheld: Option<Vec<&str>>,
    ) -> Result<(), Error> {
        self.writer()?;
        let shape = self.shape.clone();
        let whose = &self.whose;
        let (workspace, row_id, names) = self.scratch.within(|| {
            let spell = |column: Option<crate::feed::shape::Column>| {
                column.and_then(|column| RowShape::spell(column, row))
            };
            let workspace =
                spell(shape.workspace).filter(|id| id.is_workspace() && whose.counts(id.text()));
            let names = withheld.as_ref().filter(|names| !names.is_empty());
            (workspace, shape.row.row_id(row), names.and_then(|names| names.clone().into_datum()))
        });
        let datum = |text: &Option<Spelled>| text.as_ref().map(Spelled::datum);
        let of = datum(&workspace).or_else(|| self.own_workspace());
        let has_image = withheld.is_some() && !self.image.is_empty();
        let old_values = has_image.then(|| pg_sys::Datum::from(self.image.as_ptr()));
        self.writer()?.write(
            of,
            datum(&row_id),
            &Row { operation, old_values, withheld: names },
        )?;
        self.scratch.reset();
        Ok(())
    }

    fn finish(self) {
        if let Some(writer) = self.writer {
            writer.place.finish();
        }
    }
}

/// Writes to the partition of now.
struct Writer {
    place: Append<12>,
    numbers: Numbers,
    labels: [pg_sys::Datum; 4],
    xid: u64,
    now: i64,
    epoch: i32,
    table_id: i32,
    shape_id: i64,
    statement: i64,
    /// The workspace for which it was last said who changes rows.
    told: Option<Option<String>>,
}

impl Writer {
    fn open(call: &Call<'_>, shape: &Shape, statement: i64) -> Result<Self, Error> {
        let history = HISTORY.with(Log::table)?;
        let sequence = relation::named(c"kepler", c"history_sequence").ok_or(FeedError::NoPlace)?;
        // SAFETY: the transaction has changed a row, and may take a number; the relation of a running trigger is open.
        let (xid, oid) =
            unsafe { (pg_sys::GetTopFullTransactionId().value, (*call.data.tg_relation).rd_id) };
        let epoch = epoch::of_writer(xid)?;
        let now = now();
        let mut numbers = Numbers::of(sequence);
        let shape_id = shape.listed(oid, call.table_id, (epoch, xid, now), &mut numbers)?;
        let place = HISTORY.with(|history| history.open(now))?;
        Ok(Self {
            place,
            numbers,
            labels: labels(history),
            xid,
            now,
            epoch,
            table_id: call.table_id,
            shape_id,
            statement,
            told: None,
        })
    }

    fn write(
        &mut self,
        workspace: Option<pg_sys::Datum>,
        row_id: Option<pg_sys::Datum>,
        row: &Row,
    ) -> Result<(), Error> {
        // SAFETY: a text that lives as long as the row.
        let id = workspace.map(|datum| unsafe { crate::pg::varlena::text(datum) });
        if self.told.as_ref().is_none_or(|told| told.as_deref() != id) {
            who::tell(id, (self.epoch, self.xid, self.now), &mut self.numbers)?;
            self.told = Some(id.map(str::to_owned));
        }
        self.place.push([
            Some(pg_sys::Datum::from(self.xid)),
            Some(self.numbers.next().into()),
            Some(self.now.into()),
            Some(self.epoch.into()),
            Some(self.table_id.into()),
            Some(self.shape_id.into()),
            Some(self.statement.into()),
            Some(self.labels[row.operation as usize]),
            workspace,
            row_id,
            row.old_values,
            row.withheld,
        ]);
        Ok(())
    }
}
