//! Dates of HTTP (RFC 9110), of mails (RFC 5322) and of C's `ctime`:
//! `Sun, 06 Nov 1994 08:49:37 GMT`, `6 Nov 1994 08:49 +0000`, `Sun Nov  6 08:49:37 1994`.

use super::iso::{clock, zone_offset};
use super::{DAY, Instant, Problem, at_offset, day_of, digits};

const MONTHS: [&[u8; 3]; 12] = [
    b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec",
];

/// The days from Saturday on: 2000-01-01 was one.
const WEEKDAYS: [&[u8]; 7] =
    [b"saturday", b"sunday", b"monday", b"tuesday", b"wednesday", b"thursday", b"friday"];

pub(super) fn read(text: &[u8]) -> Result<Instant, Problem> {
    let mut words = text.split(|b| b.is_ascii_whitespace()).filter(|word| !word.is_empty());
    let mut next = || words.next().ok_or(Problem::Unknown);
    let mut word = next()?;
    let mut weekday = None;
    if word[0].is_ascii_alphabetic() {
        weekday = Some(weekday_of(word.strip_suffix(b",").unwrap_or(word))?);
        word = next()?;
    }
    let (year, month, day, time, zone) = if word[0].is_ascii_alphabetic() {
        // `Nov  6 08:49:37 1994`; `date` puts the zone before the year.
        let month = month_of(word)?;
        let day = day_number(next()?)?;
        let time = next()?;
        let word = next()?;
        match words.next() {
            Some(year) => (year, month, day, time, word),
            None => (word, month, day, time, &b"UTC"[..]),
        }
    } else {
        if word.contains(&b'-') {
            // RFC 850, `06-Nov-94`, which HTTP has left behind.
            return Err(Problem::ShortYear);
        }
        let day = day_number(word)?;
        let month = month_of(next()?)?;
        (next()?, month, day, next()?, next()?)
    };
    // A comment may follow the offset of a mail: `-0600 (CST)`.
    let rest: Vec<&[u8]> = words.collect();
    let is_comment =
        |rest: &[&[u8]]| matches!(rest, [one] if one.starts_with(b"(") && one.ends_with(b")"));
    if !rest.is_empty() && !is_comment(&rest) {
        return Err(Problem::Unknown);
    }
    let year = match year.len() {
        4 => digits(year, 4).ok_or(Problem::Unknown)?.0,
        2 if year.iter().all(u8::is_ascii_digit) => return Err(Problem::ShortYear),
        _ => return Err(Problem::Unknown),
    };
    let days = day_of(year, month, day)?;
    if weekday.is_some_and(|weekday| weekday != days.rem_euclid(7)) {
        return Err(Problem::Weekday);
    }
    if time.get(2) != Some(&b':') {
        return Err(Problem::Unknown);
    }
    match clock(time)? {
        (clock, []) => at_offset(days * DAY + clock.micros, clock.is_cut, zone_offset(zone)?),
        _ => Err(Problem::Unknown),
    }
}

/// The place of a day, in whole or by its first three letters.
fn weekday_of(word: &[u8]) -> Result<i64, Problem> {
    let is_meant = |name: &&[u8]| {
        word.eq_ignore_ascii_case(name)
            || (word.len() == 3 && word.eq_ignore_ascii_case(&name[..3]))
    };
    WEEKDAYS.iter().position(is_meant).map(|at| at as i64).ok_or(Problem::Unknown)
}

fn month_of(word: &[u8]) -> Result<i64, Problem> {
    let at = MONTHS.iter().position(|name| word.eq_ignore_ascii_case(*name));
    at.map(|at| at as i64 + 1).ok_or(Problem::Unknown)
}

fn day_number(word: &[u8]) -> Result<i64, Problem> {
    match digits(word, word.len()) {
        Some((day, _)) if word.len() <= 2 => Ok(day),
        _ => Err(Problem::Unknown),
    }
}
