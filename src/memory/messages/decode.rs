//! Reads the elements of a batch of messages.

use crate::answer::{Rejection, Violation};
use crate::batch::{self, BatchError, Reader, not_a_count, not_one_of};
use crate::memory::decode::{add_faults, embedding, see_to_secrets};
use crate::memory::embedding::Embedding;
use crate::memory::space::Space;

/// As `kepler.message_role` has them.
pub(super) const ROLES: [&str; 4] = ["system", "user", "assistant", "tool"];
const MAX_EXTERNAL_ID: usize = 500;
const MAX_TOKENS: i32 = 999_999_999;

const FIELDS: [&str; 9] = [
    "role",
    "content",
    "user_id",
    "token_count",
    "external_id",
    "metadata",
    "sent_at",
    "embedding",
    "language",
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
    /// Of its words; None: that of the workspace.
    pub(crate) language: Option<String>,
}

impl NewMessage {
    /// What is wrong with it, whichever way it came.
    pub(crate) fn faults(&self, space: Option<&Space>) -> Vec<Violation> {
        let mut faults = Vec::new();
        if !ROLES.contains(&self.role.as_str()) {
            faults.push(not_one_of("role", &ROLES));
        }
        if self.token_count.is_some_and(|count| !(0..=MAX_TOKENS).contains(&count)) {
            faults.push(not_a_count("token_count", 0));
        }
        if self.external_id.as_ref().is_some_and(|id| !(1..=MAX_EXTERNAL_ID).contains(&id.len())) {
            faults.push(Violation::invalid("external_id", "must be a string of 1 to 500 bytes"));
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

/// `JB_FOBJECT` of `utils/jsonb.h`.
const OBJECT: u32 = 0x2000_0000;

/// Reads `text`, a JSON array of messages. `space`: where their embeddings go.
pub(super) fn batch(
    text: &str,
    space: Option<&Space>,
) -> Result<Vec<Result<NewMessage, Rejection>>, BatchError> {
    batch::read("messages", text, &FIELDS, |reader| message(reader, space), Err)
}

fn message(reader: &mut Reader<'_>, space: Option<&Space>) -> Result<NewMessage, Rejection> {
    let is_text = |reader: &Reader<'_>, field| matches!(reader.raw(field), Some([b'"', ..]));
    let mut message = NewMessage {
        role: String::new(),
        content: String::new(),
        user_id: None,
        token_count: None,
        external_id: None,
        metadata: None,
        sent_at: None,
        embedding: None,
        language: None,
    };
    message.role = reader.one_of("role", &ROLES).unwrap_or_default();
    if reader.raw("role").is_none() {
        reader.violate(not_one_of("role", &ROLES));
    }
    if is_text(reader, "content") {
        message.content = reader.text("content").unwrap_or_default();
    } else {
        reader.violate(Violation::invalid("content", "must be a string (it may be empty)"));
    }
    message.user_id = reader.text("user_id");
    message.token_count = reader.count("token_count", 0);
    message.external_id = reader.text("external_id");
    message.metadata = reader.object("metadata");
    message.sent_at = reader.time("sent_at");
    message.language = reader.text("language");
    message.embedding = embedding(reader, space);
    add_faults(reader, see_to_secrets(&mut message.content, &mut message.metadata));
    add_faults(reader, message.faults(space));
    reader.end(message)
}
