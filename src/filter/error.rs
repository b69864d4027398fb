//! What can be wrong with a filter.

use crate::error::{Report, lines};
use pgrx::PgSqlErrorCode;

/// Everything that keeps a filter from being used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FilterError {
    #[error("argument \"filter\" is not valid JSON: {problem}")]
    Broken { problem: String, offset: usize },
    #[error("argument \"filter\" is not valid")]
    Invalid(Vec<String>),
}

impl Report for FilterError {
    fn code(&self) -> PgSqlErrorCode {
        match self {
            Self::Broken { .. } => PgSqlErrorCode::ERRCODE_INVALID_TEXT_REPRESENTATION,
            Self::Invalid(_) => PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
        }
    }

    fn detail(&self) -> Option<String> {
        Some(match self {
            Self::Broken { offset, .. } => format!("At byte {offset} of the text."),
            Self::Invalid(problems) => lines(problems.iter().cloned()),
        })
    }
}
