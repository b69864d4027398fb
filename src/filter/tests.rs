//! Filters against a model, and the corners that a model does not reach.

use super::error::FilterError;
use super::{Compiled, Filter, Operand, compile, model};
use crate::jsonb::parse::{InvalidCharacters, Parser};
use proptest::collection::{hash_map, vec};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

fn parse(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    Parser::new(InvalidCharacters::Reject).parse(text.as_bytes(), &mut out).unwrap();
    out
}

fn read(filter: &str) -> Result<Filter, FilterError> {
    Filter::read(&parse(filter)[4..])
}

#[track_caller]
fn matches(document: &str, filter: &str, expected: bool) {
    let found = read(filter).unwrap().matches(&parse(document)[4..]);
    assert_eq!(found, expected, "{document} {filter}");
}

#[track_caller]
fn problems(filter: &str, expected: &[&str]) {
    match read(filter) {
        Err(FilterError::Invalid(problems)) => assert_eq!(problems, expected, "{filter}"),
        other => panic!("{filter}: {other:?}"),
    }
}

#[track_caller]
fn compiles(filter: &str, sql: &str, parameters: &[&str]) {
    let Compiled { sql: found, parameters: bound, .. } = compile(filter, "m.metadata", 3).unwrap();
    let short = found.replace("OPERATOR(pg_catalog.@?)", "@?").replace("::pg_catalog.", "::");
    assert_eq!(
        (short.as_str(), bound.iter().map(Operand::text).collect()),
        (sql, parameters.to_vec())
    );
}

