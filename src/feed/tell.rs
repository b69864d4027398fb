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
use super::place::{Log, Period};
use super::shape::{self, Shape, Spelled};
use super::whose::Whose;
use crate::access::owner::Owner;
use crate::error::Error;
use crate::pg::append::Append;
use crate::pg::clock::now;
use crate::pg::cluster::{moved, part};
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
pub(crate) const SPELLING: &[(&CStr, &CStr)] = &[
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
    // SAFETY: a running call.
    unsafe {
        let call = Call::of(call);
        if call.is_before() {
            refuse();
        }
        if call.is_told_elsewhere() {
            return Fired::nothing();
        }
        tell(&call).unwrap_or_else(|error| raise(error));
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

/// A call by a trigger that tells of changes.
pub(crate) struct Call<'c> {
    pub(crate) data: &'c pg_sys::TriggerData,
    /// The table's number.
    pub(crate) table_id: i32,
    /// The workspace of all rows, where no column has it.
    pub(crate) workspace: Option<Text>,
}

impl<'c> Call<'c> {
    /// # Safety
    /// The call is running as long as the result lives.
    pub(crate) unsafe fn of(call: pg_sys::FunctionCallInfo) -> Self {
        // SAFETY: as the caller says; what the context says it is, it is.
        unsafe {
            let context = (*call).context;
            if context.is_null() || (*context).type_ != pg_sys::NodeTag::T_TriggerData {
                refuse();
            }
            let data = &*context.cast::<pg_sys::TriggerData>();
            let trigger = &*data.tg_trigger;
            if !(1..=2).contains(&trigger.tgnargs) {
                refuse();
            }
            let number = CStr::from_ptr(*trigger.tgargs).to_str().ok();
            let table_id =
                number.and_then(|number| number.parse().ok()).unwrap_or_else(|| refuse());
            // Of a table whose rows do not say it.
            let workspace = (trigger.tgnargs == 2)
                .then(|| Text::new(&CStr::from_ptr(*trigger.tgargs.add(1)).to_string_lossy()));
            Self { data, table_id, workspace }
        }
    }

    /// Whether nothing is changed yet.
    pub(crate) fn is_before(&self) -> bool {
        self.data.tg_event & pg_sys::TRIGGER_EVENT_TIMINGMASK != pg_sys::TRIGGER_EVENT_AFTER
    }

    /// Whether the change was told on the node of a cluster that it comes from, or is told by the shards of the table.
    pub(crate) fn is_told_elsewhere(&self) -> bool {
        // SAFETY: the relation of a running trigger is open.
        let table = unsafe { (*self.data.tg_relation).rd_id };
        moved::is_on_its_way(table) || part::is_elsewhere(table, true)
    }

    pub(crate) fn description(&self) -> pg_sys::TupleDesc {
        // SAFETY: the relation of a running trigger is open.
        unsafe { (*self.data.tg_relation).rd_att }
    }
}

/// What a statement did to a row. An update that gives a row another key is a deletion and an insertion.
pub(crate) enum Change<'r> {
    Insert(ChangedRow<'r>),
    Update { old: ChangedRow<'r>, new: ChangedRow<'r> },
    Delete(ChangedRow<'r>),
}

/// Who is told of changes.
pub(crate) trait Listener {
    fn hear(&mut self, change: Change<'_>) -> Result<(), Error>;
    fn hear_truncation(&mut self) -> Result<(), Error>;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Insert,
    Update,
    Delete,
    Truncate,
}

impl Operation {
    pub(crate) fn label(self) -> &'static CStr {
        match self {
            Self::Insert => c"INSERT",
            Self::Update => c"UPDATE",
            Self::Delete => c"DELETE",
            Self::Truncate => c"TRUNCATE",
        }
    }

    pub(crate) const ALL: [Self; 4] = [Self::Insert, Self::Update, Self::Delete, Self::Truncate];
}

/// Tells a listener what a statement, or a trigger of a row, has changed.
///
/// # Safety
/// The trigger is running, and the shape is that of its table.
pub(crate) unsafe fn listen(
    call: &Call<'_>,
    shape: &Shape,
    listener: &mut impl Listener,
) -> Result<(), Error> {
    let data = call.data;
    // SAFETY: the relation of a running trigger is open, and so are its rows.
    unsafe {
        let description = call.description();
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
                listener.hear(Change::Insert(row(data.tg_trigslot)))
            }
            pg_sys::TRIGGER_EVENT_DELETE if of_row => {
                listener.hear(Change::Delete(row(data.tg_trigslot)))
            }
            pg_sys::TRIGGER_EVENT_UPDATE if of_row => {
                let (old, new) = (row(data.tg_trigslot), row(data.tg_newslot));
                if shape.is_same_row(&old, &new, description) {
                    return listener.hear(Change::Update { old, new });
                }
                listener.hear(Change::Delete(old))?;
                listener.hear(Change::Insert(new))
            }
            pg_sys::TRIGGER_EVENT_INSERT => hear_inserts(rows(data.tg_newtable), listener),
            pg_sys::TRIGGER_EVENT_DELETE => hear_deletions(rows(data.tg_oldtable), listener),
            pg_sys::TRIGGER_EVENT_UPDATE => {
                let open = || (rows(data.tg_oldtable), rows(data.tg_newtable));
                hear_updates(open, shape, description, listener)
            }
            _ => listener.hear_truncation(),
        }
    }
}

