//! One field of a blueprint's table: what entry structures say of fields, and more.

use super::names::{problem_with_column_name, problem_with_document_name};
use super::types;
use crate::field_types::kind::{FieldKind, NativeType, OnDelete};
use crate::json::Json;
use crate::structure::blueprint::model::EnumType;
use crate::structure::constant::Constant;
use crate::structure::document::field::{self as shared, Place};
use crate::structure::document::keys::{Keys, Problems};
use crate::structure::model::{Default, Field};
use crate::structure::printed::{PrintedDefault, read_default};
use crate::structure::sql_text::{self, SqlText};
use crate::structure::table::{Action, ColumnDefault};
use std::collections::HashMap;

/// What a field has beside what [`Field`] holds.
pub(super) struct Beside<'j> {
    pub(super) pointer: String,
    /// In the database.
    pub(super) column: String,
    /// What [`Field::default`] cannot say.
    pub(super) default: Option<ColumnDefault>,
    /// As the arguments of the trigger say it.
    pub(super) fills: Vec<String>,
    /// What the field says of an index.
    pub(super) index: Option<&'j Json>,
    /// What happens to a field of type `reference` when its target is deleted, and when its key changes.
    pub(super) actions: Option<(Action, Action)>,
}

/// The enums of a blueprint, as fields see them.
pub(super) struct Enums<'e> {
    by_name: HashMap<&'e str, &'e EnumType>,
    by_type: HashMap<(&'e str, &'e str), &'e EnumType>,
    /// Those of which something is wrong.
    wrong: &'e [String],
}

impl<'e> Enums<'e> {
    pub(super) fn new(enums: impl Iterator<Item = &'e EnumType>, wrong: &'e [String]) -> Self {
        let (mut by_name, mut by_type) = (HashMap::new(), HashMap::new());
        for found in enums {
            by_name.insert(found.name.as_str(), found);
            by_type.insert((found.schema.as_str(), found.type_name.as_str()), found);
        }
        Self { by_name, by_type, wrong }
    }

    /// Reads a value of a type, which may be an enum.
    pub(super) fn constant(
        &self,
        kind: &FieldKind,
        list: bool,
        json: &Json,
    ) -> Result<Constant, String> {
        let constant = Constant::read(kind, list, json)?;
        if let FieldKind::NamedEnum { schema, name } = kind
            && let Some(found) = self.by_type.get(&(schema.as_str(), name.as_str()))
        {
            let values = match &constant {
                Constant::List(items) => items.as_slice(),
                one => std::slice::from_ref(one),
            };
            for value in values {
                if let Constant::Text(text) = value
                    && !found.values.contains(text)
                {
                    let text = crate::json::shorten(text);
                    return Err(format!("{text:?} is not a value of enum \"{}\"", found.name));
                }
            }
        }
        if let FieldKind::Native(native) = kind {
            return printed(native, constant);
        }
        Ok(constant)
    }
}

/// A value of a native type as Postgres prints it, where that is not as it was given.
fn printed(native: &NativeType, constant: Constant) -> Result<Constant, String> {
    match constant {
        Constant::Text(text) if native.schema.is_none() && native.name == "timestamp" => {
            match text.parse::<jiff::civil::DateTime>() {
                Ok(time) => Ok(Constant::Text(time.to_string().replace('T', " "))),
                Err(_) => Err("expected a time without zone, \"2024-12-31T23:59:59\"".to_owned()),
            }
        }
        Constant::Integer(value)
            if native.name == "int2" && i16::try_from(value).is_err()
                || native.name == "oid" && u32::try_from(value).is_err() =>
        {
            Err(format!("{value} is out of the range of the type"))
        }
        Constant::List(items) => items
            .into_iter()
            .map(|item| printed(native, item))
            .collect::<Result<_, _>>()
            .map(Constant::List),
        other => Ok(other),
    }
}

