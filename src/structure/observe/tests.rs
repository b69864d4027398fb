//! Facts of the catalog, written down, and what is understood of them.

use super::*;
use crate::field_types::kind::FieldKind;
use crate::structure::model::KeyKind;
use crate::structure::table::{ColumnDefault, UniqueColumn};
use serde_json::{Value, json};

/// `base` with other values for some keys.
pub(super) fn with(mut base: Value, other: Value) -> Value {
    if let (Value::Object(base), Value::Object(other)) = (&mut base, other) {
        base.extend(other);
    }
    base
}

pub(super) fn column(number: u16, name: &str, type_name: &str, other: Value) -> Value {
    let base = json!({"number": number, "name": name, "type_schema": "pg_catalog",
        "type": type_name, "type_kind": "b", "modifier": -1, "not_null": false,
        "default_collation": true});
    with(base, other)
}

pub(super) fn constraint(name: &str, kind: &str, columns: &[&str], other: Value) -> Value {
    let base = json!({"name": name, "kind": kind, "definition": "…", "columns": columns,
        "validated": true, "enforced": true, "deferrable": false});
    with(base, other)
}

pub(super) fn index(name: &str, columns: &[Value], other: Value) -> Value {
    let base = json!({"name": name, "unique": false, "primary": false, "valid": true,
        "immediate": true, "method": "btree", "nulls_not_distinct": false, "included": 0,
        "definition": "…", "columns": columns});
    with(base, other)
}

pub(super) fn on(name: &str, other: Value) -> Value {
    let base = json!({"name": name, "descending": false, "nulls_first": false,
        "operator_class": "any_ops", "operator_class_schema": "pg_catalog",
        "default_operator_class": true, "default_collation": true});
    with(base, other)
}

fn seen() -> Observed {
    let none = || json!({});
    let target = json!({"schema": "s", "table": "p", "primary_key": true, "columns": ["id"]});
    let reference = |other: Value| {
        let base = json!({"target": target, "on_delete": "a", "on_update": "a", "match": "s"});
        with(base, other)
    };
    let lower = |column: &str| {
        on("", json!({"name": null, "expression": format!("kepler.fold({column})")}))
    };
    let facts = json!({
        "oid": 1, "schema": "s", "name": "t", "kind": "r", "owner": "o", "description": "About",
        "estimated_rows": 7, "pages": 1, "attribute_count": 12,
        "columns": [
            column(1, "id", "int8", json!({"not_null": true, "identity": "d"})),
            column(2, "p", "int8", none()),
            column(3, "a", "varchar", json!({"modifier": 7, "default": "kepler.cuid()"})),
            column(4, "n", "numeric", json!({"modifier": (10 << 16) + 2 + 4, "default": "n()"})),
            column(5, "tags", "_text", json!({"element_type": "text", "description": "Tags"})),
            column(6, "v", "vector", json!({"type_schema": "public", "modifier": 3})),
            column(7, "_hidden_b", "text", none()),
            column(8, "small", "int2", none()),
            column(10, "time_only", "timestamptz", json!({"modifier": 3})),
            column(12, "created_at", "timestamptz",
                json!({"not_null": true, "default": "clock_timestamp()"})),
        ],
        "constraints": [
            constraint("pk", "p", &["id"], none()),
            constraint("n", "c", &["n"],
                json!({"expression": "((n >= 0.5) AND (n <= '9'::numeric))"})),
            constraint("later", "c", &["n"],
                json!({"expression": "(n <> '0'::numeric)", "validated": false})),
            constraint("sql", "c", &["n"],
                json!({"expression": "f(n)", "definition": null})),
            constraint("off", "c", &["n"],
                json!({"expression": "(n <> '1'::numeric)", "validated": false, "enforced": false})),
            constraint("hidden", "c", &["_hidden_b"], json!({"expression": "f(_hidden_b)"})),
            constraint("fk", "f", &["p"], reference(none())),
            constraint("full", "f", &["p"], reference(json!({"match": "f"}))),
            constraint("uq", "u", &["a", "n"], none()),
        ],
        "indexes": [
            index("pk", &[on("id", none())],
                json!({"unique": true, "primary": true, "constraint": "pk"})),
            index("uq", &[on("a", none()), on("n", none())],
                json!({"unique": true, "constraint": "uq"})),
            index("low", &[lower("(a)::text")], json!({"unique": true})),
            index("low_hidden", &[lower("_hidden_b")], json!({"unique": true})),
            index("desc", &[on("n", json!({"descending": true, "nulls_first": true}))], none()),
            index("nulls", &[on("n", json!({"descending": true}))], none()),
            index("gin", &[on("tags", none())], json!({"method": "gin"})),
            index("hnsw", &[on("v", json!({"operator_class": "vector_l2_ops",
                "default_operator_class": false}))], json!({"method": "hnsw"})),
            index("failed", &[on("p", none())], json!({"valid": false})),
            index("some", &[on("p", none())], json!({"predicate": "(p > 1)"})),
        ],
    });
    observe(&serde_json::from_value(facts).unwrap(), Reading::Structure)
}

