//! Values that stand in a document (defaults, bounds, compared values): read from JSON by the type of
//! their field, written as SQL literals, and read back from what Postgres prints.
//!
//! The canonical form is exact: equal constants are equal values, whoever spelt them.

use crate::field_types::kind::FieldKind;
use crate::json::Json;
use crate::json::shorten;
use crate::jsonb::number;
use crate::time;
use jiff::SignedDuration;
use jiff::civil::{Date, DateTime, Time};
use std::cmp::Ordering;

/// One value of a field.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Constant {
    Text(String),
    /// Of integer and bigint fields.
    Integer(i64),
    /// Plain digits without superfluous zeros.
    Decimal(String),
    Float(f64),
    Boolean(bool),
    Date(Date),
    Time(Time),
    /// UTC.
    Timestamp(DateTime),
    /// Lower case, with hyphens.
    Uuid(String),
    /// Keys in jsonb's order, numbers as [`Constant::Decimal`].
    Json(Json),
    List(Vec<Constant>),
}

impl Constant {
    /// Reads a value of a field of the given type; the message says what was expected.
    pub(crate) fn read(kind: &FieldKind, list: bool, json: &Json) -> Result<Constant, String> {
        if !list {
            return Self::scalar(kind, json);
        }
        match json {
            Json::Array(items) => items
                .iter()
                .enumerate()
                .map(|(at, item)| {
                    Self::scalar(kind, item).map_err(|problem| format!("element {at}: {problem}"))
                })
                .collect::<Result<_, _>>()
                .map(Constant::List),
            other => Err(format!("expected an array, not {}", other.kind())),
        }
    }

    fn scalar(kind: &FieldKind, json: &Json) -> Result<Constant, String> {
        let expected = |what: &str| match json {
            Json::String(text) => Err(format!("expected {what}, not {:?}", shorten(text))),
            Json::Number(text) => Err(format!("expected {what}, not {}", shorten(text))),
            other => Err(format!("expected {what}, not {}", other.kind())),
        };
        let text = json.as_str();
        match kind {
            FieldKind::Native(native) => Self::scalar(&native.constant_kind(), json),
            FieldKind::NamedEnum { .. } => match text {
                Some(text) => Ok(Constant::Text(text.to_owned())),
                None => expected("a value of the enum"),
            },
            FieldKind::Text { max_length } => match text {
                Some(text) => {
                    if max_length.is_some_and(|n| text.chars().count() > n as usize) {
                        return Err("longer than max_length".to_owned());
                    }
                    Ok(Constant::Text(text.to_owned()))
                }
                None => expected("a string"),
            },
            FieldKind::Enum { values } => match text {
                Some(text) if values.iter().any(|value| value == text) => {
                    Ok(Constant::Text(text.to_owned()))
                }
                _ => expected("one of the field's values"),
            },
            FieldKind::Integer | FieldKind::Bigint => {
                let (least, most) = if *kind == FieldKind::Integer {
                    (i32::MIN.into(), i32::MAX.into())
                } else {
                    (i64::MIN, i64::MAX)
                };
                match plain(json).and_then(|plain| plain.parse::<i64>().ok()) {
                    Some(value) if (least..=most).contains(&value) => Ok(Constant::Integer(value)),
                    _ => expected(&format!("a whole number from {least} to {most}")),
                }
            }
            FieldKind::Decimal { precision } => {
                let Some(plain) = plain(json) else {
                    return match json {
                        Json::Number(_) => Err("out of the range of a decimal".to_owned()),
                        _ => expected("a number"),
                    };
                };
                if let Some((precision, scale)) = precision {
                    let digits = plain.trim_start_matches('-');
                    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
                    let whole = if whole == "0" { 0 } else { whole.len() };
                    if fraction.len() > (*scale).into() {
                        return Err(format!("more than {scale} digits after the decimal point"));
                    }
                    if whole > usize::from(precision - scale) {
                        return Err(format!(
                            "more than {} digits before the decimal point",
                            precision - scale
                        ));
                    }
                }
                Ok(Constant::Decimal(plain))
            }
            FieldKind::Float => match json {
                Json::Number(text) => match text.parse::<f64>() {
                    // -0 equals 0, and prints as such.
                    Ok(value) if value.is_finite() => Ok(Constant::Float(value + 0.0)),
                    _ => Err("out of the range of a double".to_owned()),
                },
                _ => expected("a number"),
            },
            FieldKind::Boolean => match json {
                Json::Boolean(value) => Ok(Constant::Boolean(*value)),
                _ => expected("true or false"),
            },
            FieldKind::Date => match text.and_then(read_date) {
                Some(date) => Ok(Constant::Date(date)),
                None => expected("a date, \"2024-12-31\""),
            },
            FieldKind::Time => match text.and_then(read_time) {
                Some(time) => Ok(Constant::Time(time)),
                None => expected("a time, \"23:59:59\""),
            },
            FieldKind::Timestamp => match read_timestamp(json) {
                Some(time) => Ok(Constant::Timestamp(time)),
                None => expected("a time, \"2024-12-31T23:59:59Z\""),
            },
            FieldKind::Uuid => match text.and_then(read_uuid) {
                Some(uuid) => Ok(Constant::Uuid(uuid)),
                None => expected("a UUID"),
            },
            FieldKind::Json => canonical_json(json)
                .map(Constant::Json)
                .ok_or_else(|| "holds a number that jsonb cannot".to_owned()),
            FieldKind::Bytes | FieldKind::Reference { .. } | FieldKind::Vector { .. } => {
                Err(format!("a field of type {} has no constants", kind.name()))
            }
        }
    }

