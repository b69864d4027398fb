//! The schema of an entry as clients and language models send it.
//!
//! It is made from the structure's document: what JSON Schema says in its own words is taken out of
//! it, and the rest stands under `"x-kepler"`, so that the schema reads back as the same structure.
//! Only keywords that the tool interfaces of language models take are used.

use super::{OWN, TIME_PATTERN, is_end_of_range, number};
use crate::field_types::kind::FieldKind;
use crate::json::Json;
use crate::structure::model::{Default, Field, KeyKind, Op, Operand, Structure};

type Pairs = Vec<(String, Json)>;

/// The JSON Schema (2020-12) of an entry of the structure. Read by [`super::to_document`], it gives
/// the structure's document again.
pub(crate) fn schema_of(structure: &Structure) -> Json {
    let mut own = match structure.to_document() {
        Json::Object(pairs) => pairs,
        _ => Pairs::new(),
    };
    let documents = match remove(&mut own, "fields") {
        Some(Json::Array(fields)) => fields,
        _ => Vec::new(),
    };
    let mut schema = Pairs::new();
    add(&mut schema, "$schema", Json::string("https://json-schema.org/draft/2020-12/schema"));
    // A label that is the name says no more than it, but is one.
    if structure.label != structure.name {
        remove(&mut own, "label");
    }
    if let Some(title) = structure.label.as_ref().or(structure.name.as_ref()) {
        add(&mut schema, "title", Json::string(title));
    }
    if let Some(description) = remove(&mut own, "description") {
        add(&mut schema, "description", description);
    }
    add(&mut schema, "type", Json::string("object"));
    let fields = structure.fields.iter().zip(documents);
    let properties =
        fields.map(|(field, document)| (field.name.clone(), property(structure, field, document)));
    add(&mut schema, "properties", Json::Object(properties.collect()));
    let required =
        structure.fields.iter().filter(|field| field.required && field.default.is_none());
    let required = required.map(|field| Json::string(&field.name)).collect();
    add(&mut schema, "required", Json::Array(required));
    add(&mut schema, "additionalProperties", Json::Boolean(false));
    add(&mut schema, OWN, Json::Object(own));
    Json::Object(schema)
}

fn property(structure: &Structure, field: &Field, document: Json) -> Json {
    let mut own = match document {
        Json::Object(pairs) => pairs,
        _ => Pairs::new(),
    };
    let mut schema = Pairs::new();
    remove(&mut own, "name");
    for (key, keyword) in [("label", "title"), ("description", "description")] {
        if let Some(text) = remove(&mut own, key) {
            add(&mut schema, keyword, text);
        }
    }
    let mut value = Pairs::new();
    describe(structure, field, &mut own, &mut value);
    if field.list {
        remove(&mut own, "list");
        add(&mut schema, "type", Json::string("array"));
        add(&mut schema, "items", Json::Object(value));
    } else {
        schema.append(&mut value);
    }
    // The schema of a json field allows every value, so null too.
    if field.kind != FieldKind::Json {
        remove(&mut own, "required");
        if !field.required {
            allow_null(&mut schema);
        }
    }
    if let Some(Default::Value(value)) = &field.default {
        remove(&mut own, "default");
        add(&mut schema, "default", value.to_json());
    }
    if !own.is_empty() {
        add(&mut schema, OWN, Json::Object(own));
    }
    Json::Object(schema)
}

