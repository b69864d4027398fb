//! Inserting entries: a batch is decoded and written in pieces that fit the processor's cache.

use super::answer::Answers;
use super::decode::{Absent, Decoder, Rows};
use super::entry_table::EntryTable;
use super::identity::random_uuid;
use super::land::Landing;
use super::validator::{Column, Filling};
use crate::batch;
use crate::error::Error;
use crate::field_types::kind::FieldKind;
use crate::id::new_id;
use crate::pg::array::Array;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;

/// At most so many rows, and about so many bytes, are written by one statement.
pub(crate) const WRITE_ROWS: usize = 1_000;
pub(crate) const WRITE_BYTES: usize = 1 << 20;

/// Inserts the entries of a batch.
pub(crate) fn insert(
    client: &mut SpiClient<'_>,
    table: &EntryTable,
    text: &str,
    skip: bool,
) -> Result<Answers, Error> {
    let text = text.as_bytes();
    let mut landing = Landing::new(table, skip);
    let mut decoder = Decoder::new(&table.validator);
    let mut rows = Rows::new(&table.validator);
    let mut fill = filler();
    // Entries that refer to each other go in one statement: only together they are valid.
    let whole = table.refers_to_itself();
    batch::divide("entries", text, |element| {
        if !whole && (rows.count() >= WRITE_ROWS || rows.size() >= WRITE_BYTES) {
            landing.land(client, &mut rows, None);
            rows = Rows::new(&table.validator);
        }
        let place = landing.answers.all.len() as u32;
        let mut violations = Vec::new();
        let mut absent = Absent::Filled(&mut fill);
        let end = decoder.element(element, place, &mut absent, &mut rows, &mut violations)?;
        landing.answers.push(violations);
        Ok(end)
    })?;
    landing.land(client, &mut rows, None);
    Ok(landing.answers)
}

/// Fills in what an entry does not have. The clock is read once: a batch has one time.
pub(crate) fn filler() -> impl FnMut(&Column, &mut Array) {
    // SAFETY: reads the clock.
    let now = unsafe { pg_sys::GetCurrentTimestamp() };
    move |column, array| match &column.filling {
        Filling::Nothing | Filling::Key(_) => array.push_null(),
        Filling::Value(value) => array.push_bytes(value),
        Filling::Clock => array.push_bytes(&now.to_ne_bytes()),
        Filling::Cuid => array.push_text(&new_id()),
        Filling::Uuid => match column.kind {
            FieldKind::Uuid => array.push_uuid(Some(random_uuid())),
            _ => array.push_text(&super::key::Key::Uuid(random_uuid()).to_string()),
        },
        // SAFETY: reads of the transaction's time, in the session's zone where there is no other.
        Filling::Now => unsafe {
            match column.kind {
                FieldKind::Date => array.push_bytes(&pg_sys::GetSQLCurrentDate().to_ne_bytes()),
                FieldKind::Time => array.push_bytes(&pg_sys::GetSQLLocalTime(-1).to_ne_bytes()),
                _ => array.push_bytes(&pg_sys::GetCurrentTransactionStartTimestamp().to_ne_bytes()),
            }
        },
    }
}
