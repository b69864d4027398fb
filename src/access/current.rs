//! The workspace that the session works in: what `kepler.workspace_id` says, if the role that the session acts as is a
//! member there. All code asks here.

use super::error::{grant_hint, plain, workspaces_named};
use super::membership::{self, Member, Standing};
use crate::error::{Error, Report};
use crate::ident::quote_literal;
use crate::pg::cluster::tell::look_at_chosen;
use crate::pg::{function, in_transaction, role, session_workspace, standpoint};
use crate::settings;
use pgrx::{PgSqlErrorCode, pg_sys};
use std::cell::RefCell;

/// The workspace of a session where nothing was set, and the role may work in all of them.
pub(crate) const DEFAULT: &str = "default";

/// What is wrong with a workspace.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WorkspaceError {
    #[error("workspace \"{asked}\" is not the session's")]
    Foreign { asked: String, own: String },
    #[error("workspace \"{0}\" does not exist")]
    Missing(String),
    #[error("role \"{role}\" is not a member of workspace \"{workspace}\"")]
    NotAMember { role: String, workspace: String, others: Vec<String> },
    #[error("role \"{role}\" is not a member of any workspace")]
    Nowhere { role: String },
    #[error("role \"{role}\" may not work in any workspace")]
    NoRights { role: String },
    #[error("no workspace was chosen")]
    NoneChosen { role: String, workspaces: Vec<String> },
    #[error("this transaction works in workspace \"{used}\"")]
    Used { used: String },
    #[error("this transaction works in workspace \"{used}\", and the session in \"{now}\"")]
    Left { used: String, now: String },
    #[error("this transaction has begun as role \"{role}\", without a workspace")]
    Unplaced { role: String },
    #[error("use_workspace can set a workspace for the transaction only inside of one")]
    NoTransaction { asked: String },
    #[error("a workspace can be chosen for a transaction only")]
    ForSession,
}

impl Report for WorkspaceError {
    fn code(&self) -> PgSqlErrorCode {
        use PgSqlErrorCode::*;
        match self {
            Self::Foreign { .. }
            | Self::NotAMember { .. }
            | Self::Nowhere { .. }
            | Self::NoRights { .. }
            | Self::NoneChosen { .. } => ERRCODE_INSUFFICIENT_PRIVILEGE,
            Self::Missing(_) => ERRCODE_FOREIGN_KEY_VIOLATION,
            Self::Used { .. } | Self::Left { .. } | Self::Unplaced { .. } => {
                ERRCODE_ACTIVE_SQL_TRANSACTION
            }
            Self::NoTransaction { .. } => ERRCODE_NO_ACTIVE_SQL_TRANSACTION,
            Self::ForSession => ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
        }
    }

    fn detail(&self) -> Option<String> {
        Some(match self {
            Self::Foreign { own, .. } => format!("The session's workspace is \"{own}\"."),
            Self::NotAMember { role, others: workspaces, .. }
            | Self::NoneChosen { role, workspaces } => workspaces_named(role, workspaces)?,
            Self::Used { .. } | Self::Left { .. } | Self::Unplaced { .. } => {
                "One transaction works in one workspace.".to_owned()
            }
            Self::NoRights { .. } => {
                "It has no level, and no right to execute kepler.current_workspace_id().".to_owned()
            }
            Self::Nowhere { .. } => {
                "It was given levels in single workspaces, and none is left.".to_owned()
            }
            Self::ForSession => "kepler.workspace_per_transaction is on: where connections are shared, the next client would \
                                 find the workspace of this one."
                .to_owned(),
            Self::Missing(_) | Self::NoTransaction { .. } => return None,
        })
    }

    fn hint(&self) -> Option<String> {
        let literal = |text: &String| quote_literal(text);
        Some(match self {
            Self::Foreign { asked, .. } => {
                format!("To work there: SELECT kepler.use_workspace({});", literal(asked))
            }
            Self::Missing(id) => {
                format!("SELECT kepler.create_workspace({});", literal(id))
            }
            Self::NotAMember { role, workspace, .. } => format!(
                "The owner of Kepler's tables can make it one: SELECT kepler.grant_access({}, 'reader', {});",
                literal(&plain(role)),
                literal(workspace)
            ),
            Self::Nowhere { role } => {
                let role = literal(&plain(role));
                format!("SELECT kepler.grant_access({role}, …, workspace_id => …); or kepler.revoke_access({role});")
            }
            Self::NoRights { role } => grant_hint(role, "reader", Some("…")),
            Self::Left { .. } | Self::Unplaced { .. } => {
                "Change the role and its settings between transactions.".to_owned()
            }
            Self::NoneChosen { .. } if settings::workspace_per_transaction() => {
                "In each transaction: SELECT kepler.use_workspace('…');".to_owned()
            }
            Self::NoneChosen { .. } => {
                "In each transaction: SELECT kepler.use_workspace('…'); for a session: use_workspace('…', false)."
                    .to_owned()
            }
            Self::Used { .. } => {
                "Work in the other one after COMMIT or ROLLBACK, in a transaction of its own."
                    .to_owned()
            }
            Self::NoTransaction { .. } if settings::workspace_per_transaction() => {
                "BEGIN first.".to_owned()
            }
            Self::ForSession => {
                "Call use_workspace in each transaction, without is_local => false.".to_owned()
            }
            Self::NoTransaction { asked } => format!(
                "BEGIN first. For the whole session: SELECT kepler.use_workspace({}, false);",
                literal(asked)
            ),
        })
    }
}