    /// The value as a document says it.
    pub(crate) fn to_json(&self) -> Json {
        match self {
            Constant::Text(text) | Constant::Uuid(text) => Json::string(text),
            Constant::Integer(value) => Json::Number(value.to_string()),
            Constant::Decimal(text) => Json::Number(text.clone()),
            Constant::Float(value) => Json::Number(print_float(*value)),
            Constant::Boolean(value) => Json::Boolean(*value),
            Constant::Date(_) | Constant::Time(_) => Json::String(self.input()),
            Constant::Timestamp(time) => Json::String(format!("{time}Z")),
            Constant::Json(json) => json.clone(),
            Constant::List(items) => Json::Array(items.iter().map(Constant::to_json).collect()),
        }
    }

    /// What the input function of the column's type reads.
    pub(crate) fn input(&self) -> String {
        match self {
            Constant::Text(text) | Constant::Uuid(text) | Constant::Decimal(text) => text.clone(),
            Constant::Integer(value) => value.to_string(),
            Constant::Float(value) => print_float(*value),
            Constant::Boolean(value) => value.to_string(),
            Constant::Date(date) => date.to_string(),
            Constant::Time(time) => time.to_string(),
            Constant::Timestamp(time) => format!("{time}+00"),
            Constant::Json(json) => json.to_string(),
            Constant::List(items) => {
                let items: Vec<String> = items
                    .iter()
                    .map(|item| {
                        let text = item.input().replace('\\', "\\\\").replace('"', "\\\"");
                        format!("\"{text}\"")
                    })
                    .collect();
                format!("{{{}}}", items.join(","))
            }
        }
    }

    /// An SQL literal of the given type, which is an SQL type's name.
    pub(crate) fn literal(&self, sql_type: &str) -> String {
        format!("{}::{sql_type}", crate::ident::quote_literal(&self.input()))
    }

    /// Reads what the output function of the column's type prints, or an SQL literal's text, with
    /// dates in ISO style and times in UTC.
    pub(crate) fn from_output(kind: &FieldKind, list: bool, text: &str) -> Option<Constant> {
        if list {
            return read_array(text)?
                .iter()
                .map(|item| Self::from_output(kind, false, item))
                .collect::<Option<_>>()
                .map(Constant::List);
        }
        let json = match kind {
            FieldKind::Native(native) => {
                return Self::from_output(&native.constant_kind(), false, text);
            }
            FieldKind::Integer
            | FieldKind::Bigint
            | FieldKind::Decimal { .. }
            | FieldKind::Float => Json::Number(text.trim().to_owned()),
            FieldKind::Boolean => match text {
                "t" | "true" => Json::Boolean(true),
                "f" | "false" => Json::Boolean(false),
                _ => return None,
            },
            FieldKind::Json => Json::parse(text).ok()?,
            _ => Json::string(text),
        };
        Self::scalar(kind, &json).ok()
    }

