//! Properties of updates, against a model, and the corners that a model does not reach.

use super::apply::{apply, would_change};
use super::error::{JsonUpdateError, Reason};
use super::model;
use super::operations::Operations;
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

fn read(operations: &str) -> Result<Operations, JsonUpdateError> {
    Operations::read(&parse(operations)[4..])
}

/// The datum of the updated document; the old one if nothing changed.
fn update(document: &str, operations: &str, inserting: bool) -> Result<Vec<u8>, JsonUpdateError> {
    let operations = read(operations)?;
    let document = parse(document);
    let mut out = Vec::new();
    let changed = apply(&operations, &document[4..], inserting, &mut out)?;
    if !inserting {
        assert_eq!(would_change(&operations, &document[4..])?, changed);
    }
    Ok(if changed { out } else { document })
}

#[track_caller]
fn becomes(document: &str, operations: &str, expected: &str) {
    assert_eq!(update(document, operations, false), Ok(parse(expected)), "{document} {operations}");
}

#[track_caller]
fn invalid(operations: &str, expected: &[&str]) {
    match read(operations) {
        Err(JsonUpdateError::Invalid(problems)) => assert_eq!(problems, expected, "{operations}"),
        other => panic!("{operations}: {other:?}"),
    }
}

#[track_caller]
fn unfit(document: &str, operations: &str, expected: &[(Reason, &str)]) {
    match update(document, operations, false) {
        Err(JsonUpdateError::Unfit(misfits)) => {
            let found: Vec<_> = misfits.iter().map(|m| (m.reason, m.message.as_str())).collect();
            assert_eq!(found, expected, "{document} {operations}");
        }
        other => panic!("{document} {operations}: {other:?}"),
    }
}

