//! Documents that are right, and documents that are wrong in every way.

use crate::json::Json;
use crate::structure::document::Invalid;
use crate::structure::model::Structure;
use proptest::prelude::*;

/// The example of the documentation.
pub(crate) const EXAMPLE: &str = r#"{"name": "Inventory Record",
 "key": {"name": "entry_id", "type": "bigint"},
 "fields": [
  {"name": "item_id",   "type": "integer", "required": true, "unique": true},
  {"name": "item_name", "type": "text", "max_length": 255},
  {"name": "quantity",  "type": "integer", "min": 0, "default": 0},
  {"name": "price",     "type": "decimal", "precision": 10, "scale": 2},
  {"name": "status",    "type": "enum", "values": ["in_stock", "sold_out"], "default": "in_stock"},
  {"name": "supplier",  "type": "reference", "to": "Supplier", "on_delete": "restrict"},
  {"name": "embedding", "type": "vector", "dimensions": 1536, "index": {"method": "hnsw"}}],
 "unique": [["item_id", "status"]],
 "indexes": [{"fields": ["created_at"]}],
 "checks": [{"field": "quantity", "op": "<=", "value": 100000}]}"#;

fn problems(text: &str) -> Vec<String> {
    match Structure::from_document(text) {
        Ok(structure) => panic!("read as {structure:?}"),
        Err(Invalid::Broken(broken)) => vec![format!("{}: {}", broken.offset, broken.problem)],
        Err(Invalid::Problems(problems)) => {
            problems.into_iter().map(|p| format!("{}: {}", p.pointer, p.message)).collect()
        }
    }
}

#[test]
fn the_normal_form_is_stable() {
    let structure = Structure::from_document(EXAMPLE).unwrap();
    let printed = structure.to_document().to_string();
    assert_eq!(Structure::from_document(&printed).unwrap(), structure);
    assert_eq!(Structure::from_document(&printed).unwrap().to_document().to_string(), printed);
    // A check that is a bound, an index that was only hinted at, the index of a reference.
    assert!(printed.contains(r#""min":0,"max":100000"#), "{printed}");
    assert!(
        printed.ends_with(
            r#""unique":[["item_id","status"]],"indexes":[{"fields":["created_at"]},{"fields":["embedding"],"method":"hnsw","metric":"cosine"},{"fields":["supplier"]}]}"#
        ),
        "{printed}"
    );
}

#[test]
fn an_empty_description_is_none() {
    let text = r#"{"description":"","fields":[{"name":"a","type":"text","description":""}]}"#;
    let structure = Structure::from_document(text).unwrap();
    assert_eq!((structure.description, &structure.fields[0].description), (None, &None));
}

#[test]
fn rules_that_no_table_can_have_are_refused() {
    let found = problems(r#"{"fields": [], "unique": [["created_at"], ["created_at"]]}"#);
    assert_eq!(found, ["/unique/1: the same fields are given twice"]);
    let references = |b: &str| {
        format!(
            r#"{{"fields":[{{"name":"a","type":"reference","to":"A"}},{{"name":"b","type":"reference","to":"{b}"}}],
                "checks":[{{"field":"a","op":"<>","other_field":"b"}}]}}"#
        )
    };
    assert!(Structure::from_document(&references("A")).is_ok());
    assert!(problems(&references("B"))[0].starts_with("/checks/0/other_field: "));
}

#[test]
fn all_problems_are_found_at_once() {
    let found = problems(
        r#"{"name": " x", "colour": 1, "key": {"name": "select", "type": "serial"},
            "fields": [
              {"type": "text"},
              {"name": "A b", "type": "text"},
              {"name": "created_at", "type": "text"},
              {"name": "a", "type": "varchar"},
              {"name": "a", "type": "integer", "min": 1.5, "max_length": 3},
              {"name": "b", "type": "decimal", "scale": 2},
              {"name": "c", "type": "enum", "values": ["x", "x", 1]},
              {"name": "d", "type": "reference"},
              {"name": "e", "type": "vector", "dimensions": 0},
              {"name": "f", "type": "json", "list": true},
              {"name": "g", "type": "text", "max_length": 2, "default": "abc", "sql": "1"},
              {"name": "select", "type": "text"}, 7]}"#,
    );
    let pointers: Vec<&str> = found.iter().map(|p| p.split(": ").next().unwrap()).collect();
    for pointer in [
        "/name",
        "/colour",
        "/key/name",
        "/key/type",
        "/fields/0/name",
        "/fields/1/name",
        "/fields/2/name",
        "/fields/3/type",
        "/fields/4/min",
        "/fields/4/max_length",
        "/fields/5/scale",
        "/fields/6/values/1",
        "/fields/6/values/2",
        "/fields/7/to",
        "/fields/8/dimensions",
        "/fields/9/list",
        "/fields/10/default",
        "/fields/10/sql",
        "/fields/11/name",
        "/fields/12",
        "/fields/4/name",
    ] {
        assert!(pointers.contains(&pointer), "{pointer} is not in {found:#?}");
    }
}

