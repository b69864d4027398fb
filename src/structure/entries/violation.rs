//! What is wrong with an entry: where, which rule, and a sentence for people.

use crate::field_types::problem::{Code, Problem};
use std::borrow::Cow;

/// A problem, and where in the batch it stands.
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

    /// A JSON Pointer into the batch.
    pub(crate) fn path(&self, element: u32) -> String {
        let mut path = format!("/{element}");
        if let Some(field) = &self.field {
            path.push('/');
            path.push_str(&crate::json::token(field));
        }
        if let Some(item) = self.problem.item {
            path.push_str(&format!("/{item}"));
        }
        path
    }
}
