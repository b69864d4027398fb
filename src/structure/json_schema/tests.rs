//! Schemas as other tools write them, and structures that survive the way out and back.

use super::{MAX_DEPTH, is_schema, resolve, schema_of, to_document};
use crate::json::Json;
use crate::structure::document::tests::EXAMPLE;
use crate::structure::generate::structure;
use crate::structure::model::Structure;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

fn json(text: &str) -> Json {
    Json::parse(text).unwrap()
}

/// The structure of a schema, in normal form: what its fields are, a line each.
fn fields(schema: &str) -> Vec<String> {
    let converted = to_document(&json(schema)).unwrap();
    let structure = Structure::from_json(&converted.document).unwrap();
    match structure.to_document().get("fields") {
        Some(Json::Array(fields)) => fields.iter().map(Json::to_string).collect(),
        other => panic!("{other:?}"),
    }
}

/// The one field of an object with the one property "a", which is required.
fn field(schema: &str) -> String {
    let text = format!(r#"{{"type":"object","properties":{{"a":{schema}}},"required":["a"]}}"#);
    let field = fields(&text).remove(0);
    field.replacen(r#""name":"a","#, "", 1)
}

fn problems(schema: &str) -> Vec<String> {
    let found = to_document(&json(schema)).unwrap_err();
    found.into_iter().map(|(at, message)| format!("{at}: {message}")).collect()
}

fn problem(schema: &str) -> String {
    let found = problems(&format!(r#"{{"type":"object","properties":{{"a":{schema}}}}}"#));
    assert_eq!(found.len(), 1, "{found:?}");
    found.into_iter().next().unwrap()
}

/// What pydantic 2 writes for a model with an enum, a decimal and a reference to itself.
const PYDANTIC: &str = r##"{"$defs": {
  "Item": {"description": "An item of the inventory.", "properties": {
    "item_name": {"maxLength": 255, "minLength": 1, "title": "Item Name", "type": "string"},
    "nickname": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": null, "title": "Nickname"},
    "quantity": {"default": 0, "minimum": 0, "title": "Quantity", "type": "integer"},
    "weight": {"exclusiveMinimum": 0, "title": "Weight", "type": "number"},
    "price": {"anyOf": [{"minimum": 0.0, "type": "number"}, {"type": "string",
      "pattern": "^(?!^[-+.]*$)[+-]?0*(?:\\d{0,8}|(?=[\\d.]{1,11}0*$)\\d{0,8}\\.\\d{0,2}0*$)"}], "title": "Price"},
    "cost": {"anyOf": [{"type": "number"}, {"type": "string"}, {"type": "null"}], "default": null, "title": "Cost"},
    "status": {"$ref": "#/$defs/Status", "default": "in_stock"},
    "kind": {"const": "item", "default": "item", "title": "Kind", "type": "string"},
    "rank": {"$ref": "#/$defs/Rank"},
    "tags": {"default": [], "items": {"type": "string"}, "title": "Tags", "type": "array"},
    "pair": {"maxItems": 2, "minItems": 2, "prefixItems": [{"type": "integer"}, {"type": "string"}], "title": "Pair", "type": "array"},
    "extra": {"additionalProperties": true, "title": "Extra", "type": "object"},
    "anything": {"title": "Anything"},
    "seen_at": {"format": "date-time", "title": "Seen At", "type": "string"},
    "day": {"anyOf": [{"format": "date", "type": "string"}, {"type": "null"}], "title": "Day"},
    "ref": {"format": "uuid4", "title": "Ref", "type": "string"},
    "photo": {"format": "binary", "title": "Photo", "type": "string"},
    "either": {"anyOf": [{"type": "integer"}, {"type": "string"}], "title": "Either"},
    "parent": {"anyOf": [{"$ref": "#/$defs/Item"}, {"type": "null"}], "default": null},
    "children": {"items": {"$ref": "#/$defs/Item"}, "title": "Children", "type": "array"}},
   "required": ["item_name", "weight", "price", "rank", "pair", "extra", "anything", "seen_at", "ref", "photo", "either", "children"],
   "title": "Item", "type": "object"},
  "Rank": {"enum": [1, 2, 3], "title": "Rank", "type": "integer"},
  "Status": {"enum": ["in_stock", "sold_out"], "title": "Status", "type": "string"}},
 "$ref": "#/$defs/Item"}"##;

#[test]
fn reads_what_pydantic_writes() {
    let converted = to_document(&json(PYDANTIC)).unwrap();
    let structure = Structure::from_json(&converted.document).unwrap();
    assert_eq!(structure.label.as_deref(), Some("Item"));
    assert_eq!(structure.description.as_deref(), Some("An item of the inventory."));
    assert_eq!(structure.checks.len(), 1);
    assert_eq!(
        fields(PYDANTIC),
        [
            r#"{"name":"item_name","type":"text","label":"Item Name","max_length":255,"required":true,"min_length":1}"#,
            r#"{"name":"nickname","type":"text","label":"Nickname"}"#,
            r#"{"name":"quantity","type":"bigint","label":"Quantity","required":true,"min":0,"default":0}"#,
            r#"{"name":"weight","type":"float","label":"Weight","required":true}"#,
            r#"{"name":"price","type":"decimal","label":"Price","precision":10,"scale":2,"required":true,"min":0}"#,
            r#"{"name":"cost","type":"decimal","label":"Cost"}"#,
            r#"{"name":"status","type":"enum","values":["in_stock","sold_out"],"required":true,"default":"in_stock"}"#,
            r#"{"name":"kind","type":"enum","label":"Kind","values":["item"],"required":true,"default":"item"}"#,
            r#"{"name":"rank","type":"integer","required":true,"min":1,"max":3}"#,
            r#"{"name":"tags","type":"text","label":"Tags","list":true,"required":true,"default":[]}"#,
            r#"{"name":"pair","type":"json","label":"Pair","required":true}"#,
            r#"{"name":"extra","type":"json","label":"Extra","required":true}"#,
            r#"{"name":"anything","type":"json","label":"Anything"}"#,
            r#"{"name":"seen_at","type":"timestamp","label":"Seen At","required":true}"#,
            r#"{"name":"day","type":"date","label":"Day"}"#,
            r#"{"name":"ref","type":"uuid","label":"Ref","required":true}"#,
            r#"{"name":"photo","type":"bytes","label":"Photo","required":true}"#,
            r#"{"name":"either","type":"json","label":"Either","required":true}"#,
            r#"{"name":"parent","type":"json","description":"An item of the inventory."}"#,
            r#"{"name":"children","type":"json","label":"Children","required":true}"#,
        ]
    );
}

/// What zod 4 writes, which spells out formats as patterns.
const ZOD: &str = r#"{"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "properties": {
   "id": {"type": "integer", "minimum": -9007199254740991, "maximum": 9007199254740991},
   "small": {"type": "integer", "minimum": -2147483648, "maximum": 2147483647},
   "nickname": {"type": ["string", "null"]},
   "price": {"type": "number", "minimum": 0, "maximum": 99999.99, "multipleOf": 0.01},
   "status": {"default": "a", "type": "string", "enum": ["a", "b"]},
   "either": {"anyOf": [{"type": "string", "const": "a"}, {"type": "string", "const": "b"}]},
   "mixed": {"type": ["string", "number"]},
   "shape": {"oneOf": [{"type": "object", "properties": {"t": {"type": "string", "const": "a"}}, "required": ["t"], "additionalProperties": false},
                       {"type": "object", "properties": {"t": {"type": "string", "const": "b"}}, "required": ["t"], "additionalProperties": false}]},
   "pair": {"type": "array", "prefixItems": [{"type": "string"}, {"type": "number"}], "items": false, "minItems": 2, "maxItems": 2},
   "extra": {"type": "object", "propertyNames": {"type": "string"}, "additionalProperties": {}},
   "seen_at": {"type": "string", "format": "date-time", "pattern": "^\\d{4}-\\d\\d-\\d\\dT.*Z$"},
   "at": {"type": "string", "pattern": "^(?:[01]\\d|2[0-3]):[0-5]\\d(?::[0-5]\\d(?:\\.\\d+)?)?$"},
   "email": {"type": "string", "format": "email", "pattern": "^(?:[A-Za-z0-9_'+\\-]+\\.)*[A-Za-z0-9_'+\\-]*[A-Za-z0-9_+-]@(?:[A-Za-z0-9][A-Za-z0-9\\-]*\\.)+[A-Za-z]{2,}$"},
   "token": {"type": "string", "format": "cuid2", "pattern": "^[0-9a-z]+$"},
   "photo": {"type": "string", "format": "base64", "contentEncoding": "base64", "pattern": "^$|^[0-9a-zA-Z+/=]*$"},
   "half": {"type": "number", "minimum": -1.7976931348623157e+308, "maximum": 1.7976931348623157e+308}},
 "required": ["id", "small", "price", "status", "either", "mixed", "shape", "pair", "extra", "seen_at", "at", "email", "token", "photo", "half"],
 "additionalProperties": false}"#;