#[test]
fn both_spellings_say_the_same() {
    let document = r#"{"a": {"b": 1}, "n": 1}"#;
    let expected = r#"{"a": {"b": 2}, "n": 3}"#;
    becomes(document, r#"{"$set": {"a.b": 2}, "$inc": {"n": 2}}"#, expected);
    let list =
        r#"[{"op": "$set", "path": "a.b", "value": 2}, {"op": "$inc", "path": ["n"], "value": 2}]"#;
    becomes(document, list, expected);
    let odd = r#"[{"op": "$set", "path": ["a.b", "$c", "", "0"], "value": 1}]"#;
    becomes("{}", odd, r#"{"a.b": {"$c": {"": {"0": 1}}}}"#);
}

#[test]
fn numbers_keep_their_scale() {
    becomes(r#"{"n": 1.50}"#, r#"{"$inc": {"n": 0.1}}"#, r#"{"n": 1.60}"#);
    becomes(r#"{"n": 9007199254740993}"#, r#"{"$inc": {"n": 1}}"#, r#"{"n": 9007199254740994}"#);
    becomes(r#"{"n": 1.50}"#, r#"{"$mul": {"n": 2.0, "m": 3}}"#, r#"{"n": 3.000, "m": 0}"#);
    // Equal values change nothing, however they are spelt.
    becomes(r#"{"n": 1.50}"#, r#"{"$set": {"n": 1.5}}"#, r#"{"n": 1.50}"#);
}

#[test]
fn arrays_are_addressed_by_index() {
    becomes(
        r#"{"a": [1, {"b": 2}]}"#,
        r#"{"$set": {"a.1.b": 3, "a.3": 4}}"#,
        r#"{"a": [1, {"b": 3}, null, 4]}"#,
    );
    becomes(
        r#"{"a": [1, 2]}"#,
        r#"{"$unset": {"a.0": "", "a.7": "", "a.x": ""}}"#,
        r#"{"a": [null, 2]}"#,
    );
    becomes("[1]", r#"{"$inc": {"0": 1}, "$set": {"2": {}}}"#, "[2, null, {}]");
    becomes("{}", r#"{"$set": {"a.0": 1}}"#, r#"{"a": {"0": 1}}"#);
    unfit(
        r#"{"a": [1, 2]}"#,
        r#"{"$set": {"a.-1": 0, "a.01": 0, "a.1503": 0}}"#,
        &[
            (Reason::Subscript, "\"a\" is an array, and \"-1\" is not an index (0, 1, 2, …)"),
            (Reason::Subscript, "\"a\" is an array, and \"01\" is not an index (0, 1, 2, …)"),
            (
                Reason::Subscript,
                "\"a\" has 2 elements, and no more than 1500 are filled up with null",
            ),
        ],
    );
}

#[test]
fn what_is_in_the_way_is_named() {
    unfit(
        r#"{"a": {"b": 5}, "s": "x", "n": null}"#,
        r#"{"$set": {"a.b.c": 1, "n.x": 1}, "$push": {"s": 1}, "$mul": {"a.c": 2}}"#,
        &[
            (Reason::InTheWay, "\"a.b\" is a number, so there can be no \"c\" in it"),
            (Reason::InTheWay, "\"n\" is null, so there can be no \"x\" in it"),
            (Reason::NoArray, "\"s\" is a string, not an array"),
        ],
    );
    unfit(
        "5",
        r#"{"$set": {"a": 1}}"#,
        &[(Reason::InTheWay, "the document is a number, so there can be no \"a\" in it")],
    );
    // What takes away finds nothing there.
    becomes(
        r#"{"a": 5}"#,
        r#"{"$unset": {"a.b": 1}, "$pull": {"a.c": 1}, "$rename": {"a.d": "x"}}"#,
        r#"{"a": 5}"#,
    );
}

#[test]
fn limits_compare_like_with_like() {
    becomes(
        r#"{"a": 5, "s": "b"}"#,
        r#"{"$min": {"a": 4, "s": "c"}, "$max": {"x": 1}}"#,
        r#"{"a": 4, "s": "b", "x": 1}"#,
    );
    unfit(
        r#"{"a": "5"}"#,
        r#"{"$max": {"a": 6}}"#,
        &[(Reason::OtherKind, "\"a\" is a string, and cannot be compared with a number")],
    );
    unfit(
        r#"{"a": 9e131071}"#,
        r#"{"$mul": {"a": 10}}"#,
        &[(Reason::OutOfRange, "the product for \"a\" is out of the range of numeric")],
    );
}

#[test]
fn all_problems_are_told_at_once() {
    invalid(
        r#"{"$set": {"a": 1, "a.b": 2, "x..y": 1}, "$inc": {"n": "1"}, "$foo": {}, "$push": {"p": {"$slice": 1}}}"#,
        &[
            "/$foo: \"$foo\" is not an operator (known: $set, $unset, $inc, $mul, $min, $max, $bit, \
             $rename, $push, $pop, $addToSet, $pull, $pullAll, $currentDate, $setOnInsert)",
            "/$inc/n: must be a number, not a string",
            "/$set/x..y: a key between dots is empty; a path with empty keys is written as an array, in \
             the form {\"op\", \"path\", \"value\"}",
            "/$push/p: modifiers need $each beside them",
            "/$set/a.b: \"a.b\" is in conflict with \"a\" of /$set/a",
        ],
    );
    invalid("[{\"op\": \"$set\", \"path\": []}]", &["/0/path: a path names at least one key"]);
    invalid(
        "[{\"path\": [\"a\"], \"valeu\": 1}, 7]",
        &[
            "/0/valeu: unknown member (known: op, path and value)",
            "/0: op is missing",
            "/1: must be an object {\"op\", \"path\", \"value\"}, not a number",
        ],
    );
    invalid(
        r#"{"$rename": {"a": "a", "b": "b.c"}}"#,
        &[
            "/$rename/a: \"a\" and \"a\" are in conflict",
            "/$rename/b: \"b\" and \"b.c\" are in conflict",
        ],
    );
    invalid(
        "1",
        &[
            "it must be a JSON object ({\"$set\": {…}}) or array ([{\"op\", \"path\", \"value\"}]), not \
         a number",
        ],
    );
}

#[test]
fn depth_is_bounded() {
    let nest = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let path = |keys: usize| vec!["k"; keys].join(".");
    assert!(
        update("{}", &format!(r#"{{"$set": {{"{}": {}}}}}"#, path(300), nest(200)), false).is_ok()
    );
    let fits = update("{}", &format!(r#"{{"$set": {{"{}": 1}}}}"#, path(512)), false).unwrap();
    assert!(fits.len() > 4);
    assert!(read(&format!(r#"{{"$set": {{"{}": 1}}}}"#, path(513))).is_err());
    assert!(read(&format!(r#"{{"$set": {{"{}": {}}}}}"#, path(300), nest(213))).is_err());
    assert!(read(&format!(r#"{{"$push": {{"{}": {}}}}}"#, path(300), nest(212))).is_err());
    let document = format!(r#"{{"a": {}}}"#, nest(400));
    let rename = format!(r#"{{"$rename": {{"a": "{}"}}}}"#, path(113));
    assert!(matches!(update(&document, &rename, false), Err(JsonUpdateError::Unfit(_))));
}

#[test]
fn conditions_look_into_elements() {
    let pull = |document: &str, condition: &str, expected: &str| {
        let wrap = |array: &str| format!("{{\"a\": {array}}}");
        becomes(
            &wrap(document),
            &format!("{{\"$pull\": {{\"a\": {condition}}}}}"),
            &wrap(expected),
        );
    };
    pull(r#"[{"x": 1, "y": 2}, {"x": 1}, 1]"#, r#"{"x": 1, "y": 2}"#, r#"[{"x": 1}, 1]"#);
    pull(r#"[{"x": [1, 2]}, {"x": [3]}]"#, r#"{"x": 2}"#, r#"[{"x": [3]}]"#);
    pull(r#"[{"x": {"y": 5}}, {"x": {"y": 1}}]"#, r#"{"x.y": {"$gt": 2}}"#, r#"[{"x": {"y": 1}}]"#);
    pull(r#"[{"x": 1}, {}]"#, r#"{"x": null}"#, r#"[{"x": 1}]"#);
    pull(r#"["a", 1, 5, null]"#, r#"{"$gte": 5}"#, r#"["a", 1, null]"#);
    pull("[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]", r#"{"$in": [1, 2, 3, 4, 5.0, 6, 7, 8]}"#, "[9, 10]");
    pull("[[1, 2], [2, 1], 1]", "[1, 2]", "[[2, 1], 1]");
    pull("[1, 2]", r#"{"$ne": 1, "$lt": 5}"#, "[1]");
    // An element that is an array is looked into, as a field's is.
    pull(r#"[["x", "y"], ["z"]]"#, r#"{"$ne": "x"}"#, r#"[["x", "y"]]"#);
    pull(r#"[["x", "y"], ["z"], "x"]"#, r#"{"$in": ["x"]}"#, r#"[["z"]]"#);
    pull("[[1, 9], [1], 9]", r#"{"$gt": 5}"#, "[[1]]");
    pull("[[1, 9], [1], 9]", r#"{"$elemMatch": {"$gt": 5}}"#, "[[1], 9]");
    pull("[[1, 9], [1]]", r#"{"$size": 1}"#, "[[1, 9]]");
    pull("[[1, 9], [1]]", r#"{"$all": [1, 9]}"#, "[[1]]");
    pull(r#"["abc", "xbc", 1, ["ab"]]"#, r#"{"$regex": "^A", "$options": "i"}"#, r#"["xbc", 1]"#);
    pull("[1, 5, 9]", r#"{"$not": {"$gt": 4}}"#, "[5, 9]");
    let objects = r#"[{"a": 1}, {"b": 2}, {"a": 1, "b": 2}, 3]"#;
    pull(objects, r#"{"a": {"$exists": false}}"#, r#"[{"a": 1}, {"a": 1, "b": 2}, 3]"#);
    pull(objects, r#"{"$or": [{"a": 1}, {"b": 2}]}"#, "[3]");
    pull(objects, r#"{"$and": [{"a": 1}, {"b": 2}]}"#, r#"[{"a": 1}, {"b": 2}, 3]"#);
    pull(objects, r#"{"$nor": [{"a": 1}]}"#, r#"[{"a": 1}, {"a": 1, "b": 2}, 3]"#);
    pull(objects, r#"{"$not": {"a": 1}}"#, r#"[{"a": 1}, {"a": 1, "b": 2}, 3]"#);
    pull(objects, "{}", "[3]");
    invalid(
        r#"{"$pull": {"a": {"$gt": 1, "b": 2, "$regex": "("}}}"#,
        &[
            "/$pull/a/b: \"b\" is not an operator (known beside a path: $eq, $ne, $gt, $gte, $lt, $lte, $between, $in, \
             $nin, $exists, $like, $ilike, $regex, $elemMatch, $all, $size, $contains and $not)",
            "/$pull/a/$regex: is not a regular expression: unclosed group",
        ],
    );
}

#[test]
fn takes_ends_and_values_and_bits() {
    becomes(
        r#"{"a": [1, 2, 3], "b": [1, 2, 3], "c": []}"#,
        r#"{"$pop": {"a": 1, "b": -1, "c": 1, "d": 1}}"#,
        r#"{"a": [1, 2], "b": [2, 3], "c": []}"#,
    );
    becomes(
        r#"{"a": [1, 1.0, [1], "1"]}"#,
        r#"{"$pullAll": {"a": [1, 2, 3, 4, 5, 6, 7, 8, 9]}}"#,
        r#"{"a": [[1], "1"]}"#,
    );
    becomes(
        r#"{"a": 12, "b": -1}"#,
        r#"{"$bit": {"a": {"and": 10}, "b": {"xor": 9223372036854775807}, "c": {"or": 4}}}"#,
        r#"{"a": 8, "b": -9223372036854775808, "c": 4}"#,
    );
    unfit(
        r#"{"a": 1.5, "b": "x", "c": 5}"#,
        r#"{"$bit": {"a": {"or": 1}}, "$pop": {"b": 1}, "$pullAll": {"c": []}}"#,
        &[
            (Reason::NoNumber, "\"a\" is a number, not a whole number of 64 bits"),
            (Reason::NoArray, "\"b\" is a string, not an array"),
            (Reason::NoArray, "\"c\" is a number, not an array"),
        ],
    );
    becomes(r#"{"a": 5}"#, r#"{"$pop": {"a.b": 1}, "$pullAll": {"a.c": [1]}}"#, r#"{"a": 5}"#);
}

#[test]
fn sorts_by_fields() {
    let push = r#"{"$push": {"a": {"$each": [{"n": 1, "m": 2}], "$sort": [{"n": 1}, {"m": -1}], "$slice": -2}}}"#;
    becomes(
        r#"{"a": [{"n": 1, "m": 3}, {"n": 2}, {"n": 0}]}"#,
        push,
        r#"{"a": [{"n": 1, "m": 2}, {"n": 2}]}"#,
    );
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => select(vec!["a", "b", "c", "dd", "0", "1", "3"]).prop_map(str::to_owned),
        1 => "[a-z]{1,9}",
    ]
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3_i64..4).prop_map(Value::from),
        (-30_000_i64..400_000).prop_map(Value::from),
        "[xyz]{0,2}".prop_map(Value::from),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(4, 60, 8, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..8).prop_map(Value::from),
            hash_map(key(), inner, 0..8).prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    })
}

/// Large enough for several offsets in the table of words.
fn document() -> impl Strategy<Value = Value> {
    (hash_map(key(), value(), 0..7), hash_map("[k-m]{1,4}", scalar(), 0..80))
        .prop_map(|(a, b)| Value::Object(a.into_iter().chain(b).collect()))
}

fn operation() -> impl Strategy<Value = (&'static str, Value)> {
    let integer = || (-5_i64..6).prop_map(Value::from);
    let condition = (select(vec!["$eq", "$ne", "$gt", "$gte", "$lt", "$lte"]), value())
        .prop_map(|(name, value)| json!({ name: value }));
    let sets =
        (select(vec!["$in", "$nin"]), vec(value(), 0..12)).prop_map(|(n, v)| json!({ n: v }));
    let modifiers = (
        vec(value(), 0..12),
        proptest::option::of(-4_i64..5),
        proptest::option::of(-4_i64..5),
        proptest::option::of(select(vec![1, -1])),
    )
        .prop_map(|(each, position, slice, sort)| {
            let mut modifiers = Map::new();
            modifiers.insert("$each".to_owned(), each.into());
            for (name, value) in [("$position", position), ("$slice", slice), ("$sort", sort)] {
                modifiers.extend(value.map(|value| (name.to_owned(), value.into())));
            }
            Value::Object(modifiers)
        });
    prop_oneof![
        4 => value().prop_map(|v| ("$set", v)),
        1 => value().prop_map(|v| ("$setOnInsert", v)),
        2 => Just(("$unset", json!(""))),
        2 => integer().prop_map(|v| ("$inc", v)),
        2 => integer().prop_map(|v| ("$mul", v)),
        1 => integer().prop_map(|v| ("$min", v)),
        1 => "[xyz]{0,2}".prop_map(|v| ("$max", v.into())),
        1 => value().prop_map(|v| ("$push", v)),
        2 => modifiers.prop_map(|v| ("$push", v)),
        1 => value().prop_map(|v| ("$addToSet", v)),
        1 => vec(value(), 0..12).prop_map(|v| ("$addToSet", json!({"$each": v}))),
        1 => scalar().prop_map(|v| ("$pull", v)),
        1 => condition.prop_map(|v| ("$pull", v)),
        1 => sets.prop_map(|v| ("$pull", v)),
        1 => hash_map("[a-c]", scalar(), 1..3)
            .prop_map(|m| ("$pull", Value::Object(m.into_iter().collect()))),
        1 => select(vec![1, -1]).prop_map(|end| ("$pop", json!(end))),
        1 => vec(value(), 0..12).prop_map(|v| ("$pullAll", v.into())),
        1 => (select(vec!["and", "or", "xor"]), integer()).prop_map(|(bits, v)| ("$bit", json!({bits: v}))),
        1 => vec(key(), 1..3).prop_map(|keys| ("$rename", keys.join(".").into())),
    ]
}

fn operations() -> impl Strategy<Value = Value> {
    let one = (vec(key(), 1..4), operation());
    vec(one, 1..6).prop_map(|all| {
        let mut object = Map::new();
        for (path, (name, value)) in all {
            let members = object.entry(name).or_insert_with(|| json!({}));
            if let Some(members) = members.as_object_mut() {
                members.insert(path.join("."), value);
            }
        }
        Value::Object(object)
    })
}

/// Whether two paths of the operations are the same, or one leads through the other.
fn conflict(operations: &Value) -> bool {
    let mut paths = Vec::new();
    for (name, members) in operations.as_object().into_iter().flatten() {
        for (path, value) in members.as_object().into_iter().flatten() {
            paths.push(format!("{path}."));
            if name == "$rename" {
                paths.extend(value.as_str().map(|to| format!("{to}.")));
            }
        }
    }
    (0..paths.len()).any(|a| (0..paths.len()).any(|b| a != b && paths[a].starts_with(&paths[b])))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn does_what_the_model_does(document in document(), operations in operations(), inserting: bool) {
        let found = update(&document.to_string(), &operations.to_string(), inserting);
        if conflict(&operations) {
            prop_assert!(matches!(found, Err(JsonUpdateError::Invalid(_))), "{:?}", found);
            return Ok(());
        }
        match model::update(&document, &operations, inserting) {
            // To the byte what is made of the text.
            Some(expected) => prop_assert_eq!(found, Ok(parse(&expected.to_string())), "{}", expected),
            None => prop_assert!(matches!(found, Err(JsonUpdateError::Unfit(_))), "{:?}", found),
        }
    }
}
