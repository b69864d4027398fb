//! A row before it is written, for a trigger on any table that fills its columns or looks at them.

use super::row_change::{Fired, attribute};
use super::transition::ChangedRow;
use super::varlena;
use pgrx::pg_sys;
use pgrx::prelude::*;
use std::ffi::CStr;

/// A row that is about to be written.
pub(crate) struct Filling {
    call: pg_sys::FunctionCallInfo,
    data: *mut pg_sys::TriggerData,
    numbers: Vec<i32>,
    values: Vec<pg_sys::Datum>,
    nulls: Vec<bool>,
}

/// A column, as the catalog has it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ColumnOf {
    pub(crate) number: i16,
    /// Of a domain, the domain.
    pub(crate) type_id: pg_sys::Oid,
    /// What the values are.
    pub(crate) base_type: pg_sys::Oid,
    /// Whether the values are stored as those of `text` are; the catalog says so.
    is_text: bool,
    /// `atttypmod`, or the domain's.
    pub(crate) modifier: i32,
    pub(crate) is_generated: bool,
}

impl ColumnOf {
    pub(crate) fn is_domain(&self) -> bool {
        self.type_id != self.base_type
    }

    /// Whether the values are stored as those of `text` are.
    pub(crate) fn is_text(&self) -> bool {
        self.is_text
    }

    /// The type, for messages.
    pub(crate) fn type_text(&self) -> String {
        // SAFETY: a look-up in the catalog, which gives a C string.
        unsafe {
            let text = pg_sys::format_type_with_typemod(self.type_id, self.modifier);
            CStr::from_ptr(text).to_string_lossy().into_owned()
        }
    }
}

impl Filling {
    /// Of a call by a trigger that fires before a row is inserted or updated.
    pub(crate) fn of(call: pg_sys::FunctionCallInfo) -> Self {
        // SAFETY: a running call; what its context says it is, it is.
        unsafe {
            let context = (*call).context;
            if context.is_null() || (*context).type_ != pg_sys::NodeTag::T_TriggerData {
                refuse("the function is made for a trigger");
            }
            let data = context.cast::<pg_sys::TriggerData>();
            let event = (*data).tg_event;
            let operation = event & pg_sys::TRIGGER_EVENT_OPMASK;
            let is_write = operation == pg_sys::TRIGGER_EVENT_INSERT
                || operation == pg_sys::TRIGGER_EVENT_UPDATE;
            if event & pg_sys::TRIGGER_EVENT_ROW == 0
                || event & pg_sys::TRIGGER_EVENT_TIMINGMASK != pg_sys::TRIGGER_EVENT_BEFORE
                || !is_write
            {
                refuse("the trigger must fire BEFORE INSERT OR UPDATE, FOR EACH ROW");
            }
            let (numbers, values) = (Vec::new(), Vec::new());
            Self { call, data, numbers, values, nulls: Vec::new() }
        }
    }

    pub(crate) fn is_update(&self) -> bool {
        // SAFETY: the data of the running trigger.
        unsafe {
            (*self.data).tg_event & pg_sys::TRIGGER_EVENT_OPMASK == pg_sys::TRIGGER_EVENT_UPDATE
        }
    }

    /// The name of the trigger.
    pub(crate) fn trigger(&self) -> String {
        // SAFETY: the trigger that fires has a name.
        unsafe { CStr::from_ptr((*(*self.data).tg_trigger).tgname).to_string_lossy().into_owned() }
    }

    pub(crate) fn table(&self) -> pg_sys::Oid {
        // SAFETY: the table is open while its trigger runs.
        unsafe { (*(*self.data).tg_relation).rd_id }
    }

    /// What stands behind the function in CREATE TRIGGER.
    pub(crate) fn arguments(&self) -> Vec<String> {
        // SAFETY: the trigger that fires has so many arguments, each a C string.
        unsafe {
            let trigger = &*(*self.data).tg_trigger;
            let argument =
                |at: usize| CStr::from_ptr(*trigger.tgargs.add(at)).to_string_lossy().into_owned();
            (0..usize::try_from(trigger.tgnargs).unwrap_or(0)).map(argument).collect()
        }
    }

