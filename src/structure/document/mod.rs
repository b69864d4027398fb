//! The structure document: JSON text to the normal form of the model, and back.
//!
//! Everything that is wrong with a document is found at once, each with its JSON Pointer. A document
//! holds values and words of short lists, never SQL.

pub(super) mod asked;
pub(super) mod field;
pub(super) mod keys;
pub(super) mod nulls;
pub(super) mod print;
pub(super) mod rules;

#[cfg(test)]
pub(crate) mod tests;

use super::blueprint::duration::{self, Duration};
use super::model::{Key, KeyKind, MAX_FIELD_NAME, Retention, Structure, TIMES};
use crate::field_types::kind::FieldKind;
use crate::ident;
use crate::json::{Broken, Json};
use keys::{Keys, Problems};

/// Postgres has 1,600 column numbers a table, for ever; a new table leaves room for changes.
pub(super) const MAX_FIELDS: usize = 1_200;
/// Bytes of a name that only documents use.
const MAX_DOCUMENT_NAME: usize = 128;
/// Bytes of a record name.
const MAX_RECORD_NAME: usize = 128;

/// What is wrong with a place of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// JSON Pointer (RFC 6901); empty for the document itself.
    pub(crate) pointer: String,
    pub(crate) message: String,
}

/// Why a text is no structure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Invalid {
    Broken(Broken),
    Problems(Vec<Problem>),
}

impl Structure {
    /// Reads the text of a document.
    pub(crate) fn from_document(text: &str) -> Result<Structure, Invalid> {
        let json = Json::parse(text).map_err(Invalid::Broken)?;
        Self::from_json(&json).map_err(Invalid::Problems)
    }

    /// Reads a document.
    pub(crate) fn from_json(document: &Json) -> Result<Structure, Vec<Problem>> {
        let mut problems = Problems::without_nulls(nulls::of_document(document, ""));
        let structure = read(document, &mut problems);
        match structure {
            Some(structure) if problems.is_empty() => Ok(structure),
            _ => Err(problems.into_vec()),
        }
    }
}

fn read(document: &Json, problems: &mut Problems) -> Option<Structure> {
    let mut keys = Keys::open(document, String::new(), problems)?;
    let name = keys.text("name", problems);
    if let Some(name) = &name
        && let Some(problem) = problem_with_record_name(name)
    {
        problems.add("/name", problem);
    }
    let mut structure = Structure {
        name,
        label: keys.text("label", problems),
        description: keys.description(problems),
        key: Key { name: "entry_id".to_owned(), column: None, kind: KeyKind::Bigint },
        fields: Vec::new(),
        unique: Vec::new(),
        indexes: Vec::new(),
        checks: Vec::new(),
        retention: None,
    };
    let naming = read_naming(&mut keys, problems);
    read_key(keys.take("key"), naming, &mut structure.key, problems);
    let fields = keys.list("fields", problems);
    let (unique, indexes, checks) = (
        keys.list("unique", problems),
        keys.list("indexes", problems),
        keys.list("checks", problems),
    );
    let retention = keys.take("retention");
    keys.close(problems);

    let Some(fields) = fields else {
        problems.add("/fields", "is missing: an array of fields");
        return None;
    };
    if are_too_many(fields, "/fields", problems) {
        return None;
    }
    let mut sugar = Vec::new();
    for (at, json) in fields.iter().enumerate() {
        let pointer = format!("/fields/{at}");
        if let Some((field, index)) = field::read(json, &pointer, naming, problems) {
            sugar.extend(index.map(|index| (pointer, index)));
            structure.fields.push(field);
        }
    }
    check_names(&structure, fields, problems);
    // Rules over fields that could not be read would only say again what is wrong.
    if structure.fields.len() == fields.len() {
        check_columns(&structure, fields, problems);
        rules::read_unique(&mut structure, unique.unwrap_or_default(), problems);
        rules::read_checks(&mut structure, checks.unwrap_or_default(), problems);
        rules::read_indexes(&mut structure, sugar, indexes.unwrap_or_default(), problems);
        rules::check_fields(&structure, problems);
        structure.retention = retention.and_then(|json| read_retention(json, &structure, problems));
    }
    Some(structure)
}

