//! Which of two values stands before the other, and whether they are the same.
//!
//! Kinds are ordered as MongoDB orders them: null, numbers, strings, objects, arrays, booleans. Numbers
//! count by value (`1.0` is `1`), strings by bytes, arrays element by element, objects pair by pair in
//! the order of their keys.

use super::number;
use super::view::{Container, Value};
use std::cmp::Ordering;

/// The kind of a value, by its place among the kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Null,
    Number,
    String,
    Object,
    Array,
    Boolean,
}

impl Kind {
    pub(crate) fn of(value: Value<'_>) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Number(_) => Self::Number,
            Value::String(_) => Self::String,
            Value::Boolean(_) => Self::Boolean,
            Value::Container(container) if container.is_object() => Self::Object,
            Value::Container(_) => Self::Array,
        }
    }

    /// With its article, for messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Number => "a number",
            Self::String => "a string",
            Self::Object => "an object",
            Self::Array => "an array",
            Self::Boolean => "a boolean",
        }
    }
}

/// Two containers on the way down. The walk keeps its own stack: stored documents may be very deep.
type Level<'a> = (Container<'a>, Container<'a>, usize);

/// See the module.
pub(crate) fn compare(a: Value<'_>, b: Value<'_>) -> Ordering {
    let mut levels: Vec<Level<'_>> = Vec::new();
    let mut pair = Some((a, b));
    loop {
        if let Some((a, b)) = pair.take() {
            let order = match (a, b) {
                (Value::Number(a), Value::Number(b)) => number::compare(a, b),
                (Value::String(a), Value::String(b)) => a.cmp(b),
                (Value::Boolean(a), Value::Boolean(b)) => a.cmp(&b),
                (Value::Container(a), Value::Container(b)) if a.is_object() == b.is_object() => {
                    levels.push((a, b, 0));
                    Ordering::Equal
                }
                _ => Kind::of(a).cmp(&Kind::of(b)),
            };
            if order.is_ne() {
                return order;
            }
        }
        let Some((a, b, at)) = levels.last_mut() else { return Ordering::Equal };
        match (a.element(*at), b.element(*at)) {
            (Some(x), Some(y)) => {
                // Shorter keys first, as they are stored.
                let (k, l) = (a.key(*at).unwrap_or_default(), b.key(*at).unwrap_or_default());
                let order = (k.len(), k).cmp(&(l.len(), l));
                if order.is_ne() {
                    return order;
                }
                *at += 1;
                pair = Some((x.value(), y.value()));
            }
            (None, None) => {
                levels.pop();
            }
            (x, y) => return x.is_some().cmp(&y.is_some()),
        }
    }
}

/// Whether two values are the same, as `=` of `jsonb` sees it.
pub(crate) fn equal(a: Value<'_>, b: Value<'_>) -> bool {
    match (a, b) {
        (Value::Container(a), Value::Container(b)) => {
            let (x, y) = (a.stored().bytes, b.stored().bytes);
            x == y || (a.count() == b.count() && compare(a.value(), b.value()).is_eq())
        }
        _ => compare(a, b).is_eq(),
    }
}
