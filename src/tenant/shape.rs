//! What the lines of an archive that are no rows look like: whoever reads them in SQL relies on it.

use crate::json::{Json, token};

enum Shape {
    Text,
    TextOrNull,
    Whole,
    WholeOrNull,
    Boolean,
    Any,
    Object(&'static [(&'static str, Shape)]),
    List(&'static Shape),
    /// Of archives of later versions alone.
    Maybe(&'static Shape),
}

use Shape::{Any, Boolean, List, Maybe, Object, Text, TextOrNull, Whole, WholeOrNull};

const HEAD: Shape = Object(&[
    ("kepler_archive", Whole),
    ("kepler", Text),
    ("postgres", Text),
    ("exported_at", Text),
    ("tables", List(&TABLE)),
    (
        "workspace",
        Object(&[
            ("id", Text),
            ("name", Text),
            ("created_at", Text),
            ("updated_at", Text),
            ("embedding_space", TextOrNull),
            ("language", Maybe(&Text)),
            ("other_languages", Maybe(&List(&Text))),
            ("former_languages", Maybe(&List(&Text))),
        ]),
    ),
]);

const TABLE: Shape = Object(&[("table", Text), ("rows", Whole), ("columns", List(&Text))]);

const DEFINITIONS: &[(&str, Shape)] = &[
    (
        "embedding_space",
        Object(&[
            ("name", Text),
            ("model", TextOrNull),
            ("dimensions", Whole),
            ("metric", Text),
            ("status", Text),
            ("search_width", Maybe(&WholeOrNull)),
        ]),
    ),
    (
        "blueprint",
        Object(&[("name", Text), ("is_own", Boolean), ("version", Whole), ("document", Text)]),
    ),
    (
        "entry_table",
        Object(&[
            ("id", Text),
            ("record_name", Text),
            ("version", Whole),
            ("created_at", Text),
            ("updated_at", Text),
            ("dropped_at", TextOrNull),
            ("structures", List(&STRUCTURE)),
            ("hidden_fields", List(&HIDDEN_FIELD)),
        ]),
    ),
];

const STRUCTURE: Shape = Object(&[
    ("version", Whole),
    ("structure", Any),
    ("plan", Any),
    ("created_by", TextOrNull),
    ("created_at", Text),
    ("updated_at", Text),
]);

const HIDDEN_FIELD: Shape = Object(&[
    ("field_name", Text),
    ("column_name", Text),
    ("version", Whole),
    ("hidden_at", Text),
    ("type", Text),
]);

/// What is wrong with the head of an archive: a JSON Pointer and the reason.
pub(super) fn problem_of_head(line: &str) -> Option<String> {
    read(line).and_then(|head| HEAD.check(&head, "")).err()
}

/// What is wrong with a line that describes a space, a blueprint or an entry table.
pub(super) fn problem_of_definition(line: &str) -> Option<String> {
    check_definition(line).err()
}

fn check_definition(line: &str) -> Result<(), String> {
    let json = read(line)?;
    let Json::Object(members) = &json else {
        return Err(format!("/: must be an object, not {}.", json.kind()));
    };
    let [(name, value)] = members.as_slice() else {
        return Err("/: must have one member.".to_owned());
    };
    let Some((_, shape)) = DEFINITIONS.iter().find(|(known, _)| known == name) else {
        return Err(format!("/{}: nothing of this name is known here.", token(name)));
    };
    shape.check(value, &format!("/{name}"))?;
    if name == "entry_table" { check_entry_table(value) } else { Ok(()) }
}

/// The version in force has to be among the others.
fn check_entry_table(table: &Json) -> Result<(), String> {
    let version = table.get("version");
    let Some(Json::Array(structures)) = table.get("structures") else { return Ok(()) };
    for (at, structure) in structures.iter().enumerate() {
        if !matches!(structure.get("structure"), Some(Json::Object(_))) {
            return Err(format!("/entry_table/structures/{at}/structure: must be an object."));
        }
    }
    if structures.iter().any(|structure| structure.get("version") == version) {
        return Ok(());
    }
    Err("/entry_table/version: no structure has this version.".to_owned())
}

fn read(line: &str) -> Result<Json, String> {
    Json::parse(line).map_err(|broken| {
        format!("/: it is not valid JSON: {}, at byte {}.", broken.problem, broken.offset)
    })
}

impl Shape {
    fn name(&self) -> &'static str {
        match self {
            Text => "a string",
            TextOrNull => "a string or null",
            Whole | WholeOrNull => "a whole number",
            Boolean => "a boolean",
            Any => "anything",
            Object(_) => "an object",
            List(_) => "an array",
            Maybe(shape) => shape.name(),
        }
    }

    fn check(&self, json: &Json, pointer: &str) -> Result<(), String> {
        match (self, json) {
            (Maybe(shape), json) => shape.check(json, pointer),
            (Any, _)
            | (Text | TextOrNull, Json::String(_))
            | (TextOrNull | WholeOrNull, Json::Null)
            | (Boolean, Json::Boolean(_)) => Ok(()),
            (Whole | WholeOrNull, Json::Number(number)) if number.parse::<i64>().is_ok() => Ok(()),
            (List(shape), Json::Array(items)) => items
                .iter()
                .enumerate()
                .try_for_each(|(at, item)| shape.check(item, &format!("{pointer}/{at}"))),
            (Object(members), Json::Object(given)) => {
                for (name, _) in given {
                    if !members.iter().any(|(known, _)| known == name) {
                        let name = token(name);
                        return Err(format!(
                            "{pointer}/{name}: nothing of this name is known here."
                        ));
                    }
                }
                members.iter().try_for_each(|(name, shape)| match json.get(name) {
                    Some(value) => shape.check(value, &format!("{pointer}/{name}")),
                    None if matches!(shape, Maybe(_)) => Ok(()),
                    None => Err(format!("{pointer}/{name}: is missing.")),
                })
            }
            (shape, json) => {
                let place = if pointer.is_empty() { "/" } else { pointer };
                Err(format!("{place}: must be {}, not {}.", shape.name(), json.kind()))
            }
        }
    }
}
