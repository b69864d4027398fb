//! What ends a call about entries.

use crate::error::Report;
use pgrx::PgSqlErrorCode;

/// Everything that ends a call. What is wrong with one entry is that element's answer, unless the call is to write
/// all entries or none.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EntriesError {
    #[error("table {table} lacks the column \"{column}\" of its structure")]
    ColumnMissing { table: String, column: String },
    #[error("table \"{table}\" has no field \"{field}\"")]
    NoField { table: String, field: String, meant: Option<String> },
    #[error("key_fields ({fields}) is not a unique set of \"{table}\"")]
    NoUniqueSet { table: String, fields: String, known: String },
    #[error("entry table \"{table}\" holds no links of \"{field}\"")]
    NoLinks { table: String, field: String },
    #[error(
        "entry table \"{table}\" cannot be written as lists of links: \"{field}\" is required and has no default"
    )]
    LinksNeedMore { table: String, field: String },
    #[error("links of \"{table}\" have changed since the transaction's snapshot")]
    LinksMoved { table: String },
    #[error("{rejected} of {total} entries are not valid")]
    Invalid {
        code: PgSqlErrorCode,
        rejected: usize,
        total: usize,
        lines: Vec<String>,
        holds_secret: bool,
    },
    #[error("entries kept vanishing during the call")]
    Contended,
}

impl Report for EntriesError {
    fn code(&self) -> PgSqlErrorCode {
        use PgSqlErrorCode::*;
        match self {
            Self::ColumnMissing { .. } => ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            Self::NoField { .. } => ERRCODE_UNDEFINED_COLUMN,
            Self::NoUniqueSet { .. } | Self::NoLinks { .. } | Self::LinksNeedMore { .. } => {
                ERRCODE_INVALID_COLUMN_REFERENCE
            }
            Self::Invalid { code, .. } => *code,
            Self::Contended | Self::LinksMoved { .. } => ERRCODE_T_R_SERIALIZATION_FAILURE,
        }
    }

    fn is_about_secret(&self) -> bool {
        matches!(self, Self::Invalid { holds_secret: true, .. })
    }

    fn detail(&self) -> Option<String> {
        Some(match self {
            Self::ColumnMissing { .. } => {
                "The table was changed without Kepler's functions.".to_owned()
            }
            Self::Invalid { lines, .. } => lines.join("\n"),
            Self::Contended => "Other sessions kept deleting the same entries.".to_owned(),
            Self::NoLinks { field, .. } => format!(
                "\"{field}\" must be a reference that is unique together with one other reference, and with one only."
            ),
            Self::LinksNeedMore { .. } => {
                "A link that a list names is inserted with defaults for all other fields."
                    .to_owned()
            }
            Self::LinksMoved { .. } => {
                "Another session has set links of the same entries meanwhile.".to_owned()
            }
            Self::NoField { .. } | Self::NoUniqueSet { .. } => return None,
        })
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoUniqueSet { known, .. } => format!("The unique sets are: {known}."),
            Self::Invalid { .. } => {
                "Nothing was written. With on_error => 'skip' the valid entries are written, and the others are \
                 answered with rejected."
                    .to_owned()
            }
            Self::Contended => "Run the call again.".to_owned(),
            Self::LinksMoved { .. } => "Run the transaction again.".to_owned(),
            Self::LinksNeedMore { .. } => {
                "Give the field a default or make it optional, or write the links with kepler.insert_entries.".to_owned()
            }
            Self::NoLinks { .. } => {
                "A table of links has two references, as \"item\" and \"tag\", and \"unique\": [[\"item\", \"tag\"]].".to_owned()
            }
            Self::NoField { meant: Some(name), .. } => {
                format!("It is the column of \"{name}\".")
            }
            Self::ColumnMissing { .. } | Self::NoField { .. } => return None,
        })
    }
}
