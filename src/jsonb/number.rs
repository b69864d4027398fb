//! A JSON number's text to the bytes of a Postgres `numeric`.
//!
//! Follows `set_var_from_str`, `strip_var` and `make_result` of `numeric.c`: decimal digits in
//! groups of four, without zero groups at either end, the display scale beside them.

use super::view::{Container, Value};
use std::borrow::Cow;
use std::cmp::Ordering;

/// Decimal digits in one base-10000 digit.
const GROUP: i64 = 4;
/// Plain spellings have no more digits before the decimal point, and none more behind it.
const MAX_DIGITS: i64 = 100;
/// The largest display scale of a `numeric`.
pub(super) const MAX_SCALE: i64 = 0x3FFF;
/// The largest weight (power of 10000 of the first digit) of a `numeric`.
pub(super) const MAX_WEIGHT: i64 = 0x7FFF;
/// The smallest weight that the long header can hold.
pub(super) const MIN_WEIGHT: i64 = -0x8000;

/// The number does not fit into a `numeric`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct OutOfRange;

/// Appends the `numeric` datum (with its four-byte length word) for `text`, which is a number in
/// JSON's grammar.
pub(crate) fn append_numeric(text: &[u8], out: &mut Vec<u8>) -> Result<(), OutOfRange> {
    let (negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let exponent_at = memchr::memchr2(b'e', b'E', text);
    let (mantissa, exponent) = match exponent_at {
        Some(at) => (&text[..at], parse_exponent(&text[at + 1..])?),
        None => (text, 0),
    };
    let (whole, fraction) = match memchr::memchr(b'.', mantissa) {
        Some(at) => (&mantissa[..at], &mantissa[at + 1..]),
        None => (mantissa, &[][..]),
    };
    let scale = (fraction.len() as i64 - exponent).max(0);
    if scale > MAX_SCALE {
        return Err(OutOfRange);
    }

    // Where the first decimal digit stands, and in which group of four that puts it.
    let decimal_weight = whole.len() as i64 - 1 + exponent;
    let weight = decimal_weight.div_euclid(GROUP);
    let lead = (weight + 1) * GROUP - (decimal_weight + 1);

    let header_at = out.len();
    out.extend_from_slice(&[0; 8]);
    let digits_at = out.len();
    let mut group = 0_i16;
    let mut filled = lead;
    for &byte in whole.iter().chain(fraction) {
        group = group * 10 + i16::from(byte - b'0');
        filled += 1;
        if filled == GROUP {
            out.extend_from_slice(&group.to_ne_bytes());
            group = 0;
            filled = 0;
        }
    }
    if filled > 0 {
        group *= 10_i16.pow((GROUP - filled) as u32);
        out.extend_from_slice(&group.to_ne_bytes());
    }

    let leading = out[digits_at..].chunks_exact(2).take_while(|digit| *digit == [0, 0]).count();
    let trailing =
        out[digits_at + 2 * leading..].chunks_exact(2).rev().take_while(|d| *d == [0, 0]).count();
    out.truncate(out.len() - 2 * trailing);
    let digits = digits_at + 2 * leading..out.len();
    let (weight, negative) =
        if digits.is_empty() { (0, false) } else { (weight - leading as i64, negative) };
    if !(MIN_WEIGHT..=MAX_WEIGHT).contains(&weight) {
        return Err(OutOfRange);
    }

    let (head, head_length) = header(negative, weight as i16, scale as u16);
    let length = 4 + head_length + digits.len();
    out.copy_within(digits, header_at + 4 + head_length);
    out.truncate(header_at + length);
    out[header_at..header_at + 4].copy_from_slice(&super::builder::length_word(length));
    out[header_at + 4..header_at + 4 + head_length].copy_from_slice(&head[..head_length]);
    Ok(())
}

/// What stands between the length word and the digits, and how long it is. The short header holds
/// small scales and weights in one word, the long one needs two.
pub(super) fn header(negative: bool, weight: i16, scale: u16) -> ([u8; 4], usize) {
    let mut head = [0; 4];
    if scale <= 0x3F && (-0x40..=0x3F).contains(&weight) {
        let word = 0x8000 | if negative { 0x2000 } else { 0 } | scale << 7 | (weight as u16 & 0x7F);
        head[..2].copy_from_slice(&word.to_ne_bytes());
        return (head, 2);
    }
    let word = scale | if negative { 0x4000 } else { 0 };
    head[..2].copy_from_slice(&word.to_ne_bytes());
    head[2..].copy_from_slice(&weight.to_ne_bytes());
    (head, 4)
}

/// The exponent after `e`; one that no `numeric` could hold is refused.
fn parse_exponent(text: &[u8]) -> Result<i64, OutOfRange> {
    let (sign, digits) = match text {
        [b'-', rest @ ..] => (-1, rest),
        [b'+', rest @ ..] => (1, rest),
        _ => (1, text),
    };
    let mut value = 0_i64;
    for &digit in digits {
        value = value * 10 + i64::from(digit - b'0');
        if value > i64::from(i32::MAX / 2) {
            return Err(OutOfRange);
        }
    }
    Ok(sign * value)
}

/// The shortest plain spelling of a number in JSON's grammar, so that equal numbers become equal keys:
/// `12`, `12.0` and `1.2e1` are `12`. `None` where the text is no number, or would need more than
/// a hundred digits.
pub(crate) fn plain_text(text: &[u8]) -> Option<Cow<'_, str>> {
    let (negative, unsigned) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let digit = |b: &u8| b.is_ascii_digit();
    if !unsigned.is_empty() && unsigned.iter().all(digit) {
        let usual = unsigned[0] != b'0' || (unsigned == b"0" && !negative);
        if usual && unsigned.len() as i64 <= MAX_DIGITS {
            return str::from_utf8(text).ok().map(Cow::Borrowed);
        }
    }
    // The parser knows the grammar; what it makes of the text is read back.
    let mut datum = Vec::new();
    super::parse::Parser::new(super::parse::InvalidCharacters::Reject)
        .parse(text, &mut datum)
        .ok()?;
    let Value::Number(datum) = Container::root(&datum[4..]).value() else { return None };
    plain_decimal(datum).map(Cow::Owned)
}

