//! Rows that a blueprint begins with, right and wrong in every place.

use crate::json::Json;
use crate::structure::blueprint::model::Blueprint;
use crate::structure::blueprint::seed::order;
use crate::structure::error::StructureError;
use proptest::prelude::*;

const EXAMPLE: &str = r#"{"blueprint": "shop",
 "tables": [
  {"name": "Line", "key": {"fields": ["order", "place"]}, "retention": {"floor": "6 months 1 years", "field": "on"},
   "fields": [{"name": "order", "column": "order_id", "type": "reference", "to": "Order"}, {"name": "place", "type": "integer"},
              {"name": "on", "type": "date", "required": true, "default": "now"}, {"name": "data", "type": "json"}]},
  {"name": "Order", "table": "orders", "key": {"name": "id", "type": "uuid"},
   "fields": [{"name": "shop", "type": "text"}, {"name": "number", "type": "integer"}, {"name": "bytes", "type": "bytes"},
              {"name": "after", "type": "reference", "to": "Order"}, {"name": "at", "type": "timestamp"},
              {"name": "vector", "type": "vector", "dimensions": 2}],
   "unique": [["shop", "number"]]}],
 "seed": {
  "Line": {"existing": "update", "rows": [
    {"order": {"lookup": {"where": {"shop": "a", "number": 2}}}, "place": 1, "on": {"now_plus": "2 day"}, "data": {"value": {"value": 1}}},
    {"order": {"lookup": {"where": {"id": {"lookup": {"table": "Order", "where": {"number": 1, "shop": "a"}}}}}}, "place": 2, "data": null},
    {"order": {"lookup": {"where": {"shop": "b", "number": 1}}}, "place": 3, "data": {"value": null}}]},
  "Order": {"key": ["number", "shop"], "rows": [
    {"shop": "a", "number": 3, "after": {"lookup": {"where": {"shop": "a", "number": 2}}}},
    {"shop": "a", "number": 2, "after": {"lookup": {"where": {"shop": "a", "number": 1}}}, "bytes": "AP8="},
    {"shop": "a", "number": 1, "vector": [1, 2.50], "at": {"now_minus": "1 week 3 hours"}},
    {"shop": "b", "number": 1}]}}}"#;

fn read(text: &str) -> Blueprint {
    Blueprint::from_text(text).unwrap_or_else(|error| match error {
        StructureError::Invalid { problems: found, .. } => panic!("{found:#?}"),
        other => panic!("{other}"),
    })
}

#[test]
fn an_example_is_said_in_normal_form() {
    let blueprint = read(EXAMPLE);
    let printed = blueprint.to_document();
    let again = read(&printed.to_string());
    assert_eq!(again.seed, blueprint.seed);
    assert_eq!(again.tables, blueprint.tables);
    assert_eq!(again.to_document().to_string(), printed.to_string());
    let seed = printed.get("seed").unwrap().to_string();
    assert!(seed.starts_with(
        r#"{"Line":{"key":["order","place"],"existing":"update","rows":[{"order":{"lookup":{"table":"Order","where":{"shop":"a","number":2},"field":"id"}},"place":1,"on":{"now_plus":"2 days"},"data":{"value":{"value":1}}}"#
    ), "{seed}");
    assert!(
        seed.contains(r#""data":null}"#) && seed.contains(r#""data":{"value":null}}"#),
        "{seed}"
    );
    assert!(
        printed.to_string().contains(r#""retention":{"floor":"1 year 6 months","field":"on"}"#)
    );
}

#[test]
fn rows_come_after_those_they_need_in_few_groups() {
    let blueprint = read(EXAMPLE);
    let groups: Vec<(String, Vec<usize>)> = order(&blueprint)
        .unwrap()
        .into_iter()
        .map(|group| (blueprint.seed[group.seed].table.clone(), group.rows))
        .collect();
    let of = |table: &str, rows: &[usize]| (table.to_owned(), rows.to_vec());
    let expected =
        [of("Order", &[2, 3]), of("Order", &[1]), of("Order", &[0]), of("Line", &[0, 1, 2])];
    assert_eq!(groups, expected);
}

/// No place of a document takes a null that it does not understand, and none panics.
#[test]
fn a_null_in_every_place_is_told_there() {
    let document = Json::parse(EXAMPLE).unwrap();
    let mut places = Vec::new();
    collect(document.get("seed").unwrap(), "/seed", &mut places);
    assert!(places.len() > 60, "{}", places.len());
    for place in places {
        let mut changed = document.clone();
        *at(&mut changed, &place) = Json::Null;
        let legal = [
            "/Line/rows/0/data",
            "/Line/rows/1/data",
            "/Line/rows/2/data",
            "/data/value",
            "/value/value",
            "/after",
            "/bytes",
            "/vector",
            "/at",
        ]
        .iter()
        .any(|end| place.ends_with(end));
        match Blueprint::from_json(&changed) {
            Ok(_) => assert!(legal, "{place}"),
            Err(found) => {
                let told = found.iter().any(|problem| {
                    place == problem.pointer
                        || problem.pointer.starts_with(&format!("{place}/"))
                        || place.starts_with(&format!("{}/", problem.pointer))
                });
                assert!(told, "{place}: {found:?}");
            }
        }
    }
}

fn collect(json: &Json, at: &str, places: &mut Vec<String>) {
    places.push(at.to_owned());
    match json {
        Json::Object(pairs) => {
            for (key, value) in pairs {
                collect(value, &format!("{at}/{key}"), places);
            }
        }
        Json::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                collect(value, &format!("{at}/{index}"), places);
            }
        }
        _ => {}
    }
}

fn at<'j>(json: &'j mut Json, pointer: &str) -> &'j mut Json {
    pointer.split('/').skip(1).fold(json, |json, token| match json {
        Json::Array(items) => &mut items[token.parse::<usize>().unwrap()],
        Json::Object(pairs) => &mut pairs.iter_mut().find(|(key, _)| key == token).unwrap().1,
        _ => panic!("{pointer}"),
    })
}

proptest! {
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
}
