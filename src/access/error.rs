//! What is wrong with rights.

use crate::error::Report;
use crate::ident::quote;
use pgrx::PgSqlErrorCode;

/// What may go wrong where rights are given, taken or needed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AccessError {
    #[error("permission denied for table {table}")]
    NoRight { table: String, role: String, level: &'static str },
    #[error("only the owner of Kepler's tables may {what}")]
    NotTheOwner { what: &'static str, owner: String },
    #[error("role \"{0}\" owns Kepler's tables")]
    IsTheOwner(String),
    #[error("the schema \"{schema}\" belongs to \"{owner}\"")]
    ForeignSchema { schema: &'static str, owner: String, trusted: String },
    #[error("the schema \"{schema}\" holds what Kepler did not make: {object}")]
    ForeignObject { schema: &'static str, object: String, owner: String },
    #[error("{table} is not a plain table of \"{owner}\"")]
    NotPlain { table: String, owner: String },
    #[error("{kind} \"{name}\" on {table} would run with the rights of the owner")]
    ForeignCode { kind: String, name: String, table: String },
    #[error("\"{owner}\" may not pass on {what}")]
    NoGrantOption { owner: String, what: &'static str, schema_owner: String },
}

impl Report for AccessError {
    fn code(&self) -> PgSqlErrorCode {
        use PgSqlErrorCode::*;
        match self {
            Self::NotTheOwner { .. } | Self::NoRight { .. } => ERRCODE_INSUFFICIENT_PRIVILEGE,
            Self::ForeignSchema { .. } | Self::NoGrantOption { .. } => {
                ERRCODE_INSUFFICIENT_PRIVILEGE
            }
            Self::IsTheOwner(_) => ERRCODE_INVALID_PARAMETER_VALUE,
            Self::ForeignObject { .. } | Self::NotPlain { .. } | Self::ForeignCode { .. } => {
                ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE
            }
        }
    }

    fn detail(&self) -> Option<String> {
        Some(match self {
            Self::NotTheOwner { owner, .. } => {
                format!("The owner is \"{owner}\"; members that inherit its rights and superusers may, too.")
            }
            Self::NoRight { .. } => return None,
            Self::IsTheOwner(_) => "It may do everything, and nothing is to be given.".to_owned(),
            Self::ForeignSchema { .. } => {
                "Whoever owns a schema can drop and replace all that is in it.".to_owned()
            }
            Self::ForeignObject { owner, .. } => format!("It belongs to \"{owner}\"."),
            Self::NotPlain { .. } => {
                "What is done as the owner is done on tables that install() made, and on nothing that \
                 took the place of one."
                    .to_owned()
            }
            Self::ForeignCode { .. } => "It is not among those that install() made.".to_owned(),
            Self::NoGrantOption { schema_owner, .. } => {
                format!("The extension belongs to \"{schema_owner}\".")
            }
        })
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::ForeignSchema { schema, trusted, .. } => format!(
                "Drop it, if nothing in it is wanted. Or look at what it holds, and then: ALTER SCHEMA \
                 {schema} OWNER TO {};",
                quote(trusted)
            ),
            Self::ForeignObject { schema: "kepler_data", .. } => {
                "It may be left from tables that were dropped: DROP SCHEMA kepler_data CASCADE; if \
                 nothing in it is wanted."
                    .to_owned()
            }
            Self::ForeignObject { .. } => "Drop it, or move it to another schema.".to_owned(),
            Self::NotPlain { .. } => {
                "Look at who replaced it. A dump that was made before has the table.".to_owned()
            }
            Self::ForeignCode { kind, name, table } => {
                format!(
                    "Look at it, and drop it: DROP {} {} ON {table};",
                    kind.to_uppercase(),
                    quote(name)
                )
            }
            Self::NoGrantOption { owner, .. } => format!(
                "As a superuser: GRANT USAGE ON SCHEMA kepler, kepler_internal TO {owner} WITH GRANT OPTION; GRANT EXECUTE ON \
                 ALL ROUTINES IN SCHEMA kepler, kepler_internal TO {owner} WITH GRANT OPTION;",
                owner = quote(owner)
            ),
            Self::NoRight { role, level, .. } => grant_hint(role, level),
            Self::NotTheOwner { .. } => {
                "No level of kepler.grant_access gives this right. Ask the owner.".to_owned()
            }
            Self::IsTheOwner(_) => return None,
        })
    }
}

/// What to say to a role that lacks a level of access.
pub(crate) fn grant_hint(role: &str, level: &str) -> String {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let role = if role.chars().all(is_plain) { role.to_owned() } else { quote(role) };
    let role = role.replace('\'', "''");
    format!(
        "The owner of Kepler's tables can give the right: SELECT kepler.grant_access('{role}', '{level}');"
    )
}
