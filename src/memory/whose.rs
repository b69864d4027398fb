//! Whose memory an embedding belongs to, for the trigger that completes embeddings inserted by direct SQL.
//!
//! It runs once a row of an import. A statement of PL/pgSQL is planned by the sizes that Postgres knew when the
//! session used it first: beside a small table any index that begins with the workspace looks as good as the
//! primary key, and then each row of the import reads all of its tenant's.

use crate::pg::plan::Statement;
use crate::pg::varlena::Text;
use crate::pg::whole::Spi;
use pgrx::iter::TableIterator;
use pgrx::prelude::*;

thread_local! {
    // So that it does not become another user's before its embedding is there, or what changes it finds that.
    static MEMORY: Statement = const { Statement::new(
        c"SELECT m.user_id, m.context_type FROM kepler.memories AS m
          WHERE m.workspace_id = $1 AND m.id = $2 FOR SHARE",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID],
    ) };
}

/// The user and the type of a memory, which is locked until the transaction ends; no row where there is
/// no such memory.
#[pg_extern(schema = "kepler_internal", volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn whose_memory(
    workspace_id: Option<&str>,
    memory_id: Option<&str>,
) -> TableIterator<'static, (name!(user_id, Option<String>), name!(context_type, String))> {
    let (Some(workspace_id), Some(memory_id)) = (workspace_id, memory_id) else {
        return TableIterator::new(Vec::new());
    };
    let (workspace, memory) = (Text::new(workspace_id), Text::new(memory_id));
    let found = Spi::connect_mut(|client| {
        let parameters = [Some(workspace.datum()), Some(memory.datum())];
        let rows = MEMORY.with(|statement| statement.run(client, &parameters));
        let found: Vec<(Option<String>, String)> = rows
            .iter::<2>()
            .filter_map(|row| Some((row.text(0).map(str::to_owned), row.text(1)?.to_owned())))
            .collect();
        found
    });
    TableIterator::new(found)
}
