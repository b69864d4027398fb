//! Cuts a batch of memories into elements and reads their fields. What is wrong with one element is
//! that element's rejection, with every problem of its fields.

use super::embedded::Embedded;
use super::embedding::Embedding;
use super::error::MemoryError;
use super::space::Space;
use crate::answer::{Code, Problem, Rejection, Violation};
use crate::error::Error;
use crate::json_update::operations::is_deeper_than;
use crate::jsonb::MAX_DEPTH;
use crate::jsonb::elements;
use crate::jsonb::scan;
use crate::jsonb::view::Container;
use crate::pg::array::{self, Array};
use crate::structure::entries::scalar::{self, Scratch};
use crate::structure::model::FieldKind;
use std::ops::Range;

/// A memory that is to be written.
#[derive(Debug, Clone)]
pub(crate) struct NewMemory {
    pub(crate) content: String,
    pub(crate) is_json: bool,
    pub(crate) user_id: Option<String>,
    pub(crate) context_type: String,
    pub(crate) relevance_score: f64,
    /// The stored `jsonb`, length word included.
    pub(crate) metadata: Option<Vec<u8>>,
    pub(crate) valid_from: Option<i64>,
    pub(crate) expires_at: Option<i64>,
    pub(crate) supersedes: Option<String>,
    pub(crate) embedding: Option<Embedding>,
}

impl Default for NewMemory {
    fn default() -> Self {
        Self {
            content: String::new(),
            is_json: false,
            user_id: None,
            context_type: DEFAULT_TYPE.to_owned(),
            relevance_score: DEFAULT_RELEVANCE,
            metadata: None,
            valid_from: None,
            expires_at: None,
            supersedes: None,
            embedding: None,
        }
    }
}

/// What the table's columns have for defaults.
pub(crate) const DEFAULT_TYPE: &str = "fact";
pub(crate) const DEFAULT_RELEVANCE: f64 = 0.5;
const INVALID_TIME: Code = Code::own("invalid_time");
/// Bytes of a context type and of ids.
const MAX_NAME: usize = 128;
/// So many unknown fields of an element are told.
const MAX_UNKNOWN: usize = 20;

const FIELDS: [&str; 9] = [
    "content",
    "embedding",
    "user_id",
    "context_type",
    "relevance_score",
    "metadata",
    "valid_from",
    "expires_at",
    "supersedes",
];

impl NewMemory {
    /// What is wrong with it, whichever way it came.
    pub(crate) fn faults(&self, space: Option<&Space>) -> Vec<Violation> {
        let mut faults = Vec::new();
        if self.content.trim().is_empty() {
            faults.push(Violation::invalid("content", "must not be blank"));
        } else if self.is_json && !self.content.starts_with(['{', '[']) {
            let text = "JSON must be an object or array; a string is text";
            faults.push(Violation::invalid("content", text));
        }
        if self.context_type.trim().is_empty() || self.context_type.len() > MAX_NAME {
            let text = format!("must have 1 to {MAX_NAME} bytes");
            faults.push(Violation::invalid("context_type", text));
        }
        if !(0.0..=1.0).contains(&self.relevance_score) {
            faults.push(Violation::invalid("relevance_score", "must be a number from 0 to 1"));
        }
        if let (Some(embedding), Some(space)) = (&self.embedding, space)
            && let Err(error) = space.check(embedding)
        {
            faults.push(of_embedding(&error));
        }
        if let Some(stored) = &self.metadata {
            let metadata = Container::root(&stored[4..]);
            if !metadata.is_object() {
                faults.push(Violation::invalid("metadata", "must be an object"));
            } else if is_deeper_than(metadata.value(), MAX_DEPTH) {
                faults.push(Violation::invalid(
                    "metadata",
                    format!("nested deeper than {MAX_DEPTH} levels"),
                ));
            }
        }
        // From the end of time on it never holds. From its beginning on it always has.
        if self.valid_from == Some(i64::MAX) {
            let text = "must be a time, not infinity";
            faults.push(Violation::new(Some("valid_from"), INVALID_TIME, text));
        }
        faults
    }
}

