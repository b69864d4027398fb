//! Cuts a batch of memories into elements and reads their fields. What is wrong with one element is
//! that element's rejection, with every problem of its fields.

use super::embedded::Embedded;
use super::embedding::Embedding;
use super::error::MemoryError;
use super::place;
use super::space::Space;
use super::ttl::Ttl;
use crate::answer::{Code, Rejection, Violation};
use crate::batch::{self, BatchError, INVALID_TIME, Reader};
use crate::error::Report;
use crate::field_types::kind::FieldKind;
use crate::jsonb::MAX_DEPTH;
use crate::jsonb::view::Container;
use crate::secrets::document::{
    Path, in_jsonb, in_text_or_document, redacted_jsonb, redacted_text,
};
use crate::secrets::{Certainty, Found};
use crate::settings::{OnSecret, on_secret};

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
    /// The caller's own name, under which it takes the place of what is stored.
    pub(crate) key: Option<String>,
    pub(crate) namespace: String,
    pub(crate) ttl: Option<Ttl>,
    /// Of its words; None: that of the workspace.
    pub(crate) language: Option<String>,
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
            key: None,
            namespace: String::new(),
            ttl: None,
            language: None,
        }
    }
}

/// What the table's columns have for defaults.
pub(crate) const DEFAULT_TYPE: &str = "fact";
pub(crate) const DEFAULT_RELEVANCE: f64 = 0.5;
/// What is said of a ttl that is none.
const NO_TTL: &str = "must be more than nothing and at most 10,000 years";
/// Bytes of a context type and of ids.
const MAX_NAME: usize = 128;

const FIELDS: [&str; 13] = [
    "content",
    "embedding",
    "user_id",
    "context_type",
    "relevance_score",
    "metadata",
    "valid_from",
    "expires_at",
    "supersedes",
    "key",
    "namespace",
    "ttl",
    "language",
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
            } else if metadata.value().is_deeper_than(MAX_DEPTH) {
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
        faults.extend(place::faults(&self.namespace, self.key.as_deref()));
        if self.ttl.is_some_and(|ttl| !ttl.is_length()) {
            faults.push(Violation::invalid("ttl", NO_TTL));
        }
        faults
    }
}

/// Sees to secrets in what is to be stored, as `kepler.on_secret` says: they are told, or taken out.
pub(crate) fn see_to_secrets(
    content: &mut String,
    metadata: &mut Option<Vec<u8>>,
) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut tell = |field: &'static str, path: &Path<'_>, secret: Found| {
        let is_certain = secret.certainty == Certainty::Certain;
        if is_certain {
            let place = path.pointer();
            let at = if place.is_empty() { place } else { format!(" at {place}") };
            let message = format!("holds a secret{at}: {}", secret.kind);
            found.push(Violation::new(Some(field), Code::Secret, message));
        }
        !is_certain
    };
    match on_secret() {
        OnSecret::Allow => {}
        OnSecret::Refuse => {
            in_text_or_document(content, &Path::ROOT, &mut |path, secret| {
                tell("content", path, secret)
            });
            if let Some(stored) = metadata {
                in_jsonb(&stored[4..], &mut |path, secret| tell("metadata", path, secret));
            }
        }
        OnSecret::Redact => {
            if let Some(clean) = redacted_text(content) {
                *content = clean;
            }
            if let Some(clean) = metadata.as_ref().and_then(|stored| redacted_jsonb(&stored[4..])) {
                *metadata = Some(clean);
            }
        }
    }
    found
}

/// What is wrong with an embedding, with what belongs to it.
fn of_embedding(error: &MemoryError) -> Violation {
    let detail = error.detail().map_or_else(String::new, |detail| format!(". {detail}"));
    Violation::invalid("embedding", format!("{error}{}", detail.trim_end_matches('.')))
}

/// Reads `text`, a JSON array of memories. `space`: where their embeddings go.
pub(crate) fn batch(
    text: &str,
    space: Option<&Space>,
) -> Result<Vec<Result<NewMemory, Rejection>>, BatchError> {
    batch::read("memories", text, &FIELDS, |reader| memory(reader, space), Err)
}

/// An embedding for a memory or message that is there.
pub(crate) struct NewEmbedding {
    pub(crate) id: String,
    pub(crate) embedding: Embedding,
    /// That of the content that it was made of, as pending embeddings have it, if the caller says so.
    pub(crate) content_hash: Option<String>,
}

