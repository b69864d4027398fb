//! `@default(…)`: constants of each type, what the database makes, and what Prisma's client makes.

use super::arguments::{Arguments, string};
use super::ast::{Argument, Arity, Value, ValueKind, Word};
use super::model::{ColumnKind, DefaultValue, Enum};
use super::problem::Notes;
use super::types::{Native, NativeKind, Scalar};
use crate::json::{Json, shorten};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::fmt::temporal::Pieces;
use jiff::tz::Offset;

/// Functions of `@default`, and the types that they are for.
const FUNCTIONS: [(&str, &[Scalar]); 6] = [
    ("now", &[Scalar::DateTime]),
    ("autoincrement", &[Scalar::Int, Scalar::BigInt]),
    ("uuid", &[Scalar::String]),
    ("cuid", &[Scalar::String]),
    ("ulid", &[Scalar::String]),
    ("nanoid", &[Scalar::String]),
];

/// Reads the value of a default.
pub(super) fn read(
    value: &Value<'_>,
    kind: &ColumnKind,
    arity: Arity,
    enums: &[Enum<'_>],
    notes: &mut Notes,
) -> Option<DefaultValue> {
    if let ValueKind::Call(name, arguments) = &value.kind {
        return function(*name, arguments, kind, arity, notes);
    }
    let read = |value: &Value<'_>, notes: &mut Notes| constant(value, kind, enums, notes);
    match (&value.kind, arity) {
        (ValueKind::List(items), Arity::List) => {
            let mut all = Some(Vec::new());
            for item in items {
                let item = read(item, notes);
                all = all.zip(item).map(|(mut all, item)| {
                    all.push(item);
                    all
                });
            }
            Some(list(all?, kind))
        }
        (ValueKind::List(_), _) => {
            notes.problem(value.place, "the default of a field that is no list must not be a list");
            None
        }
        (_, Arity::List) => {
            notes.problem(
                value.place,
                format!("the default of a list must be a list, not {}", value.kind()),
            );
            None
        }
        _ => Some(alone(read(value, notes)?, kind)),
    }
}

/// A single value. What a document does not say as one is given as SQL: bytes, the null of JSON, texts that it takes
/// for a function, and numbers that Postgres rounds.
fn alone(json: Json, kind: &ColumnKind) -> DefaultValue {
    let ColumnKind::Scalar(scalar, native) = kind else { return DefaultValue::Value(json) };
    match (&json, scalar) {
        (Json::Null, Scalar::Json) => DefaultValue::Sql("'null'".to_owned()),
        (Json::String(text), Scalar::Bytes) => DefaultValue::Sql(literal(text)),
        (Json::String(text), Scalar::String) if matches!(text.as_str(), "uuid" | "cuid") => {
            DefaultValue::Sql(literal(text))
        }
        (Json::Number(text), Scalar::Decimal)
            if is_rounded(text, native) || native.kind == NativeKind::Money =>
        {
            DefaultValue::Sql(text.clone())
        }
        (Json::Number(text), Scalar::Float) if !is_printed_so(text, native) => {
            DefaultValue::Sql(plain(text))
        }
        _ => DefaultValue::Value(json),
    }
}

/// Whether a number has more digits behind its point than a decimal keeps.
fn is_rounded(number: &str, native: &Native) -> bool {
    let scale = native.arguments.get(1).copied().unwrap_or(30) as usize;
    let fraction = number.split_once('.').map_or("", |(_, fraction)| fraction);
    native.kind == NativeKind::Decimal && fraction.trim_end_matches('0').len() > scale
}

/// Whether Postgres prints a number of a floating-point column with these digits. Otherwise it stays a number, as Prisma writes
/// it: a literal of the type would be rounded, or printed with an exponent.
fn is_printed_so(number: &str, native: &Native) -> bool {
    let text = plain(number);
    let (printed, least, beyond) = match native.kind {
        NativeKind::Real => (text.parse().map(|value: f32| value.to_string()), 1e-4, 1e6),
        _ => (text.parse().map(|value: f64| value.to_string()), 1e-4, 1e15),
    };
    let size = text.parse().map_or(f64::NAN, f64::abs);
    printed.is_ok_and(|printed| printed == text) && (size == 0.0 || size >= least && size < beyond)
}

/// A number without an exponent.
fn plain(number: &str) -> String {
    let plain = crate::jsonb::number::plain_text(number.as_bytes());
    plain.map_or_else(|| number.to_owned(), |text| text.into_owned())
}

/// Whether Prisma reads a text in the literal of an array as Postgres does.
fn is_plain(text: &str) -> bool {
    !text.is_empty()
        && !text.eq_ignore_ascii_case("null")
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// A list: as SQL with an array of its elements where the literal of one is not what Prisma knows again.
fn list(items: Vec<Json>, kind: &ColumnKind) -> DefaultValue {
    let ColumnKind::Scalar(scalar, native) = kind else {
        return DefaultValue::Value(Json::Array(items));
    };
    let varchar = || match native.arguments.first() {
        Some(length) => format!("varchar({length})"),
        None => "varchar".to_owned(),
    };
    let element = match (scalar, native.kind) {
        (Scalar::Bytes, _) => "bytea".to_owned(),
        (Scalar::Json, NativeKind::Json) if !items.is_empty() => "json".to_owned(),
        (Scalar::Json, _) if !items.is_empty() => "jsonb".to_owned(),
        (Scalar::String, of) if !items.iter().filter_map(Json::as_str).all(is_plain) => match of {
            NativeKind::Text => "text".to_owned(),
            NativeKind::VarChar => varchar(),
            _ => return DefaultValue::Value(Json::Array(items)),
        },
        (Scalar::Decimal, NativeKind::Decimal)
            if items
                .iter()
                .any(|item| matches!(item, Json::Number(text) if is_rounded(text, native))) =>
        {
            let modifiers: Vec<_> = native.arguments.iter().map(u32::to_string).collect();
            format!("numeric({})", modifiers.join(", "))
        }
        (Scalar::Decimal, NativeKind::Money) if !items.is_empty() => "money".to_owned(),
        (Scalar::Float, of)
            if items
                .iter()
                .any(|item| matches!(item, Json::Number(text) if !is_printed_so(text, native))) =>
        {
            if of == NativeKind::Real { "real" } else { "double precision" }.to_owned()
        }
        _ => return DefaultValue::Value(Json::Array(items)),
    };
    let items: Vec<_> = items
        .iter()
        .map(|item| match item {
            Json::String(text) if *scalar != Scalar::Json => literal(text),
            Json::Number(text) if *scalar == Scalar::Decimal => text.clone(),
            Json::Number(text) if *scalar == Scalar::Float => plain(text),
            item => literal(&item.to_string()),
        })
        .collect();
    DefaultValue::Sql(format!("ARRAY[{}]::{element}[]", items.join(", ")))
}

/// A literal of standard SQL, in which a backslash is one.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn function(
    name: Word<'_>,
    arguments: &[Argument<'_>],
    kind: &ColumnKind,
    arity: Arity,
    notes: &mut Notes,
) -> Option<DefaultValue> {
    let mut arguments = Arguments::new(name, arguments, notes);
    let argument = arguments.first("value", notes);
    arguments.close(notes);
    if name.text == "dbgenerated" {
        return match argument {
            Some(value) => {
                let sql = string(value, "the argument of dbgenerated", notes)?;
                Some(DefaultValue::Sql(sql.to_owned()))
            }
            None => {
                notes.warn(
                    name.place,
                    "dbgenerated() does not say the SQL: the column has no default",
                );
                None
            }
        };
    }
    let scalar = match kind {
        ColumnKind::Scalar(scalar, _) => *scalar,
        ColumnKind::Unknown => return None,
        ColumnKind::Enum(_) => {
            notes.problem(
                name.place,
                "the default of an enum is one of its values, or dbgenerated(\"…\")",
            );
            return None;
        }
        ColumnKind::Foreign(_) => {
            notes.problem(name.place, "the default of an Unsupported type is dbgenerated(\"…\")");
            return None;
        }
    };
    let Some((_, scalars)) = FUNCTIONS.iter().find(|(known, _)| *known == name.text) else {
        let known = FUNCTIONS.map(|(name, _)| format!("{name}()")).join(", ");
        let given = shorten(name.text);
        let text = format!("function \"{given}\" is not known: {known} and dbgenerated(\"…\") are");
        notes.problem(name.place, text);
        return None;
    };
    if !scalars.contains(&scalar) {
        let text =
            format!("{}() cannot be the default of a field of type {}", name.text, scalar.name());
        notes.problem(name.place, text);
        return None;
    }
    if arity == Arity::List && name.text == "autoincrement" {
        notes.problem(name.place, "autoincrement() cannot be the default of a list");
        return None;
    }
    let number = match argument {
        None => None,
        Some(Value { kind: ValueKind::Number(text), .. }) => Some(text.parse::<u32>().unwrap_or(0)),
        Some(value) => {
            notes.problem(value.place, format!("expected a number, not {}", value.kind()));
            return None;
        }
    };
    let fill = |kind, length| Some(DefaultValue::Fill { kind, length });
    let made = match (name.text, number) {
        ("now", None) => return Some(DefaultValue::Sql("CURRENT_TIMESTAMP".to_owned())),
        ("autoincrement", None) => return Some(DefaultValue::Serial),
        ("uuid", None | Some(4)) => fill("uuid", None),
        ("uuid", Some(7)) => fill("uuid7", None),
        ("cuid", None | Some(1 | 2)) => fill("cuid", None),
        ("ulid", None) => fill("ulid", None),
        ("nanoid", None) => fill("nanoid", None),
        ("nanoid", Some(length @ 2..=255)) => fill("nanoid", Some(length)),
        _ => None,
    };
    let place = argument.map_or(name.place, |value| value.place);
    match made {
        None => notes.problem(place, format!("{}() does not take this argument", name.text)),
        Some(_) if arity == Arity::List => {
            notes.warn(name.place, format!("{}() of a list is left to Prisma's client", name.text));
            return None;
        }
        Some(_) => {}
    }
    made
}

/// One constant.
fn constant(
    value: &Value<'_>,
    kind: &ColumnKind,
    enums: &[Enum<'_>],
    notes: &mut Notes,
) -> Option<Json> {
    let (scalar, native) = match kind {
        ColumnKind::Scalar(scalar, native) => (*scalar, native.kind),
        ColumnKind::Unknown => return None,
        ColumnKind::Enum(at) => return member(value, &enums[*at], notes),
        ColumnKind::Foreign(_) => {
            notes.problem(value.place, "the default of an Unsupported type is dbgenerated(\"…\")");
            return None;
        }
    };
    let read = match (scalar, &value.kind) {
        (Scalar::String, ValueKind::String(text)) => Ok(Json::string(text.clone())),
        (Scalar::Boolean, ValueKind::Word("true")) => Ok(Json::Boolean(true)),
        (Scalar::Boolean, ValueKind::Word("false")) => Ok(Json::Boolean(false)),
        (Scalar::Int | Scalar::BigInt, ValueKind::Number(text)) => integer(text, native),
        (Scalar::Float | Scalar::Decimal, ValueKind::Number(text)) => Ok(number(text)),
        (Scalar::Decimal, ValueKind::String(text)) => decimal(text),
        (Scalar::Json, ValueKind::String(text)) => {
            Json::parse(text).map_err(|broken| format!("is not valid JSON: {}", broken.problem))
        }
        (Scalar::Bytes, ValueKind::String(text)) => hexadecimal(text).map(Json::String),
        (Scalar::DateTime, ValueKind::String(text)) => time(text, native),
        (scalar, _) => {
            Err(format!("must be a value of type {}, not {}", scalar.name(), value.kind()))
        }
    };
    match read {
        Ok(json) => Some(json),
        Err(problem) => {
            notes.problem(value.place, format!("the default {problem}"));
            None
        }
    }
}

/// A value of an enum, as the database has it.
fn member(value: &Value<'_>, of: &Enum<'_>, notes: &mut Notes) -> Option<Json> {
    let ValueKind::Word(word) = value.kind else {
        let text = format!("expected a value of enum \"{}\", not {}", of.name.text, value.kind());
        notes.problem(value.place, text);
        return None;
    };
    let found = of.values.iter().find(|member| member.name == word);
    if found.is_none() && !of.broken {
        let text = format!("\"{}\" is not a value of enum \"{}\"", shorten(word), of.name.text);
        notes.problem(value.place, text);
    }
    Some(Json::string(found?.sql_name.clone()))
}

fn integer(text: &str, native: NativeKind) -> Result<Json, String> {
    let (low, high) = match native {
        NativeKind::SmallInt => (i16::MIN.into(), i16::MAX.into()),
        NativeKind::Integer => (i32::MIN.into(), i32::MAX.into()),
        NativeKind::Oid => (0, u32::MAX.into()),
        _ => (i64::MIN, i64::MAX),
    };
    match text.parse::<i64>() {
        Ok(value) if (low..=high).contains(&value) => Ok(Json::Number(value.to_string())),
        _ if text.contains('.') => Err("must be a whole number".to_owned()),
        _ => Err(format!("must be from {low} to {high}")),
    }
}

/// A number as JSON spells it: without zeros in front.
fn number(text: &str) -> Json {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text),
    };
    let digits = digits.trim_start_matches('0');
    let zero = if digits.is_empty() || digits.starts_with('.') { "0" } else { "" };
    Json::Number(format!("{sign}{zero}{digits}"))
}

/// A decimal in a string, which may have an exponent.
fn decimal(text: &str) -> Result<Json, String> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (digits, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((digits, exponent)) => (digits, Some(exponent)),
        None => (unsigned, None),
    };
    let all = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let power = exponent.map(|text| text.parse::<i16>());
    if !all(whole) || !all(fraction) || matches!(power, Some(Err(_))) {
        return Err("is not a decimal number".to_owned());
    }
    let sign = if text.starts_with('-') { "-" } else { "" };
    let Json::Number(plain) = number(&format!("{sign}{digits}")) else {
        return Err("is not a decimal number".to_owned());
    };
    Ok(Json::Number(match power {
        Some(Ok(power)) => format!("{plain}e{power}"),
        _ => plain,
    }))
}

