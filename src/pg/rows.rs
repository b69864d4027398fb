//! What a statement gave, read where SPI put it.

use super::plan::Tid;
use super::varlena;
use pgrx::datum::{FromDatum, UnboxDatum};
use pgrx::pg_sys;
use std::marker::PhantomData;

/// What a statement gave: rows, or only how many it touched. The rows' memory goes with it: a call
/// runs many statements on one connection, and would keep them all to its end.
pub(crate) struct Rows<'conn> {
    table: *mut pg_sys::SPITupleTable,
    processed: usize,
    lifetime: PhantomData<&'conn ()>,
}

impl Rows<'_> {
    /// What the last statement gave, which ended with `status`.
    ///
    /// # Safety
    /// SPI must be connected, and nobody else may have taken the rows.
    pub(super) unsafe fn take(status: i32) -> Self {
        assert!(status >= 0, "a statement failed with SPI status {status}");
        // SAFETY: SPI's variables are those of the last statement.
        unsafe {
            Rows {
                table: pg_sys::SPI_tuptable,
                processed: pg_sys::SPI_processed as usize,
                lifetime: PhantomData,
            }
        }
    }

    /// How many rows were given or touched.
    pub(crate) fn count(&self) -> usize {
        self.processed
    }

    /// The rows as Postgres has them, and what their columns are.
    pub(in crate::pg) fn raw(&self) -> (pg_sys::TupleDesc, &[pg_sys::HeapTuple]) {
        // SAFETY: SPI's table is null or valid as long as `self`, and has so many rows.
        unsafe {
            match self.table.as_ref() {
                Some(table) if table.numvals > 0 => {
                    (table.tupdesc, std::slice::from_raw_parts(table.vals, table.numvals as usize))
                }
                Some(table) => (table.tupdesc, &[]),
                None => (std::ptr::null_mut(), &[]),
            }
        }
    }

    /// The rows, with `N` columns each.
    pub(crate) fn iter<const N: usize>(&self) -> impl Iterator<Item = Row<'_, N>> {
        let table = self.table;
        // SAFETY: SPI's table is null or valid as long as `self`.
        let (rows, columns) = unsafe {
            match table.as_ref() {
                Some(table) => (table.numvals as usize, (*table.tupdesc).natts as usize),
                None => (0, N),
            }
        };
        assert_eq!(columns, N, "the statement gives {columns} columns");
        (0..rows).map(move |at| {
            let mut row = Row {
                values: [pg_sys::Datum::from(0_usize); N],
                nulls: [true; N],
                lifetime: PhantomData,
            };
            // SAFETY: `at` is below `numvals`, and the arrays have room for all `N` columns.
            unsafe {
                pg_sys::heap_deform_tuple(
                    *(*table).vals.add(at),
                    (*table).tupdesc,
                    row.values.as_mut_ptr(),
                    row.nulls.as_mut_ptr(),
                );
            }
            row
        })
    }
}

impl Drop for Rows<'_> {
    fn drop(&mut self) {
        // While a panic unwinds, Postgres' own abort frees what SPI holds.
        if !self.table.is_null() && !std::thread::panicking() {
            // SAFETY: the table is ours, and freed once.
            unsafe { pg_sys::SPI_freetuptable(self.table) };
        }
    }
}

/// One row. The getters are named for the column's type; callers ask for the type that the
/// statement gives.
pub(crate) struct Row<'r, const N: usize> {
    values: [pg_sys::Datum; N],
    nulls: [bool; N],
    lifetime: PhantomData<&'r ()>,
}

impl<'r, const N: usize> Row<'r, N> {
    fn get(&self, column: usize) -> Option<pg_sys::Datum> {
        if self.nulls[column] { None } else { Some(self.values[column]) }
    }

    /// As Postgres has it; by reference it lives as long as its row.
    pub(crate) fn datum(&self, column: usize) -> Option<pg_sys::Datum> {
        self.get(column)
    }

    pub(crate) fn text(&self, column: usize) -> Option<&'r str> {
        // SAFETY: the column is text, and lives as long as its row.
        self.get(column).map(|datum| unsafe { varlena::text(datum) })
    }

    /// The bytes of a `jsonb` behind its length word.
    pub(crate) fn jsonb(&self, column: usize) -> Option<&'r [u8]> {
        // SAFETY: the column is jsonb, and lives as long as its row.
        self.get(column).map(|datum| unsafe { varlena::aligned_bytes(datum) })
    }

    pub(crate) fn uuid(&self, column: usize) -> Option<u128> {
        // SAFETY: a uuid datum points at sixteen bytes.
        self.get(column)
            .map(|datum| u128::from_be_bytes(unsafe { *datum.cast_mut_ptr::<[u8; 16]>() }))
    }

    /// An array, read where it is once it is fetched from TOAST.
    pub(crate) fn array<T: UnboxDatum>(&self, column: usize) -> Option<pgrx::Array<'r, T>> {
        // SAFETY: the column is an array of `T`, and lives as long as its row.
        unsafe { pgrx::Array::from_datum(self.values[column], self.nulls[column]) }
    }

    /// The place of a row's version.
    pub(crate) fn tid(&self, column: usize) -> Option<Tid> {
        // SAFETY: a tid datum points at six bytes.
        self.get(column).map(|datum| unsafe { *datum.cast_mut_ptr::<Tid>() })
    }

    pub(crate) fn time(&self, column: usize) -> Option<i64> {
        self.get(column).map(|datum| datum.value() as i64)
    }

    pub(crate) fn integer(&self, column: usize) -> Option<i32> {
        self.get(column).map(|datum| datum.value() as i32)
    }

    pub(crate) fn bigint(&self, column: usize) -> Option<i64> {
        self.get(column).map(|datum| datum.value() as i64)
    }

    pub(crate) fn float(&self, column: usize) -> Option<f64> {
        self.get(column).map(|datum| f64::from_bits(datum.value() as u64))
    }

    pub(crate) fn oid(&self, column: usize) -> Option<pg_sys::Oid> {
        self.get(column).map(|datum| pg_sys::Oid::from(datum.value() as u32))
    }

    pub(crate) fn boolean(&self, column: usize) -> Option<bool> {
        self.get(column).map(|datum| datum.value() & 0xFF != 0)
    }
}