/// Reads `text`, a JSON array of `{memory_id, embedding, content_hash}`, or with `message_id`.
pub(crate) fn embeddings(
    text: &str,
    space: &Space,
) -> Result<Vec<Result<NewEmbedding, Rejection>>, BatchError> {
    let fields = [space.embedded.column(), "embedding", "content_hash"];
    batch::read("embeddings", text, &fields, |reader| embedding_of(reader, space), Err)
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

/// The embedding of an element, with as many numbers as the space has dimensions.
pub(super) fn embedding(reader: &mut Reader<'_>, space: Option<&Space>) -> Option<Embedding> {
    let field = "embedding";
    let raw = reader.raw(field)?;
    // Without a space it only matters that there is one.
    let dimensions = space.map_or_else(|| count(raw).unwrap_or(0), |space| space.dimensions);
    let dimensions = u16::try_from(dimensions).unwrap_or(u16::MAX);
    if let (Some(space), Some(given)) = (space, count(raw))
        && let Err(error) = space.check_dimensions(given)
    {
        reader.violate(of_embedding(&error));
        return None;
    }
    let stored = reader.stored(field, &FieldKind::Vector { dimensions })?;
    Some(Embedding::from_bytes(&stored[4..]))
}

/// A number, or a string of its digits: drivers that cannot hold 64 bits give those.
fn message_id(reader: &mut Reader<'_>, field: &'static str) -> Option<String> {
    let raw = reader.raw(field)?;
    let digits = raw.strip_prefix(b"\"").and_then(|raw| raw.strip_suffix(b"\"")).unwrap_or(raw);
    // JSON knows no plus sign.
    let digits = str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'));
    let id = digits.and_then(|digits| digits.parse::<i64>().ok());
    if id.is_none() {
        reader.violate(Violation::invalid(field, "must be an integer (64 bits)"));
    }
    id.map(|id| id.to_string())
}

fn memory(reader: &mut Reader<'_>, space: Option<&Space>) -> Result<NewMemory, Rejection> {
    let mut memory = NewMemory::default();
    match reader.raw("content") {
        Some([b'"', ..]) => memory.content = reader.text("content").unwrap_or_default(),
        Some(json @ [b'{' | b'[', ..]) => {
            // Also what jsonb refuses and json does not: content is to be cast to either.
            if reader.json("content").is_some() {
                memory.content = String::from_utf8_lossy(json).into_owned();
                memory.is_json = true;
            }
        }
        Some(_) => {
            reader.violate(Violation::invalid("content", "must be a string, object or array"));
        }
        None => reader.violate(Violation::missing("content")),
    }
    memory.embedding = embedding(reader, space);
    memory.user_id = reader.text("user_id");
    if let Some(context_type) = reader.text("context_type") {
        memory.context_type = context_type;
    }
    if let Some(relevance) = reader.number("relevance_score") {
        memory.relevance_score = relevance;
    }
    memory.metadata = reader.object("metadata");
    memory.valid_from = reader.time("valid_from");
    memory.expires_at = reader.time("expires_at");
    memory.supersedes = reader.text("supersedes");
    memory.key = reader.text("key");
    memory.namespace = reader.text("namespace").unwrap_or_default();
    if let Some(seconds) = reader.number("ttl") {
        memory.ttl = Ttl::of_seconds(seconds);
        if memory.ttl.is_none() {
            reader.violate(Violation::invalid("ttl", NO_TTL));
        }
    }
    memory.language = reader.text("language");
    add_faults(reader, see_to_secrets(&mut memory.content, &mut memory.metadata));
    add_faults(reader, memory.faults(space));
    reader.end(memory)
}

/// What is wrong with the fields as they were read: one violation of a field is enough.
pub(super) fn add_faults(reader: &mut Reader<'_>, faults: Vec<Violation>) {
    for fault in faults {
        if !reader.has_violated(fault.field.as_deref()) {
            reader.violate(fault);
        }
    }
}

fn embedding_of(reader: &mut Reader<'_>, space: &Space) -> Result<NewEmbedding, Rejection> {
    let field = space.embedded.column();
    for field in [field, "embedding"] {
        if reader.raw(field).is_none() {
            reader.violate(Violation::missing(field));
        }
    }
    let id = match space.embedded {
        Embedded::Memories => reader.text(field),
        Embedded::Messages => message_id(reader, field),
    };
    let id = id.unwrap_or_default();
    let embedding = embedding(reader, Some(space)).unwrap_or_else(|| Embedding::new(vec![]));
    let content_hash = reader.text("content_hash");
    if reader.is_well()
        && let Err(error) = space.check(&embedding)
    {
        reader.violate(of_embedding(&error));
    }
    reader.end(NewEmbedding { id, embedding, content_hash })
}
