//! The time that a source gives for a record.

use super::outcome::{Reason, Rejection};
use crate::jsonb::parse::{InvalidCharacters, unescape};
use jiff::fmt::temporal::DateTimeParser;
use jiff::{Timestamp, tz};

/// Microseconds from 1970-01-01 to 2000-01-01, where Postgres begins to count.
const POSTGRES_EPOCH: i64 = 946_684_800_000_000;

/// A time further ahead than this is a mistake, and would keep every later version out.
const MAX_AHEAD: i64 = 24 * 60 * 60 * 1_000_000;

/// A Unix time from here on is in milliseconds, below in seconds: 5138-11-16 and 1973-03-03.
const FIRST_MILLISECONDS: f64 = 1e11;

static PARSER: DateTimeParser = DateTimeParser::new();

/// Reads a JSON value as a time: an ISO 8601 string (UTC where it names no offset; date and time may
/// be parted by a blank) or a Unix time in seconds or milliseconds; null and the empty string are
/// none. The result is in microseconds since 2000-01-01 UTC, as `now` is.
pub(crate) fn read(raw: &[u8], now: i64) -> Result<Option<i64>, Rejection> {
    let time = match raw {
        b"null" | b"\"\"" => return Ok(None),
        [b'"', inner @ .., b'"'] => from_string(inner),
        [b'-' | b'0'..=b'9', ..] => from_number(raw),
        _ => None,
    };
    let Some(time) = time else {
        let shown: String = String::from_utf8_lossy(raw).chars().take(60).collect();
        return Err(Rejection::new(
            Reason::InvalidTime,
            format!("{shown} is not a time: expected ISO 8601 or a Unix time"),
        ));
    };
    check_not_ahead(time, now).map(Some)
}

/// Refuses a time too far ahead of `now`.
pub(crate) fn check_not_ahead(time: i64, now: i64) -> Result<i64, Rejection> {
    if time > now.saturating_add(MAX_AHEAD) {
        return Err(Rejection::new(
            Reason::TimeInFuture,
            "the source's time lies more than a day ahead",
        ));
    }
    Ok(time)
}

fn from_string(raw: &[u8]) -> Option<i64> {
    let mut text = Vec::new();
    let text = if raw.contains(&b'\\') {
        unescape(raw, InvalidCharacters::Reject, &mut text).ok()?;
        text.as_slice()
    } else {
        raw
    };
    let text = text.trim_ascii();
    let instant = match PARSER.parse_timestamp(text) {
        Ok(instant) => instant,
        // "2024-01-01T00:00:00" and "2024-01-01": no offset.
        Err(_) => tz::TimeZone::UTC.to_timestamp(PARSER.parse_datetime(text).ok()?).ok()?,
    };
    from_instant(instant)
}

fn from_number(raw: &[u8]) -> Option<i64> {
    let text = str::from_utf8(raw).ok()?;
    if let Ok(whole) = text.parse::<i64>() {
        let milliseconds = whole.unsigned_abs() as f64 >= FIRST_MILLISECONDS;
        let microseconds = whole.checked_mul(if milliseconds { 1_000 } else { 1_000_000 })?;
        return from_instant(Timestamp::from_microsecond(microseconds).ok()?);
    }
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite())?;
    let factor = if number.abs() >= FIRST_MILLISECONDS { 1e3 } else { 1e6 };
    from_instant(Timestamp::from_microsecond((number * factor).round() as i64).ok()?)
}

fn from_instant(instant: Timestamp) -> Option<i64> {
    let microseconds = instant.as_microsecond() - POSTGRES_EPOCH;
    // timestamptz begins in 4714 BC.
    (microseconds >= -211_813_488_000_000_000).then_some(microseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 800_000_000_000_000;

    #[test]
    fn reads_the_usual_spellings() {
        let expected = Ok(Some(757_382_400_000_000)); // 2024-01-01
        for text in [
            r#""2024-01-01T00:00:00Z""#,
            r#""2024-01-01T00:00:00.000+0000""#,
            r#""2024-01-01 00:00:00+00""#,
            r#""2024-01-01T01:00:00+01:00""#,
            r#""2024-01-01T00:00:00""#,
            r#""2024-01-01 00:00:00.000000""#,
            r#""2024-01-01""#,
            "1704067200",
            "1704067200000",
            "1704067200.0",
            r#""2024-01-01T00:00:00\u005a""#,
        ] {
            assert_eq!(read(text.as_bytes(), NOW), expected, "{text}");
        }
        assert_eq!(read(b"1704067200.25", NOW), Ok(Some(757_382_400_250_000)));
    }

    #[test]
    fn null_and_empty_are_none() {
        assert_eq!(read(b"null", NOW), Ok(None));
        assert_eq!(read(b"\"\"", NOW), Ok(None));
    }

    #[test]
    fn rejects_what_is_no_time() {
        for text in [r#""yesterday""#, "true", "{}", "[1]", r#""2024-13-01""#, "1e300"] {
            assert_eq!(
                read(text.as_bytes(), NOW).map_err(|r| r.reason),
                Err(Reason::InvalidTime),
                "{text}"
            );
        }
        let ahead = read(br#""2030-01-01""#, NOW).map_err(|r| r.reason);
        assert_eq!(ahead, Err(Reason::TimeInFuture));
    }
}
