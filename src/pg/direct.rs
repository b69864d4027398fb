//! Rows of a small table read past SQL: no plan, no rule, no policy and no code of anybody's, and with no more rights
//! than the library has.
//!
//! They are read as Postgres reads its catalog, in a snapshot of this moment: what was committed by now, and what the
//! transaction has done itself, also where it keeps to an older snapshot. In parallel workers and on a standby too.

use super::relation;
use super::varlena::{self, Text};
use pgrx::pg_sys;
use std::ffi::CStr;

/// A table, and the index by which its rows are found.
pub(crate) struct Direct {
    pub(crate) table: &'static CStr,
    /// Where it is not there, as while a dump is being restored, the whole table is read.
    pub(crate) index: &'static CStr,
    /// The index' first column, a text.
    pub(crate) key: &'static CStr,
}

impl Direct {
    /// The texts of some columns of the rows with a key. Of a table that lacks a column there are none.
    pub(crate) fn find(&self, key: &str, columns: &[&CStr]) -> Vec<Vec<Option<String>>> {
        let mut found = Vec::new();
        let Some(table) = relation::named(c"kepler", self.table) else { return found };
        let index = relation::named(c"kepler", self.index);
        let key_text = Text::new(key);
        // SAFETY: the table is open while it is read, and so is the description of its rows. The scan holds a row
        // until the next one is asked for; the texts are copied. An error closes all of it with the transaction.
        unsafe {
            let number = |name: &CStr| pg_sys::get_attnum(table, name.as_ptr());
            let key_number = number(self.key);
            let numbers: Vec<i16> = columns.iter().map(|name| number(name)).collect();
            if key_number <= 0 || numbers.iter().any(|number| *number <= 0) {
                return found;
            }
            let opened = pg_sys::try_relation_open(table, pg_sys::AccessShareLock as i32);
            // Dropped since it was looked up.
            if opened.is_null() {
                return found;
            }
            if (*(*opened).rd_rel).relkind as u8 != pg_sys::RELKIND_RELATION {
                pg_sys::table_close(opened, pg_sys::AccessShareLock as i32);
                return found;
            }
            let mut wanted = pg_sys::ScanKeyData::default();
            pg_sys::ScanKeyInit(
                &mut wanted,
                key_number,
                pg_sys::BTEqualStrategyNumber as u16,
                pg_sys::F_TEXTEQ.into(),
                key_text.datum(),
            );
            let (mut of, mut modifier) = (pg_sys::InvalidOid, 0);
            pg_sys::get_atttypetypmodcoll(
                table,
                key_number,
                &mut of,
                &mut modifier,
                &mut wanted.sk_collation,
            );
            let scan = pg_sys::systable_beginscan(
                opened,
                index.unwrap_or(pg_sys::InvalidOid),
                index.is_some(),
                std::ptr::null_mut(),
                1,
                &mut wanted,
            );
            let width = (*(*opened).rd_att).natts as usize;
            let (mut values, mut nulls) = (vec![pg_sys::Datum::null(); width], vec![true; width]);
            loop {
                let row = pg_sys::systable_getnext(scan);
                if row.is_null() {
                    break;
                }
                pg_sys::heap_deform_tuple(
                    row,
                    (*opened).rd_att,
                    values.as_mut_ptr(),
                    nulls.as_mut_ptr(),
                );
                let text = |number: &i16| {
                    let at = *number as usize - 1;
                    (!nulls[at])
                        .then(|| String::from_utf8_lossy(varlena::bytes(values[at])).into_owned())
                };
                found.push(numbers.iter().map(text).collect());
            }
            pg_sys::systable_endscan(scan);
            pg_sys::table_close(opened, pg_sys::AccessShareLock as i32);
        }
        found
    }
}