#[test]
fn reads_what_zod_writes() {
    assert_eq!(
        fields(ZOD),
        [
            r#"{"name":"id","type":"bigint","required":true,"min":-9007199254740991,"max":9007199254740991}"#,
            r#"{"name":"small","type":"integer","required":true}"#,
            r#"{"name":"nickname","type":"text"}"#,
            r#"{"name":"price","type":"decimal","precision":7,"scale":2,"required":true,"min":0,"max":99999.99}"#,
            r#"{"name":"status","type":"enum","values":["a","b"],"required":true,"default":"a"}"#,
            r#"{"name":"either","type":"enum","values":["a","b"],"required":true}"#,
            r#"{"name":"mixed","type":"json","required":true}"#,
            r#"{"name":"shape","type":"json","required":true}"#,
            r#"{"name":"pair","type":"json","required":true}"#,
            r#"{"name":"extra","type":"json","required":true}"#,
            r#"{"name":"seen_at","type":"timestamp","required":true}"#,
            r#"{"name":"at","type":"time","required":true}"#,
            r#"{"name":"email","type":"text","required":true}"#,
            r#"{"name":"token","type":"text","required":true}"#,
            r#"{"name":"photo","type":"bytes","required":true}"#,
            r#"{"name":"half","type":"float","required":true}"#,
        ]
    );
}

