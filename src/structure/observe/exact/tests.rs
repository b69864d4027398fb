//! Facts of the catalog, written down, and what an exact reading understands of them.

use super::*;
use crate::field_types::kind::NativeType;
use crate::structure::constant::Constant;
use crate::structure::model::Default;
use crate::structure::observe::tests::{column, constraint, index, on, with};
use crate::structure::observe::{Reading, observe};
use serde_json::{Value, json};

fn seen(other: Value) -> Observed {
    let base = json!({"oid": 7, "schema": "s", "name": "t", "kind": "r", "owner": "o",
        "description": null, "estimated_rows": 0, "pages": 0, "attribute_count": 9, "columns": [],
        "constraints": [], "indexes": []});
    observe(&serde_json::from_value(with(base, other)).unwrap(), Reading::Exact)
}

fn native(schema: Option<&str>, name: &str, modifiers: &[&str]) -> FieldKind {
    FieldKind::Native(NativeType {
        schema: schema.map(str::to_owned),
        name: name.to_owned(),
        modifiers: modifiers.iter().map(|modifier| (*modifier).to_owned()).collect(),
    })
}

#[test]
fn every_type_is_a_kind() {
    let plain = |name: &str, other: Value| column(1, "c", name, other);
    let limited = |name: &str, modifier: i32, printed: &str| {
        plain(name, json!({"modifier": modifier, "printed_type": printed}))
    };
    let of = |schema: &str, name: &str, other: Value| {
        plain(name, with(json!({"type_schema": schema}), other))
    };
    for (fact, kind, list) in [
        (plain("text", json!({})), FieldKind::Text { max_length: None }, false),
        (plain("varchar", json!({})), native(None, "varchar", &[]), false),
        (
            limited("varchar", 11, "character varying(7)"),
            FieldKind::Text { max_length: Some(7) },
            false,
        ),
        (limited("bpchar", 7, "character(3)"), native(None, "bpchar", &["3"]), false),
        (plain("int2", json!({})), native(None, "int2", &[]), false),
        (
            limited("numeric", (10 << 16) + 2 + 4, "numeric(10,2)"),
            FieldKind::Decimal { precision: Some((10, 2)) },
            false,
        ),
        (
            limited("numeric", 329_730, "numeric(5,-2)"),
            native(None, "numeric", &["5", "-2"]),
            false,
        ),
        (plain("timestamptz", json!({})), FieldKind::Timestamp, false),
        (
            limited("timestamptz", 6, "timestamp(6) with time zone"),
            native(None, "timestamptz", &["6"]),
            false,
        ),
        (
            limited("timestamp", 3, "timestamp(3) without time zone"),
            native(None, "timestamp", &["3"]),
            false,
        ),
        (
            of(
                "My \"(s)\"",
                "geometry",
                json!({"modifier": 1, "printed_type":
                "\"My \"\"(s)\"\"\".geometry(Point,4326)"}),
            ),
            native(Some("My \"(s)\""), "geometry", &["Point", "4326"]),
            false,
        ),
        (
            of("public", "vector", json!({"modifier": 3, "printed_type": "public.vector(3)"})),
            FieldKind::Vector { dimensions: 3 },
            false,
        ),
        (of("public", "vector", json!({})), native(Some("public"), "vector", &[]), false),
        (
            of("s", "Role", json!({"type_kind": "e"})),
            FieldKind::NamedEnum { schema: "s".to_owned(), name: "Role".to_owned() },
            false,
        ),
        (
            of("s", "_Role", json!({"list": true, "element_type": "Role", "element_kind": "e"})),
            FieldKind::NamedEnum { schema: "s".to_owned(), name: "Role".to_owned() },
            true,
        ),
        (of("s", "dom", json!({"type_kind": "d"})), native(Some("s"), "dom", &[]), false),
        (of("s", "pair", json!({"type_kind": "c"})), native(Some("s"), "pair", &[]), false),
        (
            plain("_jsonb", json!({"list": true, "element_type": "jsonb", "element_kind": "b"})),
            FieldKind::Json,
            true,
        ),
        // Of an array type that is none of those that every type has.
        (
            plain(
                "int2vector",
                json!({"list": false, "element_type": "int2", "element_kind": "b"}),
            ),
            native(None, "int2vector", &[]),
            false,
        ),
    ] {
        let seen = seen(json!({"columns": [fact]}));
        let column = &seen.table.columns[0];
        assert_eq!((&column.kind, column.list), (&kind, list));
        assert_eq!(seen.extras, []);
    }
    let words = limited("interval", 5, "interval day to second(2)");
    assert_eq!(seen(json!({"columns": [words]})).extras[0].kind, "type modifier");
}

