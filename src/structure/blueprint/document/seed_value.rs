//! One value of a row that a blueprint begins with: a constant of the column's type, a value of another row, or a time that
//! is counted from the application.

use super::seed::{World, listed};
use super::table::is_moment;
use crate::field_types::kind::{FieldKind, NativeType};
use crate::json::{Json, token};
use crate::secrets::reference;
use crate::structure::blueprint::duration::{self, Duration};
use crate::structure::blueprint::model::ModelTable;
use crate::structure::blueprint::seed::{Given, Lookup, Value, unique_sets};
use crate::structure::constant::Constant;
use crate::structure::document::keys::{Keys, Problems};
use crate::structure::model::Sensitive;
use crate::structure::table::{Column, Rule};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

/// Objects with one of these keys alone mean more than themselves.
pub(super) const WORDS: [&str; 4] = ["lookup", "now_plus", "now_minus", "value"];

/// Lookups within lookups: a key of keys is seldom deeper.
const MAX_DEPTH: usize = 8;

/// The column of a field.
pub(super) fn named<'t>(table: &'t ModelTable, field: &str) -> Option<&'t Column> {
    let (_, column) = table.fields.iter().find(|(name, _)| name == field)?;
    table.table.column(column)
}

pub(super) fn is_json(kind: &FieldKind) -> bool {
    match kind {
        FieldKind::Json => true,
        FieldKind::Native(native) => native.schema.is_none() && native.name == "json",
        _ => false,
    }
}

/// Reads values of one table.
pub(super) struct Reader<'r> {
    pub(super) world: &'r World<'r>,
    pub(super) table: &'r ModelTable,
}

