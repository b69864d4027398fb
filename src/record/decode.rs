//! Cuts a batch into elements and reads what identifies each.
//!
//! The data itself stays text: whoever finds that it has changed decodes it. What is wrong with one
//! element is that element's rejection; only a text that cannot be divided ends the call.

use super::keys::Places;
use super::options::Shape;
use super::time;
use crate::answer::{Code, Rejection};
use crate::batch::{self, BatchError};
use crate::jsonb::elements::{Place, describe};
use crate::jsonb::parse::{InvalidCharacters, ParseError, Parser, unescape};
use crate::jsonb::{number, scan};
use std::borrow::Cow;
use std::ops::Range;

/// The longest external id, in bytes: a key must fit into an index.
const MAX_EXTERNAL_ID: usize = 2000;

pub(super) const MISSING_EXTERNAL_ID: Code = Code::own("missing_external_id");
pub(super) const INVALID_EXTERNAL_ID: Code = Code::own("invalid_external_id");
pub(super) const MISSING_DATA: Code = Code::own("missing_data");
pub(super) const INVALID_DATA: Code = Code::own("invalid_data");
pub(super) const INVALID_DELETED: Code = Code::own("invalid_deleted");

/// One element of a batch.
pub(crate) struct Element<'a> {
    /// Known for most rejected elements too.
    pub(crate) external_id: Option<Cow<'a, str>>,
    pub(crate) content: Result<Content<'a>, Rejection>,
}

/// What an element says about its record.
#[derive(Clone, Copy)]
pub(crate) struct Content<'a> {
    /// The text of the data; a tombstone may have none.
    pub(crate) data: Option<&'a [u8]>,
    pub(crate) deleted: bool,
    /// Microseconds since 2000-01-01 UTC.
    pub(crate) source_updated_at: Option<i64>,
}

/// Divides `text`. `now` as in [`time::of_json`].
pub(crate) fn batch<'a>(
    text: &'a str,
    shape: &Shape,
    now: i64,
) -> Result<Vec<Element<'a>>, BatchError> {
    let mut batch = Vec::new();
    batch::divide("records", text.as_bytes(), |place| {
        let (element, end) = element(place, shape, now)?;
        batch.push(element);
        Ok(end)
    })?;
    Ok(batch)
}

/// One element of a batch that was sent before.
pub(crate) fn alone<'a>(text: &'a str, shape: &Shape, now: i64) -> Element<'a> {
    let text = text.as_bytes();
    let place = Place { text, at: scan::skip_space(text, 0), is_line: true };
    element(place, shape, now).map_or_else(
        |_| {
            let rejection = Rejection::new(Code::InvalidJson, "the element is not valid JSON");
            Element { external_id: None, content: Err(rejection) }
        },
        |(element, _)| element,
    )
}

/// The texts of some elements of a batch that was divided; their places are in order.
pub(crate) fn texts<'a>(text: &'a str, places: &[usize]) -> Vec<&'a str> {
    let mut found = Vec::with_capacity(places.len());
    let mut count = 0;
    // It was divided before, and so it is now.
    let _ = batch::divide("records", text.as_bytes(), |place| {
        let end = match place.is_line {
            true => place.text.len(),
            false => scan::skip_value(place.text, place.at)?,
        };
        if places.get(found.len()) == Some(&count) {
            found.push(text[place.at..end].trim_end());
        }
        count += 1;
        Ok(end)
    });
    found
}

/// One record given by itself, as `upsert_record` has it.
pub(crate) fn single<'a>(
    external_id: Option<&'a str>,
    data: Option<&'a str>,
    source_updated_at: Option<&str>,
    deleted: bool,
    now: i64,
) -> Element<'a> {
    let id = match external_id {
        None => Err(missing_id("external_id")),
        Some(id) => check_id(Cow::Borrowed(id)),
    };
    let time = source_updated_at.map_or(Ok(None), |time| time::of_text(time, now));
    let content = Content {
        data: present(data.map(|data| scan::trim(data.as_bytes())), deleted),
        deleted,
        source_updated_at: None,
    };
    let content = time.and_then(|time| {
        check_data(content.data, deleted)?;
        Ok(Content { source_updated_at: time, ..content })
    });
    with_id(id, content)
}

