//! Numbers for messages that direct SQL adds, a trigger's call a row.
//!
//! The row of the conversation is changed once a statement, and not once a message: Postgres finds the newest version
//! of a row by walking along all that a transaction has made of it, and a thousand of them would take a thousand
//! times a thousand steps.

use crate::pg::array::Array;
use crate::pg::plan::Statement;
use crate::pg::trigger::{self, Nothing};
use crate::pg::varlena::Text;
use crate::pg::whole::Spi;
use pgrx::heap_tuple::PgHeapTuple;
use pgrx::pg_sys;
use pgrx::prelude::*;
use std::cell::RefCell;
use std::collections::BTreeSet;

thread_local! {
    // A statement of its own: the next one sees what was committed while the lock was awaited.
    static LOCK: Statement = const { Statement::new(
        c"SELECT FROM kepler.conversations AS c
          WHERE c.workspace_id = $1 AND c.id = $2 FOR NO KEY UPDATE",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID],
    ) };
    static NEXT: Statement = const { Statement::new(
        c"SELECT 1 + GREATEST(c.last_number, (
              SELECT m.number FROM kepler.messages AS m
              WHERE m.workspace_id = $1 AND m.conversation_id = $2
              ORDER BY m.number DESC LIMIT 1))
          FROM kepler.conversations AS c WHERE c.workspace_id = $1 AND c.id = $2",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID],
    ) };
    static NOTE: Statement = const { Statement::new(
        c"UPDATE kepler.conversations AS c
          SET last_number = h.number, last_message_at = $3, updated_at = $3
          FROM (SELECT pg_catalog.unnest($1) AS workspace_id, pg_catalog.unnest($2) AS id) AS n
          CROSS JOIN LATERAL (
              SELECT m.number FROM kepler.messages AS m
              WHERE m.workspace_id = n.workspace_id AND m.conversation_id = n.id
              ORDER BY m.number DESC LIMIT 1) AS h
          WHERE c.workspace_id = n.workspace_id AND c.id = n.id AND c.last_number < h.number",
        &[pg_sys::TEXTARRAYOID, pg_sys::TEXTARRAYOID, pg_sys::TIMESTAMPTZOID],
    ) };
    /// Conversations whose messages this statement has numbered. What a statement leaves here that was rolled back
    /// does no harm: what is noted is what the table holds.
    static NUMBERED: RefCell<BTreeSet<(String, String)>> = const { RefCell::new(BTreeSet::new()) };
}

/// Gives a message that direct SQL adds the next number of its conversation, which stays locked until the transaction
/// ends.
#[pg_trigger(sql = "
CREATE FUNCTION kepler_internal.number_message() RETURNS trigger
LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
fn number_message<'t>(
    trigger: &'t PgTrigger<'t>,
) -> Result<Option<PgHeapTuple<'t, AllocatedByRust>>, PgTriggerError> {
    trigger::require_table(trigger, c"messages");
    let message = trigger::new(trigger);
    let place =
        (trigger::text(&message, "workspace_id"), trigger::text(&message, "conversation_id"));
    let mut message = message.into_owned();
    // Without a conversation the foreign key, or NOT NULL, says so.
    trigger::set(&mut message, "number", next(place).unwrap_or(1));
    Ok(Some(message))
}

fn next((workspace_id, conversation_id): (String, String)) -> Option<i32> {
    let (workspace, conversation) = (Text::new(&workspace_id), Text::new(&conversation_id));
    let place = [Some(workspace.datum()), Some(conversation.datum())];
    let number = Spi::connect_mut(|client| {
        LOCK.with(|statement| statement.run(client, &place));
        let rows = NEXT.with(|statement| statement.run(client, &place));
        rows.iter::<1>().next().and_then(|row| row.integer(0))
    });
    NUMBERED.with_borrow_mut(|numbered| numbered.insert((workspace_id, conversation_id)));
    number
}

/// Notes the last numbers on the conversations whose messages a statement has numbered.
#[pg_trigger(sql = "
CREATE FUNCTION kepler_internal.note_numbered_messages() RETURNS trigger
LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
fn note_numbered_messages(trigger: &PgTrigger<'_>) -> Nothing {
    trigger::require_table(trigger, c"messages");
    let numbered = NUMBERED.with_borrow_mut(std::mem::take);
    if numbered.is_empty() {
        return Ok(None);
    }
    let mut workspaces = Array::texts(numbered.iter().map(|(workspace, _)| workspace.as_str()));
    let mut ids = Array::texts(numbered.iter().map(|(_, id)| id.as_str()));
    let now = pg_sys::Datum::from(crate::pg::clock::now());
    let parameters = [Some(workspaces.datum()), Some(ids.datum()), Some(now)];
    Spi::connect_mut(|client| {
        NOTE.with(|statement| statement.run(client, &parameters));
    });
    Ok(None)
}