thread_local! {
    /// Who asked last, and the answer.
    static LAST: RefCell<Option<(pg_sys::Oid, String)>> = const { RefCell::new(None) };
}

/// The session's workspace. Where nothing has changed since it was last asked for, a few comparisons; for each row that a policy
/// looks at, `session_workspace` makes fewer.
pub(crate) fn workspace_id() -> Result<String, Error> {
    let user = role::outer();
    // Before anything is looked up: what is heard of meanwhile leaves it.
    let standpoint = standpoint::number();
    let (answer, is_anywhere) = match session_workspace::known(standpoint) {
        Some(known) => known,
        None => {
            let standing = membership::standing(user);
            let setting = look_at_chosen(<[u8]>::to_vec);
            let answer = work_out(&standing, &String::from_utf8_lossy(&setting))?;
            let is_anywhere = matches!(*standing, Standing::Anywhere);
            session_workspace::remember(standpoint, &answer, is_anywhere);
            LAST.set(Some((user, answer.clone())));
            (answer, is_anywhere)
        }
    };
    if !is_anywhere {
        let began_as = in_transaction::role().filter(|began_as| *began_as != user);
        let noted = in_transaction::note(&answer);
        if (began_as.is_some() || noted.is_err()) && !logged_in_anywhere() {
            return Err(match (noted, began_as) {
                (Err(used), _) => WorkspaceError::Left { used, now: answer }.into(),
                (Ok(()), began_as) => {
                    let role = role::name(began_as.unwrap_or(user));
                    WorkspaceError::Unplaced { role }.into()
                }
            });
        }
    }
    Ok(answer)
}

/// Whether the session may become the owner of Kepler's tables at any time: nothing keeps it to a workspace.
fn logged_in_anywhere() -> bool {
    // SAFETY: reads a variable.
    let login = unsafe { pg_sys::GetSessionUserId() };
    matches!(*membership::standing(login), Standing::Anywhere)
}

/// Has the transaction keep to the session's workspace from now on. Where it works in none yet, to the role.
pub(super) fn bind() {
    if !in_transaction::is_noted() && workspace_id().is_err() {
        in_transaction::note_role(role::outer());
    }
}

/// Where a right that the session lacks would be given: its workspace, if that is known; everywhere only to a role that has a
/// level everywhere, or to whom nothing says that it is kept to a workspace. Looks nothing up.
pub(super) fn of_member() -> Option<String> {
    let user = role::outer();
    let standing = membership::known(user)?;
    let Standing::Member(member) = &*standing else { return None };
    if !member.everywhere.is_empty() {
        return None;
    }
    let answer = LAST.with_borrow(|last| {
        last.as_ref().filter(|(by, _)| *by == user).map(|(_, answer)| answer.clone())
    });
    let mut workspaces = member.by_workspace.keys();
    let only = match (workspaces.next(), workspaces.next()) {
        (Some(only), None) => Some(only.clone()),
        _ => None,
    };
    Some(answer.or(only).unwrap_or_else(|| "…".to_owned()))
}

/// `setting`: empty where nothing was set.
fn work_out(standing: &Standing, setting: &str) -> Result<String, WorkspaceError> {
    let default = || DEFAULT.to_owned();
    match standing {
        Standing::Anywhere if setting.is_empty() => Ok(default()),
        Standing::Anywhere => Ok(setting.to_owned()),
        // Whoever is given rights by hand is given this one. Others have come here by a change of the role.
        Standing::NoLevel if !asks_by_hand() => {
            Err(WorkspaceError::NoRights { role: role::name(role::outer()) })
        }
        Standing::NoLevel if setting.is_empty() => Ok(default()),
        Standing::Nowhere => Err(WorkspaceError::Nowhere { role: role::name(role::outer()) }),
        Standing::Member(member) if setting.is_empty() => {
            let mut workspaces = member.by_workspace.keys();
            match (member.everywhere.is_empty(), workspaces.next(), workspaces.next()) {
                (true, Some(only), None) => Ok(only.clone()),
                (true, ..) => Err(WorkspaceError::NoneChosen {
                    role: role::name(role::outer()),
                    workspaces: member.by_workspace.keys().cloned().collect(),
                }),
                (false, ..) => Ok(default()),
            }
        }
        _ => require_member(standing, setting).map(|()| setting.to_owned()),
    }
}

/// Whether the role that the session acts as, or the one whose rights hold, may ask for the workspace.
fn asks_by_hand() -> bool {
    let Some(function) = function::named(c"kepler", c"current_workspace_id") else { return false };
    [role::outer(), role::current()].iter().any(|role| function::may_execute(function, *role))
}

/// Fails unless the session's role may work in a workspace. Whether there is one of that name is not told.
pub(crate) fn require_member(standing: &Standing, workspace: &str) -> Result<(), WorkspaceError> {
    let is_member = match standing {
        Standing::Anywhere => true,
        Standing::NoLevel => workspace == DEFAULT,
        Standing::Nowhere => false,
        Standing::Member(member) => !member.levels_in(workspace).is_empty(),
    };
    if is_member {
        return Ok(());
    }
    let others = match standing {
        Standing::Member(Member { by_workspace, .. }) => by_workspace.keys().cloned().collect(),
        _ => Vec::new(),
    };
    let role = role::name(role::outer());
    Err(WorkspaceError::NotAMember { role, workspace: workspace.to_owned(), others })
}
