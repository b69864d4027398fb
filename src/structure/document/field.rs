//! One field of a document: what each type takes, and what it does not.

use super::keys::{Keys, Problems};
use super::{Naming, problem_with_document_name, read_column};
use crate::field_types::kind::{FieldKind, OnDelete};
use crate::json::{Json, token};
use crate::secrets::reference;
use crate::structure::constant::Constant;
use crate::structure::model::{Default, Field, Sensitive};

/// The longest `varchar`.
pub(in crate::structure) const MAX_LENGTH: u32 = 10_485_760;
/// The largest precision of a `numeric`.
const MAX_PRECISION: u32 = 1_000;
/// The most dimensions of a `vector`.
const MAX_DIMENSIONS: u32 = 16_000;
/// More values are a table.
pub(in crate::structure) const MAX_VALUES: usize = 1_000;

/// What differs between the documents whose fields are read here.
pub(in crate::structure) trait Place {
    /// Why a text cannot be the name of a field; `None` if it can.
    fn problem_with_name(&self, name: &str) -> Option<String>;
    /// The same for a name that a field had before.
    fn problem_with_old_name(&self, name: &str) -> Option<String>;
    /// The words for types.
    fn types(&self) -> &'static [&'static str];
    /// Reads what the document says of a type that a word of [`Place::types`] names.
    fn read_type(
        &self,
        word: &'static str,
        keys: &mut Keys<'_>,
        problems: &mut Problems,
    ) -> Option<FieldKind>;
    fn has_lists_of(&self, kind: &FieldKind) -> bool;
    /// Reads a value of a field.
    fn constant(&self, kind: &FieldKind, list: bool, json: &Json) -> Result<Constant, String>;
}

/// The fields of entry structures.
pub(super) struct Entry;

impl Place for Entry {
    /// Said with the column's.
    fn problem_with_name(&self, _name: &str) -> Option<String> {
        None
    }

    fn problem_with_old_name(&self, name: &str) -> Option<String> {
        problem_with_document_name(name)
    }

    fn types(&self) -> &'static [&'static str] {
        &FieldKind::NAMES
    }

    fn read_type(
        &self,
        word: &'static str,
        keys: &mut Keys<'_>,
        problems: &mut Problems,
    ) -> Option<FieldKind> {
        read_type(word, keys, problems)
    }

    fn has_lists_of(&self, kind: &FieldKind) -> bool {
        kind.is_scalar()
    }

    fn constant(&self, kind: &FieldKind, list: bool, json: &Json) -> Result<Constant, String> {
        Constant::read(kind, list, json)
    }
}

/// Reads a field, and what it says of an index.
pub(super) fn read<'j>(
    json: &'j Json,
    pointer: &str,
    naming: Naming,
    problems: &mut Problems,
) -> Option<(Field, Option<&'j Json>)> {
    let mut keys = Keys::open(json, pointer.to_owned(), problems)?;
    let read = read_open(json, &mut keys, &Entry, problems);
    let column = keys.text("column", problems);
    let column = json
        .get("name")
        .and_then(Json::as_str)
        .and_then(|name| read_column(name, column, naming, &keys, problems));
    let (mut field, index) = read?;
    field.column = column;
    if let FieldKind::Enum { values } = &field.kind {
        field.renamed_values = read_renamed_values(&mut keys, values, problems);
    }
    keys.close(problems);
    Some((field, index))
}

