//! Reads the bytes of a `jsonb` datum in place.

use super::{container, entry};
use std::cmp::Ordering;

/// An object, an array, or a bare scalar (an array of one with a flag).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Container<'a> {
    bytes: &'a [u8],
}

/// One value.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Value<'a> {
    Null,
    Boolean(bool),
    String(&'a [u8]),
    /// A `numeric` datum with its length word.
    Number(&'a [u8]),
    Container(Container<'a>),
}

/// A value as it is stored: its kind and its bytes without padding.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stored<'a> {
    pub(crate) kind: u32,
    pub(crate) bytes: &'a [u8],
}

impl<'a> Stored<'a> {
    pub(crate) fn value(self) -> Value<'a> {
        match self.kind {
            entry::NULL => Value::Null,
            entry::TRUE => Value::Boolean(true),
            entry::FALSE => Value::Boolean(false),
            entry::STRING => Value::String(self.bytes),
            entry::NUMERIC => Value::Number(self.bytes),
            _ => Value::Container(Container { bytes: self.bytes }),
        }
    }
}

impl Value<'_> {
    /// Whether containers are nested in it more than `limit` deep.
    pub(crate) fn is_deeper_than(self, limit: usize) -> bool {
        let Value::Container(container) = self else { return false };
        let mut levels = vec![container.elements()];
        while levels.len() <= limit {
            let Some(level) = levels.last_mut() else { return false };
            match level.next().map(Stored::value) {
                Some(Value::Container(inner)) => levels.push(inner.elements()),
                Some(_) => {}
                None => {
                    levels.pop();
                }
            }
        }
        true
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

impl<'a> Container<'a> {
    /// The root of a datum, whose four-byte length word is not part of `bytes`.
    pub(crate) fn root(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    fn header(self) -> u32 {
        word(self.bytes, 0)
    }

    /// Elements of an array, pairs of an object.
    pub(crate) fn count(self) -> usize {
        (self.header() & container::COUNT) as usize
    }

    pub(crate) fn is_object(self) -> bool {
        self.header() & container::OBJECT != 0
    }

    pub(crate) fn is_scalar(self) -> bool {
        self.header() & container::SCALAR != 0
    }

    /// The root as a value: the container itself, or the bare scalar in it.
    pub(crate) fn value(self) -> Value<'a> {
        match self.elements().next() {
            Some(scalar) if self.is_scalar() => scalar.value(),
            _ => Value::Container(self),
        }
    }

    /// The values in order; of an object, in the order of its keys.
    pub(crate) fn elements(self) -> Children<'a> {
        let skipped = if self.is_object() { self.count() } else { 0 };
        self.children(skipped, skipped + self.count())
    }

    /// The keys of an object, shorter ones first, then by bytes.
    pub(crate) fn keys(self) -> Children<'a> {
        self.children(0, if self.is_object() { self.count() } else { 0 })
    }

    /// The pairs of an object, in the order of its keys.
    pub(crate) fn pairs(self) -> impl Iterator<Item = (&'a [u8], Stored<'a>)> {
        self.keys().map(|key| key.bytes).zip(self.elements())
    }

    /// The place of a key in an object, or where it would stand.
    pub(crate) fn find(self, key: &[u8]) -> Result<usize, usize> {
        let (mut low, mut high) = (0, if self.is_object() { self.count() } else { 0 });
        while low < high {
            let middle = low.midpoint(high);
            let found = self.children(middle, middle + 1).next().map_or(&[][..], |key| key.bytes);
            match (found.len(), found).cmp(&(key.len(), key)) {
                Ordering::Equal => return Ok(middle),
                Ordering::Less => low = middle + 1,
                Ordering::Greater => high = middle,
            }
        }
        Err(low)
    }

    /// The element with this index; of an object, the value of the pair at this place.
    pub(crate) fn element(self, at: usize) -> Option<Stored<'a>> {
        let first = at + if self.is_object() { self.count() } else { 0 };
        if at < self.count() { self.children(first, first + 1).next() } else { None }
    }

    /// The key at this place of an object.
    pub(crate) fn key(self, at: usize) -> Option<&'a [u8]> {
        if !self.is_object() || at >= self.count() {
            return None;
        }
        self.children(at, at + 1).next().map(|key| key.bytes)
    }

    /// The container as a value among others.
    pub(crate) fn stored(self) -> Stored<'a> {
        Stored { kind: entry::CONTAINER, bytes: self.bytes }
    }

    /// Children by their place in the table of words, the keys of an object first.
    pub(super) fn children(self, first: usize, end: usize) -> Children<'a> {
        let words = self.count() * if self.is_object() { 2 } else { 1 };
        let data = &self.bytes[4 + 4 * words..];
        // The end of the child before the first: add up lengths back to a word with an offset.
        let mut start = 0;
        for at in (0..first).rev() {
            let word = word(self.bytes, 4 + 4 * at);
            start += (word & entry::OFFSET_OR_LENGTH) as usize;
            if word & entry::HAS_OFFSET != 0 {
                break;
            }
        }
        Children { container: self.bytes, data, at: first, end, start }
    }
}

/// See [`Container::elements`].
pub(crate) struct Children<'a> {
    container: &'a [u8],
    data: &'a [u8],
    at: usize,
    end: usize,
    start: usize,
}

impl<'a> Children<'a> {
    /// Where the next child begins among the data of the container, padding included.
    pub(super) fn start(&self) -> usize {
        self.start
    }

    /// The kind of the next child, and how far it reaches with its padding. Goes on to the one behind.
    pub(super) fn skip_one(&mut self) -> Option<(u32, usize)> {
        let stored = self.next()?;
        Some((stored.kind, self.start))
    }

    /// The data of the container between two places.
    pub(super) fn data(&self, start: usize, end: usize) -> &'a [u8] {
        &self.data[start..end]
    }
}

impl<'a> Iterator for Children<'a> {
    type Item = Stored<'a>;

    fn next(&mut self) -> Option<Stored<'a>> {
        if self.at == self.end {
            return None;
        }
        let word = word(self.container, 4 + 4 * self.at);
        let number = (word & entry::OFFSET_OR_LENGTH) as usize;
        let end = if word & entry::HAS_OFFSET != 0 { number } else { self.start + number };
        let kind = word & entry::KIND;
        let start = match kind {
            entry::NUMERIC | entry::CONTAINER => self.start.next_multiple_of(4),
            _ => self.start,
        };
        self.at += 1;
        self.start = end;
        Some(Stored { kind, bytes: &self.data[start..end] })
    }
}