/// What is wrong with an embedding, with what belongs to it.
fn of_embedding(error: &MemoryError) -> Violation {
    let detail = error.detail().map_or_else(String::new, |detail| format!(". {detail}"));
    Violation::invalid("embedding", format!("{error}{}", detail.trim_end_matches('.')))
}

/// Divides `text`, a JSON array of objects, and reads them. `space`: where their embeddings go.
pub(crate) fn batch(
    text: &str,
    argument: &'static str,
    space: Option<&Space>,
) -> Result<Vec<Result<NewMemory, Rejection>>, Error> {
    let text = text.as_bytes();
    let mut reader = Reader::new(space);
    let mut batch = Vec::new();
    elements::divide(text, |at| {
        pgrx::check_for_interrupts!();
        let (element, end) =
            objects(text, at, &FIELDS, |ranges, unknown| reader.memory(text, ranges, unknown))?;
        batch.push(element);
        Ok(end)
    })
    .map_err(|undivided| Error::undivided(argument, undivided))?;
    Ok(batch)
}

/// An embedding for a memory or message that is there.
pub(crate) struct NewEmbedding {
    pub(crate) id: String,
    pub(crate) embedding: Embedding,
    /// That of the content that it was made of, as pending embeddings have it, if the caller says so.
    pub(crate) content_hash: Option<String>,
}

/// Divides `text`, a JSON array of `{memory_id, embedding, content_hash}`, or with `message_id`.
pub(crate) fn embeddings(
    text: &str,
    argument: &'static str,
    space: &Space,
) -> Result<Vec<Result<NewEmbedding, Rejection>>, Error> {
    let text = text.as_bytes();
    let mut reader = Reader::new(Some(space));
    let mut batch = Vec::new();
    elements::divide(text, |at| {
        pgrx::check_for_interrupts!();
        let fields = [space.embedded.column(), "embedding", "content_hash"];
        let (element, end) = objects(text, at, &fields, |ranges, unknown| {
            reader.embedding_of(space.embedded, text, ranges, unknown)
        })?;
        batch.push(element);
        Ok(end)
    })
    .map_err(|undivided| Error::undivided(argument, undivided))?;
    Ok(batch)
}

/// Reads one element: where its fields stand, in the order of `known`, and those that are unknown.
/// Of a key given twice the last counts, as in `jsonb`; null says nothing.
pub(super) fn objects<T>(
    text: &[u8],
    at: usize,
    known: &[&str],
    read: impl FnOnce(&[Option<Range<usize>>], Vec<String>) -> Result<T, Rejection>,
) -> Result<(Result<T, Rejection>, usize), scan::Unbalanced> {
    if text.get(at) != Some(&b'{') {
        let end = scan::skip_value(text, at)?;
        return Ok((Err(Rejection::not_an_object(text, at)), end));
    }
    let mut ranges = vec![None; known.len()];
    let mut unknown = Vec::new();
    let end = scan::members(text, at, |member| {
        let key = &text[member.key.clone()];
        match known.iter().position(|name| name.as_bytes() == key) {
            Some(field) => {
                ranges[field] = (&text[member.value.clone()] != b"null").then_some(member.value);
            }
            None if unknown.len() < MAX_UNKNOWN => {
                unknown.push(String::from_utf8_lossy(key).chars().take(60).collect());
            }
            None => (),
        }
    })?;
    match end {
        Some(end) => Ok((read(&ranges, unknown), end)),
        None => {
            let end = scan::skip_value(text, at)?;
            Ok((Err(Rejection::new(Code::InvalidJson, "the element is not valid JSON")), end))
        }
    }
}

