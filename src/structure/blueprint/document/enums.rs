//! The enums of a blueprint.

use super::are_too_many;
use super::names::{problem_with_document_name, problem_with_schema, problem_with_sql_name};
use crate::json::{Json, token};
use crate::structure::blueprint::model::EnumType;
use crate::structure::document::field::MAX_VALUES;
use crate::structure::document::keys::{Keys, Problems};
use crate::structure::document::{Rename, check_circles};
use std::collections::HashMap;

/// An enum, and where it stands.
pub(super) struct Read {
    pub(super) found: EnumType,
    pub(super) pointer: String,
}

/// The enums that could be read. The rest of the document may name others, of which it is not said again that they are
/// wrong: their names are given beside.
pub(super) fn read_all(
    json: Option<&Json>,
    schema: &str,
    problems: &mut Problems,
) -> (Vec<Read>, Vec<String>) {
    let pairs = match json {
        None => return (Vec::new(), Vec::new()),
        Some(Json::Object(pairs)) => pairs,
        Some(other) => {
            problems.add("/enums", format!("must be an object, not {}", other.kind()));
            return (Vec::new(), Vec::new());
        }
    };
    if are_too_many("/enums", pairs.len(), "enums", problems) {
        return (Vec::new(), pairs.iter().map(|(name, _)| name.clone()).collect());
    }
    let (mut enums, mut wrong) = (Vec::new(), Vec::new());
    for (name, json) in pairs {
        let pointer = format!("/enums/{}", token(name));
        match read(name, json, schema, &pointer, problems) {
            Some(found) => enums.push(Read { found, pointer }),
            None => wrong.push(name.clone()),
        }
    }
    let renames = enums.iter().filter_map(|read| {
        let from = read.found.renamed_from.as_deref()?;
        Some(Rename { place: read.pointer.clone(), from, to: &read.found.name })
    });
    check_circles(renames.collect(), problems);
    (enums, wrong)
}

fn read(
    name: &str,
    json: &Json,
    schema: &str,
    pointer: &str,
    problems: &mut Problems,
) -> Option<EnumType> {
    let name_is_wrong = problem_with_document_name(name);
    if let Some(problem) = &name_is_wrong {
        problems.add(pointer, problem.as_str());
    }
    let mut found = EnumType {
        name: name.to_owned(),
        schema: schema.to_owned(),
        type_name: name.to_owned(),
        values: Vec::new(),
        description: None,
        renamed_from: None,
        renamed_values: Vec::new(),
    };
    let mut sql_name_at = pointer.to_owned();
    match json {
        Json::Array(items) => found.values = values(items, pointer, problems)?,
        Json::Object(_) => {
            let mut keys = Keys::open(json, pointer.to_owned(), problems)?;
            let items = keys.list("values", problems);
            if items.is_none() && !keys.has("values") {
                problems.add(keys.at("values"), "is missing: an array of strings");
            }
            let values = items.and_then(|items| values(items, &keys.at("values"), problems));
            if let Some(name) = keys.text("type", problems) {
                found.type_name = name;
                sql_name_at = keys.at("type");
            }
            if let Some(schema) = keys.text("schema", problems) {
                if let Some(problem) = problem_with_schema(&schema) {
                    problems.add(keys.at("schema"), problem);
                }
                found.schema = schema;
            }
            found.description = keys.description(problems);
            found.renamed_from = keys.text("renamed_from", problems);
            let renamed = keys.take("renamed_values");
            let renamed_at = keys.at("renamed_values");
            keys.close(problems);
            found.values = values?;
            if let Some(renamed) = renamed {
                found.renamed_values =
                    renamed_values(renamed, &found.values, &renamed_at, problems);
            }
        }
        Json::Null => {
            problems.add(pointer, crate::structure::document::nulls::MESSAGE);
            return None;
        }
        other => {
            let message = format!("must be an array of values or an object, not {}", other.kind());
            problems.add(pointer, message);
            return None;
        }
    }
    if (name_is_wrong.is_none() || found.type_name != name)
        && let Some(problem) = problem_with_sql_name(&found.type_name)
    {
        problems.add(sql_name_at, problem);
    }
    Some(found)
}

fn values(items: &[Json], pointer: &str, problems: &mut Problems) -> Option<Vec<String>> {
    if items.is_empty() || items.len() > MAX_VALUES {
        problems.add(pointer, format!("must hold 1 to {MAX_VALUES} values"));
        return None;
    }
    let mut values: Vec<String> = Vec::new();
    for (at, item) in items.iter().enumerate() {
        let pointer = format!("{pointer}/{at}");
        match item {
            Json::String(text) if values.contains(text) => problems.add(pointer, "is given twice"),
            Json::String(text) => {
                if let Some(problem) = problem_with_value(text) {
                    problems.add(pointer, problem);
                }
                values.push(text.clone());
            }
            other => problems.add(pointer, format!("must be a string, not {}", other.kind())),
        }
    }
    (values.len() == items.len()).then_some(values)
}

/// A value is a name of the catalog.
fn problem_with_value(value: &str) -> Option<String> {
    if value.contains('\0') {
        return Some("must not hold the character 0".to_owned());
    }
    (value.len() > crate::ident::MAX_NAME).then(|| {
        format!(
            "a value has at most {} bytes, and this one has {}",
            crate::ident::MAX_NAME,
            value.len()
        )
    })
}

fn renamed_values(
    json: &Json,
    values: &[String],
    pointer: &str,
    problems: &mut Problems,
) -> Vec<(String, String)> {
    let Json::Object(pairs) = json else {
        problems.add(pointer, format!("must be an object, not {}", json.kind()));
        return Vec::new();
    };
    let mut renamed = Vec::new();
    let mut taken = HashMap::new();
    for (old, new) in pairs {
        let pointer = format!("{pointer}/{}", token(old));
        let Some(new) = new.as_str() else {
            problems.add(pointer, format!("must be a string, not {}", new.kind()));
            continue;
        };
        if !values.iter().any(|value| value == new) {
            problems.add(pointer, format!("\"{new}\" is not a value of the enum"));
        } else if values.contains(old) {
            problems.add(pointer, format!("\"{old}\" is still a value of the enum"));
        } else if let Some(other) = taken.insert(new, old) {
            problems.add(pointer, format!("\"{other}\" is renamed to \"{new}\" too"));
        } else {
            renamed.push((old.clone(), new.to_owned()));
        }
    }
    renamed
}
