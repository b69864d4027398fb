//! Reads the elements of a batch of messages.

use crate::answer::{Rejection, Violation};
use crate::error::Error;
use crate::jsonb::elements;
use crate::memory::decode::{Reader, objects};
use crate::memory::embedding::Embedding;
use crate::memory::space::Space;
use std::ops::Range;

/// As `kepler.message_role` has them.
pub(super) const ROLES: [&str; 4] = ["system", "user", "assistant", "tool"];
const MAX_EXTERNAL_ID: usize = 500;
const MAX_TOKENS: i32 = 999_999_999;

const FIELDS: [&str; 8] = [
    "role",
    "content",
    "user_id",
    "token_count",
    "external_id",
    "metadata",
    "sent_at",
    "embedding",
];

/// A message that is to be added.
pub(crate) struct NewMessage {
    pub(crate) role: String,
    pub(crate) content: String,
    pub(crate) user_id: Option<String>,
    pub(crate) token_count: Option<i32>,
    pub(crate) external_id: Option<String>,
    /// The stored `jsonb`, length word included.
    pub(crate) metadata: Option<Vec<u8>>,
    pub(crate) sent_at: Option<i64>,
    pub(crate) embedding: Option<Embedding>,
}

impl NewMessage {
    /// What is wrong with it, whichever way it came.
    pub(crate) fn faults(&self, space: Option<&Space>) -> Vec<Violation> {
        let mut faults = Vec::new();
        if !ROLES.contains(&self.role.as_str()) {
            faults.push(no_role());
        }
        if self.token_count.is_some_and(|count| !(0..=MAX_TOKENS).contains(&count)) {
            faults.push(Violation::invalid("token_count", TOKENS));
        }
        if self.external_id.as_ref().is_some_and(|id| !(1..=MAX_EXTERNAL_ID).contains(&id.len())) {
            faults.push(Violation::invalid("external_id", "must be a text of 1 to 500 bytes"));
        }
        // The kind of a jsonb stands in the highest bits of its header.
        let is_object = |stored: &Vec<u8>| {
            stored.len() >= 8
                && u32::from_ne_bytes([stored[4], stored[5], stored[6], stored[7]]) & OBJECT != 0
        };
        if !self.metadata.as_ref().is_none_or(is_object) {
            faults.push(Violation::invalid("metadata", "must be an object"));
        }
        if let (Some(embedding), Some(space)) = (&self.embedding, space)
            && let Err(error) = space.check(embedding)
        {
            faults.push(Violation::invalid("embedding", error.to_string()));
        }
        faults
    }
}

fn no_role() -> Violation {
    Violation::invalid("role", format!("must be one of {}", ROLES.join(", ")))
}

fn is_count(raw: &[u8]) -> bool {
    (1..=9).contains(&raw.len())
        && raw.iter().all(u8::is_ascii_digit)
        && (raw[0] != b'0' || raw.len() == 1)
}

const TOKENS: &str = "must be an integer from 0 to 999999999";
/// `JB_FOBJECT` of `utils/jsonb.h`.
const OBJECT: u32 = 0x2000_0000;

/// Divides `text`, a JSON array of objects, and reads them. `space`: where their embeddings go.
pub(super) fn batch(
    text: &str,
    space: Option<&Space>,
) -> Result<Vec<Result<NewMessage, Rejection>>, Error> {
    let text = text.as_bytes();
    let mut reader = Reader::new(space);
    let mut batch = Vec::new();
    elements::divide(text, |at| {
        pgrx::check_for_interrupts!();
        let (element, end) = objects(text, at, &FIELDS, |ranges, unknown| {
            message(&mut reader, text, ranges, unknown)
        })?;
        batch.push(element);
        Ok(end)
    })
    .map_err(|undivided| Error::undivided("messages", undivided))?;
    Ok(batch)
}

fn message(
    reader: &mut Reader<'_>,
    text: &[u8],
    ranges: &[Option<Range<usize>>],
    unknown: Vec<String>,
) -> Result<NewMessage, Rejection> {
    reader.begin(unknown, &FIELDS.join(", "));
    let raw = |at: usize| ranges[at].clone().map(|range| &text[range]);
    let is_text = |at: usize| matches!(raw(at), Some([b'"', ..]));
    let mut message = NewMessage {
        role: String::new(),
        content: String::new(),
        user_id: None,
        token_count: None,
        external_id: None,
        metadata: None,
        sent_at: None,
        embedding: None,
    };
    if is_text(0) {
        message.role = reader.text(FIELDS[0], raw(0)).unwrap_or_default();
    }
    if !ROLES.contains(&message.role.as_str()) {
        reader.faults.push(no_role());
    }
    if is_text(1) {
        message.content = reader.text(FIELDS[1], raw(1)).unwrap_or_default();
    } else {
        reader.faults.push(Violation::invalid(FIELDS[1], "must be a text (it may be empty)"));
    }
    message.user_id = reader.text(FIELDS[2], raw(2));
    if let Some(raw) = raw(3) {
        // Digits as JSON has them; what is over the limit has ten of them or more.
        let digits = str::from_utf8(raw).ok().filter(|raw| is_count(raw.as_bytes()));
        match digits.and_then(|digits| digits.parse::<i32>().ok()) {
            Some(count) => message.token_count = Some(count),
            None => reader.faults.push(Violation::invalid(FIELDS[3], TOKENS)),
        }
    }
    message.external_id = reader.text(FIELDS[4], raw(4));
    message.metadata = reader.object(FIELDS[5], raw(5));
    message.sent_at = reader.time(FIELDS[6], raw(6));
    message.embedding = reader.embedding(FIELDS[7], raw(7));
    // One fault a field is enough.
    let told: Vec<_> = reader.faults.iter().map(|fault| fault.field.clone()).collect();
    let faults = message.faults(reader.space());
    reader.faults.extend(faults.into_iter().filter(|fault| !told.contains(&fault.field)));
    reader.end(message)
}