/// Reads `retention`: how old entries must be, by which field, before they may be deleted for their age.
fn read_retention(
    json: &Json,
    structure: &Structure,
    problems: &mut Problems,
) -> Option<Retention> {
    let mut keys = Keys::open(json, "/retention".to_owned(), problems)?;
    let (floor, field) = (keys.text("floor", problems), keys.text("field", problems));
    for key in ["floor", "field"].into_iter().filter(|key| !keys.has(key)) {
        problems.add(keys.at(key), "is missing");
    }
    let duration = floor.as_deref().and_then(Duration::read);
    if floor.is_some() && duration.is_none() {
        problems.add(keys.at("floor"), duration::EXPECTED);
    }
    if let Some(name) = field.as_deref().filter(|name| !TIMES.contains(name)) {
        let is_moment = |found: &super::model::Field| {
            !found.list && matches!(found.kind, FieldKind::Timestamp | FieldKind::Date)
        };
        match structure.field(name) {
            None => {
                problems.add(keys.at("field"), format!("\"{name}\" is not a field of the table"))
            }
            Some(found) if !is_moment(found) => {
                problems.add(keys.at("field"), "must be a field of type timestamp or date");
            }
            Some(_) => {}
        }
    }
    keys.close(problems);
    Some(Retention { floor: duration?, field: field? })
}

pub(super) fn are_too_many(fields: &[Json], pointer: &str, problems: &mut Problems) -> bool {
    let too_many = fields.len() > MAX_FIELDS;
    if too_many {
        problems.add(
            pointer,
            format!(
                "{} fields, and a table has at most {MAX_FIELDS}: put what belongs together into a \
                 field of type json, or into a table of its own",
                fields.len()
            ),
        );
    }
    too_many
}

/// Why a text cannot be the name that users give a table; `None` if it can.
pub(crate) fn problem_with_record_name(name: &str) -> Option<String> {
    if name.trim().is_empty() {
        Some("must not be blank".to_owned())
    } else if name.trim() != name {
        Some("must not begin or end with white space".to_owned())
    } else if name.len() > MAX_RECORD_NAME {
        Some(format!("is longer than {MAX_RECORD_NAME} bytes"))
    } else if name.chars().any(char::is_control) {
        Some("must not hold control characters".to_owned())
    } else {
        None
    }
}

/// What the columns are called of fields whose names are none of columns.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Naming {
    /// The document says so of each.
    Given,
    /// `itemId` and `Item ID` are `item_id`.
    SnakeCase,
}

fn read_naming(keys: &mut Keys<'_>, problems: &mut Problems) -> Naming {
    let choices = [("snake_case", Naming::SnakeCase)];
    keys.choice("columns", &choices, problems).unwrap_or(Naming::Given)
}

fn read_key(json: Option<&Json>, naming: Naming, key: &mut Key, problems: &mut Problems) {
    let Some(json) = json else { return };
    let Some(mut keys) = Keys::open(json, "/key".to_owned(), problems) else { return };
    let name = keys.text("name", problems);
    let kinds = KeyKind::ALL.map(|kind| (kind.name(), kind));
    if let Some(kind) = keys.choice("type", &kinds, problems) {
        key.kind = kind;
    }
    let column = keys.text("column", problems);
    if let Some(name) = name.or_else(|| column.as_ref().map(|_| key.name.clone())) {
        let before = problems.count();
        let column = read_column(&name, column, naming, &keys, problems);
        // Otherwise what is said of other fields would rest on a name that cannot be.
        if problems.count() == before {
            (key.name, key.column) = (name, column);
        }
    }
    keys.close(problems);
}

/// Checks a name and that of its column, which is given back where it is another one.
fn read_column(
    name: &str,
    column: Option<String>,
    naming: Naming,
    keys: &Keys<'_>,
    problems: &mut Problems,
) -> Option<String> {
    let problem = problem_with_column_name(name);
    let derived = match (&column, naming, &problem) {
        (None, Naming::SnakeCase, Some(_)) => Some(ident::snake_case(name)),
        _ => None,
    };
    if column.is_none() && derived.is_none() {
        let hint = |problem: String| match problem_with_document_name(name) {
            None if !TIMES.contains(&name) => {
                let column = ident::snake_case(name);
                let column = match problem_with_column_name(&column) {
                    None => column,
                    Some(_) => "…".to_owned(),
                };
                format!("{problem}; or name its column apart: \"column\": \"{column}\"")
            }
            _ => problem,
        };
        if let Some(problem) = problem {
            problems.add(keys.at("name"), hint(problem));
        }
        return None;
    }
    if TIMES.contains(&name) {
        problems.add(keys.at("name"), format!("every table has \"{name}\" already"));
    } else if let Some(problem) = problem_with_document_name(name) {
        problems.add(keys.at("name"), problem);
    }
    if let Some(column) = &column
        && let Some(problem) = problem_with_column_name(column)
    {
        problems.add(keys.at("column"), problem);
    }
    if let Some(column) = &derived
        && let Some(problem) = problem_with_column_name(column)
    {
        let message =
            format!("its column would be \"{column}\", and {problem}: give it \"column\"");
        problems.add(keys.at("name"), message);
    }
    column.or(derived).filter(|column| column != name)
}

