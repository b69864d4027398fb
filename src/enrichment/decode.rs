//! Reads what workers send: a JSON array with an element for each record.
//!
//! What is wrong with one element rejects that element; only a text that cannot be divided ends the call.

use crate::answer::{Code, Rejection};
use crate::error::Error;
use crate::jsonb::elements::{self, describe};
use crate::jsonb::lenient;
use crate::jsonb::parse::{InvalidCharacters, Parser, unescape};
use crate::jsonb::scan;
use std::ops::Range;

/// What a worker says became of a record.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Verdict {
    /// The `jsonb` that was found, with its length word.
    Complete {
        result: Option<Vec<u8>>,
    },
    Fail {
        error: Option<String>,
        /// Whether characters of the error are told by their escapes.
        escaped: bool,
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
            Self::Fail { escaped: true, .. } => {
                Some("characters of \"error\" that cannot be stored were stored as escapes")
            }
            _ => None,
        }
    }
}

/// One element, or why it is none.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Element {
    pub(crate) record_id: Option<String>,
    pub(crate) verdict: Result<Verdict, Rejection>,
}

/// The longest wait that a worker may ask for: a year, in seconds.
const MAX_WAIT: f64 = 365.0 * 86_400.0;

/// Divides `text`.
pub(crate) fn batch(text: &str) -> Result<Vec<Element>, Error> {
    let text = text.as_bytes();
    let mut batch = Vec::new();
    let mut parser = Parser::new(InvalidCharacters::Reject);
    elements::divide(text, |at| {
        let (element, end) = element(text, at, &mut parser)?;
        batch.push(element);
        Ok(end)
    })
    .map_err(|undivided| Error::undivided("results", undivided))?;
    Ok(batch)
}

fn element(
    text: &[u8],
    at: usize,
    parser: &mut Parser,
) -> Result<(Element, usize), scan::Unbalanced> {
    let rejected = |rejection| Element { record_id: None, verdict: Err(rejection) };
    if text.get(at) != Some(&b'{') {
        let end = scan::skip_value(text, at)?;
        return Ok((rejected(Rejection::not_an_object(text, at)), end));
    }
    let mut fields = Fields::default();
    match scan::members(text, at, |member| fields.take(text, member))? {
        Some(end) => {
            let record_id = fields.record_id(text);
            let verdict = record_id.clone().and_then(|_| fields.verdict(text, parser));
            Ok((Element { record_id: record_id.ok(), verdict }, end))
        }
        None => {
            let end = scan::skip_value(text, at)?;
            Ok((rejected(Rejection::new(Code::InvalidJson, "the element is not valid JSON")), end))
        }
    }
}

/// Where the fields of an element stand. Of a key given twice the last counts, as in `jsonb`.
#[derive(Default)]
struct Fields {
    record_id: Option<Range<usize>>,
    action: Option<Range<usize>>,
    result: Option<Range<usize>>,
    error: Option<Range<usize>>,
    retryable: Option<Range<usize>>,
    retry_in: Option<Range<usize>>,
    unknown: Option<Range<usize>>,
}

impl Fields {
    fn take(&mut self, text: &[u8], member: scan::Member) {
        let field = match &text[member.key.clone()] {
            b"record_id" => &mut self.record_id,
            b"action" => &mut self.action,
            b"result" => &mut self.result,
            b"error" => &mut self.error,
            b"retryable" => &mut self.retryable,
            b"retry_in" => &mut self.retry_in,
            _ => {
                self.unknown = Some(member.key);
                return;
            }
        };
        // null says nothing.
        *field = (&text[member.value.clone()] != b"null").then_some(member.value);
    }

    fn record_id(&self, text: &[u8]) -> Result<String, Rejection> {
        let given = string("record_id", "invalid_record_id", text, &self.record_id)?;
        given.ok_or_else(|| {
            Rejection::new(Code::own("missing_record_id"), "\"record_id\" is missing")
        })
    }

