//! What `$push`, `$addToSet` and `$pull` make of one array.

use super::operations::{Operations, Reader};
use crate::filter::conditions::ElementCondition;
use crate::json_operators::comparison::MANY;
use crate::json_operators::path::{Path, index, pointer_token};
use crate::json_operators::reading::Operand;
use crate::jsonb::hash::Hasher;
use crate::jsonb::number;
use crate::jsonb::order;
use crate::jsonb::view::{Container, Stored, Value};
use crate::poll;
use std::cmp::Ordering;
use std::collections::HashSet;

/// `$push` with its modifiers.
#[derive(Debug)]
pub(crate) struct Push {
    each: Vec<Operand>,
    /// Where they go; below zero it counts from the end.
    position: Option<i64>,
    sort: Vec<SortKey>,
    /// How many elements stay, the first ones; below zero, the last ones.
    slice: Option<i64>,
}

#[derive(Debug)]
struct SortKey {
    /// None sorts by the whole element.
    field: Option<Path>,
    descending: bool,
}

/// Reads the value of `$push`.
pub(super) fn read_push(
    reader: &mut Reader,
    path: &Path,
    value: Stored<'_>,
    pointer: &str,
) -> Option<Push> {
    let mut push = Push { each: Vec::new(), position: None, sort: Vec::new(), slice: None };
    let Some(modifiers) = modifiers(value.value()) else {
        push.each.push(reader.operand(value));
        return reader.fitting(path, 1, value, pointer).then_some(push);
    };
    let mut good = true;
    let mut each = None;
    for (name, value) in modifiers.pairs() {
        let pointer = format!("{pointer}{}", pointer_token(name));
        match name {
            b"$each" => {
                each = elements(reader, path, value, &pointer);
                good &= each.is_some();
            }
            b"$position" => push.position = integer(reader, value.value(), &pointer),
            b"$slice" => push.slice = integer(reader, value.value(), &pointer),
            b"$sort" => match read_sort(value.value()) {
                Ok(sort) => push.sort = sort,
                Err(problem) => {
                    reader.problem(&pointer, problem);
                    good = false;
                }
            },
            _ => {
                let known = "$each, $position, $slice and $sort";
                reader.problem(&pointer, format!("unknown modifier (known: {known})"));
                good = false;
            }
        }
    }
    if !modifiers.keys().any(|key| key.bytes == b"$each") {
        reader.problem(pointer, "modifiers need $each beside them");
        return None;
    }
    push.each = each?;
    good.then_some(push)
}

/// Reads the value of `$addToSet`.
pub(super) fn read_each(
    reader: &mut Reader,
    path: &Path,
    value: Stored<'_>,
    pointer: &str,
) -> Option<Vec<Operand>> {
    let Some(modifiers) = modifiers(value.value()) else {
        let operand = reader.operand(value);
        return reader.fitting(path, 1, value, pointer).then(|| vec![operand]);
    };
    let mut each = None;
    for (name, value) in modifiers.pairs() {
        let pointer = format!("{pointer}{}", pointer_token(name));
        if name == b"$each" {
            each = elements(reader, path, value, &pointer);
        } else {
            reader.problem(&pointer, "unknown modifier (known: $each)");
        }
    }
    each
}

/// An object whose keys begin with `$`.
fn modifiers(value: Value<'_>) -> Option<Container<'_>> {
    let Value::Container(object) = value else { return None };
    object.keys().any(|key| key.bytes.starts_with(b"$")).then_some(object)
}

fn elements(
    reader: &mut Reader,
    path: &Path,
    value: Stored<'_>,
    pointer: &str,
) -> Option<Vec<Operand>> {
    match value.value() {
        Value::Container(list) if !list.is_object() => {
            let fits = reader.fitting(path, 0, value, pointer);
            fits.then(|| list.elements().map(|element| reader.operand(element)).collect())
        }
        other => {
            reader.wanted(pointer, "an array", other);
            None
        }
    }
}

fn integer(reader: &mut Reader, value: Value<'_>, pointer: &str) -> Option<i64> {
    if let Value::Number(datum) = value {
        let number = number::to_integer(datum);
        if number.is_none() {
            reader.problem(pointer, "must be a whole number (of 18 digits at most)");
        }
        return number;
    }
    reader.wanted(pointer, "a whole number", value);
    None
}

/// `1`, `-1`, `{"field": 1}`, or an array of such objects.
fn read_sort(value: Value<'_>) -> Result<Vec<SortKey>, String> {
    let direction = |value: Value<'_>| match value {
        Value::Number(datum) => match number::to_integer(datum) {
            Some(1) => Ok(false),
            Some(-1) => Ok(true),
            _ => Err("a direction is 1 or -1".to_owned()),
        },
        _ => Err("a direction is 1 or -1".to_owned()),
    };
    let key = |object: Container<'_>| {
        if object.count() != 1 {
            return Err("several fields are given as an array of objects with one field each \
                        ([{\"a\": 1}, {\"b\": -1}]), because jsonb keeps no order of keys"
                .to_owned());
        }
        let (Some(name), Some(value)) = (object.key(0), object.element(0)) else {
            return Err("an object with one field is expected".to_owned());
        };
        Ok(SortKey { field: Some(Path::dotted(name)?), descending: direction(value.value())? })
    };
    match value {
        Value::Container(object) if object.is_object() => Ok(vec![key(object)?]),
        Value::Container(list) if list.count() > 0 => list
            .elements()
            .map(|element| match element.value() {
                Value::Container(object) if object.is_object() => key(object),
                _ => Err("an array of objects with one field each is expected".to_owned()),
            })
            .collect(),
        other => Ok(vec![SortKey { field: None, descending: direction(other)? }]),
    }
}

