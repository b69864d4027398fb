//! The time that a source gives for a record.

use super::outcome::{Reason, Rejection};
use crate::jsonb::parse::{InvalidCharacters, Parser, unescape};
use jiff::civil::{DateTime, Time};
use jiff::fmt::temporal::DateTimeParser;

/// Microseconds from 1970-01-01 to 2000-01-01, where Postgres begins to count.
const POSTGRES_EPOCH: i64 = 946_684_800_000_000;

/// A time further ahead than this is a mistake, and would keep every later version out.
const MAX_AHEAD: i64 = 24 * 60 * 60 * 1_000_000;

/// Unix times end here, in seconds: the year 275760, where JavaScript's end too. A larger number is
/// something else.
const LAST: f64 = 8.64e12;

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
    unescape(raw, InvalidCharacters::Reject, &mut text).ok()?;
    // A time zone's name (RFC 9557) would need its rules, and must not be passed over.
    if text.contains(&b'[') {
        return None;
    }
    // Its pieces and not an instant: jiff's instants end a day before its calendar does, and
    // 9999-12-31 is what some systems write for "never".
    let pieces = PARSER.parse_pieces(text.trim_ascii()).ok()?;
    let date_time = pieces.date().to_datetime(pieces.time().unwrap_or(Time::midnight()));
    let offset = pieces.to_numeric_offset().map_or(0, |offset| i64::from(offset.seconds()));
    let since_epoch = date_time.duration_since(DateTime::constant(1970, 1, 1, 0, 0, 0, 0));
    let microseconds = i64::try_from(since_epoch.as_micros()).ok()?;
    from_unix(microseconds - offset * 1_000_000)
}

fn from_number(raw: &[u8]) -> Option<i64> {
    // Rust's numbers are laxer than JSON's.
    Parser::new(InvalidCharacters::Reject).parse(raw, &mut Vec::new()).ok()?;
    let text = str::from_utf8(raw).ok()?;
    let number = text.parse::<f64>().ok().filter(|number| number.abs() <= LAST * 1e3)?;
    let milliseconds = number.abs() >= FIRST_MILLISECONDS;
    from_unix(match text.parse::<i64>() {
        Ok(whole) => whole * if milliseconds { 1_000 } else { 1_000_000 },
        Err(_) => (number * if milliseconds { 1e3 } else { 1e6 }).round() as i64,
    })
}

/// From microseconds since 1970. timestamptz begins in 4714 BC; its end lies far ahead.
fn from_unix(microseconds: i64) -> Option<i64> {
    let time = microseconds.saturating_sub(POSTGRES_EPOCH);
    (time >= -211_813_488_000_000_000).then_some(time)
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
        for text in [
            r#""yesterday""#,
            r#""2024-07-01T12:00:00[America/New_York]""#,
            "true",
            "{}",
            "[1]",
            r#""2024-13-01""#,
            "1e300",
            "-1e300",
            "1.",
            "01",
            "-",
        ] {
            assert_eq!(
                read(text.as_bytes(), NOW).map_err(|r| r.reason),
                Err(Reason::InvalidTime),
                "{text}"
            );
        }
        for text in [
            r#""2030-01-01""#,
            r#""9999-12-31T23:59:59Z""#,
            r#""9999-12-31T23:59:59-12:00""#,
            "253402300799999",
        ] {
            let ahead = read(text.as_bytes(), NOW).map_err(|r| r.reason);
            assert_eq!(ahead, Err(Reason::TimeInFuture), "{text}");
        }
    }
}