/// Reads what the fields of all documents have. The keys stay open for more.
pub(in crate::structure) fn read_open<'j>(
    json: &Json,
    keys: &mut Keys<'j>,
    place: &dyn Place,
    problems: &mut Problems,
) -> Option<(Field, Option<&'j Json>)> {
    let name = keys.text("name", problems);
    match &name {
        None if json.get("name").is_none() => problems.add(keys.at("name"), "is missing"),
        Some(name) => {
            if let Some(problem) = place.problem_with_name(name) {
                problems.add(keys.at("name"), problem);
            }
        }
        None => {}
    }
    let label = keys.text("label", problems);
    let description = keys.description(problems);
    let renamed_from = keys.text("renamed_from", problems);
    if let Some(problem) = renamed_from.as_ref().and_then(|from| place.problem_with_old_name(from))
    {
        problems.add(keys.at("renamed_from"), problem);
    }
    let kind = read_kind(keys, place, problems);
    let list = keys.boolean("list", problems);
    let required = keys.boolean("required", problems);
    let unique = keys.boolean("unique", problems);
    let index = keys.take("index");
    let sensitive = read_sensitive(keys, problems);
    let default = keys.take("default");
    let Some(kind) = kind else {
        // What else the field may hold depends on its type.
        return None;
    };
    if list && !place.has_lists_of(&kind) {
        problems.add(keys.at("list"), format!("there are no lists of {}", kind.name()));
    }
    let mut field = Field {
        name: name?,
        column: None,
        label,
        description,
        kind,
        list,
        required,
        unique,
        case_insensitive: false,
        default: None,
        min_length: None,
        min: None,
        max: None,
        unindexed: false,
        sensitive,
        renamed_from,
        renamed_values: Vec::new(),
    };
    if sensitive == Some(Sensitive::Reference) && (list || !holds_references(&field.kind)) {
        problems.add(keys.at("sensitive"), "\"reference\" is of text that is no list");
    }
    if let FieldKind::Text { max_length } = field.kind
        && !list
    {
        field.case_insensitive = keys.boolean("case_insensitive", problems);
        field.min_length = keys.number("min_length", 1..=MAX_LENGTH, problems);
        if let (Some(min), Some(max)) = (field.min_length, max_length)
            && min > max
        {
            problems.add(keys.at("min_length"), "is more than max_length");
        }
    }
    if field.kind.is_ordered() && !list {
        field.min = read_bound(&field, keys, "min", problems);
        field.max = read_bound(&field, keys, "max", problems);
        if let (Some(min), Some(max)) = (&field.min, &field.max)
            && min.compare(max).is_some_and(|ordering| ordering.is_gt())
        {
            problems.add(keys.at("min"), "is more than max");
        }
    }
    if let Some(json) = default {
        match read_default(&field, json, place) {
            Ok(default) => {
                check_reference(&field, default.as_ref(), keys, problems);
                field.default = default;
            }
            Err(problem) => problems.add(keys.at("default"), problem),
        }
    }
    Some((field, index))
}

/// `true`, `false` or `"reference"`.
fn read_sensitive(keys: &mut Keys<'_>, problems: &mut Problems) -> Option<Sensitive> {
    match keys.take("sensitive")? {
        Json::Boolean(true) => Some(Sensitive::Personal),
        Json::Boolean(false) => None,
        Json::String(word) if word == "reference" => Some(Sensitive::Reference),
        _ => {
            problems.add(keys.at("sensitive"), "must be true, false or \"reference\"");
            None
        }
    }
}

/// Whether the values are texts of any length.
fn holds_references(kind: &FieldKind) -> bool {
    match kind {
        FieldKind::Text { .. } => true,
        FieldKind::Native(native) => ["varchar", "citext"].contains(&native.name.as_str()),
        _ => false,
    }
}

/// A default that the trigger would refuse.
fn check_reference(
    field: &Field,
    default: Option<&Default>,
    keys: &Keys<'_>,
    problems: &mut Problems,
) {
    if field.sensitive != Some(Sensitive::Reference) {
        return;
    }
    let problem = match default {
        None => None,
        Some(Default::Value(Constant::Text(text))) => reference::problem(text),
        Some(_) => Some(reference::Problem::NoReference),
    };
    if let Some(problem) = problem {
        problems.add(keys.at("default"), problem.to_string());
    }
}