/// Why a text cannot be what a document calls a field; `None` if it can.
pub(in crate::structure) fn problem_with_document_name(name: &str) -> Option<String> {
    ident::problem_with_free_name(name, MAX_DOCUMENT_NAME)
}

/// Why a name cannot be a column's that a document makes.
fn problem_with_column_name(name: &str) -> Option<String> {
    if TIMES.contains(&name) {
        return Some(format!("every table has \"{name}\" already"));
    }
    ident::problem_with_field_name(name, MAX_FIELD_NAME)
}

fn check_names(structure: &Structure, fields: &[Json], problems: &mut Problems) {
    let mut seen = std::collections::HashMap::new();
    for (at, json) in fields.iter().enumerate() {
        let Some(name) = json.get("name").and_then(Json::as_str) else { continue };
        let pointer = format!("/fields/{at}/name");
        if name == structure.key.name {
            problems.add(&pointer, format!("\"{name}\" is the key's name"));
        }
        if let Some(first) = seen.insert(name, at) {
            problems.add(&pointer, format!("\"{name}\" is the name of /fields/{first} too"));
        }
    }
    check_renames(fields, problems);
}

/// A word means one field, to documents and in the database.
fn check_columns(structure: &Structure, fields: &[Json], problems: &mut Problems) {
    let mut names: std::collections::HashMap<&str, usize> = std::collections::HashMap::new();
    for (at, field) in structure.fields.iter().enumerate() {
        names.entry(&field.name).or_insert(at);
    }
    let key = &structure.key;
    if let Some(column) = &key.column
        && let Some(at) = names.get(column.as_str())
    {
        problems.add("/key/column", format!("\"{column}\" is the name of /fields/{at}"));
    }
    let mut columns = std::collections::HashMap::new();
    for (at, field) in structure.fields.iter().enumerate() {
        let Some(column) = &field.column else { continue };
        let told = if fields[at].get("column").is_some() { "column" } else { "name" };
        let pointer = format!("/fields/{at}/{told}");
        if *column == key.name || *column == key.column() {
            problems.add(&pointer, format!("\"{column}\" is the key's"));
        } else if let Some(other) = names.get(column.as_str()) {
            let message =
                format!("\"{column}\" is the name of /fields/{other}: a word means one field");
            problems.add(&pointer, message);
        }
        if let Some(first) = columns.insert(column, at) {
            problems.add(&pointer, format!("\"{column}\" is the column of /fields/{first} too"));
        }
    }
}

fn check_renames(fields: &[Json], problems: &mut Problems) {
    let renames = fields.iter().enumerate().filter_map(|(at, json)| {
        let text = |key| json.get(key).and_then(Json::as_str);
        let (from, to) = (text("renamed_from")?, text("name")?);
        Some(Rename { place: format!("/fields/{at}"), from, to })
    });
    check_circles(renames.collect(), problems);
}

/// One thing's old name and its new one, and where the document says it.
pub(super) struct Rename<'j> {
    pub(super) place: String,
    pub(super) from: &'j str,
    pub(super) to: &'j str,
}

/// Finds renames from one name to two, and renames that never come to rest.
pub(super) fn check_circles(renames: Vec<Rename<'_>>, problems: &mut Problems) {
    // From each old name to the last one that takes its place.
    let mut takers: std::collections::HashMap<&str, usize> = std::collections::HashMap::new();
    for (at, rename) in renames.iter().enumerate() {
        if let Some(first) = takers.insert(rename.from, at) {
            let message =
                format!("{} is renamed from \"{}\" too", renames[first].place, rename.from);
            problems.add(format!("{}/renamed_from", rename.place), message);
        }
    }
    let mut starts: Vec<usize> = takers.values().copied().collect();
    starts.sort_unstable();
    for start in starts {
        let mut name = renames[start].from;
        // A chain is no longer than all renames together.
        for _ in 0..takers.len() {
            let Some(&at) = takers.get(name) else { break };
            name = renames[at].to;
            if name == renames[start].from {
                problems.add(
                    format!("{}/renamed_from", renames[start].place),
                    "these renames go round in a circle: applied again they would change the names \
                     again; do it in two changes, with another name between",
                );
                break;
            }
        }
    }
}
