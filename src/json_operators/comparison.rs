//! Comparisons of a value: `$eq`, `$gt`, `$in` and their kin.
//!
//! As in MongoDB a field that is not there counts as null, and a field that holds an array meets a comparison
//! if one of its elements does. How comparisons are combined is the business of `filter`.

use super::dates::{self, Moment};
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
    Ordered(Limit, &'static [Ordering]),
    /// Of one kind with both, and neither below the first nor above the second.
    Between(Limit, Limit),
}

/// What a value is compared with.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Limit {
    Value(Operand),
    /// Texts that are times are compared with it.
    Moment(Moment),
}

impl Limit {
    /// How a value stands to it; None where they are of two kinds.
    fn order_of(self, bytes: &[u8], value: Value<'_>) -> Option<Ordering> {
        match self {
            Self::Value(operand) => {
                let limit = operand.value(bytes);
                (Kind::of(value) == Kind::of(limit)).then(|| order::compare(value, limit))
            }
            Self::Moment(limit) => Some(dates::moment(value)?.cmp(&limit)),
        }
    }
}

/// Values to look up.
#[derive(Debug)]
pub(crate) struct Set {
    values: Vec<Operand>,
    /// Where there are many: what they say.
    hashes: HashSet<u128>,
    /// Those that are times, in their order.
    moments: Vec<Moment>,
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
    match name {
        b"$in" => return read_values(reader, value.value(), pointer).map(Test::In),
        b"$nin" => return read_values(reader, value.value(), pointer).map(Test::NotIn),
        _ => {}
    }
    let limit = read_limit(reader, value, pointer)?;
    match (name, limit) {
        (b"$eq", _) => Some(equal(limit)),
        (b"$ne", Limit::Value(operand)) => Some(Test::NotEqual(operand)),
        (b"$ne", Limit::Moment(moment)) => Some(Test::NotIn(Set::of_moment(moment))),
        (b"$gt", _) => Some(Test::Ordered(limit, &[Greater])),
        (b"$gte", _) => Some(Test::Ordered(limit, &[Greater, Equal])),
        (b"$lt", _) => Some(Test::Ordered(limit, &[Less])),
        (b"$lte", _) => Some(Test::Ordered(limit, &[Less, Equal])),
        _ => {
            reader.problem(pointer, "is not a comparison");
            None
        }
    }
}

/// Equality with a value or a time.
pub(crate) fn equal(limit: Limit) -> Test {
    match limit {
        Limit::Value(operand) => Test::Equal(operand),
        Limit::Moment(_) => Test::Ordered(limit, &[Ordering::Equal]),
    }
}

/// Reads what values are compared with: a value, or a time as `{"$date": "2026-01-31"}`.
pub(crate) fn read_limit(reader: &mut Reading, value: Stored<'_>, pointer: &str) -> Option<Limit> {
    match dates::read(value.value()) {
        None => Some(Limit::Value(reader.operand(value))),
        Some(Ok(moment)) => Some(Limit::Moment(moment)),
        Some(Err(problem)) => {
            reader.problem(&format!("{pointer}/$date"), problem);
            None
        }
    }
}

/// Values, each taken as it is.
pub(crate) fn read_set(reader: &mut Reading, value: Value<'_>, pointer: &str) -> Option<Set> {
    match value {
        Value::Container(list) if !list.is_object() => {
            Some(Set::of_values(reader, list.elements()))
        }
        other => {
            reader.wanted(pointer, "an array", other);
            None
        }
    }
}

/// Values and times.
fn read_values(reader: &mut Reading, value: Value<'_>, pointer: &str) -> Option<Set> {
    let Value::Container(list) = value else { return read_set(reader, value, pointer) };
    if list.is_object() || !list.elements().any(|e| dates::read(e.value()).is_some()) {
        return read_set(reader, value, pointer);
    }
    let (mut values, mut moments) = (Vec::new(), Vec::new());
    for (at, element) in list.elements().enumerate() {
        match read_limit(reader, element, &format!("{pointer}/{at}"))? {
            Limit::Value(_) => values.push(element),
            Limit::Moment(moment) => moments.push(moment),
        }
    }
    moments.sort_unstable();
    Some(Set { moments, ..Set::of_values(reader, values.into_iter()) })
}

impl Set {
    fn of_values<'a>(reader: &Reading, values: impl Iterator<Item = Stored<'a>>) -> Self {
        let values: Vec<Stored<'_>> = values.collect();
        let mut hashes = HashSet::new();
        if values.len() >= MANY {
            let mut hasher = Hasher::default();
            hashes.extend(values.iter().map(|value| hasher.hash_value(value.value(), None)));
        }
        let values = values.into_iter().map(|value| reader.operand(value)).collect();
        Self { values, hashes, moments: Vec::new() }
    }

    fn of_moment(moment: Moment) -> Self {
        Self { values: Vec::new(), hashes: HashSet::new(), moments: vec![moment] }
    }

    /// None where times are among them.
    pub(crate) fn values(&self) -> Option<&[Operand]> {
        self.moments.is_empty().then_some(&self.values)
    }

    pub(crate) fn has(&self, bytes: &[u8], value: Value<'_>) -> bool {
        if !self.moments.is_empty()
            && dates::moment(value).is_some_and(|of| self.moments.binary_search(&of).is_ok())
        {
            return true;
        }
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
            Self::Ordered(limit, orders) => {
                limit.order_of(bytes, value).is_some_and(|order| orders.contains(&order))
            }
            Self::Between(least, most) => {
                least.order_of(bytes, value).is_some_and(Ordering::is_ge)
                    && most.order_of(bytes, value).is_some_and(Ordering::is_le)
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
