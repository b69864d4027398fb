//! Arguments as SQL passes them, where anything may be NULL: checked, with all that is wrong said at once.

use crate::error::{Error, Report};
use pgrx::PgSqlErrorCode;
use pgrx::pg_sys::panic::ErrorReport;
use serde_json::{Map, Value};

/// The longest name that is part of a key (workspace, entity type, source), in bytes.
const MAX_NAME: usize = 128;

/// What is wrong with an argument.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ArgumentError {
    #[error("argument \"{0}\" must not be NULL")]
    Null(&'static str),
    #[error("argument \"{0}\" must not be blank")]
    Blank(&'static str),
    #[error("argument \"{argument}\" must be one of {legal}, not \"{given}\"")]
    BadChoice { argument: &'static str, legal: &'static str, given: String },
    #[error("argument \"{argument}\" is longer than {limit} bytes")]
    TooLong { argument: &'static str, limit: usize },
    #[error("argument \"{argument}\" is not valid")]
    BadOptions { argument: &'static str, problems: Vec<String>, known: String },
}

impl Report for ArgumentError {
    fn code(&self) -> PgSqlErrorCode {
        match self {
            Self::Null(_) => PgSqlErrorCode::ERRCODE_NULL_VALUE_NOT_ALLOWED,
            Self::Blank(_)
            | Self::BadChoice { .. }
            | Self::TooLong { .. }
            | Self::BadOptions { .. } => PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
        }
    }

    fn detail(&self) -> Option<String> {
        match self {
            Self::BadOptions { problems, .. } => Some(problems.join("\n")),
            _ => None,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::BadOptions { known, .. } if !known.is_empty() => {
                Some(format!("Known options: {known}."))
            }
            _ => None,
        }
    }
}

/// The functions of SQL check their arguments first.
impl From<ArgumentError> for ErrorReport {
    fn from(error: ArgumentError) -> Self {
        Error::from(error).into()
    }
}

/// A JSON object of options, read key by key. All that is wrong with it is reported at once.
pub(crate) struct OptionsObject {
    argument: &'static str,
    given: Map<String, Value>,
    known: Vec<&'static str>,
    problems: Vec<String>,
}

impl OptionsObject {
    pub(crate) fn open(argument: &'static str, options: Value) -> Result<Self, ArgumentError> {
        match options {
            Value::Object(given) => {
                Ok(Self { argument, given, known: Vec::new(), problems: Vec::new() })
            }
            _ => Err(ArgumentError::BadOptions {
                argument,
                problems: vec!["it must be a JSON object".to_owned()],
                known: String::new(),
            }),
        }
    }

    /// The value of an option, if it was given.
    pub(crate) fn take(&mut self, key: &'static str) -> Option<Value> {
        self.known.push(key);
        self.given.remove(key)
    }

    /// Notes what is wrong, the JSON Pointer first.
    pub(crate) fn problem(&mut self, problem: impl Into<String>) {
        self.problems.push(problem.into());
    }

    /// Fails if anything was wrong, or is left over.
    pub(crate) fn close(mut self) -> Result<(), ArgumentError> {
        for key in self.given.keys() {
            let token = key.replace('~', "~0").replace('/', "~1");
            self.problems.push(format!("/{token}: unknown option"));
        }
        if self.problems.is_empty() {
            return Ok(());
        }
        let (argument, known) = (self.argument, self.known.join(", "));
        Err(ArgumentError::BadOptions { argument, problems: self.problems, known })
    }
}

/// An argument that must be there.
pub(crate) fn required(
    argument: &'static str,
    value: Option<String>,
) -> Result<String, ArgumentError> {
    value.ok_or(ArgumentError::Null(argument))
}

/// An argument that must be there, not blank, and short enough for a key.
pub(crate) fn name(argument: &'static str, value: Option<String>) -> Result<String, ArgumentError> {
    let value = required(argument, value)?;
    if value.trim().is_empty() {
        return Err(ArgumentError::Blank(argument));
    }
    if value.len() > MAX_NAME {
        return Err(ArgumentError::TooLong { argument, limit: MAX_NAME });
    }
    Ok(value)
}
