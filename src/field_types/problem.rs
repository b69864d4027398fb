//! What is wrong with a value, or with the row that it is for: the rule that it breaks, and a sentence for people.

use crate::jsonb::parse::{ParseError, Problem as JsonProblem};
use crate::pg::subtransaction::SqlState;
use pgrx::PgSqlErrorCode;
use std::borrow::Cow;

/// Which rule an entry breaks, for programs to tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    NotAnObject,
    InvalidJson,
    UnknownField,
    DuplicateField,
    Required,
    WrongType,
    OutOfRange,
    TooLong,
    TooShort,
    NotAValue,
    Check,
    NulCharacter,
    LoneSurrogate,
    GeneratedKey,
    Duplicate,
    MissingReference,
    /// A trigger kept the entry from being written.
    NotWritten,
    /// The database itself refused it, with this SQLSTATE.
    Refused(SqlState),
}

impl Code {
    pub(crate) fn name(self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Code::NotAnObject => "not_an_object",
            Code::InvalidJson => "invalid_json",
            Code::UnknownField => "unknown_field",
            Code::DuplicateField => "duplicate_field",
            Code::Required => "required",
            Code::WrongType => "wrong_type",
            Code::OutOfRange => "out_of_range",
            Code::TooLong => "too_long",
            Code::TooShort => "too_short",
            Code::NotAValue => "not_a_value",
            Code::Check => "check",
            Code::NulCharacter => "nul_character",
            Code::LoneSurrogate => "lone_surrogate",
            Code::GeneratedKey => "generated_key",
            Code::Duplicate => "duplicate",
            Code::MissingReference => "missing_reference",
            Code::NotWritten => "not_written",
            Code::Refused(code) => return Cow::Owned(code.to_string()),
        })
    }

    pub(crate) fn sqlstate(self) -> PgSqlErrorCode {
        use PgSqlErrorCode::*;
        match self {
            Code::NotAnObject
            | Code::InvalidJson
            | Code::DuplicateField
            | Code::WrongType
            | Code::LoneSurrogate => ERRCODE_INVALID_TEXT_REPRESENTATION,
            Code::UnknownField => ERRCODE_UNDEFINED_COLUMN,
            Code::Required => ERRCODE_NOT_NULL_VIOLATION,
            Code::OutOfRange => ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE,
            Code::TooLong => ERRCODE_STRING_DATA_RIGHT_TRUNCATION,
            Code::TooShort | Code::NotAValue | Code::Check => ERRCODE_CHECK_VIOLATION,
            Code::NulCharacter => ERRCODE_UNTRANSLATABLE_CHARACTER,
            Code::GeneratedKey => ERRCODE_GENERATED_ALWAYS,
            Code::Duplicate => ERRCODE_UNIQUE_VIOLATION,
            Code::MissingReference => ERRCODE_FOREIGN_KEY_VIOLATION,
            Code::NotWritten => ERRCODE_TRIGGERED_ACTION_EXCEPTION,
            Code::Refused(code) => code.standard(),
        }
    }
}

/// What is wrong with one value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) code: Code,
    pub(crate) message: Cow<'static, str>,
    /// Which element of a list it is.
    pub(crate) item: Option<usize>,
}

impl Problem {
    pub(crate) fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into(), item: None }
    }
}

impl From<ParseError> for Problem {
    fn from(error: ParseError) -> Self {
        let code = match error.problem {
            JsonProblem::NulCharacter => Code::NulCharacter,
            JsonProblem::LoneSurrogate => Code::LoneSurrogate,
            JsonProblem::NumberOutOfRange => Code::OutOfRange,
            _ => Code::InvalidJson,
        };
        Problem::new(code, error.problem.to_string())
    }
}

/// The start of a text, for messages.
pub(crate) fn shorten(text: &str) -> String {
    let short: String = text.chars().take(60).collect();
    if short.len() < text.len() { format!("{short}…") } else { short }
}