    /// The column of a name.
    pub(crate) fn column(&self, name: &str) -> Option<ColumnOf> {
        // SAFETY: the table is open, and its description has so many columns.
        unsafe {
            let description = (*(*self.data).tg_relation).rd_att;
            let columns = usize::try_from((*description).natts).unwrap_or(0);
            let found =
                (1..=columns).map(|number| &*attribute(description, number)).find(|column| {
                    !column.attisdropped
                        && CStr::from_ptr(column.attname.data.as_ptr()).to_bytes()
                            == name.as_bytes()
                })?;
            let mut modifier = found.atttypmod;
            let base_type = pg_sys::getBaseTypeAndTypmod(found.atttypid, &mut modifier);
            Some(ColumnOf {
                number: found.attnum,
                type_id: found.atttypid,
                base_type,
                is_text: pg_sys::IsBinaryCoercible(base_type, pg_sys::TEXTOID),
                modifier,
                is_generated: found.attgenerated != 0,
            })
        }
    }

    /// The name of a column, for messages.
    pub(crate) fn column_name(&self, column: ColumnOf) -> String {
        // SAFETY: the table is open, and the column is one of its description.
        unsafe {
            let description = (*(*self.data).tg_relation).rd_att;
            let found = &*attribute(description, column.number as usize);
            CStr::from_ptr(found.attname.data.as_ptr()).to_string_lossy().into_owned()
        }
    }

