//! The trigger of columns that hold references to secrets.

use super::error::GuardError;
use crate::pg::filling::{ColumnOf, Filling};
use crate::pg::relation;
use crate::pg::row_change::{Fired, raise};
use crate::secrets::reference;
use crate::settings;
use pgrx::prelude::*;

/// Fires before a row is inserted or updated. Its arguments are columns: a value that is new must be a reference to a secret,
/// or NULL. What is stored is let through.
#[pg_extern(
    schema = "kepler_internal",
    sql = "
CREATE FUNCTION kepler_internal.check_secret_references() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"
)]
fn check_secret_references(call: pg_sys::FunctionCallInfo) -> Fired {
    let row = Filling::of(call);
    let columns = row.kept(|| columns(&row)).unwrap_or_else(|error| raise(error.into()));
    for column in columns {
        if row.is_update() && row.is_same(column.number) {
            continue;
        }
        let own = settings::secret_reference_schemes();
        let problem = row.text(column).and_then(|text| reference::problem_beside(text, &own));
        // What ON CONFLICT will leave as it is has not become a secret by being sent again.
        let problem = problem.filter(|_| row.is_update() || !row.is_stored(column));
        if let Some(problem) = problem {
            let table = relation::table_name(row.table()).unwrap_or_default();
            let column = row.column_name(column);
            raise(GuardError::NoReference { table, column, problem }.into());
        }
    }
    row.done()
}

fn columns(row: &Filling) -> Result<Vec<ColumnOf>, GuardError> {
    let column = |name: String| {
        let Some(found) = row.column(&name) else {
            let table = relation::table_name(row.table()).unwrap_or_default();
            return Err(GuardError::NoColumn { table, trigger: row.trigger(), column: name });
        };
        if !found.is_text() {
            return Err(GuardError::WrongType { column: name, found: found.type_text() });
        }
        Ok(found)
    };
    row.arguments().into_iter().map(column).collect()
}