#[test]
fn defaults_are_what_they_say() {
    let value = |constant| Some(ColumnDefault::Field(Default::Value(constant)));
    let text = |text: &str| Constant::Text(text.to_owned());
    let now = || Some(ColumnDefault::Field(Default::Now));
    let sql = |text: &str| Some(ColumnDefault::Sql(SqlText::printed(text)));
    let stamp = || json!({"modifier": 3, "printed_type": "timestamp(3) without time zone"});
    let role = || json!({"type_schema": "s", "type_kind": "e"});
    for (name, other, printed, default) in [
        ("int2", json!({}), "'-5'::smallint", value(Constant::Integer(-5))),
        ("oid", json!({}), "7", value(Constant::Integer(7))),
        ("float4", json!({}), "'0.1'::real", value(Constant::Float(0.1))),
        // It is rounded to four bytes there, and not to eight before.
        ("float4", json!({}), "'0.1'::double precision", sql("'0.1'::double precision")),
        ("bit", json!({}), "'101'::\"bit\"", value(text("101"))),
        ("bit", json!({}), "B'101'::\"bit\"", value(text("101"))),
        ("inet", json!({}), "'10.0.0.1'::inet", value(text("10.0.0.1"))),
        ("money", json!({}), "'$1,234.50'::money", value(Constant::Decimal("1234.5".to_owned()))),
        ("bpchar", json!({}), "'abc'::bpchar", value(text("abc"))),
        ("varchar", json!({}), "'y'::character varying", value(text("y"))),
        ("Role", role(), "'it''s'::s.\"Role\"", value(text("it's"))),
        ("Role", role(), "'it''s'::t.\"Role\"", sql("'it''s'::t.\"Role\"")),
        ("timestamp", stamp(), "now()", now()),
        ("timestamp", stamp(), "CURRENT_TIMESTAMP", now()),
        ("timestamp", stamp(), "CURRENT_TIMESTAMP(3)", now()),
        ("timestamp", stamp(), "LOCALTIMESTAMP(4)", now()),
        ("timestamp", stamp(), "(now())::timestamp(3) without time zone", now()),
        ("timestamp", stamp(), "CURRENT_TIMESTAMP(2)", sql("CURRENT_TIMESTAMP(2)")),
        ("timestamptz", json!({}), "CURRENT_TIMESTAMP(3)", sql("CURRENT_TIMESTAMP(3)")),
        ("timestamptz", json!({}), "LOCALTIMESTAMP", sql("LOCALTIMESTAMP")),
        ("timetz", json!({}), "CURRENT_TIME", now()),
        ("timestamptz", json!({}), "clock_timestamp()", sql("clock_timestamp()")),
        ("uuid", json!({}), "gen_random_uuid()", Some(ColumnDefault::Field(Default::Uuid))),
        ("bpchar", json!({}), "kepler.cuid()", Some(ColumnDefault::Field(Default::Cuid))),
        ("text", json!({}), "NULL::text", None),
        ("text", json!({}), "lower('A'::text)", sql("lower('A'::text)")),
        ("int4", json!({"identity": "a"}), "0", Some(ColumnDefault::Identity { always: true })),
        ("int8", json!({"identity": "d"}), "0", Some(ColumnDefault::Identity { always: false })),
    ] {
        let fact = column(1, "c", name, with(json!({"default": printed}), other));
        let seen = seen(json!({"columns": [fact]}));
        assert_eq!(seen.table.columns[0].default, default, "{name} {printed}");
    }
    let clock = column(1, "created_at", "timestamptz", json!({"default": "clock_timestamp()"}));
    let seen = seen(json!({"columns": [clock]}));
    assert_eq!(seen.table.columns[0].default, Some(ColumnDefault::Clock));
}

