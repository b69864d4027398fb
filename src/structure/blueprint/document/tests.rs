//! Blueprints that are right, and blueprints that are wrong in every way.

mod grammar;
mod hostile;
mod names;
mod problems;

use super::generate::blueprint;
use crate::field_types::kind::{FieldKind, NativeType};
use crate::json::Json;
use crate::structure::blueprint::model::Blueprint;
use crate::structure::constant::Constant;
use crate::structure::document::Problem;
use crate::structure::error::StructureError;
use crate::structure::model::Default;
use crate::structure::table::{Column, ColumnDefault, Rule};
use proptest::prelude::*;

fn read(text: &str) -> Blueprint {
    match Blueprint::from_text(text) {
        Ok(blueprint) => blueprint,
        Err(StructureError::Invalid { problems: found, .. }) => panic!("{:#?}", lines(found)),
        Err(other) => panic!("{other}"),
    }
}

fn lines(found: Vec<Problem>) -> Vec<String> {
    found.into_iter().map(|p| format!("{}: {}", p.pointer, p.message)).collect()
}

fn problems(text: &str) -> Vec<String> {
    match Blueprint::from_text(text) {
        Ok(blueprint) => panic!("read as {blueprint:?}"),
        Err(StructureError::Invalid { problems: found, .. }) => lines(found),
        Err(other) => vec![other.to_string()],
    }
}

proptest! {
    #[test]
    fn the_normal_form_is_the_same_blueprint(blueprint in blueprint()) {
        let document = blueprint.to_document();
        let again = match Blueprint::from_json(&document) {
            Ok(again) => again,
            Err(found) => return Err(TestCaseError::fail(format!("{document}\n{found:#?}"))),
        };
        prop_assert_eq!(&again, &blueprint.without_renames(), "{}", document);
        prop_assert_eq!(again.to_document().to_string(), document.to_string());
    }
}

/// A shop, with something of everything.
pub(crate) const EXAMPLE: &str = r#"{"blueprint": "shop", "description": "A shop", "version": 3,
 "enums": {"order_status": ["draft", "sent"],
           "Role": {"values": ["ADMIN"], "type": "UserRole", "schema": "auth", "description": "Who"}},
 "extensions": ["vector"],
 "tables": [
  {"name": "User", "table": "users", "key": {"name": "id", "type": "uuid"}, "times": true,
   "fields": [{"name": "email", "type": "text", "required": true, "case_insensitive": true, "unique": true},
              {"name": "role", "type": "enum", "enum": "Role", "default": "ADMIN"}]},
  {"name": "Order", "table": "orders", "description": "What was ordered",
   "key": {"fields": ["shop", "number"]},
   "fields": [{"name": "shop", "type": "integer"}, {"name": "number", "type": "integer", "generated": "serial"},
              {"name": "userId", "column": "user_id", "type": "reference", "to": "User", "on_delete": "cascade"},
              {"name": "status", "type": "enum", "enum": "order_status", "required": true, "default": "draft"},
              {"name": "data", "type": "json", "default_sql": "'{}'::jsonb"},
              {"name": "embedding", "type": "vector", "dimensions": 3, "index": true},
              {"name": "changedAt", "type": "timestamp", "zone": false, "precision": 3, "default": "now", "touch": true}],
   "unique": [["userId", "number"], {"fields": ["status", "shop"], "index": true}],
   "checks": [{"field": "shop", "op": ">", "value": 0, "name": "a shop"}, {"field": "shop", "op": "<=", "value": 9}],
   "indexes": [{"fields": ["status", {"field": "number", "descending": true}], "where_sql": "status = 'draft'"},
               {"fields": [{"field": "data", "operators": "jsonb_path_ops"}], "method": "gin", "options": {"fastupdate": false}}]},
  {"name": "Line", "fields": [{"name": "shop", "type": "integer"}, {"name": "order", "type": "integer"}],
   "references": [{"fields": ["shop", "order"], "to": "Order", "on_delete": "set_null", "set_fields": ["order"], "on_update": "cascade"}]}]}"#;

