//! Times in comparisons: `{"$date": "2026-01-31T09:30:00Z"}`, as MongoDB's Extended JSON spells them.
//!
//! JSON has no type for times, and as texts they sort only where all have one offset and as many digits. So a comparison
//! says that it is about times. Then it compares the texts that `time` can read, and no others.

use crate::jsonb::order::Kind;
use crate::jsonb::view::Value;
use crate::time;

/// Microseconds since 2000-01-01 UTC, and whether there is a part of one more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment {
    pub(crate) micros: i64,
    is_cut: bool,
}

/// The member that makes an object a time.
const DATE: &[u8] = b"$date";

/// Whether a value of a filter stands for a time, be it right or wrong.
pub(crate) fn is_date(value: Value<'_>) -> bool {
    matches!(value, Value::Container(object)
        if object.is_object() && object.count() == 1 && object.keys().all(|key| key.bytes == DATE))
}

/// The time that a value of a filter stands for, or what is wrong with it. None where it is a value like others.
pub(crate) fn read(value: Value<'_>) -> Option<Result<Moment, String>> {
    let Value::Container(object) = value else { return None };
    if !is_date(value) {
        return None;
    }
    let (_, time) = object.pairs().next()?;
    Some(match time.value() {
        Value::String(text) => {
            of_text(text).map_err(|problem| problem.to_string()).and_then(|it| {
                if it.is_cut { Err(time::Problem::Finer.to_string()) } else { Ok(it) }
            })
        }
        other => {
            let found = Kind::of(other).name();
            Err(format!("must be a time in a string (\"2026-01-31T09:30:00Z\"), not {found}"))
        }
    })
}

/// The time that a value of a document is.
pub(crate) fn moment(value: Value<'_>) -> Option<Moment> {
    match value {
        Value::String(text) => of_text(text).ok(),
        _ => None,
    }
}

/// As Postgres spells them, times without an end are times too.
fn of_text(text: &[u8]) -> Result<Moment, time::Problem> {
    let endless = |micros| Ok(Moment { micros, is_cut: false });
    match text {
        b"infinity" => endless(i64::MAX),
        b"-infinity" => endless(i64::MIN),
        text => {
            let instant = time::of_text(text)?;
            Ok(Moment { micros: instant.micros, is_cut: instant.is_cut })
        }
    }
}
