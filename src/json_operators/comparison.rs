//! Comparisons of a value: `$eq`, `$gt`, `$in` and their kin.
//!
//! As in MongoDB a field that is not there counts as null, and a field that holds an array meets a comparison
//! if one of its elements does. How comparisons are combined is the business of `filter`.

use super::path::index;
use super::reading::{Operand, Reading};
use crate::jsonb::hash::Hasher;
use crate::jsonb::order::{self, Kind};
use crate::jsonb::view::{Container, Stored, Value};
use std::cmp::Ordering;
use std::collections::HashSet;

/// From so many values on, sets are looked up by hash.
pub(crate) const MANY: usize = 8;

/// One comparison.
#[derive(Debug)]
pub(crate) enum Test {
    Equal(Operand),
    NotEqual(Operand),
    In(Set),
    NotIn(Set),
    /// Of one kind, and in one of these orders.
    Ordered(Operand, &'static [Ordering]),
}

/// Values to look up.
#[derive(Debug)]
pub(crate) struct Set {
    values: Vec<Operand>,
    /// Where there are many: what they say.
    hashes: HashSet<u128>,
}

/// An object with a key that begins with `$`.
pub(crate) fn has_comparisons(object: Container<'_>) -> bool {
    object.keys().any(|key| key.bytes.starts_with(b"$"))
}

/// Reads one comparison by its name.
pub(crate) fn read_test(
    reader: &mut Reading,
    name: &[u8],
    value: Stored<'_>,
    pointer: &str,
) -> Option<Test> {
    use Ordering::{Equal, Greater, Less};
    let operand = reader.operand(value);
    match name {
        b"$eq" => Some(Test::Equal(operand)),
        b"$ne" => Some(Test::NotEqual(operand)),
        b"$gt" => Some(Test::Ordered(operand, &[Greater])),
        b"$gte" => Some(Test::Ordered(operand, &[Greater, Equal])),
        b"$lt" => Some(Test::Ordered(operand, &[Less])),
        b"$lte" => Some(Test::Ordered(operand, &[Less, Equal])),
        b"$in" => read_set(reader, value.value(), pointer).map(Test::In),
        b"$nin" => read_set(reader, value.value(), pointer).map(Test::NotIn),
        _ => {
            reader.problem(pointer, "is not a comparison");
            None
        }
    }
}

pub(crate) fn read_set(reader: &mut Reading, value: Value<'_>, pointer: &str) -> Option<Set> {
    match value {
        Value::Container(list) if !list.is_object() => {
            let mut hashes = HashSet::new();
            if list.count() >= MANY {
                let mut hasher = Hasher::default();
                hashes.extend(list.elements().map(|e| hasher.hash_value(e.value(), None)));
            }
            let values = list.elements().map(|element| reader.operand(element)).collect();
            Some(Set { values, hashes })
        }
        other => {
            reader.wanted(pointer, "an array", other);
            None
        }
    }
}

impl Set {
    pub(crate) fn values(&self) -> &[Operand] {
        &self.values
    }

    pub(crate) fn has(&self, bytes: &[u8], value: Value<'_>) -> bool {
        if self.hashes.is_empty() {
            let same = |operand: &Operand| order::equal(operand.value(bytes), value);
            return self.values.iter().any(same);
        }
        self.hashes.contains(&Hasher::default().hash_value(value, None))
    }
}

impl Test {
    /// Whether a value as a whole meets the comparison.
    fn holds(&self, bytes: &[u8], value: Value<'_>) -> bool {
        match self {
            Self::Equal(operand) => order::equal(operand.value(bytes), value),
            Self::NotEqual(operand) => !order::equal(operand.value(bytes), value),
            Self::In(set) => set.has(bytes, value),
            Self::NotIn(set) => !set.has(bytes, value),
            Self::Ordered(operand, orders) => {
                let limit = operand.value(bytes);
                Kind::of(value) == Kind::of(limit) && orders.contains(&order::compare(value, limit))
            }
        }
    }

    /// Whether one of the values that a field has meets the comparison; of the negations, whether all
    /// do. No value at all is null.
    pub(crate) fn holds_for_one(&self, bytes: &[u8], values: &[Value<'_>]) -> bool {
        let holds = |value: &Value<'_>| match (self, value) {
            (Self::NotEqual(_) | Self::NotIn(_), Value::Container(list)) if !list.is_object() => {
                self.holds(bytes, *value)
                    && list.elements().all(|element| self.holds(bytes, element.value()))
            }
            (_, Value::Container(list)) if !list.is_object() => {
                self.holds(bytes, *value)
                    || list.elements().any(|element| self.holds(bytes, element.value()))
            }
            _ => self.holds(bytes, *value),
        };
        match self {
            _ if values.is_empty() => self.holds(bytes, Value::Null),
            Self::NotEqual(_) | Self::NotIn(_) => values.iter().all(holds),
            _ => values.iter().any(holds),
        }
    }
}

/// The values at a path; where an array is in the way, those in its elements.
pub(crate) fn collect<'a>(value: Value<'a>, path: &[Vec<u8>], found: &mut Vec<Value<'a>>) {
    let Some((key, below)) = path.split_first() else {
        found.push(value);
        return;
    };
    let Value::Container(container) = value else { return };
    if container.is_object() {
        if let Some(stored) = container.find(key).ok().and_then(|at| container.element(at)) {
            collect(stored.value(), below, found);
        }
        return;
    }
    if let Some(stored) = index(key).and_then(|at| container.element(at)) {
        collect(stored.value(), below, found);
    }
    for element in container.elements() {
        if let Value::Container(object) = element.value()
            && object.is_object()
        {
            collect(element.value(), path, found);
        }
    }
}
