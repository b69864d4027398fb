//! Who may read memories, and as whom they are read.
//!
//! Under row security Postgres does not use an index for an operator that might leak what it sees, and
//! `@>`, `@@` and pgvector's are such. So a search first checks what the policies would, once: the
//! caller's right to the table, and that the workspace is the session's. Then it reads as the owner of
//! the tables, with the workspace as a bound condition. Where somebody has added policies of their own,
//! it reads as the caller, and they hold.

use super::error::MemoryError;
use crate::error::Error;
use crate::pg::plan::Statement;
use crate::pg::role::{self, ActAs};
use crate::pg::varlena::Text;
use crate::settings;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;

thread_local! {
    static TABLE: Statement = const { Statement::new(
        c"SELECT c.oid, c.relowner,
                 pg_catalog.has_table_privilege(c.oid, 'SELECT'),
                 pg_catalog.has_table_privilege('kepler.memory_access', 'INSERT')
                     AND pg_catalog.has_table_privilege('kepler.memory_access', 'UPDATE'),
                 pg_catalog.row_security_active(c.oid),
                 EXISTS (
                     SELECT FROM pg_catalog.pg_policy AS p
                     WHERE p.polrelid = c.oid
                       AND pg_catalog.pg_get_expr(p.polqual, p.polrelid)
                           IS DISTINCT FROM '(workspace_id = kepler.current_workspace_id())')
          FROM pg_catalog.pg_class AS c
          WHERE c.relname = $1::name AND c.relnamespace = (
              SELECT n.oid FROM pg_catalog.pg_namespace AS n WHERE n.nspname = 'kepler')",
        &[pg_sys::TEXTOID],
    ) };
    static WORKSPACE: Statement = const { Statement::new(
        c"SELECT FROM kepler.workspaces AS w WHERE w.id = $1",
        &[pg_sys::TEXTOID],
    ) };
}

/// The owner's eyes, as long as it lives; or the caller's own.
pub(crate) struct Reader {
    _owner: Option<ActAs>,
    /// Whether accesses can be noted.
    pub(crate) may_touch: bool,
}

impl Reader {
    /// Checks that the caller may read the memories of the workspace.
    pub(crate) fn open(client: &mut SpiClient<'_>, workspace_id: &str) -> Result<Self, Error> {
        Self::open_tables(client, &["memories"], workspace_id)
    }

    /// Checks that the caller may read the rows of the workspace in all of the tables.
    pub(crate) fn open_tables(
        client: &mut SpiClient<'_>,
        tables: &[&str],
        workspace_id: &str,
    ) -> Result<Self, Error> {
        let (mut owner, mut may_touch, mut as_owner) = (None, true, true);
        for name in tables {
            let table = Text::new(name);
            let rows = TABLE.with(|statement| statement.run(client, &[Some(table.datum())]));
            let row = rows.iter::<6>().next().ok_or(Error::NotInstalled)?;
            if row.boolean(2) != Some(true) {
                return Err(MemoryError::NoRight(format!("kepler.{name}")).into());
            }
            let (secured, foreign) = (row.boolean(4) == Some(true), row.boolean(5) == Some(true));
            if secured {
                let own = settings::workspace_id();
                if own != workspace_id {
                    let asked = workspace_id.to_owned();
                    return Err(MemoryError::ForeignWorkspace { asked, own }.into());
                }
            }
            // One table whose own policies are to hold is enough.
            as_owner &= !(secured && foreign);
            owner = owner.or(row.oid(1));
            may_touch = row.boolean(3) == Some(true);
        }
        let owner = owner.filter(|owner| as_owner && *owner != role::current());
        let may_touch = as_owner || may_touch;
        let reader = Self { _owner: owner.map(ActAs::role), may_touch };
        let workspace = Text::new(workspace_id);
        let there = WORKSPACE.with(|statement| statement.run(client, &[Some(workspace.datum())]));
        if there.count() == 0 {
            return Err(Error::NoWorkspace(workspace_id.to_owned()));
        }
        Ok(reader)
    }
}
