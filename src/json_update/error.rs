//! What can be wrong with an update of a document.

use crate::error::{Report, lines};
use pgrx::PgSqlErrorCode;

/// Everything that ends an update.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum JsonUpdateError {
    #[error("argument \"operations\" is not valid")]
    Invalid(Vec<String>),
    #[error("the operations do not fit the document")]
    Unfit(Vec<Misfit>),
    #[error("the document would be larger than jsonb can hold (256 MB)")]
    TooLarge,
    #[error("argument \"key\" is not valid")]
    BadKey(Vec<String>),
    #[error("argument \"new_row\" is not valid")]
    BadNewRow(Vec<String>),
    #[error("relation with OID {0} does not exist")]
    NoTable(u32),
    #[error("the key matches several rows of {table} and of the tables that inherit from it")]
    NotOne { table: String },
    #[error("the columns ({given}) of the key do not identify a row of {table}")]
    NotUnique { table: String, given: String, known: Vec<String> },
    #[error("table {table} has no column \"{column}\" of type jsonb")]
    NotADocument { table: String, column: String },
    #[error("table {table} has no whole-number column \"{column}\" for revisions")]
    NotARevision { table: String, column: String },
    #[error("the document in column \"{column}\" is NULL")]
    NullDocument { column: String },
    #[error("the row has another revision than expected")]
    Moved { expected: i64, found: Option<i64> },
    #[error("the row could be neither updated nor inserted")]
    NeitherNor,
}

/// An operation that a document does not allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Misfit {
    pub(crate) reason: Reason,
    /// The operation as a JSON Pointer into the operations.
    pub(crate) pointer: String,
    pub(crate) message: String,
}

/// Why an operation does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// A path leads through a scalar.
    InTheWay,
    /// An array has no such place.
    Subscript,
    NoNumber,
    NoArray,
    OtherKind,
    OutOfRange,
    TooDeep,
}

impl Reason {
    fn code(self) -> PgSqlErrorCode {
        use PgSqlErrorCode::*;
        match self {
            Self::InTheWay => ERRCODE_SQL_JSON_OBJECT_NOT_FOUND,
            Self::Subscript => ERRCODE_INVALID_SQL_JSON_SUBSCRIPT,
            Self::NoNumber => ERRCODE_NON_NUMERIC_SQL_JSON_ITEM,
            Self::NoArray => ERRCODE_SQL_JSON_ARRAY_NOT_FOUND,
            Self::OtherKind => ERRCODE_DATATYPE_MISMATCH,
            Self::OutOfRange => ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE,
            Self::TooDeep => ERRCODE_PROGRAM_LIMIT_EXCEEDED,
        }
    }
}

impl Report for JsonUpdateError {
    fn code(&self) -> PgSqlErrorCode {
        use PgSqlErrorCode::*;
        match self {
            Self::Invalid(_) | Self::BadKey(_) | Self::BadNewRow(_) => {
                ERRCODE_INVALID_PARAMETER_VALUE
            }
            Self::Unfit(misfits) => {
                misfits.first().map_or(ERRCODE_INVALID_PARAMETER_VALUE, |m| m.reason.code())
            }
            Self::TooLarge => ERRCODE_PROGRAM_LIMIT_EXCEEDED,
            Self::NoTable(_) => ERRCODE_UNDEFINED_TABLE,
            Self::NotOne { .. } => ERRCODE_CARDINALITY_VIOLATION,
            Self::NotUnique { .. } => ERRCODE_INVALID_COLUMN_REFERENCE,
            Self::NotADocument { .. } | Self::NotARevision { .. } => ERRCODE_UNDEFINED_COLUMN,
            Self::NullDocument { .. } => ERRCODE_NULL_VALUE_NOT_ALLOWED,
            Self::Moved { .. } | Self::NeitherNor => ERRCODE_T_R_SERIALIZATION_FAILURE,
        }
    }

    fn detail(&self) -> Option<String> {
        Some(match self {
            Self::Invalid(problems) | Self::BadKey(problems) | Self::BadNewRow(problems) => {
                lines(problems.iter().cloned())
            }
            Self::Unfit(misfits) => {
                lines(misfits.iter().map(|m| format!("{}: {}", m.pointer, m.message)))
            }
            Self::Moved { expected, found: Some(found) } => {
                format!("Expected revision {expected}, found {found}.")
            }
            Self::Moved { expected, found: None } => {
                format!(
                    "Expected revision {expected}, found none: the row does not exist, or its revision is NULL."
                )
            }
            Self::NeitherNor => "Other sessions kept deleting and inserting it, or a trigger, a \
                 policy or the rounding of a key value keeps it from being seen or written."
                .to_owned(),
            _ => return None,
        })
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NotUnique { known, .. } if known.is_empty() => {
                "The table has no primary key or unique constraint that identifies a row. Deferrable \
                 constraints, and unique indexes with expressions or conditions, do not count."
                    .to_owned()
            }
            Self::NotUnique { known, .. } => format!("These columns do: {}.", known.join(", ")),
            Self::NullDocument { .. } => {
                "kepler.upsert_document treats NULL as an empty object.".to_owned()
            }
            Self::Moved { .. } => {
                "Read the row again, and decide again which operations to apply.".to_owned()
            }
            Self::NeitherNor => {
                "Run the call again. If it fails again, check the triggers and policies of the table."
                    .to_owned()
            }
            Self::Unfit(_) => "Nothing was changed.".to_owned(),
            _ => return None,
        })
    }
}