    /// What was made of the trigger and its table for an earlier row of the statement, or is made now. The table cannot
    /// change while the statement holds it.
    pub(crate) fn kept<T: Copy + 'static, E>(
        &self,
        make: impl FnOnce() -> Result<Vec<T>, E>,
    ) -> Result<Vec<T>, E> {
        // SAFETY: the place belongs to this function, for one trigger in one statement; its memory lives as long.
        unsafe {
            let function = (*self.call).flinfo;
            let known = (*function).fn_extra.cast::<Known<T>>();
            if !known.is_null() {
                return Ok(std::slice::from_raw_parts((*known).first, (*known).count).to_vec());
            }
            let made = make()?;
            let context = (*function).fn_mcxt;
            let size = size_of::<T>() * made.len().max(1);
            let first = pg_sys::MemoryContextAlloc(context, size).cast::<T>();
            std::ptr::copy_nonoverlapping(made.as_ptr(), first, made.len());
            let known =
                pg_sys::MemoryContextAlloc(context, size_of::<Known<T>>()).cast::<Known<T>>();
            known.write(Known { first, count: made.len() });
            (*function).fn_extra = known.cast();
            Ok(made)
        }
    }

    /// Whether a column has no value.
    pub(crate) fn is_null(&self, number: i16) -> bool {
        self.now().value(number).is_none()
    }

    /// A value and its type; none where it is NULL.
    pub(super) fn typed(&self, number: i16) -> Option<(pg_sys::Oid, pg_sys::Datum)> {
        let value = self.now().value(number)?;
        // SAFETY: the table is open, and the column is one of its description.
        let column = unsafe { &*attribute((*(*self.data).tg_relation).rd_att, number as usize) };
        Some((column.atttypid, value))
    }

    /// The text of a column; none where it is NULL, or of a type that is not stored as texts are.
    pub(crate) fn text(&self, column: ColumnOf) -> Option<&str> {
        let value = self.now().value(column.number).filter(|_| column.is_text())?;
        // SAFETY: a value of the column, whose type is stored as text is; it lives as long as the trigger runs.
        Some(unsafe { varlena::text(value) })
    }

    /// The bytes of a `jsonb` column behind the length word; none where it is NULL.
    pub(crate) fn jsonb(&self, column: ColumnOf) -> Option<&[u8]> {
        let is_jsonb = column.base_type == pg_sys::JSONBOID;
        let value = self.now().value(column.number).filter(|_| is_jsonb)?;
        // SAFETY: a value of the column; it lives as long as the trigger runs.
        Some(unsafe { varlena::aligned_bytes(value) })
    }

    /// The elements of a `text[]` column; none where it has none.
    pub(crate) fn texts(&self, column: ColumnOf) -> Option<Vec<Option<String>>> {
        let is_list = column.base_type == pg_sys::TEXTARRAYOID;
        let value = self.now().value(column.number).filter(|_| is_list)?;
        // SAFETY: a value of the column: behind the length word stands the number of dimensions, none of an empty list.
        unsafe {
            if varlena::bytes(value).starts_with(&[0; 4]) {
                return None;
            }
            Vec::<Option<String>>::from_datum(value, false)
        }
    }

    /// Whether an update leaves a column as it was.
    pub(crate) fn is_same(&self, number: i16) -> bool {
        // SAFETY: both rows are of the table.
        unsafe {
            let description = (*(*self.data).tg_relation).rd_att;
            self.before().has_same(&self.now(), description, number)
        }
    }

    /// Whether an update changes a column, generated ones aside: they are made behind the triggers.
    pub(crate) fn changes(&self) -> bool {
        // SAFETY: the table is open, and both rows are of its description.
        unsafe {
            let description = (*(*self.data).tg_relation).rd_att;
            let (before, now) = (self.before(), self.now());
            (1..=(*description).natts as i16).any(|number| {
                let column = &*attribute(description, number as usize);
                !column.attisdropped
                    && column.attgenerated == 0
                    && !before.has_same(&now, description, number)
            })
        }
    }

    fn before(&self) -> ChangedRow<'_> {
        // SAFETY: the row is in its slot while the trigger runs.
        unsafe {
            let columns = (*(*(*self.data).tg_relation).rd_att).natts;
            ChangedRow::of((*self.data).tg_trigslot, columns)
        }
    }

    fn now(&self) -> ChangedRow<'_> {
        // SAFETY: as above; an insert has one row only.
        unsafe {
            let slot =
                if self.is_update() { (*self.data).tg_newslot } else { (*self.data).tg_trigslot };
            ChangedRow::of(slot, (*(*(*self.data).tg_relation).rd_att).natts)
        }
    }

    /// Takes the value of a column away.
    pub(crate) fn set_null(&mut self, column: ColumnOf) {
        self.numbers.push(column.number.into());
        self.values.push(pg_sys::Datum::null());
        self.nulls.push(true);
    }

    /// Gives a column a value. What a domain demands is asked, as Postgres does where it assigns; a trigger's row is not
    /// looked at again.
    pub(crate) fn set(&mut self, column: ColumnOf, value: pg_sys::Datum) {
        if column.is_domain() {
            // SAFETY: the value is of the domain's base type.
            unsafe {
                let (kept, memory) = (std::ptr::null_mut(), std::ptr::null_mut());
                pg_sys::domain_check(value, false, column.type_id, kept, memory);
            }
        }
        self.numbers.push(column.number.into());
        self.values.push(value);
        self.nulls.push(false);
    }

    /// The row, with what was set in it.
    pub(crate) fn done(mut self) -> Fired {
        // SAFETY: the tuples are those of the trigger; columns and values match its description.
        unsafe {
            let row =
                if self.is_update() { (*self.data).tg_newtuple } else { (*self.data).tg_trigtuple };
            if self.numbers.is_empty() {
                return Fired::row(row);
            }
            Fired::row(pg_sys::heap_modify_tuple_by_cols(
                row,
                (*(*self.data).tg_relation).rd_att,
                self.numbers.len() as i32,
                self.numbers.as_mut_ptr(),
                self.values.as_mut_ptr(),
                self.nulls.as_mut_ptr(),
            ))
        }
    }
}

struct Known<T> {
    first: *mut T,
    count: usize,
}

fn refuse(why: &'static str) -> ! {
    ereport!(ERROR, PgSqlErrorCode::ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED, why);
}