/// Base64 as Postgres writes bytes.
fn hexadecimal(text: &str) -> Result<String, String> {
    let bytes = STANDARD.decode(text).map_err(|_| "is not valid base64".to_owned())?;
    let mut text = "\\x".to_owned();
    for byte in bytes {
        text.push_str(&format!("{byte:02x}"));
    }
    Ok(text)
}

/// A time with its offset (RFC 3339). A column without a time zone keeps what the clock says, whatever the offset, as
/// Postgres does with the literal that Prisma writes. Documents write such a time as one of UTC.
fn time(text: &str, native: NativeKind) -> Result<Json, String> {
    let refused = || "is not a time like 2020-01-31T12:00:00Z".to_owned();
    let pieces = Pieces::parse(text).map_err(|_| refused())?;
    let (Some(time), Some(offset)) = (pieces.time(), pieces.to_numeric_offset()) else {
        return Err(refused());
    };
    let date = pieces.date();
    let zone = if offset == Offset::UTC { "Z".to_owned() } else { offset.to_string() };
    Ok(Json::string(match native {
        NativeKind::Date => date.to_string(),
        NativeKind::Time => time.to_string(),
        NativeKind::Timetz => format!("{time}{zone}"),
        NativeKind::Timestamptz => format!("{date}T{time}{zone}"),
        _ => format!("{date}T{time}Z"),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_those_of_json() {
        let of = |text: &str| number(text).to_string();
        assert_eq!(of("007"), "7");
        assert_eq!(of("-00.50"), "-0.50");
        assert_eq!(of("000"), "0");
        assert_eq!(of("1.10"), "1.10");
        assert_eq!(decimal("1e3"), Ok(Json::Number("1e3".to_owned())));
        assert_eq!(decimal("-01.5E-2"), Ok(Json::Number("-1.5e-2".to_owned())));
        for text in ["", "-", "1.", ".5", "1e", "1e99999", "NaN", "--1", "1 "] {
            assert!(decimal(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times_keep_their_clock() {
        let of = |native| time("2020-01-02T03:04:05.5+02:00", native).unwrap();
        assert_eq!(of(NativeKind::Timestamp), Json::string("2020-01-02T03:04:05.5Z"));
        assert_eq!(of(NativeKind::Timestamptz), Json::string("2020-01-02T03:04:05.5+02"));
        assert_eq!(of(NativeKind::Date), Json::string("2020-01-02"));
        assert_eq!(of(NativeKind::Time), Json::string("03:04:05.5"));
        for text in ["yesterday", "2020-01-02", "2020-01-02T03:04:05", "2020-13-02T00:00:00Z"] {
            assert!(time(text, NativeKind::Timestamp).is_err(), "{text}");
        }
    }
}
