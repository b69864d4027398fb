//! Why a row is refused. No message shows a value: it may be a secret.

use crate::error::Report;
use crate::secrets::reference;
use pgrx::PgSqlErrorCode;

/// What to do with a secret.
const HINT: &str = "Keep the secret in a store of secrets, and here a reference to it: vault:team/app. SET LOCAL kepler.on_secret = \
    'redact' stores a mark in its place, and 'allow' what was sent.";

fn at(place: &str) -> String {
    if place.is_empty() { String::new() } else { format!(" at {place}") }
}

#[derive(Debug, thiserror::Error)]
pub(super) enum GuardError {
    #[error("column \"{column}\" of {table} {problem}")]
    NoReference { table: String, column: String, problem: reference::Problem },
    #[error("column \"{column}\" of {table} holds a secret{}: {kind}", at(place))]
    Secret { table: String, column: String, place: String, kind: &'static str },
    #[error("table {table} has no column \"{column}\", which its trigger \"{trigger}\" looks at")]
    NoColumn { table: String, trigger: String, column: String },
    #[error("column \"{column}\" has type {found}, which holds no references")]
    WrongType { column: String, found: String },
}

impl Report for GuardError {
    fn code(&self) -> PgSqlErrorCode {
        match self {
            Self::NoReference { .. } | Self::Secret { .. } => {
                PgSqlErrorCode::ERRCODE_CHECK_VIOLATION
            }
            Self::NoColumn { .. } => PgSqlErrorCode::ERRCODE_UNDEFINED_COLUMN,
            Self::WrongType { .. } => PgSqlErrorCode::ERRCODE_DATATYPE_MISMATCH,
        }
    }

    fn is_about_secret(&self) -> bool {
        matches!(self, Self::NoReference { .. } | Self::Secret { .. })
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoReference { .. } => {
                "Keep the secret in a store of secrets, and here what finds it there: vault:team/app, env:NAME, aws-sm:name."
                    .to_owned()
            }
            Self::Secret { .. } => HINT.to_owned(),
            Self::NoColumn { trigger, .. } => format!(
                "A trigger does not follow a column that is renamed or dropped: rename it back, or make trigger \
                 \"{trigger}\" anew with the names that the columns have now."
            ),
            Self::WrongType { .. } => {
                "Make the trigger anew without the column, or make the column text.".to_owned()
            }
        })
    }
}
