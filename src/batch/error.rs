//! A batch that cannot be cut into elements.

use crate::error::{Error, Report};
use crate::jsonb::elements::{MAX_ELEMENTS, Undivided};
use pgrx::PgSqlErrorCode;
use pgrx::pg_sys::panic::ErrorReport;

/// A batch that cannot be cut into elements. What is wrong with one element does not end the call.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BatchError {
    #[error("argument \"{argument}\" must be a JSON array")]
    NotAnArray { argument: &'static str, found: String },
    #[error("argument \"{argument}\" is not valid JSON: {problem}")]
    Broken { argument: &'static str, problem: &'static str, ordinal: usize, offset: usize },
    #[error("argument \"{argument}\" holds more than {MAX_ELEMENTS} elements")]
    TooManyElements { argument: &'static str },
}

impl BatchError {
    pub(crate) fn of(argument: &'static str, undivided: Undivided) -> Self {
        match undivided {
            Undivided::NotAnArray { found } => Self::NotAnArray { argument, found },
            Undivided::Broken { problem, ordinal, offset } => {
                Self::Broken { argument, problem, ordinal, offset }
            }
            Undivided::TooMany => Self::TooManyElements { argument },
        }
    }
}

impl Report for BatchError {
    fn code(&self) -> PgSqlErrorCode {
        match self {
            Self::NotAnArray { .. } | Self::Broken { .. } => {
                PgSqlErrorCode::ERRCODE_INVALID_TEXT_REPRESENTATION
            }
            Self::TooManyElements { .. } => PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
        }
    }

    fn detail(&self) -> Option<String> {
        match self {
            Self::NotAnArray { found, .. } => Some(format!("The text is {found}.")),
            Self::Broken { ordinal, offset, .. } => Some(format!(
                "The error is in element {ordinal}, at byte {offset} of the text. Nothing was written."
            )),
            Self::TooManyElements { .. } => None,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NotAnArray { argument: "records", .. } => {
                "Pass an array, [ … ], or use kepler.upsert_record for a single record.".to_owned()
            }
            Self::NotAnArray { .. } => "Pass an array, [ … ], for a single element too.".to_owned(),
            Self::Broken { .. } => {
                "The text may be truncated or garbled. Send all of it again.".to_owned()
            }
            Self::TooManyElements { .. } => "Send them in several calls.".to_owned(),
        })
    }
}

impl From<BatchError> for ErrorReport {
    fn from(error: BatchError) -> Self {
        Error::from(error).into()
    }
}
