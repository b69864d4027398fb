//! What is wrong with an element of a batch: told in its answer, while the others land.

use crate::jsonb::elements::not_an_object;
use crate::pg::subtransaction::Refusal;
use std::borrow::Cow;

/// What is wrong with one field of an element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// For programs.
    pub(crate) code: Cow<'static, str>,
    /// For people: a JSON Pointer into the element, and a sentence.
    pub(crate) text: String,
}

impl Fault {
    pub(crate) fn new(code: impl Into<Cow<'static, str>>, text: impl Into<String>) -> Self {
        Self { code: code.into(), text: text.into() }
    }

    /// Of a field whose value is not what it must be.
    pub(crate) fn of(field: &str, what: impl std::fmt::Display) -> Self {
        Self::new(format!("invalid_{field}"), format!("/{field}: {what}"))
    }

    /// Of a field that must be there.
    pub(crate) fn missing(field: &str) -> Self {
        Self::new(format!("missing_{field}"), format!("/{field}: is required"))
    }
}

/// Why an element was not written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rejection {
    /// That of the first fault.
    pub(crate) code: Cow<'static, str>,
    /// All that is wrong.
    pub(crate) text: String,
}

impl Rejection {
    pub(crate) fn not_an_object(text: &[u8], at: usize) -> Self {
        Fault::new("not_an_object", not_an_object(text, at)).into()
    }

    pub(crate) fn invalid_json() -> Self {
        Fault::new("invalid_json", "the element is not valid JSON").into()
    }

    /// A trigger of somebody's has swallowed the row.
    pub(crate) fn not_written(table: &str) -> Self {
        Fault::new("not_written", format!("a trigger of {table} kept it from being written")).into()
    }

    /// All of the faults; None of none.
    pub(crate) fn of(faults: Vec<Fault>) -> Option<Self> {
        faults.into_iter().map(Self::from).reduce(Self::and)
    }

    /// For one more reason.
    pub(crate) fn and(self, other: Self) -> Self {
        Self { code: self.code, text: format!("{}; {}", self.text, other.text) }
    }
}

impl From<Fault> for Rejection {
    fn from(fault: Fault) -> Self {
        Self { code: fault.code, text: fault.text }
    }
}

/// A constraint or trigger that somebody has put on the table says no: with its SQLSTATE.
impl From<Refusal> for Rejection {
    fn from(refusal: Refusal) -> Self {
        Fault::new(refusal.code.to_string(), refusal.message).into()
    }
}