/// A number in JSON's grammar as `->>` of `jsonb` gives it: plain digits, with all zeros behind the point.
/// `None` where the text is no number, or would need more than a hundred digits on a side of the point.
pub(crate) fn output_text(text: &[u8]) -> Option<Cow<'_, str>> {
    if !is_number(text) {
        return None;
    }
    let (negative, unsigned) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let (mantissa, exponent) = match memchr::memchr2(b'e', b'E', unsigned) {
        Some(at) => (&unsigned[..at], parse_exponent(&unsigned[at + 1..]).ok()?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = match memchr::memchr(b'.', mantissa) {
        Some(at) => (&mantissa[..at], &mantissa[at + 1..]),
        None => (mantissa, &[][..]),
    };
    let point = whole.len() as i64 + exponent;
    let scale = (fraction.len() as i64 - exponent).max(0);
    if point > MAX_DIGITS || scale > MAX_DIGITS || whole.len() as i64 > MAX_DIGITS {
        return None;
    }
    let digits = [whole, fraction].concat();
    let is_zero = digits.iter().all(|&digit| digit == b'0');
    if exponent == 0 && !(negative && is_zero) {
        return str::from_utf8(text).ok().map(Cow::Borrowed);
    }
    let digit = |at: i64| {
        let found = usize::try_from(at).ok().and_then(|at| digits.get(at));
        char::from(*found.unwrap_or(&b'0'))
    };
    let before: String = (0..point).map(digit).collect();
    let before = before.trim_start_matches('0');
    let after: String = (point..point + scale).map(digit).collect();
    let sign = if negative && !is_zero { "-" } else { "" };
    let before = if before.is_empty() { "0" } else { before };
    let dot = if after.is_empty() { "" } else { "." };
    Some(Cow::Owned(format!("{sign}{before}{dot}{after}")))
}

/// As [`plain_text`], of a `numeric` datum. `None` also for what is no finite number.
pub(crate) fn plain_decimal(datum: &[u8]) -> Option<String> {
    let parts = parts(datum);
    let sign = match parts.sign {
        Sign::Positive => "",
        Sign::Negative => "-",
        _ => return None,
    };
    let mut digits = String::new();
    for group in parts.digits.chunks_exact(2) {
        digits.push_str(&format!("{:04}", i16::from_ne_bytes([group[0], group[1]])));
    }
    // Decimal digits before the decimal point.
    let whole = (i64::from(parts.weight) + 1) * GROUP;
    if whole > MAX_DIGITS || digits.len() as i64 - whole > MAX_DIGITS {
        return None;
    }
    let zeros = |count: i64| "0".repeat(count.max(0) as usize);
    digits = format!("{}{digits}{}", zeros(-whole), zeros(whole - digits.len() as i64));
    let (whole, fraction) = digits.split_at(whole.max(0) as usize);
    let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
    let point = if fraction.is_empty() { "" } else { "." };
    let whole = if whole.is_empty() { "0" } else { whole };
    Some(format!("{sign}{whole}{point}{fraction}"))
}

/// The parts of a `numeric` datum that make its value, without its display scale. Equal numbers have
/// equal parts, and only they.
pub(crate) struct Parts<'a> {
    pub(crate) sign: Sign,
    pub(crate) weight: i16,
    /// Base-10000 digits, two bytes each in the machine's order.
    pub(crate) digits: &'a [u8],
}

