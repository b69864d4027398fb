//! What the feed knows of a tracked table: where its rows have their workspace, their key and their type, and what of a row
//! is no news.

use super::error::FeedError;
use crate::error::Error;
use crate::pg::relation::{self, MadeOf, generation};
use crate::pg::transition::ChangedRow;
use crate::pg::varlena::{self, Text};
use pgrx::pg_sys;
use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::CStr;
use std::rc::Rc;

/// A table's columns that go into the feed.
pub(crate) struct Shape {
    pub(crate) workspace: Option<Column>,
    pub(super) entity_type: Option<Column>,
    /// The primary key, without the workspace.
    pub(crate) key: Vec<Column>,
    columns: i16,
    /// Of records: what is kept beside the data.
    bookkeeping: Option<Bookkeeping>,
}

/// A column, and how its values are made texts.
#[derive(Clone, Copy)]
pub(crate) struct Column {
    pub(crate) number: i16,
    spelling: Spelling,
}

#[derive(Clone, Copy)]
enum Spelling {
    Text,
    Integer,
    Bigint,
    /// By the output function of the type.
    Output(pg_sys::Oid),
}

/// Columns of records whose changes are steps of the work on a record, and not of what it says: a claim, and its end
/// without a result.
struct Bookkeeping {
    columns: Vec<i16>,
    status: i16,
    /// UNAPPLIED and PENDING.
    waiting: [pg_sys::Oid; 2],
}

/// A text that goes into the feed.
pub(crate) enum Spelled {
    /// As it is stored, for as long as its row is.
    Stored(pg_sys::Datum),
    Made(Text),
}

impl Spelled {
    pub(crate) fn datum(&self) -> pg_sys::Datum {
        match self {
            Self::Stored(datum) => *datum,
            Self::Made(text) => text.datum(),
        }
    }

    /// Whether there can be such a workspace (`workspaces_id_length`). A longer one would not fit into the feed's index, and
    /// the write that is told of would fail.
    pub(crate) fn is_workspace(&self) -> bool {
        self.text().len() <= MAX_WORKSPACE
    }

    pub(crate) fn text(&self) -> &str {
        // SAFETY: both are texts of a UTF-8 database, and live as long as this.
        unsafe { varlena::text(self.datum()) }
    }
}

/// The longest id of a workspace, in bytes.
const MAX_WORKSPACE: usize = 128;

/// A session knows so many tables.
const MAX_KNOWN: usize = 256;

thread_local! {
    static KNOWN: RefCell<HashMap<pg_sys::Oid, (MadeOf, Rc<Shape>)>> = RefCell::default();
}

/// The shape of a table that is open.
pub(crate) fn of(table: pg_sys::Relation) -> Result<Rc<Shape>, Error> {
    // SAFETY: the table is open.
    let oid = unsafe { (*table).rd_id };
    let known = KNOWN.with_borrow(|known| {
        known.get(&oid).filter(|(made_of, _)| made_of.is_current()).map(|(_, shape)| shape.clone())
    });
    if let Some(shape) = known {
        return Ok(shape);
    }
    let at = generation();
    let shape = Rc::new(look_up(table, oid)?);
    KNOWN.with_borrow_mut(|known| {
        if known.len() >= MAX_KNOWN {
            known.clear();
        }
        known.insert(oid, (MadeOf::tables(vec![oid], at), shape.clone()));
    });
    Ok(shape)
}

fn look_up(table: pg_sys::Relation, oid: pg_sys::Oid) -> Result<Shape, Error> {
    let workspace = named(oid, c"workspace_id");
    let mut key: Vec<i16> = key_columns(table);
    if key.is_empty() {
        let name = relation::table_name(oid).unwrap_or_default();
        return Err(FeedError::NoPrimaryKey(name).into());
    }
    if key.len() > 1 {
        key.retain(|number| Some(*number) != workspace);
    }
    let is_records = relation::named(c"kepler", c"records") == Some(oid);
    Ok(Shape {
        workspace: workspace.map(|number| column(oid, number)),
        entity_type: named(oid, c"entity_type").map(|number| column(oid, number)),
        key: key.into_iter().map(|number| column(oid, number)).collect(),
        // SAFETY: the table is open.
        columns: unsafe { (*(*table).rd_att).natts as i16 },
        bookkeeping: if is_records { bookkeeping(oid) } else { None },
    })
}

/// The columns of the primary key, in its order.
fn key_columns(table: pg_sys::Relation) -> Vec<i16> {
    // SAFETY: the table is open. The list is asked for because Postgres finds the primary key with it; the index exists
    // while the table is locked, and has so many columns.
    unsafe {
        pg_sys::list_free(pg_sys::RelationGetIndexList(table));
        let index = (*table).rd_pkindex;
        if index == pg_sys::InvalidOid {
            return Vec::new();
        }
        let opened = pg_sys::index_open(index, pg_sys::AccessShareLock as i32);
        let form = (*opened).rd_index;
        let columns = (*form).indkey.values.as_slice((*form).indnkeyatts as usize).to_vec();
        pg_sys::index_close(opened, pg_sys::AccessShareLock as i32);
        columns
    }
}

/// A column by its name.
pub(crate) fn named_column(table: pg_sys::Oid, name: &CStr) -> Option<Column> {
    named(table, name).map(|number| column(table, number))
}

pub(crate) fn named(table: pg_sys::Oid, name: &CStr) -> Option<i16> {
    // SAFETY: a look-up.
    let number = unsafe { pg_sys::get_attnum(table, name.as_ptr()) };
    (number > 0).then_some(number)
}

