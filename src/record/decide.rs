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

/// What to do, as far as the text alone tells.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The content is what is stored.
    Same,
    /// The record is to be soft-deleted.
    Delete,
    /// It is deleted already.
    StaysDeleted,
    /// Only the decoded content can tell, or must be written.
    Decode,
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

/// Compares without decoding. `live` holds the contents that count, the last deciding; `context`
/// names the way of reading, as in [`source_digest`].
pub(crate) fn compare_text(live: &[Content<'_>], stored: &Stored, context: u8) -> Verdict {
    let Some(last) = live.last() else { return Verdict::Same };
    if last.deleted {
        return if stored.deleted { Verdict::StaysDeleted } else { Verdict::Delete };
    }
    match (live, last.data) {
        ([_], Some(data)) if !stored.deleted && stored.source_digest.is_some() => {
            let digest = source_digest(text_hash(data), stored.content_hash, context);
            if stored.source_digest == Some(digest) { Verdict::Same } else { Verdict::Decode }
        }
        _ => Verdict::Decode,
    }
}
