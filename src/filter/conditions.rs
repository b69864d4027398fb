//! What a filter is made of, and whether a document meets it.
//!
//! A field has the values that its path leads to, through the elements of arrays too. A comparison
//! holds if one of the values meets it, or an element of one that is an array; `$ne` and `$nin` are
//! the opposites of `$eq` and `$in`. A field without values counts as null. As in MongoDB.

use super::Filter;
use crate::json_operators::comparison::{Test, collect};
use crate::json_operators::path::Path;
use crate::json_operators::reading::Operand;
use crate::jsonb::order;
use crate::jsonb::view::{Container, Value};
use crate::poll;
use regex::bytes::Regex;

/// A filter or a part of one.
#[derive(Debug)]
pub(crate) enum Condition {
    /// True if there are no conditions.
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    /// What the values of one field must meet, all of it.
    Field(Path, Vec<FieldTest>),
}

#[derive(Debug)]
pub(crate) enum FieldTest {
    Comparison(Test),
    /// A string that an expression finds something in.
    Matches(Regex),
    /// An array with an element that meets all of it.
    ElementMatches(ElementCondition),
    /// Each of these is there.
    HasAll(Vec<Test>),
    /// An array of so many elements.
    Size(usize),
    /// Whether the path leads to a value, null included.
    Exists(bool),
    /// What `@>` of `jsonb` says of one of the values.
    Contains(Operand),
    /// Unless all of these hold.
    Not(Vec<FieldTest>),
}

/// What an element of an array must be: `$pull` and `$elemMatch` ask.
#[derive(Debug)]
pub(crate) enum ElementCondition {
    /// This very value.
    Equal(Operand),
    /// As the values of a field must be, of which it is the only one.
    Tests(Vec<FieldTest>),
    /// An object that meets a filter.
    Object(Condition),
}

impl ElementCondition {
    /// `bytes`: the document that the condition was read from.
    pub(crate) fn holds(&self, bytes: &[u8], element: Value<'_>) -> bool {
        poll::check();
        match self {
            Self::Equal(operand) => order::equal(operand.value(bytes), element),
            Self::Tests(tests) => tests.iter().all(|test| test.holds(bytes, &[element])),
            Self::Object(condition) => {
                matches!(element, Value::Container(object) if object.is_object())
                    && condition.holds(bytes, element)
            }
        }
    }
}

impl Filter {
    /// Whether the document whose datum has these bytes behind its length word meets the filter.
    pub(crate) fn matches(&self, document: &[u8]) -> bool {
        self.condition.holds(&self.bytes, Container::root(document).value())
    }
}

impl Condition {
    /// `bytes`: the filter. The recursion is as deep as the filter, which was bounded when it was read.
    fn holds(&self, bytes: &[u8], document: Value<'_>) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(bytes, document)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(bytes, document)),
            Self::Not(part) => !part.holds(bytes, document),
            Self::Field(path, tests) => {
                let mut values = Vec::new();
                collect(document, path.parts(), &mut values);
                tests.iter().all(|test| test.holds(bytes, &values))
            }
        }
    }
}

impl FieldTest {
    fn holds(&self, bytes: &[u8], values: &[Value<'_>]) -> bool {
        match self {
            Self::Comparison(test) => test.holds_for_one(bytes, values),
            Self::Exists(wanted) => values.is_empty() != *wanted,
            Self::Matches(expression) => {
                let matches = |value: Value<'_>| matches!(value, Value::String(text) if expression.is_match(text));
                values.iter().any(|value| match value {
                    Value::Container(list) if !list.is_object() => {
                        list.elements().any(|element| matches(element.value()))
                    }
                    value => matches(*value),
                })
            }
            Self::ElementMatches(condition) => arrays(values)
                .any(|list| list.elements().any(|e| condition.holds(bytes, e.value()))),
            Self::HasAll(tests) => {
                !tests.is_empty() && tests.iter().all(|test| test.holds_for_one(bytes, values))
            }
            Self::Size(size) => arrays(values).any(|list| list.count() == *size),
            Self::Contains(operand) => {
                let part = operand.value(bytes);
                values.iter().any(|whole| has(*whole, part) || contains(*whole, part))
            }
            Self::Not(tests) => !tests.iter().all(|test| test.holds(bytes, values)),
        }
    }
}

fn arrays<'a>(values: &'a [Value<'a>]) -> impl Iterator<Item = Container<'a>> {
    values.iter().filter_map(|value| match value {
        Value::Container(list) if !list.is_object() => Some(*list),
        _ => None,
    })
}

/// An array has a scalar as an element: what `@>` makes an exception for, at the top only.
fn has(whole: Value<'_>, part: Value<'_>) -> bool {
    matches!((whole, part), (Value::Container(list), scalar)
        if !list.is_object() && !matches!(scalar, Value::Container(_))
            && list.elements().any(|element| order::equal(element.value(), scalar)))
}

/// Follows `JsonbDeepContains` of `jsonb_util.c`. As deep as `part`, which is part of a filter.
fn contains(whole: Value<'_>, part: Value<'_>) -> bool {
    match (whole, part) {
        (Value::Container(whole), Value::Container(part)) if whole.is_object() => {
            part.is_object()
                && part.count() <= whole.count()
                && part.pairs().all(|(key, wanted)| {
                    let found = whole.find(key).ok().and_then(|at| whole.element(at));
                    found.is_some_and(|found| contains(found.value(), wanted.value()))
                })
        }
        (Value::Container(whole), Value::Container(part)) => {
            !part.is_object()
                && part.elements().all(|wanted| {
                    whole.elements().any(|found| contains(found.value(), wanted.value()))
                })
        }
        (Value::Container(_), _) | (_, Value::Container(_)) => false,
        _ => order::equal(whole, part),
    }
}