/// Says what one value is, and takes from the document what that says.
fn describe(structure: &Structure, field: &Field, own: &mut Pairs, schema: &mut Pairs) {
    let mut word = |word: &str| add(schema, "type", Json::string(word));
    match &field.kind {
        FieldKind::Text { .. } => {
            word("string");
            for (key, keyword) in [("min_length", "minLength"), ("max_length", "maxLength")] {
                if let Some(length) = remove(own, key) {
                    add(schema, keyword, length);
                }
            }
        }
        FieldKind::Enum { values } => {
            word("string");
            remove(own, "values");
            add(schema, "enum", Json::Array(values.iter().map(Json::string).collect()));
        }
        FieldKind::Boolean => word("boolean"),
        FieldKind::Date => text_of(schema, "format", "date"),
        FieldKind::Timestamp => text_of(schema, "format", "date-time"),
        FieldKind::Uuid => text_of(schema, "format", "uuid"),
        FieldKind::Time => text_of(schema, "pattern", TIME_PATTERN),
        FieldKind::Bytes => text_of(schema, "contentEncoding", "base64"),
        // No entry table has a named enum or a native type.
        FieldKind::Json | FieldKind::NamedEnum { .. } | FieldKind::Native(_) => return,
        FieldKind::Integer => {
            word("integer");
            add_bounds(structure, field, own, schema);
        }
        FieldKind::Bigint => {
            word("integer");
            // Two bounds may look like those of an integer.
            if add_bounds(structure, field, own, schema) == 2 {
                return;
            }
        }
        FieldKind::Float => {
            word("number");
            add_bounds(structure, field, own, schema);
        }
        FieldKind::Decimal { precision } => {
            word("number");
            if let Some((_, scale)) = precision {
                add(schema, "multipleOf", step(*scale));
            }
            add_bounds(structure, field, own, schema);
            return;
        }
        FieldKind::Reference { to, .. } => {
            match (Some(to) == structure.name.as_ref()).then_some(structure.key.kind) {
                Some(KeyKind::Bigint) => word("integer"),
                Some(KeyKind::Uuid) => text_of(schema, "format", "uuid"),
                Some(KeyKind::Cuid) => word("string"),
                None => {
                    let either = ["integer", "string"].map(Json::string).to_vec();
                    add(schema, "type", Json::Array(either));
                }
            }
            return;
        }
        FieldKind::Vector { dimensions } => {
            word("array");
            let numbers = vec![("type".to_owned(), Json::string("number"))];
            add(schema, "items", Json::Object(numbers));
            add(schema, "minItems", number(dimensions));
            add(schema, "maxItems", number(dimensions));
            return;
        }
    }
    remove(own, "type");
}

/// The bounds of numbers, where checks are bounds too; how many sides are bounded.
fn add_bounds(structure: &Structure, field: &Field, own: &mut Pairs, schema: &mut Pairs) -> usize {
    let kind = field.kind.name();
    let sides = [
        ("min", "minimum", Op::Greater, "exclusiveMinimum", i32::MIN),
        ("max", "maximum", Op::Less, "exclusiveMaximum", i32::MAX),
    ];
    let mut bounded = 0;
    for (key, inclusive, op, exclusive, end) in sides {
        // Checks stay in the document: here they are said once more, to others.
        let strict = structure.checks.iter().find_map(|check| match &check.operand {
            Operand::Value(value) if check.field == field.name && check.op == op => Some(value),
            _ => None,
        });
        let strict = strict.filter(|_| !field.list);
        let bound = own.iter().position(|(name, _)| name == key);
        match bound {
            // Reading takes the end of the type's range for no bound at all.
            Some(at) if !is_end_of_range(kind, key == "min", &own[at].1) => {
                add(schema, inclusive, own.remove(at).1);
            }
            _ if strict.is_none() && field.kind == FieldKind::Integer => {
                add(schema, inclusive, number(end));
            }
            _ => {}
        }
        if let Some(strict) = strict {
            add(schema, exclusive, strict.to_json());
        }
        bounded += usize::from(bound.is_some() || strict.is_some());
    }
    bounded
}

fn text_of(schema: &mut Pairs, keyword: &str, what: &str) {
    add(schema, "type", Json::string("string"));
    add(schema, keyword, Json::string(what));
}

/// 1, 0.1, 0.01, …
fn step(scale: u16) -> Json {
    match scale {
        0 => number(1),
        1..=20 => Json::Number(format!("0.{}1", "0".repeat(usize::from(scale) - 1))),
        _ => Json::Number(format!("1e-{scale}")),
    }
}

fn allow_null(schema: &mut Pairs) {
    for (keyword, value) in schema {
        match (keyword.as_str(), value) {
            ("type", value @ Json::String(_)) => {
                *value = Json::Array(vec![value.clone(), Json::string("null")]);
            }
            ("type", Json::Array(words)) => words.push(Json::string("null")),
            ("enum", Json::Array(values)) => values.push(Json::Null),
            _ => {}
        }
    }
}

fn add(pairs: &mut Pairs, key: &str, value: Json) {
    pairs.push((key.to_owned(), value));
}

fn remove(pairs: &mut Pairs, key: &str) -> Option<Json> {
    let at = pairs.iter().position(|(name, _)| name == key)?;
    Some(pairs.remove(at).1)
}