impl Reader<'_> {
    pub(super) fn read(
        &self,
        column: &Column,
        json: &Json,
        pointer: &str,
        problems: &mut Problems,
    ) -> Option<Value> {
        self.read_within(column, json, pointer, 0, problems)
    }

    fn read_within(
        &self,
        column: &Column,
        json: &Json,
        pointer: &str,
        depth: usize,
        problems: &mut Problems,
    ) -> Option<Value> {
        if *json == Json::Null {
            if column.required {
                problems.add(pointer, "must not be null: the field is required");
                return None;
            }
            return Some(Value::Null);
        }
        let word = match json {
            Json::Object(pairs) => match pairs.as_slice() {
                [(word, inner)] if WORDS.contains(&word.as_str()) => Some((word.as_str(), inner)),
                _ => None,
            },
            _ => None,
        };
        let read = match word {
            Some(("lookup", inner)) => {
                let at = format!("{pointer}/lookup");
                return self.lookup(column, inner, at, depth, problems).map(Value::Lookup);
            }
            Some((word @ ("now_plus" | "now_minus"), inner)) => self
                .moved(column, word, inner)
                .map_err(|problem| (format!("{pointer}/{word}"), problem)),
            Some((_, inner)) if is_json(&column.kind) && !column.list => self
                .constant(column, inner)
                .map_err(|problem| (format!("{pointer}/value"), problem)),
            _ => self.constant(column, json).map_err(|problem| (pointer.to_owned(), problem)),
        };
        read.map_err(|(at, problem)| problems.add(at, problem)).ok()
    }

    fn moved(&self, column: &Column, word: &str, json: &Json) -> Result<Value, String> {
        if is_json(&column.kind) {
            return Err(
                "is of fields of type timestamp and date; JSON that looks so is {\"value\": …}"
                    .to_owned(),
            );
        }
        if !is_moment(&column.kind, column.list) {
            return Err("is of fields of type timestamp and date".to_owned());
        }
        let by = json.as_str().and_then(Duration::read).ok_or(duration::EXPECTED)?;
        Ok(Value::Moved { ahead: word == "now_plus", by })
    }

    fn constant(&self, column: &Column, json: &Json) -> Result<Value, String> {
        let given = match &column.kind {
            FieldKind::Bytes if !column.list => bytes(json)?,
            FieldKind::Vector { dimensions } if !column.list => vector(json, *dimensions)?,
            kind => {
                let constant = self.world.context.constant(kind, column.list, json)?;
                check_exact(kind, &constant)?;
                self.check_rules(column, &constant)?;
                let said = constant.to_json();
                match (is_json(kind) && !column.list, kind) {
                    // Kept as it is written, in the order of its keys.
                    (true, FieldKind::Native(_)) => {
                        Given { input: json.to_string(), json: wrapped(json.clone()) }
                    }
                    (true, _) => Given { input: constant.input(), json: wrapped(said) },
                    _ => Given { input: constant.input(), json: said },
                }
            }
        };
        Ok(Value::Given(given))
    }

    /// What a field says of its own values is told at once; what the database says of rows, when they are written.
    fn check_rules(&self, column: &Column, constant: &Constant) -> Result<(), String> {
        let values = match constant {
            Constant::List(items) => items.as_slice(),
            one => std::slice::from_ref(one),
        };
        // A document is kept, so a secret must not be in it. What else is no reference, the trigger refuses.
        let is_reference = self
            .table
            .sensitive
            .iter()
            .any(|(own, how)| *own == column.name && *how == Sensitive::Reference);
        for value in values.iter().filter(|_| is_reference) {
            if let Constant::Text(text) = value
                && let Some(problem @ reference::Problem::Secret(_)) = reference::problem(text)
            {
                return Err(problem.to_string());
            }
        }
        for rule in &self.table.table.rules {
            match rule {
                Rule::OneOf { column: of, values: legal } if *of == column.name => {
                    let is_legal = |value: &Constant| matches!(value, Constant::Text(text) if legal.contains(text));
                    if !values.iter().all(is_legal) {
                        return Err(format!(
                            "expected one of the field's values: {}",
                            legal.join(", ")
                        ));
                    }
                }
                Rule::MinLength { column: of, length } if *of == column.name => {
                    let is_short = |value: &Constant| matches!(value, Constant::Text(text) if text.chars().count() < *length as usize);
                    if values.iter().any(is_short) {
                        return Err("shorter than min_length".to_owned());
                    }
                }
                Rule::Compare { column: of, op, value } if *of == column.name => {
                    let breaks =
                        constant.compare(value).is_some_and(|ordering| !op.holds(ordering));
                    if breaks {
                        return Err(format!("must be {} {}", op.symbol(), value.to_json()));
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// A value of another row.
    fn lookup(
        &self,
        column: &Column,
        json: &Json,
        pointer: String,
        depth: usize,
        problems: &mut Problems,
    ) -> Option<Lookup> {
        if depth >= MAX_DEPTH {
            problems.add(pointer, format!("lookups lie at most {MAX_DEPTH} deep in one another"));
            return None;
        }
        let mut keys = Keys::open(json, pointer.clone(), problems)?;
        let given_table = keys.text("table", problems);
        let given_field = keys.text("field", problems);
        let by = keys.take("where");
        let by_at = keys.at("where");
        if by.is_none() {
            problems.add(&by_at, "is missing: fields of the row, and their values");
        }
        let (has_table, has_field) = (keys.has("table"), keys.has("field"));
        let (table_at, field_at) = (keys.at("table"), keys.at("field"));
        keys.close(problems);
        // A null was told.
        if has_table && given_table.is_none() || has_field && given_field.is_none() {
            return None;
        }
        let mut referred = self.referred(column, given_table.as_deref());
        let usual = referred.next();
        let is_clear = usual.is_some() && referred.next().is_none();
        let target = match (&given_table, usual) {
            (Some(name), _) => self.world.table(name, &table_at, problems)?,
            (None, Some((target, _))) if is_clear => target,
            (None, _) => {
                problems.add(table_at, "is missing: the field does not refer to one table");
                return None;
            }
        };
        let found = match (&given_field, usual.filter(|_| is_clear)) {
            (Some(name), _) => {
                let found = named(target, name);
                if found.is_none() {
                    problems.add(field_at, format!("table \"{}\" has no such field", target.name));
                }
                found?
            }
            (None, Some((_, column))) => target.table.column(column)?,
            (None, None) => {
                let key = unique_sets(target).into_iter().find(|set| set.is_key);
                let column = key.as_ref().and_then(|key| match key.columns.as_slice() {
                    [one] => target.table.column(&one.name),
                    _ => None,
                });
                if column.is_none() {
                    let message =
                        format!("is missing: table \"{}\" has no key of one field", target.name);
                    problems.add(field_at, message);
                }
                column?
            }
        };
        if found.list != column.list {
            problems.add(pointer, "one of the two fields is a list, and the other is not");
            return None;
        }
        let by = self.conditions(target, by?, &by_at, depth, problems)?;
        Some(Lookup { table: target.name.clone(), by, column: found.name.clone() })
    }

    /// The tables that a column refers to, and the columns there.
    fn referred<'s>(
        &'s self,
        column: &'s Column,
        among: Option<&'s str>,
    ) -> impl Iterator<Item = (&'s ModelTable, &'s str)> {
        self.table.table.rules.iter().filter_map(move |rule| {
            let Rule::Reference(reference) = rule else { return None };
            let at = reference.columns.iter().position(|own| *own == column.name)?;
            let target = &reference.target;
            let table =
                self.world.tables.iter().find(|table| {
                    table.schema == target.schema && table.table_name == target.table
                })?;
            let fits = among.is_none_or(|name| name == table.name);
            fits.then(|| (table, target.columns[at].as_str()))
        })
    }

    /// The values by which a row is found.
    fn conditions(
        &self,
        target: &ModelTable,
        json: &Json,
        pointer: &str,
        depth: usize,
        problems: &mut Problems,
    ) -> Option<Vec<(String, Value)>> {
        let Json::Object(pairs) = json else {
            problems.add(pointer, format!("must be an object, not {}", json.kind()));
            return None;
        };
        let reader = Reader { world: self.world, table: target };
        let (mut by, mut whole) = (Vec::new(), true);
        for (name, json) in pairs {
            let at = format!("{pointer}/{}", token(name));
            let Some(column) = named(target, name) else {
                problems.add(at, format!("table \"{}\" has no such field", target.name));
                whole = false;
                continue;
            };
            match reader.read_within(column, json, &at, depth + 1, problems) {
                Some(value @ (Value::Given(_) | Value::Lookup(_))) => {
                    by.push((column.name.clone(), value));
                }
                Some(_) => {
                    problems.add(at, "a row is found by values that are there");
                    whole = false;
                }
                None => whole = false,
            }
        }
        let names: Vec<&str> = by.iter().map(|(name, _)| name.as_str()).collect();
        let sets = unique_sets(target);
        if whole && !sets.iter().any(|set| set.is_within(&names)) {
            let sets = listed(target, &sets);
            problems
                .add(pointer, format!("must hold a unique set, so that it finds one row{sets}"));
            whole = false;
        }
        whole.then_some(by)
    }
}

/// JSON that could be mistaken for one of the words.
fn wrapped(json: Json) -> Json {
    let looks_so = match &json {
        Json::Null => true,
        Json::Object(pairs) => {
            matches!(pairs.as_slice(), [(word, _)] if WORDS.contains(&word.as_str()))
        }
        _ => false,
    };
    if looks_so { Json::Object(vec![("value".to_owned(), json)]) } else { json }
}

fn bytes(json: &Json) -> Result<Given, String> {
    let expected = "expected bytes in base64 (RFC 4648, with padding)";
    let bytes = json.as_str().and_then(|text| BASE64.decode(text).ok()).ok_or(expected)?;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Given { input: format!("\\x{hex}"), json: Json::String(BASE64.encode(&bytes)) })
}

fn vector(json: &Json, dimensions: u16) -> Result<Given, String> {
    let Json::Array(items) = json else {
        return Err(format!("expected an array of {dimensions} numbers, not {}", json.kind()));
    };
    if items.len() != usize::from(dimensions) {
        let count = items.len();
        return Err(format!("has {count} dimensions, not the expected {dimensions}"));
    }
    let mut numbers = Vec::new();
    for (at, item) in items.iter().enumerate() {
        match item {
            Json::Number(text) if text.parse::<f32>().is_ok_and(f32::is_finite) => {
                numbers.push(text.as_str());
            }
            _ => return Err(format!("element {at}: expected a number of 32 bits")),
        }
    }
    Ok(Given { input: format!("[{}]", numbers.join(",")), json: json.clone() })
}

/// A value that the column would round or cut is none of its values.
fn check_exact(kind: &FieldKind, constant: &Constant) -> Result<(), String> {
    let FieldKind::Native(native) = kind else { return Ok(()) };
    if native.schema.is_some() {
        return Ok(());
    }
    if let Constant::List(items) = constant {
        return items.iter().try_for_each(|item| check_native(native, item));
    }
    check_native(native, constant)
}

fn check_native(native: &NativeType, constant: &Constant) -> Result<(), String> {
    let limit = native.modifiers.first().and_then(|limit| limit.parse::<usize>().ok());
    let nanoseconds = match constant {
        Constant::Timestamp(time) => Some(time.subsec_nanosecond()),
        Constant::Time(time) => Some(time.subsec_nanosecond()),
        _ => None,
    };
    if let (Some(nanoseconds), Some(digits)) = (nanoseconds, limit.filter(|digits| *digits < 9)) {
        let unit = 10_i32.pow(9 - digits as u32);
        return match nanoseconds % unit {
            0 => Ok(()),
            _ => Err(format!("more than {digits} digits of a second")),
        };
    }
    match (native.name.as_str(), constant) {
        ("float4", Constant::Float(value)) => {
            let held = (*value as f32).to_string().parse::<f64>();
            match held.is_ok_and(|held| held == *value) {
                true => Ok(()),
                false => Err("more digits than a real holds".to_owned()),
            }
        }
        ("money", Constant::Decimal(text)) => {
            match text.split_once('.').is_none_or(|(_, fraction)| fraction.len() <= 2) {
                true => Ok(()),
                false => Err("more than 2 digits after the decimal point".to_owned()),
            }
        }
        ("bpchar" | "varchar", Constant::Text(text)) => {
            match limit.is_none_or(|limit| text.chars().count() <= limit) {
                true => Ok(()),
                false => Err("longer than the field".to_owned()),
            }
        }
        ("name" | "char", Constant::Text(text)) => {
            let most = if native.name == "name" { 63 } else { 1 };
            if text.len() <= most { Ok(()) } else { Err("longer than the field".to_owned()) }
        }
        ("bit" | "varbit", Constant::Text(text)) => {
            let is_long = match (native.name.as_str(), limit) {
                ("bit", limit) => text.len() != limit.unwrap_or(1),
                (_, limit) => limit.is_some_and(|limit| text.len() > limit),
            };
            match text.bytes().all(|byte| matches!(byte, b'0' | b'1')) && !is_long {
                true => Ok(()),
                false => Err("expected as many 0s and 1s as the field has".to_owned()),
            }
        }
        _ => Ok(()),
    }
}
