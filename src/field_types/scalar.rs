//! JSON values to stored values, strictly: what a type cannot hold exactly is a problem, and never
//! rounded, cut or turned into NULL.

use super::kind::FieldKind;
use crate::answer::{Code, Problem};
use crate::json::shorten;
use crate::jsonb::elements::describe;
use crate::jsonb::number::{self, is_number};
use crate::jsonb::parse::{InvalidCharacters, Parser, unescape};
use crate::jsonb::scan;
use crate::pg::array::Array;
use crate::time;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

/// Buffers that are kept from value to value.
pub(crate) struct Scratch {
    text: Vec<u8>,
    datum: Vec<u8>,
    parser: Parser,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        Self { text: Vec::new(), datum: Vec::new(), parser: Parser::new(InvalidCharacters::Reject) }
    }
}

/// Appends the value that `raw`, a JSON value other than null, is for a field of type `kind`.
pub(crate) fn decode(
    kind: &FieldKind,
    raw: &[u8],
    scratch: &mut Scratch,
    out: &mut Array,
) -> Result<(), Problem> {
    match kind {
        // No entry table has one.
        FieldKind::NamedEnum { .. } | FieldKind::Native(_) => {
            return Err(Problem::new(Code::WrongType, "is of a type that entries do not have"));
        }
        FieldKind::Text { max_length } => {
            let text = string(raw, &mut scratch.text, "a string")?;
            if let Some(limit) = max_length
                && text.len() > *limit as usize
                && characters(text) > *limit as usize
            {
                let found = characters(text);
                return Err(Problem::new(
                    Code::TooLong,
                    format!("has {found} characters, more than the {limit} allowed"),
                ));
            }
            out.push_varlena(text);
        }
        FieldKind::Enum { values } => {
            let text = string(raw, &mut scratch.text, "a string")?;
            if !values.iter().any(|value| value.as_bytes() == text) {
                let text = shorten(&String::from_utf8_lossy(text));
                let message = format!("{text:?} is not one of {}", values.join(", "));
                return Err(Problem::new(Code::NotAValue, message));
            }
            out.push_varlena(text);
        }
        FieldKind::Integer => {
            let value = integer(raw)?;
            let value = i32::try_from(value).map_err(|_| out_of_range("an integer (32 bits)"))?;
            out.push_bytes(&value.to_ne_bytes());
        }
        FieldKind::Bigint => out.push_bytes(&integer(raw)?.to_ne_bytes()),
        FieldKind::Decimal { precision } => {
            let text = number_text(raw)?;
            if let Some((precision, scale)) = precision {
                check_digits(text, *precision, *scale)?;
                // Zeros are added up to the scale, and none is taken away from what was written.
                if let Some(string) = string_of_number(raw)
                    && let Some(point) = memchr::memchr(b'.', string)
                    && string.len() - point - 1 > usize::from(*scale)
                {
                    return Err(too_many_digits(*scale));
                }
            }
            scratch.datum.clear();
            number::append_numeric(text, &mut scratch.datum)
                .map_err(|_| out_of_range("a decimal"))?;
            out.push_bytes(&scratch.datum);
        }
        FieldKind::Float => out.push_bytes(&float(raw)?.to_ne_bytes()),
        FieldKind::Boolean => match raw {
            b"true" => out.push_bytes(&[1]),
            b"false" => out.push_bytes(&[0]),
            _ => return Err(expected("true or false", raw)),
        },
        FieldKind::Date => {
            let what = "a date, \"2024-12-31\"";
            let text = string(raw, &mut scratch.text, what)?;
            let days = time::date(text).ok_or_else(|| not_a(what, text))?;
            out.push_bytes(&days.to_ne_bytes());
        }
        FieldKind::Time => {
            let what = "a time of day, \"23:59:59\"";
            let text = string(raw, &mut scratch.text, what)?;
            let time = time::time_of_day(text).ok_or_else(|| not_a(what, text))?;
            out.push_bytes(&time.to_ne_bytes());
        }
        FieldKind::Timestamp => {
            let what = "a time, \"2024-12-31T23:59:59Z\"";
            let time = time::of_json(raw)
                .and_then(time::Instant::exact)
                .map_err(|problem| not_a_time(what, raw, problem))?;
            out.push_bytes(&time.to_ne_bytes());
        }
        FieldKind::Uuid => {
            let text = string(raw, &mut scratch.text, "a UUID")?;
            let value = uuid(text).ok_or_else(|| not_a("a UUID", text))?;
            out.push_bytes(&value.to_be_bytes());
        }
        FieldKind::Json => {
            scratch.datum.clear();
            scratch.parser.parse(raw, &mut scratch.datum).map_err(|error| {
                let place = format!("{} (byte {} of the value)", error.problem, error.offset);
                Problem::new(error.problem.into(), place)
            })?;
            out.push_bytes(&scratch.datum);
        }
        FieldKind::Bytes => {
            let text = string(raw, &mut scratch.text, "a string in base64")?;
            scratch.datum.clear();
            BASE64
                .decode_vec(text, &mut scratch.datum)
                .map_err(|_| not_a("bytes in base64 (RFC 4648, with padding)", text))?;
            out.push_varlena(&scratch.datum);
        }
        FieldKind::Vector { dimensions } => {
            vector(raw, *dimensions, &mut scratch.datum)?;
            out.push_varlena(&scratch.datum);
        }
        // A validator resolves it to the type of the other table's key.
        FieldKind::Reference { .. } => return Err(expected("a reference", raw)),
    }
    Ok(())
}

