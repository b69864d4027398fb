//! Where a flat document holds its external id, its time and whether it was deleted.
//!
//! A key is the name of a member, or a JSON Pointer, which begins with a slash; the key of ids may be several of
//! them, as a JSON array. All of them are read in the one pass over a document's members that finds its end: only
//! what a pointer leads into is looked at again.

use super::decode::{INVALID_DELETED, INVALID_EXTERNAL_ID, MISSING_EXTERNAL_ID, check_id, id_text};
use super::error::RecordError;
use super::time;
use crate::answer::Rejection;
use crate::batch::invalid_json;
use crate::jsonb::parse::{InvalidCharacters, ParseError, Parser};
use crate::jsonb::{number, pointer, scan};
use crate::poll;
use crate::time as grammar;
use serde::Serialize;
use std::borrow::Cow;
use std::ops::Range;

/// An id may have so many parts.
const MAX_PARTS: usize = 16;

/// Before this a time says that there is none: some systems write 1970-01-01 or 0001-01-01 for that.
const EPOCH: i64 = -946_684_800_000_000;
/// A smaller number is no Unix time of a deletion, but some other number: 1973-03-03.
const LEAST_UNIX_TIME: i64 = EPOCH + 100_000_000_000_000;

/// The keys of flat documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Keys {
    id: IdKey,
    updated_at: Option<Key>,
    deleted: Option<Key>,
    /// The time of documents that have none of their own.
    source_updated_at: Option<i64>,
}

/// A place in a document.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Key {
    /// As the caller wrote it.
    given: String,
    /// The member of the document itself.
    member: Vec<u8>,
    /// The way on from there.
    rest: Vec<Vec<u8>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum IdKey {
    One(Key),
    Composite(Vec<Key>),
}

/// The arguments that name keys, as they were given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct GivenKeys {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) updated_at_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) deleted_key: Option<String>,
}

impl GivenKeys {
    /// None where the batch is of envelopes.
    pub(crate) fn read(&self, source_updated_at: Option<i64>) -> Result<Option<Keys>, RecordError> {
        let Some(id_key) = &self.id_key else {
            let without_id = [
                ("updated_at_key", self.updated_at_key.is_some()),
                ("deleted_key", self.deleted_key.is_some()),
                ("options", source_updated_at.is_some()),
            ];
            return match without_id.into_iter().find(|(_, given)| *given) {
                Some((argument, _)) => Err(RecordError::IdKeyMissing { argument }),
                None => Ok(None),
            };
        };
        if self.updated_at_key.is_some() && source_updated_at.is_some() {
            return Err(RecordError::TwoTimes);
        }
        let key = |argument, given: &Option<String>| {
            given.as_deref().map(|given| Key::read(argument, given)).transpose()
        };
        Ok(Some(Keys {
            id: IdKey::read(id_key)?,
            updated_at: key("updated_at_key", &self.updated_at_key)?,
            deleted: key("deleted_key", &self.deleted_key)?,
            source_updated_at,
        }))
    }
}

impl Key {
    fn read(argument: &'static str, given: &str) -> Result<Self, RecordError> {
        let bad =
            |problem: String| RecordError::BadKey { argument, given: given.to_owned(), problem };
        let mut tokens = match given.starts_with('/') {
            true => pointer::tokens(given).map_err(|error| bad(error.to_string()))?.into_iter(),
            false => vec![given.as_bytes().to_vec()].into_iter(),
        };
        let member = tokens.next().unwrap_or_default();
        Ok(Self { given: given.to_owned(), member, rest: tokens.collect() })
    }

    /// The value that the pointer leads to, from that of its first member. `start`: where the document begins.
    fn follow(
        &self,
        text: &[u8],
        mut value: Range<usize>,
        start: usize,
    ) -> Result<Option<Range<usize>>, Rejection> {
        for token in &self.rest {
            match step(&text[..value.end], value.start, token) {
                Step::To(found) => value = found,
                Step::Nowhere => return Ok(None),
                Step::Broken => {
                    // Where the parser finds nothing wrong, there is no such member.
                    let parsed = Parser::new(InvalidCharacters::Strip)
                        .parse(&text[value.clone()], &mut Vec::new());
                    return parsed.map(|()| None).map_err(|error| {
                        let offset = error.offset + value.start - start;
                        invalid_json(ParseError { offset, ..error })
                    });
                }
            }
        }
        Ok(Some(value))
    }
}

/// Where one token of a pointer leads.
enum Step {
    To(Range<usize>),
    /// There is no such member or element.
    Nowhere,
    /// The value is no JSON.
    Broken,
}

/// The member or element `token` of the value that begins at `at`; of a name given twice the last.
fn step(text: &[u8], at: usize, token: &[u8]) -> Step {
    match text.get(at) {
        Some(b'{') => {
            let mut found = Step::Nowhere;
            let mut buffer = Vec::new();
            let members = scan::members(text, at, |member| {
                let name = crate::batch::key(&text[member.key], &mut buffer);
                if name.is_ok_and(|name| name == token) {
                    found = Step::To(member.value);
                }
            });
            if matches!(members, Ok(Some(_))) { found } else { Step::Broken }
        }
        Some(b'[') => match index(token) {
            Some(index) => element(text, at, index),
            None => Step::Nowhere,
        },
        _ => Step::Nowhere,
    }
}

