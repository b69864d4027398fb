//! What is wrong with rights.

use super::current;
use super::level::Levels;
use crate::error::Report;
use crate::ident::{quote, quote_literal};
use pgrx::PgSqlErrorCode;

/// What may go wrong where rights are given, taken or needed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AccessError {
    #[error("permission denied for table {table}")]
    NoRight { table: String, role: String, level: &'static str },
    #[error("permission denied for table {table} in workspace \"{workspace}\"")]
    NoRightHere {
        table: String,
        role: String,
        level: &'static str,
        levels: Levels,
        workspace: String,
    },
    #[error("permission denied for table {table}")]
    NoRightInAll { table: String, role: String, level: &'static str },
    #[error("only a role with level {level} in all workspaces may {what}")]
    NotInAll { role: String, level: &'static str, what: &'static str },
    #[error("only the owner of Kepler's tables may {what}")]
    NotTheOwner { what: &'static str, owner: String },
    #[error("role \"{role}\" cannot read or write distributed tables by itself")]
    ManyWorkspaces { role: String },
    #[error("there is no role with number {0}")]
    NoRole(u32),
    #[error("role \"{0}\" owns Kepler's tables")]
    IsTheOwner(String),
    #[error("the schema \"{schema}\" belongs to \"{owner}\"")]
    ForeignSchema { schema: &'static str, owner: String, trusted: String },
    #[error("the schema \"{schema}\" contains {object}, which Kepler did not create")]
    ForeignObject { schema: &'static str, object: String, owner: String },
    #[error("{table} is not an ordinary table of \"{owner}\"")]
    NotPlain { table: String, owner: String },
    #[error("{kind} \"{name}\" on {table} would run with the rights of the owner")]
    ForeignCode { kind: String, name: String, table: String },
    #[error("event trigger \"{name}\" would run code of \"{of}\"")]
    ForeignEventTrigger { name: String, of: String, owner: String },
    #[error("\"{owner}\" may not grant {what} to others")]
    NoGrantOption { owner: String, what: &'static str, schema_owner: String },
}

impl Report for AccessError {
    fn code(&self) -> PgSqlErrorCode {
        use PgSqlErrorCode::*;
        match self {
            Self::NotTheOwner { .. }
            | Self::NoRight { .. }
            | Self::NoRightHere { .. }
            | Self::NoRightInAll { .. }
            | Self::NotInAll { .. } => ERRCODE_INSUFFICIENT_PRIVILEGE,
            Self::ForeignSchema { .. } | Self::NoGrantOption { .. } => {
                ERRCODE_INSUFFICIENT_PRIVILEGE
            }
            Self::NoRole(_) => ERRCODE_UNDEFINED_OBJECT,
            Self::ManyWorkspaces { .. } => ERRCODE_FEATURE_NOT_SUPPORTED,
            Self::IsTheOwner(_) => ERRCODE_INVALID_PARAMETER_VALUE,
            Self::ForeignObject { .. }
            | Self::NotPlain { .. }
            | Self::ForeignCode { .. }
            | Self::ForeignEventTrigger { .. } => ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
        }
    }

    fn detail(&self) -> Option<String> {
        Some(match self {
            Self::NotTheOwner { owner, .. } => {
                format!("The owner is \"{owner}\". Superusers and members of this role that inherit its rights \
                 may, too.")
            }
            Self::ManyWorkspaces { .. } => "It may work in several workspaces, and the node where the rows lie was not told \
                 which of them is meant."
                .to_owned(),
            Self::NoRight { .. } | Self::NoRole(_) => return None,
            Self::NoRightInAll { .. } | Self::NotInAll { .. } => {
                "It concerns all workspaces, and the role has its levels in some of them.".to_owned()
            }
            Self::NoRightHere { role, levels, .. } if levels.is_empty() => {
                format!("Role \"{role}\" has no level there.")
            }
            Self::NoRightHere { role, levels, .. } => {
                format!("Role \"{role}\" has level {} there.", levels.names())
            }
            Self::IsTheOwner(_) => "The owner has all rights already.".to_owned(),
            Self::ForeignSchema { .. } => {
                "The owner of a schema can drop and replace everything in it.".to_owned()
            }
            Self::ForeignObject { owner, .. } => format!("It belongs to \"{owner}\"."),
            Self::NotPlain { .. } => {
                "Functions that act as the owner use only tables that install() created, and no table that \
                 replaced one."
                    .to_owned()
            }
            Self::ForeignCode { .. } => "install() did not create it.".to_owned(),
            Self::ForeignEventTrigger { owner, .. } => {
                format!("It would run with the rights of \"{owner}\".")
            }
            Self::NoGrantOption { schema_owner, .. } => {
                format!("The extension belongs to \"{schema_owner}\".")
            }
        })
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::ForeignSchema { schema, trusted, .. } => format!(
                "Drop it if you need nothing in it. Otherwise inspect its contents, and then: ALTER SCHEMA \
                 {schema} OWNER TO {};",
                quote(trusted)
            ),
            Self::ForeignObject { schema: "kepler_data", .. } => {
                "It may be left over from dropped tables. If you need nothing in the schema: DROP SCHEMA \
                 kepler_data CASCADE;"
                    .to_owned()
            }
            Self::ForeignObject { .. } => "Drop it, or move it to another schema.".to_owned(),
            Self::NotPlain { .. } => {
                "Find out who replaced it. An earlier dump has the table.".to_owned()
            }
            Self::ForeignCode { kind, name, table } => {
                format!(
                    "Inspect it, then drop it: DROP {} {} ON {table};",
                    kind.to_uppercase(),
                    quote(name)
                )
            }
            Self::ForeignEventTrigger { name, .. } => format!(
                "Give it and its function to a superuser, or disable it: ALTER EVENT TRIGGER {} DISABLE;",
                quote(name)
            ),
            Self::NoGrantOption { owner, .. } => format!(
                "As a superuser: GRANT USAGE ON SCHEMA kepler, kepler_internal TO {owner} WITH GRANT OPTION; GRANT EXECUTE ON \
                 ALL ROUTINES IN SCHEMA kepler, kepler_internal TO {owner} WITH GRANT OPTION;",
                owner = quote(owner)
            ),
            Self::NoRight { role, level, .. } => {
                grant_hint(role, level, current::of_member().as_deref())
            }
            Self::NoRightInAll { role, level, .. }
            | Self::NotInAll { role, level, .. } => grant_hint(role, level, None),
            Self::NoRightHere { role, level, workspace, .. } => {
                grant_hint(role, level, Some(workspace))
            }
            Self::NotTheOwner { .. } => {
                "No level of kepler.grant_access gives this right. Ask the owner.".to_owned()
            }
            Self::ManyWorkspaces { .. } => {
                "Send the statement to the coordinator, in a session that has Kepler's library: it tells the node the workspace."
                    .to_owned()
            }
            Self::IsTheOwner(_) | Self::NoRole(_) => return None,
        })
    }
}

/// What to say to a role that lacks a level of access, in a workspace or in all.
pub(crate) fn grant_hint(role: &str, level: &str, workspace: Option<&str>) -> String {
    let of = workspace.map_or_else(String::new, |id| format!(", {}", quote_literal(id)));
    format!(
        "The owner of Kepler's tables can give the right: SELECT kepler.grant_access({}, '{level}'{of});",
        quote_literal(&plain(role))
    )
}

/// A role's name as a regrole reads it.
pub(crate) fn plain(role: &str) -> String {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if role.chars().all(is_plain) { role.to_owned() } else { quote(role) }
}

/// Says which workspaces a role is a member of, a few of many.
pub(crate) fn workspaces_named(role: &str, workspaces: &[String]) -> Option<String> {
    const SHOWN: usize = 5;
    let shown: Vec<String> = workspaces.iter().take(SHOWN).map(|id| format!("\"{id}\"")).collect();
    let rest = match workspaces.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    (!shown.is_empty())
        .then(|| format!("Role \"{role}\" is a member of {}{rest}.", shown.join(", ")))
}