/// Appends the text of an array literal for a JSON array. `item` is room for one value.
pub(crate) fn decode_list(
    kind: &FieldKind,
    raw: &[u8],
    scratch: &mut Scratch,
    item: &mut Array,
    out: &mut Array,
) -> Result<(), Problem> {
    let mut literal = vec![b'{'];
    let mut count = 0;
    each_item(raw, |raw| {
        let at = count;
        count += 1;
        let problem = |problem: Problem| Problem { item: Some(at), ..problem };
        if raw == b"null" {
            return Err(problem(Problem::new(Code::WrongType, "a list holds no null")));
        }
        decode(kind, raw, scratch, item).map_err(problem)?;
        if at > 0 {
            literal.push(b',');
        }
        literal.push(b'"');
        match kind {
            FieldKind::Timestamp => {
                let stored = item.last().and_then(|bytes| bytes.try_into().ok());
                let text = time::print(stored.map_or(0, i64::from_ne_bytes));
                literal.extend_from_slice(text.as_bytes());
            }
            FieldKind::Time => {
                let stored = item.last().and_then(|bytes| bytes.try_into().ok());
                let text = time::print_time_of_day(stored.map_or(0, i64::from_ne_bytes));
                literal.extend_from_slice(text.as_bytes());
            }
            FieldKind::Integer | FieldKind::Bigint => {
                let value = integer(raw).map_err(problem)?;
                literal.extend_from_slice(value.to_string().as_bytes());
            }
            FieldKind::Decimal { .. } => {
                literal.extend_from_slice(number_text(raw).map_err(problem)?);
            }
            FieldKind::Float | FieldKind::Boolean => literal.extend_from_slice(raw),
            _ => {
                for &byte in string(raw, &mut scratch.text, "a string").map_err(problem)? {
                    if matches!(byte, b'"' | b'\\') {
                        literal.push(b'\\');
                    }
                    literal.push(byte);
                }
            }
        }
        literal.push(b'"');
        item.undo();
        Ok(())
    })?;
    literal.push(b'}');
    out.push_varlena(&literal);
    Ok(())
}

/// Calls `item` with the text of each element of a JSON array.
fn each_item(
    raw: &[u8],
    mut item: impl FnMut(&[u8]) -> Result<(), Problem>,
) -> Result<(), Problem> {
    let broken = || Problem::new(Code::InvalidJson, "not a valid JSON array");
    if raw.first() != Some(&b'[') {
        return Err(expected("an array", raw));
    }
    let mut at = scan::skip_space(raw, 1);
    if raw.get(at) == Some(&b']') {
        return Ok(());
    }
    loop {
        let end = scan::skip_value(raw, at).map_err(|_| broken())?;
        if end == at {
            return Err(broken());
        }
        item(&raw[at..end])?;
        crate::poll::check();
        at = scan::skip_space(raw, end);
        match raw.get(at) {
            Some(b',') => at = scan::skip_space(raw, at + 1),
            Some(b']') => return Ok(()),
            _ => return Err(broken()),
        }
    }
}

