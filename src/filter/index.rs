//! What a GIN index on the metadata can look for: a `jsonpath` that every match fulfils.
//!
//! In lax mode a path goes through the elements of arrays, and `==` compares the elements of an array,
//! as a filter does; `@>` knows neither. `jsonb_path_ops` finds `==` with a scalar.

use super::Filter;
use super::conditions::{Condition, FieldTest};
use crate::json_operators::comparison::Test;
use crate::json_operators::path::{self, Path};
use crate::json_operators::reading::Operand;
use crate::jsonb::number::plain_decimal;
use crate::jsonb::view::Value;

/// An index is asked for so many scalars at most.
const MAX_TERMS: usize = 100;

/// See the module.
#[derive(Debug)]
pub(crate) struct Probe {
    /// For `@?`.
    pub(crate) path: String,
    /// Whether all that fulfils it is a match, too.
    pub(crate) exact: bool,
}

/// A predicate of a `jsonpath`.
struct Predicate {
    text: String,
    terms: usize,
    exact: bool,
}

impl Filter {
    /// None where an index is no help.
    pub(crate) fn probe(&self) -> Option<Probe> {
        self.probe_from("$")
    }

    /// The same where the document stands below a key of another one.
    pub(crate) fn probe_below(&self, key: &str) -> Option<Probe> {
        self.probe_from(&format!("$.{}", quoted(key.as_bytes())))
    }

    fn probe_from(&self, root: &str) -> Option<Probe> {
        let predicate = of_condition(&self.bytes, root, &self.condition)?;
        Some(Probe { path: format!("$ ? ({})", predicate.text), exact: predicate.exact })
    }
}

/// `root`: where the document stands.
fn of_condition(bytes: &[u8], root: &str, condition: &Condition) -> Option<Predicate> {
    match condition {
        Condition::All(parts) => {
            and(parts.iter().map(|part| of_condition(bytes, root, part)).collect())
        }
        Condition::Any(parts) => {
            or(parts.iter().map(|part| of_condition(bytes, root, part)).collect::<Option<_>>()?)
        }
        Condition::Not(_) => None,
        Condition::Field(path, tests) => {
            let base = accessors(root, path)?;
            and(tests.iter().map(|test| of_test(bytes, &base, test)).collect())
        }
    }
}

fn of_test(bytes: &[u8], base: &str, test: &FieldTest) -> Option<Predicate> {
    match test {
        FieldTest::Contains(operand) => match operand.value(bytes) {
            // Of the value itself, and not of the elements of one that is an array.
            Value::Container(_) => leaves(base, operand.value(bytes), false),
            scalar => equals(base, scalar),
        },
        FieldTest::HasAll(tests) => {
            and(tests.iter().map(|test| of_comparison(bytes, base, test)).collect())
        }
        FieldTest::Comparison(test) => of_comparison(bytes, base, test),
        _ => None,
    }
}

fn of_comparison(bytes: &[u8], base: &str, test: &Test) -> Option<Predicate> {
    // No value at all counts as null, and is in no index.
    let of_value = |operand: &Operand| match operand.value(bytes) {
        Value::Null => None,
        Value::Container(_) => leaves(base, operand.value(bytes), true),
        scalar => equals(base, scalar),
    };
    match test {
        Test::Equal(operand) => of_value(operand),
        Test::In(set) => or(set.values()?.iter().map(of_value).collect::<Option<_>>()?),
        _ => None,
    }
}

/// The scalars that a value is known to have where another is, or contains, this object or array.
/// `in_array`: that one may be an element of an array.
fn leaves(base: &str, value: Value<'_>, in_array: bool) -> Option<Predicate> {
    let mut found = Vec::new();
    add_leaves(base.to_owned(), value, in_array, &mut found);
    let predicate = and(found)?;
    Some(Predicate { exact: false, ..predicate })
}

/// A path leads through one array at each key, and not through an array in an array. As deep as the
/// filter.
fn add_leaves(base: String, value: Value<'_>, in_array: bool, found: &mut Vec<Option<Predicate>>) {
    match value {
        Value::Container(object) if object.is_object() => {
            for (key, value) in object.pairs() {
                add_leaves(format!("{base}.{}", quoted(key)), value.value(), false, found);
            }
        }
        Value::Container(_) if in_array => {}
        Value::Container(list) => {
            for element in list.elements() {
                add_leaves(base.clone(), element.value(), true, found);
            }
        }
        scalar if found.len() < MAX_TERMS => found.push(equals(&base, scalar)),
        _ => {}
    }
}

fn and(parts: Vec<Option<Predicate>>) -> Option<Predicate> {
    let exact = parts.iter().all(|part| part.as_ref().is_some_and(|part| part.exact));
    let mut terms = 0;
    let mut texts = Vec::new();
    let mut all = true;
    for part in parts.into_iter().flatten() {
        // Where there are too many, some are enough.
        if terms + part.terms <= MAX_TERMS {
            terms += part.terms;
            texts.push(part.text);
        } else {
            all = false;
        }
    }
    if texts.is_empty() {
        return None;
    }
    Some(Predicate { text: joined(texts, " && "), terms, exact: exact && all })
}

fn or(parts: Vec<Predicate>) -> Option<Predicate> {
    let terms = parts.iter().map(|part| part.terms).sum();
    if parts.is_empty() || terms > MAX_TERMS {
        return None;
    }
    let exact = parts.iter().all(|part| part.exact);
    let texts = parts.into_iter().map(|part| part.text).collect();
    Some(Predicate { text: joined(texts, " || "), terms, exact })
}

fn joined(mut texts: Vec<String>, operator: &str) -> String {
    if texts.len() == 1 { texts.remove(0) } else { format!("({})", texts.join(operator)) }
}

fn equals(base: &str, scalar: Value<'_>) -> Option<Predicate> {
    let literal = match scalar {
        Value::Null => "null".to_owned(),
        Value::Boolean(value) => value.to_string(),
        Value::String(text) => quoted(text),
        Value::Number(datum) => plain_decimal(datum)?,
        Value::Container(_) => return None,
    };
    Some(Predicate { text: format!("{base} == {literal}"), terms: 1, exact: true })
}

/// None where a key may be the index of an array.
fn accessors(root: &str, path: &Path) -> Option<String> {
    let mut text = root.to_owned();
    for key in path.parts() {
        if path::index(key).is_some() {
            return None;
        }
        text.push('.');
        text.push_str(&quoted(key));
    }
    Some(text)
}

/// A string of `jsonpath`, whose escapes are those of JSON.
fn quoted(text: &[u8]) -> String {
    serde_json::Value::from(String::from_utf8_lossy(text)).to_string()
}