    /// How two values of one field compare; of different kinds, not at all.
    pub(crate) fn compare(&self, other: &Constant) -> Option<Ordering> {
        match (self, other) {
            (Constant::Text(a), Constant::Text(b)) | (Constant::Uuid(a), Constant::Uuid(b)) => {
                Some(a.cmp(b))
            }
            (Constant::Integer(a), Constant::Integer(b)) => Some(a.cmp(b)),
            (Constant::Decimal(a), Constant::Decimal(b)) => Some(compare_plain(a, b)),
            (Constant::Float(a), Constant::Float(b)) => a.partial_cmp(b),
            (Constant::Boolean(a), Constant::Boolean(b)) => Some(a.cmp(b)),
            (Constant::Date(a), Constant::Date(b)) => Some(a.cmp(b)),
            (Constant::Time(a), Constant::Time(b)) => Some(a.cmp(b)),
            (Constant::Timestamp(a), Constant::Timestamp(b)) => Some(a.cmp(b)),
            _ => None,
        }
    }
}

fn plain(json: &Json) -> Option<String> {
    match json {
        Json::Number(text) => number::plain_text(text.as_bytes()).map(|text| text.into_owned()),
        _ => None,
    }
}

/// The shortest spelling that reads back as the same double, as a JSON number.
fn print_float(value: f64) -> String {
    if value.abs() >= 1e16 || (value != 0.0 && value.abs() < 1e-5) {
        format!("{value:e}")
    } else {
        format!("{value}")
    }
}

/// How two numbers in plain spelling compare.
fn compare_plain(a: &str, b: &str) -> Ordering {
    match (a.strip_prefix('-'), b.strip_prefix('-')) {
        (Some(a), Some(b)) => compare_plain(b, a),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => {
            let (a_whole, a_fraction) = a.split_once('.').unwrap_or((a, ""));
            let (b_whole, b_fraction) = b.split_once('.').unwrap_or((b, ""));
            (a_whole.len(), a_whole, a_fraction).cmp(&(b_whole.len(), b_whole, b_fraction))
        }
    }
}

/// 2000-01-01, where [`time`] begins to count.
const EPOCH: DateTime = DateTime::constant(2000, 1, 1, 0, 0, 0, 0);

fn from_micros(micros: i64) -> Option<DateTime> {
    EPOCH.checked_add(SignedDuration::from_micros(micros)).ok()
}

fn read_date(text: &str) -> Option<Date> {
    time::date(text.as_bytes())?;
    text.parse().ok()
}

fn read_time(text: &str) -> Option<Time> {
    Some(from_micros(time::time_of_day(text.as_bytes())?)?.time())
}

fn read_timestamp(json: &Json) -> Option<DateTime> {
    let instant = match json {
        Json::String(text) => time::of_text(text.as_bytes()),
        Json::Number(text) => time::of_json(text.as_bytes()),
        _ => return None,
    };
    from_micros(instant.ok()?.exact().ok()?)
}

fn read_uuid(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let hyphens = [8, 13, 18, 23];
    (bytes.len() == 36
        && bytes.iter().enumerate().all(|(at, b)| match hyphens.contains(&at) {
            true => *b == b'-',
            false => b.is_ascii_hexdigit(),
        }))
    .then(|| text.to_ascii_lowercase())
}

/// Keys in the order of jsonb, numbers in plain spelling.
fn canonical_json(json: &Json) -> Option<Json> {
    Some(match json {
        Json::Number(_) => Json::Number(plain(json)?),
        Json::Array(items) => Json::Array(items.iter().map(canonical_json).collect::<Option<_>>()?),
        Json::Object(pairs) => {
            let mut pairs = pairs
                .iter()
                .map(|(key, value)| Some((key.clone(), canonical_json(value)?)))
                .collect::<Option<Vec<_>>>()?;
            pairs.sort_by(|(a, _), (b, _)| (a.len(), a).cmp(&(b.len(), b)));
            Json::Object(pairs)
        }
        other => other.clone(),
    })
}

/// The elements of a one-dimensional array as Postgres prints it; none may be NULL.
fn read_array(text: &str) -> Option<Vec<String>> {
    let inner = text.strip_prefix('{')?.strip_suffix('}')?;
    let mut items = Vec::new();
    let mut chars = inner.chars().peekable();
    if chars.peek().is_none() {
        return Some(items);
    }
    loop {
        let mut item = String::new();
        if chars.peek() == Some(&'"') {
            chars.next();
            loop {
                match chars.next()? {
                    '"' => break,
                    '\\' => item.push(chars.next()?),
                    c => item.push(c),
                }
            }
        } else {
            while let Some(c) = chars.next_if(|c| *c != ',') {
                item.push(c);
            }
            if item == "NULL" || item.contains(['{', '}']) {
                return None;
            }
        }
        items.push(item);
        match chars.next() {
            None => return Some(items),
            Some(',') => {}
            Some(_) => return None,
        }
    }
}

#[cfg(test)]
mod tests;