fn column(table: pg_sys::Oid, number: i16) -> Column {
    // SAFETY: look-ups of a column that is there.
    let spelling = unsafe {
        match pg_sys::getBaseType(pg_sys::get_atttype(table, number)) {
            pg_sys::TEXTOID | pg_sys::VARCHAROID => Spelling::Text,
            pg_sys::INT4OID => Spelling::Integer,
            pg_sys::INT8OID => Spelling::Bigint,
            other => {
                let (mut function, mut is_varlena) = (pg_sys::InvalidOid, false);
                pg_sys::getTypeOutputInfo(other, &mut function, &mut is_varlena);
                Spelling::Output(function)
            }
        }
    };
    Column { number, spelling }
}

fn bookkeeping(table: pg_sys::Oid) -> Option<Bookkeeping> {
    let columns = [c"updated_at", c"enrichment_lease_id", c"source_digest"];
    let status = named(table, c"enrichment_status")?;
    let label = |name: &CStr| label(table, status, name);
    Some(Bookkeeping {
        columns: columns.into_iter().filter_map(|name| named(table, name)).collect(),
        status,
        waiting: [label(c"UNAPPLIED"), label(c"PENDING")],
    })
}

/// A value of an enum, the type of a column.
pub(crate) fn label(table: pg_sys::Oid, column: i16, name: &CStr) -> pg_sys::Oid {
    // SAFETY: look-ups.
    unsafe {
        pg_sys::GetSysCacheOid(
            pg_sys::SysCacheIdentifier::ENUMTYPOIDNAME as i32,
            pg_sys::Anum_pg_enum_oid as i16,
            pg_sys::Datum::from(pg_sys::get_atttype(table, column)),
            pg_sys::Datum::from(name.as_ptr()),
            pg_sys::Datum::null(),
            pg_sys::Datum::null(),
        )
    }
}

impl Shape {
    /// A text of a column; None is NULL.
    pub(crate) fn spell(column: Column, row: &ChangedRow<'_>) -> Option<Spelled> {
        let value = row.value(column.number)?;
        // SAFETY: the value is of the column's type; an output function gives a C string.
        unsafe {
            Some(match column.spelling {
                Spelling::Text => {
                    let plain = pg_sys::pg_detoast_datum_packed(value.cast_mut_ptr());
                    Spelled::Stored(pg_sys::Datum::from(plain))
                }
                Spelling::Integer => Spelled::Made(Text::new(&(value.value() as i32).to_string())),
                Spelling::Bigint => Spelled::Made(Text::new(&(value.value() as i64).to_string())),
                Spelling::Output(function) => {
                    let printed = pg_sys::OidOutputFunctionCall(function, value);
                    let text = CStr::from_ptr(printed).to_string_lossy();
                    let made = Text::new(&text);
                    pg_sys::pfree(printed.cast());
                    Spelled::Made(made)
                }
            })
        }
    }

    /// Whether texts may depend on settings of the session.
    pub(crate) fn is_printed(&self) -> bool {
        let is_printed = |column: &Column| matches!(column.spelling, Spelling::Output(_));
        let others = [self.workspace, self.entity_type];
        self.key.iter().any(is_printed) || others.iter().flatten().any(is_printed)
    }

    /// What names a row: the value of a key of one column, or a JSON array.
    pub(crate) fn row_id(&self, row: &ChangedRow<'_>) -> Option<Spelled> {
        if let [only] = self.key.as_slice() {
            return Self::spell(*only, row);
        }
        let values: Vec<Option<Spelled>> =
            self.key.iter().map(|column| Self::spell(*column, row)).collect();
        let texts: Vec<Option<&str>> =
            values.iter().map(|value| value.as_ref().map(Spelled::text)).collect();
        let array = serde_json::to_string(&texts).unwrap_or_default();
        Some(Spelled::Made(Text::new(&array)))
    }

    /// Whether two rows have the same key and workspace.
    ///
    /// # Safety
    /// Both rows are of the description, that of the table.
    pub(crate) unsafe fn is_same_row(
        &self,
        old: &ChangedRow<'_>,
        new: &ChangedRow<'_>,
        description: pg_sys::TupleDesc,
    ) -> bool {
        // SAFETY: as the caller says.
        let is_same = |column: &Column| unsafe { old.has_same(new, description, column.number) };
        self.key.iter().chain(self.workspace.iter()).all(is_same)
    }

    /// Whether an update is news: anything changed that is not bookkeeping.
    ///
    /// # Safety
    /// As for [`Shape::is_same_row`].
    pub(super) unsafe fn has_changed(
        &self,
        old: &ChangedRow<'_>,
        new: &ChangedRow<'_>,
        description: pg_sys::TupleDesc,
    ) -> bool {
        (1..=self.columns).any(|number| {
            !self.is_bookkeeping(old, new, number)
                // SAFETY: as the caller says.
                && !unsafe { old.has_same(new, description, number) }
        })
    }

    fn is_bookkeeping(&self, old: &ChangedRow<'_>, new: &ChangedRow<'_>, number: i16) -> bool {
        let Some(bookkeeping) = &self.bookkeeping else { return false };
        let is_waiting = |row: &ChangedRow<'_>| {
            row.value(number).is_some_and(|value| {
                bookkeeping.waiting.contains(&pg_sys::Oid::from(value.value() as u32))
            })
        };
        bookkeeping.columns.contains(&number)
            || number == bookkeeping.status && is_waiting(old) && is_waiting(new)
    }
}
