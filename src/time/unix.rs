//! Unix times: seconds, milliseconds, microseconds or nanoseconds since 1970, told apart by their amount.
//!
//! An amount is of the smallest unit that keeps it before the year 5138. Where the larger unit would lie in
//! the years 5138 to 9999, which some systems write for "never", nobody can tell (the smaller one would be
//! of the years 1973 to 1978), and it is refused.

use super::{Instant, Problem, at_offset};
use crate::jsonb::number;
use crate::jsonb::parse::{InvalidCharacters, Parser};

/// Microseconds from 1970-01-01 to 2000-01-01.
const POSTGRES_EPOCH: i64 = 946_684_800_000_000;

/// Seconds end here, 5138-11-16; each smaller unit a thousand times further on.
const END: i128 = 100_000_000_000;
/// Seconds up to the end of the year 9999.
const NEVER: i128 = 253_402_300_800;
/// Digits behind the point of a second in nanoseconds.
const NANOS: u32 = 9;

/// Fewer digits in a string may be a year, a date (`20240101`) or a time of day.
const MIN_DIGITS: usize = 9;

/// Whether a text consists of what numbers consist of.
pub(super) fn looks_like_one(text: &[u8]) -> bool {
    let unsigned = text.strip_prefix(b"-").unwrap_or(text);
    let whole = unsigned.iter().take_while(|b| b.is_ascii_digit()).count();
    match &unsigned[whole..] {
        _ if whole == 0 => false,
        [] => true,
        [b'.', fraction @ ..] => !fraction.is_empty() && fraction.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

/// A Unix time in a string.
pub(super) fn text(text: &[u8]) -> Result<Instant, Problem> {
    let unsigned = text.strip_prefix(b"-").unwrap_or(text);
    if unsigned.iter().take_while(|b| b.is_ascii_digit()).count() < MIN_DIGITS {
        return Err(Problem::FewDigits);
    }
    if unsigned[0] == b'0' {
        return Err(Problem::Unknown);
    }
    number(text)
}

/// A JSON number. It is read digit by digit: a double has too few of them.
pub(super) fn number(raw: &[u8]) -> Result<Instant, Problem> {
    let Some(plain) = number::plain_text(raw) else {
        // Either no number, or one with more than a hundred digits.
        let is_number = Parser::new(InvalidCharacters::Reject).parse(raw, &mut Vec::new()).is_ok();
        return Err(if is_number { Problem::OutOfRange } else { Problem::Unknown });
    };
    let (negative, plain) = match plain.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, &*plain),
    };
    let (whole, fraction) = plain.split_once('.').unwrap_or((plain, ""));
    let whole: i128 = match whole.len() {
        0..=21 => whole.parse().map_err(|_| Problem::Unknown)?,
        _ => return Err(Problem::OutOfRange),
    };
    // How many decimal digits of the unit are whole nanoseconds.
    let mut digits = NANOS;
    let mut scale = 1;
    while whole >= END * scale {
        if !negative && whole <= NEVER * scale {
            return Err(Problem::TwoUnits);
        }
        digits = digits.checked_sub(3).ok_or(Problem::OutOfRange)?;
        scale *= 1_000;
    }
    let mut nanos = whole * 10_i128.pow(digits);
    let mut weight = 10_i128.pow(digits);
    let mut is_cut = false;
    for digit in fraction.bytes() {
        weight /= 10;
        nanos += i128::from(digit - b'0') * weight;
        is_cut |= weight == 0 && digit != b'0';
    }
    if negative {
        // What is left out makes it smaller still.
        nanos = -nanos - i128::from(is_cut);
    }
    is_cut |= nanos.rem_euclid(1_000) != 0;
    let micros = i64::try_from(nanos.div_euclid(1_000)).map_err(|_| Problem::OutOfRange)?;
    at_offset(micros - POSTGRES_EPOCH, is_cut, 0)
}