fn hear_inserts(mut rows: Transition, listener: &mut impl Listener) -> Result<(), Error> {
    while let Some(row) = rows.next() {
        pgrx::check_for_interrupts!();
        listener.hear(Change::Insert(row))?;
    }
    Ok(())
}

fn hear_deletions(mut rows: Transition, listener: &mut impl Listener) -> Result<(), Error> {
    while let Some(row) = rows.next() {
        pgrx::check_for_interrupts!();
        listener.hear(Change::Delete(row))?;
    }
    Ok(())
}

/// # Safety
/// The description is that of the rows.
unsafe fn hear_updates(
    open: impl Fn() -> (Transition, Transition),
    shape: &Shape,
    description: pg_sys::TupleDesc,
    listener: &mut impl Listener,
) -> Result<(), Error> {
    let (mut old, mut new) = open();
    // Postgres puts both versions of a row down together. Only a row that moves to another partition, and is kept
    // out there by a trigger, has no new one.
    if old.count() != new.count() {
        hear_deletions(old, listener)?;
        return hear_inserts(new, listener);
    }
    let mut moved = false;
    while let (Some(before), Some(after)) = (old.next(), new.next()) {
        pgrx::check_for_interrupts!();
        // SAFETY: as the caller says.
        if unsafe { shape.is_same_row(&before, &after, description) } {
            listener.hear(Change::Update { old: before, new: after })?;
        } else {
            moved = true;
            listener.hear(Change::Delete(before))?;
        }
    }
    if moved {
        // All that went stands before all that came: keys may have gone from one row to another.
        let (mut old, mut new) = open();
        while let (Some(before), Some(after)) = (old.next(), new.next()) {
            // SAFETY: as the caller says.
            if !unsafe { shape.is_same_row(&before, &after, description) } {
                listener.hear(Change::Insert(after))?;
            }
        }
    }
    Ok(())
}

/// The workspaces that there are, in a part those of the part: which of them had rows in a table that was emptied, nobody knows any
/// more.
pub(crate) fn workspaces() -> Result<Vec<Text>, Error> {
    let owner = Owner::find()?;
    let _owner = owner.act();
    let mut all: Vec<Text> = Spi::connect_mut(|client| {
        let rows = WORKSPACES.with(|plan| plan.run_latest(client, &[]));
        rows.iter::<1>().filter_map(|row| row.text(0).map(Text::new)).collect()
    });
    if part::current() != 0 {
        all.retain(|id| moved::is_of_part(id.as_str()));
    }
    Ok(all)
}

/// # Safety
/// The trigger is running.
unsafe fn tell(call: &Call<'_>) -> Result<(), Error> {
    // SAFETY: the relation of a running trigger is open.
    unsafe {
        let shape = shape::of(call.data.tg_relation)?;
        let _spelling = shape.is_printed().then(|| LocalSettings::set(SPELLING));
        let whose = Whose::of((*call.data.tg_relation).rd_id)?;
        let mut changes = Changes { shape: &shape, call, whose, writer: None };
        listen(call, &shape, &mut changes)?;
        changes.finish();
    }
    Ok(())
}

/// The changes of one call of a trigger.
struct Changes<'s> {
    shape: &'s Shape,
    call: &'s Call<'s>,
    whose: Whose,
    /// There is none before the first change.
    writer: Option<Writer>,
}

impl Listener for Changes<'_> {
    fn hear(&mut self, change: Change<'_>) -> Result<(), Error> {
        match change {
            Change::Insert(row) => self.add(Operation::Insert, &row),
            Change::Delete(row) => self.add(Operation::Delete, &row),
            Change::Update { old, new } => {
                // SAFETY: the rows are of the trigger's table.
                if unsafe { self.shape.has_changed(&old, &new, self.call.description()) } {
                    self.add(Operation::Update, &new)?;
                }
                Ok(())
            }
        }
    }

    /// Tells it in every workspace.
    fn hear_truncation(&mut self) -> Result<(), Error> {
        if self.shape.workspace.is_some() {
            let mut told = workspaces()?;
            told.retain(|id| self.whose.counts(id.as_str()));
            for id in &told {
                self.writer()?.write(Operation::Truncate, Some(id.datum()), None, None);
            }
        }
        let own = self.own_workspace();
        self.writer()?.write(Operation::Truncate, own, None, None);
        Ok(())
    }
}

