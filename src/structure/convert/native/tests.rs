//! What changes of Postgres' own types cost.

use super::*;
use crate::field_types::kind::NativeType;

fn native(name: &str, modifiers: &[&str]) -> FieldKind {
    FieldKind::Native(NativeType {
        schema: None,
        name: name.to_owned(),
        modifiers: modifiers.iter().map(|text| (*text).to_owned()).collect(),
    })
}

fn class(from: &FieldKind, to: &FieldKind, list: bool) -> &'static str {
    let sql_type = if list { "t[]" } else { "t" };
    match super::super::change("\"x\"", (from, list), (to, list), sql_type) {
        Change::None => "none",
        Change::Instant => "instant",
        Change::Rewrite { .. } => "rewrite",
        Change::Convert { .. } => "convert",
        Change::Refused(_) => "refused",
    }
}

#[test]
fn native_types_change_at_what_it_costs() {
    let text = |max_length| FieldKind::Text { max_length };
    let named = |name: &str| FieldKind::NamedEnum { schema: "s".into(), name: name.into() };
    for (from, to, expected) in [
        (native("int2", &[]), FieldKind::Integer, "rewrite"),
        (FieldKind::Bigint, native("int2", &[]), "convert"),
        (native("varchar", &[]), text(None), "instant"),
        (text(Some(5)), native("varchar", &[]), "instant"),
        (text(None), text(Some(5)), "convert"),
        (native("bpchar", &["3"]), native("bpchar", &["5"]), "rewrite"),
        (native("bpchar", &["3"]), text(None), "rewrite"),
        (native("bpchar", &["3"]), text(Some(2)), "convert"),
        (text(None), native("bpchar", &["3"]), "convert"),
        (native("timestamp", &["3"]), native("timestamp", &["6"]), "instant"),
        (native("timestamp", &["3"]), native("timestamp", &[]), "instant"),
        (native("timestamp", &[]), native("timestamp", &["3"]), "convert"),
        (native("timestamp", &["3"]), FieldKind::Timestamp, "rewrite"),
        (FieldKind::Timestamp, native("timestamp", &["3"]), "convert"),
        (FieldKind::Date, native("timestamp", &["3"]), "rewrite"),
        (native("timestamptz", &["3"]), FieldKind::Date, "convert"),
        (native("cidr", &[]), native("inet", &[]), "instant"),
        (native("inet", &[]), native("cidr", &[]), "convert"),
        (native("inet", &[]), text(None), "rewrite"),
        (native("json", &[]), FieldKind::Json, "convert"),
        (FieldKind::Json, native("json", &[]), "rewrite"),
        (native("bit", &["3"]), native("varbit", &["5"]), "rewrite"),
        (native("bit", &["3"]), native("bit", &["5"]), "convert"),
        (text(None), named("e"), "convert"),
        (named("e"), text(None), "rewrite"),
        (named("e"), named("f"), "convert"),
        (named("e"), named("e"), "none"),
        (named("e"), FieldKind::Integer, "refused"),
        (native("xml", &[]), FieldKind::Json, "refused"),
        (native("money", &[]), FieldKind::Decimal { precision: None }, "rewrite"),
        (native("float4", &[]), FieldKind::Float, "rewrite"),
        (FieldKind::Float, native("float4", &[]), "convert"),
    ] {
        assert_eq!(class(&from, &to, false), expected, "{from:?} to {to:?}");
    }
    assert_eq!(class(&text(None), &named("e"), true), "convert");
    assert_eq!(class(&named("e"), &text(None), true), "rewrite");
    assert_eq!(class(&native("int2", &[]), &FieldKind::Bigint, true), "rewrite");
    assert_eq!(class(&FieldKind::Json, &named("e"), true), "refused");
}