#[test]
fn a_serial_takes_from_a_sequence_of_its_own() {
    let next = "nextval('s.\"it''s\"'::regclass)";
    let sequence = |column: u16, parameters: Value| {
        json!({"column": column, "identity": false, "schema": "s", "name": "it's",
            "next_value": next, "parameters": parameters})
    };
    let columns = || [column(1, "c", "int4", json!({"default": next}))];
    let own = seen(json!({"columns": columns(), "sequences": [sequence(1, Value::Null)]}));
    assert_eq!(own.table.columns[0].default, Some(ColumnDefault::Serial));
    let state = SequenceState {
        name: "it's".to_owned(),
        owned: true,
        feeds: true,
        ..SequenceState::default()
    };
    assert_eq!((own.details.sequences, own.extras), (vec![("c".to_owned(), state)], vec![]));
    let others = seen(json!({"columns": columns(), "sequences": [sequence(2, Value::Null)]}));
    assert!(matches!(others.table.columns[0].default, Some(ColumnDefault::Sql(_))));
    let counting =
        seen(json!({"columns": columns(), "sequences": [sequence(1, "START 5".into())]}));
    assert_eq!(counting.details.sequences[0].1.fault.as_deref(), Some("START 5"));
}

#[test]
fn rules_are_read_as_they_are() {
    let target = json!({"schema": "s", "table": "p", "primary_key": false, "columns": ["x", "y"]});
    let reference = |other: Value| {
        let base = json!({"target": target, "on_delete": "n", "on_update": "r", "match": "s"});
        with(base, other)
    };
    let seen = seen(json!({
        "columns": [
            column(1, "a", "int4", json!({"not_null": true})),
            column(2, "b", "int4", json!({"not_null": true})),
            column(3, "d", "jsonb", json!({})),
        ],
        "constraints": [
            constraint("pk", "p", &["b", "a"], json!({})),
            constraint("un", "u", &["a"], json!({})),
            constraint("nulls", "u", &["b"], json!({})),
            constraint("fk", "f", &["a", "b"], reference(json!({"set_columns": ["b"]}))),
            constraint("full", "f", &["a", "b"], reference(json!({"match": "f"}))),
            constraint("nn", "n", &["b"], json!({"validated": false})),
            constraint("later", "c", &["a"],
                json!({"expression": "(a > 0)", "validated": false})),
        ],
        "indexes": [
            index("pk", &[on("b", json!({})), on("a", json!({}))],
                json!({"constraint": "pk", "unique": true, "primary": true})),
            index("un", &[on("a", json!({}))], json!({"constraint": "un", "unique": true})),
            index("nulls", &[on("b", json!({}))],
                json!({"constraint": "nulls", "unique": true, "nulls_not_distinct": true})),
            index("one", &[on("a", json!({"nulls_first": true})), on("b", json!({"descending": true,
                "nulls_first": true}))], json!({"unique": true, "predicate": "(a > 1)",
                "is_partial": true})),
            index("twin", &[on("a", json!({}))], json!({"options": ["m=2", "b=1"]})),
            index("twin too", &[on("a", json!({}))], json!({"options": ["b=1", "m=2"]})),
            index("path", &[on("", json!({"name": null,
                "expression": "(d #>> '{k,\"l m\"}'::text[])"}))], json!({})),
            index("wide", &[on("a", json!({}))], json!({"included": 1})),
        ],
    }));
    let named = |name: &str| &seen.rules.iter().find(|rule| rule.name == name).unwrap().rule;
    let names: Vec<&str> = seen.rules.iter().map(|rule| rule.name.as_str()).collect();
    assert_eq!(names, ["pk", "un", "fk", "later", "one", "twin", "twin too", "path"]);
    assert_eq!(*named("pk"), Rule::PrimaryKey(vec!["b".to_owned(), "a".to_owned()]));
    let Rule::Reference(reference) = named("fk") else { panic!("not a reference") };
    assert_eq!((reference.on_delete, reference.on_update), (Action::SetNull, Action::Restrict));
    assert_eq!((reference.columns.len(), reference.set.as_slice()), (2, &["b".to_owned()][..]));
    let Rule::Index(one) = named("one") else { panic!("not an index") };
    assert_eq!((one.columns[0].nulls_first, one.columns[1].nulls_first), (Some(true), None));
    assert_eq!((one.unique, one.predicate.as_ref()), (true, Some(&SqlText::printed("(a > 1)"))));
    assert_eq!(named("twin"), named("twin too"));
    let Rule::Index(path) = named("path") else { panic!("not an index") };
    assert_eq!(path.columns[0].path, ["k", "l m"]);
    let extras: Vec<&str> = seen.extras.iter().map(|extra| extra.name.as_str()).collect();
    assert_eq!(extras, ["nulls", "full", "wide"]);
    // A rule that the rows were not checked by is not in the table, and neither is such a NOT NULL.
    assert_eq!((seen.table.rules.len(), seen.table.names.len()), (7, 7));
    let required: Vec<bool> = seen.table.columns.iter().map(|column| column.required).collect();
    assert_eq!(required, [true, false, false]);
}

