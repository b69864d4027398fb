//! What may go wrong in the life of a workspace.

use crate::error::Report;
use pgrx::PgSqlErrorCode;

#[derive(Debug, thiserror::Error)]
pub(crate) enum TenantError {
    #[error("workspace \"{0}\" already exists")]
    Exists(String),
    #[error("{0} is no table of numbered lines")]
    NoLines(String),
    #[error("the archive is not complete")]
    NotComplete(String),
    #[error("the archive was altered")]
    Altered(String),
    #[error("line {line} of the archive cannot be imported")]
    BadLine { line: i64, problem: String },
    #[error("argument \"max_rows\" must be between 1 and {limit}, not {given}")]
    BadMaxRows { limit: i32, given: i32 },
}

impl Report for TenantError {
    fn code(&self) -> PgSqlErrorCode {
        use PgSqlErrorCode::*;
        match self {
            Self::Exists(_) => ERRCODE_DUPLICATE_OBJECT,
            Self::NoLines(_) => ERRCODE_UNDEFINED_COLUMN,
            Self::BadMaxRows { .. } => ERRCODE_INVALID_PARAMETER_VALUE,
            Self::NotComplete(_) | Self::Altered(_) | Self::BadLine { .. } => {
                ERRCODE_DATA_EXCEPTION
            }
        }
    }

    fn detail(&self) -> Option<String> {
        match self {
            Self::Exists(_) | Self::NoLines(_) | Self::BadMaxRows { .. } => None,
            Self::NotComplete(detail) | Self::Altered(detail) => {
                Some(format!("{detail} Nothing was imported."))
            }
            Self::BadLine { problem, .. } => Some(format!("{problem} Nothing was imported.")),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Exists(_) | Self::BadLine { .. } | Self::BadMaxRows { .. } => None,
            Self::NoLines(_) => Some(
                "CREATE TABLE archive (number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, line text); \
                 and copy the file into the column line."
                    .to_owned(),
            ),
            Self::NotComplete(_) | Self::Altered(_) => Some(
                "Copy the whole file into an empty table, in one COPY, without changing its lines."
                    .to_owned(),
            ),
        }
    }
}
