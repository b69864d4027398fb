//! Reads what workers send: a JSON array with an element for each record.

use crate::answer::{Code, Rejection, Violation};
use crate::batch::{self, BatchError, Reader};
use crate::json::shorten;
use crate::pg::hidden::noted;

/// What a worker says became of a record.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Verdict {
    /// The `jsonb` that was found, with its length word, and the members of what was found before that go.
    Complete {
        result: Option<Vec<u8>>,
        remove: Vec<String>,
    },
    Fail {
        error: Option<String>,
        /// What is to be said of it all the same.
        note: Option<&'static str>,
        retryable: bool,
        retry_in: Option<i64>,
    },
    Release {
        retry_in: Option<i64>,
    },
}

impl Verdict {
    /// What is said of an element that is taken as it can be.
    pub(crate) fn note(&self) -> Option<&'static str> {
        match self {
            Self::Fail { note, .. } => *note,
            _ => None,
        }
    }
}

/// One element, or why it is not valid.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Element {
    pub(crate) record_id: Option<String>,
    pub(crate) verdict: Result<Verdict, Rejection>,
}

/// The longest wait that a worker may ask for: a year, in seconds.
pub(super) const MAX_WAIT: f64 = 365.0 * 86_400.0;

/// What a worker says of a failure is kept up to so many bytes: the log holds it for each attempt.
const MAX_ERROR: usize = 8192;
const CUT: &str = "/error: longer than 8192 bytes; the rest was not stored";
const ESCAPED_AND_CUT: &str = "/error: characters that cannot be stored were stored as escapes, and what is longer than 8192 bytes was not stored";
/// Stands where it was cut.
const ELLIPSIS: &str = "…";

/// An error as it is stored, and what is to be said if that is not all of it.
pub(super) fn within_bounds(error: Option<String>) -> (Option<String>, Option<&'static str>) {
    match error {
        Some(mut error) if error.len() > MAX_ERROR => {
            let most = MAX_ERROR - ELLIPSIS.len();
            let end = (0..=most).rev().find(|&at| error.is_char_boundary(at)).unwrap_or(0);
            error.truncate(end);
            error.push_str(ELLIPSIS);
            (Some(error), Some(CUT))
        }
        error => (error, None),
    }
}

const FIELDS: [&str; 7] =
    ["record_id", "action", "result", "remove", "error", "retryable", "retry_in"];

/// Reads `text`, a JSON array of results.
pub(crate) fn batch(text: &str) -> Result<Vec<Element>, BatchError> {
    let reject = |rejection| Element { record_id: None, verdict: Err(rejection) };
    batch::read("results", text, &FIELDS, element, reject)
}

fn element(reader: &mut Reader<'_>) -> Element {
    let record_id = reader.text("record_id");
    if reader.raw("record_id").is_none() {
        reader.violate(Violation::missing("record_id"));
    }
    let verdict = verdict(reader);
    Element { record_id, verdict: reader.end(verdict) }
}

/// What the element says; only where nothing is wrong with it does that count.
fn verdict(reader: &mut Reader<'_>) -> Verdict {
    let action = reader.text("action");
    match action.as_deref() {
        None | Some("complete") => {
            // Without an action it is told once what is wrong with that.
            if !reader.has_violated(Some("action")) {
                without(reader, &["error", "retryable", "retry_in"]);
            }
            Verdict::Complete { result: reader.object("result"), remove: names(reader, "remove") }
        }
        Some("fail") => {
            without(reader, &["result", "remove"]);
            let retryable = reader.boolean("retryable").unwrap_or(true);
            let (error, escaped) = reader.told("error");
            let (error, cut) = within_bounds(error.map(noted));
            let note = match (escaped, cut) {
                (Some(_), Some(_)) => Some(ESCAPED_AND_CUT),
                (escaped, cut) => escaped.or(cut),
            };
            Verdict::Fail { error, note, retryable, retry_in: wait(reader) }
        }
        Some("release") => {
            without(reader, &["result", "remove", "error", "retryable"]);
            Verdict::Release { retry_in: wait(reader) }
        }
        Some(other) => {
            let message = format!("must be complete, fail or release, not \"{}\"", shorten(other));
            reader.violate(Violation::invalid("action", message));
            Verdict::Release { retry_in: None }
        }
    }
}