/// A token as the index of an array. It has one spelling: no sign, no zeros before it.
fn index(token: &[u8]) -> Option<usize> {
    let index: usize = str::from_utf8(token).ok()?.parse().ok()?;
    (index.to_string().as_bytes() == token).then_some(index)
}

fn element(text: &[u8], at: usize, index: usize) -> Step {
    let mut at = scan::skip_space(text, at + 1);
    if text.get(at) == Some(&b']') {
        return Step::Nowhere;
    }
    for place in 0..=index {
        poll::check();
        match scan::skip_value(text, at) {
            Ok(end) if end > at && place == index => return Step::To(at..end),
            Ok(end) if end > at => at = scan::skip_space(text, end),
            _ => return Step::Broken,
        }
        match text.get(at) {
            Some(b',') => at = scan::skip_space(text, at + 1),
            Some(b']') => return Step::Nowhere,
            _ => return Step::Broken,
        }
    }
    Step::Nowhere
}

impl IdKey {
    fn read(given: &str) -> Result<Self, RecordError> {
        if !given.trim_start().starts_with('[') {
            return Ok(Self::One(Key::read("id_key", given)?));
        }
        let bad = |problem: &str| RecordError::BadKey {
            argument: "id_key",
            given: given.to_owned(),
            problem: problem.to_owned(),
        };
        let parts: Vec<String> = serde_json::from_str(given)
            .map_err(|_| bad("what begins with [ must be a JSON array of strings"))?;
        if parts.is_empty() || parts.len() > MAX_PARTS {
            return Err(bad("an id has from 1 to 16 parts"));
        }
        let parts: Result<_, _> = parts.iter().map(|part| Key::read("id_key", part)).collect();
        Ok(Self::Composite(parts?))
    }
}

/// The values that the keys name, in one document.
#[derive(Default)]
pub(super) struct Places {
    id: Option<Range<usize>>,
    /// The other parts of a composite id, as far as they were met.
    parts: Vec<Option<Range<usize>>>,
    updated_at: Option<Range<usize>>,
    deleted: Option<Range<usize>>,
}

impl Keys {
    /// Takes note of a member of the document.
    #[inline]
    pub(super) fn take(&self, places: &mut Places, name: &[u8], value: &Range<usize>) {
        if self.updated_at.as_ref().is_some_and(|key| name == key.member) {
            places.updated_at = Some(value.clone());
        }
        if self.deleted.as_ref().is_some_and(|key| name == key.member) {
            places.deleted = Some(value.clone());
        }
        match &self.id {
            IdKey::One(key) => {
                if name == key.member {
                    places.id = Some(value.clone());
                }
            }
            IdKey::Composite(parts) => {
                for (at, _) in parts.iter().enumerate().filter(|(_, part)| name == part.member) {
                    places.parts.resize(parts.len(), None);
                    places.parts[at] = Some(value.clone());
                }
            }
        }
    }

    /// The external id of a document that begins at `start`.
    pub(super) fn external_id<'a>(
        &self,
        text: &'a [u8],
        start: usize,
        places: &Places,
    ) -> Result<Cow<'a, str>, Rejection> {
        match &self.id {
            IdKey::One(key) => check_id(part(key, text, start, places.id.as_ref())?),
            IdKey::Composite(keys) => {
                let mut parts = Vec::with_capacity(keys.len());
                for (at, key) in keys.iter().enumerate() {
                    let place = places.parts.get(at).and_then(Option::as_ref);
                    parts.push(part(key, text, start, place)?);
                }
                if parts.iter().all(|part| part.trim().is_empty()) {
                    let message = "every part of the external id is blank";
                    return Err(Rejection::new(MISSING_EXTERNAL_ID, message));
                }
                let id = serde_json::to_string(&parts)
                    .map_err(|_| Rejection::new(INVALID_EXTERNAL_ID, "not UTF-8"))?;
                check_id(Cow::Owned(id))
            }
        }
    }

    pub(super) fn time(
        &self,
        text: &[u8],
        start: usize,
        places: &Places,
        now: i64,
    ) -> Result<Option<i64>, Rejection> {
        match (&self.updated_at, &places.updated_at) {
            (Some(key), Some(place)) => match key.follow(text, place.clone(), start)? {
                Some(value) => time::of_json(&text[value], now),
                None => Ok(None),
            },
            _ => Ok(self.source_updated_at),
        }
    }

    pub(super) fn is_deleted(
        &self,
        text: &[u8],
        start: usize,
        places: &Places,
        now: i64,
    ) -> Result<bool, Rejection> {
        let (Some(key), Some(place)) = (&self.deleted, &places.deleted) else { return Ok(false) };
        let Some(value) = key.follow(text, place.clone(), start)? else { return Ok(false) };
        is_true(&text[value], now).ok_or_else(|| {
            let message = format!(
                "\"{}\" must be true or false, 1 or 0, null, or when the record was deleted",
                key.given
            );
            Rejection::new(INVALID_DELETED, message)
        })
    }

    /// As the caller wrote it.
    pub(super) fn id_key(&self) -> String {
        match &self.id {
            IdKey::One(key) => key.given.clone(),
            IdKey::Composite(keys) => {
                let given: Vec<&str> = keys.iter().map(|key| &*key.given).collect();
                serde_json::to_string(&given).unwrap_or_default()
            }
        }
    }
}