/// How many numbers a JSON array holds, if numbers are all that it can hold.
fn count(raw: &[u8]) -> Option<usize> {
    let [b'[', inner @ .., b']'] = raw else { return None };
    if memchr::memchr3(b'[', b'"', b'{', inner).is_some() {
        return None;
    }
    let is_empty = inner.iter().all(u8::is_ascii_whitespace);
    Some(if is_empty { 0 } else { 1 + memchr::memchr_iter(b',', inner).count() })
}

/// Reads values, with room for one of each kind.
pub(super) struct Reader<'s> {
    space: Option<&'s Space>,
    scratch: Scratch,
    pub(super) faults: Vec<Violation>,
}

impl<'s> Reader<'s> {
    pub(super) fn new(space: Option<&'s Space>) -> Self {
        Self { space, scratch: Scratch::new(), faults: Vec::new() }
    }

    /// The stored value of a field, or None with a problem noted.
    fn stored(&mut self, field: &str, kind: &FieldKind, raw: &[u8]) -> Option<Vec<u8>> {
        let element = match kind {
            FieldKind::Float => array::FLOAT,
            FieldKind::Timestamp => array::TIMESTAMPTZ,
            _ => array::JSONB,
        };
        let mut cell = Array::new(element);
        match scalar::decode(kind, raw, &mut self.scratch, &mut cell) {
            Ok(()) => cell.last().map(<[u8]>::to_vec),
            Err(problem) => {
                let code = match problem.code {
                    Code::WrongType
                    | Code::OutOfRange
                    | Code::NotAValue
                    | Code::Check
                    | Code::TooLong
                    | Code::TooShort => match kind {
                        FieldKind::Timestamp => INVALID_TIME,
                        _ => Code::Own(format!("invalid_{field}").into()),
                    },
                    of_json => of_json,
                };
                let problem = Problem { code, ..problem };
                self.faults.push(Violation { field: Some(field.to_owned()), problem });
                None
            }
        }
    }

    pub(super) fn text(&mut self, field: &str, raw: Option<&[u8]>) -> Option<String> {
        let stored = self.stored(field, &FieldKind::Text { max_length: None }, raw?)?;
        String::from_utf8(stored[4..].to_vec()).ok()
    }

    pub(super) fn time(&mut self, field: &str, raw: Option<&[u8]>) -> Option<i64> {
        let stored = self.stored(field, &FieldKind::Timestamp, raw?)?;
        Some(i64::from_ne_bytes(stored.try_into().ok()?))
    }

    pub(super) fn number(&mut self, field: &str, raw: Option<&[u8]>) -> Option<f64> {
        let stored = self.stored(field, &FieldKind::Float, raw?)?;
        Some(f64::from_ne_bytes(stored.try_into().ok()?))
    }

    pub(super) fn object(&mut self, field: &str, raw: Option<&[u8]>) -> Option<Vec<u8>> {
        let raw = raw?;
        if raw.first() != Some(&b'{') {
            self.faults.push(Violation::invalid(field, "must be an object"));
            return None;
        }
        self.stored(field, &FieldKind::Json, raw)
    }

