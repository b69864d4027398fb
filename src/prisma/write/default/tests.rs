//! Defaults as Postgres prints them, and what the engine reads.

use super::*;

fn scalar(expression: &str, family: Family) -> Option<Default> {
    read(expression, family, false)
}

fn plain(text: &str) -> Option<Default> {
    Some(Default::Value(Value::Plain(text.to_owned())))
}

fn text(text: &str) -> Option<Default> {
    Some(Default::Value(Value::Text(text.to_owned())))
}

fn generated(text: &str) -> Option<Default> {
    Some(Default::Generated(text.to_owned()))
}

#[test]
fn numbers() {
    assert_eq!(scalar("5", Family::Int), plain("5"));
    assert_eq!(scalar("'-1'::integer", Family::Int), plain("-1"));
    assert_eq!(scalar("1.6", Family::Int), generated("1.6"));
    assert_eq!(scalar("(1 + 1)", Family::Int), generated("(1 + 1)"));
    assert_eq!(
        scalar("nextval('a.\"B\"'::regclass)", Family::BigInt),
        Some(Default::Autoincrement)
    );
    assert_eq!(scalar("12.50", Family::Decimal), plain("12.50"));
    assert_eq!(scalar("'-0.5'::numeric", Family::Decimal), plain("-0.5"));
    assert_eq!(scalar("(5)::double precision", Family::Float), plain("5"));
    assert_eq!(scalar("'1e-07'::double precision", Family::Float), Some(Default::Opaque));
    assert_eq!(
        scalar("'NaN'::double precision", Family::Float),
        generated("'NaN'::double precision")
    );
    assert_eq!(scalar("'$12.50'::money", Family::Decimal), generated("'$12.50'::money"));
}

#[test]
fn texts() {
    assert_eq!(scalar("'it''s \"a\" \\'::text", Family::String), text("it's \"a\" \\"));
    assert_eq!(scalar("'a'::character varying(3)", Family::String), text("a"));
    assert_eq!(
        scalar("('a'::text || 'b'::text)", Family::String),
        generated("('a'::text || 'b'::text)")
    );
    assert_eq!(scalar("upper('x'::text)", Family::String), generated("upper('x'::text)"));
    assert_eq!(scalar("NULL::character varying", Family::String), None);
    assert_eq!(scalar("'\\x00ff'::bytea", Family::Bytes), text("AP8="));
    assert_eq!(scalar("'x'::uuid", Family::Uuid), generated("'x'::uuid"));
}

#[test]
fn times_and_truth() {
    for now in ["now()", "CURRENT_TIMESTAMP"] {
        assert_eq!(scalar(now, Family::DateTime), Some(Default::Now));
    }
    for other in ["CURRENT_TIMESTAMP(3)", "(now() + '1 day'::interval)", "'2020-01-01'::date"] {
        assert_eq!(scalar(other, Family::DateTime), generated(other));
    }
    assert_eq!(scalar("true", Family::Boolean), plain("true"));
    assert_eq!(scalar("(NOT true)", Family::Boolean), generated("(NOT true)"));
}

#[test]
fn labels() {
    let label = |label: &str| Some(Default::Value(Value::Label(label.to_owned())));
    assert_eq!(scalar("'Dark Blue'::\"Od d\".\"Color\"", Family::Enum(0)), label("Dark Blue"));
    assert_eq!(scalar("f()", Family::Enum(0)), generated("f()"));
}

#[test]
fn lists() {
    let list = |expression: &str, family| read(expression, family, true);
    let texts = |texts: &[&str]| {
        Some(Default::List(texts.iter().map(|text| Value::Text((*text).to_owned())).collect()))
    };
    assert_eq!(list("'{}'::text[]", Family::String), texts(&[]));
    assert_eq!(
        list("'{\"a b\",\"c\\\"d\",e}'::text[]", Family::String),
        texts(&["a b", "c\"d", "e"])
    );
    assert_eq!(list("ARRAY['it''s'::text, 'b'::text]", Family::String), texts(&["it's", "b"]));
    assert_eq!(
        list("(ARRAY[]::character varying[])::character varying(10)[]", Family::String),
        texts(&[])
    );
    assert_eq!(list("'{a,NULL}'::text[]", Family::String), Some(Default::Opaque));
    assert_eq!(list("'{''a''}'::text[]", Family::String), Some(Default::Opaque));
    assert_eq!(list("'{1,NULL}'::integer[]", Family::Int), generated("'{1,NULL}'::integer[]"));
    for other in ["'{日}'::text[]", "'{e_x}'::text[]", "'{1}'::text[]", "'[2:3]={a,b}'::text[]"] {
        assert_eq!(list(other, Family::String), generated(other));
    }
    assert_eq!(list("'{}'::int4range[]", Family::Unsupported), Some(Default::Opaque));
    let numbers = ["1", "2.5"].map(|number| Value::Plain(number.to_owned())).to_vec();
    assert_eq!(list("ARRAY[(1)::numeric, 2.5]", Family::Decimal), Some(Default::List(numbers)));
    assert_eq!(list("ARRAY[now()]", Family::DateTime), generated("ARRAY[now()]"));
    assert_eq!(list("ARRAY['\\x00'::bytea]", Family::Bytes), texts(&["AA=="]));
}
