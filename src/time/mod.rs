//! The one grammar of times: records, entries, defaults, memories and messages all read them here, and
//! `docs/times.md` tells it to users.
//!
//! A time is read as a count of microseconds since 2000-01-01 UTC, as Postgres stores it. What names no
//! offset is UTC. What could be two instants is refused, and so is what a `timestamptz` cannot hold.

mod http;
mod iso;
mod unix;

#[cfg(test)]
mod tests;

use crate::jsonb::parse::{InvalidCharacters, unescape};

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// The first and the last microsecond of the years 1 to 9999, in UTC.
const FIRST: i64 = -730_119 * DAY;
const LAST: i64 = 2_921_940 * DAY - 1;

/// The longest text that is looked at. Every spelling is shorter.
const MAX_TEXT: usize = 128;

/// An instant, as far as a `timestamptz` can hold it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Instant {
    /// Microseconds since 2000-01-01 UTC; the last full one.
    pub(crate) micros: i64,
    /// Whether the text said more than that.
    pub(crate) is_cut: bool,
}

impl Instant {
    /// The instant, for whoever stores it and must not change it.
    pub(crate) fn exact(self) -> Result<i64, Problem> {
        if self.is_cut { Err(Problem::Finer) } else { Ok(self.micros) }
    }
}

/// Why something is no time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Problem {
    #[error("not a time: expected ISO 8601, an HTTP date or a Unix time")]
    Unknown,
    #[error("a date or time of day that does not exist")]
    NoSuchTime,
    #[error("outside the years 0001 to 9999 in UTC")]
    OutOfRange,
    #[error("an offset that does not exist (the greatest is 15:59)")]
    Offset,
    #[error("a time in a named zone, without its offset")]
    NamedZone,
    #[error("two offsets that contradict each other")]
    TwoOffsets,
    #[error("a day of the week that is not the date's")]
    Weekday,
    #[error("a year of two digits")]
    ShortYear,
    #[error(
        "digits that could be a date or a Unix time: write the date with hyphens, the Unix time as a number"
    )]
    FewDigits,
    #[error("a number that could be a Unix time in two units")]
    TwoUnits,
    #[error("finer than a microsecond")]
    Finer,
}

/// Reads a JSON value: a string as [`of_text`] does, or a number, which is a Unix time.
pub(crate) fn of_json(raw: &[u8]) -> Result<Instant, Problem> {
    match raw {
        [b'"', inner @ .., b'"'] if inner.contains(&b'\\') => {
            let mut text = Vec::new();
            unescape(inner, InvalidCharacters::Reject, &mut text).map_err(|_| Problem::Unknown)?;
            of_text(&text)
        }
        [b'"', inner @ .., b'"'] => of_text(inner),
        [b'-' | b'0'..=b'9', ..] => unix::number(raw),
        _ => Err(Problem::Unknown),
    }
}

/// Reads a text: ISO 8601 with the usual freedoms, an HTTP date, or a Unix time of nine digits or more.
/// White space around it does not count.
pub(crate) fn of_text(text: &[u8]) -> Result<Instant, Problem> {
    let text = text.trim_ascii();
    if text.len() > MAX_TEXT {
        return Err(Problem::Unknown);
    }
    match text.first() {
        Some(first) if first.is_ascii_alphabetic() => http::read(text),
        Some(b'0'..=b'9') if text.get(1..3).is_some_and(|next| next.contains(&b' ')) => {
            http::read(text)
        }
        _ if unix::looks_like_one(text) => unix::text(text),
        _ => iso::timestamp(text),
    }
}

/// Reads a date, `YYYY-MM-DD`, as days since 2000-01-01.
pub(crate) fn date(text: &[u8]) -> Option<i32> {
    match iso::date(text) {
        Ok((day, [])) if text.len() == 10 => i32::try_from(day).ok(),
        _ => None,
    }
}

/// Reads a time of day (`HH:MM`, `HH:MM:SS` or with a fraction), as microseconds since midnight.
pub(crate) fn time_of_day(text: &[u8]) -> Option<i64> {
    if text.get(2) != Some(&b':') {
        return None;
    }
    match iso::clock(text) {
        Ok((clock, [])) if !clock.is_cut => Some(clock.micros),
        _ => None,
    }
}

/// A time as Postgres reads it back, whatever the session's zone is.
pub(crate) fn print(micros: i64) -> String {
    let (year, month, day) = to_civil(micros.div_euclid(DAY));
    let time = print_time_of_day(micros.rem_euclid(DAY));
    format!("{year:04}-{month:02}-{day:02}T{time}+00")
}

/// The same of a time of day.
pub(crate) fn print_time_of_day(micros: i64) -> String {
    let seconds = micros / SECOND;
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let mut text = format!("{hour:02}:{minute:02}:{second:02}");
    if micros % SECOND != 0 {
        text.push_str(format!(".{:06}", micros % SECOND).trim_end_matches('0'));
    }
    text
}

/// The instant of a local time at an offset.
fn at_offset(local: i64, is_cut: bool, offset: i64) -> Result<Instant, Problem> {
    let micros = local - offset;
    if !(FIRST..=LAST).contains(&micros) {
        return Err(Problem::OutOfRange);
    }
    Ok(Instant { micros, is_cut })
}

/// The number that `count` digits at the beginning of a text make, and what follows them.
fn digits(text: &[u8], count: usize) -> Option<(i64, &[u8])> {
    let (number, rest) = text.split_at_checked(count)?;
    let mut value = 0;
    for &digit in number {
        if !digit.is_ascii_digit() {
            return None;
        }
        value = value * 10 + i64::from(digit - b'0');
    }
    Some((value, rest))
}

/// Days from 2000-01-01 to a date of the Gregorian calendar, if it is one.
fn day_of(year: i64, month: i64, day: i64) -> Result<i64, Problem> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return Err(Problem::NoSuchTime),
    };
    if !(1..=length).contains(&day) {
        return Err(Problem::NoSuchTime);
    }
    if year < 1 {
        return Err(Problem::OutOfRange);
    }
    // Howard Hinnant, `days_from_civil`.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Ok(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468 - 10_957)
}

/// The reverse of [`day_of`] (`civil_from_days`).
fn to_civil(day: i64) -> (i64, i64, i64) {
    let day = day + 719_468 + 10_957;
    let era = day.div_euclid(146_097);
    let of_era = day.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, of_month)
}
