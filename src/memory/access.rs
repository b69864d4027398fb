//! Who may read memories, and as whom they are read.
//!
//! Under row security Postgres does not use an index for an operator that might leak what it sees, and
//! `@>`, `@@` and pgvector's are such. So a search first checks what the policies would, once: the
//! caller's right to the table, and that the workspace is the session's. Then it reads as the owner of
//! the tables, with the workspace as a bound condition. Where policies say something else, or there are none, it
//! reads as the caller, and they hold. Reading runs nobody's code: it is done on plain tables of the owner, who alone can
//! put rules, policies or indexes on them. What is written (that memories were found) is written as the caller.

use super::embedded::Embedded;
use super::space::Space;
use crate::access::owner::{Owner, require_right};
use crate::error::Error;
use crate::installed::NotInstalled;
use crate::pg::plan::Statement;
use crate::pg::relation;
use crate::pg::role::{self, ActAs};
use crate::pg::row_security::Policies;
use crate::pg::varlena::Text;
use crate::pg::written::UntilWritten;
use crate::workspace::{self, WorkspaceError};
use pgrx::pg_sys;
use pgrx::spi::SpiClient;

thread_local! {
    static WORKSPACE: Statement = const { Statement::new(
        c"SELECT w.embedding_space FROM kepler.workspaces AS w WHERE w.id = $1",
        &[pg_sys::TEXTOID],
    ) };
    static ACTIVATED: UntilWritten<String, Option<String>> = UntilWritten::of(&[c"workspaces"]);
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
        let mut as_owner = owner.role() != role::current();
        for name in tables {
            let table = relation::named_own(name).ok_or(NotInstalled)?;
            require_right(name, pg_sys::ACL_SELECT)?;
            let policies = Policies::of(table);
            if policies != Policies::None {
                let own = workspace::workspace_id()?;
                if own != workspace_id {
                    let asked = workspace_id.to_owned();
                    return Err(WorkspaceError::Foreign { asked, own }.into());
                }
            }
            // One table whose own policies are to hold is enough.
            as_owner &= relation::is_plain_table_of(table, owner.role());
            as_owner &= policies != Policies::Others;
        }
        let access = relation::named(c"kepler", c"memory_access").ok_or(NotInstalled)?;
        let may_touch = role::may(pg_sys::ACL_SELECT, access)
            && role::may(pg_sys::ACL_INSERT, access)
            && role::may_in_part(pg_sys::ACL_UPDATE, access);
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
    let found =
        ACTIVATED.with(|known| known.find(Some(workspace_id), workspace_id.to_owned(), look_up))?;
    Ok(found.ok_or_else(|| WorkspaceError::Missing(workspace_id.to_owned()))?)
}

/// The space that embeddings go to; None if the call has neither embeddings nor a space.
pub(super) fn open_space(
    client: &mut SpiClient<'_>,
    space: Option<&str>,
    workspace_id: &str,
    is_needed: bool,
) -> Result<Option<Space>, Error> {
    if !is_needed && space.is_none() {
        return Ok(None);
    }
    let activated = if space.is_none() { activated(client, workspace_id)? } else { None };
    let space = Space::find(client, Embedded::Memories, space.or(activated.as_deref()))?;
    space.require_active()?;
    Ok(Some(space))
}
