//! Random structures, for the property tests of whatever reads or compares them.

use super::model::Structure;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

/// A type with its own attributes, as the pairs of an object.
fn kind() -> impl Strategy<Value = String> {
    let bounds = |low: &'static str, high: &'static str| {
        let bound = move |key: &'static str, value: &'static str| {
            prop_oneof![Just(String::new()), Just(format!(r#","{key}":{value}"#))]
        };
        (bound("min", low), bound("max", high)).prop_map(|(min, max)| min + &max)
    };
    let with = |word: &'static str, rest: BoxedStrategy<String>| {
        rest.prop_map(move |rest| format!(r#""type":"{word}"{rest}"#)).boxed()
    };
    let default = |values: &'static [&'static str]| {
        option::of(prop::sample::select(values))
            .prop_map(|value| value.map_or(String::new(), |v| format!(r#","default":{v}"#)))
    };
    let both = |a: BoxedStrategy<String>, b: BoxedStrategy<String>| {
        (a, b).prop_map(|(a, b)| a + &b).boxed()
    };
    let plain = |rest: &'static [&'static str]| prop::sample::select(rest).prop_map(str::to_owned);
    prop_oneof![
        with(
            "text",
            both(
                plain(&[
                    "",
                    r#","max_length":60"#,
                    r#","sensitive":"reference""#,
                    r#","sensitive":true"#,
                    r#","min_length":1,"case_insensitive":true,"unique":true"#
                ])
                .boxed(),
                default(&[r#""""#, r#""a\"é""#, r#""uuid""#, r#""cuid""#, r#""now""#]).boxed()
            )
        ),
        with(
            "integer",
            both(
                prop_oneof![
                    bounds("-2147483648", "2147483647"),
                    bounds("-5", "7"),
                    bounds("0", "0")
                ]
                .boxed(),
                default(&["0"]).boxed()
            )
        ),
        with(
            "bigint",
            both(
                prop_oneof![
                    bounds("-9223372036854775808", "9223372036854775807"),
                    bounds("-5", "7"),
                    bounds("-2147483649", "2147483648")
                ]
                .boxed(),
                default(&["0"]).boxed()
            )
        ),
        with(
            "decimal",
            both(
                plain(&[
                    "",
                    r#","precision":5,"scale":2"#,
                    r#","precision":40,"scale":0"#,
                    r#","precision":90,"scale":30"#
                ])
                .boxed(),
                both(bounds("-1", "99").boxed(), default(&["0", "42"]).boxed())
            )
        ),
        with(
            "float",
            both(
                prop_oneof![
                    bounds("-1.7976931348623157e308", "1.7976931348623157e308"),
                    bounds("-0.5", "1e300")
                ]
                .boxed(),
                default(&["0", "0.25"]).boxed()
            )
        ),
        with("boolean", default(&["true", "false"]).boxed()),
        with(
            "date",
            both(
                bounds(r#""2000-01-01""#, r#""2100-01-01""#).boxed(),
                default(&[r#""now""#, r#""2024-02-29""#]).boxed()
            )
        ),
        with("time", default(&[r#""now""#, r#""12:30:00.5""#]).boxed()),
        with(
            "timestamp",
            both(
                bounds(r#""2000-01-01T00:00:00Z""#, r#""2100-01-01T00:00:00Z""#).boxed(),
                default(&[r#""now""#, r#""2024-02-29T01:02:03Z""#]).boxed()
            )
        ),
        with("uuid", default(&[r#""uuid""#, r#""00000000-0000-0000-0000-00000000000a""#]).boxed()),
        with("json", default(&["[]", r#"{"a":[1,null]}"#, "false", r#""uuid""#]).boxed()),
        with("bytes", Just(String::new()).boxed()),
        with(
            "enum",
            both(
                plain(&[r#","values":["a","uuid","é\"",""]"#]).boxed(),
                default(&[r#""a""#, r#""uuid""#]).boxed()
            )
        ),
        with(
            "reference",
            plain(&[
                r#","to":"Other""#,
                r#","to":"Own","index":false"#,
                r#","to":"Own","on_delete":"cascade""#
            ])
            .boxed()
        ),
        with(
            "vector",
            plain(&[
                r#","dimensions":3,"index":{"method":"hnsw","metric":"l2"}"#,
                r#","dimensions":1"#
            ])
            .boxed()
        ),
    ]
}

/// A structure, which has a document.
pub(crate) fn structure() -> impl Strategy<Value = Structure> {
    let flag = |pairs: &'static str| prop_oneof![3 => Just(""), 1 => Just(pairs)];
    let field = (
        kind(),
        flag(r#","list":true"#),
        flag(r#","required":true"#),
        flag(r#","unique":true"#),
        flag(r#","label":"A \"label\"""#),
        flag(r#","description":"What it is""#),
        flag(r#","index":true"#),
    )
        .prop_map(|(kind, list, required, unique, label, description, index)| {
            // What not every type takes stands alone.
            let unique = if kind.contains("unique") { "" } else { unique };
            let index = if kind.contains("index") { "" } else { index };
            vec![
                format!("{kind}{list}{required}{label}{description}"),
                format!("{kind}{required}{unique}{label}{index}"),
                format!("{kind}{required}"),
                kind,
            ]
        });
    let top = prop::sample::select(
        &[
            "",
            r#""name":"Own","#,
            r#""name":"Own","label":"Own","description":"All of it","#,
            r#""name":"Own","label":"Mine","key":{"name":"id","type":"uuid"},"#,
            r#""label":"Mine","key":{"name":"id","type":"cuid"},"#,
        ][..],
    );
    let values = prop::sample::select(&["-3", "5", "100"][..]);
    let ops = prop::sample::select(&["=", "<>", "<", ">", "<=", ">="][..]);
    let checks = vec((0..6_usize, ops, values), 0..4);
    (top, vec(field, 0..6), checks, any::<bool>())
        .prop_map(|(top, candidates, checks, sets)| {
            let mut fields: Vec<String> = Vec::new();
            let document = |fields: &[String], rules: &str| {
                format!(r#"{{{top}"fields":[{}]{rules}}}"#, fields.join(","))
            };
            for candidates in candidates {
                for one in candidates {
                    fields.push(format!(r#"{{"name":"f{}",{one}}}"#, fields.len()));
                    if Structure::from_document(&document(&fields, "")).is_ok() {
                        break;
                    }
                    fields.pop();
                }
            }
            let mut told: Vec<String> = Vec::new();
            let mut rules = String::new();
            for (at, op, value) in checks {
                told.push(format!(r#"{{"field":"f{at}","op":"{op}","value":{value}}}"#));
                let with = format!(r#","checks":[{}]"#, told.join(","));
                match Structure::from_document(&document(&fields, &with)) {
                    Ok(_) => rules = with,
                    Err(_) => drop(told.pop()),
                }
            }
            for more in [
                r#","unique":[["f0","f1"]]"#,
                r#","indexes":[{"fields":["created_at",{"name":"f1","direction":"desc"}]}]"#,
            ] {
                let with = format!("{rules}{more}");
                if sets && Structure::from_document(&document(&fields, &with)).is_ok() {
                    rules = with;
                }
            }
            Structure::from_document(&document(&fields, &rules)).unwrap()
        })
        // A check that becomes a bound may exclude the default.
        .prop_filter("has no document", |structure| {
            Structure::from_json(&structure.to_document()).is_ok()
        })
}
