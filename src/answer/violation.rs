//! One thing that is wrong with an element: where, which rule, and a sentence for people.

use super::Code;
use crate::json::token;
use crate::jsonb::parse::ParseError;
use std::borrow::Cow;
use std::fmt;

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
        Problem::new(error.problem.into(), error.problem.to_string())
    }
}

/// A problem, and where in the element it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Violation {
    /// The field, where it is about one.
    pub(crate) field: Option<String>,
    pub(crate) problem: Problem,
}

impl Violation {
    pub(crate) fn new(
        field: Option<&str>,
        code: Code,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { field: field.map(str::to_owned), problem: Problem::new(code, message) }
    }

    /// Whether a secret is what is wrong.
    pub(crate) fn is_about_secret(&self) -> bool {
        self.problem.code == Code::Secret
    }

    /// Of a field whose value is not what it must be: `invalid_FIELD`.
    pub(crate) fn invalid(field: &str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Some(field), Code::Own(format!("invalid_{field}").into()), message)
    }

    /// Of a field that must be there: `missing_FIELD`.
    pub(crate) fn missing(field: &str) -> Self {
        Self::new(Some(field), Code::Own(format!("missing_{field}").into()), "is required")
    }

    /// A JSON Pointer into the batch.
    pub(crate) fn path(&self, element: usize) -> String {
        format!("/{element}{}", self.pointer())
    }

    /// A JSON Pointer into the element.
    fn pointer(&self) -> String {
        let field =
            self.field.as_ref().map_or_else(String::new, |field| format!("/{}", token(field)));
        let item = self.problem.item.map_or_else(String::new, |item| format!("/{item}"));
        field + &item
    }
}

/// In the words of one answer: `/name: is required`.
impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pointer = self.pointer();
        if !pointer.is_empty() {
            write!(f, "{pointer}: ")?;
        }
        f.write_str(&self.problem.message)
    }
}
