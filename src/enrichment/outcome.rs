//! What settling answers for each element.

/// What became of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The record is APPLIED and has the result.
    Applied,
    /// It is to be tried again.
    Retried,
    /// It is FAILED.
    Failed,
    /// Given back; the attempt does not count.
    Released,
    /// This lease has settled the record before.
    Duplicate,
    /// The lease does not hold the record any more.
    Stale,
    /// The content changed since the claim: the result was dropped, the record is queued again.
    Superseded,
    /// There is no such record.
    NotFound,
    /// The record was deleted or archived meanwhile.
    Gone,
    /// The element cannot be understood, or the database refuses what it says.
    Rejected,
}

impl Outcome {
    /// Whether the lease is done with the record.
    pub(crate) fn is_settled(self) -> bool {
        match self {
            Self::Applied
            | Self::Retried
            | Self::Failed
            | Self::Released
            | Self::Duplicate
            | Self::Superseded => true,
            Self::Stale | Self::NotFound | Self::Gone | Self::Rejected => false,
        }
    }

    /// Whether `error` of the answer has its place: what was said is in the log, or was not taken.
    pub(crate) fn has_said(self) -> bool {
        matches!(self, Self::Retried | Self::Failed | Self::Superseded | Self::Rejected)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Retried => "retried",
            Self::Failed => "failed",
            Self::Released => "released",
            Self::Duplicate => "duplicate",
            Self::Stale => "stale",
            Self::Superseded => "superseded",
            Self::NotFound => "not_found",
            Self::Gone => "gone",
            Self::Rejected => "rejected",
        }
    }
}

/// How an attempt ended, as the log has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Applied,
    Retried,
    Failed,
    Released,
    Superseded,
    Expired,
}

impl End {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Retried => "retried",
            Self::Failed => "failed",
            Self::Released => "released",
            Self::Superseded => "superseded",
            Self::Expired => "expired",
        }
    }
}