/// The sign of a number, or what it is instead. JSON has no such numbers, but a `numeric` in a `jsonb`
/// may be one (`JSON_QUERY … PASSING 'NaN'::numeric`). The values are part of the canonical form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sign {
    Positive = 0,
    Negative = 1,
    NotANumber = 2,
    PositiveInfinity = 3,
    NegativeInfinity = 4,
}

/// Reads a `numeric` datum with a four-byte length word.
pub(crate) fn parts(datum: &[u8]) -> Parts<'_> {
    let word = u16::from_ne_bytes([datum[4], datum[5]]);
    let sign = |negative| if negative { Sign::Negative } else { Sign::Positive };
    if word & 0xC000 == 0xC000 {
        let sign = match word & 0xF000 {
            0xD000 => Sign::PositiveInfinity,
            0xF000 => Sign::NegativeInfinity,
            _ => Sign::NotANumber,
        };
        Parts { sign, weight: 0, digits: &[] }
    } else if word & 0x8000 != 0 {
        // Seven bits, the topmost its sign.
        let weight = ((word & 0x7F) as i8) << 1 >> 1;
        Parts { sign: sign(word & 0x2000 != 0), weight: weight.into(), digits: &datum[6..] }
    } else {
        Parts {
            sign: sign(word & 0x4000 != 0),
            weight: i16::from_ne_bytes([datum[6], datum[7]]),
            digits: &datum[8..],
        }
    }
}

/// The display scale of a finite `numeric` datum: digits shown after the point.
pub(crate) fn scale(datum: &[u8]) -> u16 {
    let word = u16::from_ne_bytes([datum[4], datum[5]]);
    if word & 0x8000 != 0 { (word & 0x1F80) >> 7 } else { word & 0x3FFF }
}

/// A whole number of at most eighteen digits.
pub(crate) fn to_integer(datum: &[u8]) -> Option<i64> {
    let parts = parts(datum);
    let negative = match parts.sign {
        Sign::Positive => false,
        Sign::Negative => true,
        _ => return None,
    };
    let count = parts.digits.len() / 2;
    if count == 0 {
        return Some(0);
    }
    if !(0..=4).contains(&parts.weight) || count > parts.weight as usize + 1 {
        return None;
    }
    let mut number = 0_i64;
    for at in 0..=parts.weight as usize {
        let digit =
            parts.digits.get(2 * at..2 * at + 2).map_or(0, |d| i16::from_ne_bytes([d[0], d[1]]));
        number = number.checked_mul(10_000)?.checked_add(digit.into())?;
    }
    if number >= 1_000_000_000_000_000_000 {
        return None;
    }
    Some(if negative { -number } else { number })
}

/// Orders two `numeric` datums by value. As in Postgres, NaN equals itself and is above all else.
pub(crate) fn compare(a: &[u8], b: &[u8]) -> Ordering {
    let (a, b) = (parts(a), parts(b));
    let rank = |parts: &Parts<'_>| match parts.sign {
        Sign::NegativeInfinity => -2,
        Sign::Negative => -1,
        Sign::Positive => i8::from(!parts.digits.is_empty()),
        Sign::PositiveInfinity => 2,
        Sign::NotANumber => 3,
    };
    let order = rank(&a).cmp(&rank(&b));
    if order.is_ne() || !matches!(a.sign, Sign::Positive | Sign::Negative) {
        return order;
    }
    let digits =
        |digits: &[u8], at: usize| i16::from_ne_bytes([digits[2 * at], digits[2 * at + 1]]);
    let shared = a.digits.len().min(b.digits.len()) / 2;
    let size = a
        .weight
        .cmp(&b.weight)
        .then_with(|| {
            let pairs = (0..shared).map(|at| digits(a.digits, at).cmp(&digits(b.digits, at)));
            pairs.into_iter().find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
        })
        .then(a.digits.len().cmp(&b.digits.len()));
    if a.sign == Sign::Negative { size.reverse() } else { size }
}