fn read_kind(keys: &mut Keys<'_>, place: &dyn Place, problems: &mut Problems) -> Option<FieldKind> {
    let types = place.types();
    let words: Vec<(&str, &'static str)> = types.iter().map(|word| (*word, *word)).collect();
    let Some(word) = keys.choice("type", &words, problems) else {
        if keys.take("type").is_none() {
            problems.add(keys.at("type"), format!("is missing: one of {}", types.join(", ")));
        }
        return None;
    };
    place.read_type(word, keys, problems)
}

/// Reads a type that entry structures have.
pub(in crate::structure) fn read_type(
    word: &'static str,
    keys: &mut Keys<'_>,
    problems: &mut Problems,
) -> Option<FieldKind> {
    Some(match word {
        "text" => {
            FieldKind::Text { max_length: keys.number("max_length", 1..=MAX_LENGTH, problems) }
        }
        "integer" => FieldKind::Integer,
        "bigint" => FieldKind::Bigint,
        "decimal" => FieldKind::Decimal { precision: read_precision(keys, problems) },
        "float" => FieldKind::Float,
        "boolean" => FieldKind::Boolean,
        "date" => FieldKind::Date,
        "time" => FieldKind::Time,
        "timestamp" => FieldKind::Timestamp,
        "uuid" => FieldKind::Uuid,
        "json" => FieldKind::Json,
        "bytes" => FieldKind::Bytes,
        "enum" => FieldKind::Enum { values: read_values(keys, problems)? },
        "reference" => {
            let to = keys.text("to", problems);
            if to.is_none() {
                problems.add(keys.at("to"), "is missing: the record name of the table referred to");
            }
            let actions = OnDelete::ALL.map(|action| (action.name(), action));
            let on_delete = keys.choice("on_delete", &actions, problems);
            FieldKind::Reference { to: to?, on_delete: on_delete.unwrap_or(OnDelete::Restrict) }
        }
        _ => {
            let dimensions = keys.number("dimensions", 1..=MAX_DIMENSIONS, problems);
            if keys.take("dimensions").is_none() {
                problems.add(keys.at("dimensions"), "is missing");
            }
            FieldKind::Vector { dimensions: dimensions? as u16 }
        }
    })
}

fn read_precision(keys: &mut Keys<'_>, problems: &mut Problems) -> Option<(u16, u16)> {
    let precision = keys.number("precision", 1..=MAX_PRECISION, problems);
    let scale = keys.number("scale", 0..=MAX_PRECISION, problems);
    match (precision, scale) {
        (Some(precision), Some(scale)) if scale > precision => {
            problems.add(keys.at("scale"), "is more than precision");
            None
        }
        (Some(precision), scale) => Some((precision as u16, scale.unwrap_or(0) as u16)),
        (None, Some(_)) => {
            problems.add(keys.at("scale"), "needs precision: the digits in all");
            None
        }
        (None, None) => None,
    }
}

fn read_values(keys: &mut Keys<'_>, problems: &mut Problems) -> Option<Vec<String>> {
    let Some(items) = keys.list("values", problems) else {
        if keys.take("values").is_none() {
            problems.add(keys.at("values"), "is missing: an array of strings");
        }
        return None;
    };
    let pointer = keys.at("values");
    if items.is_empty() || items.len() > MAX_VALUES {
        problems.add(&pointer, format!("must hold 1 to {MAX_VALUES} values"));
        return None;
    }
    let mut values: Vec<String> = Vec::new();
    for (at, item) in items.iter().enumerate() {
        match item {
            Json::String(text) if values.contains(text) => {
                problems.add(format!("{pointer}/{at}"), "is given twice");
            }
            Json::String(text) => values.push(text.clone()),
            other => problems
                .add(format!("{pointer}/{at}"), format!("must be a string, not {}", other.kind())),
        }
    }
    Some(values)
}

/// Values of an enum that were called otherwise before. Two may become one, and the old one may be a value again.
fn read_renamed_values(
    keys: &mut Keys<'_>,
    values: &[String],
    problems: &mut Problems,
) -> Vec<(String, String)> {
    let Some(json) = keys.take("renamed_values") else { return Vec::new() };
    let pointer = keys.at("renamed_values");
    let pairs = match json {
        Json::Object(pairs) if pairs.len() <= MAX_VALUES => pairs,
        Json::Object(_) => {
            problems.add(pointer, format!("must rename at most {MAX_VALUES} values"));
            return Vec::new();
        }
        other => {
            problems.add(pointer, format!("must be an object, not {}", other.kind()));
            return Vec::new();
        }
    };
    let mut renamed: Vec<(String, String)> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for (from, to) in pairs {
        let pointer = format!("{pointer}/{}", token(from));
        match to {
            _ if !seen.insert(from) => problems.add(pointer, "is given twice"),
            Json::String(to) if to == from => problems.add(pointer, "is renamed to itself"),
            Json::String(to) if !values.contains(to) => {
                problems.add(pointer, format!("\"{to}\" is not one of the values"));
            }
            Json::String(to) => renamed.push((from.clone(), to.clone())),
            other => problems.add(pointer, format!("must be a string, not {}", other.kind())),
        }
    }
    // The order means nothing, and jsonb has its own.
    renamed.sort_unstable();
    renamed
}

fn read_bound(
    field: &Field,
    keys: &mut Keys<'_>,
    key: &'static str,
    problems: &mut Problems,
) -> Option<Constant> {
    let json = keys.take(key)?;
    match Constant::read(&field.kind, false, json) {
        Ok(constant) => Some(constant),
        Err(problem) => {
            problems.add(keys.at(key), problem);
            None
        }
    }
}

/// A value, or one of the words that stand for one that is made for each entry.
fn read_default(field: &Field, json: &Json, place: &dyn Place) -> Result<Option<Default>, String> {
    if *json == Json::Null {
        return Ok(None);
    }
    let word = if field.list { None } else { json.as_str() };
    Ok(Some(match word.and_then(|word| made_by_word(&field.kind, word)) {
        Some(default) => default,
        None => Default::Value(place.constant(&field.kind, field.list, json)?),
    }))
}

/// What a word stands for as the default of a field of the type, if it is no value.
pub(in crate::structure) fn made_by_word(kind: &FieldKind, word: &str) -> Option<Default> {
    Some(match (kind, word) {
        (FieldKind::Timestamp | FieldKind::Date | FieldKind::Time, "now") => Default::Now,
        (FieldKind::Native(native), "now") if native.is_time() => Default::Now,
        (FieldKind::Uuid, "uuid") => Default::Uuid,
        (FieldKind::Text { .. }, "uuid") => Default::Uuid,
        (FieldKind::Text { .. }, "cuid") => Default::Cuid,
        _ => return None,
    })
}

/// Length of what `uuid` and `cuid` make.
pub(in crate::structure) const UUID_LENGTH: u32 = 36;
pub(in crate::structure) const CUID_LENGTH: u32 = 24;

/// Why a default would be refused as a value, if it would. Asked when all rules are known.
pub(in crate::structure) fn default_breaks_a_rule(field: &Field) -> Option<String> {
    let max_length = match field.kind {
        FieldKind::Text { max_length } => max_length,
        _ => None,
    };
    let length = match field.default.as_ref()? {
        Default::Value(Constant::Text(text)) => text.chars().count() as u32,
        Default::Uuid if field.kind != FieldKind::Uuid => UUID_LENGTH,
        Default::Cuid => CUID_LENGTH,
        Default::Value(value) => {
            let outside = |bound: &Option<Constant>, wrong: std::cmp::Ordering| {
                bound.as_ref().is_some_and(|bound| value.compare(bound) == Some(wrong))
            };
            if outside(&field.min, std::cmp::Ordering::Less) {
                return Some("is less than min".to_owned());
            }
            if outside(&field.max, std::cmp::Ordering::Greater) {
                return Some("is more than max".to_owned());
            }
            return None;
        }
        _ => return None,
    };
    if field.min_length.is_some_and(|min| length < min) {
        return Some("is shorter than min_length".to_owned());
    }
    max_length.is_some_and(|max| length > max).then(|| "is longer than max_length".to_owned())
}
