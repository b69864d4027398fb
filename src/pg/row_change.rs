//! An update of a row as a trigger on it has it, for triggers that fire for each row of Kepler's own statements.
//!
//! Postgres parses the condition of a trigger anew for each statement, which costs more than many calls of such a
//! function: these triggers have no condition, and the function asks. Columns are looked up once in a session.

use super::{known, relation, varlena};
use crate::error::Error;
use pgrx::callconv::{BoxRet, FcInfo};
use pgrx::datum::Datum;
use pgrx::pg_sys;
use pgrx::pgrx_sql_entity_graph::metadata::{
    ArgumentError, ReturnsError, ReturnsRef, SqlMappingRef, SqlTranslatable, TypeOrigin,
};
use pgrx::prelude::*;
use std::cell::Cell;
use std::ffi::CStr;

/// What a trigger function gives back: the row that is to be written; after the change nothing.
pub(crate) struct Fired(pg_sys::HeapTuple);

impl Fired {
    /// Nothing, after the change.
    pub(crate) fn nothing() -> Self {
        Self(std::ptr::null_mut())
    }

    /// The row that is to be written.
    pub(super) fn row(row: pg_sys::HeapTuple) -> Self {
        Self(row)
    }
}

// SAFETY: gives what Postgres expects of a trigger function.
unsafe impl BoxRet for Fired {
    unsafe fn box_into<'fcx>(self, fcinfo: &mut FcInfo<'fcx>) -> Datum<'fcx> {
        // SAFETY: a pointer as a datum, never with the flag of NULL.
        unsafe { fcinfo.return_raw_datum(pg_sys::Datum::from(self.0)) }
    }
}

// SAFETY: declared by hand.
unsafe impl SqlTranslatable for Fired {
    const TYPE_IDENT: &'static str = concat!(module_path!(), "::Fired");
    const TYPE_ORIGIN: TypeOrigin = TypeOrigin::External;
    const ARGUMENT_SQL: Result<SqlMappingRef, ArgumentError> =
        Ok(SqlMappingRef::literal("trigger"));
    const RETURN_SQL: Result<ReturnsRef, ReturnsError> =
        Ok(ReturnsRef::One(SqlMappingRef::literal("trigger")));
}

