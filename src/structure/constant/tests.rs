//! Constants, spelt in all ways, and beside the values of entries.

use super::*;
use crate::answer::Problem;
use crate::field_types::scalar::{self, Scratch};
use crate::field_types::stored::{compare, item_type};
use crate::jsonb::scan;
use crate::pg::array::{self, Array};
use proptest::prelude::*;

fn read(kind: &FieldKind, text: &str) -> Result<Constant, String> {
    Constant::read(kind, false, &Json::parse(text).unwrap())
}

#[test]
fn equal_values_are_equal_constants() {
    let decimal = FieldKind::Decimal { precision: None };
    for (kind, spellings) in [
        (&decimal, &["10", "10.0", "1e1", "10.00"][..]),
        (&FieldKind::Integer, &["-5", "-5.0", "-50e-1"]),
        (&FieldKind::Float, &["0.5", "5e-1"]),
        (&FieldKind::Float, &["0", "-0.0"]),
        (
            &FieldKind::Timestamp,
            &[r#""2024-01-01T01:00:00+01:00""#, r#""2024-01-01""#, r#""2024-01-01 00:00:00Z""#],
        ),
        (&FieldKind::Json, &[r#"{"bb":1.0,"a":[]}"#, r#"{"a":[],"bb":1}"#]),
    ] {
        let all: Vec<Constant> = spellings.iter().map(|text| read(kind, text).unwrap()).collect();
        assert!(all.iter().all(|one| *one == all[0]), "{all:?}");
        for one in all {
            assert_eq!(Constant::from_output(kind, false, &one.input()), Some(one.clone()));
            assert_eq!(Constant::read(kind, false, &one.to_json()), Ok(one));
        }
    }
}

#[test]
fn nothing_is_rounded_or_guessed() {
    let price = FieldKind::Decimal { precision: Some((5, 2)) };
    for (kind, text) in [
        (&price, "0.001"),
        (&price, "1000"),
        (&FieldKind::Integer, "1.5"),
        (&FieldKind::Integer, "2147483648"),
        (&FieldKind::Integer, r#""1""#),
        (&FieldKind::Bigint, "9223372036854775808"),
        (&FieldKind::Float, "1e400"),
        (&FieldKind::Date, r#""2024-02-30""#),
        (&FieldKind::Date, r#""0000-01-01""#),
        (&FieldKind::Date, r#""today""#),
        (&FieldKind::Time, r#""24:00:00""#),
        (&FieldKind::Time, r#""10:00:00Z""#),
        (&FieldKind::Time, r#""10:00:00.0000001""#),
        (&FieldKind::Timestamp, r#""2024-01-01T00:00:60Z""#),
        (&FieldKind::Timestamp, r#""0001-01-01T00:00:00+01:00""#),
        (&FieldKind::Timestamp, r#""9999-12-31T23:59:59-01:00""#),
        (&FieldKind::Uuid, r#""x""#),
        (&FieldKind::Text { max_length: Some(1) }, r#""ab""#),
    ] {
        assert!(read(kind, text).is_err(), "{text}");
    }
    assert_eq!(read(&price, "999.99"), Ok(Constant::Decimal("999.99".to_owned())));
}

#[test]
fn lists_survive_every_character() {
    let kind = FieldKind::Text { max_length: None };
    let list = Json::parse(r#"["a,b","\"q\"","{x}","\\","","NULL"," "]"#).unwrap();
    let constant = Constant::read(&kind, true, &list).unwrap();
    assert_eq!(Constant::from_output(&kind, true, &constant.input()), Some(constant.clone()));
    assert_eq!(constant.to_json(), list);
    assert_eq!(Constant::from_output(&kind, true, "{}"), Some(Constant::List(Vec::new())));
    assert_eq!(
        Constant::from_output(&FieldKind::Integer, true, "{1,-2}"),
        Some(Constant::List(vec![Constant::Integer(1), Constant::Integer(-2)]))
    );
}

#[test]
fn decimals_compare_by_value() {
    for (a, b) in [("-10", "-9"), ("-1", "0"), ("0", "0.001"), ("9", "10"), ("1.1", "1.12")] {
        assert_eq!(compare_plain(a, b), Ordering::Less, "{a} {b}");
        assert_eq!(compare_plain(b, a), Ordering::Greater, "{a} {b}");
    }
}

const TEXT: FieldKind = FieldKind::Text { max_length: None };

/// As a value of an entry.
fn stored(kind: &FieldKind, raw: &str) -> Result<Vec<u8>, Problem> {
    let mut out = Array::new(item_type(kind, array::TEXT));
    scalar::decode(kind, raw.as_bytes(), &mut Scratch::new(), &mut out)?;
    Ok(out.last().unwrap().to_vec())
}

fn values() -> impl Strategy<Value = String> {
    prop_oneof![
        "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,5})?([eE][+-]?[0-9]{1,3})?",
        "-?[0-9.eE+-]{1,6}",
        r#""[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?(Z|[+-][0-9]{2}:?[0-9]{0,2})?)?""#,
        r#""[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,8})?)?""#,
        r#""[a-zé"\\u0]{0,6}""#,
        "(true|false|\\[\\]|\\{\\}|\\[1, 2\\])",
    ]
}

proptest! {
    /// Values of entries and values in structures are read alike; only numbers may also stand in
    /// strings here.
    #[test]
    fn agrees_with_constants(raw in values()) {
        // Other texts do not come out of an object's text as one value.
        prop_assume!(scan::skip_value(raw.as_bytes(), 0) == Ok(raw.len()));
        let kinds = [
            TEXT, FieldKind::Text { max_length: Some(3) }, FieldKind::Integer,
            FieldKind::Bigint, FieldKind::Decimal { precision: None },
            FieldKind::Decimal { precision: Some((6, 2)) }, FieldKind::Float,
            FieldKind::Boolean, FieldKind::Date, FieldKind::Time, FieldKind::Timestamp,
            FieldKind::Json,
        ];
        let json = Json::parse(&raw).ok().filter(|json| *json != Json::Null);
        for kind in kinds {
            let ours = stored(&kind, &raw);
            let constant = json.as_ref().and_then(|j| Constant::read(&kind, false, j).ok());
            let Some(constant) = constant else {
                let in_string = raw.starts_with('"') && ours.is_ok() && matches!(
                    kind,
                    FieldKind::Integer | FieldKind::Bigint | FieldKind::Decimal { .. }
                );
                // A constant has a hundred digits at most, and may not vanish in a double.
                let wide = matches!(kind, FieldKind::Decimal { precision: None })
                    && ours.is_ok() && raw.contains(['e', 'E']);
                let wide_json = kind == FieldKind::Json && ours.is_ok() && json.is_some();
                prop_assert!(
                    ours.is_err() || in_string || wide || wide_json,
                    "{:?} {}", kind, raw
                );
                continue;
            };
            let vanished = kind == FieldKind::Float && constant == Constant::Float(0.0);
            if vanished && ours.is_err() {
                continue;
            }
            prop_assert!(ours.is_ok(), "{:?} {} {:?}", kind, raw, ours);
            let again = stored(&kind, &constant.to_json().to_string());
            let same = match (&ours, &again) {
                (Ok(a), Ok(b)) if kind == FieldKind::Json => a.len() <= b.len() + 64,
                (Ok(a), Ok(b)) => compare(&kind, a, b).is_some_and(|o| o.is_eq()),
                _ => false,
            };
            prop_assert!(same, "{:?} {} {:?}", kind, raw, constant);
        }
    }
}
