//! Random blueprints, for the property tests of whatever reads or compares them.

use crate::structure::blueprint::model::Blueprint;
use proptest::collection::vec;
use proptest::prelude::*;

/// Types, each with the keys that go with it.
const TYPES: &[&str] = &[
    r#""type":"text""#,
    r#""type":"text","max_length":40,"default":"it's""#,
    r#""type":"text","min_length":2,"default":"uuid""#,
    r#""type":"text","default_sql":"'uuid'""#,
    r#""type":"text","fill":"nanoid","fill_length":10"#,
    r#""type":"text","fill":"cuid","required":true"#,
    r#""type":"text","sensitive":"reference""#,
    r#""type":"varchar","sensitive":"reference""#,
    r#""type":"date","sensitive":true"#,
    r#""type":"text","unique":true,"case_insensitive":true"#,
    r#""type":"text","list":true,"default":["a","b\""]"#,
    r#""type":"varchar","max_length":26,"fill":"ulid""#,
    r#""type":"varchar""#,
    r#""type":"char","length":3,"default":"abc""#,
    r#""type":"citext","unique":true"#,
    r#""type":"smallint","min":-3,"default":7"#,
    r#""type":"integer","generated":"serial""#,
    r#""type":"integer","min":0,"max":9,"required":true,"default":5"#,
    r#""type":"bigint","generated":"identity_always""#,
    r#""type":"bigint","unique":true"#,
    r#""type":"decimal","precision":10,"scale":2,"default":1.50"#,
    r#""type":"real","default":0.5"#,
    r#""type":"float","list":true"#,
    r#""type":"boolean","default":false,"required":true"#,
    r#""type":"date","default":"now""#,
    r#""type":"date","default_sql":"CURRENT_TIMESTAMP""#,
    r#""type":"time","default":"12:30:00.5""#,
    r#""type":"time","zone":true,"precision":3"#,
    r#""type":"timestamp","default":"now","touch":true"#,
    r#""type":"timestamp","zone":false,"precision":3,"default":"now""#,
    r#""type":"timestamp","zone":false,"default":"2024-02-29T01:02:03.25""#,
    r#""type":"timestamp","precision":0"#,
    r#""type":"timestamp","default_sql":"clock_timestamp()""#,
    r#""type":"uuid","default":"uuid""#,
    r#""type":"uuid","fill":"uuid7","unique":true"#,
    r#""type":"json","default":{"a":[1,null]}"#,
    r#""type":"json","binary":false"#,
    r#""type":"json","list":true"#,
    r#""type":"bytes","default_sql":"'\\x00'""#,
    r#""type":"money""#,
    r#""type":"inet""#,
    r#""type":"cidr""#,
    r#""type":"oid""#,
    r#""type":"bit","length":4"#,
    r#""type":"varbit""#,
    r#""type":"xml""#,
    r#""type":"native","sql_type":"geometry(Point,4326)""#,
    r#""type":"native","sql_type":"tsvector""#,
    r#""type":"native","sql_type":"interval(3)""#,
    r#""type":"native","sql_type":"\"a.b\".\"C \"\"d\"""#,
    r#""type":"vector","dimensions":3,"index":{"metric":"l2","options":{"m":8}}"#,
    r#""type":"enum","values":["a","é\"",""],"default":"a""#,
    r#""type":"enum","enum":"status","default":"draft""#,
    r#""type":"enum","enum":"Role","list":true,"default":["ADMIN"]"#,
    r#""type":"reference","to":"T0""#,
    r#""type":"reference","to":"T1","on_delete":"cascade","index":false"#,
    r#""type":"reference","to":"T2","on_update":"cascade","required":true"#,
];

const KEYS: &[&str] = &[
    "",
    r#","key":{"name":"id","type":"bigint"}"#,
    r#","key":{"name":"id","type":"uuid"}"#,
    r#","key":{"name":"Id","type":"cuid","constraint":"the key"}"#,
    r#","key":{"fields":["f0"]}"#,
    r#","key":{"fields":["f1","f0"]}"#,
];

