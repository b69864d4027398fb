//! The workspace that the session works in: what `kepler.workspace_id` says, if the role that the session acts as is a
//! member there. All code asks here.

use super::error::{plain, workspaces_named};
use super::membership::{self, Member, Standing};
use crate::error::{Error, Report};
use crate::ident::quote_literal;
use crate::pg::local_settings::look_at;
use crate::pg::{in_transaction, role};
use crate::settings;
use pgrx::PgSqlErrorCode;
use std::cell::RefCell;
use std::rc::Rc;

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
    #[error("no workspace was chosen")]
    NoneChosen { role: String, workspaces: Vec<String> },
    #[error("this transaction works in workspace \"{used}\"")]
    Used { used: String },
    #[error("use_workspace can set a workspace for the transaction only inside of one")]
    NoTransaction { asked: String },
}

impl Report for WorkspaceError {
    fn code(&self) -> PgSqlErrorCode {
        use PgSqlErrorCode::*;
        match self {
            Self::Foreign { .. }
            | Self::NotAMember { .. }
            | Self::Nowhere { .. }
            | Self::NoneChosen { .. } => ERRCODE_INSUFFICIENT_PRIVILEGE,
            Self::Missing(_) => ERRCODE_FOREIGN_KEY_VIOLATION,
            Self::Used { .. } => ERRCODE_ACTIVE_SQL_TRANSACTION,
            Self::NoTransaction { .. } => ERRCODE_NO_ACTIVE_SQL_TRANSACTION,
        }
    }

    fn detail(&self) -> Option<String> {
        Some(match self {
            Self::Foreign { own, .. } => format!("The session's workspace is \"{own}\"."),
            Self::NotAMember { role, others: workspaces, .. }
            | Self::NoneChosen { role, workspaces } => workspaces_named(role, workspaces)?,
            Self::Used { .. } => "One transaction works in one workspace.".to_owned(),
            Self::Nowhere { .. } => {
                "It was given levels in single workspaces, and none is left.".to_owned()
            }
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
            Self::NoneChosen { .. } => {
                "In each transaction: SELECT kepler.use_workspace('…'); for a session: use_workspace('…', false)."
                    .to_owned()
            }
            Self::Used { .. } => {
                "Work in the other one after COMMIT or ROLLBACK, in a transaction of its own."
                    .to_owned()
            }
            Self::NoTransaction { asked } => format!(
                "BEGIN first. For the whole session: SELECT kepler.use_workspace({}, false);",
                literal(asked)
            ),
        })
    }
}

/// The last answer, and what it was worked out from.
struct Last {
    standing: Rc<Standing>,
    setting: Vec<u8>,
    answer: String,
}

thread_local! {
    static LAST: RefCell<Option<Last>> = const { RefCell::new(None) };
}

/// The session's workspace. Called for each row that a policy looks at or that takes it as a default.
pub(crate) fn workspace_id() -> Result<String, Error> {
    let standing = membership::standing(role::outer());
    let answer = look_at(&settings::WORKSPACE_ID, |setting| {
        let known = LAST.with_borrow(|last| {
            let last = last.as_ref()?;
            (Rc::ptr_eq(&last.standing, &standing) && last.setting == setting)
                .then(|| last.answer.clone())
        });
        if let Some(answer) = known {
            return Ok(answer);
        }
        let answer = work_out(&standing, &String::from_utf8_lossy(setting))?;
        let last = Last {
            standing: Rc::clone(&standing),
            setting: setting.to_vec(),
            answer: answer.clone(),
        };
        LAST.set(Some(last));
        Ok::<_, WorkspaceError>(answer)
    })?;
    if !matches!(*standing, Standing::Anywhere) {
        in_transaction::note(&answer);
    }
    Ok(answer)
}

/// `setting`: empty where nothing was set.
fn work_out(standing: &Standing, setting: &str) -> Result<String, WorkspaceError> {
    let default = || DEFAULT.to_owned();
    match standing {
        Standing::Anywhere if setting.is_empty() => Ok(default()),
        Standing::Anywhere => Ok(setting.to_owned()),
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