/// An element, and the position behind it.
fn element<'a>(
    place: Place<'a>,
    shape: &Shape,
    now: i64,
) -> Result<(Element<'a>, usize), scan::Unbalanced> {
    let mut fields = Fields::new(place.text, place.at, shape);
    let (opened, end) = batch::object(place, |member| fields.take(member))?;
    let element = match opened {
        Ok(()) => {
            let whole = scan::trim(&place.text[place.at..end]).len();
            fields.element(place.at..place.at + whole, now)
        }
        Err(rejection) => Element { external_id: None, content: Err(rejection) },
    };
    Ok((element, end))
}

/// The fields that matter, as text ranges. Of a key given twice the last counts, as in `jsonb`.
struct Fields<'a, 's> {
    text: &'a [u8],
    shape: &'s Shape,
    external_id: Option<Range<usize>>,
    data: Option<Range<usize>>,
    time: Option<Range<usize>>,
    deleted: Option<Range<usize>>,
    unknown: Option<Range<usize>>,
    /// The same of a flat document.
    places: Places,
    /// What makes the envelope itself no JSON.
    broken: Option<ParseError>,
    /// Where the element begins.
    start: usize,
}

impl<'a, 's> Fields<'a, 's> {
    fn new(text: &'a [u8], start: usize, shape: &'s Shape) -> Self {
        Self {
            text,
            shape,
            external_id: None,
            data: None,
            time: None,
            deleted: None,
            unknown: None,
            places: Places::default(),
            broken: None,
            start,
        }
    }

    fn take(&mut self, member: scan::Member) {
        let text = self.text;
        let mut unescaped = Vec::new();
        let key = match batch::key(&text[member.key.clone()], &mut unescaped) {
            Ok(key) => key,
            // In a flat document the key is part of the data, which is decoded as was asked.
            Err(error) if *self.shape == Shape::Envelope => {
                let offset = member.key.start + error.offset - self.start;
                self.broken = Some(ParseError { offset, ..error });
                return;
            }
            Err(_) => return,
        };
        let field = match self.shape {
            Shape::Envelope => match key {
                b"external_id" => &mut self.external_id,
                b"data" => &mut self.data,
                b"source_updated_at" => &mut self.time,
                b"deleted" => &mut self.deleted,
                _ => {
                    self.unknown = Some(member.key);
                    return;
                }
            },
            Shape::Flat(keys) => {
                keys.take(&mut self.places, key, &member.value);
                return;
            }
        };
        // What a later member replaces must be JSON all the same.
        if let Some(replaced) = field.replace(member.value)
            && let Err(error) = Parser::new(InvalidCharacters::Strip)
                .parse(&text[replaced.clone()], &mut Vec::new())
        {
            let offset = replaced.start + error.offset - self.start;
            self.broken = Some(ParseError { offset, ..error });
        }
    }

    fn element(self, whole: Range<usize>, now: i64) -> Element<'a> {
        if let Shape::Flat(keys) = self.shape {
            let (text, start) = (self.text, whole.start);
            let id = keys.external_id(text, start, &self.places);
            let content = || {
                let deleted = keys.is_deleted(text, start, &self.places, now)?;
                let source_updated_at = keys.time(text, start, &self.places, now)?;
                Ok(Content { data: Some(&text[whole]), deleted, source_updated_at })
            };
            return with_id(id, content());
        }
        let id = match &self.external_id {
            None => Err(missing_id("external_id")),
            Some(range) => id_text(&self.text[range.clone()]).and_then(check_id),
        };
        let content = self.content(now);
        with_id(id, content)
    }

    /// Of an envelope.
    fn content(&self, now: i64) -> Result<Content<'a>, Rejection> {
        if let Some(error) = self.broken {
            return Err(batch::invalid_json(error));
        }
        if let Some(key) = &self.unknown {
            let key: String =
                String::from_utf8_lossy(&self.text[key.clone()]).chars().take(60).collect();
            return Err(Rejection::new(
                Code::UnknownField,
                format!(
                    "\"{key}\" is not a field of an envelope {{external_id, data, \
                     source_updated_at, deleted}}; for flat documents pass id_key"
                ),
            ));
        }
        let deleted = match self.deleted.as_ref().map(|range| &self.text[range.clone()]) {
            None | Some(b"false" | b"null") => false,
            Some(b"true") => true,
            Some(_) => {
                let message = "\"deleted\" must be true or false";
                return Err(Rejection::new(INVALID_DELETED, message));
            }
        };
        let data = self.data.clone().map(|range| &self.text[range]);
        let data = present(data, deleted);
        check_data(data, deleted)?;
        let source_updated_at = match &self.time {
            None => None,
            Some(range) => time::of_json(&self.text[range.clone()], now)?,
        };
        Ok(Content { data, deleted, source_updated_at })
    }
}

