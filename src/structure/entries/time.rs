//! Dates and times as texts to what Postgres stores. The plain spellings, which most entries have, are
//! read here; `constant` knows the others.

use crate::structure::constant;
use jiff::civil::{Date, DateTime, Time};

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// Days since 2000-01-01.
pub(crate) fn date(text: &[u8]) -> Option<i32> {
    if text.len() != 10 {
        return None;
    }
    days(text)
}

/// Microseconds since midnight; `HH:MM`, `HH:MM:SS` or with a fraction.
pub(crate) fn time(text: &[u8]) -> Option<i64> {
    match clock(text)? {
        (time, []) => Some(time),
        _ => {
            let time = constant::read_time(str::from_utf8(text).ok()?)?;
            Some(since_midnight(time))
        }
    }
}

/// Microseconds since 2000-01-01 UTC.
pub(crate) fn timestamp(text: &[u8]) -> Option<i64> {
    if let Some(time) = plain_timestamp(text) {
        return Some(time);
    }
    let time = constant::read_timestamp(str::from_utf8(text).ok()?)?;
    Some(days_of(time.date()) * DAY + since_midnight(time.time()))
}

/// The reverse of [`timestamp`], as Postgres reads it whatever the session's zone is.
pub(crate) fn print_timestamp(microseconds: i64) -> String {
    let time = DateTime::constant(2000, 1, 1, 0, 0, 0, 0)
        .checked_add(jiff::SignedDuration::from_micros(microseconds));
    time.map_or_else(|_| String::new(), |time| format!("{time}+00"))
}

fn since_midnight(time: Time) -> i64 {
    let seconds = (i64::from(time.hour()) * 60 + i64::from(time.minute())) * 60;
    (seconds + i64::from(time.second())) * SECOND + i64::from(time.subsec_nanosecond()) / 1_000
}

fn days_of(date: Date) -> i64 {
    from_civil(date.year().into(), date.month() as i64, date.day() as i64)
}

/// `YYYY-MM-DD`, `T` or a blank, `HH:MM:SS`, perhaps a fraction, perhaps `Z` or `+HH:MM`.
fn plain_timestamp(text: &[u8]) -> Option<i64> {
    let day = i64::from(days(text)?) * DAY;
    let rest = match text.get(10) {
        None => return Some(day),
        Some(b'T' | b' ') => &text[11..],
        _ => return None,
    };
    if rest.get(5) != Some(&b':') {
        return None;
    }
    let (time, zone) = clock(rest)?;
    let offset = match zone {
        [] | b"Z" => 0,
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (two(&[*h1, *h2])?, two(&[*m1, *m2])?);
            if hours > 15 || minutes > 59 {
                return None;
            }
            let offset = (hours * 60 + minutes) * 60 * SECOND;
            if *sign == b'-' { -offset } else { offset }
        }
        _ => return None,
    };
    let time = day + time - offset;
    // The first and last day are for the careful.
    (-730_000 * DAY..2_921_000 * DAY).contains(&time).then_some(time)
}

/// The date at the beginning of a text.
fn days(text: &[u8]) -> Option<i32> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, ..] = text else { return None };
    let year = two(&[*y1, *y2])? * 100 + two(&[*y3, *y4])?;
    let (month, day) = (two(&[*m1, *m2])?, two(&[*d1, *d2])?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if year < 1 || !(1..=length).contains(&day) {
        return None;
    }
    Some(from_civil(year, month, day) as i32)
}

/// Days from 2000-01-01 in the Gregorian calendar (Howard Hinnant, `days_from_civil`).
fn from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468 - 10_957
}

/// The time of day at the beginning of a text, and what follows it.
fn clock(text: &[u8]) -> Option<(i64, &[u8])> {
    let [h1, h2, b':', m1, m2, rest @ ..] = text else { return None };
    let (hours, minutes) = (two(&[*h1, *h2])?, two(&[*m1, *m2])?);
    let (mut seconds, mut micros, mut rest) = (0, 0, rest);
    if let [b':', s1, s2, after @ ..] = rest {
        seconds = two(&[*s1, *s2])?;
        rest = after;
        if let [b'.', fraction @ ..] = rest {
            let digits = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
            if !(1..=6).contains(&digits) {
                return None;
            }
            let zeros = std::iter::repeat_n(&b'0', 6 - digits);
            for digit in fraction[..digits].iter().chain(zeros) {
                micros = micros * 10 + i64::from(digit - b'0');
            }
            rest = &fraction[digits..];
        }
    }
    if hours > 23 || minutes > 59 || seconds > 59 {
        return None;
    }
    Some((((hours * 60 + minutes) * 60 + seconds) * SECOND + micros, rest))
}

fn two(digits: &[u8; 2]) -> Option<i64> {
    let digit = |b: u8| b.is_ascii_digit().then(|| i64::from(b - b'0'));
    Some(digit(digits[0])? * 10 + digit(digits[1])?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn counts_from_2000() {
        assert_eq!(date(b"2000-01-01"), Some(0));
        assert_eq!(date(b"1999-12-31"), Some(-1));
        assert_eq!(date(b"2024-02-29"), Some(8825));
        assert_eq!(time(b"00:00"), Some(0));
        assert_eq!(time(b"23:59:59.999999"), Some(DAY - 1));
        let expected = timestamp(b"2024-08-14T10:10:00Z");
        for text in ["2024-08-14 10:10:00", "2024-08-14T12:10:00+02:00", "2024-08-14 10:10"] {
            assert_eq!(timestamp(text.as_bytes()), expected, "{text}");
        }
        assert_eq!(timestamp(b"2000-01-01"), Some(0));
        for text in ["2023-02-29", "2024-13-01", "0000-01-01", "2024-1-1", "today", "2024-01-01x"] {
            assert_eq!((date(text.as_bytes()), timestamp(text.as_bytes())), (None, None), "{text}");
        }
        for text in
            ["24:00", "10:60", "10:00:60", "1:00", "10", "10:00Z", "10:00:00.1234567", "T10:00"]
        {
            assert_eq!(time(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        /// The fast way and jiff agree.
        #[test]
        fn agrees_with_the_careful_reader(
            day in -730_119_i64..2_921_939, micros in 0..DAY, plain: bool,
        ) {
            let total = day * DAY + micros;
            let mut text = print_timestamp(total);
            if plain { text.truncate(text.len() - 3); }
            let careful = constant::read_timestamp(&text).map(|time| {
                days_of(time.date()) * DAY + since_midnight(time.time())
            });
            prop_assert_eq!(careful, Some(total));
            prop_assert_eq!(timestamp(text.as_bytes()), Some(total));
            prop_assert_eq!(date(&text.as_bytes()[..10]).map(i64::from), Some(day));
        }
    }
}
