//! Why a row is refused. No message shows a value: it may be a secret.

use crate::error::Report;
use crate::secrets::reference;
use pgrx::PgSqlErrorCode;

#[derive(Debug, thiserror::Error)]
pub(super) enum GuardError {
    #[error("column \"{column}\" of {table} {problem}")]
    NoReference { table: String, column: String, problem: reference::Problem },
    #[error("table {table} has no column \"{column}\", which its trigger \"{trigger}\" looks at")]
    NoColumn { table: String, trigger: String, column: String },
    #[error("column \"{column}\" has type {found}, which holds no references")]
    WrongType { column: String, found: String },
}

impl Report for GuardError {
    fn code(&self) -> PgSqlErrorCode {
        match self {
            Self::NoReference { .. } => PgSqlErrorCode::ERRCODE_CHECK_VIOLATION,
            Self::NoColumn { .. } => PgSqlErrorCode::ERRCODE_UNDEFINED_COLUMN,
            Self::WrongType { .. } => PgSqlErrorCode::ERRCODE_DATATYPE_MISMATCH,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoReference { .. } => {
                "Keep the secret in a store of secrets, and here what finds it there: vault:team/app, env:NAME, aws-sm:name."
                    .to_owned()
            }
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