impl Place for Enums<'_> {
    fn problem_with_name(&self, name: &str) -> Option<String> {
        problem_with_document_name(name)
    }

    fn problem_with_old_name(&self, name: &str) -> Option<String> {
        problem_with_document_name(name)
    }

    fn types(&self) -> &'static [&'static str] {
        &types::WORDS
    }

    fn read_type(
        &self,
        word: &'static str,
        keys: &mut Keys<'_>,
        problems: &mut Problems,
    ) -> Option<FieldKind> {
        match word {
            "enum" if keys.has("enum") => {
                let name = keys.text("enum", problems)?;
                match self.by_name.get(name.as_str()) {
                    Some(found) => Some(FieldKind::NamedEnum {
                        schema: found.schema.clone(),
                        name: found.type_name.clone(),
                    }),
                    None => {
                        if !self.wrong.contains(&name) {
                            let message = format!("enum \"{name}\" is not defined in /enums");
                            problems.add(keys.at("enum"), message);
                        }
                        None
                    }
                }
            }
            "enum" => {
                // Known, though not given.
                keys.take("enum");
                shared::read_type(word, keys, problems)
            }
            "reference" => {
                let to = keys.text("to", problems);
                if to.is_none() {
                    problems.add(keys.at("to"), "is missing: the name of the table referred to");
                }
                Some(FieldKind::Reference { to: to?, on_delete: OnDelete::Restrict })
            }
            word => types::read(word, keys, problems),
        }
    }

    fn has_lists_of(&self, kind: &FieldKind) -> bool {
        !matches!(kind, FieldKind::Reference { .. })
    }

    fn constant(&self, kind: &FieldKind, list: bool, json: &Json) -> Result<Constant, String> {
        self.constant(kind, list, json)
    }
}

pub(super) fn read<'j>(
    json: &'j Json,
    pointer: &str,
    enums: &Enums<'_>,
    problems: &mut Problems,
) -> Option<(Field, Beside<'j>)> {
    let mut keys = Keys::open(json, pointer.to_owned(), problems)?;
    let column = keys.text("column", problems);
    let read = shared::read_open(json, &mut keys, enums, problems);
    let at = keys.at(if column.is_some() { "column" } else { "name" });
    let name = column.as_deref().or(json.get("name").and_then(Json::as_str));
    if let Some(problem) = name.and_then(problem_with_column_name)
        // Of a name that a document cannot have this was said.
        && (column.is_some() || name.is_some_and(|name| problem_with_document_name(name).is_none()))
    {
        problems.add(at, problem);
    }
    let (mut field, index) = read?;
    let mut beside = Beside {
        pointer: pointer.to_owned(),
        column: column.unwrap_or_else(|| field.name.clone()),
        default: None,
        fills: Vec::new(),
        index,
        actions: None,
    };
    if matches!(field.kind, FieldKind::Reference { .. }) {
        beside.actions = Some(actions(&mut keys, problems));
    }
    read_made(&mut field, &mut beside, &mut keys, problems);
    read_fill(&field, &mut beside, &mut keys, problems);
    let ways = ["default", "default_sql", "generated", "fill"];
    let given: Vec<&str> = ways
        .into_iter()
        .filter(|key| json.get(key).is_some_and(|value| *value != Json::Null))
        .collect();
    if let [first, second, ..] = given.as_slice() {
        problems.add(keys.at(second), format!("a field has either this or {first}"));
    }
    keys.close(problems);
    Some((field, beside))
}

/// What happens to a reference when its target is deleted, and when the target's key changes.
pub(super) fn actions(keys: &mut Keys<'_>, problems: &mut Problems) -> (Action, Action) {
    let words = Action::ALL.map(|action| (action.name(), action));
    let on_delete = keys.choice("on_delete", &words, problems).unwrap_or(Action::Restrict);
    let on_update = keys.choice("on_update", &words, problems).unwrap_or(Action::NoAction);
    (on_delete, on_update)
}

#[derive(Clone, Copy)]
enum Generated {
    Serial,
    Identity { always: bool },
}

/// Defaults that are no values.
fn read_made(
    field: &mut Field,
    beside: &mut Beside<'_>,
    keys: &mut Keys<'_>,
    problems: &mut Problems,
) {
    if let Some(text) = keys.text("default_sql", problems) {
        match default_of_text(&text, &field.kind, field.list) {
            Ok(ColumnDefault::Field(default)) => field.default = Some(default),
            Ok(other) => beside.default = Some(other),
            Err(problem) => problems.add(keys.at("default_sql"), problem),
        }
    }
    let ways = [
        ("serial", Generated::Serial),
        ("identity", Generated::Identity { always: false }),
        ("identity_always", Generated::Identity { always: true }),
    ];
    if let Some(generated) = keys.choice("generated", &ways, problems) {
        if !is_whole_number(&field.kind) || field.list {
            problems.add(keys.at("generated"), "is of fields of type smallint, integer and bigint");
        }
        // Postgres says so of both.
        field.required = true;
        beside.default = Some(match generated {
            Generated::Serial => ColumnDefault::Serial,
            Generated::Identity { always } => ColumnDefault::Identity { always },
        });
    }
}

