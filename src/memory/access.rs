//! Who may read memories, and as whom they are read.
//!
//! Under row security Postgres does not use an index for an operator that might leak what it sees, and
//! `@>`, `@@` and pgvector's are such. So a search first checks what the policies would, once: the
//! caller's right to the table, and that the workspace is the session's. Then it reads as the owner of
//! the tables, with the workspace as a bound condition. Where policies say something else, or there are none, it
//! reads as the caller, and they hold. Reading runs nobody's code: it is done on plain tables of the owner, who alone can
//! put rules, policies or indexes on them. What is written (that memories were found) is written as the caller.

use super::embedded::Embedded;
use super::error::MemoryError;
use super::space::Space;
use crate::access::owner::{Owner, require_right};
use crate::error::Error;
use crate::installed::NotInstalled;
use crate::pg::plan::Statement;
use crate::pg::relation;
use crate::pg::role::{self, ActAs};
use crate::pg::row_security::Policies;
use crate::pg::varlena::Text;
use crate::pg::whole::Spi;
use crate::pg::written::UntilWritten;
use crate::words::language::ENGLISH;
use crate::workspace::{self, WorkspaceError};
use pgrx::datum::FromDatum;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;
use std::rc::Rc;

thread_local! {
    static WORKSPACE: Statement = const { Statement::new(
        c"SELECT w.embedding_space, w.language, w.other_languages, w.former_languages
          FROM kepler.workspaces AS w WHERE w.id = $1",
        &[pg_sys::TEXTOID],
    ) };
    static WORKSPACES: UntilWritten<String, Rc<Searched>> = UntilWritten::of(&[c"workspaces"]);
}

/// What a workspace says of the search for its memories and messages.
#[derive(Debug)]
pub(crate) struct Searched {
    /// The space that it has activated.
    pub(crate) space: Option<String>,
    /// How the words of new rows are made.
    pub(crate) language: String,
    /// How those of other rows may be made.
    others: Vec<String>,
    /// How those of older rows were made; an empty name is that of rows of version 0.1.0.
    former: Vec<String>,
}

impl Searched {
    /// The languages that rows have: all questions are looked for in these.
    pub(crate) fn languages(&self) -> impl Iterator<Item = &str> {
        let others = self.others.iter().chain(&self.former).map(String::as_str);
        std::iter::once(self.language.as_str())
            .chain(others.filter(|other| *other != self.language))
    }

    /// What is said of a language that no row may have.
    pub(crate) fn lacks(&self, language: &str) -> MemoryError {
        let known = [&self.language].into_iter().chain(&self.others).cloned().collect();
        MemoryError::NotALanguage { language: language.to_owned(), known }
    }

    /// Whether a new row may have the language.
    pub(crate) fn has(&self, language: &str) -> bool {
        self.language == language || self.others.iter().any(|other| other == language)
    }

    /// Whether a row may have it that was made before: of an archive, or one that is changed.
    pub(crate) fn had(&self, language: &str) -> bool {
        !language.is_empty() && self.languages().any(|known| known == language)
    }
}

/// The owner's eyes, as long as it lives; or the caller's own.
pub(crate) struct Reader {
    _owner: Option<ActAs>,
    /// Whether the caller may note accesses.
    may_touch: bool,
    /// Whether no policy holds for the caller, who then may know of the rows of all workspaces.
    pub(super) sees_all: bool,
    pub(crate) searched: Rc<Searched>,
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
        let mut sees_all = true;
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
            sees_all &= policies == Policies::None;
        }
        let access = relation::named(c"kepler", c"memory_access").ok_or(NotInstalled)?;
        let may_touch = role::may(pg_sys::ACL_SELECT, access)
            && role::may(pg_sys::ACL_INSERT, access)
            && role::may_in_part(pg_sys::ACL_UPDATE, access);
        let owner = as_owner.then(|| owner.act());
        let searched = searched(client, workspace_id)?;
        Ok(Self { _owner: owner, may_touch, sees_all, searched })
    }

    /// Ends the reading, and tells whether the caller may note what was found: triggers on that table run
    /// as whoever writes to it.
    pub(crate) fn close(self) -> bool {
        self.may_touch
    }
}

/// What a workspace says of the search. Fails where there is no such workspace.
pub(crate) fn searched(
    client: &mut SpiClient<'_>,
    workspace_id: &str,
) -> Result<Rc<Searched>, Error> {
    let found = look_up(workspace_id, |workspace| read(client, workspace))?;
    Ok(found.ok_or_else(|| WorkspaceError::Missing(workspace_id.to_owned()))?)
}

/// The same for a trigger, whoever writes: who may not read workspaces may write rows of theirs. None where there is no such
/// workspace, or it is not shown; then the row will be refused.
pub(crate) fn searched_by_writer(workspace_id: &str) -> Result<Option<Rc<Searched>>, Error> {
    look_up(workspace_id, |workspace| {
        let owner = Owner::find().ok()?;
        let workspaces = relation::named(c"kepler", c"workspaces")?;
        let _owner = (!role::may(pg_sys::ACL_SELECT, workspaces)).then(|| owner.act());
        Spi::connect_mut(|client| read(client, workspace))
    })
}

fn look_up(
    workspace_id: &str,
    read: impl FnOnce(&str) -> Option<Rc<Searched>>,
) -> Result<Option<Rc<Searched>>, Error> {
    let key = workspace_id.to_owned();
    WORKSPACES.with(|known| known.find(Some(workspace_id), key, |id| Ok::<_, Error>(read(id))))
}

fn read(client: &mut SpiClient<'_>, workspace_id: &str) -> Option<Rc<Searched>> {
    let workspace = Text::new(workspace_id);
    let rows = WORKSPACE.with(|statement| statement.run(client, &[Some(workspace.datum())]));
    let row = rows.iter::<4>().next()?;
    let names = |column| {
        // SAFETY: the column is an array of texts.
        let names = row
            .datum(column)
            .and_then(|names| unsafe { Vec::<Option<String>>::from_datum(names, false) });
        names.into_iter().flatten().flatten().collect()
    };
    Some(Rc::new(Searched {
        space: row.text(0).map(str::to_owned),
        language: row.text(1).unwrap_or(ENGLISH).to_owned(),
        others: names(2),
        former: names(3),
    }))
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
    open_needed_space(client, space, workspace_id).map(Some)
}

/// The space that embeddings go to: without a name the one that the workspace searches.
pub(super) fn open_needed_space(
    client: &mut SpiClient<'_>,
    space: Option<&str>,
    workspace_id: &str,
) -> Result<Space, Error> {
    let searched = searched(client, workspace_id)?;
    let space = Space::find(client, Embedded::Memories, space.or(searched.space.as_deref()))?;
    space.require_active()?;
    Ok(space)
}
