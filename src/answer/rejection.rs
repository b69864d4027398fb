//! Why an element was not written: told in its answer, while the others land.

use super::{Code, Violation};
use crate::jsonb::elements::not_an_object;
use crate::pg::subtransaction::Refusal;
use serde_json::{Value, json};
use std::borrow::Cow;

/// All that is wrong with an element; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rejection(Vec<Violation>);

impl Rejection {
    /// For one reason, which is about the element as a whole.
    pub(crate) fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Violation::new(None, code, message).into()
    }

    /// All of the violations; None of none.
    pub(crate) fn of(violations: Vec<Violation>) -> Option<Self> {
        (!violations.is_empty()).then_some(Self(violations))
    }

    pub(crate) fn not_an_object(text: &[u8], at: usize) -> Self {
        Self::new(Code::NotAnObject, not_an_object(text, at))
    }

    /// A trigger of somebody's has swallowed the row.
    pub(crate) fn not_written(table: &str) -> Self {
        Self::new(Code::NotWritten, format!("a trigger on {table} prevented the write"))
    }

    /// Whether a secret is one of the reasons.
    pub(crate) fn is_about_secret(&self) -> bool {
        self.0.iter().any(Violation::is_about_secret)
    }

    /// For more reasons.
    pub(crate) fn add(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub(crate) fn violations(&self) -> &[Violation] {
        &self.0
    }

    pub(crate) fn into_violations(self) -> Vec<Violation> {
        self.0
    }

    /// That of the first violation.
    pub(crate) fn code(&self) -> &Code {
        self.0.first().map_or(&Code::NotWritten, |violation| &violation.problem.code)
    }

    /// All that is wrong, in words.
    pub(crate) fn text(&self) -> String {
        self.0.iter().map(Violation::to_string).collect::<Vec<_>>().join("; ")
    }

    /// All that is wrong, for programs: each with a JSON Pointer into the batch, whose element `at` (from 0) this is.
    pub(crate) fn list(&self, at: usize) -> Value {
        let each = |violation: &Violation| {
            json!({
                "path": violation.path(at),
                "code": violation.problem.code.name(),
                "message": violation.problem.message,
            })
        };
        Value::Array(self.0.iter().map(each).collect())
    }
}

impl From<Violation> for Rejection {
    fn from(violation: Violation) -> Self {
        Self(vec![violation])
    }
}

/// A constraint or trigger that somebody has put on the table says no: with its SQLSTATE.
impl From<Refusal> for Rejection {
    fn from(refusal: Refusal) -> Self {
        Self::new(Code::Refused(refusal.code), refusal.message)
    }
}
