//! Who may read memories, and as whom they are read.
//!
//! Under row security Postgres does not use an index for an operator that might leak what it sees, and
//! `@>`, `@@` and pgvector's are such. So a search first checks what the policies would, once: the
//! caller's right to the table, and that the workspace is the session's. Then it reads as the owner of
//! the tables, with the workspace as a bound condition. Where policies say something else, or there are none, it
//! reads as the caller, and they hold. Reading runs nobody's code: it is done on plain tables of the owner, who alone can
//! put rules, policies or indexes on them. What is written (that memories were found) is written as the caller.

use crate::access::owner::{Owner, require_right};
use crate::error::Error;
use crate::installed::NotInstalled;
use crate::pg::plan::Statement;
use crate::pg::relation::UntilChanged;
use crate::pg::role::{self, ActAs};
use crate::pg::varlena::Text;
use crate::pg::written::UntilWritten;
use crate::workspace::{self, WorkspaceError};
use pgrx::pg_sys;
use pgrx::spi::SpiClient;

thread_local! {
    static TABLE: Statement = const { Statement::new(
        c"SELECT c.oid, c.relowner, a.oid, c.relkind = 'r' AND NOT c.relhassubclass,
                 (SELECT COALESCE(bool_and(p.polpermissive
                             AND p.polroles = '{0}'
                             AND pg_catalog.pg_get_expr(p.polqual, p.polrelid)
                                 IS NOT DISTINCT FROM
                                 '(workspace_id = kepler.current_workspace_id())'), false)
                  FROM pg_catalog.pg_policy AS p
                  WHERE p.polrelid = c.oid AND p.polcmd IN ('*', 'r'))
          FROM pg_catalog.pg_class AS c
          JOIN pg_catalog.pg_class AS a
              ON a.relname = 'memory_access' AND a.relnamespace = c.relnamespace
          WHERE c.relname = $1::name AND c.relnamespace = (
              SELECT n.oid FROM pg_catalog.pg_namespace AS n WHERE n.nspname = 'kepler')",
        &[pg_sys::TEXTOID],
    ) };
    static WORKSPACE: Statement = const { Statement::new(
        c"SELECT w.embedding_space FROM kepler.workspaces AS w WHERE w.id = $1",
        &[pg_sys::TEXTOID],
    ) };
    static ACTIVATED: UntilWritten<String, Option<String>> = UntilWritten::of(&[c"workspaces"]);
    static TABLES: UntilChanged<&'static str, Table> = UntilChanged::default();
}

/// What the catalog says of a table, whoever asks.
#[derive(Clone, Copy)]
struct Table {
    relation: pg_sys::Oid,
    owner: pg_sys::Oid,
    /// Where accesses are noted.
    access: pg_sys::Oid,
    /// Whether it is a table and no view, and has no children.
    is_plain: bool,
    /// Whether its policies let everybody read the rows of the session's workspace, and say no more.
    is_by_workspace: bool,
}

impl Table {
    fn find(client: &mut SpiClient<'_>, name: &'static str) -> Result<Self, Error> {
        let look_up = |name: &&str| {
            let text = Text::new(name);
            let rows = TABLE.with(|statement| statement.run_latest(client, &[Some(text.datum())]));
            let table = rows.iter::<5>().next().and_then(|row| {
                Some(Self {
                    relation: row.oid(0)?,
                    owner: row.oid(1)?,
                    access: row.oid(2)?,
                    is_plain: row.boolean(3)?,
                    is_by_workspace: row.boolean(4)?,
                })
            });
            Ok(table.ok_or(NotInstalled)?)
        };
        TABLES.with(|tables| tables.find(name, look_up))
    }
}

/// The owner's eyes, as long as it lives; or the caller's own.
pub(crate) struct Reader {
    _owner: Option<ActAs>,
    /// Whether the caller may note accesses.
    may_touch: bool,
    /// The space that the workspace has activated.
    pub(crate) space: Option<String>,
}

impl Reader {
    /// Checks that the caller may read the memories of the workspace.
    pub(crate) fn open(client: &mut SpiClient<'_>, workspace_id: &str) -> Result<Self, Error> {
        Self::open_tables(client, &["memories"], workspace_id)
    }

    /// Checks that the caller may read the rows of the workspace in all of the tables.
    pub(crate) fn open_tables(
        client: &mut SpiClient<'_>,
        tables: &[&'static str],
        workspace_id: &str,
    ) -> Result<Self, Error> {
        let owner = Owner::find()?;
        let (mut may_touch, mut as_owner) = (true, owner.role() != role::current());
        for name in tables {
            let table = Table::find(client, name)?;
            require_right(name, pg_sys::ACL_SELECT)?;
            let secured = role::is_secured(table.relation);
            if secured {
                let own = workspace::workspace_id()?;
                if own != workspace_id {
                    let asked = workspace_id.to_owned();
                    return Err(WorkspaceError::Foreign { asked, own }.into());
                }
            }
            // One table whose own policies are to hold is enough.
            as_owner &= table.is_plain && table.owner == owner.role();
            as_owner &= !secured || table.is_by_workspace;
            may_touch = role::may(pg_sys::ACL_SELECT, table.access)
                && role::may(pg_sys::ACL_INSERT, table.access)
                && role::may_in_part(pg_sys::ACL_UPDATE, table.access);
        }
        let owner = as_owner.then(|| owner.act());
        let space = activated(client, workspace_id)?;
        Ok(Self { _owner: owner, may_touch, space })
    }

    /// Ends the reading, and tells whether the caller may note what was found: triggers on that table run
    /// as whoever writes to it.
    pub(crate) fn close(self) -> bool {
        self.may_touch
    }
}

/// The space that a workspace has activated, if it has. Fails where there is no such workspace.
pub(crate) fn activated(
    client: &mut SpiClient<'_>,
    workspace_id: &str,
) -> Result<Option<String>, Error> {
    let look_up = |workspace_id: &String| {
        let workspace = Text::new(workspace_id);
        let rows = WORKSPACE.with(|statement| statement.run(client, &[Some(workspace.datum())]));
        Ok::<_, Error>(rows.iter::<1>().next().map(|row| row.text(0).map(str::to_owned)))
    };
    let found = ACTIVATED.with(|known| known.find(workspace_id.to_owned(), look_up))?;
    Ok(found.ok_or_else(|| WorkspaceError::Missing(workspace_id.to_owned()))?)
}
