//! The words for what became of an element: one word for one thing, whichever function says it.

/// What became of an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Inserted,
    Updated,
    /// Equal content with a newer time, which was noted.
    Refreshed,
    Restored,
    Deleted,
    Archived,
    /// Taken into one that was there.
    Merged,
    /// It is so already.
    Unchanged,
    /// This very request was done before.
    Duplicate,
    /// Came too late: an older version, a lease that is lost.
    Stale,
    /// Something newer won: later in the batch, or the content changed meanwhile. Always the loser.
    Superseded,
    /// Not valid, or not allowed here; the others land.
    Rejected,
    NotFound,
    /// Deleted or archived.
    Gone,
    /// The record is APPLIED and has the result.
    Applied,
    /// The attempt failed, and there will be another.
    Retried,
    /// The record is FAILED.
    Failed,
    /// Given back; the attempt does not count.
    Released,
    Requeued,
    /// All of it is done.
    Finished,
    /// A step of it is done: to be called again.
    Unfinished,
}

impl Outcome {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Inserted => "inserted",
            Self::Updated => "updated",
            Self::Refreshed => "refreshed",
            Self::Restored => "restored",
            Self::Deleted => "deleted",
            Self::Archived => "archived",
            Self::Merged => "merged",
            Self::Unchanged => "unchanged",
            Self::Duplicate => "duplicate",
            Self::Stale => "stale",
            Self::Superseded => "superseded",
            Self::Rejected => "rejected",
            Self::NotFound => "not_found",
            Self::Gone => "gone",
            Self::Applied => "applied",
            Self::Retried => "retried",
            Self::Failed => "failed",
            Self::Released => "released",
            Self::Requeued => "requeued",
            Self::Finished => "finished",
            Self::Unfinished => "unfinished",
        }
    }
}