    fn verdict(&self, text: &[u8], parser: &mut Parser) -> Result<Verdict, Rejection> {
        if let Some(key) = &self.unknown {
            let key: String =
                String::from_utf8_lossy(&text[key.clone()]).chars().take(60).collect();
            let message = format!(
                "\"{key}\" is no field of a result {{record_id, action, result, error, \
                 retryable, retry_in}}"
            );
            return Err(Rejection::new(Code::UnknownField, message));
        }
        let action = string("action", "invalid_action", text, &self.action)?;
        let without = |fields: &[(&str, &Option<Range<usize>>)], verdict: Verdict| match fields
            .iter()
            .find(|(_, range)| range.is_some())
        {
            Some((name, _)) => {
                let message = format!("\"{name}\" does not go with this action");
                Err(Rejection::new(Code::own("misplaced_field"), message))
            }
            None => Ok(verdict),
        };
        match action.as_deref() {
            None | Some("complete") => {
                let verdict = Verdict::Complete { result: self.result(text, parser)? };
                let foreign = [
                    ("error", &self.error),
                    ("retryable", &self.retryable),
                    ("retry_in", &self.retry_in),
                ];
                without(&foreign, verdict)
            }
            Some("fail") => {
                let retryable = match self.retryable.as_ref().map(|range| &text[range.clone()]) {
                    None | Some(b"true") => true,
                    Some(b"false") => false,
                    Some(_) => {
                        let message = "\"retryable\" must be true or false";
                        return Err(Rejection::new(Code::own("invalid_retryable"), message));
                    }
                };
                let (error, escaped) = self.error(text);
                let retry_in = self.wait(text)?;
                let verdict = Verdict::Fail { error, escaped, retryable, retry_in };
                without(&[("result", &self.result)], verdict)
            }
            Some("release") => {
                let foreign = [
                    ("result", &self.result),
                    ("error", &self.error),
                    ("retryable", &self.retryable),
                ];
                without(&foreign, Verdict::Release { retry_in: self.wait(text)? })
            }
            Some(other) => {
                let other: String = other.chars().take(60).collect();
                let message =
                    format!("\"action\" must be complete, fail or release, not \"{other}\"");
                Err(Rejection::new(Code::own("invalid_action"), message))
            }
        }
    }

    fn result(&self, text: &[u8], parser: &mut Parser) -> Result<Option<Vec<u8>>, Rejection> {
        let Some(range) = &self.result else { return Ok(None) };
        if text[range.start] != b'{' {
            let found = describe(text, range.start);
            let message = format!("\"result\" must be an object, and this {found}");
            return Err(Rejection::new(Code::own("invalid_result"), message));
        }
        let mut datum = Vec::new();
        parser.parse(&text[range.clone()], &mut datum).map_err(|error| {
            let message = format!("\"result\": {} (byte {})", error.problem, error.offset);
            Rejection::new(error.problem.into(), message)
        })?;
        Ok(Some(datum))
    }

    /// A failure is always told: a string as it can be stored, and what is none by its JSON text.
    fn error(&self, text: &[u8]) -> (Option<String>, bool) {
        let Some(range) = &self.error else { return (None, false) };
        let [b'"', inner @ .., b'"'] = &text[range.clone()] else {
            return (Some(String::from_utf8_lossy(&text[range.clone()]).into_owned()), false);
        };
        let (error, escaped) = lenient::text(inner);
        (Some(error), escaped)
    }

    /// Seconds in the text, microseconds from here on.
    fn wait(&self, text: &[u8]) -> Result<Option<i64>, Rejection> {
        let Some(range) = &self.retry_in else { return Ok(None) };
        let seconds = std::str::from_utf8(&text[range.clone()])
            .ok()
            .filter(|text| text.starts_with(|c: char| c.is_ascii_digit()))
            .and_then(|text| text.parse::<f64>().ok())
            .filter(|seconds| (0.0..=MAX_WAIT).contains(seconds));
        match seconds {
            Some(seconds) => Ok(Some((seconds * 1e6) as i64)),
            None => {
                let message = "\"retry_in\" must be seconds, from 0 to a year";
                Err(Rejection::new(Code::own("invalid_retry_in"), message))
            }
        }
    }
}

fn string(
    name: &str,
    code: &'static str,
    text: &[u8],
    range: &Option<Range<usize>>,
) -> Result<Option<String>, Rejection> {
    let Some(range) = range else { return Ok(None) };
    let [b'"', inner @ .., b'"'] = &text[range.clone()] else {
        let found = describe(text, range.start);
        return Err(Rejection::new(
            Code::own(code),
            format!("\"{name}\" must be a string, and this {found}"),
        ));
    };
    let mut plain = Vec::new();
    unescape(inner, InvalidCharacters::Reject, &mut plain).map_err(|error| {
        Rejection::new(Code::own(code), format!("\"{name}\": {}", error.problem))
    })?;
    String::from_utf8(plain)
        .map(Some)
        .map_err(|_| Rejection::new(Code::own(code), format!("\"{name}\" is not UTF-8")))
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
        assert_eq!(one(r#"{"record_id": "a"}"#).verdict, Ok(Verdict::Complete { result: None }));
        let with_result = one(r#"{"record_id": "a", "action": "complete", "result": {"x": 1}}"#);
        assert!(matches!(with_result.verdict, Ok(Verdict::Complete { result: Some(_) })));
    }

    #[test]
    fn reads_failures_and_releases() {
        let fail =
            one(r#"{"record_id": "a\u0062", "action": "fail", "error": "no", "retryable": false}"#);
        assert_eq!(fail.record_id.as_deref(), Some("ab"));
        let verdict = Verdict::Fail {
            error: Some("no".to_owned()),
            escaped: false,
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
                Ok(Verdict::Fail { error: Some(error), escaped, .. }) => (error, escaped),
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
