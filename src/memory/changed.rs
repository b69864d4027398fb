//! What becomes of embeddings whose content has changed: they say what is no longer said, and go.
//!
//! In triggers on memories and messages, for each row whose content is another one.

use super::embedded::Embedded;
use super::error::MemoryError;
use crate::error::Error;
use crate::ident::qualified;
use crate::pg::plan::{OwnedStatement, Statement};
use crate::pg::trigger::{self, Nothing};
use crate::pg::varlena::Text;
use crate::pg::whole::Spi;
use pgrx::pg_sys;
use pgrx::prelude::*;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// For a table, the statement that deletes, and the one that looks.
type Statements = (Rc<OwnedStatement>, Rc<OwnedStatement>);

thread_local! {
    static TABLES: Statement = const { Statement::new(
        c"SELECT CASE WHEN $1 THEN s.memory_table_name ELSE s.message_table_name END
          FROM kepler.embedding_spaces AS s
          WHERE pg_catalog.to_regclass(pg_catalog.format('kepler_data.%I',
              CASE WHEN $1 THEN s.memory_table_name ELSE s.message_table_name END)) IS NOT NULL",
        &[pg_sys::BOOLOID],
    ) };
    static OF_TABLES: RefCell<HashMap<String, Statements>> = RefCell::default();
}

fn statements(embedded: Embedded, table: &str) -> Statements {
    let known = OF_TABLES.with_borrow(|known| known.get(table).cloned());
    known.unwrap_or_else(|| {
        let place = format!(
            "{} AS e WHERE e.workspace_id = $1 AND e.{} = {}",
            qualified("kepler_data", table),
            embedded.column(),
            match embedded {
                Embedded::Memories => "$2",
                Embedded::Messages => "$2::pg_catalog.int8",
            },
        );
        let types = vec![pg_sys::TEXTOID, pg_sys::TEXTOID];
        let own = |sql| OwnedStatement::new(sql, types.clone()).of_own_text();
        let delete = own(format!("DELETE FROM {place}"));
        let look = own(format!("SELECT FROM {place}"));
        let made = (Rc::new(delete), Rc::new(look));
        OF_TABLES.with_borrow_mut(|known| known.insert(table.to_owned(), made.clone()));
        made
    })
}

/// The embeddings of a memory go when its content changes.
#[pg_trigger(sql = "
CREATE FUNCTION kepler_internal.drop_memory_embeddings() RETURNS trigger
LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
fn drop_memory_embeddings(trigger: &PgTrigger<'_>) -> Nothing {
    trigger::require_table(trigger, c"memories");
    let memory = trigger::new(trigger);
    let (workspace_id, id) = (trigger::text(&memory, "workspace_id"), trigger::text(&memory, "id"));
    trigger::raise(drop_embeddings(Embedded::Memories, &id, &workspace_id));
    Ok(None)
}

/// The embeddings of a message go when its content changes.
#[pg_trigger(sql = "
CREATE FUNCTION kepler_internal.drop_message_embeddings() RETURNS trigger
LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
fn drop_message_embeddings(trigger: &PgTrigger<'_>) -> Nothing {
    trigger::require_table(trigger, c"messages");
    let message = trigger::new(trigger);
    let (workspace_id, id) =
        (trigger::text(&message, "workspace_id"), trigger::bigint(&message, "id"));
    trigger::raise(drop_embeddings(Embedded::Messages, &id.to_string(), &workspace_id));
    Ok(None)
}

/// Deletes the embeddings of a memory or message in all spaces.
///
/// A transaction that keeps to an older snapshot does not see one that has come since, and would leave it:
/// that is 40001.
fn drop_embeddings(embedded: Embedded, id: &str, workspace_id: &str) -> Result<(), Error> {
    let what = match embedded {
        Embedded::Memories => "memory",
        Embedded::Messages => "message",
    };
    let (workspace, key) = (Text::new(workspace_id), Text::new(id));
    let parameters = [Some(workspace.datum()), Some(key.datum())];
    Spi::connect_mut(|client| {
        let tables: Vec<String> = {
            let of_memories = pg_sys::Datum::from(embedded == Embedded::Memories);
            let rows = TABLES.with(|statement| statement.run_latest(client, &[Some(of_memories)]));
            rows.iter::<1>().filter_map(|row| row.text(0).map(str::to_owned)).collect()
        };
        for table in tables {
            let (delete, look) = statements(embedded, &table);
            delete.run(client, &parameters);
            // SAFETY: a variable of this process, which has one thread.
            let keeps_snapshot =
                unsafe { pg_sys::XactIsoLevel } >= pg_sys::XACT_REPEATABLE_READ as i32;
            if keeps_snapshot && look.run_latest(client, &parameters).count() > 0 {
                return Err(MemoryError::EmbeddedMeanwhile { what, id: id.to_owned() }.into());
            }
        }
        Ok(())
    })
}
