//! Places in a document: keys and array indexes, from the outside in.

use crate::jsonb::MAX_DEPTH;
use crate::jsonb::order::Kind;
use crate::jsonb::view::Value;
use std::borrow::Cow;
use std::cmp::Ordering;

/// Keys or indexes, at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Path(Vec<Vec<u8>>);

impl Path {
    /// `result.org1` or `["result", "org.1"]`, or why it is neither.
    pub(crate) fn read(value: Value<'_>) -> Result<Self, String> {
        match value {
            Value::String(text) => Self::dotted(text),
            Value::Container(list) if !list.is_object() => {
                let parts = list.elements().map(|part| match part.value() {
                    Value::String(text) => Ok(text.to_vec()),
                    other => Err(format!(
                        "a path holds strings (array indexes too), not {}",
                        Kind::of(other).name()
                    )),
                });
                Self::of(parts.collect::<Result<_, _>>()?)
            }
            other => Err(format!(
                "a path is a string or an array of strings, not {}",
                Kind::of(other).name()
            )),
        }
    }

    /// Keys divided by dots.
    pub(crate) fn dotted(text: &[u8]) -> Result<Self, String> {
        let path = Self::of(text.split(|byte| *byte == b'.').map(<[u8]>::to_vec).collect())?;
        if path.0.iter().any(Vec::is_empty) {
            return Err("a key between dots is empty; a path with empty keys is written as an \
                        array, in the form {\"op\", \"path\", \"value\"}"
                .to_owned());
        }
        if path.0.iter().any(|part| part[0] == b'$') {
            return Err("a key begins with $; there are no positional operators ($, $[]), and a \
                        path with such keys is written as an array, in the form {\"op\", \
                        \"path\", \"value\"}"
                .to_owned());
        }
        Ok(path)
    }

    fn of(parts: Vec<Vec<u8>>) -> Result<Self, String> {
        match parts.len() {
            0 => Err("a path names at least one key".to_owned()),
            1..=MAX_DEPTH => Ok(Self(parts)),
            _ => Err(format!("a path has at most {MAX_DEPTH} keys")),
        }
    }

    pub(crate) fn parts(&self) -> &[Vec<u8>] {
        &self.0
    }

    pub(crate) fn starts_with(&self, other: &Self) -> bool {
        self.0.starts_with(&other.0)
    }

    /// For messages: dotted where that is unambiguous, else as an array.
    pub(crate) fn show(&self) -> String {
        show(&self.0)
    }
}

/// As [`Path::show`], of the first keys of a path.
pub(crate) fn show(parts: &[Vec<u8>]) -> String {
    let text = |part: &Vec<u8>| String::from_utf8_lossy(part).into_owned();
    let parts: Vec<String> = parts.iter().map(text).collect();
    let plain = |part: &String| !part.is_empty() && !part.starts_with('$') && !part.contains('.');
    if parts.iter().all(plain) {
        format!("\"{}\"", parts.join("."))
    } else {
        serde_json::to_string(&parts).unwrap_or_default()
    }
}

/// Paths stand as the keys of a `jsonb` do, a path before those that go on below it.
impl Ord for Path {
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |part: &Vec<u8>| part.len();
        for (a, b) in self.0.iter().zip(&other.0) {
            let order = key(a).cmp(&key(b)).then_with(|| a.cmp(b));
            if order.is_ne() {
                return order;
            }
        }
        self.0.len().cmp(&other.0.len())
    }
}

impl PartialOrd for Path {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The array index that a key spells: digits without a leading zero.
pub(crate) fn index(key: &[u8]) -> Option<usize> {
    let digits = !key.is_empty() && key.len() <= 9 && key.iter().all(u8::is_ascii_digit);
    if !digits || (key[0] == b'0' && key.len() > 1) {
        return None;
    }
    Some(key.iter().fold(0, |number, digit| 10 * number + usize::from(digit - b'0')))
}

/// One step of a JSON Pointer (RFC 6901).
pub(crate) fn pointer_token(key: &[u8]) -> String {
    let text = String::from_utf8_lossy(key);
    let text: Cow<'_, str> = if text.contains(['~', '/']) {
        text.replace('~', "~0").replace('/', "~1").into()
    } else {
        text
    };
    format!("/{text}")
}
