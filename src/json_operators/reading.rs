//! Reading a document that says what to do or to look for: its values as places in it, and all that is
//! wrong with it, each with a JSON Pointer.

use crate::jsonb::order::Kind;
use crate::jsonb::view::{Stored, Value};
use crate::poll;
use std::fmt::Display;

/// A value in the document that was read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operand {
    kind: u32,
    start: usize,
    end: usize,
}

impl Operand {
    /// `bytes`: the document, or an unmoved copy of it.
    pub(crate) fn stored(self, bytes: &[u8]) -> Stored<'_> {
        Stored { kind: self.kind, bytes: &bytes[self.start..self.end] }
    }

    pub(crate) fn value(self, bytes: &[u8]) -> Value<'_> {
        self.stored(bytes).value()
    }
}

/// What was found while a document is read.
pub(crate) struct Reading {
    /// The address of the document, from which operands are counted.
    origin: usize,
    pub(crate) problems: Vec<String>,
}

impl Reading {
    /// `bytes`: the document, behind the length word of its datum.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self { origin: bytes.as_ptr() as usize, problems: Vec::new() }
    }

    /// A value of the document being read.
    pub(crate) fn operand(&self, stored: Stored<'_>) -> Operand {
        let start = (stored.bytes.as_ptr() as usize).wrapping_sub(self.origin);
        Operand { kind: stored.kind, start, end: start + stored.bytes.len() }
    }

    pub(crate) fn problem(&mut self, pointer: &str, problem: impl Display) {
        poll::check();
        self.problems.push(format!("{pointer}: {problem}"));
    }

    /// Complains that a value is not of this kind.
    pub(crate) fn wanted(&mut self, pointer: &str, what: &str, found: Value<'_>) {
        self.problem(pointer, format!("must be {what}, not {}", Kind::of(found).name()));
    }
}