impl Changes<'_> {
    fn writer(&mut self) -> Result<&mut Writer, Error> {
        if self.writer.is_none() {
            self.writer = Some(Writer::open(self.call.table_id)?);
        }
        self.writer.as_mut().ok_or_else(|| FeedError::NoPlace.into())
    }

    /// Of all rows, where no column has it.
    fn own_workspace(&self) -> Option<pg_sys::Datum> {
        let own = self.call.workspace.as_ref().filter(|_| self.shape.workspace.is_none());
        own.filter(|own| self.whose.counts(own.as_str())).map(Text::datum)
    }

    fn add(&mut self, operation: Operation, row: &ChangedRow<'_>) -> Result<(), Error> {
        let spell = |column: Option<shape::Column>| column.and_then(|c| Shape::spell(c, row));
        let workspace = spell(self.shape.workspace)
            .filter(|id| id.is_workspace() && self.whose.counts(id.text()));
        let row_id = self.shape.row_id(row);
        let entity_type = spell(self.shape.entity_type);
        let datum = |text: &Option<Spelled>| text.as_ref().map(Spelled::datum);
        let of = datum(&workspace).or_else(|| self.own_workspace());
        let (id, kind) = (datum(&row_id), datum(&entity_type));
        self.writer()?.write(operation, of, id, kind);
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

/// The numbers of changes: of two changes of one row the later one has the greater.
pub(crate) struct Numbers {
    sequence: pg_sys::Oid,
    /// The next number, and how many there are left.
    next: i64,
    left: i64,
}

impl Numbers {
    pub(crate) fn of(sequence: pg_sys::Oid) -> Self {
        Self { sequence, next: 0, left: 0 }
    }

    pub(crate) fn next(&mut self) -> i64 {
        if self.left == 0 {
            self.next = next_of_identity(self.sequence) * NUMBERS;
            self.left = NUMBERS;
        }
        self.next += 1;
        self.left -= 1;
        self.next - 1
    }
}

thread_local! {
    /// The feed, and its columns in the order in which they are written.
    static FEED: Log<9> = const {
        Log::new(
            "feed",
            [
                c"xid",
                c"sequence",
                c"created_at",
                c"epoch",
                c"table_id",
                c"operation",
                c"workspace_id",
                c"row_id",
                c"entity_type",
            ],
            2,
            Period::Week,
        )
    };
}

/// Writes to the partition of now.
struct Writer {
    place: Append<9>,
    numbers: Numbers,
    labels: [pg_sys::Datum; 4],
    xid: u64,
    now: i64,
    epoch: i32,
    table_id: i32,
}

/// The numbers of the labels of the column `operation` of a table.
pub(crate) fn labels(table: pg_sys::Oid) -> [pg_sys::Datum; 4] {
    // SAFETY: a look-up.
    let operation = unsafe { pg_sys::get_attnum(table, c"operation".as_ptr()) };
    Operation::ALL.map(|of| shape::label(table, operation, of.label()).into())
}

impl Writer {
    fn open(table_id: i32) -> Result<Self, Error> {
        let feed = FEED.with(Log::table)?;
        let sequence = relation::named(c"kepler", c"feed_sequence").ok_or(FeedError::NoPlace)?;
        // SAFETY: the transaction has changed a row, and may take a number.
        let xid = unsafe { pg_sys::GetTopFullTransactionId().value };
        let epoch = epoch::of_writer(xid)?;
        let now = now();
        let place = FEED.with(|feed| feed.open(now))?;
        let (numbers, labels) = (Numbers::of(sequence), labels(feed));
        Ok(Self { place, numbers, labels, xid, now, epoch, table_id })
    }

    fn write(
        &mut self,
        operation: Operation,
        workspace: Option<pg_sys::Datum>,
        row_id: Option<pg_sys::Datum>,
        entity_type: Option<pg_sys::Datum>,
    ) {
        self.place.push([
            Some(pg_sys::Datum::from(self.xid)),
            Some(self.numbers.next().into()),
            Some(self.now.into()),
            Some(self.epoch.into()),
            Some(self.table_id.into()),
            Some(self.labels[operation as usize]),
            workspace,
            row_id,
            entity_type,
        ]);
    }
}