/// The texts of an array; none where it is null or not there.
fn names(reader: &mut Reader<'_>, field: &'static str) -> Vec<String> {
    let Some(raw) = reader.raw(field) else { return Vec::new() };
    match serde_json::from_slice::<Option<Vec<String>>>(raw) {
        Ok(names) if !names.iter().flatten().any(|name| name.contains('\0')) => {
            names.unwrap_or_default()
        }
        _ => {
            reader.violate(Violation::invalid(field, "must be an array of strings"));
            Vec::new()
        }
    }
}

fn without(reader: &mut Reader<'_>, fields: &[&'static str]) {
    for field in fields {
        if reader.raw(field).is_some() {
            let message = "does not go with this action";
            let code = Code::own("misplaced_field");
            reader.violate(Violation::new(Some(field), code, message));
        }
    }
}

/// The violation of a wait that is not valid.
pub(super) fn not_a_wait() -> Violation {
    Violation::invalid("retry_in", "must be seconds, from 0 to a year")
}

/// Seconds in the text, microseconds from here on.
fn wait(reader: &mut Reader<'_>) -> Option<i64> {
    let raw = reader.raw("retry_in")?;
    let seconds = std::str::from_utf8(raw)
        .ok()
        .filter(|text| text.starts_with(|c: char| c.is_ascii_digit()))
        .and_then(|text| text.parse::<f64>().ok())
        .filter(|seconds| (0.0..=MAX_WAIT).contains(seconds));
    if seconds.is_none() {
        reader.violate(not_a_wait());
    }
    seconds.map(|seconds| (seconds * 1e6) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Element {
        let mut batch = batch(&format!("[{text}]")).unwrap_or_default();
        assert_eq!(batch.len(), 1);
        batch.remove(0)
    }

    #[test]
    fn completes_unless_told_otherwise() {
        assert_eq!(
            one(r#"{"record_id": "a"}"#).verdict,
            Ok(Verdict::Complete { result: None, remove: vec![] })
        );
        let with_result = one(r#"{"record_id": "a", "action": "complete", "result": {"x": 1}}"#);
        assert!(matches!(with_result.verdict, Ok(Verdict::Complete { result: Some(_), .. })));
    }

    #[test]
    fn reads_failures_and_releases() {
        let fail =
            one(r#"{"record_id": "a\u0062", "action": "fail", "error": "no", "retryable": false}"#);
        assert_eq!(fail.record_id.as_deref(), Some("ab"));
        let verdict = Verdict::Fail {
            error: Some("no".to_owned()),
            note: None,
            retryable: false,
            retry_in: None,
        };
        assert_eq!(fail.verdict, Ok(verdict));
        let release = one(r#"{"record_id": "a", "action": "release", "retry_in": 1.5}"#);
        assert_eq!(release.verdict, Ok(Verdict::Release { retry_in: Some(1_500_000) }));
    }

    #[test]
    fn tells_every_failure() {
        let told = |error: &str| {
            let text = format!(r#"{{"record_id": "a", "action": "fail", "error": {error}}}"#);
            match one(&text).verdict {
                Ok(Verdict::Fail { error: Some(error), note, .. }) => (error, note.is_some()),
                other => (format!("{other:?}"), false),
            }
        };
        assert_eq!(told(r#""a\u0000""#), ("a\\u0000".to_owned(), true));
        assert_eq!(told(r#"{"code": 7}"#), (r#"{"code": 7}"#.to_owned(), false));
    }

    #[test]
    fn rejects_what_cannot_be_meant() {
        for text in [
            "1",
            "{}",
            r#"{"record_id": 1}"#,
            r#"{"record_id": "a", "result": [1]}"#,
            r#"{"record_id": "a", "result": {"x": "\u0000"}}"#,
            r#"{"record_id": "a", "action": "done"}"#,
            r#"{"record_id": "a", "action": "release", "result": {}}"#,
            r#"{"record_id": "a", "error": "no"}"#,
            r#"{"record_id": "a", "action": "fail", "retry_in": -1}"#,
            r#"{"record_id": "a", "action": "fail", "retry_in": "1 s"}"#,
            r#"{"record_id": "a", "results": {}}"#,
            r#"{"record_id": "a" 1}"#,
        ] {
            assert!(one(text).verdict.is_err(), "{text}");
        }
        assert_eq!(one(r#"{"record_id": "a", "action": 1}"#).record_id.as_deref(), Some("a"));
    }
}