/// Whether a text is a number in JSON's grammar:
/// `-? (0 | [1-9][0-9]*) ('.' [0-9]+)? ([eE] [+-]? [0-9]+)?`
pub(crate) fn is_number(text: &[u8]) -> bool {
    fn digits(text: &[u8]) -> usize {
        text.iter().take_while(|b| b.is_ascii_digit()).count()
    }
    let mut rest = text.strip_prefix(b"-").unwrap_or(text);
    let whole = digits(rest);
    if whole == 0 || (whole > 1 && rest[0] == b'0') {
        return false;
    }
    rest = &rest[whole..];
    if let Some(fraction) = rest.strip_prefix(b".") {
        let count = digits(fraction);
        if count == 0 {
            return false;
        }
        rest = &fraction[count..];
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        let exponent = match exponent {
            [b'+' | b'-', rest @ ..] => rest,
            _ => exponent,
        };
        let count = digits(exponent);
        return count > 0 && count == exponent.len();
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn datum(text: &str) -> Vec<u8> {
        let mut out = Vec::new();
        append_numeric(text.as_bytes(), &mut out).unwrap();
        out
    }

    fn same(a: &str, b: &str) -> bool {
        let (a, b) = (datum(a), datum(b));
        let (a, b) = (parts(&a), parts(&b));
        (a.sign, a.weight, a.digits) == (b.sign, b.weight, b.digits)
    }

    #[test]
    fn equal_values_have_equal_parts() {
        for group in [
            &["1", "1.0", "1e0", "10e-1", "0.1E+1", "0.00001e5", "1.000000000000"][..],
            &["0", "-0", "0.000", "0e500", "-0.0e-5"],
            &["-1234567890.5", "-12345678905e-1", "-1.2345678905e9"],
            &["1e400", "10e399", "0.1e401"],
        ] {
            for other in group {
                assert!(same(group[0], other), "{} {}", group[0], other);
            }
        }
        assert!(!same("1", "10000"));
        assert!(!same("1", "-1"));
        assert!(!same("0.1", "0.10000000000000000000000000001"));
    }

    #[test]
    fn refuses_what_numeric_cannot_hold() {
        for text in ["1e131072", "1e-16384", "0e-16384", "1e99999999999999999999", "1.5e-20000"] {
            assert_eq!(append_numeric(text.as_bytes(), &mut Vec::new()), Err(OutOfRange), "{text}");
        }
        for text in ["1e131071", "1e-16383", "9.9e131071"] {
            assert_eq!(append_numeric(text.as_bytes(), &mut Vec::new()), Ok(()), "{text}");
        }
    }

    #[test]
    fn equal_numbers_are_one_key() {
        for (text, plain) in [
            ("12", "12"),
            ("12.0", "12"),
            ("1.2e1", "12"),
            ("-0", "0"),
            ("0.000", "0"),
            ("-0.50", "-0.5"),
            ("1e20", "100000000000000000000"),
            ("1e-7", "0.0000001"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
        ] {
            assert_eq!(plain_text(text.as_bytes()).as_deref(), Some(plain), "{text}");
        }
        for text in ["01", "1e101", "1e-101", "-", "1.", "1x", ""] {
            assert_eq!(plain_text(text.as_bytes()), None, "{text}");
        }
    }

    /// What the digits of a datum say, written out as sign, plain decimal digits and exponent.
    fn plain(text: &str) -> (bool, String, i64) {
        let datum = datum(text);
        let parts = parts(&datum);
        let mut digits = String::new();
        for digit in parts.digits.chunks_exact(2) {
            digits.push_str(&format!("{:04}", i16::from_ne_bytes([digit[0], digit[1]])));
        }
        let mut exponent = (i64::from(parts.weight) + 1) * 4 - digits.len() as i64;
        let kept = digits.trim_end_matches('0').len();
        exponent += (digits.len() - kept) as i64;
        let digits = digits[..kept].trim_start_matches('0').to_owned();
        if digits.is_empty() {
            (false, digits, 0)
        } else {
            (parts.sign == Sign::Negative, digits, exponent)
        }
    }

    proptest! {
        #[test]
        fn keeps_every_digit(
            negative: bool,
            whole in "(0|[1-9][0-9]{0,40})",
            fraction in "[0-9]{0,40}",
            exponent in -300_i64..300,
        ) {
            let mut text = whole.clone();
            if !fraction.is_empty() { text = format!("{text}.{fraction}"); }
            if negative { text.insert(0, '-'); }
            let text = format!("{text}e{exponent}");
            let all = format!("{whole}{fraction}");
            let kept = all.trim_end_matches('0');
            let expected_digits = kept.trim_start_matches('0').to_owned();
            let expected = if expected_digits.is_empty() {
                (false, expected_digits, 0)
            } else {
                (negative, expected_digits,
                 exponent - fraction.len() as i64 + (all.len() - kept.len()) as i64)
            };
            prop_assert_eq!(plain(&text), expected);
        }
    }
}
