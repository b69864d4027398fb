//! Keys of entries.

use crate::field_types::scalar;
use crate::pg::array::Array;
use crate::pg::rows::Row;
use crate::structure::model::KeyKind;
use std::fmt;

/// The key of one entry.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Key {
    Bigint(i64),
    Uuid(u128),
    Text(String),
}

impl Key {
    /// Reads what [`fmt::Display`] writes.
    pub(crate) fn parse(kind: KeyKind, text: &str) -> Option<Key> {
        match kind {
            // "007" is the key of nothing.
            KeyKind::Bigint => {
                let value: i64 = text.trim().parse().ok()?;
                (value.to_string() == text.trim()).then_some(Key::Bigint(value))
            }
            KeyKind::Uuid => scalar::uuid(text.trim().as_bytes()).map(Key::Uuid),
            KeyKind::Cuid => Some(Key::Text(text.to_owned())),
        }
    }

    /// From a stored value.
    pub(crate) fn from_stored(kind: KeyKind, bytes: &[u8]) -> Option<Key> {
        Some(match kind {
            KeyKind::Bigint => Key::Bigint(i64::from_ne_bytes(bytes.try_into().ok()?)),
            KeyKind::Uuid => Key::Uuid(u128::from_be_bytes(bytes.try_into().ok()?)),
            KeyKind::Cuid => Key::Text(String::from_utf8_lossy(bytes.get(4..)?).into_owned()),
        })
    }

    /// From a row of a statement.
    pub(crate) fn of<const N: usize>(
        kind: KeyKind,
        row: &Row<'_, N>,
        column: usize,
    ) -> Option<Key> {
        match kind {
            KeyKind::Bigint => row.bigint(column).map(Key::Bigint),
            KeyKind::Uuid => row.uuid(column).map(Key::Uuid),
            KeyKind::Cuid => row.text(column).map(|text| Key::Text(text.to_owned())),
        }
    }

    pub(crate) fn push_to(&self, array: &mut Array) {
        match self {
            Key::Bigint(value) => array.push_bytes(&value.to_ne_bytes()),
            Key::Uuid(value) => array.push_bytes(&value.to_be_bytes()),
            Key::Text(text) => array.push_text(text),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Key::Bigint(value) => write!(f, "{value}"),
            Key::Uuid(value) => {
                let hex = format!("{value:032x}");
                let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
                f.write_str(&parts.join("-"))
            }
            Key::Text(text) => f.write_str(text),
        }
    }
}
