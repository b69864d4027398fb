//! Where null must not stand.
//!
//! A member that is null is not the same as one that is absent: who sends it meant something, and a document that is
//! read as if it were not there loses what stands beside it. One look at the whole document finds every null, so that
//! no reader of a member has to think of it.

use crate::json::{Json, token};

pub(crate) const MESSAGE: &str = "must not be null: give it a value, or leave it out";

/// The places of nulls in a structure document, as JSON Pointers. A null default means no default; others may contain nulls.
pub(crate) fn of_document(document: &Json, at: &str) -> Vec<String> {
    let mut found = Vec::new();
    in_document(document, at, &mut found);
    found
}

/// The same for a blueprint. The values of the rows that it begins with may be null: who reads them knows which.
pub(crate) fn of_blueprint(document: &Json) -> Vec<String> {
    let mut found = Vec::new();
    each(document, "", &mut found, &mut |name, value, at, found| match name {
        Some("seed") => in_seed(value, at, found),
        Some("default") => {}
        _ => in_document(value, at, found),
    });
    found
}

fn in_seed(json: &Json, at: &str, found: &mut Vec<String>) {
    each(json, at, found, &mut |_, table, at, found| {
        each(table, at, found, &mut |name, value, at, found| match name {
            Some("rows") => each(value, at, found, &mut |_, row, at, found| {
                each(row, at, found, &mut |_, _, _, _| {});
            }),
            _ => in_document(value, at, found),
        });
    });
}

/// The same for a JSON Schema, with the key under which the words of structure documents stand in it. Values that the
/// schema speaks of may be null.
pub(crate) fn of_schema(schema: &Json, own: &str) -> Vec<String> {
    let mut found = Vec::new();
    in_schema(schema, "", own, &mut found);
    found
}

fn in_document(json: &Json, at: &str, found: &mut Vec<String>) {
    each(json, at, found, &mut |name, value, at, found| {
        if name != Some("default") {
            in_document(value, at, found);
        }
    });
}

fn in_schema(json: &Json, at: &str, own: &str, found: &mut Vec<String>) {
    each(json, at, found, &mut |name, value, at, found| match name {
        Some(name) if name == own => in_document(value, at, found),
        Some("enum") if *value == Json::Null => found.push(at.to_owned()),
        // Values, and what others keep beside the schema.
        Some("default" | "const" | "enum" | "example" | "examples") => {}
        Some("discriminator" | "externalDocs" | "xml") => {}
        Some(name) if name.starts_with("x-") => {}
        // Names of the user's, and not words of the schema.
        Some("properties" | "patternProperties" | "dependentSchemas" | "$defs" | "definitions") => {
            each(value, at, found, &mut |_, value, at, found| in_schema(value, at, own, found));
        }
        _ => in_schema(value, at, own, found),
    });
}

/// What is done with a member or an element: its name, the value, its place.
type Look<'l> = dyn FnMut(Option<&str>, &Json, &str, &mut Vec<String>) + 'l;

/// Notes a null, and looks at what an object or an array holds.
fn each(json: &Json, at: &str, found: &mut Vec<String>, look: &mut Look<'_>) {
    match json {
        // The document itself is another problem.
        Json::Null if !at.is_empty() => found.push(at.to_owned()),
        Json::Object(pairs) => {
            for (name, value) in pairs {
                look(Some(name), value, &format!("{at}/{}", token(name)), found);
            }
        }
        Json::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                look(None, value, &format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_is_the_only_place_for_a_null() {
        let json = Json::parse(
            r#"{"label": null, "fields": [{"name": null, "default": null}, {"default": {"a": [null]}}, null],
                "unique": [["a", null], null], "checks": [{"field": null, "op": null, "value": null}],
                "a/b": {"": null}}"#,
        )
        .unwrap();
        assert_eq!(
            of_document(&json, ""),
            [
                "/label",
                "/fields/0/name",
                "/fields/2",
                "/unique/0/1",
                "/unique/1",
                "/checks/0/field",
                "/checks/0/op",
                "/checks/0/value",
                "/a~1b/",
            ]
        );
        assert!(of_document(&Json::Null, "").is_empty());
    }

    #[test]
    fn a_schema_may_speak_of_null() {
        let json = Json::parse(
            r#"{"title": null, "x-kepler": {"name": null, "ignore": [null]}, "x-other": null, "required": [null],
                "properties": {"default": null, "a": {"default": null, "const": null, "enum": [null], "minimum": null},
                    "b": {"anyOf": [{"type": null}, null], "x-kepler": {"default": null, "type": null}, "enum": null}},
                "$defs": {"c": null}, "allOf": null}"#,
        )
        .unwrap();
        assert_eq!(
            of_schema(&json, "x-kepler"),
            [
                "/title",
                "/x-kepler/name",
                "/x-kepler/ignore/0",
                "/required/0",
                "/properties/default",
                "/properties/a/minimum",
                "/properties/b/anyOf/0/type",
                "/properties/b/anyOf/1",
                "/properties/b/x-kepler/type",
                "/properties/b/enum",
                "/$defs/c",
                "/allOf",
            ]
        );
    }
}