const RULES: &[&str] = &[
    r#""unique":[["f0","f1"]]"#,
    r#""unique":[{"fields":["f1"],"index":true,"nulls_not_distinct":true}]"#,
    r#""unique":[{"fields":["f0"],"name":"my \"key\""},["f1","f2"]]"#,
    r#""checks":[{"field":"f0","op":">=","value":1}]"#,
    r#""checks":[{"field":"f0","op":"<>","value":"x","name":"not x"}]"#,
    r#""checks":[{"field":"f1","op":">","other_field":"f2"}]"#,
    r#""indexes":[{"fields":["f0",{"field":"f1","descending":true}],"where_sql":"f0 IS NOT NULL"}]"#,
    r#""indexes":[{"fields":[{"field":"f0","nulls":"first"}],"unique":true,"name":"idx","options":{"fillfactor":90}}]"#,
    r#""indexes":[{"fields":["f0"],"method":"hash"}]"#,
    r#""indexes":[{"fields":["f1"],"method":"brin","options":{"autosummarize":true}}]"#,
    r#""indexes":[{"fields":["f2"],"method":"gin"}]"#,
    r#""indexes":[{"fields":[{"field":"f0","operators":"text_pattern_ops"}]}]"#,
    r#""indexes":[{"fields":[{"field":"f0","operators":"gin_trgm_ops"}],"method":"gin"}]"#,
    r#""indexes":[{"fields":[{"field":"f1","path":["a","b"]},{"field":"f1","path":["c"]}]}]"#,
    r#""indexes":[{"fields":["f2"],"method":"ivfflat","metric":"inner_product"}]"#,
    r#""indexes":[{"fields":[{"field":"f0","case_insensitive":true}],"unique":true}]"#,
    r#""references":[{"fields":["f0"],"to":"T0","to_fields":["f0"],"on_delete":"no_action"}]"#,
    r#""references":[{"fields":["f0"],"to":"T1"}]"#,
    r#""references":[{"fields":["f1"],"to":"T1","on_delete":"set_null","on_update":"cascade","name":"fk"}]"#,
    r#""references":[{"fields":["f0","f1"],"to":"T2","to_fields":["f0","f1"],"on_delete":"set_null","set_fields":["f1"]}]"#,
    r#""times":true"#,
];

const HEADS: &[&str] = &[
    r#""blueprint":"shop""#,
    r#""blueprint":"shop","schema":"My \"shop\"","version":3,"description":"All of it""#,
    r#""blueprint":"a","schema":"public","tenancy":"workspace","extensions":["vector","citext"]"#,
    r#""blueprint":"b","import_warnings":["a view was left out","it's"]"#,
];

const ENUMS: &str = r#""enums":{"status":["draft","sent"],"Role":{"values":["ADMIN","it's"],"type":"User Role","schema":"auth","description":"Who"}}"#;

/// A table: its name in the database, if that is another, its key, and the candidates of its fields and rules.
type Parts = (bool, &'static str, Vec<(&'static str, bool, bool)>, Vec<&'static str>);

/// A blueprint, which has a document.
pub(crate) fn blueprint() -> impl Strategy<Value = Blueprint> {
    let field = (prop::sample::select(TYPES), any::<bool>(), any::<bool>());
    let table = (
        any::<bool>(),
        prop::sample::select(KEYS),
        vec(field, 1..6),
        vec(prop::sample::select(RULES), 0..4),
    );
    (prop::sample::select(HEADS), vec(table, 0..5)).prop_map(|(head, parts)| assemble(head, &parts))
}

/// Leaves out of each table what the reader does not take.
fn assemble(head: &str, parts: &[Parts]) -> Blueprint {
    let document =
        |tables: &[String]| format!("{{{head},{ENUMS},\"tables\":[{}]}}", tables.join(","));
    let reads = |tables: &[String]| Blueprint::from_text(&document(tables)).is_ok();
    let mut tables: Vec<String> = Vec::new();
    for (at, (mapped, wished, candidates, rules)) in parts.iter().enumerate() {
        let table_name =
            if *mapped { format!(r#","table":"t \"{at}\"","label":"Tä""#) } else { String::new() };
        let table = |key: &str, fields: &[String], rules: &str| {
            format!(r#"{{"name":"T{at}"{table_name}{key},"fields":[{}]{rules}}}"#, fields.join(","))
        };
        let (mut key, mut fields, mut told) = ("", Vec::new(), String::new());
        let mut take = |one: String| {
            tables.push(one);
            let fits = reads(&tables);
            tables.pop();
            fits
        };
        for (kind, column, described) in candidates {
            let column =
                if *column { format!(r#","column":"c {}""#, fields.len()) } else { String::new() };
            let described =
                if *described { r#","label":"A","description":"What it is""# } else { "" };
            fields.push(format!(r#"{{"name":"f{}",{kind}{column}{described}}}"#, fields.len()));
            if !take(table(key, &fields, &told)) {
                fields.pop();
            }
        }
        if take(table(wished, &fields, &told)) {
            key = *wished;
        }
        for rule in rules {
            let with = format!("{told},{rule}");
            if take(table(key, &fields, &with)) {
                told = with;
            }
        }
        tables.push(table(key, &fields, &told));
    }
    Blueprint::from_text(&document(&tables)).unwrap()
}
