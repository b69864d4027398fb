//! What `ON DELETE SET NULL` does on one server: Citus has no such foreign keys.
//!
//! A trigger of the table that is referred to empties the columns that refer to a row before it is deleted, in its part, and as
//! the owner of the tables, as the check of a foreign key would.

use crate::access::owner::Owner;
use crate::error::Error;
use crate::pg::relation;
use crate::pg::trigger;
use crate::pg::whole::Spi;
use pgrx::heap_tuple::PgHeapTuple;
use pgrx::prelude::*;

/// A table, and the columns of others that are emptied when a row of it is deleted.
const REFERENCES: [(&str, &[(&str, &str)]); 2] = [
    ("entities", &[("records", "entity_id")]),
    (
        "users",
        &[
            ("connections", "user_id"),
            ("execution_questions", "answered_by"),
            ("execution_questions", "user_id"),
            ("executions", "user_id"),
            ("messages", "user_id"),
            ("workflows", "user_id"),
        ],
    ),
];

#[pg_trigger(sql = "
CREATE FUNCTION kepler_internal.empty_references() RETURNS trigger
LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
fn empty_references<'t>(
    trigger: &'t PgTrigger<'t>,
) -> Result<Option<PgHeapTuple<'t, AllocatedByRust>>, PgTriggerError> {
    let table = trigger.relid().ok();
    let found = REFERENCES.iter().find(|(name, _)| relation::named_own(name) == table);
    let Some((_, columns)) = found else {
        trigger::require_table(trigger, c"users");
        return Ok(None);
    };
    let old = trigger::old(trigger);
    trigger::raise(empty(
        columns,
        &trigger::text(&old, "workspace_id"),
        &trigger::text(&old, "id"),
    ));
    Ok(Some(old.into_owned()))
}

fn empty(columns: &[(&str, &str)], workspace_id: &str, id: &str) -> Result<(), Error> {
    let owner = Owner::find()?;
    let _owner = owner.act();
    Spi::connect_mut(|client| {
        for (table, column) in columns {
            client.update(
                format!(
                    "UPDATE kepler.{table} AS t SET {column} = NULL WHERE t.workspace_id = $1 AND t.{column} = $2"
                )
                .as_str(),
                None,
                &[workspace_id.into(), id.into()],
            )?;
        }
        Ok(())
    })
}