#[test]
fn an_example_says_everything_in_normal_form() {
    let blueprint = read(EXAMPLE);
    let printed = blueprint.to_document().to_string();
    assert_eq!(read(&printed).to_document().to_string(), printed);
    let expected = concat!(
        r#"{"blueprint":"shop","description":"A shop","version":3,"schema":"shop","extensions":["vector"],"#,
        r#""enums":{"order_status":["draft","sent"],"Role":{"values":["ADMIN"],"type":"UserRole","schema":"auth","description":"Who"}},"#,
        r#""tables":[{"name":"User","table":"users","key":{"fields":["id"],"constraint":"users_pkey"},"#,
        r#""fields":[{"name":"id","type":"uuid","required":true,"default":"uuid"},{"name":"email","type":"text","required":true},"#,
        r#"{"name":"role","type":"enum","enum":"Role","default":"ADMIN"},"#,
        r#"{"name":"created_at","type":"timestamp","required":true,"default_sql":"clock_timestamp()"},"#,
        r#"{"name":"updated_at","type":"timestamp","required":true,"default_sql":"clock_timestamp()","touch":true}],"#,
        r#""indexes":[{"fields":[{"field":"email","case_insensitive":true}],"method":"btree","unique":true,"name":"users_email_key"}]},"#,
        r#"{"name":"Order","table":"orders","description":"What was ordered","key":{"fields":["shop","number"],"constraint":"orders_pkey"},"#,
        r#""fields":[{"name":"shop","type":"integer","required":true,"max":9},{"name":"number","type":"integer","required":true,"generated":"serial"},"#,
        r#"{"name":"userId","column":"user_id","type":"uuid"},{"name":"status","type":"enum","enum":"order_status","required":true,"default":"draft"},"#,
        r#"{"name":"data","type":"json","default":{}},{"name":"embedding","type":"vector","dimensions":3},"#,
        r#"{"name":"changedAt","type":"timestamp","zone":false,"precision":3,"default":"now","touch":true}],"#,
        r#""unique":[{"fields":["userId","number"],"name":"orders_user_id_number_key"}],"#,
        r#""references":[{"fields":["userId"],"to":"User","to_fields":["id"],"on_delete":"cascade","name":"orders_user_id_fkey"}],"#,
        r#""checks":[{"field":"shop","op":">","value":0,"name":"a shop"}],"#,
        r#""indexes":[{"fields":["status","shop"],"method":"btree","unique":true,"name":"orders_status_shop_key"},"#,
        r#"{"fields":["status",{"field":"number","descending":true}],"method":"btree","where_sql":"#,
    );
    assert!(printed.starts_with(expected), "{printed}");
    let rest = concat!(
        r#","name":"orders_status_number_idx"},"#,
        r#"{"fields":[{"field":"data","operators":"jsonb_path_ops"}],"method":"gin","name":"orders_data_idx","options":{"fastupdate":false}},"#,
        r#"{"fields":["embedding"],"method":"hnsw","metric":"cosine","name":"orders_embedding_idx"}]},"#,
        r#"{"name":"Line","fields":[{"name":"shop","type":"integer"},{"name":"order","type":"integer"}],"#,
        r#""references":[{"fields":["shop","order"],"to":"Order","to_fields":["shop","number"],"on_delete":"set_null","on_update":"cascade","#,
        r#""set_fields":["order"],"name":"Line_shop_order_fkey"}]}]}"#,
    );
    assert!(printed.ends_with(rest), "{printed}");
}

