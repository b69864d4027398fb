//! What an incoming record means for the stored one, as far as that can be told without decoding it.

use super::decode::Content;
use crate::jsonb::hash::{source_digest, text_hash};
use std::borrow::Cow;

/// What is known of a stored record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) content_hash: u128,
    pub(crate) source_digest: Option<u128>,
    pub(crate) source_updated_at: Option<i64>,
    pub(crate) deleted: bool,
    /// Whether its enrichment is FAILED. Only a look-up that locks tells.
    pub(crate) failed: bool,
}

impl Stored {
    /// What tells whether a record was written since: its content, and whether it is deleted. Leases and results of
    /// enrichment do not count.
    pub(crate) fn state(&self) -> u128 {
        self.content_hash ^ u128::from(self.deleted)
    }
}

/// Which elements of a candidate stand against what is stored.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Standing<'p> {
    /// Those that are not older than the stored record, in order; the last of them decides.
    pub(crate) live: Cow<'p, [u32]>,
    /// Those that are older and stand behind the last live one. The older ones before it are as
    /// good as replaced.
    pub(crate) stale: &'p [u32],
    /// The newest time that the source has given, the stored one included.
    pub(crate) time: Option<i64>,
}

/// The stale guard: an element with a time older than the stored one does not count. Elements
/// without a time always do.
pub(crate) fn stand<'p>(
    parts: &'p [u32],
    stored: Option<&Stored>,
    time_of: impl Fn(u32) -> Option<i64>,
) -> Standing<'p> {
    let known = stored.and_then(|stored| stored.source_updated_at);
    let stale = |part: &u32| matches!((time_of(*part), known), (Some(new), Some(old)) if new < old);
    let (live, end) = match parts.iter().rposition(|part| !stale(part)) {
        None => (Cow::Borrowed(&parts[..0]), 0),
        Some(last) if !parts[..=last].iter().any(stale) => {
            (Cow::Borrowed(&parts[..=last]), last + 1)
        }
        Some(last) => {
            let live = parts[..=last].iter().copied().filter(|part| !stale(part)).collect();
            (Cow::Owned(live), last + 1)
        }
    };
    let time = live.iter().filter_map(|part| time_of(*part)).max();
    Standing { live, stale: &parts[end..], time: known.max(time) }
}

/// A text that a record's data is made of.
pub(crate) struct Part<'t> {
    pub(crate) text: &'t [u8],
    /// A deletion stands before it: nothing of what was before is in the record's new life.
    pub(crate) is_new_life: bool,
}

/// The contents that make a record's data, of those that count. A deletion brings none where the
/// record, or an element before it, has some: sources send stubs along with deletions.
pub(crate) fn contents<'c, 't>(
    live: &'c [Content<'t>],
    known: bool,
) -> impl Iterator<Item = Part<'t>> + use<'c, 't> {
    let none = !known && live.iter().all(|content| content.deleted);
    let last = live.len().saturating_sub(1);
    let mut is_new_life = false;
    live.iter().enumerate().filter_map(move |(at, content)| {
        if content.deleted && !(none && at == last) {
            is_new_life = true;
            return None;
        }
        let text = content.data?;
        Some(Part { text, is_new_life: std::mem::take(&mut is_new_life) })
    })
}

/// Whether the text of the one content that counts is what the stored content was made of. `context`
/// names the way of reading, as in [`source_digest`].
pub(crate) fn same_text(live: &[Content<'_>], stored: &Stored, context: u8) -> bool {
    let ([Content { data: Some(data), .. }], Some(known)) = (live, stored.source_digest) else {
        return false;
    };
    known == source_digest(text_hash(data), stored.content_hash, context)
}