    pub(super) fn space(&self) -> Option<&'s Space> {
        self.space
    }

    pub(super) fn embedding(&mut self, field: &str, raw: Option<&[u8]>) -> Option<Embedding> {
        let raw = raw?;
        let dimensions = self.space.map_or(0, |space| space.dimensions) as u16;
        if let (Some(space), Some(given)) = (self.space, count(raw))
            && let Err(error) = space.check_dimensions(given)
        {
            self.faults.push(of_embedding(&error));
            return None;
        }
        let stored = self.stored(field, &FieldKind::Vector { dimensions }, raw)?;
        Some(Embedding::from_bytes(&stored[4..]))
    }

    /// A number, or a string of its digits: drivers that cannot hold 64 bits give those.
    fn message_id(&mut self, field: &str, raw: Option<&[u8]>) -> Option<String> {
        let raw = raw?;
        let digits = raw.strip_prefix(b"\"").and_then(|raw| raw.strip_suffix(b"\"")).unwrap_or(raw);
        // JSON knows no plus sign.
        let digits = str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'));
        let id = digits.and_then(|digits| digits.parse::<i64>().ok());
        if id.is_none() {
            self.faults.push(Violation::invalid(field, "must be an integer (64 bits)"));
        }
        id.map(|id| id.to_string())
    }

    /// The element, or all that is wrong with it.
    pub(super) fn end<T>(&mut self, element: T) -> Result<T, Rejection> {
        Rejection::of(std::mem::take(&mut self.faults)).map_or(Ok(element), Err)
    }

    pub(super) fn begin(&mut self, unknown: Vec<String>, known: &str) {
        self.faults.clear();
        for (at, key) in unknown.iter().enumerate() {
            let known = if at == 0 { format!(" (known are {known})") } else { String::new() };
            let text = format!("unknown field{known}");
            self.faults.push(Violation::new(Some(key), Code::UnknownField, text));
        }
    }

    fn memory(
        &mut self,
        text: &[u8],
        ranges: &[Option<Range<usize>>],
        unknown: Vec<String>,
    ) -> Result<NewMemory, Rejection> {
        self.begin(unknown, &FIELDS.join(", "));
        let raw = |at: usize| ranges[at].clone().map(|range| &text[range]);
        let mut memory = NewMemory::default();
        match raw(0) {
            Some([b'"', ..]) => memory.content = self.text("content", raw(0)).unwrap_or_default(),
            Some(json @ [b'{' | b'[', ..]) => {
                // Also what jsonb refuses and json does not: content is to be cast to either.
                if self.stored("content", &FieldKind::Json, json).is_some() {
                    memory.content = String::from_utf8_lossy(json).into_owned();
                    memory.is_json = true;
                }
            }
            Some(_) => {
                self.faults
                    .push(Violation::invalid("content", "must be a string, object or array"));
            }
            None => self.faults.push(Violation::missing("content")),
        }
        let content_is_there = self.faults.is_empty();
        memory.embedding = self.embedding("embedding", raw(1));
        memory.user_id = self.text("user_id", raw(2));
        if let Some(context_type) = self.text("context_type", raw(3)) {
            memory.context_type = context_type;
        }
        if let Some(relevance) = self.number("relevance_score", raw(4)) {
            memory.relevance_score = relevance;
        }
        memory.metadata = self.object("metadata", raw(5));
        memory.valid_from = self.time("valid_from", raw(6));
        memory.expires_at = self.time("expires_at", raw(7));
        memory.supersedes = self.text("supersedes", raw(8));
        let faults = memory.faults(self.space);
        self.faults.extend(
            faults
                .into_iter()
                .filter(|fault| content_is_there || fault.field.as_deref() != Some("content")),
        );
        self.end(memory)
    }

    fn embedding_of(
        &mut self,
        embedded: Embedded,
        text: &[u8],
        ranges: &[Option<Range<usize>>],
        unknown: Vec<String>,
    ) -> Result<NewEmbedding, Rejection> {
        let fields = [embedded.column(), "embedding", "content_hash"];
        self.begin(unknown, &fields.join(", "));
        let raw = |at: usize| ranges[at].clone().map(|range| &text[range]);
        for (at, field) in fields.into_iter().enumerate().take(2) {
            if raw(at).is_none() {
                self.faults.push(Violation::missing(field));
            }
        }
        let id = match embedded {
            Embedded::Memories => self.text(fields[0], raw(0)),
            Embedded::Messages => self.message_id(fields[0], raw(0)),
        };
        let id = id.unwrap_or_default();
        let embedding =
            self.embedding("embedding", raw(1)).unwrap_or_else(|| Embedding::new(vec![]));
        let content_hash = self.text(fields[2], raw(2));
        if self.faults.is_empty()
            && let Some(space) = self.space
            && let Err(error) = space.check(&embedding)
        {
            self.faults.push(of_embedding(&error));
        }
        self.end(NewEmbedding { id, embedding, content_hash })
    }
}
