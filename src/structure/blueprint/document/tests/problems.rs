//! What is wrong with a document is told at once, each with its place.

use super::{pointers, problems, read, table, with};
use crate::field_types::kind::FieldKind;
use crate::structure::blueprint::model::Blueprint;

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
fn tenancy_names_a_field_of_text() {
    let field = r#"{"name":"A","fields":[{"name":"w","type":"text"}]},{"name":"B","fields":[{"name":"w","type":"integer"}]}"#;
    assert_eq!(pointers(&with(field, r#","tenancy":{"field":"w"}"#)), ["/tables/1/fields/0/type"]);
    assert_eq!(pointers(&with("", r#","tenancy":{"field":"w"}"#)), ["/tenancy/field"]);
    assert_eq!(pointers(&with("", r#","tenancy":{}"#)), ["/tenancy/field"]);
    assert!(Blueprint::from_text(&with("", r#","tenancy":"workspace""#)).is_ok());
}