fn part<'a>(
    key: &Key,
    text: &'a [u8],
    start: usize,
    place: Option<&Range<usize>>,
) -> Result<Cow<'a, str>, Rejection> {
    let value = match place {
        Some(place) => key.follow(text, place.clone(), start)?,
        None => None,
    };
    match value {
        Some(value) => id_text(&text[value]),
        None => Err(Rejection::new(MISSING_EXTERNAL_ID, format!("\"{}\" is missing", key.given))),
    }
}

/// Whether a value says that its record was deleted, in the words of those who send it. None where it says neither.
fn is_true(raw: &[u8], now: i64) -> Option<bool> {
    match raw {
        b"true" => return Some(true),
        b"false" | b"null" => return Some(false),
        [b'"', word @ .., b'"'] => {
            let is = |words: &[&str]| words.iter().any(|w| word.eq_ignore_ascii_case(w.as_bytes()));
            if is(&["true", "t", "yes", "y", "1"]) {
                return Some(true);
            }
            if is(&["", "false", "f", "no", "n", "0"]) {
                return Some(false);
            }
        }
        [b'-' | b'0'..=b'9', ..] => match &*number::plain_text(raw)? {
            "0" => return Some(false),
            "1" => return Some(true),
            _ if grammar::of_json(raw).ok()?.micros < LEAST_UNIX_TIME => return None,
            _ => (),
        },
        _ => return None,
    }
    let time = grammar::of_json(raw).ok()?.micros;
    // A time ahead says until when a record is good, and not that it is gone.
    (!time::is_far_ahead(time, now)).then_some(time > EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 800_000_000_000_000;

    #[test]
    fn what_counts_as_deleted() {
        for raw in [
            "true",
            "1",
            "1.0",
            "\"true\"",
            "\"True\"",
            "\"t\"",
            "\"Y\"",
            "\"yes\"",
            "\"1\"",
            "\"2024-01-01T00:00:00Z\"",
            "1704067200",
            "1704067200000",
            "\"1704067200\"",
        ] {
            assert_eq!(is_true(raw.as_bytes(), NOW), Some(true), "{raw}");
        }
        for raw in [
            "false",
            "null",
            "0",
            "0.0",
            "-0",
            "\"\"",
            "\"false\"",
            "\"F\"",
            "\"no\"",
            "\"0\"",
            "\"1970-01-01T00:00:00Z\"",
            "\"0001-01-01T00:00:00Z\"",
        ] {
            assert_eq!(is_true(raw.as_bytes(), NOW), Some(false), "{raw}");
        }
        for raw in [
            "2",
            "-1",
            "1e999",
            "\"maybe\"",
            "\" \"",
            "\"null\"",
            "{}",
            "[]",
            "tru",
            "1x",
            "\"9999-12-31T00:00:00Z\"",
            "\"0000-00-00 00:00:00\"",
            "1700000000000000000000000",
        ] {
            assert_eq!(is_true(raw.as_bytes(), NOW), None, "{raw}");
        }
    }

    fn follow(pointer: &str, text: &str) -> Option<String> {
        let key = Key::read("id_key", &format!("/x{pointer}")).unwrap();
        let found = key.follow(text.as_bytes(), 0..text.len(), 0).unwrap();
        found.map(|range| text[range].to_owned())
    }

    #[test]
    fn pointers_lead_into_documents() {
        let text = r#"{"a": {"b/c": [1, {"~": "x"}, []], "": 2, "b": 3, "b": 4}, "0": 5}"#;
        for (pointer, expected) in [
            ("/a/b~1c/1/~0", Some("\"x\"")),
            ("/a/b~1c/0", Some("1")),
            ("/a/b~1c/2", Some("[]")),
            ("/a/b~1c/3", None),
            ("/a/b~1c/01", None),
            ("/a/b~1c/-", None),
            ("/a/b~1c/2/0", None),
            ("/a/", Some("2")),
            ("/a/b", Some("4")),
            ("/a/b/c", None),
            ("/0", Some("5")),
            ("/z", None),
        ] {
            assert_eq!(follow(pointer, text).as_deref(), expected, "{pointer}");
        }
    }

    #[test]
    fn what_a_pointer_leads_through_must_be_json() {
        let key = Key::read("id_key", "/x/a").unwrap();
        for text in [r#"{"a" 1}"#, r#"{"a": 1"#, "{]"] {
            assert!(key.follow(text.as_bytes(), 0..text.len(), 0).is_err(), "{text}");
        }
    }
}
