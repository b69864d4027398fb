//! Whose memory an embedding belongs to, for the trigger that completes embeddings inserted by direct SQL.
//!
//! It runs once a row of an import. A statement of PL/pgSQL is planned by the sizes that Postgres knew when the
//! session used it first: beside a small table any index that begins with the workspace looks as good as the
//! primary key, and then each row of the import reads all of its tenant's.

use crate::pg::plan::Statement;
use crate::pg::trigger;
use crate::pg::varlena::Text;
use crate::pg::whole::Spi;
use pgrx::heap_tuple::PgHeapTuple;
use pgrx::prelude::*;

thread_local! {
    // So that it does not become another user's before its embedding is there, or what changes it finds that.
    static MEMORY: Statement = const { Statement::new(
        c"SELECT m.user_id, m.context_type FROM kepler.memories AS m
          WHERE m.workspace_id = $1 AND m.id = $2 FOR SHARE",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID],
    ) };
}

/// Whose memory an embedding belongs to, where it was inserted without. The memory is locked until the transaction ends.
#[pg_trigger(sql = "
CREATE FUNCTION kepler_internal.complete_embedding() RETURNS trigger
LANGUAGE c SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
")]
fn complete_embedding<'t>(
    trigger: &'t PgTrigger<'t>,
) -> Result<Option<PgHeapTuple<'t, AllocatedByRust>>, PgTriggerError> {
    let embedding = trigger::new(trigger);
    let (workspace_id, memory_id) =
        (trigger::text(&embedding, "workspace_id"), trigger::text(&embedding, "memory_id"));
    let (workspace, memory) = (Text::new(&workspace_id), Text::new(&memory_id));
    let found = Spi::connect_mut(|client| {
        let parameters = [Some(workspace.datum()), Some(memory.datum())];
        let rows = MEMORY.with(|statement| statement.run(client, &parameters));
        let found: Option<(Option<String>, String)> = rows
            .iter::<2>()
            .next()
            .and_then(|row| Some((row.text(0).map(str::to_owned), row.text(1)?.to_owned())));
        found
    });
    let Some((user_id, context_type)) = found else {
        ereport!(
            ERROR,
            PgSqlErrorCode::ERRCODE_FOREIGN_KEY_VIOLATION,
            format!("memory \"{memory_id}\" does not exist in workspace \"{workspace_id}\"")
        );
    };
    let mut embedding = embedding.into_owned();
    trigger::set(&mut embedding, "user_id", user_id);
    trigger::set(&mut embedding, "context_type", context_type);
    Ok(Some(embedding))
}
