//! Memories as the arrays that statements write them from.

use super::decode::NewMemory;
use super::space::Space;
use crate::pg::array::{self, Array, ElementType};
use pgrx::pg_sys;

/// Rows of memories, a column each.
pub(super) struct Rows {
    pub(super) ids: Array,
    pub(super) users: Array,
    pub(super) types: Array,
    pub(super) contents: Array,
    pub(super) is_json: Array,
    pub(super) relevance: Array,
    pub(super) metadata: Array,
    pub(super) valid_from: Array,
    pub(super) expires_at: Array,
    pub(super) namespaces: Array,
    pub(super) keys: Array,
    pub(super) ttls: Array,
    pub(super) languages: Array,
    pub(super) has_languages: bool,
}

impl Rows {
    /// The largest come first, and get the largest of the spare buffers.
    pub(super) fn new() -> Self {
        Self {
            contents: Array::new(array::TEXT),
            metadata: Array::new(array::JSONB),
            ids: Array::new(array::TEXT),
            users: Array::new(array::TEXT),
            types: Array::new(array::TEXT),
            is_json: Array::new(array::BOOLEAN),
            relevance: Array::new(array::FLOAT),
            valid_from: Array::new(array::TIMESTAMPTZ),
            expires_at: Array::new(array::TIMESTAMPTZ),
            namespaces: Array::new(array::TEXT),
            keys: Array::new(array::TEXT),
            ttls: Array::new(array::INTERVAL),
            languages: Array::new(array::TEXT),
            has_languages: false,
        }
    }

    pub(super) fn push(&mut self, id: &str, memory: &NewMemory) {
        self.ids.push_text(id);
        match &memory.user_id {
            Some(user) => self.users.push_text(user),
            None => self.users.push_null(),
        }
        self.types.push_text(&memory.context_type);
        self.contents.push_text(&memory.content);
        self.is_json.push_bytes(&[u8::from(memory.is_json)]);
        self.relevance.push_bytes(&memory.relevance_score.to_ne_bytes());
        match &memory.metadata {
            Some(stored) => self.metadata.push_bytes(stored),
            None => self.metadata.push_null(),
        }
        self.valid_from.push_time(memory.valid_from);
        self.expires_at.push_time(memory.expires_at);
        self.namespaces.push_text(&memory.namespace);
        match &memory.key {
            Some(key) => self.keys.push_text(key),
            None => self.keys.push_null(),
        }
        match memory.ttl {
            Some(ttl) => self.ttls.push_bytes(&ttl.stored()),
            None => self.ttls.push_null(),
        }
        match &memory.language {
            Some(language) => {
                self.languages.push_text(language);
                self.has_languages = true;
            }
            None => self.languages.push_null(),
        }
    }
}

/// What belongs to memories that were written: their embeddings, and what they supersede.
pub(super) struct Beside {
    pub(super) embedded: Array,
    pub(super) embeddings: Array,
    pub(super) ended: Array,
    pub(super) successors: Array,
    pub(super) ended_at: Array,
}

impl Beside {
    pub(super) fn new(space: Option<&Space>) -> Self {
        let vector = space.map_or(pg_sys::InvalidOid, |space| space.vectors.vector_type);
        Self {
            embeddings: Array::new(ElementType::varlena(vector)),
            embedded: Array::new(array::TEXT),
            ended: Array::new(array::TEXT),
            successors: Array::new(array::TEXT),
            ended_at: Array::new(array::TIMESTAMPTZ),
        }
    }

    pub(super) fn push(&mut self, id: &str, memory: &NewMemory, is_as_given: bool, now: i64) {
        if let Some(embedding) = memory.embedding.as_ref().filter(|_| is_as_given) {
            self.embedded.push_text(id);
            self.embeddings.push_bytes(&embedding.stored());
        }
        if let Some(old) = &memory.supersedes {
            self.ended.push_text(old);
            self.successors.push_text(id);
            self.ended_at.push_time(Some(memory.valid_from.unwrap_or(now)));
        }
    }
}
