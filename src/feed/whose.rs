//! Which workspace a change is told in.

use crate::access::current::DEFAULT;
use crate::access::membership::{self, Standing};
use crate::access::owner::Owner;
use crate::error::Error;
use crate::pg::{relation, role};
use crate::workspace;
use pgrx::pg_sys;

/// The workspaces that a change of a table may be told in.
///
/// Rows of Kepler's tables, of entry tables and of blueprints are what policies let through. In a table of their own
/// somebody may write any workspace's id: there the session's counts, and no other one.
pub(crate) enum Whose {
    Any,
    Only(Option<String>),
}

impl Whose {
    pub(crate) fn of(table: pg_sys::Oid) -> Result<Self, Error> {
        let owner = Owner::find()?;
        if relation::owner(table) == owner.role() || owner.is_caller() {
            return Ok(Self::Any);
        }
        // A role that has no level is no tenant's: an application with rights on its own tables alone.
        let of_application = || {
            let has_none = matches!(*membership::standing(role::outer()), Standing::NoLevel);
            has_none.then(|| DEFAULT.to_owned())
        };
        Ok(Self::Only(workspace::workspace_id().ok().or_else(of_application)))
    }

    pub(crate) fn counts(&self, workspace: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Only(own) => own.as_deref() == Some(workspace),
        }
    }
}