#[test]
fn reads_other_ways_to_say_it() {
    for (schema, expected) in [
        (r#"{"type":"string","nullable":true}"#, r#"{"type":"text"}"#),
        (r#"{"enum":["x",null]}"#, r#"{"type":"enum","values":["x"]}"#),
        (r#"{"enum":["x",1]}"#, r#"{"type":"json","required":true}"#),
        (r#"{"enum":[true,false]}"#, r#"{"type":"boolean","required":true}"#),
        (r#"{"const":7}"#, r#"{"type":"integer","required":true,"min":7,"max":7}"#),
        (r#"{"type":"integer","format":"int32"}"#, r#"{"type":"integer","required":true}"#),
        (
            r#"{"type":"integer","minimum":0,"maximum":9,"format":"int64"}"#,
            r#"{"type":"bigint","required":true,"min":0,"max":9}"#,
        ),
        (
            r#"{"type":"number","multipleOf":0.001}"#,
            r#"{"type":"decimal","precision":38,"scale":3,"required":true}"#,
        ),
        (
            r#"{"anyOf":[{"type":"integer"},{"type":"number"}]}"#,
            r#"{"type":"float","required":true}"#,
        ),
        (
            r#"{"allOf":[{"type":"string","maxLength":5}],"title":"A"}"#,
            r#"{"type":"text","label":"A","max_length":5,"required":true}"#,
        ),
        (
            r#"{"type":"array","items":{"type":"array","items":{"type":"string"}}}"#,
            r#"{"type":"json","required":true}"#,
        ),
        (
            r#"{"type":"array","items":{"type":"string","enum":["x"]}}"#,
            r#"{"type":"enum","values":["x"],"list":true,"required":true}"#,
        ),
        (
            r#"{"type":"array","items":{"type":["string","null"]}}"#,
            r#"{"type":"json","required":true}"#,
        ),
        (
            r#"{"type":"array","items":{"type":"number"},"x-kepler":{"type":"vector","dimensions":3}}"#,
            r#"{"type":"vector","dimensions":3,"required":true}"#,
        ),
        (
            r#"{"type":"string","pattern":"^a","x-kepler":{"ignore":["pattern"],"unique":true}}"#,
            r#"{"type":"text","required":true,"unique":true}"#,
        ),
        (
            r#"{"type":"string","x-kepler":{"default":"cuid"}}"#,
            r#"{"type":"text","required":true,"default":"cuid"}"#,
        ),
        (r##"{"$ref":"#"}"##, r#"{"type":"json","required":true}"#),
    ] {
        assert_eq!(field(schema), expected, "{schema}");
    }
    // Before draft 6, the strict bound was a flag.
    let old = r#"{"type":"object","properties":{"a":{"type":"number","minimum":1,"exclusiveMinimum":true}}}"#;
    let structure = Structure::from_json(&to_document(&json(old)).unwrap().document).unwrap();
    assert!(structure.fields[0].min.is_none() && structure.checks.len() == 1);
}

#[test]
fn nothing_is_dropped_silently() {
    for (schema, at) in [
        (r#"{"type":"string","pattern":"^a"}"#, "/pattern"),
        (r#"{"type":"string","format":"email","pattern":"corp"}"#, "/pattern"),
        (r#"{"type":"array","items":{"type":"string"},"minItems":1}"#, "/minItems"),
        (r#"{"type":"array","items":{"type":"string"},"uniqueItems":true}"#, "/uniqueItems"),
        (r#"{"type":"array","items":{"type":"string","pattern":"a"}}"#, "/items/pattern"),
        (
            r#"{"type":"array","items":{"type":"integer","exclusiveMinimum":1}}"#,
            "/items/exclusiveMinimum",
        ),
        (r#"{"type":"object","patternProperties":{"^a":{}}}"#, "/patternProperties"),
        (r#"{"type":"integer","multipleOf":5}"#, "/multipleOf"),
        (r#"{"enum":[1,2,5]}"#, "/enum"),
        (r#"{"type":"string","if":{},"x-other":1}"#, "/if"),
        (r#"{"type":"string","colour":1}"#, "/colour"),
        (r#"{"type":"string","default":"uuid"}"#, "/default"),
        (r#"{"type":"null"}"#, ""),
        (r#"{"type":"money"}"#, "/type"),
        (r#"{"$ref":"https://example.com/a.json"}"#, "/$ref"),
        (r##"{"$ref":"#/$defs/nope"}"##, "/$ref"),
        (r##"{"$ref":"#/properties/a"}"##, "/$ref"),
        (r##"{"anyOf":[{"$ref":"#/properties/a"},{"type":"null"}]}"##, "/anyOf/0/$ref"),
        (r#"{"allOf":[{"minLength":1},{"maxLength":5}],"type":"string"}"#, "/allOf"),
        (r#"{"maxLength":2,"allOf":[{"maxLength":5}],"type":"string"}"#, "/allOf/0/maxLength"),
        (r#"{"type":"string","x-kepler":7}"#, "/x-kepler"),
        ("7", ""),
        ("false", ""),
    ] {
        let found = problem(schema);
        assert!(found.starts_with(&format!("/properties/a{at}: ")), "{schema}: {found}");
    }
    let found = problems(
        r#"{"type":"object","properties":{"a":{"type":"string","not":{}},"b":{"contains":1}},
            "required":["c"],"additionalProperties":{"type":"string"},"minProperties":1,"x-kepler":{"fields":[]}}"#,
    );
    for at in [
        "/properties/a/not: ",
        "/properties/b/contains: ",
        "/required/0: ",
        "/additionalProperties: ",
        "/minProperties: ",
        "/x-kepler/fields: ",
    ] {
        assert!(found.iter().any(|problem| problem.starts_with(at)), "{at} is not in {found:#?}");
    }
    for text in ["{}", "[]", "null", r#"{"type":"array"}"#, r#"{"properties":[]}"#] {
        assert!(!problems(text).is_empty(), "{text}");
    }
}

#[test]
fn references_and_alternatives_are_bounded() {
    let chain: Vec<String> =
        (0..5_000).map(|at| format!(r##""d{at}":{{"$ref":"#/$defs/d{}"}}"##, at + 1)).collect();
    let text = format!(
        r##"{{"type":"object","$defs":{{{}}},"properties":{{"a":{{"$ref":"#/$defs/d0"}}}}}}"##,
        chain.join(",")
    );
    assert!(problems(&text)[0].contains("too many references"));
    let doubled: Vec<String> = (0..MAX_DEPTH - 2)
        .map(|at| {
            let next = format!(r##"{{"$ref":"#/$defs/d{}"}}"##, at + 1);
            format!(r#""d{at}":{{"anyOf":[{next},{next}]}}"#)
        })
        .collect();
    let text = format!(
        r##"{{"type":"object","$defs":{{{}}},"properties":{{"a":{{"$ref":"#/$defs/d0"}}}}}}"##,
        doubled.join(",")
    );
    assert!(problems(&text)[0].contains("too many references"));
}

#[test]
fn places_lead_back_to_the_schema() {
    let schema = json(
        r##"{"type":"object","title":"T","$defs":{"S":{"enum":["x","y"]},"L":{"type":"string","maxLength":3}},
            "properties":{"a/b":{"$ref":"#/$defs/S"},"n":{"type":"integer","exclusiveMinimum":1,"maximum":5},
                          "l":{"$ref":"#/$defs/L","x-kepler":{"index":{"method":"gin"}}}},
            "x-kepler":{"unique":[["n","l"]],"checks":[{"field":"n","op":"<>","value":2}]}}"##,
    );
    let converted = to_document(&schema).unwrap();
    for (here, there) in [
        ("", ""),
        ("/label", "/title"),
        ("/key/name", ""),
        ("/fields", "/properties"),
        ("/fields/0", "/properties/a~1b"),
        ("/fields/0/name", "/properties/a~1b"),
        ("/fields/0/type", "/properties/a~1b"),
        ("/fields/0/values/1", "/$defs/S/enum/1"),
        ("/fields/1/max", "/properties/n/maximum"),
        ("/fields/1/precision", "/properties/n"),
        ("/fields/2/max_length", "/$defs/L/maxLength"),
        ("/fields/2/index/method", "/properties/l/x-kepler/index/method"),
        ("/unique/0/1", "/x-kepler/unique/0/1"),
        ("/checks/0/value", "/x-kepler/checks/0/value"),
        ("/checks/1/value", "/properties/n/exclusiveMinimum"),
    ] {
        assert_eq!(converted.locate(here), there, "{here}");
    }
}

#[test]
fn tells_schemas_from_documents() {
    for text in [PYDANTIC, ZOD, r#"{"type":"object","properties":{}}"#] {
        assert!(is_schema(&json(text)), "{text}");
    }
    for text in [EXAMPLE, "[]", "{}", r#"{"type":"object"}"#, r#"{"$schema":"x","fields":[]}"#] {
        assert!(!is_schema(&json(text)), "{text}");
    }
}

#[test]
fn writes_what_clients_can_use() {
    let structure = Structure::from_document(EXAMPLE).unwrap();
    let schema = schema_of(&structure);
    let property = |name: &str| schema.get("properties").unwrap().get(name).unwrap().to_string();
    for (name, expected) in [
        (
            "item_id",
            r#"{"type":"integer","minimum":-2147483648,"maximum":2147483647,"x-kepler":{"unique":true}}"#,
        ),
        ("item_name", r#"{"type":["string","null"],"maxLength":255}"#),
        ("quantity", r#"{"type":["integer","null"],"minimum":0,"maximum":100000,"default":0}"#),
        (
            "price",
            r#"{"type":["number","null"],"multipleOf":0.01,"x-kepler":{"type":"decimal","precision":10,"scale":2}}"#,
        ),
        (
            "status",
            r#"{"type":["string","null"],"enum":["in_stock","sold_out",null],"default":"in_stock"}"#,
        ),
        (
            "supplier",
            r#"{"type":["integer","string","null"],"x-kepler":{"type":"reference","to":"Supplier","on_delete":"restrict"}}"#,
        ),
    ] {
        assert_eq!(property(name), expected);
    }
    assert_eq!(schema.get("required").unwrap().to_string(), r#"["item_id"]"#);
    assert_eq!(schema.get("title").unwrap().as_str(), Some("Inventory Record"));
}

/// Trees of the words of JSON Schema, most of them in the wrong place.
fn tree() -> impl Strategy<Value = Json> {
    const WORDS: [&str; 28] = [
        "type",
        "properties",
        "required",
        "enum",
        "const",
        "anyOf",
        "allOf",
        "oneOf",
        "$ref",
        "$defs",
        "items",
        "prefixItems",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "multipleOf",
        "format",
        "pattern",
        "default",
        "title",
        "x-kepler",
        "ignore",
        "list",
        "nullable",
        "minItems",
        "maxItems",
        "checks",
        "maxLength",
    ];
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Boolean),
        prop::sample::select(&["0", "-1", "0.01", "1e400", "1e-9", "2147483647"][..])
            .prop_map(|text| Json::Number(text.to_owned())),
        prop::sample::select(
            &[
                "object",
                "string",
                "integer",
                "number",
                "array",
                "null",
                "decimal",
                "vector",
                "date",
                "#",
                "#/properties/type",
                "#/$defs/type",
                "#/items/0",
                "#%2",
                "uuid",
                "text",
                "json"
            ][..]
        )
        .prop_map(Json::string),
    ];
    leaf.prop_recursive(6, 60, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Json::Array),
            prop::collection::btree_map(prop::sample::select(&WORDS[..]), inner, 0..6).prop_map(
                |pairs| Json::Object(pairs.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())
            ),
        ]
    })
}

proptest! {
    #[test]
    fn structures_survive_the_way_out_and_back(structure in structure()) {
        let schema = schema_of(&structure);
        prop_assert!(is_schema(&schema));
        // Through text, as clients get it.
        let converted = to_document(&json(&schema.to_string()));
        prop_assert!(converted.is_ok(), "{schema}\n{converted:?}");
        let document = converted.unwrap().document;
        let again = Structure::from_json(&document);
        prop_assert!(again.as_ref() == Ok(&structure), "{}\n{}\n{:?}", schema, document, again);
    }

    #[test]
    fn no_tree_panics(a in tree(), b in tree(), types in option::of(Just(Json::string("object")))) {
        let mut pairs = vec![("properties".to_owned(), Json::Object(vec![("a".to_owned(), a), ("type".to_owned(), b.clone())]))];
        pairs.push(("$defs".to_owned(), b.clone()));
        pairs.extend(types.map(|word| ("type".to_owned(), word)));
        for schema in [Json::Object(pairs), b] {
            let leads = |pointer: &str| resolve(&schema, &format!("#{pointer}")).is_ok();
            match to_document(&schema) {
                Ok(converted) => {
                    let read = Structure::from_json(&converted.document);
                    for problem in read.err().into_iter().flatten() {
                        let place = converted.locate(&problem.pointer);
                        // The place itself, or the object that lacks it.
                        let parent = place.rsplit_once('/').map_or("", |(parent, _)| parent);
                        prop_assert!(leads(&place) || leads(parent), "{schema} {problem:?} {place}");
                    }
                }
                Err(problems) => {
                    prop_assert!(!problems.is_empty());
                    for (place, message) in problems {
                        prop_assert!(leads(&place), "{schema} {place} {message}");
                    }
                }
            }
        }
    }
}