/// pgvector's layout behind the length word: dimensions, two bytes that are not used, the numbers.
fn vector(raw: &[u8], dimensions: u16, out: &mut Vec<u8>) -> Result<(), Problem> {
    out.clear();
    out.extend_from_slice(&dimensions.to_ne_bytes());
    out.extend_from_slice(&[0; 2]);
    let mut count = 0;
    each_item(raw, |raw| {
        let problem = |problem: Problem| Problem { item: Some(count), ..problem };
        if !is_number(raw) {
            return Err(problem(expected("a number", raw)));
        }
        let value = str::from_utf8(raw).ok().and_then(|text| text.parse::<f32>().ok());
        match value.filter(|value| value.is_finite()) {
            Some(value) => out.extend_from_slice(&value.to_ne_bytes()),
            None => return Err(problem(out_of_range("a number of a vector (32 bits)"))),
        }
        count += 1;
        Ok(())
    })?;
    if count != usize::from(dimensions) {
        return Err(Problem::new(
            Code::WrongType,
            format!("has {count} dimensions, not the expected {dimensions}"),
        ));
    }
    Ok(())
}

/// The text of a JSON string.
fn string<'a>(
    raw: &'a [u8],
    buffer: &'a mut Vec<u8>,
    what: &'static str,
) -> Result<&'a [u8], Problem> {
    let [b'"', inner @ .., b'"'] = raw else { return Err(expected(what, raw)) };
    // One look at all bytes without a branch: vector instructions.
    let special = inner.iter().fold(false, |found, &b| found | (b < 0x20) | (b == b'\\'));
    if !special {
        return Ok(inner);
    }
    buffer.clear();
    unescape(inner, InvalidCharacters::Reject, buffer)?;
    Ok(buffer)
}

fn characters(text: &[u8]) -> usize {
    text.iter().filter(|&&b| b & 0xC0 != 0x80).count()
}

/// The text of a number, which may stand in a string: clients send what JavaScript cannot hold so. Of a number the
/// value counts. A string is kept as it is written or not at all, by the same rule as where a field of text becomes
/// one of numbers (`convert`).
fn number_text(raw: &[u8]) -> Result<&[u8], Problem> {
    let Some(text) = string_of_number(raw) else {
        return if is_number(raw) { Ok(raw) } else { Err(expected("a number", raw)) };
    };
    let is_below_zero = text.first() == Some(&b'-');
    let is_plain = text.iter().all(|b| matches!(b, b'-' | b'.' | b'0'..=b'9'));
    if !is_number(text) || !is_plain || (is_below_zero && is_zero(text)) {
        return Err(expected("a number", raw));
    }
    Ok(text)
}

fn string_of_number(raw: &[u8]) -> Option<&[u8]> {
    match raw {
        [b'"', inner @ .., b'"'] => Some(inner),
        _ => None,
    }
}

fn is_zero(digits: &[u8]) -> bool {
    !digits.iter().any(|b| (b'1'..=b'9').contains(b))
}

fn integer(raw: &[u8]) -> Result<i64, Problem> {
    let string = string_of_number(raw);
    let text = string.unwrap_or(raw);
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    if (1..=18).contains(&digits.len())
        && digits.iter().all(u8::is_ascii_digit)
        && (digits[0] != b'0' || text.len() == 1 || (digits.len() == 1 && string.is_none()))
    {
        let value = digits.iter().fold(0, |value, b| value * 10 + i64::from(b - b'0'));
        return Ok(if digits.len() < text.len() { -value } else { value });
    }
    let text = number_text(raw)?;
    if string.is_some() && text.contains(&b'.') {
        return Err(expected("a whole number", raw));
    }
    let Some(plain) = number::plain_text(text) else {
        return Err(out_of_range("a whole number (64 bits)"));
    };
    if plain.contains('.') {
        return Err(expected("a whole number", raw));
    }
    plain.parse().map_err(|_| out_of_range("a whole number (64 bits)"))
}