impl Push {
    /// The elements of `array`, or of none, with the new ones among them.
    pub(super) fn apply<'a>(
        &self,
        operations: &'a Operations,
        array: Option<Container<'a>>,
    ) -> Vec<Stored<'a>> {
        let mut elements: Vec<_> = array.map_or_else(Vec::new, |array| array.elements().collect());
        let position = self.position.unwrap_or(i64::MAX);
        let length = elements.len();
        let at = place(position, length);
        elements.splice(at..at, self.each.iter().map(|operand| operations.stored(*operand)));
        if !self.sort.is_empty() {
            self.sort(&mut elements);
        }
        if let Some(slice) = self.slice {
            let kept = usize::try_from(slice.unsigned_abs()).unwrap_or(usize::MAX);
            if slice < 0 {
                elements.drain(..elements.len().saturating_sub(kept));
            } else {
                elements.truncate(kept);
            }
        }
        elements
    }

    fn sort(&self, elements: &mut [Stored<'_>]) {
        elements.sort_by(|a, b| {
            poll::check();
            for key in &self.sort {
                let (a, b) = match &key.field {
                    None => (a.value(), b.value()),
                    Some(path) => (field(a.value(), path), field(b.value(), path)),
                };
                let order = order::compare(a, b);
                if order.is_ne() {
                    return if key.descending { order.reverse() } else { order };
                }
            }
            Ordering::Equal
        });
    }
}

/// Where a position lies in an array: beyond its ends is at its ends.
fn place(position: i64, length: usize) -> usize {
    let distance = usize::try_from(position.unsigned_abs()).unwrap_or(usize::MAX);
    if position < 0 { length.saturating_sub(distance) } else { distance.min(length) }
}

/// A place inside a value; null if it is not there.
fn field<'a>(value: Value<'a>, path: &Path) -> Value<'a> {
    let mut value = value;
    for part in path.parts() {
        let Value::Container(container) = value else { return Value::Null };
        let at = if container.is_object() { container.find(part).ok() } else { index(part) };
        match at.and_then(|at| container.element(at)) {
            Some(stored) => value = stored.value(),
            None => return Value::Null,
        }
    }
    value
}

/// The elements of `array` and those of `each` that it does not have; None if it has them all.
pub(super) fn add_to_set<'a>(
    operations: &'a Operations,
    each: &[Operand],
    array: Option<Container<'a>>,
) -> Option<Vec<Stored<'a>>> {
    let mut elements: Vec<_> = array.map_or_else(Vec::new, |array| array.elements().collect());
    let before = elements.len();
    if each.len() < MANY {
        for operand in each {
            let value = operations.value(*operand);
            if !elements.iter().any(|element| order::equal(element.value(), value)) {
                elements.push(operations.stored(*operand));
            }
        }
    } else {
        let mut hasher = Hasher::default();
        let mut known: HashSet<u128> =
            elements.iter().map(|element| hasher.hash_value(element.value(), None)).collect();
        for operand in each {
            poll::check();
            if known.insert(hasher.hash_value(operations.value(*operand), None)) {
                elements.push(operations.stored(*operand));
            }
        }
    }
    (array.is_none() || elements.len() > before).then_some(elements)
}

/// The elements of `array` that do not meet the condition; None if none does.
pub(super) fn pull<'a>(
    operations: &'a Operations,
    condition: &ElementCondition,
    array: Container<'a>,
) -> Option<Vec<Stored<'a>>> {
    kept(array, |element| !condition.holds(operations.bytes(), element))
}

/// The elements of `array` that are to stay; None if all are.
pub(super) fn kept<'a>(
    array: Container<'a>,
    stays: impl Fn(Value<'a>) -> bool,
) -> Option<Vec<Stored<'a>>> {
    let mut kept: Vec<_> = array.elements().collect();
    let before = kept.len();
    kept.retain(|element| {
        poll::check();
        stays(element.value())
    });
    (kept.len() < before).then_some(kept)
}