#[test]
fn rules_are_checked_against_the_fields() {
    let found = problems(
        r#"{"fields": [
              {"name": "a", "type": "integer", "max": 5},
              {"name": "t", "type": "text"},
              {"name": "j", "type": "json", "unique": true},
              {"name": "v", "type": "vector", "dimensions": 3000, "index": true},
              {"name": "l", "type": "text", "list": true, "index": {"method": "btree"}},
              {"name": "r", "type": "reference", "to": "X", "required": true, "on_delete": "set_null"},
              {"name": "ci", "type": "text", "case_insensitive": true},
              {"name": "d", "type": "integer", "default": 0}, {"name": "x", "type": "date"},
              {"name": "y", "type": "date"}],
            "unique": [["a", "b"], ["a", "a"], [], ["a", "t"], ["t", "a"], "a"],
            "indexes": [{"fields": ["j", "a"]}, {"fields": ["nope"]}, {}, {"fields": ["a"], "metric": "l2"}],
            "checks": [{"field": "a", "op": "<=", "value": 4}, {"field": "t", "op": "<", "value": "x"},
                       {"field": "a", "op": ">", "other_field": "t"}, {"field": "a", "op": "~", "value": 1},
                       {"field": "a", "op": "<"}, {"field": "j", "op": "=", "value": 1},
                       {"field": "a", "op": "<", "other_field": "a"},
                       {"field": "d", "op": ">=", "value": 5}]}"#,
    );
    let pointers: Vec<&str> = found.iter().map(|p| p.split(": ").next().unwrap()).collect();
    for pointer in [
        "/unique/0/1",
        "/unique/1/1",
        "/unique/2",
        "/unique/4",
        "/unique/5",
        "/indexes/0/method",
        "/indexes/1/fields/0",
        "/indexes/2/fields",
        "/indexes/3/method",
        "/checks/0",
        "/checks/1/op",
        "/checks/2/other_field",
        "/checks/3/op",
        "/checks/4/value",
        "/checks/5/field",
        "/checks/6/other_field",
        "/fields/2/unique",
        "/fields/3/index",
        "/fields/4/index/method",
        "/fields/5/on_delete",
        "/fields/6/case_insensitive",
        "/fields/7/default",
    ] {
        assert!(pointers.contains(&pointer), "{pointer} is not in {found:#?}");
    }
}

#[test]
fn renames_go_one_way() {
    let found = problems(
        r#"{"fields": [{"name": "a", "type": "text", "renamed_from": "b"},
                       {"name": "b", "type": "text", "renamed_from": "a"},
                       {"name": "c", "type": "text", "renamed_from": "c"},
                       {"name": "d", "type": "text", "renamed_from": "x"},
                       {"name": "e", "type": "text", "renamed_from": "x"}]}"#,
    );
    let mut pointers: Vec<&str> = found.iter().map(|p| p.split(": ").next().unwrap()).collect();
    pointers.sort_unstable();
    let places = [0, 1, 2, 4].map(|at| format!("/fields/{at}/renamed_from"));
    assert_eq!(pointers, places, "{found:#?}");
}