#[test]
fn columns_have_the_types_of_fields() {
    let seen = seen();
    let columns: Vec<_> = seen
        .table
        .columns
        .iter()
        .map(|c| (c.name.as_str(), c.kind.clone(), c.list, c.default.clone()))
        .collect();
    let cuid = ColumnDefault::Field(super::super::model::Default::Cuid);
    assert_eq!(
        columns,
        [
            ("id", FieldKind::Bigint, false, Some(ColumnDefault::Key(KeyKind::Bigint))),
            ("p", FieldKind::Bigint, false, None),
            ("a", FieldKind::Text { max_length: Some(3) }, false, Some(cuid)),
            ("n", FieldKind::Decimal { precision: Some((10, 2)) }, false, None),
            ("tags", FieldKind::Text { max_length: None }, true, None),
            ("v", FieldKind::Vector { dimensions: 3 }, false, None),
            ("created_at", FieldKind::Timestamp, false, Some(ColumnDefault::Clock)),
        ]
    );
    assert_eq!(seen.key, Some(Key { name: "id".to_owned(), column: None, kind: KeyKind::Bigint }));
    assert_eq!(seen.table.columns[4].description.as_deref(), Some("Tags"));
    assert_eq!(seen.hidden, [HiddenColumn { name: "_hidden_b".to_owned(), number: 7 }]);
    assert!(seen.names.iter().any(|name| name == "low_hidden"));
}

#[test]
fn rules_have_names_and_the_rest_is_extra() {
    let seen = seen();
    let rules: Vec<_> = seen
        .rules
        .iter()
        .map(|rule| (rule.name.as_str(), rule.by, rule.validated, rule.shared))
        .collect();
    assert_eq!(
        rules,
        [
            ("n", By::Constraint, true, true),
            ("n", By::Constraint, true, true),
            ("later", By::Constraint, false, false),
            ("fk", By::Constraint, true, false),
            ("uq", By::Constraint, true, false),
            ("low", By::Index, true, false),
            ("desc", By::Index, true, false),
            ("gin", By::Index, true, false),
            ("hnsw", By::Index, true, false),
            ("failed", By::Index, false, false),
        ]
    );
    let valid: Vec<&Rule> =
        seen.rules.iter().filter(|rule| rule.validated).map(|rule| &rule.rule).collect();
    assert_eq!(seen.table.rules.iter().collect::<Vec<_>>(), valid);
    let lower = UniqueColumn { name: "a".to_owned(), case_insensitive: true };
    assert_eq!(*valid[4], Rule::Unique(vec![lower]));
    let extras: Vec<_> =
        seen.extras.iter().map(|extra| (extra.kind, extra.name.as_str())).collect();
    assert_eq!(
        extras,
        [
            ("default", "n"),
            ("column", "small"),
            ("column", "time_only"),
            ("constraint", "sql"),
            ("constraint", "off"),
            ("constraint", "full"),
            ("index", "nulls"),
            ("index", "some"),
        ]
    );
    assert_eq!(seen.extras[3].definition, "CHECK (f(n))");
}