#[test]
fn what_nobody_asked_for_is_an_extra() {
    let trigger = |name: &str, schema: &str, internal: bool, enabled: &str| {
        json!({"name": name, "internal": internal, "enabled": enabled, "function_schema": schema,
            "plain": true, "arguments": "69640063756964006100746f75636800", "definition": null})
    };
    let seen = seen(json!({
        "persistence": "u", "options": ["fillfactor=70"], "replica_identity": "f",
        "parents": ["s.parent"], "row_security": true,
        "policies": [{"name": "p", "permissive": true, "command": "ALL", "roles": ["public"],
            "using": "(a = 1)", "check": null}],
        "rules": ["r"], "statistics": ["st"],
        "triggers": [
            trigger("kepler_fill", "kepler_internal", false, "D"),
            trigger("feed", "kepler_internal", false, "O"),
            trigger("mine", "s", false, "O"),
            trigger("fk", "pg_catalog", true, "D"),
        ],
        "columns": [column(1, "g", "int4", json!({"generated": "s", "computed": "(1 + 1)",
            "options": ["STATISTICS 5"]}))],
    }));
    let extras: Vec<_> =
        seen.extras.iter().map(|extra| (extra.kind, extra.name.as_str())).collect();
    assert_eq!(
        extras,
        [
            ("persistence", "t"),
            ("storage parameters", "t"),
            ("replica identity", "t"),
            ("parent table", "s.parent"),
            ("row security", "t"),
            ("policy", "p"),
            ("rule", "r"),
            ("statistics", "st"),
            ("disabled trigger", "kepler_fill"),
            ("trigger", "mine"),
            ("generated column", "g"),
            ("column option", "g"),
        ]
    );
    let fill = |column: &str, with: &str| Fill { column: column.to_owned(), with: with.to_owned() };
    assert_eq!(seen.details.fills, [fill("id", "cuid"), fill("a", "touch")]);
    assert!(seen.details.row_security && !seen.details.row_security_forced);
}