/// A document with these tables, and with these keys beside them.
fn with(tables: &str, beside: &str) -> String {
    format!(r#"{{"blueprint":"b","tables":[{tables}]{beside}}}"#)
}

/// One table with these keys.
fn table(keys: &str) -> String {
    with(&format!(r#"{{"name":"T",{keys}}}"#), "")
}

/// One field, with a column in the database.
fn column(keys: &str) -> Column {
    let blueprint = read(&table(&format!(r#""fields":[{{"name":"a",{keys}}}]"#)));
    blueprint.tables[0].table.columns[0].clone()
}

fn pointers(text: &str) -> Vec<String> {
    problems(text).iter().map(|line| line.split(": ").next().unwrap().to_owned()).collect()
}

#[test]
fn types_are_those_of_the_catalog() {
    let native = |name: &str, modifiers: &[&str]| {
        FieldKind::Native(NativeType {
            schema: None,
            name: name.to_owned(),
            modifiers: modifiers.iter().map(|text| (*text).to_owned()).collect(),
        })
    };
    let text = |max_length| FieldKind::Text { max_length };
    for (keys, kind) in [
        (r#""type":"smallint""#, native("int2", &[])),
        (r#""type":"char""#, native("bpchar", &["1"])),
        (r#""type":"varchar""#, native("varchar", &[])),
        (r#""type":"varchar","max_length":7"#, text(Some(7))),
        (r#""type":"timestamp""#, FieldKind::Timestamp),
        (r#""type":"timestamp","zone":true,"precision":6"#, native("timestamptz", &["6"])),
        (r#""type":"time","zone":true"#, native("timetz", &[])),
        (r#""type":"json","binary":true"#, FieldKind::Json),
        (r#""type":"native","sql_type":"INT""#, FieldKind::Integer),
        (r#""type":"native","sql_type":"double precision""#, FieldKind::Float),
        (r#""type":"native","sql_type":"character varying (3)""#, text(Some(3))),
        (
            r#""type":"native","sql_type":"timestamp(3) with time zone""#,
            native("timestamptz", &["3"]),
        ),
        (
            r#""type":"native","sql_type":"numeric(5)""#,
            FieldKind::Decimal { precision: Some((5, 0)) },
        ),
        (r#""type":"native","sql_type":"char(2)""#, native("bpchar", &["2"])),
        (r#""type":"native","sql_type":"bpchar""#, native("bpchar", &[])),
        (r#""type":"native","sql_type":"pg_catalog.bit""#, native("bit", &[])),
        (r#""type":"native","sql_type":"bit""#, native("bit", &["1"])),
        (r#""type":"native","sql_type":"vector(3)""#, FieldKind::Vector { dimensions: 3 }),
    ] {
        assert_eq!(column(keys).kind, kind, "{keys}");
    }
    let foreign = |keys: &str| match column(keys).kind {
        FieldKind::Native(native) => {
            (native.schema.unwrap(), native.name, native.modifiers.join(","))
        }
        other => panic!("{other:?}"),
    };
    let said = |a: &str, b: &str, c: &str| (a.to_owned(), b.to_owned(), c.to_owned());
    assert_eq!(foreign(r#""type":"citext""#), said("", "citext", ""));
    assert_eq!(foreign(r#""type":"native","sql_type":"vector""#), said("", "vector", ""));
    assert_eq!(
        foreign(r#""type":"native","sql_type":"gis.Geometry( Point, 4326 )""#),
        said("gis", "geometry", "Point,4326")
    );
    assert_eq!(
        foreign(r#""type":"native","sql_type":"\"a\"\"b\".\"C.d\"""#),
        said("a\"b", "C.d", "")
    );
    for wrong in [
        "",
        "(3)",
        "a.b.c",
        "int[]",
        "int(3)",
        "varchar(0)",
        "a(b",
        "a(b'c)",
        "a; DROP TABLE b",
        "\"a",
        "numeric(3,5)",
        "pg_catalog.nothing",
        "timestamp(9)",
        "int with time zone",
        "no such type",
        "a(1) b",
        "\"\"",
        "a.\"\"",
    ] {
        let found = pointers(&table(&format!(
            r#""fields":[{{"name":"a","type":"native","sql_type":{}}}]"#,
            Json::string(wrong)
        )));
        assert_eq!(found, ["/tables/0/fields/0/sql_type"], "{wrong}");
    }
}

#[test]
fn types_and_classes_of_extensions_get_their_schemas_from_the_database() {
    let mut blueprint = read(&table(
        r#""fields":[{"name":"a","type":"citext"},{"name":"b","type":"text"},{"name":"c","type":"native","sql_type":"nothing"}],
           "indexes":[{"fields":[{"field":"b","operators":"gin_trgm_ops"}],"method":"gin"}]"#,
    ));
    let missing = blueprint.settle_schemas(
        &|name| (name == "citext").then(|| "public".to_owned()),
        &|method, class| Some(format!("{method} {class}")),
    );
    assert_eq!(missing, ["type nothing"]);
    let table = &blueprint.tables[0].table;
    assert!(
        matches!(&table.columns[0].kind, FieldKind::Native(native) if native.schema.as_deref() == Some("public"))
    );
    let Rule::Index(index) = &table.rules[0] else { panic!() };
    assert_eq!(
        index.columns[0].operators,
        Some((Some("gin gin_trgm_ops".to_owned()), "gin_trgm_ops".to_owned()))
    );
}

#[test]
fn a_default_in_sql_is_the_default_that_the_catalog_has() {
    let default = |keys: &str| column(keys).default.unwrap();
    let value = |value| ColumnDefault::Field(Default::Value(value));
    for (keys, expected) in [
        (r#""type":"text","default_sql":"'abc'""#, value(Constant::Text("abc".to_owned()))),
        (r#""type":"text","default_sql":"'abc'::text""#, value(Constant::Text("abc".to_owned()))),
        (r#""type":"text","default_sql":"'cuid'""#, value(Constant::Text("cuid".to_owned()))),
        (r#""type":"integer","default_sql":"-1""#, value(Constant::Integer(-1))),
        (r#""type":"boolean","default_sql":"true""#, value(Constant::Boolean(true))),
        (r#""type":"json","default_sql":"'{}'""#, value(Constant::Json(Json::Object(Vec::new())))),
        (r#""type":"text","list":true,"default_sql":"'{}'""#, value(Constant::List(Vec::new()))),
        (
            r#""type":"text","list":true,"default_sql":"ARRAY[]::text[]""#,
            value(Constant::List(Vec::new())),
        ),
        (r#""type":"uuid","default_sql":"gen_random_uuid()""#, ColumnDefault::Field(Default::Uuid)),
        (r#""type":"timestamp","default_sql":"now()""#, ColumnDefault::Field(Default::Now)),
        (
            r#""type":"timestamp","zone":false,"precision":3,"default_sql":"CURRENT_TIMESTAMP""#,
            ColumnDefault::Field(Default::Now),
        ),
        (r#""type":"date","default_sql":"CURRENT_DATE""#, ColumnDefault::Field(Default::Now)),
    ] {
        assert_eq!(default(keys), expected, "{keys}");
    }
    // Words of their own: a date that is filled from the time of the transaction says so.
    for keys in [
        r#""type":"date","default_sql":"CURRENT_TIMESTAMP""#,
        r#""type":"time","default_sql":"CURRENT_TIMESTAMP""#,
        r#""type":"text","default_sql":"lower('A')""#,
        r#""type":"timestamp","default_sql":"clock_timestamp()""#,
    ] {
        assert!(matches!(default(keys), ColumnDefault::Sql(sql) if !sql.trusted), "{keys}");
    }
    // What a column without a default has.
    assert_eq!(column(r#""type":"text","default_sql":"NULL""#).default, None);
    // What nobody knows to be harmless is kept, and marked.
    let sql = r#""type":"text","default_sql":"(SELECT my_function())""#;
    assert!(
        matches!(default(sql), ColumnDefault::Sql(sql) if sql.trusted && sql.text == "(SELECT my_function())")
    );
}

fn resolve<'j>(document: &'j Json, pointer: &str) -> Option<&'j Json> {
    pointer.split('/').skip(1).try_fold(document, |json, token| match json {
        Json::Array(items) => items.get(token.parse::<usize>().ok()?),
        other => other.get(&token.replace("~1", "/").replace("~0", "~")),
    })
}
