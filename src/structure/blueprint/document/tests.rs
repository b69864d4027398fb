//! Blueprints that are right, and blueprints that are wrong in every way.

use super::generate::blueprint;
use super::types;
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

#[test]
fn names_are_as_prisma_and_postgres_make_them() {
    let long = "t".repeat(60);
    let wide = "é".repeat(30);
    let blueprint = read(&with(
        &format!(
            r#"{{"name":"A","table":"{long}","key":{{"name":"id"}},"fields":[{{"name":"{wide}","type":"text","unique":true,"index":true}}]}},
               {{"name":"{wide}","fields":[{{"name":"a","type":"reference","to":"A","index":false}},{{"name":"b","type":"text","list":true,"index":true}}],
                "unique":[{{"fields":["a"],"name":"mine"}}]}}"#
        ),
        "",
    ));
    let names: Vec<Vec<&str>> = blueprint
        .tables
        .iter()
        .map(|model| model.table.names.iter().map(|name| name.as_deref().unwrap()).collect())
        .collect();
    let cut = |text: &str, length: usize| -> String { text[..length].to_owned() };
    assert_eq!(
        names[0],
        [
            cut(&long, 58) + "_pkey",
            cut(&format!("{long}_"), 59) + "_key",
            cut(&format!("{long}_"), 59) + "_idx"
        ]
    );
    assert_eq!(names[1], ["mine".to_owned(), cut(&wide, 58) + "_fkey", cut(&wide, 58) + "_idx"]);
}

#[test]
fn made_names_make_room_for_given_ones() {
    let blueprint = read(&table(
        r#""fields":[{"name":"a","type":"text","index":true},{"name":"b","type":"text"}],
           "indexes":[{"fields":["b"],"name":"T_a_idx"},{"fields":["a"],"method":"hash"}]"#,
    ));
    let names: Vec<&str> =
        blueprint.tables[0].table.names.iter().map(|name| name.as_deref().unwrap()).collect();
    assert_eq!(names, ["T_a_idx", "T_a_idx1", "T_a_idx2"]);
}

#[test]
fn names_collide_where_the_catalog_has_one_space() {
    let found = problems(
        r#"{"blueprint":"b","enums":{"status":["a"],"E":{"values":["a"],"type":"T"},"F":{"values":["a"],"type":"T","schema":"other"}},
            "tables":[{"name":"T","fields":[{"name":"a","type":"text"}],"indexes":[{"fields":["a"],"name":"U"},{"fields":["a"],"name":"status"}],
                       "checks":[{"field":"a","op":"<>","value":"x","name":"c"},{"field":"a","op":"<>","value":"y","name":"c"}]},
                      {"name":"U","fields":[]},{"name":"T","table":"V","fields":[]},{"name":"W","table":"U","schema":"other","fields":[]},
                      {"name":"X","table":"U","fields":[]},{"name":"Y","fields":[{"name":"a","type":"text"},{"name":"b","type":"text"}],
                       "unique":[{"fields":["b"],"name":"k"}],"key":{"fields":["a"],"constraint":"k"}}]}"#,
    );
    let pointers: Vec<&str> = found.iter().map(|line| line.split(": ").next().unwrap()).collect();
    assert_eq!(
        pointers,
        [
            "/tables/2/name",
            "/tables/0",
            "/tables/4",
            "/tables/0/checks/1/name",
            "/tables/0/indexes/0/name",
            "/tables/5/unique/0/name"
        ],
        "{found:#?}"
    );
}