/// Where the columns of a table are, and the numbers of the labels of some types: looked up where the table is another
/// one than before.
pub(crate) struct Layout<const COLUMNS: usize, const LABELS: usize> {
    table: &'static CStr,
    columns: [&'static CStr; COLUMNS],
    /// A column, by its place above, and a label of its type.
    labels: [(usize, &'static CStr); LABELS],
    found: Cell<Option<Found<COLUMNS, LABELS>>>,
}

#[derive(Clone, Copy)]
struct Found<const COLUMNS: usize, const LABELS: usize> {
    relation: pg_sys::Oid,
    numbers: [i16; COLUMNS],
    labels: [pg_sys::Oid; LABELS],
}

impl<const COLUMNS: usize, const LABELS: usize> Layout<COLUMNS, LABELS> {
    pub(crate) const fn new(
        table: &'static CStr,
        columns: [&'static CStr; COLUMNS],
        labels: [(usize, &'static CStr); LABELS],
    ) -> Self {
        Self { table, columns, labels, found: Cell::new(None) }
    }

    /// # Safety
    /// The relation is open.
    unsafe fn find(&self, relation: pg_sys::Relation) -> Found<COLUMNS, LABELS> {
        // SAFETY: the relation is open; look-ups in the catalog by C strings.
        unsafe {
            let oid = (*relation).rd_id;
            if let Some(found) = self.found.get()
                && found.relation == oid
            {
                return found;
            }
            if relation::named(c"kepler", self.table) != Some(oid) {
                refuse("the function is made for a trigger of Kepler's");
            }
            let numbers = self.columns.map(|name| pg_sys::get_attnum(oid, name.as_ptr()));
            if numbers.contains(&(pg_sys::InvalidAttrNumber as i16)) {
                refuse("the trigger's table lacks a column");
            }
            let labels = self.labels.map(|(column, label)| {
                pg_sys::GetSysCacheOid(
                    pg_sys::SysCacheIdentifier::ENUMTYPOIDNAME as i32,
                    pg_sys::Anum_pg_enum_oid as i16,
                    pg_sys::Datum::from(pg_sys::get_atttype(oid, numbers[column])),
                    pg_sys::Datum::from(label.as_ptr()),
                    pg_sys::Datum::null(),
                    pg_sys::Datum::null(),
                )
            });
            if labels.contains(&pg_sys::InvalidOid) {
                refuse("the type of a column lacks a label");
            }
            let found = Found { relation: oid, numbers, labels };
            self.found.set(Some(found));
            found
        }
    }
}

/// A column's value, if it is not NULL.
pub(crate) type Value = Option<pg_sys::Datum>;

/// A row before and after.
pub(crate) struct RowChange<const COLUMNS: usize, const LABELS: usize> {
    data: *mut pg_sys::TriggerData,
    found: Found<COLUMNS, LABELS>,
    /// What the function has made of columns.
    set: [Option<Value>; COLUMNS],
}

impl<const COLUMNS: usize, const LABELS: usize> RowChange<COLUMNS, LABELS> {
    /// Of a call by a trigger on the table that fires for each row.
    pub(crate) fn of(call: pg_sys::FunctionCallInfo, layout: &Layout<COLUMNS, LABELS>) -> Self {
        // SAFETY: a running call; what its context says it is, it is.
        unsafe {
            let context = (*call).context;
            if context.is_null() || (*context).type_ != pg_sys::NodeTag::T_TriggerData {
                refuse("the function is made for a trigger of Kepler's");
            }
            let data = context.cast::<pg_sys::TriggerData>();
            let found = layout.find((*data).tg_relation);
            if (*data).tg_trigslot.is_null() {
                refuse("the trigger must fire for each row");
            }
            Self { data, found, set: [None; COLUMNS] }
        }
    }

    /// Whether there was a row before.
    pub(crate) fn is_update(&self) -> bool {
        // SAFETY: as in `of`.
        unsafe {
            (*self.data).tg_event & pg_sys::TRIGGER_EVENT_OPMASK == pg_sys::TRIGGER_EVENT_UPDATE
        }
    }

    /// Whether the statement names a column in SET: what `UPDATE OF` asks.
    pub(crate) fn names(&self, column: usize) -> bool {
        let number = i32::from(self.found.numbers[column]);
        // SAFETY: a set of column numbers, or null for the empty one.
        unsafe {
            pg_sys::bms_is_member(
                number - pg_sys::FirstLowInvalidHeapAttributeNumber,
                (*self.data).tg_updatedcols,
            )
        }
    }

    pub(crate) fn old(&self, column: usize) -> Value {
        // SAFETY: the row is in its slot while the trigger runs.
        unsafe { value((*self.data).tg_trigslot, self.found.numbers[column]) }
    }

    pub(crate) fn value(&self, column: usize) -> Value {
        // SAFETY: as above; an insert has one row only.
        unsafe {
            let slot =
                if self.is_update() { (*self.data).tg_newslot } else { (*self.data).tg_trigslot };
            self.set[column].unwrap_or_else(|| value(slot, self.found.numbers[column]))
        }
    }

    /// Whether a value is a label of its type.
    pub(crate) fn is(&self, value: Value, label: usize) -> bool {
        value.is_some_and(|value| {
            pg_sys::Oid::from(value.value() as u32) == self.found.labels[label]
        })
    }

    pub(crate) fn set(&mut self, column: usize, value: Value) {
        self.set[column] = Some(value);
    }

    pub(crate) fn set_label(&mut self, column: usize, label: usize) {
        self.set(column, Some(pg_sys::Datum::from(self.found.labels[label])));
    }

    /// Whether a column is what it was: by its bytes, and where these differ and it is a document by what it says.
    pub(crate) fn is_same(&self, column: usize) -> bool {
        match (self.old(column), self.value(column)) {
            (None, None) => true,
            (Some(old), Some(new)) => {
                // SAFETY: both are of the column's type.
                unsafe {
                    let description = (*(*self.data).tg_relation).rd_att;
                    let number = self.found.numbers[column] as usize;
                    let attribute = attribute(description, number);
                    same_bytes(old, new, &*attribute)
                        || (*attribute).atttypid == pg_sys::JSONBOID
                            && pgrx::direct_function_call::<bool>(
                                pg_sys::jsonb_eq,
                                &[Some(old), Some(new)],
                            ) == Some(true)
                }
            }
            _ => false,
        }
    }

    /// Lets `jsonb_hash` know what it will say of a document that the row keeps, and whose hash stood in another column.
    /// Postgres asks it for every row that a trigger may have changed.
    pub(crate) fn knows_hash(&self, document: usize, hash: usize) {
        if let (Some(old), Some(new), Some(hash)) =
            (self.old(document), self.value(document), self.old(hash))
        {
            // SAFETY: the columns are a jsonb and a uuid of sixteen bytes.
            unsafe {
                if let (Some(before), Some(now)) = (varlena::stored(old), varlena::stored(new))
                    && before == now
                {
                    known::remember(now, *hash.cast_mut_ptr::<[u8; 16]>());
                }
            }
        }
    }

    /// A text.
    pub(crate) fn text(&self, value: Value) -> String {
        // SAFETY: callers ask for columns of type text.
        value.and_then(|value| unsafe { String::from_datum(value, false) }).unwrap_or_default()
    }

    /// The row, with what was set in it.
    pub(crate) fn done(self) -> Fired {
        // SAFETY: the tuples are those of the trigger; columns and values match its description.
        unsafe {
            let row = (*self.data).tg_newtuple;
            let mut columns: Vec<i32> = Vec::new();
            let (mut values, mut nulls): (Vec<pg_sys::Datum>, Vec<bool>) = (Vec::new(), Vec::new());
            for (set, number) in self.set.iter().zip(self.found.numbers) {
                if let Some(value) = set {
                    columns.push(number.into());
                    values.push(value.unwrap_or(pg_sys::Datum::null()));
                    nulls.push(value.is_none());
                }
            }
            if columns.is_empty() {
                return Fired(row);
            }
            Fired(pg_sys::heap_modify_tuple_by_cols(
                row,
                (*(*self.data).tg_relation).rd_att,
                columns.len() as i32,
                columns.as_mut_ptr(),
                values.as_mut_ptr(),
                nulls.as_mut_ptr(),
            ))
        }
    }

    /// Nothing, after the change.
    pub(crate) fn seen(self) -> Fired {
        Fired(std::ptr::null_mut())
    }
}

/// # Safety
/// The description has so many columns.
pub(crate) unsafe fn attribute(
    description: pg_sys::TupleDesc,
    number: usize,
) -> *const pg_sys::FormData_pg_attribute {
    // SAFETY: as the caller says.
    #[cfg(feature = "pg18")]
    unsafe {
        pg_sys::TupleDescAttr(description, number as i32 - 1)
    }
    // SAFETY: as the caller says.
    #[cfg(not(feature = "pg18"))]
    unsafe {
        (*description).attrs.as_ptr().add(number - 1)
    }
}

/// # Safety
/// Both values are of the column.
unsafe fn same_bytes(
    old: pg_sys::Datum,
    new: pg_sys::Datum,
    column: &pg_sys::FormData_pg_attribute,
) -> bool {
    if column.attbyval {
        return old == new;
    }
    // SAFETY: a pointer to as many bytes as the type has, or to a varlena, which is fetched from where it is.
    unsafe {
        let bytes = |value: pg_sys::Datum| match usize::try_from(column.attlen) {
            Ok(length) => std::slice::from_raw_parts(value.cast_mut_ptr::<u8>(), length),
            Err(_) => {
                let whole = pg_sys::pg_detoast_datum_packed(value.cast_mut_ptr());
                let length = pgrx::varsize_any_exhdr(whole);
                std::slice::from_raw_parts(pgrx::vardata_any(whole).cast(), length)
            }
        };
        bytes(old) == bytes(new)
    }
}

/// # Safety
/// The slot holds a row that has the column.
unsafe fn value(slot: *mut pg_sys::TupleTableSlot, number: i16) -> Value {
    // SAFETY: the slot's arrays have room for all columns of its description.
    unsafe {
        if (*slot).tts_nvalid < number {
            pg_sys::slot_getsomeattrs_int(slot, number.into());
        }
        let at = number as usize - 1;
        (!*(*slot).tts_isnull.add(at)).then(|| *(*slot).tts_values.add(at))
    }
}

/// Raises an error that a trigger has.
pub(crate) fn raise(error: Error) -> ! {
    pgrx::pg_sys::panic::ErrorReport::from(error).report(PgLogLevel::ERROR);
    unreachable!("an error ends the call")
}

fn refuse(why: &'static str) -> ! {
    ereport!(ERROR, PgSqlErrorCode::ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED, why);
}
