//! What each type takes of JSON, and what it refuses.

use super::*;
use crate::field_types::stored::item_type;
use crate::pg::array;

const TEXT: FieldKind = FieldKind::Text { max_length: None };

fn stored(kind: &FieldKind, raw: &str) -> Result<Vec<u8>, Problem> {
    let mut out = Array::new(item_type(kind, array::TEXT));
    decode(kind, raw.as_bytes(), &mut Scratch::new(), &mut out)?;
    Ok(out.last().unwrap().to_vec())
}

fn code(kind: &FieldKind, raw: &str) -> Option<Code> {
    stored(kind, raw).err().map(|problem| problem.code)
}

#[test]
fn takes_what_a_type_can_hold() {
    let price = FieldKind::Decimal { precision: Some((5, 2)) };
    for (kind, raw) in [
        (&FieldKind::Integer, "1.0"),
        (&FieldKind::Integer, "-2147483648"),
        (&FieldKind::Integer, r#""12""#),
        (&FieldKind::Bigint, r#""9223372036854775807""#),
        (&FieldKind::Bigint, "1e3"),
        (&price, "999.990"),
        (&price, r#""0.5""#),
        (&price, "1e2"),
        (&price, "-0"),
        (&FieldKind::Float, "1e308"),
        (&FieldKind::Float, "0e-999"),
        (&FieldKind::Date, r#""2024\u002d02-29""#),
        (&FieldKind::Bytes, r#""aGk=""#),
        (&FieldKind::Bytes, r#""""#),
        (&FieldKind::Uuid, r#""A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11""#),
        (&FieldKind::Text { max_length: Some(2) }, r#""\u00e9\u00e9""#),
        (&FieldKind::Vector { dimensions: 2 }, "[1, -0.5e1]"),
    ] {
        assert_eq!(code(kind, raw), None, "{kind:?} {raw}");
    }
    assert_eq!(stored(&FieldKind::Integer, "1.0"), stored(&FieldKind::Integer, "1"));
    assert_eq!(stored(&FieldKind::Bytes, r#""aGk=""#).unwrap()[4..], *b"hi");
}

#[test]
fn refuses_what_it_would_have_to_guess() {
    let price = FieldKind::Decimal { precision: Some((5, 2)) };
    for (kind, raw, expected) in [
        (&FieldKind::Integer, "1.5", Code::WrongType),
        (&FieldKind::Integer, r#""""#, Code::WrongType),
        (&FieldKind::Integer, r#"" 1""#, Code::WrongType),
        (&FieldKind::Integer, "2147483648", Code::OutOfRange),
        (&FieldKind::Integer, "true", Code::WrongType),
        (&FieldKind::Integer, "01", Code::InvalidJson),
        (&FieldKind::Bigint, "9223372036854775808", Code::OutOfRange),
        (&FieldKind::Bigint, "1e400", Code::OutOfRange),
        (&price, "0.001", Code::OutOfRange),
        (&price, "1000", Code::OutOfRange),
        (&price, "1e-3", Code::OutOfRange),
        (&price, r#""NaN""#, Code::WrongType),
        (&FieldKind::Float, "1e400", Code::OutOfRange),
        (&FieldKind::Float, "1e-400", Code::OutOfRange),
        (&FieldKind::Float, r#""1""#, Code::WrongType),
        (&FieldKind::Boolean, r#""true""#, Code::WrongType),
        (&FieldKind::Boolean, "tru", Code::InvalidJson),
        (&TEXT, "1", Code::WrongType),
        (&TEXT, r#""\u0000""#, Code::NulCharacter),
        (&TEXT, r#""\ud800""#, Code::LoneSurrogate),
        (&TEXT, "\"\n\"", Code::InvalidJson),
        (&FieldKind::Text { max_length: Some(1) }, r#""ab""#, Code::TooLong),
        (&FieldKind::Bytes, r#""aGk""#, Code::WrongType),
        (&FieldKind::Json, r#"{"a":}"#, Code::InvalidJson),
        (&FieldKind::Vector { dimensions: 2 }, "[1]", Code::WrongType),
        (&FieldKind::Vector { dimensions: 1 }, "[1e39]", Code::OutOfRange),
        (&FieldKind::Vector { dimensions: 1 }, r#"["1"]"#, Code::WrongType),
    ] {
        assert_eq!(code(kind, raw), Some(expected), "{kind:?} {raw}");
    }
}

#[test]
fn lists_become_array_literals() {
    let list = |kind: &FieldKind, raw: &str| {
        let mut item = Array::new(item_type(kind, array::TEXT));
        let mut out = Array::new(array::TEXT);
        decode_list(kind, raw.as_bytes(), &mut Scratch::new(), &mut item, &mut out)?;
        Ok::<_, Problem>(String::from_utf8(out.last().unwrap()[4..].to_vec()).unwrap())
    };
    assert_eq!(
        list(&TEXT, r#"[ "a,b" , "\"q\"\\", "NULL" ]"#).unwrap(),
        r#"{"a,b","\"q\"\\","NULL"}"#
    );
    assert_eq!(list(&FieldKind::Integer, "[1.0,\"2\"]").unwrap(), r#"{"1","2"}"#);
    assert_eq!(list(&FieldKind::Boolean, "[]").unwrap(), "{}");
    assert_eq!(
        list(&FieldKind::Timestamp, r#"["2024-01-01T01:00:00+01:00"]"#).unwrap(),
        r#"{"2024-01-01T00:00:00+00"}"#
    );
    for (raw, item) in [("[1,null]", 1), ("[1,[2]]", 1), ("[\"x\"]", 0)] {
        assert_eq!(list(&FieldKind::Integer, raw).unwrap_err().item, Some(item), "{raw}");
    }
    for raw in ["[1", "[1,]", "[,1]", "[1 2]", "{}"] {
        assert!(list(&FieldKind::Integer, raw).is_err(), "{raw}");
    }
}