#[test]
fn a_key_is_unique_already() {
    let fields = r#""fields":[{"name":"a","type":"text"}],"key":{"fields":["a"]}"#;
    let with = |unique: &str| problems(&table(&format!(r#"{fields},"unique":[{unique}]"#)));
    assert_eq!(with(r#"["a"]"#), ["/tables/0/unique/0: the key is unique already"]);
    read(&table(&format!(r#"{fields},"unique":[{{"fields":["a"],"index":true}}]"#)));
}

#[test]
fn all_problems_are_found_at_once() {
    let long = "x".repeat(64);
    let found = problems(&format!(
        r#"{{"blueprint":"My shop","schema":"pg_shop","version":0,"tenancy":"mine","seed":[],"description":null,
            "extensions":["a","a",1],"import_warnings":"x",
            "enums":{{"e":[],"f":["a","a",1],"g":{{"values":["a"],"schema":"kepler","colour":1,"renamed_values":{{"b":"c","a":"a"}}}},
                      "h":"a","i":["{long}"],"j":null,"{long}":["a"],"k":{{"values":["a"],"type":"{long}y","renamed_from":"k"}}}},
            "tables":[
              {{"name":"A\u0007","fields":[]}},
              {{"name":"{long}z","fields":[]}},
              {{"fields":{{}}}},
              {{"name":"B","table":"","schema":"information_schema","colour":1,"key":{{}},"times":"yes","unique":1}},
              {{"name":"C","key":{{"name":"id","type":"serial","fields":["a"],"constraint":"{long}"}},"fields":[]}},
              {{"name":"D","fields":[
                 {{"name":"a","type":"text","column":"ctid"}},
                 {{"name":"b","type":"enum","enum":"nothing"}},
                 {{"name":"c","type":"enum","enum":"e"}},
                 {{"name":"d","type":"enum","enum":"k","default":"b"}},
                 {{"name":"f","type":"enum","enum":"k","list":true,"default":["a","b"]}},
                 {{"name":"g","type":"text","generated":"serial","default":"x","default_sql":""}},
                 {{"name":"h","type":"integer","fill":"cuid","touch":true}},
                 {{"name":"i","type":"varchar","max_length":10,"fill":"nanoid"}},
                 {{"name":"j","type":"text","fill":"ulid","fill_length":9}},
                 {{"name":"k","type":"smallint","default":40000}},
                 {{"name":"l","type":"timestamp","zone":1,"precision":7}},
                 {{"name":"m","type":"json","dimensions":3}},
                 {{"name":"n","type":"native"}},
                 {{"name":"o","type":"serial"}},
                 {{"name":"p","type":"text","column":"same"}},
                 {{"name":"q","type":"text","column":"same"}},
                 {{"name":"q","type":"text"}},
                 {{"name":"r","type":"text","column":"{long}"}},
                 {{"name":"s\n","type":"text"}},
                 {{"name":"_hidden_t","type":"text"}},
                 {{"name":"u","type":"reference","to":"Nothing"}},
                 {{"name":"v","type":"reference","to":"D"}},
                 {{"name":"w","type":"reference","list":true}},
                 {{"name":"x","type":"char","length":0}},
                 7]}},
              7]}}"#
    ));
    let pointers: Vec<&str> = found.iter().map(|line| line.split(": ").next().unwrap()).collect();
    let expected = [
        "/blueprint",
        "/schema",
        "/version",
        "/tenancy",
        "/seed",
        "/description",
        "/extensions/1",
        "/extensions/2",
        "/import_warnings",
        "/enums/e",
        "/enums/f/1",
        "/enums/f/2",
        "/enums/g/schema",
        "/enums/g/colour",
        "/enums/g/renamed_values/a",
        "/enums/g/renamed_values/b",
        "/enums/h",
        "/enums/i/0",
        "/enums/j",
        "/enums/k/type",
        "/enums/k/renamed_from",
        "/tables/0/name",
        "/tables/1/name",
        "/tables/2/name",
        "/tables/2/fields",
        "/tables/3/table",
        "/tables/3/schema",
        "/tables/3/colour",
        "/tables/3/key/name",
        "/tables/3/times",
        "/tables/3/unique",
        "/tables/3/fields",
        "/tables/4/key/name",
        "/tables/4/key/type",
        "/tables/4/key/constraint",
        "/tables/4/key/fields/0",
        "/tables/5/fields/0/column",
        "/tables/5/fields/1/enum",
        "/tables/5/fields/3/default",
        "/tables/5/fields/4/default",
        "/tables/5/fields/5/generated",
        "/tables/5/fields/5/default_sql",
        "/tables/5/fields/6/fill",
        "/tables/5/fields/6/touch",
        "/tables/5/fields/7/fill",
        "/tables/5/fields/8/fill_length",
        "/tables/5/fields/9/default",
        "/tables/5/fields/10/zone",
        "/tables/5/fields/10/precision",
        "/tables/5/fields/11/dimensions",
        "/tables/5/fields/12/sql_type",
        "/tables/5/fields/13/type",
        "/tables/5/fields/15/column",
        "/tables/5/fields/16/name",
        "/tables/5/fields/17/column",
        "/tables/5/fields/18/name",
        "/tables/5/fields/19/name",
        "/tables/5/fields/20/to",
        "/tables/5/fields/22/to",
        "/tables/5/fields/23/length",
        "/tables/5/fields/24",
        "/tables/6",
    ];
    for pointer in expected {
        assert!(pointers.contains(&pointer), "{pointer} is not in {found:#?}");
    }
    let long_enum = format!("/enums/{long}");
    for pointer in &pointers {
        assert!(expected.contains(pointer) || *pointer == long_enum, "{pointer} in {found:#?}");
    }
}

#[test]
fn rules_are_checked_against_the_fields() {
    let found = problems(&with(
        r#"{"name":"A","key":{"fields":["a","nope"]},"fields":[
             {"name":"a","type":"integer","default":5},{"name":"t","type":"text"},{"name":"x","type":"xml","unique":true},
             {"name":"v","type":"vector","dimensions":2001,"index":true},{"name":"j","type":"json"},
             {"name":"l","type":"text","list":true},{"name":"e","type":"integer","index":{"method":"gin"}}],
            "unique":[["a","b"],["a","a"],[],"a",{"fields":["a"],"nulls_not_distinct":true},{"name":"x"},["a"]],
            "checks":[{"field":"a","op":">","value":6,"name":"a"},{"field":"t","op":"<","value":"x"},{"field":"a","op":"="}],
            "indexes":[{"fields":["nope"]},{"fields":["a","t"],"method":"hash"},{"fields":[{"field":"a","descending":true}],"method":"brin"},
                       {"fields":["x"]},{"fields":[{"field":"t","operators":"jsonb_path_ops"}],"method":"gin"},
                       {"fields":[{"field":"t","operators":"text_pattern_ops"}],"method":"gist"},
                       {"fields":[{"field":"j","path":[]}]},{"fields":[{"field":"t","path":["a"]}]},
                       {"fields":["a"],"options":{"lists":3}},{"fields":["a"],"options":{"fillfactor":"a lot"}},
                       {"fields":["j"],"method":"gin","unique":true},{"fields":["a"],"metric":"l2","method":"btree"},
                       {"fields":["a"],"where_sql":" "},{"fields":[{"field":"a","nulls":"middle","colour":1}]},
                       {"fields":["v"],"method":"ivfflat"},{"fields":["t"],"method":"hnsw"},
                       {"fields":["l"],"nulls_not_distinct":true},{"fields":["e"]},{"fields":["e"]},
                       {"fields":[{"field":"a","case_insensitive":true}]},{"fields":["t"],"method":"gist"}]}"#,
        "",
    ));
    let pointers: Vec<&str> = found.iter().map(|line| line.split(": ").next().unwrap()).collect();
    let expected = [
        "key/fields/1",
        "fields/0/default",
        "fields/2/unique",
        "fields/3/index",
        "fields/6/index/method",
        "unique/0/1",
        "unique/1/1",
        "unique/2",
        "unique/3",
        "unique/4/nulls_not_distinct",
        "unique/5/fields",
        "checks/1/op",
        "checks/2/value",
        "indexes/0/fields/0",
        "indexes/1/method",
        "indexes/2/method",
        "indexes/3/fields/0",
        "indexes/4/fields/0",
        "indexes/5/fields/0",
        "indexes/6/fields/0/path",
        "indexes/7/fields/0/path",
        "indexes/8",
        "indexes/9/options/fillfactor",
        "indexes/10/unique",
        "indexes/11/metric",
        "indexes/12/where_sql",
        "indexes/13/fields/0/nulls",
        "indexes/13/fields/0/colour",
        "indexes/14/method",
        "indexes/15/method",
        "indexes/16/nulls_not_distinct",
        "indexes/18",
        "indexes/19/fields/0/case_insensitive",
        "indexes/20/fields/0",
    ]
    .map(|pointer| format!("/tables/0/{pointer}"));
    for pointer in &expected {
        assert!(pointers.contains(&pointer.as_str()), "{pointer} is not in {found:#?}");
    }
    for pointer in pointers {
        assert!(expected.iter().any(|one| one == pointer), "{pointer} in {found:#?}");
    }
    let many: Vec<String> =
        (0..33).map(|at| format!(r#"{{"name":"f{at}","type":"text"}}"#)).collect();
    let names: Vec<String> = (0..33).map(|at| format!(r#""f{at}""#)).collect();
    let found = pointers_of(&format!(
        r#""fields":[{}],"indexes":[{{"fields":[{}]}}]"#,
        many.join(","),
        names.join(",")
    ));
    assert_eq!(found, ["/tables/0/indexes/0/fields"]);
}

fn pointers_of(keys: &str) -> Vec<String> {
    pointers(&table(keys))
}

#[test]
fn references_must_lead_somewhere() {
    let found = problems(&with(
        r#"{"name":"A","key":{"name":"id"},"fields":[{"name":"a","type":"text","unique":true},{"name":"b","type":"uuid"},{"name":"c","type":"integer"}],
            "unique":[["b","c"]]},
           {"name":"N","fields":[{"name":"a","type":"integer"}]},
           {"name":"C","key":{"fields":["d"]},"fields":[{"name":"d","type":"reference","to":"D"}]},
           {"name":"D","key":{"fields":["c"]},"fields":[{"name":"c","type":"reference","to":"C"}]},
           {"name":"B","fields":[{"name":"a","type":"bigint","required":true},{"name":"b","type":"uuid"},{"name":"c","type":"smallint"},
                                 {"name":"n","type":"reference","to":"A","required":true,"on_delete":"set_null"}],
            "references":[{"fields":["a"],"to":"X"},{"fields":["a"],"to":"N"},{"fields":["a"],"to":"A","to_fields":["c"]},
                          {"fields":["a","b"],"to":"A"},{"fields":["b"],"to":"A"},{"fields":["zz"],"to":"A"},
                          {"fields":["c","b"],"to":"A","to_fields":["c","b"],"on_delete":"set_null","set_fields":["a"]},
                          {"fields":["a"],"to":"A","set_fields":["a"],"name":"one"},
                          {"fields":["a"],"to":"A","name":"two","on_delete":"destroy","colour":1},
                          {"to":"A","to_fields":["nope"]},7,
                          {"fields":["a"],"to":"A","on_delete":"set_null","name":"three"}]}"#,
        "",
    ));
    let pointers: Vec<&str> = found.iter().map(|line| line.split(": ").next().unwrap()).collect();
    assert_eq!(
        pointers,
        [
            "/tables/2/fields/0/to",
            "/tables/3/fields/0/to",
            "/tables/4/fields/3/on_delete",
            "/tables/4/references/0/to",
            "/tables/4/references/1/to_fields",
            "/tables/4/references/2/to_fields",
            "/tables/4/references/3/fields",
            "/tables/4/references/4/fields/0",
            "/tables/4/references/5/fields/0",
            "/tables/4/references/6/set_fields/0",
            "/tables/4/references/7/set_fields",
            "/tables/4/references/8/on_delete",
            "/tables/4/references/8/colour",
            "/tables/4/references/9/fields",
            "/tables/4/references/10",
        ],
        "{found:#?}"
    );
}

#[test]
fn references_come_in_any_order_and_go_round() {
    let blueprint = read(&with(
        r#"{"name":"A","key":{"name":"id","type":"cuid"},"fields":[{"name":"b","type":"reference","to":"B","on_delete":"set_null"},{"name":"parent","type":"reference","to":"A"}]},
           {"name":"B","key":{"fields":["a"]},"fields":[{"name":"a","type":"reference","to":"A","on_delete":"cascade","on_update":"cascade"}]}"#,
        "",
    ));
    let kinds: Vec<&FieldKind> = blueprint
        .tables
        .iter()
        .flat_map(|model| model.table.columns.iter().map(|column| &column.kind))
        .collect();
    assert!(kinds.iter().all(|kind| **kind == FieldKind::Text { max_length: None }), "{kinds:?}");
    // The key of B begins with its reference: no other index is needed.
    assert_eq!(blueprint.tables[1].table.rules.len(), 2);
    assert_eq!(blueprint.tables[0].table.rules.len(), 5);
}

#[test]
fn renames_go_one_way() {
    let found = pointers(&with(
        r#"{"name":"A","renamed_from":"B","fields":[{"name":"a","type":"text","renamed_from":"b"},{"name":"b","type":"text","renamed_from":"a"}]},
           {"name":"B","renamed_from":"A","fields":[{"name":"a","type":"text","renamed_from":"x"},{"name":"b","type":"text","renamed_from":"x"}]},
           {"name":"C","renamed_from":"Old","fields":[]}"#,
        r#","enums":{"e":{"values":["a"],"renamed_from":"f"},"f":{"values":["a"],"renamed_from":"e"}}"#,
    ));
    let expected = [
        "/enums/e/renamed_from",
        "/enums/f/renamed_from",
        "/tables/0/fields/0/renamed_from",
        "/tables/0/fields/1/renamed_from",
        "/tables/1/fields/1/renamed_from",
        "/tables/0/renamed_from",
        "/tables/1/renamed_from",
    ];
    assert_eq!(found, expected);
}

#[test]
fn tenancy_names_a_field_of_text() {
    let field = r#"{"name":"A","fields":[{"name":"w","type":"text"}]},{"name":"B","fields":[{"name":"w","type":"integer"}]}"#;
    assert_eq!(pointers(&with(field, r#","tenancy":{"field":"w"}"#)), ["/tables/1/fields/0/type"]);
    assert_eq!(pointers(&with("", r#","tenancy":{"field":"w"}"#)), ["/tenancy/field"]);
    assert_eq!(pointers(&with("", r#","tenancy":{}"#)), ["/tenancy/field"]);
    assert!(Blueprint::from_text(&with("", r#","tenancy":"workspace""#)).is_ok());
}

#[test]
fn hostile_documents_are_refused() {
    for text in [
        "",
        "[]",
        "1",
        "null",
        "{",
        r#"{"blueprint":"b"}"#,
        r#"{"blueprint":"b","tables":null}"#,
        r#"{"blueprint":"b","tables":{}}"#,
        r#"{"blueprint":"b","tables":[],"tables":[]}"#,
        r#"{"blueprint":"b\u0000","tables":[]}"#,
        r#"{"blueprint":"kepler","tables":[]}"#,
        r#"{"blueprint":"b","schema":"a\u0000","tables":[]}"#,
        r#"{"blueprint":"b","enums":{"a\u0000":["a"]},"tables":[]}"#,
        r#"{"blueprint":"b","enums":{"a":["a\u0000"]},"tables":[]}"#,
        r#"{"blueprint":"b","tables":[{"name":"a\u0000","fields":[]}]}"#,
        r#"{"blueprint":"b","tables":[{"name":"a","fields":[{"name":"a","type":"text","default_sql":"a\u0000"}]}]}"#,
    ] {
        assert!(!problems(text).is_empty(), "{text}");
    }
    // Quotes are no danger.
    let blueprint = read(&with(
        r#"{"name":"a\"; DROP TABLE b; --","fields":[{"name":"'","type":"text"}]}"#,
        "",
    ));
    assert_eq!(blueprint.tables[0].table_name, "a\"; DROP TABLE b; --");
    let many: Vec<String> =
        (0..2_000).map(|at| format!(r#"{{"name":"t{at}","fields":[]}}"#)).collect();
    let found = problems(&with(&many.join(","), ""));
    assert!(found.len() == 1 && found[0].contains("2000 tables"), "{found:?}");
    assert!(Blueprint::from_text(&with(&many[..1_000].join(","), "")).is_ok());
}

/// What is compared with each other is limited, so that no document takes long.
#[test]
fn a_large_document_is_read_in_little_time() {
    let fields: Vec<String> = (0..1_200)
        .map(|at| format!(r#"{{"name":"f{at}","type":"text","renamed_from":"f{}"}}"#, at + 1))
        .collect();
    let indexes = |number: usize| -> Vec<String> {
        let index = |at| format!(r#"{{"fields":["f0"],"where_sql":"f0 = '{at}'"}}"#);
        (0..number).map(index).collect()
    };
    let with_indexes = |number| {
        let (fields, indexes) = (fields.join(","), indexes(number).join(","));
        table(&format!(r#""fields":[{fields}],"indexes":[{indexes}]"#))
    };
    let blueprint = read(&with_indexes(1_000));
    assert_eq!(blueprint.tables[0].table.names.last().unwrap().as_deref(), Some("T_f0_idx999"));
    assert_eq!(pointers(&with_indexes(50_000)), ["/tables/0/indexes"]);
    let enums: Vec<String> = (0..50_000)
        .map(|at| format!(r#""e{at}":{{"values":["a"],"renamed_from":"e{}"}}"#, at + 1))
        .collect();
    let enums = format!(r#","enums":{{{}}}"#, enums.join(","));
    let field = r#"{"name":"T","fields":[{"name":"a","type":"enum","enum":"e7"}]}"#;
    assert_eq!(pointers(&with(field, &enums)), ["/enums"]);
    let texts: Vec<String> = (0..100_000).map(|at| format!(r#""{at}""#)).collect();
    read(&with("", &format!(r#","extensions":[{0}],"import_warnings":[{0}]"#, texts.join(","))));
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,200}") {
        let _ = Blueprint::from_text(&text);
        let _ = types::parse(&text);
    }

    /// The example with one stretch replaced: near to valid, and rarely so.
    #[test]
    fn no_mutation_panics(at in 0..EXAMPLE.len(), cut in 0_usize..40, put in "[\\[\\]{}\",:a-z0-9 .-]{0,12}") {
        let end = (at + cut).min(EXAMPLE.len());
        let mutated = format!("{}{put}{}", &EXAMPLE[..at], &EXAMPLE[end..]);
        if let Ok(blueprint) = Blueprint::from_text(&mutated) {
            let printed = blueprint.to_document();
            let again = Blueprint::from_json(&printed).map_err(|found| TestCaseError::fail(format!("{printed} {found:?}")))?;
            prop_assert_eq!(&again, &blueprint.without_renames());
        }
    }

    #[test]
    fn pointers_lead_to_what_is_wrong(at in 0..EXAMPLE.len(), put in "[a-z0-9\"{},]{1,3}") {
        let mutated = format!("{}{put}{}", &EXAMPLE[..at], &EXAMPLE[at..]);
        if let Err(StructureError::Invalid { problems: found, .. }) = Blueprint::from_text(&mutated) {
            let document = Json::parse(&mutated).unwrap();
            for problem in found {
                // The place itself, or the object that lacks it.
                let parent = problem.pointer.rsplit_once('/').map_or("", |(parent, _)| parent);
                prop_assert!(resolve(&document, parent).is_some(), "{}", problem.pointer);
            }
        }
    }
}

fn resolve<'j>(document: &'j Json, pointer: &str) -> Option<&'j Json> {
    pointer.split('/').skip(1).try_fold(document, |json, token| match json {
        Json::Array(items) => items.get(token.parse::<usize>().ok()?),
        other => other.get(&token.replace("~1", "/").replace("~0", "~")),
    })
}

/// The published grammar and the reader know the same keys, for every type.
#[test]
fn the_published_grammar_is_this_one() {
    let schema = Json::parse(include_str!("../../../../docs/blueprint.schema.json")).unwrap();
    let keys = |pointer: &str| -> Vec<String> {
        let Some(Json::Object(pairs)) = resolve(&schema, pointer) else { panic!("{pointer}") };
        let mut keys: Vec<String> = pairs.iter().map(|(key, _)| key.clone()).collect();
        keys.sort();
        keys
    };
    // What an unknown key is answered with.
    let known = |text: &str, pointer: &str| -> Vec<String> {
        let found = problems(text);
        let start = format!("{pointer}/nonsense: is unknown; known here: ");
        let line = found
            .iter()
            .find_map(|p| p.strip_prefix(&start))
            .unwrap_or_else(|| panic!("{found:?}"));
        let mut keys: Vec<String> = line.split(", ").map(str::to_owned).collect();
        keys.sort();
        keys.dedup();
        keys
    };
    let nonsense = r#"{"nonsense":1}"#;
    let in_table = |key: &str| table(&format!(r#""fields":[],"{key}":[{nonsense}]"#));
    let of_tables = "/$defs/table/properties";
    for (text, at, properties) in [
        (with("", r#","nonsense":1"#), "", "/properties".to_owned()),
        (
            with("", r#","tenancy":{"nonsense":1}"#),
            "/tenancy",
            "/properties/tenancy/oneOf/1/properties".to_owned(),
        ),
        (
            with("", r#","enums":{"e":{"nonsense":1}}"#),
            "/enums/e",
            "/properties/enums/additionalProperties/oneOf/1/properties".to_owned(),
        ),
        (
            with(r#"{"name":"T","fields":[]}"#, r#","seed":{"T":{"nonsense":1}}"#),
            "/seed/T",
            "/properties/seed/additionalProperties/properties".to_owned(),
        ),
        (
            with(
                r#"{"name":"T","fields":[{"name":"a","type":"text"}]}"#,
                r#","seed":{"T":{"rows":[{"a":{"lookup":{"nonsense":1}}}]}}"#,
            ),
            "/seed/T/rows/0/a/lookup",
            "/$defs/seed_value/then/properties/lookup/properties".to_owned(),
        ),
        (
            table(r#""fields":[],"retention":{"nonsense":1}"#),
            "/tables/0/retention",
            format!("{of_tables}/retention/properties"),
        ),
        (table(r#""fields":[],"nonsense":1"#), "/tables/0", of_tables.to_owned()),
        (
            table(r#""fields":[],"key":{"nonsense":1}"#),
            "/tables/0/key",
            format!("{of_tables}/key/properties"),
        ),
        (
            in_table("unique"),
            "/tables/0/unique/0",
            format!("{of_tables}/unique/items/oneOf/1/properties"),
        ),
        (
            in_table("references"),
            "/tables/0/references/0",
            format!("{of_tables}/references/items/properties"),
        ),
        (in_table("checks"), "/tables/0/checks/0", format!("{of_tables}/checks/items/properties")),
        (
            in_table("indexes"),
            "/tables/0/indexes/0",
            format!("{of_tables}/indexes/items/properties"),
        ),
        (
            table(r#""fields":[],"indexes":[{"fields":[{"nonsense":1}]}]"#),
            "/tables/0/indexes/0/fields/0",
            format!("{of_tables}/indexes/items/properties/fields/items/oneOf/1/properties"),
        ),
        (
            table(r#""fields":[{"name":"a","type":"text","index":{"nonsense":1}}]"#),
            "/tables/0/fields/0/index",
            "/$defs/field/properties/index/oneOf/1/properties".to_owned(),
        ),
    ] {
        assert_eq!(known(&text, at), keys(&properties), "{at}");
    }
    let words: Vec<&str> = types::WORDS.to_vec();
    let Some(Json::Array(conditions)) = resolve(&schema, "/$defs/field/allOf") else { panic!() };
    assert_eq!(conditions.len(), words.len());
    for (at, word) in words.into_iter().enumerate() {
        let condition = format!("/$defs/field/allOf/{at}");
        let of = resolve(&schema, &format!("{condition}/if/properties/type/const")).unwrap();
        assert_eq!(of.as_str(), Some(word));
        let named = resolve(&schema, &format!("/$defs/field/properties/type/enum/{at}")).unwrap();
        assert_eq!(named.as_str(), Some(word));
        let excluded = keys(&format!("{condition}/then/properties"));
        let mut expected = keys("/$defs/field/properties");
        expected.retain(|key| !excluded.contains(key));
        // Which of the words a native type takes depends on its name.
        let texts = ["int", "text"].map(|sql_type| {
            let values = if word == "enum" { r#","values":["x"]"# } else { "" };
            table(&format!(
                r#""fields":[{{"name":"a","type":"{word}","to":"T","dimensions":3,"max_length":9,"sql_type":"{sql_type}"{values},"nonsense":1}}]"#
            ))
        });
        let mut found: Vec<String> =
            texts.iter().flat_map(|text| known(text, "/tables/0/fields/0")).collect();
        found.sort();
        found.dedup();
        assert_eq!(found, expected, "{word}");
    }
}
