//! The published grammar and the reader.

use super::super::types;
use super::{problems, resolve, table, with};
use crate::json::Json;

/// The published grammar and the reader know the same keys, for every type.
#[test]
fn the_published_grammar_is_this_one() {
    let schema = Json::parse(include_str!("../../../../../docs/blueprint.schema.json")).unwrap();
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
