//! What can be wrong with a schema as a whole.

use super::problem::Problem;
use super::source::{MAX_BYTES, Source};
use crate::error::{Report, lines};
use pgrx::PgSqlErrorCode;

/// Everything that keeps a schema from being read.
#[derive(Debug, thiserror::Error)]
pub(super) enum PrismaError {
    #[error("the schema has {count} {}", if *count == 1 { "problem" } else { "problems" })]
    Problems { syntax: bool, count: usize, detail: String },
    #[error("the schema is written for Prisma 8")]
    NextPrisma(Option<String>),
    #[error("the schema is longer than {MAX_BYTES} bytes")]
    TooLong,
    #[error("argument \"prisma_schema\" is not valid")]
    Files(Vec<String>),
    #[error("argument \"blueprint_name\" is not valid")]
    Name,
}

impl PrismaError {
    /// Problems with their places in words.
    pub(super) fn problems(problems: &[Problem], source: &Source<'_>) -> Self {
        let syntax = problems.iter().any(|problem| problem.syntax);
        let line =
            |problem: &Problem| format!("{}: {}", source.describe(problem.place), problem.text);
        Self::Problems { syntax, count: problems.len(), detail: lines(problems.iter().map(line)) }
    }
}

impl Report for PrismaError {
    fn code(&self) -> PgSqlErrorCode {
        match self {
            Self::Problems { syntax: true, .. } => PgSqlErrorCode::ERRCODE_SYNTAX_ERROR,
            Self::NextPrisma(_) => PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
            Self::TooLong => PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
            _ => PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
        }
    }

    fn detail(&self) -> Option<String> {
        match self {
            Self::Problems { detail, .. } => Some(detail.clone()),
            Self::NextPrisma(file) => file.as_ref().map(|file| format!("File \"{file}\".")),
            Self::Files(problems) => Some(lines(problems.iter().cloned())),
            Self::Name => Some(
                "It begins with a letter and consists of a to z, 0 to 9 and _, at most 48 bytes."
                    .to_owned(),
            ),
            Self::TooLong => None,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Problems { .. } => Some(
                "\"prisma validate\" checks a schema in the same way; docs/prisma.md says what else is read."
                    .to_owned(),
            ),
            Self::NextPrisma(_) => {
                Some("Only the language of schema.prisma is read: give that file.".to_owned())
            }
            _ => None,
        }
    }
}