#[test]
fn hostile_documents_are_refused() {
    for text in [
        "",
        "[]",
        "1",
        "null",
        r#"{"fields": {}}"#,
        r#"{"fields": null}"#,
        "{",
        r#"{"fields": [], "fields": []}"#,
        r#"{"fields": [{"name": "x\"; DROP TABLE y; --", "type": "text"}]}"#,
        r#"{"fields": [{"name": "ınt", "type": "text"}]}"#,
        r#"{"name": "a\u0000b", "fields": []}"#,
        r#"{"name": "a\nb", "fields": []}"#,
    ] {
        assert!(!problems(text).is_empty(), "{text}");
    }
    let many: Vec<String> =
        (0..5_000).map(|at| format!(r#"{{"name": "f{at}", "type": "text"}}"#)).collect();
    let found = problems(&format!(r#"{{"fields": [{}]}}"#, many.join(",")));
    assert!(found.len() == 1 && found[0].contains("5000 fields"), "{found:?}");
    let deep = format!(r#"{{"fields": {}{}}}"#, "[".repeat(90_000), "]".repeat(90_000));
    assert!(problems(&deep)[0].contains("nested deeper"));
}

#[test]
fn text_of_values_is_kept_to_the_letter() {
    let text =
        r#"{"fields":[{"name":"s","type":"enum","values":["it's","\"; DROP","\\","é","","$$"]}]}"#;
    let printed = Structure::from_document(text).unwrap().to_document().to_string();
    assert!(printed.contains(r#""values":["it's","\"; DROP","\\","é","","$$"]"#), "{printed}");
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,200}") {
        let _ = Structure::from_document(&text);
    }

    /// The example with one stretch replaced: near to valid, and rarely so.
    #[test]
    fn no_mutation_panics(at in 0..EXAMPLE.len(), cut in 0_usize..40, put in "[\\[\\]{}\",:a-z0-9 .-]{0,12}") {
        let end = (at + cut).min(EXAMPLE.len());
        let mutated = format!("{}{put}{}", &EXAMPLE[..at], &EXAMPLE[end..]);
        if let Ok(structure) = Structure::from_document(&mutated) {
            let printed = structure.to_document();
            let again = Structure::from_json(&printed).unwrap();
            prop_assert_eq!(again.to_document().to_string(), printed.to_string());
        }
    }

    #[test]
    fn pointers_lead_to_what_is_wrong(at in 0..EXAMPLE.len(), put in "[a-z0-9\"{},]{1,3}") {
        let mutated = format!("{}{put}{}", &EXAMPLE[..at], &EXAMPLE[at..]);
        if let Err(Invalid::Problems(found)) = Structure::from_document(&mutated) {
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
    let schema = Json::parse(include_str!("../../../docs/structure.schema.json")).unwrap();
    let keys = |json: &Json| -> Vec<String> {
        let Json::Object(pairs) = json else { panic!("no object: {json}") };
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
    let at = |pointer: &str| resolve(&schema, pointer).unwrap();
    assert_eq!(known(r#"{"fields": [], "nonsense": 1}"#, ""), keys(at("/properties")));
    assert_eq!(
        known(r#"{"fields": [], "key": {"nonsense": 1}}"#, "/key"),
        keys(at("/properties/key/properties"))
    );
    assert_eq!(
        known(r#"{"fields": [], "indexes": [{"nonsense": 1}]}"#, "/indexes/0"),
        keys(at("/properties/indexes/items/properties"))
    );
    assert_eq!(
        known(r#"{"fields": [], "checks": [{"nonsense": 1}]}"#, "/checks/0"),
        keys(at("/properties/checks/items/properties"))
    );
    assert_eq!(
        known(r#"{"fields": [], "retention": {"nonsense": 1}}"#, "/retention"),
        keys(at("/properties/retention/properties"))
    );
    let Json::Array(types) = at("/$defs/field/properties/type/enum") else { panic!() };
    let Json::Array(conditions) = at("/$defs/field/allOf") else { panic!() };
    assert_eq!(types.len(), crate::field_types::kind::FieldKind::NAMES.len());
    for (name, condition) in types.iter().zip(conditions) {
        let name = name.as_str().unwrap();
        assert_eq!(resolve(condition, "/if/properties/type/const").unwrap().as_str(), Some(name));
        let excluded = keys(resolve(condition, "/then/properties").unwrap());
        let mut expected = keys(at("/$defs/field/properties"));
        expected.retain(|key| !excluded.contains(key));
        let field = format!(
            r#"{{"fields": [{{"name": "a", "type": "{name}", "values": ["x"], "to": "X", "dimensions": 3, "nonsense": 1}}]}}"#
        );
        assert_eq!(known(&field, "/fields/0"), expected, "{name}");
    }
}
