//! Stored values of each type: how they lie in an array, and how they compare in SQL.

use super::kind::FieldKind;
use crate::jsonb::number;
use crate::pg::array::{self, ElementType};
use std::cmp::Ordering;

/// How one value of a type is stored, of a list one of its elements. `vector` is how pgvector's type is.
pub(crate) fn item_type(kind: &FieldKind, vector: ElementType) -> ElementType {
    match kind {
        // No entry table has a named enum or a native type.
        FieldKind::Text { .. }
        | FieldKind::Enum { .. }
        | FieldKind::Reference { .. }
        | FieldKind::NamedEnum { .. }
        | FieldKind::Native(_) => array::TEXT,
        FieldKind::Integer => array::INTEGER,
        FieldKind::Bigint => array::BIGINT,
        FieldKind::Decimal { .. } => array::NUMERIC,
        FieldKind::Float => array::FLOAT,
        FieldKind::Boolean => array::BOOLEAN,
        FieldKind::Date => array::DATE,
        FieldKind::Time => array::TIME,
        FieldKind::Timestamp => array::TIMESTAMPTZ,
        FieldKind::Uuid => array::UUID,
        FieldKind::Json => array::JSONB,
        FieldKind::Bytes => array::BYTEA,
        FieldKind::Vector { .. } => vector,
    }
}

/// How two stored values of one type compare in SQL. `None` for types whose order Postgres alone
/// knows; its own checks hold there.
pub(crate) fn compare(kind: &FieldKind, a: &[u8], b: &[u8]) -> Option<Ordering> {
    fn read<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
        bytes.try_into().ok()
    }
    // An integer may be compared with a bigint.
    let whole = |bytes: &[u8]| match bytes.len() {
        4 => read(bytes).map(|bytes| i64::from(i32::from_ne_bytes(bytes))),
        _ => read(bytes).map(i64::from_ne_bytes),
    };
    match kind {
        FieldKind::Integer | FieldKind::Bigint => Some(whole(a)?.cmp(&whole(b)?)),
        FieldKind::Date => Some(i32::from_ne_bytes(read(a)?).cmp(&i32::from_ne_bytes(read(b)?))),
        FieldKind::Time | FieldKind::Timestamp => {
            Some(i64::from_ne_bytes(read(a)?).cmp(&i64::from_ne_bytes(read(b)?)))
        }
        FieldKind::Float => f64::from_ne_bytes(read(a)?).partial_cmp(&f64::from_ne_bytes(read(b)?)),
        FieldKind::Decimal { .. } => Some(compare_numeric(a, b)),
        FieldKind::Boolean | FieldKind::Uuid | FieldKind::Bytes => Some(a.cmp(b)),
        // Only whether they are equal: that is all that may be asked of text.
        FieldKind::Text { .. } | FieldKind::Enum { .. } => Some(a.cmp(b)),
        FieldKind::Json
        | FieldKind::Reference { .. }
        | FieldKind::Vector { .. }
        | FieldKind::NamedEnum { .. }
        | FieldKind::Native(_) => None,
    }
}

/// Two finite `numeric` values with their length words.
fn compare_numeric(a: &[u8], b: &[u8]) -> Ordering {
    let (a, b) = (number::parts(a), number::parts(b));
    let sign = |parts: &number::Parts<'_>| match parts.sign {
        _ if parts.digits.is_empty() => 0,
        number::Sign::Negative => -1,
        _ => 1,
    };
    let digits = |parts: &number::Parts<'_>| -> Vec<i16> {
        parts.digits.chunks_exact(2).map(|d| i16::from_ne_bytes([d[0], d[1]])).collect()
    };
    let size = || (a.weight, digits(&a)).cmp(&(b.weight, digits(&b)));
    match (sign(&a), sign(&b)) {
        (1, 1) => size(),
        (-1, -1) => size().reverse(),
        (a, b) => a.cmp(&b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numerics_compare_by_value() {
        let stored = |text: &str| {
            let mut out = Vec::new();
            number::append_numeric(text.as_bytes(), &mut out).unwrap();
            out
        };
        let sorted = [
            "-12345678.9",
            "-10",
            "-9.99",
            "-0.001",
            "0",
            "0.0001",
            "1",
            "1.5",
            "2",
            "10000",
            "1e20",
        ];
        for (i, a) in sorted.iter().enumerate() {
            for (j, b) in sorted.iter().enumerate() {
                assert_eq!(compare_numeric(&stored(a), &stored(b)), i.cmp(&j), "{a} {b}");
            }
        }
        assert_eq!(compare_numeric(&stored("1.0"), &stored("1.000")), Ordering::Equal);
    }
}
