//! The rows that a statement changed, as a trigger of the statement has them.
//!
//! They are read where Postgres keeps them: through SQL each trigger would parse and plan a query of its own. Reading
//! runs nobody's code.

use super::row_change::attribute;
use pgrx::pg_sys;
use std::slice;

unsafe extern "C-unwind" {
    /// `src/include/utils/datum.h` of Postgres 16 to 18.
    fn datum_image_eq(one: pg_sys::Datum, two: pg_sys::Datum, by_value: bool, length: i32) -> bool;
}

/// The rows of a transition table, one after the other.
pub(crate) struct Transition {
    store: *mut pg_sys::Tuplestorestate,
    /// Our place in it. Other triggers have their own.
    place: i32,
    slot: *mut pg_sys::TupleTableSlot,
    columns: i32,
}

impl Transition {
    /// # Safety
    /// The table is one of the running trigger's, of rows of the relation.
    pub(crate) unsafe fn open(
        store: *mut pg_sys::Tuplestorestate,
        relation: pg_sys::Relation,
    ) -> Self {
        // SAFETY: as the caller says. A new place is where the first one was; all can go back to the start.
        unsafe {
            let place =
                pg_sys::tuplestore_alloc_read_pointer(store, pg_sys::EXEC_FLAG_REWIND as i32);
            pg_sys::tuplestore_select_read_pointer(store, place);
            pg_sys::tuplestore_rescan(store);
            let description = (*relation).rd_att;
            let slot = pg_sys::MakeSingleTupleTableSlot(
                description,
                &raw const pg_sys::TTSOpsMinimalTuple,
            );
            Self { store, place, slot, columns: (*description).natts }
        }
    }

    /// How many rows there are.
    pub(crate) fn count(&self) -> i64 {
        // SAFETY: the table lives as long as the trigger runs.
        unsafe { pg_sys::tuplestore_tuple_count(self.store) }
    }

    /// The next row, which holds until the one after it is asked for.
    pub(crate) fn next(&mut self) -> Option<ChangedRow<'_>> {
        // SAFETY: as above; the slot is ours, and has room for all columns of its description.
        unsafe {
            pg_sys::tuplestore_select_read_pointer(self.store, self.place);
            if !pg_sys::tuplestore_gettupleslot(self.store, true, false, self.slot) {
                return None;
            }
            Some(ChangedRow::of(self.slot, self.columns))
        }
    }
}

impl Drop for Transition {
    fn drop(&mut self) {
        // While a panic unwinds, Postgres' own abort frees it.
        if !std::thread::panicking() {
            // SAFETY: ours, and dropped once.
            unsafe { pg_sys::ExecDropSingleTupleTableSlot(self.slot) };
        }
    }
}

/// The columns of a row.
#[derive(Clone, Copy)]
pub(crate) struct ChangedRow<'r> {
    values: &'r [pg_sys::Datum],
    nulls: &'r [bool],
}

impl<'r> ChangedRow<'r> {
    /// # Safety
    /// The slot holds a row with so many columns, as long as the result lives.
    pub(crate) unsafe fn of(slot: *mut pg_sys::TupleTableSlot, columns: i32) -> Self {
        // SAFETY: as the caller says.
        unsafe {
            if i32::from((*slot).tts_nvalid) < columns {
                pg_sys::slot_getsomeattrs_int(slot, columns);
            }
            let count = columns as usize;
            Self {
                values: slice::from_raw_parts((*slot).tts_values, count),
                nulls: slice::from_raw_parts((*slot).tts_isnull, count),
            }
        }
    }

    /// The value of a column, by its number from 1; None is NULL.
    pub(crate) fn value(&self, number: i16) -> Option<pg_sys::Datum> {
        let at = number as usize - 1;
        (!self.nulls[at]).then(|| self.values[at])
    }

    /// Whether a column has the same image in both rows: what is written otherwise (`1.0` for `1`) is another.
    ///
    /// # Safety
    /// Both rows are of this description, which has the column.
    pub(crate) unsafe fn has_same(
        &self,
        other: &ChangedRow<'_>,
        description: pg_sys::TupleDesc,
        number: i16,
    ) -> bool {
        let (one, two) = match (self.value(number), other.value(number)) {
            (Some(one), Some(two)) => (one, two),
            (one, two) => return one.is_none() && two.is_none(),
        };
        // SAFETY: as the caller says, both are of the column's type. What is stored outside is fetched only where the
        // sizes are equal, and the pointers are not.
        unsafe {
            let column = &*attribute(description, number as usize);
            if column.attbyval {
                return one == two;
            }
            if column.attlen == -1 {
                let bytes = |value: pg_sys::Datum| {
                    let value = value.cast_mut_ptr::<pg_sys::varlena>();
                    slice::from_raw_parts(value.cast::<u8>(), pgrx::varlena::varsize_any(value))
                };
                if bytes(one) == bytes(two) {
                    return true;
                }
            }
            pg_sys::ffi::pg_guard_ffi_boundary(|| {
                datum_image_eq(one, two, column.attbyval, column.attlen.into())
            })
        }
    }
}