/// The default that a text says: what a document says otherwise where that makes the same default.
pub(super) fn default_of_text(
    text: &str,
    kind: &FieldKind,
    list: bool,
) -> Result<ColumnDefault, String> {
    if text.trim().is_empty() {
        return Err("is empty".to_owned());
    }
    let given = SqlText::given(text, sql_text::Place::Default, &|_| None);
    let sql = given.unwrap_or_else(|_| SqlText::trusted(text));
    Ok(match read_default(text, kind, list) {
        Some(PrintedDefault::Clock) => ColumnDefault::Clock,
        Some(PrintedDefault::Field(Default::Now)) if !is_now(text, kind) => ColumnDefault::Sql(sql),
        Some(PrintedDefault::Field(Default::Value(value))) => match kind {
            FieldKind::Native(native) => match printed(native, value) {
                Ok(value) => ColumnDefault::Field(Default::Value(value)),
                Err(_) => ColumnDefault::Sql(sql),
            },
            _ => ColumnDefault::Field(Default::Value(value)),
        },
        Some(PrintedDefault::Field(default)) => ColumnDefault::Field(default),
        None if !list && is_now(text, kind) => ColumnDefault::Field(Default::Now),
        _ => ColumnDefault::Sql(sql),
    })
}

/// Whether the text is what the word `now` makes for a field of the type: others are run as they stand.
fn is_now(text: &str, kind: &FieldKind) -> bool {
    let text = text.trim();
    let is = |word: &str| text.eq_ignore_ascii_case(word);
    match kind {
        FieldKind::Timestamp => is("CURRENT_TIMESTAMP") || is("now()"),
        FieldKind::Date => is("CURRENT_DATE"),
        FieldKind::Time => is("LOCALTIME"),
        FieldKind::Native(native) => native.is_time() && is("CURRENT_TIMESTAMP"),
        _ => false,
    }
}

pub(super) fn is_whole_number(kind: &FieldKind) -> bool {
    match kind {
        FieldKind::Integer | FieldKind::Bigint => true,
        FieldKind::Native(native) => native.schema.is_none() && native.name == "int2",
        _ => false,
    }
}

/// The most characters of a nanoid.
const MAX_NANOID: u32 = 255;
const NANOID: u32 = 21;

fn read_fill(field: &Field, beside: &mut Beside<'_>, keys: &mut Keys<'_>, problems: &mut Problems) {
    let ways = [("cuid", 24), ("uuid", 36), ("uuid7", 36), ("ulid", 26), ("nanoid", NANOID)]
        .map(|way| (way.0, way));
    let way = keys.choice("fill", &ways, problems);
    let length = keys.number("fill_length", 2..=MAX_NANOID, problems);
    if length.is_some() && way.is_none_or(|(word, _)| word != "nanoid") {
        problems.add(keys.at("fill_length"), "is of the fill nanoid");
    }
    if let Some((word, usual)) = way {
        let length = length.filter(|_| word == "nanoid").unwrap_or(usual);
        let room = match &field.kind {
            _ if field.list => Some(0),
            FieldKind::Text { max_length } => *max_length,
            FieldKind::Uuid if word.starts_with("uuid") => None,
            FieldKind::Native(native) if native.schema.is_none() && native.name == "varchar" => {
                None
            }
            FieldKind::Native(native) if native.name == "citext" => None,
            FieldKind::Native(native) if native.schema.is_none() && native.name == "bpchar" => {
                native.modifiers.first().and_then(|length| length.parse().ok())
            }
            _ => Some(0),
        };
        match room {
            Some(0) => problems.add(
                keys.at("fill"),
                match word.starts_with("uuid") {
                    true => "is of fields of type uuid, text, varchar and char",
                    false => "is of fields of type text, varchar and char",
                },
            ),
            Some(room) if room < length => {
                problems.add(
                    keys.at("fill"),
                    format!("makes {length} characters, and the field has {room}"),
                );
            }
            _ => {}
        }
        beside.fills.push(match word {
            "nanoid" => format!("nanoid:{length}"),
            word => word.to_owned(),
        });
    }
    if keys.boolean("touch", problems) {
        let fits = match &field.kind {
            FieldKind::Timestamp | FieldKind::Date | FieldKind::Time => !field.list,
            FieldKind::Native(native) => native.is_time() && !field.list,
            _ => false,
        };
        if !fits {
            problems.add(keys.at("touch"), "is of fields of type timestamp, date and time");
        }
        beside.fills.push("touch".to_owned());
    }
}
