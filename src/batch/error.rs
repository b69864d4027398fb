//! A batch that cannot be cut into elements.

use crate::error::{Error, Report};
use crate::jsonb::elements::{GOES_ON, MAX_ELEMENTS, Mistake, Undivided};
use pgrx::PgSqlErrorCode;
use pgrx::pg_sys::panic::ErrorReport;

/// A batch that cannot be cut into elements. What is wrong with one element does not end the call.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BatchError {
    #[error("argument \"{argument}\" must be a JSON array, or JSON objects on a line each")]
    NotABatch { argument: &'static str, found: String, mistake: Option<Mistake> },
    #[error("argument \"{argument}\" is not valid JSON: {problem}")]
    Broken { argument: &'static str, problem: &'static str, ordinal: usize, offset: usize },
    #[error("argument \"{argument}\" holds more than {MAX_ELEMENTS} elements")]
    TooManyElements { argument: &'static str },
}

impl BatchError {
    pub(crate) fn of(argument: &'static str, undivided: Undivided) -> Self {
        match undivided {
            Undivided::NotABatch { found, mistake } => Self::NotABatch { argument, found, mistake },
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
            Self::NotABatch { .. } | Self::Broken { .. } => {
                PgSqlErrorCode::ERRCODE_INVALID_TEXT_REPRESENTATION
            }
            Self::TooManyElements { .. } => PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
        }
    }

    fn detail(&self) -> Option<String> {
        match self {
            Self::NotABatch { found, .. } => Some(format!("The text is {found}.")),
            Self::Broken { ordinal, offset, .. } => Some(format!(
                "The error is in element {ordinal}, at byte {offset} of the text. Nothing was written."
            )),
            Self::TooManyElements { .. } => None,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NotABatch { mistake: Some(Mistake::ByteOrderMark), .. } => {
                "Leave out the byte-order mark (U+FEFF, in UTF-8 the bytes EF BB BF).".to_owned()
            }
            Self::NotABatch { mistake: Some(Mistake::EncodedTwice), .. } => {
                "It was encoded as JSON twice. Encode it once.".to_owned()
            }
            Self::NotABatch { .. } => {
                "Pass an array, [ … ], or one object, { … }, on each line.".to_owned()
            }
            Self::Broken { problem: GOES_ON, .. } => {
                "Write each object on one line, or all of them as an array.".to_owned()
            }
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