#[test]
fn kinds_are_not_mixed() {
    matches(r#"{"n": "9"}"#, r#"{"n": {"$gt": 10}}"#, false);
    matches(r#"{"n": "9"}"#, r#"{"n": {"$gt": "10"}}"#, true);
    matches(r#"{"n": 9}"#, r#"{"n": {"$gt": 10}}"#, false);
    matches(r#"{"n": 1}"#, r#"{"n": true}"#, false);
    matches(r#"{"n": null}"#, r#"{"n": {"$gte": 0}}"#, false);
    matches(r#"{"n": null}"#, r#"{"n": {"$not": {"$gte": 0}}}"#, true);
    matches(r#"{"n": 1.50}"#, r#"{"n": 15e-1}"#, true);
    matches(r#"{"n": 9007199254740993}"#, r#"{"n": {"$gt": 9007199254740992}}"#, true);
    matches(r#"{"n": 1e400}"#, r#"{"n": {"$gt": 9e399, "$lt": 2e400}}"#, true);
    // By bytes, and not as some language sorts.
    matches(r#"{"s": "Z"}"#, r#"{"s": {"$lt": "a"}}"#, true);
    matches(r#"{"s": "é"}"#, r#"{"s": {"$gt": "z"}}"#, true);
}

#[test]
fn what_is_missing_counts_as_null() {
    for filter in [
        r#"{"x": null}"#,
        r#"{"x": {"$in": [null]}}"#,
        r#"{"x": {"$ne": 5}}"#,
        r#"{"x": {"$nin": [5]}}"#,
        r#"{"x": {"$exists": false}}"#,
        r#"{"x": {"$not": {"$gt": 5}}}"#,
        r#"{"$not": {"x": 5}}"#,
        r#"{"x.y": null}"#,
    ] {
        matches("{}", filter, true);
    }
    for filter in [
        r#"{"x": {"$ne": null}}"#,
        r#"{"x": {"$exists": true}}"#,
        r#"{"x": {"$lte": 5}}"#,
        r#"{"x": {"$contains": null}}"#,
    ] {
        matches("{}", filter, false);
    }
    matches(r#"{"x": null}"#, r#"{"x": {"$exists": true}}"#, true);
}

#[test]
fn arrays_meet_by_their_elements() {
    let document = r#"{"tags": ["a", ["b"]], "to": [{"n": 1}, {"n": [2, 3]}]}"#;
    for (filter, expected) in [
        (r#"{"tags": "a"}"#, true),
        (r#"{"tags": "b"}"#, false),
        (r#"{"tags": ["b"]}"#, true),
        (r#"{"tags": ["a", ["b"]]}"#, true),
        (r#"{"tags": ["a"]}"#, false),
        (r#"{"tags.0": "a"}"#, true),
        (r#"{"to.n": 3}"#, true),
        (r#"{"to.n": {"$gt": 2}}"#, true),
        (r#"{"to.0.n": {"$gt": 2}}"#, false),
        (r#"{"to.n": {"$ne": 3}}"#, false),
        (r#"{"to": {"n": 1}}"#, true),
        (r#"{"to": {"$contains": [{"n": [3]}]}}"#, true),
        (r#"{"to": {"$contains": {"n": 1}}}"#, false),
        (r#"{"tags": {"$contains": "a"}}"#, true),
        (r#"{"tags": {"$contains": ["b"]}}"#, false),
        (r#"{"tags": {"$contains": [["b"], "a"]}}"#, true),
    ] {
        matches(document, filter, expected);
    }
}

#[test]
fn the_list_names_keys_with_dots() {
    let document = r#"{"site.year": 2024, "$ref": "x", "a": {"b.c": [1]}}"#;
    for (filter, expected) in [
        (r#"[{"op": "$gte", "path": ["site.year"], "value": 2020}]"#, true),
        (
            r#"[{"op": "$eq", "path": ["$ref"], "value": "x"}, {"op": "$eq", "path": ["a", "b.c"], "value": 1}]"#,
            true,
        ),
        (r#"[{"op": "$exists", "path": "site.year", "value": true}]"#, false),
        (r#"{"$or": [[{"op": "$eq", "path": ["site.year"], "value": 1}], {"a.b": 1}]}"#, false),
        (r#"{"$not": [{"op": "$not", "path": ["site.year"], "value": {"$lt": 3000}}]}"#, true),
        ("[]", true),
    ] {
        matches(document, filter, expected);
    }
}

#[test]
fn all_that_is_wrong_is_said() {
    problems(
        r#"{"$xor": [], "$nor": [], "a": {"$regex": "(", "$gt": null}, "b..c": 1, "$or": [{"d": {"$in": 1}}, 5], "$and": []}"#,
        &[
            "/a/$gt: must be a number, a string, a boolean or a time ({\"$date\": \"2026-01-31\"}), not null",
            "/a/$regex: is not a regular expression: unclosed group",
            "/$or/0/d/$in: must be an array, not a number",
            "/$or/1: must be an object ({\"topic\": \"x\"}) or an array ([{\"op\", \"path\", \"value\"}]), \
             not a number",
            "/$and: must have at least one filter",
            "/$nor: must have at least one filter",
            "/$xor: \"$xor\" is not an operator (known: $and, $or, $nor and $not; beside a path: $eq, $ne, $gt, \
             $gte, $lt, $lte, $between, $in, $nin, $exists, $like, $ilike, $regex, $elemMatch, $all, $size, $contains and $not)",
            "/b..c: a key between dots is empty; a path with empty keys is written as an array, in the form \
             {\"op\", \"path\", \"value\"}",
        ],
    );
    problems(r#"{"$gt": 5}"#, &["/$gt: $gt stands beside a path, as in {\"year\": {\"$gt\": …}}"]);
    problems(
        r#"{"a": {"b": {"$gt": 1}}}"#,
        &[
            "/a: an operator stands inside of a value; write a path with dots ({\"a.b\": {\"$gt\": 1}}), or \
           {\"$eq\": …} where the value is meant as it is",
        ],
    );
    let inside = r#"{"a": [{"b": {"$regex": "x"}}], "c": {"$eq": {"$regex": "x"}}}"#;
    assert!(matches!(read(inside), Err(FilterError::Invalid(problems)) if problems.len() == 1));
    problems(
        r#"[{"op": "$set", "path": "a", "value": 1}, {"path": 1}, 7, {"op": "$lt", "path": [], "value": [], "as": 1}]"#,
        &[
            "/0/op: \"$set\" is not an operator (known beside a path: $eq, $ne, $gt, $gte, $lt, $lte, $between, $in, \
             $nin, $exists, $like, $ilike, $regex, $elemMatch, $all, $size, $contains and $not)",
            "/1: op is missing",
            "/1/path: a path is a string or an array of strings, not a number",
            "/2: must be an object {\"op\", \"path\", \"value\"}, not a number",
            "/3/as: unknown member (known: op, path and value)",
            "/3/value: must be a number, a string, a boolean or a time ({\"$date\": \"2026-01-31\"}), not an array",
            "/3/path: a path names at least one key",
        ],
    );
    problems(
        "5",
        &[
            "it must be an object ({\"topic\": \"x\"}) or an array ([{\"op\", \"path\", \"value\"}]), not a number",
        ],
    );
    let broken = compile(r#"{"a": }"#, "c", 1).unwrap_err();
    assert_eq!(broken, FilterError::Broken { problem: "expected a value".to_owned(), offset: 6 });
}

#[test]
fn patterns_are_those_of_like() {
    for (text, pattern, like, ilike) in [
        ("Ada", "A%", true, true),
        ("Ada", "a%", false, true),
        ("Ada", "ada", false, true),
        ("Ada", "_d_", true, true),
        ("Ada", "__", false, false),
        ("Ada", "%d", false, false),
        ("Ada", "%", true, true),
        ("", "%%", true, true),
        ("", "_", false, false),
        ("5%", r"5\%", true, true),
        ("5x", r"5\%", false, false),
        (r"a\b", r"a\\b", true, true),
        ("a.b", "a.b", true, true),
        ("axb", "a.b", false, false),
        ("a\nb", "a%b", true, true),
        ("ÉTÉ", "été", false, true),
        ("日本", "日_", true, true),
    ] {
        let document = json!({"t": text}).to_string();
        matches(&document, &json!({"t": {"$like": pattern}}).to_string(), like);
        matches(&document, &json!({"t": {"$ilike": pattern}}).to_string(), ilike);
        matches(
            &json!({"t": [1, text]}).to_string(),
            &json!({"t": {"$like": pattern}}).to_string(),
            like,
        );
    }
    problems(
        r#"{"t": {"$like": "a\\"}}"#,
        &["/t/$like: must not end with its escape character, \\"],
    );
    problems(r#"{"t": {"$ilike": 5}}"#, &["/t/$ilike: must be a string, not a number"]);
    let long = format!(r#"{{"t": {{"$like": "{}"}}}}"#, "_".repeat(100_000));
    problems(&long, &["/t/$like: the pattern is too large"]);
}

#[test]
fn times_are_compared_as_instants() {
    let document =
        r#"{"at": "2026-03-01T12:00:00+02:00", "all": ["soon", "2026-01-05"], "n": 1772359200}"#;
    for (filter, expected) in [
        (r#"{"at": {"$gt": {"$date": "2026-03-01T09:59:59Z"}}}"#, true),
        (r#"{"at": {"$gt": {"$date": "2026-03-01T10:00:00Z"}}}"#, false),
        (r#"{"at": {"$gt": "2026-03-01T10:00:00Z"}}"#, true),
        (r#"{"at": {"$date": "2026-03-01 10:00"}}"#, true),
        (r#"{"at": {"$ne": {"$date": "2026-03-01T10:00:00Z"}}}"#, false),
        (r#"{"gone": {"$ne": {"$date": "2026-03-01T10:00:00Z"}}}"#, true),
        (r#"{"at": {"$in": ["x", {"$date": "2026-03-01T10:00:00Z"}]}}"#, true),
        (r#"{"all": {"$between": [{"$date": "2026-01-01"}, {"$date": "2026-01-31"}]}}"#, true),
        (r#"{"all": {"$between": [{"$date": "2026-01-06"}, {"$date": "2026-01-31"}]}}"#, false),
        (r#"{"all": {"$all": ["soon", {"$date": "2026-01-05T00:00:00Z"}]}}"#, true),
        (r#"{"n": {"$gt": {"$date": "1970-01-01"}}}"#, false),
        (r#"{"at": {"$lt": {"$date": "infinity"}}}"#, true),
        (r#"[{"op": "$lt", "path": ["at"], "value": {"$date": "2027-01-01"}}]"#, true),
    ] {
        matches(document, filter, expected);
    }
    problems(
        r#"{"a": {"$gt": {"$date": "soon"}}, "b": {"$date": 5}, "c": {"$in": [1, {"$date": "2026-02-30"}]}, "d": {"$between": [{"$date": "2026-01-01"}, "x"]}, "e": {"$between": [1]}, "f": {"$between": [null, 2]}, "g": {"$between": 7}, "h": {"$lt": {"$date": "2026-01-01T00:00:00.0000001Z"}}}"#,
        &[
            "/a/$gt/$date: not a time: expected ISO 8601, an HTTP date or a Unix time",
            "/b/$date: must be a time in a string (\"2026-01-31T09:30:00Z\"), not a number",
            "/c/$in/1/$date: a date or time of day that does not exist",
            "/d/$between: must have two values of one type",
            "/e/$between: must be an array of two values, [least, most]",
            "/f/$between/0: must be a number, a string, a boolean or a time ({\"$date\": \"2026-01-31\"}), not null",
            "/g/$between: must be an array of two values, not a number",
            "/h/$lt/$date: finer than a microsecond",
        ],
    );
}

#[test]
fn one_value_lies_between() {
    matches(r#"{"n": [1, 9]}"#, r#"{"n": {"$between": [2, 8]}}"#, false);
    matches(r#"{"n": [1, 9]}"#, r#"{"n": {"$gte": 2, "$lte": 8}}"#, true);
    matches(r#"{"n": [1, 5]}"#, r#"{"n": {"$between": [2, 8]}}"#, true);
    matches(r#"{"n": 2}"#, r#"{"n": {"$between": [2, 2.0]}}"#, true);
    matches(r#"{"n": 2}"#, r#"{"n": {"$between": [3, 1]}}"#, false);
    matches(r#"{"s": "m"}"#, r#"{"s": {"$between": ["a", "z"]}}"#, true);
}

#[test]
fn size_and_depth_are_bounded() {
    let nested =
        |levels: usize| format!("{}{{}}{}", r#"{"$not": "#.repeat(levels), "}".repeat(levels));
    matches("{}", &nested(64), true);
    let pointer = "/$not".repeat(65);
    problems(&nested(65), &[&format!("{pointer}: nested deeper than 64 levels")]);
    let field = format!(r#"{{"a": {}{}"#, r#"{"$not": "#.repeat(100), "}".repeat(100));
    assert!(matches!(compile(&field, "c", 1), Err(FilterError::Broken { .. })));
    let field = format!(r#"{{"a": {}1{}}}"#, r#"{"$not": "#.repeat(100), "}".repeat(100));
    assert!(matches!(read(&field), Err(FilterError::Invalid(_))));
    for levels in [511, 100_000] {
        let text = format!(r#"{{"a": {}1{}}}"#, "[".repeat(levels), "]".repeat(levels));
        assert_eq!(compile(&text, "c", 1).is_ok(), levels == 511, "{levels}");
    }
    let many = |count: usize| {
        let list = (0..count).map(|at| format!(r#"{{"op": "$ne", "path": "a", "value": {at}}}"#));
        format!("[{}]", list.collect::<Vec<_>>().join(","))
    };
    matches(r#"{"a": 1000}"#, &many(1000), true);
    problems(
        &many(1001),
        &[
            "it has 1001 comparisons, more than the 1000 allowed: $in compares with many values at once",
        ],
    );
    let values = (0..100_000).map(|at| at.to_string()).collect::<Vec<_>>().join(",");
    matches(r#"{"a": 99999}"#, &format!(r#"{{"a": {{"$in": [{values}]}}}}"#), true);
}

#[test]
fn values_and_keys_are_bound() {
    compiles("{}", "(true)", &[]);
    compiles(
        r#"{"topic": "it's \"x\"", "n": -1.50}"#,
        "(m.metadata @? $3::jsonpath)",
        &[r#"$ ? (($."n" == -1.5 && $."topic" == "it's \"x\""))"#],
    );
    compiles(
        r#"{"a.b": {"$in": [1, "x"]}, "y": {"$gt": 5}}"#,
        "(m.metadata @? $3::jsonpath AND kepler.json_matches(m.metadata, $4::jsonb))",
        &[
            r#"$ ? (($."a"."b" == 1 || $."a"."b" == "x"))"#,
            r#"{"a.b": {"$in": [1, "x"]}, "y": {"$gt": 5}}"#,
        ],
    );
    compiles(
        r#"{"a": {"x": 1, "y": [2, [3]]}}"#,
        "(m.metadata @? $3::jsonpath AND kepler.json_matches(m.metadata, $4::jsonb))",
        &[r#"$ ? (($."a"."x" == 1 && $."a"."y" == 2))"#, r#"{"a": {"x": 1, "y": [2, [3]]}}"#],
    );
    // No index knows what is missing, what is negated, or the place in an array.
    for filter in [
        r#"{"a": null}"#,
        r#"{"a": {"$ne": 1}}"#,
        r#"{"a.0": 1}"#,
        r#"{"$or": [{"a": 1}, {"b": {"$gt": 1}}]}"#,
    ] {
        compiles(filter, "(kepler.json_matches(m.metadata, $3::jsonb))", &[filter]);
    }
}

#[test]
fn a_document_may_stand_below_a_key() {
    let below = |filter| compile(filter, "c", 1).unwrap().path_below("it's \"x\"");
    assert_eq!(
        below(r#"{"n": 1, "a.b": {"$in": [2, "x"]}, "y": {"$gt": 5}}"#).unwrap(),
        r#"$ ? (($."it's \"x\""."n" == 1 && ($."it's \"x\""."a"."b" == 2 || $."it's \"x\""."a"."b" == "x")))"#
    );
    assert_eq!(below(r#"{"y": {"$gt": 5}}"#), None);
}

fn key() -> impl Strategy<Value = String> {
    select(vec!["a", "b", "c", "dd", "0", "1"]).prop_map(str::to_owned)
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3_i64..4).prop_map(Value::from),
        (-4_i64..5).prop_map(|half| Value::from(half as f64 / 2.0)),
        "[xy]{0,2}".prop_map(Value::from),
        Just(Value::from("1")),
        (0..model::TIMES.len()).prop_map(|at| Value::from(model::TIMES[at].0)),
    ]
}

fn date() -> impl Strategy<Value = Value> {
    (0..model::TIMES.len()).prop_map(|at| json!({"$date": model::TIMES[at].0}))
}

/// Two values of one kind.
fn ends() -> impl Strategy<Value = Value> {
    prop_oneof![
        (-3_i64..4, -3_i64..4).prop_map(|(a, b)| json!([a, b])),
        ("[xy]{0,2}", "[xy]{0,2}").prop_map(|(a, b)| json!([a, b])),
        (date(), date()).prop_map(|(a, b)| json!([a, b])),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            hash_map(key(), inner, 0..4).prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    })
}

fn document() -> impl Strategy<Value = Value> {
    hash_map(key(), value(), 0..6).prop_map(|m| Value::Object(m.into_iter().collect()))
}

fn tests() -> impl Strategy<Value = Value> {
    let ordered = scalar().prop_filter("is ordered", |value| !value.is_null());
    let one = prop_oneof![
        1 => (Just("$between"), ends()),
        1 => (select(vec!["$like", "$ilike"]), r"[xyXY%_]{0,3}(\\[x%_])?%?").prop_map(|(name, text)| (name, Value::from(text))),
        1 => (select(vec!["$eq", "$ne", "$gt", "$gte", "$lt", "$lte"]), date()),
        1 => (select(vec!["$in", "$nin", "$all"]), vec(prop_oneof![date(), scalar()], 0..12).prop_map(Value::from)),
        3 => (select(vec!["$eq", "$ne", "$contains"]), value()),
        3 => (select(vec!["$gt", "$gte", "$lt", "$lte"]), ordered),
        2 => (select(vec!["$in", "$nin"]), vec(value(), 0..12).prop_map(Value::from)),
        1 => (Just("$exists"), any::<bool>().prop_map(Value::from)),
        1 => (Just("$all"), vec(value(), 0..3).prop_map(Value::from)),
        1 => (Just("$size"), (0_usize..4).prop_map(Value::from)),
        1 => (Just("$regex"), "[xy]{0,2}".prop_map(Value::from)),
        1 => (Just("$elemMatch"), (-3_i64..4, scalar()).prop_map(|(n, v)| json!({"$gt": n, "$ne": v}))),
    ];
    let all = vec(one, 1..3).prop_map(|all| {
        Value::Object(all.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    });
    all.prop_recursive(2, 4, 1, |inner| inner.prop_map(|tests| json!({ "$not": tests })))
}

fn filter() -> impl Strategy<Value = Value> {
    let path = vec(key(), 1..4).prop_map(|keys| keys.join("."));
    let field = (path, prop_oneof![1 => value(), 3 => tests()]);
    let fields = vec(field, 0..3)
        .prop_map(|all| Value::Object(all.into_iter().collect::<Map<String, Value>>()));
    fields.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            (select(vec!["$and", "$or", "$nor"]), vec(inner.clone(), 1..4))
                .prop_map(|(name, parts)| json!({ name: parts })),
            inner.prop_map(|part| json!({ "$not": part })),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn says_what_the_model_says(document in document(), filter in filter()) {
        let found = read(&filter.to_string()).unwrap().matches(&parse(&document.to_string())[4..]);
        prop_assert_eq!(found, model::meets(&document, &filter));
    }

    #[test]
    fn any_json_is_read_or_refused(filter in filter(), other in value(), position in any::<prop::sample::Index>()) {
        // A filter with something wrong put in somewhere.
        let mut broken = filter.clone();
        if let Value::Object(members) = &mut broken
            && !members.is_empty()
        {
            let key = members.keys().nth(position.index(members.len())).unwrap().clone();
            members.insert(key, other.clone());
        }
        for text in [other.to_string(), broken.to_string()] {
            if let Err(FilterError::Invalid(problems)) = read(&text) {
                prop_assert!(!problems.is_empty());
            }
            let compiled = compile(&text, "c", 1);
            if let Ok(compiled) = compiled {
                let names = (1..=compiled.parameters.len()).all(|n| compiled.sql.contains(&format!("${n}")));
                prop_assert!(names && !compiled.sql.contains('"'), "{}", compiled.sql);
            }
        }
    }
}
