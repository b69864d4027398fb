//! One spelling for each value that a literal may have, found by its shape: its type may not be known.

use crate::field_types::kind::FieldKind;
use crate::structure::constant::Constant;
use crate::time;

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// A number without quotes, as Postgres prints it: without an exponent, with a digit before the point.
pub(super) fn number(text: &str) -> String {
    if text.contains(['e', 'E'])
        && let Some(plain) = crate::jsonb::number::plain_text(text.as_bytes())
    {
        return plain.into_owned();
    }
    let text = text.strip_suffix('.').unwrap_or(text);
    match text.strip_prefix('.') {
        Some(fraction) => format!("0.{fraction}"),
        None => text.to_owned(),
    }
}

/// The value of a literal whose innermost cast is to this type; `""` where it has none.
pub(super) fn canonical(text: &str, of_type: &str) -> String {
    match of_type {
        "bool" => match text.trim().to_ascii_lowercase().as_str() {
            "t" | "true" | "y" | "yes" | "on" | "1" => return "true".to_owned(),
            "f" | "false" | "n" | "no" | "off" | "0" => return "false".to_owned(),
            _ => {}
        },
        "float4" => {
            if let Ok(value) = text.trim().parse::<f32>() {
                return value.to_string();
            }
        }
        "float8" => {
            if let Ok(value) = text.trim().parse::<f64>() {
                return value.to_string();
            }
        }
        "int2" | "int4" | "int8" | "numeric" => return number(text.trim()),
        name if name.ends_with("range") => {
            if let Some(range) = range(text, matches!(name, "int4range" | "int8range")) {
                return range;
            }
        }
        _ => {}
    }
    document(text)
        .or_else(|| uuid(text))
        .or_else(|| instant(text))
        .or_else(|| interval(text))
        .or_else(|| bytes(text))
        .unwrap_or_else(|| text.to_owned())
}

/// A range as Postgres prints it: no bound includes infinity, and one of whole numbers ends before its end.
fn range(text: &str, is_whole: bool) -> Option<String> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("empty") {
        return Some("empty".to_owned());
    }
    let (inner, last) = (text.get(1..text.len().checked_sub(1)?)?, text.chars().last()?);
    let (lower, upper) = inner.split_once(',').filter(|(_, upper)| !upper.contains(','))?;
    let bound = |text: &str| {
        let text = text.trim().trim_matches('"');
        instant(text).unwrap_or_else(|| text.to_owned())
    };
    let (lower, upper) = (bound(lower), bound(upper));
    let whole = |text: &str| text.parse::<i64>().ok().filter(|_| is_whole);
    let open = match text.chars().next()? {
        '[' if lower.is_empty() => "(".to_owned(),
        '(' if whole(&lower).is_some() => format!("[{}", whole(&lower)?.checked_add(1)?),
        first @ ('[' | '(') => format!("{first}{lower}"),
        _ => return None,
    };
    let close = match last {
        ']' if upper.is_empty() => ")".to_owned(),
        ']' if whole(&upper).is_some() => format!("{})", whole(&upper)?.checked_add(1)?),
        ']' | ')' => format!("{upper}{last}"),
        _ => return None,
    };
    Some(format!("{open},{close}"))
}

/// The elements of an array in one literal. What may be a document is none.
pub(super) fn array(text: &str) -> Option<Vec<Option<String>>> {
    if document(text).is_some() {
        return None;
    }
    let inner = text.strip_prefix('{')?.strip_suffix('}')?;
    let mut chars = inner.chars().peekable();
    let mut items = Vec::new();
    loop {
        while chars.next_if(|c| c.is_ascii_whitespace()).is_some() {}
        let mut item = String::new();
        if chars.next_if_eq(&'"').is_some() {
            loop {
                match chars.next()? {
                    '"' => break,
                    '\\' => item.push(chars.next()?),
                    c => item.push(c),
                }
            }
            while chars.next_if(|c| c.is_ascii_whitespace()).is_some() {}
            items.push(Some(item));
        } else {
            while let Some(c) = chars.next_if(|c| *c != ',') {
                match c {
                    '{' | '}' | '"' => return None,
                    '\\' => item.push(chars.next()?),
                    c => item.push(c),
                }
            }
            let item = item.trim_end();
            match item {
                "" => return None,
                null if null.eq_ignore_ascii_case("null") => items.push(None),
                item => items.push(Some(item.to_owned())),
            }
        }
        match chars.next() {
            None => return Some(items),
            Some(',') => {}
            Some(_) => return None,
        }
    }
}