/// `null` is no data where a deletion needs none.
fn present(data: Option<&[u8]>, deleted: bool) -> Option<&[u8]> {
    data.filter(|data| !deleted || *data != b"null")
}

fn check_data(data: Option<&[u8]>, deleted: bool) -> Result<(), Rejection> {
    match data {
        Some([b'{', ..]) => Ok(()),
        None if deleted => Ok(()),
        None => Err(Rejection::new(MISSING_DATA, "\"data\" is missing")),
        Some(other) => Err(Rejection::new(
            INVALID_DATA,
            format!("\"data\" must be an object, not {}", describe(other, 0)),
        )),
    }
}

fn missing_id(field: &str) -> Rejection {
    Rejection::new(MISSING_EXTERNAL_ID, format!("\"{field}\" is missing"))
}

/// An external id: a string, or a number, which becomes the text that `->>` gives of it, so that both join.
pub(super) fn id_text(raw: &[u8]) -> Result<Cow<'_, str>, Rejection> {
    let invalid = |message: &'static str| Rejection::new(INVALID_EXTERNAL_ID, message);
    match raw {
        [b'"', inner @ .., b'"'] => {
            if inner.iter().any(|&b| b < 0x20) {
                return Err(Rejection::new(
                    Code::InvalidJson,
                    "the external id holds a control character that is not escaped",
                ));
            }
            if inner.contains(&b'\\') {
                let mut text = Vec::new();
                unescape(inner, InvalidCharacters::Reject, &mut text).map_err(|error| {
                    Rejection::new(
                        error.problem.into(),
                        format!("the external id cannot be stored: {}", error.problem),
                    )
                })?;
                String::from_utf8(text).map(Cow::Owned).map_err(|_| invalid("not UTF-8"))
            } else {
                str::from_utf8(inner).map(Cow::Borrowed).map_err(|_| invalid("not UTF-8"))
            }
        }
        [b'-' | b'0'..=b'9', ..] => match number::output_text(raw) {
            Some(text) => Ok(text),
            None => Err(invalid("the external id is a number that cannot be a key")),
        },
        b"null" => Err(Rejection::new(MISSING_EXTERNAL_ID, "the external id is null")),
        _ => Err(invalid("the external id must be a string or a number")),
    }
}

pub(super) fn check_id(id: Cow<'_, str>) -> Result<Cow<'_, str>, Rejection> {
    if id.trim().is_empty() {
        return Err(Rejection::new(MISSING_EXTERNAL_ID, "the external id is blank"));
    }
    if id.len() > MAX_EXTERNAL_ID {
        return Err(Rejection::new(
            INVALID_EXTERNAL_ID,
            format!("the external id is longer than {MAX_EXTERNAL_ID} bytes"),
        ));
    }
    Ok(id)
}

fn with_id<'a>(
    id: Result<Cow<'a, str>, Rejection>,
    content: Result<Content<'a>, Rejection>,
) -> Element<'a> {
    match (id, content) {
        (Ok(id), content) => Element { external_id: Some(id), content },
        // A flat document where an envelope was expected: its id is missing for that reason.
        (Err(_), Err(content)) if *content.code() == Code::UnknownField => {
            Element { external_id: None, content: Err(content) }
        }
        (Err(rejection), _) => Element { external_id: None, content: Err(rejection) },
    }
}

/// What a text that is no `jsonb` means for its record.
pub(crate) fn rejection(error: ParseError) -> Rejection {
    Rejection::new(
        error.problem.into(),
        format!("{} (byte {} of the record)", error.problem, error.offset),
    )
}
