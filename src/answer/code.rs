//! Codes for programs: which rule an element breaks.

use crate::jsonb::parse::Problem;
use crate::pg::subtransaction::SqlState;
use pgrx::PgSqlErrorCode;
use std::borrow::Cow;

/// Which rule an element breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Code {
    NotAnObject,
    InvalidJson,
    UnknownField,
    DuplicateField,
    NulCharacter,
    LoneSurrogate,
    TooDeep,
    NumberOutOfRange,
    TooLarge,
    Required,
    WrongType,
    OutOfRange,
    TooLong,
    TooShort,
    NotAValue,
    Check,
    GeneratedKey,
    Duplicate,
    MissingReference,
    /// It is, or may be, a secret.
    Secret,
    /// A trigger kept it from being written.
    NotWritten,
    /// A rule that one feature has: `invalid_role`.
    Own(Cow<'static, str>),
    /// The database itself refused it, with this SQLSTATE.
    Refused(SqlState),
}

impl Code {
    pub(crate) const fn own(name: &'static str) -> Self {
        Self::Own(Cow::Borrowed(name))
    }

    pub(crate) fn name(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::NotAnObject => "not_an_object",
            Self::InvalidJson => "invalid_json",
            Self::UnknownField => "unknown_field",
            Self::DuplicateField => "duplicate_field",
            Self::NulCharacter => "nul_character",
            Self::LoneSurrogate => "lone_surrogate",
            Self::TooDeep => "too_deep",
            Self::NumberOutOfRange => "number_out_of_range",
            Self::TooLarge => "too_large",
            Self::Required => "required",
            Self::WrongType => "wrong_type",
            Self::OutOfRange => "out_of_range",
            Self::TooLong => "too_long",
            Self::TooShort => "too_short",
            Self::NotAValue => "not_a_value",
            Self::Check => "check",
            Self::GeneratedKey => "generated_key",
            Self::Duplicate => "duplicate",
            Self::MissingReference => "missing_reference",
            Self::Secret => "secret",
            Self::NotWritten => "not_written",
            Self::Own(name) => return name.clone(),
            Self::Refused(code) => return Cow::Owned(code.to_string()),
        })
    }

    /// The SQLSTATE of the error where the call as a whole fails for it.
    pub(crate) fn sqlstate(&self) -> PgSqlErrorCode {
        use PgSqlErrorCode::*;
        match self {
            Self::NotAnObject
            | Self::InvalidJson
            | Self::DuplicateField
            | Self::WrongType
            | Self::LoneSurrogate => ERRCODE_INVALID_TEXT_REPRESENTATION,
            Self::UnknownField => ERRCODE_UNDEFINED_COLUMN,
            Self::Required => ERRCODE_NOT_NULL_VIOLATION,
            Self::NumberOutOfRange | Self::OutOfRange => ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE,
            Self::TooDeep | Self::TooLarge => ERRCODE_PROGRAM_LIMIT_EXCEEDED,
            Self::TooLong => ERRCODE_STRING_DATA_RIGHT_TRUNCATION,
            Self::TooShort | Self::NotAValue | Self::Check | Self::Secret => {
                ERRCODE_CHECK_VIOLATION
            }
            Self::NulCharacter => ERRCODE_UNTRANSLATABLE_CHARACTER,
            Self::GeneratedKey => ERRCODE_GENERATED_ALWAYS,
            Self::Duplicate => ERRCODE_UNIQUE_VIOLATION,
            Self::MissingReference => ERRCODE_FOREIGN_KEY_VIOLATION,
            Self::NotWritten => ERRCODE_TRIGGERED_ACTION_EXCEPTION,
            Self::Own(_) => ERRCODE_INVALID_PARAMETER_VALUE,
            Self::Refused(code) => code.standard(),
        }
    }
}

impl From<Problem> for Code {
    fn from(problem: Problem) -> Self {
        match problem {
            Problem::Expected(_) | Problem::ControlCharacter => Self::InvalidJson,
            Problem::NulCharacter => Self::NulCharacter,
            Problem::LoneSurrogate => Self::LoneSurrogate,
            Problem::TooDeep => Self::TooDeep,
            Problem::NumberOutOfRange => Self::NumberOutOfRange,
            Problem::TooLarge => Self::TooLarge,
        }
    }
}
