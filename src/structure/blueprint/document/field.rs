//! One field of a blueprint's table: what entry structures say of fields, and more.

use super::context::{Context, in_range};
use super::names::{problem_with_column_name, problem_with_document_name};
use crate::field_types::kind::FieldKind;
use crate::json::Json;
use crate::structure::constant::Constant;
use crate::structure::deparse::Expression;
use crate::structure::document::field as shared;
use crate::structure::document::keys::{Keys, Problems};
use crate::structure::model::{Default, Field, TIMES};
use crate::structure::printed::{PrintedDefault, read_exact_default};
use crate::structure::sql_text::{Place, problem_with_moving};
use crate::structure::table::{Action, ColumnDefault};

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

pub(super) fn read<'j>(
    json: &'j Json,
    pointer: &str,
    context: &Context<'_>,
    problems: &mut Problems,
) -> Option<(Field, Beside<'j>)> {
    let mut keys = Keys::open(json, pointer.to_owned(), problems)?;
    let column = keys.text("column", problems);
    let read = shared::read_open(json, &mut keys, context, problems);
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
    if let Some(Default::Value(value)) = &field.default
        && let Some(problem) = problem_with_value(&field.kind, value)
    {
        problems.add(keys.at("default"), problem);
    }
    read_made(&mut field, &mut beside, &mut keys, context, problems);
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
    context: &Context<'_>,
    problems: &mut Problems,
) {
    if let Some(text) = keys.text("default_sql", problems) {
        match default_of_text(context, &text, field, &beside.column) {
            Ok(Some(ColumnDefault::Field(default))) => field.default = Some(default),
            Ok(other) => beside.default = other,
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

/// The default that a text says; none if it says NULL. What the catalog's print is understood as must be understood here too: otherwise the
/// same default would be another one each time it is compared.
fn default_of_text(
    context: &Context<'_>,
    text: &str,
    field: &Field,
    column: &str,
) -> Result<Option<ColumnDefault>, String> {
    let sql = context.sql(text, Place::Default, &|_| None)?;
    let expression = Expression::parse(text);
    if let Some(Expression::Quoted(text)) = &expression
        && is_temporal(&field.kind)
        && let Some(problem) = problem_with_moving(text)
    {
        return Err(problem);
    }
    // A number keeps its digits until a row is made: as a literal of its type it might lose some.
    if expression.is_some_and(|said| holds_number(&said)) && is_inexact(&field.kind) {
        return Ok(Some(ColumnDefault::Sql(sql)));
    }
    let said = said_by(text, &field.kind, field.list)
        .or_else(|| said_by(&sql.text, &field.kind, field.list));
    Ok(Some(match said {
        Some(PrintedDefault::Null) => return Ok(None),
        Some(PrintedDefault::Clock) if TIMES.contains(&column) => ColumnDefault::Clock,
        Some(PrintedDefault::Field(Default::Value(value))) => match &field.kind {
            FieldKind::Native(native) => match in_range(native, value) {
                Ok(value) => ColumnDefault::Field(Default::Value(value)),
                Err(_) => ColumnDefault::Sql(sql),
            },
            _ => ColumnDefault::Field(Default::Value(value)),
        },
        Some(PrintedDefault::Field(default)) => ColumnDefault::Field(default),
        _ => ColumnDefault::Sql(sql),
    }))
}

/// Whether an expression is a number without quotes, or an array that holds one.
fn holds_number(expression: &Expression) -> bool {
    match expression.uncast().0 {
        Expression::Number(_) => true,
        Expression::Array(items) => items.iter().any(holds_number),
        _ => false,
    }
}

/// Whether texts of the type may stand for a moment.
fn is_temporal(kind: &FieldKind) -> bool {
    match kind {
        FieldKind::Date | FieldKind::Time | FieldKind::Timestamp => true,
        FieldKind::Native(native) => {
            native.is_time()
                || native.schema.is_none()
                    && ["date", "ts", "tstz"]
                        .iter()
                        .filter_map(|of| native.name.strip_prefix(of))
                        .any(|rest| matches!(rest, "range" | "multirange"))
        }
        _ => false,
    }
}

/// Whether a number may be written in more digits than a value of the type keeps, or be printed in fewer.
fn is_inexact(kind: &FieldKind) -> bool {
    match kind {
        FieldKind::Float => true,
        FieldKind::Native(native) => {
            native.schema.is_none() && matches!(native.name.as_str(), "float4" | "money")
        }
        _ => false,
    }
}

/// A text of a value that is read as the moment at which it is read.
fn problem_with_value(kind: &FieldKind, value: &Constant) -> Option<String> {
    match value {
        Constant::Text(text) if is_temporal(kind) => problem_with_moving(text),
        Constant::List(items) => items.iter().find_map(|item| problem_with_value(kind, item)),
        _ => None,
    }
}

/// As a default that Postgres has printed, and literals as people write them: without a cast.
fn said_by(text: &str, kind: &FieldKind, list: bool) -> Option<PrintedDefault> {
    let literal = || {
        let text = match Expression::parse(text) {
            Some(Expression::Quoted(text)) => text,
            _ if !list && text.trim().parse::<f64>().is_ok() => text.trim().to_owned(),
            _ => return None,
        };
        Constant::from_output(kind, list, &text)
            .map(|value| PrintedDefault::Field(Default::Value(value)))
    };
    read_exact_default(text, kind, list).or_else(literal)
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
        if field.min_length.is_some_and(|least| least > length) {
            let message = format!("makes {length} characters, fewer than min_length");
            problems.add(keys.at("fill"), message);
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
