//! Why a trigger cannot fill what it says.

use crate::error::Report;
use pgrx::PgSqlErrorCode;

#[derive(Debug, thiserror::Error)]
pub(super) enum FillError {
    #[error("the arguments of trigger \"{trigger}\" are not pairs of a column and what fills it")]
    NotPairs { trigger: String },
    #[error(
        "trigger \"{trigger}\" fills column \"{column}\" with \"{kind}\", which does not exist"
    )]
    UnknownKind { trigger: String, column: String, kind: String },
    #[error("table {table} has no column \"{column}\", which its trigger \"{trigger}\" fills")]
    NoColumn { table: String, trigger: String, column: String },
    #[error("column \"{column}\" is generated, and trigger \"{trigger}\" fills it")]
    Generated { trigger: String, column: String },
    #[error("column \"{column}\" has type {found}, which \"{kind}\" does not fill")]
    WrongType { column: String, kind: String, found: String, legal: &'static str },
    #[error("\"{kind}\" makes {length} characters, and column \"{column}\" has room for {room}")]
    TooLong { column: String, kind: String, length: usize, room: i32 },
}

impl Report for FillError {
    fn code(&self) -> PgSqlErrorCode {
        match self {
            Self::NotPairs { .. } | Self::UnknownKind { .. } => {
                PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE
            }
            Self::NoColumn { .. } => PgSqlErrorCode::ERRCODE_UNDEFINED_COLUMN,
            Self::Generated { .. } | Self::WrongType { .. } => {
                PgSqlErrorCode::ERRCODE_DATATYPE_MISMATCH
            }
            Self::TooLong { .. } => PgSqlErrorCode::ERRCODE_STRING_DATA_RIGHT_TRUNCATION,
        }
    }

    fn detail(&self) -> Option<String> {
        match self {
            Self::WrongType { legal, .. } => Some(format!("It fills columns of type {legal}.")),
            _ => None,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NotPairs { .. } | Self::UnknownKind { .. } => {
                "A pair is a column, and cuid, uuid, uuid7, ulid, nanoid, nanoid:2 to nanoid:255 or touch."
                    .to_owned()
            }
            Self::NoColumn { trigger, .. } => format!(
                "A trigger does not follow a column that is renamed or dropped: rename it back, or make trigger \
                 \"{trigger}\" anew with the names that the columns have now."
            ),
            Self::Generated { .. } | Self::WrongType { .. } | Self::TooLong { .. } => {
                "Make the trigger anew without the column, or change the column.".to_owned()
            }
        })
    }
}
