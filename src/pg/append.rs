//! Appending rows to a table of Kepler's without SQL.
//!
//! A log must take what anybody's statement leads to, and must not be open to anybody's INSERT. Written so, it needs no
//! rights, and nobody's code runs with rights of others: no rule, trigger, policy, default, check or cast. And rows
//! written together share much of what the write-ahead log says of them.

use pgrx::pg_sys;
use std::ffi::CStr;
use std::ptr;

/// The access method heap (`src/include/catalog/pg_am.dat`).
const HEAP: pg_sys::Oid = pg_sys::Oid::from_u32(2);

/// So many rows are written at a time.
const ROWS: usize = 100;

/// A table that rows are appended to, with a value for each of `N` columns; the others are NULL.
pub(crate) struct Append<const N: usize> {
    relation: pg_sys::Relation,
    numbers: [i16; N],
    estate: *mut pg_sys::EState,
    result: *mut pg_sys::ResultRelInfo,
    /// Rows that wait to be written.
    slots: Vec<*mut pg_sys::TupleTableSlot>,
    used: usize,
    /// What writing leaves behind.
    spare: pg_sys::MemoryContext,
}

impl<const N: usize> Append<N> {
    /// Opens a table that exists, and keeps it locked as an INSERT would. None where it lacks a column, or is no heap.
    pub(crate) fn open(table: pg_sys::Oid, columns: [&CStr; N]) -> Option<Self> {
        // SAFETY: plain calls on a table that is open. Where an error ends the transaction, Postgres frees and closes
        // all of it.
        unsafe {
            let relation = pg_sys::table_open(table, pg_sys::RowExclusiveLock as i32);
            let numbers = columns.map(|name| pg_sys::get_attnum(table, name.as_ptr()));
            // Of another access method the rows are not laid out as they are written here.
            let is_heap = (*(*relation).rd_rel).relam == HEAP;
            if !is_heap || numbers.contains(&(pg_sys::InvalidAttrNumber as i16)) {
                pg_sys::table_close(relation, pg_sys::NoLock as i32);
                return None;
            }
            let estate = pg_sys::CreateExecutorState();
            let result =
                pg_sys::palloc0(size_of::<pg_sys::ResultRelInfo>()).cast::<pg_sys::ResultRelInfo>();
            (*result).type_ = pg_sys::NodeTag::T_ResultRelInfo;
            pg_sys::InitResultRelInfo(result, relation, 0, ptr::null_mut(), 0);
            pg_sys::ExecOpenIndices(result, false);
            let spare = pg_sys::AllocSetContextCreateExtended(
                pg_sys::CurrentMemoryContext,
                c"rows that are appended".as_ptr(),
                pg_sys::ALLOCSET_SMALL_MINSIZE as usize,
                pg_sys::ALLOCSET_SMALL_INITSIZE as usize,
                pg_sys::ALLOCSET_DEFAULT_MAXSIZE as usize,
            );
            Some(Self { relation, numbers, estate, result, slots: Vec::new(), used: 0, spare })
        }
    }

    /// Takes a row. The values may go away then.
    pub(crate) fn push(&mut self, values: [Option<pg_sys::Datum>; N]) {
        if self.used == ROWS {
            self.write();
        }
        let slot = self.fill(values);
        // SAFETY: the slot is filled; its values are copied into its own memory.
        unsafe { pg_sys::ExecMaterializeSlot(slot) };
        self.used += 1;
    }

    /// Whether the table is the partition for a row.
    pub(crate) fn is_place_of(&mut self, values: [Option<pg_sys::Datum>; N]) -> bool {
        let slot = self.fill(values);
        // SAFETY: the slot holds a row of the table; conditions of partitions are Postgres' own.
        unsafe {
            let fits = !(*(*self.relation).rd_rel).relispartition
                || pg_sys::ExecPartitionCheck(self.result, slot, self.estate, false);
            pg_sys::ExecClearTuple(slot);
            fits
        }
    }

    fn fill(&mut self, values: [Option<pg_sys::Datum>; N]) -> *mut pg_sys::TupleTableSlot {
        // SAFETY: a slot of the table has room for all its columns.
        unsafe {
            if self.used == self.slots.len() {
                self.slots.push(pg_sys::table_slot_create(self.relation, ptr::null_mut()));
            }
            let slot = self.slots[self.used];
            pg_sys::ExecClearTuple(slot);
            let columns = (*(*self.relation).rd_att).natts as usize;
            let nulls = std::slice::from_raw_parts_mut((*slot).tts_isnull, columns);
            nulls.fill(true);
            for (value, number) in values.into_iter().zip(self.numbers) {
                let at = number as usize - 1;
                if let Some(value) = value {
                    *(*slot).tts_values.add(at) = value;
                    nulls[at] = false;
                }
            }
            pg_sys::ExecStoreVirtualTuple(slot)
        }
    }

    /// Writes the rows that wait, and their entries in the indexes.
    fn write(&mut self) {
        if self.used == 0 {
            return;
        }
        pgrx::check_for_interrupts!();
        // SAFETY: the table is open and locked; the slots are of the table, and filled. What the calls leave in memory
        // goes with the context.
        unsafe {
            let before = pg_sys::MemoryContextSwitchTo(self.spare);
            pg_sys::heap_multi_insert(
                self.relation,
                self.slots.as_mut_ptr(),
                self.used as i32,
                pg_sys::GetCurrentCommandId(true),
                0,
                ptr::null_mut(),
            );
            if (*self.result).ri_NumIndices > 0 {
                for &slot in &self.slots[..self.used] {
                    pg_sys::ExecInsertIndexTuples(
                        self.result,
                        slot,
                        self.estate,
                        false,
                        false,
                        ptr::null_mut(),
                        ptr::null_mut(),
                        false,
                    );
                }
            }
            for &slot in &self.slots[..self.used] {
                pg_sys::ExecClearTuple(slot);
            }
            pg_sys::MemoryContextSwitchTo(before);
            pg_sys::MemoryContextReset(self.spare);
            let expressions = (*self.estate).es_per_tuple_exprcontext;
            if !expressions.is_null() {
                pg_sys::MemoryContextReset((*expressions).ecxt_per_tuple_memory);
            }
        }
        self.used = 0;
    }

    /// Writes what is left, and closes the table.
    pub(crate) fn finish(mut self) {
        self.write();
        // SAFETY: all of it is ours, and closed once. The lock stays to the end of the transaction.
        unsafe {
            for &slot in &self.slots {
                pg_sys::ExecDropSingleTupleTableSlot(slot);
            }
            pg_sys::ExecCloseIndices(self.result);
            pg_sys::FreeExecutorState(self.estate);
            pg_sys::MemoryContextDelete(self.spare);
            pg_sys::pfree(self.result.cast());
            pg_sys::table_close(self.relation, pg_sys::NoLock as i32);
        }
    }
}
