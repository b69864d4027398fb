//! The time that a source gives for a record.

use crate::answer::{Code, Rejection};
use crate::time::{self, Instant, Problem};

/// A time further ahead than this is a mistake, and would keep every later version out.
const MAX_AHEAD: i64 = 24 * 60 * 60 * 1_000_000;

pub(super) const INVALID_TIME: Code = Code::own("invalid_source_updated_at");
const TIME_IN_FUTURE: Code = Code::own("source_updated_at_in_future");

/// Reads a JSON value as a time; null and the empty string mean no time. The result is in microseconds
/// since 2000-01-01 UTC, as `now` is.
///
/// What is finer than a microsecond is left out. The time is only compared, and that never makes an
/// older one the newer: two in one microsecond are equal, and then the later arrival wins.
pub(crate) fn of_json(raw: &[u8], now: i64) -> Result<Option<i64>, Rejection> {
    match raw {
        b"null" | b"\"\"" => Ok(None),
        _ => check(time::of_json(raw), now, || String::from_utf8_lossy(raw).into_owned()).map(Some),
    }
}

/// The same of a text, for a record that is given by itself.
pub(crate) fn of_text(text: &str, now: i64) -> Result<Option<i64>, Rejection> {
    match text {
        "" => Ok(None),
        _ => check(time::of_text(text.as_bytes()), now, || format!("\"{text}\"")).map(Some),
    }
}

/// Whether a time lies more than a day ahead.
pub(super) fn is_far_ahead(micros: i64, now: i64) -> bool {
    micros > now.saturating_add(MAX_AHEAD)
}

fn check(
    read: Result<Instant, Problem>,
    now: i64,
    shown: impl FnOnce() -> String,
) -> Result<i64, Rejection> {
    let instant = read.map_err(|problem| {
        let shown: String = shown().chars().take(60).collect();
        Rejection::new(INVALID_TIME, format!("{shown} is {problem}"))
    })?;
    if is_far_ahead(instant.micros, now) {
        return Err(Rejection::new(TIME_IN_FUTURE, "the source's time lies more than a day ahead"));
    }
    Ok(instant.micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 800_000_000_000_000;

    #[test]
    fn null_and_empty_are_none() {
        assert_eq!(of_json(b"null", NOW), Ok(None));
        assert_eq!(of_json(b"\"\"", NOW), Ok(None));
        assert_eq!(of_text("", NOW), Ok(None));
    }

    #[test]
    fn a_batch_and_a_record_by_itself_mean_the_same() {
        let expected = Ok(Some(757_382_400_000_000));
        for text in ["2024-01-01", "2024-01-01 00:00:00", "1704067200000"] {
            assert_eq!(of_text(text, NOW), expected, "{text}");
            assert_eq!(of_json(format!("\"{text}\"").as_bytes(), NOW), expected, "{text}");
        }
    }

    #[test]
    fn far_ahead_is_a_mistake() {
        for text in ["2030-01-01", "9999-12-31T23:59:59Z"] {
            let reason = of_text(text, NOW).map_err(|rejection| rejection.code().clone());
            assert_eq!(reason, Err(TIME_IN_FUTURE), "{text}");
        }
    }
}