/// An object or an array of JSON, as jsonb has it.
fn document(text: &str) -> Option<String> {
    if !text.trim_start().starts_with(['{', '[']) {
        return None;
    }
    Constant::from_output(&FieldKind::Json, false, text).map(|json| json.input())
}

fn uuid(text: &str) -> Option<String> {
    Constant::from_output(&FieldKind::Uuid, false, text).map(|uuid| uuid.input())
}

/// A date, or a date with a time, which counts as UTC where it names no zone. Midnight is the date.
fn instant(text: &str) -> Option<String> {
    if text.as_bytes().get(4) != Some(&b'-') {
        return None;
    }
    let micros = time::of_text(text.as_bytes()).ok()?.exact().ok()?;
    let printed = time::print(micros);
    Some(printed.strip_suffix("T00:00:00+00").unwrap_or(&printed).to_owned())
}

/// An interval in words, or a time of day, which reads as one.
fn interval(text: &str) -> Option<String> {
    let (mut months, mut days, mut micros) = (0_i64, 0_i64, 0_i64);
    let mut words = text.split_ascii_whitespace();
    let mut first = words.next()?;
    loop {
        if first.contains(':') {
            micros = micros.checked_add(clock(first)?)?;
        } else {
            let split = first.find(|c: char| c.is_ascii_alphabetic());
            let (amount, unit) = match split {
                Some(at) => first.split_at(at),
                None => (first, words.next()?),
            };
            let amount: f64 = amount.parse().ok().filter(|amount: &f64| amount.abs() < 1e9)?;
            let unit = unit.to_ascii_lowercase();
            let unit = if unit.len() > 1 { unit.strip_suffix('s').unwrap_or(&unit) } else { &unit };
            let whole = |factor: i64| (amount.fract() == 0.0).then_some(amount as i64 * factor);
            let parts = |length: i64| (amount * length as f64).round() as i64;
            match unit {
                "year" | "yr" | "y" => months = months.checked_add(whole(12)?)?,
                "month" | "mon" => months = months.checked_add(whole(1)?)?,
                "week" | "w" => days = days.checked_add(whole(7)?)?,
                "day" | "d" => {
                    days = days.checked_add(amount.trunc() as i64)?;
                    let rest = (amount.fract() * DAY as f64).round() as i64;
                    micros = micros.checked_add(rest)?;
                }
                "hour" | "hr" | "h" => micros = micros.checked_add(parts(3600 * SECOND))?,
                "minute" | "min" | "m" => micros = micros.checked_add(parts(60 * SECOND))?,
                "second" | "sec" | "s" => micros = micros.checked_add(parts(SECOND))?,
                "millisecond" | "msec" | "ms" => micros = micros.checked_add(parts(1000))?,
                _ => return None,
            }
        }
        match words.next() {
            Some(word) => first = word,
            None => return Some(format!("{months} mon {days} d {micros} us")),
        }
    }
}

/// `[+-]H:MM[:SS[.f]]` in microseconds.
fn clock(text: &str) -> Option<i64> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let mut parts = text.split(':');
    let whole = |part: &str| {
        part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse::<i64>().ok()).flatten()
    };
    let hours = whole(parts.next()?).filter(|hours| *hours < 1_000_000)?;
    let minutes = whole(parts.next()?).filter(|minutes| *minutes < 60)?;
    let seconds = match parts.next() {
        None => 0.0,
        Some(part) => part.parse::<f64>().ok().filter(|seconds| (0.0..60.0).contains(seconds))?,
    };
    let micros = (hours * 60 + minutes) * 60 * SECOND + (seconds * SECOND as f64).round() as i64;
    parts.next().is_none().then_some(sign * micros)
}

/// Bytes in hexadecimal digits.
fn bytes(text: &str) -> Option<String> {
    let digits = text.strip_prefix("\\x")?;
    digits.bytes().all(|b| b.is_ascii_hexdigit()).then(|| text.to_ascii_lowercase())
}