fn float(raw: &[u8]) -> Result<f64, Problem> {
    if !is_number(raw) {
        return Err(expected("a number", raw));
    }
    let value = str::from_utf8(raw).ok().and_then(|text| text.parse::<f64>().ok());
    let mantissa = raw.split(|b| matches!(b, b'e' | b'E')).next().unwrap_or_default();
    match value {
        // Too small is out of range too, as in Postgres.
        Some(value) if value.is_finite() && (value != 0.0 || is_zero(mantissa)) => Ok(value + 0.0),
        _ => Err(out_of_range("a float (64 bits)")),
    }
}

fn too_many_digits(scale: u16) -> Problem {
    Problem::new(Code::OutOfRange, format!("has more than {scale} digits after the decimal point"))
}

/// Digits that `numeric(precision, scale)` would round away, or refuse.
fn check_digits(text: &[u8], precision: u16, scale: u16) -> Result<(), Problem> {
    let plain = match memchr::memchr2(b'e', b'E', text) {
        None => std::borrow::Cow::Borrowed(text),
        Some(_) => match number::plain_text(text) {
            Some(plain) => std::borrow::Cow::Owned(plain.into_owned().into_bytes()),
            None => return Err(out_of_range("the field's digits")),
        },
    };
    let digits = plain.strip_prefix(b"-").unwrap_or(&plain);
    let (whole, fraction) = match memchr::memchr(b'.', digits) {
        Some(at) => (&digits[..at], &digits[at + 1..]),
        None => (digits, &[][..]),
    };
    let whole = if whole == b"0" { 0 } else { whole.len() };
    let fraction = fraction.iter().rposition(|b| *b != b'0').map_or(0, |last| last + 1);
    if fraction > usize::from(scale) {
        return Err(too_many_digits(scale));
    }
    let most = usize::from(precision - scale);
    if whole > most {
        return Err(Problem::new(
            Code::OutOfRange,
            format!("has more than {most} digits before the decimal point"),
        ));
    }
    Ok(())
}

/// 36 characters with hyphens.
pub(crate) fn uuid(text: &[u8]) -> Option<u128> {
    if text.len() != 36 {
        return None;
    }
    let mut value = 0_u128;
    for (at, &byte) in text.iter().enumerate() {
        if matches!(at, 8 | 13 | 18 | 23) {
            if byte != b'-' {
                return None;
            }
            continue;
        }
        value = value << 4 | u128::from(char::from(byte).to_digit(16)?);
    }
    Some(value)
}

/// A value of another kind; what is no JSON at all is said to be so.
fn expected(what: &str, raw: &[u8]) -> Problem {
    let shown = shorten(&String::from_utf8_lossy(raw));
    let broken = match raw.first() {
        Some(b'"' | b'{' | b'[') => false,
        Some(b'-' | b'0'..=b'9') => !is_number(raw),
        _ => !matches!(raw, b"true" | b"false" | b"null"),
    };
    if broken {
        return Problem::new(Code::InvalidJson, format!("{shown} is not JSON"));
    }
    let message = match raw.first() {
        Some(b'{' | b'[') => format!("expected {what}, not {}", describe(raw, 0)),
        _ => format!("expected {what}, not {shown}"),
    };
    Problem::new(Code::WrongType, message)
}

fn not_a(what: &str, text: &[u8]) -> Problem {
    let text = shorten(&String::from_utf8_lossy(text));
    Problem::new(Code::WrongType, format!("expected {what}, not {text:?}"))
}

fn not_a_time(what: &str, raw: &[u8], problem: time::Problem) -> Problem {
    match raw {
        [b'"', inner @ .., b'"'] if problem == time::Problem::Unknown => not_a(what, inner),
        [b'"' | b'-' | b'0'..=b'9', ..] => {
            let raw = shorten(&String::from_utf8_lossy(raw));
            Problem::new(Code::WrongType, format!("expected {what}: {raw} is {problem}"))
        }
        _ => expected(what, raw),
    }
}

fn out_of_range(what: &str) -> Problem {
    Problem::new(Code::OutOfRange, format!("out of the range of {what}"))
}

#[cfg(test)]
mod tests;
