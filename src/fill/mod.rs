//! The trigger that fills columns of tables made from documents: ids and times that the database has no default for.
//!
//! Where clients make an id or a time themselves, as Prisma's does, a default in the catalog would be a difference between
//! the table and the client's schema. A trigger is none. It makes what a statement leaves out, for whoever else writes.

mod columns;
mod error;
mod ids;
mod make;

use crate::pg::filling::Filling;
use crate::pg::row_change::{Fired, raise};
use crate::pg::times::transaction_start;
use columns::{Kind, read};
use pgrx::prelude::*;

/// Fires before a row is inserted or updated. Its arguments are pairs: a column, and what fills it: `cuid`, `uuid`, `uuid7`,
/// `ulid`, `nanoid` or `nanoid:12`, where the row that is inserted has NULL; `touch`, with the time of the transaction,
/// there and where an update changes the row and leaves the column as it was.
///
/// It runs no SQL: no search path can mislead it, and setting one would cost more than the rest.
#[pg_extern(
    schema = "kepler_internal",
    sql = "
CREATE FUNCTION kepler_internal.fill_columns() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"
)]
fn fill_columns(call: pg_sys::FunctionCallInfo) -> Fired {
    let mut row = Filling::of(call);
    let columns = row.kept(|| read(&row)).unwrap_or_else(|error| raise(error.into()));
    let is_update = row.is_update();
    let mut changes = None;
    for filled in columns {
        let number = filled.column.number;
        let is_due = match (is_update, filled.kind) {
            (false, _) => row.is_null(number),
            (true, Kind::Touch) => {
                row.is_same(number) && *changes.get_or_insert_with(|| row.changes())
            }
            (true, _) => false,
        };
        if is_due {
            let value = filled.value(transaction_start).unwrap_or_else(|error| raise(error.into()));
            row.set(filled.column, value);
        }
    }
    row.done()
}
